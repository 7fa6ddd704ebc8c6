"""Shortlists from the links of a few words, counted by hand."""

from collections import Counter

import numpy as np
import pytest

from attn_cli import config
from attn_cli.alignment.link_table import LinkTable
from attn_cli.data.corpus_reader import read_pairs
from attn_cli.data.literals import LiteralRules
from attn_cli.data.segmentation import segment_corpus
from attn_cli.data.tokenizer import Tokenizer
from attn_cli.training import shortlisting
from attn_cli.training.shortlisting import build_shortlist, count_links
from attn_cli.types import EOS

PAIRS = "the cat\tle chat\nthe cats\tles chats\nsee the cat\tvois le chat\n"
LINKS = [{(0, 0): 1.0, (1, 1): 1.0}, {(0, 0): 0.5, (1, 1): 1.0}, {(1, 1): 1.0, (2, 2): 0.25}]


class HalvingTokenizer:
    """A tokenizer whose pieces are the halves of words, numbered in order of appearance."""

    def __init__(self, fallback=(EOS,)):
        self.numbers = {}
        self.fallback_pieces = np.array(fallback, np.int32)

    def segment(self, form):
        word = form.strip()
        middle = (len(word) + 1) // 2
        return tuple(
            self.numbers.setdefault(part, len(self.numbers) + 4)
            for part in (word[:middle], word[middle:])
        )

    @property
    def vocab_size(self):
        return len(self.numbers) + 4

    def piece(self, id):
        return {number: part for part, number in self.numbers.items()}.get(id, f"<{id}>")


@pytest.fixture
def text(tmp_path):
    (tmp_path / "pairs").write_text(PAIRS, encoding="utf-8")
    tokenizer = HalvingTokenizer()
    corpus, _ = read_pairs(tmp_path / "pairs")
    return segment_corpus(corpus, tokenizer, tokenizer), tokenizer


def texts_of(tokenizer, pieces):
    return {tokenizer.piece(int(piece)) for piece in pieces}


def test_each_piece_of_a_word_is_linked_to_each_piece_of_its_linked_words(text):
    segments, tokenizer = text
    keys, weights = count_links(segments, LinkTable.from_links(LINKS), tokenizer.vocab_size)
    source_ids, target_ids = np.divmod(keys, tokenizer.vocab_size)
    link_weights = {
        (tokenizer.piece(s), tokenizer.piece(t)): w
        for s, t, w in zip(source_ids, target_ids, weights, strict=True)
    }
    # th|e – l|e in two pairs and le|s in one, ca|t – ch|at in two, and so on.
    expected = Counter()
    for (source, target), weight in {
        (("th", "e"), ("l", "e")): 2.0,
        (("th", "e"), ("le", "s")): 0.5,
        (("ca", "t"), ("ch", "at")): 1.25,
        (("ca", "ts"), ("cha", "ts")): 1.0,
    }.items():
        for s in source:
            for t in target:
                expected[s, t] += weight
    assert link_weights == dict(expected)


def test_a_row_has_the_heaviest_links_and_the_piece_with_the_same_spelling(text, monkeypatch):
    segments, tokenizer = text
    monkeypatch.setattr(shortlisting, "N_FREQUENT", 0)
    shortlist = build_shortlist(segments, LinkTable.from_links(LINKS), (tokenizer, tokenizer))
    assert shortlist.always.tolist() == [EOS]
    rows = {
        piece: texts_of(
            tokenizer, shortlist.linked[shortlist.starts[id] : shortlist.starts[id + 1]]
        )
        for piece, id in tokenizer.numbers.items()
    }
    assert rows["th"] == {"th", "l", "e", "le", "s"}
    assert rows["ts"] == {"cha", "ts"}
    assert rows["se"] == {"se"}  # "see" has no links

    monkeypatch.setattr(shortlisting, "MAX_PER_PIECE", 2)
    shorter = build_shortlist(segments, LinkTable.from_links(LINKS), (tokenizer, tokenizer))
    th = tokenizer.numbers["th"]
    assert texts_of(tokenizer, shorter.linked[shorter.starts[th] : shorter.starts[th + 1]]) == {
        "th", "l", "e",
    }  # fmt: skip


def test_links_of_little_weight_are_ignored(text, monkeypatch):
    segments, tokenizer = text
    monkeypatch.setattr(shortlisting, "N_FREQUENT", 0)
    links = LinkTable.from_links([{(0, 0): 0.2}, {}, {}])
    shortlist = build_shortlist(segments, links, (tokenizer, tokenizer))
    assert len(shortlist.linked) == len(tokenizer.numbers)  # each row has its own piece


def test_the_commonest_pieces_are_listed_for_every_sentence_and_in_no_row(text, monkeypatch):
    segments, tokenizer = text
    monkeypatch.setattr(shortlisting, "N_FREQUENT", 2)
    shortlist = build_shortlist(segments, LinkTable.from_links(LINKS), (tokenizer, tokenizer))
    counts = Counter({"l": 2, "e": 2, "ch": 2, "at": 2, "le": 1, "s": 1, "cha": 1, "ts": 1})
    common = texts_of(tokenizer, shortlist.always[1:])
    assert len(common) == 2
    assert all(counts[piece] == 2 for piece in common)
    assert not np.isin(shortlist.linked, shortlist.always).any()


def test_the_average_number_of_links_per_piece_is_limited(text, monkeypatch):
    segments, tokenizer = text
    monkeypatch.setattr(shortlisting, "N_FREQUENT", 0)
    monkeypatch.setattr(shortlisting, "MAX_AVERAGE", 0)
    shortlist = build_shortlist(segments, LinkTable.from_links(LINKS), (tokenizer, tokenizer))
    assert len(shortlist.linked) == len(tokenizer.numbers)


@pytest.mark.parametrize("literals", [False, True])
def test_the_end_of_sentence_and_the_fallback_pieces_are_listed(literals):
    settings = config.TokenizerConfig(vocab_size=400, literals=literals)
    rules = LiteralRules("en", "fr") if literals else None
    tokenizer = Tokenizer.train(["a few words to learn from, no more"], settings, literals=rules)
    pieces = [tokenizer.piece(int(id)) for id in tokenizer.fallback_pieces]
    assert pieces[0] == "</s>"
    assert ("<num0>" in pieces) == ("<lit5>" in pieces) == literals
    assert ("<0x00>" in pieces) == ("<0xFF>" in pieces) == (not literals)
