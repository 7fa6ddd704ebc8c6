"""Who listens to a training: the log always; a live panel on a terminal, plain lines in a pipe."""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from attn_cli.console import Console
from attn_cli.errors import TrainingError
from attn_cli.render.training import Stage, TrainingPanel, Tried, clock
from attn_cli.train import events

LOG = "log.jsonl"

#: What is said when somebody wants it to end: where that is kept for later, and where it is not.
SAVING = "saving, then leaving; once more leaves at once"
LEAVING = "leaving soon; once more leaves at once"


class Watching(NamedTuple):
    """Whoever watches: told each event, and that someone wants it to stop."""

    listen: events.Listener
    stopping: Callable[[], None]


@contextmanager
def watch(
    console: Console, out: Path, title: str, *, anew: bool, stopping: str = SAVING
) -> Iterator[Watching]:
    """Writes each event to the log, begun `anew` or gone on with, and shows it as it can be.

    `stopping` is said when somebody wants it to end.
    """
    live = console.stderr_is_terminal and not console.quiet
    with (
        _log(out / LOG, anew=anew) as write,
        _panel(console, title, stopping) if live else _lines(console, stopping) as shown,
    ):

        def listen(event: events.Event) -> None:
            write(event)
            shown.listen(event)

        yield Watching(listen, shown.stopping)


def ignore(event: events.Event) -> None:
    """What a worker does with events that the main worker tells."""


@contextmanager
def _log(path: Path, *, anew: bool) -> Iterator[events.Listener]:
    def refused(error: OSError) -> TrainingError:
        hint = "Make room there, or choose another --out."
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
def _lines(console: Console, said: str) -> Iterator[Watching]:
    def stopping() -> None:
        with contextlib.suppress(RuntimeError, OSError):  # it came in the middle of a line
            console.say(f"attn: {said}")

    yield Watching(lambda event: console.say(line(event)), stopping)


def line(event: events.Event) -> str:
    """The event as one plain line."""
    return _preparing(event) if isinstance(event, events.Preparing) else _training(event)


def _training(event: events.Training) -> str:
    match event:
        case events.Started():
            return (
                f"network: {event.parameters / 1e6:.1f}M parameters on {event.device}, "
                f"{event.precision}, threads {event.threads}, "
                f"updates {event.step} to {event.max_steps}"
            )
        case events.Progress():
            guided = "" if event.guided is None else f" attention {event.guided:.2f},"
            return (
                f"update {event.step}: loss {event.loss:.3f},{guided} "
                f"{event.tokens_per_second:.0f} pieces/s, epoch {event.epoch + 1}, "
                f"{clock(event.seconds)}, {clock(event.seconds_left)} left"
            )
        case events.Skipped():
            return f"update {event.step}: not a number, left out ({event.in_a_row} in a row)"
        case events.Validated():
            best = ", best so far" if event.best else ""
            return (
                f"validation at {event.step}: loss {event.loss:.3f}, BLEU {event.bleu:.1f}, "
                f"chrF {event.chrf:.1f}{best} ({event.seconds:.0f} s)"
            )
        case events.Averaged():
            kept = "kept" if event.kept else "not kept"
            return (
                f"average of the {event.checkpoints} best: BLEU {event.bleu:.1f} against "
                f"{event.best_bleu:.1f}, {kept}"
            )
        case events.Finished():
            return (
                f"done after update {event.step}: {_REASONS[event.reason]}, "
                f"BLEU {event.bleu:.1f}, {clock(event.seconds)}"
            )
        case events.Exported():
            return (
                f"graphs: {event.precision}, {event.bytes / 1e6:.1f} MB, "
                f"{event.difference:.0e} from torch at most ({event.seconds:.0f} s)"
            )


def _preparing(event: events.Preparing) -> str:
    match event:
        case events.Prepared():
            vocabulary = str(event.source_vocab)
            if event.target_vocab != event.source_vocab:
                vocabulary += f" and {event.target_vocab}"
            kept = f"{event.valid_pairs:,} for validation, " if event.valid_pairs else ""
            return f"text: {event.pairs:,} pairs, {kept}{vocabulary} pieces ({event.seconds:.0f} s)"
        case events.Noticed():
            return event.message
        case events.Linking():
            return f"word links: aligners at {event.done:.0%}"
        case events.Linked():
            found = "read again" if event.cached else f"{event.seconds:.0f} s"
            return f"word links: {event.links:,} in {event.pairs:,} pairs ({found})"
        case events.HeadProgress():
            return (
                f"alignment head: update {event.step} of {event.max_steps}, "
                f"loss {event.loss:.3f}, {clock(event.seconds_left)} left"
            )
        case events.HeadLearned():
            agrees = (
                f"agrees with its teachers on {event.pairs:,} pairs kept apart, "
                f"precision {event.precision:.0f}, recall {event.recall:.0f}"
            )
            learned = agrees if event.pairs else "has learned"
            return f"alignment head: {learned} ({event.seconds:.0f} s)"


_REASONS = {
    "steps": "all updates made",
    "patience": "no better BLEU for a while",
    "minutes": "time is up",
    "interrupted": "interrupted",
}


@contextmanager
def _panel(console: Console, title: str, said: str) -> Iterator[Watching]:
    from rich.live import Live

    panel = TrainingPanel(title)
    rich = console.rich(stderr=True)
    with Live(panel, console=rich, refresh_per_second=4, vertical_overflow="crop") as live:

        def show(event: events.Event) -> None:
            if _tell(panel, event):
                live.console.print(line(event))
            live.refresh()

        def stopping() -> None:
            panel.stopping = said  # drawn with the next refresh

        yield Watching(show, stopping)


def _tell(panel: TrainingPanel, event: events.Event) -> bool:
    """Put the event on the panel; True when it is worth a line above it too."""
    panel.stage = _stage(event) or panel.stage
    match event:
        case events.Linking() | events.HeadProgress():
            return False
        case events.Started():
            panel.step, panel.max_steps, panel.stage = event.step, event.max_steps, None
        case events.Progress():
            panel.step, panel.max_steps, panel.epoch = event.step, event.max_steps, event.epoch
            panel.loss, panel.guided = event.loss, event.guided
            panel.learning_rate = event.learning_rate
            panel.tokens_per_second = event.tokens_per_second
            panel.seconds, panel.seconds_left = event.seconds, event.seconds_left
            return False
        case events.Validated():
            tried = Tried(event.step, event.loss, event.bleu, event.chrf, event.best)
            panel.history.append(tried)
            panel.step, panel.sample = event.step, event.sample
            return False
        case events.Finished():
            panel.step, panel.stopping = event.step, ""
    return True


def _stage(event: events.Event) -> Stage | None:
    """How far that is which comes before the network's updates, if the event is of it."""
    votes = "statistical aligners vote on which words correspond"
    learns = "a network learns from their votes which words correspond"
    match event:
        case events.Linking():
            return Stage("word links", event.done, votes)
        case events.Linked():
            return Stage("word links", 1.0, votes)
        case events.HeadProgress():
            done = event.step / event.max_steps
            sentence = f"{learns}, loss {event.loss:.3f}"
            return Stage("alignment head", done, sentence, event.seconds_left)
        case events.HeadLearned():
            return Stage("alignment head", 1.0, learns)
        case _:
            return None
