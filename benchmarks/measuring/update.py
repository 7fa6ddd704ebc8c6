"""Where the time of a training update goes: update.py RECIPE UPDATES → one line of JSON.

Trains in this process, on one thread. Forward, a clock stands at the seams of the network; going
back, it is read where the gradient passes them. Then the matrix products of some updates are
recorded, with their shapes and strides, and computed again with nothing between them.

Works with any version of attn_cli that PYTHONPATH names, so that two can be compared.
"""

import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
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
from attn_cli.training.trainer import Trainer

try:
    from attn_cli.training import gradients
    from attn_cli.training.vocabulary import train_tokenizers
except ModuleNotFoundError:  # before these modules were made
    from attn_cli.training import trainer as gradients

EMBEDDING, ENCODER, DECODER = "embedding", "encoder", "attention and cell loop"
READOUT, LOSS = "readout", "loss"
OPTIMIZER, BATCHES, REST = "optimizer and clipping", "batches", "the rest (Python, copies)"
PHASES = (EMBEDDING, ENCODER, DECODER, READOUT, LOSS, OPTIMIZER, BATCHES, REST)

WARM = 10  # updates before the clock runs
PRODUCTS = ("mm", "addmm", "bmm", "baddbmm")
RECORDED = 5  # updates whose products are computed again
ROUNDS = 3  # of them, of which the quickest counts


def main() -> None:
    recipe, updates = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as scratch:
        trainer = prepared(recipe, Path(scratch))
        update = updating(trainer)
        for _ in range(WARM):
            update()
        record = timed(trainer, update, updates)
        record["products"] = products(update)
    record["mebibytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(record))


def prepared(path: Path, scratch: Path) -> Trainer:
    """A trainer of that recipe, which writes and validates nothing."""
    recipe = config.load(path)
    hardware = select_hardware("cpu", recipe.train.precision)
    rules = recipe_rules(recipe)
    text = corpus_reader.load(recipe.data, path.parent, seed=recipe.seed, rules=rules).train
    tokenizers = train_tokenizers(recipe, text)
    pairs, _ = segment_corpus(
        text, *tokenizers, sampling=recipe.tokenizer.subword_alpha
    ).filter_lengths(max_length=recipe.data.max_length, max_ratio=recipe.data.max_ratio)
    network = build_model(
        recipe.model, source_vocab=tokenizers[0].vocab_size, target_vocab=tokenizers[1].vocab_size
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


def updating(trainer: Trainer) -> Callable[[], int]:
    """What makes an update, and returns its target pieces."""

    def update() -> int:
        trainer.state.step += 1
        if trainer._update.__code__.co_argcount > 1:  # as it was before there were workers
            trainer._update(next(trainer.batches))  # type: ignore[call-arg]
        else:
            trainer._update()
        return int(trainer._tokens)

    return update


class Clock:
    """Processor seconds of this process by phase; one phase at a time."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.phase, self._since = REST, time.process_time()

    def turn(self, phase: str) -> str:
        """What follows is of that phase; returns the one that ends."""
        now = time.process_time()
        self.seconds[self.phase] += now - self._since
        before, self.phase, self._since = self.phase, phase, now
        return before

    @contextmanager
    def section(self, phase: str) -> Iterator[None]:
        """What runs inside is of that phase."""
        before = self.turn(phase)
        try:
            yield
        finally:
            self.turn(before)


class _Mark(torch.autograd.Function):
    """The tensor as it is; when its gradient comes by, the clock turns."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, clock: Clock, phase: str) -> Tensor:
        ctx.clock, ctx.phase = clock, phase
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        ctx.clock.turn(ctx.phase)
        return grad, None, None


def timed(trainer: Trainer, update: Callable[[], int], updates: int) -> dict[str, Any]:
    """Processor seconds of each phase over some updates."""
    clock, network = Clock(), trainer.network

    def watch(owner: Any, name: str, phase: str, *, behind: str = "") -> None:
        """Calls of that function are of `phase`; going back, what is before them of `behind`."""
        function = getattr(owner, name)

        def watched(*given: Any, **named: Any) -> Any:
            with clock.section(phase):
                found = function(*given, **named)
            return marked(found, phase)

        def marked(found: Any, phase: str) -> Any:
            if isinstance(found, Tensor) and found.requires_grad:
                return _Mark.apply(found, clock, phase)  # type: ignore[no-untyped-call]
            if isinstance(found, tuple) and hasattr(found, "_fields"):
                return type(found)(*(marked(part, phase) for part in found))
            return found

        setattr(owner, name, watched)

    watch(network.source_embedding, "forward", EMBEDDING)
    if network.target_embedding is not network.source_embedding:
        watch(network.target_embedding, "forward", EMBEDDING)
    watch(network.encoder, "forward", ENCODER)
    watch(network.decoder, "prepare_memory", DECODER)
    watch(network.decoder, "unroll", DECODER)
    watch(network.readout, "forward", READOUT)
    watch(gradients, "negative_log_likelihood", LOSS)
    for name in ("clip", "set_rate"):
        watch(trainer, name, OPTIMIZER)
    watch(trainer.optimizer, "step", OPTIMIZER)
    watch(trainer.optimizer, "zero_grad", OPTIMIZER)
    for name in ("__next__", "next_share"):
        if hasattr(BatchIterator, name):
            watch(BatchIterator, name, BATCHES)

    clock.turn(REST)
    clock.seconds.clear()
    began, pieces = time.process_time(), 0
    for _ in range(updates):
        clock.turn(REST)
        pieces += update()
    clock.turn(REST)
    seconds = time.process_time() - began
    phases = {phase: clock.seconds[phase] for phase in PHASES}
    return {"updates": updates, "pieces": pieces, "seconds": seconds, "phases": phases}


Shapes = tuple[str, tuple[tuple[tuple[int, ...], tuple[int, ...], torch.dtype], ...]]


class _Recorder(TorchDispatchMode):
    """Writes the matrix products down."""

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


def products(update: Callable[[], int]) -> dict[str, Any]:
    """The products of some updates, computed again alone: seconds, and those of the updates."""
    recorder = _Recorder()
    with recorder:
        for _ in range(RECORDED):
            update()
    operands = {
        call: [
            torch.empty_strided(shape, stride, dtype=dtype).uniform_(-1, 1)
            for shape, stride, dtype in call[1]
        ]
        for call in set(recorder.calls)
    }
    seconds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for call in recorder.calls:
            torch.matmul(*operands[call])
        seconds.append(time.process_time() - began)
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
