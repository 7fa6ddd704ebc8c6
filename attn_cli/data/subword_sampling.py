"""The likely segmentations of a word form, from which subword sampling draws.

Unigram models: Kudo 2018, "Subword Regularization", section 3.2. BPE: Provilkov et al. 2020,
"BPE-Dropout".
"""

import functools
import math
from collections import Counter
from collections.abc import Sequence

from attn_cli.data.sentencepiece_model import Processor, normalize_scores, seed_sampling
from attn_cli.data.tokenizer_interface import ScoredSegmentations

_DROPOUT = 0.1
_DRAWS_PER_CANDIDATE = 4


class SegmentationSampler:
    """Lists likely segmentations, by a model and the scores of its pieces in the order of ids."""

    def __init__(self, processor: Processor, scores: Sequence[float]) -> None:
        self._processor, self._scores = processor, scores

    def candidates(self, form: str, n: int) -> ScoredSegmentations:
        """Return at most `n` segmentations with natural log-probabilities, most probable first.

        Probabilities sum to 1 over those returned. Unigram: the `n` best under the model. BPE has
        no probabilities: the distinct outcomes of 4·n draws of BPE-dropout (p = 0.1) with their
        relative frequencies, from the same random numbers for each form.
        """
        return self._n_best(form, n) if self._has_n_best else self._sample(form, n)

    @functools.cached_property
    def _has_n_best(self) -> bool:
        """Whether the model is unigram: without protobuf SentencePiece does not return the kind."""
        try:
            self._processor.nbest_encode_as_ids(" ", nbest_size=1)
        except RuntimeError:
            return False
        return True

    def _n_best(self, form: str, n: int) -> ScoredSegmentations:
        best = self._processor.nbest_encode_as_ids(form, nbest_size=n)
        distinct = dict.fromkeys(tuple(ids) for ids in best)
        return normalize_scores(
            {ids: math.fsum(self._scores[id] for id in ids) for ids in distinct}
        )

    def _sample(self, form: str, n: int) -> ScoredSegmentations:
        seed_sampling(1)
        counts: Counter[tuple[int, ...]] = Counter()
        for _ in range(_DRAWS_PER_CANDIDATE * n):
            ids = self._processor.encode(
                form, out_type=int, enable_sampling=True, alpha=_DROPOUT, nbest_size=-1
            )
            counts[tuple(ids)] += 1
        most_frequent = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:n]
        total = sum(count for _, count in most_frequent)
        return [(ids, math.log(count / total)) for ids, count in most_frequent]
