"""attn translate --shard and align --shard: the concatenated outputs are that of the file."""

import gzip
import json
import random
from functools import partial

import pytest
from program import LINKS, PAIRS, attn

from attn_cli.cli.input import CHUNK, Shard
from attn_cli.data.text_input import count_lines, open_lines

SOURCES = list(PAIRS)

#: A case of `make slow`.
slow = partial(pytest.param, marks=pytest.mark.slow)


@pytest.fixture
def text(tmp_path):
    """2,500 lines, so three blocks, some blank and some hostile."""
    rng = random.Random(12)
    lines = [rng.choice([*SOURCES, "", "  ", "I see \u2028 you.\r"]) for _ in range(2500)]
    path = tmp_path / "a.en"
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return path


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("total", [0, 1, CHUNK, CHUNK + 1, 10_000, 1_000_000])
def test_each_line_is_in_one_shard_in_order(total, count):
    parts = [Shard(number, count).lines(total) for number in range(1, count + 1)]
    assert [line for part in parts for line in part] == list(range(total))
    assert all(part.start % CHUNK == 0 for part in parts if part)


def test_shard_sizes_of_a_large_file_differ_by_at_most_one_block():
    parts = [Shard(number, 64).lines(10_000_001) for number in range(1, 65)]
    assert max(map(len, parts)) - min(map(len, parts)) <= CHUNK


@pytest.mark.parametrize(
    ("format", "count"),
    [
        *(("text", 3), ("jsonl", 5)),
        *(slow("text", 2), slow("text", 5), slow("jsonl", 2), slow("jsonl", 3)),
    ],
)
def test_the_concatenated_outputs_of_all_shards_are_the_output_of_the_file(
    text, tiny, format, count
):
    options = ("-m", tiny, "-i", text, "-f", format, "--beam", "1")
    expected = attn("translate", *options)
    parts = [attn("translate", *options, "--shard", f"{n}/{count}") for n in range(1, count + 1)]
    assert expected.stdout.count(b"\n") == 2500
    assert b"".join(part.stdout for part in parts) == expected.stdout


def test_the_shards_of_jsonl_input_have_the_records_of_the_file(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("attn_cli.cli.input.CHUNK", 8)  # so that a shard needs few lines
    records = [{"source": source, "id": n} for n, source in enumerate(SOURCES[:20])]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f"{json.dumps(each)}\n" for each in records))
    options = ("-m", tiny, "-i", path, "--input-format", "jsonl", "-f", "jsonl", "--beam", "1")
    parts = [attn("translate", *options, "--shard", f"{n}/3") for n in (1, 2, 3)]
    ids = [[record["id"] for record in part.records()] for part in parts]
    assert ids == [[*range(8)], [*range(8, 16)], [*range(16, 20)]]
    assert b"".join(part.stdout for part in parts) == attn("translate", *options).stdout


def test_a_shard_of_compressed_input_is_that_of_the_text(text, tiny, tmp_path):
    compressed = tmp_path / "a.gz"
    compressed.write_bytes(gzip.compress(text.read_bytes()))
    options = ("--beam", "1", "-m", tiny, "--shard", "2/3")
    plain = attn("translate", "-i", text, *options)
    assert plain.stdout.count(b"\n") == 1024
    assert attn("translate", "-i", compressed, *options).stdout == plain.stdout


def sides_in(folder):
    """Return the options that name both files of a folder."""
    return ("--source", folder / "a.en", "--target", folder / "a.fr")


def test_shards_of_two_parallel_files_are_those_of_their_pairs(tiny_with_aligner, tmp_path):
    lines = {"en": SOURCES * 40, "fr": list(PAIRS.values()) * 40}
    for name, texts in lines.items():
        (tmp_path / f"a.{name}").write_text("".join(f"{each}\n" for each in texts))
    options = ("-m", tiny_with_aligner, *sides_in(tmp_path))
    parts = [attn("align", *options, "--shard", f"{n}/2").lines() for n in (1, 2)]
    assert list(map(len, parts)) == [1024, len(SOURCES) * 40 - 1024]
    assert parts[0] + parts[1] == attn("align", *options).lines() == LINKS * 40


@pytest.mark.parametrize("shard", ["1/2", "2/2"])
def test_files_of_different_lengths_are_refused_by_every_shard(tiny_with_aligner, tmp_path, shard):
    (tmp_path / "a.en").write_text("I see.\n" * 3)
    (tmp_path / "a.fr").write_text("je vois.\n" * 2)
    options = ("-m", tiny_with_aligner, *sides_in(tmp_path))
    result = attn("align", *options, "--shard", shard)
    assert (result.status, result.stdout) == (3, b"")
    assert f"{tmp_path / 'a.en'} has 3 lines but {tmp_path / 'a.fr'} has 2. " in result.err


def test_an_empty_shard_of_a_short_file_is_reported(tiny, tmp_path):
    (tmp_path / "a.en").write_text("I see a dog.\n")
    result = attn("translate", "-m", tiny, "-i", tmp_path / "a.en", "--shard", "1/2")
    assert (result.status, result.stdout) == (0, b"")
    assert result.err.startswith("shard 1/2 of ")


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2", "1/2/3", "²/3"])
def test_an_invalid_shard_is_refused(tiny, text, shard):
    result = attn("translate", "-m", tiny, "-i", text, f"--shard={shard}")
    assert (result.status, result.stdout) == (2, b"")
    assert "K/N" in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["translate", "--shard", "1/2"],
        ["translate", "--shard", "1/2", "-i", "-"],
        ["translate", "--shard", "1/2", "I see."],
        ["align", "--shard", "1/2", "--fit"],
        ["align", "--shard", "1/2", "--gold", "gold"],
        ["align", "--shard", "1/2", "--source", "-", "--target", "a"],
    ],
    ids=" ".join,
)
def test_a_shard_is_refused_without_a_file_to_divide(arguments):
    result = attn(*arguments)
    assert (result.status, result.stdout, result.err.count("\n")) == (2, b"", 1)
    assert "--shard" in result.err or "whole" in result.err


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"a", b"a\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n", b"\n\n", b"a\n\xef\xbb\xbf"],
)
@pytest.mark.parametrize("block", [1, 2, 1 << 16])
def test_counting_and_skipping_lines_agree_with_reading_them(data, block, tmp_path, monkeypatch):
    monkeypatch.setattr("attn_cli.data.text_input._BLOCK", block)
    path = tmp_path / "a"
    path.write_bytes(data)
    with open_lines(path) as lines:
        expected = list(lines)
    assert count_lines(path) == len(expected)
    for count in range(len(expected) + 1):
        with open_lines(path) as lines:
            lines.skip(count)
            assert list(lines) == expected[count:]
