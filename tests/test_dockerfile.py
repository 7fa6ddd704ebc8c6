"""The Dockerfile copies what the wheel is built from, and installs no torch."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STEPS = [
    line.split() for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines() if line
]


def copied():
    """The sources of the COPY steps, but for those of another stage."""
    steps = [step for step in STEPS if step[0] == "COPY" and not step[1].startswith("--from")]
    return [source for step in steps for source in step[1:-1]]


def test_the_copied_sources_exist():
    assert copied()
    assert [source for source in copied() if not (ROOT / source).exists()] == []


def test_all_that_the_wheel_contains_is_copied():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [
        "pyproject.toml",
        project["project"]["readme"],
        *project["project"]["license-files"],
        *wheel["packages"],
        *wheel["force-include"],
        *(hook.get("path", "hatch_build.py") for hook in wheel["hooks"].values()),
    ]
    missing = [
        path
        for path in needed
        if not any(path == source or path.startswith(f"{source}/") for source in copied())
    ]
    assert missing == []


def test_the_builder_gets_what_is_copied():
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line[1:] for line in ignore if line.startswith("!")}
    assert {source.split("/")[0] for source in copied()} <= sent


def test_the_runtime_has_no_torch_and_no_root():
    requirements = (ROOT / "requirements-runtime.txt").read_text(encoding="utf-8")
    names = [line for line in requirements.splitlines() if not line.startswith("#")]
    assert not any(name.startswith(("torch", "sil-thot", "onnx>")) for name in names)
    assert ["USER", "attn"] in STEPS
    assert ["ENTRYPOINT", '["attn"]'] in STEPS
