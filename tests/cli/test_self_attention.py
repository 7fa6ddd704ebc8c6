"""attn align --show encoder|decoder: square tables, the decoder's empty above its diagonal."""

import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from program import TINY, TRANSFORMER, attn

from attn_cli.errors import ExitStatus

SOURCE, TARGET = "I see the red car.", "je vois la voiture rouge."
PAIR = f"{SOURCE}\t{TARGET}\n"


@pytest.fixture(scope="module")
def transformer(tmp_path_factory, pairs_file):
    """A Transformer of one encoder layer and two decoder layers, each of two heads, untrained."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file, "--out", out)
    limits = ("--max-steps", 1, "--set", "train.validate_every=1", "--set", "name=tiny")
    languages = ("--set", "source=en", "--set", "target=fr")
    result = attn("train", *text, *TINY, *TRANSFORMER, *limits, *languages)
    assert result.status == 0, result.err
    return out


def show(model, side: str, *options: object, format: str = "jsonl"):
    return attn("align", "-m", model, "--show", side, "-f", format, *options, stdin=PAIR)


def test_the_encoders_table_has_a_row_and_a_column_for_each_source_word(transformer):
    (record,) = show(transformer, "encoder").records()
    assert record["source_words"] == record["target_words"] == [*SOURCE[:-1].split(), "."]
    weights = np.array(record["weights"])
    assert weights.shape == (6, 6)
    np.testing.assert_allclose(weights.sum(1) + record["unaligned"], 1, atol=1e-3)


def test_the_decoders_table_is_empty_above_its_diagonal(transformer):
    (record,) = show(transformer, "decoder").records()
    assert record["source_words"] == record["target_words"] == [*TARGET[:-1].split(), "."]
    weights = np.array(record["weights"])
    assert not np.triu(weights, 1).any()
    assert (np.diag(weights) > 0).all()
    table = show(transformer, "decoder", format="table").out.splitlines()
    title, sentence = table[:2]
    assert title.startswith("decoder self-attention — ")
    assert sentence == TARGET
    first, *_, last = [line for line in table[4:] if line.strip()]
    assert (first.count("0."), last.count("0.")) == (2, 7)  # itself and (start); all and (start)
    assert "·" not in "".join(table[4:])


@pytest.mark.parametrize(("side", "layers"), [("encoder", 1), ("decoder", 2)])
def test_head_all_shows_all_heads_in_one_grid(transformer, side, layers):
    (record,) = show(transformer, side, "--head", "all").records()
    heads = [(each["layer"], each["head"]) for each in record["heads"]]
    assert heads == [(layer, head) for layer in range(1, layers + 1) for head in (1, 2)]
    grid = show(transformer, side, "--head", "all", format="table").out
    assert "layer 1 head 2" in grid


def test_without_a_head_option_the_mean_of_the_heads_is_shown(transformer):
    (mean,) = show(transformer, "decoder", "--layer", 2).records()
    each = [
        show(transformer, "decoder", "--layer", 2, "--head", n).records()[0]["weights"]
        for n in (1, 2)
    ]
    np.testing.assert_allclose(np.mean(each, axis=0), mean["weights"], atol=2e-4)


def test_an_svg_of_the_decoder_has_no_cells_above_the_diagonal(transformer):
    root = ET.fromstring(show(transformer, "decoder", format="svg").out)
    names = "{http://www.w3.org/2000/svg}"
    cells = [g for g in root.iter(f"{names}g") if g.find(f"{names}title") is not None]
    assert len(cells) == 6 * 7 / 2


def test_a_blank_pair_gives_a_blank_record(transformer):
    result = attn("align", "-m", transformer, "--show", "encoder", "-f", "jsonl", stdin="\t\n")
    (record,) = result.records()
    assert record["weights"] == []


@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_translate_shows_the_same_tables_as_align_of_the_same_pairs(transformer, side):
    options = ("-m", transformer, "--show", side, "-f", "jsonl", "--threads", 1)
    lines = f"{SOURCE}\n\nThank you.\n"
    texts = attn("translate", "-m", transformer, "--threads", 1, stdin=lines).out.splitlines()
    pairs = "".join(f"{s}\t{t}\n" for s, t in zip(lines.splitlines(), texts, strict=True))
    result = attn("translate", *options, stdin=lines)
    assert (result.status, result.out) == (0, attn("align", *options, stdin=pairs).out)
    assert [record["line"] for record in result.records()] == [1, 2, 3]


@pytest.mark.parametrize(
    ("side", "count", "language"), [("encoder", 2, "en"), ("decoder", 4, "fr")]
)
def test_a_page_has_the_tables_of_all_heads(transformer, side, count, language):
    page = show(transformer, side, format="html").out
    (pair,) = json.loads(re.search(r'class="pairs"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
    assert f"{side} self-attention" in pair["w"]
    assert len(pair["w"]) == 1 + count
    assert f'"languages":{{"source":"{language}","target":"{language}"}}' in page
    result = attn("translate", "-m", transformer, "--show", side, "-f", "html", SOURCE)
    assert (result.status, f'"view":"{side} self-attention"' in result.out) == (0, True)


def test_a_line_in_capitals_has_the_weights_of_the_line_that_the_network_reads(transformer):
    (expected,) = show(transformer, "encoder").records()
    options = ("-m", transformer, "--show", "encoder", "-f", "jsonl")
    (record,) = attn("translate", *options, SOURCE.upper()).records()
    assert record["source_words"] == [word.upper() for word in expected["source_words"]]
    assert record["weights"] == expected["weights"]


def test_translate_refuses_options_that_conflict_with_show(transformer):
    for options in (["-f", "text"], ["--n-best", 2], ["--scores"], ["--weights", "alignment"]):
        result = attn("translate", "-m", transformer, "--show", "encoder", *options, SOURCE)
        assert (result.status, result.out) == (ExitStatus.USAGE, "")


def test_explain_shows_the_heads_of_a_layer_and_their_mean(transformer):
    options = ("-m", transformer, "--layer", 2, "--threads", 1)
    text = attn("explain", SOURCE, *options, "--step", 5).out
    assert "head 1   head 2" in text
    assert " mean\n" in text
    records = attn("explain", SOURCE, *options, "--step", 5, "-f", "jsonl").records()
    assert {(each["layer"], each["head"]) for each in records[:-1]} == {(2, 1), (2, 2)}
    one_head = attn("explain", SOURCE, *options, "--head", 2, "--step", 5, "-f", "jsonl").records()
    assert {(each["layer"], each["head"]) for each in one_head[:-1]} == {(2, 2)}


@pytest.mark.parametrize(
    ("side", "options", "problem"),
    [
        ("encoder", ["--format", "pharaoh"], "so it has no pharaoh"),
        ("encoder", ["--reverse", "fr-en"], "which excludes --reverse"),
        ("decoder", ["--weights", "attention"], "which excludes --weights"),
        ("encoder", ["--layer", "3"], "there is no layer 3"),
        ("decoder", ["--head", "5"], "there is no head 5"),
    ],
)
def test_align_refuses_show_with_conflicting_options_or_an_unknown_head(
    transformer, side, options, problem
):
    arguments = options if "--format" in options else [*options, "-f", "jsonl"]
    result = attn("align", "-m", transformer, "--show", side, *arguments, stdin=PAIR)
    assert (result.status, result.out) == (ExitStatus.USAGE, "")
    assert problem in result.err


def test_a_recurrent_encoder_has_no_self_attention_to_show():
    result = show("en-fr", "encoder")
    assert result.status == ExitStatus.BAD_MODEL
    assert "the encoder of the model has no self-attention" in result.err
