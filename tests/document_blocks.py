"""Read the console and python blocks of README.md and docs/*.md, and run them.

CONTRIBUTING.md has the rules. A comment before a block says how it is tested:

    (nothing)                    its commands run, and their output is that of the block
    <!-- test: run -->           its commands run and succeed; the output of the block is an example
    <!-- test: model -->         the same; `make slow` compares the output
    <!-- test: skip (why) -->    it is not run

In a block, `$ ` starts a command. The lines below it are its output, stdout and stderr together.
`…` stands for anything in a line, a line of `…` for any lines. A command without output only has
to succeed. `$ echo $?` shows the status of the command before, which may then fail. `make X` is not
run: X must be a target of the Makefile.
"""

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

from program import OneCore

from attn_cli.cli import app

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"

#: The documents whose blocks are run, each in a folder of its own.
DOCUMENTS = (README, *sorted((ROOT / "docs").glob("*.md")))

#: `attn train` for a network that is trained in a second and predicts nothing useful.
QUICK = (
    "attn train --threads 1 --max-steps 4 --set tokenizer.vocab_size=500 --set model.embedding=16 "
    "--set model.encoder.width=16 --set model.attention.width=16 --set model.decoder.width=16 "
    "--set decode.max_length_extra=1 --set decode.max_length_ratio=1 "
    "--set model.word_aligner=false --set train.guided_alignment=none --set train.export=none"
)

#: The same for a network that exists already.
QUICK_FROM = "attn train --threads 1 --max-steps 2 --set train.export=none"
QUICK_ALIGNER = (
    f"{QUICK_FROM} --set model.word_aligner.embedding=16 --set model.word_aligner.width=16"
)

_BLOCK = re.compile(
    r"(?:^<!-- test: (?P<kind>\w+)(?: \((?P<why>[^)]*)\))? -->\n)?"
    r"^```(?P<language>console|python)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Command:
    """A command, its output in the block, and its exit status."""

    text: str
    output: tuple[str, ...] = ()
    status: int = 0


@dataclass(frozen=True)
class Block:
    """A fenced block: its first line's number, how it is tested, its commands."""

    line: int
    kind: str
    language: str
    body: str
    commands: tuple[Command, ...]

    def __str__(self) -> str:
        return f"line {self.line}"


def name_of(document: Path) -> str:
    """Return the path of a document in the repository: README.md or docs/x.md."""
    return document.relative_to(ROOT).as_posix()


def blocks_of(text: str) -> list[Block]:
    """Return the console and python blocks of a Markdown text, in order."""
    blocks = []
    for match in _BLOCK.finditer(text):
        kind = match["kind"] or "exact"
        assert kind in {"exact", "run", "model", "skip"}, f"there is no test kind {kind}"
        assert kind != "skip" or match["why"], "a block that is skipped says why"
        line = text.count("\n", 0, match.start("body"))
        console = match["language"] == "console"
        commands = _commands(match["body"]) if console else ()
        blocks.append(Block(line, kind, match["language"], match["body"], tuple(commands)))
    return blocks


def _commands(body: str) -> list[Command]:
    commands: list[Command] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            commands.append(Command(line[2:]))
        else:
            assert commands, f"{line!r} stands before any command"
            last = commands[-1]
            commands[-1] = replace(last, output=(*last.output, line))
    merged: list[Command] = []
    for command in commands:
        if command.text == "echo $?":
            merged[-1] = replace(merged[-1], status=int(command.output[0]))
        else:
            merged.append(command)
    return merged


def matches(expected: tuple[str, ...], output: str) -> bool:
    """Return whether `output` is that of the block, except for spaces at line ends."""
    lines = [
        ".*" if line.strip() == "…" else re.escape(line.rstrip()).replace("…", "[^\n]*")
        for line in expected
    ]
    stripped = "\n".join(line.rstrip() for line in output.rstrip().splitlines())
    return re.fullmatch("\n".join(lines).rstrip(), stripped, re.DOTALL) is not None


def workspace(folder: Path, *, quick: bool = False) -> Path:
    """Fill `folder` with the demo corpus and with files like a reader's own.

    `quick` takes the first lines only, as many as the commands of the documents need.
    """
    demo, sizes = folder / "data" / "demo", {"train": 500, "valid": 50, "test": 100, "my": 200}
    shutil.copytree(ROOT / "data" / "demo", demo)
    if quick:
        for file in (
            each for name in ("train", "valid", "test") for each in demo.glob(f"{name}.*")
        ):
            lines = file.read_text(encoding="utf-8").splitlines()[: sizes[file.stem]]
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    own_lines: list[list[str]] = []
    for language in ("en", "fr"):
        lines = (ROOT / f"data/demo/train.{language}").read_text(encoding="utf-8").splitlines()
        own_lines.append(lines[: sizes["my"] if quick else 400])
        (folder / f"my.{language}").write_text("\n".join(own_lines[-1]) + "\n", encoding="utf-8")
    rows = ("\t".join(pair) for pair in zip(*own_lines, strict=True))
    (folder / "my.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def environment(folder: Path) -> dict[str, str]:
    """Return an environment with nothing of the user's, except the path of this Python and its
    attn."""
    programs = Path(sys.executable).parent
    return {
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "80",
        "OMP_WAIT_POLICY": "passive",  # else threads that wait for each other keep busy cores busy
    }


def run(command: str, folder: Path, *, seconds: float = 600) -> tuple[int, str]:
    """Run a command in `folder`; return its status and its output."""
    process = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        check=False,
    )
    return process.returncode, process.stdout.decode("utf-8")


@contextlib.contextmanager
def _in_folder(folder: Path) -> Iterator[None]:
    """Give this process the working directory and the environment of a command in `folder`."""
    variables = environment(folder)
    with contextlib.chdir(folder), mock.patch.dict(os.environ, variables, clear=True):
        yield


#: One call of `attn`, with what it reads from a pipe and the file that its output goes to.
_CALL = re.compile(
    r"(?:(?P<feed>(?:echo|printf) '[^']*') \| )?attn(?P<arguments> [^|<>;&$*`\\]*)"
    r"(?:> (?P<file>[\w./]+))?"
)


def run_here(call: re.Match[str], folder: Path) -> tuple[int, str]:
    """Run one call of `attn` in this process, which is faster than a shell and a process."""
    feed = call["feed"] and run(call["feed"], folder)[1]
    output, stream = io.BytesIO(), io.BytesIO()
    with _in_folder(folder):
        console = OneCore(
            stdin=io.BytesIO((feed or "").encode()),
            stdout=output if call["file"] else stream,
            stderr=stream,
            stdin_is_live=False,
            stdin_is_terminal=False,
            stdout_is_terminal=False,
            stderr_is_terminal=False,
            environment=environment(folder),
        )
        status = app.run(shlex.split(call["arguments"]), console)
    if call["file"]:
        (folder / call["file"]).write_bytes(output.getvalue())
    return int(status), stream.getvalue().decode("utf-8")


def execute(text: str, folder: Path, *, quick: bool) -> tuple[int, str]:
    """Return the status and the output of a command in `folder`; with `quick` a training is short.

    A shell runs commands that are more than one call of `attn`, such as a loop.
    """
    if quick and "--print-recipe" not in text:
        from_model = QUICK_ALIGNER if "--aligner-only" in text else QUICK_FROM
        text = text.replace("attn train", from_model if "--from" in text else QUICK)
    call = _CALL.fullmatch(text) if quick else None
    return run_here(call, folder) if call else run(text, folder)


def check(block: Block, folder: Path, *, quick: bool) -> None:
    """Run a block in `folder`; with `quick` each training is short and its model not compared."""
    if block.language == "python":
        with _in_folder(folder):
            exec(compile(block.body, str(block), "exec"), {"__name__": "__main__"})
        return
    for command in block.commands:
        if command.text.startswith("make "):
            continue
        status, output = execute(command.text, folder, quick=quick)
        assert status == command.status, f"{command.text}\n{output}"
        compare = block.kind == "exact" or (block.kind == "model" and not quick)
        if compare and command.output:
            expected = "\n".join(command.output)
            assert matches(command.output, output), (
                f"$ {command.text}\n{output}\nbut the document shows\n{expected}"
            )
