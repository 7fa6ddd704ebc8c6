"""attn score: translations against references, links against gold."""

import json
from pathlib import Path
from typing import Annotated

import typer

from attn_cli.choices import ScoreFormat
from attn_cli.cli.options import console_of
from attn_cli.console import Console
from attn_cli.errors import UsageError


def score(
    context: typer.Context,
    hypothesis: Annotated[
        Path | None, typer.Argument(help="Translations. [stdin]", show_default=False)
    ] = None,
    reference: Annotated[
        list[Path] | None,
        typer.Option(
            "--reference",
            "-r",
            help="Reference text; repeat for several. "
            "A blank line in all but the first means no reference for that line.",
            show_default=False,
        ),
    ] = None,
    gold: Annotated[
        Path | None, typer.Option("--gold", help="Gold links: S-T sure, SpT or S?T possible.")
    ] = None,
    links: Annotated[Path | None, typer.Option("--links", help="Pharaoh links. [stdin]")] = None,
    index_base: Annotated[
        list[str] | None,
        typer.Option(
            "--index-base",
            help="First word number: auto, 0 or 1; give it twice for gold and links. [auto]",
            show_default=False,
        ),
    ] = None,
    format: Annotated[ScoreFormat, typer.Option("--format", "-f")] = "text",
) -> None:
    """Score translations (BLEU, chrF, TER) or word alignments (AER, precision, recall).

    Examples:
      attn score --reference ref.fr < hyp.fr
      attn score --gold gold.txt --links a.links
      attn score hyp.fr -r ref1.fr -r ref2.fr --format json
    """
    console = console_of(context)
    if bool(reference) == bool(gold):
        raise UsageError(
            "score needs either --reference, for translations, or --gold, for links",
            "Give one of them.",
        )
    if hypothesis and links:
        raise UsageError("links were given twice", "Give --links alone.")
    if reference and (links or index_base):
        raise UsageError("--links and --index-base go with --gold", "Leave them out.")
    if gold:
        _score_links(console, gold, links or hypothesis or Path("-"), index_base or [], format)
    else:
        _score_text(console, reference or [], hypothesis or Path("-"), format)


def _score_links(
    console: Console, gold: Path, links: Path, bases: list[str], format: ScoreFormat
) -> None:
    from attn_cli.cli.evaluation import score_files

    scored = score_files(console, gold, links, bases)
    if format == "json":
        console.write(json.dumps({"aer": scored.record()}, ensure_ascii=False) + "\n")
    else:
        console.write(scored.summary() + "\n")


def _score_text(
    console: Console, references: list[Path], hypothesis: Path, format: ScoreFormat
) -> None:
    from attn_cli.cli.evaluation import read_lines, read_references
    from attn_cli.evaluation import text_scores

    translations = read_lines(console, hypothesis)
    scores = text_scores(translations, read_references(console, references))
    if format == "json":
        records = {name: each.record() for name, each in scores.items()}
        console.write(json.dumps(records, ensure_ascii=False) + "\n")
    else:
        console.write("".join(each.line() + "\n" for each in scores.values()))
