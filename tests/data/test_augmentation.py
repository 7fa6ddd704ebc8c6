"""Augmentation: the variants of a sentence, their dependence on the seed, and links of variants."""

import io
import itertools
import json

import numpy as np
import pytest
from batches import have_equal_arrays
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli import config
from attn_cli.alignment.link_table import LinkTable
from attn_cli.data import augmentation
from attn_cli.data.augmentation import FINAL_PUNCTUATION, augment
from attn_cli.data.batching import BatchIterator, sequential_batches
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
def _few_invented_words():
    """Invent 200 words instead of 20,000, since inventing takes time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(augmentation, "N_INVENTED", 200)
        yield


def corpus_of(pairs: list[tuple[str, str]]) -> Corpus:
    text = "".join(f"{source}\t{target}\n" for source, target in pairs)
    return read_pairs("-", stdin=io.BytesIO(text.encode()))[0]


def draw(
    pairs: list[tuple[str, str]], options: config.AugmentationConfig, *, seed: int = 1
) -> list[tuple[str, str]]:
    """Return a sampled variant of each pair, as texts."""
    corpus, variants = augment(corpus_of(pairs), options, seed=seed)
    assert variants is not None
    sentences = corpus.source.sentences, corpus.target.sentences
    originals = [side.gather(corpus.pairs) for side in sentences]
    samples = variants.sample(*originals, corpus.pairs, np.random.default_rng(seed))
    return [
        tuple(  # type: ignore[misc]
            "".join(side.forms[form] for form in rows[pair]).removeprefix(" ")
            for side, rows in zip((corpus.source, corpus.target), samples, strict=True)
        )
        for pair in range(len(corpus))
    ]


# Variants of a sentence


def test_lowercase_changes_only_the_source_side() -> None:
    variants = draw(PAIRS, config.AugmentationConfig(lowercase=1))
    assert variants == [(source.lower(), target) for source, target in PAIRS]


def test_final_punctuation_is_dropped_on_both_sides_or_on_neither() -> None:
    variants = draw(PAIRS, config.AugmentationConfig(drop_final_punctuation=1))
    assert variants == [
        ("I saw Boston", "J'ai vu Boston"),
        ("Martin loves Boston", "Martin aime Boston"),
        ("Do you know Martin", "Connais-tu Martin"),
        ("Stop", "Arrête"),
        *PAIRS[4:],  # no mark on one side; nothing but a mark; no mark at all
    ]


def test_a_name_on_both_sides_is_replaced_on_both_and_nothing_else_changes() -> None:
    variants = draw(PAIRS, config.AugmentationConfig(replace_names=1))
    assert variants[3:] == PAIRS[3:]
    name = variants[0][0].split()[-1].strip(".")
    assert variants[0] == (f"I saw {name}.", f"J'ai vu {name}.")
    assert name.istitle()
    assert name != "Boston"
    (first, *_), (other, *_) = variants[1][0].split(), variants[1][1].split()
    assert first == other != "Martin"
    assert variants[1] == (f"{first} loves Boston.", f"{first} aime Boston.")


def test_a_word_on_both_sides_is_replaced_on_both() -> None:
    pairs = [("The piano is black.", "Le piano est noir."), *PAIRS]
    (source, target), *others = draw(pairs, config.AugmentationConfig(replace_words=1))
    invented = source.split()[1]
    assert (source, target) == (f"The {invented} is black.", f"Le {invented} est noir.")
    assert invented.islower()
    assert invented != "piano"
    assert others == PAIRS


def test_a_short_word_on_both_sides_may_differ_in_meaning_and_is_not_replaced() -> None:
    pairs = [("The main chat.", "Le main chat.")] * 3
    assert draw(pairs, config.AugmentationConfig(replace_words=1)) == pairs


def test_invented_words_are_the_same_on_both_sides_and_not_in_the_corpus(monkeypatch) -> None:
    monkeypatch.setattr(augmentation, "N_INVENTED", 2000)
    corpus, variants = augment(corpus_of([*PAIRS, ("A piano", "Un piano")]), ALL, seed=1)
    assert variants is not None
    corpus_words = {form.strip().lower() for form in corpus_of(PAIRS).source.forms}
    for shared, has_case in ((variants.names, str.istitle), (variants.words, str.islower)):
        invented = {corpus.source.forms[form] for form in shared.source}
        assert invented == {corpus.target.forms[form] for form in shared.target}
        assert len(invented) > 1000
        assert all(has_case(form[1:]) and form[0] == " " for form in invented)
        assert not {form.strip().lower() for form in invented} & corpus_words


@pytest.mark.parametrize(
    "pair",
    [
        ("Boston is Boston.", "Boston !"),  # which of the two?
        ("It is Boston.", "Boston, c'est Boston."),
        ("The boston.", "Le boston."),
        ("Not BOSTON.", "Pas BOSTON."),
        ("It is d'Artagnan.", "C'est d'Artagnan."),  # glued to the word before it
    ],
)
def test_a_name_is_replaced_only_where_it_is_one_word_on_each_side(pair) -> None:
    options = config.AugmentationConfig(replace_names=1)
    assert {draw([pair, *PAIRS], options, seed=seed)[0] for seed in range(10)} == {pair}


def test_without_augmentation_the_corpus_is_unchanged() -> None:
    corpus = corpus_of(PAIRS)
    assert augment(corpus, NEVER, seed=1) == (corpus, None)


@pytest.mark.parametrize("share", ["drop_final_punctuation", "replace_words"])
def test_forms_that_are_never_sampled_are_not_added(share: str) -> None:
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
def test_a_sampled_pair_differs_at_most_by_a_name_a_word_punctuation_and_case(
    pairs, options, data
) -> None:
    seed = data.draw(st.integers(0, 99))
    corpus, variants = augment(corpus_of(pairs), options, seed=seed)
    assert variants is not None
    originals = [side.sentences.gather(corpus.pairs) for side in (corpus.source, corpus.target)]
    samples = variants.sample(*originals, corpus.pairs, np.random.default_rng(seed))
    for pair in range(len(corpus)):
        (source, new_source), (target, new_target) = (
            ([side.forms[f] for f in old[pair]], [side.forms[f] for f in new[pair]])
            for side, old, new in zip(
                (corpus.source, corpus.target), originals, samples, strict=True
            )
        )
        assert new_source
        assert new_target
        n_dropped = len(source) - len(new_source)
        assert n_dropped == len(target) - len(new_target)
        assert n_dropped in (0, 1)
        if n_dropped:
            assert {*source[-1].strip(), *target[-1].strip()} <= FINAL_PUNCTUATION
        if new_source not in (
            source[: len(new_source)],
            [f.lower() for f in source[: len(new_source)]],
        ):
            assert options.replace_names or options.replace_words
        changed = [i for i, (a, b) in enumerate(zip(target, new_target, strict=False)) if a != b]
        assert len(changed) <= (options.replace_names > 0) + (options.replace_words > 0)
        for position in changed:
            assert target[position] in source
            assert {new_target[position], new_target[position].lower()} & set(new_source)


# Probability, seed and position


def test_a_share_is_the_frequency_of_its_variant() -> None:
    pairs = [(f"Number {number}.", f"Nombre {number}.") for number in range(2000)]
    variants = draw(pairs, config.AugmentationConfig(lowercase=0.2, drop_final_punctuation=0.7))
    n_lowercase = sum(source.islower() for source, _ in variants)
    n_without_mark = sum(not source.endswith(".") for source, _ in variants)
    assert n_lowercase == pytest.approx(400, abs=5 * 18)  # five deviations of the binomial
    assert n_without_mark == pytest.approx(1400, abs=5 * 21)
    assert all(source.endswith(".") == target.endswith(".") for source, target in variants)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    lines = [side for pair in PAIRS for side in pair] * 20
    return Tokenizer.train(lines, config.TokenizerConfig(vocab_size=330))


@pytest.fixture(scope="module")
def data(tokenizer) -> SubwordCorpus:
    """Two hundred and ten pairs that vary half of the time, with subword sampling."""
    corpus, variants = augment(corpus_of(PAIRS * 30), HALF, seed=1)
    return segment_corpus(corpus, tokenizer, tokenizer, sampling=0.5, augmentation=variants)


def test_the_samples_depend_on_the_seed(data) -> None:
    one, other, third = (BatchIterator(data, tokens=200, seed=seed) for seed in (3, 3, 4))
    assert all(have_equal_arrays(next(one), next(other)) for _ in range(40))
    assert not all(have_equal_arrays(next(one), next(third)) for _ in range(5))


def test_each_epoch_samples_other_variants(data, tokenizer) -> None:
    batches = BatchIterator(data, tokens=10**6, seed=1)
    epochs = []
    for batch in itertools.islice(batches, 3):
        order = np.argsort(batch.indices)
        epochs.append([tokenizer.decode(batch.source[row]).text for row in order])
    assert epochs[0] != epochs[1] != epochs[2]
    variants = set(itertools.chain(*epochs))
    assert {"Do you know Martin?", "do you know martin?", "Do you know Martin"} <= variants


@pytest.mark.parametrize("n_before", [0, 1, 7, 40])
def test_a_resumed_training_samples_the_same_batches(data, tokenizer, n_before) -> None:
    """Restore from JSON and from the corpus read again, as a new process does."""
    batches = BatchIterator(data, tokens=150, seed=1, pool=50)
    for _ in range(n_before):
        next(batches)
    corpus, variants = augment(corpus_of(PAIRS * 30), HALF, seed=1)
    again = segment_corpus(corpus, tokenizer, tokenizer, sampling=0.5, augmentation=variants)
    restored = BatchIterator(again, tokens=150, seed=1, pool=50)
    restored.restore(json.loads(json.dumps(batches.state())))
    assert all(have_equal_arrays(next(batches), next(restored)) for _ in range(60))


def test_validation_batches_are_not_augmented(tokenizer) -> None:
    corpus, variants = augment(corpus_of(PAIRS), ALL, seed=1)
    data = segment_corpus(corpus, tokenizer, tokenizer, sampling=0.5, augmentation=variants)
    (batch,) = sequential_batches(data, data.pairs, tokens=10**6)
    texts = [tokenizer.decode(row).text for row in batch.source]
    assert texts == [PAIRS[pair][0] for pair in batch.indices]


# Vocabulary and links


def test_vocabulary_counts_include_the_share_in_lowercase() -> None:
    _, variants = augment(corpus_of(PAIRS), config.AugmentationConfig(lowercase=0.25), seed=1)
    assert variants is not None
    counts = variants.add_lowercase_counts({" The": 8, " the": 4, " IBM": 4, " Rare": 1, ".": 9})
    assert counts == {" The": 8, " the": 6, " IBM": 4, " ibm": 1, " Rare": 1, ".": 9}


def test_links_to_dropped_punctuation_are_left_out_of_guidance(tokenizer) -> None:
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
        targets = Guidance(table, weight=1, decay=1, max_steps=1).target_distribution(batch)[row]
        for word, weights in zip(batch.target_word_ids[row], targets, strict=True):
            expected = {0: [1, 0], 1: [0, 1], -1: [0, 0]}[int(word)]
            assert weights[:2].tolist() == expected
            assert not weights[2:].any()


def test_a_replaced_name_keeps_its_position_so_links_stay_valid(tokenizer) -> None:
    corpus, variants = augment(corpus_of(PAIRS), config.AugmentationConfig(replace_names=1), seed=1)
    data = segment_corpus(corpus, tokenizer, tokenizer, augmentation=variants)
    (original,) = sequential_batches(data, data.pairs, tokens=10**6)
    augmented = next(BatchIterator(data, tokens=10**6, seed=1))
    for side in ("source_word_ids", "target_word_ids"):
        words = [
            dict(zip(batch.indices.tolist(), getattr(batch, side).max(axis=1), strict=True))
            for batch in (original, augmented)
        ]
        assert words[0] == words[1]
