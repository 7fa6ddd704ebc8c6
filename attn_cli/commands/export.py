"""attn export: a model's weights become graphs that run without torch."""

from enum import StrEnum
from typing import Annotated

import typer

from attn_cli.commands.shared import console_of


class Precision(StrEnum):
    """What the graphs compute with."""

    INT8 = "int8"
    FP32 = "fp32"


def export(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A name on the shelf or a folder.")],
    precision: Annotated[
        Precision,
        typer.Option("--precision", help="int8: a third of the size and quicker; fp32: exact."),
    ] = Precision.INT8,
    half: Annotated[
        bool,
        typer.Option("--half", help="Keep the weights, to train on from, in half precision too."),
    ] = False,
) -> None:
    """Write a model's graphs for ONNX Runtime into it, once they agree with torch.

    Example: attn export runs/mine --precision int8
    """
    from attn_cli import shelf
    from attn_cli.bundle import open_bundle
    from attn_cli.folder_lock import lock_folder

    console = console_of(context)
    path = shelf.find(model)
    with lock_folder(path):
        from attn_cli.export import export as write_graphs
        from attn_cli.verified import make_sure

        make_sure(path)
        written = write_graphs(open_bundle(path), precision=precision.value, half=half)
    console.say(
        f"attn: {path} has graphs in {precision.value}, {written.bytes / 1e6:.1f} MB; "
        f"in fp32 they differ from torch by {written.difference:.0e} at most"
    )
