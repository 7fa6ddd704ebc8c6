"""attn export and the graphs that a training writes, only if they agree with the network."""

import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper
from program import TINY, assert_fails, attn

from attn_cli.alignment import statistical
from attn_cli.alignment.link_table import LinkTable
from attn_cli.bundles import bundle, manifest, storage
from attn_cli.errors import ModelError
from attn_cli.export import bundle_export, quantize, tracing
from attn_cli.training import aligner_pace, shortlisting, unsupervised_alignment

MODEL = Path(__file__).parents[1] / "fixtures" / "bundle_v1"
TEXT = "I see a dog.\nwe love the red car.\n\nAnna sell two books.\n"
PAIRS = "I see a dog.\tje vois un chien.\nwe love Anna.\tnous aime Anna.\n"


@pytest.fixture
def model(tmp_path):
    """A copy of the frozen model, for a test to export or to damage."""
    return Path(shutil.copytree(MODEL, tmp_path / "model"))


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def remove_files(folder, *names):
    """Remove these files from the model and its manifest, and return the model."""
    content = manifest.read_manifest(folder)
    for standard_name in names:
        name = manifest.stored_name(content, standard_name) or standard_name
        content["files"].pop(name, None)
        (folder / name).unlink(missing_ok=True)
    (folder / manifest.FACTS).write_text(json.dumps(content))
    return folder


def replace_file(folder, name, content):
    """Replace the content of a file of the model, and its checksum."""
    (folder / name).write_bytes(content)
    storage.add_file(folder, name)


def perturb(graph, amount):
    """Add `amount` to the output bias of the first pieces, and set that of the others to 0."""
    for tensor in graph.graph.initializer:
        if tensor.name.endswith("output_projection.bias"):
            bias = numpy_helper.to_array(tensor) + np.float32(amount)
            bias[5:] = 0  # the same bias for all would not change the distribution
            tensor.CopyFrom(numpy_helper.from_array(bias, tensor.name))
    return graph


# Written graphs


@pytest.fixture(scope="module")
def export_with(tmp_path_factory):
    """Return a function: it exports the frozen model with options, and returns folder and result.

    Read it, do not change it.
    """

    @cache
    def export_model(*options):
        folder = Path(shutil.copytree(MODEL, tmp_path_factory.mktemp("exported") / "model"))
        remove_files(folder, *manifest.GRAPHS)
        return folder, attn("export", folder, *options)

    return export_model


@pytest.mark.parametrize(
    ("options", "precision"), [([], "int8"), (["--precision", "fp32"], "fp32")], ids=str
)
def test_graphs_are_added_to_the_bundle_with_checksums_and_precision(
    export_with, options, precision
):
    folder, result = export_with(*options)
    assert (result.status, result.stdout) == (0, b"")
    assert f"has graphs in {precision}, 0." in result.err
    files = set(manifest.verify_checksums(folder)["files"])
    assert files == set(files_of(folder)) - {manifest.FACTS}
    new_bundle = bundle.open_bundle(folder)
    assert new_bundle.has_files(*manifest.GRAPHS)
    assert new_bundle.precision == precision


def test_both_engines_give_the_same_results_with_fp32_graphs(export_with):
    folder, _ = export_with("--precision", "fp32")
    for command, text in (("translate", TEXT), ("align", PAIRS)):
        arguments = (command, "-m", folder, "-f", "jsonl", "--scores")
        torch_records, onnx_records, default_records = (
            attn(*arguments, *engine, stdin=text).records()
            for engine in (["--engine", "torch"], ["--engine", "onnx"], [])
        )
        assert default_records == onnx_records
        for expected, record in zip(torch_records, onnx_records, strict=True):
            assert expected["target"] == record["target"]
            assert np.allclose(expected["logprobs"], record["logprobs"], atol=1e-3)
            for weights in zip(expected["weights"], record["weights"], strict=True):
                assert np.allclose(*weights, atol=1e-3)


def test_int8_graphs_are_smaller_and_replace_those_of_an_earlier_export(export_with, tmp_path):
    folder = Path(shutil.copytree(export_with("--precision", "fp32")[0], tmp_path / "model"))
    before = graph_bytes(folder)
    assert attn("export", folder, "--precision", "int8").status == 0
    assert graph_bytes(folder) < before
    assert bundle.open_bundle(folder).precision == "int8"


def graph_bytes(folder):
    """The size of a model's graphs."""
    facts = manifest.verify_checksums(folder)
    return sum(facts["files"][name]["bytes"] for name in manifest.GRAPHS)


# Refusals


@pytest.mark.parametrize("amount", [0.01, np.nan])
def test_nothing_is_written_where_graphs_differ_from_the_network(model, monkeypatch, amount):
    graphs_of = tracing.translator_graphs

    def perturbed_graphs(network, *, with_shortlist):
        graphs = graphs_of(network, with_shortlist=with_shortlist)
        return {name: perturb(graph, amount) for name, graph in graphs.items()}

    monkeypatch.setattr(tracing, "translator_graphs", perturbed_graphs)
    before = files_of(model)
    assert_fails(attn("export", model), 4, "differ from its network", "nothing was written")
    assert files_of(model) == before


def test_nothing_is_written_if_int8_graphs_compute_nan(model, monkeypatch):
    monkeypatch.setattr(quantize, "quantize_graph", lambda graph, *_: perturb(graph, np.nan))
    before = files_of(model)
    assert_fails(attn("export", model), 4, "differ from its network", "nothing was written")
    assert files_of(model) == before


@pytest.mark.parametrize(
    "names",
    [[manifest.WEIGHTS, manifest.WORD_ALIGNER], [manifest.WEIGHTS], [manifest.WORD_ALIGNER]],
    ids=str,
)
def test_exporting_a_model_without_its_weights_fails_and_keeps_its_graphs(model, names):
    before = files_of(remove_files(model, *names))
    assert_fails(attn("export", model), 4, "bundle-v1 has no parameters to export")
    assert files_of(model) == before


def test_an_altered_model_is_not_exported(model):
    content = (model / manifest.WEIGHTS).read_bytes()
    (model / manifest.WEIGHTS).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert_fails(attn("export", model), 4, "model.safetensors", "sha256")


@pytest.mark.usefixtures("_empty_registry")
def test_an_unknown_model_or_precision_is_named():
    assert_fails(attn("export", "xx-yy"), 4, "xx-yy")
    assert attn("export", MODEL, "--precision", "int4").status == 2


# Damaged graphs

COMMANDS = {
    manifest.ENCODER: ("translate", "I see."),
    manifest.STEP: ("translate", "I see."),
    manifest.FORCED: ("align", "I see.", "je vois.", "--weights", "attention"),
    manifest.WORD_ALIGNER_GRAPH: ("align", "I see.", "je vois."),
}


@pytest.mark.parametrize(("name", "command"), COMMANDS.items(), ids=COMMANDS)
def test_a_graph_that_is_cut_short_is_a_damaged_model(model, name, command):
    name = manifest.stored_name(manifest.read_manifest(model), name)
    content = (model / name).read_bytes()
    replace_file(model, name, content[: len(content) // 2])
    assert_fails(attn(*command, "-m", model), 4, "damaged", name, "attn export")


@pytest.mark.parametrize("content", [None, b"", b"short"], ids=str)
def test_graphs_without_their_weights_are_a_damaged_model(model, content):
    if content is None:
        remove_files(model, manifest.GRAPH_WEIGHTS)
    else:
        replace_file(model, manifest.GRAPH_WEIGHTS, content)
    assert_fails(attn("translate", "-m", model, "I see."), 4, "damaged", "encoder.onnx")


def test_an_engine_without_files_to_run_is_refused(model):
    translate = ("translate", "-m", remove_files(model, *manifest.GRAPHS), "I see.", "--engine")
    assert_fails(attn(*translate, "onnx"), 4, "no graphs", "attn export")
    assert attn(*translate, "torch").status == 0
    shutil.copytree(MODEL, model, dirs_exist_ok=True)
    remove_files(model, manifest.WEIGHTS)
    assert attn(*translate, "onnx").status == 0
    assert_fails(attn(*translate, "torch"), 4, "graphs for ONNX Runtime only")
    assert_fails(attn(*translate, "onnx", "--device", "cuda"), 2, "cuda", "--engine torch")


# Graphs of a training


def test_a_training_writes_graphs_and_resuming_it_removes_them(tmp_path, pairs_file):
    out = tmp_path / "run"
    settings = ("--set", "train.validate_every=2", "--set", "train.export=int8")
    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file, "--max-steps", "2")
    result = attn("train", *text, "--out", out, *TINY, *settings)
    assert result.status == 0
    assert "graphs: int8" in result.err
    assert bundle.open_bundle(out).precision == "int8"
    options = ("--resume", out, "--max-steps", "4", "--set", "train.export=none")
    result = attn("train", *options)
    assert result.status == 0, result.err
    new_bundle = bundle.open_bundle(out)
    assert not any(map(new_bundle.has_files, manifest.GRAPHS))
    assert new_bundle.precision is None
    assert "graphs:" not in result.err


def test_a_failed_export_leaves_the_trained_model(tmp_path, pairs_file, monkeypatch):
    def refuse(*_, **__):
        raise ModelError("the graphs differ", "")

    monkeypatch.setattr(bundle_export, "export", refuse)
    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file, "--max-steps", "1")
    settings = ("--set", "train.export=fp32")
    result = attn("train", *text, "--out", tmp_path / "run", *TINY, *settings)
    assert result.status == 0
    assert "no graphs: the graphs differ" in result.err
    assert bundle.open_bundle(tmp_path / "run").can_translate


def test_a_word_aligner_saved_by_align_fit_has_a_graph(tmp_path, monkeypatch):
    monkeypatch.setattr(unsupervised_alignment, "MIN_PAIRS", 2)
    monkeypatch.setattr(unsupervised_alignment, "MIN_F1", 0)
    monkeypatch.setattr(aligner_pace, "EPOCHS", 1)
    votes = LinkTable.from_links([{(0, 0): 0.9, (1, 1): 0.9}] * 20)
    monkeypatch.setattr(statistical, "collect_votes", lambda *_, **__: votes)
    result = attn("align", "--fit", "--out", tmp_path / "kept", stdin="red car\tauto rouge\n" * 20)
    assert result.status == 0, result.err
    new_bundle = bundle.open_bundle(tmp_path / "kept")
    assert (new_bundle.has_files(manifest.WORD_ALIGNER_GRAPH), new_bundle.precision) == (
        True,
        "fp32",
    )
    assert not new_bundle.can_translate
    alignment = attn("align", "-m", new_bundle.path, "--engine", "onnx", "red car", "auto rouge")
    assert alignment.status == 0


# Shortlists


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Pairs of words that are in the vocabulary of the frozen model."""
    path = tmp_path_factory.mktemp("pairs") / "pairs.tsv"
    path.write_text(PAIRS * 3, encoding="utf-8")
    return path


@pytest.fixture
def shortlist_model(export_with, pairs, tmp_path):
    """A copy of the frozen model with a shortlist from these pairs."""
    folder, _ = export_with("--pairs", pairs, "--precision", "fp32")
    return Path(shutil.copytree(folder, tmp_path / "shortlisted"))


def scores_of(model, *options):
    command = ("translate", "-m", model, "-f", "jsonl", *options)
    return [record["score"] for record in attn(*command, stdin=TEXT).records() if record["target"]]


def test_pairs_add_a_shortlist_that_both_engines_use_and_an_option_turns_off(
    export_with, shortlist_model, pairs
):
    _, result = export_with("--pairs", pairs, "--precision", "fp32")
    assert result.status == 0, result.err
    assert "its shortlist has" in result.err
    new_bundle = bundle.open_bundle(shortlist_model)
    assert new_bundle.has_files(manifest.SHORTLIST, manifest.SELECT, manifest.SHORTLIST_STEP)
    files = set(manifest.verify_checksums(shortlist_model)["files"])
    assert files == set(files_of(shortlist_model)) - {manifest.FACTS}
    assert new_bundle.shortlist is not None
    shortlist_scores, full_scores = (
        scores_of(shortlist_model),
        scores_of(shortlist_model, "--no-shortlist"),
    )
    assert np.allclose(shortlist_scores, scores_of(shortlist_model, "--engine", "torch"), atol=1e-3)
    assert not np.allclose(shortlist_scores, full_scores, atol=1e-3)
    remove_files(shortlist_model, manifest.SHORTLIST)
    assert scores_of(shortlist_model) == full_scores


def test_links_in_a_file_replace_those_of_the_word_aligner(model, pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(shortlisting, "N_FREQUENT", 0)
    links = tmp_path / "links"
    links.write_text("0-0\n0-0\n" * 3, encoding="utf-8")
    sizes = []
    for options in ([], ["--links", links]):
        assert attn("export", model, "--pairs", pairs, "--precision", "fp32", *options).status == 0
        sizes.append(len(bundle.open_bundle(model).shortlist.linked))
    assert sizes[1] < sizes[0]


def test_a_shortlist_stays_after_another_export_with_half_precision(shortlist_model):
    before = (shortlist_model / manifest.SHORTLIST).read_bytes()
    assert attn("export", shortlist_model, "--precision", "fp32", "--half").status == 0
    assert (shortlist_model / manifest.SHORTLIST).read_bytes() == before
    new_bundle = bundle.open_bundle(shortlist_model)
    assert new_bundle.has_files(manifest.SHORTLIST, manifest.SHORTLIST_STEP)


def test_a_recipe_can_turn_the_shortlist_off(shortlist_model):
    expected = scores_of(shortlist_model, "--no-shortlist")
    recipe = (shortlist_model / manifest.RECIPE).read_text(encoding="utf-8")
    assert "[decode]" in recipe
    content = recipe.replace("[decode]", "[decode]\nshortlist = false")
    replace_file(shortlist_model, manifest.RECIPE, content.encode())
    assert scores_of(shortlist_model) == expected


@pytest.mark.parametrize("content", [b"", b"attnSL1\n" + bytes(64)], ids=["empty", "no data"])
def test_a_damaged_shortlist_is_a_damaged_model_only_if_it_is_used(shortlist_model, content):
    replace_file(shortlist_model, manifest.SHORTLIST, content)
    assert_fails(
        attn("translate", "-m", shortlist_model, "I see"), 4, "shortlist.bin", "not the shortlist"
    )
    assert attn("translate", "-m", shortlist_model, "--no-shortlist", "I see").status == 0


def test_links_alone_or_one_side_alone_are_a_usage_error(model, pairs):
    assert_fails(attn("export", model, "--links", pairs), 2, "--links belongs to pairs")
    assert_fails(attn("export", model, "--source", pairs), 2, "--target")
    assert_fails(attn("export", model, "--pairs", pairs, "--source", pairs), 2, "--pairs")


def test_pairs_without_links_need_a_word_aligner(model, pairs):
    remove_files(model, manifest.WORD_ALIGNER, manifest.WORD_ALIGNER_GRAPH)
    assert_fails(attn("export", model, "--pairs", pairs), 4, "--links")


def test_training_with_links_adds_a_shortlist_unless_the_recipe_turns_it_off(
    pairs_file, links_file, tmp_path
):
    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file, *TINY)
    links = ("--set", f"train.guided_alignment={links_file}", "--set", "train.export=fp32")
    short = ("--max-steps", "2", "--set", "name=tiny")
    for name, settings, expected in (
        ("with", (), True),
        ("off", ("--set", "decode.shortlist=false"), False),
        ("unlinked", ("--set", "train.guided_alignment=none"), False),
    ):
        result = attn("train", *text, *links, *short, *settings, "--out", tmp_path / name)
        assert result.status == 0, result.err
        new_bundle = bundle.open_bundle(tmp_path / name)
        assert (
            new_bundle.has_files(manifest.SHORTLIST)
            == new_bundle.has_files(manifest.SHORTLIST_STEP)
            == expected
        )
