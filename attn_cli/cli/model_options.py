"""The options of both `attn translate` and `attn align` that name a model and how to run it."""

from dataclasses import dataclass

from attn_cli.choices import Engine, Level, MatrixKind, ShownAttention, UnalignedMass
from attn_cli.inference.engines.registry import EngineOptions


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """The options that name a model, its engine, and the weights of its tables."""

    model: str | None = None
    target_token: str | None = None
    weights: MatrixKind | None = None
    level: Level = "word"
    show: ShownAttention = "cross"
    unaligned_mass: UnalignedMass = "keep"
    diagnostics: bool = False
    device: str = "auto"
    engine: Engine = "auto"
    threads: int | None = None

    @property
    def engine_options(self) -> EngineOptions:
        """The engine, its device and its number of threads."""
        return EngineOptions(self.engine, self.device, self.threads)
