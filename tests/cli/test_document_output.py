"""Pages and pictures from the command line: their format, their tables, their gold links."""

import json
import re

import pytest
from program import PAIRS, attn

TEXTS = list(PAIRS)[:3]


def data_of(page, name):
    return json.loads(re.search(rf'<script id="{name}"[^>]*>(.*?)</script>', page, re.DOTALL)[1])


def pairs_of(page):
    """The pairs of all blocks of the page."""
    blocks = re.findall(r'<script class="pairs"[^>]*>(.*?)</script>', page, re.DOTALL)
    return [pair for block in blocks for pair in json.loads(block)]


def test_translate_writes_a_page_of_all_lines(tiny, tmp_path):
    out = tmp_path / "page.html"
    ended = attn("translate", *TEXTS, "-m", tiny, "-o", out)
    assert (ended.status, ended.out) == (0, ""), ended.err
    pairs = pairs_of(out.read_text(encoding="utf-8"))
    assert [pair["n"] for pair in pairs] == [1, 2, 3]
    assert ["".join(pair["s"]) for pair in pairs] == TEXTS
    assert ["".join(pair["t"]) for pair in pairs] == [PAIRS[text] for text in TEXTS]
    assert {name for pair in pairs for name in pair["w"]} == {"attention"}


def test_the_page_has_the_weights_of_attention_and_word_aligner(tiny_with_aligner):
    for options in ((), ("--weights", "alignment")):
        ended = attn("translate", TEXTS[0], "-m", tiny_with_aligner, "-f", "html", *options)
        (pair,) = pairs_of(ended.out)
        assert set(pair["w"]) == {"attention", "alignment"}
        assert data_of(ended.out, "info")["view"] == ("alignment" if options else "attention")


def test_the_page_of_align_has_both_weights_and_the_score_of_the_target(tiny_with_aligner):
    text = TEXTS[0]
    ended = attn("align", text, PAIRS[text], "-m", tiny_with_aligner, "-f", "html")
    (pair,) = pairs_of(ended.out)
    assert set(pair["w"]) == {"attention", "alignment"}
    record = attn("align", text, PAIRS[text], "-m", tiny_with_aligner, "-f", "jsonl").records()[0]
    assert pair["p"] == record["score"]
    assert pair["b"] == [round(logp, 3) for logp in record["logprobs"]]


def test_the_page_has_the_same_links_as_the_format_pharaoh(tiny_with_aligner, pairs_file):
    for options in (
        (),
        ("--weights", "attention"),
        ("--extract", "argmax"),
        ("--threshold", "0.9"),
    ):
        plain = attn(
            "align", "--input", pairs_file, "-m", tiny_with_aligner, "-f", "pharaoh", *options
        )
        page = attn("align", "--input", pairs_file, "-m", tiny_with_aligner, "-f", "html", *options)
        assert [sorted(pair["l"].split()) for pair in pairs_of(page.out)] == [
            sorted(line.split()) for line in plain.lines()
        ]


def test_a_blank_line_is_a_pair_too(tiny):
    ended = attn("translate", "-m", tiny, "-f", "html", stdin=f"{TEXTS[0]}\n\n{TEXTS[1]}\n")
    assert [pair["n"] for pair in pairs_of(ended.out)] == [1, 2, 3]


def test_empty_input_gives_a_page_without_pairs(tiny):
    ended = attn("translate", "-m", tiny, "-f", "html", stdin="")
    assert pairs_of(ended.out) == []


def test_gold_links_are_in_the_page(tiny_with_aligner, pairs_file, tmp_path):
    gold = tmp_path / "gold.txt"
    gold.write_text("1-1 2p2\n" * len(PAIRS))
    ended = attn(
        "align", "--input", pairs_file, "-m", tiny_with_aligner, "-f", "html", "--gold", gold,
        "--index-base", "1",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    assert data_of(ended.out, "gold") == [["0-0", "0-0 1-1"]] * len(PAIRS)
    assert "AER" in ended.err


def test_an_invalid_gold_file_leaves_no_page(tiny_with_aligner, pairs_file, tmp_path):
    gold, out = tmp_path / "gold.txt", tmp_path / "page.html"
    gold.write_text("0-0\n")
    ended = attn("align", "--input", pairs_file, "-m", tiny_with_aligner, "-o", out, "--gold", gold)
    assert ended.status == 3
    assert not out.exists()


def test_fit_writes_a_page(tmp_path):
    source, target = tmp_path / "a.en", tmp_path / "a.fr"
    source.write_text("".join(f"{s}\n" for s in PAIRS), encoding="utf-8")
    target.write_text("".join(f"{t}\n" for t in PAIRS.values()), encoding="utf-8")
    out = tmp_path / "page.html"
    sides = ("--source", source, "--target", target)
    ended = attn("align", "--fit", "--quick", *sides, "-o", out, "--threads", "1")
    assert ended.status == 0, ended.err
    page = out.read_text(encoding="utf-8")
    assert len(pairs_of(page)) == len(PAIRS)
    assert data_of(page, "info")["languages"] == {"source": "en", "target": "fr"}
    assert data_of(page, "info")["view"] == "alignment"


def test_all_heads_are_in_the_page(tiny):
    text = TEXTS[0]
    ended = attn("align", text, PAIRS[text], "-m", tiny, "-f", "html", "--head", "all")
    (pair,) = pairs_of(ended.out)
    assert set(pair["w"]) == {"attention", "1.1"}


@pytest.mark.parametrize(
    ("name", "magic"), [("a.png", b"\x89PNG"), ("a.pdf", b"%PDF-"), ("a.svg", b"<svg")]
)
def test_the_file_name_sets_the_format_of_a_picture(tiny, tmp_path, name, magic):
    if name != "a.svg":
        pytest.importorskip("typst", reason="typst is not installed")
    out = tmp_path / name
    ended = attn("translate", TEXTS[0], "-m", tiny, "-o", out)
    assert ended.status == 0, ended.err
    assert out.read_bytes().startswith(magic)


def test_a_picture_is_written_to_a_pipe_but_not_to_a_terminal(tiny):
    pytest.importorskip("typst", reason="typst is not installed")
    arguments = ("translate", TEXTS[0], "-m", tiny, "-f", "png")
    assert attn(*arguments).stdout.startswith(b"\x89PNG")
    ended = attn(*arguments, terminal=True)
    assert ended.status == 2
    assert "-o table.png" in ended.err


def test_a_picture_of_several_sentences_is_refused(tiny, tmp_path):
    ended = attn("translate", *TEXTS, "-m", tiny, "-o", tmp_path / "a.svg")
    assert ended.status == 2
    assert "--format html" in ended.err
    assert not list(tmp_path.iterdir())


def test_a_file_name_that_contradicts_the_format_is_refused(tiny, tmp_path):
    ended = attn("translate", TEXTS[0], "-m", tiny, "-o", tmp_path / "a.svg", "-f", "jsonl")
    assert ended.status == 2
    ended = attn("translate", TEXTS[0], "-m", tiny, "-o", tmp_path / "a.fr", "-f", "jsonl")
    assert ended.status == 0


def test_the_file_name_sets_the_format_of_a_compressed_file_too(tiny, tmp_path):
    import gzip

    out = tmp_path / "page.html.gz"
    assert attn("translate", TEXTS[0], "-m", tiny, "-o", out).status == 0
    assert len(pairs_of(gzip.decompress(out.read_bytes()).decode())) == 1


def test_a_shard_of_a_page_is_refused(tiny, pairs_file):
    ended = attn("translate", "-i", pairs_file, "-m", tiny, "-f", "html", "--shard", "1/2")
    assert ended.status == 2


def test_a_warning_names_the_letters_that_no_font_has(tiny, tmp_path):
    pytest.importorskip("typst", reason="typst is not installed")
    khitan = "\U00018b00"
    ended = attn("align", f"I {khitan}", "je", "-m", tiny, "-o", tmp_path / "a.png")
    assert ended.status == 0
    assert f"no font on this machine has {khitan}" in ended.err
    assert attn("align", "I", "je", "-m", tiny, "-o", tmp_path / "b.png").err == ""
