"""A stored model of each format gives its stored output on both engines. See fixtures/README.md.

The expected output of MODEL was written, for each ENGINE of onnx and torch, by

    attn translate -m MODEL --engine ENGINE -f jsonl --threads 1 --n-best 2 < sources
    attn align -m MODEL --engine ENGINE -f jsonl --threads 1 < pairs

into MODEL.ENGINE.jsonl: PYTHONPATH=tests python tests/test_frozen_bundle.py MODEL does it.
"""

import json
import shutil
import sys
from pathlib import Path

import pytest
from program import attn

from attn_cli.bundles import manifest

FIXTURES = Path(__file__).parent / "fixtures"
ENGINES = ("onnx", "torch")

#: Sources are translated, pairs aligned. Scores of two results are never close, so that rounding
#: on another processor does not change the results. The last line is in no training text.
PAIRS = [
    ("you see two books.", "tu vois deux livres."),
    ("Anna see the red car.", "Anna vois la voiture rouge."),
    ("we love the cat.", "je vends le chat rouge"),
    ("", ""),
    ("a dog we love.", "nous aime un chien."),
    ("☃", "☃"),
]

#: Format 2 has literals.
PAIRS_OF = {
    "bundle_v1": PAIRS,
    "bundle_v2": [*PAIRS, ("you see 1,250 books.", "tu vois 1 250 livres.")],
}

each_model = pytest.mark.parametrize("model", [FIXTURES / name for name in PAIRS_OF], ids=PAIRS_OF)


def output_records(engine, model, pairs):
    """Return the records of both commands, in order."""
    options = ("-m", model, "--engine", engine, "-f", "jsonl", "--threads", "1")
    sources = "".join(f"{source}\n" for source, _ in pairs)
    lines = "".join(f"{source}\t{target}\n" for source, target in pairs)
    translation = attn("translate", *options, "--n-best", "2", stdin=sources)
    alignment = attn("align", *options, stdin=lines)
    assert (translation.status, alignment.status) == (0, 0), translation.err + alignment.err
    return translation.records() + alignment.records()


def approximate(value):
    """Return the same values, with a tolerance for each decimal number."""
    if isinstance(value, float):
        return pytest.approx(value, abs=2e-3, rel=1e-3)
    if isinstance(value, dict):
        return {key: approximate(each) for key, each in value.items()}
    return [approximate(each) for each in value] if isinstance(value, list) else value


@each_model
@pytest.mark.parametrize("engine", ENGINES)
def test_a_stored_model_gives_its_stored_translations_and_alignments(engine, model):
    text = (FIXTURES / f"{model.name}.{engine}.jsonl").read_text(encoding="utf-8")
    expected = [json.loads(line) for line in text.splitlines()]
    assert output_records(engine, model, PAIRS_OF[model.name]) == approximate(expected)


def test_a_literal_is_copied_in_the_format_of_the_target_language():
    (line,) = attn("translate", "-m", FIXTURES / "bundle_v2", "you see 1,250 books.").lines()
    assert "1\u00a0250" in line


@each_model
def test_a_stored_model_passes_its_verification(model):
    result = attn("models", "verify", model)
    assert (result.status, result.err) == (0, "")
    n_files = len(manifest.read_manifest(model)["files"])
    assert f"is sound: {n_files} files" in result.out


@each_model
def test_a_stored_model_with_graphs_needs_no_weights(model, tmp_path):
    copy = Path(shutil.copytree(model, tmp_path / "only"))
    facts = manifest.read_manifest(copy)
    for current_name in (manifest.WEIGHTS, manifest.WORD_ALIGNER):
        name = manifest.stored_name(facts, current_name)
        (copy / name).unlink()
        del facts["files"][name]
    (copy / manifest.FACTS).write_text(json.dumps(facts))
    pairs = PAIRS_OF[model.name]
    assert output_records("auto", copy, pairs) == output_records("onnx", model, pairs)


if __name__ == "__main__":
    model = sys.argv[1]
    for engine in ENGINES:
        records = output_records(engine, FIXTURES / model, PAIRS_OF[model])
        lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in records]
        (FIXTURES / f"{model}.{engine}.jsonl").write_text("".join(lines), encoding="utf-8")
