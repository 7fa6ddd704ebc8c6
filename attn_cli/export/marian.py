"""Write a Transformer as a Marian model in the layout of Hugging Face's Transformers.

The reverse of `importing`: a model that was imported gets the tensors back that it came with.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save
from torch import Tensor

from attn_cli.bundles import manifest, vocabularies
from attn_cli.bundles.bundle import Bundle
from attn_cli.config import TRANSFORMER, Recipe
from attn_cli.data.sentencepiece_model import with_spaces
from attn_cli.data.sentencepiece_tokenizer import SPECIALS
from attn_cli.data.tokenizer_interface import SubwordTokenizer
from attn_cli.errors import ModelError, TrainingError
from attn_cli.files import atomic
from attn_cli.importing import marian_config
from attn_cli.importing.marian import original_card
from attn_cli.importing.marian_vocabulary import TARGET_VOCABULARY, VOCABULARY, original_piece
from attn_cli.importing.marian_weights import (
    BIAS,
    OUTPUT,
    SAFETENSORS,
    SHARED,
    SOURCE_EMBEDDING,
    TARGET_EMBEDDING,
    parameter_names,
)
from attn_cli.inference.engines.interface import ALL_HEADS
from attn_cli.inference.engines.torch import load
from attn_cli.nn.state_dict import unique_state_dict
from attn_cli.types import BOS, EOS, PAD

#: Positions of the longest sentence, which Transformers computes when it loads a model.
MAX_POSITIONS = 1024

#: The embeddings by their names in `nn`.
_SOURCE_TABLE = "source_embedding.embedding.weight"
_TARGET_TABLE = "target_embedding.embedding.weight"


class Vocabulary(NamedTuple):
    """The ids of `attn` in the order of Transformers, and the pieces there."""

    rows: list[int]
    pieces: list[str]


def write_marian_folder(bundle: Bundle, out: Path) -> dict[str, int]:
    """Write the translation network of a bundle into the folder `out`; return each file's bytes.

    Raises ModelError for a bundle without parameters, or whose network or vocabulary a Marian model
    cannot have, TrainingError if the folder cannot be written.
    """
    recipe = bundle.recipe
    if not bundle.has_files(manifest.WEIGHTS):
        raise ModelError(
            f"the model {bundle.name} has no parameters of a translation network",
            "Name a model that attn train or attn models import made.",
        )
    if differences := list(_differences(recipe)):
        raise ModelError(
            f"the model {bundle.name} cannot be a Marian model: it has {' and '.join(differences)}",
            "Without --to hf it is exported for ONNX Runtime.",
        )
    tensors = unique_state_dict(load(bundle, ALL_HEADS, device="cpu", threads=None).network)
    start = _start_token(tensors, recipe)
    source, target = (_vocabulary(each, start) for each in (bundle.source, bundle.target))
    ids = {row: id for id, row in enumerate(target.rows)}
    config = _config(recipe, source, target, ids, start)
    files = {
        SAFETENSORS: save(_weights(tensors, recipe, source, target), metadata={"format": "pt"}),
        vocabularies.SOURCE: _sentencepiece_model(bundle.source, recipe),
        vocabularies.TARGET: _sentencepiece_model(bundle.target, recipe),
        VOCABULARY: _vocabulary_file(source),
        marian_config.GENERATION: _json(_generation(recipe, ids, start)),
        marian_config.TOKENIZER: _json(_tokenizer(recipe)),
    }
    if not config["share_encoder_decoder_embeddings"]:
        files[TARGET_VOCABULARY] = _vocabulary_file(target)
    if card := _card(bundle):
        files[marian_config.CARD] = card.encode("utf-8")
    files[marian_config.CONFIG] = _json(config)  # last: without it the folder is no model
    try:
        for name, data in files.items():
            atomic.write(out / name, data)
    except OSError as error:
        raise TrainingError(
            f"cannot write into {out}: {error.strerror}", "Choose another --out."
        ) from error
    return {name: len(data) for name, data in files.items()}


def _differences(recipe: Recipe) -> Iterator[str]:
    """Yield what the model has and a Marian model cannot have."""
    model, tokenizer = recipe.model, recipe.tokenizer
    for side, part in (("an encoder", model.encoder), ("a decoder", model.decoder)):
        if part.kind != TRANSFORMER:
            yield f"{side} that is no Transformer"
    is_transformer = TRANSFORMER in (model.encoder.kind, model.decoder.kind)
    if is_transformer and model.norm_first:
        yield "layer normalization before each sublayer (model.norm_first)"
    if is_transformer and model.positional_encoding != "sinusoidal":
        yield "learned positions"
    if tokenizer.literals:
        yield "placeholders in its vocabulary (tokenizer.literals)"
    if tokenizer.normalize_quotes:
        yield "quotes converted before segmentation (tokenizer.normalize_quotes)"
    if tokenizer.detach_opening_marks:
        yield "words detached from opening marks (tokenizer.detach_opening_marks)"


def _start_token(tensors: Mapping[str, Tensor], recipe: Recipe) -> int:
    """Return our id of the token that decoding starts with.

    Marian has no BOS of its own: an imported model has a copy of another token's row there.
    """
    name = _SOURCE_TABLE if recipe.model.tie_embeddings == "all" else _TARGET_TABLE
    table = tensors[name]
    equal = (table == table[BOS]).all(1).nonzero()[:, 0].tolist()
    return next((int(id) for id in equal if id != BOS), BOS)


def _vocabulary(tokenizer: SubwordTokenizer, start: int) -> Vocabulary:
    """Return a vocabulary without BOS, unless decoding starts with it."""
    rows = [id for id in range(tokenizer.vocab_size) if id != BOS or start == BOS]
    pieces = [SPECIALS[id] if id < len(SPECIALS) else tokenizer.piece(id) for id in rows]
    taken = set(pieces)
    originals = (original_piece(piece) for piece in pieces)
    pairs = zip(pieces, originals, strict=True)
    return Vocabulary(rows, [piece if name in taken else name for piece, name in pairs])


SOURCE_TABLE, TARGET_TABLE = (
    "source_embedding.embedding.weight",
    "target_embedding.embedding.weight",
)


def _weights(
    tensors: Mapping[str, Tensor], recipe: Recipe, source: Vocabulary, target: Vocabulary
) -> dict[str, Tensor]:
    """Return the tensors by their names in Transformers."""
    model = recipe.model
    weights: dict[str, Tensor] = {}
    for name, parts in parameter_names(model.encoder.layers, model.decoder.layers):
        weights |= zip(parts, tensors[name].chunk(len(parts)), strict=True)
    if model.tie_embeddings == "all":
        weights[SHARED] = tensors[_SOURCE_TABLE][source.rows]
    else:
        weights[SOURCE_EMBEDDING] = tensors[_SOURCE_TABLE][source.rows]
        weights[TARGET_EMBEDDING] = tensors[_TARGET_TABLE][target.rows]
    if model.tie_embeddings == "none":
        weights[OUTPUT] = tensors["output_projection.weight"][target.rows]
    weights[BIAS] = tensors["output_projection.bias"][target.rows][None]
    return {name: tensor.to(torch.float32).contiguous() for name, tensor in weights.items()}


def _config(
    recipe: Recipe, source: Vocabulary, target: Vocabulary, ids: Mapping[int, int], start: int
) -> dict[str, Any]:
    """Return config.json; `ids` maps our ids of the target to those of Transformers."""
    model = recipe.model
    return {
        "model_type": marian_config.MODEL_TYPE,
        "architectures": ["MarianMTModel"],
        "is_encoder_decoder": True,
        "d_model": model.embedding,
        "encoder_layers": model.encoder.layers,
        "decoder_layers": model.decoder.layers,
        "encoder_attention_heads": model.encoder.heads,
        "decoder_attention_heads": model.attention.heads,
        "encoder_ffn_dim": model.encoder.feed_forward,
        "decoder_ffn_dim": model.decoder.feed_forward,
        "activation_function": model.activation,
        "scale_embedding": model.scale_embeddings,
        "static_position_embeddings": True,
        "normalize_before": False,
        "normalize_embedding": False,
        "add_final_layer_norm": False,
        "add_bias_logits": False,
        "share_encoder_decoder_embeddings": model.tie_embeddings == "all",
        "tie_word_embeddings": model.tie_embeddings != "none",
        "dropout": model.dropout.states,
        "max_position_embeddings": MAX_POSITIONS,
        "vocab_size": len(source.rows),
        "decoder_vocab_size": len(target.rows),
        "pad_token_id": ids[PAD],
        "eos_token_id": ids[EOS],
        "forced_eos_token_id": ids[EOS],
        "decoder_start_token_id": ids[start],
        "dtype": "float32",
    }


def _generation(recipe: Recipe, ids: Mapping[int, int], start: int) -> dict[str, Any]:
    return {
        "num_beams": recipe.decode.beam_size,
        "max_length": 512,
        "bad_words_ids": [[ids[PAD]]],
        "pad_token_id": ids[PAD],
        "eos_token_id": ids[EOS],
        "forced_eos_token_id": ids[EOS],
        "decoder_start_token_id": ids[start],
    }


def _tokenizer(recipe: Recipe) -> dict[str, Any]:
    return {
        "tokenizer_class": "MarianTokenizer",
        "source_lang": recipe.source,
        "target_lang": recipe.target,
        "separate_vocabs": recipe.model.tie_embeddings != "all",
        "model_max_length": 512,
    }


def _sentencepiece_model(tokenizer: SubwordTokenizer, recipe: Recipe) -> bytes:
    """Return the model that segments whole lines; ours segment words with a space in front."""
    model = tokenizer.to_bytes()
    if recipe.tokenizer.pretokenization == "none":
        return model
    return with_spaces(model, normalized=True)


def _card(bundle: Bundle) -> str:
    """Return the card without what the import added, or the license alone."""
    if bundle.has_files(manifest.CARD):
        return original_card(bundle.file(manifest.CARD).read_text("utf-8", errors="replace"))
    recipe = bundle.recipe
    return f"---\nlicense: {recipe.license}\n---\n# {recipe.name}\n" if recipe.license else ""


def _vocabulary_file(vocabulary: Vocabulary) -> bytes:
    return _json({piece: id for id, piece in enumerate(vocabulary.pieces)})


def _json(tree: Mapping[str, Any]) -> bytes:
    return (json.dumps(tree, ensure_ascii=False, indent=2) + "\n").encode("utf-8")
