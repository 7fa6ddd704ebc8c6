"""attn symmetrize: two files of links in, one out, a line for each line."""

import gzip

import pytest
from program import attn

FORWARD = ["0-0 1-1 2-2", "", "0-0 1-0"]
REVERSE = ["0-0 2-1", "", "0-0"]  # target-source
UNION = ["0-0 1-1 1-2 2-2", "", "0-0 1-0"]


@pytest.fixture
def files(tmp_path):
    def write(name, lines):
        path = tmp_path / name
        data = "".join(line + "\n" for line in lines).encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


@pytest.fixture
def symmetrize(files):
    def run(*arguments, forward=FORWARD, reverse=REVERSE, **how):
        return attn("symmetrize", files("f", forward), files("r", reverse), *arguments, **how)

    return run


def test_every_line_of_both_files_gives_one_line(symmetrize):
    ended = symmetrize("--method", "union")
    assert (ended.status, ended.err) == (0, "")
    assert ended.lines() == UNION


def test_the_method_is_grow_diag_final_and_unless_another_is_named(symmetrize):
    assert symmetrize().lines() == ["0-0 1-1 2-2", "", "0-0"]
    assert symmetrize().stdout == symmetrize("--method", "grow-diag-final-and").stdout


def test_reverse_links_may_be_source_target_already(symmetrize):
    turned = ["0-0 1-2", "", "0-0"]
    ended = symmetrize("--method", "union", "--reverse-order", "st", reverse=turned)
    assert ended.lines() == UNION


def test_moses_rule_takes_a_neighbor_of_which_one_word_is_linked(symmetrize):
    assert symmetrize("--method", "grow-diag").lines()[2] == "0-0"
    assert symmetrize("--method", "grow-diag", "--unaligned", "either").lines()[2] == "0-0 1-0"


@pytest.mark.parametrize("piped", [0, 1])
def test_one_of_the_files_may_be_stdin(files, piped):
    sides = [files("f", FORWARD), files("r", REVERSE)]
    sides[piped] = "-"
    given = "".join(line + "\n" for line in (FORWARD, REVERSE)[piped])
    ended = attn("symmetrize", *sides, "--method", "union", stdin=given)
    assert ended.lines() == UNION


def test_files_may_be_compressed_and_so_may_the_output(files, tmp_path):
    out = tmp_path / "out.gz"
    sides = files("f.gz", FORWARD), files("r.gz", REVERSE)
    assert attn("symmetrize", *sides, "--method", "union", "-o", out).stdout == b""
    assert gzip.decompress(out.read_bytes()).decode().splitlines() == UNION


def test_words_counted_from_one_stay_so(symmetrize):
    assert symmetrize("--method", "union", forward=["1-1"], reverse=["2-1"]).lines() == ["1-1 1-2"]


def test_scores_are_the_mean_of_both_where_both_have_them(symmetrize):
    weighted = {"forward": ["0-0:0.9 1-1:0.5"], "reverse": ["0-0:0.7"]}
    assert symmetrize("--method", "union", "--scores", **weighted).out == "0-0:0.80 1-1:0.25\n"
    assert symmetrize("--method", "union", **weighted).out == "0-0 1-1\n"
    assert symmetrize("--scores", forward=["0-0:0.9"], reverse=["0-0"]).out == "0-0\n"


def test_the_wrong_order_of_the_reverse_file_is_suspected(symmetrize):
    sides = {"forward": ["0-1 1-2"], "reverse": ["0-1 1-2"]}
    ended = symmetrize(**sides)
    assert ended.status == 0
    assert "--reverse-order st" in ended.err
    assert symmetrize("--reverse-order", "st", **sides).err == ""
    assert symmetrize("--quiet", **sides).err == ""


def test_files_of_unequal_length_are_refused_with_both_counts(symmetrize, tmp_path):
    ended = symmetrize("-o", tmp_path / "out", forward=FORWARD[:1])
    assert ended.status == 3
    assert "f has 1 lines but" in ended.err
    assert "r has 3" in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("link", ["0-", "a-b", "0_0", "-1-0", "0-0:x", "0p0"])
@pytest.mark.parametrize("side", ["forward", "reverse"])
def test_what_is_no_link_is_refused_with_its_file_and_line(symmetrize, side, link):
    ended = symmetrize(**{side: ["0-0", link, ""]})
    assert (ended.status, ended.stdout) == (3, b"")
    assert f"{side[0]} line 2 " in ended.err


def test_soft_is_refused_with_what_to_do_instead(symmetrize):
    ended = symmetrize("--method", "soft")
    assert (ended.status, ended.stdout) == (2, b"")
    assert "attn align --reverse" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["-", "-"],
        ["only-one"],
        ["a", "b", "--method", "grow"],
        ["a", "b", "--reverse-order", "xx"],
    ],
)
def test_what_makes_no_sense_is_wrong_usage(arguments):
    ended = attn("symmetrize", *arguments)
    assert (ended.status, ended.stdout) == (2, b"")


def test_a_file_that_is_not_there_is_bad_input(files):
    ended = attn("symmetrize", files("f", FORWARD), "no.links")
    assert (ended.status, ended.stdout) == (3, b"")
    assert "no.links" in ended.err
