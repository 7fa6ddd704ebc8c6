"""Early stopping, and the ranking of validations."""

from dataclasses import dataclass

from attn_cli.types import SoftAlignment


@dataclass(frozen=True)
class ValidationScores:
    """The scores of a network on the validation pairs."""

    loss: float
    bleu: float
    chrf: float
    sample: SoftAlignment | None = None


@dataclass(frozen=True)
class ValidationResult:
    """The result of the validation at update `step`."""

    step: int
    bleu: float
    loss: float

    @property
    def sort_key(self) -> tuple[float, float]:
        """Higher is better: BLEU first, the lower loss between equals."""
        return (self.bleu, -self.loss)


def best_results(history: list[ValidationResult], keep: int) -> list[ValidationResult]:
    """The `keep` best validations, best first; the earlier of equals."""
    return sorted(history, key=lambda s: s.sort_key, reverse=True)[:keep]


def is_out_of_patience(history: list[ValidationResult], patience: int) -> bool:
    """True when the last `patience` validations brought no better BLEU (0: never)."""
    if not patience or len(history) <= patience:
        return False
    before = max(s.bleu for s in history[:-patience])
    return all(s.bleu <= before for s in history[-patience:])
