"""attn symmetrize: two files of links, one for each direction, become one; a line for each line."""

from pathlib import Path
from typing import Annotated

import typer

from attn_cli.choices import LinkOrder, Symmetrization, Unaligned
from attn_cli.cli.options import OutputOption, ScoresOption, console_of


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
        Symmetrization,
        typer.Option("--method", help="Method of combination; soft is for attn align only."),
    ] = "grow-diag-final-and",
    reverse_order: Annotated[
        LinkOrder,
        typer.Option(
            "--reverse-order",
            help="Order of a link in REVERSE: target-source, or source-target (fast_align -r).",
        ),
    ] = "ts",
    unaligned: Annotated[
        Unaligned,
        typer.Option(
            "--unaligned",
            help="Add links where both words are unaligned, or either (as Moses does).",
        ),
    ] = "both",
    output: OutputOption = None,
    scores: ScoresOption = False,
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
    from attn_cli.cli.link_files import open_links
    from attn_cli.cli.output_file import open_writer
    from attn_cli.errors import UsageError
    from attn_cli.render.text_formats import pharaoh

    console = console_of(context)
    if method == "soft":
        raise UsageError(
            "soft combines tables of weights, which Pharaoh files do not contain",
            "Choose another --method, or attn align --reverse MODEL --symmetrize soft.",
        )
    if str(forward) == str(reverse) == "-":
        raise UsageError("both files are standard input", "Name one of them.")
    is_transposed = reverse_order == "ts"
    with ExitStack() as stack:
        files = stack.enter_context(
            open_links(console, forward, reverse, is_transposed=is_transposed)
        )
        write = stack.enter_context(open_writer(console, output))
        for group in files.groups():
            linked = (combined(*both, method, unaligned=unaligned) for both in group)
            write(*(pharaoh(links, scores=scores) + "\n" for links in linked))
    if files.looks_reversed:
        console.info(
            f"attn: {forward} has more links in common with {reverse} in the other order; "
            f"try --reverse-order {'st' if is_transposed else 'ts'}"
        )
