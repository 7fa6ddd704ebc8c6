"""The recipe: every section and key, as frozen dataclasses."""

from dataclasses import dataclass, field
from typing import Literal

from attn_cli.choices import MAX_BEAM, MAX_COVERAGE_PENALTY, MAX_LENGTH_PENALTY
from attn_cli.config.fields import MAX_VOCABULARY, MAX_WIDTH, option
from attn_cli.config.network import (
    TRANSFORMER,
    AttentionConfig,
    DecoderConfig,
    DropoutConfig,
    EncoderConfig,
    WordAlignerConfig,
)
from attn_cli.config.validation import incompatibilities
from attn_cli.errors import UsageError


@dataclass(frozen=True)
class AugmentationConfig:
    """Shares of the training sentences that are changed, drawn anew in each epoch."""

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
class ModelConfig:
    """The network."""

    embedding: int = option(256, "width of the piece embeddings", low=1, high=MAX_WIDTH)
    tie_embeddings: Literal["all", "output", "none"] = option(
        "all",
        "embeddings that share one matrix: source, target and output (joint vocabulary only), "
        "target and output, or none",
    )
    layer_norm: bool = option(
        False,
        "layer normalization of the decoder's gates and, unless the scorer is dot, of the "
        "encoder's states",
    )
    positional_encoding: Literal["sinusoidal", "learned"] = option(
        "sinusoidal", "positional encoding of a Transformer"
    )
    norm_first: bool = option(
        True,
        "layer normalization of a Transformer before each sublayer (pre-norm, Xiong et al. 2020); "
        "false: after it (post-norm, Vaswani et al. 2017)",
    )
    activation: Literal["relu", "swish", "gelu"] = option(
        "relu", "activation of a Transformer's feed-forward layers"
    )
    scale_embeddings: bool = option(
        True, "multiply embeddings by the square root of their width (Vaswani et al. 2017)"
    )
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    attention: AttentionConfig = field(default_factory=AttentionConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    word_aligner: WordAlignerConfig = field(default_factory=WordAlignerConfig)
    dropout: DropoutConfig = field(default_factory=DropoutConfig)

    def __post_init__(self) -> None:
        for is_invalid, problem, hint in incompatibilities(
            self.encoder,
            self.attention,
            self.decoder,
            embedding=self.embedding,
            scorer=self.scorer,
        ):
            if is_invalid:
                raise UsageError(problem, hint)

    @property
    def scorer(self) -> str:
        """The scorer in use, also for local, hard and multihead attention, or "none"."""
        if self.decoder.kind == TRANSFORMER:
            return "scaled_dot"
        kind = self.attention.kind
        return self.attention.scorer if kind in ("local", "hard", "multihead") else kind

    @property
    def has_attention(self) -> bool:
        """Whether the decoder has attention."""
        return self.attention.kind != "none"

    @property
    def heads(self) -> tuple[int, int]:
        """Number of layers with attention, and of heads in each; (0, 0) without attention."""
        if not self.has_attention:
            return 0, 0
        heads = self.attention.heads if self.attention.kind == "multihead" else 1
        return (self.decoder.layers if self.decoder.kind == TRANSFORMER else 1), heads


@dataclass(frozen=True)
class TrainConfig:
    """Training."""

    max_steps: int = option(
        0,
        "maximum updates, and the end of the learning-rate schedule; 0 for 20 epochs "
        "(3,000 to 30,000 updates), or 8 (at least 40 updates) with --from",
        low=0,
    )
    batch_tokens: int = option(
        2_000, "target pieces in a batch, including padding, summed over all workers", low=1
    )
    accumulate: int = option(
        1,
        "gradient accumulation: parts of a batch computed in sequence, to save memory",
        low=1,
    )
    learning_rate: float = option(2e-3, "the highest learning rate", low=0)
    warmup_steps: int = option(400, "updates of linear warm-up from 0", low=0)
    schedule: Literal["cosine", "linear", "inverse_sqrt", "constant"] = option(
        "cosine", "decay of the learning rate after the warm-up"
    )
    weight_decay: float = option(0.01, "AdamW's decoupled weight decay", low=0)
    clip_norm: float = option(1.0, "maximum gradient norm, 0 for no clipping", low=0)
    aligner_steps: int = option(
        0,
        "updates of the word aligner; 0 for 10 epochs, at most 900 updates or 1.5 epochs, "
        "whichever is more",
        low=0,
    )
    freeze_aligner: bool = option(
        False, "with --from: keep the word aligner of that model unchanged"
    )
    new_vocabulary: bool = option(
        False,
        "with --from: learn a vocabulary from the new text; the embedding of a new piece starts "
        "as the mean of the old pieces that it splits into",
    )
    label_smoothing: float = option(
        0.1, "probability mass spread over the other pieces", low=0, high=0.9
    )
    sampled_softmax: int = option(
        0,
        "negative samples that an update scores in addition to the pieces of its batch, for speed "
        "with a large vocabulary (Jean et al. 2015); 0 scores the whole vocabulary",
        low=0,
    )
    validate_every: int = option(500, "updates between validations", low=1)
    log_every: int = option(50, "updates between progress events", low=1)
    tensorboard: bool = option(
        False, "write event files for TensorBoard (needs attn-cli[tensorboard])"
    )
    patience: int = option(
        10, "early stopping: validations without a better BLEU, 0 for never", low=0
    )
    average_checkpoints: int = option(
        5, "best checkpoints averaged at the end; 0 or 1 for none", low=0, high=100
    )
    nan_patience: int = option(
        5, "consecutive updates that may give NaN before training fails", low=1
    )
    precision: Literal["auto", "fp32", "bf16"] = option(
        "auto", "auto uses bf16 where the hardware supports it natively"
    )
    compile: bool = option(
        False,
        "compile a Transformer with torch.compile, which takes minutes at the start; on a CPU it "
        "needs a C++ compiler",
    )
    guided_alignment: str = option(
        "none",
        "word links that supervise the attention and the word aligner: none, statistical, or a "
        "file of Pharaoh links with a line for each training pair",
    )
    guided_alignment_weight: float = option(
        1.0,
        "weight of the guided-alignment loss relative to the cross-entropy of a target piece",
        low=0,
    )
    guided_alignment_decay: float = option(
        1.0,
        "share of guided_alignment_weight at the last update, after a linear decay; 1 for none",
        low=0,
        high=1,
    )
    export: Literal["fp32", "int8", "none"] = option(
        "fp32",
        "precision of the exported ONNX graphs, which run without torch; none exports nothing",
    )
    entropy_bonus: float = option(0.002, "hard attention: weight of the entropy bonus", low=0)
    reinforce_weight: float = option(0.05, "hard attention: weight of the REINFORCE loss", low=0)
    aligner: Literal["thot", "eflomal"] = option(
        "thot", "aligner that makes statistical links; eflomal must be installed"
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
    handle_all_caps: bool = option(
        True,
        "translate a line in capitals as lower case, and put its translation in capitals",
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


#: The keys of [data] that name files.
DATA_FILES = ("source", "target", "pairs", "valid_source", "valid_target", "valid_pairs")


#: Values of `train.guided_alignment` that name no file of links.
UNGUIDED, STATISTICAL = "none", "statistical"
