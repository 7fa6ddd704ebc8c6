"""The options of `attn align` and of `attn batch --align`, checked against each other."""

from dataclasses import dataclass
from pathlib import Path

from attn_cli.choices import (
    InputFormat,
    MatrixKind,
    OutputFormat,
    Symmetrization,
)
from attn_cli.cli.diagnose import check_format
from attn_cli.cli.input import Shard
from attn_cli.cli.model_options import ModelOptions
from attn_cli.cli.output_format import DOCUMENTS, check_document, check_self_attention
from attn_cli.errors import UsageError
from attn_cli.inference.head_request import HeadRequest
from attn_cli.inference.pair_options import PairOptions

#: The formats that can show several heads.
_WITH_HEADS = ("table", "jsonl", *DOCUMENTS)


@dataclass(frozen=True, kw_only=True)
class AlignOptions(ModelOptions):
    """The options of `attn align` that name the pairs and the aligner."""

    pair: tuple[str, ...] = ()
    source: Path | None = None
    target: Path | None = None
    input: Path | None = None
    input_format: InputFormat = "text"
    tokenized: bool = False
    head: str | None = None
    layer: int | None = None
    reverse: str | None = None
    symmetrize: Symmetrization | None = None
    fit: bool = False
    out: Path | None = None
    force: bool = False
    threads: int = 1
    seed: int = 1
    shard: Shard | None = None
    quick: bool = False

    @property
    def heads(self) -> HeadRequest | None:
        """The heads that --head and --layer select; None without. Raises UsageError for no head."""
        return HeadRequest.parse(self.head, self.layer)

    @property
    def pair_options(self) -> PairOptions:
        """How pairs are read; problems are not reported."""
        return PairOptions(tokenized=self.tokenized, level=self.level)

    @property
    def matrix_kind(self) -> MatrixKind | None:
        """The kind of weights; --head and --layer imply the attention's."""
        return "attention" if self.heads else self.weights

    def check(self, format: OutputFormat, *, gold: bool) -> None:
        """Raise UsageError if two options, or an option and the format, exclude each other."""
        if (self.source is None) != (self.target is None):
            raise UsageError("--source and --target go together", "Give both, or pipe pairs in.")
        if self.source is not None and (self.pair or self.input is not None):
            raise UsageError("pairs were given twice", "Give --source and --target alone.")
        if self.diagnostics:
            check_format(format)
        if self.level == "piece":
            self._check_pieces(gold=gold)
        if self.symmetrize is not None and self.reverse is None:
            raise UsageError(
                "--symmetrize combines two directions",
                "Name the other direction's model: --reverse.",
            )
        if self.show != "cross":
            self._check_self_attention(format, gold=gold)
        if self.heads is not None:
            self._check_heads(self.heads, format)
        check_document(format, shard=self.shard is not None)
        if self.shard is not None and gold:
            raise UsageError(
                "--gold needs the whole file, and --shard selects a part", "Leave --shard out."
            )
        if self.fit:
            self._check_fit()
        elif self.quick:
            raise UsageError("--quick needs --fit", "Give both, or leave it out.")
        elif self.out is not None or self.force:
            raise UsageError(
                "--out and --force need --fit, which makes a model",
                "Write links to a file with --output.",
            )

    def _check_pieces(self, *, gold: bool) -> None:
        if gold:
            raise UsageError("gold links are between words", "Leave --level piece out.")
        if self.reverse is not None:
            raise UsageError(
                "two models have different pieces, so they are combined by words",
                "Leave --level piece out.",
            )
        if self.fit:
            raise UsageError("--fit links words, not pieces", "Leave --level piece out.")

    def _check_heads(self, heads: HeadRequest, format: OutputFormat) -> None:
        if self.weights == "alignment":
            raise UsageError(
                "--head and --layer choose among the decoder's attention, not --weights alignment",
                "Leave one of the two out.",
            )
        if self.reverse is not None:
            raise UsageError(
                "--head and --layer choose among the heads of one model, and --reverse names two",
                "Leave one of the two out.",
            )
        if heads.each and format not in _WITH_HEADS:
            raise UsageError(
                f"--head all shows tables side by side, which {format} cannot contain",
                "Choose one head, or --format table, jsonl, html or svg.",
            )

    def _check_self_attention(self, format: OutputFormat, *, gold: bool) -> None:
        excluded = {
            "--weights": self.weights is not None,
            "--reverse": self.reverse is not None,
            "--fit": self.fit,
            "--gold": gold,
            "--diagnostics": self.diagnostics,
            "--engine onnx": self.engine == "onnx",
        }
        check_self_attention(self.show, format, excluded)

    def _check_fit(self) -> None:
        if self.shard is not None:
            raise UsageError("--fit learns from the whole file", "Leave --shard out.")
        for name in ("model", "target_token", "weights", "reverse", "head", "layer"):
            if getattr(self, name) is not None:
                raise UsageError(
                    f"--fit uses no model, so it excludes --{name.replace('_', '-')}",
                    "Leave one of the two out.",
                )
        if self.quick and self.out is not None:
            raise UsageError(
                "--quick makes no model that --out could save", "Leave one of the two out."
            )
        if self.pair:
            raise UsageError(
                "--fit cannot learn from one pair", "Name files, or pipe many pairs in."
            )
        if self.input_format == "jsonl":
            raise UsageError("--fit does not read JSONL", "Give source<TAB>target lines.")
