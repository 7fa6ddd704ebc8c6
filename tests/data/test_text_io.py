"""Lines, pairs and outputs behave as a user of the shell expects."""

import gzip
import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli.data.chunks import MAX_CHUNK_COST, batched, chunked, cost_of_text
from attn_cli.data.text_input import Line, Lines, open_lines, parse_pair, zip_lines
from attn_cli.data.text_output import open_output
from attn_cli.errors import DataError


def lines_of(data: bytes, **options) -> Lines:
    return Lines(io.BytesIO(data), name="text", **options)


def texts(data: bytes) -> list[str]:
    return [line.text for line in lines_of(data)]


class SlowStream(io.BytesIO):
    """A stream that returns one byte at a time, like a slow pipe."""

    def read1(self, size: int | None = -1) -> bytes:
        return self.read(1)


# Lines


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\n\nb", ["a", "", "b"]),
        (b"a\r\nb\r\r\nc\rd\n", ["a", "b\r", "c\rd"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", ["a", "\ufeffb"]),
        (b"\xef\xbb\xbf", []),
        (b"\xef\xbb\xbf\n", [""]),
        ("a\u2028b\x85c\fd\ve\n".encode(), ["a\u2028b\x85c\fd\ve"]),
        (b"a\0b\n", ["a\0b"]),
    ],
)
def test_only_line_feeds_end_a_line(data, expected):
    assert texts(data) == expected
    assert [line.text for line in Lines(SlowStream(data), name="slow")] == expected


@settings(derandomize=True, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_give_as_many_lines_as_they_have_line_ends(data):
    lines = list(Lines(SlowStream(data), name="slow"))
    body = data.removeprefix(b"\xef\xbb\xbf")
    ends = body.count(b"\n") + (body != b"" and not body.endswith(b"\n"))
    assert [line.number for line in lines] == list(range(1, ends + 1))
    assert lines == list(lines_of(data))


@settings(derandomize=True, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\n\r\ufeff", codec="utf-8"))))
def test_written_lines_are_read_unchanged(lines):
    assert texts("".join(f"{text}\n" for text in lines).encode()) == lines


def test_a_line_that_is_not_utf8_is_reported_and_read_with_replacement_characters():
    reports: list[tuple[int, str]] = []
    lines = lines_of(
        b"good\nb\xe9ad\r\n\xc3\xa9\n",
        on_problem=lambda number, message: reports.append((number, message)),
    )
    problem = "not valid UTF-8, read with U+FFFD"
    assert list(lines) == [Line(1, "good"), Line(2, "b\ufffdad", problem), Line(3, "é")]
    assert reports == [(2, problem)]


def test_a_file_its_gzip_and_standard_input_give_the_same_lines(tmp_path):
    data = b"one\ntwo\n" * 5000
    (tmp_path / "a.txt").write_bytes(data)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(data))
    readings = []
    for path in (tmp_path / "a.txt", str(tmp_path / "a.txt.gz"), "-"):
        with open_lines(path, stdin=io.BytesIO(data)) as lines:
            readings.append(list(lines))
    assert readings[0] == readings[1] == readings[2] == list(lines_of(data))


def test_an_unreadable_file_is_reported_with_its_name_reason_and_hint(tmp_path):
    compressed = gzip.compress(os.urandom(500_000))
    (tmp_path / "short.gz").write_bytes(compressed[:-9])
    (tmp_path / "bent.gz").write_bytes(compressed[:30] + bytes(20) + compressed[50:])
    (tmp_path / "plain.gz").write_bytes(b"not compressed\n")
    (tmp_path / "folder").mkdir()
    reasons = {
        "absent": "there is no such file",
        "folder": "it is a folder",
        "short.gz": "its compressed data ends too early",
        "bent.gz": "it is not a gzip file, or a damaged one",
        "plain.gz": "it is not a gzip file, or a damaged one",
    }
    for name, reason in reasons.items():
        with pytest.raises(DataError) as caught, open_lines(tmp_path / name) as lines:
            list(lines)
        assert caught.value.problem == f"cannot read {tmp_path / name}: {reason}"
        assert caught.value.hint


def test_closed_standard_input_is_a_data_error():
    with pytest.raises(DataError, match="standard input is closed"), open_lines("-"):
        pass


# Chunks


@pytest.mark.parametrize("interactive", [False, True])
def test_chunks_are_full_if_enough_lines_are_available(interactive):
    data = b"".join(b"%d\n" % number for number in range(1, 26))
    chunks = list(lines_of(data).chunks(10, interactive=interactive))
    assert [len(chunk) for chunk in chunks] == [10, 10, 5]
    assert [line for chunk in chunks for line in chunk] == list(lines_of(data))


def test_a_line_from_a_coprocess_is_returned_before_the_next_one_is_complete():
    read_end, write_end = os.pipe()
    with (
        open(read_end, "rb") as pipe,
        open(write_end, "wb", buffering=0) as writer,
        open_lines("-", stdin=pipe) as lines,
    ):
        chunks = lines.chunks(10, interactive=True)
        for number in range(1, 4):
            writer.write(b"line %d\nand half " % number)
            chunk = next(chunks)  # would wait forever if it needed more than one line
            assert [line.text[-6:] for line in chunk] == [f"line {number}"]
        writer.close()
        assert [line.text for chunk in chunks for line in chunk] == ["and half "]


def test_lines_waiting_in_a_pipe_fill_a_chunk():
    read_end, write_end = os.pipe()
    os.write(write_end, b"a\n" * 100)
    with open(read_end, "rb") as pipe, open_lines("-", stdin=pipe) as lines:
        chunks = lines.chunks(60, interactive=True)
        assert [len(next(chunks)), len(next(chunks))] == [60, 40]
        os.close(write_end)
        assert next(chunks, None) is None


def test_an_error_while_reading_ahead_reaches_the_consumer(tmp_path):
    (tmp_path / "short.gz").write_bytes(gzip.compress(b"a\n" * 100)[:-9])
    with (
        open_lines(tmp_path / "short.gz") as lines,
        pytest.raises(DataError, match="ends too early"),
    ):
        list(lines.chunks(10, interactive=True))


def test_a_consumer_that_stops_early_leaves_no_thread_behind():
    chunks = lines_of(b"a\n" * 3_000_000).chunks(1, interactive=True)  # more than is read ahead
    next(chunks)
    readers = [thread for thread in threading.enumerate() if thread.name == "attn-read-ahead"]
    assert len(readers) == 1
    chunks.close()
    readers[0].join(timeout=10)
    assert not readers[0].is_alive()


INTERACTIVE_SCRIPT = """
import sys
from attn_cli.data.text_input import open_lines
with open_lines("-", stdin=sys.stdin.buffer) as lines:
    for chunk in lines.chunks(10, interactive=True):
        print(chunk[0].text, flush=True)
        if chunk[0].text == "quit":
            break
"""


@pytest.mark.parametrize(
    "ending",
    [
        "quit",
        pytest.param(
            "interrupt", marks=pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
        ),
    ],
)
def test_a_process_exits_without_errors_while_its_input_is_open(ending):
    with subprocess.Popen(
        [sys.executable, "-c", INTERACTIVE_SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdin.write(b"quit\n" if ending == "quit" else b"hello\n")
        process.stdin.flush()
        assert process.stdout.readline().strip() in (b"quit", b"hello")
        if ending == "interrupt":
            process.send_signal(signal.SIGINT)
        status = process.wait(timeout=30)  # standard input is still open
        errors = process.stderr.read()
    assert b"Fatal" not in errors
    assert status == (0 if ending == "quit" else -signal.SIGINT)


def test_batched_keeps_the_order_and_puts_the_rest_in_the_last_list():
    assert list(batched(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]


# Pairs


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("a b\tc d", ("a b", "c d")),
        ("a\tb\tc\td", ("a", "b")),
        ("\tb", ("", "b")),
        ("a ||| b\tc", ("a ||| b", "c")),
        ("a b ||| c d", ("a b", "c d")),
        ("a ||| b ||| c", ("a", "b")),
        ("||| b", ("", "b")),
        (" ||| b", ("", "b")),
        ("a |||", ("a", "")),
        ("a ||| ", ("a", "")),
        ("|||", ("", "")),
        ("a ||| ||| b", ("a", "")),
        ("a  |||  b", ("a", "b")),
        ("a|||b", None),
        ("a |||| b", None),
        ("a || b", None),
        ("", None),
    ],
)
def test_a_tab_or_three_bars_separate_the_sides_of_a_pair(text, pair):
    assert parse_pair(text) == pair


def test_two_files_are_read_in_parallel_line_by_line():
    pairs = zip_lines(lines_of(b"a\nb\n"), lines_of(b"c\nd\n"))
    assert [(one.number, one.text, other.text) for one, other in pairs] == [
        (1, "a", "c"),
        (2, "b", "d"),
    ]


@pytest.mark.parametrize(("n_source", "n_target"), [(5, 2), (2, 5), (0, 1), (1, 0)])
def test_files_of_unequal_length_are_refused_with_both_names_and_counts(n_source, n_target):
    source = Lines(io.BytesIO(b"a\n" * n_source), name="a.en")
    target = Lines(io.BytesIO(b"b\n" * n_target), name="a.fr")
    pairs = []
    with pytest.raises(DataError) as caught:
        pairs.extend(zip_lines(source, target))
    assert caught.value.problem == f"a.en has {n_source} lines but a.fr has {n_target}"


# Outputs


def test_an_output_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "out.txt"
    with open_output(path) as out:
        out.write("é\nb\n")
        assert not path.exists()
    assert path.read_bytes() == "é\nb\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_output_and_no_partial_file(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")

    def write_part() -> None:
        with open_output(path) as out:
            out.write("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_part()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_gzip_output_is_compressed_and_the_same_each_time(tmp_path):
    for name in ("a.gz", "b.gz"):
        with open_output(tmp_path / name) as out:
            out.write("text\n" * 100)
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == b"text\n" * 100
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_bytes_are_written_through_the_buffer_of_an_output(tmp_path):
    with open_output(tmp_path / "a.png") as out:
        out.buffer.write(b"\x89PNG")
    assert (tmp_path / "a.png").read_bytes() == b"\x89PNG"


def test_a_dash_writes_to_standard_output_and_leaves_it_open():
    stdout = io.BytesIO()
    with open_output("-", stdout=stdout) as out:
        out.write("é\n")
    assert stdout.getvalue() == "é\n".encode()


@pytest.mark.skipif(sys.platform == "win32", reason="permissions and links differ")
def test_an_output_keeps_its_mode_and_follows_its_link(tmp_path):
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    with open_output(link) as out:
        out.write("new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_written_in_place(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    with open_output(tmp_path / "pipe") as out:
        out.write("through\n")
    reader.join(timeout=10)
    assert received == [b"through\n"]
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_reported_in_one_sentence():
    with pytest.raises(DataError, match="no space is left"), open_output("/dev/full") as out:
        out.write("text")


def test_an_output_that_cannot_be_created_is_reported_with_its_name_and_reason(tmp_path):
    (tmp_path / "folder").mkdir()
    for path, reason in [
        (tmp_path / "absent" / "out.txt", "its folder does not exist"),
        (tmp_path / "folder", "it is a folder"),
    ]:
        with pytest.raises(DataError) as caught, open_output(path):
            pass
        assert caught.value.problem == f"cannot write {path}: {reason}"


# Chunks


@given(st.lists(st.integers(0, 2 * MAX_CHUNK_COST), max_size=60), st.integers(1, 10))
def test_chunks_contain_all_items_in_order_and_are_limited_by_number_and_cost(costs, size):
    chunks = list(chunked(iter(costs), size, cost=lambda cost: cost))
    assert [cost for chunk in chunks for cost in chunk] == costs
    for chunk in chunks:
        assert 1 <= len(chunk) <= size
        assert sum(chunk[:-1]) < MAX_CHUNK_COST


@given(st.lists(st.integers(0, MAX_CHUNK_COST), max_size=60), st.integers(1, 10), st.integers(0, 5))
def test_a_part_that_begins_at_a_multiple_of_the_size_has_the_same_chunks(costs, size, blocks):
    start = blocks * size
    whole, parts = (
        [chunk for part in texts for chunk in chunked(part, size, cost=lambda cost: cost)]
        for texts in ([costs], [costs[:start], costs[start:]])
    )
    assert whole == parts


def test_a_line_of_eight_thousand_characters_takes_a_quarter_of_a_chunk():
    assert MAX_CHUNK_COST / 4 < cost_of_text("a" * 8000) < MAX_CHUNK_COST / 3
    assert 1024 * cost_of_text("a" * 100) < MAX_CHUNK_COST
