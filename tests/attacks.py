"""Attacks on the program, each with its allowed exit statuses, for the tests and for the table.

An attack prepares a folder, runs commands in this process and yields their results.
`tests/reliability.py` makes the table of docs/reliability.md from them.
"""

import errno
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from faults import failing_at
from program import CommandResult, attn

from attn_cli.bundles import manifest
from attn_cli.errors import TrainingError

MODEL = Path(__file__).parent / "fixtures" / "bundle_v1"


@dataclass(frozen=True)
class Attack:
    """The promise that is attacked, and the attack; `run` yields the result of each command in a
    folder."""

    promise: str
    name: str
    statuses: tuple[int, ...]
    run: Callable[[Path], Iterator[CommandResult]]

    @property
    def id(self) -> str:
        return self.name.replace(" ", "-")


ATTACKS: list[Attack] = []


def attack(promise: str, name: str, *statuses: int) -> Callable[..., Callable[..., object]]:
    """Add a function to ATTACKS."""

    def add(
        run: Callable[[Path], Iterator[CommandResult]],
    ) -> Callable[[Path], Iterator[CommandResult]]:
        ATTACKS.append(Attack(promise, name, statuses, run))
        return run

    return add


STATUS = "An exit status says whose fault it is"
INSIDE = "A model is read from its folder only, and runs no code"
WHOLE = "A file is the old one or the new one, whatever fails"


def model_in(folder: Path) -> Path:
    """Copy the frozen model, for an attack to change."""
    return Path(shutil.copytree(MODEL, folder / "model", dirs_exist_ok=True))


def replace_file(model: Path, name: str, content: bytes) -> None:
    """Change a file and its checksum, as the author of a hostile model would."""
    (model / name).write_bytes(content)
    facts = json.loads((model / manifest.FACTS).read_text(encoding="utf-8"))
    facts["files"][name] = manifest.entry_of(content)
    (model / manifest.FACTS).write_text(json.dumps(facts), encoding="utf-8")


def run_model_commands(model: Path) -> Iterator[CommandResult]:
    """Run the commands that load a model, with both engines."""
    for engine in ("onnx", "torch"):
        yield attn("translate", "-m", model, "I see.", "--engine", engine)
    yield attn("align", "-m", model, "I see.", "je vois.", "--weights", "attention")
    yield attn("models", "verify", model)


# Names and paths


@attack(STATUS, "a model's name of 300 characters", 4)
def _long_model(folder: Path) -> Iterator[CommandResult]:
    yield attn("translate", "-m", "x" * 300, "dog")
    yield attn("models", "show", "x" * 5000)
    yield attn("translate", "-m", "a\0b", "dog")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTN_MODEL", "x" * 300)
        yield attn("translate", "dog")


@attack(STATUS, "a home of 300 characters", 0, 3)
def _long_home(folder: Path) -> Iterator[CommandResult]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTN_HOME", "/" + "x" * 300)
        yield attn("translate", "-m", MODEL, "dog")
        yield attn("models", "list")
        yield attn("models", "add", MODEL, "--name", "mine")


@attack(STATUS, "a file name that is not UTF-8", 0, 2, 3, 4)
def _odd_names(folder: Path) -> Iterator[CommandResult]:
    odd = os.fsdecode(b"\xff\xfe.en")
    yield attn("translate", "-m", MODEL, "-i", odd)
    yield attn("translate", "-m", odd, "dog")
    yield attn("train", odd)
    yield attn("translate", "-m", MODEL, "dog", "-o", folder / odd)
    (folder / odd).write_text("dog\n")
    yield attn("translate", "-m", MODEL, "-i", folder / odd, "-f", "jsonl")
    yield attn("models", "add", MODEL, "--name", odd)


@attack(STATUS, "a working folder that was deleted", 0)
def _no_folder(folder: Path) -> Iterator[CommandResult]:
    (folder / "gone").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "gone")
        (folder / "gone").rmdir()
        yield attn("translate", "-m", MODEL, "I see.", "-o", folder / "out")
        yield attn("align", "-m", MODEL, "I see.", "je vois.")


# Options and records


@attack(STATUS, "an option out of any bounds", 2)
def _options(folder: Path) -> Iterator[CommandResult]:
    for option in ("--length-penalty", "--coverage-penalty", "--beam", "--n-best", "--threads"):
        for value in ("1e308", "-1", "nan", "inf", "9" * 30, "9" * 5000, ""):
            yield attn("translate", "-m", MODEL, "dog", option, value)
    for key in ("tokenizer.vocab_size", "model.encoder.width", "train.batch_tokens"):
        for value in ("2147483648", "9" * 30, "9" * 5000, "1e308", "nan", "-1"):
            if (key, value) != ("train.batch_tokens", "2147483648"):
                yield attn("train", "--set", f"{key}={value}", "--out", folder / "run")


@attack(STATUS, "a JSONL record with numbers that JSON cannot give back", 3)
def _json_numbers(folder: Path) -> Iterator[CommandResult]:
    for number in ("1e400", "-1e400", "[1e999]", "NaN", "Infinity", "9" * 5000):
        line = f'{{"source": "I see.", "id": {number}}}\n'
        yield attn("translate", "-m", MODEL, "--input-format", "jsonl", stdin=line)


@attack(STATUS, "Pharaoh numbers that only Python reads", 3)
def _pharaoh(folder: Path) -> Iterator[CommandResult]:
    (folder / "good").write_text("0-0\n")
    for link in ("1_0-0", "0-0:1_0", "٣-0", "0-0:٣", "0-0:0x1p3", "0-0:nan", "0-0:1e400", "0-0:+1"):
        (folder / "bad").write_text(f"{link}\n", encoding="utf-8")
        yield attn("symmetrize", folder / "bad", folder / "good")


# Recipes


@attack(STATUS, "a recipe in a model with senseless values", 4)
def _recipes(folder: Path) -> Iterator[CommandResult]:
    text = (MODEL / manifest.RECIPE).read_text(encoding="utf-8")
    sizes = ("1000000000", "9223372036854775807", "1e308", "9" * 5000, "nan")
    changes = [("width = 8 ", f"width = {size} ") for size in (*sizes, "65536")] + [
        ("embedding = 32", f"embedding = {size}") for size in (*sizes, "65536")
    ]
    changes += [
        (text, "[" * 100_000),
        (text, "a = " + "[" * 100_000),
        (text, "a." * 50_000 + "a = 1"),
        (text, text + "\n[decode]\nattention_layer = 1000000000\n"),
        (text, text + "\n[decode]\nattention_head = 1000000000\n"),
        (text, text + "\n[decode]\nlength_penalty = 1e308\n"),
        (text, text + "\n[decode]\nmax_length_ratio = 1e308\n"),
        (text, text + "\n[decode]\nmax_length_extra = 9223372036854775807\n"),
        (text, text + "\n[decode]\nbeam_size = 9223372036854775807\n"),
        (text, ""),
    ]
    head = text.partition("[decode]")[0]
    for old, new in changes:
        changed = new.replace(text, head, 1) if old == text else text.replace(old, new, 1)
        model = model_in(folder)
        replace_file(model, manifest.RECIPE, changed.encode())
        yield attn("translate", "-m", model, "I see.", "--engine", "torch")
        yield attn("models", "verify", model)


@attack(STATUS, "a text file of a model that is not UTF-8, or a folder", 0, 4)
def _texts(folder: Path) -> Iterator[CommandResult]:
    for name in (manifest.RECIPE, manifest.CARD, manifest.CONFIDENCE):
        model = model_in(folder)
        replace_file(model, name, b"\xff\xfe\x00")
        yield attn("models", "show", model)
        yield attn("translate", "-m", model, "I see.", "-f", "jsonl")
        (model / name).unlink()
        (model / name).mkdir()
        yield attn("models", "show", model)
        yield attn("translate", "-m", model, "I see.", "-f", "jsonl")
        shutil.rmtree(model)


# Weights and graphs


@attack(STATUS, "weights that are NaN", 4)
def _nan(folder: Path) -> Iterator[CommandResult]:
    import torch
    from safetensors.torch import load_file, save

    for name in (manifest.WEIGHTS, "alignment_head.safetensors"):
        model = model_in(folder)
        tensors = {key: torch.full_like(t, torch.nan) for key, t in load_file(model / name).items()}
        replace_file(model, name, save(tensors))
        if name == manifest.WEIGHTS:
            yield attn("translate", "-m", model, "I see.", "--engine", "torch")
        else:
            yield attn("align", "-m", model, "I see.", "je vois.", "--engine", "torch")
        yield attn("models", "verify", model)


@attack(STATUS, "graphs whose weights are NaN", 4)
def _nan_graphs(folder: Path) -> Iterator[CommandResult]:
    model = model_in(folder)
    size = (model / manifest.GRAPH_WEIGHTS).stat().st_size
    replace_file(model, manifest.GRAPH_WEIGHTS, b"\xff" * size)
    yield attn("translate", "-m", model, "I see.", "--engine", "onnx")
    yield attn("translate", "-m", model, "I see.", "-f", "jsonl", "--engine", "onnx")
    yield attn(
        "align", "-m", model, "I see.", "je vois.", "--engine", "onnx", "--weights", "attention"
    )
    yield attn("models", "verify", model)


@attack(STATUS, "graphs that cannot be run", 4)
def _broken_graphs(folder: Path) -> Iterator[CommandResult]:
    for name in (manifest.FORCED, manifest.STEP, manifest.ENCODER):
        for content in (b"", b"\0" * 100, b"\xff" * 1000, (MODEL / name).read_bytes()[:-100]):
            model = model_in(folder)
            replace_file(model, name, content)
            yield attn("models", "verify", model)
            shutil.rmtree(model)


@attack(INSIDE, "a graph whose weights are in a file elsewhere", 4)
def _external_data(folder: Path) -> Iterator[CommandResult]:
    import onnx

    secret = folder / "secret.bin"
    secret.write_bytes((MODEL / manifest.GRAPH_WEIGHTS).read_bytes())
    for location in ("../secret.bin", str(secret), "./../model/../secret.bin"):
        for name in (manifest.ENCODER, manifest.STEP):
            model = model_in(folder)
            graph = onnx.load(str(model / name), load_external_data=False)
            for tensor in graph.graph.initializer:
                for entry in tensor.external_data:
                    if entry.key == "location":
                        entry.value = location
            replace_file(model, name, graph.SerializeToString())
            yield attn("translate", "-m", model, "I see.", "--engine", "onnx")
            yield attn("models", "verify", model)


@attack(INSIDE, "a file that is a link out of the folder", 4)
def _links(folder: Path) -> Iterator[CommandResult]:
    for name in (*manifest.read_manifest(MODEL)["files"], manifest.FACTS, manifest.CARD):
        model = model_in(folder)
        (folder / name).write_bytes((model / name).read_bytes() if name != manifest.CARD else b"#")
        (model / name).unlink(missing_ok=True)
        (model / name).symlink_to(folder / name)
        if name in (manifest.FACTS, manifest.CARD):
            yield attn("models", "show", model)
        else:
            yield attn("translate", "-m", model, "I see.")
        yield attn("models", "add", model, "--name", "mine", "--force")
        shutil.rmtree(model)


@attack(INSIDE, "a pickle where weights should be", 4)
def _pickles(folder: Path) -> Iterator[CommandResult]:
    """Put a pickle, which would create a file, in the place of each safetensors file."""
    code = b"cos\nsystem\n(S'touch " + os.fsencode(folder / "created") + b"'\ntR."
    for name in (manifest.WEIGHTS, "joint.spm", manifest.ENCODER):
        model = model_in(folder)
        replace_file(model, name, code)
        yield from (
            run_model_commands(model) if name == "joint.spm" else [attn("models", "verify", model)]
        )
        shutil.rmtree(model)
    assert not (folder / "created").exists()


# Faults of the disk

#: The number of these errors that each change fails with: all, or one of them in turn.
ERRORS_PER_CHANGE = 3
_ERRORS = (errno.ENOSPC, errno.EIO, errno.EINTR)


def _errors_at(change: int) -> Iterator[int]:
    return (_ERRORS[(change + offset) % len(_ERRORS)] for offset in range(ERRORS_PER_CHANGE))


def _faults(folder: Path, run: Callable[[], CommandResult]) -> Iterator[CommandResult]:
    """Let each change and write of `run` in a folder fail, in turn, with some errors."""
    with failing_at(float("inf"), folder, errno.EIO) as disk:
        assert run().status == 0
    changes = disk.changes
    for change in range(changes):
        for error in _errors_at(change):
            with failing_at(change, folder, error):
                yield run()


@attack(WHOLE, "a fault of the disk at each change by --output", 0, 3)
def _output_faults(folder: Path) -> Iterator[CommandResult]:
    out = folder / "out"
    out.write_text("old\n")
    for result in _faults(folder, lambda: attn("translate", "-m", MODEL, "I see.", "-o", out)):
        assert out.read_text() == "old\n" or result.status == 0 or out.read_text().count("\n") == 1
        assert [path.name for path in folder.iterdir()] == ["out"]
        yield result


@attack(WHOLE, "a fault of the disk at each change by models add", 0, 3)
def _add_faults(folder: Path) -> Iterator[CommandResult]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTN_HOME", str(folder / "home"))
        add = ("models", "add", MODEL, "--name", "mine", "--force")
        models = folder / "home" / "models"
        assert attn(*add).status == 0
        for result in _faults(folder, lambda: attn(*add)):
            assert manifest.verify_checksums(models / "mine")
            yield result


@attack(WHOLE, "a fault of the disk at each change by models pack", 0, 3)
def _pack_faults(folder: Path) -> Iterator[CommandResult]:
    out = folder / "model.zip"
    assert attn("models", "pack", MODEL, "-o", out).status == 0
    whole = out.read_bytes()
    out.write_bytes(b"old")
    for result in _faults(folder, lambda: attn("models", "pack", MODEL, "-o", out)):
        assert (
            out.read_bytes() == whole if result.status == 0 else out.read_bytes() in (b"old", whole)
        )
        assert [path.name for path in folder.iterdir()] == ["model.zip"]
        yield result


@attack(WHOLE, "a fault of the disk at each change by models add of an archive", 0, 3)
def _unpack_faults(folder: Path) -> Iterator[CommandResult]:
    assert attn("models", "pack", MODEL, "-o", folder / "model.zip").status == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTN_HOME", str(folder / "home"))
        add = ("models", "add", folder / "model.zip", "--name", "mine", "--force")
        assert attn(*add).status == 0
        for result in _faults(folder / "home", lambda: attn(*add)):
            assert manifest.verify_checksums(folder / "home" / "models" / "mine")
            yield result


@attack(WHOLE, "a fault of the disk at each change by export", 0, 3, 4, 5)
def _export_faults(folder: Path) -> Iterator[CommandResult]:
    from attn_cli.bundles.storage import add_graphs

    for change in itertools.count():
        for error in _errors_at(change):
            model = model_in(folder)
            names = (manifest.ENCODER, manifest.STEP, manifest.FORCED, manifest.GRAPH_WEIGHTS)
            files = {name: (model / name).read_bytes() for name in names}
            with failing_at(change, model, error) as disk, suppress(TrainingError):
                add_graphs(model, files, precision="fp32")
            yield attn("translate", "-m", model, "I see.", "--engine", "onnx")
            shutil.rmtree(model)
            if disk.changes <= change:
                return
