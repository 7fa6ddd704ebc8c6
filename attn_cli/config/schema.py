"""The recipe: its sections and keys, as frozen dataclasses."""

from dataclasses import dataclass, field
from typing import Literal

from attn_cli.choices import MAX_BEAM, MAX_COVERAGE_PENALTY, MAX_LENGTH_PENALTY
from attn_cli.config.fields import MAX_VOCABULARY, option
from attn_cli.config.model import ModelConfig
from attn_cli.config.network import TRANSFORMER
from attn_cli.config.train import TrainConfig
from attn_cli.errors import UsageError

#: The keys of [data] that name files.
DATA_FILES = ("source", "target", "pairs", "valid_source", "valid_target", "valid_pairs")


@dataclass(frozen=True)
class AugmentationConfig:
    """Shares of the training sentences that are changed, sampled anew in each epoch."""

    lowercase: float = option(0.0, "share of source sentences put in lower case", low=0, high=1)
    drop_final_punctuation: float = option(
        0.0, "share of pairs without the final full stop", low=0, high=1
    )
    replace_names: float = option(
        0.0, "share of pairs with one name on both sides that get an invented name", low=0, high=1
    )
    replace_words: float = option(
        0.0,
        "share of pairs with one other word on both sides that get an invented word",
        low=0,
        high=1,
    )


@dataclass(frozen=True)
class DataConfig:
    """The text files. Paths are relative to the recipe's folder; `*.gz` files are decompressed."""

    source: str = option("", "training text of the source language, one sentence a line")
    target: str = option("", "training text of the target language, one translation a line")
    pairs: str = option("", "instead of both: one file of source<TAB>target (or ' ||| ') lines")
    valid_source: str = option("", "validation text of the source language")
    valid_target: str = option("", "validation text of the target language")
    valid_pairs: str = option("", "instead of both: one file of validation pairs")
    valid_size: int = option(
        1000,
        "training pairs held out for validation if no validation text is given (at most a tenth)",
        low=1,
    )
    max_length: int = option(128, "maximum pieces on a side; longer pairs are skipped", low=1)
    max_ratio: float = option(
        6.0, "maximum ratio of the two sides' lengths in pieces; other pairs are skipped", low=1
    )
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)


@dataclass(frozen=True)
class TokenizerConfig:
    """Subword segmentation (SentencePiece)."""

    kind: Literal["unigram", "bpe"] = option("unigram", "the segmentation algorithm")
    pretokenization: Literal["words", "none"] = option(
        "words",
        "words: SentencePiece segments one word at a time; none: it segments whole lines, as in "
        "imported models",
    )
    target_token: str = option(
        "",
        "imported models of several target languages: the token that selects one, such as >>fra<<",
    )
    word_rules: int = option(
        2,
        "version of the rules that split text into words, each language by its own",
        low=1,
        high=2,
    )
    vocab_size: int = option(
        8000, "pieces in a vocabulary, including 256 for single bytes", low=300, high=MAX_VOCABULARY
    )
    joint: bool = option(True, "share one vocabulary between both languages")
    normalization: Literal["nmt_nfkc", "nmt_nfkc_cf", "nfkc", "identity"] = option(
        "nmt_nfkc", "Unicode normalization; _cf also folds case"
    )
    normalize_quotes: bool = option(
        False, "convert typographic quotes and apostrophes to straight ones in input and output"
    )
    detach_opening_marks: bool = option(
        False, "segment a word that touches an opening quote or bracket as behind a space"
    )
    literals: bool = option(
        False,
        "copy numbers, addresses, code and emoji from the source instead of translating them",
    )
    character_coverage: float = option(
        0.9999,
        "share of the characters with their own piece; the rest become bytes",
        low=0.98,
        high=1,
    )
    subword_alpha: float = option(
        0.0,
        "subword regularization: smoothing of the sampled segmentations, 0 for none (Kudo 2018)",
        low=0,
        high=10,
    )


@dataclass(frozen=True)
class DecodeConfig:
    """Search for a translation; options of the command line take precedence."""

    beam_size: int = option(5, "beam size; 1 is greedy search", low=1, high=MAX_BEAM)
    length_penalty: float = option(
        1.0, "exponent of GNMT's length normalization, 0 for none", low=0, high=MAX_LENGTH_PENALTY
    )
    coverage_penalty: float = option(
        0.0, "weight of GNMT's coverage penalty", low=0, high=MAX_COVERAGE_PENALTY
    )
    max_length_ratio: float = option(
        2.0, "maximum target pieces: this times the source's pieces …", low=0, high=100
    )
    max_length_extra: int = option(10, "… plus this", low=1, high=10_000)
    attention_layer: int = option(
        0,
        "the layer whose attention is shown, from 1; 0 for the one that agrees best with "
        "statistical links",
        low=0,
    )
    attention_head: int = option(
        0, "the head of that layer, from 1; 0 for the mean of its heads", low=0
    )
    split_longer_than: int = option(
        50,
        "translate lines of more words than this sentence by sentence; 0 for never",
        low=0,
    )
    split_clauses_longer_than: int = option(
        0,
        "translate sentences of more words than this clause by clause, cut at commas, semicolons "
        "and colons; 0 for never",
        low=0,
    )
    handle_all_caps: bool = option(
        True,
        "translate a line in capitals as lower case, and put its translation in capitals",
    )
    truecase: bool = option(
        False,
        "read first words of sentences and words of titles in lower case if they have fewer pieces "
        "so, and begin a translation with a capital if its line does",
    )
    unsure_below: float = option(
        0.1, "words of a lower probability are marked as unsure", low=0, high=1
    )
    shortlist: bool = option(
        True,
        "score only target pieces that training linked to the source's pieces, and the most "
        "frequent ones; needs word links in training",
    )


@dataclass(frozen=True)
class Recipe:
    """The complete definition of a model. Immutable: `with_settings` returns a changed copy."""

    name: str = option("model", "name of the model")
    source: str = option("", "source language, such as 'en'")
    target: str = option("", "target language, such as 'fr'")
    license: str = option("", "license of the model, such as CC BY 2.0 FR")
    seed: int = option(1, "random seed", low=0, high=2**63 - 1)
    data: DataConfig = field(default_factory=DataConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    decode: DecodeConfig = field(default_factory=DecodeConfig)

    def __post_init__(self) -> None:
        if self.tokenizer.literals and self.tokenizer.pretokenization == "none":
            raise UsageError(
                "tokenizer.literals copies by placeholders, which the vocabulary of an imported "
                "model does not have",
                "Leave it false.",
            )
        if self.model.tie_embeddings == "all" and not self.tokenizer.joint:
            raise UsageError(
                'model.tie_embeddings = "all" shares one matrix between both languages, '
                "but tokenizer.joint = false gives each its own vocabulary",
                'Set model.tie_embeddings = "output" or tokenizer.joint = true.',
            )
        layers, heads = self.model.heads
        for name, most in (("attention_layer", layers), ("attention_head", heads)):
            if getattr(self.decode, name) > max(1, most):
                raise UsageError(
                    f"decode.{name} = {getattr(self.decode, name)}, but the decoder has {most}",
                    f"Set decode.{name} to at most {max(1, most)}, or 0.",
                )
        if self.train.compile and self.model.decoder.kind != TRANSFORMER:
            raise UsageError(
                "train.compile needs a Transformer decoder: a recurrent one would be compiled "
                "again for each target length",
                'Set train.compile = false or model.decoder.kind = "transformer".',
            )
