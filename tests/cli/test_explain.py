"""attn explain on a model of the repository."""

import json
import re

import numpy as np
import pytest
from program import attn

import attn_cli
from attn_cli.errors import ExitStatus

THREADS = ("--threads", 1)


@pytest.fixture(scope="module")
def records():
    return attn("explain", "I love you", "--format", "jsonl", *THREADS).records()


def test_the_table_is_that_of_translate(records):
    (table,) = [each for each in records if each["name"] == "table"]
    command = ("translate", "I love you", "--format", "jsonl", "--engine", "torch", *THREADS)
    (translation,) = attn(*command).records()
    assert table["target_words"] == translation["target_words"] == ["Je", "t'", "aime"]
    np.testing.assert_allclose(table["weights"], translation["weights"], atol=1e-4)


def test_there_is_a_record_for_each_step_and_target_piece(records):
    counts = {step: sum(r["step"] == step and r["name"] != "table" for r in records)
              for step in range(1, 9)}  # fmt: skip
    assert counts == {1: 1, 2: 4, 3: 1, 4: 4, 5: 4, 6: 4, 7: 4, 8: 4}


def test_a_pipe_gets_all_steps_of_the_first_word_and_the_table():
    ended = attn("explain", "I love you", *THREADS)
    for step in range(1, 9):
        assert f"\n{step}  " in ended.out
    assert "for ▁Je" in ended.out
    assert "for ▁t'" not in ended.out
    assert re.search(r"\naime +\S+ +(0\.9\d|1\.00)█", ended.out)  # the weight of aime on love
    assert "\x1b" not in ended.out


def test_the_options_step_and_word_select_the_output():
    ended = attn("explain", "I love you", "--step", 4, "--word", 2, *THREADS)
    assert "4  Score" in ended.out
    assert "for ▁t'" in ended.out
    assert "5  Normalize" not in ended.out
    all_words = attn("explain", "I love you", "--step", 8, "--word", "all", *THREADS)
    assert [f"for {piece}" in all_words.out for piece in ("▁Je", "▁t'", "aime")] == [True] * 3


@pytest.mark.parametrize(
    ("arguments", "problem", "status"),
    [
        (["I love you", "--word", "9"], "the translation has 3 words", ExitStatus.USAGE),
        (["I love you", "--word", "x"], "--word cannot be x", ExitStatus.USAGE),
        (["I love you", "--head", "2"], "there is no head 2", ExitStatus.USAGE),
        (["  "], "no word to translate", ExitStatus.USAGE),
    ],
)
def test_invalid_options_and_blank_text_are_usage_errors(arguments, problem, status):
    ended = attn("explain", *arguments, *THREADS)
    assert (ended.status, ended.out) == (status, "")
    assert problem in ended.err


def test_python_gives_the_records_of_the_command(records):
    result = attn_cli.load("en-fr", threads=1).explain("I love you")
    assert json.loads(json.dumps(result.to_dicts())) == records
    assert "for ▁t'" in str(result.of_word(2))
    assert result._repr_html_().startswith("<pre")
