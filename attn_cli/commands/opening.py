"""A model's name on the command line becomes a bundle and the engines that are wanted of it."""

from dataclasses import dataclass

from attn_cli import shelf
from attn_cli.bundle import Bundle, open_bundle
from attn_cli.commands.shared import Weights
from attn_cli.console import Console
from attn_cli.engine.base import Matcher, Stepper
from attn_cli.engine.open import Engine, Part, engine_of, open_matcher, open_stepper
from attn_cli.errors import ModelError
from attn_cli.verified import make_sure


@dataclass(frozen=True)
class Opened:
    """A bundle with its engines running, those that were wanted."""

    bundle: Bundle
    stepper: Stepper | None
    matcher: Matcher | None


@dataclass(frozen=True)
class Opener:
    """Opens models: where they compute, and which weights they are to give."""

    console: Console
    device: str
    threads: int | None
    engine: Engine = "auto"

    def to_translate(self, name: str | None, weights: Weights | None) -> Opened:
        """A model that translates, with its head where its weights are wanted."""
        bundle = self._bundle(name)
        stepper = self._stepper(bundle)
        matcher = self._matcher(bundle) if weights is Weights.ALIGNMENT else None
        return Opened(bundle, stepper, matcher)

    def to_align(self, name: str | None, weights: Weights | None, *, scored: bool) -> Opened:
        """A model that aligns: by its head if it has one, unless attention is asked for.

        With `scored` its targets are to be scored too, where it can.
        """
        bundle = self._bundle(name)
        kind = weights or (Weights.ALIGNMENT if bundle.aligns else Weights.ATTENTION)
        matcher = self._matcher(bundle) if kind is Weights.ALIGNMENT else None
        wanted = matcher is None or (scored and bundle.translates)
        return Opened(bundle, self._stepper(bundle) if wanted else None, matcher)

    def _bundle(self, name: str | None) -> Bundle:
        path = shelf.find(name)
        make_sure(path)
        bundle = open_bundle(path)
        self.console.detail(f"model {bundle.name} from {path}")
        return bundle

    def _say(self, bundle: Bundle, part: Part, what: str) -> None:
        running = engine_of(bundle, part, engine=self.engine, device=self.device)
        name = f"ONNX Runtime, {bundle.precision}" if running == "onnx" else "PyTorch"
        self.console.detail(f"{what}: {name}")

    def _stepper(self, bundle: Bundle) -> Stepper:
        if not bundle.translates:
            raise ModelError(
                f"the model {bundle.name} has no decoder: it neither translates nor has attention",
                "Leave --weights out and use it with attn align, or name another model.",
            )
        self._say(bundle, "translator", "translator")
        return open_stepper(bundle, engine=self.engine, device=self.device, threads=self._threads)

    def _matcher(self, bundle: Bundle) -> Matcher:
        if not bundle.aligns:
            raise ModelError(
                f"the model {bundle.name} has no alignment head, so it has no alignment weights",
                "Leave --weights out to see the decoder's attention.",
            )
        self._say(bundle, "head", "alignment head")
        return open_matcher(bundle, engine=self.engine, device=self.device, threads=self._threads)

    @property
    def _threads(self) -> int:
        return self.threads or self.console.cores
