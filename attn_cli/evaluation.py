"""Score translations with BLEU, chrF and TER, each with sacrebleu's signature.

sacrebleu is imported on use, because scoring links does not need it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from attn_cli.errors import DataError


@dataclass(frozen=True, slots=True)
class TextScore:
    """One metric of a corpus, in percent, with its sacrebleu signature."""

    name: str
    score: float
    signature: str

    def line(self) -> str:
        """Format the score for people: `BLEU 57.1 (nrefs:1|case:mixed|…)`."""
        return f"{self.name} {self.score:.1f} ({self.signature})"

    def record(self) -> dict[str, float | str]:
        """Return the fields of the JSON object, with the percentage to two decimals."""
        return {"score": round(self.score, 2), "signature": self.signature}


def text_scores(
    hypotheses: Sequence[str], references: Sequence[Sequence[str | None]]
) -> dict[str, TextScore]:
    """Compute BLEU, chrF and TER, under the keys `bleu`, `chrf`, `ter`.

    `references` are one or more whole reference texts, each with a line for each hypothesis. In all
    but the first, None is a missing reference; the signatures then contain `nrefs:var`. Raises
    DataError for different numbers of lines, and without any line.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF
    from sacrebleu.metrics.ter import TER

    _check(hypotheses, references)
    assert None not in references[0], "every line has a reference"
    texts = cast(Sequence[Sequence[str]], references)  # sacrebleu takes None, and its types do not
    metrics = {"bleu": BLEU(), "chrf": CHRF(), "ter": TER()}
    scores = {}
    for key, metric in metrics.items():
        result = metric.corpus_score(hypotheses, texts)
        scores[key] = TextScore(result.name, result.score, str(metric.get_signature()))
    return scores


def bleu(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Compute corpus BLEU against one reference text, with sacrebleu's defaults."""
    from sacrebleu.metrics.bleu import BLEU

    _check(hypotheses, [references])
    return float(BLEU(force=True).corpus_score(hypotheses, [references]).score)


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Compute corpus chrF2 against one reference text, with sacrebleu's defaults."""
    from sacrebleu.metrics.chrf import CHRF

    _check(hypotheses, [references])
    return float(CHRF().corpus_score(hypotheses, [references]).score)


def sentence_chrf(hypotheses: Sequence[str], references: Sequence[str]) -> list[float]:
    """Compute the chrF2 of each sentence against its reference, in percent."""
    from sacrebleu.metrics.chrf import CHRF

    metric = CHRF()
    return [
        float(metric.sentence_score(hypothesis, [reference]).score)
        for hypothesis, reference in zip(hypotheses, references, strict=True)
    ]


def _check(hypotheses: Sequence[str], references: Sequence[Sequence[str | None]]) -> None:
    for number, reference in enumerate(references, start=1):
        if len(reference) != len(hypotheses):
            which = f"reference {number}" if len(references) > 1 else "the reference"
            raise DataError(
                f"{len(hypotheses)} translations cannot be scored against "
                f"the {len(reference)} lines of {which}",
                "Give one reference line for each translation, blank ones included.",
            )
    if not hypotheses or not references:
        raise DataError(
            "there are no translations to score" if references else "there is no reference",
            "Give the translations on stdin and the reference with --reference.",
        )
