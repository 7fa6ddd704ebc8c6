"""The promises of the first screen: the demo trains a translator with readable tables."""

import json
import sys

import document_blocks
import pytest


def attn(command, demo):
    status, printed = document_blocks.run(f"ATTN_MODEL=runs/demo attn {command}", demo)
    assert status == 0, printed
    return printed


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
def test_the_first_screen_translates_with_its_table(source, target, words, demo):
    printed = attn(f'translate "{source}" --align', demo)
    assert f"{source} → {target}" in printed
    rows = [line.split()[0] for line in printed.splitlines() if line.strip()]
    assert rows[-len(words) :] == words
    record = json.loads(attn(f'translate "{source}" --format jsonl', demo))
    assert record["target"] == target
    for row, unaligned in zip(record["weights"], record["unaligned"], strict=True):
        assert sum(row) + unaligned == pytest.approx(1, abs=1e-3)


def error_of(weights, demo):
    """Return the error rate of the links of the demo's test set by these weights."""
    text = "--source data/demo/test.en --target data/demo/test.fr"
    gold = "--gold data/demo/test.gold -o test.links"
    printed = attn(f"align {text} --weights {weights} {gold}", demo)
    assert printed.startswith("AER ")
    return printed


def test_its_word_aligner_errs_in_fewer_than_one_link_in_twenty(demo):
    assert float(error_of("alignment", demo).split()[1]) < 5


def test_the_error_of_its_attention_as_an_alignment_is_printed(demo, capsys):
    """There is no bound, since attention is not an alignment; the value is printed."""
    printed = error_of("attention", demo)
    with capsys.disabled():
        sys.stdout.write(f"\nthe demo's attention against its gold: {printed}")
