"""A model that was made once says what it said then, on either engine. See fixtures/README.md.

What is expected is what was written in tests/fixtures, for each ENGINE of onnx and torch, by

    attn translate -m bundle_v1 --engine ENGINE -f jsonl --threads 1 --n-best 2 < sources
    attn align -m bundle_v1 --engine ENGINE -f jsonl --threads 1 < pairs

into expected.ENGINE.jsonl, which is what PYTHONPATH=tests python tests/test_frozen_bundle.py does.
"""

import json
import shutil
from pathlib import Path

import pytest
from program import attn

from attn_cli.bundles import manifest

FIXTURES = Path(__file__).parent / "fixtures"
MODEL = FIXTURES / "bundle_v1"
ENGINES = ("onnx", "torch")

#: The source is translated, the pair aligned. None of it is a near thing, so that rounding on
#: another processor decides nothing; the last is what the model has never seen.
PAIRS = [
    ("you see two books.", "tu vois deux livres."),
    ("Anna see the red car.", "Anna vois la voiture rouge."),
    ("we love the cat.", "je vends le chat rouge"),
    ("", ""),
    ("a dog we love.", "nous aime un chien."),
    ("☃", "☃"),
]


def said(engine, model=MODEL):
    """Every record of both commands, in order."""
    how = ("-m", model, "--engine", engine, "-f", "jsonl", "--threads", "1")
    sources = "".join(f"{source}\n" for source, _ in PAIRS)
    pairs = "".join(f"{source}\t{target}\n" for source, target in PAIRS)
    translated = attn("translate", *how, "--n-best", "2", stdin=sources)
    aligned = attn("align", *how, stdin=pairs)
    assert (translated.status, aligned.status) == (0, 0), translated.err + aligned.err
    return translated.records() + aligned.records()


def near(found):
    """The same values, where a number may be a little off."""
    if isinstance(found, float):
        return pytest.approx(found, abs=2e-3, rel=1e-3)
    if isinstance(found, dict):
        return {key: near(value) for key, value in found.items()}
    return [near(each) for each in found] if isinstance(found, list) else found


@pytest.mark.parametrize("engine", ENGINES)
def test_it_translates_and_aligns_as_it_did(engine):
    text = (FIXTURES / f"expected.{engine}.jsonl").read_text(encoding="utf-8")
    expected = [json.loads(line) for line in text.splitlines()]
    assert said(engine) == near(expected)


def test_it_is_sound():
    ended = attn("models", "verify", MODEL)
    assert (ended.status, ended.err) == (0, "")
    assert "is sound: 9 files" in ended.out


def test_it_needs_no_weights_where_there_are_graphs(tmp_path):
    only = Path(shutil.copytree(MODEL, tmp_path / "only"))
    facts = manifest.read_manifest(only)
    for known in (manifest.WEIGHTS, manifest.WORD_ALIGNER):
        name = manifest.stored_name(facts, known)
        (only / name).unlink()
        del facts["files"][name]
    (only / manifest.FACTS).write_text(json.dumps(facts))
    assert said("auto", only) == said("onnx")


if __name__ == "__main__":
    for engine in ENGINES:
        lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in said(engine)]
        (FIXTURES / f"expected.{engine}.jsonl").write_text("".join(lines), encoding="utf-8")
