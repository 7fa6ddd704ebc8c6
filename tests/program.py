"""Run the program in this process, on a console in memory. Shared by tests of commands."""

import io
import json
from dataclasses import dataclass
from itertools import product
from typing import Any, BinaryIO

from attn_cli.cli import app
from attn_cli.console import Console

#: A language pair that a model learns in a second: word for word, except for "red car".
SUBJECTS = {"I": "je", "you": "tu", "we": "nous", "Anna": "Anna"}
VERBS = {"see": "vois", "love": "aime", "sell": "vends"}
OBJECTS = {
    "the cat": "le chat",
    "a dog": "un chien",
    "the red car": "la voiture rouge",
    "two books": "deux livres",
}
PAIRS = {
    f"{s} {v} {o}.": f"{SUBJECTS[s]} {VERBS[v]} {OBJECTS[o]}."
    for s, v, o in product(SUBJECTS, VERBS, OBJECTS)
}

#: The Pharaoh links of PAIRS: one to one in order, except that "rouge" follows "voiture".
LINKS = [
    "0-0 1-1 2-2 4-3 3-4 5-5"
    if "red" in s
    else " ".join(f"{n}-{n}" for n in range(len(s.split()) + 1))
    for s in PAIRS
]

#: Options that make `attn train` learn PAIRS in a second.
TINY = (
    *("--set", "tokenizer.vocab_size=400", "--set", "model.embedding=32"),
    *("--set", "model.encoder.width=24", "--set", "model.attention.width=24"),
    *("--set", "model.decoder.width=32", "--set", "train.precision=fp32"),
    *("--set", "train.batch_tokens=100", "--set", "train.warmup_steps=10"),
    *("--set", "train.learning_rate=0.01", "--set", "train.label_smoothing=0"),
    *("--set", "train.log_every=20", "--threads", "1", "--seed", "3"),
    *("--set", "model.word_aligner=false", "--set", "train.guided_alignment=none"),
    *("--set", "train.export=none"),
)

#: Options that make it also learn a word aligner for PAIRS, from LINKS in a file.
WORD_ALIGNER = (
    *("--set", "model.word_aligner=true", "--set", "model.word_aligner.embedding=32"),
    *("--set", "model.word_aligner.width=24", "--set", "model.word_aligner.channels=2"),
    *("--set", "train.aligner_steps=60", "--set", "train.guided_alignment_weight=0"),
    *("--set", "train.freeze_aligner=false"),
)


#: Options for a small Transformer: one encoder layer, two decoder layers, two heads in each.
TRANSFORMER = (
    *("--set", "model.encoder.kind=transformer", "--set", "model.decoder.kind=transformer"),
    *("--set", "model.attention.kind=multihead", "--set", "model.attention.heads=2"),
    *("--set", "model.encoder.width=32", "--set", "model.encoder.heads=2"),
    *("--set", "model.encoder.layers=1", "--set", "model.encoder.feed_forward=32"),
    *("--set", "model.decoder.layers=2", "--set", "model.decoder.feed_forward=32"),
)


@dataclass(frozen=True)
class CommandResult:
    """The result of a command: its exit status, and the bytes of both streams."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def out(self) -> str:
        return self.stdout.decode("utf-8")

    @property
    def err(self) -> str:
        return self.stderr.decode("utf-8")

    def lines(self) -> list[str]:
        """Return the lines of stdout; each must end with a newline."""
        *lines, rest = self.out.split("\n")
        assert rest == ""
        return lines

    def records(self) -> list[dict[str, Any]]:
        """Return the JSON objects of stdout, one for each line."""
        return [json.loads(line) for line in self.lines()]


class OneCore(Console):
    """A console of a machine with one core, so that the order of torch's sums does not vary."""

    @property
    def cores(self) -> int:
        return 1


def attn(
    *arguments: object,
    stdin: bytes | str = b"",
    stdout: BinaryIO | io.BufferedIOBase | None = None,
    stderr: BinaryIO | io.BufferedIOBase | None = None,
    terminal: bool = False,
    environment: dict[str, str] | None = None,
) -> CommandResult:
    """Run `attn` with these arguments; with `terminal` all three streams act as a terminal."""
    out, err = stdout or io.BytesIO(), stderr or io.BytesIO()
    variables = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "80"}
    variables |= environment or {}
    console = OneCore(
        stdin=io.BytesIO(stdin.encode() if isinstance(stdin, str) else stdin),
        stdout=out,
        stderr=err,
        stdin_is_live=terminal,
        stdin_is_terminal=terminal,
        stdout_is_terminal=terminal,
        stderr_is_terminal=terminal,
        environment=variables,
    )
    status = app.run([str(argument) for argument in arguments], console)
    outputs = [each.getvalue() if isinstance(each, io.BytesIO) else b"" for each in (out, err)]
    return CommandResult(int(status), *outputs)


def assert_fails(result: CommandResult, status: int, *words: str) -> None:
    """Check the exit status, that stdout is empty, and that stderr is one sentence with `words`."""
    assert (result.status, result.stdout) == (status, b""), result
    (line,) = result.err.splitlines()
    assert line.startswith("attn: "), line
    assert line.endswith((".", "?", "!")), line
    assert all(word in line for word in words), line
