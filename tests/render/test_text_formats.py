"""The line formats that scripts depend on, to the character."""

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


def test_text_is_the_translation():
    assert text_formats.text(translation()) == "Je t'aime"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_a_translation_with_line_ends_in_it_is_still_one_line(end):
    broken = translation(text=f"Je{end}t'aime", texts=(f"Je{end}t'aime", "x"))
    for made in (
        text_formats.text(broken),
        text_formats.nbest(broken, 1),
        text_formats.translated_pharaoh(broken, LINKS),
        text_formats.jsonl(broken, LINKS, model="en-fr"),
    ):
        assert not set(made) & set("\r\n")


def test_nbest_is_in_the_form_of_moses_best_first():
    assert text_formats.nbest(translation(), 2) == (
        "1 ||| Je t'aime ||| -0.4100\n1 ||| Je vous aime ||| -1.5000"
    )


def test_nbest_stops_at_the_count():
    assert text_formats.nbest(translation(), 1) == "1 ||| Je t'aime ||| -0.4100"


def test_pharaoh_is_the_links_by_target_word():
    assert text_formats.pharaoh(LINKS) == "0-0 2-1 1-2"


def test_pharaoh_with_scores_has_two_decimals():
    assert text_formats.pharaoh(LINKS, scores=True) == "0-0:0.94 2-1:0.88 1-2:0.91"


def test_a_link_of_unknown_weight_has_no_score():
    assert text_formats.pharaoh(WordAlignment(frozenset({(0, 0)}), 1, 1), scores=True) == "0-0"


def test_the_pharaoh_of_a_translation_follows_its_text():
    made = text_formats.translated_pharaoh(translation(), LINKS, scores=True)
    assert made == "Je t'aime ||| 0-0:0.94 2-1:0.88 1-2:0.91"


def test_tsv_has_a_line_for_each_cell():
    made = text_formats.tsv(translation()).split("\n")
    assert len(made) == 9
    assert made[5] == "1\t1\tt'\t2\tyou\t0.8800"


def test_words_with_tabs_and_line_ends_do_not_break_tsv():
    word = ("a\tb\nc",)
    alignment = SoftAlignment(word, word, np.ones((1, 1), np.float32), np.zeros(1, np.float32))
    (row,) = csv.reader([text_formats.tsv(translation(alignment=alignment))], delimiter="\t")
    assert row == ["1", "0", "a\tb c", "0", "a\tb c", "1.0000"]


def test_the_jsonl_record_is_that_of_the_contract():
    sure = translation(confidence=0.81234, unsure=(1,))
    made = text_formats.jsonl(sure, LINKS, model="en-fr", n_best=2)
    assert made == (
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


def test_jsonl_keeps_letters_readable():
    assert "été 日本" in text_formats.jsonl(translation(text="été 日本"), LINKS, model="m")


def test_jsonl_escapes_what_some_readers_take_for_a_line_end():
    made = text_formats.jsonl(translation(text="a\u2028b\x85c"), LINKS, model="m")
    assert len(made.splitlines()) == 1
    assert json.loads(made)["target"] == "a\u2028b\x85c"


def test_a_lone_surrogate_survives_as_an_escape():
    made = text_formats.jsonl(translation(), LINKS, model="m", extra={"id": "\ud800"})
    assert json.loads(made.encode())["id"] == "\ud800"


def test_other_fields_of_the_input_pass_through_after_ours():
    extra = {"source": "ignored", "id": 7, "tags": {"a": [1, None]}}
    made = record(translation(), LINKS, extra=extra)
    assert list(made)[-2:] == ["id", "tags"]
    assert (made["source"], made["id"], made["tags"]) == ("I love you", 7, {"a": [1, None]})


def test_a_number_that_json_cannot_write_is_null():
    made = record(translation(word_logp=(-float("inf"), -0.2)), LINKS)
    assert made["logprobs"] == [None, -0.2]


def test_a_link_of_unknown_weight_is_null_in_jsonl():
    assert record(translation(), WordAlignment(frozenset({(0, 0)}), 1, 1))["links"] == [
        [0, 0, None]
    ]


UNSCORED = {"hypotheses": (), "texts": (), "word_logp": ()}


def test_a_target_that_nobody_scored_has_no_score_in_jsonl():
    made = record(translation(**UNSCORED), LINKS)
    assert (made["score"], made["logprobs"], made["nbest"]) == (None, [], [])
    assert made["links"] == [[0, 0, 0.94], [2, 1, 0.88], [1, 2, 0.91]]


@pytest.mark.parametrize("side", ["source_words", "target_words"])
def test_a_pair_with_a_blank_side_has_the_score_of_a_blank_line(side):
    assert record(translation(**UNSCORED, **{side: ()}), NO_LINKS)["score"] == 0


def test_a_blank_line_gives_a_blank_line():
    assert text_formats.text(BLANK) == text_formats.tsv(BLANK) == ""
    assert text_formats.pharaoh(NO_LINKS) == text_formats.translated_pharaoh(BLANK, NO_LINKS) == ""


def test_a_blank_line_gives_one_empty_candidate_of_nbest():
    assert text_formats.nbest(BLANK, 5) == "4 |||  ||| 0.0000"


def test_a_blank_line_gives_a_record_with_empty_fields_in_jsonl():
    made = record(BLANK, NO_LINKS)
    assert list(made) == list(record(translation(), LINKS))
    assert {key: made.pop(key) for key in ("line", "score", "model")} == {
        "line": 4,
        "score": 0.0,
        "model": "en-fr",
    }
    assert not any(made.values())


# Confidence and unsure words


def test_the_text_with_its_confidence_has_it_behind_four_digits():
    assert text_formats.scored_text(translation(confidence=0.8)) == "Je t'aime ||| 0.8000"
    assert text_formats.scored_text(replace(BLANK, confidence=1.0)) == ""


@pytest.mark.parametrize(
    ("unsure", "marked"),
    [
        ((), "Je t'aime"),
        ((0,), "⟦Je⟧ t'aime"),
        ((2,), "Je t'⟦aime⟧"),
        ((1, 2), "Je ⟦t'aime⟧"),
        ((0, 1, 2), "⟦Je t'aime⟧"),
        ((0, 2), "⟦Je⟧ t'⟦aime⟧"),
    ],
)
def test_unsure_words_are_marked_in_the_text_neighbors_together(unsure, marked):
    assert text_formats.mark_unsure(translation(unsure=unsure)).text == marked


def test_the_same_word_twice_is_marked_where_it_is_unsure():
    twice = translation(text="va, va, va", target_words=("va", ",", "va", ",", "va"), unsure=(2,))
    assert text_formats.mark_unsure(twice).text == "va, ⟦va⟧, va"


def test_a_sign_that_is_no_mark_is_doubled():
    odd = translation(text="⟦a⟧ b", target_words=("⟦", "a", "⟧", "b"), unsure=(3,))
    assert text_formats.mark_unsure(odd).text == "⟦⟦a⟧⟧ ⟦b⟧"
    assert text_formats.mark_unsure(replace(odd, unsure=())).text == "⟦⟦a⟧⟧ b"


def test_a_model_without_calibration_and_a_given_target_have_no_confidence():
    assert record(translation(), LINKS)["confidence"] is None
