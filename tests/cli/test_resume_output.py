"""--resume-output: an interrupted output goes on, and ends as one that was not interrupted."""

import json
import os
from pathlib import Path

import pytest
from program import attn

from attn_cli.cli.resume_output import ResumableFile

MODEL = Path(__file__).parents[1] / "fixtures" / "bundle_v1"
LINES = [f"I see a dog {n}.\n" if n % 7 else "\n" for n in range(40)]


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    """Chunks of 16 lines, so that few lines are many chunks."""
    monkeypatch.setattr("attn_cli.cli.input.CHUNK", 16)
    monkeypatch.setattr("attn_cli.cli.line_progress.CHUNK", 16)


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "a.en"
    path.write_text("".join(LINES))
    return path


def translate(text, out, *options, **how):
    usual = ("translate", "-m", MODEL, "-i", text, "-o", out, "--beam", "1", "--threads", "1")
    return attn(*usual, "--engine", "onnx", *options, **how)


@pytest.fixture
def interrupt(monkeypatch):
    """A function that lets so many chunks be written, and a half of the next one."""

    def interrupt(chunks):
        write, commit = ResumableFile.write, ResumableFile.commit
        done = 0

        def failing_write(self, *records):
            if done < chunks:
                return write(self, *records)
            write(self, *records[:5], records[5][:3])
            self.file.flush()
            raise KeyboardInterrupt

        def counting_commit(self, lines):
            nonlocal done
            done += 1
            commit(self, lines)

        def go_on():
            monkeypatch.setattr(ResumableFile, "write", write)
            monkeypatch.setattr(ResumableFile, "commit", commit)

        monkeypatch.setattr(ResumableFile, "write", failing_write)
        monkeypatch.setattr(ResumableFile, "commit", counting_commit)
        return go_on

    return interrupt


@pytest.mark.parametrize(("name", "chunks"), [("a.fr", 2), ("a.jsonl", 1), ("a.tsv", 1)])
def test_it_goes_on_and_ends_as_if_it_had_not_been_interrupted(
    text, tmp_path, interrupt, name, chunks
):
    out, whole = tmp_path / "out" / name, tmp_path / name
    out.parent.mkdir()
    assert translate(text, whole).status == 0
    go_on = interrupt(chunks)
    ended = translate(text, out, "--resume-output")
    assert ended.status == 130
    assert not out.exists()
    assert f"{chunks * 16:,} lines are in {out}.part" in ended.err
    go_on()
    ended = translate(text, out, "--resume-output")
    assert ended.status == 0
    assert f"continuing with line {chunks * 16 + 1:,}" in ended.err
    assert out.read_bytes() == whole.read_bytes()
    assert [path.name for path in out.parent.iterdir()] == [name]


def test_of_n_best_and_a_shard_too(text, tmp_path, interrupt):
    for options in (("--n-best", "2"), ("--shard", "2/2")):
        out, whole = tmp_path / "a.fr", tmp_path / "b.fr"
        assert translate(text, whole, *options).status == 0
        go_on = interrupt(1)
        assert translate(text, out, *options, "--resume-output").status == 130
        go_on()
        assert translate(text, out, *options, "--resume-output").status == 0
        assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("options", "what"),
    [(["--beam", "2"], "beam"), (["--length-penalty", "2"], "length_penalty")],
)
def test_another_command_is_refused_and_nothing_is_lost(text, tmp_path, interrupt, options, what):
    go_on = interrupt(1)
    translate(text, tmp_path / "a.fr", "--resume-output")
    go_on()
    part = (tmp_path / "a.fr.part").read_bytes()
    ended = translate(text, tmp_path / "a.fr", "--resume-output", *options)
    assert ended.status == 2
    assert what in ended.err
    assert (tmp_path / "a.fr.part").read_bytes() == part


def test_a_text_that_has_changed_is_refused(text, tmp_path, interrupt):
    go_on = interrupt(1)
    translate(text, tmp_path / "a.fr", "--resume-output")
    go_on()
    os.utime(text, ns=(1, 1))
    assert translate(text, tmp_path / "a.fr", "--resume-output").status == 2


@pytest.mark.parametrize("state", ["", "{}", "[]", '{"lines": -1, "bytes": 0, "origin": {}}', "\0"])
def test_a_damaged_state_begins_again(text, tmp_path, state):
    (tmp_path / "a.fr.part").write_text("of somebody\n")
    (tmp_path / "a.fr.part.json").write_text(state)
    assert translate(text, tmp_path / "a.fr", "--resume-output").status == 0
    assert len((tmp_path / "a.fr").read_text().splitlines()) == len(LINES)


def test_a_part_that_is_shorter_than_its_state_says_begins_again(text, tmp_path, interrupt):
    go_on = interrupt(1)
    translate(text, tmp_path / "a.fr", "--resume-output")
    go_on()
    state = json.loads((tmp_path / "a.fr.part.json").read_text())
    assert state["lines"] == 16
    (tmp_path / "a.fr.part").write_bytes(b"x")
    assert translate(text, tmp_path / "a.fr", "--resume-output").status == 0
    assert len((tmp_path / "a.fr").read_text().splitlines()) == len(LINES)


def test_it_needs_files_and_records(text, tmp_path):
    for arguments in (
        ["I see.", "-o", tmp_path / "a"],
        ["-i", text],
        ["-i", text, "-o", "-"],
        ["-i", text, "-o", tmp_path / "a.gz"],
        ["-i", text, "-o", tmp_path / "a.svg"],
    ):
        ended = attn("translate", "-m", MODEL, "--resume-output", *arguments)
        assert ended.status == 2, arguments
        assert "--resume-output" in ended.err


def test_a_long_file_has_a_bar_with_the_time_left_on_a_terminal(text, tmp_path):
    ended = translate(text, tmp_path / "a.fr", terminal=True)
    assert ended.status == 0
    assert "records" in ended.err
    assert "left" in ended.err
    assert ended.stdout == b""


def test_who_sees_no_bar(text, tmp_path):
    few = tmp_path / "few.en"
    few.write_text("I see a dog.\n" * 16)
    assert translate(few, tmp_path / "a.fr", terminal=True).err == ""
    assert translate(text, tmp_path / "a.fr").err == ""
    assert translate(text, tmp_path / "a.fr", "--quiet", terminal=True).err == ""
    assert translate(text, tmp_path / "a.fr", terminal=True, environment={"TERM": "dumb"}).err == ""
