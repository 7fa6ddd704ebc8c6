"""Pairs get tables of other aligners; only the first pairs get those of heads."""

import numpy as np
from pages import table, translation

from attn_cli.inference.other_tables import OtherTables
from attn_cli.types import HeadId, Hypothesis


class Aligner:
    """An aligner that links words in order and counts its pairs."""

    def __init__(self, kind="alignment", **fields):
        self.kind, self.fields, self.count = kind, fields, 0

    def align(self, pairs):
        self.count += len(pairs)
        return [self._aligned(pair) for pair in pairs]

    def _aligned(self, pair):
        weights = table(pair.source.split(), pair.target.split(), kind=self.kind)
        fields = {"alignment": weights, **self.fields}
        return translation(pair.line, pair.source, pair.target, **fields)


BLANK = translation(2, "", "", source_words=(), target_words=())


def test_each_pair_gets_a_table_of_each_aligner():
    first, second = OtherTables([Aligner(), Aligner("attention")]).add(
        [translation(1, "a b", "x y"), translation(2, "c", "z")]
    )
    assert [each.kind for each in first.others] == ["alignment", "attention"]
    assert second.others[0].target == ("z",)


def test_a_blank_pair_is_not_aligned():
    aligner = Aligner()
    assert OtherTables([aligner]).add([BLANK]) == [BLANK]
    assert aligner.count == 0


def test_a_table_of_other_words_is_left_out():
    pair = translation(1, "a-b", "x", source_words=("a-", "b"))
    assert OtherTables([Aligner()]).add([pair]) == [pair]


def test_a_pair_without_a_score_gets_that_of_the_aligner():
    hypothesis = Hypothesis(np.array([4, 2], np.int32), -0.5, np.array([-0.5, -0.5], np.float32))
    scores = Aligner("attention", hypotheses=(hypothesis,), word_logp=(-0.5,))
    (pair,) = OtherTables([scores]).add([translation(1, "a", "x")])
    assert pair.hypotheses == (hypothesis,)
    assert pair.word_logp == (-0.5,)


def test_only_the_first_pairs_get_the_tables_of_heads():
    heads = [(HeadId(1, head), Aligner("attention")) for head in (1, 2)]
    tables = OtherTables([], heads, heads_left=3)
    chunks = [[translation(n, "a", "x"), BLANK, translation(n + 1, "b", "y")] for n in (1, 3)]
    pairs = [each for chunk in chunks for each in tables.add(chunk)]
    assert [len(each.heads) for each in pairs] == [2, 0, 2, 2, 0, 0]
    assert [(each.layer, each.head) for each in pairs[0].heads] == [(1, 1), (1, 2)]
