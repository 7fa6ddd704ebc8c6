"""The format by the extension of --output, hints, TSV as other programs read it, and --n-best."""

import csv
import gzip
import io
from pathlib import Path

import pytest
from program import attn

MODEL = Path(__file__).parents[1] / "fixtures" / "bundle_v1"
TEXT = "I see a dog."


def translate(*arguments, **options):
    return attn("translate", "-m", MODEL, *arguments, **options)


# The extension


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("a.svg", "<svg "),
        ("a.jsonl", '{"line": 1, '),
        ("a.tsv", "line\ttarget_index\t"),
        ("a.links", "je vois un chien. ||| 0-0"),
        ("a.txt", "je vois un chien.\n"),
        ("a.fr", "je vois un chien.\n"),
        ("a", "je vois un chien.\n"),
        ("a.TSV", "line\t"),
    ],
)
def test_the_extension_chooses_the_format(tmp_path, name, beginning):
    assert translate(TEXT, "-o", tmp_path / name).status == 0
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(beginning)
    assert translate(TEXT, "-o", tmp_path / f"{name}.gz").status == 0
    assert gzip.decompress((tmp_path / f"{name}.gz").read_bytes()).decode().startswith(beginning)


def test_align_uses_the_extension_too_and_a_table_becomes_svg(tmp_path):
    pair = (TEXT, "je vois un chien.")
    assert attn("align", "-m", MODEL, *pair, "-o", tmp_path / "a.links").status == 0
    assert (tmp_path / "a.links").read_text() == attn(
        "align", "-m", MODEL, *pair, "-f", "pharaoh"
    ).out
    assert attn("align", "-m", MODEL, *pair, "-o", tmp_path / "a.svg").status == 0
    assert translate(TEXT, "--align", "-o", tmp_path / "b.svg").status == 0
    assert (tmp_path / "b.svg").read_text().startswith("<svg ")


@pytest.mark.parametrize(
    ("format", "name", "extension"),
    [
        ("text", "a.svg", "*.txt"),
        ("svg", "a.jsonl", "*.svg"),
        ("jsonl", "a.tsv.gz", "*.jsonl"),
        ("tsv", "a.txt", "*.tsv"),
    ],
)
def test_a_format_that_does_not_fit_the_name_is_refused(tmp_path, format, name, extension):
    result = translate(TEXT, "-f", format, "-o", tmp_path / name)
    assert result.status == 2
    assert f"--format {format} does not fit {tmp_path / name}. " in result.err
    assert f"name the file {extension}." in result.err
    assert list(tmp_path.iterdir()) == []


# Hints


def test_a_file_name_as_text_gets_a_hint_and_is_still_translated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.en").write_text("x\n")
    result = translate("a.en")
    assert result.status == 0
    assert len(result.lines()) == 1
    assert "attn translate -i a.en" in result.err
    assert translate("a.en", "--quiet").err == ""
    result = attn("align", "-m", MODEL, "a.en", "a.en")
    assert "attn align --source a.en --target a.en" in result.err


def test_several_arguments_of_one_word_get_a_hint():
    result = translate("I", "see", "dogs")
    assert len(result.lines()) == 3
    assert 'attn translate "I see dogs"' in result.err
    for texts in (["dogs"], ["I see", "dogs"]):
        assert "for one line" not in translate(*texts).err


@pytest.mark.parametrize("text", ["a" * 5000, "", "\udcff"])
def test_hints_accept_any_argument(text):
    assert translate(text, text).status == 0


# TSV


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_csv_and_pandas_read_what_tsv_writes():
    pandas = pytest.importorskip("pandas")
    source = '"I" say ""so"", he said: \'no\'.\n\nnull NA 1e5\n'
    result = translate("-f", "tsv", stdin=source)
    records = {each["line"]: each for each in translate("-f", "jsonl", stdin=source).records()}
    lines = list(csv.reader(io.StringIO(result.out), delimiter="\t"))
    rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:] if line]
    expected = [
        (number, t, target, s, source)
        for number, each in records.items()
        for t, target in enumerate(each["target_words"])
        for s, source in enumerate(each["source_words"])
    ]
    assert [
        (int(r["line"]), int(r["target_index"]), r["target"], int(r["source_index"]), r["source"])
        for r in rows
    ] == expected
    table = pandas.read_csv(io.StringIO(result.out), sep="\t", keep_default_na=False)
    names = ["line", "target_index", "target", "source_index", "source"]
    assert list(table[names].itertuples(index=False, name=None)) == expected
    assert table["weight"].between(0, 1).all()


def test_a_tsv_file_has_one_header_for_all_its_chunks_and_shards(tmp_path):
    (tmp_path / "a.en").write_text(f"{TEXT}\n" * 1500)
    options = ("-i", tmp_path / "a.en", "--beam", "1", "-o")
    assert translate(*options, tmp_path / "a.tsv").status == 0
    for part in ("1/2", "2/2"):
        assert translate(*options, tmp_path / f"{part[0]}.tsv", "--shard", part).status == 0
    text = (tmp_path / "a.tsv").read_text()
    assert text.count("target_index") == 1
    assert text == "".join((tmp_path / f"{n}.tsv").read_text() for n in (1, 2))


def test_empty_input_gives_only_the_tsv_header():
    assert translate("-f", "tsv", stdin="").out == (
        "line\ttarget_index\ttarget\tsource_index\tsource\tweight\n"
    )


# --n-best


def test_text_and_jsonl_give_a_hypothesis_the_same_score():
    options = ("--n-best", "3", "--length-penalty", "1.5", "--coverage-penalty", "0.2")
    source = f"{TEXT}\nwe love the red car.\n"
    moses = [line.split(" ||| ") for line in translate(*options, stdin=source).lines()]
    records = translate(*options, "-f", "jsonl", stdin=source).records()
    assert [(int(n), text, float(score)) for n, text, score in moses] == [
        (each["line"], best["target"], best["score"]) for each in records for best in each["nbest"]
    ]
    assert all(each["score"] == each["nbest"][0]["score"] for each in records)


@pytest.mark.parametrize("format", ["table", "pharaoh", "tsv"])
def test_a_format_without_alternatives_warns_that_it_shows_only_the_best(format):
    result = translate(TEXT, "--n-best", "3", "-f", format)
    assert f"--format {format} shows only the best translation" in result.err
    assert result.out == translate(TEXT, "-f", format, "--beam", "5").out
    assert "shows only the best" not in translate(TEXT, "-f", format).err
