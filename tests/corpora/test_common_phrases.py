"""The list of common phrases is whole, and judges as a person would."""

import pytest
from phrases import CommonPhrase, common_phrases


@pytest.mark.parametrize("direction", ["en-fr", "fr-en"])
def test_there_are_a_hundred_phrases_of_each_direction_and_none_twice(direction):
    sources = [phrase.source for phrase in common_phrases(direction)]
    assert len(sources) == len(set(sources)) == 100


@pytest.mark.parametrize("direction", ["en-fr", "fr-en"])
def test_each_has_translations_that_differ_and_end_as_it_does(direction):
    for phrase in common_phrases(direction):
        assert len(set(phrase.acceptable)) == len(phrase.acceptable) >= 1, phrase
        for translation in phrase.acceptable:
            assert translation == translation.strip() != "", phrase
            ours, theirs = (text[-1] if not text[-1].isalnum() else "" for text in
                            (phrase.source, translation))  # fmt: skip
            assert ours == theirs, phrase


def test_marks_and_case_do_not_count_but_words_do():
    phrase = CommonPhrase("en-fr", "I love you.", ("Je t'aime.", "Je vous aime."))
    assert phrase.accepts("je t\u2019aime")
    assert phrase.accepts("Je vous aime !")
    assert not phrase.accepts("Je t'aime bien.")
    assert not phrase.accepts("")
