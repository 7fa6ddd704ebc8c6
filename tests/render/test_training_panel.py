"""The figures of the live panel of a training."""

import io

from rich.console import Console

from attn_cli.render.training import Stage, TrainingPanel


def drawn(panel: TrainingPanel, *, width: int) -> list[str]:
    paper = io.StringIO()
    Console(file=paper, width=width, height=40).print(panel)
    return paper.getvalue().splitlines()


def test_how_far_attention_is_from_its_links_stands_beside_the_loss_and_fits_eighty_columns():
    panel = TrainingPanel(
        "en → fr",
        stage=None,
        step=12_345,
        max_steps=30_000,
        epoch=11,
        loss=3.21,
        guided=0.4234,
        tokens_per_second=12_345,
        seconds=3723,
    )
    _, _, figures, _ = drawn(panel, width=80)  # the frame, the bar, the figures, the frame
    assert "loss 3.210  attention 0.42  epoch 12" in figures
    assert "1:02:03" in figures


def test_without_guidance_nothing_is_said_of_attention():
    assert "attention" not in "".join(
        drawn(TrainingPanel("en → fr", stage=None, loss=3.21), width=80)
    )


def test_before_the_updates_the_bar_and_the_sentence_are_those_of_the_stage():
    stage = Stage("word links", 0.42, "aligners vote", seconds_left=65)
    _, bar, figures, _ = drawn(TrainingPanel("en → fr", stage), width=80)
    assert "word links" in bar
    assert "42 % · 1:05 left" in bar
    assert "update" not in bar
    assert "aligners vote …" in figures


def test_at_first_the_text_is_read_and_no_update_is_promised():
    shown = "".join(drawn(TrainingPanel("en → fr"), width=80))
    assert "reading the text …" in shown
    assert "update" not in shown
    assert "left" not in shown


def test_until_the_first_figures_come_the_updates_have_a_bar_and_a_sentence():
    _, bar, figures, _ = drawn(TrainingPanel("en → fr", None, max_steps=1500), width=80)
    assert "update 0 of 1,500" in bar
    assert "first updates …" in figures


def test_who_wants_it_to_end_is_answered_at_any_stage():
    panel = TrainingPanel("en → fr", stopping="saving, then leaving")
    assert "saving, then leaving" in "".join(drawn(panel, width=80))
