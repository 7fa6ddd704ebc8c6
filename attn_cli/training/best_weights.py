"""The weights of the best validations, in files beside the checkpoint, to be averaged."""

from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from attn_cli.training import checkpoint
from attn_cli.training.early_stopping import ValidationResult, best_results


class BestWeights:
    """The `count` best weights of a training, in a folder."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count

    def paths(self, history: list[ValidationResult]) -> list[Path]:
        """The files of the best that are there, best first."""
        best = best_results(history, self.count)
        return [path for scored in best if (path := self._path(scored.step)).exists()]

    def save(self, tensors: dict[str, Tensor], history: list[ValidationResult]) -> None:
        """Write the weights of the last validation if they are among the best."""
        scored = history[-1]
        if scored in best_results(history, self.count):
            checkpoint.save(self._path(scored.step), tensors, asdict(scored))

    def prune(self, history: list[ValidationResult]) -> None:
        """Remove other weights, which the saved history wants no more."""
        best = {self._path(scored.step) for scored in best_results(history, self.count)}
        for path in set(self.folder.glob("step-*.safetensors")) - best:
            path.unlink()

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:07d}.safetensors"
