"""The live panel of a training, drawn by hand-written values at several sizes."""

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


def drawn(panel: TrainingPanel, *, width: int = 80, height: int = 40, **how) -> list[str]:
    paper = io.StringIO()
    Console(file=paper, width=width, height=height, **how).print(panel)
    return paper.getvalue().splitlines()


def busy(**fields) -> TrainingPanel:
    """A panel in the middle of a long training."""
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


def test_how_far_attention_is_from_its_links_stands_beside_the_loss_and_fits_eighty_columns():
    figures = drawn(busy())[3]  # the frame, the phases, the bar, the figures
    assert "loss 3.210  attention 0.42  epoch 12  12,345 pieces/s" in figures


def test_without_guidance_nothing_is_said_of_attention():
    assert "attention" not in drawn(busy(guided=None))[3]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("height", [16, 24, 50])
def test_a_panel_fits_the_window_whatever_its_size(width, height):
    lines = drawn(busy(notes=["a note " * 50]), width=width, height=height)
    assert all(len(line) <= width for line in lines)
    assert len(lines) <= height
    assert any("vois" in line for line in lines)


def test_the_phases_are_told_apart_and_the_one_that_runs_has_its_number():
    phases = drawn(busy(left_out={2}))[1]
    assert "✓ text  – word aligner  ● network 3/4  ○ graphs" in phases


def test_the_time_left_counts_down_from_when_it_was_told():
    now = [100.0]
    panel = busy(elapsed=lambda: now[0])
    panel.set_seconds_left(75.0)
    now[0] += 10.0
    assert "1:50 · 1:05 left" in drawn(panel)[1]


def test_a_limit_says_what_is_left_from_the_first_second():
    panel = TrainingPanel("en → fr", elapsed=lambda: 3.0, max_seconds=180.0)
    assert "0:03 · 2:57 left" in drawn(panel)[1]


def test_without_a_limit_nothing_is_promised_before_it_is_known():
    shown = "".join(drawn(TrainingPanel("en → fr")))
    assert "loading …" in shown
    assert "left" not in shown
    assert "update" not in shown


def test_before_the_updates_the_bar_and_the_sentence_are_those_of_the_stage():
    stage = ProgressStage("word links", 0.42, "aligners vote", seconds_left=65)
    _, _, bar, figures, _ = drawn(TrainingPanel("en → fr", stage))
    assert "word links" in bar
    assert "42 % · 1:05 left" in bar
    assert "update" not in bar
    assert "aligners vote …" in figures


def test_until_the_first_figures_come_the_updates_have_a_bar_and_a_sentence():
    _, _, bar, figures, _ = drawn(TrainingPanel("en → fr", None, max_steps=1500))
    assert "update 0 of 1,500" in bar
    assert "first updates …" in figures


def test_the_loss_and_bleu_are_curves_and_in_a_small_window_a_line_each():
    tall, small = (
        [line for line in drawn(busy(), height=height) if "BLEU" in line or "⠉" in line]
        for height in (40, 13)
    )
    assert "5.90 → 3.21" in tall[0]
    assert "BLEU  21.0 at 12,000  best 22.0" in tall[0]
    assert len(tall) > 1
    assert [line[2:7] for line in small] == ["BLEU "]


def test_without_unicode_nothing_but_ascii_is_drawn():
    class Ascii(io.StringIO):
        encoding = "ascii"

    paper = Ascii()
    panel = busy(title="en-fr")
    Console(file=paper, width=80, height=40, legacy_windows=False).print(panel)
    assert paper.getvalue().isascii()


def test_who_wants_it_to_end_is_answered_at_any_stage():
    panel = TrainingPanel("en → fr", stopping="saving, then stopping")
    assert "saving, then stopping" in "".join(drawn(panel))


def test_what_has_ended_says_so_and_stands_still():
    panel = busy(max_seconds=9999.0)
    panel.end("finished: all updates made", True)
    lines = drawn(panel)
    assert "✓ network  ✓ graphs" in lines[1]
    assert "1:02:03" in lines[1]
    assert "left" not in lines[1]
    assert "100 %" in lines[2]
    assert "finished: all updates made" in lines[3]
