"""The list of common phrases is complete, and its comparison ignores punctuation and case."""

import pytest
from phrases import CommonPhrase, common_phrases


@pytest.mark.parametrize("direction", ["en-fr", "fr-en"])
def test_each_direction_has_a_hundred_different_phrases(direction):
    sources = [phrase.source for phrase in common_phrases(direction)]
    assert len(sources) == len(set(sources)) == 100


@pytest.mark.parametrize("direction", ["en-fr", "fr-en"])
def test_each_phrase_has_distinct_translations_with_the_same_final_mark(direction):
    for phrase in common_phrases(direction):
        assert len(set(phrase.acceptable)) == len(phrase.acceptable) >= 1, phrase
        for translation in phrase.acceptable:
            assert translation == translation.strip() != "", phrase
            source_mark, target_mark = (text[-1] if not text[-1].isalnum() else "" for text in
                            (phrase.source, translation))  # fmt: skip
            assert source_mark == target_mark, phrase


def test_punctuation_and_case_are_ignored_but_words_are_not():
    phrase = CommonPhrase("en-fr", "I love you.", ("Je t'aime.", "Je vous aime."))
    assert phrase.accepts("je t\u2019aime")
    assert phrase.accepts("Je vous aime !")
    assert not phrase.accepts("Je t'aime bien.")
    assert not phrase.accepts("")
