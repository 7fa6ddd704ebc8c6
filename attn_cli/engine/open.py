"""A bundle becomes a Stepper: which engine runs it is decided here and nowhere else."""

from attn_cli.bundle import Bundle
from attn_cli.engine.base import Stepper


def open_stepper(bundle: Bundle, *, device: str = "auto", threads: int | None = None) -> Stepper:
    """The engine for this bundle: torch, the only one so far.

    Raises ModelError when weights and recipe do not fit, UsageError when the device is not there.
    """
    from attn_cli.engine.torch_engine import load

    return load(bundle, device=device, threads=threads)
