"""The live panel of a training, drawn with values written by hand at several sizes."""

import io

import numpy as np
import pytest
from rich.console import Console

from attn_cli.render.training import ProgressStage, TrainingPanel, ValidationRow
from attn_cli.types import SoftAlignment

TABLE = SoftAlignment(
    ("I", "see"), ("je", "vois"), np.eye(2, dtype=np.float32), np.zeros(2, np.float32)
)
PHASES = ("text", "word aligner", "network", "graphs")


def draw_lines(panel: TrainingPanel, *, width: int = 80, height: int = 40, **options) -> list[str]:
    output = io.StringIO()
    Console(file=output, width=width, height=height, **options).print(panel)
    return output.getvalue().splitlines()


def running_panel(**fields) -> TrainingPanel:
    """Return a panel in the middle of a long training."""
    return TrainingPanel(
        **{
            "title": "en → fr",
            "stage": None,
            "phases": PHASES,
            "phase": 3,
            "step": 12_345,
            "max_steps": 30_000,
            "epoch": 11,
            "loss": 3.21,
            "guided": 0.4234,
            "tokens_per_second": 12_345,
            "losses": [(50.0, 5.9), (6000.0, 4.0), (12_000.0, 3.21)],
            "history": [
                ValidationRow(6000, 3.0, 22.0, True),
                ValidationRow(12_000, 2.5, 21.0, False),
            ],
            "sample": TABLE,
            "elapsed": lambda: 3723.0,
            **fields,
        },
    )


def test_the_guided_attention_loss_is_shown_within_80_columns():
    figures = draw_lines(running_panel())[3]  # the frame, the phases, the bar, the figures
    assert "loss 3.210  attention 0.42  epoch 12  12,345 pieces/s" in figures


def test_without_guidance_no_attention_loss_is_shown():
    assert "attention" not in draw_lines(running_panel(guided=None))[3]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("height", [16, 24, 50])
def test_a_panel_fits_windows_of_any_size(width, height):
    lines = draw_lines(running_panel(notes=["a note " * 50]), width=width, height=height)
    assert all(len(line) <= width for line in lines)
    assert len(lines) <= height
    assert any("vois" in line for line in lines)


def test_phases_have_different_marks_and_the_current_one_has_its_number():
    phases = draw_lines(running_panel(left_out={2}))[1]
    assert "✓ text  – word aligner  ● network 3/4  ○ graphs" in phases


def test_the_remaining_time_decreases_after_it_is_set():
    now = [100.0]
    panel = running_panel(elapsed=lambda: now[0])
    panel.set_seconds_left(75.0)
    now[0] += 10.0
    assert "1:50 · 1:05 left" in draw_lines(panel)[1]


def test_a_time_limit_shows_the_remaining_time_from_the_start():
    panel = TrainingPanel("en → fr", elapsed=lambda: 3.0, max_seconds=180.0)
    assert "0:03 · 2:57 left" in draw_lines(panel)[1]


def test_without_a_time_limit_no_remaining_time_is_shown_at_the_start():
    text = "".join(draw_lines(TrainingPanel("en → fr")))
    assert "loading …" in text
    assert "left" not in text
    assert "update" not in text


def test_before_the_updates_the_bar_and_the_message_are_those_of_the_stage():
    stage = ProgressStage("word links", 0.42, "aligners vote", seconds_left=65)
    _, _, bar, figures, _ = draw_lines(TrainingPanel("en → fr", stage))
    assert "word links" in bar
    assert "42 % · 1:05 left" in bar
    assert "update" not in bar
    assert "aligners vote …" in figures


def test_before_the_first_figures_the_updates_have_a_bar_and_a_message():
    _, _, bar, figures, _ = draw_lines(TrainingPanel("en → fr", None, max_steps=1500))
    assert "update 0 of 1,500" in bar
    assert "first updates …" in figures


def test_loss_and_bleu_are_curves_or_lines_in_a_small_window():
    tall, small = (
        [
            line
            for line in draw_lines(running_panel(), height=height)
            if "BLEU" in line or "⠉" in line
        ]
        for height in (40, 13)
    )
    assert "5.90 → 3.21" in tall[0]
    assert "BLEU  21.0 at 12,000  best 22.0" in tall[0]
    assert len(tall) > 1
    assert [line[2:7] for line in small] == ["BLEU "]


def test_without_unicode_the_panel_is_ascii():
    class Ascii(io.StringIO):
        encoding = "ascii"

    output = Ascii()
    panel = running_panel(title="en-fr")
    Console(file=output, width=80, height=40, legacy_windows=False).print(panel)
    assert output.getvalue().isascii()


def test_the_stop_message_is_shown_before_the_first_stage():
    panel = TrainingPanel("en → fr", stopping="saving, then stopping")
    assert "saving, then stopping" in "".join(draw_lines(panel))


def test_an_ended_panel_shows_its_result_and_no_remaining_time():
    panel = running_panel(max_seconds=9999.0)
    panel.end("finished: all updates made", True)
    lines = draw_lines(panel)
    assert "✓ network  ✓ graphs" in lines[1]
    assert "1:02:03" in lines[1]
    assert "left" not in lines[1]
    assert "100 %" in lines[2]
    assert "finished: all updates made" in lines[3]
