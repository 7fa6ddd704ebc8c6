"""Select the attention head that a finished model shows, by word links of pairs."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from attn_cli import config
from attn_cli.alignment.link_table import LinkTable
from attn_cli.bundles import manifest, storage
from attn_cli.bundles.bundle import Bundle
from attn_cli.data.batching import sequential_batches
from attn_cli.data.corpus import Corpus
from attn_cli.data.segmentation import segment_corpus
from attn_cli.errors import ModelError
from attn_cli.inference.engines.interface import ALL_HEADS
from attn_cli.inference.engines.torch import load
from attn_cli.nn.device import select_hardware
from attn_cli.training.head_selection import SelectedHead, find_best_head, sample_pairs
from attn_cli.training.link_file import read_links
from attn_cli.training.training_pairs import read_training_pairs
from attn_cli.training.word_links import LINKS, prepare_word_links


def show_best_head(
    model: Bundle,
    data: config.DataConfig,
    *,
    links: Path | None,
    threads: int,
    target_token: str | None = None,
    stdin: BinaryIO | None = None,
) -> SelectedHead | None:
    """Select the head that agrees best with links of the pairs of `data`; write the recipe.

    `links` is a file with one line for each pair; without it statistical aligners vote. Source
    lines start with `target_token`, if any. Returns None, and leaves the recipe unchanged, if no
    head agrees with any link. Raises ModelError for a model without parameters or without several
    heads, UsageError without that token, DataError for text or links that cannot be used.
    """
    layers, heads = model.recipe.model.heads
    if layers * heads <= 1:
        raise ModelError(
            f"the model {model.name} has no attention heads to choose from",
            "Name a model with several heads, such as a Transformer.",
        )
    if not model.has_files(manifest.WEIGHTS):
        raise ModelError(
            f"the model {model.name} has graphs but no parameters, which comparing heads needs",
            "Name a model that attn train or attn models import made.",
        )
    pairs, report = read_training_pairs(data, model.recipe, stdin=stdin)
    source = model.with_target_token(target_token).source
    text, _ = segment_corpus(
        pairs, source, model.target, source_prefix=source.prefix_ids
    ).filter_lengths(max_length=data.max_length, max_ratio=data.max_ratio)
    if links is None:
        table = _vote(model.recipe, text.corpus, report.n_read, threads)
    else:
        table = read_links(links, text.corpus, n_lines=report.n_read, stdin=stdin)
    sample = sample_pairs(text, table)
    selected = find_best_head(
        load(model, ALL_HEADS, device="cpu", threads=threads).network,
        sequential_batches(text, sample, tokens=model.recipe.train.batch_tokens)
        if len(sample)
        else (),
        table,
        model=model.recipe.model,
        hardware=select_hardware("cpu", "fp32"),
    )
    if selected is not None:
        decode = replace(
            model.recipe.decode, attention_layer=selected.layer, attention_head=selected.head
        )
        storage.write_recipe(model.path, replace(model.recipe, decode=decode))
    return selected


def _vote(recipe: config.Recipe, pairs: Corpus, n_lines: int, threads: int) -> LinkTable:
    """Return the links that statistical aligners vote for."""
    train = replace(recipe.train, guided_alignment=config.STATISTICAL, guided_alignment_weight=1.0)
    with TemporaryDirectory() as folder:
        links = prepare_word_links(
            replace(recipe, train=train),
            pairs,
            n_lines=n_lines,
            cache=Path(folder) / LINKS,
            workers=threads,
            emit=lambda event: None,
        )
    assert links is not None, "nothing interrupts it"
    return links.table
