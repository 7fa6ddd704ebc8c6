"""A model's confidence, fitted to pairs that it has not learned from. Knows no file.

The sources are translated as `attn translate` does, and the sentence chrF of each translation
against its target is what `confidence.fit` estimates from the evidence.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from attn_cli import evaluation
from attn_cli.bundles.bundle import Bundle
from attn_cli.errors import DataError
from attn_cli.inference.beam_search import SearchConfig
from attn_cli.inference.confidence import LEAST_PAIRS, Calibration, fit, rank_correlation
from attn_cli.inference.generation import Generator
from attn_cli.inference.translator import Translator
from attn_cli.types import InputLine

#: Pairs to which it is fitted at most: of more, an even share.
MOST_PAIRS = 1000

#: Pairs translated together, between two looks at the clock.
_CHUNK = 50


@dataclass(frozen=True)
class Calibrated:
    """A calibration and, on the pairs that it was fitted to, the rank correlation with sentence
    chrF of its estimates and of the plain mean log-probability a piece."""

    calibration: Calibration
    correlation: float
    logp_correlation: float

    def sentence(self) -> str:
        """What came of it, for people."""
        return (
            f"confidence is calibrated on {self.calibration.pairs:,} pairs: rank correlation with "
            f"sentence chrF {self.correlation:.2f}, of the mean log-probability "
            f"{self.logp_correlation:.2f}"
        )


def calibrate(
    bundle: Bundle,
    generator: Generator,
    pairs: Sequence[tuple[str, str]],
    *,
    max_seconds: float = float("inf"),
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> Calibrated:
    """Fit the confidence of a model to `pairs` of source and target, of at most `MOST_PAIRS`.

    Uses what was translated in about `max_seconds`. Pairs with a blank side or nothing to translate
    are left out. Raises DataError where fewer than `confidence.LEAST_PAIRS` are left.
    """
    began = time.monotonic()
    decode = bundle.recipe.decode
    translator = Translator(
        generator,
        bundle.source,
        bundle.target,
        SearchConfig.of(decode),
        split_over=decode.split_longer_than,
        capitals=decode.handle_all_caps,
    )
    pairs = [pair for pair in pairs if all(map(str.strip, pair))]
    chunks = _chunks(pairs)
    features, scores = [], []
    for number, chunk in enumerate(chunks):
        on_progress(number * _CHUNK, sum(map(len, chunks)))
        per_chunk = (time.monotonic() - began) / max(1, number)
        if time.monotonic() - began + per_chunk > max_seconds:
            break
        found = translator.translate_with_evidence([InputLine(1, source) for source, _ in chunk])
        chrf = evaluation.sentence_chrf(
            [each.text for each, _ in found], [target for _, target in chunk]
        )
        for (_, evidence), percent in zip(found, chrf, strict=True):
            if evidence is not None:
                features.append(evidence.features())
                scores.append(percent / 100)
    if len(scores) < LEAST_PAIRS:
        raise DataError(
            f"{len(scores)} translated pairs are too few to calibrate confidence",
            f"Give at least {LEAST_PAIRS} pairs that the model has not learned from.",
        )
    matrix = np.array(features)
    calibration = fit(matrix, np.array(scores), metric="chrF2 of a sentence, sacrebleu")
    estimates = [calibration.estimate(row) for row in matrix]
    return Calibrated(
        calibration,
        rank_correlation(estimates, scores),
        rank_correlation(matrix[:, 0].tolist(), scores),
    )


def _chunks(pairs: Sequence[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """At most `MOST_PAIRS` pairs in chunks, each of them spread evenly over all."""
    step = max(1.0, len(pairs) / MOST_PAIRS)
    taken = [pairs[int(place * step)] for place in range(min(len(pairs), MOST_PAIRS))]
    count = -(-len(taken) // _CHUNK)
    return [taken[start::count] for start in range(count)]
