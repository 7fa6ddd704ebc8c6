"""A model's name on the command line becomes a bundle and its engine."""

from dataclasses import dataclass

from attn_cli import shelf
from attn_cli.bundle import Bundle, open_bundle
from attn_cli.commands.shared import Weights
from attn_cli.console import Console
from attn_cli.engine.base import Stepper
from attn_cli.engine.open import open_stepper
from attn_cli.errors import ModelError


@dataclass(frozen=True)
class Opened:
    """A bundle with its engine running."""

    bundle: Bundle
    stepper: Stepper


def open_model(
    console: Console, name: str | None, weights: Weights | None, device: str, threads: int | None
) -> Opened:
    """Open the model called `name`; `weights` must be of a kind that it has."""
    path = shelf.find(name)
    bundle = open_bundle(path)
    if weights is Weights.ALIGNMENT:
        raise ModelError(
            f"the model {bundle.name} has no alignment head, so it has no alignment weights",
            "Leave --weights out to see the decoder's attention.",
        )
    console.detail(f"model {bundle.name} from {path}, engine torch")
    stepper = open_stepper(bundle, device=device, threads=threads or console.cores)
    return Opened(bundle, stepper)
