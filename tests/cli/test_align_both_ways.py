"""attn align --reverse: two models, one for each direction, and what becomes of their links."""

from typing import get_args

import pytest
from program import PAIRS, TINY, attn

from attn_cli.choices import Extraction

SOURCES, TARGETS = list(PAIRS), list(PAIRS.values())
PAIRED = "".join(f"{s}\t{t}\n" for s, t in PAIRS.items())
SWAPPED = "".join(f"{t}\t{s}\n" for s, t in PAIRS.items())


@pytest.fixture(scope="module")
def back(tmp_path_factory):
    """A model of the other direction, that has learned next to nothing."""
    folder = tmp_path_factory.mktemp("back")
    pairs = folder / "pairs.tsv"
    pairs.write_text(SWAPPED, encoding="utf-8")
    text = ("--pairs", pairs, "--valid-pairs", pairs, "--out", folder / "back")
    named = ("--set", "name=back", "--set", "source=fr", "--set", "target=en")
    ended = attn("train", *text, *TINY, *named, "--max-steps", "20")
    assert ended.status == 0, ended.err
    return folder / "back"


@pytest.fixture
def align(tiny):
    return lambda *arguments, **how: attn("align", "-m", tiny, *arguments, **how)


def symmetrized(tiny, back, folder, *arguments):
    """The links of both models, each aligned by itself, and combined by attn symmetrize."""
    forward, reverse = folder / "forward", folder / "reverse"
    forward.write_bytes(attn("align", "-m", tiny, "--extract", "argmax", stdin=PAIRED).stdout)
    reverse.write_bytes(attn("align", "-m", back, "--extract", "argmax", stdin=SWAPPED).stdout)
    return attn("symmetrize", forward, reverse, *arguments, "--quiet").stdout


@pytest.mark.parametrize("method", ["intersection", "union", "grow-diag", "grow-diag-final"])
def test_links_are_those_of_both_models_symmetrized(tiny, back, align, tmp_path, method):
    ended = align("--reverse", back, "--symmetrize", method, "--extract", "argmax", stdin=PAIRED)
    assert (ended.status, ended.err) == (0, "")
    assert ended.stdout == symmetrized(tiny, back, tmp_path, "--method", method)


def test_a_reverse_model_alone_means_grow_diag_final_and(tiny, back, align, tmp_path):
    ended = align("--reverse", back, "--extract", "argmax", stdin=PAIRED)
    assert ended.stdout == symmetrized(tiny, back, tmp_path)


def test_the_table_is_the_forward_one_unless_the_method_is_soft(back, align):
    def weights(*options):
        return [r["weights"] for r in align("-f", "jsonl", *options, stdin=PAIRED).records()]

    alone = weights()
    assert weights("--reverse", back, "--symmetrize", "union") == alone
    assert weights("--reverse", back, "--symmetrize", "soft") != alone


def test_soft_links_are_cells_of_the_table_shown(back, align):
    options = ("--reverse", back, "--symmetrize", "soft", "--threshold", "0.2")
    for record in align("-f", "jsonl", *options, stdin=PAIRED).records():
        weights = record["weights"]
        assert all(weights[t][s] == weight >= 0.2 for s, t, weight in record["links"])
        sums = [sum(row) + rest for row, rest in zip(weights, record["unaligned"], strict=True)]
        assert sums == pytest.approx([1] * len(weights), abs=1e-2)


def test_gold_scores_the_links_of_both(back, align, tmp_path):
    options = ("--reverse", back, "--symmetrize", "union")
    gold = tmp_path / "gold"
    gold.write_bytes(align(*options, stdin=PAIRED).stdout)
    assert align(*options, "--gold", gold, stdin=PAIRED).err.startswith("AER 0.0 ")


def test_a_pair_with_a_blank_side_still_gives_its_line(back, align):
    given = "I see.\t\n\tje vois.\n\t\nI see a dog.\tje vois un chien.\n"
    for method in ("soft", "union"):
        ended = align("--reverse", back, "--symmetrize", method, stdin=given)
        assert ended.lines()[:3] == ["", "", ""]
        assert len(ended.lines()) == 4


def test_a_reverse_model_that_does_not_lead_back_is_unfit(back):
    ended = attn("align", "-m", back, "--reverse", back, "a", "b")
    assert (ended.status, ended.stdout) == (4, b"")
    assert "goes from fr to en" in ended.err
    assert "is from en to fr" in ended.err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(["--symmetrize", "soft"], "--reverse"), (["--reverse", "x", "--level", "piece"], "--level")],
)
def test_what_makes_no_sense_is_wrong_usage(align, arguments, word):
    ended = align(*arguments, "a", "b")
    assert (ended.status, ended.stdout) == (2, b"")
    assert word in ended.err


# One way, but for how links are extracted


@pytest.mark.parametrize("how", ["argmax", "mutual"])
def test_the_best_of_each_row_is_one_link_for_a_target_word_at_most(align, how):
    for line in align("--extract", how, stdin=PAIRED).lines():
        targets = [link.split("-")[1] for link in line.split()]
        assert len(targets) == len(set(targets))


def test_a_threshold_is_the_least_weight_whatever_the_way(align):
    for how in get_args(Extraction):
        lines = align("--extract", how, "--threshold", "0.6", "--scores", stdin=PAIRED).lines()
        weights = [float(link.split(":")[1]) for line in lines for link in line.split()]
        assert min(weights) >= 0.6


def test_translate_extracts_as_align_does(tiny):
    options = ("-f", "pharaoh", "--extract", "mutual")
    for line in attn("translate", "-m", tiny, *options, *SOURCES).lines():
        links = [link.split("-") for link in line.split(" ||| ")[1].split()]
        assert len({s for s, _ in links}) == len({t for _, t in links}) == len(links)
