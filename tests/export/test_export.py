"""attn export, and the graphs that trainings end with: written only where they say the same."""

import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper
from program import TINY, attn

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


def without(folder, *names):
    """The model with these files gone, and no longer spoken of."""
    facts = manifest.read_manifest(folder)
    for known in names:
        name = manifest.stored_name(facts, known) or known
        facts["files"].pop(name, None)
        (folder / name).unlink(missing_ok=True)
    (folder / manifest.FACTS).write_text(json.dumps(facts))
    return folder


def changed(folder, name, content):
    """The model with another content of a file, and the sum of that."""
    (folder / name).write_bytes(content)
    storage.add_file(folder, name)


def fails(ended, status, *words):
    """It ended so, said so in one line that names `words`, and wrote no result."""
    assert (ended.status, ended.stdout) == (status, b"")
    (line,) = ended.err.splitlines()
    assert line.startswith("attn: ")
    assert line.endswith(".")
    assert all(word in line for word in words), line


def spoiled(graph, amount):
    """The graph with its scores of pieces moved by so much."""
    for tensor in graph.graph.initializer:
        if tensor.name.endswith("output_projection.bias"):
            moved = numpy_helper.to_array(tensor) + np.float32(amount)
            moved[5:] = 0  # else it would be the same distribution
            tensor.CopyFrom(numpy_helper.from_array(moved, tensor.name))
    return graph


# What is written


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Returns a function: the frozen model with graphs made with these options, and what was said.

    Read it, do not change it.
    """

    @cache
    def export(*options):
        folder = Path(shutil.copytree(MODEL, tmp_path_factory.mktemp("exported") / "model"))
        without(folder, *manifest.GRAPHS)
        return folder, attn("export", folder, *options)

    return export


@pytest.mark.parametrize(
    ("options", "precision"), [([], "int8"), (["--precision", "fp32"], "fp32")], ids=str
)
def test_graphs_join_the_bundle_with_their_sums_and_precision(exported, options, precision):
    folder, ended = exported(*options)
    assert (ended.status, ended.stdout) == (0, b"")
    assert f"has graphs in {precision}, 0." in ended.err
    files = set(manifest.verify_checksums(folder)["files"])
    assert files == set(files_of(folder)) - {manifest.FACTS}
    opened = bundle.open_bundle(folder)
    assert opened.has_files(*manifest.GRAPHS)
    assert opened.precision == precision


def test_both_engines_say_the_same_with_fp32_graphs(exported):
    folder, _ = exported("--precision", "fp32")
    for command, given in (("translate", TEXT), ("align", PAIRS)):
        how = (command, "-m", folder, "-f", "jsonl", "--scores")
        ours, theirs, default = (
            attn(*how, *engine, stdin=given).records()
            for engine in (["--engine", "torch"], ["--engine", "onnx"], [])
        )
        assert default == theirs
        for one, other in zip(ours, theirs, strict=True):
            assert one["target"] == other["target"]
            assert np.allclose(one["logprobs"], other["logprobs"], atol=1e-3)
            for weights in zip(one["weights"], other["weights"], strict=True):
                assert np.allclose(*weights, atol=1e-3)


def test_int8_graphs_are_smaller_and_another_export_takes_their_place(exported, tmp_path):
    folder = Path(shutil.copytree(exported("--precision", "fp32")[0], tmp_path / "model"))
    before = graph_bytes(folder)
    assert attn("export", folder, "--precision", "int8").status == 0
    assert graph_bytes(folder) < before
    assert bundle.open_bundle(folder).precision == "int8"


def graph_bytes(folder):
    """The size of a model's graphs."""
    facts = manifest.verify_checksums(folder)
    return sum(facts["files"][name]["bytes"] for name in manifest.GRAPHS)


# What is refused


@pytest.mark.parametrize("amount", [0.01, np.nan])
def test_nothing_is_written_where_graphs_differ_from_the_network(model, monkeypatch, amount):
    graphs_of = tracing.translator_graphs

    def other(network, *, with_shortlist):
        graphs = graphs_of(network, with_shortlist=with_shortlist)
        return {name: spoiled(graph, amount) for name, graph in graphs.items()}

    monkeypatch.setattr(tracing, "translator_graphs", other)
    before = files_of(model)
    fails(attn("export", model), 4, "differ from its network", "nothing was written")
    assert files_of(model) == before


def test_nothing_is_written_where_int8_finds_no_numbers(model, monkeypatch):
    monkeypatch.setattr(quantize, "quantize_graph", lambda graph, *_: spoiled(graph, np.nan))
    before = files_of(model)
    fails(attn("export", model), 4, "differ from its network", "nothing was written")
    assert files_of(model) == before


@pytest.mark.parametrize(
    "lost",
    [[manifest.WEIGHTS, manifest.WORD_ALIGNER], [manifest.WEIGHTS], [manifest.WORD_ALIGNER]],
    ids=str,
)
def test_a_model_without_the_weights_of_its_graphs_keeps_these(model, lost):
    before = files_of(without(model, *lost))
    fails(attn("export", model), 4, "bundle-v1 has no parameters to export")
    assert files_of(model) == before


def test_an_altered_model_is_not_made_graphs_of(model):
    content = (model / manifest.WEIGHTS).read_bytes()
    (model / manifest.WEIGHTS).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    fails(attn("export", model), 4, "model.safetensors", "sha256")


@pytest.mark.usefixtures("_empty_registry")
def test_an_unknown_model_or_precision_is_named():
    fails(attn("export", "xx-yy"), 4, "xx-yy")
    assert attn("export", MODEL, "--precision", "int4").status == 2


# What is damaged

RUN_BY = {
    manifest.ENCODER: ("translate", "I see."),
    manifest.STEP: ("translate", "I see."),
    manifest.FORCED: ("align", "I see.", "je vois.", "--weights", "attention"),
    manifest.WORD_ALIGNER_GRAPH: ("align", "I see.", "je vois."),
}


@pytest.mark.parametrize(("name", "command"), RUN_BY.items(), ids=RUN_BY)
def test_a_graph_that_is_cut_short_is_a_damaged_model(model, name, command):
    name = manifest.stored_name(manifest.read_manifest(model), name)
    content = (model / name).read_bytes()
    changed(model, name, content[: len(content) // 2])
    fails(attn(*command, "-m", model), 4, "damaged", name, "attn export")


@pytest.mark.parametrize("content", [None, b"", b"short"], ids=str)
def test_graphs_without_their_weights_are_a_damaged_model(model, content):
    if content is None:
        without(model, manifest.GRAPH_WEIGHTS)
    else:
        changed(model, manifest.GRAPH_WEIGHTS, content)
    fails(attn("translate", "-m", model, "I see."), 4, "damaged", "encoder.onnx")


def test_the_engine_that_is_asked_for_has_to_have_something_to_run(model):
    translate = ("translate", "-m", without(model, *manifest.GRAPHS), "I see.", "--engine")
    fails(attn(*translate, "onnx"), 4, "no graphs", "attn export")
    assert attn(*translate, "torch").status == 0
    shutil.copytree(MODEL, model, dirs_exist_ok=True)
    without(model, manifest.WEIGHTS)
    assert attn(*translate, "onnx").status == 0
    fails(attn(*translate, "torch"), 4, "graphs for ONNX Runtime only")
    fails(attn(*translate, "onnx", "--device", "cuda"), 2, "cuda", "--engine torch")


# What trainings end with


def test_a_training_ends_with_graphs_and_one_that_goes_on_drops_them(tmp_path, pairs_file):
    out = tmp_path / "run"
    every = ("--set", "train.validate_every=2", "--set", "train.export=int8")
    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file, "--max-steps", "2")
    ended = attn("train", *text, "--out", out, *TINY, *every)
    assert ended.status == 0
    assert "graphs: int8" in ended.err
    assert bundle.open_bundle(out).precision == "int8"
    more = ("--resume", out, "--max-steps", "4", "--set", "train.export=none")
    ended = attn("train", *more)
    assert ended.status == 0, ended.err
    opened = bundle.open_bundle(out)
    assert not any(map(opened.has_files, manifest.GRAPHS))
    assert opened.precision is None
    assert "graphs" not in ended.err


def test_graphs_that_cannot_be_made_leave_the_model_as_it_was_trained(
    tmp_path, pairs_file, monkeypatch
):
    def refused(*_, **__):
        raise ModelError("the graphs differ", "")

    monkeypatch.setattr(bundle_export, "export", refused)
    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file, "--max-steps", "1")
    how = ("--set", "train.export=fp32")
    ended = attn("train", *text, "--out", tmp_path / "run", *TINY, *how)
    assert ended.status == 0
    assert "no graphs: the graphs differ" in ended.err
    assert bundle.open_bundle(tmp_path / "run").can_translate


def test_a_word_aligner_that_was_fitted_and_kept_has_a_graph(tmp_path, monkeypatch):
    monkeypatch.setattr(unsupervised_alignment, "MIN_PAIRS", 2)
    monkeypatch.setattr(unsupervised_alignment, "MIN_F1", 0)
    monkeypatch.setattr(aligner_pace, "EPOCHS", 1)
    votes = LinkTable.from_links([{(0, 0): 0.9, (1, 1): 0.9}] * 20)
    monkeypatch.setattr(statistical, "collect_votes", lambda *_, **__: votes)
    ended = attn("align", "--fit", "--out", tmp_path / "kept", stdin="red car\tauto rouge\n" * 20)
    assert ended.status == 0, ended.err
    opened = bundle.open_bundle(tmp_path / "kept")
    assert (opened.has_files(manifest.WORD_ALIGNER_GRAPH), opened.precision) == (True, "fp32")
    assert not opened.can_translate
    aligned = attn("align", "-m", opened.path, "--engine", "onnx", "red car", "auto rouge")
    assert aligned.status == 0


# Shortlists


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Pairs of words the frozen model knows."""
    path = tmp_path_factory.mktemp("pairs") / "pairs.tsv"
    path.write_text(PAIRS * 3, encoding="utf-8")
    return path


@pytest.fixture
def shortlisted(exported, pairs, tmp_path):
    """A copy of the frozen model with a shortlist of these pairs."""
    folder, _ = exported("--pairs", pairs, "--precision", "fp32")
    return Path(shutil.copytree(folder, tmp_path / "shortlisted"))


def scores_of(model, *options):
    how = ("translate", "-m", model, "-f", "jsonl", *options)
    return [record["score"] for record in attn(*how, stdin=TEXT).records() if record["target"]]


def test_pairs_give_a_model_a_shortlist_that_both_engines_use_and_a_flag_turns_off(
    exported, shortlisted, pairs
):
    _, ended = exported("--pairs", pairs, "--precision", "fp32")
    assert ended.status == 0, ended.err
    assert "its shortlist has" in ended.err
    opened = bundle.open_bundle(shortlisted)
    assert opened.has_files(manifest.SHORTLIST, manifest.SELECT, manifest.SHORTLIST_STEP)
    files = set(manifest.verify_checksums(shortlisted)["files"])
    assert files == set(files_of(shortlisted)) - {manifest.FACTS}
    assert opened.shortlist is not None
    listed, whole = scores_of(shortlisted), scores_of(shortlisted, "--no-shortlist")
    assert np.allclose(listed, scores_of(shortlisted, "--engine", "torch"), atol=1e-3)
    assert not np.allclose(listed, whole, atol=1e-3)
    without(shortlisted, manifest.SHORTLIST)
    assert scores_of(shortlisted) == whole


def test_links_in_a_file_are_counted_in_place_of_the_aligners(model, pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(shortlisting, "N_FREQUENT", 0)
    links = tmp_path / "links"
    links.write_text("0-0\n0-0\n" * 3, encoding="utf-8")
    sizes = []
    for given in ([], ["--links", links]):
        assert attn("export", model, "--pairs", pairs, "--precision", "fp32", *given).status == 0
        sizes.append(len(bundle.open_bundle(model).shortlist.linked))
    assert sizes[1] < sizes[0]


def test_a_shortlist_stays_through_another_export_and_half_its_weights(shortlisted):
    before = (shortlisted / manifest.SHORTLIST).read_bytes()
    assert attn("export", shortlisted, "--precision", "fp32", "--half").status == 0
    assert (shortlisted / manifest.SHORTLIST).read_bytes() == before
    opened = bundle.open_bundle(shortlisted)
    assert opened.has_files(manifest.SHORTLIST, manifest.SHORTLIST_STEP)


def test_a_recipe_that_wants_no_shortlist_uses_none(shortlisted):
    whole = scores_of(shortlisted, "--no-shortlist")
    recipe = (shortlisted / manifest.RECIPE).read_text(encoding="utf-8")
    assert "[decode]" in recipe
    off = recipe.replace("[decode]", "[decode]\nshortlist = false")
    changed(shortlisted, manifest.RECIPE, off.encode())
    assert scores_of(shortlisted) == whole


@pytest.mark.parametrize("content", [b"", b"attnSL1\n" + bytes(64)], ids=["empty", "no data"])
def test_a_damaged_shortlist_is_a_damaged_model_unless_it_is_not_used(shortlisted, content):
    changed(shortlisted, manifest.SHORTLIST, content)
    fails(attn("translate", "-m", shortlisted, "I see"), 4, "shortlist.bin", "not the shortlist")
    assert attn("translate", "-m", shortlisted, "--no-shortlist", "I see").status == 0


def test_links_alone_or_one_side_alone_are_a_usage_error(model, pairs):
    fails(attn("export", model, "--links", pairs), 2, "--links belongs to pairs")
    fails(attn("export", model, "--source", pairs), 2, "--target")
    fails(attn("export", model, "--pairs", pairs, "--source", pairs), 2, "--pairs")


def test_without_a_word_aligner_links_are_asked_for(model, pairs):
    without(model, manifest.WORD_ALIGNER, manifest.WORD_ALIGNER_GRAPH)
    fails(attn("export", model, "--pairs", pairs), 4, "--links")


def test_training_with_links_ends_with_a_shortlist_unless_the_recipe_says_otherwise(
    pairs_file, links_file, tmp_path
):
    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file, *TINY)
    links = ("--set", f"train.guided_alignment={links_file}", "--set", "train.export=fp32")
    short = ("--max-steps", "2", "--set", "name=tiny")
    for name, given, there in (
        ("with", (), True),
        ("off", ("--set", "decode.shortlist=false"), False),
        ("unlinked", ("--set", "train.guided_alignment=none"), False),
    ):
        ended = attn("train", *text, *links, *short, *given, "--out", tmp_path / name)
        assert ended.status == 0, ended.err
        opened = bundle.open_bundle(tmp_path / name)
        assert (
            opened.has_files(manifest.SHORTLIST)
            == opened.has_files(manifest.SHORTLIST_STEP)
            == there
        )
