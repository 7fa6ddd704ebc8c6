"""--diagnostics and --flag-below of translate and align."""

import pytest
from program import attn

from attn_cli.errors import ExitStatus

FIELDS = [
    *("coverage_deviation", "target_entropy", "source_entropy"),
    *("unlinked_source", "repeated_target", "disagreement"),
]
TEXTS = "I love you\n\nWhere is the station?\n"


def test_translations_have_their_diagnostics_in_jsonl():
    first, blank, second = attn(
        "translate", "-f", "jsonl", "--diagnostics", "--threads", 1, stdin=TEXTS
    ).records()
    assert list(first["diagnostics"]) == FIELDS
    assert first["diagnostics"]["disagreement"] < 0.2  # attention and word aligner agree
    assert first["diagnostics"]["unlinked_source"] == []
    assert second["diagnostics"]["repeated_target"] == []
    assert blank["weights"] == []


def test_tsv_has_a_line_for_each_sentence():
    ended = attn("translate", "-f", "tsv", "--diagnostics", "--threads", 1, stdin=TEXTS)
    header, first, blank, second = (line.split("\t") for line in ended.lines())
    assert {len(row) for row in (header, first, blank, second)} == {10}
    assert set(FIELDS) < set(header)
    assert (first[0], first[-2], first[-1]) == ("1", "I love you", "Je t'aime")
    assert (blank[0], blank[2:]) == ("2", [""] * 8)


def test_omitted_and_repeated_words_make_the_diagnostics_worse():
    source = "She reads a book to her brother."
    pairs = f"{source}\tElle lit un livre à son frère.\n{source}\tElle lit lit.\n"
    good, bad = (
        each["diagnostics"]
        for each in attn(
            "align", "-f", "jsonl", "--diagnostics", "--threads", 1, stdin=pairs
        ).records()
    )
    assert len(bad["unlinked_source"]) > len(good["unlinked_source"]) == 0
    assert bad["coverage_deviation"] > good["coverage_deviation"]
    assert (good["repeated_target"], bad["repeated_target"]) == ([], [2])


def test_records_without_the_option_have_no_diagnostics():
    (record,) = attn("translate", "I love you", "-f", "jsonl").records()
    assert "diagnostics" not in record
    assert "flagged" not in record


def test_low_confidence_is_flagged_in_the_record_or_on_stderr():
    (record,) = attn("translate", "I love you", "-f", "jsonl", "--flag-below", 1).records()
    assert record["flagged"] is True
    text = attn("translate", "I love you", "--flag-below", 1)
    assert text.out == "Je t'aime\n"
    assert "line 1: the confidence 0." in text.err
    assert attn("translate", "I love you", "--flag-below", 0).err == ""


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("translate", "x", "--diagnostics"), "--diagnostics needs the format jsonl or tsv"),
        (("align", "x", "y", "--diagnostics"), "--diagnostics needs the format jsonl or tsv"),
        (("translate", "x", "--flag-below", "nan"), "--flag-below cannot be nan"),
    ],
)
def test_invalid_options_are_usage_errors(arguments, problem):
    ended = attn(*arguments)
    assert (ended.status, ended.out) == (ExitStatus.USAGE, "")
    assert problem in ended.err
