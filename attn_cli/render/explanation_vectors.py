"""Draw the steps of attention that compute vectors: 1, 2, 3, 6 and 7."""

import numpy as np
from rich.text import Text

from attn_cli.render.bars import COMPONENT, bar, components, fixed, on_heat, strip
from attn_cli.render.explanation_layout import NUMBER, StepLayout, number
from attn_cli.types import FloatArray

_NORM = "cyan"  # color of the bars of norms


def draw_encoding(layout: StepLayout) -> list[Text]:
    """Draw step 1: embeddings and encoder states."""
    steps = layout.explanation.steps
    states = ("state h_j", steps.states)
    return _vectors(layout, ("embedding E x_j", steps.embeddings), states, norms_of=states)


def draw_query(layout: StepLayout) -> list[Text]:
    """Draw step 2: the query of each target piece."""
    lines = []
    for target in layout.targets():
        query = layout.head.queries[target]
        n = layout.count(1, 12)
        lines += layout.piece_title(target)
        lines.append(layout.columns((f"  query q_i ({len(query)})", -(n * COMPONENT + 2)),
                                  ("‖q_i‖", 8)))  # fmt: skip
        line = layout.name(layout.explanation.target.pieces[target])
        line.append_text(components(query.tolist(), n, layout.style))
        lines.append(line.append(f"{fixed(float(np.linalg.norm(query)), 2):>8}"))
        colors = strip(query.tolist(), layout.width - layout.label - 20, layout.style)
        if colors is not None:
            line = Text(" " * (layout.label + 1)).append_text(colors)
            lines.append(line.append(f"  {min(len(query), 2 * colors.cell_len)} components", "dim"))
        lines.append(Text())
    return lines[:-1]


def draw_keys_and_values(layout: StepLayout) -> list[Text]:
    """Draw step 3: keys and values."""
    keys, values = ("key k_j", layout.head.keys), ("value v_j", layout.head.values)
    return [*layout.head_title(), *_vectors(layout, keys, values, norms_of=keys)]


def draw_weighted_values(layout: StepLayout) -> list[Text]:
    """Draw step 6: weights, values and their products."""
    lines: list[Text] = []
    head = layout.head
    for target in layout.targets():
        lines += layout.piece_title(target)
        n = layout.count(2, NUMBER + 6)
        width = n * COMPONENT + 2
        lines.append(
            layout.columns(
                ("a_ij", NUMBER),
                (f"     value v_j ({head.values.shape[1]})", -(width + 3)),
                ("     a_ij v_j", -(width + 3)),
            )
        )
        for j, piece in enumerate(layout.explanation.source.pieces):
            weight, value = float(head.weights[target, j]), head.values[j]
            line = layout.name(piece)
            line.append_text(on_heat(number(weight), weight, layout.style))
            line.append(" × ", "dim").append_text(components(value.tolist(), n, layout.style))
            line.append(" = ", "dim")
            line.append_text(components((weight * value).tolist(), n, layout.style))
            lines.append(line)
        lines.append(Text())
    return lines[:-1]


def draw_context(layout: StepLayout) -> list[Text]:
    """Draw step 7: the products of step 6 and their sum, the context."""
    lines: list[Text] = []
    head = layout.head
    for target in layout.targets():
        lines += layout.piece_title(target)
        n = layout.count(1, 12)
        width = n * COMPONENT + 2
        lines.append(layout.columns(("  a_ij v_j", -width), ("norm", 8)))
        for j, piece in enumerate(layout.explanation.source.pieces):
            product = head.weights[target, j] * head.values[j]
            line = layout.name(piece)
            line.append_text(components(product.tolist(), n, layout.style))
            lines.append(line.append(f"{fixed(float(np.linalg.norm(product)), 2):>8}"))
        rule = "-" if layout.style.ascii_only else "─"
        lines.append(Text(" " * layout.label + rule * (width + 8), "dim"))
        lines.append(_vector(layout, "c_i", head.contexts[target], n))
        if layout.has_several_heads:
            whole = layout.explanation.steps.contexts[head.layer - 1, target]
            lines.append(Text("   All heads together, mapped by W_O:", "dim"))
            lines.append(_vector(layout, "c_i", whole, n))
        lines.append(Text())
    return lines[:-1]


def _vectors(
    layout: StepLayout,
    first: tuple[str, FloatArray],
    second: tuple[str, FloatArray],
    *,
    norms_of: tuple[str, FloatArray],
) -> list[Text]:
    """Draw two (title, (S, D) vectors): a line for each source piece, with the norms of one."""
    (title, left), (other_title, right) = first, second
    norms: FloatArray = np.linalg.norm(norms_of[1], axis=1)
    symbol = norms_of[0].split()[-1]
    bars = 10
    n = layout.count(2, bars + 10)
    width = n * COMPONENT + 2
    lines = [
        layout.columns(
            (f"  {title} ({left.shape[1]})", -width),
            (f"   {other_title} ({right.shape[1]})", -width),
            (f"‖{symbol}‖", 8),
        )
    ]
    for piece, one, other, norm in zip(
        layout.explanation.source.pieces, left, right, norms, strict=True
    ):
        line = layout.name(piece)
        line.append_text(components(one.tolist(), n, layout.style))
        line.append_text(components(other.tolist(), n, layout.style))
        line.append(f"{fixed(norm, 2):>8}  ")
        lines.append(line.append_text(bar(norm, norms.max(), bars, layout.style, _NORM)))
    return lines


def _vector(layout: StepLayout, name: str, vector: FloatArray, n: int) -> Text:
    line = layout.name(name).append_text(components(vector.tolist(), n, layout.style))
    return line.append(f"{fixed(float(np.linalg.norm(vector)), 2):>8}")
