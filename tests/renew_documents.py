"""Run the blocks of documents, and write what their commands print today into them.

    PYTHONPATH=tests python tests/renew_documents.py [DOCUMENT…]

For a change of a shipped model or of a table. A block whose output is compared gets the output of
today where it differs; where the output shown has `…`, the lines before the first `…` and after
the last are renewed if their number fits, and it is printed, to be read again. Read the diff: a
document explains what it shows.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import document_blocks
from document_blocks import DOCUMENTS, Block, blocks_of, execute, matches, name_of
from marian_models import write_folder

ELLIPSIS = "…"


def renewed(shown: list[str], printed: list[str]) -> list[str]:
    """Return what a block shows of `printed`: all of it, or as much as `shown` does around `…`."""
    places = [place for place, line in enumerate(shown) if line.strip() == ELLIPSIS]
    if not places:
        return printed
    head, tail = places[0], len(shown) - places[-1] - 1
    if len(places) > 1 or head + tail > len(printed):
        return shown
    return [*printed[:head], shown[places[0]], *printed[len(printed) - tail :]]


def is_renewed(block: Block) -> bool:
    """Whether the output of a block is compared, and is not that of a network trained before."""
    return block.kind == "exact" or (block.kind == "model" and "runs/" not in block.body)


def renewed_body(block: Block, folder: Path, where: str) -> str:
    """Run the commands of a block, and return its text with their output of today."""
    shown: list[tuple[str, list[str]]] = []
    for line in block.body.splitlines():
        if line.startswith("$ "):
            shown.append((line, []))
        else:
            shown[-1][1].append(line)
    result: list[str] = []
    for command, lines_shown in shown:
        result.append(command)
        text = command[2:]
        if text.startswith("make ") or text == "echo $?":
            result += lines_shown
            continue
        _, printed = execute(text, folder, quick=True)
        if not lines_shown or matches(tuple(lines_shown), printed):
            result += lines_shown
            continue
        today = [line.rstrip() for line in printed.rstrip().splitlines()]
        blank = [""] * (len(lines_shown) - len("\n".join(lines_shown).rstrip().split("\n")))
        result += renewed(lines_shown, today) + blank
        partly = " (it has …: read it again)" if any(ELLIPSIS in x for x in lines_shown) else ""
        sys.stderr.write(f"{where}:{block.line}: {text}{partly}\n")
    return "\n".join(result) + "\n"


def main() -> None:
    """Renew the documents that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("documents", type=Path, nargs="*", help="[README.md docs/*.md]")
    options = parser.parse_args()
    for document in [path.resolve() for path in options.documents] or DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as name:
            folder = document_blocks.workspace(Path(name) / "reader", quick=True)
            if document.name == "any-model.md":
                write_folder(folder / "opus-mt-en-fr", encoder_layers=6, decoder_layers=6)
            for block in blocks_of(text):
                if block.language != "console" or block.kind == "skip":
                    continue
                if is_renewed(block):
                    body = renewed_body(block, folder, name_of(document))
                    text = text.replace(f"```console\n{block.body}```", f"```console\n{body}```")
                else:
                    for command in block.commands:
                        if not command.text.startswith("make "):
                            execute(command.text, folder, quick=True)
        document.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
