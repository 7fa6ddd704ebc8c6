"""attn batch with its chunks processed in turn in this process; another file tests it with Ray."""

import gzip
import json
import os
import random
from pathlib import Path

import pytest
from faults import Killed, killed_after
from program import LINKS, PAIRS, attn

pytest.importorskip("ray", reason="pip install 'attn-cli[cluster]'")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

from serial_batch import run_serially, use_no_cluster  # noqa: E402

from attn_cli.cli.batching import cluster, files, folder  # noqa: E402

FROZEN = Path(__file__).parents[1] / "fixtures" / "bundle_v1"
SOURCES = list(PAIRS)


@pytest.fixture(autouse=True, scope="module")
def _serial_run():
    with pytest.MonkeyPatch.context() as patch:
        use_no_cluster(patch)
        patch.setattr(files, "RECORDS", 16)
        yield


def sentences(count, seed):
    rng = random.Random(seed)
    return [rng.choice([*SOURCES, "", " ", "a\u2028b\r", "I see 🙂."]) for _ in range(count)]


def write_lines(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def read(path):
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def batch(*arguments, model=FROZEN, **kwargs):
    return attn("batch", "-m", model, *arguments, **kwargs)


def outputs(out):
    """Return the files of an output folder, without the working files of attn batch."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and folder.HIDDEN not in path.parts
    }


@pytest.fixture
def texts(tmp_path):
    """Three text files of several chunks, the last one short, one of them compressed."""
    return write_texts(tmp_path / "in")


def write_texts(inputs):
    for seed, name in enumerate(["a.en", "deep/b.en.gz", "c.txt"], start=40):
        write_lines(inputs / name, sentences(seed, seed))
    return inputs


# The same as translate and align


def test_batch_gives_the_same_translations_as_translate(texts, tmp_path):
    assert batch(texts, "-o", tmp_path / "out", "--beam", "2").status == 0
    assert sorted(outputs(tmp_path / "out")) == ["a.en", "c.txt", "deep/b.en.gz"]
    for name in ("a.en", "c.txt", "deep/b.en.gz"):
        expected = attn("translate", "-m", FROZEN, "-i", texts / name, "--beam", "2")
        assert read(tmp_path / "out" / name) == expected.stdout


@pytest.mark.parametrize("options", [[], ["--n-best", "2", "--weights", "alignment"]], ids=str)
def test_jsonl_records_equal_those_of_translate_and_keep_their_fields(tmp_path, options):
    records = [{"id": n, "source": text} for n, text in enumerate(sentences(40, 5))]
    lines = [*map(json.dumps, records), "", '{"source": "\\ud800 I see.", "line": 7}']
    path = write_lines(tmp_path / "a.jsonl.gz", lines)
    assert batch(path, "-o", tmp_path / "out", *options).status == 0
    formats = ("--input-format", "jsonl", "-f", "jsonl", *options)
    expected = attn("translate", "-m", FROZEN, "-i", path, *formats)
    assert read(tmp_path / "out" / "a.jsonl.gz") == expected.stdout
    assert json.loads(expected.lines()[16])["line"] == 17
    assert json.loads(expected.lines()[16])["id"] == 16


def test_a_parquet_file_gets_a_column_of_translations(tmp_path):
    texts = [*sentences(40, 6), None, "two\nlines"]
    table = pa.table({"id": range(42), "text": texts, "part": pa.array(texts).dictionary_encode()})
    table = table.replace_schema_metadata({"made": "by hand"})
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd", row_group_size=10)
    out = tmp_path / "out"
    options = ("--source-column", "text", "--result-column", "french")
    assert batch(tmp_path / "a.parquet", "-o", out, *options).status == 0
    result = pq.read_table(out / "a.parquet")
    assert result.drop_columns("french").equals(table)
    assert result.schema.metadata[b"made"] == b"by hand"
    lines = "".join((text or "").replace("\n", " ") + "\n" for text in texts)
    expected = attn("translate", "-m", FROZEN, stdin=lines).lines()
    assert result["french"].to_pylist() == [*expected[:40], None, expected[41]]


@pytest.mark.parametrize("options", [[], ["--scores", "--extract", "mutual"]], ids=str)
def test_batch_gives_the_same_links_as_align(tmp_path, options):
    lines = [f"{s}\t{t}" for s, t in PAIRS.items()]
    path = write_lines(tmp_path / "pairs.tsv", [*lines, "", "I see. ||| je vois."])
    out = tmp_path / "out"
    assert batch("--align", path, "-o", out, *options).status == 0
    expected = attn("align", "-m", FROZEN, "-i", path, *options)
    assert read(out / "pairs.tsv") == expected.stdout
    assert options or expected.lines()[: len(LINKS)] == LINKS


def test_pairs_of_jsonl_and_parquet_are_aligned(tmp_path):
    pairs = {"source": list(PAIRS), "target": list(PAIRS.values())}
    pq.write_table(pa.table(pairs), tmp_path / "a.parquet")
    records = [dict(zip(pairs, pair, strict=True)) for pair in PAIRS.items()]
    path = write_lines(tmp_path / "a.jsonl", map(json.dumps, records))
    out = tmp_path / "out"
    assert batch("--align", path, tmp_path / "a.parquet", "-o", out).status == 0
    assert pq.read_table(out / "a.parquet")["links"].to_pylist() == LINKS
    formats = ("--input-format", "jsonl", "-f", "jsonl")
    assert read(out / "a.jsonl") == attn("align", "-m", FROZEN, "-i", path, *formats).stdout


def test_empty_files_give_empty_files(tmp_path):
    inputs = tmp_path / "in"
    for name in ("a.en", "b.gz", "c.jsonl"):
        write_lines(inputs / name, [])
    pq.write_table(pa.table({"source": pa.array([], pa.string())}), inputs / "d.parquet")
    out = tmp_path / "out"
    assert batch(inputs, "-o", out).status == 0
    assert [read(out / name) for name in ("a.en", "b.gz", "c.jsonl")] == [b""] * 3
    assert pq.read_table(out / "d.parquet").column_names == ["source", "target"]


def test_a_warning_about_a_line_names_its_file_and_line_number(tmp_path):
    path = tmp_path / "a.en"
    path.write_bytes(b"I see.\n" * 20 + b"I \xff see.\n" + b"ab cd " * 1500 + b"\n")
    ended = batch(path, "-o", tmp_path / "out")
    assert ended.status == 0
    assert f"attn: {path}: line 21: not valid UTF-8, read with U+FFFD\n" in ended.err
    assert f"attn: {path}: line 22: longer than 1024 pieces: only its first " in ended.err


# Resuming


#: The driver is killed after so many changes of the folder; the second list is for `make slow`.
CHANGES = [0, 3, 11, 20, 29]
MORE_CHANGES = [2, 5, 8, 14, 17, 23, 26, 35]


@pytest.mark.parametrize(
    "changes", [*CHANGES, *(pytest.param(each, marks=pytest.mark.slow) for each in MORE_CHANGES)]
)
def test_the_same_command_resumes_a_batch_that_was_killed_after_any_change(
    texts, complete_outputs, tmp_path, changes
):
    out = tmp_path / "out"
    with killed_after(changes, tmp_path, torn=changes % 2 == 1) as disk, pytest.raises(Killed):
        batch(texts, "-o", out)
    assert disk.is_killed
    assert outputs(out).items() <= complete_outputs.items()
    assert batch(texts, "-o", out).status == 0
    assert outputs(out) == complete_outputs
    assert not list(out.rglob("*.part"))
    assert not [path for path in (out / folder.HIDDEN / "parts").rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def complete_outputs(tmp_path_factory):
    """The outputs of an uninterrupted batch of the same texts."""
    folder = tmp_path_factory.mktemp("whole")
    assert batch(write_texts(folder / "in"), "-o", folder / "out").status == 0
    return outputs(folder / "out")


def run_killed_batch(monkeypatch, path, out, *, parts):
    """Run a batch that is killed after it has stored the results of `parts` chunks."""
    add, calls = folder.OutputFolder.add, []

    def add_until_killed(*args):
        if len(calls) == parts:
            raise Killed
        calls.append(args)
        add(*args)

    with monkeypatch.context() as patch:
        patch.setattr(folder.OutputFolder, "add", add_until_killed)
        with pytest.raises(Killed):
            batch(path, "-o", out)


def record_chunks(monkeypatch):
    """Return a list that receives each chunk processed from now on, as (file, first record)."""
    chunks = []
    results = cluster.Worker.results
    monkeypatch.setattr(
        cluster.Worker,
        "results",
        lambda self, file, first, payload: (
            chunks.append((file.name, first)) or results(self, file, first, payload)
        ),
    )
    return chunks


def test_finished_chunks_are_not_processed_again(texts, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run_killed_batch(monkeypatch, texts, out, parts=4)  # all three of a.en, one of the next
    chunks = record_chunks(monkeypatch)
    ended = batch(texts, "-o", out)
    assert ended.status == 0
    assert "1 of 3 files are finished already" in ended.err
    assert chunks == [("c.txt", 17), ("c.txt", 33), *(("deep/b.en.gz", n) for n in (1, 17, 33))]
    chunks.clear()
    assert batch(texts, "-o", out).status == 0
    assert chunks == []


def test_only_the_changed_chunks_of_a_changed_file_are_processed_again(
    texts, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    run_killed_batch(monkeypatch, texts / "a.en", out, parts=2)
    lines = read(texts / "a.en").decode().split("\n")
    write_lines(texts / "a.en", [*lines[:20], "we love two books.", *lines[21:-1]])
    chunks = record_chunks(monkeypatch)
    assert batch(texts / "a.en", "-o", out).status == 0
    assert chunks == [("a.en", 17), ("a.en", 33)]
    expected = attn("translate", "-m", FROZEN, "-i", texts / "a.en")
    assert read(out / "a.en") == expected.stdout


def test_a_finished_file_that_changed_is_detected_and_processed_again(texts, tmp_path):
    out = tmp_path / "out"
    batch(texts, "-o", out)
    write_lines(texts / "a.en", ["I see a dog."])
    ended = batch(texts, "-o", out)
    assert (ended.status, read(out / "a.en")) == (0, b"je vois un chien.\n")
    assert "a.en has changed since its output was written" in ended.err


def test_a_finished_file_with_only_a_new_time_stamp_is_not_processed_again(
    texts, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    batch(texts, "-o", out)
    os.utime(texts / "a.en", ns=(1, 1))
    chunks = record_chunks(monkeypatch)
    for _ in range(2):
        ended = batch(texts, "-o", out)
        assert (ended.status, ended.err) == (0, "3 of 3 files are finished already\n")
    assert chunks == []


def test_a_missing_or_truncated_output_is_written_again(texts, tmp_path):
    out = tmp_path / "out"
    batch(texts, "-o", out)
    expected = outputs(out)
    (out / "a.en").unlink()
    (out / "c.txt").write_bytes(expected["c.txt"][:-5])
    assert batch(texts, "-o", out).status == 0
    assert outputs(out) == expected


@pytest.mark.parametrize(
    ("options", "word"),
    [(["--beam", "1"], "beam"), (["--align"], "command"), (["-m", "en-fr"], "model")],
    ids=str,
)
def test_another_model_or_option_is_refused_without_force(texts, tmp_path, options, word):
    out, path = tmp_path / "out", write_lines(tmp_path / "a.en", ["I see.\tje vois."])
    batch(path, "-o", out)
    ended = batch(path, "-o", out, *options)
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert word in ended.err
    assert "--force" in ended.err
    assert batch(path, "-o", out, "--force", *options).status == 0
    assert batch(path, "-o", out).status == 2


def test_options_may_change_before_any_chunk_is_finished(texts, tmp_path, monkeypatch):
    run_killed_batch(monkeypatch, texts, tmp_path / "out", parts=0)
    assert batch(texts, "-o", tmp_path / "out", "--beam", "1").status == 0


# Errors


def test_an_unreadable_file_is_reported_and_the_others_are_processed(texts, tmp_path):
    (texts / "bad.gz").write_bytes(b"plain")
    (texts / "cut.gz").write_bytes(gzip.compress(b"I see.\n" * 1000, mtime=0)[:-9])
    write_lines(texts / "d.jsonl", ['{"source": "I see."}'] * 20 + ["{}"])
    (texts / "e.parquet").write_bytes(b"PAR1")
    pq.write_table(pa.table({"text": ["a"]}), texts / "f.parquet")
    pq.write_table(pa.table({"source": [1]}), texts / "g.parquet")
    out = tmp_path / "out"
    ended = batch(texts, "-o", out)
    assert ended.status == 3
    assert sorted(outputs(out)) == ["a.en", "c.txt", "deep/b.en.gz"]
    for words in (
        "bad.gz: it is not a gzip file",
        "cut.gz: its compressed data ends too early",
        'd.jsonl line 21 has no "source" and no other key',
        "e.parquet: it is not a Parquet file",
        "f.parquet has no column source. Name one with --source-column",
        "g.parquet holds int64, not text",
        "6 of 9 files could not be processed",
    ):
        assert words in ended.err
    for path in texts.glob("[bd-g]*"):
        path.unlink() if path.is_file() and path.suffix != ".gz" else None
    write_lines(texts / "bad.gz", ["I see."])
    write_lines(texts / "cut.gz", ["I see."])
    assert batch(texts, "-o", out).status == 0


def test_a_single_unreadable_file_gives_an_error_of_one_line(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(b"plain")
    ended = batch(path, "-o", tmp_path / "out", "--quiet")
    assert (ended.status, ended.stdout, ended.err.count("\n")) == (3, b"", 1)
    assert outputs(tmp_path / "out") == {}


def test_a_file_that_changes_while_it_is_read_is_not_finished(texts, tmp_path, monkeypatch):
    results = cluster.Worker.results

    def append_to_file(self, file, first, payload):
        with open(file.path, "ab") as text:
            text.write(b"more\n")
        return results(self, file, first, payload)

    monkeypatch.setattr(cluster.Worker, "results", append_to_file)
    ended = batch(texts / "a.en", "-o", tmp_path / "out")
    assert (ended.status, outputs(tmp_path / "out")) == (3, {})
    assert "changed while it was read" in ended.err


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (["no.en"], 3, "no such file"),
        (["*.en"], 3, "no file matches"),
        (["empty"], 3, "there is no file"),
        (["a", "b"], 2, "would both become"),
        (["/dev/null"], 2, "not a file"),
        (["a/x.en", "--output", "a"], 2, "would replace it"),
        (["a", "-m", "xx-yy"], 4, "no model xx-yy"),
        (["a", "--tokenized"], 2, "--tokenized is for --align"),
        (["a", "--align", "--beam", "3"], 2, "--beam is for translating"),
        (["a", "--align", "--symmetrize", "union"], 2, "--symmetrize"),
        (["a", "--length-penalty", "nan"], 2, "--length-penalty"),
        ([], 2, "INPUT"),
    ],
    ids=str,
)
def test_invalid_arguments_are_refused_before_any_output_is_written(
    tmp_path, monkeypatch, arguments, status, word
):
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path / "a" / "x.en", ["I see."])
    write_lines(tmp_path / "b" / "x.en", ["I see."])
    (tmp_path / "empty").mkdir()
    ended = batch("--output", "out", *arguments)
    assert (ended.status, ended.stdout, ended.err.count("\n")) == (status, b"", 1)
    assert word in ended.err
    assert not (tmp_path / "out").exists()
    assert read(tmp_path / "a" / "x.en") == b"I see.\n"


def test_a_file_not_written_by_attn_batch_is_not_replaced_without_force(texts, tmp_path):
    out = tmp_path / "out"
    write_lines(out / "a.en", ["my own"])
    ended = batch(texts, "-o", out)
    assert (ended.status, outputs(out)) == (2, {"a.en": b"my own\n"})
    assert batch(texts, "-o", out, "--force").status == 0
    assert read(out / "a.en") != b"my own\n"


def test_an_output_folder_in_use_is_refused(texts, tmp_path, monkeypatch):
    results = []

    def run_second_batch(*args, **kwargs):
        results.append(batch(texts, "-o", tmp_path / "out"))
        return run_serially(*args, **kwargs)

    monkeypatch.setattr(cluster, "run", run_second_batch)
    assert batch(texts, "-o", tmp_path / "out").status == 0
    assert results[0].status == 2
    assert "is writing into it" in results[0].err


def test_a_full_disk_is_reported_in_one_line(texts, tmp_path, monkeypatch):
    def raise_no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder.os, "replace", raise_no_space)
    ended = batch(texts, "-o", tmp_path / "out", "--quiet")
    assert (ended.status, ended.err.count("\n")) == (3, 1)
    assert "no space is left" in ended.err


# Names of outputs


def test_output_names_are_relative_to_the_folder_or_fixed_part_of_a_pattern(tmp_path):
    for name in ("x/a.en", "x/y/b.en", "x/.hidden", "x/.git/c.en", "x/y/c.fr"):
        write_lines(tmp_path / name, ["a"])

    def names(*inputs):
        return [file.name for file in files.find_files([str(each) for each in inputs], Path("out"))]

    assert names(tmp_path / "x") == ["a.en", "y/b.en", "y/c.fr"]
    assert names(tmp_path / "x" / "y" / "b.en") == ["b.en"]
    assert names(f"{tmp_path}/x/**/*.en") == ["a.en", "y/b.en"]
    assert names(f"{tmp_path}/*/y/*") == ["x/y/b.en", "x/y/c.fr"]
    assert names(tmp_path / "x", tmp_path / "x" / "a.en") == ["a.en", "y/b.en", "y/c.fr"]


def test_outputs_inside_the_input_folder_are_not_inputs(tmp_path):
    write_lines(tmp_path / "a.en", ["I see a dog."])
    for _ in range(2):
        assert batch(tmp_path, "-o", tmp_path / "out").status == 0
    assert list(outputs(tmp_path / "out")) == ["a.en"]


@pytest.mark.parametrize("index", [0, 1], ids=["version", "model"])
def test_a_version_or_model_that_differs_on_a_worker_is_refused(
    texts, tmp_path, monkeypatch, index
):
    def run_with_another_digest(task, inputs, known, *, digests, workers):
        worker_digests = [f"{each} x" if n == index else each for n, each in enumerate(digests)]
        return run_serially(task, inputs, known, digests=worker_digests, workers=workers)

    monkeypatch.setattr(cluster, "run", run_with_another_digest)
    ended = batch(texts, "-o", tmp_path / "out")
    assert ended.status == 4
    assert "the same model" in ended.err
