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
    def run(*arguments, forward=FORWARD, reverse=REVERSE, **options):
        return attn("symmetrize", files("f", forward), files("r", reverse), *arguments, **options)

    return run


def test_every_line_of_both_files_gives_one_line(symmetrize):
    result = symmetrize("--method", "union")
    assert (result.status, result.err) == (0, "")
    assert result.lines() == UNION


def test_the_default_method_is_grow_diag_final_and(symmetrize):
    assert symmetrize().lines() == ["0-0 1-1 2-2", "", "0-0"]
    assert symmetrize().stdout == symmetrize("--method", "grow-diag-final-and").stdout


def test_reverse_links_may_be_in_source_target_order(symmetrize):
    reverse_links = ["0-0 1-2", "", "0-0"]
    result = symmetrize("--method", "union", "--reverse-order", "st", reverse=reverse_links)
    assert result.lines() == UNION


def test_the_rule_of_moses_adds_a_neighbor_if_one_of_its_words_is_unaligned(symmetrize):
    assert symmetrize("--method", "grow-diag").lines()[2] == "0-0"
    assert symmetrize("--method", "grow-diag", "--unaligned", "either").lines()[2] == "0-0 1-0"


@pytest.mark.parametrize("index", [0, 1])
def test_one_of_the_files_may_be_stdin(files, index):
    sides = [files("f", FORWARD), files("r", REVERSE)]
    sides[index] = "-"
    content = "".join(line + "\n" for line in (FORWARD, REVERSE)[index])
    result = attn("symmetrize", *sides, "--method", "union", stdin=content)
    assert result.lines() == UNION


def test_files_may_be_compressed_and_so_may_the_output(files, tmp_path):
    out = tmp_path / "out.gz"
    sides = files("f.gz", FORWARD), files("r.gz", REVERSE)
    assert attn("symmetrize", *sides, "--method", "union", "-o", out).stdout == b""
    assert gzip.decompress(out.read_bytes()).decode().splitlines() == UNION


def test_links_that_count_from_one_keep_their_base(symmetrize):
    assert symmetrize("--method", "union", forward=["1-1"], reverse=["2-1"]).lines() == ["1-1 1-2"]


def test_scores_are_the_mean_of_both_files_if_both_have_scores(symmetrize):
    weighted = {"forward": ["0-0:0.9 1-1:0.5"], "reverse": ["0-0:0.7"]}
    assert symmetrize("--method", "union", "--scores", **weighted).out == "0-0:0.80 1-1:0.25\n"
    assert symmetrize("--method", "union", **weighted).out == "0-0 1-1\n"
    assert symmetrize("--scores", forward=["0-0:0.9"], reverse=["0-0"]).out == "0-0\n"


def test_a_reverse_file_in_the_wrong_order_causes_a_hint(symmetrize):
    sides = {"forward": ["0-1 1-2"], "reverse": ["0-1 1-2"]}
    result = symmetrize(**sides)
    assert result.status == 0
    assert "--reverse-order st" in result.err
    assert symmetrize("--reverse-order", "st", **sides).err == ""
    assert symmetrize("--quiet", **sides).err == ""


def test_files_of_unequal_length_are_refused_with_both_counts(symmetrize, tmp_path):
    result = symmetrize("-o", tmp_path / "out", forward=FORWARD[:1])
    assert result.status == 3
    assert "f has 1 lines but" in result.err
    assert "r has 3" in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("link", ["0-", "a-b", "0_0", "-1-0", "0-0:x", "0p0"])
@pytest.mark.parametrize("side", ["forward", "reverse"])
def test_an_invalid_link_is_refused_with_its_file_and_line(symmetrize, side, link):
    result = symmetrize(**{side: ["0-0", link, ""]})
    assert (result.status, result.stdout) == (3, b"")
    assert f"{side[0]} line 2 " in result.err


def test_the_soft_method_is_refused_with_an_alternative(symmetrize):
    result = symmetrize("--method", "soft")
    assert (result.status, result.stdout) == (2, b"")
    assert "attn align --reverse" in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["-", "-"],
        ["only-one"],
        ["a", "b", "--method", "grow"],
        ["a", "b", "--reverse-order", "xx"],
    ],
)
def test_invalid_or_missing_arguments_are_usage_errors(arguments):
    result = attn("symmetrize", *arguments)
    assert (result.status, result.stdout) == (2, b"")


def test_a_file_that_is_not_there_is_bad_input(files):
    result = attn("symmetrize", files("f", FORWARD), "no.links")
    assert (result.status, result.stdout) == (3, b"")
    assert "no.links" in result.err
