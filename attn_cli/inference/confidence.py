"""Estimate the quality of a translation from 0 to 1 by the log-probabilities of its search.

A `Calibration` estimates the sentence chrF (0 to 1) of a translation from six features, by a
logistic function fitted to translations whose chrF is known (fractional logistic regression:
Papke & Wooldridge 1996). Over these the mean of the estimates is the mean of the chrF. Literals,
which are copied, count in no feature.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attn_cli.alignment.merge import label_units
from attn_cli.data.sentencepiece_model import SPACE
from attn_cli.errors import DataError, ModelError
from attn_cli.inference.hypothesis_tables import sum_logp
from attn_cli.types import FloatArray, Hypothesis, TokenizedLine

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

#: Fewest pairs that a calibration is fitted to.
MIN_PAIRS = 50

#: Lower log-probabilities count as this.
_LOWEST_LOGP = -30.0

_RIDGE = 1e-3
_ITERATIONS = 50
_VERSION = 1


class Evidence(NamedTuple):
    """The log-probabilities and sizes of a translated line, without its literals.

    `piece_logp` (T,) and `word_logp` (W,) are the log-probabilities of the target's pieces, EOS
    included, and words. `source_words`, `source_pieces` and `source_letters` count the words, the
    pieces and the characters of the source, without EOS.
    """

    piece_logp: FloatArray
    word_logp: FloatArray
    source_words: int
    source_pieces: int
    source_letters: int

    @classmethod
    def of(
        cls,
        source: TokenizedLine,
        target: TokenizedLine,
        hypothesis: Hypothesis,
        *,
        is_copied: NDArray[np.bool_],
    ) -> "Evidence":
        """Return the evidence of a translation; `is_copied` (T,) marks placeholder pieces."""
        words = label_units(target, "word")
        is_translated = np.ones(len(words.labels), bool)
        is_translated[words.unit_ids[is_copied & (words.unit_ids >= 0)]] = False
        word_logp = np.array(sum_logp(hypothesis, words), np.float32)
        literals = {literal.word for literal in source.literals}
        pieces_of_text = [
            piece
            for piece, word in zip(source.pieces[:-1], source.word_ids[:-1].tolist(), strict=True)
            if word not in literals
        ]
        return cls(
            hypothesis.token_logp[~is_copied],
            word_logp[is_translated],
            source_words=len(source.words) - len(literals),
            source_pieces=len(pieces_of_text),
            source_letters=sum(len(piece.strip(SPACE)) for piece in pieces_of_text),
        )

    @classmethod
    def join(cls, parts: "Sequence[Evidence]") -> "Evidence":
        """Return the evidence of a line that is translated in one or more parts."""
        return cls(
            np.concatenate([part.piece_logp for part in parts]),
            np.concatenate([part.word_logp for part in parts]),
            sum(part.source_words for part in parts),
            sum(part.source_pieces for part in parts),
            sum(part.source_letters for part in parts),
        )

    def features(self) -> Floats:
        """Return the values (F,) of `FEATURES`."""
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

    z (F,) are the features less their `mean`, divided by their `scale`. It is fitted to the
    `metric` of `pairs` translations, whose mean is `mean_score`.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    pairs: int = 0
    mean_score: float = 0.0
    metric: str = ""

    def __call__(self, evidence: Evidence) -> float:
        """Return the confidence in a translation, from 0 to 1."""
        return self.estimate(evidence.features())

    def estimate(self, features: Floats) -> float:
        """Return the confidence in a translation with these features (F,)."""
        z = (features - self.mean) / self.scale
        return float(_logistic(z @ np.array(self.weights) + self.bias))

    def to_bytes(self) -> bytes:
        """Return the JSON that `from_bytes` reads."""
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
        """Read a calibration. Raises ModelError, which names the file `where`, if it is damaged."""
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
                f"{where} is not a valid calibration",
                "Calibrate the model again: attn models calibrate NAME --pairs FILE.",
            ) from error


def fit(features: Floats, scores: Floats, *, metric: str = "") -> Calibration:
    """Fit a calibration to `scores` (N,), from 0 to 1, of translations with `features` (N, F).

    Maximizes the Bernoulli likelihood with a small ridge penalty by Newton's method, without random
    numbers. Raises DataError for fewer than `MIN_PAIRS` translations.
    """
    count = len(scores)
    if count < MIN_PAIRS:
        raise DataError(
            f"{count} pairs are too few to calibrate confidence", f"Give at least {MIN_PAIRS}."
        )
    mean, scale = features.mean(0), features.std(0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    z = np.column_stack([(features - mean) / scale, np.ones(count)])  # (N, F + 1)
    penalty = _RIDGE * count * np.append(np.ones(features.shape[1]), 1e-6)  # (F + 1,)
    weights = np.zeros(z.shape[1])
    for _ in range(_ITERATIONS):
        estimate = _logistic(z @ weights)
        gradient = z.T @ (scores - estimate) - penalty * weights
        curvature = (z * (estimate * (1 - estimate))[:, None]).T @ z + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        weights = weights + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-10:
            break
    *slopes, bias = _round(weights)
    return Calibration(
        _round(mean), _round(scale), tuple(slopes), bias, count, float(scores.mean()), metric
    )


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Return Spearman's rank correlation of two lists; equal numbers share their mean rank.

    It is 0 if all numbers of a list are equal.
    """
    first, second = (ranks - ranks.mean() for ranks in map(_ranks, (one, other)))
    size = np.sqrt((first @ first) * (second @ second))
    return float(first @ second / size) if size else 0.0


def _ranks(values: Sequence[float]) -> Floats:
    _, group, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[group]


def _logistic(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-np.clip(x, -50.0, 50.0)))


def _round(values: Floats) -> tuple[float, ...]:
    return tuple(float(f"{value:.8g}") for value in values)


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or not np.isfinite(value):
        raise ValueError
    return float(value)
