"""Build translators and aligners with the settings of a model's recipe."""

from typing import TYPE_CHECKING

from attn_cli.bundles.bundle import Bundle
from attn_cli.bundles.manifest import CONFIDENCE
from attn_cli.choices import Extraction, Level
from attn_cli.data.casing import CaseRules
from attn_cli.errors import ModelError
from attn_cli.inference.beam_search import SearchConfig
from attn_cli.inference.engines.interface import AlignmentModel, IncrementalDecoder
from attn_cli.inference.generation import Generator
from attn_cli.inference.line_batches import OnProblem
from attn_cli.inference.pair_options import PairOptions
from attn_cli.inference.translator import Translator

if TYPE_CHECKING:
    from attn_cli.inference.confidence import Calibration
    from attn_cli.inference.pair_aligner import PairAligner


def translator_of(
    bundle: Bundle,
    generator: Generator,
    search: SearchConfig,
    *,
    align: bool,
    aligner: AlignmentModel | None = None,
    level: Level = "word",
    marks_unsure: bool = True,
    calibration: "Calibration | None" = None,
    on_problem: OnProblem | None = None,
) -> Translator:
    """Return a translator with the settings of the recipe's [decode].

    With `align` each translation has its alignment: the decoder's attention, or that of `aligner`;
    none if the model has neither. Without `marks_unsure` no word is marked as unsure.
    """
    decode = bundle.recipe.decode
    return Translator(
        generator,
        bundle.source,
        bundle.target,
        search,
        align=align and bool(aligner or bundle.has_attention),
        aligner=aligner,
        level=level,
        split_over=decode.split_longer_than,
        clauses_over=decode.split_clauses_longer_than,
        case_rules=CaseRules.of(decode),
        unsure_below=decode.unsure_below if marks_unsure else 0.0,
        calibration=calibration,
        on_problem=on_problem,
    )


def pair_aligner_of(
    bundle: Bundle,
    options: PairOptions,
    *,
    decoder: IncrementalDecoder | None = None,
    aligner: AlignmentModel | None = None,
) -> "PairAligner":
    """Return an aligner of pairs with the vocabularies of a bundle; arguments as `PairAligner`."""
    from attn_cli.inference.pair_aligner import PairAligner

    return PairAligner(bundle.source, bundle.target, options, decoder=decoder, aligner=aligner)


def link_threshold(
    bundle: Bundle, threshold: float | None, extraction: Extraction, *, by_aligner: bool
) -> float | None:
    """Return the minimum weight of a link: `threshold`, else that of the model's word aligner.

    None is the extraction's own minimum, which applies to attention weights (`by_aligner` False).
    """
    if by_aligner and threshold is None and extraction == "threshold":
        return bundle.recipe.model.word_aligner.threshold
    return threshold


def require_decoder(bundle: Bundle) -> None:
    """Raise ModelError if the model only aligns."""
    if not bundle.can_translate:
        raise ModelError(
            f"the model {bundle.name} has no decoder: it neither translates nor has attention",
            "Leave --weights out and use it with attn align, or name another model.",
        )


def load_calibration(bundle: Bundle) -> "Calibration | None":
    """Return a model's calibration, None if it has none. Raises ModelError if it is damaged."""
    from attn_cli.inference.confidence import Calibration

    if not bundle.has_files(CONFIDENCE):
        return None
    file = bundle.file(CONFIDENCE)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelError(
            f"cannot read {file}: {error.strerror}", "Copy or train the model again."
        ) from error
    return Calibration.from_bytes(data, where=str(file))
