"""attn export: a model becomes graphs that run without torch, or a folder of Transformers."""

from pathlib import Path
from typing import Annotated

import typer

from attn_cli.choices import ExportFormat, Precision
from attn_cli.cli.options import ModelArgument, console_of
from attn_cli.console import Console
from attn_cli.errors import UsageError


def export(
    context: typer.Context,
    model: ModelArgument,
    to: Annotated[
        ExportFormat,
        typer.Option(
            "--to",
            help="onnx: graphs in the model itself; hf: a Marian model for Hugging Face's "
            "Transformers in the folder --out.",
        ),
    ] = "onnx",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="With --to hf: the folder.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --to hf: replace files in --out.")
    ] = False,
    precision: Annotated[
        Precision | None,
        typer.Option(
            "--precision", help="int8: a third of the size, and faster; fp32: exact. [int8]"
        ),
    ] = None,
    half: Annotated[
        bool,
        typer.Option(
            "--half", help="Also store the parameters, for fine-tuning, in half precision."
        ),
    ] = False,
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs", help="Add a shortlist computed from source<TAB>target lines; - for stdin."
        ),
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--source", help="Or source lines; needs --target.")
    ] = None,
    target: Annotated[Path | None, typer.Option("--target", help="Target lines.")] = None,
    links: Annotated[
        Path | None,
        typer.Option(
            "--links", help="Word links of these pairs, line by line. [by the word aligner]"
        ),
    ] = None,
) -> None:
    """Export a model for ONNX Runtime, after a check that the graphs agree with torch.

    With pairs similar to its training text, add a shortlist, which speeds up translation.

    Examples:
      attn export runs/mine
      attn export runs/mine --precision fp32
      attn export runs/mine --pairs corpus.tsv     # with a shortlist
      attn export opus-en-fr --to hf --out opus-mt-en-fr
    """
    if to == "hf":
        if precision or half or pairs or source or target or links:
            raise UsageError(
                "--to hf writes fp32 parameters; it takes --out and --force only",
                "Leave the other options out.",
            )
        _export_to_transformers(console_of(context), model, out, force=force)
        return
    if out is not None or force:
        raise UsageError("--out and --force belong to --to hf", "Add --to hf, or leave them out.")
    if pairs and (source or target):
        raise UsageError(
            "--pairs and --source or --target both name text", "Leave one of them out."
        )
    if bool(source) != bool(target):
        raise UsageError("--source and --target go together", "Give both.")
    if links and not (pairs or source):
        raise UsageError("--links belongs to pairs", "Give --pairs, or --source and --target.")
    from attn_cli import config
    from attn_cli.bundles import registry
    from attn_cli.bundles.bundle import open_bundle
    from attn_cli.files.folder_lock import lock_folder

    console = console_of(context)
    path = registry.find(model)
    with lock_folder(path):
        from attn_cli.export.bundle_export import export as write_graphs

        opened, shortlist = open_bundle(path), None
        if pairs or source:
            from attn_cli.training.shortlisting import shortlist_from_text

            data = config.DataConfig(
                source=str(source or ""), target=str(target or ""), pairs=str(pairs or "")
            )
            shortlist = shortlist_from_text(opened, data, links=links, stdin=console.stdin)
        precision = precision or "int8"
        written = write_graphs(opened, precision=precision, half=half, shortlist=shortlist)
    console.info(
        f"attn: {path} has graphs in {precision}, {written.bytes / 1e6:.1f} MB; "
        f"the fp32 graphs differ from torch by at most {written.difference:.0e}"
    )
    if shortlist:
        console.info(
            f"attn: its shortlist has {len(shortlist.linked) / shortlist.source_vocab:.1f} "
            f"target pieces for each source piece, and {len(shortlist.always)} for every sentence"
        )


def _export_to_transformers(console: Console, model: str, out: Path | None, *, force: bool) -> None:
    """Write the model into the folder. Raises UsageError if it has files, unless with `force`."""
    from attn_cli.cli.output_folder import make_folder

    if out is None:
        raise UsageError("--to hf writes a folder", "Name it with --out.")
    make_folder(out)
    if any(out.iterdir()) and not force:
        raise UsageError(
            f"{out} is not empty", "Choose another --out, or replace its files with --force."
        )
    from attn_cli.bundles import registry
    from attn_cli.bundles.bundle import load_stable
    from attn_cli.export.marian import write_marian_folder

    path = registry.find(model)
    sizes = load_stable(path, lambda bundle: write_marian_folder(bundle, out))
    console.info(
        f"attn: {out} is a Marian model for Transformers: {len(sizes)} files, "
        f"{sum(sizes.values()) / 1e6:.1f} MB"
    )
