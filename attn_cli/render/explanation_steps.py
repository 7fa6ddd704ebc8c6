"""The lines of text of each step of attention: a line for each piece, with numbers and bars.

The numbers shown give those of the next step: energies the weights (step 5), weights and values
their products (step 6), products the context (step 7).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len
from rich.text import Text

from attn_cli.render.bars import (
    COMPONENT,
    bar,
    components,
    diverging_bar,
    fixed,
    on_heat,
    strip,
    weight_bar,
)
from attn_cli.render.captions import UNALIGNED_TITLE
from attn_cli.render.terminal import TerminalStyle, printable, truncate
from attn_cli.types import Explanation, FloatArray, HeadSteps

_PROB, _NORM = "magenta", "cyan"  # colors of bars
_LABEL = 12  # most cells of a piece's name
_NUMBER = 9  # cells of an energy or a weight


@dataclass(frozen=True, slots=True)
class StepLines:
    """The lines of each step. Columns: a piece's name, then its numbers."""

    explanation: Explanation
    word: int
    index: int
    width: int
    style: TerminalStyle

    def of_step(self, step: int) -> list[Text]:
        """The lines of a step, 1 to 8."""
        steps = (
            self.encode,
            self.query,
            self.keys_and_values,
            self.score,
            self.normalize,
            self.weight,
            self.sum,
            self.predict,
        )
        return steps[step - 1]()

    @property
    def head(self) -> HeadSteps:
        return self.explanation.steps.heads[self.index]

    @property
    def label(self) -> int:
        """Cells of the names of pieces."""
        pieces = (*self.explanation.source.pieces, *self.explanation.target.pieces)
        return min(_LABEL, max(cell_len(printable(piece)) for piece in pieces)) + 2

    @property
    def is_one_of_several(self) -> bool:
        return len(self.explanation.steps.heads) > 1

    def name(self, piece: str, mark: str = "", style: str = "bold") -> Text:
        """A piece's name at the right of its column, `mark` at the left."""
        text = truncate(printable(piece), self.label - 2, self.style)
        line = Text(mark).append(" " * (self.label - cell_len(text) - cell_len(mark)))
        return line.append(text, style)

    def targets(self) -> list[int]:
        """The target pieces of the word."""
        return np.flatnonzero(self.explanation.target.word_ids == self.word).tolist()

    def piece_title(self, target: int) -> list[Text]:
        """Which piece of the word, and which head."""
        pieces = self.targets()
        parts = []
        if len(pieces) > 1:
            parts.append(f"piece {pieces.index(target) + 1} of {len(pieces)}")
        if self.is_one_of_several:
            parts.append(f"layer {self.head.layer}, head {self.head.head}")
        piece = printable(self.explanation.target.pieces[target])
        described = f": {'; '.join(parts)}" if parts else ""
        return [Text.assemble("   for ", (piece, "bold"), (described, "dim"))]

    def columns(self, *titles: tuple[str, int]) -> Text:
        """Titles at the right of columns of these widths, after that of the names."""
        line = Text(" " * self.label)
        for title, width in titles:
            line.append(title.rjust(width) if width > 0 else title.ljust(-width), "dim")
        return line

    def count(self, columns: int, other: int) -> int:
        """How many components fit in each of `columns` vectors and `other` cells."""
        free = (self.width - self.label - other) // columns - 2
        return max(1, free // COMPONENT)

    def encode(self) -> list[Text]:
        steps = self.explanation.steps
        states = ("state h_j", steps.states)
        return self.vectors(("embedding E x_j", steps.embeddings), states, norms_of=states)

    def vectors(
        self,
        first: tuple[str, FloatArray],
        second: tuple[str, FloatArray],
        *,
        norms_of: tuple[str, FloatArray],
    ) -> list[Text]:
        """Two (title, (S, D) vectors), a line for each source piece, with the norm of one."""
        (title, left), (other_title, right) = first, second
        norms: FloatArray = np.linalg.norm(norms_of[1], axis=1)
        symbol = norms_of[0].split()[-1]
        bars = 10
        n = self.count(2, bars + 10)
        width = n * COMPONENT + 2
        lines = [
            self.columns(
                (f"  {title} ({left.shape[1]})", -width),
                (f"   {other_title} ({right.shape[1]})", -width),
                (f"‖{symbol}‖", 8),
            )
        ]
        for piece, one, other, norm in zip(
            self.explanation.source.pieces, left, right, norms, strict=True
        ):
            line = self.name(piece)
            line.append_text(components(one.tolist(), n, self.style))
            line.append_text(components(other.tolist(), n, self.style))
            line.append(f"{fixed(norm, 2):>8}  ")
            lines.append(line.append_text(bar(norm, norms.max(), bars, self.style, _NORM)))
        return lines

    def query(self) -> list[Text]:
        lines = []
        for target in self.targets():
            query = self.head.queries[target]
            n = self.count(1, 12)
            lines += self.piece_title(target)
            lines.append(self.columns((f"  query q_i ({len(query)})", -(n * COMPONENT + 2)),
                                      ("‖q_i‖", 8)))  # fmt: skip
            line = self.name(self.explanation.target.pieces[target])
            line.append_text(components(query.tolist(), n, self.style))
            lines.append(line.append(f"{fixed(float(np.linalg.norm(query)), 2):>8}"))
            colors = strip(query.tolist(), self.width - self.label - 20, self.style)
            if colors is not None:
                line = Text(" " * (self.label + 1)).append_text(colors)
                lines.append(
                    line.append(f"  {min(len(query), 2 * colors.cell_len)} components", "dim")
                )
            lines.append(Text())
        return lines[:-1]

    def keys_and_values(self) -> list[Text]:
        keys, values = ("key k_j", self.head.keys), ("value v_j", self.head.values)
        return [*self.head_title(), *self.vectors(keys, values, norms_of=keys)]

    def head_title(self) -> list[Text]:
        if not self.is_one_of_several:
            return []
        return [Text(f"   layer {self.head.layer}, head {self.head.head}")]

    def heads_of_layer(self) -> list[HeadSteps]:
        """The head that is drawn, or all whose mean the table is."""
        indices = self.explanation.head_indices
        if self.index not in indices:
            indices = (self.index,)
        return [self.explanation.steps.heads[index] for index in indices]

    def score(self) -> list[Text]:
        lines: list[Text] = []
        for target in self.targets():
            lines += [*self.piece_title(target), *self.energies(target), Text()]
        return lines[:-1]

    def energies(self, target: int) -> list[Text]:
        pieces, heads = self.explanation.source.pieces, self.heads_of_layer()
        if len(heads) > 1:
            return self.by_head([head.energies[target] for head in heads], heads)
        head = heads[0]
        energies, bias = head.energies[target], _row(head.bias, target)
        total = energies if bias is None else energies + bias
        finite = total[np.isfinite(total)]
        low, high = min(0.0, float(finite.min())), max(0.0, float(finite.max()))
        titles = [("e_ij", _NUMBER)]
        if bias is not None:
            titles = [("score", _NUMBER), ("bias", _NUMBER), ("e_ij", _NUMBER)]
        lines = [self.columns(*titles)]
        free = self.width - self.label - len(titles) * _NUMBER - 2
        for j, piece in enumerate(pieces):
            line = self.name(piece)
            if bias is not None:
                line.append(_number(energies[j])).append(_number(bias[j]))
            line.append(_number(total[j])).append("  ")
            if np.isfinite(total[j]):
                line.append_text(diverging_bar(float(total[j]), low, high, free, self.style))
            lines.append(line)
        return lines

    def by_head(self, rows: Sequence[FloatArray], heads: Sequence[HeadSteps]) -> list[Text]:
        """A column of numbers for each head, as many as fit."""
        most = max(1, (self.width - self.label) // _NUMBER)
        lines = []
        for start in range(0, len(rows), most):
            group = range(start, min(start + most, len(rows)))
            titles = [(f"head {heads[h].head}", _NUMBER) for h in group]
            lines.append(self.columns(*titles))
            for j, piece in enumerate(self.explanation.source.pieces):
                line = self.name(piece)
                for h in group:
                    line.append(_number(rows[h][j]))
                lines.append(line)
        return lines

    def normalize(self) -> list[Text]:
        lines: list[Text] = []
        for target in self.targets():
            lines += [*self.piece_title(target), *self.weights(target), Text()]
        return [*lines, *self.table_row()]

    def weights(self, target: int) -> list[Text]:
        pieces, heads = self.explanation.source.pieces, self.heads_of_layer()
        if len(heads) > 1:
            rows = [head.weights[target] for head in heads]
            return [*self.by_head(rows, heads), *self.mean_row(rows)]
        head = heads[0]
        bias = _row(head.bias, target)
        total = head.energies[target] if bias is None else head.energies[target] + bias
        is_softmax = self.explanation.normalizer == "softmax"
        is_hard = not np.array_equal(head.probs, head.weights)
        titles = [("e_ij", _NUMBER)]
        exponentials = np.exp(total - total.max())
        if is_softmax:
            titles.append(("exp(e_ij − max)", 17))
        if is_hard:
            titles.append(("p_ij", _NUMBER))
        titles.append(("a_ij", _NUMBER))
        free = self.width - self.label - sum(width for _, width in titles) - 2
        lines = [self.columns(*titles)]
        for j, piece in enumerate(pieces):
            line = self.name(piece).append(_number(total[j]))
            if is_softmax:
                line.append(_number(exponentials[j], 17))
            if is_hard:
                line.append(_number(head.probs[target, j]))
            weight = float(head.weights[target, j])
            line.append_text(on_heat(_number(weight), weight, self.style)).append("  ")
            lines.append(line.append_text(weight_bar(weight, free, self.style)))
        sums = Text("Σ".rjust(self.label) + " " * _NUMBER, "dim")
        if is_softmax:
            sums.append(_number(float(exponentials.sum()), 17))
        if is_hard:
            sums.append(_number(float(head.probs[target].sum())))
        lines.append(sums.append(_number(float(head.weights[target].sum()))))
        return lines

    def mean_row(self, rows: Sequence[FloatArray]) -> list[Text]:
        mean = np.mean(rows, axis=0)
        lines = [self.columns(("mean", _NUMBER))]
        free = self.width - self.label - _NUMBER - 2
        for j, piece in enumerate(self.explanation.source.pieces):
            weight = float(mean[j])
            line = self.name(piece)
            line.append_text(on_heat(_number(weight), weight, self.style)).append("  ")
            lines.append(line.append_text(weight_bar(weight, free, self.style)))
        return lines

    def table_row(self) -> list[Text]:
        """The row of the table that the weights give, its words on heat."""
        table = self.explanation.table
        pieces = len(self.targets())
        mean = f", the mean of its {pieces} pieces" if pieces > 1 else ""
        word = printable(table.target[self.word])
        lines = [Text.assemble("   The table's row of ", (word, "bold"), f"{mean}:")]
        line = Text("  ")
        cells = [
            (printable(name), float(weight), True)
            for name, weight in zip(table.source, table.weights[self.word], strict=True)
        ]
        cells.append((UNALIGNED_TITLE[table.kind], float(table.unaligned[self.word]), False))
        for name, weight, is_word in cells:
            text = f" {name} {weight:.2f} "
            if line.cell_len + cell_len(text) + 1 > self.width:
                lines.append(line)
                line = Text("  ")
            cell = on_heat(text, weight, self.style) if is_word else Text(text, "dim italic")
            line.append(" ").append_text(cell)
        return [*lines, line]

    def weight(self) -> list[Text]:
        lines: list[Text] = []
        head = self.head
        for target in self.targets():
            lines += self.piece_title(target)
            n = self.count(2, _NUMBER + 6)
            width = n * COMPONENT + 2
            lines.append(
                self.columns(
                    ("a_ij", _NUMBER),
                    (f"     value v_j ({head.values.shape[1]})", -(width + 3)),
                    ("     a_ij v_j", -(width + 3)),
                )
            )
            for j, piece in enumerate(self.explanation.source.pieces):
                weight, value = float(head.weights[target, j]), head.values[j]
                line = self.name(piece)
                line.append_text(on_heat(_number(weight), weight, self.style))
                line.append(" × ", "dim").append_text(components(value.tolist(), n, self.style))
                line.append(" = ", "dim")
                line.append_text(components((weight * value).tolist(), n, self.style))
                lines.append(line)
            lines.append(Text())
        return lines[:-1]

    def sum(self) -> list[Text]:
        lines: list[Text] = []
        head = self.head
        for target in self.targets():
            lines += self.piece_title(target)
            n = self.count(1, 12)
            width = n * COMPONENT + 2
            lines.append(self.columns(("  a_ij v_j", -width), ("norm", 8)))
            for j, piece in enumerate(self.explanation.source.pieces):
                product = head.weights[target, j] * head.values[j]
                line = self.name(piece)
                line.append_text(components(product.tolist(), n, self.style))
                lines.append(line.append(f"{fixed(float(np.linalg.norm(product)), 2):>8}"))
            rule = "-" if self.style.ascii_only else "─"
            lines.append(Text(" " * self.label + rule * (width + 8), "dim"))
            lines.append(self.total("c_i", head.contexts[target], n))
            if self.is_one_of_several:
                whole = self.explanation.steps.contexts[head.layer - 1, target]
                lines.append(Text("   All heads together, mapped by W_O:", "dim"))
                lines.append(self.total("c_i", whole, n))
            lines.append(Text())
        return lines[:-1]

    def total(self, name: str, vector: FloatArray, n: int) -> Text:
        line = self.name(name).append_text(components(vector.tolist(), n, self.style))
        return line.append(f"{fixed(float(np.linalg.norm(vector)), 2):>8}")

    def predict(self) -> list[Text]:
        lines: list[Text] = []
        for target in self.targets():
            chosen = self.explanation.target.pieces[target]
            rows = list(self.explanation.candidates[target])
            if chosen not in [piece for piece, _ in rows]:
                rows.append((chosen, self.explanation.probs[target]))
            lines += self.piece_title(target)
            lines.append(self.columns(("p(y_i)", _NUMBER)))
            free = self.width - self.label - _NUMBER - 2
            for piece, prob in rows:
                is_chosen = piece == chosen
                mark = self.style.sign("→") if is_chosen else ""
                line = self.name(piece, mark, "bold" if is_chosen else "")
                line.append(_number(prob)).append("  ")
                lines.append(line.append_text(bar(prob, 1.0, free, self.style, _PROB)))
            lines.append(Text())
        return lines[:-1]


def _row(array: FloatArray | None, target: int) -> FloatArray | None:
    return None if array is None else array[target]


def _number(value: float, width: int = _NUMBER) -> str:
    """An energy or a weight, to four decimals; −∞ of what is masked."""
    text = fixed(value, 4) if np.isfinite(value) else "−∞"
    return text.rjust(width)
