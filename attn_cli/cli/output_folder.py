"""The output folder of a model, which is not overwritten without --force."""

from pathlib import Path

from attn_cli.errors import UsageError
from attn_cli.files.atomic import PART


def refuse_to_replace(out: Path, *, force: bool, resumable: bool) -> None:
    """Raise UsageError if the folder holds a model or a training, unless with `force`.

    With `resumable`, the hint names --resume.
    """
    if ((out / "bundle.json").exists() or _is_begun(out / "checkpoints")) and not force:
        begin = f"Resume it (--resume {out}), choose" if resumable else "Choose"
        raise UsageError(
            f"{out} already holds a model or a training",
            f"{begin} another --out, or replace it with --force.",
        )


def _is_begun(checkpoints: Path) -> bool:
    """Whether a training has written its plan: not if the disk was full or it was killed before."""
    return any(path.is_file() and path.suffix != PART for path in checkpoints.glob("*"))


def make_folder(out: Path) -> None:
    """Create the folder if it is missing. Raises UsageError if that fails."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", "Choose another --out.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot create the folder {out}: {error.strerror}", "Choose another --out."
        ) from error
