"""Add graphs for ONNX Runtime to a bundle, if they compute what its networks compute."""

from dataclasses import dataclass

import numpy as np
import onnx
import torch
from safetensors.torch import save
from torch import nn

from attn_cli.bundles import manifest, storage
from attn_cli.bundles.bundle import Bundle
from attn_cli.choices import Precision
from attn_cli.data.shortlist import Shortlist
from attn_cli.errors import ModelError
from attn_cli.export import parity, quantize, tracing
from attn_cli.export.graph_files import graph_files
from attn_cli.inference.engines.interface import select_heads
from attn_cli.inference.engines.torch import load, load_aligner
from attn_cli.nn.state_dict import unique_state_dict

#: Maximum difference of int8 graphs: any finite one. Their quality is measured by BLEU; on random
#: pieces the difference has no meaning.
_ANY_FINITE = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class ExportResult:
    """The files written, the bytes of graphs, and the largest difference of the fp32 graphs."""

    files: tuple[str, ...]
    bytes: int
    difference: float


def export(
    bundle: Bundle,
    *,
    precision: Precision,
    half: bool = False,
    shortlist: Shortlist | None = None,
) -> ExportResult:
    """Trace the networks of a bundle into graphs, and write these into it.

    With `half` the bundle's parameters, which fine-tuning starts from, are stored in half precision
    too. Graphs for the `shortlist`, or the bundle's, are added.

    Raises ModelError for a bundle without parameters, or if the graphs differ from the networks;
    TrainingError if the disk is full; the bundle then has its former graphs.
    """
    decoder = aligner = None
    shortlist_in_use = shortlist or bundle.shortlist
    if bundle.has_files(manifest.WEIGHTS):
        heads = select_heads(bundle.recipe.model)
        decoder = load(bundle, heads, device="cpu", threads=None, shortlist=shortlist_in_use)
    if bundle.has_files(manifest.WORD_ALIGNER):
        aligner = load_aligner(bundle, device="cpu", threads=None)
    is_incomplete = (bundle.can_translate and not decoder) or (bundle.can_align and not aligner)
    if is_incomplete or not (decoder or aligner):
        raise ModelError(
            f"the model {bundle.name} has no parameters to export",
            "Name a model that attn train has written.",
        )
    vocab = bundle.source.vocab_size, bundle.target.vocab_size
    graphs: dict[str, onnx.ModelProto] = {}
    with torch.no_grad():
        if decoder:
            graphs |= tracing.translator_graphs(
                decoder.network, with_shortlist=shortlist_in_use is not None
            )
        if aligner:
            graphs |= tracing.aligner_graph(aligner.aligner)
    difference = parity.max_difference(graphs, decoder, aligner, vocab)
    _require_parity(bundle, difference, parity.TOLERANCE)
    if precision == "int8":
        graphs = quantize.quantize_graphs(graphs)
        int8_difference = parity.max_difference(graphs, decoder, aligner, vocab)
        _require_parity(bundle, int8_difference, _ANY_FINITE)
    files = graph_files(graphs)
    size = sum(map(len, files.values()))
    if shortlist and decoder:
        files[manifest.SHORTLIST] = shortlist.to_bytes()
    if half and decoder:
        files[manifest.WEIGHTS] = _half_precision(decoder.network)
    if half and aligner:
        files[manifest.WORD_ALIGNER] = _half_precision(aligner.aligner)
    storage.add_graphs(bundle.path, files, precision=precision)
    return ExportResult(tuple(files), size, difference)


def _half_precision(network: nn.Module) -> bytes:
    """Return the parameters in half precision, as a safetensors file."""
    return save({name: tensor.half() for name, tensor in unique_state_dict(network).items()})


def _require_parity(bundle: Bundle, difference: float, tolerance: float) -> None:
    if not difference <= tolerance:  # NaN too
        raise ModelError(
            f"the graphs of {bundle.name} differ from its network by {difference:.1e}, "
            f"more than {tolerance:.0e}, so nothing was written",
            "Please report it, with the recipe. The model is unchanged.",
        )
