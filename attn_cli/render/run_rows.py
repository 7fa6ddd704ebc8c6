"""The rows of a table of trainings, in plain text."""

from collections.abc import Sequence
from dataclasses import dataclass

from attn_cli.render.curves import Point


@dataclass(frozen=True)
class RunRow:
    """One training; `differs` are the keys of its recipe that differ from those of the others."""

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
    """Return the cells of a run, in plain text."""
    return (
        row.name,
        row.state,
        f"{row.updates}",
        f"{row.minutes:.1f}",
        "-" if row.loss is None else f"{row.loss:.3f}",
        "-" if row.bleu is None else f"{row.bleu:.1f}",
        row.differs or "-",
    )
