"""Save the weights of the best validations beside the checkpoint, and average them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.nn.state_dict import load_state, unique_state_dict
from attn_cli.training import checkpoint
from attn_cli.training.early_stopping import ValidationResult, best_results
from attn_cli.training.group import Group
from attn_cli.training.resume import remove_file


class BestWeights:
    """The `count` best weights of a training, in a folder."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count

    def paths(self, history: list[ValidationResult]) -> list[Path]:
        """Return the existing files of the best weights, best first."""
        best = best_results(history, self.count)
        return [path for result in best if (path := self._path(result.step)).exists()]

    def save(self, tensors: dict[str, Tensor], history: list[ValidationResult]) -> None:
        """Write the weights of the last validation if they are among the best."""
        result = history[-1]
        if result in best_results(history, self.count):
            checkpoint.save(self._path(result.step), tensors, asdict(result))

    def prune(self, history: list[ValidationResult]) -> None:
        """Remove all files but those of the best weights."""
        best = {self._path(result.step) for result in best_results(history, self.count)}
        for path in set(self.folder.glob("step-*.safetensors")) - best:
            remove_file(path)

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:07d}.safetensors"


@contextmanager
def averaged_weights(network: Seq2Seq, paths: list[Path], group: Group) -> Iterator[None]:
    """Load the mean of the weights in `paths` into the network; restore its own weights at the end.

    The main worker of `group` reads the files.
    """
    mean = group.broadcast_dict(checkpoint.average(paths) if group.is_main else {})
    own = {name: tensor.clone() for name, tensor in unique_state_dict(network).items()}
    with torch.no_grad():
        load_state(network, mean, where="the average")
    try:
        yield
    finally:
        with torch.no_grad():
            load_state(network, own, where="the last weights")
