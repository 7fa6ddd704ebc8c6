"""The options of `attn translate`, and the translator that they name."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

from attn_cli.choices import (
    Extraction,
    OutputFormat,
)
from attn_cli.cli.diagnose import check_flag, check_format, flag
from attn_cli.cli.input import warning_callback
from attn_cli.cli.model_loading import ModelLoader
from attn_cli.cli.model_options import ModelOptions
from attn_cli.cli.output import Writer
from attn_cli.cli.output_format import check_self_attention
from attn_cli.console import Console
from attn_cli.data.casing import CaseRules
from attn_cli.errors import ModelError, UsageError
from attn_cli.inference.beam_search import SearchConfig
from attn_cli.inference.from_bundle import translator_of
from attn_cli.inference.line_batches import OnProblem
from attn_cli.inference.pair_options import PairOptions
from attn_cli.types import InputLine, LineResult

if TYPE_CHECKING:
    from attn_cli.inference.self_attention import Side

#: The formats that a model without attention can write too.
_NEED_NO_WEIGHTS = ("text", "jsonl")

#: The formats whose text --mark-unsure marks, and those that always show unsure words.
_CAN_MARK = ("text", "pharaoh")
_SHOW_UNSURE = ("table", "jsonl", "html")

#: The formats that have every translation of --n-best.
_ALL_TRANSLATIONS = ("text", "jsonl")

Translate = Callable[[Sequence[InputLine]], list[LineResult]]


@dataclass(frozen=True, kw_only=True)
class TranslateOptions(ModelOptions):
    """The options of `attn translate` that name the model, the search and the output."""

    format: OutputFormat
    extract: Extraction = "threshold"
    threshold: float | None = None
    scores: bool = False
    mark_unsure: bool = False
    beam: int | None = None
    n_best: int = 1
    length_penalty: float | None = None
    coverage_penalty: float | None = None
    no_shortlist: bool = False
    flag_below: float | None = None

    @property
    def writes_confidence(self) -> bool:
        """Whether the records have the confidence of their translations."""
        return self.format in ("jsonl", "html") or self.diagnostics or self.needs_confidence

    @property
    def needs_confidence(self) -> bool:
        """Whether a model without calibration cannot do what the options say."""
        text = self.format == "text" and self.scores and self.n_best == 1
        return text or self.flag_below is not None

    def check(self) -> None:
        """Raises UsageError for options that exclude each other."""
        check_flag(self.flag_below)
        if self.show != "cross":
            excluded = {
                "--weights": self.weights is not None,
                "--scores": self.scores,
                "--mark-unsure": self.mark_unsure,
                "--n-best": self.n_best > 1,
                "--diagnostics": self.diagnostics,
                "--flag-below": self.flag_below is not None,
                "--engine onnx": self.engine == "onnx",
            }
            check_self_attention(self.show, self.format, excluded)
        if self.diagnostics:
            check_format(self.format)
        if not self.mark_unsure:
            return
        if self.format not in _CAN_MARK or self.n_best > 1:
            raise UsageError(
                "--mark-unsure marks words in the translation itself, with --format text or "
                "pharaoh and one translation a line",
                "Leave it out: tables mark unsure words by themselves, and jsonl names them.",
            )
        if self.level == "piece":
            raise UsageError("--mark-unsure marks words, not pieces", "Leave --level piece out.")

    def note_single_translation(self, console: Console) -> None:
        """Say that --n-best has no effect on a format of the best translation alone."""
        if self.n_best > 1 and self.format not in _ALL_TRANSLATIONS:
            console.info(
                f"attn: --format {self.format} shows only the best translation; text and "
                f"jsonl have all {self.n_best}"
            )

    def search(self, recipe: SearchConfig) -> SearchConfig:
        """Return the recipe's search settings with those of the options.

        Raises UsageError for NaN and infinity, which Typer's bounds allow.
        """
        values: dict[str, Any] = {
            "beam": self.beam,
            "length_penalty": self.length_penalty,
            "coverage_penalty": self.coverage_penalty,
        }
        for name, value in values.items():
            if isinstance(value, float) and not isfinite(value):
                option = f"--{name.replace('_', '-')}"
                raise UsageError(f"{option} cannot be {value}", "Give a number.")
        changes = {name: value for name, value in values.items() if value is not None}
        search = replace(recipe, **changes)
        return replace(search, n_best=self.n_best, beam=max(search.beam, self.n_best))


def translator_from_model(
    console: Console,
    options: TranslateOptions,
    *,
    on_problem: OnProblem | None = None,
    notes: ExitStack | None = None,
    is_single: bool = False,
) -> tuple[Translate, Writer]:
    """Return a function that translates by the model of the options, and the writer of its results.

    `on_problem` is called for each truncated line; by default the console warns. With `notes`, the
    console names lines that do not suit the model, and counts the others when `notes` closes;
    `is_single` if there is one line only.
    """
    options.check()
    if options.show != "cross":
        return _show_self_attention(
            console, options, options.show, on_problem=on_problem, notes=notes, is_single=is_single
        )
    format, weights = options.format, options.weights
    loader = ModelLoader(console, options.engine_options)
    opened = loader.load_translator(
        options.model,
        weights,
        shown=format not in _NEED_NO_WEIGHTS or (format == "jsonl" and weights is not None),
        confident=options.writes_confidence,
        shortlist=False if options.no_shortlist else None,
        every=format == "html",
        target_token=options.target_token,
    )
    if options.needs_confidence and opened.calibration is None:
        name = opened.bundle.name
        raise ModelError(
            f"the model {name} is not calibrated, so its translations have no confidence",
            f"Calibrate it: attn models calibrate {options.model or name} --pairs FILE, or leave "
            f"{'--scores' if options.flag_below is None else '--flag-below'} out.",
        )
    assert opened.generator is not None
    decode = opened.bundle.recipe.decode
    pairs = PairOptions(level=options.level, case_rules=CaseRules.of(decode))
    translator = translator_of(
        opened.bundle,
        opened.generator,
        options.search(SearchConfig.of(decode)),
        align=format != "text",
        aligner=opened.aligner,
        level=options.level,
        marks_unsure=options.mark_unsure or format in _SHOW_UNSURE,
        calibration=opened.calibration,
        on_problem=on_problem or warning_callback(console),
    )
    writer = Writer(
        format,
        n_best=options.n_best,
        extraction=options.extract,
        threshold=options.threshold,
        scores=options.scores,
        marks_unsure=options.mark_unsure,
        unsure_below=decode.unsure_below,
        diagnostics=options.diagnostics,
        others=opened.other_tables(pairs) if format == "html" else None,
    ).for_model(opened.bundle, by_head=opened.aligner is not None)

    other = None
    if options.diagnostics:
        other = loader.other_aligner(opened, pairs)

    line_notes = None
    if notes is not None and not console.quiet:
        from attn_cli.cli.line_notes import LineNotes

        line_notes = LineNotes(console, opened.bundle, is_single=is_single)
        notes.callback(line_notes.close)

    def translate(requests: Sequence[InputLine]) -> list[LineResult]:
        if line_notes is not None:
            line_notes.check(requests)
        translations = translator.translate(requests)
        if options.unaligned_mass == "renormalize":
            from attn_cli.alignment.renormalization import renormalize_tables

            translations = [renormalize_tables(each) for each in translations]
        linked = [(each, writer.links(each)) for each in translations]
        if options.diagnostics:
            from attn_cli.inference.diagnosis import with_diagnostics

            linked = with_diagnostics(linked, other)
        results = [(request, *each) for request, each in zip(requests, linked, strict=True)]
        if options.flag_below is None:
            return results
        return flag(results, options.flag_below, console, format=format)

    return translate, writer


def _show_self_attention(
    console: Console, options: TranslateOptions, side: "Side", **how: Any
) -> tuple[Translate, Writer]:
    """As `translator_from_model`: each line is translated, then shown as `attn align --show`."""
    from attn_cli.cli.show_self_attention import self_attention_linker, show_translations

    plain = replace(options, format="text", show="cross", level="word", unaligned_mass="keep")
    translate, _ = translator_from_model(console, plain, **how)
    writer = Writer(options.format, extraction=options.extract, threshold=options.threshold)
    pairs = PairOptions(level=options.level)
    linker, writer = self_attention_linker(
        console, options, side, writer, pairs, as_translated=True
    )
    return show_translations(translate, linker), writer
