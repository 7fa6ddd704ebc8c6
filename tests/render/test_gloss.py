"""Glosses compared with examples written by hand."""

from attn_cli.render.gloss import gb4e, gloss
from attn_cli.types import Translation, WordAlignment


def pair(source: str, target: str, links: str) -> tuple[Translation, WordAlignment]:
    words, others = tuple(source.split()), tuple(target.split())
    word_pairs = frozenset(tuple(map(int, link.split("-"))) for link in links.split())
    translation = Translation(1, source, target, words, others)
    return translation, WordAlignment(word_pairs, len(words), len(others))


GERMAN = pair("Peter hat ihn gestern gesehen", "Peter saw him yesterday", "0-0 2-2 3-3 4-1")


def test_source_words_are_above_their_partners():
    assert gloss(*GERMAN).split("\n") == [
        "Peter  hat  ihn  gestern    gesehen",
        "Peter  —    him  yesterday  saw",
        "‘Peter saw him yesterday’",
        "",
    ]


def test_several_partners_are_joined_by_a_period():
    output = gloss(*pair("Hingehen wird er", "he will go there", "2-0 1-1 0-2 0-3"))
    assert output.split("\n")[:2] == ["Hingehen  wird  er", "go.there  will  he"]


def test_a_long_sentence_is_wrapped_at_the_width():
    source, target = "aaaa bbbb cccc dddd", "x y z w"
    lines = gloss(*pair(source, target, "0-0 1-1 2-2 3-3"), width=12).split("\n")
    assert lines == ["aaaa  bbbb", "x     y", "cccc  dddd", "z     w", "‘x y z w’", ""]


def test_wide_letters_take_two_cells():
    lines = gloss(*pair("私 は", "I topic", "0-0 1-1")).split("\n")
    assert lines[:2] == ["私  は", "I   topic"]


def test_latex_has_the_words_in_braces():
    assert gb4e(*GERMAN).split("\n") == [
        r"\begin{exe}",
        r"\ex \gll {Peter} {hat} {ihn} {gestern} {gesehen} \\",
        r"         {Peter} {—} {him} {yesterday} {saw} \\",
        r"    \glt `Peter saw him yesterday'",
        r"\end{exe}",
        "",
    ]


def test_special_characters_of_latex_are_escaped():
    output = gb4e(*pair(r"\input{x}", "50% & $5", "0-0"))
    assert r"{\textbackslash{}input\{x\}}" in output
    assert r"`50\% \& \$5'" in output


def test_a_blank_line_gives_a_blank_line():
    assert gloss(*pair("", "", "")) == gb4e(*pair("", "", "")) == ""
