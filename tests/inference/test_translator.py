"""Translation of long lines sentence by sentence, and of lines in capitals."""

import numpy as np
import pytest
from program import PAIRS, attn

from attn_cli.bundles.bundle import open_bundle
from attn_cli.data.casing import CaseRules
from attn_cli.inference.beam_search import SearchConfig
from attn_cli.inference.engines.registry import EngineOptions, open_aligner, open_generator
from attn_cli.inference.line_batches import length_batches
from attn_cli.inference.pair_aligner import PairAligner
from attn_cli.inference.pair_options import PairOptions
from attn_cli.inference.translator import Translator
from attn_cli.types import Hypothesis, InputLine

SOURCES = [source for source in PAIRS if source[0].isupper()]  # a sentence begins with a capital
A, B, C = SOURCES[0], SOURCES[7], SOURCES[3]
LONG = f"{A} {B} {C}"


@pytest.fixture(scope="module")
def bundle(tiny_with_aligner):
    return open_bundle(tiny_with_aligner)


@pytest.fixture(scope="module")
def make_translator(bundle):
    """Return a function that makes translators which split lines of over ten words."""
    options = EngineOptions(device="cpu", threads=1)
    generator = open_generator(bundle, options)
    aligner = open_aligner(bundle, options)

    def build(
        *, beam: int = 3, n_best: int = 1, use_aligner: bool = False, **settings
    ) -> Translator:
        return Translator(
            generator,
            bundle.source,
            bundle.target,
            SearchConfig(beam=beam, n_best=n_best),
            aligner=aligner if use_aligner else None,
            **{"split_over": 10, "case_rules": CaseRules(all_caps=True), **settings},
        )

    return build


def translate(translator: Translator, *lines: str):
    return translator.translate([InputLine(number, text) for number, text in enumerate(lines, 1)])


# Sentence by sentence


def test_the_translation_of_a_long_line_joins_those_of_its_sentences(make_translator):
    whole, *parts = translate(make_translator(), LONG, A, B, C)
    assert (
        whole.text == " ".join(part.text for part in parts) == " ".join(PAIRS[s] for s in (A, B, C))
    )
    assert (whole.line, whole.source) == (1, LONG)


@pytest.mark.parametrize("level", ["word", "piece"])
@pytest.mark.parametrize("use_aligner", [True, False])
def test_the_table_of_a_long_line_has_those_of_its_sentences_on_the_diagonal(
    make_translator, use_aligner, level
):
    whole, *parts = translate(
        make_translator(align=True, use_aligner=use_aligner, level=level), LONG, A, B, C
    )
    table = whole.alignment
    assert (table.source, table.target) == (whole.source_words, whole.target_words)
    assert table.weights.shape == (len(table.target), len(table.source))
    np.testing.assert_allclose(table.weights.sum(1) + table.unaligned, 1, atol=1e-4)
    row = column = 0
    outside = table.weights.copy()
    for part in parts:
        height, width = part.alignment.weights.shape
        block = np.s_[row : row + height, column : column + width]
        np.testing.assert_allclose(table.weights[block], part.alignment.weights, atol=1e-5)
        if use_aligner:
            np.testing.assert_allclose(
                table.link_probs[block], part.alignment.link_probs, atol=1e-5
            )
        outside[block] = 0
        row, column = row + height, column + width
    assert not outside.any()
    assert (row, column) == table.weights.shape
    assert len(whole.word_logp) == len(whole.target_words)


def test_the_source_words_of_a_long_line_are_those_of_its_text(make_translator, bundle):
    raw = f"  {A}\t “{B}” {C} ... "
    (whole,) = translate(make_translator(align=True), raw)
    assert whole.source_words == tuple(word.text for word in bundle.source.encode(raw).words)


def test_the_score_of_a_long_line_is_the_mean_log_probability_of_all_its_pieces(make_translator):
    whole, *parts = translate(make_translator(), LONG, A, B, C)
    logp = np.concatenate([part.hypotheses[0].token_logp for part in parts])
    assert whole.hypotheses[0].mean_logp == pytest.approx(float(logp.mean()), abs=1e-5)


def test_the_n_best_of_a_long_line_are_the_best_combinations_of_its_sentences(make_translator):
    whole, *parts = translate(make_translator(beam=4, n_best=4), LONG, A, B, C)
    assert len(whole.texts) == len(set(whole.texts)) == len(whole.hypotheses) == 4
    assert whole.texts[0] == whole.text
    scores = [each.score for each in whole.hypotheses]
    assert scores == sorted(scores, reverse=True)
    ends = {f"{x} {y} {z}" for x in parts[0].texts for y in parts[1].texts for z in parts[2].texts}
    assert set(whole.texts) <= ends
    # The second best differs in only one sentence.
    bests = [part.text for part in parts]
    assert whole.texts[1] in {
        " ".join([*bests[:n], other, *bests[n + 1 :]])
        for n, part in enumerate(parts)
        for other in part.texts[1:]
    }


def test_a_short_line_and_a_line_of_one_sentence_are_not_split(make_translator):
    short, one = f"{A} {B}", f"{A[:-1]}, {B[:-1]}, {C}"
    split, whole = (translate(make_translator(split_over=over), short, one) for over in (13, 0))
    assert [each.text for each in split] == [each.text for each in whole]
    assert all(np.array_equal(a.hypotheses[0].ids, b.hypotheses[0].ids)
               for a, b in zip(split, whole, strict=True))  # fmt: skip


# Clause by clause

TWO_CLAUSES = "I see the old dog and you, but he sees two books and a dog."
CLAUSES = ("I see the old dog and you,", "but he sees two books and a dog.")


def test_a_sentence_of_many_words_is_translated_clause_by_clause(make_translator):
    translator = make_translator(clauses_over=12, align=True)
    whole, *parts = translate(translator, TWO_CLAUSES, *CLAUSES)
    first, second = (part.text for part in parts)
    assert whole.text == f"{first} {second[0].lower()}{second[1:]}"
    assert whole.source == TWO_CLAUSES
    assert whole.source_words == tuple(word for part in parts for word in part.source_words)
    assert whole.target_words[len(parts[0].target_words)] == whole.text[len(first) + 1 :].split()[0]
    rows, columns = parts[0].alignment.weights.shape
    np.testing.assert_allclose(
        whole.alignment.weights[:rows, :columns], parts[0].alignment.weights, atol=1e-5
    )
    assert not whole.alignment.weights[:rows, columns:].any()


def test_a_sentence_of_few_words_and_sentences_of_few_words_have_no_clauses(make_translator):
    by_clause, plain = make_translator(clauses_over=17), make_translator()
    for line in (TWO_CLAUSES, LONG, f"{A} {B}"):
        assert translate(by_clause, line)[0].text == translate(plain, line)[0].text


def test_only_a_sentence_that_is_too_long_is_truncated_and_reported(make_translator):
    problems = []
    long = "we see two books, " * 300
    translator = make_translator(on_problem=lambda line, problem: problems.append((line, problem)))
    _, whole = translate(translator, A, f"{A} {B} Well {long} {C}")
    assert [line for line, _ in problems] == [2]
    assert whole.text.startswith(f"{PAIRS[A]} {PAIRS[B]} ")


def test_a_line_too_long_for_a_table_is_not_split_if_alignment_is_requested(
    make_translator, monkeypatch
):
    monkeypatch.setattr("attn_cli.inference.translator.MAX_TABLE_WORDS", 12)
    assert translate(make_translator(), LONG)[0].text == " ".join(PAIRS[s] for s in (A, B, C))
    table = translate(make_translator(align=True), LONG)[0]
    plain = translate(make_translator(align=True, split_over=0), LONG)[0]
    assert table.text == plain.text
    np.testing.assert_array_equal(table.alignment.weights, plain.alignment.weights)


def test_the_sentences_of_all_lines_share_batches(make_translator, monkeypatch):
    sizes = []

    def record_batches(lengths, *, beam):
        for indices in length_batches(lengths, beam=beam):
            sizes.append(len(indices))
            yield indices

    monkeypatch.setattr("attn_cli.inference.translator.length_batches", record_batches)
    translate(make_translator(), *[LONG] * 5, A)
    assert sizes == [16]


# Capitals


def test_a_line_in_capitals_is_translated_in_lowercase_and_put_in_capitals(make_translator):
    all_caps, plain = translate(make_translator(align=True, n_best=2), A.upper(), A)
    assert all_caps.text == plain.text.upper() == PAIRS[A].upper()
    assert all_caps.texts == tuple(text.upper() for text in plain.texts)
    assert all_caps.source_words == tuple(word.upper() for word in plain.source_words)
    assert all_caps.target_words == tuple(word.upper() for word in plain.target_words)
    assert (all_caps.alignment.source, all_caps.alignment.target) == (
        all_caps.source_words,
        all_caps.target_words,
    )
    np.testing.assert_array_equal(all_caps.alignment.weights, plain.alignment.weights)
    assert all_caps.source == A.upper()


def test_a_pair_in_capitals_has_the_alignment_of_the_pair_in_lowercase(bundle):
    word_aligner = open_aligner(bundle, EngineOptions(device="cpu", threads=1))
    options = PairOptions(case_rules=CaseRules(all_caps=True))
    aligner = PairAligner(bundle.source, bundle.target, options, aligner=word_aligner)
    target = PAIRS[A][0].upper() + PAIRS[A][1:]  # the first letter of a sentence remains
    pairs = [(A, target), (A.upper(), target.upper())]
    plain, all_caps = aligner.align([InputLine(line, *pair) for line, pair in enumerate(pairs, 1)])
    assert all_caps.source_words == tuple(word.upper() for word in plain.source_words)
    np.testing.assert_allclose(all_caps.alignment.weights, plain.alignment.weights, atol=1e-5)


def test_a_long_line_in_capitals_is_split_into_sentences_too(make_translator):
    whole = translate(make_translator(), LONG.upper())[0]
    assert whole.text == " ".join(PAIRS[s] for s in (A, B, C)).upper()


def test_lines_partly_in_capitals_and_recipes_without_the_option_are_unchanged(make_translator):
    assert not translate(make_translator(), "Anna LOVE a dog.")[0].text.isupper()
    translation = translate(make_translator(case_rules=CaseRules()), A.upper())[0]
    assert translation.text != PAIRS[A].upper()


def test_with_truecase_a_translation_begins_with_a_capital_if_its_line_does(make_translator):
    options = {"align": True, "n_best": 2, "case_rules": CaseRules(truecase=True)}
    typed = translate(make_translator(align=True, n_best=2, case_rules=CaseRules()), A)[0]
    (truecased,) = translate(make_translator(**options), A)
    assert typed.text[0].islower()
    assert truecased.text == typed.text[0].upper() + typed.text[1:]
    assert truecased.texts == tuple(text[0].upper() + text[1:] for text in typed.texts)
    first, *others = typed.target_words
    assert truecased.target_words == (first[0].upper() + first[1:], *others)
    assert truecased.alignment.target == truecased.target_words
    np.testing.assert_array_equal(truecased.alignment.weights, typed.alignment.weights)
    (pieces,) = translate(make_translator(**options, level="piece"), A)
    assert pieces.text == truecased.text
    assert "".join(pieces.target_words).replace("▁", " ").strip().startswith(typed.text[:3])


# Settings of the recipe


def test_the_recipe_sets_how_long_lines_and_capitals_are_handled(tiny):
    text = (tiny / "recipe.toml").read_text()
    assert "split_longer_than = 50 " in text
    assert "handle_all_caps = true " in text
    long = " ".join([A, B] * 6)  # sixty words
    assert attn("translate", "-m", tiny, long, A.upper()).lines() == [
        " ".join([PAIRS[A], PAIRS[B]] * 6),
        PAIRS[A].upper(),
    ]


def test_an_engine_with_its_own_search_translates(bundle):
    ids = bundle.target.encode("je vois un chien.").ids

    class OwnSearch:
        def generate(self, batch, settings):
            best = Hypothesis(ids, -1.0, np.zeros(len(ids), np.float32))
            return [[best] for _ in batch.lengths]

    translator = Translator(OwnSearch(), bundle.source, bundle.target, SearchConfig())
    translations = translate(translator, "I see a dog.", "")
    assert [each.text for each in translations] == ["je vois un chien.", ""]
