"""The line formats that scripts depend on, tested character by character."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from attn_cli.render import text_formats
from attn_cli.types import Hypothesis, SoftAlignment, Translation, WordAlignment

WEIGHTS = np.array([[0.94, 0.04, 0.02], [0.11, 0.01, 0.88], [0.05, 0.91, 0.04]], np.float32)
LINKS = WordAlignment(
    frozenset({(0, 0), (1, 2), (2, 1)}), 3, 3, {(0, 0): 0.94, (2, 1): 0.88, (1, 2): 0.91}
)
NO_LINKS = WordAlignment(frozenset(), 0, 0)
BLANK = Translation(4, " \t", "")


def hypothesis(score, *logp):
    return Hypothesis(np.arange(len(logp), dtype=np.int32), score, np.array(logp, np.float32))


def translation(**changes):
    source, target = ("I", "love", "you"), ("Je", "t'", "aime")
    fields = {
        "line": 1,
        "source": "I love you",
        "text": "Je t'aime",
        "source_words": source,
        "target_words": target,
        "hypotheses": (hypothesis(-0.5, -0.3, -0.5, -0.43), hypothesis(-0.9, -1.0, -2.0)),
        "texts": ("Je t'aime", "Je vous aime"),
        "alignment": SoftAlignment(source, target, WEIGHTS, np.zeros(3, np.float32)),
        "word_logp": (-0.1, -0.2, -0.1),
    }
    return Translation(**(fields | changes))


def record(*args, model="en-fr", **options):
    return json.loads(text_formats.jsonl(*args, model=model, **options))


def test_the_text_format_is_the_translation():
    assert text_formats.text(translation()) == "Je t'aime"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_line_ends_in_a_translation_do_not_split_its_line(end):
    broken = translation(text=f"Je{end}t'aime", texts=(f"Je{end}t'aime", "x"))
    for output in (
        text_formats.text(broken),
        text_formats.nbest(broken, 1),
        text_formats.translated_pharaoh(broken, LINKS),
        text_formats.jsonl(broken, LINKS, model="en-fr"),
    ):
        assert not set(output) & set("\r\n")


def test_nbest_has_the_format_of_moses_sorted_by_score():
    assert text_formats.nbest(translation(), 2) == (
        "1 ||| Je t'aime ||| -0.4100\n1 ||| Je vous aime ||| -1.5000"
    )


def test_nbest_stops_at_the_count():
    assert text_formats.nbest(translation(), 1) == "1 ||| Je t'aime ||| -0.4100"


def test_pharaoh_links_are_sorted_by_target_word():
    assert text_formats.pharaoh(LINKS) == "0-0 2-1 1-2"


def test_pharaoh_with_scores_has_two_decimals():
    assert text_formats.pharaoh(LINKS, scores=True) == "0-0:0.94 2-1:0.88 1-2:0.91"


def test_a_link_of_unknown_weight_has_no_score():
    assert text_formats.pharaoh(WordAlignment(frozenset({(0, 0)}), 1, 1), scores=True) == "0-0"


def test_translated_pharaoh_has_the_text_before_the_links():
    line = text_formats.translated_pharaoh(translation(), LINKS, scores=True)
    assert line == "Je t'aime ||| 0-0:0.94 2-1:0.88 1-2:0.91"


def test_tsv_has_a_line_for_each_cell():
    lines = text_formats.tsv(translation()).split("\n")
    assert len(lines) == 9
    assert lines[5] == "1\t1\tt'\t2\tyou\t0.8800"


def test_words_with_tabs_and_line_ends_do_not_break_tsv():
    word = ("a\tb\nc",)
    alignment = SoftAlignment(word, word, np.ones((1, 1), np.float32), np.zeros(1, np.float32))
    (row,) = csv.reader([text_formats.tsv(translation(alignment=alignment))], delimiter="\t")
    assert row == ["1", "0", "a\tb c", "0", "a\tb c", "1.0000"]


def test_the_jsonl_record_has_the_documented_fields():
    sample = translation(confidence=0.81234, unsure=(1,))
    line = text_formats.jsonl(sample, LINKS, model="en-fr", n_best=2)
    assert line == (
        '{"line": 1, "source": "I love you", "target": "Je t\'aime", "score": -0.41, '
        '"confidence": 0.8123, '
        '"source_words": ["I", "love", "you"], "target_words": ["Je", "t\'", "aime"], '
        '"weights": [[0.94, 0.04, 0.02], [0.11, 0.01, 0.88], [0.05, 0.91, 0.04]], '
        '"unaligned": [0.0, 0.0, 0.0], '
        '"links": [[0, 0, 0.94], [2, 1, 0.88], [1, 2, 0.91]], '
        '"logprobs": [-0.1, -0.2, -0.1], "unsure": [1], "model": "en-fr", '
        '"nbest": [{"target": "Je t\'aime", "score": -0.41}, '
        '{"target": "Je vous aime", "score": -1.5}]}'
    )


def test_jsonl_does_not_escape_letters():
    assert "été 日本" in text_formats.jsonl(translation(text="été 日本"), LINKS, model="m")


def test_jsonl_escapes_unicode_line_separators():
    line = text_formats.jsonl(translation(text="a\u2028b\x85c"), LINKS, model="m")
    assert len(line.splitlines()) == 1
    assert json.loads(line)["target"] == "a\u2028b\x85c"


def test_a_lone_surrogate_is_escaped_in_jsonl():
    line = text_formats.jsonl(translation(), LINKS, model="m", extra={"id": "\ud800"})
    assert json.loads(line.encode())["id"] == "\ud800"


def test_other_fields_of_the_input_are_copied_after_those_of_attn():
    extra = {"source": "ignored", "id": 7, "tags": {"a": [1, None]}}
    fields = record(translation(), LINKS, extra=extra)
    assert list(fields)[-2:] == ["id", "tags"]
    assert (fields["source"], fields["id"], fields["tags"]) == ("I love you", 7, {"a": [1, None]})


def test_an_infinite_number_is_null_in_jsonl():
    fields = record(translation(word_logp=(-float("inf"), -0.2)), LINKS)
    assert fields["logprobs"] == [None, -0.2]


def test_a_link_of_unknown_weight_is_null_in_jsonl():
    assert record(translation(), WordAlignment(frozenset({(0, 0)}), 1, 1))["links"] == [
        [0, 0, None]
    ]


UNSCORED = {"hypotheses": (), "texts": (), "word_logp": ()}


def test_a_target_without_a_score_has_null_as_score_in_jsonl():
    fields = record(translation(**UNSCORED), LINKS)
    assert (fields["score"], fields["logprobs"], fields["nbest"]) == (None, [], [])
    assert fields["links"] == [[0, 0, 0.94], [2, 1, 0.88], [1, 2, 0.91]]


@pytest.mark.parametrize("side", ["source_words", "target_words"])
def test_a_pair_with_a_blank_side_has_the_score_of_a_blank_line(side):
    assert record(translation(**UNSCORED, **{side: ()}), NO_LINKS)["score"] == 0


def test_a_blank_line_gives_a_blank_line():
    assert text_formats.text(BLANK) == text_formats.tsv(BLANK) == ""
    assert text_formats.pharaoh(NO_LINKS) == text_formats.translated_pharaoh(BLANK, NO_LINKS) == ""


def test_a_blank_line_gives_one_empty_candidate_of_nbest():
    assert text_formats.nbest(BLANK, 5) == "4 |||  ||| 0.0000"


def test_a_blank_line_gives_a_record_with_empty_fields_in_jsonl():
    fields = record(BLANK, NO_LINKS)
    assert list(fields) == list(record(translation(), LINKS))
    assert {key: fields.pop(key) for key in ("line", "score", "model")} == {
        "line": 4,
        "score": 0.0,
        "model": "en-fr",
    }
    assert not any(fields.values())


# Confidence and unsure words


def test_scored_text_ends_with_the_confidence_to_four_decimals():
    assert text_formats.scored_text(translation(confidence=0.8)) == "Je t'aime ||| 0.8000"
    assert text_formats.scored_text(replace(BLANK, confidence=1.0)) == ""


@pytest.mark.parametrize(
    ("unsure", "expected"),
    [
        ((), "Je t'aime"),
        ((0,), "⟦Je⟧ t'aime"),
        ((2,), "Je t'⟦aime⟧"),
        ((1, 2), "Je ⟦t'aime⟧"),
        ((0, 1, 2), "⟦Je t'aime⟧"),
        ((0, 2), "⟦Je⟧ t'⟦aime⟧"),
    ],
)
def test_unsure_words_are_marked_in_the_text_and_neighbors_share_a_mark(unsure, expected):
    assert text_formats.mark_unsure(translation(unsure=unsure)).text == expected


def test_only_the_unsure_occurrence_of_a_repeated_word_is_marked():
    twice = translation(text="va, va, va", target_words=("va", ",", "va", ",", "va"), unsure=(2,))
    assert text_formats.mark_unsure(twice).text == "va, ⟦va⟧, va"


def test_mark_characters_of_the_text_are_doubled():
    sample = translation(text="⟦a⟧ b", target_words=("⟦", "a", "⟧", "b"), unsure=(3,))
    assert text_formats.mark_unsure(sample).text == "⟦⟦a⟧⟧ ⟦b⟧"
    assert text_formats.mark_unsure(replace(sample, unsure=())).text == "⟦⟦a⟧⟧ b"


def test_a_translation_without_confidence_has_null_in_jsonl():
    assert record(translation(), LINKS)["confidence"] is None
