"""Read and load SentencePiece models; normalize the scores of their segmentations."""

import math
from collections.abc import Mapping
from pathlib import Path

import sentencepiece

from attn_cli.data.tokenizer_interface import ScoredSegmentations
from attn_cli.errors import ModelError

Processor = sentencepiece.SentencePieceProcessor

#: The character for a space in the pieces of SentencePiece.
SPACE = "\u2581"

#: Only fatal errors of SentencePiece are logged.
LOG_LEVEL = 3


def read_model(path: Path) -> bytes:
    """Return the bytes of a model file. Raises ModelError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"cannot read the tokenizer {path}: {error.strerror}",
            "Check the name, or copy the model again.",
        ) from error


def load_processor(model: bytes, where: str, hint: str = "Copy the model again.") -> Processor:
    """Load a serialized model. Raises ModelError, naming `where`, with `hint` if it is not one."""
    sentencepiece.set_min_log_level(LOG_LEVEL)
    processor = Processor()
    try:
        processor.LoadFromSerializedProto(model)
    except RuntimeError as error:
        raise ModelError(f"{where} is not a SentencePiece model", hint) from error
    return processor


def with_spaces(model: bytes, *, normalized: bool) -> bytes:
    """Return a serialized model that puts a space in front of a text and merges those inside, or
    that leaves spaces as they are."""
    from sentencepiece import sentencepiece_model_pb2

    proto = sentencepiece_model_pb2.ModelProto.FromString(model)  # type: ignore[attr-defined]
    proto.normalizer_spec.add_dummy_prefix = normalized
    proto.normalizer_spec.remove_extra_whitespaces = normalized
    changed: bytes = proto.SerializeToString()
    return changed


def seed_sampling(seed: int) -> None:
    """Seed the random numbers that all processors share."""
    sentencepiece.set_random_generator_seed(seed)


def normalize_scores(scores: Mapping[tuple[int, ...], float]) -> ScoredSegmentations:
    """Return segmentations, most probable first, whose probabilities sum to 1.

    `scores` are logarithms of unnormalized probabilities.
    """
    highest = max(scores.values())
    total = highest + math.log(math.fsum(math.exp(each - highest) for each in scores.values()))
    ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return [(ids, score - total) for ids, score in ordered]
