"""Draw each of the eight steps of attention as lines of text, with numbers and bars.

The numbers of a step suffice to compute those of the next one: weights (step 5) from energies,
products (step 6) from weights and values, the context (step 7) from products.
"""

from rich.text import Text

from attn_cli.render.explanation_layout import StepLayout
from attn_cli.render.explanation_vectors import (
    draw_context,
    draw_encoding,
    draw_keys_and_values,
    draw_query,
    draw_weighted_values,
)
from attn_cli.render.explanation_weights import draw_predictions, draw_scores, draw_weights

_STEPS = (
    draw_encoding,
    draw_query,
    draw_keys_and_values,
    draw_scores,
    draw_weights,
    draw_weighted_values,
    draw_context,
    draw_predictions,
)


def draw_step(layout: StepLayout, step: int) -> list[Text]:
    """Return the lines of a step, 1 to 8."""
    return _STEPS[step - 1](layout)
