"""Measure the phases of one attn command: phases.py MODULES ARGUMENTS…

MODULES, separated by commas, are imported first, so that imports are a phase of their own; then the
command runs. The last line on stderr is a JSON object: the seconds of each phase, and the times of
start and end. Little is imported before the clock starts.
"""

import sys
import time

START = time.time()


def main() -> None:
    for name in sys.argv[1].split(","):
        try:
            __import__(name)
        except ImportError:  # an optional module
            continue
    imports = time.time() - START
    from clock import Clock

    clock = Clock()
    loading = sys.modules["attn_cli.cli.model_loading"]
    clock.watch(sys.modules["attn_cli.bundles.bundle"], "verify_file", "comparing checksums")
    clock.watch(loading, "load_stable", "opening the bundle")
    for name in ("open_generator", "open_decoder", "open_aligner"):
        clock.watch(loading, name, "opening the engine")
    if onnx := sys.modules.get("attn_cli.inference.engines.onnx"):
        clock.watch(onnx.Graph, "__init__", "sessions of the graphs")
    clock.watch(sys.modules["attn_cli.inference.generation"], "search", "search")
    sys.modules["attn_cli.cli.app"]._leave = sys.exit  # instead of ending the process at once
    sys.argv[:] = ["attn", *sys.argv[2:]]
    status: object = 0
    try:
        with clock.section("the rest of the command"):
            sys.modules["attn_cli.cli.app"].main()
    except SystemExit as ended:
        status = ended.code
    import json

    record = {"imports": imports, **clock.seconds, "start": START, "end": time.time()}
    print(json.dumps(record), file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
