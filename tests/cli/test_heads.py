"""attn align --head and --layer, the head that training chooses, and a model without attention."""

import json
import re
import shutil
import tomllib

import pytest
from program import PAIRS, TINY, TRANSFORMER, WORD_ALIGNER, attn

import attn_cli
from attn_cli.bundles.manifest import verify_checksums

SOURCE, TARGET = "I see the red car.", "je vois la voiture rouge."
PAIR = f"{SOURCE}\t{TARGET}\n"


def trained(out, pairs_file, *settings, steps, **how):
    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file)
    limits = ("--max-steps", steps, "--set", f"train.validate_every={steps}")
    ended = attn("train", *text, "--out", out, *TINY, *settings, *limits, **how)
    assert ended.status == 0, ended.err
    return ended


@pytest.fixture(scope="module")
def several(tmp_path_factory, pairs_file, links_file):
    """A small Transformer whose first head was guided by LINKS. Do not change it."""
    out = tmp_path_factory.mktemp("runs") / "several"
    guided = ("--set", f"train.guided_alignment={links_file}", "--set", "name=several")
    trained(out, pairs_file, *TRANSFORMER, *guided, steps=60)
    return out


@pytest.mark.parametrize("settings", [{"head": "all"}, {"head": "all", "layer": 2}, {"head": 2}])
def test_heads_in_python_are_those_of_the_command_line(several, settings):
    result = attn_cli.load(several, threads=1, **settings).align(SOURCE, TARGET)
    options = [part for name, value in settings.items() for part in (f"--{name}", value)]
    (record,) = attn("align", "-m", several, "-f", "jsonl", *options, stdin=PAIR).records()
    assert result.to_dict() == record
    names = [(each.layer, each.head) for each in result.alignment.heads]
    assert names == [(each["layer"], each["head"]) for each in record.get("heads", [])]


@pytest.fixture(scope="module")
def blind(tmp_path_factory, pairs_file, links_file):
    """A model that reads the sentence into one vector, with a word aligner beside it."""
    out = tmp_path_factory.mktemp("runs") / "blind"
    links = ("--set", f"train.guided_alignment={links_file}")
    head = (
        *WORD_ALIGNER,
        "--set",
        "train.aligner_steps=2",
        "--set",
        "train.guided_alignment_weight=1",
    )
    none = ("--set", "model.attention.kind=none", "--set", "name=blind")
    trained(out, pairs_file, *links, *head, *none, steps=20)
    return out


@pytest.fixture(scope="module")
def headless(tmp_path_factory, blind):
    """The same without its word aligner."""
    out = shutil.copytree(blind, tmp_path_factory.mktemp("runs") / "headless")
    facts = json.loads((out / "bundle.json").read_text())
    del facts["files"]["word_aligner.safetensors"]
    (out / "bundle.json").write_text(json.dumps(facts))
    return out


@pytest.fixture
def align(several):
    return lambda *arguments, **how: attn("align", "-m", several, *arguments, **how)


def record_of(ended):
    assert ended.status == 0, ended.err
    (record,) = ended.records()
    return record


def fails(ended, status, *words):
    assert (ended.status, ended.stdout) == (status, b"")
    assert all(word in ended.err for word in words), ended.err
    assert ended.err.count("\n") == 1


# One head


def every_head(align, *options):
    record = record_of(align("-f", "jsonl", "--head", "all", *options, stdin=PAIR))
    return {(each["layer"], each["head"]): each for each in record["heads"]}


def test_all_heads_stand_in_a_record_layer_by_layer(align):
    heads = every_head(align)
    assert list(heads) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert list(every_head(align, "--layer", 2)) == [(2, 1), (2, 2)]
    for each in heads.values():
        for row, unaligned in zip(each["weights"], each["unaligned"], strict=True):
            assert sum(row) + unaligned == pytest.approx(1, abs=1e-3)


def test_each_head_is_what_it_is_alone(align):
    for (layer, head), expected in every_head(align).items():
        one = record_of(align("-f", "jsonl", "--layer", layer, "--head", head, stdin=PAIR))
        assert one["weights"] == expected["weights"]
        assert "heads" not in one


@pytest.mark.parametrize("mean", [["--head", "mean"], []])
@pytest.mark.parametrize("layer", [1, 2])
def test_the_mean_of_a_layer_is_that_of_its_heads(align, layer, mean):
    found = record_of(align("-f", "jsonl", "--layer", layer, *mean, stdin=PAIR))
    heads = every_head(align)
    pairs = zip(heads[layer, 1]["weights"], heads[layer, 2]["weights"], strict=True)
    for row, (first, second) in zip(found["weights"], pairs, strict=True):
        expected = [(a + b) / 2 for a, b in zip(first, second, strict=True)]
        assert row == pytest.approx(expected, abs=2e-4)


def test_the_other_fields_are_those_of_the_head_that_the_model_shows(align):
    usual = record_of(align("-f", "jsonl", stdin=PAIR))
    record = record_of(align("-f", "jsonl", "--head", "all", stdin=PAIR))
    heads = record.pop("heads")
    assert record == usual
    assert usual["weights"] == heads[0]["weights"]


def test_graphs_have_the_same_heads(several, tmp_path):
    out = shutil.copytree(several, tmp_path / "x")
    assert attn("export", out, "--precision", "fp32").status == 0
    ours, theirs = (
        every_head(
            lambda *given, e=engine, **how: attn("align", "-m", out, "--engine", e, *given, **how)
        )
        for engine in ("onnx", "torch")
    )
    for place, expected in theirs.items():
        for row, wanted in zip(ours[place]["weights"], expected["weights"], strict=True):
            assert row == pytest.approx(wanted, abs=2e-4)


@pytest.mark.parametrize("pair", ["\n", "I see\t \n"])
def test_a_blank_pair_keeps_its_place(align, pair):
    records = align("-f", "jsonl", "--head", "all", stdin=pair + PAIR).records()
    assert [len(record["heads"]) for record in records] == [4, 4]
    assert align("-f", "table", "--head", "all", stdin=pair).status == 0


def test_a_model_of_one_head_has_that_one(tiny):
    usual = record_of(attn("align", "-m", tiny, "-f", "jsonl", stdin=PAIR))
    one = record_of(attn("align", "-m", tiny, "-f", "jsonl", "--head", 1, stdin=PAIR))
    assert one == usual
    (head,) = every_head(lambda *given, **how: attn("align", "-m", tiny, *given, **how)).values()
    assert head["weights"] == usual["weights"]


def test_heads_are_the_attentions_where_there_is_an_word_aligner_too(tiny_with_aligner):
    ended = attn("align", "-m", tiny_with_aligner, "--head", 1, SOURCE, TARGET)
    assert ended.lines()[0].startswith("attention, forced")


# Side by side


def test_the_table_holds_all_heads_side_by_side(align):
    ended = align("--head", "all", SOURCE, TARGET, environment={"COLUMNS": "72"})
    found = [re.findall(r"layer \d head \d", line) for line in ended.lines()]
    assert [line for line in found if line] == [
        ["layer 1 head 1", "layer 1 head 2"],
        ["layer 2 head 1", "layer 2 head 2"],
    ]
    assert "\x1b" not in ended.out


def test_on_a_terminal_they_are_in_color_unless_that_is_not_wanted(align):
    options = ("--head", "all", SOURCE, TARGET)
    assert "\x1b[" in align(*options, terminal=True).out
    assert "48;2" not in align(*options, "--no-color", terminal=True).out


def test_a_picture_holds_all_heads(align):
    ended = align("--head", "all", "-f", "svg", SOURCE, TARGET)
    assert ended.status == 0
    assert ended.out.count("</svg>") == 1
    assert all(f"layer {layer}, head {n}<" in ended.out for layer in (1, 2) for n in (1, 2))


# What cannot be


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--head", "3"], ["no head 3", "2 layers of 2 heads"]),
        (["--layer", "3"], ["no layer 3", "2 layers of 2 heads"]),
        (["--layer", "3", "--head", "all"], ["no layer 3"]),
        (["--head", "0"], ["--head", "from 1"]),
        (["--head", "first"], ["--head", "first"]),
        (["--head", "1", "--weights", "alignment"], ["--head", "--weights alignment"]),
        (["--layer", "1", "--weights", "alignment"], ["--layer", "--weights alignment"]),
        (["--head", "all", "-f", "pharaoh"], ["pharaoh", "one head"]),
        (["--head", "all", "-f", "tsv"], ["tsv", "one head"]),
        (["--head", "1", "--reverse", "en-fr"], ["--head", "--reverse"]),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(align, options, words):
    fails(align(*options, SOURCE, TARGET), 2, *words)


def test_fit_has_no_heads():
    fails(attn("align", "--fit", "--head", "1", stdin=PAIR), 2, "--fit", "--head")


# The head that is shown


def decode_of(folder):
    return tomllib.loads((folder / "recipe.toml").read_text())["decode"]


def test_training_guides_a_head_and_then_shows_it(several):
    decode = decode_of(several)
    assert (decode["attention_layer"], decode["attention_head"]) == (1, 1)
    rows = [json.loads(line) for line in (several / "log.jsonl").read_text().splitlines()]
    (said,) = [r["message"] for r in rows if str(r.get("message")).startswith("attention shown")]
    share = re.fullmatch(r"attention shown: layer 1, head 1, which agrees .* (\d+)% .*", said)
    assert int(share[1]) >= 90


def test_the_bundle_is_whole_with_the_head_in_it(several):
    assert verify_checksums(several)["scores"]["bleu"]["score"] >= 0


def test_a_head_that_the_recipe_names_is_kept(pairs_file, links_file, tmp_path):
    named = ("--set", "decode.attention_layer=2", "--set", f"train.guided_alignment={links_file}")
    ended = trained(tmp_path / "x", pairs_file, *TRANSFORMER, *named, steps=1)
    decode = decode_of(tmp_path / "x")
    assert (decode["attention_layer"], decode["attention_head"]) == (2, 0)
    assert "attention shown" not in ended.err


def test_without_links_nothing_is_chosen(pairs_file, tmp_path):
    ended = trained(tmp_path / "x", pairs_file, *TRANSFORMER, steps=1)
    decode = decode_of(tmp_path / "x")
    assert (decode["attention_layer"], decode["attention_head"]) == (0, 0)
    assert "attention shown" not in ended.err


# No attention at all


@pytest.mark.parametrize("format", ["table", "pharaoh", "tsv", "svg"])
def test_a_model_without_attention_has_none_to_show(blind, format):
    fails(attn("translate", "-m", blind, "-f", format, SOURCE), 4, "no attention", "--weights")


def test_nor_to_align_with(blind, headless):
    attention = ("--weights", "attention", SOURCE, TARGET)
    fails(attn("align", "-m", blind, *attention), 4, "no attention", "--weights alignment")
    fails(attn("align", "-m", blind, "--head", "1", SOURCE, TARGET), 4, "no attention")
    fails(attn("align", "-m", headless, SOURCE, TARGET), 4, "no attention", "another model")


def test_its_word_aligner_is_shown_all_the_same(blind):
    shown = attn("translate", "-m", blind, "--align", "--weights", "alignment", SOURCE)
    assert shown.lines()[0].startswith("alignment, decoded")
    record = record_of(attn("align", "-m", blind, "-f", "jsonl", stdin=PAIR))
    assert record["weights"]
    assert record["score"] < 0


def test_it_translates_and_its_records_have_no_weights(blind):
    (text,) = attn("translate", "-m", blind, SOURCE).lines()
    record = record_of(attn("translate", "-m", blind, "-f", "jsonl", SOURCE))
    assert record["target"] == text
    assert record["target_words"]
    assert (record["weights"], record["unaligned"], record["links"]) == ([], [], [])
    fails(attn("translate", "-m", blind, "-f", "jsonl", "--weights", "attention", "a"), 4, "no att")


def test_a_coverage_penalty_changes_nothing_where_nothing_is_covered(blind):
    plain, covered = (
        attn("translate", "-m", blind, "-f", "text", "--n-best", 3, *penalty, *PAIRS).stdout
        for penalty in ([], ["--coverage-penalty", "1"])
    )
    assert covered == plain


def test_it_is_not_guided(blind):
    rows = [json.loads(line) for line in (blind / "log.jsonl").read_text().splitlines()]
    assert [row["guided"] for row in rows if row["event"] == "progress"] == [None]


@pytest.mark.parametrize(("kind", "shown"), [("additive", True), ("none", False)])
def test_the_panel_has_a_table_where_there_is_attention(pairs_file, tmp_path, kind, shown):
    attention = ("--set", f"model.attention.kind={kind}")
    ended = trained(tmp_path / "x", pairs_file, *attention, steps=1, terminal=True)
    assert ("attention, decoded" in ended.err) is shown
    assert (" --align" in ended.err) is shown


def test_a_page_has_the_heads_of_a_model_with_several(several):
    for command in (("translate", SOURCE), ("align", SOURCE, TARGET)):
        page = attn(*command, "--model", several, "--format", "html").out
        data = re.search(r'<script class="pairs"[^>]*>(.*?)</script>', page, re.DOTALL)[1]
        (pair,) = json.loads(data)
        assert set(pair["w"]) == {"attention", "1.1", "1.2", "2.1", "2.2"}
