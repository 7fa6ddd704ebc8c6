"""attn translate: one record for each line, in order, in every format, for any input."""

import gzip
import io
import json
import re
from xml.etree import ElementTree

import pytest
from program import PAIRS, attn

SOURCES = list(PAIRS)
HOSTILE = [
    b"I love the cat.",
    b"",
    b" \t  ",
    b"we see two books. " * 1250,  # 5,000 words and as many ends
    "😀 👩‍👩‍👧 e\u0301 ".encode(),
    b"\x00\x07a\x1b[31mb",
    b"\xff\xfe bad \xc3",
    "a\u2028b\u0085c\x0cd\u2029".encode(),
    b"we see a dog.",
]
BLANK = {1, 2}


@pytest.fixture
def translate(tiny):
    return lambda *arguments, **options: attn("translate", "-m", tiny, *arguments, **options)


def test_the_text_format_is_the_translation_alone(translate):
    result = translate(stdin="\n".join(PAIRS))
    assert (result.status, result.err) == (0, "")
    assert result.lines() == list(PAIRS.values())


def test_each_argument_is_a_line(translate):
    assert translate(SOURCES[0], "", SOURCES[7]).lines() == [
        PAIRS[SOURCES[0]],
        "",
        PAIRS[SOURCES[7]],
    ]


def test_every_input_line_gives_one_output_line_in_order(translate):
    result = translate(stdin=b"\n".join(HOSTILE))
    assert result.status == 0
    lines = result.lines()
    assert len(lines) == len(HOSTILE)
    assert [n for n, line in enumerate(lines) if not line] == sorted(BLANK)
    assert (lines[0], lines[-1]) == (PAIRS["I love the cat."], PAIRS["we see a dog."])


def test_every_line_gives_one_record_with_its_number_and_source(translate):
    records = translate("-f", "jsonl", stdin=b"\n".join(HOSTILE)).records()
    assert [record["line"] for record in records] == list(range(1, len(HOSTILE) + 1))
    for number, (raw, record) in enumerate(zip(HOSTILE, records, strict=True)):
        assert record["source"] == ("" if number in BLANK else raw.decode("utf-8", "replace"))
        assert bool(record["target_words"]) == (number not in BLANK)


def test_a_problem_of_a_line_is_reported_with_its_number(translate):
    messages = translate(stdin=b"\n".join(HOSTILE)).err.splitlines()
    warnings = [line for line in messages if "mostly unknown" not in line]
    assert [line.split(":")[1] for line in warnings] == [" line 7", " line 4"]
    assert "UTF-8" in warnings[0]
    assert "longer than" in warnings[1]


def test_a_quiet_run_still_warns_of_lines_that_are_not_utf8(translate):
    assert "line 1" in translate("-q", stdin=b"\xff\n").err


@pytest.mark.parametrize("format", ["text", "pharaoh", "jsonl", "tsv", "table"])
def test_a_line_end_with_a_carriage_return_changes_nothing(translate, format):
    unix = translate("-f", format, stdin="I see a dog.\n\nAnna sells.\n")
    windows = translate("-f", format, stdin="I see a dog.\r\n\r\nAnna sells.\r\n")
    assert unix.stdout == windows.stdout


def test_the_last_line_needs_no_newline_and_empty_input_gives_no_output(translate):
    assert translate(stdin="I see a dog.").lines() == ["je vois un chien."]
    assert translate(stdin="").stdout == b""


def test_a_record_has_the_documented_fields(translate):
    (record,) = translate("-f", "jsonl", "we see a dog.").records()
    assert list(record) == [
        *("line", "source", "target", "score", "confidence", "source_words", "target_words"),
        *("weights", "unaligned", "links", "logprobs", "unsure", "model", "nbest"),
    ]
    assert record["target"] == "nous vois un chien."
    assert record["source_words"] == ["we", "see", "a", "dog", "."]
    assert record["target_words"] == ["nous", "vois", "un", "chien", "."]
    assert record["model"] == "tiny"
    assert record["nbest"] == [{"target": record["target"], "score": record["score"]}]


def test_each_row_of_weights_and_its_unaligned_share_sum_to_1(translate):
    for record in translate("-f", "jsonl", stdin="\n".join(SOURCES[:12])).records():
        for row, unaligned in zip(record["weights"], record["unaligned"], strict=True):
            assert sum(row) + unaligned == pytest.approx(1, abs=1e-3)
            assert len(row) == len(record["source_words"])
        assert len(record["weights"]) == len(record["target_words"])


@pytest.mark.parametrize("level", ["word", "piece"])
def test_words_weights_links_and_logprobs_of_a_record_agree_in_size(translate, level):
    (record,) = translate(
        "-f", "jsonl", "--level", level, "the sellers love Anna's books"
    ).records()
    rows, columns = len(record["target_words"]), len(record["source_words"])
    assert len(record["weights"]) == len(record["logprobs"]) == len(record["unaligned"]) == rows
    assert {len(row) for row in record["weights"]} == {columns}
    assert all(s < columns and t < rows for s, t, _ in record["links"])


def test_links_are_the_cells_of_at_least_the_threshold(translate):
    for threshold in (0.0, 0.2, 0.5, 1.0):
        (record,) = translate("-f", "jsonl", "--threshold", threshold, "I love a dog.").records()
        cells = {
            (s, t)
            for t, row in enumerate(record["weights"])
            for s, weight in enumerate(row)
            if weight >= threshold
        }
        assert {(s, t) for s, t, _ in record["links"]} == cells


def test_pharaoh_is_the_translation_and_the_links_of_the_record(translate):
    sources = ["I love a dog.", "", "Anna see two books."]
    records = translate("-f", "jsonl", *sources).records()
    for line, record in zip(translate("-f", "pharaoh", *sources).lines(), records, strict=True):
        links = " ".join(f"{s}-{t}" for s, t, _ in record["links"])
        assert line == (f"{record['target']} ||| {links}" if record["source"] else "")


def test_scores_are_added_to_pharaoh_links_to_two_digits(translate):
    (record,) = translate("-f", "jsonl", "I love a dog.").records()
    (line,) = translate("-f", "pharaoh", "--scores", "I love a dog.").lines()
    scored_links = re.findall(r"(\d+)-(\d+):(\d\.\d\d)(?= |$)", line.split(" ||| ")[1])
    assert [(int(s), int(t)) for s, t, _ in scored_links] == [(s, t) for s, t, _ in record["links"]]
    for (*_, score), (*_, weight) in zip(scored_links, record["links"], strict=True):
        assert float(score) == pytest.approx(weight, abs=0.0051)


def test_tsv_has_a_line_for_each_cell(translate):
    (record,) = translate("-f", "jsonl", "I love a dog.").records()
    _, *rows = (line.split("\t") for line in translate("-f", "tsv", "I love a dog.").lines())
    assert rows == [
        ["1", str(t), target, str(s), source, f"{record['weights'][t][s]:.4f}"]
        for t, target in enumerate(record["target_words"])
        for s, source in enumerate(record["source_words"])
    ]


def test_n_best_lines_are_in_moses_format_and_begin_with_the_best(translate):
    lines = translate("--n-best", "3", stdin="I love a dog.\n\nwe see\n").lines()
    matches = [re.fullmatch(r"(\d+) \|\|\| (.*) \|\|\| (-?\d+\.\d{4})", line) for line in lines]
    assert all(matches)
    rows = [match.groups() for match in matches if match]
    assert [line for line, *_ in rows] == ["1"] * 3 + ["2"] + ["3"] * 3
    assert rows[0][1] == PAIRS["I love a dog."]
    assert rows[3] == ("2", "", "0.0000")


def test_n_best_translations_of_a_line_differ_and_begin_with_the_best(translate):
    (record,) = translate("-f", "jsonl", "--n-best", "4", "we see the dog").records()
    candidates = [each["target"] for each in record["nbest"]]
    assert candidates[0] == record["target"]
    assert len(candidates) == len(set(candidates)) == 4


def test_a_svg_is_a_picture_of_one_sentence(translate, tmp_path):
    picture = tmp_path / "a.svg"
    result = translate("-f", "svg", "-o", picture, "I love a dog.")
    assert (result.status, result.stdout) == (0, b"")
    assert "aime" in "".join(ElementTree.parse(picture).getroot().itertext())


def test_two_sentences_in_svg_format_are_refused(translate, tmp_path):
    result = translate("-f", "svg", "-o", tmp_path / "a.svg", "I see.", "we see.")
    assert (result.status, result.stdout, list(tmp_path.iterdir())) == (2, b"", [])


# Tables


def test_align_gives_the_table_format_and_its_numbers_are_the_weights(translate):
    (record,) = translate("-f", "jsonl", "I love a dog.").records()
    table = translate("--align", "I love a dog.")
    assert table.stdout == translate("-f", "table", "I love a dog.").stdout
    for word, row in zip(record["target_words"], record["weights"], strict=True):
        (table_row,) = [line for line in table.lines() if line.split()[:1] == [word]]
        numbers = [float(number) for number in re.findall(r"\d\.\d\d", table_row)]
        expected = [w for w in row if w >= 0.005]  # the unaligned share may follow them
        assert numbers[: len(expected)] == pytest.approx(expected, abs=0.0051)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_of_a_table_is_wider_than_the_terminal(translate, width):
    from rich.cells import cell_len

    result = translate("--align", " ".join(SOURCES[:4]), environment={"COLUMNS": str(width)})
    assert result.status == 0
    assert max(cell_len(line) for line in result.lines()) <= width


def test_a_terminal_has_colors_and_a_pipe_has_none(translate):
    assert b"\x1b[" in translate("--align", "I see a dog.", terminal=True).stdout
    assert b"\x1b[" not in translate("--align", "I see a dog.").stdout


@pytest.mark.parametrize("setting", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, "--no-color"])
def test_an_option_or_a_variable_turns_color_off(translate, setting):
    flags, environment = ([setting], None) if isinstance(setting, str) else ([], setting)
    result = translate("--align", "I see a dog.", *flags, terminal=True, environment=environment)
    assert result.status == 0
    assert not re.search(rb"\x1b\[[0-9;]*[34]8;", result.stdout)


# Files


def test_gzip_in_gzip_out(translate, tmp_path):
    source, out = tmp_path / "a.en.gz", tmp_path / "a.fr.gz"
    source.write_bytes(gzip.compress("\n".join(PAIRS).encode()))
    assert translate("-i", source, "-o", out).status == 0
    assert gzip.decompress(out.read_bytes()).decode().splitlines() == list(PAIRS.values())


def test_a_dash_is_stdin_and_stdout(translate):
    assert translate("-i", "-", "-o", "-", stdin="I see a dog.\n").out == "je vois un chien.\n"


def test_a_failure_leaves_the_old_output_as_it_was(translate, tmp_path):
    out, source = tmp_path / "a.jsonl", tmp_path / "in.jsonl"
    out.write_text("old")
    source.write_text('{"source": "I see."}\n' * 1100 + "no record\n")
    result = translate("--input-format", "jsonl", "-f", "jsonl", "-i", source, "-o", out)
    assert result.status == 3
    assert "1101" in result.err
    assert out.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "in.jsonl"]


def test_a_line_longer_than_a_batch_changes_no_other_line(translate):
    long_line = "we see two books. " * 300
    expected = translate(stdin="\n".join(SOURCES[:20])).lines()
    lines = translate(stdin="\n".join([*SOURCES[:10], long_line, *SOURCES[10:20]])).lines()
    assert lines[:10] + lines[11:] == expected


# JSONL in


def test_the_other_fields_of_a_record_pass_through(translate):
    extra = {"id": "é\u2028x", "n": 12345678901234567890, "deep": {"a": [None, True, 1.5]}, "é": ""}
    lines = [json.dumps({**extra, "source": "I see a dog."}), "", json.dumps({"source": " "})]
    result = translate("--input-format", "jsonl", "-f", "jsonl", stdin="\n".join(lines))
    first, second, third = result.records()
    assert {key: first[key] for key in extra} == extra
    assert first["target"] == "je vois un chien."
    assert (second["source"], third["source"]) == ("", "")


def test_input_fields_do_not_overwrite_output_fields_of_the_same_name(translate):
    line = json.dumps({"source": "I see a dog.", "target": "?", "score": "high", "line": 99})
    (record,) = translate("--input-format", "jsonl", "-f", "jsonl", stdin=line).records()
    assert (record["target"], record["line"]) == ("je vois un chien.", 1)


@pytest.mark.parametrize(
    "line", ["plain", "[1]", "{}", '{"source": 3}', '{"source": "a", "x": NaN}', '{"source":', "1"]
)
def test_an_invalid_record_is_refused_with_its_line_number(translate, line):
    result = translate("--input-format", "jsonl", stdin=f'{{"source": "I see."}}\n{line}\n')
    assert result.status == 3
    assert "line 2" in result.err


def test_a_lone_surrogate_in_a_record_still_gives_valid_json(translate):
    (record,) = translate(
        "--input-format", "jsonl", "-f", "jsonl", stdin='{"source": "\\ud800 I see"}'
    ).records()
    assert record["source"] == "\ud800 I see"


def test_a_line_break_in_a_record_does_not_break_the_output(translate):
    for format in ("text", "pharaoh", "jsonl"):
        line = json.dumps({"source": "I see\r\na dog.\n"})
        assert len(translate("--input-format", "jsonl", "-f", format, stdin=line).lines()) == 1


# Searching


def test_the_number_of_lines_read_together_changes_no_translation(translate):
    batch = translate(stdin="\n".join(SOURCES)).lines()
    assert batch == [translate(source).lines()[0] for source in SOURCES]


class ClosedPipe(io.RawIOBase):
    """A pipe whose reader has closed it."""

    def writable(self):
        return True

    def write(self, data):
        raise BrokenPipeError


class FullDisk(ClosedPipe):
    """A disk without free space."""

    def write(self, data):
        raise OSError(28, "No space left on device")


def test_a_closed_pipe_ends_the_command_without_a_message(translate):
    result = translate(stdin="I see.\n" * 40, stdout=ClosedPipe())
    assert (result.status, result.err) == (0, "")


def test_a_full_disk_is_reported_in_one_sentence(translate):
    result = translate("I see.", stdout=FullDisk())
    assert result.status == 3
    assert result.err.startswith("attn: cannot write standard output: No space left on device.")


def test_the_view_option_draws_a_table_and_excludes_jsonl(tiny):
    compact = attn("translate", "-m", tiny, "--view", "compact", "I see a dog.")
    assert "██" in compact.out
    assert attn("translate", "-m", tiny, "--view", "links", "I see a dog.").out.count("←") == 5
    result = attn("translate", "-m", tiny, "--view", "links", "-f", "jsonl", "I see a dog.")
    assert result.status == 2


def test_on_a_terminal_a_long_sentence_is_drawn_compact(tiny):
    text = "I see a dog. " * 5
    (table, compact) = (
        attn("translate", "-m", tiny, "--align", text, terminal=terminal).out
        for terminal in (False, True)
    )
    number = re.compile(r"\b[01]\.\d\d")
    assert number.search(table)
    assert not number.search(compact)
