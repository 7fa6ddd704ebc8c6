"""The pairs of `attn align`, and the linker that its options name."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from attn_cli.cli.align_options import AlignOptions
from attn_cli.cli.align_self_attention import self_attention_linker
from attn_cli.cli.diagnose import other_aligner
from attn_cli.cli.input import requests, requests_of_two, warning_callback
from attn_cli.cli.model_loading import LoadedModel, ModelLoader
from attn_cli.cli.output import Writer
from attn_cli.console import Console
from attn_cli.inference.diagnosis import DiagnosingLinker, LinkerProtocol
from attn_cli.inference.engines.interface import IncrementalDecoder
from attn_cli.inference.linkers import (
    AlignerProtocol,
    DirectionalLinker,
    PerHeadAligner,
    RenormalizingAligner,
    SymmetrizedLinker,
    check_opposite,
)
from attn_cli.inference.pair_aligner import PairAligner
from attn_cli.types import InputLine

Chunks = Iterator[list[InputLine]]


def chunks_of(console: Console, options: AlignOptions) -> AbstractContextManager[Chunks]:
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


def linker_from_models(
    console: Console, options: AlignOptions, writer: Writer
) -> tuple[LinkerProtocol, Writer]:
    """Whoever links by the models that were named, and the writer of what they find."""
    if options.show != "cross":
        return self_attention_linker(console, options, writer)
    opener = ModelLoader(console, options.device, options.threads, options.engine)
    scored, is_page = writer.format == "jsonl", writer.format == "html"
    opened = opener.load_aligner(
        options.model, options.matrix_kind, scored=scored, look=options.heads, every=is_page
    )
    writer = writer.for_model(opened.bundle, by_head=opened.matcher is not None)
    if is_page:
        others = opened.other_tables(level=options.level, tokenized=options.tokenized)
        writer = replace(writer, others=others)
    forward = _aligner(console, options, opened)
    if options.reverse is None:
        aligner = _with_mass(_with_heads(forward, options, opened), options)
        linker: LinkerProtocol = DirectionalLinker(aligner, writer.links)
        return _with_diagnostics(linker, options, opener, opened), writer
    other = opener.load_aligner(options.reverse, options.weights, scored=False)
    check_opposite(opened.bundle.recipe, other.bundle.recipe)
    method = options.symmetrize or "grow-diag-final-and"
    reverse = _aligner(console, options, other, name=other.bundle.name)
    if writer.page is not None and method != "soft":
        writer = replace(writer, page=replace(writer.page, extraction=method))
    aligners = _with_mass(forward, options), _with_mass(reverse, options)
    symmetrized = SymmetrizedLinker(*aligners, writer.links, method)
    return _with_diagnostics(symmetrized, options, opener, opened), writer


def _with_mass(aligner: AlignerProtocol, options: AlignOptions) -> AlignerProtocol:
    """The aligner, with or without the weight that belongs to no word."""
    return RenormalizingAligner(aligner) if options.unaligned_mass == "renormalize" else aligner


def _with_diagnostics(
    linker: LinkerProtocol, options: AlignOptions, loader: ModelLoader, loaded: LoadedModel
) -> LinkerProtocol:
    """The linker, which diagnoses each pair with --diagnostics."""
    if not options.diagnostics:
        return linker
    other = other_aligner(
        loader,
        loaded.bundle,
        by_aligner=loaded.matcher is not None,
        tokenized=options.tokenized,
        level=options.level,
    )
    return DiagnosingLinker(linker, other)


def _aligner(
    console: Console, options: AlignOptions, opened: LoadedModel, name: str = ""
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
    aligner: PairAligner, options: AlignOptions, opened: LoadedModel
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
    console: Console, options: AlignOptions, writer: Writer
) -> Iterator[tuple[Chunks, LinkerProtocol, Writer]]:
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
        if writer.format == "html":
            writer = writer.with_page("alignment", languages=found.languages)
        with text.requests() as chunks:
            aligner = _with_mass(found.aligner, options)
            linker: LinkerProtocol = DirectionalLinker(aligner, writer.links)
            if options.diagnostics:
                linker = DiagnosingLinker(linker)
            yield chunks, linker, writer
