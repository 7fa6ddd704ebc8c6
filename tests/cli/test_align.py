"""attn align: the weights of a given target, their links, and the AER against gold links."""

import gzip
import json

import pytest
from program import PAIRS, attn

SOURCES, TARGETS = list(PAIRS), list(PAIRS.values())
PAIRED = "".join(f"{s}\t{t}\n" for s, t in PAIRS.items())


@pytest.fixture
def align(tiny):
    return lambda *arguments, **kwargs: attn("align", "-m", tiny, *arguments, **kwargs)


@pytest.fixture
def sides(tmp_path):
    source, target = tmp_path / "a.en", tmp_path / "a.fr"
    source.write_text("\n".join(SOURCES) + "\n")
    target.write_text("\n".join(TARGETS) + "\n")
    return source, target


def test_align_gives_the_best_translation_the_weights_of_its_decoding(tiny, align):
    translations = attn("translate", "-m", tiny, "-f", "jsonl", *SOURCES).records()
    pairs = "".join(f"{record['source']}\t{record['target']}\n" for record in translations)
    for alignment, translation in zip(
        align("-f", "jsonl", stdin=pairs).records(), translations, strict=True
    ):
        assert alignment["target_words"] == translation["target_words"]
        assert alignment["score"] == pytest.approx(translation["score"], abs=1e-3)
        for row, expected in zip(alignment["weights"], translation["weights"], strict=True):
            assert row == pytest.approx(expected, abs=1e-3)


def test_a_pair_in_the_arguments_is_printed_as_a_table_even_in_a_pipe(align):
    ended = align("I see a dog.", "je vois un chien.")
    assert ended.status == 0
    assert "chien" in ended.out
    assert len(ended.lines()) > 6


def test_each_input_line_of_a_pipe_gives_one_pharaoh_line(align):
    ended = align(stdin=PAIRED)
    assert ended.status == 0
    lines = ended.lines()
    assert len(lines) == len(PAIRS)
    for line, source, target in zip(lines, SOURCES, TARGETS, strict=True):
        for link in line.split():
            s, t = map(int, link.split("-"))
            assert s <= len(source.split())
            assert t <= len(target.split())


def test_tabs_bars_and_two_files_give_the_same_links(align, sides):
    bars = PAIRED.replace("\t", " ||| ")
    expected = align(stdin=PAIRED).stdout
    assert align(stdin=bars).stdout == expected
    assert align("--source", sides[0], "--target", sides[1]).stdout == expected


def test_an_output_file_is_in_pharaoh_format_also_when_stdout_is_a_terminal(align, sides, tmp_path):
    out = tmp_path / "a.links.gz"
    args = ("--source", sides[0], "--target", sides[1])
    assert align(*args, "-o", out, terminal=True).status == 0
    assert gzip.decompress(out.read_bytes()) == align(*args).stdout


def test_a_pair_with_a_blank_side_gives_its_own_blank_line(align):
    pairs = "I see.\t\n\n\tje vois.\n \t \nI see a dog.\tje vois un chien.\n"
    assert [bool(line) for line in align(stdin=pairs).lines()] == [False] * 4 + [True]
    records = align("-f", "jsonl", stdin=pairs).records()
    assert [record["line"] for record in records] == [1, 2, 3, 4, 5]
    assert (records[0]["source_words"], records[0]["target_words"]) == (["I", "see", "."], [])
    assert records[2]["weights"] == [[], [], []]


def test_pairs_of_unusual_bytes_keep_their_line_numbers(align):
    sides = [
        b"\xff",
        "😀 e\u0301".encode(),
        b"\x00\x1b[0m",
        "a\u2028b\x85".encode(),
        b"we see " * 800,
    ]
    pairs = b"".join(side + b"\t" + side[::-1] + b"\r\n" for side in sides)
    ended = align("-f", "jsonl", stdin=pairs)
    assert ended.status == 0
    assert [r["line"] for r in ended.records()] == [1, 2, 3, 4, 5]
    assert [line.split(":")[1] for line in ended.err.splitlines()] == [
        *(" line 1", " line 2", " line 4", " line 5", " line 5")
    ]


def test_tokenized_text_is_split_into_words_at_spaces_only(align):
    source, target = "I 've don't u.s. a\u00a0b  !", "je n'aime l' www.x.fr/y 10\u00a0000"
    (record,) = align("--tokenized", "-f", "jsonl", stdin=f"{source} ||| {target}\n").records()
    assert record["source_words"] == ["I", "'ve", "don't", "u.s.", "a\u00a0b", "!"]
    assert record["target_words"] == ["je", "n'aime", "l'", "www.x.fr/y", "10\u00a0000"]


def test_tokenized_text_gets_the_same_links_as_plain_text(align):
    tokens = PAIRED.replace(".", " .")
    assert align("--tokenized", stdin=tokens).stdout == align(stdin=PAIRED).stdout


def test_files_of_unequal_length_are_refused_with_both_counts(align, sides):
    sides[1].write_text("\n".join(TARGETS[:-5]) + "\n")
    ended = align("--source", sides[0], "--target", sides[1])
    assert ended.status == 3
    assert f"{len(PAIRS)} lines" in ended.err
    assert str(len(PAIRS) - 5) in ended.err


def test_a_line_without_two_sides_is_refused_with_its_number(align):
    ended = align(stdin="I see.\tje vois.\nI see. je vois.\n")
    assert ended.status == 3
    assert "line 2" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["one text"],
        ["a", "b", "c"],
        ["--source", "a.en"],
        ["a", "b", "--source", "a.en", "--target", "a.fr"],
        ["a", "b", "--input", "a.tsv"],
        ["a", "b", "--gold", "g", "--level", "piece"],
        ["a", "b", "--threshold", "1.5"],
        ["a", "b", "--index-base", "2", "--gold", "/dev/null"],
    ],
)
def test_invalid_arguments_are_usage_errors(align, arguments):
    assert align(*arguments).status == 2


def test_other_fields_of_a_record_are_copied_to_the_output(align):
    line = json.dumps({"source": "I see.", "target": "je vois.", "id": 7, "weights": "theirs"})
    (record,) = align("--input-format", "jsonl", "-f", "jsonl", stdin=line).records()
    assert record["id"] == 7
    assert record["target"] == "je vois."
    assert record["weights"] != "theirs"


def test_a_model_without_a_word_aligner_has_no_alignment_weights(align):
    ended = align("--weights", "alignment", "a", "b")
    assert ended.status == 4
    assert "no word aligner" in ended.err


# Gold links


def write_gold_links(align, tmp_path, *, base=0):
    """Write the model's own links as a gold file; return its path and the number of links."""
    path = tmp_path / "gold"
    lines = align(stdin=PAIRED).lines()
    shifted = [
        " ".join("-".join(str(int(i) + base) for i in link.split("-")) for link in line.split())
        for line in lines
    ]
    path.write_text("\n".join(shifted) + "\n")
    return path, sum(len(line.split()) for line in lines)


@pytest.mark.parametrize("base", [0, 1])
def test_links_equal_to_the_gold_links_have_aer_0_for_either_index_base(align, tmp_path, base):
    gold, count = write_gold_links(align, tmp_path, base=base)
    ended = align("--gold", gold, stdin=PAIRED)
    assert ended.status == 0
    counts = f"{len(PAIRS)} pairs, {count} sure, 0 possible, base gold {base} links 0"
    assert ended.err == f"AER 0.0 (P 100.0 R 100.0, {counts})\n"
    assert ended.stdout == align(stdin=PAIRED).stdout


def test_a_higher_threshold_loses_recall_but_no_precision(align, tmp_path):
    gold, _ = write_gold_links(align, tmp_path)
    err = align("--gold", gold, "--threshold", "0.6", stdin=PAIRED).err
    assert "P 100.0" in err
    assert "R 100.0" not in err


def test_an_option_sets_the_index_base_of_gold_links_that_are_ambiguous(align, tmp_path):
    gold = tmp_path / "gold"
    gold.write_text("1-1\n")
    pair = "I see a dog.\tje vois un chien.\n"
    without_option = align("--gold", gold, stdin=pair)
    assert without_option.status == 3
    assert "--index-base" in without_option.err
    assert "base gold 1" in align("--gold", gold, "--index-base", "1", stdin=pair).err


def test_a_gold_file_of_another_length_is_refused_with_both_counts(align, tmp_path):
    gold = tmp_path / "gold"
    gold.write_text("0-0\n0-0\n")
    ended = align("--gold", gold, stdin=PAIRED)
    assert ended.status == 3
    assert "2 lines" in ended.err
    assert str(len(PAIRS)) in ended.err


def test_a_missing_gold_file_is_refused_before_any_output(align, tmp_path):
    ended = align("--gold", tmp_path / "none", stdin=PAIRED)
    assert (ended.status, ended.stdout) == (3, b"")


@pytest.mark.parametrize("separate_files", [True, False], ids=["source and target", "input"])
def test_a_long_file_shows_a_progress_bar_on_a_terminal_only(
    separate_files, tiny, tmp_path, monkeypatch
):
    monkeypatch.setattr("attn_cli.cli.line_progress.CHUNK", 4)
    (tmp_path / "a.en").write_text("I see a dog.\n" * 8)
    (tmp_path / "a.fr").write_text("je vois un chien.\n" * 8)
    (tmp_path / "a.tsv").write_text("I see a dog.\tje vois un chien.\n" * 8)
    sides = ("--source", tmp_path / "a.en", "--target", tmp_path / "a.fr")
    files = sides if separate_files else ("-i", tmp_path / "a.tsv")
    ended = attn("align", "-m", tiny, *files, "-o", tmp_path / "out", terminal=True)
    assert ended.status == 0
    assert "100%, 8 records" in ended.err
    assert attn("align", "-m", tiny, *files, "-o", tmp_path / "out").err == ""
