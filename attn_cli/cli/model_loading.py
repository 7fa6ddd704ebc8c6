"""Load the model that --model names: its bundle, and the engines that a command needs."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from attn_cli.bundles import registry
from attn_cli.bundles.bundle import Bundle, load_stable
from attn_cli.choices import MatrixKind
from attn_cli.console import Console
from attn_cli.errors import ModelError
from attn_cli.inference.engines.interface import (
    AlignmentModel,
    HeadSelection,
    IncrementalDecoder,
)
from attn_cli.inference.engines.registry import (
    ENGINES,
    EngineOptions,
    Part,
    engine_of,
    open_aligner,
    open_decoder,
    open_generator,
    open_heads,
)
from attn_cli.inference.from_bundle import load_calibration, pair_aligner_of, require_decoder
from attn_cli.inference.generation import Generator
from attn_cli.inference.head_request import HeadRequest
from attn_cli.inference.pair_options import PairOptions
from attn_cli.types import HeadId

if TYPE_CHECKING:
    from attn_cli.inference.confidence import Calibration
    from attn_cli.inference.other_tables import OtherTables
    from attn_cli.inference.pair_aligner import PairAligner


@dataclass(frozen=True)
class LoadedModel:
    """A bundle with the engines that a command needs.

    `heads` are single heads, each with a decoder that returns its weights. `calibration` is None if
    it is not needed or the model has none. `others` are the model's other weights, if needed.
    """

    bundle: Bundle
    decoder: IncrementalDecoder | None
    aligner: AlignmentModel | None
    heads: Sequence[tuple[HeadId, IncrementalDecoder]] = ()
    calibration: "Calibration | None" = None
    others: "OtherWeights | None" = None
    generator: Generator | None = None

    def other_tables(self, options: PairOptions) -> "OtherTables":
        """Return what adds the tables of the model's other weights."""
        from attn_cli.inference.other_tables import OtherTables

        others = self.others or OtherWeights()
        build = functools.partial(pair_aligner_of, self.bundle, options)
        return OtherTables(
            [
                *([build(aligner=others.aligner)] if others.aligner else []),
                *([build(decoder=others.decoder)] if others.decoder else []),
            ],
            [(head, build(decoder=decoder)) for head, decoder in others.heads],
        )


@dataclass(frozen=True)
class OtherWeights:
    """The weights that a model has in addition to the selected ones; None where it has none."""

    aligner: AlignmentModel | None = None
    decoder: IncrementalDecoder | None = None
    heads: Sequence[tuple[HeadId, IncrementalDecoder]] = ()


@dataclass(frozen=True)
class ModelLoader:
    """Loads models on an engine, with as many threads as cores if none are set."""

    console: Console
    engine: EngineOptions

    def load_translator(
        self,
        name: str | None,
        weights: MatrixKind | None,
        *,
        shown: bool,
        confident: bool = False,
        shortlist: bool | None = None,
        every: bool = False,
        target_token: str | None = None,
    ) -> LoadedModel:
        """Load a model that translates, and its word aligner if `weights` is "alignment".

        `shown` refuses a model without weights, `confident` loads its calibration, `every` its
        other weights. `shortlist` is as in `open_decoder`, `target_token` as in
        `Bundle.with_target_token`.
        """

        def load(bundle: Bundle) -> LoadedModel:
            if shown and weights != "alignment":
                _require_attention(bundle)
            generator = self.generator(bundle, shortlist=shortlist)
            aligner = self.aligner(bundle) if weights == "alignment" else None
            calibration = load_calibration(bundle) if confident else None
            others = self._others(bundle, is_aligner=aligner is not None) if every else None
            return LoadedModel(
                bundle, None, aligner, calibration=calibration, others=others, generator=generator
            )

        return self._load(name, load, target_token)

    def load_aligner(
        self,
        name: str | None,
        weights: MatrixKind | None,
        *,
        scored: bool,
        heads: HeadRequest | None = None,
        every: bool = False,
        target_token: str | None = None,
    ) -> LoadedModel:
        """Load a model that aligns, by its word aligner if it has one and `weights` allows it.

        `scored` also loads the decoder, to score targets. `heads` selects heads of the decoder.
        `every` also loads its other weights. `target_token` is as in `Bundle.with_target_token`.
        """

        def load(bundle: Bundle) -> LoadedModel:
            kind = weights or ("alignment" if bundle.can_align else "attention")
            if kind == "attention":
                _require_attention(bundle)
                loaded = self._load_heads(bundle, heads)
            else:
                aligner = self.aligner(bundle)
                needs_decoder = scored and bundle.can_translate
                decoder = self.decoder(bundle) if needs_decoder else None
                loaded = LoadedModel(bundle, decoder, aligner)
            if every:
                is_aligner = kind == "alignment"
                others = self._others(bundle, is_aligner=is_aligner, has_heads=bool(loaded.heads))
                loaded = replace(loaded, others=others)
            return loaded

        return self._load(name, load, target_token)

    def _load_heads(self, bundle: Bundle, request: HeadRequest | None) -> LoadedModel:
        if request is None or not request.each:
            selection = None if request is None else request.select(bundle.recipe)
            return LoadedModel(bundle, self.decoder(bundle, selection), None)
        self._log_engine(bundle, "translator")
        decoder, heads = open_heads(bundle, self._options, request)
        return LoadedModel(bundle, decoder, None, heads)

    def _others(self, bundle: Bundle, *, is_aligner: bool, has_heads: bool = False) -> OtherWeights:
        """Load the weights that the word aligner, or else the attention, does not give."""
        aligner = self.aligner(bundle) if bundle.can_align and not is_aligner else None
        if not (bundle.can_translate and bundle.has_attention):
            return OtherWeights(aligner)
        layers, count = bundle.recipe.model.heads
        if layers * count > 1 and not has_heads:
            loaded = self._load_heads(bundle, HeadRequest(each=True))
            return OtherWeights(aligner, loaded.decoder if is_aligner else None, loaded.heads)
        return OtherWeights(aligner, self.decoder(bundle) if is_aligner else None)

    def other_aligner(self, loaded: LoadedModel, options: PairOptions) -> "PairAligner | None":
        """Return an aligner by the kind of weights that is not shown; None if there is no other.

        Shown are those of the word aligner if it is loaded, else the decoder's attention.
        """
        is_aligner = loaded.aligner is not None
        others = self._others(loaded.bundle, is_aligner=is_aligner, has_heads=True)
        if others.aligner is None and others.decoder is None:
            return None
        return pair_aligner_of(
            loaded.bundle, options, decoder=others.decoder, aligner=others.aligner
        )

    def _load(
        self,
        name: str | None,
        load: Callable[[Bundle], LoadedModel],
        target_token: str | None,
    ) -> LoadedModel:
        """Find the model and call `load` with its bundle."""
        path = registry.find(name)

        def load_and_log(bundle: Bundle) -> LoadedModel:
            self.console.verbose_info(f"model {bundle.name} from {path}")
            return load(bundle.with_target_token(target_token))

        return load_stable(path, load_and_log)

    def _log_engine(self, bundle: Bundle, part: Part) -> None:
        engine = engine_of(bundle, part, self.engine)
        precision = f", {bundle.precision}" if engine == "onnx" else ""
        self.console.verbose_info(f"{part.replace('_', ' ')}: {ENGINES[engine].title}{precision}")

    def generator(self, bundle: Bundle, *, shortlist: bool | None) -> Generator:
        """Load the translation network of a bundle, with a search. Raises as `decoder`."""
        require_decoder(bundle)
        self._log_engine(bundle, "translator")
        return open_generator(bundle, self._options, shortlist=shortlist)

    def decoder(
        self, bundle: Bundle, heads: HeadSelection | None = None, *, shortlist: bool | None = False
    ) -> IncrementalDecoder:
        """Load the decoder of a bundle. Raises ModelError if it has none."""
        require_decoder(bundle)
        self._log_engine(bundle, "translator")
        return open_decoder(bundle, self._options, heads=heads, shortlist=shortlist)

    def aligner(self, bundle: Bundle) -> AlignmentModel:
        """Load the word aligner of a bundle. Raises ModelError if it has none."""
        if not bundle.can_align:
            raise ModelError(
                f"the model {bundle.name} has no word aligner",
                "Leave --weights out to see the decoder's attention.",
            )
        self._log_engine(bundle, "word_aligner")
        return open_aligner(bundle, self._options)

    @property
    def _options(self) -> EngineOptions:
        return replace(self.engine, threads=self.engine.threads or self.console.cores)


def _require_attention(bundle: Bundle) -> None:
    require_decoder(bundle)
    if not bundle.has_attention:
        aligns = "Use --weights alignment, from its word aligner, or name another model."
        translates = (
            "It can translate, with --format text or jsonl; for a table name another model."
        )
        raise ModelError(
            f"the model {bundle.name} has no attention: it encodes the sentence as one vector",
            aligns if bundle.can_align else translates,
        )
