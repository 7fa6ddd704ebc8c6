"""Draw the steps of attention that compute scores and probabilities: 4, 5 and 8."""

from collections.abc import Sequence

import numpy as np
from rich.cells import cell_len
from rich.text import Text

from attn_cli.render.bars import bar, diverging_bar, on_heat, weight_bar
from attn_cli.render.captions import UNALIGNED_TITLE
from attn_cli.render.explanation_layout import NUMBER, StepLayout, number
from attn_cli.render.terminal import printable
from attn_cli.types import FloatArray, HeadSteps

_PROB = "magenta"  # color of the bars of probabilities


def draw_scores(layout: StepLayout) -> list[Text]:
    """Draw step 4: the energies of each target piece."""
    lines: list[Text] = []
    for target in layout.targets():
        lines += [*layout.piece_title(target), *_energies(layout, target), Text()]
    return lines[:-1]


def draw_weights(layout: StepLayout) -> list[Text]:
    """Draw step 5: energies, weights, and the row of the table."""
    lines: list[Text] = []
    for target in layout.targets():
        lines += [*layout.piece_title(target), *_weights(layout, target), Text()]
    return [*lines, *_table_row(layout)]


def draw_predictions(layout: StepLayout) -> list[Text]:
    """Draw step 8: the most probable pieces and the piece of the target."""
    lines: list[Text] = []
    for target in layout.targets():
        target_piece = layout.explanation.target.pieces[target]
        rows = list(layout.explanation.candidates[target])
        if target_piece not in [piece for piece, _ in rows]:
            rows.append((target_piece, layout.explanation.probs[target]))
        lines += layout.piece_title(target)
        lines.append(layout.columns(("p(y_i)", NUMBER)))
        free = layout.width - layout.label - NUMBER - 2
        for piece, prob in rows:
            is_target = piece == target_piece
            mark = layout.style.sign("→") if is_target else ""
            line = layout.name(piece, mark, "bold" if is_target else "")
            line.append(number(prob)).append("  ")
            lines.append(line.append_text(bar(prob, 1.0, free, layout.style, _PROB)))
        lines.append(Text())
    return lines[:-1]


def _energies(layout: StepLayout, target: int) -> list[Text]:
    pieces, heads = layout.explanation.source.pieces, layout.heads_of_layer()
    if len(heads) > 1:
        return _columns_by_head(layout, [head.energies[target] for head in heads], heads)
    head = heads[0]
    energies, bias = head.energies[target], _row(head.bias, target)
    total = energies if bias is None else energies + bias
    finite = total[np.isfinite(total)]
    low, high = min(0.0, float(finite.min())), max(0.0, float(finite.max()))
    titles = [("e_ij", NUMBER)]
    if bias is not None:
        titles = [("score", NUMBER), ("bias", NUMBER), ("e_ij", NUMBER)]
    lines = [layout.columns(*titles)]
    free = layout.width - layout.label - len(titles) * NUMBER - 2
    for j, piece in enumerate(pieces):
        line = layout.name(piece)
        if bias is not None:
            line.append(number(energies[j])).append(number(bias[j]))
        line.append(number(total[j])).append("  ")
        if np.isfinite(total[j]):
            line.append_text(diverging_bar(float(total[j]), low, high, free, layout.style))
        lines.append(line)
    return lines


def _weights(layout: StepLayout, target: int) -> list[Text]:
    pieces, heads = layout.explanation.source.pieces, layout.heads_of_layer()
    if len(heads) > 1:
        rows = [head.weights[target] for head in heads]
        return [*_columns_by_head(layout, rows, heads), *_mean_weights(layout, rows)]
    head = heads[0]
    bias = _row(head.bias, target)
    total = head.energies[target] if bias is None else head.energies[target] + bias
    is_softmax = layout.explanation.normalizer == "softmax"
    is_hard = not np.array_equal(head.probs, head.weights)
    titles = [("e_ij", NUMBER)]
    exponentials = np.exp(total - total.max())
    if is_softmax:
        titles.append(("exp(e_ij − max)", 17))
    if is_hard:
        titles.append(("p_ij", NUMBER))
    titles.append(("a_ij", NUMBER))
    free = layout.width - layout.label - sum(width for _, width in titles) - 2
    lines = [layout.columns(*titles)]
    for j, piece in enumerate(pieces):
        line = layout.name(piece).append(number(total[j]))
        if is_softmax:
            line.append(number(exponentials[j], 17))
        if is_hard:
            line.append(number(head.probs[target, j]))
        weight = float(head.weights[target, j])
        line.append_text(on_heat(number(weight), weight, layout.style)).append("  ")
        lines.append(line.append_text(weight_bar(weight, free, layout.style)))
    sums = Text("Σ".rjust(layout.label) + " " * NUMBER, "dim")
    if is_softmax:
        sums.append(number(float(exponentials.sum()), 17))
    if is_hard:
        sums.append(number(float(head.probs[target].sum())))
    lines.append(sums.append(number(float(head.weights[target].sum()))))
    return lines


def _columns_by_head(
    layout: StepLayout, rows: Sequence[FloatArray], heads: Sequence[HeadSteps]
) -> list[Text]:
    """Draw a column of numbers for each head, in blocks of as many columns as fit."""
    most = max(1, (layout.width - layout.label) // NUMBER)
    lines = []
    for start in range(0, len(rows), most):
        group = range(start, min(start + most, len(rows)))
        titles = [(f"head {heads[h].head}", NUMBER) for h in group]
        lines.append(layout.columns(*titles))
        for j, piece in enumerate(layout.explanation.source.pieces):
            line = layout.name(piece)
            for h in group:
                line.append(number(rows[h][j]))
            lines.append(line)
    return lines


def _mean_weights(layout: StepLayout, rows: Sequence[FloatArray]) -> list[Text]:
    mean = np.mean(rows, axis=0)
    lines = [layout.columns(("mean", NUMBER))]
    free = layout.width - layout.label - NUMBER - 2
    for j, piece in enumerate(layout.explanation.source.pieces):
        weight = float(mean[j])
        line = layout.name(piece)
        line.append_text(on_heat(number(weight), weight, layout.style)).append("  ")
        lines.append(line.append_text(weight_bar(weight, free, layout.style)))
    return lines


def _table_row(layout: StepLayout) -> list[Text]:
    """Draw the row of the table: its words on the colors of their weights."""
    table = layout.explanation.table
    pieces = len(layout.targets())
    mean = f", the mean of its {pieces} pieces" if pieces > 1 else ""
    word = printable(table.target[layout.word])
    lines = [Text.assemble("   The table's row of ", (word, "bold"), f"{mean}:")]
    line = Text("  ")
    cells = [
        (printable(name), float(weight), True)
        for name, weight in zip(table.source, table.weights[layout.word], strict=True)
    ]
    cells.append((UNALIGNED_TITLE[table.kind], float(table.unaligned[layout.word]), False))
    for name, weight, is_word in cells:
        text = f" {name} {weight:.2f} "
        if line.cell_len + cell_len(text) + 1 > layout.width:
            lines.append(line)
            line = Text("  ")
        cell = on_heat(text, weight, layout.style) if is_word else Text(text, "dim italic")
        line.append(" ").append_text(cell)
    return [*lines, line]


def _row(array: FloatArray | None, target: int) -> FloatArray | None:
    return None if array is None else array[target]
