"""Texts on which a parser may be slow, and the stages of a line, without the network.

    PYTHONPATH=tests python tests/hostile_text.py 100000

prints the CPU time of each stage on its slowest text.
"""

import functools
import io
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from attn_cli import config
from attn_cli.alignment.pharaoh import read_gold, read_links
from attn_cli.bundles.bundle import open_bundle
from attn_cli.cli.input import LineParser
from attn_cli.data import languages, sentences, words
from attn_cli.data.casing import CaseRules, is_all_caps, lowercase_forms
from attn_cli.data.literals import LiteralRules
from attn_cli.data.text_input import Line, Lines, parse_pair
from attn_cli.data.word_rules import word_rules
from attn_cli.errors import AttnError
from attn_cli.inference.beam_search import SearchConfig
from attn_cli.inference.translator import Translator
from attn_cli.types import InputLine

MODEL = Path(__file__).resolve().parents[1] / "models" / "en-fr"

#: (beginning, repeated text, end) of each text.
TEXTS = (
    # one character
    *(("", sign, "") for sign in "aAé0'’-.,!?… \t()[]{}<>`@#_%/\\:;&~|$\"»"),
    *(("", sign, "") for sign in "\u0301\u00ad\u200b\u200d\ufeff\u2028\ufdd0\x00\x1b²٣你あ가ก"),
    *(("", sign, "") for sign in "😀🇫🏽\ufe0f\u20e3"),
    # a beginning, a text that may follow it, repeated, and an end that does not fit
    *(("a", mark, "") for mark in ("\u0301", "\u0315\u0300", "\u00ad", "_", "-", "'", ".", "@")),
    *(("http://a", mark, "") for mark in (")", "]", ".", "/", "a)", "()", "'")),
    *(("A", mark, "!") for mark in ("-a", "'a", ".A", "/a", "_a", "-1", "’s")),
    *(("1", mark, "x") for mark in (",234", " 234", ".1", "-1", "/1", ":1", "\u00a0234", "h1")),
    *((sign, "a ", "") for sign in ("`", "``", "{{", "{", "<a", "%(", "&", "#", "$", "(", '"')),
    # words, marks and literals in turn
    *(("", text, "") for text in ("a ", "A ", "a. ", "A. ", "Mr. ", "No. 1 ", "1. ", "! ", ".» ")),
    *(
        ("", text, "")
        for text in ("«", "。」", "a. B", ". (", "!” » ", "a'm", "a-le", "prends-le-")
    ),
    *(("", text, "") for text in ("d'", "'s", "n't", "-le", "-t-il", "l'a-t-", "a-", "a'", "A-")),
    *(("", text, "") for text in ("1 ", "12 ", "1, ", "$1 ", "1% ", "-1", "x1 ", "1x", "12:30 ")),
    *(("", text, "") for text in ("a@b.c ", "@a ", "#a ", "a_b ", "_a", "a/b ", "/a", "a.b", "~/")),
    *(
        ("", text, "")
        for text in ("`a` ", "``a ", "{{a", "{a} ", "%(a", "<a ", "<a>", "&a;", ":) ")
    ),
    *(
        ("", text, "")
        for text in ("👩\u200d", "🇫🇷 ", "😀😀 ", "Żółw ", "слово ", "你好。", "e\u0301 ")
    ),
    *(("", text, "") for text in ("a\tb ", "a ||| ", "a 1! ", "He is 5. ", "Xqzvj ", "\ufffd")),
)

#: The same for links, records and recipes, which have their own readers.
LINKS = (
    *(
        ("", text, "")
        for text in ("0-0 ", "1-1 ", "1p2 ", "0-0:0.5 ", "-", "0", "0-0\n", "\n", "p?")
    ),
    *((text, "0", "-1") for text in ("0-", "0-0:", "-", "0-0:0.")),
)
RECORDS = (
    *(('{"source": "', text, '"}') for text in ("a", "\\n", "\\u0301", "\\\\", '\\"')),
    *(('{"source": "a", "b": ', text, "}") for text in ("[", '{"a":', "1", "-", "1e", '"a" ')),
    *(('{"source": "a", "b": 1.', text, "}") for text in ("0", "1")),
    ('{"source": "a"', ', "a": 1', "}"),
    ('{"source": "a"', "", ""),
)
RECIPES = tuple(
    ("", text, "") for text in ("[", "a.", "a=[", "a={a=", '"', "'", "#", "\\", "a=1\n")
)


def text_of(parts: tuple[str, str, str], size: int) -> str:
    """Return a text of about `size` bytes of UTF-8."""
    beginning, repeated, end = parts
    return beginning + repeated * (size // len(repeated.encode()) if repeated else 0) + end


@functools.cache
def _model() -> Any:
    return open_bundle(MODEL)


@functools.cache
def _translator() -> Translator:
    model = _model()
    network: Any = None  # not used to read a line
    return Translator(
        network,
        model.source,
        model.target,
        SearchConfig.of(model.recipe.decode),
        split_over=20,
        case_rules=CaseRules(all_caps=True, truecase=True),
    )


def _split(text: str) -> None:
    words.split(text, rules=word_rules("fr"))


def _find(text: str) -> None:
    rules = LiteralRules("fr", "en")
    for literal in rules.find(text):
        rules.rewrite(text[literal.start : literal.end], is_figure=literal.is_figure)


def _read_capitals(text: str) -> None:
    capitals = text.upper()
    is_all_caps(capitals)
    line_words = words.split(capitals)
    lowercase_forms(capitals, line_words, words.surface_forms(line_words))


def _read(text: str) -> None:
    _translator().encode(InputLine(1, text))


def _decode(text: str) -> None:
    """Decode the pieces of a text."""
    source = _model().source
    line = source.encode(text)
    source.decode(line.ids, line)


def _read_lines(text: str) -> None:
    for line in Lines(io.BytesIO(text.encode("utf-8", "surrogatepass")), name="text"):
        parse_pair(line.text)


def _detect(text: str) -> None:
    languages.looks_like(text.split(), "fr", expected="en")


def _links(text: str) -> None:
    read_links(text.split("\n"), name="links", base="auto")


def _gold(text: str) -> None:
    read_gold(text.split("\n"), name="gold")


def _record(text: str) -> None:
    LineParser("records", "jsonl", True)(Line(1, text))


def _recipe(text: str) -> None:
    config.parse(text)


#: Each stage with the texts that are read by it.
STAGES: dict[str, tuple[Callable[[str], Any], tuple[tuple[str, str, str], ...]]] = {
    "lines and pairs": (_read_lines, TEXTS),
    "words": (_split, TEXTS),
    "literals": (_find, TEXTS),
    "sentences": (sentences.split, TEXTS),
    "capitals": (_read_capitals, TEXTS),
    "language": (_detect, TEXTS),
    "reading for the network": (_read, TEXTS),
    "writing what it returns": (_decode, TEXTS),
    "Pharaoh": (_links, LINKS),
    "gold": (_gold, LINKS),
    "JSONL": (_record, RECORDS),
    "recipe": (_recipe, RECIPES),
}


def seconds(run: Callable[[str], Any], text: str) -> float:
    """Return the CPU time of a stage, which may refuse the text."""
    beginning = time.process_time()
    with suppress(AttnError):
        run(text)
    return time.process_time() - beginning


def main() -> None:
    """Print the slowest text of each stage."""
    size = int(sys.argv[1])
    for name, (run, texts) in STAGES.items():
        for parts in texts[:1]:
            seconds(run, text_of(parts, 10))
        times = {parts: seconds(run, text_of(parts, size)) for parts in texts}
        slowest = sorted(times, key=lambda parts: -times[parts])[:3]
        rows = "  ".join(f"{times[parts]:.3f} s {parts!r}" for parts in slowest)
        sys.stdout.write(f"{name}: {len(texts)} texts: {rows}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
