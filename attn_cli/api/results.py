"""Results of the Python interface, printed as text and displayed as tables in a notebook."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attn_cli.errors import UsageError
from attn_cli.render import text_formats
from attn_cli.types import (
    Diagnostics,
    Explanation,
    FloatArray,
    HeadAlignment,
    SoftAlignment,
    Translation,
    WordAlignment,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, repr=False)
class Alignment:
    """A table of weights between the words of two lines, and the links extracted from it.

    Printed as the table of the terminal, displayed as a table in a notebook. `heads` are the tables
    of single heads, layer by layer, if the model was loaded with head="all".
    """

    table: SoftAlignment
    links: WordAlignment
    source: str
    target: str
    unsure: tuple[int, ...] = ()
    heads: tuple[HeadAlignment, ...] = ()

    @property
    def source_words(self) -> tuple[str, ...]:
        """The S words of the source: the columns."""
        return self.table.source

    @property
    def target_words(self) -> tuple[str, ...]:
        """The T words of the target: the rows."""
        return self.table.target

    @property
    def weights(self) -> FloatArray:
        """(T, S) weights of each target word, from 0 to 1."""
        return self.table.weights

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The linked (source word, target word), in the order of the target."""
        return [(self.table.source[s], self.table.target[t]) for s, t in self.links.sorted_links()]

    def to_pandas(self) -> "pd.DataFrame":
        """Return the weights as a DataFrame, rows named by target words, columns by source words.

        Raises UsageError if pandas is not installed.
        """
        try:
            import pandas as pd
        except ModuleNotFoundError as error:
            raise UsageError(
                "to_pandas needs pandas, which is not installed", "Install it: pip install pandas"
            ) from error
        return pd.DataFrame(
            self.weights, index=list(self.target_words), columns=list(self.source_words)
        )

    def to_pharaoh(self, *, scores: bool = False) -> str:
        """Return the links as `0-0 2-1`: source-target, from 0; `scores` adds `:0.93` to each."""
        return text_formats.pharaoh(self.links, scores=scores)

    def to_svg(self) -> str:
        """Return the table as an SVG document."""
        from attn_cli.render.svg import svg

        return svg(self.table, source=self.source, target=self.target)

    def __repr__(self) -> str:
        return f"Alignment({self.source!r} ↔ {self.target!r})"

    def __str__(self) -> str:
        from attn_cli.render.table import alignment_table
        from attn_cli.render.terminal import plain

        table = alignment_table(
            self.table, source=self.source, target=self.target, unsure=self.unsure
        )
        return plain(table).rstrip("\n")

    def _repr_html_(self) -> str:
        from attn_cli.render.notebook import html_table

        return html_table(self.table, source=self.source, target=self.target, unsure=self.unsure)

    def _repr_svg_(self) -> str:
        return self.to_svg()


@dataclass(frozen=True, slots=True)
class Result:
    """A source and a target line, with what the model computed for them.

    `translation` has all values; `links` are those of its alignment; `model` is the model's name.
    """

    translation: Translation
    links: WordAlignment
    model: str
    n_best: int = 1

    @property
    def source(self) -> str:
        """The source line."""
        return self.translation.source

    @property
    def text(self) -> str:
        """The target line: the translation, or the target of the pair."""
        return self.translation.text

    @property
    def score(self) -> float | None:
        """Log-probability of the target per piece, EOS included; None without a decoder."""
        best = self.translation.hypotheses[:1]
        return best[0].mean_logp if best else None

    @property
    def confidence(self) -> float | None:
        """Estimated sentence chrF from 0 to 1; None if the model is not calibrated."""
        return self.translation.confidence

    @property
    def unsure(self) -> tuple[str, ...]:
        """The target words of low probability."""
        return tuple(self.translation.target_words[word] for word in self.translation.unsure)

    @property
    def alignment(self) -> Alignment | None:
        """The weights between the words; None for a model without attention and word aligner."""
        table = self.translation.alignment
        if table is None:
            return None
        unsure, heads = self.translation.unsure, self.translation.heads
        return Alignment(table, self.links, self.source, self.text, unsure, heads)

    @property
    def diagnostics(self) -> Diagnostics | None:
        """What the table says of the pair; None unless the model was loaded with diagnostics."""
        return self.translation.diagnostics

    def to_jsonl(self) -> str:
        """Return the record of `--format jsonl`, without a line end."""
        return text_formats.jsonl(
            self.translation, self.links, model=self.model, n_best=self.n_best
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the record of `--format jsonl` as a dictionary; docs/formats.md has its fields."""
        record: dict[str, Any] = json.loads(self.to_jsonl())
        return record

    def _repr_html_(self) -> str | None:
        alignment = self.alignment
        return None if alignment is None or not self.text else alignment._repr_html_()

    def _repr_svg_(self) -> str | None:
        alignment = self.alignment
        return None if alignment is None or not self.text else alignment._repr_svg_()


class TranslationResult(Result):
    """A translation. Printed as its text."""

    __slots__ = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """The `n_best` translations, best first."""
        return self.translation.texts[: self.n_best]

    def __str__(self) -> str:
        return text_formats.text(self.translation)

    def __repr__(self) -> str:
        return f"TranslationResult({self.source!r} → {self.text!r})"


class AlignmentResult(Result):
    """The alignment of a pair. Printed as its links in Pharaoh format, `0-0 2-1`."""

    __slots__ = ()

    def __str__(self) -> str:
        return text_formats.pharaoh(self.links)

    def __repr__(self) -> str:
        return f"AlignmentResult({self.source!r} ↔ {self.text!r}: {self})"


@dataclass(frozen=True, slots=True, repr=False)
class ExplanationResult:
    """The eight steps of attention on one sentence. Printed as text; `explanation` has the arrays.

    `word`, counted from 1, is the target word whose steps are printed or displayed.
    """

    explanation: Explanation
    word: int = 1

    @property
    def text(self) -> str:
        """The translation."""
        return self.explanation.target.raw

    @property
    def weights(self) -> FloatArray:
        """(T, S) weights of the table, between T target words and S source words."""
        return self.explanation.table.weights

    def of_word(self, word: int) -> "ExplanationResult":
        """Return the steps of target word `word`, from 1. Raises UsageError if there is none."""
        count = len(self.explanation.table.target)
        if not 1 <= word <= count:
            raise UsageError(f"there is no target word {word}", f"Give a number from 1 to {count}.")
        return ExplanationResult(self.explanation, word)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the records of `attn explain --format jsonl`."""
        from attn_cli.render.explanation_records import explanation_records

        return list(explanation_records(self.explanation))

    def __repr__(self) -> str:
        return f"ExplanationResult({self.explanation.source.raw!r} → {self.text!r})"

    def __str__(self) -> str:
        from attn_cli.render.explanation import ExplanationView
        from attn_cli.render.terminal import plain

        return plain(ExplanationView(self.explanation, words=(self.word - 1,))).rstrip("\n")

    def _repr_html_(self) -> str:
        from attn_cli.render.explanation import ExplanationView
        from attn_cli.render.notebook import html_text

        return html_text(ExplanationView(self.explanation, words=(self.word - 1,)))
