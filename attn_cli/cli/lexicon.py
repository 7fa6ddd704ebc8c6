"""attn lexicon: word pairs with counts and probabilities from the links of a corpus."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from attn_cli.choices import InputFormat
from attn_cli.cli.options import OutputOption, TokenizedOption, console_of
from attn_cli.console import Console
from attn_cli.errors import DataError, UsageError

if TYPE_CHECKING:
    from attn_cli.alignment.lexicon import LexiconEntry
    from attn_cli.types import WordAlignment

    AlignedPair = tuple[list[str], list[str], WordAlignment]

#: The fields of an entry, as the header of tsv.
_FIELDS = ("source", "target", "count", "target_given_source", "source_given_target")

LexiconFormat = Literal["tsv", "jsonl"]


def lexicon(
    context: typer.Context,
    links: Annotated[
        Path, typer.Argument(help="Pharaoh links, or JSONL of attn align. [stdin]")
    ] = Path("-"),
    source: Annotated[Path | None, typer.Option("--source", help="File of source lines.")] = None,
    target: Annotated[Path | None, typer.Option("--target", help="File of target lines.")] = None,
    input_format: Annotated[
        InputFormat, typer.Option("--input-format", help="jsonl has both sides and their links.")
    ] = "text",
    tokenized: TokenizedOption = False,
    lowercase: Annotated[
        bool, typer.Option("--lowercase", help="Count words in lower case.")
    ] = False,
    threshold: Annotated[
        float,
        typer.Option("--threshold", min=0.0, max=1.0, help="Minimum weight of a link that counts."),
    ] = 0.0,
    min_count: Annotated[
        int, typer.Option("--min-count", min=1, help="Leave out pairs linked less often.")
    ] = 1,
    min_prob: Annotated[
        float,
        typer.Option(
            "--min-prob",
            min=0.0,
            max=1.0,
            help="Leave out pairs with smaller probabilities in both directions.",
        ),
    ] = 0.0,
    format: Annotated[
        LexiconFormat,
        typer.Option("--format", "-f", help="tsv: source, target, count, p(t|s), p(s|t)."),
    ] = "tsv",
    output: OutputOption = None,
) -> None:
    """List the word pairs that the links of a corpus connect, with counts and probabilities.

    p(t|s) is the share of the links of a source word s that lead to t; p(s|t) is the reverse.

    Examples:
      attn align --fit --source a.en --target a.fr > a.links
      attn lexicon a.links --source a.en --target a.fr --min-count 2
      attn align --source a.en --target a.fr -f jsonl | attn lexicon --input-format jsonl
    """
    from attn_cli.alignment.lexicon import Lexicon
    from attn_cli.cli.output_file import open_writer

    console = console_of(context)
    with ExitStack() as stack:
        if input_format == "jsonl":
            if source is not None or target is not None or tokenized:
                raise UsageError(
                    "JSONL records have their words, so they exclude --source, --target and "
                    "--tokenized",
                    "Leave these out.",
                )
            pairs = _from_records(console, links, stack)
        elif source is None or target is None:
            raise UsageError(
                "links count words, so their sentences are needed",
                "Give --source and --target, or the records of attn align -f jsonl with "
                "--input-format jsonl.",
            )
        else:
            pairs = _from_files(console, links, source, target, stack, tokenized=tokenized)
        words = Lexicon()
        for one, other, linked in pairs:
            if lowercase:
                one, other = ([word.lower() for word in side] for side in (one, other))
            words.add(one, other, linked, threshold=threshold)
        write = stack.enter_context(open_writer(console, output))
        if format == "tsv":
            write("\t".join(_FIELDS) + "\n")
        for entry in words.entries(min_count=min_count, min_prob=min_prob):
            write((_tsv(entry) if format == "tsv" else _jsonl(entry)) + "\n")


def _from_files(
    console: Console,
    links: Path,
    source: Path,
    target: Path,
    stack: ExitStack,
    *,
    tokenized: bool,
) -> "Iterator[AlignedPair]":
    """The words and links of each line of three files.

    Raises DataError for files of different length and for a link outside its sentence.
    """
    from attn_cli.alignment.pharaoh import parse_links
    from attn_cli.cli.input import open_text
    from attn_cli.data import words
    from attn_cli.data.text_input import raise_length_mismatch, zip_lines

    if [str(path) for path in (links, source, target)].count("-") > 1:
        raise UsageError("two files are standard input", "Name one of them.")
    source_lines, target_lines, link_lines = (
        stack.enter_context(open_text(console, path, name=str(path)))
        for path in (source, target, links)
    )
    iterator, number = iter(link_lines), 0
    pairs = zip_lines(source_lines, target_lines)
    for one, other in pairs:
        number = one.number
        line = next(iterator, None)
        if line is None:
            rest = number + sum(1 for _ in pairs)
            raise_length_mismatch(str(source), rest, str(links), number - 1)
        sides = [
            side.text.split() if tokenized else [word.text for word in words.split(side.text)]
            for side in (one, other)
        ]
        parsed = parse_links(line.text, where=f"{links} line {number}")
        _check(parsed, sides, f"{links} line {number}")
        yield sides[0], sides[1], parsed
    if surplus := sum(1 for _ in iterator):
        raise_length_mismatch(str(source), number, str(links), number + surplus)


def _check(links: "WordAlignment", sides: list[list[str]], where: str) -> None:
    for s, t in links.sorted_links():
        if s >= len(sides[0]) or t >= len(sides[1]):
            raise DataError(
                f"{where} links word {s} to word {t}, but the sentences have {len(sides[0])} and "
                f"{len(sides[1])} words",
                "Give the files that were aligned; with --tokenized if that was used. A model that "
                "copies numbers and names counts each as a word: align with -f jsonl.",
            )


def _from_records(console: Console, path: Path, stack: ExitStack) -> "Iterator[AlignedPair]":
    """The words and links of each JSONL record. Raises DataError for what is none."""
    from attn_cli.cli.input import open_text
    from attn_cli.types import WordAlignment

    lines = stack.enter_context(open_text(console, path))
    for line in lines:
        if not line.text.strip():
            continue
        try:
            record: dict[str, Any] = json.loads(line.text)
            sides = [
                [str(word) for word in record[f"{side}_words"]] for side in ("source", "target")
            ]
            rows = [(int(s), int(t), 1.0 if w is None else float(w)) for s, t, w in record["links"]]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(
                f"{lines.name} line {line.number} is not a record of attn align",
                "Give the output of attn align --format jsonl.",
            ) from error
        weights = {(s, t): weight for s, t, weight in rows}
        if any(not (0 <= s < len(sides[0]) and 0 <= t < len(sides[1])) for s, t in weights):
            raise DataError(
                f"{lines.name} line {line.number} has a link outside its words",
                "Give the output of attn align --format jsonl.",
            )
        yield (
            sides[0],
            sides[1],
            WordAlignment(frozenset(weights), len(sides[0]), len(sides[1]), weights),
        )


def _tsv(entry: "LexiconEntry") -> str:
    from attn_cli.render.text_formats import tsv_cell

    return (
        f"{tsv_cell(entry.source)}\t{tsv_cell(entry.target)}\t{entry.count}"
        f"\t{entry.target_given_source:.4f}\t{entry.source_given_target:.4f}"
    )


def _jsonl(entry: "LexiconEntry") -> str:
    record = {
        "source": entry.source,
        "target": entry.target,
        "count": entry.count,
        "target_given_source": round(entry.target_given_source, 4),
        "source_given_target": round(entry.source_given_target, 4),
    }
    return json.dumps(record, ensure_ascii=False)
