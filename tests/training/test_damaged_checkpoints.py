"""A checkpoint in which anything is not what it should be is a damaged one, said in a sentence."""

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
def stopped(pairs_file, tmp_path_factory):
    """The folder of a training of two updates."""
    out = tmp_path_factory.mktemp("runs") / "stopped"
    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file, "--max-steps", "2")
    ended = attn("train", *text, "--out", out, *TINY, "--set", "train.validate_every=1")
    assert ended.status == 0, ended.err
    return out


def without(name):
    return lambda tensors, facts: tensors.pop(name)


def replaced(name, make):
    return lambda tensors, facts: tensors.update({name: make(tensors[name])})


def first_of(tensors, prefix):
    return next(name for name in sorted(tensors) if name.startswith(prefix) and tensors[name].ndim)


def of_optimizer(make):
    def change(tensors, facts):
        name = first_of(tensors, "optimiser.")
        tensors[name] = make(tensors[name])

    return change


def facts_with(path, value):
    def change(tensors, facts):
        *parents, last = path
        for parent in parents:
            facts = facts[parent]
        facts[last] = value

    return change


def facts_without(*path):
    def change(tensors, facts):
        *parents, last = path
        for parent in parents:
            facts = facts[parent]
        del facts[last]

    return change


DAMAGES = {
    "a parameter is missing": lambda t, f: t.pop(first_of(t, "model.")),
    "a parameter is too many": lambda t, f: t.update({"model.other": torch.zeros(2)}),
    "a parameter has another shape": lambda t, f: t.update({first_of(t, "model."): torch.zeros(3)}),
    "a moment has another shape": of_optimizer(lambda tensor: torch.zeros(3)),
    "a moment has no number": lambda t, f: t.update({"optimiser.x.exp_avg": torch.zeros(2)}),
    "a moment of no parameter": lambda t, f: t.update({"optimiser.9999.exp_avg": torch.ones(2)}),
    "random numbers are missing": without("rng.cpu"),
    "random numbers are too short": replaced("rng.cpu", lambda tensor: tensor[:10]),
    "random numbers are floats": replaced("rng.cpu", lambda tensor: tensor.float()),
    "the position is missing": facts_without("position"),
    "the position has an unknown key": facts_with(("position", "other"), 1),
    "the history is no list": facts_with(("position", "history"), 7),
    "the history lacks a score": facts_with(("position", "history"), [{"step": 1}]),
    "the place in the text is missing": facts_without("batches"),
    "the place in the text is a number": facts_with(("batches",), 3),
    "the number of workers is a text": facts_with(("workers",), "many"),
}


def change(out, damage):
    """Change the last checkpoint of a training by that function of its tensors and facts."""
    path = out / CHECKPOINTS / LAST_CHECKPOINT
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        facts = json.loads(file.metadata()["facts"])
    damage(tensors, facts)
    save_file(tensors, path, {"facts": json.dumps(facts)})


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_four_and_one_sentence(damage, stopped, tmp_path):
    out = Path(shutil.copytree(stopped, tmp_path / "run"))
    change(out, damage)
    ended = attn("train", "--resume", out, "--max-steps", "4")
    assert (ended.status, ended.stdout) == (4, b""), ended.err
    assert LAST_CHECKPOINT in ended.err
    assert "bug" not in ended.err


@pytest.mark.parametrize("facts", ["[]", "3", "null", '"a"', "{", "[" * 100_000])
def test_facts_that_are_no_object_are_four(facts, stopped, tmp_path):
    out = Path(shutil.copytree(stopped, tmp_path / "run"))
    path = out / CHECKPOINTS / LAST_CHECKPOINT
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, {"facts": facts})
    assert attn("train", "--resume", out, "--max-steps", "4").status == 4


@pytest.mark.parametrize("name", ["step-x.safetensors", "step-.safetensors", "step-9.safetensors"])
def test_a_file_that_somebody_put_beside_the_checkpoints_is_not_read(name, stopped, tmp_path):
    out = Path(shutil.copytree(stopped, tmp_path / "run"))
    (out / CHECKPOINTS / name).write_bytes(b"not safetensors")
    ended = attn("train", "--resume", out, "--max-steps", "3")
    assert ended.status == 0, ended.err


def test_a_plan_of_any_json_is_four(stopped, tmp_path):
    out = Path(shutil.copytree(stopped, tmp_path / "run"))
    (plan,) = (out / CHECKPOINTS).glob("*.json")
    for content in (b"", b"[]", b"{}", b"3", b"null", b"\xff", b"[" * 100_000, b'{"recipe": 3}'):
        plan.write_bytes(content)
        assert attn("train", "--resume", out, "--max-steps", "4").status == 4, content[:20]
