"""Training of the word aligner: its loss by hand, a toy language, resuming, time limits."""

import contextlib
import json
import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from clock import Clock
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


def loss_of(target_word_probs, source_word_probs, votes, *, null_votes=0.0):
    """Return the loss of one pair: probabilities of each target word, NULL last, then source."""
    to_source = torch.tensor([target_word_probs]).log()
    to_target = torch.tensor([source_word_probs]).log().transpose(1, 2)
    votes = torch.tensor([votes])
    masks = tuple(torch.ones(1, n, dtype=torch.bool) for n in votes.shape[1:])
    log_probs = AlignmentLogProbs(to_source, to_target)
    return bidirectional_cross_entropy(log_probs, votes, masks, null_votes=null_votes).item()


def test_without_null_votes_null_gets_one_minus_the_sum_of_the_votes():
    """The target word links with probability 0.5, or else to NULL; the source word with 0.25."""
    nats = -(0.6 * math.log(0.5) + 0.4 * math.log(0.5))
    nats += -(0.6 * math.log(0.25) + 0.4 * math.log(0.75))
    assert loss_of([[0.5, 0.5]], [[0.25, 0.75]], [[0.6]]) == pytest.approx(nats)


def test_null_votes_count_as_votes_for_null():
    nats = -(0.9 * math.log(0.5) + 0.1 * math.log(0.5))
    nats += -(0.9 * math.log(0.25) + 0.1 * math.log(0.75))
    votes = [[0.45]]  # 0.45 / (0.45 + 0.05 for NULL) = 0.9
    assert loss_of([[0.5, 0.5]], [[0.25, 0.75]], votes, null_votes=0.05) == pytest.approx(nats)


def test_a_word_with_two_links_is_trained_towards_one_half_for_each():
    """One source word has votes with both target words, and each of them with it alone."""
    target_word_probs, source_word_probs = [[0.5, 0.5], [0.25, 0.75]], [[0.5, 0.125, 0.375]]
    nats = (math.log(2) + math.log(4)) / 2 + (math.log(2) + math.log(8)) / 2
    assert loss_of(target_word_probs, source_word_probs, [[1.0], [1.0]]) == pytest.approx(nats)


def test_a_word_without_votes_is_trained_towards_null():
    target_word_probs, source_word_probs = [[0.5, 0.5], [0.75, 0.25]], [[0.5, 0.25, 0.25]]
    nats = (math.log(2) + math.log(4)) / 2 + math.log(2)
    for null_votes in (0.0, 1e-9):
        loss = loss_of(target_word_probs, source_word_probs, [[1.0], [0.0]], null_votes=null_votes)
        assert loss == pytest.approx(nats)


def random_log_probs(shape, seed=0, *, requires_grad=False):
    """Return AlignmentLogProbs of this shape (B, W_t, W_s), and the scores behind them."""
    scores = torch.randn(*shape, generator=torch.manual_seed(seed), requires_grad=requires_grad)
    to_source = torch.cat([scores, torch.zeros(*shape[:2], 1)], 2).log_softmax(2)
    to_target = torch.cat([scores, torch.zeros(shape[0], 1, shape[2])], 1).log_softmax(1)
    return AlignmentLogProbs(to_source, to_target), scores


def select_rows(log_probs, rows):
    return AlignmentLogProbs(*(part[rows] for part in log_probs))


def test_pairs_without_votes_change_neither_the_loss_nor_the_gradient():
    log_probs, scores = random_log_probs((2, 3, 4), requires_grad=True)
    votes = torch.rand(2, 3, 4, generator=torch.manual_seed(3))
    votes[1] = 0
    masks = torch.ones(2, 3, dtype=torch.bool), torch.ones(2, 4, dtype=torch.bool)
    loss = bidirectional_cross_entropy(log_probs, votes, masks, null_votes=0.1)
    first_masks = tuple(mask[:1] for mask in masks)
    torch.testing.assert_close(
        loss,
        bidirectional_cross_entropy(
            select_rows(log_probs, [0]), votes[:1], first_masks, null_votes=0.1
        ),
    )
    loss.backward()
    assert scores.grad[0].any()
    assert not scores.grad[1].any()


def test_padding_has_no_gradient():
    log_probs, scores = random_log_probs((1, 3, 3), requires_grad=True)
    votes = torch.zeros(1, 3, 3)
    votes[0, 0, 0] = 1
    masks = torch.tensor([[True, True, False]]), torch.tensor([[True, True, False]])
    bidirectional_cross_entropy(log_probs, votes, masks, null_votes=0.1).backward()
    assert scores.grad[0, 2, 2] == 0
    assert scores.grad[0, :2, :2].all()


def test_the_loss_of_a_batch_without_votes_is_0():
    log_probs, _ = random_log_probs((2, 3, 4))
    masks = torch.ones(2, 3, dtype=torch.bool), torch.ones(2, 4, dtype=torch.bool)
    assert bidirectional_cross_entropy(log_probs, torch.zeros(2, 3, 4), masks, null_votes=0.1) == 0


vote_lists = st.lists(st.floats(0, 1), min_size=6, max_size=6).filter(any)


@settings(derandomize=True, deadline=None)
@given(vote_lists, st.floats(0.01, 1), st.integers(0, 5))
def test_the_loss_is_least_where_the_probabilities_equal_the_votes(vote_list, null_votes, seed):
    votes = torch.tensor(vote_list).view(1, 2, 3)
    masks = torch.ones(1, 2, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool)
    to_source = torch.cat([votes, torch.full((1, 2, 1), null_votes)], 2)
    to_target = torch.cat([votes, torch.full((1, 1, 3), null_votes)], 1)
    best = AlignmentLogProbs(
        (to_source / to_source.sum(2, keepdim=True)).clamp(min=1e-30).log(),
        (to_target / to_target.sum(1, keepdim=True)).clamp(min=1e-30).log(),
    )
    other, _ = random_log_probs((1, 2, 3), seed)
    minimum = bidirectional_cross_entropy(best, votes, masks, null_votes=null_votes)
    assert minimum <= bidirectional_cross_entropy(other, votes, masks, null_votes=null_votes) + 1e-5


# A toy language: each word has one translation, and the word order is random

WORDS = [*map("".join, product("bdfgk", "aeiou", "lm"))][:30]


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Segmented pairs, the votes of a committee on them, and the correct links."""
    random = np.random.default_rng(1)
    pairs, links, votes = [], [], []
    for _ in range(200):
        source = random.choice(len(WORDS), random.integers(3, 7), replace=False)
        order = random.permutation(len(source))
        correct = {(int(s), t): 0.6 for t, s in enumerate(order)}
        wrong = {tuple(random.integers(len(source), size=2).tolist()): 0.1 for _ in range(2)}
        source_text = " ".join(WORDS[word] for word in source)
        target_text = " ".join(WORDS[source[s]][::-1].upper() for s in order)
        pairs.append(f"{source_text}\t{target_text}\n")
        links.append(set(correct))
        votes.append(wrong | correct)
    path = tmp_path_factory.mktemp("toy") / "pairs.tsv"
    path.write_text("".join(pairs))
    corpus, _ = read_pairs(path)
    counts = corpus.source_counts() | corpus.target_counts()
    tokenizer = Tokenizer.train_on_counts(counts, config.TokenizerConfig(vocab_size=400))
    return segment_corpus(corpus, tokenizer, tokenizer), LinkTable.from_links(votes), links


@pytest.fixture(scope="module")
def make_trainer(toy, tmp_path_factory):
    """Return a function that makes a trainer of a small word aligner for the toy language."""
    text, votes, _ = toy

    def make_trainer(*, steps=12, text=text, votes=votes, folder=None, emit=None, **options):
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
            **options,
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aligner_trainer, "LEARNING_RATE", 0.01)
        patch.setattr(aligner_trainer, "WARMUP_STEPS", 10)
        yield make_trainer


@pytest.fixture(scope="module")
def trained(make_trainer):
    """A trainer after its training, the links that it returned, and its events."""
    log = []
    trainer = make_trainer(steps=60, emit=log.append)
    return trainer, trainer.run(), log


def test_a_trained_word_aligner_finds_the_correct_links_of_held_out_pairs(toy, trained):
    trainer, *_ = trained
    assert len(trainer.held_out) == 10
    for batch, link_probs, _ in trainer.predictor.predict(trainer.held_out):
        for pair, links in zip(batch.indices, link_probs, strict=True):
            correct = toy[2][pair]
            assert {(int(s), int(t)) for t, s in np.argwhere(links > 0.5)} == correct


def test_the_final_links_of_all_pairs_are_correct_despite_wrong_votes(toy, trained):
    _, table, _ = trained
    text, _, links = toy
    predictions = [set(table.links(pair)) for pair in range(len(table))]
    n_correct = sum(
        prediction == reference for prediction, reference in zip(predictions, links, strict=True)
    )
    assert n_correct >= 0.98 * len(text)


def test_links_with_few_votes_and_no_rival_are_learned_before_relabeling(toy, make_trainer):
    text, _, links = toy
    votes = LinkTable.from_links([dict.fromkeys(correct, 0.3) for correct in links])
    trainer = make_trainer(steps=120, votes=votes, interrupted=lambda: trainer.state.step >= 60)
    assert trainer.run() is None
    assert trainer.relabeled is None
    trainer.interrupted = lambda: False
    mean_probs = [
        link_probs[batch_votes > 0].mean()
        for _, link_probs, batch_votes in trainer.predictor.predict(text.pairs)
    ]
    assert np.mean(mean_probs) > 0.7  # 0.3 / (0.3 + 0.05 for NULL) is 0.86


def test_the_loss_falls_and_the_agreement_is_reported(trained):
    *progress, end = trained[2]
    assert [event.step for event in progress] == [1, 20, 40, 60]
    assert {event.max_steps for event in progress} == {60}
    assert progress[-1].loss < progress[0].loss / 5
    assert (end.pairs, end.precision) == (10, 100)
    assert end.recall > 95


def test_its_events_can_be_written_to_the_log_as_json(trained):
    rows = json.loads(json.dumps([events.record(event) for event in trained[2]]))
    assert [row["event"] for row in rows] == ["aligner_training_progress"] * 4 + ["aligner_trained"]


def test_f1_is_the_harmonic_mean_of_precision_and_recall_and_0_if_both_are_0():
    assert Agreement(9, 50.0, 100.0).f1 == pytest.approx(200 / 3)
    assert Agreement(0, 0.0, 0.0).f1 == 0


def test_a_text_too_small_for_held_out_pairs_is_trained_on(toy, make_trainer):
    text, votes, _ = toy
    few = replace(text, corpus=text.corpus.subset(text.pairs[:5]))
    trainer = make_trainer(text=few, steps=2)
    table = trainer.run()
    assert trainer.state.agreement.pairs == 0
    assert len(table) == len(votes)
    assert not any(table.links(pair) for pair in range(5, len(votes)))


def test_the_default_for_a_short_text_is_ten_epochs_of_updates(toy):
    text, *_ = toy
    n_positions = int(text.target_lengths.sum()) + len(text)
    updates_per_epoch = math.ceil(n_positions / aligner_trainer.BATCH_TOKENS)
    assert 10 <= default_steps(text) <= 10 * updates_per_epoch


def test_a_nan_loss_ends_the_training_with_an_error_message(make_trainer):
    trainer = make_trainer()
    with torch.no_grad():
        trainer.aligner.source_null.bias.fill_(math.nan)
    with pytest.raises(TrainingError, match="at its update 1"):
        trainer.run()


# Resuming


def state(trainer):
    """Return its parameters, its links and the state of its optimizer."""
    links = checkpoint.links_to_tensors(trainer.relabeled)
    return (
        unique_state_dict(trainer.aligner) | links | checkpoint.optimizer_tensors(trainer.optimizer)
    )


def are_equal(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def uninterrupted_state(make_trainer):
    """The state of a word aligner after a training without interruptions."""
    trainer = make_trainer()
    trainer.run()
    return state(trainer)


def test_the_same_pairs_and_seed_make_the_same_word_aligner(uninterrupted_state, make_trainer):
    trainer = make_trainer()
    trainer.run()
    assert are_equal(state(trainer), uninterrupted_state)


@pytest.mark.parametrize("step", [0, 1, 6, 7, 11])  # all pairs are relabeled before update 7
def test_an_interrupted_and_resumed_word_aligner_equals_an_uninterrupted_one(
    uninterrupted_state, make_trainer, tmp_path, step
):
    cut = make_trainer(folder=tmp_path, interrupted=lambda: cut.state.step >= step)
    assert cut.run() is None
    resumed = make_trainer(folder=tmp_path)
    assert resumed.resume()
    assert resumed.state.step == step
    resumed.run()
    assert are_equal(state(resumed), uninterrupted_state)


@pytest.mark.parametrize("step", [3, 9])
def test_a_killed_and_resumed_word_aligner_equals_an_uninterrupted_one(
    uninterrupted_state, make_trainer, tmp_path, monkeypatch, step
):
    """It resumes from its last checkpoint, which here is saved after each update."""
    monkeypatch.setattr(aligner_trainer, "SAVE_SECONDS", 0.0)
    killed = make_trainer(folder=tmp_path)
    killed.batches = KilledBatches(killed.batches, after=step)
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    resumed = make_trainer(folder=tmp_path)
    assert resumed.resume()
    assert resumed.state.step == step
    resumed.run()
    assert are_equal(state(resumed), uninterrupted_state)


class KilledBatches:
    """Batches of a process that is killed when it has taken `after` of them."""

    def __init__(self, batches, *, after):
        self.batches, self.left, self.state = batches, after, batches.state

    def next_for_worker(self, **worker):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return self.batches.next_for_worker(**worker)


def test_a_finished_word_aligner_that_is_resumed_is_not_trained_again(
    uninterrupted_state, make_trainer, tmp_path
):
    make_trainer(folder=tmp_path).run()
    log = []
    resumed = make_trainer(folder=tmp_path, emit=log.append)
    resumed.resume()
    resumed.run()
    assert are_equal(state(resumed), uninterrupted_state)
    assert log == []


def test_without_a_checkpoint_there_is_nothing_to_resume(make_trainer):
    assert not make_trainer().resume()


def test_resuming_a_word_aligner_on_other_pairs_is_refused(toy, make_trainer, tmp_path):
    make_trainer(folder=tmp_path, interrupted=lambda: True).run()
    text, *_ = toy
    fewer = replace(text, corpus=text.corpus.subset(text.pairs[:50]))
    with pytest.raises(DataError, match="190 pairs"):
        make_trainer(text=fewer, folder=tmp_path).resume()


# Time limits


def test_as_many_updates_as_fit_the_time_are_made_and_the_learning_rate_falls(
    make_trainer, monkeypatch
):
    """An update takes 1 s and relabeling 3 s: of 80 s, 74 are for updates."""
    clock, rates = Clock(), []
    monkeypatch.setattr(aligner_trainer, "time", clock)
    trainer = make_trainer(steps=200, max_seconds=80.0)
    monkeypatch.setattr(trainer, "_pace", SteadyPace())

    def update(share):
        clock.now += 1
        rates.append(aligner_trainer.learning_rate(trainer.state.step, trainer.settings))

    def relabel(**options):
        clock.now += 3
        return trainer.votes

    monkeypatch.setattr(trainer, "_update", update)
    monkeypatch.setattr(trainer, "_relabel", relabel)
    trainer.run()
    assert clock.now <= 80
    assert trainer.state.step == 74
    assert rates[-1] == pytest.approx(0.01 * aligner_trainer.LEARNING_RATE, rel=1e-3)


class SteadyPace:
    """A pace that is known before the first update."""

    is_known, update, relabeling = True, 1.0, 3.0
    time_update = staticmethod(contextlib.nullcontext)


@pytest.mark.parametrize(("max_steps", "seconds"), [(200, 55.0), (20, 25.0)])
def test_too_little_time_for_a_word_aligner_is_an_error_before_the_first_update(
    max_steps, seconds, make_trainer, monkeypatch, tmp_path
):
    """An update takes 1 s and relabeling twice 3 s: 49 of at least 50 fit, or 19 of 20."""
    monkeypatch.setattr(aligner_trainer, "time", Clock())
    trainer = make_trainer(steps=max_steps, max_seconds=seconds, folder=tmp_path)
    monkeypatch.setattr(trainer, "_pace", SteadyPace())
    with pytest.raises(TimeoutError):
        trainer.run()
    assert trainer.state.step == 0


def test_training_ends_at_the_time_limit_if_the_pace_is_still_unknown(make_trainer, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(aligner_trainer, "time", clock)
    trainer = make_trainer(steps=200, max_seconds=30.0)

    def update(share):
        clock.now += 8

    monkeypatch.setattr(trainer, "_update", update)
    with pytest.raises(TimeoutError):
        trainer.run()
    assert clock.now == 32


def test_a_finished_word_aligner_needs_no_time(uninterrupted_state, make_trainer, tmp_path):
    make_trainer(folder=tmp_path).run()
    resumed = make_trainer(folder=tmp_path, max_seconds=0.0)
    resumed.resume()
    assert resumed.run() is resumed.relabeled


# Several workers


@pytest.fixture(scope="module")
def single_worker_folder(make_trainer, tmp_path_factory):
    """The folder of a training by one worker that was interrupted after 6 updates."""
    folder = tmp_path_factory.mktemp("left")
    trainer = make_trainer(folder=folder, interrupted=lambda: trainer.state.step >= 6)
    assert trainer.run() is None
    return folder


def test_another_number_of_workers_is_reported_and_changes_the_random_numbers(
    uninterrupted_state, single_worker_folder, make_trainer, tmp_path
):
    tensors, facts = checkpoint.load(single_worker_folder / aligner_trainer.ALIGNER_CHECKPOINT)
    checkpoint.save(tmp_path / aligner_trainer.ALIGNER_CHECKPOINT, tensors, facts | {"workers": 2})
    log = []
    trainer = make_trainer(folder=tmp_path, emit=log.append)
    assert trainer.resume()
    (notice,) = log
    assert "word aligner was saved by 2 workers and goes on with 1 worker" in notice.message
    trainer.run()
    assert trainer.state.step == 12
    assert not are_equal(state(trainer), uninterrupted_state)


@pytest.mark.parametrize("size", [2, 3])
def test_each_batch_of_pairs_belongs_to_one_worker(size, toy):
    text, *_ = toy
    shares = [
        [
            batch.indices
            for batch in sequential_batches(text, text.pairs, tokens=90, rank=rank, size=size)
        ]
        for rank in range(size)
    ]
    all_batches = [batch.indices for batch in sequential_batches(text, text.pairs, tokens=90)]
    assert len(all_batches) > 2 * size
    for rank, share in enumerate(shares):
        assert len(share) == len(all_batches[rank::size])
        assert all(map(np.array_equal, share, all_batches[rank::size]))


def test_without_a_limit_the_number_of_updates_stays(make_trainer):
    trainer = make_trainer(steps=12)
    trainer.run()
    assert trainer.state.step == trainer.state.max_steps == 12


def test_the_losses_of_parts_of_a_batch_add_up_to_the_loss_of_the_batch():
    log_probs, _ = random_log_probs((5, 3, 4))
    votes = torch.rand(5, 3, 4, generator=torch.manual_seed(3))
    votes[2] = 0  # unknown
    masks = torch.ones(5, 3, dtype=torch.bool), torch.ones(5, 4, dtype=torch.bool)
    batch_loss = bidirectional_cross_entropy(log_probs, votes, masks, null_votes=0.1)
    parts = [
        loss_sums(
            select_rows(log_probs, rows), votes[rows], tuple(m[rows] for m in masks), null_votes=0.1
        )
        for rows in ([0, 1], [2, 3, 4])
    ]
    counts = parts[0].counts + parts[1].counts
    torch.testing.assert_close(sum(part.mean(counts) for part in parts), batch_loss)
