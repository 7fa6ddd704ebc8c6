"""The demo corpus is what its grammar generates: words, links, parts, checksums and spelling."""

import hashlib
import importlib
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from attn_cli.data.words import split

DEMO = Path(__file__).resolve().parents[2] / "data" / "demo"
PARTS = ("train", "valid", "test")
SUFFIXES = ("en", "fr", "gold")

#: The words that may have no sure link: auxiliaries, articles and clitics without a counterpart,
#: and the `old` of `ten years old`.
ENGLISH_FUNCTION = """
to do does did is are am was were 's 're 'm will wo 'll a an let at on in old
"""
FRENCH_FUNCTION = """
est -ce que qu' a as ai avons ont es suis sommes sont de d' du des à au aux le la l' les en me m' te
t' se s' nous vous -vous -nous -il -ils -elle -elles -t-il -t-elle heure heures
"""
FUNCTION = {
    "en": frozenset(ENGLISH_FUNCTION.split()),
    "fr": frozenset(FRENCH_FUNCTION.split()),
}


class Line:
    """One pair of the files."""

    def __init__(self, en: str, fr: str, gold: str) -> None:
        self.text = {"en": en, "fr": fr}
        self.words = {side: [word.text for word in split(text)] for side, text in self.text.items()}
        marks = [re.fullmatch(r"(\d+)([-?])(\d+)", link) for link in gold.split()]
        assert all(marks), f"not Pharaoh: {gold}"
        links = [(int(mark[1]), int(mark[3]), mark[2]) for mark in marks if mark]
        self.sure = {(s, t) for s, t, sign in links if sign == "-"}
        self.possible = {(s, t) for s, t, sign in links if sign == "?"}


def key(text: str) -> str:
    """A sentence without its case and its final punctuation."""
    return text.lower().rstrip(".?! ")


@pytest.fixture(scope="module")
def lines() -> dict[str, list[Line]]:
    """The committed files, split into words."""
    result = {}
    for part in PARTS:
        columns = [
            (DEMO / f"{part}.{suffix}").read_text(encoding="utf-8").splitlines()
            for suffix in SUFFIXES
        ]
        result[part] = [Line(*row) for row in zip(*columns, strict=True)]
    return result


@pytest.fixture(scope="module")
def generator() -> Iterator[ModuleType]:
    """The generator, imported as in its own process."""
    sys.path.insert(0, str(DEMO))
    try:
        yield importlib.import_module("generate")
    finally:
        sys.path.remove(str(DEMO))
        modules = [name for name in sys.modules if name.split(".")[0] in ("generate", "grammar")]
        for name in modules:
            del sys.modules[name]


@pytest.fixture(scope="module")
def generated_parts(generator: ModuleType) -> dict[str, list]:
    """The pairs of each part as the generator returns them."""
    parts = generator.demo_corpus()
    return {part: getattr(parts, part) for part in PARTS}


def all_lines(lines: dict[str, list[Line]]) -> Iterator[Line]:
    for part in PARTS:
        yield from lines[part]


def test_the_parts_have_the_promised_sizes(lines: dict[str, list[Line]]) -> None:
    assert {part: len(rows) for part, rows in lines.items()} == {
        "train": 8000, "valid": 300, "test": 300,
    }  # fmt: skip


def test_generating_again_gives_the_committed_files(generator: ModuleType, tmp_path: Path) -> None:
    generator.main(["--out", str(tmp_path)])
    for part in PARTS:
        for suffix in SUFFIXES:
            name = f"{part}.{suffix}"
            assert (tmp_path / name).read_bytes() == (DEMO / name).read_bytes(), name


def test_the_readme_gives_the_checksums_of_the_files() -> None:
    readme = (DEMO / "README.md").read_text(encoding="utf-8")
    checksums = dict(re.findall(r"^([0-9a-f]{64})  (\S+)$", readme, flags=re.MULTILINE))
    names = [f"{part}.{suffix}" for part in PARTS for suffix in SUFFIXES]
    assert list(checksums.values()) == names
    for digest, name in checksums.items():
        assert hashlib.sha256((DEMO / name).read_bytes()).hexdigest() == digest, name


def test_the_text_is_split_into_the_words_of_the_grammar(
    lines: dict[str, list[Line]], generated_parts: dict[str, list]
) -> None:
    for part in PARTS:
        for line, pair in zip(lines[part], generated_parts[part], strict=True):
            assert line.words["en"] == list(pair.en)
            assert line.words["fr"] == list(pair.fr)
            assert (line.sure, line.possible) == (set(pair.sure), set(pair.possible))


def test_every_link_is_in_range_and_of_one_kind(lines: dict[str, list[Line]]) -> None:
    for line in all_lines(lines):
        assert not line.sure & line.possible
        for s, t in line.sure | line.possible:
            assert s < len(line.words["en"]), line.text
            assert t < len(line.words["fr"]), line.text


def test_each_word_is_linked_and_each_content_word_by_a_sure_link(
    lines: dict[str, list[Line]],
) -> None:
    for line in all_lines(lines):
        for side, index in (("en", 0), ("fr", 1)):
            sure = {pair[index] for pair in line.sure}
            linked = sure | {pair[index] for pair in line.possible}
            for position, word in enumerate(line.words[side]):
                assert position in linked, (word, line.text)
                assert position in sure or word.lower() in FUNCTION[side], (word, line.text)


def test_no_english_sentence_is_repeated_within_or_across_parts(
    lines: dict[str, list[Line]],
) -> None:
    keys = {part: {key(line.text["en"]) for line in lines[part]} for part in PARTS}
    texts = [line.text["en"] for line in all_lines(lines)]
    assert len(set(texts)) == len(texts)
    assert not keys["train"] & (keys["valid"] | keys["test"])
    assert not keys["valid"] & keys["test"]


def test_no_held_out_translation_is_in_train(lines: dict[str, list[Line]]) -> None:
    train = {key(line.text["fr"]) for line in lines["train"]}
    held_out = {key(line.text["fr"]) for part in ("valid", "test") for line in lines[part]}
    assert not train & held_out


def test_one_english_sentence_has_one_translation(lines: dict[str, list[Line]]) -> None:
    translations: dict[str, str] = {}
    for line in all_lines(lines):
        french = key(line.text["fr"])
        assert translations.setdefault(key(line.text["en"]), french) == french


@pytest.mark.parametrize("side", ["en", "fr"])
def test_the_words_of_valid_and_test_occur_in_train_at_least_three_times(
    lines: dict[str, list[Line]], side: str
) -> None:
    counts = Counter(word.lower() for line in lines["train"] for word in line.words[side])
    held_out = {
        word.lower() for part in ("valid", "test") for line in lines[part]
        for word in line.words[side]
    }  # fmt: skip
    assert [word for word in sorted(held_out) if counts[word] < 3] == []


@pytest.mark.parametrize(
    ("english", "french", "sure"),
    [
        ("I love you", "Je t'aime", {(0, 0), (2, 1), (1, 2)}),
        ("I love you.", "Je t'aime.", {(0, 0), (2, 1), (1, 2), (3, 3)}),
        ("Look it up.", "Cherchez-le.", {(0, 0), (2, 0), (1, 1), (3, 2)}),
        ("Pick it up.", "Ramassez-le.", {(0, 0), (2, 0), (1, 1), (3, 2)}),
    ],
)
def test_the_examples_of_the_project_are_in_train(
    lines: dict[str, list[Line]], english: str, french: str, sure: set[tuple[int, int]]
) -> None:
    [line] = [line for line in lines["train"] if line.text["en"] == english]
    assert line.text["fr"] == french
    assert line.sure == sure


def test_about_one_statement_in_seven_has_no_full_stop(lines: dict[str, list[Line]]) -> None:
    for line in all_lines(lines):
        last = line.text["en"][-1]
        assert (last if last in ".?!" else "") == (
            line.text["fr"][-1] if line.text["fr"][-1] in ".?!" else ""
        )
    statements = [line.text["en"] for line in lines["train"] if line.text["en"][-1] not in "?!"]
    n_bare = sum(not text.endswith(".") for text in statements)
    assert 0.12 < n_bare / len(statements) < 0.18


def test_french_elides_and_contracts_where_it_must(lines: dict[str, list[Line]]) -> None:
    unelided = re.compile(
        r"(?<![-\w])(je|me|te|se|ne|le|la|de|que) (?!huit|onze)[aàâeéèêiîoôuûœh]", re.IGNORECASE
    )
    before_vowel = re.compile(
        r"(?<![-\w])(?:(?:ma|ta|sa|ce)|(?:un|le|ce|[mts]on|quel) (?:beau|nouveau|vieux)) "
        r"(?!huit|onze)[aàâeéèêiîoôuûœh]\w*[^sx\W]\b",
        re.IGNORECASE,
    )
    for line in all_lines(lines):
        french = line.text["fr"]
        assert not unelided.search(french), french
        assert not before_vowel.search(french), french
        assert not re.search(r"\bde des\b|\bsi ils?\b", french), french


def test_english_a_and_an_agree_with_the_next_word(lines: dict[str, list[Line]]) -> None:
    for line in all_lines(lines):
        english = line.text["en"]
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", english, re.IGNORECASE), english
