"""Every name that leaves the program: what others read must not change by a rename in the code.

The names stand in fixtures/wire_names.json. After a change that is meant,

    PYTHONPATH=tests python tests/test_wire_names.py

writes them anew; the difference belongs into the changelog.
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
EXPORTED = (("gru", "coverage", "gru"), ("transformer", "multihead", "transformer"))


def recipe_keys() -> list[str]:
    return sorted(config.keys())


def event_fields() -> dict[str, list[str]]:
    return {
        name: [field.name for field in dataclasses.fields(event)]
        for event, name in sorted(events.NAMES.items(), key=lambda item: item[1])
    }


def parameters() -> list[str]:
    """Keys of model.safetensors, over systems that together have every part."""
    return sorted({name for system in PAIRWISE for name in unique_state_dict(new_network(system))})


def aligner_parameters() -> list[str]:
    """Keys of word_aligner.safetensors."""
    return sorted(
        unique_state_dict(
            build_word_aligner(config.ModelConfig(), source_vocab_size=8, target_vocab_size=8)
        )
    )


def graphs() -> dict[str, dict[str, list[str]]]:
    """Inputs and outputs of each graph."""
    names: dict[str, dict[str, set[str]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for system in EXPORTED:
            graph_files.write_graphs(
                Path(folder),
                tracing.translator_graphs(new_network(system).eval(), with_shortlist=True),
            )
            for file in sorted(Path(folder).glob("*.onnx")):
                graph = onnx.load(file, load_external_data=False).graph
                of_file = names.setdefault(file.name, {"inputs": set(), "outputs": set()})
                of_file["inputs"] |= {value.name for value in graph.input}
                of_file["outputs"] |= {value.name for value in graph.output}
    return {
        file: {end: sorted(of_end) for end, of_end in ends.items()} for file, ends in names.items()
    }


def fields(value: object, prefix: str = "") -> set[str]:
    """The keys of a JSON value: a.b of an object in an object, a[].b of objects in a list."""
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
    """The fields of each command's JSON, but for the lists of a table's numbers."""
    how = ("-m", MODEL, "-f", "jsonl")
    commands = {
        "translate": ("translate", *how, "--n-best", "2", "we love the cat."),
        "align": ("align", *how, *PAIR),
        "diagnostics": ("translate", *how, "--diagnostics", "we love the cat."),
        "explain": ("explain", *how, "we love the cat."),
    }
    with tempfile.TemporaryDirectory() as folder:
        gold = Path(folder, "gold")
        gold.write_text("0-0 4-4\n", encoding="utf-8")
        worst = ("--worst", "1", "--gold", gold, "--index-base", "0")
        commands["worst"] = ("align", *how, *worst, *PAIR)
        return {name: fields_of(attn(*command)) for name, command in commands.items()}


def fields_of(ended: CommandResult) -> list[str]:
    assert ended.status == 0, ended.err
    return sorted(set().union(*map(fields, ended.records())))


def columns() -> dict[str, list[str]]:
    """The columns of TSV, from its header."""
    how = ("align", "-m", MODEL, "-f", "tsv")
    commands = {"align": (*how, *PAIR), "diagnostics": (*how, "--diagnostics", *PAIR)}
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
def test_names_that_others_read_are_as_written_down(kind) -> None:
    expected = json.loads(FILE.read_text(encoding="utf-8"))
    assert NAMES[kind]() == expected[kind]


@pytest.mark.parametrize("kind", ["model.safetensors", "word_aligner.safetensors"])
def test_no_parameter_has_a_name_that_is_read_as_a_former_one(kind) -> None:
    names = json.loads(FILE.read_text(encoding="utf-8"))[kind]
    assert [current_name(name) for name in names] == names


if __name__ == "__main__":
    text = json.dumps({kind: names() for kind, names in NAMES.items()}, indent=1)
    FILE.write_text(f"{text}\n", encoding="utf-8")
