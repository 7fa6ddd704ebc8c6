"""How good a translation probably is: what a search knows of it becomes a number from 0 to 1.

Knows log-probabilities and counts; no network, no text and no file.

A `Calibration` estimates the sentence chrF (0 to 1) of a translation from six features of it, by a
logistic function that was fitted to translations whose chrF is known (fractional logistic
regression: Papke & Wooldridge 1996). The mean of its estimates over those is the mean of their
chrF. Literals, which are copied, are no evidence of anything and count in no feature.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attn_cli.errors import DataError, ModelError
from attn_cli.types import FloatArray

Floats = NDArray[np.float64]

#: The features, in the order of `Evidence.features`.
FEATURES = (
    "mean_logp",
    "word_probability",
    "log_piece_ratio",
    "log_word_ratio",
    "letters_per_piece",
    "log_source_pieces",
)

#: Pairs without which no calibration is fitted.
LEAST_PAIRS = 50

#: A log-probability below this counts as this.
_LOWEST_LOGP = -30.0

_RIDGE = 1e-3
_ITERATIONS = 50
_VERSION = 1


class Evidence(NamedTuple):
    """What is known of one translation, or of the parts of one line together.

    `piece_logp` (T,) and `word_logp` (W,) are the log-probabilities of its target pieces, end
    included, and words; `source_words` and `source_pieces` count those of the source without its
    end, and `source_letters` the letters and signs that they spell. All are without literals.
    """

    piece_logp: FloatArray
    word_logp: FloatArray
    source_words: int
    source_pieces: int
    source_letters: int

    @classmethod
    def join(cls, parts: "Sequence[Evidence]") -> "Evidence":
        """The evidence of a line that was translated in parts, of which there is at least one."""
        return cls(
            np.concatenate([part.piece_logp for part in parts]),
            np.concatenate([part.word_logp for part in parts]),
            sum(part.source_words for part in parts),
            sum(part.source_pieces for part in parts),
            sum(part.source_letters for part in parts),
        )

    def features(self) -> Floats:
        """(F,) the values of `FEATURES`."""
        pieces, words = (
            np.maximum(logp.astype(np.float64), _LOWEST_LOGP) if len(logp) else np.zeros(1)
            for logp in (self.piece_logp, self.word_logp)
        )
        size = self.source_pieces
        return np.array(
            [
                pieces.mean(),
                np.exp(words).mean(),
                np.log((len(pieces) + 1) / (size + 1)),
                np.log((len(words) + 1) / (self.source_words + 1)),
                self.source_letters / max(1, size),
                np.log1p(size),
            ]
        )


@dataclass(frozen=True)
class Calibration:
    """An estimate of sentence chrF: the logistic function of `bias` + `weights` · z.

    z (F,) are the features less their `mean`, divided by their `scale`. `pairs` tells to how many
    translations it was fitted, `metric` what of them, and `mean_score` the mean of that.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    pairs: int = 0
    mean_score: float = 0.0
    metric: str = ""

    def __call__(self, evidence: Evidence) -> float:
        """The confidence in a translation, from 0 to 1."""
        return self.estimate(evidence.features())

    def estimate(self, features: Floats) -> float:
        """The same from its features (F,)."""
        z = (features - self.mean) / self.scale
        return float(_logistic(z @ np.array(self.weights) + self.bias))

    def to_bytes(self) -> bytes:
        """What `from_bytes` reads: JSON."""
        record = {
            "version": _VERSION,
            "metric": self.metric,
            "pairs": self.pairs,
            "mean_score": round(self.mean_score, 4),
            "bias": self.bias,
            "features": {
                name: {"mean": mean, "scale": scale, "weight": weight}
                for name, mean, scale, weight in zip(
                    FEATURES, self.mean, self.scale, self.weights, strict=True
                )
            },
        }
        return (json.dumps(record, indent=2) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, *, where: str) -> "Calibration":
        """The calibration in a file of a model; `where` names it in a ModelError."""
        try:
            record = json.loads(data)
            features = record["features"]
            if record["version"] != _VERSION or tuple(features) != FEATURES:
                raise ValueError
            mean, scale, weights = (
                tuple(_number(features[name][key]) for name in FEATURES)
                for key in ("mean", "scale", "weight")
            )
            if min(scale) <= 0:
                raise ValueError
            return cls(
                mean,
                scale,
                weights,
                bias=_number(record["bias"]),
                pairs=int(record["pairs"]),
                mean_score=_number(record["mean_score"]),
                metric=str(record["metric"]),
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ModelError(
                f"{where} is no calibration that this program can read",
                "Calibrate the model again: attn models calibrate NAME --pairs FILE.",
            ) from error


def fit(features: Floats, scores: Floats, *, metric: str = "") -> Calibration:
    """The calibration that estimates `scores` (N,), from 0 to 1, from their `features` (N, F).

    Maximizes the Bernoulli likelihood with a small ridge penalty by Newton's method; without random
    numbers. Raises DataError for fewer than `LEAST_PAIRS` translations.
    """
    count = len(scores)
    if count < LEAST_PAIRS:
        raise DataError(
            f"{count} pairs are too few to calibrate confidence", f"Give at least {LEAST_PAIRS}."
        )
    mean, scale = features.mean(0), features.std(0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    z = np.column_stack([(features - mean) / scale, np.ones(count)])  # (N, F + 1)
    penalty = _RIDGE * count * np.append(np.ones(features.shape[1]), 1e-6)  # hardly on the bias
    weights = np.zeros(z.shape[1])
    for _ in range(_ITERATIONS):
        estimate = _logistic(z @ weights)
        gradient = z.T @ (scores - estimate) - penalty * weights
        curvature = (z * (estimate * (1 - estimate))[:, None]).T @ z + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        weights = weights + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-10:
            break
    *slopes, bias = _rounded(weights)
    return Calibration(
        _rounded(mean), _rounded(scale), tuple(slopes), bias, count, float(scores.mean()), metric
    )


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's rank correlation of two lists of numbers; equal numbers share their mean rank.

    0 where all numbers of a list are equal.
    """
    first, second = (ranks - ranks.mean() for ranks in map(_ranks, (one, other)))
    size = np.sqrt((first @ first) * (second @ second))
    return float(first @ second / size) if size else 0.0


def _ranks(values: Sequence[float]) -> Floats:
    _, place, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]


def _logistic(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-np.clip(x, -50.0, 50.0)))


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(float(f"{value:.8g}") for value in values)


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or not np.isfinite(value):
        raise ValueError
    return float(value)
