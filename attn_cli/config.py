"""A recipe: the whole definition of a model, as frozen values read from TOML.

Knows the standard library and `errors`, nothing of torch, text or files of a bundle.

Every leaf is a dataclass field whose annotation is its type, whose `Literal` is its list of choices
and whose metadata is its sentence of help and its bounds. An unknown key, a wrong type or a value
out of bounds is a `UsageError` that names the key and, where one is near, the key that was meant.
"""

import dataclasses
import difflib
import json
import math
import tomllib
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from attn_cli.errors import UsageError

Family = Literal["recurrent", "transformer"]
Cell = Literal["rnn", "lstm", "gru"]
Scorer = Literal["additive", "dot", "general", "scaled_dot"]


def option(default: Any, help: str, *, low: float | None = None, high: float | None = None) -> Any:
    """A recipe key: its default, its sentence of help, its inclusive bounds."""
    return field(default=default, metadata={"help": help, "low": low, "high": high})


@dataclass(frozen=True)
class AugmentationConfig:
    """Shares of the training sentences that are read as people type them, drawn in each epoch."""

    lowercase: float = option(0.0, "of the source sentences: in small letters", low=0, high=1)
    drop_final_punctuation: float = option(
        0.0, "of the pairs: no full stop on either side", low=0, high=1
    )
    replace_names: float = option(
        0.0, "of the pairs with one name on both sides: another, made-up name", low=0, high=1
    )
    replace_words: float = option(
        0.0, "of the pairs with one other word on both sides: a made-up word", low=0, high=1
    )


@dataclass(frozen=True)
class DataConfig:
    """Where the text is. Paths are relative to the recipe's folder; `*.gz` is read compressed."""

    source: str = option("", "training text of the source language, one sentence a line")
    target: str = option("", "training text of the target language, line by line beside it")
    pairs: str = option("", "instead of both: one file of source<TAB>target (or ' ||| ') lines")
    valid_source: str = option("", "validation text of the source language")
    valid_target: str = option("", "validation text of the target language")
    valid_pairs: str = option("", "instead of both: one file of validation pairs")
    valid_size: int = option(
        1000, "pairs split off for validation when none are given (at most a tenth)", low=1
    )
    max_length: int = option(128, "a pair with more pieces than this on a side is left out", low=1)
    max_ratio: float = option(
        6.0, "a pair whose sides differ more than this many times in pieces is left out", low=1
    )
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)


@dataclass(frozen=True)
class TokenizerConfig:
    """How words become pieces (SentencePiece)."""

    kind: Literal["unigram", "bpe"] = option("unigram", "the subword model")
    vocab_size: int = option(8000, "pieces in a vocabulary, 256 bytes included", low=300)
    joint: bool = option(True, "one vocabulary for both languages")
    normalization: Literal["nmt_nfkc", "nmt_nfkc_cf", "nfkc", "identity"] = option(
        "nmt_nfkc", "Unicode normalisation before splitting; _cf folds the case too"
    )
    normalize_quotes: bool = option(
        False, "typographic quotes and apostrophes are read, and written, as straight ones"
    )
    literals: bool = option(
        False,
        "numbers, addresses, code, emoji and the like are copied from the source, not translated",
    )
    character_coverage: float = option(
        0.9999,
        "share of the characters with a piece of their own; the rest are bytes",
        low=0.98,
        high=1,
    )
    subword_alpha: float = option(
        0.0, "sharpness of subword sampling while training, 0 for none (Kudo 2018)", low=0, high=10
    )


@dataclass(frozen=True)
class EncoderConfig:
    """The part that turns a sentence into states."""

    kind: Family = option("recurrent", "the family")
    cell: Cell = option("gru", "the recurrent cell")
    layers: int = option(1, "layers", low=1, high=32)
    width: int = option(256, "units of each direction, or of a Transformer's states", low=1)
    bidirectional: bool = option(True, "whether recurrent layers read in both directions")
    self_attention: bool = option(
        False, "whether recurrent states look at one another once they are all there"
    )
    heads: int = option(4, "heads of self-attention", low=1)
    feed_forward: int = option(1024, "hidden units of a Transformer's feed-forward layers", low=1)


@dataclass(frozen=True)
class AttentionConfig:
    """Who looks at what, and how it is scored."""

    kind: Literal[
        "additive", "dot", "general", "scaled_dot", "local", "hard", "multihead", "none"
    ] = option(
        "general",
        "soft attention by that scorer (general: a bilinear form, Luong et al. 2015; additive: the "
        "feed-forward network of Bahdanau et al. 2015); local, hard or multihead attention over "
        "`scorer`; or none",
    )
    scorer: Scorer = option("additive", "who scores for local, hard and multihead attention")
    activation: Literal["tanh", "relu", "sigmoid"] = option(
        "tanh", "the non-linearity inside the additive scorer"
    )
    width: int = option(256, "units of the scorer's hidden layer, or of all heads together", low=1)
    heads: int = option(4, "heads of multihead attention, in each layer of a Transformer", low=1)
    normalizer: Literal["softmax", "sparsemax", "entmax"] = option(
        "softmax",
        "what makes weights of scores; the other two give exact zeros, and sparsemax, which learns "
        "nothing more where it is sure, may get stuck",
    )
    coverage: bool = option(
        False, "whether the additive scorer sees how much each state was looked at before"
    )
    window: int = option(10, "pieces on each side that local attention sees", low=1)


@dataclass(frozen=True)
class DecoderConfig:
    """The part that says the next piece."""

    kind: Family = option("recurrent", "the family")
    cell: Cell = option("gru", "the recurrent cell")
    layers: int = option(1, "layers", low=1, high=32)
    width: int = option(512, "units of the decoder's state", low=1)
    input_feeding: bool = option(
        True,
        "recurrent: attend after the cell and feed the result to the next step (Luong et al. "
        "2015); false attends before the cell (Bahdanau et al. 2015)",
    )
    feed_forward: int = option(1024, "hidden units of a Transformer's feed-forward layers", low=1)


@dataclass(frozen=True)
class DropoutConfig:
    """Shares of units silenced while training."""

    embedding: float = option(0.2, "of each embedded piece", low=0, high=0.95)
    states: float = option(0.3, "of the encoder's states, and between layers", low=0, high=0.95)
    output: float = option(0.3, "of the deep output layer", low=0, high=0.95)


@dataclass(frozen=True)
class WordAlignerConfig:
    """The part that says which words correspond, once both sentences are known.

    Written as true or false it is that with its other settings as they are.
    """

    enabled: bool = option(True, "whether there is one")
    embedding: int = option(256, "width of its own piece embeddings", low=1)
    width: int = option(128, "units of each direction of its GRUs over words", low=1)
    channels: int = option(8, "ways in which two words are compared", low=1)
    dropout: float = option(0.2, "share of units silenced while it learns", low=0, high=0.95)
    threshold: float = option(
        0.3, "least probability of its links, unless --threshold says another", low=0, high=1
    )


@dataclass(frozen=True)
class ModelConfig:
    """The network."""

    embedding: int = option(256, "width of the piece embeddings", low=1)
    tie_embeddings: Literal["all", "output", "none"] = option(
        "all",
        "which embeddings are one matrix: source, target and output (joint vocabulary only), "
        "target and output, or none",
    )
    layer_norm: bool = option(
        False,
        "layer normalisation of decoder gates, and of encoder states unless a plain dot product "
        "scores them",
    )
    positional_encoding: Literal["sinusoidal", "learned"] = option(
        "sinusoidal", "how a Transformer tells places apart"
    )
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    attention: AttentionConfig = field(default_factory=AttentionConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    word_aligner: WordAlignerConfig = field(default_factory=WordAlignerConfig)
    dropout: DropoutConfig = field(default_factory=DropoutConfig)

    def __post_init__(self) -> None:
        for unfit, problem, hint in incompatibilities(self):
            if unfit:
                raise UsageError(problem, hint)

    @property
    def scorer(self) -> str:
        """Who scores, also where local, hard or multihead attention asks; "none" for nobody."""
        if self.decoder.kind == TRANSFORMER:
            return "scaled_dot"
        kind = self.attention.kind
        return self.attention.scorer if kind in ("local", "hard", "multihead") else kind

    @property
    def has_attention(self) -> bool:
        """Whether there is any attention, and so weights to show, to guide and to align by."""
        return self.attention.kind != "none"

    @property
    def heads(self) -> tuple[int, int]:
        """Layers that attend and heads of each: (0, 0) for a network that has no attention."""
        if not self.has_attention:
            return 0, 0
        heads = self.attention.heads if self.attention.kind == "multihead" else 1
        return (self.decoder.layers if self.decoder.kind == TRANSFORMER else 1), heads


@dataclass(frozen=True)
class TrainConfig:
    """How the network learns."""

    max_steps: int = option(
        0,
        "updates at most, towards which the rate falls; 0 for 20 times through the text "
        "(3,000 to 30,000), or 8 times (at least 40) where it goes on from a model",
        low=0,
    )
    batch_tokens: int = option(
        2_000, "target pieces in a batch, padding included, on all workers together", low=1
    )
    accumulate: int = option(
        1,
        "parts of a batch computed one after the other, for batches that memory can't hold",
        low=1,
    )
    learning_rate: float = option(2e-3, "the highest learning rate", low=0)
    warmup_steps: int = option(400, "updates over which the rate rises from nothing", low=0)
    schedule: Literal["cosine", "linear", "inverse_sqrt", "constant"] = option(
        "cosine", "how the rate falls after the warm-up"
    )
    weight_decay: float = option(0.01, "AdamW's decoupled weight decay", low=0)
    clip_norm: float = option(
        1.0, "longest gradient; longer ones are scaled down, 0 for any", low=0
    )
    aligner_steps: int = option(
        0,
        "updates of the word aligner; 0 for 10 times through the text (at most 900, or one and a "
        "half times where that is more)",
        low=0,
    )
    freeze_aligner: bool = option(
        False, "the word aligner stays that of the model which training goes on from"
    )
    new_vocabulary: bool = option(
        False,
        "with --from: whether the vocabulary is learned from the new text; a piece that the model "
        "lacks starts as the mean of the pieces that it splits into",
    )
    label_smoothing: float = option(0.1, "mass spread over the other pieces", low=0, high=0.9)
    sampled_softmax: int = option(
        0,
        "pieces drawn at random that an update scores beside those of its batch, for speed with a "
        "large vocabulary (Jean et al. 2015); 0 scores all",
        low=0,
    )
    validate_every: int = option(500, "updates between two validations", low=1)
    log_every: int = option(50, "updates between two progress events", low=1)
    tensorboard: bool = option(
        False, "whether event files for TensorBoard are written (attn-cli[tensorboard])"
    )
    patience: int = option(
        10, "validations without a better BLEU before stopping, 0 for never", low=0
    )
    average_checkpoints: int = option(
        5, "best checkpoints averaged at the end, 0 or 1 for none", low=0, high=100
    )
    nan_patience: int = option(5, "updates in a row that may be not a number", low=1)
    precision: Literal["auto", "fp32", "bf16"] = option(
        "auto", "auto takes bf16 where the processor computes it natively"
    )
    compile: bool = option(
        False,
        "whether torch.compile compiles a Transformer, which takes minutes at the start; on a "
        "processor it needs a C++ compiler",
    )
    guided_alignment: str = option(
        "none",
        "links that teach the attention and the word aligner: none, statistical, or a file of "
        "Pharaoh links over our words, one line a training pair",
    )
    guided_alignment_weight: float = option(
        1.0, "weight of guided attention's loss, beside a nat a target piece", low=0
    )
    guided_alignment_decay: float = option(
        1.0,
        "share of that weight left at the last update, to which it falls; 1 keeps it",
        low=0,
        high=1,
    )
    export: Literal["fp32", "int8", "none"] = option(
        "fp32", "precision of the graphs made at the end, which run without torch; none for none"
    )
    entropy_bonus: float = option(
        0.002, "hard attention: weight of the entropy of its choices", low=0
    )
    reinforce_weight: float = option(0.05, "hard attention: weight of REINFORCE's loss", low=0)
    aligner: Literal["thot", "eflomal"] = option(
        "thot", "who makes statistical links: thot, or eflomal where it is installed"
    )


@dataclass(frozen=True)
class DecodeConfig:
    """How a translation is searched for, unless the command line says otherwise."""

    beam_size: int = option(5, "hypotheses kept; 1 is greedy", low=1, high=1000)
    length_penalty: float = option(
        1.0, "exponent of GNMT's length normalisation, 0 for none", low=0
    )
    coverage_penalty: float = option(0.0, "weight of GNMT's coverage penalty", low=0)
    max_length_ratio: float = option(2.0, "target pieces at most: this times the source's …", low=0)
    max_length_extra: int = option(10, "… plus this", low=1)
    attention_layer: int = option(
        0,
        "the layer whose attention is shown, from 1; 0 for the one that training found to agree "
        "best with statistical links",
        low=0,
    )
    attention_head: int = option(0, "the head of it, from 1; 0 for the mean of its heads", low=0)
    split_longer_than: int = option(
        50,
        "words of a line above which it is translated sentence by sentence; 0 for never",
        low=0,
    )
    handle_all_caps: bool = option(
        True,
        "a line all in capitals is read in small letters, and its translation put in capitals",
    )
    unsure_below: float = option(
        0.1, "a translated word of a lower probability is marked as unsure", low=0, high=1
    )
    shortlist: bool = option(
        True,
        "a translation is made of the pieces that its source was linked to in training and of the "
        "commonest, where training has word links to tell them",
    )


@dataclass(frozen=True)
class Recipe:
    """A model's whole definition. Frozen: `with_settings` makes another."""

    name: str = option("model", "what the model is called on a shelf")
    source: str = option("", "source language, as in 'en'")
    target: str = option("", "target language, as in 'fr'")
    license: str = option("", "license of the model, as in CC BY 2.0 FR")
    seed: int = option(1, "the one seed everything random comes from", low=0, high=2**63 - 1)
    data: DataConfig = field(default_factory=DataConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    decode: DecodeConfig = field(default_factory=DecodeConfig)

    def __post_init__(self) -> None:
        if self.model.tie_embeddings == "all" and not self.tokenizer.joint:
            raise UsageError(
                'model.tie_embeddings = "all" shares one matrix between two languages, '
                "but tokenizer.joint = false gives each its own vocabulary",
                'Set model.tie_embeddings = "output" or tokenizer.joint = true.',
            )
        if self.train.compile and self.model.decoder.kind != TRANSFORMER:
            raise UsageError(
                "train.compile is for a Transformer's decoder: a recurrent one is a loop over the "
                "target, which would be compiled anew for each length",
                'Set train.compile = false or model.decoder.kind = "transformer".',
            )


T = TypeVar("T")

TRANSFORMER = "transformer"

#: Layers of a Transformer whose recipe does not say how many.
DEFAULT_TRANSFORMER_LAYERS = 4


def incompatibilities(model: ModelConfig) -> Iterator[tuple[bool, str, str]]:
    """What a network cannot be: whether this one is that, the reason, what to do."""
    encoder, attention, decoder = model.encoder, model.attention, model.decoder
    scorer = model.scorer
    states = encoder.width
    if encoder.kind == "recurrent":
        states *= 1 + encoder.bidirectional
        yield (
            encoder.self_attention and states % encoder.heads > 0,
            f"model.encoder.heads = {encoder.heads} does not divide states of {states} units",
            "Choose a number that does.",
        )
    else:
        yield (
            encoder.self_attention,
            "model.encoder.self_attention is for recurrent encoders: a Transformer is made of it",
            "Leave it out.",
        )
        yield (
            attention.kind == "none",
            "a Transformer's encoder has no last state that could stand for the sentence, so it "
            "needs attention",
            'Set model.encoder.kind = "recurrent" or another model.attention.kind.',
        )
    for name, part, heads in (
        ("encoder", encoder, encoder.heads),
        ("decoder", decoder, attention.heads),
    ):
        if part.kind == TRANSFORMER:
            yield (
                part.width != model.embedding,
                f"a Transformer adds what it finds to its embeddings, so model.{name}.width = "
                f"{part.width} must be model.embedding = {model.embedding}",
                "Set both to the same number.",
            )
            yield (
                part.width % (2 * heads) > 0,
                f"{heads} heads need a width that they divide evenly, which model.{name}.width = "
                f"{part.width} is not",
                f"Choose a multiple of {2 * heads}.",
            )
    if decoder.kind == TRANSFORMER:
        yield (
            attention.kind != "multihead",
            "a Transformer's decoder attends with many scaled dot products in each layer, so "
            f'model.attention.kind cannot be "{attention.kind}"',
            'Set model.attention.kind = "multihead" or model.decoder.kind = "recurrent".',
        )
        yield (
            attention.normalizer != "softmax",
            f"a Transformer's decoder makes weights by softmax, not by {attention.normalizer}",
            'Set model.attention.normalizer = "softmax".',
        )
    elif attention.kind == "multihead":
        yield (
            attention.width % attention.heads > 0 or states % attention.heads > 0,
            f"model.attention.heads = {attention.heads} does not divide both model.attention.width "
            f"= {attention.width} and states of {states} units",
            "Choose a number that does.",
        )
        yield (
            scorer == "dot",
            "many heads that score by dot products without a map would all be the same",
            'Set model.attention.scorer = "scaled_dot" or "general".',
        )
    yield (
        scorer == "dot" and decoder.width != states,
        f"a dot product needs states of one width: model.decoder.width is {decoder.width} and the "
        f"encoder's states have {states} units",
        f"Set model.decoder.width = {states}, or let another than dot score.",
    )
    yield (
        attention.coverage and attention.kind != "additive",
        "model.attention.coverage is seen by additive attention alone, and model.attention.kind is "
        f"{attention.kind}",
        'Set model.attention.kind = "additive".',
    )
    yield (
        attention.kind == "none" and attention.normalizer != "softmax",
        "without attention there are no weights to normalise",
        "Leave model.attention.normalizer out.",
    )


#: The keys of [data] that name files.
DATA_FILES = ("source", "target", "pairs", "valid_source", "valid_target", "valid_pairs")

#: What `train.guided_alignment` says when it does not name a file of links.
UNGUIDED, STATISTICAL = "none", "statistical"


def finetuning_defaults(recipe: Recipe) -> Recipe:
    """`recipe` with the settings that suit a few pairs and a model which is good already.

    Small steps, and not many: each one learns the new text and forgets some of the old.
    """
    train = dataclasses.replace(
        recipe.train, learning_rate=3e-4, warmup_steps=10, batch_tokens=1_000, freeze_aligner=True
    )
    return dataclasses.replace(recipe, train=train)


def with_files(recipe: Recipe, files: dict[str, str]) -> Recipe:
    """`recipe` with these of its `DATA_FILES` changed."""
    tree = to_dict(recipe)
    tree["data"] |= files
    return from_dict(tree)


def file_of_links(recipe: Recipe) -> str:
    """The file that `train.guided_alignment` names, "" for none; relative as the data paths are."""
    named = recipe.train.guided_alignment
    return "" if named in (UNGUIDED, STATISTICAL) else named


#: What a model's recipe means by leaving a key out, where the key is younger than the model and its
#: default is another.
LEGACY_DEFAULTS: dict[str, Any] = {
    "model": {
        "word_aligner": False,
        "attention": {"kind": "additive"},
        "decoder": {"input_feeding": False},
    }
}


#: Keys of the recipes in bundles of format 1, and what they are called now.
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


def _rename_former_keys(tree: dict[str, Any]) -> None:
    """Move the values of `FORMER_KEYS` in a recipe's tree to where they are read now."""
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


def load(path: Path, *, of_a_model: bool = False) -> Recipe:
    """Read the recipe in a TOML file.

    With `of_a_model`, former keys are read too, and keys left out have their `LEGACY_DEFAULTS`.

    Raises UsageError naming the file when it is missing, is not TOML, or holds a key or value that
    a recipe has no place for.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(
            f"cannot read the recipe {path}: {reason}", "Check the name, or see attn train --help."
        ) from error
    tree = _tree(text, str(path))
    if of_a_model:
        _rename_former_keys(tree)
        # What its families want goes before what was once the default
        tree = _over(LEGACY_DEFAULTS, _with_family_defaults(tree))
    return from_dict(tree, where=str(path))


def parse(text: str, *, where: str = "recipe") -> Recipe:
    """The recipe in a TOML text; `where` names it in errors."""
    return from_dict(_tree(text, where), where=where)


def _tree(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where} is not TOML: {error}", "Mend that line.") from error


def _over(tree: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    """`tree` with each value of `upper` in its place, section by section."""
    merged = dict(tree)
    for key, value in upper.items():
        both = isinstance(value, dict) and isinstance(tree.get(key), dict)
        merged[key] = _over(tree[key], value) if both else value
    return merged


def merge_toml(recipe: Recipe, text: str, *, where: str) -> Recipe:
    """`recipe` with what a TOML `text` says put in its place; `where` names that in errors."""
    given = _given(to_dict(recipe), _defaults_beside(recipe.model))
    return from_dict(_over(given, _tree(text, where)), where=where)


def from_dict(tree: dict[str, Any], *, where: str = "recipe") -> Recipe:
    """The recipe in nested dictionaries, as TOML or JSON give them."""
    return _leaf(Recipe, _with_family_defaults(tree), where=where, prefix="")


def _with_family_defaults(tree: dict[str, Any]) -> dict[str, Any]:
    """`tree` with what a Transformer wants where it says nothing: widths of the embedding's, a few
    layers, many heads."""
    model = _section(tree, "model")
    parts = {name: _section(model, name) for name in ("encoder", "decoder")}
    width = model.get("embedding", ModelConfig.embedding)
    filled: dict[str, Any] = {
        name: {"width": width, "layers": DEFAULT_TRANSFORMER_LAYERS} | part
        for name, part in parts.items()
        if part.get("kind") == TRANSFORMER
    }
    if "decoder" in filled:
        filled["attention"] = {"kind": "multihead"} | _section(model, "attention")
    return tree | {"model": model | filled} if filled else tree


def _defaults_beside(model: ModelConfig) -> dict[str, Any]:
    """What every key is where a recipe leaves it out, beside the families that `model` is of."""
    kinds = {
        "embedding": model.embedding,
        "encoder": {"kind": model.encoder.kind},
        "decoder": {"kind": model.decoder.kind},
    }
    filled, whole = _with_family_defaults({"model": kinds})["model"], to_dict(Recipe())
    for name in ("encoder", "decoder"):
        whole["model"][name] |= filled[name] | {"kind": whole["model"][name]["kind"]}
    whole["model"]["attention"] |= filled.get("attention", {})
    return whole


def _given(tree: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """What differs from the defaults."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            if inner := _given(value, defaults[key]):
                found[key] = inner
        elif value != defaults[key]:
            found[key] = value
    return found


def to_dict(recipe: Recipe) -> dict[str, Any]:
    """Nested dictionaries of plain values, ready for JSON; `from_dict` reads them back."""
    return dataclasses.asdict(recipe)


def with_settings(recipe: Recipe, settings: list[str]) -> Recipe:
    """`recipe` with each `a.b=value` put in its place, as `--set` does.

    The value is read as TOML where it is TOML, else as a bare string: `model.encoder.cell=lstm`.
    """
    tree = _given(to_dict(recipe), _defaults_beside(recipe.model))
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting} has no '='", "Write --set section.key=value.")
        *parents, last = key.strip().split(".")
        branch, whole = tree, to_dict(recipe)
        for depth, parent in enumerate(parents):
            nested, whole = branch.setdefault(parent, {}), whole.get(parent, {})
            if not (isinstance(nested, dict) and isinstance(whole, dict)):
                owner = ".".join(parents[: depth + 1])
                raise UsageError(
                    f"--set {key}: {owner} is a value, not a section", "Drop the rest."
                )
            branch = nested
        value = _scalar(text.strip())
        if isinstance(value, bool) and "enabled" in _section(whole, last):
            branch, last = branch.setdefault(last, {}), "enabled"
        branch[last] = value
    return from_dict(tree, where="--set")


def to_toml(recipe: Recipe, *, helps: bool = False, heading: str = "") -> str:
    """The recipe as TOML that `parse` reads back to an equal recipe.

    With `helps` each key is followed by its sentence of help and its choices.
    """
    lines = [f"# {line}" for line in heading.splitlines()]
    _write(recipe, "", lines, helps)
    return "\n".join(lines).strip() + "\n"


def _section(branch: dict[str, Any], name: str) -> dict[str, Any]:
    """The section of that name, empty where there is none."""
    section = branch.get(name)
    return section if isinstance(section, dict) else {}


def _scalar(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _leaf(cls: type[T], tree: Any, *, where: str, prefix: str) -> T:
    if isinstance(tree, bool) and cls is WordAlignerConfig:
        tree = {"enabled": tree}
    if not isinstance(tree, dict):
        raise UsageError(
            f"{where}: {prefix[:-1]} must be a section, not {tree!r}", "Use [section]."
        )
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(cls)
    for key in tree:
        if key not in fields:
            raise UsageError(
                f"{where}: unknown key {prefix}{key}", _did_you_mean(key, prefix, fields)
            )
    values: dict[str, Any] = {}
    for key, value in tree.items():
        name = prefix + key
        if dataclasses.is_dataclass(hints[key]):
            kind = typing.cast(type[Any], hints[key])
            values[key] = _leaf(kind, value, where=where, prefix=f"{name}.")
        else:
            values[key] = _value(value, hints[key], fields[key], f"{where}: {name}")
    return cls(**values)


def _did_you_mean(key: str, prefix: str, fields: dict[str, Any]) -> str:
    near = difflib.get_close_matches(key, fields, n=1)
    if near:
        return f"Did you mean {prefix}{near[0]}?"
    elsewhere = [name for name in keys() if name.rpartition(".")[2] == key]
    if elsewhere:
        return f"Did you mean {elsewhere[0]}?"
    return f"Known there: {', '.join(fields)}."


def keys(cls: type[Any] = Recipe, prefix: str = "") -> list[str]:
    """Every key a recipe may hold, dotted, in order."""
    found: list[str] = []
    hints = typing.get_type_hints(cls)
    for leaf in dataclasses.fields(cls):
        if dataclasses.is_dataclass(hints[leaf.name]):
            found += keys(typing.cast(type[Any], hints[leaf.name]), f"{prefix}{leaf.name}.")
        else:
            found.append(prefix + leaf.name)
    return found


def _value(value: Any, kind: Any, leaf: "dataclasses.Field[Any]", name: str) -> Any:
    if typing.get_origin(kind) is Literal:
        choices = typing.get_args(kind)
        if value not in choices or isinstance(value, bool):
            near = difflib.get_close_matches(str(value), [str(c) for c in choices], n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Choose one of: {', '.join(choices)}."
            raise UsageError(f"{name} cannot be {value!r}", hint)
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < 1 << 1023 else math.inf
    wanted = kind if isinstance(kind, type) else types.NoneType
    if type(value) is not wanted:
        raise UsageError(
            f"{name} must be {_KIND_NAMES[wanted]}, not {value!r}",
            f"Help: {leaf.metadata['help']}.",
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{name} must be finite, not {value}", f"Help: {leaf.metadata['help']}.")
    low, high = leaf.metadata["low"], leaf.metadata["high"]
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        bounds = f"at least {low}" if high is None else f"between {low or 0} and {high}"
        raise UsageError(f"{name} must be {bounds}, not {value}", f"Help: {leaf.metadata['help']}.")
    return value


_KIND_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def _toml(value: Any) -> str:
    """A value as TOML: as JSON, but for DEL, which TOML wants escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write(section: Any, prefix: str, lines: list[str], helps: bool) -> None:
    sections: list[tuple[str, Any]] = []
    rows: list[tuple[str, str]] = []
    hints = typing.get_type_hints(type(section))
    for leaf in dataclasses.fields(section):
        value = getattr(section, leaf.name)
        if dataclasses.is_dataclass(value):
            sections.append((leaf.name, value))
            continue
        help = str(leaf.metadata["help"])
        if typing.get_origin(hints[leaf.name]) is Literal:
            help += f" ({' | '.join(typing.get_args(hints[leaf.name]))})"
        rows.append((f"{leaf.name} = {_toml(value)}", help))
    if rows and prefix:
        lines += ["", f"[{prefix[:-1]}]"]
    width = max((len(text) for text, _ in rows), default=0)
    lines += [f"{text:<{width}}  # {help}" if helps else text for text, help in rows]
    for name, nested in sections:
        _write(nested, f"{prefix}{name}.", lines, helps)
