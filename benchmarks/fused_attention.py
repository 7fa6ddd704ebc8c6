"""Compare self-attention by the fused kernel with the explicit product: time and memory.

    python benchmarks/fused_attention.py                  # lengths 64 to 2,048, on the CPU
    python benchmarks/fused_attention.py --device cuda
    python benchmarks/fused_attention.py --output runs/fused-attention

Runs forward and backward of `nn.dot_product_attention`, causal, as in training:
`weights=False` uses the fused kernel, `weights=True` returns the attention weights. Each case is a
process of its own; its peak memory is that above the memory before the first call. The two run in
turn, so that a machine that slows down slows both.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from measuring import describe_conditions, report, say, table

LENGTHS = (64, 128, 256, 512, 1024, 2048)
HEADS, WIDTH = 8, 32


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--batch", type=int, default=4, help="sentences (default 4)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path, default=Path("runs/fused-attention"))
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(_case(**json.loads(options.case))))
        return 0
    rows = []
    for length in options.lengths:
        runs: dict[bool, list[dict[str, float]]] = {False: [], True: []}
        for _ in range(options.rounds):
            for weights in (False, True):
                runs[weights].append(_run_in_process(options, length, weights))
        say(f"length {length}")
        rows.append({"length": length, "fused": runs[False], "written_out": runs[True]})
    machine = describe_conditions(f"torch on {options.device}")
    about = f"{machine}; {options.batch} x {HEADS} heads of {WIDTH}"
    record = {"conditions": about, "batch": options.batch, "rows": rows}
    report(f"{about}\n\n{_table(rows)}", record, options.output)
    return 0


def _run_in_process(options: argparse.Namespace, length: int, weights: bool) -> dict[str, float]:
    case = {
        "length": length,
        "weights": weights,
        "batch": options.batch,
        "device": options.device,
    }
    command = [sys.executable, __file__, "--case", json.dumps(case)]
    process = subprocess.run(command, check=True, capture_output=True, text=True)
    times: dict[str, float] = json.loads(process.stdout)
    return times


def _case(*, length: int, weights: bool, batch: int, device: str) -> dict[str, float]:
    """Return the median seconds of a forward and a backward pass, and the peak of their memory in
    bytes."""
    import torch

    from attn_cli.nn.dot_product_attention import scaled_dot_product_attention

    torch.manual_seed(1)
    shape = (batch, HEADS, length, WIDTH)
    parts = [torch.randn(shape, device=device, requires_grad=True) for _ in range(3)]

    def forward_and_backward() -> None:
        contexts, _ = scaled_dot_product_attention(*parts, causal=True, weights=weights)
        contexts.square().mean().backward()  # type: ignore[no-untyped-call]

    small = [part[:, :, :8] for part in parts]
    scaled_dot_product_attention(*small, causal=True, weights=weights)[
        0
    ].sum().backward()  # libraries are loaded
    before = _peak(device)
    forward_and_backward()
    peak = _peak(device) - before
    seconds = []
    for _ in range(max(3, 2048 // length)):
        began = time.perf_counter()
        forward_and_backward()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return {"seconds": median(seconds), "bytes": float(peak)}


def _peak(device: str) -> int:
    """Return the peak of memory in bytes."""
    if device == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated())
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _table(rows: list[dict[str, Any]]) -> str:
    titles = ["length", "fused", "explicit", "ratio", "fused", "explicit"]
    lines = []
    for row in rows:
        seconds = [median(each["seconds"] for each in row[name]) for name in _NAMES]
        sizes = [max(each["bytes"] for each in row[name]) for name in _NAMES]
        lines.append(
            [
                str(row["length"]),
                *(f"{1000 * value:.1f} ms" for value in seconds),
                f"{seconds[1] / seconds[0]:.1f}",
                *(f"{value / 2**20:.0f} MiB" for value in sizes),
            ]
        )
    return table(titles, lines)


_NAMES = ("fused", "written_out")

if __name__ == "__main__":
    sys.exit(main())
