"""Measure one system of the attention study: translations, alignments, weights."""

import gzip
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attn_cli import config
from attn_cli.alignment.pharaoh import parse_links, read_gold
from attn_cli.bundles.bundle import open_bundle
from attn_cli.data import words
from attn_cli.inference.beam_search import SearchConfig
from attn_cli.inference.engines.interface import default_heads
from attn_cli.inference.engines.registry import EngineOptions, open_decoder
from attn_cli.inference.engines.torch import TorchDecoder
from attn_cli.inference.generation import BeamSearchGenerator
from attn_cli.inference.translator import Translator
from attn_cli.nn.attention import HardAttention, SoftAttention
from attn_cli.types import GoldAlignment, InputLine
from measuring import require_file
from measuring.attention import (
    alignment_errors,
    describe_weights,
    force_weights,
    measure_interventions,
    table_of,
)

#: The number of training pairs whose statistical links are compared with attention.
SILVER = 500

#: The least votes of a sure and of a possible statistical link.
SURE, POSSIBLE = 0.5, 0.25


class Measurer:
    """A trained system, opened once."""

    def __init__(
        self,
        folder: Path,
        data: Path,
        *,
        device: str,
        threads: int,
        limit: int | None,
        links: Path | None,
    ) -> None:
        self.bundle, self.data, self.limit, self.links = open_bundle(folder), data, limit, links
        decoder = open_decoder(self.bundle, EngineOptions("torch", device, threads))
        assert isinstance(decoder, TorchDecoder)
        self.decoder, self.network = decoder, decoder.network
        model = self.bundle.recipe.model
        layers, heads = model.heads
        self.heads = layers * heads
        self.per_layer = heads
        indices = default_heads(self.bundle.recipe).indices
        self.default_heads = indices or tuple(range(max(1, self.heads)))

    def measure(
        self, test: str, buckets: Sequence[Sequence[int]], example: tuple[str, str]
    ) -> dict[str, Any]:
        """Return all measurements as JSON."""
        source, target = (self._lines("multi30k", f"{test}.{side}.gz") for side in ("en", "fr"))
        definition = config.to_dict(self.bundle.recipe)
        record: dict[str, Any] = {name: definition[name] for name in ("model", "train")}
        record["vocabulary"] = self.bundle.source.vocab_size
        record["heads"] = [self.heads, self.per_layer, list(self.default_heads)]
        record |= self.translations(source, target, buckets)
        if not self.heads:
            return record
        record |= self.alignments()
        record |= self.weights(source, target)
        record["table"] = self.table(*example)
        return record

    # Translations

    def translations(
        self, source: list[str], target: list[str], buckets: Sequence[Sequence[int]]
    ) -> dict[str, Any]:
        """Measure BLEU and chrF, greedy and with a beam of 5; with the beam also by length and
        joined lines."""
        began = time.monotonic()
        greedy = self.translate(source, beam=1)
        seconds = time.monotonic() - began
        translations = self.translate(source, beam=5)
        lengths = [len(words.split(line)) for line in source]
        by_length = []
        for low, high in buckets:
            rows = [n for n, length in enumerate(lengths) if low <= length <= high]
            by_length.append(
                {
                    "words": [low, high],
                    "lines": len(rows),
                    "bleu": _bleu([translations[n] for n in rows], [target[n] for n in rows])[
                        "score"
                    ],
                }
            )
        by_count = {}
        for many in (2, 3):
            sources, targets = (
                join_lines(lines, many, word) for lines, word in ((source, "and"), (target, "et"))
            )
            joined_translations = self.translate(sources, beam=5)
            by_count[str(many)] = {
                "lines": len(sources),
                "words": round(sum(len(words.split(s)) for s in sources) / len(sources), 1),
                "bleu": _bleu(joined_translations, targets)["score"],
            }
        return {
            "greedy": scores(greedy, target),
            "beam5": scores(translations, target),
            "greedy_seconds": round(seconds, 2),
            "by_length": by_length,
            "joined": by_count,
        }

    def translate(self, lines: Sequence[str], *, beam: int) -> list[str]:
        """Translate each line as a whole, without splitting it into sentences."""
        search = SearchConfig(beam=beam)
        translator = Translator(
            BeamSearchGenerator(self.decoder), self.bundle.source, self.bundle.target, search
        )
        return [
            t.text for t in translator.translate([InputLine(n, x) for n, x in enumerate(lines, 1)])
        ]

    # Alignments

    def alignments(self) -> dict[str, Any]:
        """Measure AER on the Hansards, and on training pairs against statistical links if there are
        any."""
        folder = self.data / "alignment"
        lines = require_file(folder / "en-fr.dev.src-tgt").read_text(encoding="utf-8").splitlines()
        sides = [line.split(" ||| ") for line in lines][: self.limit]
        pairs = [
            (
                self.bundle.source.encode_tokens(s.split()),
                self.bundle.target.encode_tokens(t.split()),
            )
            for s, t in sides
        ]
        texts = require_file(folder / "en-fr.dev.gold").read_text(encoding="utf-8").splitlines()
        gold, _ = read_gold(texts[: self.limit], name="en-fr.dev.gold", base=1)
        result = {"hansards": self.error_rates(pairs, gold, gold_base=1)}
        if self.links is not None:
            result["silver"] = self.error_rates(*self._silver(self.links), gold_base=0)
        return {"aer": result}

    def _silver(self, links: Path) -> tuple[list[Any], list[GoldAlignment]]:
        count = min(SILVER, self.limit or SILVER)
        sides = [self._lines("multi30k", f"train.{side}.gz")[:count] for side in ("en", "fr")]
        codes = self.bundle.source, self.bundle.target
        encoded = (map(code.encode, side) for code, side in zip(codes, sides, strict=True))
        pairs = list(zip(*encoded, strict=True))
        gold = []
        for line in _read(links)[:count]:
            alignment = parse_links(line, where=str(links))
            weights = {link: alignment.scores.get(link, 1.0) for link in alignment.links}
            gold.append(
                GoldAlignment.from_links(
                    *(
                        {link for link in weights if weights[link] >= least}
                        for least in (SURE, POSSIBLE)
                    )
                )
            )
        return pairs, gold

    def error_rates(
        self, pairs: Sequence[Any], gold: Sequence[GoldAlignment], *, gold_base: int
    ) -> dict[str, Any]:
        """Return the error rates of the heads that the model shows, and of each head.

        Also those of the head that is best on every second pair, measured on the other pairs, with
        those of the default heads on these pairs.
        """
        weights = force_weights(self.network, pairs)

        def of(heads: Sequence[int], start: int = 0, step: int = 1) -> dict[str, Any]:
            rows = range(start, len(pairs), step)
            tables = [table_of(pairs[n], weights[n], heads) for n in rows]
            return alignment_errors(tables, [gold[n] for n in rows], gold_base=gold_base)

        result: dict[str, Any] = {
            "shown": of(self.default_heads),
            "shown_second_half": of(self.default_heads, 1, 2),
        }
        if self.heads > 1:
            each = [of([head], 0, 2)["argmax"]["score"] for head in range(self.heads)]
            best = min(range(self.heads), key=each.__getitem__)
            result |= {
                "each_first_half": each,
                "best": [best // self.per_layer + 1, best % self.per_layer + 1],
                "best_head": of([best]),
                "best_second_half": of([best], 1, 2),
            }
        return result

    # Weights

    def weights(self, source: Sequence[str], target: Sequence[str]) -> dict[str, Any]:
        """Measure the distribution of the weights on the test references, and the effect of
        changing them."""
        encode = self.bundle.source.encode, self.bundle.target.encode
        pairs = [(encode[0](s), encode[1](t)) for s, t in zip(source, target, strict=True)]
        forced_along = force_weights(self.network, pairs)
        tables = [
            table_of(p, w, self.default_heads) for p, w in zip(pairs, forced_along, strict=True)
        ]
        result: dict[str, Any] = {"shape": describe_weights(tables)}
        if self.heads > 1:
            heads = [
                describe_weights(
                    [table_of(p, w, [h]) for p, w in zip(pairs, forced_along, strict=True)]
                )
                for h in range(self.heads)
            ]
            result["shape_of_heads"] = heads
        attention = getattr(self.network.decoder, "attention", None)
        if isinstance(attention, SoftAttention) and not isinstance(attention, HardAttention):
            result["moved"] = measure_interventions(self.network, pairs, seed=1)
        return result

    def table(self, source: str, target: str) -> dict[str, Any]:
        """Return the weights for one pair of sentences, and the system's own translation."""
        pair = self.bundle.source.encode(source), self.bundle.target.encode(target)
        (weights,) = force_weights(self.network, [pair])
        table = table_of(pair, weights, self.default_heads)
        (translation,) = self.translate([source], beam=5)
        return {
            "source": list(table.source),
            "target": list(table.target),
            "weights": [[round(float(w), 3) for w in row] for row in table.weights],
            "unaligned": [round(float(w), 3) for w in table.unaligned],
            "translation": translation,
        }

    def _lines(self, folder: str, name: str) -> list[str]:
        return _read(self.data / folder / name)[: self.limit]


def join_lines(lines: Sequence[str], many: int, word: str) -> list[str]:
    """Join each `many` consecutive lines into one sentence.

    They are joined by a word, without full stops between them, and the later ones begin in lower
    case. Remaining lines at the end are left out.
    """
    sentences = []
    for start in range(0, len(lines) - many + 1, many):
        first, *others = lines[start : start + many]
        parts = [first, *(line[:1].lower() + line[1:] for line in others)]
        sentences.append(
            f" {word} ".join([*(part.rstrip(" .!?") for part in parts[:-1]), parts[-1]])
        )
    return sentences


def scores(hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """Return BLEU and chrF with their signatures, and BLEU in lower case over the words of attn.

    The last is similar to the scores of papers that tokenize and lower-case.
    """
    from sacrebleu.metrics.chrf import CHRF

    chrf = CHRF()
    score = chrf.corpus_score(list(hypotheses), [list(references)]).score
    split_lines = [
        [" ".join(word.text for word in words.split(line.lower())) for line in lines]
        for lines in (hypotheses, references)
    ]
    return {
        "bleu": _bleu(hypotheses, references),
        "chrf": {"score": round(score, 2), "signature": str(chrf.get_signature())},
        "bleu_small": _bleu(*split_lines, tokenize="none"),
    }


def _bleu(
    hypotheses: Sequence[str], references: Sequence[str], *, tokenize: str = "13a"
) -> dict[str, Any]:
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU(tokenize=tokenize, force=True)
    if not hypotheses:
        return {"score": None, "signature": ""}
    score = metric.corpus_score(list(hypotheses), [list(references)]).score
    return {"score": round(score, 2), "signature": str(metric.get_signature())}


def _read(path: Path) -> list[str]:
    opener = gzip.open if require_file(path).suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        return file.read().splitlines()
