"""One translation by attn, its time told by phases: phases.py MODULES ARGUMENTS…

MODULES, between commas, are imported first, so that imports count as such; then the command is run
and its parts are timed. The last line on stderr is a JSON object: the seconds of each phase, and
when the first began and the last ended. It imports as little as it can before it starts its clock.
"""

import sys
import time

BEGAN = time.time()


def main() -> None:
    for name in sys.argv[1].split(","):
        try:
            __import__(name)
        except ImportError:  # Python itself only looked for it
            continue
    imports = time.time() - BEGAN
    from clock import Clock

    clock = Clock()
    opening = sys.modules["attn_cli.cli.model_loading"]
    clock.watch(opening, "make_sure", "checking the sums")
    clock.watch(opening, "open_bundle", "opening the bundle")
    for name in ("open_stepper", "open_matcher"):
        clock.watch(opening, name, "opening the engine")
    if onnx := sys.modules.get("attn_cli.inference.engines.onnx"):
        clock.watch(onnx.Graph, "__init__", "sessions of the graphs")
    clock.watch(sys.modules["attn_cli.inference.translator"], "search", "search")
    sys.modules["attn_cli.cli.app"]._leave = lambda console, status: sys.exit(
        status
    )  # comes back here
    sys.argv[:] = ["attn", *sys.argv[2:]]
    status: object = 0
    try:
        with clock.section("the rest of the command"):
            sys.modules["attn_cli.cli.app"].main()
    except SystemExit as ended:
        status = ended.code
    import json

    found = {"imports": imports, **clock.seconds, "began": BEGAN, "ended": time.time()}
    print(json.dumps(found), file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
