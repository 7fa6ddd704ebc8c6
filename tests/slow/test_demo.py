"""The claims of the README's first screen: the demo trains a translator with readable tables."""

import json
import sys

import document_blocks
import pytest


def attn(command, demo):
    status, output = document_blocks.run(f"ATTN_MODEL=runs/demo attn {command}", demo)
    assert status == 0, output
    return output


def test_the_demo_reaches_90_bleu_on_its_test_set(demo):
    attn("translate -i data/demo/test.en -o hyp.fr", demo)
    scores = json.loads(attn("score -r data/demo/test.fr hyp.fr --format json", demo))
    assert scores["bleu"]["score"] >= 90, scores


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("I love you", "Je t'aime", ["Je", "t'", "aime"]),
        ("Look it up.", "Cherchez-le.", ["Cherchez", "-le", "."]),
    ],
)
def test_the_examples_of_the_first_screen_have_their_translations_and_tables(
    source, target, words, demo
):
    output = attn(f'translate "{source}" --align', demo)
    assert f"{source} → {target}" in output
    rows = [line.split()[0] for line in output.splitlines() if line.strip()]
    assert rows[-len(words) :] == words
    record = json.loads(attn(f'translate "{source}" --format jsonl', demo))
    assert record["target"] == target
    for row, unaligned in zip(record["weights"], record["unaligned"], strict=True):
        assert sum(row) + unaligned == pytest.approx(1, abs=1e-3)


def print_aer(weights, demo):
    """Return the line with the error rate of the demo's links from these weights."""
    text = "--source data/demo/test.en --target data/demo/test.fr"
    gold = "--gold data/demo/test.gold -o test.links"
    output = attn(f"align {text} --weights {weights} {gold}", demo)
    assert output.startswith("AER ")
    return output


def test_the_alignment_error_rate_of_the_demo_is_below_5_percent(demo):
    assert float(print_aer("alignment", demo).split()[1]) < 5


def test_the_alignment_error_rate_of_the_demos_attention_is_printed(demo, capsys):
    """There is no bound, since attention is not an alignment; the value is printed."""
    output = print_aer("attention", demo)
    with capsys.disabled():
        sys.stdout.write(f"\nthe demo's attention against its gold: {output}")
