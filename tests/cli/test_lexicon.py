"""attn lexicon: counts and probabilities of linked words, from links and from records."""

import json

import pytest
from program import LINKS, PAIRS, attn

from attn_cli.errors import ExitStatus

#: Worked by hand: "the" is linked twice to "le" and once to "la", "cat" once, "car" once.
SOURCES = ["the cat", "the dog", "the car"]
TARGETS = ["le chat", "le chien", "la voiture"]
HEADER = ["source", "target", "count", "target_given_source", "source_given_target"]
EXPECTED = [
    ["the", "le", "2", "0.6667", "1.0000"],
    ["car", "voiture", "1", "1.0000", "1.0000"],
    ["cat", "chat", "1", "1.0000", "1.0000"],
    ["dog", "chien", "1", "1.0000", "1.0000"],
    ["the", "la", "1", "0.3333", "1.0000"],
]


@pytest.fixture
def files(tmp_path):
    """Links, sources and targets of the case worked by hand."""
    texts = {"links": ["0-0 1-1:0.9"] * 3, "en": SOURCES, "fr": TARGETS}
    for suffix, lines in texts.items():
        path = tmp_path / f"a.{suffix}"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return tmp_path / "a.links", "--source", tmp_path / "a.en", "--target", tmp_path / "a.fr"


def rows(result) -> list[list[str]]:
    assert result.status == 0, result.err
    header, *lines = result.lines()
    assert header.split("\t") == HEADER
    return [line.split("\t") for line in lines]


def test_counts_and_probabilities_are_those_worked_by_hand(files):
    assert rows(attn("lexicon", *files)) == EXPECTED


def test_pairs_left_out_of_the_output_still_count_in_the_probabilities(files):
    assert rows(attn("lexicon", *files, "--min-count", 2)) == EXPECTED[:1]
    assert rows(attn("lexicon", *files, "--threshold", 0.95)) == [EXPECTED[0], EXPECTED[4]]


def test_probabilities_of_a_word_sum_to_1(tmp_path):
    for suffix, lines in (("en", PAIRS), ("fr", PAIRS.values()), ("links", LINKS)):
        path = tmp_path / f"a.{suffix}"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    sides = ("--source", tmp_path / "a.en", "--target", tmp_path / "a.fr")
    records = attn("lexicon", tmp_path / "a.links", *sides, "--format", "jsonl").records()
    for side, prob in (("source", "target_given_source"), ("target", "source_given_target")):
        for word in {record[side] for record in records}:
            total = sum(record[prob] for record in records if record[side] == word)
            assert total == pytest.approx(1, abs=1e-3)
    red = [record["target"] for record in records if record["source"] == "red"]
    assert red == ["rouge"]


def test_records_of_align_give_the_same_lexicon_as_its_links(files, tmp_path):
    records = "".join(
        json.dumps(
            {
                "source_words": source.split(),
                "target_words": target.split(),
                "links": [[0, 0, 1.0], [1, 1, 0.9]],
            }
        )
        + "\n"
        for source, target in zip(SOURCES, TARGETS, strict=True)
    )
    assert rows(attn("lexicon", "--input-format", "jsonl", stdin=records)) == EXPECTED


def test_the_lowercase_option_merges_forms_of_a_word():
    records = "".join(
        json.dumps({"source_words": [word], "target_words": ["x"], "links": [[0, 0, None]]}) + "\n"
        for word in ("The", "the")
    )
    result = attn("lexicon", "--input-format", "jsonl", "--lowercase", stdin=records)
    assert rows(result) == [["the", "x", "2", "1.0000", "1.0000"]]


@pytest.mark.parametrize(
    ("links", "problem"),
    [
        ("0-0\n", "a.en has 3 lines"),
        ("0-0\n" * 4, "4"),
        ("5-0\n" * 3, "line 1 links word 5 to word 0, but the sentences have 2 and 2 words"),
        ("x\n" * 3, "line 1"),
    ],
)
def test_links_that_do_not_fit_the_sentences_are_refused(files, links, problem):
    files[0].write_text(links, encoding="utf-8")
    result = attn("lexicon", *files)
    assert (result.status, result.out) == (ExitStatus.BAD_DATA, "")
    assert problem in result.err


def test_links_without_sentences_are_refused(files):
    result = attn("lexicon", files[0])
    assert result.status == ExitStatus.USAGE
    assert "Give --source and --target" in result.err
