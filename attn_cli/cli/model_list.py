"""attn models list: the registered models, as a table or as JSON."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from attn_cli.cli.options import console_of
from attn_cli.errors import ModelError

_HEADER = ("NAME", "LANGUAGES", "SIZE", "BLEU", "AER", "LICENSE", "FOLDER")


def list_models(
    context: typer.Context,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write JSON: an array of objects.")
    ] = False,
) -> None:
    """List the registered models: name, languages, size, BLEU, AER, license and folder.

    A dash stands for an unknown value.

    Examples:
      attn models list
      attn models list --json | jq -r '.[] | select(.translates).name'
    """
    from attn_cli.bundles import registry
    from attn_cli.bundles.manifest import read_manifest

    console = console_of(context)
    models = []
    for name, path in registry.names():
        try:
            models.append((name, path, read_manifest(path)))
        except ModelError as error:
            console.warn(error.problem)
    if as_json:
        records = [_record(*model) for model in models]
        console.write(json.dumps(records, ensure_ascii=False, indent=2) + "\n")
        return
    if not models:
        console.info("attn: no model is registered; attn train makes one")
        return
    rows = [_HEADER, *(_row(*model) for model in models)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        console.write(padded.rstrip() + "\n")


def _record(name: str, path: Path, facts: dict[str, Any]) -> dict[str, Any]:
    from attn_cli.bundles import registry

    return {
        "name": name,
        "source": facts["source"],
        "target": facts["target"],
        "bytes": _size(facts),
        "translates": _can_translate(facts),
        "bleu": _score(facts, "bleu"),
        "aer": _score(facts, "aer"),
        "license": facts.get("license", ""),
        "shipped": registry.is_shipped(path),
        "folder": str(path),
    }


def _row(name: str, path: Path, facts: dict[str, Any]) -> tuple[str, ...]:
    bleu, aer = (_score(facts, metric) for metric in ("bleu", "aer"))
    return (
        name,
        _plain(f"{facts['source']}-{facts['target']}"),
        f"{_size(facts) / 1e6:.1f} MB",
        ("-" if bleu is None else f"{bleu:.1f}") if _can_translate(facts) else "aligns only",
        "-" if aer is None else f"{aer:.1f}",
        _plain(facts.get("license", "")) or "-",
        str(path),
    )


def _size(facts: dict[str, Any]) -> int:
    return sum(entry["bytes"] for entry in facts["files"].values())


def _can_translate(facts: dict[str, Any]) -> bool:
    from attn_cli.bundles.manifest import STEP, WEIGHTS

    return bool(facts["files"].keys() & {WEIGHTS, STEP})


def _score(facts: dict[str, Any], metric: str) -> float | None:
    from attn_cli.bundles.manifest import score_of

    return score_of(facts, metric)


def _plain(text: str) -> str:
    """Return a text of bundle.json as one cell: single spaces, no control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
