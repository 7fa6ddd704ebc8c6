"""A line of very many words: the words that are read, its table and its memory."""

import tracemalloc
from pathlib import Path

import pytest
from program import attn

MODEL = Path(__file__).parents[1] / "fixtures" / "bundle_v1"
WORDS = 20_000
LINE = "dog " * (WORDS - 1) + "cat"

#: A table of the words that are read has 1023 · 1023 cells at most; one of all words, of float64
#: and for 1024 pieces, would have 160 MB.
MAX_BYTES = 100_000_000


@pytest.fixture
def peak():
    """Return a function that gives the peak of allocated bytes since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def test_a_truncated_line_has_a_table_of_the_words_that_are_read(peak):
    result = attn("translate", "-m", MODEL, "-f", "jsonl", stdin=LINE)
    (record,) = result.records()
    n_read = len(record["source_words"])
    assert f"longer than 1024 pieces: only its first {n_read} words are read" in result.err
    assert record["source"] == LINE
    assert 100 < n_read < 1024
    assert {len(row) for row in record["weights"]} == {n_read}
    assert len(record["weights"]) == len(record["target_words"])
    assert peak() < MAX_BYTES


@pytest.mark.parametrize("options", [("-f", "jsonl"), ("-f", "jsonl", "--weights", "attention")])
def test_a_truncated_pair_has_a_table_of_the_words_that_are_read(options, peak):
    result = attn("align", "-m", MODEL, *options, stdin=f"{LINE}\t{LINE}")
    (record,) = result.records()
    shape = len(record["target_words"]), len(record["source_words"])
    assert max(shape) < 1024
    assert (len(record["weights"]), len(record["weights"][0])) == shape
    assert record["target"] == LINE
    assert result.err.count("longer than 1024 pieces") == 2
    assert peak() < MAX_BYTES


def test_a_long_line_of_many_sentences_is_translated_completely():
    line = "I see a dog. " * 600  # 2,400 words
    result = attn("translate", "-m", MODEL, stdin=line)
    assert (result.status, result.err) == (0, "")
    assert len(result.lines()) == 1


@pytest.mark.slow
def test_very_long_lines_are_translated_in_small_chunks(peak):
    result = attn("translate", "-m", MODEL, "-f", "pharaoh", stdin=f"{LINE}\n" * 8)
    assert len(result.lines()) == 8
    assert peak() < MAX_BYTES


@pytest.mark.parametrize(
    "options",
    [
        ("--n-best", "1001"),
        ("--beam", "1001"),
        ("--threads", "1025"),
        ("--threads", "1" + "0" * 20),
        ("--threads", "1" * 5000),
        ("--length-penalty", "1e308"),
        ("--coverage-penalty", "1e308"),
    ],
)
def test_an_option_value_that_would_exhaust_memory_is_a_usage_error(options):
    result = attn("translate", "-m", MODEL, "dog", *options)
    assert (result.status, result.stdout) == (2, b"")
    assert options[0] in result.err
