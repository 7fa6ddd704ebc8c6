"""The names that other programs read do not change when a name in the code changes.

The names are stored in fixtures/wire_names.json. After an intended change,

    PYTHONPATH=tests python tests/test_wire_names.py

writes them again; describe the difference in the changelog.
"""

import dataclasses
import json
import tempfile
from pathlib import Path

import onnx
import pytest
from program import CommandResult, attn
from systems import PAIRWISE, new_network

from attn_cli import config
from attn_cli.bundles import manifest
from attn_cli.export import graph_files, tracing
from attn_cli.nn.builder import build_word_aligner
from attn_cli.nn.state_dict import current_name, unique_state_dict
from attn_cli.training import events

FILE = Path(__file__).parent / "fixtures" / "wire_names.json"
MODEL = FILE.parent / "bundle_v1"
PAIR = ("we love the cat.", "nous aime le chat.")

#: Two networks whose graphs have every kind of input and output.
EXPORT_SYSTEMS = (("gru", "coverage", "gru"), ("transformer", "multihead", "transformer"))


def recipe_keys() -> list[str]:
    return sorted(config.keys())


def event_fields() -> dict[str, list[str]]:
    return {
        name: [field.name for field in dataclasses.fields(event)]
        for event, name in sorted(events.NAMES.items(), key=lambda item: item[1])
    }


def parameters() -> list[str]:
    """Return the keys of model.safetensors, of systems that together have every part."""
    return sorted({name for system in PAIRWISE for name in unique_state_dict(new_network(system))})


def aligner_parameters() -> list[str]:
    """Return the keys of word_aligner.safetensors."""
    return sorted(
        unique_state_dict(
            build_word_aligner(config.ModelConfig(), source_vocab_size=8, target_vocab_size=8)
        )
    )


def graphs() -> dict[str, dict[str, list[str]]]:
    """Return the inputs and outputs of each graph."""
    names: dict[str, dict[str, set[str]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for system in EXPORT_SYSTEMS:
            graph_files.write_graphs(
                Path(folder),
                tracing.translator_graphs(new_network(system).eval(), with_shortlist=True),
            )
            for file in sorted(Path(folder).glob("*.onnx")):
                graph = onnx.load(file, load_external_data=False).graph
                graph_names = names.setdefault(file.name, {"inputs": set(), "outputs": set()})
                graph_names["inputs"] |= {value.name for value in graph.input}
                graph_names["outputs"] |= {value.name for value in graph.output}
    return {
        file: {end: sorted(end_names) for end, end_names in ends.items()}
        for file, ends in names.items()
    }


def fields(value: object, prefix: str = "") -> set[str]:
    """Return the keys of a JSON value: a.b for nested objects, a[].b for those of a list."""
    if isinstance(value, dict):
        return {
            name
            for key, inner in value.items()
            for name in ({f"{prefix}{key}"} | fields(inner, f"{prefix}{key}."))
        }
    if isinstance(value, list):
        return {name for each in value for name in fields(each, f"{prefix[:-1]}[].")}
    return set()


def record_fields() -> dict[str, list[str]]:
    """Return the fields of each command's JSON, except the lists of a table's numbers."""
    options = ("-m", MODEL, "-f", "jsonl")
    commands = {
        "translate": ("translate", *options, "--n-best", "2", "we love the cat."),
        "align": ("align", *options, *PAIR),
        "diagnostics": ("translate", *options, "--diagnostics", "we love the cat."),
        "explain": ("explain", *options, "we love the cat."),
    }
    with tempfile.TemporaryDirectory() as folder:
        gold = Path(folder, "gold")
        gold.write_text("0-0 4-4\n", encoding="utf-8")
        worst = ("--worst", "1", "--gold", gold, "--index-base", "0")
        commands["worst"] = ("align", *options, *worst, *PAIR)
        return {name: fields_of(attn(*command)) for name, command in commands.items()}


def fields_of(result: CommandResult) -> list[str]:
    assert result.status == 0, result.err
    return sorted(set().union(*map(fields, result.records())))


def columns() -> dict[str, list[str]]:
    """Return the columns of TSV, from its header."""
    options = ("align", "-m", MODEL, "-f", "tsv")
    commands = {"align": (*options, *PAIR), "diagnostics": (*options, "--diagnostics", *PAIR)}
    return {name: attn(*each).out.split("\n")[0].split("\t") for name, each in commands.items()}


def bundle_fields() -> list[str]:
    facts = manifest.read_manifest(MODEL)
    return sorted(name for name in fields(facts) if not name.startswith(("files.", "scores.")))


NAMES = {
    "recipe": recipe_keys,
    "events": event_fields,
    "model.safetensors": parameters,
    "word_aligner.safetensors": aligner_parameters,
    "graphs": graphs,
    "records": record_fields,
    "columns": columns,
    "bundle.json": bundle_fields,
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_that_other_programs_read_are_unchanged(kind) -> None:
    expected = json.loads(FILE.read_text(encoding="utf-8"))
    assert NAMES[kind]() == expected[kind]


@pytest.mark.parametrize("kind", ["model.safetensors", "word_aligner.safetensors"])
def test_no_current_parameter_name_is_read_as_a_former_one(kind) -> None:
    names = json.loads(FILE.read_text(encoding="utf-8"))[kind]
    assert [current_name(name) for name in names] == names


if __name__ == "__main__":
    text = json.dumps({kind: names() for kind, names in NAMES.items()}, indent=1)
    FILE.write_text(f"{text}\n", encoding="utf-8")
