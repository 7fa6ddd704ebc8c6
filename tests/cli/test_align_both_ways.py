"""attn align --reverse: the links of two models, one for each direction, and their merging."""

from typing import get_args

import pytest
from program import PAIRS, TINY, attn

from attn_cli.choices import Extraction

SOURCES, TARGETS = list(PAIRS), list(PAIRS.values())
PAIRED = "".join(f"{s}\t{t}\n" for s, t in PAIRS.items())
SWAPPED = "".join(f"{t}\t{s}\n" for s, t in PAIRS.items())


@pytest.fixture(scope="module")
def reverse_model(tmp_path_factory):
    """The folder of a model of the other direction, trained for a few steps only."""
    folder = tmp_path_factory.mktemp("back")
    pairs = folder / "pairs.tsv"
    pairs.write_text(SWAPPED, encoding="utf-8")
    text = ("--pairs", pairs, "--valid-pairs", pairs, "--out", folder / "back")
    languages = ("--set", "name=back", "--set", "source=fr", "--set", "target=en")
    ended = attn("train", *text, *TINY, *languages, "--max-steps", "20")
    assert ended.status == 0, ended.err
    return folder / "back"


@pytest.fixture
def align(tiny):
    return lambda *arguments, **kwargs: attn("align", "-m", tiny, *arguments, **kwargs)


def symmetrize_links(tiny, reverse_model, folder, *arguments):
    """Align with each model alone, and merge the links with attn symmetrize."""
    forward, reverse = folder / "forward", folder / "reverse"
    forward.write_bytes(attn("align", "-m", tiny, "--extract", "argmax", stdin=PAIRED).stdout)
    reverse.write_bytes(
        attn("align", "-m", reverse_model, "--extract", "argmax", stdin=SWAPPED).stdout
    )
    return attn("symmetrize", forward, reverse, *arguments, "--quiet").stdout


@pytest.mark.parametrize("method", ["intersection", "union", "grow-diag", "grow-diag-final"])
def test_the_links_are_the_symmetrized_links_of_both_models(
    tiny, reverse_model, align, tmp_path, method
):
    ended = align(
        "--reverse", reverse_model, "--symmetrize", method, "--extract", "argmax", stdin=PAIRED
    )
    assert (ended.status, ended.err) == (0, "")
    assert ended.stdout == symmetrize_links(tiny, reverse_model, tmp_path, "--method", method)


def test_the_default_symmetrization_is_grow_diag_final_and(tiny, reverse_model, align, tmp_path):
    ended = align("--reverse", reverse_model, "--extract", "argmax", stdin=PAIRED)
    assert ended.stdout == symmetrize_links(tiny, reverse_model, tmp_path)


def test_the_weights_are_those_of_the_forward_model_unless_the_method_is_soft(reverse_model, align):
    def weights(*options):
        return [r["weights"] for r in align("-f", "jsonl", *options, stdin=PAIRED).records()]

    forward_weights = weights()
    assert weights("--reverse", reverse_model, "--symmetrize", "union") == forward_weights
    assert weights("--reverse", reverse_model, "--symmetrize", "soft") != forward_weights


def test_soft_links_have_the_weights_of_the_record(reverse_model, align):
    options = ("--reverse", reverse_model, "--symmetrize", "soft", "--threshold", "0.2")
    for record in align("-f", "jsonl", *options, stdin=PAIRED).records():
        weights = record["weights"]
        assert all(weights[t][s] == weight >= 0.2 for s, t, weight in record["links"])
        sums = [sum(row) + rest for row, rest in zip(weights, record["unaligned"], strict=True)]
        assert sums == pytest.approx([1] * len(weights), abs=1e-2)


def test_the_aer_is_that_of_the_symmetrized_links(reverse_model, align, tmp_path):
    options = ("--reverse", reverse_model, "--symmetrize", "union")
    gold = tmp_path / "gold"
    gold.write_bytes(align(*options, stdin=PAIRED).stdout)
    assert align(*options, "--gold", gold, stdin=PAIRED).err.startswith("AER 0.0 ")


def test_a_pair_with_a_blank_side_gives_a_blank_line(reverse_model, align):
    pairs = "I see.\t\n\tje vois.\n\t\nI see a dog.\tje vois un chien.\n"
    for method in ("soft", "union"):
        ended = align("--reverse", reverse_model, "--symmetrize", method, stdin=pairs)
        assert ended.lines()[:3] == ["", "", ""]
        assert len(ended.lines()) == 4


def test_a_reverse_model_of_the_same_direction_is_refused(reverse_model):
    ended = attn("align", "-m", reverse_model, "--reverse", reverse_model, "a", "b")
    assert (ended.status, ended.stdout) == (4, b"")
    assert "goes from fr to en" in ended.err
    assert "is from en to fr" in ended.err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(["--symmetrize", "soft"], "--reverse"), (["--reverse", "x", "--level", "piece"], "--level")],
)
def test_invalid_arguments_are_usage_errors(align, arguments, word):
    ended = align(*arguments, "a", "b")
    assert (ended.status, ended.stdout) == (2, b"")
    assert word in ended.err


# Extraction of links


@pytest.mark.parametrize("method", ["argmax", "mutual"])
def test_argmax_and_mutual_link_each_target_word_at_most_once(align, method):
    for line in align("--extract", method, stdin=PAIRED).lines():
        targets = [link.split("-")[1] for link in line.split()]
        assert len(targets) == len(set(targets))


def test_no_extraction_method_links_below_the_threshold(align):
    for method in get_args(Extraction):
        lines = align("--extract", method, "--threshold", "0.6", "--scores", stdin=PAIRED).lines()
        weights = [float(link.split(":")[1]) for line in lines for link in line.split()]
        assert min(weights) >= 0.6


def test_translate_extracts_the_links_that_align_extracts(tiny, align):
    options = ("--extract", "mutual", "--threshold", "0")
    lines = attn("translate", "-m", tiny, "-f", "pharaoh", *options, *SOURCES).lines()
    texts, links = zip(*(line.split(" ||| ") for line in lines), strict=True)
    pairs = "".join(f"{s}\t{t}\n" for s, t in zip(SOURCES, texts, strict=True))
    assert all(links)
    assert list(links) == align(*options, stdin=pairs).lines()
    assert list(links) != align("--extract", "argmax", "--threshold", "0", stdin=pairs).lines()
