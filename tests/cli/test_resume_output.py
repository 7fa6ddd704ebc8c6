"""--resume-output: an interrupted output continues, and equals an uninterrupted one."""

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


def translate(text, out, *options, **settings):
    command = ("translate", "-m", MODEL, "-i", text, "-o", out, "--beam", "1", "--threads", "1")
    return attn(*command, "--engine", "onnx", *options, **settings)


@pytest.fixture
def interrupt(monkeypatch):
    """Return a function that interrupts the output after `chunks` chunks and half a chunk."""

    def interrupt(chunks):
        write, commit = ResumableFile.write, ResumableFile.commit
        commits = 0

        def failing_write(self, *records):
            if commits < chunks:
                return write(self, *records)
            write(self, *records[:5], records[5][:3])
            self.file.flush()
            raise KeyboardInterrupt

        def counting_commit(self, lines):
            nonlocal commits
            commits += 1
            commit(self, lines)

        def restore():
            monkeypatch.setattr(ResumableFile, "write", write)
            monkeypatch.setattr(ResumableFile, "commit", commit)

        monkeypatch.setattr(ResumableFile, "write", failing_write)
        monkeypatch.setattr(ResumableFile, "commit", counting_commit)
        return restore

    return interrupt


@pytest.mark.parametrize(("name", "chunks"), [("a.fr", 2), ("a.jsonl", 1), ("a.tsv", 1)])
def test_a_resumed_output_equals_an_uninterrupted_one(text, tmp_path, interrupt, name, chunks):
    out, expected = tmp_path / "out" / name, tmp_path / name
    out.parent.mkdir()
    assert translate(text, expected).status == 0
    restore = interrupt(chunks)
    result = translate(text, out, "--resume-output")
    assert result.status == 130
    assert not out.exists()
    assert f"{chunks * 16:,} lines are in {out}.part" in result.err
    restore()
    result = translate(text, out, "--resume-output")
    assert result.status == 0
    assert f"continuing with line {chunks * 16 + 1:,}" in result.err
    assert out.read_bytes() == expected.read_bytes()
    assert [path.name for path in out.parent.iterdir()] == [name]


def test_outputs_of_n_best_and_of_a_shard_can_be_resumed(text, tmp_path, interrupt):
    for options in (("--n-best", "2"), ("--shard", "2/2")):
        out, expected = tmp_path / "a.fr", tmp_path / "b.fr"
        assert translate(text, expected, *options).status == 0
        restore = interrupt(1)
        assert translate(text, out, *options, "--resume-output").status == 130
        restore()
        assert translate(text, out, *options, "--resume-output").status == 0
        assert out.read_bytes() == expected.read_bytes()


@pytest.mark.parametrize(
    ("options", "setting"),
    [(["--beam", "2"], "beam"), (["--length-penalty", "2"], "length_penalty")],
)
def test_other_settings_are_refused_and_the_partial_output_stays(
    text, tmp_path, interrupt, options, setting
):
    restore = interrupt(1)
    translate(text, tmp_path / "a.fr", "--resume-output")
    restore()
    part = (tmp_path / "a.fr.part").read_bytes()
    result = translate(text, tmp_path / "a.fr", "--resume-output", *options)
    assert result.status == 2
    assert setting in result.err
    assert (tmp_path / "a.fr.part").read_bytes() == part


def test_a_text_that_has_changed_is_refused(text, tmp_path, interrupt):
    restore = interrupt(1)
    translate(text, tmp_path / "a.fr", "--resume-output")
    restore()
    os.utime(text, ns=(1, 1))
    assert translate(text, tmp_path / "a.fr", "--resume-output").status == 2


@pytest.mark.parametrize("state", ["", "{}", "[]", '{"lines": -1, "bytes": 0, "origin": {}}', "\0"])
def test_a_damaged_state_file_starts_the_output_again(text, tmp_path, state):
    (tmp_path / "a.fr.part").write_text("of somebody\n")
    (tmp_path / "a.fr.part.json").write_text(state)
    assert translate(text, tmp_path / "a.fr", "--resume-output").status == 0
    assert len((tmp_path / "a.fr").read_text().splitlines()) == len(LINES)


def test_a_partial_output_shorter_than_its_state_starts_again(text, tmp_path, interrupt):
    restore = interrupt(1)
    translate(text, tmp_path / "a.fr", "--resume-output")
    restore()
    state = json.loads((tmp_path / "a.fr.part.json").read_text())
    assert state["lines"] == 16
    (tmp_path / "a.fr.part").write_bytes(b"x")
    assert translate(text, tmp_path / "a.fr", "--resume-output").status == 0
    assert len((tmp_path / "a.fr").read_text().splitlines()) == len(LINES)


def test_resume_output_needs_files_and_a_format_of_records(text, tmp_path):
    for arguments in (
        ["I see.", "-o", tmp_path / "a"],
        ["-i", text],
        ["-i", text, "-o", "-"],
        ["-i", text, "-o", tmp_path / "a.gz"],
        ["-i", text, "-o", tmp_path / "a.svg"],
    ):
        result = attn("translate", "-m", MODEL, "--resume-output", *arguments)
        assert result.status == 2, arguments
        assert "--resume-output" in result.err


def test_a_long_file_has_a_bar_with_the_time_left_on_a_terminal(text, tmp_path):
    result = translate(text, tmp_path / "a.fr", terminal=True)
    assert result.status == 0
    assert "records" in result.err
    assert "left" in result.err
    assert result.stdout == b""


def test_short_files_pipes_quiet_runs_and_dumb_terminals_get_no_progress_bar(text, tmp_path):
    short_file = tmp_path / "few.en"
    short_file.write_text("I see a dog.\n" * 16)
    assert translate(short_file, tmp_path / "a.fr", terminal=True).err == ""
    assert translate(text, tmp_path / "a.fr").err == ""
    assert translate(text, tmp_path / "a.fr", "--quiet", terminal=True).err == ""
    assert translate(text, tmp_path / "a.fr", terminal=True, environment={"TERM": "dumb"}).err == ""
