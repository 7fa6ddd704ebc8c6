"""What is listed of a training, in plain text. Knows plain numbers; loads no Rich."""

from collections.abc import Sequence
from dataclasses import dataclass

from attn_cli.render.curves import Point


@dataclass(frozen=True)
class RunRow:
    """One training as it is listed; `differs` is what its recipe says that others do not."""

    name: str
    state: str
    updates: int
    minutes: float
    loss: float | None
    bleu: float | None
    differs: str
    losses: Sequence[Point] = ()
    bleus: Sequence[Point] = ()


HEADINGS = ("run", "state", "updates", "minutes", "loss", "BLEU", "differs in")


def cells(row: RunRow) -> tuple[str, ...]:
    """What the table says of a run, in plain text."""
    return (
        row.name,
        row.state,
        f"{row.updates}",
        f"{row.minutes:.1f}",
        "-" if row.loss is None else f"{row.loss:.3f}",
        "-" if row.bleu is None else f"{row.bleu:.1f}",
        row.differs or "-",
    )
