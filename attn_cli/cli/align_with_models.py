"""What `attn align` works with: the options it was given, and the models that they name."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from attn_cli.choices import Engine, InputFormat, Level, MatrixKind, OutputFormat, Symmetrization
from attn_cli.cli.input import Request, Shard, requests, requests_of_two, warning_callback
from attn_cli.cli.model_loading import HeadRequest, LoadedModel, ModelLoader
from attn_cli.cli.output import Writer
from attn_cli.console import Console
from attn_cli.errors import UsageError
from attn_cli.inference.engines.interface import IncrementalDecoder
from attn_cli.inference.linkers import (
    DirectionalLinker,
    PerHeadAligner,
    SymmetrizedLinker,
    check_opposite,
)
from attn_cli.inference.pair_aligner import PairAligner

Chunks = Iterator[list[Request]]
Linker = DirectionalLinker | SymmetrizedLinker

#: The formats that hold the tables of several heads.
_SIDE_BY_SIDE = ("table", "jsonl", "svg")


@dataclass(frozen=True)
class Options:
    """What was asked for: which pairs, and who aligns them."""

    pair: tuple[str, ...]
    source: Path | None
    target: Path | None
    input: Path | None
    input_format: InputFormat
    tokenized: bool
    level: Level
    model: str | None
    weights: MatrixKind | None
    head: str | None
    layer: int | None
    reverse: str | None
    symmetrize: Symmetrization | None
    fit: bool
    out: Path | None
    force: bool
    device: str
    engine: Engine
    threads: int
    seed: int
    shard: Shard | None = None
    quick: bool = False

    @property
    def look(self) -> HeadRequest | None:
        """Which heads are looked at, if that was said. Raises UsageError for what is no head."""
        if self.head is None and self.layer is None:
            return None
        name = self.head or "mean"
        if name == "all":
            return HeadRequest(self.layer, each=True)
        if name != "mean" and not (name.isascii() and name.isdecimal() and int(name) > 0):
            raise UsageError(f"--head cannot be {name}", "Give a number from 1, all, or mean.")
        return HeadRequest(self.layer, 0 if name == "mean" else int(name))

    @property
    def which(self) -> MatrixKind | None:
        """Whose weights are wanted: heads and layers are the attention's."""
        return "attention" if self.look else self.weights

    def check(self, format: OutputFormat, *, gold: bool) -> None:
        """Raises UsageError where two options contradict each other, or the format."""
        if (self.source is None) != (self.target is None):
            raise UsageError("--source and --target go together", "Give both, or pipe pairs in.")
        if self.source is not None and (self.pair or self.input is not None):
            raise UsageError("pairs were given twice", "Give --source and --target alone.")
        if self.level == "piece":
            self._check_pieces(gold=gold)
        if self.symmetrize is not None and self.reverse is None:
            raise UsageError(
                "--symmetrize combines two directions",
                "Name the other direction's model: --reverse.",
            )
        if self.look is not None:
            self._check_look(self.look, format)
        if self.shard is not None and gold:
            raise UsageError("--gold holds the links of the whole file", "Leave --shard out.")
        if self.fit:
            self._check_fit()
        elif self.quick:
            raise UsageError("--quick needs --fit", "Give both, or leave it out.")
        elif self.out is not None or self.force:
            raise UsageError(
                "--out and --force need --fit, which makes a model",
                "Write links to a file with --output.",
            )

    def _check_pieces(self, *, gold: bool) -> None:
        if gold:
            raise UsageError("gold links are between words", "Leave --level piece out.")
        if self.reverse is not None:
            raise UsageError("two models share words, not pieces", "Leave --level piece out.")
        if self.fit:
            raise UsageError("--fit links words", "Leave --level piece out.")

    def _check_look(self, look: HeadRequest, format: OutputFormat) -> None:
        if self.weights == "alignment":
            raise UsageError(
                "--head and --layer choose among the decoder's attention, not --weights alignment",
                "Leave one of the two out.",
            )
        if self.reverse is not None:
            raise UsageError(
                "--head and --layer choose among the heads of one model, and --reverse names two",
                "Leave one of the two out.",
            )
        if look.each and format not in _SIDE_BY_SIDE:
            raise UsageError(
                f"--head all shows tables side by side, which {format} cannot hold",
                "Choose one head, or --format table, jsonl or svg.",
            )

    def _check_fit(self) -> None:
        if self.shard is not None:
            raise UsageError("--fit learns from the whole file", "Leave --shard out.")
        for name in ("model", "weights", "reverse", "head", "layer"):
            if getattr(self, name) is not None:
                raise UsageError(
                    f"--fit uses no model, so it excludes --{name}",
                    "Leave one of the two out.",
                )
        if self.quick and self.out is not None:
            raise UsageError(
                "--quick makes no model that --out could save", "Leave one of the two out."
            )
        if self.pair:
            raise UsageError(
                "--fit cannot learn from one pair", "Name files, or pipe many pairs in."
            )
        if self.input_format == "jsonl":
            raise UsageError("--fit does not read JSONL", "Give source<TAB>target lines.")


def chunks_of(console: Console, options: Options) -> AbstractContextManager[Chunks]:
    """The pairs, as they are read."""
    if options.source is not None and options.target is not None:
        return requests_of_two(console, options.source, options.target, shard=options.shard)
    return requests(
        console,
        list(options.pair),
        options.input,
        options.input_format,
        pairs=True,
        shard=options.shard,
    )


def linker_from_models(console: Console, options: Options, writer: Writer) -> tuple[Linker, Writer]:
    """Whoever links by the models that were named, and the writer of what they find."""
    opener = ModelLoader(console, options.device, options.threads, options.engine)
    scored = writer.format == "jsonl"
    opened = opener.load_aligner(options.model, options.which, scored=scored, look=options.look)
    writer = writer.for_model(opened.bundle, by_head=opened.matcher is not None)
    forward = _aligner(console, options, opened)
    if options.reverse is None:
        return DirectionalLinker(_with_heads(forward, options, opened), writer.links), writer
    other = opener.load_aligner(options.reverse, options.weights, scored=False)
    check_opposite(opened.bundle.recipe, other.bundle.recipe)
    method = options.symmetrize or "grow-diag-final-and"
    reverse = _aligner(console, options, other, name=other.bundle.name)
    return SymmetrizedLinker(forward, reverse, writer.links, method), writer


def _aligner(
    console: Console, options: Options, opened: LoadedModel, name: str = ""
) -> PairAligner:
    return PairAligner(
        opened.bundle.source,
        opened.bundle.target,
        stepper=opened.stepper,
        matcher=opened.matcher,
        tokenized=options.tokenized,
        level=options.level,
        on_problem=warning_callback(console, name),
    )


def _with_heads(
    aligner: PairAligner, options: Options, opened: LoadedModel
) -> PairAligner | PerHeadAligner:
    """The aligner, with those of the heads that are wanted alone beside it."""

    def alone(stepper: IncrementalDecoder) -> PairAligner:
        return PairAligner(
            opened.bundle.source,
            opened.bundle.target,
            stepper=stepper,
            tokenized=options.tokenized,
            level=options.level,
        )

    if not opened.heads:
        return aligner
    return PerHeadAligner(
        aligner, [(layer, head, alone(found)) for layer, head, found in opened.heads]
    )


@contextmanager
def linker_from_corpus(
    console: Console, options: Options, writer: Writer
) -> Iterator[tuple[Chunks, Linker, Writer]]:
    """The pairs, whoever links them after learning from them, and the writer of what it finds."""
    from attn_cli.cli.align_with_corpus import fit_aligner, rereadable_pairs
    from attn_cli.cli.output_folder import refuse_to_replace

    if options.out is not None:
        refuse_to_replace(options.out, force=options.force, resumable=False)
    by_threshold = writer.extraction == "threshold"
    tables = writer.format != "pharaoh" or not by_threshold
    with (
        rereadable_pairs(console, options) as text,
        fit_aligner(text, options, tables=tables) as found,
    ):
        if writer.threshold is None and by_threshold:
            writer = replace(writer, threshold=found.threshold)
        writer = replace(writer, model=found.name)
        with text.requests() as chunks:
            yield chunks, DirectionalLinker(found.aligner, writer.links), writer
