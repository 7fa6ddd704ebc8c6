"""Measure the CPU time of the phases of an update: update.py RECIPE UPDATES → JSON.

Trains in this process, on one thread. In the forward pass a clock changes phase at the calls of the
network's modules, in the backward pass when the gradient reaches their outputs. Then the matrix
products of some updates are recorded, with shapes and strides, and computed again alone.
"""

import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from attn_cli import config
from attn_cli.data import corpus_reader
from attn_cli.data.batching import BatchIterator
from attn_cli.data.segmentation import segment_corpus
from attn_cli.data.word_rules import recipe_rules
from attn_cli.nn.builder import build_model
from attn_cli.nn.device import select_hardware
from attn_cli.training import gradients
from attn_cli.training import updates as updates_module
from attn_cli.training.trainer import Trainer
from attn_cli.training.vocabulary import train_tokenizers

EMBEDDING, ENCODER, DECODER = "embedding", "encoder", "attention and cell loop"
READOUT, LOSS = "readout", "loss"
OPTIMIZER, BATCHES, REST = "optimizer and clipping", "batches", "the rest (Python, copies)"
PHASES = (EMBEDDING, ENCODER, DECODER, READOUT, LOSS, OPTIMIZER, BATCHES, REST)

WARM_UP = 10  # updates before the measurement
PRODUCTS = ("mm", "addmm", "bmm", "baddbmm")
RECORDED = 5  # updates whose products are recorded
ROUNDS = 3  # of the recorded products; the fastest counts


def main() -> None:
    recipe, updates = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as scratch:
        trainer = build_trainer(recipe, Path(scratch))
        for _ in range(WARM_UP):
            update(trainer)
        record = measure_phases(trainer, updates)
        record["products"] = measure_products(trainer)
    record["mebibytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(record))


def build_trainer(path: Path, scratch: Path) -> Trainer:
    """Build the trainer of a recipe, without validation and output."""
    recipe = config.load(path)
    hardware = select_hardware("cpu", recipe.train.precision)
    rules = recipe_rules(recipe)
    options = corpus_reader.CorpusOptions(rules=rules)
    text = corpus_reader.load(recipe.data, path.parent, options, seed=recipe.seed).train
    tokenizers = train_tokenizers(recipe, text)
    pairs, _ = segment_corpus(
        text, *tokenizers, sampling=recipe.tokenizer.subword_alpha
    ).filter_lengths(max_length=recipe.data.max_length, max_ratio=recipe.data.max_ratio)
    network = build_model(
        recipe.model,
        source_vocab_size=tokenizers[0].vocab_size,
        target_vocab_size=tokenizers[1].vocab_size,
    )
    network.train()
    return Trainer(
        network.to(hardware.device),
        BatchIterator(pairs, tokens=recipe.train.batch_tokens, seed=recipe.seed),
        lambda _: None,  # type: ignore[arg-type,return-value]
        settings=recipe.train,
        hardware=hardware,
        folder=scratch,
        save_best=lambda *_: None,
        emit=lambda _: None,
    )


def update(trainer: Trainer) -> int:
    """Make an update; return its number of target pieces."""
    trainer.state.step += 1
    return trainer.updater.update(trainer.state, trainer.schedule, trainer.guidance)


class Clock:
    """Measures the CPU seconds of this process by phase."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.phase, self._since = REST, time.process_time()

    def turn(self, phase: str) -> str:
        """Start a phase; return the phase that ends."""
        now = time.process_time()
        self.seconds[self.phase] += now - self._since
        before, self.phase, self._since = self.phase, phase, now
        return before

    @contextmanager
    def section(self, phase: str) -> Iterator[None]:
        """Attribute the block to a phase."""
        before = self.turn(phase)
        try:
            yield
        finally:
            self.turn(before)


class _Mark(torch.autograd.Function):
    """Identity; its backward pass starts a phase of the clock."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, clock: Clock, phase: str) -> Tensor:
        ctx.clock, ctx.phase = clock, phase
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        ctx.clock.turn(ctx.phase)
        return grad, None, None


def measure_phases(trainer: Trainer, updates: int) -> dict[str, Any]:
    """Measure the CPU seconds of each phase over some updates."""
    clock, network = Clock(), trainer.network

    def watch(owner: Any, name: str, phase: str) -> None:
        """Attribute the calls of a function, and the backward pass of its output, to a phase."""
        function = getattr(owner, name)

        def watched(*arguments: Any, **keywords: Any) -> Any:
            with clock.section(phase):
                output = function(*arguments, **keywords)
            return mark(output)

        def mark(output: Any) -> Any:
            if isinstance(output, Tensor) and output.requires_grad:
                return _Mark.apply(output, clock, phase)  # type: ignore[no-untyped-call]
            if isinstance(output, tuple) and hasattr(output, "_fields"):
                return type(output)(*map(mark, output))
            return output

        setattr(owner, name, watched)

    watch(network.source_embedding, "forward", EMBEDDING)
    if network.target_embedding is not network.source_embedding:
        watch(network.target_embedding, "forward", EMBEDDING)
    watch(network.encoder, "forward", ENCODER)
    watch(network.decoder, "prepare_memory", DECODER)
    watch(network.decoder, "unroll", DECODER)
    watch(network.readout, "forward", READOUT)
    watch(gradients, "negative_log_likelihood", LOSS)
    for name in ("clip_gradients", "set_learning_rate"):
        watch(updates_module, name, OPTIMIZER)
    watch(trainer.updater.optimizer, "step", OPTIMIZER)
    watch(trainer.updater.optimizer, "zero_grad", OPTIMIZER)
    watch(trainer.updater.batches, "next_for_worker", BATCHES)

    clock.turn(REST)
    clock.seconds.clear()
    start, pieces = time.process_time(), 0
    for _ in range(updates):
        clock.turn(REST)
        pieces += update(trainer)
    clock.turn(REST)
    seconds = time.process_time() - start
    phases = {phase: clock.seconds[phase] for phase in PHASES}
    return {"updates": updates, "pieces": pieces, "seconds": seconds, "phases": phases}


Shapes = tuple[str, tuple[tuple[tuple[int, ...], tuple[int, ...], torch.dtype], ...]]


class _Recorder(TorchDispatchMode):
    """Records the matrix products."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Shapes] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = func.overloadpacket.__name__
        if name in PRODUCTS:
            operands = [a for a in args if isinstance(a, Tensor)][-2:]
            kinds = tuple((tuple(a.shape), a.stride(), a.dtype) for a in operands)
            self.calls.append((name, kinds))
        return func(*args, **(kwargs or {}))


def measure_products(trainer: Trainer) -> dict[str, Any]:
    """Measure the CPU seconds of the matrix products of some updates, computed alone."""
    recorder = _Recorder()
    with recorder:
        for _ in range(RECORDED):
            update(trainer)
    operands = {
        call: [
            torch.empty_strided(shape, stride, dtype=dtype).uniform_(-1, 1)
            for shape, stride, dtype in call[1]
        ]
        for call in set(recorder.calls)
    }
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for call in recorder.calls:
            torch.matmul(*operands[call])
        seconds.append(time.process_time() - start)
    operations = sum(
        2 * (a[0] if len(a) == 3 else 1) * a[-2] * a[-1] * b[-1]
        for _, ((a, *_), (b, *_)) in recorder.calls
    )
    return {
        "updates": RECORDED,
        "calls": len(recorder.calls),
        "seconds": min(seconds),
        "gflop": operations / 1e9,
    }


if __name__ == "__main__":
    main()
