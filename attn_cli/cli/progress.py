"""Report the events of a training: in its log, and as a live panel or as plain lines."""

import contextlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from attn_cli.console import Console
from attn_cli.errors import TrainingError
from attn_cli.render.training import ProgressStage, TrainingPanel, ValidationRow, clock
from attn_cli.training import events

LOG = "log.jsonl"

#: The message after a request to stop: where the work is saved, and where it is not.
SAVING = "saving, then stopping; interrupt again to stop at once"
LEAVING = "stopping soon; interrupt again to stop at once"


class ProgressSink(NamedTuple):
    """Receives each event of a training, and the request to stop."""

    listen: events.Listener
    stopping: Callable[[], None]


@contextmanager
def report_progress(
    console: Console,
    out: Path,
    title: str,
    *,
    anew: bool,
    stopping: str = SAVING,
    max_seconds: float = math.inf,
) -> Iterator[ProgressSink]:
    """Yield what writes each event to the log, and shows it on a panel or as a line.

    With `anew` the log is truncated, else continued. `stopping` is the message after a request to
    stop. The panel counts the seconds from the start of the command, and to `max_seconds` if that
    is finite.
    """
    panel = TrainingPanel(
        title,
        elapsed=lambda: time.monotonic() - console.started,
        max_seconds=max_seconds if math.isfinite(max_seconds) else None,
    )
    with (
        _log(out / LOG, anew=anew) as write,
        _panel(console, panel, stopping)
        if console.draws_progress
        else _lines(console, stopping) as shown,
    ):

        def listen(event: events.Event) -> None:
            write(event)
            shown.listen(event)

        yield ProgressSink(listen, shown.stopping)


def ignore(event: events.Event) -> None:
    """Do nothing, in a worker whose events the main worker reports."""


@contextmanager
def _log(path: Path, *, anew: bool) -> Iterator[events.Listener]:
    def refused(error: OSError) -> TrainingError:
        hint = "Free some space there, or choose another --out."
        return TrainingError(f"cannot write {path}: {error.strerror}", hint)

    def write(event: events.Event) -> None:
        row = {"time": round(time.time(), 3), **events.record(event)}
        try:
            os.write(log, (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "replace"))
        except OSError as error:
            raise refused(error) from error

    try:
        log = os.open(path, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if anew else os.O_APPEND), 0o666)
    except OSError as error:
        raise refused(error) from error
    try:
        yield write
    finally:
        os.close(log)


@contextmanager
def _lines(console: Console, message: str) -> Iterator[ProgressSink]:
    def stopping() -> None:
        with contextlib.suppress(RuntimeError, OSError):  # a signal in the middle of a line
            console.info(f"attn: {message}")

    yield ProgressSink(lambda event: console.info(line(event)), stopping)


def line(event: events.Event) -> str:
    """Return the event as one plain line."""
    return _preparing(event) if isinstance(event, events.Preparing) else _training(event)


def _workers(event: events.TrainingStarted) -> str:
    """Return the workers and their threads: `2 workers of 1 thread`."""
    threads = f"{event.threads} thread" + "s" * (event.threads != 1)
    return threads if event.workers == 1 else f"{event.workers} workers of {threads}"


def _training(event: events.Training) -> str:
    match event:
        case events.TrainingStarted():
            return (
                f"network: {event.parameters / 1e6:.1f}M parameters on {event.device}, "
                f"{event.precision}, {_workers(event)}, "
                f"updates {event.step} to {event.max_steps}"
            )
        case events.Progress():
            guided = "" if event.guided is None else f" attention {event.guided:.2f},"
            return (
                f"update {event.step}: loss {event.loss:.3f},{guided} "
                f"{event.tokens_per_second:.0f} pieces/s, epoch {event.epoch + 1}, "
                f"{clock(event.seconds)}, {clock(event.seconds_left)} left"
            )
        case events.NonFiniteUpdate():
            return f"update {event.step}: NaN, skipped ({event.in_a_row} in a row)"
        case events.ValidationFinished():
            best = ", best so far" if event.best else ""
            return (
                f"validation at {event.step}: loss {event.loss:.3f}, BLEU {event.bleu:.1f}, "
                f"chrF {event.chrf:.1f}{best} ({event.seconds:.0f} s)"
            )
        case events.SentenceTranslated():
            return f"at {event.step}: {event.source} → {event.text}"
        case events.CheckpointsAveraged():
            outcome = "kept" if event.kept else "not kept"
            return (
                f"average of the {event.checkpoints} best: BLEU {event.bleu:.1f} against "
                f"{event.best_bleu:.1f}, {outcome}"
            )
        case events.TrainingFinished():
            return (
                f"done after update {event.step}: {_REASONS[event.reason]}, "
                f"BLEU {event.bleu:.1f}, {clock(event.seconds)}"
            )
        case events.GraphsExported():
            return (
                f"graphs: {event.precision}, {event.bytes / 1e6:.1f} MB, "
                f"maximum difference from torch {event.difference:.0e} ({event.seconds:.0f} s)"
            )
        case events.ConfidenceCalibrated():
            return (
                f"confidence: calibrated on {event.pairs:,} validation pairs, rank correlation "
                f"with sentence chrF {event.correlation:.2f} ({event.seconds:.0f} s)"
            )


def _preparing(event: events.Preparing) -> str:
    match event:
        case events.Phase():
            return f"{event.number}/{len(event.phases)} {event.name}"
        case events.Activity():
            return f"{event.name} …"
        case events.DataPrepared():
            vocabulary = str(event.source_vocab)
            if event.target_vocab != event.source_vocab:
                vocabulary += f" and {event.target_vocab}"
            valid = f"{event.valid_pairs:,} for validation, " if event.valid_pairs else ""
            return (
                f"text: {event.pairs:,} pairs, {valid}{vocabulary} pieces ({event.seconds:.0f} s)"
            )
        case events.Notice():
            return event.message
        case events.AlignmentProgress():
            left = "" if event.seconds_left is None else f", {clock(event.seconds_left)} left"
            return f"word links: aligners at {event.done:.0%}{left}"
        case events.AlignmentsReady():
            origin = "from cache" if event.cached else f"{event.seconds:.0f} s"
            return f"word links: {event.links:,} in {event.pairs:,} pairs ({origin})"
        case events.AlignerTrainingProgress():
            return (
                f"word aligner: update {event.step} of {event.max_steps}, "
                f"loss {event.loss:.3f}, {clock(event.seconds_left)} left"
            )
        case events.AlignerTrained():
            agrees = (
                f"agrees with its training links on {event.pairs:,} held-out pairs, "
                f"precision {event.precision:.0f}, recall {event.recall:.0f}"
            )
            learned = agrees if event.pairs else "trained"
            return f"word aligner: {learned} ({event.seconds:.0f} s)"


_REASONS = {
    "steps": "maximum updates",
    "patience": "BLEU no longer improves",
    "minutes": "time limit",
    "interrupted": "interrupted",
}


@contextmanager
def _panel(console: Console, panel: TrainingPanel, message: str) -> Iterator[ProgressSink]:
    """Draw a panel on the terminal's alternate screen; at the end print it after its lines.

    As in an editor, a change of the window's size leaves no parts of it behind.
    """
    from rich.live import Live

    rich = console.rich(stderr=True)
    lines: list[str] = []
    try:
        with Live(
            panel,
            console=rich,
            screen=True,
            refresh_per_second=8,
            redirect_stdout=False,
            redirect_stderr=False,
        ) as live:

            def show(event: events.Event) -> None:
                if update_panel(panel, event):
                    lines.append(line(event))
                live.refresh()

            def stopping() -> None:
                panel.stopping = message  # drawn with the next refresh

            yield ProgressSink(show, stopping)
        panel.end(*(panel.result or (("interrupted", False) if panel.stopping else ("done", True))))
    except BaseException:
        panel.end("stopped", False)
        raise
    finally:
        for each in lines:
            rich.print(each)
        rich.print(panel)


def update_panel(panel: TrainingPanel, event: events.Event) -> bool:
    """Show an event on the panel; return whether it also gets a line at the end."""
    if isinstance(event, events.Preparing):
        return _show_preparing(panel, event)
    match event:
        case events.TrainingStarted():
            panel.step, panel.max_steps, panel.stage = event.step, event.max_steps, None
        case events.Progress():
            panel.step, panel.max_steps, panel.epoch = event.step, event.max_steps, event.epoch
            panel.loss, panel.guided = event.loss, event.guided
            panel.learning_rate = event.learning_rate
            panel.tokens_per_second = event.tokens_per_second
            panel.losses.append((float(event.step), event.loss))
            panel.set_seconds_left(event.seconds_left)
            panel.stage = None
            return False
        case events.ValidationFinished():
            tried = ValidationRow(event.step, event.loss, event.bleu, event.best)
            panel.history.append(tried)
            panel.step = event.step
            panel.sample = panel.sample if panel.sentence else event.sample
            return False
        case events.SentenceTranslated():
            panel.sample, panel.sentence = event.sample, (event.source, event.text)
            return False
        case events.TrainingFinished():
            panel.step, panel.stopping = event.step, ""
            succeeded = event.reason != "interrupted"
            end = f"finished: {_REASONS[event.reason]}" if succeeded else "interrupted: saved"
            panel.result = f"{end}, BLEU {event.bleu:.1f} after {event.step:,} updates", succeeded
    return True


def _show_preparing(panel: TrainingPanel, event: events.Preparing) -> bool:
    """Do the same for an event before or between the updates."""
    panel.stage = _stage(event) or panel.stage
    match event:
        case events.Phase():
            if (
                panel.phase
                and panel.stage
                and panel.stage.name == "word links"
                and (panel.stage.done != 1.0)
            ):
                panel.left_out.add(panel.phase)  # its time was not enough
            panel.phases, panel.phase = event.phases, event.number
            return False
        case events.Notice():
            panel.notes.append(event.message)
        case events.AlignmentProgress() | events.AlignerTrainingProgress() | events.Activity():
            return False
    return True


def _stage(event: events.Event) -> ProgressStage | None:
    """Return the progress of a stage before the network's updates; None for other events."""
    votes = "statistical aligners vote on word links"
    learns = "a network learns word alignment from these votes"
    match event:
        case events.Activity():
            return ProgressStage(event.name, None, event.name)
        case events.AlignmentProgress():
            return ProgressStage("word links", event.done, votes, event.seconds_left)
        case events.AlignmentsReady():
            return ProgressStage("word links", 1.0, votes)
        case events.AlignerTrainingProgress():
            done = event.step / event.max_steps
            sentence = f"{learns}, loss {event.loss:.3f}"
            return ProgressStage("word aligner", done, sentence, event.seconds_left)
        case events.AlignerTrained():
            return ProgressStage("word aligner", 1.0, learns)
        case _:
            return None
