"""The Dockerfile copies the files that the wheel is built from, and does not install torch."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STEPS = [
    line.split() for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines() if line
]


def copied_sources():
    """Return the sources of the COPY steps, except those from another stage."""
    steps = [step for step in STEPS if step[0] == "COPY" and not step[1].startswith("--from")]
    return [source for step in steps for source in step[1:-1]]


def test_the_copied_sources_exist():
    assert copied_sources()
    assert [source for source in copied_sources() if not (ROOT / source).exists()] == []


def test_all_files_of_the_wheel_are_copied():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    required = [
        "pyproject.toml",
        project["project"]["readme"],
        *project["project"]["license-files"],
        *wheel["packages"],
        *wheel["force-include"],
        *(hook.get("path", "hatch_build.py") for hook in wheel["hooks"].values()),
    ]
    missing = [
        path
        for path in required
        if not any(path == source or path.startswith(f"{source}/") for source in copied_sources())
    ]
    assert missing == []


def test_dockerignore_allows_all_copied_sources():
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    exceptions = {line[1:] for line in ignore if line.startswith("!")}
    assert {source.split("/")[0] for source in copied_sources()} <= exceptions


def test_the_image_has_no_torch_and_does_not_run_as_root():
    requirements = (ROOT / "requirements-runtime.txt").read_text(encoding="utf-8")
    names = [line for line in requirements.splitlines() if not line.startswith("#")]
    assert not any(name.startswith(("torch", "sil-thot", "onnx>")) for name in names)
    assert ["USER", "attn"] in STEPS
    assert ["ENTRYPOINT", '["attn"]'] in STEPS
