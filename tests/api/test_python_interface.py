"""attn_cli.load and attn_cli.align give what the command line gives, as objects."""

import html.parser
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from program import LINKS, PAIRS, attn

import attn_cli
from attn_cli.api.results import AlignmentResult
from attn_cli.errors import ModelError, UsageError
from attn_cli.types import SoftAlignment, Translation, WordAlignment

DEMO = Path(__file__).resolve().parents[2] / "data" / "demo"


def demo_lines(language: str, count: int) -> list[str]:
    """Sentences of the demo grammar."""
    return (DEMO / f"test.{language}").read_text(encoding="utf-8").splitlines()[:count]


@pytest.fixture(scope="module")
def model():
    return attn_cli.load("en-fr", threads=1)


@pytest.fixture
def files(tmp_path):
    """200 pairs of the demo grammar in two files."""
    paths = [tmp_path / "a.en", tmp_path / "a.fr"]
    for path in paths:
        lines = demo_lines(path.suffix[1:], 200)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return paths


def test_200_translations_are_those_of_the_command_line_byte_for_byte(model, files):
    results = model.translate(demo_lines("en", 200))
    records = attn("translate", "--input", files[0], "--format", "jsonl", "--threads", 1)
    assert "".join(f"{each.to_jsonl()}\n" for each in results) == records.out
    texts = attn("translate", "--input", files[0], "--threads", 1)
    assert "".join(f"{each}\n" for each in results) == texts.out


def test_200_alignments_are_those_of_the_command_line_byte_for_byte(model, files):
    results = model.align(demo_lines("en", 200), demo_lines("fr", 200))
    sides = ("--source", files[0], "--target", files[1], "--threads", 1)
    records = attn("align", *sides, "--format", "jsonl")
    assert "".join(f"{each.to_jsonl()}\n" for each in results) == records.out
    assert "".join(f"{each}\n" for each in results) == attn("align", *sides).out


def test_settings_are_the_options_of_the_same_name():
    model = attn_cli.load(
        "en-fr", weights="alignment", beam=2, n_best=2, length_penalty=0.5, threads=1
    )
    record = attn(
        *("translate", "I love you", "--format", "jsonl", "--weights", "alignment"),
        *("--beam", 2, "--n-best", 2, "--length-penalty", 0.5, "--threads", 1),
    )
    result = model.translate("I love you")
    assert f"{result.to_jsonl()}\n" == record.out
    assert len(result.texts) == 2


@pytest.mark.parametrize("weights", [None, "attention", "alignment"])
def test_diagnostics_are_those_of_the_command_line(weights):
    lines, options = demo_lines("en", 3), ["-f", "jsonl", "--diagnostics", "--threads", 1]
    options += ["--weights", weights] if weights else []
    model = attn_cli.load("en-fr", weights=weights, diagnostics=True, threads=1)
    results = model.translate(lines)
    records = attn("translate", *options, *lines)
    assert "".join(f"{each.to_jsonl()}\n" for each in results) == records.out
    pair = model.align("I love you", "Je t'aime")
    (record,) = attn("align", *options, "I love you", "Je t'aime").records()
    assert pair.to_dict() == record
    assert round(pair.diagnostics.source_entropy, 4) == record["diagnostics"]["source_entropy"]
    assert attn_cli.load("en-fr").translate(lines[0]).diagnostics is None


def test_align_links_pairs_as_align_fit_does(tmp_path):
    text = tmp_path / "pairs.tsv"
    text.write_text("".join(f"{s}\t{t}\n" for s, t in PAIRS.items()), encoding="utf-8")
    results = attn_cli.align(PAIRS.items(), quick=True, threads=1)
    command_line = attn("align", "--fit", "--quick", "--quiet", "--input", text, "--threads", 1)
    assert "".join(f"{each}\n" for each in results) == command_line.out
    assert len(results) == len(LINKS)


def test_a_line_gives_one_result_and_an_iterable_a_list(model):
    assert str(model.translate("I love you")) == "Je t'aime"
    assert [str(each) for each in model.translate(line for line in ("Thank you.", ""))][1] == ""
    assert model.translate([]) == []


def test_a_line_end_within_a_line_is_a_space(model):
    result, expected = model.translate("I love\nyou\n"), model.translate("I love you")
    assert result.to_jsonl() == expected.to_jsonl()


def test_stream_reads_no_more_lines_than_a_chunk(model):
    lines = iter(["Thank you.", "I love you", "Good night.", "Hello."])
    stream = model.stream(lines, chunk_size=2)
    assert next(stream).source == "Thank you."
    assert next(lines) == "Good night."
    assert [each.translation.line for each in stream] == [2, 3]


def test_to_pandas_names_rows_and_columns_by_words(model):
    frame = model.align("I love you", "Je t'aime").alignment.to_pandas()
    assert list(frame.index) == ["Je", "t'", "aime"]
    assert list(frame.columns) == ["I", "love", "you"]
    assert frame.loc["aime"].idxmax() == "love"


def result_of(source: list[str], target: list[str], weights) -> AlignmentResult:
    weights = np.array(weights, np.float32).reshape(len(target), len(source))
    table = SoftAlignment(tuple(source), tuple(target), weights, 1 - weights.sum(1))
    translation = Translation(1, " ".join(source), " ".join(target), alignment=table)
    return AlignmentResult(translation, WordAlignment(frozenset(), len(source), len(target)), "m")


class Cells(html.parser.HTMLParser):
    """The tags of an HTML text, and the text of each th and td."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag in ("th", "td"):
            self.cells.append([tag, ""])

    def handle_data(self, data):
        if self.cells and data.strip():
            self.cells[-1][1] += data


def test_a_notebook_shows_a_table_of_words_and_weights():
    result = result_of(["a", "b"], ["x"], [[0.9, 0.001]])
    cells = Cells(result._repr_html_()).cells
    header = [["td", ""], ["th", "a"], ["th", "b"], ["th", "(end)"]]
    assert cells == [*header, ["th", "x"], ["td", "0.90"], ["td", "·"], ["td", "0.10"]]


def test_html_in_words_is_escaped_in_the_table():
    word = "</table><script>alert(1)</script>\"'&"
    page = Cells(result_of([word], [word], [[1.0]])._repr_html_())
    assert "script" not in page.tags
    assert page.cells[1] == ["th", word]


def test_the_svg_is_well_formed(model):
    root = ET.fromstring(model.translate("I love you")._repr_svg_())
    assert root.tag.endswith("svg")


def test_a_blank_line_has_no_table(model):
    result = model.translate("")
    assert (str(result), result._repr_html_(), result._repr_svg_()) == ("", None, None)


def test_pairs_are_the_linked_words(model):
    pairs = model.align("I love you", "Je t'aime").alignment.pairs
    assert pairs == [("I", "Je"), ("you", "t'"), ("love", "aime")]


def test_pharaoh_links_count_words_from_0(model):
    alignment = model.align("I love you", "Je t'aime").alignment
    assert alignment.to_pharaoh() == "0-0 2-1 1-2"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"beam": 0}, "beam cannot be 0"),
        ({"length_penalty": float("nan")}, "length_penalty cannot be nan"),
        ({"threshold": 2.0}, "threshold cannot be 2.0"),
        ({"head": 0}, "head cannot be 0"),
        ({"head": 1, "weights": "alignment"}, "head and layer choose among"),
    ],
)
def test_an_argument_out_of_its_bounds_is_refused(arguments, problem):
    with pytest.raises(UsageError, match=problem):
        attn_cli.load("en-fr", **arguments)


def test_a_missing_model_is_named_in_the_error():
    with pytest.raises(ModelError, match="no model en-xx"):
        attn_cli.load("en-xx")


def test_sides_of_different_length_are_refused(model):
    with pytest.raises(UsageError, match="2 source lines and 1 target lines"):
        model.align(["a", "b"], ["c"])
