"""attn symmetrize: two files of links, one for each direction, become one; a line for each line."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from attn_cli.cli.options import Method, Output, Scores, console_of

if TYPE_CHECKING:
    from attn_cli.alignment.symmetrization import Method as OfLinks


class Order(StrEnum):
    """What comes first in a link of REVERSE."""

    TARGET_SOURCE = "ts"
    SOURCE_TARGET = "st"


class Unaligned(StrEnum):
    """How many of its words must have no link yet for a link to be added."""

    BOTH = "both"
    EITHER = "either"


def symmetrize(
    context: typer.Context,
    forward: Annotated[
        Path,
        typer.Argument(
            metavar="FORWARD", help="Source-target links; *.gz, or - for stdin.", show_default=False
        ),
    ],
    reverse: Annotated[
        Path,
        typer.Argument(
            metavar="REVERSE",
            help="Links of the other direction, line by line.",
            show_default=False,
        ),
    ],
    method: Annotated[
        Method, typer.Option("--method", help="Method of combination; soft is for attn align only.")
    ] = Method.GROW_DIAG_FINAL_AND,
    reverse_order: Annotated[
        Order,
        typer.Option(
            "--reverse-order",
            help="Order of a link in REVERSE: target-source, or source-target (fast_align -r).",
        ),
    ] = Order.TARGET_SOURCE,
    unaligned: Annotated[
        Unaligned,
        typer.Option(
            "--unaligned",
            help="Add links where both words are unaligned, or either (as Moses does).",
        ),
    ] = Unaligned.BOTH,
    output: Output = None,
    scores: Scores = False,
) -> None:
    """Combine the word links of two directions, in Pharaoh format, line by line.

    FORWARD comes from aligning sources with targets, REVERSE from aligning targets with sources.
    Both files count words from 0, or both from 1. With --scores, the weight of a link is the mean
    of both directions, if both files have weights.

    Examples:
      attn symmetrize forward.links reverse.links > both.links
      attn symmetrize f.links r.links --method union --reverse-order st
    """
    from contextlib import ExitStack

    from attn_cli.alignment.symmetrization import symmetrize as combined
    from attn_cli.cli.link_files import open_links, text_output
    from attn_cli.errors import UsageError
    from attn_cli.render.text_formats import pharaoh

    console = console_of(context)
    how: OfLinks | Literal["soft"] = method.value
    if how == "soft":
        raise UsageError(
            "soft combines tables of weights, which files of links do not hold",
            "Choose another --method, or attn align --reverse MODEL --symmetrize soft.",
        )
    if str(forward) == str(reverse) == "-":
        raise UsageError("both files are standard input", "Name one of them.")
    turned = reverse_order is Order.TARGET_SOURCE
    with ExitStack() as stack:
        files = stack.enter_context(open_links(console, forward, reverse, turned=turned))
        write = stack.enter_context(text_output(console, output))
        for group in files.groups():
            found = (combined(*both, how, unaligned=unaligned.value) for both in group)
            write(*(pharaoh(links, scores=scores) + "\n" for links in found))
    if files.looks_reversed:
        console.info(
            f"attn: {forward} has more links in common with {reverse} read the other way; "
            f"try --reverse-order {'st' if turned else 'ts'}"
        )
