"""How the word aligner learns: its loss by hand, a toy language, and going on as begun."""

import contextlib
import json
import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli import config
from attn_cli.alignment.link_table import LinkTable
from attn_cli.data.batching import sequential_batches
from attn_cli.data.corpus_reader import read_pairs
from attn_cli.data.segmentation import segment_corpus
from attn_cli.data.tokenizer import Tokenizer
from attn_cli.errors import DataError, TrainingError
from attn_cli.nn.builder import build_word_aligner
from attn_cli.nn.state_dict import unique_state_dict
from attn_cli.nn.word_aligner import AlignmentLogProbs
from attn_cli.training import aligner_trainer, checkpoint, events
from attn_cli.training.aligner_loss import bidirectional_cross_entropy, loss_sums
from attn_cli.training.aligner_trainer import AlignerTrainer, default_steps
from attn_cli.training.link_prediction import Agreement

# The loss


def loss_of(of_target, of_source, votes, *, doubt=0.0, real=None):
    """The loss of one pair: each target word's choice, NULL last, then each source word's."""
    to_source = torch.tensor([of_target]).log()
    to_target = torch.tensor([of_source]).log().transpose(1, 2)
    votes = torch.tensor([votes])
    masks = [torch.ones(1, n, dtype=torch.bool) for n in votes.shape[1:]]
    found = AlignmentLogProbs(to_source, to_target)
    return bidirectional_cross_entropy(found, votes, real or tuple(masks), null_votes=doubt).item()


def test_without_doubt_null_has_what_the_votes_leave_of_one():
    """One target word that chooses 0.5, NULL the rest; one source word that chooses 0.25."""
    nats = -(0.6 * math.log(0.5) + 0.4 * math.log(0.5))
    nats += -(0.6 * math.log(0.25) + 0.4 * math.log(0.75))
    assert loss_of([[0.5, 0.5]], [[0.25, 0.75]], [[0.6]]) == pytest.approx(nats)


def test_with_doubt_null_has_so_many_votes_of_its_own():
    nats = -(0.9 * math.log(0.5) + 0.1 * math.log(0.5))
    nats += -(0.9 * math.log(0.25) + 0.1 * math.log(0.75))
    votes = [[0.45]]  # beside 0.05 for NULL: nine of ten
    assert loss_of([[0.5, 0.5]], [[0.25, 0.75]], votes, doubt=0.05) == pytest.approx(nats)


def test_a_word_with_two_partners_wants_half_of_each():
    """Two target words, one source word: it wants both, and each of them wants it alone."""
    of_target, of_source = [[0.5, 0.5], [0.25, 0.75]], [[0.5, 0.125, 0.375]]
    nats = (math.log(2) + math.log(4)) / 2 + (math.log(2) + math.log(8)) / 2
    assert loss_of(of_target, of_source, [[1.0], [1.0]]) == pytest.approx(nats)


def test_a_word_that_nobody_links_wants_null():
    of_target, of_source = [[0.5, 0.5], [0.75, 0.25]], [[0.5, 0.25, 0.25]]
    nats = (math.log(2) + math.log(4)) / 2 + math.log(2)
    for doubt in (0.0, 1e-9):
        found = loss_of(of_target, of_source, [[1.0], [0.0]], doubt=doubt)
        assert found == pytest.approx(nats)


def chosen(shape, seed=0, *, requires_grad=False):
    """AlignmentLogProbs of so many (B, W_t, W_s), and the scores it is made of."""
    scores = torch.randn(*shape, generator=torch.manual_seed(seed), requires_grad=requires_grad)
    ours = torch.cat([scores, torch.zeros(*shape[:2], 1)], 2).log_softmax(2)
    theirs = torch.cat([scores, torch.zeros(shape[0], 1, shape[2])], 1).log_softmax(1)
    return AlignmentLogProbs(ours, theirs), scores


def of_rows(found, rows):
    return AlignmentLogProbs(*(part[rows] for part in found))


def test_pairs_without_a_vote_are_unknown_and_teach_nothing():
    found, scores = chosen((2, 3, 4), requires_grad=True)
    votes = torch.rand(2, 3, 4)
    votes[1] = 0
    real = torch.ones(2, 3, dtype=torch.bool), torch.ones(2, 4, dtype=torch.bool)
    loss = bidirectional_cross_entropy(found, votes, real, null_votes=0.1)
    first = tuple(mask[:1] for mask in real)
    torch.testing.assert_close(
        loss, bidirectional_cross_entropy(of_rows(found, [0]), votes[:1], first, null_votes=0.1)
    )
    loss.backward()
    assert scores.grad[0].any()
    assert not scores.grad[1].any()


def test_padding_teaches_nothing():
    found, scores = chosen((1, 3, 3), requires_grad=True)
    votes = torch.zeros(1, 3, 3)
    votes[0, 0, 0] = 1
    real = torch.tensor([[True, True, False]]), torch.tensor([[True, True, False]])
    bidirectional_cross_entropy(found, votes, real, null_votes=0.1).backward()
    assert scores.grad[0, 2, 2] == 0
    assert scores.grad[0, :2, :2].all()


def test_a_batch_that_nobody_voted_on_has_no_loss():
    found, _ = chosen((2, 3, 4))
    real = torch.ones(2, 3, dtype=torch.bool), torch.ones(2, 4, dtype=torch.bool)
    assert bidirectional_cross_entropy(found, torch.zeros(2, 3, 4), real, null_votes=0.1) == 0


shares = st.lists(st.floats(0, 1), min_size=6, max_size=6).filter(any)


@settings(derandomize=True, deadline=None)
@given(shares, st.floats(0.01, 1), st.integers(0, 5))
def test_nobody_loses_less_than_who_chooses_as_the_votes_do(given, doubt, seed):
    votes = torch.tensor(given).view(1, 2, 3)
    real = torch.ones(1, 2, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool)
    ours = torch.cat([votes, torch.full((1, 2, 1), doubt)], 2)
    theirs = torch.cat([votes, torch.full((1, 1, 3), doubt)], 1)
    wise = AlignmentLogProbs(
        (ours / ours.sum(2, keepdim=True)).clamp(min=1e-30).log(),
        (theirs / theirs.sum(1, keepdim=True)).clamp(min=1e-30).log(),
    )
    other, _ = chosen((1, 2, 3), seed)
    least = bidirectional_cross_entropy(wise, votes, real, null_votes=doubt)
    assert least <= bidirectional_cross_entropy(other, votes, real, null_votes=doubt) + 1e-5


# A toy language: each word has one translation, in an order that nothing tells

WORDS = [*map("".join, product("bdfgk", "aeiou", "lm"))][:30]


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Pairs of sentences in pieces, a committee's votes on them, and what is right."""
    random = np.random.default_rng(1)
    pairs, links, votes = [], [], []
    for _ in range(200):
        source = random.choice(len(WORDS), random.integers(3, 7), replace=False)
        order = random.permutation(len(source))
        right = {(int(s), t): 0.6 for t, s in enumerate(order)}
        wrong = {tuple(random.integers(len(source), size=2).tolist()): 0.1 for _ in range(2)}
        spoken = " ".join(WORDS[word] for word in source)
        written = " ".join(WORDS[source[s]][::-1].upper() for s in order)
        pairs.append(f"{spoken}\t{written}\n")
        links.append(set(right))
        votes.append(wrong | right)
    path = tmp_path_factory.mktemp("toy") / "pairs.tsv"
    path.write_text("".join(pairs))
    corpus, _ = read_pairs(path)
    counts = corpus.source_counts() | corpus.target_counts()
    tokenizer = Tokenizer.train_on_counts(counts, config.TokenizerConfig(vocab_size=400))
    return segment_corpus(corpus, tokenizer, tokenizer), LinkTable.from_links(votes), links


@pytest.fixture(scope="module")
def taught(toy, tmp_path_factory):
    """Makes a trainer of a small word aligner on the toy language."""
    text, votes, _ = toy

    def taught(*, steps=12, text=text, votes=votes, folder=None, emit=None, **how):
        torch.manual_seed(3)
        settings = config.WordAlignerConfig(True, embedding=16, width=16, channels=2, dropout=0.1)
        model = config.ModelConfig(word_aligner=settings)
        return AlignerTrainer(
            build_word_aligner(model, source_vocab_size=400, target_vocab_size=400),
            text,
            votes,
            settings=config.TrainConfig(aligner_steps=steps, log_every=20),
            seed=2,
            folder=folder or tmp_path_factory.mktemp("head"),
            emit=emit or (lambda event: None),
            **how,
        )

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(aligner_trainer, "LEARNING_RATE", 0.01)
        patched.setattr(aligner_trainer, "WARMUP_STEPS", 10)
        yield taught


@pytest.fixture(scope="module")
def learned(taught):
    """A trainer that is done, the links it made, and what it said."""
    said = []
    trainer = taught(steps=60, emit=said.append)
    return trainer, trainer.run(), said


def test_a_word_aligner_learns_what_the_votes_agree_on_and_finds_it_in_pairs_it_has_not_seen(
    toy, learned
):
    trainer, *_ = learned
    assert len(trainer.held_out) == 10
    for batch, found, _ in trainer.predictor.predict(trainer.held_out):
        for pair, links in zip(batch.indices, found, strict=True):
            right = toy[2][pair]
            assert {(int(s), int(t)) for t, s in np.argwhere(links > 0.5)} == right


def test_its_last_word_on_every_pair_is_the_links_without_the_noise(toy, learned):
    _, table, _ = learned
    text, _, links = toy
    found = [set(table.links(pair)) for pair in range(len(table))]
    right = sum(ours == theirs for ours, theirs in zip(found, links, strict=True))
    assert right >= 0.98 * len(text)


def test_what_few_hold_and_nobody_contradicts_is_a_link_before_there_are_verdicts(toy, taught):
    text, _, links = toy
    votes = LinkTable.from_links([dict.fromkeys(right, 0.3) for right in links])
    trainer = taught(steps=120, votes=votes, interrupted=lambda: trainer.state.step >= 60)
    assert trainer.run() is None
    assert trainer.relabeled is None
    trainer.interrupted = lambda: False
    sure = [found[said > 0].mean() for _, found, said in trainer.predictor.predict(text.pairs)]
    assert np.mean(sure) > 0.7  # 0.3 of 0.3 and the doubt, 0.05


def test_the_loss_falls_and_how_well_it_agrees_is_told(learned):
    *progress, end = learned[2]
    assert [event.step for event in progress] == [1, 20, 40, 60]
    assert {event.max_steps for event in progress} == {60}
    assert progress[-1].loss < progress[0].loss / 5
    assert (end.pairs, end.precision) == (10, 100)
    assert end.recall > 95


def test_what_is_told_is_fit_for_the_log(learned):
    rows = json.loads(json.dumps([events.record(event) for event in learned[2]]))
    assert [row["event"] for row in rows] == ["aligner_training_progress"] * 4 + ["aligner_trained"]


def test_the_harmonic_mean_of_precision_and_recall_is_nothing_where_both_are():
    assert Agreement(9, 50.0, 100.0).f1 == pytest.approx(200 / 3)
    assert Agreement(0, 0.0, 0.0).f1 == 0


def test_pairs_too_few_to_keep_any_apart_are_learned_all_the_same(toy, taught):
    text, votes, _ = toy
    few = replace(text, corpus=text.corpus.subset(text.pairs[:5]))
    trainer = taught(text=few, steps=2)
    table = trainer.run()
    assert trainer.state.agreement.pairs == 0
    assert len(table) == len(votes)
    assert not any(table.links(pair) for pair in range(5, len(votes)))


def test_updates_are_ten_times_through_a_short_text(toy):
    text, *_ = toy
    places = int(text.target_lengths.sum()) + len(text)
    once = math.ceil(places / aligner_trainer.BATCH_TOKENS)
    assert 10 <= default_steps(text) <= 10 * once


def test_a_loss_that_is_not_a_number_ends_it_with_a_sentence(taught):
    trainer = taught()
    with torch.no_grad():
        trainer.aligner.source_null.bias.fill_(math.nan)
    with pytest.raises(TrainingError, match="at its update 1"):
        trainer.run()


# As begun


def state(trainer):
    """All that it has learned and all that it will say."""
    verdicts = checkpoint.links_to_tensors(trainer.relabeled)
    return (
        unique_state_dict(trainer.aligner)
        | verdicts
        | checkpoint.optimizer_tensors(trainer.optimizer)
    )


def same(ours, theirs):
    assert ours.keys() == theirs.keys()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture(scope="module")
def whole(taught):
    """What a word aligner has learned that nothing stopped."""
    trainer = taught()
    trainer.run()
    return state(trainer)


def test_the_same_pairs_and_seed_make_the_same_word_aligner(whole, taught):
    again = taught()
    again.run()
    assert same(state(again), whole)


@pytest.mark.parametrize("step", [0, 1, 6, 7, 11])  # verdicts are made before update 7
def test_a_word_aligner_interrupted_and_resumed_becomes_what_it_would_have_become(
    whole, taught, tmp_path, step
):
    cut = taught(folder=tmp_path, interrupted=lambda: cut.state.step >= step)
    assert cut.run() is None
    resumed = taught(folder=tmp_path)
    assert resumed.resume()
    assert resumed.state.step == step
    resumed.run()
    assert same(state(resumed), whole)


@pytest.mark.parametrize("step", [3, 9])
def test_a_word_aligner_killed_and_resumed_becomes_what_it_would_have_become(
    whole, taught, tmp_path, monkeypatch, step
):
    """It goes on from a save of the minute, several updates ago."""
    monkeypatch.setattr(aligner_trainer, "SAVE_SECONDS", 0.0)
    killed = taught(folder=tmp_path)
    killed.batches = Dying(killed.batches, after=step)
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    resumed = taught(folder=tmp_path)
    assert resumed.resume()
    assert resumed.state.step == step
    resumed.run()
    assert same(state(resumed), whole)


class Dying:
    """Batches, until the process is killed."""

    def __init__(self, batches, *, after):
        self.batches, self.left, self.state = batches, after, batches.state

    def next_for_worker(self, **worker):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return self.batches.next_for_worker(**worker)


def test_a_word_aligner_that_has_learned_says_the_same_again_without_learning(
    whole, taught, tmp_path
):
    taught(folder=tmp_path).run()
    said = []
    again = taught(folder=tmp_path, emit=said.append)
    again.resume()
    again.run()
    assert same(state(again), whole)
    assert said == []


def test_without_a_save_there_is_nothing_to_resume(taught):
    assert not taught().resume()


def test_a_word_aligner_of_other_pairs_is_not_gone_on_with(toy, taught, tmp_path):
    taught(folder=tmp_path, interrupted=lambda: True).run()
    text, *_ = toy
    fewer = replace(text, corpus=text.corpus.subset(text.pairs[:50]))
    with pytest.raises(DataError, match="190 pairs"):
        taught(text=fewer, folder=tmp_path).resume()


# In time


class Clock:
    """Seconds that go by with each update and each batch that is judged."""

    now = 0.0

    def monotonic(self):
        return self.now


def test_updates_that_fit_into_the_time_are_made_and_the_rate_falls_to_its_end(taught, monkeypatch):
    """An update takes a second, a judgement of all pairs 3: of 80 seconds 74 are for updates."""
    clock, rates = Clock(), []
    monkeypatch.setattr(aligner_trainer, "time", clock)
    trainer = taught(steps=200, max_seconds=80.0)
    monkeypatch.setattr(trainer, "_pace", SteadyPace())

    def update(share):
        clock.now += 1
        rates.append(aligner_trainer.learning_rate(trainer.state.step, trainer.settings))

    def judged(**how):
        clock.now += 3
        return trainer.votes

    monkeypatch.setattr(trainer, "_update", update)
    monkeypatch.setattr(trainer, "_relabel", judged)
    trainer.run()
    assert clock.now <= 80
    assert trainer.state.step == 74
    assert rates[-1] == pytest.approx(0.01 * aligner_trainer.LEARNING_RATE, rel=1e-3)


class SteadyPace:
    """A pace that is known from the first update on."""

    is_known, update, relabeling = True, 1.0, 3.0
    time_update = staticmethod(contextlib.nullcontext)


@pytest.mark.parametrize(("deserved", "seconds"), [(200, 55.0), (20, 25.0)])
def test_too_little_time_for_a_word_aligner_is_an_error_before_an_update_is_made(
    deserved, seconds, taught, monkeypatch, tmp_path
):
    """A second an update, and two judgements of 3: 49 updates fit, or 19 where 20 are enough."""
    monkeypatch.setattr(aligner_trainer, "time", Clock())
    trainer = taught(steps=deserved, max_seconds=seconds, folder=tmp_path)
    monkeypatch.setattr(trainer, "_pace", SteadyPace())
    with pytest.raises(TimeoutError):
        trainer.run()
    assert trainer.state.step == 0


def test_a_word_aligner_that_is_too_slow_to_be_measured_is_given_up_when_its_time_is_over(
    taught, monkeypatch
):
    clock = Clock()
    monkeypatch.setattr(aligner_trainer, "time", clock)
    trainer = taught(steps=200, max_seconds=30.0)

    def update(share):
        clock.now += 8

    monkeypatch.setattr(trainer, "_update", update)
    with pytest.raises(TimeoutError):
        trainer.run()
    assert clock.now == 32


def test_a_word_aligner_that_has_learned_needs_no_time(whole, taught, tmp_path):
    taught(folder=tmp_path).run()
    again = taught(folder=tmp_path, max_seconds=0.0)
    again.resume()
    assert again.run() is again.relabeled


# On workers


@pytest.fixture(scope="module")
def left(taught, tmp_path_factory):
    """The folder of a word aligner that a single worker has left after 6 updates."""
    folder = tmp_path_factory.mktemp("left")
    trainer = taught(folder=folder, interrupted=lambda: trainer.state.step >= 6)
    assert trainer.run() is None
    return folder


def test_saved_by_another_number_of_workers_it_goes_on_with_other_random_numbers_and_says_so(
    whole, left, taught, tmp_path
):
    tensors, facts = checkpoint.load(left / aligner_trainer.ALIGNER_CHECKPOINT)
    checkpoint.save(tmp_path / aligner_trainer.ALIGNER_CHECKPOINT, tensors, facts | {"workers": 2})
    said = []
    trainer = taught(folder=tmp_path, emit=said.append)
    assert trainer.resume()
    (notice,) = said
    assert "word aligner was saved by 2 workers and goes on with 1 worker" in notice.message
    trainer.run()
    assert trainer.state.step == 12
    assert not same(state(trainer), whole)


@pytest.mark.parametrize("size", [2, 3])
def test_the_shares_of_all_workers_are_the_pairs_each_once(size, toy):
    text, *_ = toy
    shares = [
        [
            batch.indices
            for batch in sequential_batches(text, text.pairs, tokens=90, rank=rank, size=size)
        ]
        for rank in range(size)
    ]
    whole = [batch.indices for batch in sequential_batches(text, text.pairs, tokens=90)]
    assert len(whole) > 2 * size
    for rank, share in enumerate(shares):
        assert all(map(np.array_equal, share, whole[rank::size]))


def test_without_a_limit_the_number_of_updates_stays(taught):
    trainer = taught(steps=12)
    trainer.run()
    assert trainer.state.step == trainer.state.max_steps == 12


def test_the_losses_of_parts_by_the_counts_of_the_whole_add_up_to_that_of_the_whole():
    found, _ = chosen((5, 3, 4))
    votes = torch.rand(5, 3, 4, generator=torch.manual_seed(3))
    votes[2] = 0  # unknown
    real = torch.ones(5, 3, dtype=torch.bool), torch.ones(5, 4, dtype=torch.bool)
    whole = bidirectional_cross_entropy(found, votes, real, null_votes=0.1)
    parts = [
        loss_sums(of_rows(found, rows), votes[rows], tuple(m[rows] for m in real), null_votes=0.1)
        for rows in ([0, 1], [2, 3, 4])
    ]
    counts = parts[0].counts + parts[1].counts
    torch.testing.assert_close(sum(part.mean(counts) for part in parts), whole)
