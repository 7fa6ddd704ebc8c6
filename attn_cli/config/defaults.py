"""Defaults that depend on the network's family, on fine-tuning, or on the age of a bundle."""

import dataclasses
from typing import Any

from attn_cli.config.model import ModelConfig
from attn_cli.config.network import TRANSFORMER
from attn_cli.config.schema import Recipe
from attn_cli.config.trees import section, to_tree

#: Layers of a Transformer whose recipe sets no number.
DEFAULT_TRANSFORMER_LAYERS = 4


#: Values of keys that are missing in the recipe of an older bundle and whose default has changed.
LEGACY_DEFAULTS: dict[str, Any] = {
    "tokenizer": {"word_rules": 1},
    "model": {
        "word_aligner": False,
        "attention": {"kind": "additive"},
        "decoder": {"input_feeding": False},
    },
}


#: Former key of recipes in bundles of format 1 → current key.
FORMER_KEYS = {
    "licence": "license",
    "data.variants.small_letters": "data.augmentation.lowercase",
    "data.variants.no_final_mark": "data.augmentation.drop_final_punctuation",
    "data.variants.new_names": "data.augmentation.replace_names",
    "data.variants.new_words": "data.augmentation.replace_words",
    "tokenizer.plain_quotes": "tokenizer.normalize_quotes",
    "tokenizer.sampling": "tokenizer.subword_alpha",
    "model.tied": "model.tie_embeddings",
    "model.positions": "model.positional_encoding",
    "model.alignment_head": "model.word_aligner",
    "model.dropout.readout": "model.dropout.output",
    "model.decoder.attends": "model.decoder.input_feeding",
    "train.head_steps": "train.aligner_steps",
    "train.keep_head": "train.freeze_aligner",
    "train.average": "train.average_checkpoints",
    "train.guided_weight": "train.guided_alignment_weight",
    "train.guided_decay": "train.guided_alignment_decay",
    "decode.beam": "decode.beam_size",
    "decode.layer": "decode.attention_layer",
    "decode.head": "decode.attention_head",
    "decode.split_over": "decode.split_longer_than",
    "decode.capitals": "decode.handle_all_caps",
}


#: Values that changed with their key.
FORMER_VALUES = {"before": False, "after": True}


def finetuning_defaults(recipe: Recipe) -> Recipe:
    """Return `recipe` with defaults for fine-tuning: a low learning rate and small batches."""
    train = dataclasses.replace(
        recipe.train, learning_rate=3e-4, warmup_steps=10, batch_tokens=1_000, freeze_aligner=True
    )
    return dataclasses.replace(recipe, train=train)


def rename_former_keys(tree: dict[str, Any]) -> None:
    """Move the values of `FORMER_KEYS` in `tree`, in place, to their current keys."""
    for former, key in FORMER_KEYS.items():
        *sections, name = former.split(".")
        section: Any = tree
        for part in sections:
            section = section.get(part) if isinstance(section, dict) else None
        if not isinstance(section, dict) or name not in section:
            continue
        value = section.pop(name)
        if former == "model.decoder.attends" and isinstance(value, str):
            value = FORMER_VALUES.get(value, value)
        *sections, name = key.split(".")
        section = tree
        for part in sections:
            section = section.setdefault(part, {}) if isinstance(section, dict) else None
        if isinstance(section, dict):
            section[name] = value
    data = tree.get("data")
    if isinstance(data, dict) and data.get("variants") == {}:
        del data["variants"]


def with_family_defaults(tree: dict[str, Any]) -> dict[str, Any]:
    """Return `tree` with a Transformer's defaults: width of the embeddings, layers, multihead."""
    model = section(tree, "model")
    parts = {name: section(model, name) for name in ("encoder", "decoder")}
    width = model.get("embedding", ModelConfig.embedding)
    filled: dict[str, Any] = {
        name: {"width": width, "layers": DEFAULT_TRANSFORMER_LAYERS} | part
        for name, part in parts.items()
        if part.get("kind") == TRANSFORMER
    }
    if "decoder" in filled:
        filled["attention"] = {"kind": "multihead"} | section(model, "attention")
    return tree | {"model": model | filled} if filled else tree


def family_defaults(model: ModelConfig) -> dict[str, Any]:
    """Return the default of every key for the families (recurrent, Transformer) of `model`."""
    kinds = {
        "embedding": model.embedding,
        "encoder": {"kind": model.encoder.kind},
        "decoder": {"kind": model.decoder.kind},
    }
    filled, whole = with_family_defaults({"model": kinds})["model"], to_tree(Recipe())
    for name in ("encoder", "decoder"):
        whole["model"][name] |= filled[name] | {"kind": whole["model"][name]["kind"]}
    whole["model"]["attention"] |= filled.get("attention", {})
    return whole
