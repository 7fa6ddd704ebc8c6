"""Errors for JSONL input that is not valid."""

from pathlib import Path

import pytest
from program import attn

MODEL = Path(__file__).parents[1] / "fixtures" / "bundle_v1"


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ('{"text": "a", "id": 3}', 'line 2 has no "source", but "text", "id"'),
        ("{}", 'line 2 has no "source" and no other key'),
        ('{"source": 3}', 'line 2: "source" is a number, not a text'),
        ('{"source": null}', 'line 2: "source" is null, not a text'),
        ('{"source": ["a"]}', 'line 2: "source" is an array, not a text'),
        ('["a"]', "line 2 is not a JSON object: it is an array"),
        ('"a"', "line 2 is not a JSON object: it is a string"),
        ("true", "line 2 is not a JSON object: it is true or false"),
        ('{"source": "a"', "line 2 is not a JSON object: Expecting"),
        ('{"source": NaN}', "line 2 is not a JSON object: NaN is not JSON"),
        ("[" * 100_000, "line 2 is not a JSON object: it is nested too deeply"),
    ],
    ids=lambda text: text[:20],
)
def test_an_error_names_the_line_and_the_problem_of_its_record(record, problem):
    text = f'{{"source": "I see a dog."}}\n{record}\n'
    ended = attn("translate", "-m", MODEL, "--input-format", "jsonl", stdin=text)
    assert ended.status == 3
    assert f"standard input {problem}" in ended.err
    assert '{"source": "…"}' in ended.err


def test_an_error_names_the_first_of_many_keys():
    record = "{" + ", ".join(f'"k{n}": 1' for n in range(100)) + "}"
    ended = attn("translate", "-m", MODEL, "--input-format", "jsonl", stdin=record)
    assert '"k7" and 92 more' in ended.err


def test_align_needs_a_source_and_a_target():
    ended = attn(
        "align", "-m", MODEL, "--input-format", "jsonl", stdin='{"source": "a", "fr": "b"}'
    )
    assert (ended.status, ended.out) == (3, "")
    assert 'has no "target", but "source", "fr"' in ended.err
