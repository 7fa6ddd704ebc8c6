"""attn models: what is on the shelf."""

from typing import Annotated, Any

import typer

from attn_cli.commands.shared import command, console_of, help_if_alone

app = typer.Typer(
    help="The models on the shelf.",
    rich_markup_mode=None,
    invoke_without_command=True,
    callback=help_if_alone,
)

Name = Annotated[str, typer.Argument(help="A name on the shelf or a folder.")]


@app.command("list")
@command
def list_(context: typer.Context) -> None:
    """The models on the shelf: name, languages, size, BLEU, and where each lies.

    Example: attn models list
    """
    from attn_cli import shelf
    from attn_cli.bundle import read_facts
    from attn_cli.errors import ModelError

    console = console_of(context)
    rows = []
    for name, path in shelf.names():
        try:
            facts = read_facts(path)
        except ModelError as error:
            console.warn(error.problem)
            continue
        size = sum(entry["bytes"] for entry in facts["files"].values())
        rows.append(
            (
                name,
                f"{facts['source']}-{facts['target']}",
                f"{size / 1e6:.1f} MB",
                _quality(facts),
                str(path),
            )
        )
    if not rows:
        console.say("attn: the shelf is empty; attn train makes a model")
        return
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    for row in rows:
        padded = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        console.write(padded.rstrip() + "\n")


def _quality(facts: dict[str, Any]) -> str:
    """How well the model of that bundle.json translates, if it does."""
    from attn_cli.bundle import WEIGHTS

    if WEIGHTS not in facts["files"]:
        return "aligns only"
    bleu = facts["scores"].get("bleu", {}).get("score")
    return f"BLEU {bleu:.1f}" if bleu is not None else "BLEU ?"


@app.command("show")
@command
def show(context: typer.Context, name: Name) -> None:
    """The card of a model; its recipe and scores where it has no card.

    Example: attn models show en-fr
    """
    import json

    from attn_cli import shelf
    from attn_cli.bundle import CARD, RECIPE, read_facts
    from attn_cli.errors import ModelError

    console = console_of(context)
    path = shelf.find(name)
    facts = read_facts(path)
    shown = path / (CARD if (path / CARD).is_file() else RECIPE)
    try:
        console.write(shown.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        lacks = f"the model {path} lacks its file {shown.name}"
        raise ModelError(lacks, "Copy or train it again.") from error
    if shown.name == RECIPE:
        console.write(f"\n# scores: {json.dumps(facts['scores'], ensure_ascii=False)}\n")


@app.command("path")
@command
def path(context: typer.Context, name: Name) -> None:
    """The folder of a model.

    Example: attn models path en-fr
    """
    from attn_cli import shelf
    from attn_cli.bundle import read_facts

    found = shelf.find(name)
    read_facts(found)
    console_of(context).write(f"{found}\n")
