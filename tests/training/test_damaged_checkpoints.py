"""A checkpoint with damage of any kind is reported with status 4 and a message."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from program import TINY, attn
from safetensors import safe_open
from safetensors.torch import save_file

from attn_cli.training.resume import CHECKPOINTS, LAST_CHECKPOINT


@pytest.fixture(scope="module")
def run_folder(pairs_file, tmp_path_factory):
    """The folder of a training of two updates."""
    out = tmp_path_factory.mktemp("runs") / "stopped"
    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file, "--max-steps", "2")
    result = attn("train", *text, "--out", out, *TINY, "--set", "train.validate_every=1")
    assert result.status == 0, result.err
    return out


def remove_tensor(name):
    return lambda tensors, facts: tensors.pop(name)


def replace_tensor(name, make):
    return lambda tensors, facts: tensors.update({name: make(tensors[name])})


def first_name(tensors, prefix):
    return next(name for name in sorted(tensors) if name.startswith(prefix) and tensors[name].ndim)


def replace_moment(make):
    def change(tensors, facts):
        name = first_name(tensors, "optimiser.")
        tensors[name] = make(tensors[name])

    return change


def set_fact(path, value):
    def change(tensors, facts):
        *parents, last = path
        for parent in parents:
            facts = facts[parent]
        facts[last] = value

    return change


def remove_fact(*path):
    def change(tensors, facts):
        *parents, last = path
        for parent in parents:
            facts = facts[parent]
        del facts[last]

    return change


DAMAGES = {
    "a parameter is missing": lambda t, f: t.pop(first_name(t, "model.")),
    "a parameter is not of the network": lambda t, f: t.update({"model.other": torch.zeros(2)}),
    "a parameter has another shape": lambda t, f: t.update(
        {first_name(t, "model."): torch.zeros(3)}
    ),
    "a moment has another shape": replace_moment(lambda tensor: torch.zeros(3)),
    "the name of a moment has no number": lambda t, f: t.update(
        {"optimiser.x.exp_avg": torch.zeros(2)}
    ),
    "a moment belongs to no parameter": lambda t, f: t.update(
        {"optimiser.9999.exp_avg": torch.ones(2)}
    ),
    "random numbers are missing": remove_tensor("rng.cpu"),
    "random numbers are too short": replace_tensor("rng.cpu", lambda tensor: tensor[:10]),
    "random numbers are floats": replace_tensor("rng.cpu", lambda tensor: tensor.float()),
    "the position is missing": remove_fact("position"),
    "the position has an unknown key": set_fact(("position", "other"), 1),
    "the history is not a list": set_fact(("position", "history"), 7),
    "the history lacks a score": set_fact(("position", "history"), [{"step": 1}]),
    "the place in the text is missing": remove_fact("batches"),
    "the place in the text is a number": set_fact(("batches",), 3),
    "the number of workers is a string": set_fact(("workers",), "many"),
}


def change(out, damage):
    """Apply `damage` to the tensors and facts of the last checkpoint of a training."""
    path = out / CHECKPOINTS / LAST_CHECKPOINT
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        facts = json.loads(file.metadata()["facts"])
    damage(tensors, facts)
    save_file(tensors, path, {"facts": json.dumps(facts)})


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_exits_with_status_4_and_a_message(damage, run_folder, tmp_path):
    out = Path(shutil.copytree(run_folder, tmp_path / "run"))
    change(out, damage)
    result = attn("train", "--resume", out, "--max-steps", "4")
    assert (result.status, result.stdout) == (4, b""), result.err
    assert LAST_CHECKPOINT in result.err
    assert "bug" not in result.err


@pytest.mark.parametrize("facts", ["[]", "3", "null", '"a"', "{", "[" * 100_000])
def test_facts_that_are_not_a_json_object_exit_with_status_4(facts, run_folder, tmp_path):
    out = Path(shutil.copytree(run_folder, tmp_path / "run"))
    path = out / CHECKPOINTS / LAST_CHECKPOINT
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, {"facts": facts})
    assert attn("train", "--resume", out, "--max-steps", "4").status == 4


@pytest.mark.parametrize("name", ["step-x.safetensors", "step-.safetensors", "step-9.safetensors"])
def test_another_file_in_the_folder_of_the_checkpoints_is_not_read(name, run_folder, tmp_path):
    out = Path(shutil.copytree(run_folder, tmp_path / "run"))
    (out / CHECKPOINTS / name).write_bytes(b"not safetensors")
    result = attn("train", "--resume", out, "--max-steps", "3")
    assert result.status == 0, result.err


def test_a_plan_without_valid_content_exits_with_status_4(run_folder, tmp_path):
    out = Path(shutil.copytree(run_folder, tmp_path / "run"))
    (plan,) = (out / CHECKPOINTS).glob("*.json")
    for content in (b"", b"[]", b"{}", b"3", b"null", b"\xff", b"[" * 100_000, b'{"recipe": 3}'):
        plan.write_bytes(content)
        assert attn("train", "--resume", out, "--max-steps", "4").status == 4, content[:20]
