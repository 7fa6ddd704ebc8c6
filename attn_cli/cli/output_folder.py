"""The folder that a model goes into: what it holds is not written over unless that is asked for."""

from pathlib import Path

from attn_cli.errors import UsageError


def refuse_to_replace(out: Path, *, force: bool, resumable: bool) -> None:
    """Make sure nothing is lost: a folder that holds a model or a training is not written over.

    With `resumable` the hint says how to go on with it.
    """
    holds = any((out / name).exists() for name in ("bundle.json", "checkpoints"))
    if holds and not force:
        begin = f"Resume it (--resume {out}), choose" if resumable else "Choose"
        raise UsageError(
            f"{out} already holds a model or a training",
            f"{begin} another --out, or replace it with --force.",
        )


def make_folder(out: Path) -> None:
    """The folder, made if need be. Raises UsageError where it cannot be."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", "Choose another --out.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot create the folder {out}: {error.strerror}", "Choose another --out."
        ) from error
