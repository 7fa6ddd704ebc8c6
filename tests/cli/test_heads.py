"""attn align --head and --layer, the head that training chooses, and a model without attention."""

import json
import re
import shutil
import tomllib

import pytest
from program import PAIRS, TINY, TRANSFORMER, WORD_ALIGNER, assert_fails, attn
from training_log import read_events

import attn_cli
from attn_cli.bundles.manifest import verify_checksums

SOURCE, TARGET = "I see the red car.", "je vois la voiture rouge."
PAIR = f"{SOURCE}\t{TARGET}\n"


def train(out, pairs_file, *settings, steps, **kwargs):
    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file)
    limits = ("--max-steps", steps, "--set", f"train.validate_every={steps}")
    ended = attn("train", *text, "--out", out, *TINY, *settings, *limits, **kwargs)
    assert ended.status == 0, ended.err
    return ended


@pytest.fixture(scope="module")
def transformer(tmp_path_factory, pairs_file, links_file):
    """The folder of a small Transformer whose first head was guided by LINKS. Do not change it."""
    out = tmp_path_factory.mktemp("runs") / "several"
    settings = ("--set", f"train.guided_alignment={links_file}", "--set", "name=several")
    train(out, pairs_file, *TRANSFORMER, *settings, steps=60)
    return out


@pytest.mark.parametrize("settings", [{"head": "all"}, {"head": "all", "layer": 2}, {"head": 2}])
def test_heads_in_python_are_those_of_the_command_line(transformer, settings):
    result = attn_cli.load(transformer, threads=1, **settings).align(SOURCE, TARGET)
    options = [part for name, value in settings.items() for part in (f"--{name}", value)]
    (record,) = attn("align", "-m", transformer, "-f", "jsonl", *options, stdin=PAIR).records()
    assert result.to_dict() == record
    names = [(each.layer, each.head) for each in result.alignment.heads]
    assert names == [(each["layer"], each["head"]) for each in record.get("heads", [])]


@pytest.fixture(scope="module")
def without_attention(tmp_path_factory, pairs_file, links_file):
    """The folder of a model without attention, with a word aligner."""
    out = tmp_path_factory.mktemp("runs") / "blind"
    links = ("--set", f"train.guided_alignment={links_file}")
    aligner = (
        *WORD_ALIGNER,
        "--set",
        "train.aligner_steps=2",
        "--set",
        "train.guided_alignment_weight=1",
    )
    attention = ("--set", "model.attention.kind=none", "--set", "name=blind")
    train(out, pairs_file, *links, *aligner, *attention, steps=20)
    return out


@pytest.fixture(scope="module")
def without_aligner(tmp_path_factory, without_attention):
    """The folder of the same model without its word aligner."""
    out = shutil.copytree(without_attention, tmp_path_factory.mktemp("runs") / "headless")
    facts = json.loads((out / "bundle.json").read_text())
    del facts["files"]["word_aligner.safetensors"]
    (out / "bundle.json").write_text(json.dumps(facts))
    return out


@pytest.fixture
def align(transformer):
    return lambda *arguments, **kwargs: attn("align", "-m", transformer, *arguments, **kwargs)


def record_of(ended):
    assert ended.status == 0, ended.err
    (record,) = ended.records()
    return record


# One head


def head_records(align, *options):
    record = record_of(align("-f", "jsonl", "--head", "all", *options, stdin=PAIR))
    return {(each["layer"], each["head"]): each for each in record["heads"]}


def test_a_record_lists_all_heads_layer_by_layer(align):
    heads = head_records(align)
    assert list(heads) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert list(head_records(align, "--layer", 2)) == [(2, 1), (2, 2)]
    for each in heads.values():
        for row, unaligned in zip(each["weights"], each["unaligned"], strict=True):
            assert sum(row) + unaligned == pytest.approx(1, abs=1e-3)


def test_each_head_has_the_same_weights_when_it_is_selected_alone(align):
    for (layer, head), expected in head_records(align).items():
        one = record_of(align("-f", "jsonl", "--layer", layer, "--head", head, stdin=PAIR))
        assert one["weights"] == expected["weights"]
        assert "heads" not in one


@pytest.mark.parametrize("mean", [["--head", "mean"], []])
@pytest.mark.parametrize("layer", [1, 2])
def test_the_mean_of_a_layer_is_that_of_its_heads(align, layer, mean):
    record = record_of(align("-f", "jsonl", "--layer", layer, *mean, stdin=PAIR))
    heads = head_records(align)
    pairs = zip(heads[layer, 1]["weights"], heads[layer, 2]["weights"], strict=True)
    for row, (first, second) in zip(record["weights"], pairs, strict=True):
        expected = [(a + b) / 2 for a, b in zip(first, second, strict=True)]
        assert row == pytest.approx(expected, abs=2e-4)


def test_the_other_fields_of_a_record_are_those_of_the_default_head(align):
    default = record_of(align("-f", "jsonl", stdin=PAIR))
    record = record_of(align("-f", "jsonl", "--head", "all", stdin=PAIR))
    heads = record.pop("heads")
    assert record == default
    assert default["weights"] == heads[0]["weights"]


def test_the_graphs_give_the_same_heads_as_torch(transformer, tmp_path):
    out = shutil.copytree(transformer, tmp_path / "x")
    assert attn("export", out, "--precision", "fp32").status == 0
    onnx_heads, torch_heads = (
        head_records(
            lambda *args, e=engine, **kwargs: attn(
                "align", "-m", out, "--engine", e, *args, **kwargs
            )
        )
        for engine in ("onnx", "torch")
    )
    for head, expected in torch_heads.items():
        for row, expected_row in zip(onnx_heads[head]["weights"], expected["weights"], strict=True):
            assert row == pytest.approx(expected_row, abs=2e-4)


@pytest.mark.parametrize("pair", ["\n", "I see\t \n"])
def test_a_blank_pair_has_a_record_with_all_heads(align, pair):
    records = align("-f", "jsonl", "--head", "all", stdin=pair + PAIR).records()
    assert [len(record["heads"]) for record in records] == [4, 4]
    assert align("-f", "table", "--head", "all", stdin=pair).status == 0


def test_head_1_of_a_model_with_one_head_is_its_attention(tiny):
    default = record_of(attn("align", "-m", tiny, "-f", "jsonl", stdin=PAIR))
    head_1 = record_of(attn("align", "-m", tiny, "-f", "jsonl", "--head", 1, stdin=PAIR))
    assert head_1 == default
    (head,) = head_records(
        lambda *args, **kwargs: attn("align", "-m", tiny, *args, **kwargs)
    ).values()
    assert head["weights"] == default["weights"]


def test_the_option_head_selects_attention_in_a_model_with_a_word_aligner_too(tiny_with_aligner):
    ended = attn("align", "-m", tiny_with_aligner, "--head", 1, SOURCE, TARGET)
    assert ended.lines()[0].startswith("attention, forced")


# Tables and pictures


def test_the_table_holds_all_heads_side_by_side(align):
    ended = align("--head", "all", SOURCE, TARGET, environment={"COLUMNS": "72"})
    titles = [re.findall(r"layer \d head \d", line) for line in ended.lines()]
    assert [line for line in titles if line] == [
        ["layer 1 head 1", "layer 1 head 2"],
        ["layer 2 head 1", "layer 2 head 2"],
    ]
    assert "\x1b" not in ended.out


def test_all_heads_are_in_color_on_a_terminal_but_not_with_no_color(align):
    options = ("--head", "all", SOURCE, TARGET)
    assert "\x1b[" in align(*options, terminal=True).out
    assert "48;2" not in align(*options, "--no-color", terminal=True).out


def test_a_picture_holds_all_heads(align):
    ended = align("--head", "all", "-f", "svg", SOURCE, TARGET)
    assert ended.status == 0
    assert ended.out.count("</svg>") == 1
    assert all(f"layer {layer}, head {n}<" in ended.out for layer in (1, 2) for n in (1, 2))


# Refusals


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
def test_invalid_arguments_are_usage_errors_of_one_line(align, options, words):
    assert_fails(align(*options, SOURCE, TARGET), 2, *words)


def test_fit_has_no_heads():
    assert_fails(attn("align", "--fit", "--head", "1", stdin=PAIR), 2, "--fit", "--head")


# The head that training chooses


def decode_of(folder):
    return tomllib.loads((folder / "recipe.toml").read_text())["decode"]


def test_training_guides_a_head_and_makes_it_the_default(transformer):
    decode = decode_of(transformer)
    assert (decode["attention_layer"], decode["attention_head"]) == (1, 1)
    rows = read_events(transformer)
    (message,) = [r["message"] for r in rows if str(r.get("message")).startswith("attention shown")]
    match = re.fullmatch(r"attention shown: layer 1, head 1, which agrees .* (\d+)% .*", message)
    assert int(match[1]) >= 90


def test_the_bundle_has_valid_checksums_after_the_choice_of_a_head(transformer):
    assert verify_checksums(transformer)["scores"]["bleu"]["score"] >= 0


def test_training_keeps_the_head_that_the_recipe_names(pairs_file, links_file, tmp_path):
    args = ("--set", "decode.attention_layer=2", "--set", f"train.guided_alignment={links_file}")
    ended = train(tmp_path / "x", pairs_file, *TRANSFORMER, *args, steps=1)
    decode = decode_of(tmp_path / "x")
    assert (decode["attention_layer"], decode["attention_head"]) == (2, 0)
    assert "attention shown" not in ended.err


def test_training_without_links_chooses_no_head(pairs_file, tmp_path):
    ended = train(tmp_path / "x", pairs_file, *TRANSFORMER, steps=1)
    decode = decode_of(tmp_path / "x")
    assert (decode["attention_layer"], decode["attention_head"]) == (0, 0)
    assert "attention shown" not in ended.err


# Models without attention


@pytest.mark.parametrize("format", ["table", "pharaoh", "tsv", "svg"])
def test_a_model_without_attention_cannot_show_attention(without_attention, format):
    assert_fails(
        attn("translate", "-m", without_attention, "-f", format, SOURCE),
        4,
        "no attention",
        "--weights",
    )


def test_a_model_without_attention_cannot_align_by_attention(without_attention, without_aligner):
    attention = ("--weights", "attention", SOURCE, TARGET)
    assert_fails(
        attn("align", "-m", without_attention, *attention), 4, "no attention", "--weights alignment"
    )
    assert_fails(
        attn("align", "-m", without_attention, "--head", "1", SOURCE, TARGET), 4, "no attention"
    )
    assert_fails(
        attn("align", "-m", without_aligner, SOURCE, TARGET), 4, "no attention", "another model"
    )


def test_a_model_without_attention_shows_the_weights_of_its_word_aligner(without_attention):
    ended = attn("translate", "-m", without_attention, "--align", "--weights", "alignment", SOURCE)
    assert ended.lines()[0].startswith("alignment, decoded")
    record = record_of(attn("align", "-m", without_attention, "-f", "jsonl", stdin=PAIR))
    assert record["weights"]
    assert record["score"] < 0


def test_a_model_without_attention_translates_and_its_records_have_no_weights(without_attention):
    (text,) = attn("translate", "-m", without_attention, SOURCE).lines()
    record = record_of(attn("translate", "-m", without_attention, "-f", "jsonl", SOURCE))
    assert record["target"] == text
    assert record["target_words"]
    assert (record["weights"], record["unaligned"], record["links"]) == ([], [], [])
    assert_fails(
        attn("translate", "-m", without_attention, "-f", "jsonl", "--weights", "attention", "a"),
        4,
        "no att",
    )


def test_a_coverage_penalty_has_no_effect_without_attention(without_attention):
    plain, with_penalty = (
        attn(
            "translate", "-m", without_attention, "-f", "text", "--n-best", 3, *penalty, *PAIRS
        ).stdout
        for penalty in ([], ["--coverage-penalty", "1"])
    )
    assert with_penalty == plain


def test_a_model_without_attention_is_not_guided(without_attention):
    rows = read_events(without_attention, "progress")
    assert [row["guided"] for row in rows] == [None]


@pytest.mark.parametrize(("kind", "has_table"), [("additive", True), ("none", False)])
def test_the_panel_of_training_has_a_table_if_the_model_has_attention(
    pairs_file, tmp_path, kind, has_table
):
    attention = ("--set", f"model.attention.kind={kind}")
    ended = train(tmp_path / "x", pairs_file, *attention, steps=1, terminal=True)
    assert ("attention, decoded" in ended.err) is has_table
    assert (" --align" in ended.err) is has_table


def test_a_page_has_all_heads_of_the_model(transformer):
    for command in (("translate", SOURCE), ("align", SOURCE, TARGET)):
        page = attn(*command, "--model", transformer, "--format", "html").out
        data = re.search(r'<script class="pairs"[^>]*>(.*?)</script>', page, re.DOTALL)[1]
        (pair,) = json.loads(data)
        assert set(pair["w"]) == {"attention", "1.1", "1.2", "2.1", "2.2"}
