"""A bundle becomes a Stepper or a Matcher: which engine runs it is decided here alone."""

from attn_cli.bundle import Bundle
from attn_cli.engine.base import Matcher, Stepper


def open_stepper(bundle: Bundle, *, device: str = "auto", threads: int | None = None) -> Stepper:
    """The engine for this bundle: torch, the only one so far.

    Raises ModelError when weights and recipe do not fit, UsageError when the device is not there.
    """
    from attn_cli.engine.torch_engine import load

    return load(bundle, device=device, threads=threads)


def open_matcher(bundle: Bundle, *, device: str = "auto", threads: int | None = None) -> Matcher:
    """The engine for the bundle's alignment head; it must have one. Raises as `open_stepper`."""
    from attn_cli.engine.torch_engine import load_head

    return load_head(bundle, device=device, threads=threads)
