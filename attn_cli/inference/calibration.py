"""Calibrate the confidence of a model on held-out pairs.

The sources are translated as by `attn translate`; `confidence.fit` is fitted to the sentence chrF
of each translation against its target.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from attn_cli import evaluation
from attn_cli.bundles.bundle import Bundle
from attn_cli.data.casing import CaseRules
from attn_cli.errors import DataError
from attn_cli.inference.beam_search import SearchConfig
from attn_cli.inference.confidence import MIN_PAIRS, Calibration, fit, rank_correlation
from attn_cli.inference.generation import Generator
from attn_cli.inference.translator import Translator
from attn_cli.types import InputLine

#: Most pairs that are used; of more pairs, an even sample.
MAX_PAIRS = 1000

#: Pairs translated together; the time limit is checked after each chunk.
_CHUNK = 50


@dataclass(frozen=True)
class CalibrationResult:
    """A calibration and two rank correlations with sentence chrF, on the pairs of the fit.

    `correlation` is that of its estimates, `logp_correlation` that of the mean log-probability per
    piece.
    """

    calibration: Calibration
    correlation: float
    logp_correlation: float

    def sentence(self) -> str:
        """Return the result as a sentence."""
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
) -> CalibrationResult:
    """Fit the confidence of a model to `pairs` of source and target, at most `MAX_PAIRS` of them.

    Stops translating after about `max_seconds`. Leaves out pairs with a blank side or nothing to
    translate. `on_progress` receives the number of translated pairs and of all.
    Raises DataError if fewer than `confidence.MIN_PAIRS` are left.
    """
    start = time.monotonic()
    decode = bundle.recipe.decode
    translator = Translator(
        generator,
        bundle.source,
        bundle.target,
        SearchConfig.of(decode),
        split_over=decode.split_longer_than,
        clauses_over=decode.split_clauses_longer_than,
        case_rules=CaseRules.of(decode),
    )
    pairs = [pair for pair in pairs if all(map(str.strip, pair))]
    chunks = _chunks(pairs)
    features, scores = [], []
    for number, chunk in enumerate(chunks):
        on_progress(number * _CHUNK, sum(map(len, chunks)))
        per_chunk = (time.monotonic() - start) / max(1, number)
        if time.monotonic() - start + per_chunk > max_seconds:
            break
        results = translator.translate_with_evidence([InputLine(1, source) for source, _ in chunk])
        chrf = evaluation.sentence_chrf(
            [each.text for each, _ in results], [target for _, target in chunk]
        )
        for (_, evidence), percent in zip(results, chrf, strict=True):
            if evidence is not None:
                features.append(evidence.features())
                scores.append(percent / 100)
    if len(scores) < MIN_PAIRS:
        raise DataError(
            f"{len(scores)} translated pairs are too few to calibrate confidence",
            f"Give at least {MIN_PAIRS} pairs that the model was not trained on.",
        )
    matrix = np.array(features)
    calibration = fit(matrix, np.array(scores), metric="chrF2 of a sentence, sacrebleu")
    estimates = [calibration.estimate(row) for row in matrix]
    return CalibrationResult(
        calibration,
        rank_correlation(estimates, scores),
        rank_correlation(matrix[:, 0].tolist(), scores),
    )


def _chunks(pairs: Sequence[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Return at most `MAX_PAIRS` pairs in chunks, each an even sample of all."""
    step = max(1.0, len(pairs) / MAX_PAIRS)
    sample = [pairs[int(index * step)] for index in range(min(len(pairs), MAX_PAIRS))]
    count = -(-len(sample) // _CHUNK)
    return [sample[start::count] for start in range(count)]
