"""The loop alone: updates left out, patience, the best kept, averages that must earn their place.

The network is real and tiny; how well it does is made up, so that each story can be told.
"""

import math
import shutil
from dataclasses import replace

import pytest
import torch
from program import PAIRS
from systems import TINY_MODEL

from attn_cli import config
from attn_cli.alignment.link_table import LinkTable
from attn_cli.data.batching import BatchIterator
from attn_cli.data.corpus_reader import read_pairs
from attn_cli.data.segmentation import segment_corpus
from attn_cli.data.tokenizer import Tokenizer
from attn_cli.errors import TrainingError
from attn_cli.nn.builder import build_model
from attn_cli.nn.device import select_hardware
from attn_cli.nn.state_dict import unique_state_dict
from attn_cli.training import checkpoint, events, gradients
from attn_cli.training import trainer as trainer_module
from attn_cli.training.budget import EXIT_SECONDS, Schedule, TimeBudget
from attn_cli.training.decisions import Decision, synchronize
from attn_cli.training.early_stopping import (
    ValidationResult,
    ValidationScores,
    best_results,
    is_out_of_patience,
)
from attn_cli.training.group import Group
from attn_cli.training.guided_alignment import Guidance
from attn_cli.training.trainer import Trainer

SETTINGS = config.TrainConfig(
    max_steps=6, batch_tokens=60, warmup_steps=0, validate_every=2, log_every=3, nan_patience=3
)


@pytest.fixture(scope="module")
def text(pairs_file):
    corpus, _ = read_pairs(pairs_file)
    settings = config.TokenizerConfig(vocab_size=400)
    counts = corpus.source_counts() | corpus.target_counts()
    tokenizer = Tokenizer.train_on_counts(counts, settings)
    return segment_corpus(corpus, tokenizer, tokenizer), tokenizer.vocab_size


@pytest.fixture
def trainer(text, tmp_path):
    """Makes trainers in one folder; keeps what they published and said."""

    def make(*scores, settings=SETTINGS, **given):
        data, vocab = text
        torch.manual_seed(1)
        network = build_model(TINY_MODEL, source_vocab_size=vocab, target_vocab_size=vocab)
        said, published, left = [], [], list(scores)

        def validate(network):
            bleu = left.pop(0) if len(left) > 1 else left[0] if left else 0.0
            return (
                bleu
                if isinstance(bleu, ValidationScores)
                else ValidationScores(loss=1.0, bleu=bleu, chrf=0.0)
            )

        def publish(tensors, scored):
            published.append((scored, {name: t.clone() for name, t in tensors.items()}))

        made = Trainer(
            network,
            BatchIterator(data, tokens=settings.batch_tokens, seed=1),
            validate,
            settings=settings,
            hardware=select_hardware("cpu", "fp32"),
            folder=tmp_path / "checkpoints",
            save_best=publish,
            emit=said.append,
            **given,
        )
        made.said, made.published = said, published
        return made

    return make


def of(kind, trainer):
    return [event for event in trainer.said if isinstance(event, kind)]


def weights(trainer):
    return {name: tensor.clone() for name, tensor in unique_state_dict(trainer.network).items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def break_losses(monkeypatch, broken):
    """Make the loss of the updates `broken` not a number."""
    real, calls = gradients.negative_log_likelihood, iter(range(1, 10**6))

    def loss(*arguments, **how):
        value = real(*arguments, **how)
        return value * math.nan if next(calls) in broken else value

    monkeypatch.setattr(gradients, "negative_log_likelihood", loss)


# Not a number


def test_an_update_that_is_not_a_number_is_left_out_and_counted(trainer, monkeypatch):
    break_losses(monkeypatch, {1, 2})
    made = trainer(settings=replace(SETTINGS, max_steps=2, average_checkpoints=0))
    before = weights(made)
    finished = made.run()
    assert same(weights(made), before)
    assert [(event.step, event.in_a_row) for event in of(events.NonFiniteUpdate, made)] == [
        (1, 1),
        (2, 2),
    ]
    assert finished.skipped == 2


def test_a_good_update_ends_the_row(trainer, monkeypatch):
    break_losses(monkeypatch, {1, 2, 4, 5})
    made = trainer()
    assert made.run().skipped == 4
    assert [event.in_a_row for event in of(events.NonFiniteUpdate, made)] == [1, 2, 1, 2]


def test_several_in_a_row_stop_training_with_the_last_good_state_kept(trainer, monkeypatch):
    break_losses(monkeypatch, {3, 4, 5})
    made = trainer()
    with pytest.raises(TrainingError, match="3 updates in a row, at update 5") as caught:
        made.run()
    assert "resume" in caught.value.hint
    tensors, facts = checkpoint.load(made.saved_state.path)
    assert facts["position"]["step"] == 2
    assert facts["position"]["skipped_in_a_row"] == 0
    assert all(t.isfinite().all() for name, t in tensors.items() if name.startswith("model."))


def test_without_a_good_state_nobody_is_told_to_resume(trainer, monkeypatch):
    break_losses(monkeypatch, {1, 2, 3})
    made = trainer(settings=replace(SETTINGS, validate_every=100))
    with pytest.raises(TrainingError) as caught:
        made.run()
    assert "resume" not in caught.value.hint
    assert not made.published


def test_a_validation_that_is_not_a_number_stops_training_with_the_best_model_kept(trainer):
    made = trainer(20.0, ValidationScores(math.nan, 0.0, 0.0))
    with pytest.raises(TrainingError, match="validation loss at update 4 is NaN or infinite"):
        made.run()
    assert [scored.step for scored, _ in made.published] == [2]
    assert checkpoint.load(made.saved_state.path)[1]["position"]["step"] == 2


# The best


def test_only_a_better_validation_is_published(trainer):
    made = trainer(20.0, 10.0, 30.0, settings=replace(SETTINGS, average_checkpoints=0))
    assert made.run().bleu == 30
    assert [scored.step for scored, _ in made.published] == [2, 6]
    assert [event.best for event in of(events.ValidationFinished, made)] == [True, False, True]


def test_between_equal_bleu_the_lower_loss_is_better():
    history = [
        ValidationResult(1, 5.0, 2.0),
        ValidationResult(2, 5.0, 1.0),
        ValidationResult(3, 5.0, 1.0),
        ValidationResult(4, 4.0, 0.1),
    ]
    assert [scored.step for scored in best_results(history, 3)] == [2, 3, 1]


@pytest.mark.parametrize(("bleu", "kept"), [(31.0, True), (29.0, False)])
def test_the_average_is_kept_only_if_it_is_better(trainer, bleu, kept):
    made = trainer(30.0, 20.0, 10.0, bleu, settings=replace(SETTINGS, average_checkpoints=2))
    finished = made.run()
    (averaged,) = of(events.CheckpointsAveraged, made)
    assert (averaged.checkpoints, averaged.kept, averaged.best_bleu) == (2, kept, 30)
    assert finished.bleu == max(bleu, 30)
    assert len(made.published) == (2 if kept else 1)


def test_the_average_is_the_mean_of_the_best_and_of_no_others(trainer):
    made = trainer(30.0, 20.0, 10.0, 40.0, settings=replace(SETTINGS, average_checkpoints=2))
    made.run()
    paths = sorted(made.best_weights.folder.glob("step-*"))
    assert [path.stem for path in paths] == ["step-0000002", "step-0000004"]
    (one, _), (two, _) = map(checkpoint.load, paths)
    _, published = made.published[-1]
    for name, tensor in published.items():
        torch.testing.assert_close(tensor, (one[name] + two[name]) / 2)


def test_averaging_leaves_the_state_to_go_on_with_as_it_was(trainer):
    made = trainer(30.0, 20.0, 10.0, 40.0)
    made.run()
    tensors, _ = checkpoint.load(made.saved_state.path)
    last = {k.removeprefix("model."): t for k, t in tensors.items() if k.startswith("model.")}
    assert same(last, weights(made))


def test_an_average_is_not_replaced_by_something_worse_after_a_resume(trainer):
    trainer(30.0, 20.0, 10.0, 40.0).run()
    longer = trainer(35.0, 35.0, settings=replace(SETTINGS, max_steps=8))
    longer.resume()
    assert longer.run().bleu == 40
    assert longer.published == []


# Stopping


def test_patience_ends_training_after_so_many_validations_without_a_better_bleu(trainer):
    made = trainer(1.0, 3.0, 2.0, 3.0, settings=replace(SETTINGS, max_steps=100, patience=2))
    finished = made.run()
    assert (finished.reason, finished.step, finished.bleu) == ("patience", 8, 3)


@pytest.mark.parametrize(
    ("bleus", "patience", "out"),
    [
        ([1, 1, 1], 2, True),
        ([1, 1, 2], 2, False),
        ([3, 1, 2], 2, True),
        ([3, 1], 2, False),
        ([1] * 50, 0, False),
        ([], 1, False),
    ],
)
def test_being_out_of_patience(bleus, patience, out):
    history = [ValidationResult(step, float(bleu), 1.0) for step, bleu in enumerate(bleus)]
    assert is_out_of_patience(history, patience) is out


def test_an_interruption_saves_and_does_not_average(trainer):
    made = trainer(1.0, interrupted=lambda: made.state.step >= 5)
    finished = made.run()
    assert (finished.reason, finished.step) == ("interrupted", 5)
    assert checkpoint.load(made.saved_state.path)[1]["position"]["step"] == 5
    assert not of(events.CheckpointsAveraged, made)


def test_there_is_a_model_from_the_first_saved_state_on(trainer, monkeypatch):
    monkeypatch.setattr(trainer_module, "SAVE_SECONDS", 0.0)
    made = trainer(interrupted=lambda: made.state.step >= 1)
    made.run()
    ((scored, published),) = made.published
    assert scored is None
    assert same(published, weights(made))


def test_a_timed_save_in_the_middle_of_bad_updates_keeps_the_good_state(trainer, monkeypatch):
    monkeypatch.setattr(trainer_module, "SAVE_SECONDS", -1.0)
    break_losses(monkeypatch, {4, 5, 6})
    made = trainer(settings=replace(SETTINGS, validate_every=100))
    with pytest.raises(TrainingError):
        made.run()
    assert checkpoint.load(made.saved_state.path)[1]["position"]["step"] == 3


# Time


class Clock:
    """A clock that stands still until somebody adds to `now`."""

    now = 0.0

    def __call__(self):
        return self.now


class Slow:
    """Batches each of which takes half a second of that clock."""

    def __init__(self, batches, clock):
        self.batches, self.clock = batches, clock

    def next_for_worker(self, **how):
        self.clock.now += 0.5
        return self.batches.next_for_worker(**how)

    def __getattr__(self, name):
        return getattr(self.batches, name)


@pytest.fixture
def timed(trainer):
    """Makes trainers with a minute from now, half a second an update, two seconds a validation."""

    def make(*scores, seconds=60.0, settings=None, **given):
        clock = Clock()
        long = replace(SETTINGS, max_steps=10**6, warmup_steps=10**5, validate_every=10**5)
        made = trainer(
            *scores,
            settings=settings or replace(long, export="none", average_checkpoints=2),
            budget=TimeBudget(seconds, started=clock(), clock=clock),
            **given,
        )
        made.updater.batches = Slow(made.updater.batches, clock)
        validate = made.validate

        def slow(network):
            clock.now += 2.0
            return validate(network)

        made.validate = slow
        return made

    return make


def test_a_training_ends_with_its_time_and_by_then_its_rate_has_fallen(timed):
    made = timed(*map(float, range(1, 99)))
    finished = made.run()
    assert finished.reason == "minutes"
    assert 48 < made.budget.elapsed() + EXIT_SECONDS <= 62
    assert finished.step == made.schedule.last
    assert len(of(events.ValidationFinished, made)) > 2
    assert of(events.CheckpointsAveraged, made)
    rates = [event.learning_rate for event in of(events.Progress, made)]
    assert rates[-1] < 0.03 * made.settings.learning_rate < max(rates)


def test_what_is_left_to_do_is_foretold_to_the_exit_of_the_command(timed):
    made = timed(1.0)
    made.run()
    left = [event.seconds + event.seconds_left for event in of(events.Progress, made)][5:]
    assert left == pytest.approx([60.0] * len(left), abs=8)


def test_patience_ends_a_training_before_its_time(timed):
    made = timed(3.0, 1.0, settings=replace(SETTINGS, max_steps=10**6, patience=2))
    finished = made.run()
    assert finished.reason == "patience"
    assert made.budget.left() > 10


def test_guidance_weakens_towards_the_end_that_the_time_allows(timed):
    made = timed(1.0, guidance=replace(GUIDANCE, max_steps=10**6))
    made.run()
    assert made.guidance.weight_at(made.state.step) == pytest.approx(0.5 * 0.5)


def test_a_schedule_that_the_time_decided_is_gone_on_with_without_a_limit(timed, trainer):
    cut = timed(1.0, interrupted=lambda: cut.state.step >= 40)
    cut.run()
    planned = cut.schedule
    assert 40 < planned.last < 120
    resumed = trainer(settings=cut.settings)
    resumed.resume()
    assert resumed.schedule == planned
    finished = resumed.run()
    assert (finished.reason, finished.step) == ("minutes", planned.last)


def test_a_resume_with_minutes_of_its_own_makes_another_schedule(timed):
    cut = timed(1.0, interrupted=lambda: cut.state.step >= 40)
    cut.run()
    resumed = timed(1.0, seconds=120.0)
    resumed.resume()
    assert resumed.run().step > cut.schedule.last
    assert resumed.budget.elapsed() > 96


def test_a_resume_with_another_number_of_updates_takes_that(timed, trainer):
    cut = timed(1.0, interrupted=lambda: cut.state.step >= 40)
    cut.run()
    resumed = trainer(settings=replace(cut.settings, max_steps=43))
    resumed.resume()
    finished = resumed.run()
    assert (finished.reason, finished.step) == ("steps", 43)


def test_a_decision_reaches_other_workers_as_it_was_made():
    """What one worker sends as numbers is summed with the zeros of the other."""
    plan = Schedule(1234, 10, 5, 10**6, start=7, risen=0.1, fallen=1 / 3)

    class Main(Group):
        """The main worker of two; `other` is what the other one adds."""

        size, other = 2, None

        def sum(self, values):
            self.sent = list(values)
            return [a + b for a, b in zip(values, self.other or [0.0] * len(values), strict=True)]

    class Other(Main):
        rank, is_main = 1, False

    for decision in (
        Decision("", True, plan),
        Decision("minutes", False, None),
        Decision("", False, None),
    ):
        main = Main()
        assert synchronize(decision, main) == decision
        other = Other()
        other.other = main.sent
        assert synchronize(Decision(""), other) == decision
        assert synchronize(Decision("interrupted"), other) == decision._replace(stop="interrupted")


def test_a_sentence_is_watched_at_each_report_and_validation_and_changes_nothing(trainer):
    def watch(network, step):
        assert not network.training
        return events.SentenceTranslated(step, "I see.", f"{step}")

    plain = trainer(1.0)
    plain.run()
    watched = trainer(1.0, watch=watch, budget=TimeBudget(clock=Clock()))
    watched.run()
    assert [event.step for event in of(events.SentenceTranslated, watched)] == [2, 3, 4, 6, 6]
    assert same(weights(plain), weights(watched))


def test_a_sentence_that_takes_long_is_watched_at_validations_alone(timed):
    def watch(network, step):
        made.budget.clock.now += 1.0
        return events.SentenceTranslated(step, "I see.", "Je vois.")

    made = timed(1.0, watch=watch)
    made.run()
    validated = [event.step for event in of(events.ValidationFinished, made)]
    assert [event.step for event in of(events.SentenceTranslated, made)] == [3, *validated]


# Guidance

LINKS = LinkTable.from_links([{(0, 0): 1.0, (1, 1): 0.5}] * len(PAIRS))
GUIDANCE = Guidance(LINKS, weight=0.5, decay=0.5, max_steps=6)


def test_a_guided_training_says_how_far_attention_is_from_the_links(trainer):
    alone = trainer()
    alone.run()
    guided = trainer(guidance=replace(GUIDANCE, weight=0.0))
    guided.run()
    assert [event.guided for event in of(events.Progress, alone)] == [None, None]
    assert all(event.guided > 0 for event in of(events.Progress, guided))
    translation = [[event.loss for event in of(events.Progress, each)] for each in (alone, guided)]
    assert translation[0] == translation[1]


def test_a_guided_training_cut_off_and_resumed_does_what_it_would_have_done(trainer):
    whole = trainer(guidance=GUIDANCE)
    whole.run()
    expected = weights(whole)
    shutil.rmtree(whole.best_weights.folder)

    cut = trainer(guidance=GUIDANCE, interrupted=lambda: cut.state.step >= 5)
    cut.run()
    resumed = trainer(guidance=GUIDANCE)
    resumed.resume()
    resumed.run()
    assert same(weights(resumed), expected)
    figures = [[(e.step, e.loss, e.guided) for e in of(events.Progress, m)] for m in (whole, cut)]
    (last,) = of(events.Progress, resumed)
    assert figures[0] == [*figures[1], (last.step, last.loss, last.guided)]


def test_a_state_saved_before_there_was_guidance_is_gone_on_with(trainer):
    made = trainer(interrupted=lambda: made.state.step >= 5)
    made.run()
    tensors, facts = checkpoint.load(made.saved_state.path)
    del facts["position"]["guided_sum"], facts["position"]["guided_pieces"]
    checkpoint.save(made.saved_state.path, tensors, facts)
    resumed = trainer()
    resumed.resume()
    assert resumed.run().step == 6


def test_an_update_whose_guided_loss_is_not_a_number_is_left_out(trainer):
    broken = replace(GUIDANCE, weight=math.nan)
    made = trainer(settings=replace(SETTINGS, max_steps=2, average_checkpoints=0), guidance=broken)
    before = weights(made)
    assert made.run().skipped == 2
    assert same(weights(made), before)


# Checkpoints


def test_a_failed_save_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    checkpoint.save(path, {"w": torch.ones(2)}, {"step": 1})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("attn_cli.files.atomic.os.fsync", full)
    with pytest.raises(TrainingError, match="No space left"):
        checkpoint.save(path, {"w": torch.zeros(2)}, {"step": 2})
    tensors, facts = checkpoint.load(path)
    assert (tensors["w"].tolist(), facts) == ([1, 1], {"step": 1})
    assert [each.name for each in tmp_path.iterdir()] == ["a.safetensors"]


def test_other_users_may_read_what_one_user_saved(tmp_path):
    checkpoint.save(tmp_path / "a", {"w": torch.ones(1)}, {})
    (tmp_path / "b").write_text("")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
