"""The attention heads that a user selects, before a model is open."""

from dataclasses import dataclass

from attn_cli.config import Recipe
from attn_cli.errors import UsageError
from attn_cli.inference.engines.interface import (
    HeadSelection,
    default_heads,
    select_heads,
    single_heads,
)
from attn_cli.types import HeadId


@dataclass(frozen=True)
class HeadRequest:
    """Attention heads of a decoder; layers and heads count from 1.

    Without a `layer`, the model's default. `head` 0 is the mean of the layer's heads. With `each`,
    every head of the layer, or of all layers, in addition to the model's default.
    """

    layer: int | None = None
    head: int = 0
    each: bool = False

    @classmethod
    def parse(cls, head: str | int | None, layer: int | None) -> "HeadRequest | None":
        """Return the request of a head, "all" or "mean", and a layer; None without either.

        Raises UsageError for what is no head.
        """
        if head is None and layer is None:
            return None
        name = "mean" if head is None else str(head)
        if name == "all":
            return cls(layer, each=True)
        if name != "mean" and not (name.isascii() and name.isdecimal() and int(name) > 0):
            raise UsageError(f"--head cannot be {name}", "Give a number from 1, all, or mean.")
        return cls(layer, 0 if name == "mean" else int(name))

    def select(self, recipe: Recipe) -> HeadSelection:
        """Return the selection in that model. Raises UsageError if it has no such head."""
        if self.each:
            return default_heads(recipe)
        layer = self.layer or recipe.decode.attention_layer
        return select_heads(recipe.model, layer=layer, head=self.head)

    def single_heads(self, recipe: Recipe) -> list[HeadId]:
        """Return the heads whose own tables are requested: those of `layer` or all, or none."""
        return single_heads(recipe.model, layer=self.layer or 0) if self.each else []
