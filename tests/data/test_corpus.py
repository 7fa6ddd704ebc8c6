"""Reading a parallel corpus: pairs kept, pairs left out and reported, and the split."""

import gzip
import math
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli import config
from attn_cli.data import corpus_builder, words
from attn_cli.data.arrays import RaggedArray, Storage
from attn_cli.data.corpus import Corpus
from attn_cli.data.corpus_builder import ChunkCache, SideBuilder
from attn_cli.data.corpus_reader import CorpusOptions, load, read_pairs, read_parallel
from attn_cli.data.literals import LiteralRules, placeholder_number
from attn_cli.data.segmentation import segment_corpus
from attn_cli.data.word_rules import ALL_LANGUAGES
from attn_cli.errors import DataError, UsageError


class Letters:
    """A tokenizer whose pieces are one character or two; an id of one is its code point."""

    def segment(self, form: str) -> tuple[int, ...]:
        return tuple(map(ord, form))

    def candidates(self, form: str, n: int) -> list[tuple[tuple[int, ...], float]]:
        pairs = [form[start : start + 2] for start in range(0, len(form), 2)]
        merged = tuple(int.from_bytes(pair.encode("utf-16-be")) for pair in pairs)
        return [(merged, math.log(0.2)), (self.segment(form), math.log(0.8))][:n]


@pytest.fixture
def write(tmp_path):
    def write(name: str, text: str | bytes) -> Path:
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return tmp_path / name

    return write


@pytest.fixture
def forty_pairs(write) -> Corpus:
    """Forty pairs: ten source sentences with four translations each."""
    return read_pairs(write("n.tsv", "".join(f"s{n // 4}\tt{n}\n" for n in range(40))))[0]


def pairs_of(corpus: Corpus) -> list[tuple[str, str]]:
    return list(zip(corpus.source_texts(), corpus.target_texts(), strict=True))


# Reading


def test_two_files_a_tsv_and_bars_give_the_same_corpus(write):
    one = read_parallel(write("a.en", "I love you.\nYes\n"), write("a.fr.gz", "Je t'aime.\nOui\n"))
    two = read_pairs(write("a.tsv", "I love you.\tJe t'aime.\tnote\r\nYes\tOui"))
    three = read_pairs(write("a.bars.gz", "I love you. ||| Je t'aime.\nYes ||| Oui\n"))
    for corpus, report in (one, two, three):
        assert pairs_of(corpus) == [("I love you.", "Je t'aime."), ("Yes", "Oui")]
        assert (report.n_read, report.n_used, report.skipped) == (2, 2, ())
        assert corpus.digest == one[0].digest


def test_the_words_of_a_line_are_restored_for_display(write):
    corpus, _ = read_pairs(write("a.tsv", "I  love\u00a0you.\tJe t'aime !\n"))
    assert corpus.source.words(0) == ("I", "love", "you", ".")
    assert corpus.target.words(0) == ("Je", "t'", "aime", "!")
    assert pairs_of(corpus) == [("I love you.", "Je t'aime !")]


@settings(derandomize=True, deadline=None)
@given(st.text(max_size=40))
def test_text_read_chunk_by_chunk_has_the_same_words(text):
    builder = SideBuilder(ChunkCache(ALL_LANGUAGES), Storage(), "x")
    assert builder.add(text) == bool(text.split())
    side = builder.finish()
    forms = [side.forms[form] for form in side.sentences[0]]
    assert forms == words.surface_forms(words.split(text))
    assert side.text(0) == " ".join(text.split())


def test_a_word_detached_from_an_opening_mark_touches_it_in_the_text(write):
    options = CorpusOptions(literals=LiteralRules("en", "fr"), detach_opening_marks=True)
    text = 'He ("Bob") left (300).'
    corpus, _ = read_pairs(write("a.tsv", f"{text}\t{text}\n"), options)
    forms = [corpus.source.forms[form] for form in corpus.source.sentences[0]]
    assert [words.spaced_form(form) for form in forms[1:4]] == [" (", ' "', " Bob"]
    assert pairs_of(corpus) == [(text, text)]
    assert corpus.source.words(0) == tuple(word.text for word in words.split(text))


def test_the_size_of_the_chunk_cache_does_not_change_the_corpus(write, monkeypatch):
    text = "".join(f"w{n % 7} w{n % 5}\tx{n % 3}\n" for n in range(50))
    expected, _ = read_pairs(write("a.tsv", text))
    monkeypatch.setattr(corpus_builder, "_CACHE_SIZE", 2)
    assert read_pairs(write("a.tsv", text))[0].digest == expected.digest


def test_every_pair_left_out_is_reported_with_its_line(write):
    data = b"a\tb\nno tab\n\tb\na\t \nb\xe9\tc\nd\te\n"
    corpus, report = read_pairs(write("a.tsv", data))
    assert pairs_of(corpus) == [("a", "b"), ("d", "e")]
    assert corpus.lines.tolist() == [1, 6]
    name = str(corpus.name)
    assert report.messages() == [
        f"{name}: 1 pair left out: no TAB or ' ||| ' between two sides (line 2)",
        f"{name}: 2 pairs left out: an empty side (lines 3, 4)",
        f"{name}: 1 pair left out: not valid UTF-8 (line 5)",
    ]
    assert (report.n_read, report.n_used) == (6, 2)


def test_the_first_ten_lines_are_named_and_the_rest_counted(write):
    _, report = read_pairs(write("a.tsv", "a\tb\n" + "no tab\n" * 23))
    assert str(report.skipped[0]).endswith("(lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 13 more)")


def test_invalid_text_in_two_files_names_the_file_it_is_in(write):
    source, target = write("a.en", b"a\nb\n"), write("a.fr", b"c\n\xff\n")
    corpus, report = read_parallel(source, target)
    assert len(corpus) == 1
    assert report.skipped[0].reason == f"not valid UTF-8 in {target}"


def test_files_of_unequal_length_are_refused(write):
    source, target = write("a.en", "a\nb\nc\n"), write("a.fr", "a\n")
    with pytest.raises(DataError) as caught:
        read_parallel(source, target)
    assert caught.value.problem == f"{source} has 3 lines but {target} has 1"


@pytest.mark.parametrize("text", ["", "\n", "no tab\n", "\t\n"])
def test_a_corpus_without_a_pair_is_refused(write, text):
    with pytest.raises(DataError, match=r"contains no line|no pair of .* can be used"):
        read_pairs(write("a.tsv", text))


def test_counts_are_those_of_the_forms_in_a_subset(write):
    corpus, _ = read_pairs(write("a.tsv", "a a.\tx\nb a\ty\n"))
    assert corpus.source_counts() == {" a": 3, ".": 1, " b": 1}
    assert corpus.subset(corpus.pairs[1:]).source_counts() == {" b": 1, " a": 1}
    assert corpus.target_counts() == {" x": 1, " y": 1}


@pytest.mark.parametrize("share", [0.5, 0.3, 0.011])
def test_a_share_of_the_counts_is_exact_within_one_per_form_and_in_total(write, share):
    text = " ".join(f"w{n}" for n in range(40) for _ in range(n % 7 + 1))
    corpus, _ = read_pairs(write("a.tsv", f"{text}\tx y\n" * 3))
    counts, sample = corpus.source_counts(), corpus.source_counts(share=share)
    assert all(abs(sample.get(form, 0) - share * count) < 1 for form, count in counts.items())
    assert abs(sum(sample.values()) - share * sum(counts.values())) < 1
    assert min(sample.values()) > 0
    assert corpus.n_words == sum(counts.values()) + 6


def test_the_digest_changes_with_the_text_and_the_subset(write):
    one, _ = read_pairs(write("a.tsv", "a b\tc\nd\te\n"))
    two, _ = read_pairs(write("b.tsv", "a\tb c\nd\te\n"))
    assert len({one.digest, two.digest, one.subset(one.pairs[:1]).digest}) == 3


# Validation


def test_a_split_keeps_groups_whole_and_depends_only_on_the_seed(forty_pairs):
    train, valid = forty_pairs.split(100, seed=1)
    assert len(valid) == 4  # a tenth
    assert sorted(pairs_of(train) + pairs_of(valid)) == sorted(pairs_of(forty_pairs))
    assert not set(train.source_texts()) & set(valid.source_texts())
    again = forty_pairs.split(100, seed=1)[1]
    assert pairs_of(again) == pairs_of(valid)
    others = [pairs_of(forty_pairs.split(100, seed=seed)[1]) for seed in range(2, 6)]
    assert any(other != pairs_of(valid) for other in others)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=60), st.integers(1, 20))
def test_no_source_sentence_is_on_both_sides_of_any_split(sources, size):
    builders = (
        SideBuilder(ChunkCache(ALL_LANGUAGES), Storage(), "x"),
        SideBuilder(ChunkCache(ALL_LANGUAGES), Storage(), "x"),
    )
    for number, source in enumerate(sources):
        builders[0].add(source)
        builders[1].add(f"t{number}")
    numbers = np.arange(len(sources), dtype=np.int32)
    corpus = Corpus("x", builders[0].finish(), builders[1].finish(), numbers + 1, numbers)
    if len(set(sources)) == 1:
        with pytest.raises(DataError, match="one source sentence that can be used"):
            corpus.split(size, seed=1)
        return
    train, valid = corpus.split(size, seed=1)
    assert train.pairs.size > 0
    assert valid.pairs.size > 0
    assert sorted([*train.pairs, *valid.pairs]) == list(range(len(sources)))
    assert not set(train.source_texts()) & set(valid.source_texts())
    smallest = min(map(sources.count, sources))
    assert len(valid) <= max(min(size, len(sources) // 10), 1, smallest)


# A recipe's data


def test_without_validation_text_some_training_pairs_are_split_off(write, tmp_path):
    write("a.tsv", "".join(f"s{n}\tt{n}\n" for n in range(50)))
    train, valid, reports = load(config.DataConfig(pairs="a.tsv", valid_size=3), tmp_path, seed=1)
    assert (len(train), len(valid), len(reports)) == (47, 3, 1)


def test_with_validation_text_all_training_pairs_are_used(write, tmp_path):
    write("a.tsv", "a\tb\nc\td\n")
    write("v.en", "e\n")
    write("v.fr", "f\n")
    data = config.DataConfig(pairs="a.tsv", valid_source="v.en", valid_target="v.fr")
    train, valid, reports = load(data, tmp_path, seed=1)
    assert (len(train), pairs_of(valid), len(reports)) == (2, [("e", "f")], 2)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (config.DataConfig(), "no training text is named"),
        (config.DataConfig(source="a"), "data.source is set but data.target is not"),
        (config.DataConfig(pairs="a", target="b"), "data.pairs and data.target both name text"),
        (config.DataConfig(pairs="a.tsv", valid_target="v"), "data.valid_target is set but data."),
    ],
)
def test_a_recipe_with_incomplete_or_conflicting_text_is_a_usage_error(
    write, tmp_path, data, problem
):
    write("a.tsv", "a\tb\n")
    with pytest.raises(UsageError, match=problem):
        load(data, tmp_path, seed=1)


# Pieces


@settings(derandomize=True, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=6).flatmap(
        lambda rows: st.tuples(st.just(rows), st.lists(st.integers(0, len(rows) - 1), max_size=8))
    )
)
def test_gather_returns_the_requested_rows(example):
    rows, indices = example
    starts = np.cumsum([0, *map(len, rows)])
    ragged = RaggedArray(np.array([*chain.from_iterable(rows)], np.int32), starts)
    gathered = ragged.gather(np.array(indices, np.int32))
    assert [gathered[row].tolist() for row in range(len(gathered))] == [
        rows[row] for row in indices
    ]


def test_pairs_beyond_the_limits_are_left_out_and_reported(write):
    lines = ["ab\tcd", "abcdefgh\tx", "abc\tabcdefghijklm", "abc\tx", "a\tabc"]
    corpus, _ = read_pairs(write("a.tsv", "\n".join(lines)))
    data = segment_corpus(corpus, Letters(), Letters())  # pieces are letters and a space
    subset, report = data.filter_lengths(max_length=9, max_ratio=2)
    assert [corpus.source.text(pair) for pair in subset.pairs] == ["ab", "abc", "a"]
    assert subset.corpus.lines[subset.pairs].tolist() == [1, 4, 5]
    assert [str(skipped) for skipped in report.skipped] == [
        "1 pair left out: more than 9 pieces on a side (line 3)",
        "1 pair left out: one side more than 2 times as long as the other (line 2)",
    ]
    with pytest.raises(DataError, match=r"no pair of .* can be used"):
        data.filter_lengths(max_length=1, max_ratio=2)


def test_candidates_are_sampled_with_probabilities_raised_to_alpha(write):
    corpus, _ = read_pairs(write("a.tsv", "abc xyz abc\tx\n"))
    alpha = 0.5
    data = segment_corpus(corpus, Letters(), Letters(), sampling=alpha)
    forms = np.repeat(np.array([0, 1], np.int32), 5000)
    rows = data.source.sample_rows(forms, np.random.default_rng(1))
    assert set(rows[:5000]) == {0, 1}  # the candidates of " abc", letters first
    assert set(rows[5000:]) == {2, 3}
    expected = 0.8**alpha / (0.8**alpha + 0.2**alpha)  # p ∝ p^alpha: two thirds
    for samples, letters in ((rows[:5000], 0), (rows[5000:], 2)):
        assert np.mean(samples == letters) == pytest.approx(expected, abs=0.03)


def test_without_a_generator_or_sampling_the_deterministic_segmentation_is_used(write):
    corpus, _ = read_pairs(write("a.tsv", "abc xyz\tx\n"))
    forms = np.array([1, 0, 1], np.int32)
    for sampling, rng in ((0.0, np.random.default_rng(1)), (0.5, None)):
        side = segment_corpus(corpus, Letters(), Letters(), sampling=sampling).source
        texts = ["".join(map(chr, side.pieces[row])) for row in side.sample_rows(forms, rng)]
        assert texts == [" xyz", " abc", " xyz"]


def test_a_subset_segments_only_its_own_forms(write):
    forms: list[str] = []

    class RecordingTokenizer(Letters):
        def segment(self, form: str) -> tuple[int, ...]:
            forms.append(form)
            return super().segment(form)

    corpus, _ = read_pairs(write("a.tsv", "a b a\tx\nc\ty\n"))
    data = segment_corpus(corpus.subset(corpus.pairs[:1]), RecordingTokenizer(), Letters())
    assert forms == [" a", " b"]
    assert data.source_lengths.tolist() == [6, 0]


# Literals


def test_literals_of_both_sides_are_marked_and_the_text_is_unchanged(write):
    pairs = [
        ("I have 1,250 books.", "J'ai 1\u00a0250 livres."),
        ("See a@b.fr in 2010.", "En 2010, voir a@b.fr."),
        ("two of 7", "2 sur sept"),
        ("Good day.", "Bonjour."),
    ]
    path = write("a.tsv", "".join(f"{s}\t{t}\n" for s, t in pairs))
    corpus, _ = read_pairs(path, CorpusOptions(literals=LiteralRules("en", "fr")))
    assert pairs_of(corpus) == pairs
    assert corpus.source.words(0) == ("I", "have", "1,250", "books", ".")
    assert corpus.target.words(0) == ("J'", "ai", "1\u00a0250", "livres", ".")

    def numbers(side, pair):
        all_numbers = (placeholder_number(side.forms[form]) for form in side.sentences[pair])
        return {number for number in all_numbers if number is not None}

    sizes = [len(numbers(corpus.source, pair)) for pair in range(4)]
    assert sizes == [1, 2, 0, 0]
    assert all(numbers(corpus.source, p) == numbers(corpus.target, p) for p in range(4))


def test_without_literals_numbers_are_split_into_words(write):
    path = write("a.tsv", "I have 1,250 books.\tJ'ai 1 250 livres.\n")
    corpus, _ = read_pairs(path)
    assert corpus.target.words(0) == ("J'", "ai", "1", "250", "livres", ".")


def test_lines_of_more_than_two_columns_are_read_and_reported(write):
    corpus, report = read_pairs(write("a.tsv", "a\tb\tc\nd\te\nf\tg\t\ti\n"))
    assert list(corpus.target_texts()) == ["b", "e", "g"]
    (sentence,) = report.messages()
    assert "2 lines have more than two columns" in sentence
    assert "(lines 1, 3)" in sentence


def test_the_error_of_a_file_with_one_usable_pair_explains_the_others(write):
    path = write("a.tsv", "no tab\nnone\na\tb\nc\t\n")
    with pytest.raises(DataError) as caught:
        load(config.DataConfig(pairs=str(path)), Path(), seed=1)
    assert "one source sentence that can be used" in caught.value.problem
    assert "2 pairs left out: no TAB" in caught.value.problem
    assert "1 pair left out: an empty side (line 4)" in caught.value.problem
