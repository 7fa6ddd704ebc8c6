"""Load a model in one line; its results are those of the command line, byte for byte."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from attn_cli.alignment.extraction import extract
from attn_cli.api.inputs import one_line
from attn_cli.api.pair_aligners import attention_aligner, other_aligner
from attn_cli.api.results import AlignmentResult, ExplanationResult, TranslationResult
from attn_cli.api.settings import ModelSettings, check_bounds
from attn_cli.bundles import registry
from attn_cli.bundles.bundle import Bundle, load_stable
from attn_cli.choices import (
    Engine,
    Extraction,
    Level,
    MatrixKind,
)
from attn_cli.console import available_cores
from attn_cli.data.casing import ORIGINAL_CASE, CaseRules
from attn_cli.errors import ModelError, UsageError
from attn_cli.inference.beam_search import SearchConfig
from attn_cli.inference.engines.interface import AlignmentModel, IncrementalDecoder
from attn_cli.inference.engines.registry import EngineOptions, open_aligner, open_decoder
from attn_cli.inference.from_bundle import (
    link_threshold,
    load_calibration,
    pair_aligner_of,
    require_decoder,
    translator_of,
)
from attn_cli.inference.generation import BeamSearchGenerator
from attn_cli.inference.head_request import HeadRequest
from attn_cli.inference.pair_options import PairOptions
from attn_cli.inference.translator import Translator
from attn_cli.types import InputLine, Translation, WordAlignment

if TYPE_CHECKING:
    from attn_cli.inference.confidence import Calibration
    from attn_cli.inference.engines.torch import TorchDecoder
    from attn_cli.inference.linkers import AlignerProtocol

#: Lines in a chunk of a list, as in a file on the command line: like lengths share a batch.
CHUNK = 1024


def load(
    model: str | Path | None = None,
    *,
    target_token: str | None = None,
    weights: MatrixKind | None = None,
    layer: int | None = None,
    head: int | Literal["all", "mean"] | None = None,
    diagnostics: bool = False,
    level: Level = "word",
    extract: Extraction = "threshold",
    threshold: float | None = None,
    beam: int | None = None,
    n_best: int = 1,
    length_penalty: float | None = None,
    coverage_penalty: float | None = None,
    shortlist: bool = True,
    engine: Engine = "auto",
    device: str = "auto",
    threads: int | None = None,
) -> "Model":
    """Load a model by its registered name or its folder, with the decode settings of its recipe.

    The arguments are the options of `attn translate` and `attn align`: `target_token`, such as
    "fra", of an imported model of several target languages, `weights` ("attention" or
    "alignment"; by default the decoder's attention for a translation, the word aligner's for a
    pair), `level` ("word" or "piece"), `extract` and `threshold` for links, the options of
    the search, `shortlist`, `engine`, `device`, and `threads`, by default all cores. `layer` and
    `head` (a number from 1, "mean", or "all") select attention heads for given pairs. With
    `diagnostics`, results have those of their table.

    Raises ModelError if the model is missing, damaged or lacks a requested part, UsageError for an
    argument out of its bounds or a target token that the model does not have.
    """
    check_bounds(beam, n_best, length_penalty, coverage_penalty, threshold, threads)
    path = registry.find(None if model is None else str(model))
    settings = ModelSettings(
        weights,
        level,
        extract,
        threshold,
        n_best,
        EngineOptions(engine, device, threads or available_cores()),
        HeadRequest.parse(head, layer),
        diagnostics,
    )
    if settings.heads and weights == "alignment":
        raise UsageError(
            "head and layer choose among the decoder's attention, not weights='alignment'",
            "Leave one of the two out.",
        )
    search: dict[str, Any] = {
        "beam": beam,
        "length_penalty": length_penalty,
        "coverage_penalty": coverage_penalty,
    }
    changes = {name: value for name, value in search.items() if value is not None}

    def open_model(bundle: Bundle) -> Model:
        bundle = bundle.with_target_token(target_token)
        decoder = calibration = None
        if bundle.can_translate:
            decoder = open_decoder(bundle, settings.engine, shortlist=None if shortlist else False)
            calibration = load_calibration(bundle)
        config = replace(SearchConfig.of(bundle.recipe.decode), **changes)
        config = replace(config, n_best=n_best, beam=max(config.beam, n_best))
        return Model(bundle, decoder, config, settings, calibration)

    return load_stable(path, open_model)


class Model:
    """A loaded model: translates lines, aligns pairs. Get one from `attn_cli.load`."""

    def __init__(
        self,
        bundle: Bundle,
        decoder: IncrementalDecoder | None,
        search: SearchConfig,
        settings: ModelSettings,
        calibration: "Calibration | None" = None,
    ) -> None:
        self.bundle, self.search, self.settings = bundle, search, settings
        self._decoder, self._calibration = decoder, calibration

    @property
    def name(self) -> str:
        """The model's name."""
        return self.bundle.name

    @property
    def source(self) -> str:
        """The source language, such as "en"; "" if the recipe names none."""
        return self.bundle.recipe.source

    @property
    def target(self) -> str:
        """The target language."""
        return self.bundle.recipe.target

    def __repr__(self) -> str:
        return f"Model({self.name!r}: {self.source or '?'} → {self.target or '?'})"

    @overload
    def translate(self, source: str) -> TranslationResult: ...  # type: ignore[overload-overlap]
    @overload
    def translate(self, source: Iterable[str]) -> list[TranslationResult]: ...
    def translate(self, source: str | Iterable[str]) -> TranslationResult | list[TranslationResult]:
        """Translate a line, or each line of an iterable; a line end within a line is a space.

        The results are those of `attn translate`. Raises ModelError for a model that only aligns.
        """
        if isinstance(source, str):
            return self._translate_chunk([source], 1)[0]
        return list(self.stream(source, chunk_size=CHUNK))

    def stream(self, lines: Iterable[str], *, chunk_size: int = 32) -> Iterator[TranslationResult]:
        """Translate lines lazily, in order; `chunk_size` lines are read at a time and batched.

        Raises as `translate`.
        """
        iterator, number = iter(lines), 1
        while chunk := list(islice(iterator, chunk_size)):
            yield from self._translate_chunk(chunk, number)
            number += len(chunk)

    @overload
    def align(self, source: str, target: str) -> AlignmentResult: ...  # type: ignore[overload-overlap]
    @overload
    def align(self, source: Iterable[str], target: Iterable[str]) -> list[AlignmentResult]: ...
    def align(
        self, source: str | Iterable[str], target: str | Iterable[str]
    ) -> AlignmentResult | list[AlignmentResult]:
        """Align a pair of lines, or each pair of two iterables of equal length.

        The results are those of `attn align`. Raises ModelError for a model with neither attention
        nor a word aligner, UsageError for sides of different length.
        """
        if isinstance(source, str) and isinstance(target, str):
            return self._align_chunk([InputLine(1, one_line(source), one_line(target))])[0]
        if isinstance(source, str) or isinstance(target, str):
            raise UsageError(
                "one side is a string and the other is not", "Give two strings, or two lists."
            )
        sides = list(source), list(target)
        if len(sides[0]) != len(sides[1]):
            raise UsageError(
                f"there are {len(sides[0])} source lines and {len(sides[1])} target lines",
                "Give a target for each source.",
            )
        pairs = [
            InputLine(line, one_line(one), one_line(other))
            for line, (one, other) in enumerate(zip(*sides, strict=True), start=1)
        ]
        chunks = (pairs[start : start + CHUNK] for start in range(0, len(pairs), CHUNK))
        return [result for chunk in chunks for result in self._align_chunk(chunk)]

    def explain(
        self, text: str, *, layer: int | None = None, head: int | None = None
    ) -> ExplanationResult:
        """Translate a sentence on PyTorch, and return the eight steps of its attention.

        `layer` and `head` count from 1; by default those of the recipe's [decode].
        Raises UsageError for a blank line, several sentences, more than 200 pieces, or a layer or
        head that does not exist; ModelError for a model without attention or PyTorch parameters.
        """
        from attn_cli.inference.explanation import explain

        require_decoder(self.bundle)
        translator, tracer = self._tracer
        recipe = self.bundle.recipe
        line = one_line(text)
        return ExplanationResult(explain(line, translator, tracer, recipe, layer=layer, head=head))

    @cached_property
    def _tracer(self) -> "tuple[Translator, TorchDecoder]":
        """A translator by the network on PyTorch, and this network's decoder."""
        from attn_cli.inference.engines.registry import open_torch_decoder

        decoder = open_torch_decoder(self.bundle, self.settings.engine)
        generator = BeamSearchGenerator(decoder)
        return translator_of(self.bundle, generator, self.search, align=False), decoder

    @cached_property
    def _aligner(self) -> AlignmentModel:
        if not self.bundle.can_align:
            raise ModelError(
                f"the model {self.name} has no word aligner",
                "Leave weights out to see the decoder's attention.",
            )
        return open_aligner(self.bundle, self.settings.engine)

    @cached_property
    def _translator(self) -> Translator:
        require_decoder(self.bundle)
        assert self._decoder is not None
        return translator_of(
            self.bundle,
            BeamSearchGenerator(self._decoder),
            self.search,
            align=True,
            aligner=self._aligner if self.settings.weights == "alignment" else None,
            level=self.settings.level,
            calibration=self._calibration,
        )

    @cached_property
    def _pair_aligner(self) -> "AlignerProtocol":
        settings, options = self.settings, PairOptions(level=self.settings.level)
        if self._aligns_pairs_by_aligner:
            return pair_aligner_of(
                self.bundle, options, decoder=self._decoder, aligner=self._aligner
            )
        return attention_aligner(
            self.bundle, self._decoder, settings.heads, options=options, engine=settings.engine
        )

    @property
    def _aligns_pairs_by_aligner(self) -> bool:
        if self.settings.heads is not None:
            return False
        weights = self.settings.weights
        return weights == "alignment" or (weights is None and self.bundle.can_align)

    def _translate_chunk(self, lines: Sequence[str], first: int) -> list[TranslationResult]:
        inputs = [
            InputLine(number, one_line(line)) for number, line in enumerate(lines, start=first)
        ]
        by_aligner = self.settings.weights == "alignment"
        linked = self._link(self._translator.translate(inputs), by_aligner=by_aligner)
        return [TranslationResult(*each, self.name, self.settings.n_best) for each in linked]

    def _align_chunk(self, pairs: Sequence[InputLine]) -> list[AlignmentResult]:
        by_aligner = self._aligns_pairs_by_aligner
        linked = self._link(self._pair_aligner.align(pairs), by_aligner=by_aligner, pairs=pairs)
        return [AlignmentResult(*each, self.name) for each in linked]

    def _link(
        self,
        translations: Sequence[Translation],
        *,
        by_aligner: bool,
        pairs: Sequence[InputLine] | None = None,
    ) -> list[tuple[Translation, WordAlignment]]:
        """Each translation with its links, and with diagnostics if they are wanted."""
        linked = [(each, self._links(each, by_aligner=by_aligner)) for each in translations]
        if not self.settings.diagnostics:
            return linked
        from attn_cli.inference.diagnosis import with_diagnostics

        decode = self.bundle.recipe.decode
        case_rules = CaseRules.of(decode) if pairs is None else ORIGINAL_CASE
        other = other_aligner(
            self.bundle,
            self._decoder,
            lambda: self._aligner,
            by_aligner=by_aligner,
            options=PairOptions(level=self.settings.level, case_rules=case_rules),
        )
        return with_diagnostics(linked, other, pairs)

    def _links(self, translation: Translation, *, by_aligner: bool) -> WordAlignment:
        if translation.alignment is None:
            return WordAlignment(frozenset(), 0, 0)
        settings = self.settings
        threshold = link_threshold(
            self.bundle, settings.threshold, settings.extraction, by_aligner=by_aligner
        )
        return extract(translation.alignment, settings.extraction, threshold)
