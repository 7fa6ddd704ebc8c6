"""A training that stopped: where it lies, and the recipe it goes on with. Loads no torch."""

from pathlib import Path

from attn_cli import bundle, config
from attn_cli.config import Recipe
from attn_cli.errors import UsageError

CHECKPOINTS, LAST = "checkpoints", "last.safetensors"

#: The folder in it of the prepared text, which is there while a training runs.
TEXT = "text"


def resumed(out: Path) -> Recipe:
    """The recipe of the training that lies in `out`. Raises UsageError when none does."""
    if not (out / CHECKPOINTS / LAST).is_file():
        raise UsageError(
            f"{out} holds no training to go on with",
            "Name the --out folder of an earlier attn train.",
        )
    return config.load(out / bundle.RECIPE, of_a_model=True)
