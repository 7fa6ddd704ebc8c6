"""Read the config.json of a Marian model, in the layout of Transformers, as a recipe.

Marian NMT (Junczys-Dowmunt et al. 2018) is a post-norm Transformer whose embeddings are scaled and
mostly shared; OPUS-MT (Tiedemann & Thottingal 2020) publishes such models.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attn_cli import config
from attn_cli.config import TRANSFORMER, Recipe
from attn_cli.errors import ModelError, UsageError

MODEL_TYPE = "marian"
CONFIG, GENERATION = "config.json", "generation_config.json"
TOKENIZER, CARD = "tokenizer_config.json", "README.md"

#: The hint of errors: the files of a folder.
LAYOUT = (
    "Name a folder with config.json, source.spm, target.spm, vocab.json and model.safetensors "
    "or pytorch_model.bin."
)

#: Activations by their names in Transformers.
_ACTIVATIONS = {"relu": "relu", "swish": "swish", "silu": "swish", "gelu": "gelu"}
_LICENSE = re.compile(r"^license:\s*['\"]?([\w.+-]+)", re.MULTILINE)
_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*$", re.DOTALL | re.MULTILINE)
_LARGEST = 1 << 20  # bytes of a JSON file other than vocab.json, or of a card


@dataclass(frozen=True)
class MarianConfig:
    """The values of a folder's JSON files that define its network and its search."""

    width: int
    encoder_layers: int
    decoder_layers: int
    encoder_heads: int
    decoder_heads: int
    encoder_feed_forward: int
    decoder_feed_forward: int
    activation: str
    scale_embeddings: bool
    share_embeddings: bool
    tie_output: bool
    dropout: float
    vocab_size: int
    decoder_vocab_size: int
    pad: int
    eos: int
    start: int
    beam_size: int
    source: str
    target: str
    license: str

    def recipe(
        self, name: str, *, source: str = "", target: str = "", target_token: str = ""
    ) -> Recipe:
        """Return the recipe of the model; `source` and `target` name its languages.

        Raises ModelError for an invalid configuration.
        """
        tie_embeddings = "all" if self.share_embeddings else "output"
        tree = {
            "name": name,
            "source": source or self.source,
            "target": target or self.target,
            "license": self.license,
            "tokenizer": {
                "pretokenization": "none",
                "joint": self.share_embeddings,
                "target_token": target_token,
                "vocab_size": max(300, self.vocab_size + 1, self.decoder_vocab_size + 1),
            },
            "model": {
                "embedding": self.width,
                "tie_embeddings": tie_embeddings if self.tie_output else "none",
                "norm_first": False,
                "activation": self.activation,
                "scale_embeddings": self.scale_embeddings,
                "encoder": {
                    "kind": TRANSFORMER,
                    "layers": self.encoder_layers,
                    "width": self.width,
                    "heads": self.encoder_heads,
                    "feed_forward": self.encoder_feed_forward,
                },
                "attention": {"kind": "multihead", "heads": self.decoder_heads},
                "decoder": {
                    "kind": TRANSFORMER,
                    "layers": self.decoder_layers,
                    "width": self.width,
                    "feed_forward": self.decoder_feed_forward,
                },
                "word_aligner": {"enabled": False},
                "dropout": {"embedding": self.dropout, "states": self.dropout},
            },
            "decode": {"beam_size": self.beam_size, "handle_all_caps": False},
        }
        try:
            return config.from_dict(tree, where=CONFIG)
        except UsageError as error:
            raise ModelError(f"{CONFIG} is invalid: {error.problem}", LAYOUT) from error


def read_config(folder: Path) -> MarianConfig:
    """Read the JSON files of a folder and its card.

    Raises ModelError if the folder is not in the layout, is damaged, or holds another kind of
    model.
    """
    tree = _read_json(folder / CONFIG, required=True)
    kind = tree.get("model_type")
    if kind != MODEL_TYPE:
        raise ModelError(
            f"{folder} holds a model of the kind {kind!r}, not a Marian model",
            "attn imports Marian models, such as those of OPUS-MT.",
        )
    read = _Reader(folder, tree)
    activation = _ACTIVATIONS.get(str(tree.get("activation_function", "gelu")))
    if activation is None:
        raise read.error("activation_function", "one of " + ", ".join(sorted(_ACTIVATIONS)))
    share = read.flag("share_encoder_decoder_embeddings", True)
    tie = read.flag("tie_word_embeddings", True)
    if not read.flag("static_position_embeddings", True):
        raise read.error("static_position_embeddings", "true")
    if share and not tie:
        raise read.error("tie_word_embeddings", "true, since the embeddings are shared")
    vocab = read.number("vocab_size")
    generation = _read_json(folder / GENERATION, required=False)
    tokenizer = _read_json(folder / TOKENIZER, required=False)
    beams = generation.get("num_beams") or tree.get("num_beams")
    eos = tree.get("eos_token_id", 0)
    pad = read.number("pad_token_id", least=0)
    return MarianConfig(
        width=read.number("d_model"),
        encoder_layers=read.number("encoder_layers"),
        decoder_layers=read.number("decoder_layers"),
        encoder_heads=read.number("encoder_attention_heads"),
        decoder_heads=read.number("decoder_attention_heads"),
        encoder_feed_forward=read.number("encoder_ffn_dim"),
        decoder_feed_forward=read.number("decoder_ffn_dim"),
        activation=activation,
        scale_embeddings=read.flag("scale_embedding", False),
        share_embeddings=share,
        tie_output=tie,
        dropout=min(0.95, max(0.0, float(_number(tree.get("dropout"), 0.1)))),
        vocab_size=vocab,
        decoder_vocab_size=read.number("decoder_vocab_size", default=vocab),
        pad=pad,
        eos=int(_number(eos[0] if isinstance(eos, list) and eos else eos, 0)),
        start=read.number("decoder_start_token_id", default=pad, least=0),
        beam_size=int(_number(beams, config.DecodeConfig.beam_size)) or 1,
        source=_language(tokenizer.get("source_lang")),
        target=_language(tokenizer.get("target_lang")),
        license=read_license(folder),
    )


def read_license(folder: Path) -> str:
    """Return the license in the front matter of a folder's card, "" if there is none."""
    front = _FRONT_MATTER.search(read_card(folder))
    license = _LICENSE.search(front.group(1)) if front else None
    return license.group(1) if license else ""


def read_card(folder: Path) -> str:
    """Return the text of a folder's README.md, "" if it has none."""
    try:
        with (folder / CARD).open("rb") as file:
            return file.read(_LARGEST).decode("utf-8", errors="replace")
    except OSError:
        return ""


class _Reader:
    """Reads the values of a config.json, with errors that name the key."""

    def __init__(self, folder: Path, tree: Mapping[str, Any]) -> None:
        self._folder, self._tree = folder, tree

    def number(self, key: str, *, default: int | None = None, least: int = 1) -> int:
        value = self._tree.get(key)
        value = default if value is None else value
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 1 << 31:
            raise self.error(key, f"a whole number of at least {least}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self._tree.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.error(key, "true or false")
        return default if value is None else value

    def error(self, key: str, expected: str) -> ModelError:
        value = self._tree.get(key)
        return ModelError(
            f"{self._folder / CONFIG}: {key} is {value!r}, and attn needs {expected}",
            "Copy the folder again, or choose another model.",
        )


def _read_json(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            tree = json.loads(file.read(_LARGEST))
    except FileNotFoundError:
        if not required:
            return {}
        raise ModelError(f"{path.parent} has no {path.name}", LAYOUT) from None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}", LAYOUT) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON", "Copy the folder again.") from error
    if not isinstance(tree, dict):
        raise ModelError(f"{path} is not a JSON object", "Copy the folder again.")
    return tree


def _number(value: Any, default: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 <= value < 1 << 31 else default


def _language(value: Any) -> str:
    """Return the code of a language; "" for several ("fra+ita") or none."""
    code = str(value or "")
    return code if re.fullmatch("[A-Za-z]{2,3}", code) else ""
