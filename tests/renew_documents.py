"""Run the blocks of documents, and write what their commands print today into them.

    PYTHONPATH=tests python tests/renew_documents.py [DOCUMENT…]

Use it after a change of a shipped model or of a table. An output gets the text of today where it
differs, an example of a block of the kind `run` too, but no output of a model that the document
trains or imports. In an output with `…`, the lines before the first `…` and after the last are
renewed if their number fits, and the command is printed, to be read again. Read the diff: a
document explains the output that it shows.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

import document_blocks
from document_blocks import DOCUMENTS, Block, blocks_of, execute, matches, name_of
from marian_models import write_folder

ELLIPSIS = "…"


def renew_output(old_output: list[str], output: list[str]) -> list[str]:
    """Return the new text of an output: all lines, or as many as `old_output` has around `…`."""
    ellipses = [index for index, line in enumerate(old_output) if line.strip() == ELLIPSIS]
    if not ellipses:
        return output
    head, tail = ellipses[0], len(old_output) - ellipses[-1] - 1
    if len(ellipses) > 1 or head + tail > len(output):
        return old_output
    return [*output[:head], old_output[ellipses[0]], *output[len(output) - tail :]]


#: A model that the document trains or imports: its outputs are examples.
_OWN_MODEL = re.compile(r"runs/|attn train|opus-")


def can_renew(block: Block) -> bool:
    """Return whether a block's output is compared, or comes from models that are shipped."""
    return block.kind == "exact" or not _OWN_MODEL.search(block.body)


def renew_body(block: Block, folder: Path, where: str) -> str:
    """Run the commands of a block, and return its text with their output of today."""
    commands: list[tuple[str, list[str]]] = []
    for line in block.body.splitlines():
        if line.startswith("$ "):
            commands.append((line, []))
        else:
            commands[-1][1].append(line)
    result: list[str] = []
    for command, old_output in commands:
        result.append(command)
        text = command[2:]
        if text.startswith("make ") or text == "echo $?":
            result += old_output
            continue
        _, output = execute(text, folder, quick=True)
        if not old_output or matches(tuple(old_output), output):
            result += old_output
            continue
        new_lines = [line.rstrip() for line in output.rstrip().splitlines()]
        blank = [""] * (len(old_output) - len("\n".join(old_output).rstrip().split("\n")))
        result += renew_output(old_output, new_lines) + blank
        note = " (it has …: read it again)" if any(ELLIPSIS in x for x in old_output) else ""
        sys.stderr.write(f"{where}:{block.line}: {text}{note}\n")
    return "\n".join(result) + "\n"


def main() -> None:
    """Renew the documents that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("documents", type=Path, nargs="*", help="[README.md docs/*.md]")
    options = parser.parse_args()
    for document in [path.resolve() for path in options.documents] or DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as name:
            # The outputs that are compared are those of the first lines of the corpus.
            tested, whole = (
                document_blocks.workspace(Path(name) / kind, quick=kind == "tested")
                for kind in ("tested", "whole")
            )
            if document.name == "any-model.md":
                for folder in (tested, whole):
                    write_folder(folder / "opus-mt-en-fr", encoder_layers=6, decoder_layers=6)
            for block in blocks_of(text):
                if block.language != "console" or block.kind == "skip":
                    continue
                shown, other = (whole, tested) if block.kind == "run" else (tested, whole)
                if can_renew(block):
                    body = renew_body(block, shown, name_of(document))
                    text = text.replace(f"```console\n{block.body}```", f"```console\n{body}```")
                for command in block.commands:
                    if not command.text.startswith("make "):
                        execute(command.text, other, quick=True)
                        if not can_renew(block):
                            execute(command.text, shown, quick=True)
        document.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
