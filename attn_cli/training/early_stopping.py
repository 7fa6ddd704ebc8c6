"""Rank validations, and stop early."""

from dataclasses import dataclass
from typing import Protocol

from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.types import SoftAlignment


@dataclass(frozen=True)
class ValidationScores:
    """The scores of a network on the validation pairs."""

    loss: float
    bleu: float
    chrf: float
    sample: SoftAlignment | None = None


class Validate(Protocol):
    """Validates a network on the validation pairs."""

    def __call__(self, network: Seq2Seq) -> ValidationScores: ...


@dataclass(frozen=True)
class ValidationResult:
    """The result of the validation at update `step`."""

    step: int
    bleu: float
    loss: float

    @property
    def sort_key(self) -> tuple[float, float]:
        """Higher is better: BLEU, then the negative loss."""
        return (self.bleu, -self.loss)


def best_results(history: list[ValidationResult], keep: int) -> list[ValidationResult]:
    """Return the `keep` best validations, best first; of equal ones the earlier."""
    return sorted(history, key=lambda s: s.sort_key, reverse=True)[:keep]


def is_out_of_patience(history: list[ValidationResult], patience: int) -> bool:
    """Whether none of the last `patience` validations improved BLEU; never with patience 0."""
    if not patience or len(history) <= patience:
        return False
    before = max(s.bleu for s in history[:-patience])
    return all(s.bleu <= before for s in history[-patience:])
