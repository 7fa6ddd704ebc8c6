"""Variants: what may become of a sentence, that the seed decides it, and that links stay true."""

import io
import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli import config
from attn_cli.alignment.link_table import LinkTable
from attn_cli.data import augmentation
from attn_cli.data.augmentation import FINAL_PUNCTUATION, augment
from attn_cli.data.batching import Batch, BatchIterator, sequential_batches
from attn_cli.data.corpus import Corpus
from attn_cli.data.corpus_reader import read_pairs
from attn_cli.data.segmentation import SubwordCorpus, segment_corpus
from attn_cli.data.tokenizer import Tokenizer
from attn_cli.training.guided_alignment import Guidance

PROPERTY = settings(derandomize=True, deadline=None)
ALL = config.AugmentationConfig(
    lowercase=1, drop_final_punctuation=1, replace_names=1, replace_words=1
)
HALF = config.AugmentationConfig(lowercase=0.5, drop_final_punctuation=0.5, replace_names=0.5)
NEVER = config.AugmentationConfig()

PAIRS = [
    ("I saw Boston.", "J'ai vu Boston."),
    ("Martin loves Boston.", "Martin aime Boston."),
    ("Do you know Martin?", "Connais-tu Martin ?"),
    ("Stop!", "Arrête !"),
    ("Yes", "Oui."),
    ("...", "..."),
    ("She LEFT", "Elle est PARTIE"),
]


@pytest.fixture(autouse=True, scope="module")
def _few_made_up_words():
    """A hundredth of the made-up words: to make them is what takes time here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(augmentation, "N_INVENTED", 200)
        yield


def corpus_of(pairs: list[tuple[str, str]]) -> Corpus:
    text = "".join(f"{source}\t{target}\n" for source, target in pairs)
    return read_pairs("-", stdin=io.BytesIO(text.encode()))[0]


def draw(
    pairs: list[tuple[str, str]], how: config.AugmentationConfig, *, seed: int = 1
) -> list[tuple[str, str]]:
    """Each pair as it was drawn, words and spaces as they would be read."""
    corpus, variants = augment(corpus_of(pairs), how, seed=seed)
    assert variants is not None
    sentences = corpus.source.sentences, corpus.target.sentences
    gathered = [side.gather(corpus.pairs) for side in sentences]
    drawn = variants.sample(*gathered, corpus.pairs, np.random.default_rng(seed))
    return [
        tuple(  # type: ignore[misc]
            "".join(side.forms[form] for form in rows[pair]).removeprefix(" ")
            for side, rows in zip((corpus.source, corpus.target), drawn, strict=True)
        )
        for pair in range(len(corpus))
    ]


# What may become of a sentence


def test_small_letters_are_on_the_source_side_alone() -> None:
    drawn = draw(PAIRS, config.AugmentationConfig(lowercase=1))
    assert drawn == [(source.lower(), target) for source, target in PAIRS]


def test_a_final_mark_is_left_out_on_both_sides_or_on_none() -> None:
    drawn = draw(PAIRS, config.AugmentationConfig(drop_final_punctuation=1))
    assert drawn == [
        ("I saw Boston", "J'ai vu Boston"),
        ("Martin loves Boston", "Martin aime Boston"),
        ("Do you know Martin", "Connais-tu Martin"),
        ("Stop", "Arrête"),
        *PAIRS[4:],  # no mark on one side; nothing but a mark; no mark at all
    ]


def test_a_name_of_both_sides_becomes_another_on_both_and_nothing_else_changes() -> None:
    drawn = draw(PAIRS, config.AugmentationConfig(replace_names=1))
    assert drawn[3:] == PAIRS[3:]
    names = [source.split()[-1].strip(".?") for source, _ in drawn[:1]]
    assert drawn[0] == (f"I saw {names[0]}.", f"J'ai vu {names[0]}.")
    assert names[0].istitle()
    (first, *_), (other, *_) = drawn[1][0].split(), drawn[1][1].split()
    assert first == other
    assert drawn[1] == (f"{first} loves Boston.", f"{first} aime Boston.")


def test_a_word_that_both_sides_write_becomes_another_on_both() -> None:
    pairs = [("The piano is black.", "Le piano est noir."), *PAIRS]
    (source, target), *others = draw(pairs, config.AugmentationConfig(replace_words=1))
    made_up = source.split()[1]
    assert (source, target) == (f"The {made_up} is black.", f"Le {made_up} est noir.")
    assert made_up.islower()
    assert made_up != "piano"
    assert others == PAIRS


def test_a_short_word_that_both_sides_write_may_be_two_words_and_stays() -> None:
    pairs = [("The main chat.", "Le main chat.")] * 3
    assert draw(pairs, config.AugmentationConfig(replace_words=1)) == pairs


def test_made_up_words_are_the_same_on_both_sides_and_of_neither(monkeypatch) -> None:
    monkeypatch.setattr(augmentation, "N_INVENTED", 2000)
    corpus, variants = augment(corpus_of([*PAIRS, ("A piano", "Un piano")]), ALL, seed=1)
    assert variants is not None
    known = {form.strip().lower() for form in corpus_of(PAIRS).source.forms}
    for shared, spelled in ((variants.names, str.istitle), (variants.words, str.islower)):
        made_up = {corpus.source.forms[form] for form in shared.source}
        assert made_up == {corpus.target.forms[form] for form in shared.target}
        assert len(made_up) > 1000
        assert all(spelled(form[1:]) and form[0] == " " for form in made_up)
        assert not {form.strip().lower() for form in made_up} & known


@pytest.mark.parametrize(
    "pair",
    [
        ("Boston is Boston.", "Boston !"),  # which of the two?
        ("It is Boston.", "Boston, c'est Boston."),
        ("The boston.", "Le boston."),
        ("Not BOSTON.", "Pas BOSTON."),
        ("It is d'Artagnan.", "C'est d'Artagnan."),  # glued to what is before it
    ],
)
def test_a_name_is_left_alone_where_it_is_not_one_word_for_one(pair) -> None:
    how = config.AugmentationConfig(replace_names=1)
    assert {draw([pair, *PAIRS], how, seed=seed)[0] for seed in range(10)} == {pair}


def test_without_variants_a_corpus_stays_the_very_same() -> None:
    corpus = corpus_of(PAIRS)
    assert augment(corpus, NEVER, seed=1) == (corpus, None)


@pytest.mark.parametrize("share", ["drop_final_punctuation", "replace_words"])
def test_no_form_is_added_that_is_never_drawn(share: str) -> None:
    corpus, _ = augment(corpus_of(PAIRS), config.AugmentationConfig(**{share: 1}), seed=1)
    assert list(corpus.source.forms) == list(corpus_of(PAIRS).source.forms)


def test_a_corpus_without_a_shared_name_has_its_other_variants() -> None:
    pairs = [("I left.", "Je suis parti.")]
    assert draw(pairs, ALL) == [("i left", "Je suis parti")]


WORDS = st.sampled_from(
    [
        *"aI.!?…,",
        "Tom",
        "Anna",
        "piano",
        "Boston",
        "Je",
        "don't",
        "l'eau",
        "(",
        ").",
        "日",
        "...",
        "İl",
    ]
)
SENTENCES = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)
SHARES = st.sampled_from([0.0, 0.3, 1.0])
VARIANTS = st.builds(
    config.AugmentationConfig,
    lowercase=SHARES,
    drop_final_punctuation=SHARES,
    replace_names=SHARES,
    replace_words=SHARES,
).filter(lambda variants: variants != NEVER)


@PROPERTY
@given(st.lists(st.tuples(SENTENCES, SENTENCES), min_size=1, max_size=8), VARIANTS, st.data())
def test_a_drawn_pair_differs_by_a_name_a_word_a_mark_and_case_at_most(pairs, how, data) -> None:
    seed = data.draw(st.integers(0, 99))
    corpus, variants = augment(corpus_of(pairs), how, seed=seed)
    assert variants is not None
    whole = [side.sentences.gather(corpus.pairs) for side in (corpus.source, corpus.target)]
    drawn = variants.sample(*whole, corpus.pairs, np.random.default_rng(seed))
    for pair in range(len(corpus)):
        (mine, new_mine), (theirs, new_theirs) = (
            ([side.forms[f] for f in old[pair]], [side.forms[f] for f in new[pair]])
            for side, old, new in zip((corpus.source, corpus.target), whole, drawn, strict=True)
        )
        assert new_mine
        assert new_theirs
        dropped = len(mine) - len(new_mine)
        assert dropped == len(theirs) - len(new_theirs)
        assert dropped in (0, 1)
        if dropped:
            assert {*mine[-1].strip(), *theirs[-1].strip()} <= FINAL_PUNCTUATION
        if new_mine not in (mine[: len(new_mine)], [f.lower() for f in mine[: len(new_mine)]]):
            assert how.replace_names or how.replace_words
        renamed = [i for i, (a, b) in enumerate(zip(theirs, new_theirs, strict=False)) if a != b]
        assert len(renamed) <= (how.replace_names > 0) + (how.replace_words > 0)
        for place in renamed:
            assert theirs[place] in mine
            assert {new_theirs[place], new_theirs[place].lower()} & set(new_mine)


# A share, a seed, a position


def test_a_share_is_how_often_it_happens() -> None:
    pairs = [(f"Number {number}.", f"Nombre {number}.") for number in range(2000)]
    drawn = draw(pairs, config.AugmentationConfig(lowercase=0.2, drop_final_punctuation=0.7))
    small = sum(source.islower() for source, _ in drawn)
    bare = sum(not source.endswith(".") for source, _ in drawn)
    assert small == pytest.approx(400, abs=5 * 18)  # five deviations of the binomial
    assert bare == pytest.approx(1400, abs=5 * 21)
    assert all(source.endswith(".") == target.endswith(".") for source, target in drawn)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    lines = [side for pair in PAIRS for side in pair] * 20
    return Tokenizer.train(lines, config.TokenizerConfig(vocab_size=330))


@pytest.fixture(scope="module")
def data(tokenizer) -> SubwordCorpus:
    """Two hundred and ten pairs that vary half of the time, with subword sampling."""
    corpus, variants = augment(corpus_of(PAIRS * 30), HALF, seed=1)
    return segment_corpus(corpus, tokenizer, tokenizer, sampling=0.5, augmentation=variants)


def same(one: Batch, other: Batch) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in Batch.__slots__)


def test_the_seed_decides_what_is_drawn(data) -> None:
    one, other, third = (BatchIterator(data, tokens=200, seed=seed) for seed in (3, 3, 4))
    assert all(same(next(one), next(other)) for _ in range(40))
    assert not all(same(next(one), next(third)) for _ in range(5))


def test_an_epoch_varies_other_sentences_than_the_last(data, tokenizer) -> None:
    batches = BatchIterator(data, tokens=10**6, seed=1)
    epochs = []
    for batch in itertools.islice(batches, 3):
        order = np.argsort(batch.indices)
        epochs.append([tokenizer.decode(batch.source[row]).text for row in order])
    assert epochs[0] != epochs[1] != epochs[2]
    drawn = set(itertools.chain(*epochs))
    assert {"Do you know Martin?", "do you know martin?", "Do you know Martin"} <= drawn


@pytest.mark.parametrize("given_before", [0, 1, 7, 40])
def test_training_that_is_resumed_draws_the_very_same(data, tokenizer, given_before) -> None:
    """From a position in JSON and the text read again, as a new process has it."""
    batches = BatchIterator(data, tokens=150, seed=1, pool=50)
    for _ in range(given_before):
        next(batches)
    corpus, variants = augment(corpus_of(PAIRS * 30), HALF, seed=1)
    again = segment_corpus(corpus, tokenizer, tokenizer, sampling=0.5, augmentation=variants)
    restored = BatchIterator(again, tokens=150, seed=1, pool=50)
    restored.restore(json.loads(json.dumps(batches.state())))
    assert all(same(next(batches), next(restored)) for _ in range(60))


def test_what_is_validated_on_never_varies(tokenizer) -> None:
    corpus, variants = augment(corpus_of(PAIRS), ALL, seed=1)
    data = segment_corpus(corpus, tokenizer, tokenizer, sampling=0.5, augmentation=variants)
    (batch,) = sequential_batches(data, data.pairs, tokens=10**6)
    texts = [tokenizer.decode(row).text for row in batch.source]
    assert texts == [PAIRS[pair][0] for pair in batch.indices]


# Vocabulary and links


def test_a_vocabulary_sees_the_share_in_small_letters() -> None:
    _, variants = augment(corpus_of(PAIRS), config.AugmentationConfig(lowercase=0.25), seed=1)
    assert variants is not None
    counts = variants.add_lowercase_counts({" The": 8, " the": 4, " IBM": 4, " Rare": 1, ".": 9})
    assert counts == {" The": 8, " the": 6, " IBM": 4, " ibm": 1, " Rare": 1, ".": 9}


def test_links_to_a_mark_that_was_left_out_guide_nothing(tokenizer) -> None:
    """Each target word is linked to the source's last word, and the last one to each."""
    corpus, variants = augment(
        corpus_of([("One two.", "Un deux."), ("One two", "Un deux")]),
        config.AugmentationConfig(drop_final_punctuation=1),
        seed=1,
    )
    data = segment_corpus(corpus, tokenizer, tokenizer, augmentation=variants)
    links = {(2, 0): 0.9, (0, 0): 0.5, (1, 1): 1.0, (2, 1): 1.0, (2, 2): 1.0, (0, 2): 1.0}
    table = LinkTable.from_links([links, {}])
    for rows in ([0], [0, 1]):
        part = SubwordCorpus(
            corpus.subset(np.array(rows)), data.source, data.target, *([data.source_lengths] * 2),
            variants,
        )  # fmt: skip
        batch = next(BatchIterator(part, tokens=10**6, seed=1))
        row = batch.indices.tolist().index(0)
        assert (batch.source_word_ids[row].max(), batch.target_word_ids[row].max()) == (1, 1)
        wanted = Guidance(table, weight=1, decay=1, max_steps=1).target_distribution(batch)[row]
        for word, place in zip(batch.target_word_ids[row], wanted, strict=True):
            expected = {0: [1, 0], 1: [0, 1], -1: [0, 0]}[int(word)]
            assert place[:2].tolist() == expected
            assert not place[2:].any()


def test_a_new_name_stands_in_the_place_of_the_old_one_so_links_need_no_change(tokenizer) -> None:
    corpus, variants = augment(corpus_of(PAIRS), config.AugmentationConfig(replace_names=1), seed=1)
    data = segment_corpus(corpus, tokenizer, tokenizer, augmentation=variants)
    (plain,) = sequential_batches(data, data.pairs, tokens=10**6)
    varying = next(BatchIterator(data, tokens=10**6, seed=1))
    for side in ("source_word_ids", "target_word_ids"):
        words = [
            dict(zip(batch.indices.tolist(), getattr(batch, side).max(axis=1), strict=True))
            for batch in (plain, varying)
        ]
        assert words[0] == words[1]
