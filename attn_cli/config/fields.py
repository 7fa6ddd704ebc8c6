"""Declares a recipe key: its default, help and bounds."""

from dataclasses import field
from typing import Any


def option(default: Any, help: str, *, low: float | None = None, high: float | None = None) -> Any:
    """Declare a recipe key with its default, its help and its inclusive bounds."""
    return field(default=default, metadata={"help": help, "low": low, "high": high})
