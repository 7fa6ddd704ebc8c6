"""The pairs of `attn align`, and the linker that its options select."""

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from attn_cli.cli.align_options import AlignOptions
from attn_cli.cli.input import open_input, open_parallel_input, warning_callback
from attn_cli.cli.model_loading import LoadedModel, ModelLoader
from attn_cli.cli.output import Writer
from attn_cli.cli.show_self_attention import self_attention_linker
from attn_cli.console import Console
from attn_cli.inference.diagnosis import DiagnosingLinker, LinkerProtocol
from attn_cli.inference.from_bundle import pair_aligner_of
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
    """Open the pairs, chunk by chunk."""
    if options.source is not None and options.target is not None:
        return open_parallel_input(console, options.source, options.target, shard=options.shard)
    return open_input(
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
    """Return a linker by the models of the options, and the writer of its results."""
    if options.show != "cross":
        return self_attention_linker(
            console,
            options,
            options.show,
            writer,
            options.pair_options,
            heads=options.heads,
        )
    loader = ModelLoader(console, options.engine_options)
    scored, is_page = writer.format == "jsonl", writer.format == "html"
    loaded = loader.load_aligner(
        options.model,
        options.matrix_kind,
        scored=scored,
        heads=options.heads,
        every=is_page,
        target_token=options.target_token,
    )
    writer = writer.for_model(loaded.bundle, by_head=loaded.aligner is not None)
    if is_page:
        others = loaded.other_tables(options.pair_options)
        writer = replace(writer, others=others)
    forward = _aligner(console, options, loaded)
    if options.reverse is None:
        aligner = _with_mass(_with_heads(forward, options, loaded), options)
        linker: LinkerProtocol = DirectionalLinker(aligner, writer.links)
        return _with_diagnostics(linker, options, loader, loaded), writer
    other = loader.load_aligner(options.reverse, options.weights, scored=False)
    check_opposite(loaded.bundle.recipe, other.bundle.recipe)
    method = options.symmetrize or "grow-diag-final-and"
    reverse = _aligner(console, options, other, name=other.bundle.name)
    if writer.page is not None and method != "soft":
        writer = replace(writer, page=replace(writer.page, extraction=method))
    aligners = _with_mass(forward, options), _with_mass(reverse, options)
    symmetrized = SymmetrizedLinker(*aligners, writer.links, method)
    return _with_diagnostics(symmetrized, options, loader, loaded), writer


def _with_mass(aligner: AlignerProtocol, options: AlignOptions) -> AlignerProtocol:
    """Renormalize the weights over the words with --unaligned-mass renormalize."""
    return RenormalizingAligner(aligner) if options.unaligned_mass == "renormalize" else aligner


def _with_diagnostics(
    linker: LinkerProtocol, options: AlignOptions, loader: ModelLoader, loaded: LoadedModel
) -> LinkerProtocol:
    """Add diagnostics to each pair with --diagnostics."""
    if not options.diagnostics:
        return linker
    other = loader.other_aligner(loaded, options.pair_options)
    return DiagnosingLinker(linker, other)


def _aligner(
    console: Console, options: AlignOptions, loaded: LoadedModel, name: str = ""
) -> PairAligner:
    return pair_aligner_of(
        loaded.bundle,
        replace(options.pair_options, on_problem=warning_callback(console, name)),
        decoder=loaded.decoder,
        aligner=loaded.aligner,
    )


def _with_heads(
    aligner: PairAligner, options: AlignOptions, loaded: LoadedModel
) -> PairAligner | PerHeadAligner:
    """Add the tables of single heads, if the options select them."""
    if not loaded.heads:
        return aligner
    build = functools.partial(pair_aligner_of, loaded.bundle, options.pair_options)
    return PerHeadAligner(
        aligner, [(head, build(decoder=decoder)) for head, decoder in loaded.heads]
    )


@contextmanager
def linker_from_corpus(
    console: Console, options: AlignOptions, writer: Writer
) -> Iterator[tuple[Chunks, LinkerProtocol, Writer]]:
    """Yield the pairs, a linker that was fitted to them, and the writer of its results."""
    from attn_cli.cli.align_with_corpus import fit_aligner, rereadable_pairs
    from attn_cli.cli.output_folder import refuse_to_replace

    if options.out is not None:
        refuse_to_replace(options.out, force=options.force, resumable=False)
    by_threshold = writer.extraction == "threshold"
    tables = writer.format != "pharaoh" or not by_threshold
    with (
        rereadable_pairs(console, options) as text,
        fit_aligner(text, options, tables=tables) as fitted,
    ):
        if writer.threshold is None and by_threshold:
            writer = replace(writer, threshold=fitted.threshold)
        writer = replace(writer, model=fitted.name)
        if writer.format == "html":
            writer = writer.with_page("alignment", languages=fitted.languages)
        with text.chunks() as chunks:
            aligner = _with_mass(fitted.aligner, options)
            linker: LinkerProtocol = DirectionalLinker(aligner, writer.links)
            if options.diagnostics:
                linker = DiagnosingLinker(linker)
            yield chunks, linker, writer
