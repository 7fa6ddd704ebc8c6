"""A line of very many words: what is read of it, what its table has, and the memory it takes."""

import tracemalloc
from pathlib import Path

import pytest
from program import attn

MODEL = Path(__file__).parents[1] / "fixtures" / "bundle_v1"
WORDS = 20_000
LINE = "dog " * (WORDS - 1) + "cat"

#: A table of the words that are read has 1023 · 1023 cells at most; one of all words, of float64
#: and for 1024 pieces, would have 160 MB.
MOST_BYTES = 100_000_000


@pytest.fixture
def peak():
    """A function: the most bytes that were allocated since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def test_a_line_that_is_cut_has_a_table_of_the_words_that_were_read(peak):
    ended = attn("translate", "-m", MODEL, "-f", "jsonl", stdin=LINE)
    (record,) = ended.records()
    read = len(record["source_words"])
    assert f"longer than 1024 pieces: only its first {read} words are read" in ended.err
    assert record["source"] == LINE
    assert 100 < read < 1024
    assert {len(row) for row in record["weights"]} == {read}
    assert len(record["weights"]) == len(record["target_words"])
    assert peak() < MOST_BYTES


@pytest.mark.parametrize("options", [("-f", "jsonl"), ("-f", "jsonl", "--weights", "attention")])
def test_a_pair_that_is_cut_has_a_table_of_the_words_that_were_read(options, peak):
    ended = attn("align", "-m", MODEL, *options, stdin=f"{LINE}\t{LINE}")
    (record,) = ended.records()
    shape = len(record["target_words"]), len(record["source_words"])
    assert max(shape) < 1024
    assert (len(record["weights"]), len(record["weights"][0])) == shape
    assert record["target"] == LINE
    assert ended.err.count("longer than 1024 pieces") == 2
    assert peak() < MOST_BYTES


def test_a_text_is_translated_to_its_end_sentence_by_sentence():
    line = "I see a dog. " * 600  # 2,400 words
    ended = attn("translate", "-m", MODEL, stdin=line)
    assert (ended.status, ended.err) == (0, "")
    assert len(ended.lines()) == 1


@pytest.mark.slow
def test_lines_of_many_words_are_taken_in_chunks_of_a_few(peak):
    ended = attn("translate", "-m", MODEL, "-f", "pharaoh", stdin=f"{LINE}\n" * 8)
    assert len(ended.lines()) == 8
    assert peak() < MOST_BYTES


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
def test_an_option_that_would_exhaust_the_machine_is_wrong_usage(options):
    ended = attn("translate", "-m", MODEL, "dog", *options)
    assert (ended.status, ended.stdout) == (2, b"")
    assert options[0] in ended.err
