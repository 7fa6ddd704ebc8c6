"""The interface between a translator and an engine: a batch of sources → hypotheses.

`BeamSearchGenerator` runs beam search over the step interface of an engine. An engine with its own
search, such as CTranslate2, implements `Generator` itself.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from attn_cli.inference.beam_search import SearchConfig, search
from attn_cli.inference.copying import Copying
from attn_cli.inference.engines.interface import IncrementalDecoder
from attn_cli.types import Hypothesis, IntArray


class SourceBatch(NamedTuple):
    """B sources: ids (B, S), padded with PAD, and the length (B,) of each.

    With `keep_weights` their hypotheses have attention weights (T, S). With `copying` each
    contains the placeholders of its source, each of them once.
    """

    ids: IntArray
    lengths: IntArray
    keep_weights: bool = False
    copying: Copying | None = None


class Generator(Protocol):
    """Translates batches of sources."""

    def generate(self, batch: SourceBatch, settings: SearchConfig) -> list[list[Hypothesis]]:
        """Return the hypotheses of each source, best first: at least one, at most `n_best`."""
        ...


@dataclass(frozen=True)
class BeamSearchGenerator:
    """A `Generator` that runs beam search over a step interface."""

    decoder: IncrementalDecoder

    def generate(self, batch: SourceBatch, settings: SearchConfig) -> list[list[Hypothesis]]:
        """See `Generator.generate`."""
        return search(
            self.decoder,
            batch.ids,
            batch.lengths,
            settings,
            keep_weights=batch.keep_weights,
            copying=batch.copying,
        )
