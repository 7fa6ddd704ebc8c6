"""The training loop: skipped updates, patience, the best parameters, averages, time limits.

The network is real and tiny; each test gives the scores of its validations.
"""

import math
import shutil
from dataclasses import replace

import pytest
import torch
from clock import Clock
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
def make_trainer(text, tmp_path):
    """Return a function that makes trainers in one folder, which record models and events."""

    def make(*scores, settings=SETTINGS, **options):
        data, vocab = text
        torch.manual_seed(1)
        network = build_model(TINY_MODEL, source_vocab_size=vocab, target_vocab_size=vocab)
        emitted_events, saved_models, remaining = [], [], list(scores)

        def validate(network):
            score = remaining.pop(0) if len(remaining) > 1 else remaining[0] if remaining else 0.0
            return (
                score
                if isinstance(score, ValidationScores)
                else ValidationScores(loss=1.0, bleu=score, chrf=0.0)
            )

        def save_best(tensors, result):
            saved_models.append((result, {name: t.clone() for name, t in tensors.items()}))

        trainer = Trainer(
            network,
            BatchIterator(data, tokens=settings.batch_tokens, seed=1),
            validate,
            settings=settings,
            hardware=select_hardware("cpu", "fp32"),
            folder=tmp_path / "checkpoints",
            save_best=save_best,
            emit=emitted_events.append,
            **options,
        )
        trainer.emitted_events, trainer.saved_models = emitted_events, saved_models
        return trainer

    return make


def events_of(kind, trainer):
    return [event for event in trainer.emitted_events if isinstance(event, kind)]


def weights(trainer):
    return {name: tensor.clone() for name, tensor in unique_state_dict(trainer.network).items()}


def are_equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def break_losses(monkeypatch, updates):
    """Make the losses of these updates NaN."""
    original, calls = gradients.negative_log_likelihood, iter(range(1, 10**6))

    def loss(*arguments, **options):
        value = original(*arguments, **options)
        return value * math.nan if next(calls) in updates else value

    monkeypatch.setattr(gradients, "negative_log_likelihood", loss)


# NaN losses


def test_an_update_with_a_nan_loss_is_skipped_and_counted(make_trainer, monkeypatch):
    break_losses(monkeypatch, {1, 2})
    trainer = make_trainer(settings=replace(SETTINGS, max_steps=2, average_checkpoints=0))
    before = weights(trainer)
    finished = trainer.run()
    assert are_equal(weights(trainer), before)
    assert [
        (event.step, event.in_a_row) for event in events_of(events.NonFiniteUpdate, trainer)
    ] == [
        (1, 1),
        (2, 2),
    ]
    assert finished.skipped == 2


def test_a_finite_update_resets_the_count_of_updates_skipped_in_a_row(make_trainer, monkeypatch):
    break_losses(monkeypatch, {1, 2, 4, 5})
    trainer = make_trainer()
    assert trainer.run().skipped == 4
    assert [event.in_a_row for event in events_of(events.NonFiniteUpdate, trainer)] == [1, 2, 1, 2]


def test_several_nan_losses_in_a_row_stop_training_and_keep_the_last_good_state(
    make_trainer, monkeypatch
):
    break_losses(monkeypatch, {3, 4, 5})
    trainer = make_trainer()
    with pytest.raises(TrainingError, match="3 updates in a row, at update 5") as error:
        trainer.run()
    assert "resume" in error.value.hint
    tensors, facts = checkpoint.load(trainer.saved_state.path)
    assert facts["position"]["step"] == 2
    assert facts["position"]["skipped_in_a_row"] == 0
    assert all(t.isfinite().all() for name, t in tensors.items() if name.startswith("model."))


def test_without_a_good_state_the_error_does_not_suggest_to_resume(make_trainer, monkeypatch):
    break_losses(monkeypatch, {1, 2, 3})
    trainer = make_trainer(settings=replace(SETTINGS, validate_every=100))
    with pytest.raises(TrainingError) as error:
        trainer.run()
    assert "resume" not in error.value.hint
    assert not trainer.saved_models


def test_a_nan_validation_loss_stops_training_and_keeps_the_best_model(make_trainer):
    trainer = make_trainer(20.0, ValidationScores(math.nan, 0.0, 0.0))
    with pytest.raises(TrainingError, match="validation loss at update 4 is NaN or infinite"):
        trainer.run()
    assert [result.step for result, _ in trainer.saved_models] == [2]
    assert checkpoint.load(trainer.saved_state.path)[1]["position"]["step"] == 2


# The best parameters


def test_only_the_parameters_of_a_better_validation_are_saved(make_trainer):
    trainer = make_trainer(20.0, 10.0, 30.0, settings=replace(SETTINGS, average_checkpoints=0))
    assert trainer.run().bleu == 30
    assert [result.step for result, _ in trainer.saved_models] == [2, 6]
    assert [event.best for event in events_of(events.ValidationFinished, trainer)] == [
        True,
        False,
        True,
    ]


def test_at_equal_bleu_the_lower_loss_is_better():
    history = [
        ValidationResult(1, 5.0, 2.0),
        ValidationResult(2, 5.0, 1.0),
        ValidationResult(3, 5.0, 1.0),
        ValidationResult(4, 4.0, 0.1),
    ]
    assert [result.step for result in best_results(history, 3)] == [2, 3, 1]


@pytest.mark.parametrize(("bleu", "is_kept"), [(31.0, True), (29.0, False)])
def test_the_average_is_kept_only_if_it_is_better(make_trainer, bleu, is_kept):
    trainer = make_trainer(
        30.0, 20.0, 10.0, bleu, settings=replace(SETTINGS, average_checkpoints=2)
    )
    finished = trainer.run()
    (event,) = events_of(events.CheckpointsAveraged, trainer)
    assert (event.checkpoints, event.kept, event.best_bleu) == (2, is_kept, 30)
    assert finished.bleu == max(bleu, 30)
    assert len(trainer.saved_models) == (2 if is_kept else 1)


def test_the_average_is_the_mean_of_the_best_checkpoints_only(make_trainer):
    trainer = make_trainer(
        30.0, 20.0, 10.0, 40.0, settings=replace(SETTINGS, average_checkpoints=2)
    )
    trainer.run()
    paths = sorted(trainer.best_weights.folder.glob("step-*"))
    assert [path.stem for path in paths] == ["step-0000002", "step-0000004"]
    (one, _), (two, _) = map(checkpoint.load, paths)
    _, average = trainer.saved_models[-1]
    for name, tensor in average.items():
        torch.testing.assert_close(tensor, (one[name] + two[name]) / 2)


def test_averaging_does_not_change_the_state_to_resume_from(make_trainer):
    trainer = make_trainer(30.0, 20.0, 10.0, 40.0)
    trainer.run()
    tensors, _ = checkpoint.load(trainer.saved_state.path)
    last = {k.removeprefix("model."): t for k, t in tensors.items() if k.startswith("model.")}
    assert are_equal(last, weights(trainer))


def test_a_worse_model_does_not_replace_the_average_after_a_resume(make_trainer):
    make_trainer(30.0, 20.0, 10.0, 40.0).run()
    longer = make_trainer(35.0, 35.0, settings=replace(SETTINGS, max_steps=8))
    longer.resume()
    assert longer.run().bleu == 40
    assert longer.saved_models == []


# Stopping


def test_patience_is_a_number_of_validations_without_a_better_bleu(make_trainer):
    trainer = make_trainer(
        1.0, 3.0, 2.0, 3.0, settings=replace(SETTINGS, max_steps=100, patience=2)
    )
    finished = trainer.run()
    assert (finished.reason, finished.step, finished.bleu) == ("patience", 8, 3)


@pytest.mark.parametrize(
    ("bleus", "patience", "expected"),
    [
        ([1, 1, 1], 2, True),
        ([1, 1, 2], 2, False),
        ([3, 1, 2], 2, True),
        ([3, 1], 2, False),
        ([1] * 50, 0, False),
        ([], 1, False),
    ],
)
def test_patience_counts_the_validations_since_the_best_bleu(bleus, patience, expected):
    history = [ValidationResult(step, float(bleu), 1.0) for step, bleu in enumerate(bleus)]
    assert is_out_of_patience(history, patience) is expected


def test_an_interruption_saves_the_state_and_does_not_average(make_trainer):
    trainer = make_trainer(1.0, interrupted=lambda: trainer.state.step >= 5)
    finished = trainer.run()
    assert (finished.reason, finished.step) == ("interrupted", 5)
    assert checkpoint.load(trainer.saved_state.path)[1]["position"]["step"] == 5
    assert not events_of(events.CheckpointsAveraged, trainer)


def test_there_is_a_model_from_the_first_saved_state_on(make_trainer, monkeypatch):
    monkeypatch.setattr(trainer_module, "SAVE_SECONDS", 0.0)
    trainer = make_trainer(interrupted=lambda: trainer.state.step >= 1)
    trainer.run()
    ((result, tensors),) = trainer.saved_models
    assert result is None
    assert are_equal(tensors, weights(trainer))


def test_a_timed_save_in_the_middle_of_bad_updates_keeps_the_good_state(make_trainer, monkeypatch):
    monkeypatch.setattr(trainer_module, "SAVE_SECONDS", -1.0)
    break_losses(monkeypatch, {4, 5, 6})
    trainer = make_trainer(settings=replace(SETTINGS, validate_every=100))
    with pytest.raises(TrainingError):
        trainer.run()
    assert checkpoint.load(trainer.saved_state.path)[1]["position"]["step"] == 3


# Time limits


class SlowBatches:
    """Batches that take half a second of the clock each."""

    def __init__(self, batches, clock):
        self.batches, self.clock = batches, clock

    def next_for_worker(self, **options):
        self.clock.now += 0.5
        return self.batches.next_for_worker(**options)

    def __getattr__(self, name):
        return getattr(self.batches, name)


@pytest.fixture
def make_timed_trainer(make_trainer):
    """Return a function that makes trainers with a limit of a minute on a clock of the tests.

    An update takes 0.5 s and a validation 2 s.
    """

    def make(*scores, seconds=60.0, settings=None, **options):
        clock = Clock()
        long_settings = replace(SETTINGS, max_steps=10**6, warmup_steps=10**5, validate_every=10**5)
        trainer = make_trainer(
            *scores,
            settings=settings or replace(long_settings, export="none", average_checkpoints=2),
            budget=TimeBudget(seconds, started=clock(), clock=clock),
            **options,
        )
        trainer.updater.batches = SlowBatches(trainer.updater.batches, clock)
        validate = trainer.validate

        def validate_slowly(network):
            clock.now += 2.0
            return validate(network)

        trainer.validate = validate_slowly
        return trainer

    return make


def test_a_training_ends_at_its_time_limit_with_a_low_learning_rate(make_timed_trainer):
    trainer = make_timed_trainer(*map(float, range(1, 99)))
    finished = trainer.run()
    assert finished.reason == "minutes"
    assert 48 < trainer.budget.elapsed() + EXIT_SECONDS <= 62
    assert finished.step == trainer.schedule.last
    assert len(events_of(events.ValidationFinished, trainer)) > 2
    assert events_of(events.CheckpointsAveraged, trainer)
    rates = [event.learning_rate for event in events_of(events.Progress, trainer)]
    assert rates[-1] < 0.03 * trainer.settings.learning_rate < max(rates)


def test_a_training_does_not_end_before_a_validation_is_measured(make_timed_trainer):
    trainer = make_timed_trainer(*map(float, range(1, 99)), seconds=18.0)
    finished = trainer.run()
    assert finished.reason == "minutes"
    assert 12 < trainer.budget.elapsed() + EXIT_SECONDS <= 19
    assert finished.step > 10


def test_the_estimate_of_the_time_left_includes_the_exit_of_the_command(make_timed_trainer):
    trainer = make_timed_trainer(1.0)
    trainer.run()
    ends = [event.seconds + event.seconds_left for event in events_of(events.Progress, trainer)][5:]
    assert len(ends) > 10
    assert ends == pytest.approx([60.0] * len(ends), abs=8)


def test_patience_ends_a_training_before_its_time_limit(make_timed_trainer):
    trainer = make_timed_trainer(3.0, 1.0, settings=replace(SETTINGS, max_steps=10**6, patience=2))
    finished = trainer.run()
    assert finished.reason == "patience"
    assert trainer.budget.left() > 10


def test_the_weight_of_guidance_decays_towards_the_end_that_the_time_allows(make_timed_trainer):
    trainer = make_timed_trainer(1.0, guidance=replace(GUIDANCE, max_steps=10**6))
    trainer.run()
    assert trainer.guidance.weight_at(trainer.state.step) == pytest.approx(0.5 * 0.5)


def test_a_resume_without_a_time_limit_keeps_the_schedule_of_the_limit(
    make_timed_trainer, make_trainer
):
    cut = make_timed_trainer(1.0, interrupted=lambda: cut.state.step >= 40)
    cut.run()
    schedule = cut.schedule
    assert 40 < schedule.last < 120
    resumed = make_trainer(settings=cut.settings)
    resumed.resume()
    assert resumed.schedule == schedule
    finished = resumed.run()
    assert (finished.reason, finished.step) == ("minutes", schedule.last)


def test_a_resume_with_another_time_limit_makes_another_schedule(make_timed_trainer):
    cut = make_timed_trainer(1.0, interrupted=lambda: cut.state.step >= 40)
    cut.run()
    resumed = make_timed_trainer(1.0, seconds=120.0)
    resumed.resume()
    assert resumed.run().step > cut.schedule.last
    assert resumed.budget.elapsed() > 96


def test_a_resume_with_another_number_of_updates_makes_that_number(
    make_timed_trainer, make_trainer
):
    cut = make_timed_trainer(1.0, interrupted=lambda: cut.state.step >= 40)
    cut.run()
    resumed = make_trainer(settings=replace(cut.settings, max_steps=43))
    resumed.resume()
    finished = resumed.run()
    assert (finished.reason, finished.step) == ("steps", 43)


def test_a_decision_reaches_other_workers_unchanged():
    """One worker sends its decision as numbers; the zeros of the other are added."""
    plan = Schedule(1234, 10, 5, 10**6, start=7, risen=0.1, fallen=1 / 3)

    class Main(Group):
        """The main worker of two; `other` has the numbers of the other worker."""

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


def test_translating_a_sentence_at_reports_and_validations_changes_no_parameters(make_trainer):
    def watch(network, step):
        assert not network.training
        return events.SentenceTranslated(step, "I see.", f"{step}")

    plain = make_trainer(1.0)
    plain.run()
    watched = make_trainer(1.0, watch=watch, budget=TimeBudget(clock=Clock()))
    watched.run()
    assert [event.step for event in events_of(events.SentenceTranslated, watched)] == [
        2,
        3,
        4,
        6,
        6,
    ]
    assert are_equal(weights(plain), weights(watched))


def test_a_slow_sentence_is_translated_at_validations_only(make_timed_trainer):
    def watch(network, step):
        trainer.budget.clock.now += 1.0
        return events.SentenceTranslated(step, "I see.", "Je vois.")

    trainer = make_timed_trainer(1.0, watch=watch)
    trainer.run()
    validation_steps = [event.step for event in events_of(events.ValidationFinished, trainer)]
    assert [event.step for event in events_of(events.SentenceTranslated, trainer)] == [
        3,
        *validation_steps,
    ]


# Guidance

LINKS = LinkTable.from_links([{(0, 0): 1.0, (1, 1): 0.5}] * len(PAIRS))
GUIDANCE = Guidance(LINKS, weight=0.5, decay=0.5, max_steps=6)


def test_a_guided_training_reports_its_guided_loss(make_trainer):
    unguided = make_trainer()
    unguided.run()
    guided = make_trainer(guidance=replace(GUIDANCE, weight=0.0))
    guided.run()
    assert [event.guided for event in events_of(events.Progress, unguided)] == [None, None]
    assert all(event.guided > 0 for event in events_of(events.Progress, guided))
    losses = [
        [event.loss for event in events_of(events.Progress, each)] for each in (unguided, guided)
    ]
    assert losses[0] == losses[1]


def test_an_interrupted_and_resumed_guided_training_equals_an_uninterrupted_one(make_trainer):
    whole = make_trainer(guidance=GUIDANCE)
    whole.run()
    expected = weights(whole)
    shutil.rmtree(whole.best_weights.folder)

    cut = make_trainer(guidance=GUIDANCE, interrupted=lambda: cut.state.step >= 5)
    cut.run()
    resumed = make_trainer(guidance=GUIDANCE)
    resumed.resume()
    resumed.run()
    assert are_equal(weights(resumed), expected)
    figures = [
        [(e.step, e.loss, e.guided) for e in events_of(events.Progress, m)] for m in (whole, cut)
    ]
    (last,) = events_of(events.Progress, resumed)
    assert figures[0] == [*figures[1], (last.step, last.loss, last.guided)]


def test_a_state_saved_before_guidance_existed_can_be_resumed(make_trainer):
    trainer = make_trainer(interrupted=lambda: trainer.state.step >= 5)
    trainer.run()
    tensors, facts = checkpoint.load(trainer.saved_state.path)
    del facts["position"]["guided_sum"], facts["position"]["guided_pieces"]
    checkpoint.save(trainer.saved_state.path, tensors, facts)
    resumed = make_trainer()
    resumed.resume()
    assert resumed.run().step == 6


def test_an_update_with_a_nan_guided_loss_is_skipped(make_trainer):
    guidance = replace(GUIDANCE, weight=math.nan)
    trainer = make_trainer(
        settings=replace(SETTINGS, max_steps=2, average_checkpoints=0), guidance=guidance
    )
    before = weights(trainer)
    assert trainer.run().skipped == 2
    assert are_equal(weights(trainer), before)


# Checkpoints


def test_a_failed_save_leaves_the_old_checkpoint_intact(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    checkpoint.save(path, {"w": torch.ones(2)}, {"step": 1})

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("attn_cli.files.atomic.os.fsync", fail)
    with pytest.raises(TrainingError, match="No space left"):
        checkpoint.save(path, {"w": torch.zeros(2)}, {"step": 2})
    tensors, facts = checkpoint.load(path)
    assert (tensors["w"].tolist(), facts) == ([1, 1], {"step": 1})
    assert [each.name for each in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_checkpoint_has_the_permissions_of_any_other_new_file(tmp_path):
    checkpoint.save(tmp_path / "a", {"w": torch.ones(1)}, {})
    (tmp_path / "b").write_text("")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
