"""Compare graphs run by ONNX Runtime with the networks that they were traced from."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx

from attn_cli.bundles import manifest
from attn_cli.export.graph_files import write_graphs
from attn_cli.inference.engines.interface import (
    AlignmentModel,
    IncrementalDecoder,
    PaddedWords,
    StepOutput,
)
from attn_cli.inference.engines.onnx import OnnxAligner, OnnxDecoder
from attn_cli.inference.engines.torch import TorchDecoder
from attn_cli.types import BOS, EOS, PAD, IntArray

#: Maximum difference of fp32 graphs: in log-probabilities, weights and link probabilities.
TOLERANCE = 1e-4

#: Batches that both engines run: sentences, length of the longest one, beam size.
_BATCHES = ((1, 1, 1), (1, 9, 5), (3, 6, 1), (4, 13, 3), (7, 30, 5))
_STEPS = 6


def max_difference(
    graphs: Mapping[str, onnx.ModelProto],
    decoder: TorchDecoder | None,
    aligner: AlignmentModel | None,
    vocab: tuple[int, int],
) -> float:
    """Return the largest difference between the graphs' results and those of torch."""
    differences = []
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_graphs(folder, graphs)
        if decoder:
            other = OnnxDecoder(folder, decoder.heads, shortlist=decoder.shortlist)
            differences.append(compare_decoders(decoder, other, vocab))
            if decoder.shortlist:  # the whole vocabulary too
                whole = TorchDecoder(decoder.network, decoder.heads)
                other = OnnxDecoder(folder, decoder.heads)
                differences.append(compare_decoders(whole, other, vocab))
        if aligner:
            graph = OnnxAligner(folder / manifest.WORD_ALIGNER_GRAPH)
            differences.append(compare_aligners(aligner, graph, vocab))
        return max(differences, default=0.0)


def compare_decoders(
    first: IncrementalDecoder, second: IncrementalDecoder, vocab: tuple[int, int]
) -> float:
    """Return the largest difference of two decoders' outputs over random searches.

    Rows are reordered, dropped and repeated between steps; a step of forced decoding follows.
    """
    rng = np.random.default_rng(1)
    decoders = first, second
    worst = 0.0
    for batch, size, beam in _BATCHES:
        ids, lengths = _random_lines(rng, batch, size, vocab[0])
        states = [decoder.start(decoder.encode(ids, lengths), beam) for decoder in decoders]
        rows = batch
        for step in range(_STEPS):
            previous = rng.integers(0, vocab[1], rows).astype(np.int32)
            target = rng.integers(0, vocab[1], rows).astype(np.int32)
            outputs = [
                decoder.step(state, previous, target)
                for decoder, state in zip(decoders, states, strict=True)
            ]
            worst = max(worst, _output_difference(*outputs))
            size_after = min(rows * beam, batch * beam) if step % 2 else rows
            order = np.sort(rng.integers(0, rows, size_after).astype(np.int32))
            states = [
                decoder.reorder(output.state, order)
                for decoder, output in zip(decoders, outputs, strict=True)
            ]
            rows = len(order)
        states = [decoder.start(decoder.encode(ids, lengths), 0) for decoder in decoders]
        target = rng.integers(0, vocab[1], batch).astype(np.int32)
        previous = np.full(batch, BOS, np.int32)
        outputs = [
            decoder.step(state, previous, target)
            for decoder, state in zip(decoders, states, strict=True)
        ]
        worst = max(worst, _output_difference(*outputs))
    return worst


def compare_aligners(
    first: AlignmentModel, second: AlignmentModel, vocab: tuple[int, int]
) -> float:
    """Return the largest difference of two word aligners' outputs over random pairs."""
    rng = np.random.default_rng(2)
    worst = 0.0
    for batch, size, _ in _BATCHES:
        sides = [_random_words(rng, batch, size + extra, v) for extra, v in enumerate(vocab)]
        outputs = first.align(*sides), second.align(*sides)
        worst = max(worst, _max_abs_diff(list(zip(*outputs, strict=True))))
    return worst


def _output_difference(first: StepOutput, second: StepOutput) -> float:
    assert first.target_logp is not None
    assert second.target_logp is not None
    return _max_abs_diff(
        [
            (first.logp, second.logp),
            (first.target_logp, second.target_logp),
            (first.weights, second.weights),
        ]
    )


def _max_abs_diff(pairs: list[tuple[Any, Any]]) -> float:
    """Return the largest difference within the pairs of arrays; infinity if one is not finite."""
    worst = [np.subtract(a, b, where=a != b, out=np.zeros_like(a)) for a, b in pairs]
    worst = [np.abs(each).max() for each in worst if each.size]
    return float(np.max(worst, initial=0)) if np.isfinite(worst).all() else float("inf")


def _random_lines(
    rng: np.random.Generator, batch: int, size: int, vocab: int
) -> tuple[IntArray, IntArray]:
    """Sample ids (B, S) that end with EOS, then PAD, and their lengths (B,), of which one is S."""
    lengths = rng.integers(1, size + 1, batch).astype(np.int32)
    lengths[rng.integers(batch)] = size
    ids = rng.integers(EOS + 1, vocab, (batch, size)).astype(np.int32)
    positions = np.arange(size)[None, :]
    ids[positions == lengths[:, None] - 1] = EOS
    ids[positions >= lengths[:, None]] = PAD
    return ids, lengths


def _random_words(rng: np.random.Generator, batch: int, size: int, vocab: int) -> PaddedWords:
    """Sample lines of at most `size` pieces, grouped into words at random."""
    ids, lengths = _random_lines(rng, batch, size + 1, vocab)
    word_ids = np.full(ids.shape, -1, np.int32)
    for row, length in zip(word_ids, lengths, strict=True):
        pieces = max(1, int(length) - 1)
        row[:pieces] = np.cumsum(rng.random(pieces) < 0.6)
        row[:pieces] -= row[0]
    return PaddedWords(ids, word_ids)
