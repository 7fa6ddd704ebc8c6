"""A network of random parameters decodes ten thousand generated sentences without losing a
literal."""

import random

from test_literals_survive import check_translation, sentence, translate


def test_literals_of_ten_thousand_sentences_survive() -> None:
    rng = random.Random(13)
    lines = [sentence(rng) for _ in range(10_000)]
    for line, translation in zip(lines, translate(*lines, beam=2), strict=True):
        check_translation(line, translation)
