"""Training events as plain lines, and their effect on the training panel."""

import typing

import pytest

from attn_cli.cli.progress import line, update_panel
from attn_cli.render.training import TrainingPanel
from attn_cli.training import events

ALIGNER_PROGRESS = events.AlignerTrainingProgress(
    step=50, max_steps=200, loss=1.25, seconds=30, seconds_left=90
)


@pytest.mark.parametrize(("guided", "text"), [(0.4234, ", attention 0.42, "), (None, ", ")])
def test_a_progress_line_has_the_guided_attention_loss_if_there_is_one(guided, text):
    event = events.Progress(
        step=50,
        max_steps=100,
        epoch=0,
        loss=3.21,
        guided=guided,
        learning_rate=1e-3,
        tokens_per_second=2000,
        seconds=5,
        seconds_left=5,
    )
    assert line(event).startswith(f"update 50: loss 3.210{text}2000 pieces/s")
    assert events.record(event)["guided"] == guided


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (events.AlignmentProgress(0.256), "word links: aligners at 26%"),
        (
            events.AlignmentsReady(1200, 34567, 8.6, False),
            "word links: 34,567 in 1,200 pairs (9 s)",
        ),
        (
            events.AlignmentsReady(1200, 34567, 0.1, True),
            "word links: 34,567 in 1,200 pairs (from cache)",
        ),
        (ALIGNER_PROGRESS, "word aligner: update 50 of 200, loss 1.250, 1:30 left"),
        (
            events.AlignerTrained(500, 91.4, 88.6, 61.2),
            "word aligner: agrees with its training links on 500 held-out pairs, "
            "precision 91, recall 89 (61 s)",
        ),
        (events.AlignerTrained(0, 0.0, 0.0, 61.2), "word aligner: trained (61 s)"),
    ],
)
def test_each_event_of_the_alignments_and_the_word_aligner_is_one_line(event, expected):
    assert line(event) == expected


@pytest.mark.parametrize(("validation_pairs", "text"), [(300, " 300 for validation,"), (0, "")])
def test_the_line_of_prepared_data_counts_validation_pairs_if_there_are_any(validation_pairs, text):
    event = events.DataPrepared(8000, validation_pairs, 3000, 3000, 1.2)
    assert line(event) == f"text: 8,000 pairs,{text} 3000 pieces (1 s)"


def test_phases_activities_and_the_watched_sentence_are_lines_too():
    assert line(events.Phase("network", 3, ("text", "words", "network", "graphs"))) == "3/4 network"
    assert line(events.Activity("reading the text")) == "reading the text …"
    assert line(events.SentenceTranslated(50, "I see.", "Je vois.")) == "at 50: I see. → Je vois."


def test_each_event_has_a_name_of_its_own_in_the_log():
    kinds = {*typing.get_args(events.Preparing), *typing.get_args(events.Training)}
    assert events.NAMES.keys() == kinds
    assert len(set(events.NAMES.values())) == len(kinds)


# The panel


def panel_after(*sequence):
    """Return a panel after these events, and the events that are printed above it."""
    panel = TrainingPanel("en-fr")
    return panel, [event for event in sequence if update_panel(panel, event)]


def test_a_panel_shows_the_stages_before_the_first_update():
    progress, ready = events.AlignmentProgress(0.5), events.AlignmentsReady(40, 99, 2.0, False)
    assert panel_after(progress)[0].stage.done == 0.5
    assert panel_after(progress, ready)[0].stage.done == 1
    panel, printed_events = panel_after(progress, ready, ALIGNER_PROGRESS)
    assert (panel.stage.name, panel.stage.done) == ("word aligner", 50 / 200)
    assert "loss 1.250" in panel.stage.sentence
    assert panel.stage.seconds_left == 90
    assert printed_events == [ready]


def test_the_start_of_network_training_ends_the_stages_even_if_incomplete():
    start = events.TrainingStarted(7, 100, 5_000_000, "cpu", "fp32", 1)
    panel, _ = panel_after(events.AlignmentProgress(0.5), start)
    assert panel.stage is None
    assert (panel.step, panel.max_steps) == (7, 100)


def test_events_after_the_stages_do_not_show_them_again():
    start = events.TrainingStarted(7, 100, 5_000_000, "cpu", "fp32", 1)
    panel, _ = panel_after(
        ALIGNER_PROGRESS, start, events.Notice("a word"), events.NonFiniteUpdate(8, 1)
    )
    assert panel.stage is None


def test_a_phase_that_ends_without_alignments_is_marked_as_left_out():
    names = ("text", "word aligner", "network")
    phase, next_phase = events.Phase("word aligner", 2, names), events.Phase("network", 3, names)
    panel, _ = panel_after(phase, events.AlignmentProgress(0.5), next_phase)
    assert (panel.phase, panel.left_out) == (3, {2})
    panel, _ = panel_after(
        phase, events.AlignmentProgress(0.5), events.AlignmentsReady(1, 1, 1.0, False), next_phase
    )
    assert (panel.phase, panel.left_out) == (3, set())


def test_a_panel_ends_with_the_result_of_the_training():
    panel, _ = panel_after(events.TrainingFinished("minutes", 7, 12.3, 0, 5.0))
    assert panel.result == ("finished: time limit, BLEU 12.3 after 7 updates", True)
    panel, _ = panel_after(events.TrainingFinished("interrupted", 7, 12.3, 0, 5.0))
    assert panel.result == ("interrupted: saved, BLEU 12.3 after 7 updates", False)
