"""Write a training's events for TensorBoard, with torch's writer."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attn_cli.training import events

#: The folder of the event files in the model's folder.
FOLDER = "tensorboard"


@contextmanager
def tensorboard_listener(out: Path) -> Iterator[events.Listener]:
    """Yield a listener that writes curves into a folder of `out`, or continues them."""
    from torch.utils.tensorboard import SummaryWriter

    writer: SummaryWriter | None = None

    def listen(event: events.Event) -> None:
        nonlocal writer
        if isinstance(event, events.TrainingStarted):
            # Discard points that a killed process wrote after its last checkpoint.
            writer = SummaryWriter(str(out / FOLDER), purge_step=event.step + 1)
        if writer is not None and isinstance(event, events.Progress | events.ValidationFinished):
            for name, value in scalars(event).items():
                writer.add_scalar(name, value, event.step)

    try:
        yield listen
    finally:
        if writer is not None:
            writer.close()


def scalars(event: events.Event) -> dict[str, float]:
    """Return the values of an event by the names of their curves."""
    match event:
        case events.Progress():
            values = {
                "train/loss": event.loss,
                "train/learning_rate": event.learning_rate,
                "train/pieces_per_second": event.tokens_per_second,
            }
            guided = {} if event.guided is None else {"train/guided_loss": event.guided}
            return values | guided
        case events.ValidationFinished():
            return {
                "validation/loss": event.loss,
                "validation/BLEU": event.bleu,
                "validation/chrF": event.chrf,
            }
        case _:
            return {}
