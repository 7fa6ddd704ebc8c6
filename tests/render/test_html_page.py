"""The page is one file without other resources; text is escaped, and weights are exact."""

import base64
import hashlib
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pages import CROSSING_PAIR, links_above, page_of, table, translation

from attn_cli.render.html.encoding import SYMBOLS, encode_weights
from attn_cli.render.html.page import BLOCK, FIRST_BLOCK, Page, PageWriter
from attn_cli.types import GoldAlignment


def decode_weights(text, count):
    """Return the weights that a text encodes, in thousandths, in the format of the module."""
    values, symbols = [], iter(text)
    for symbol in symbols:
        number = SYMBOLS.index(symbol)
        if number >= 16:
            values += [0] * (number - 15)
        else:
            values.append(64 * number + SYMBOLS.index(next(symbols)))
    assert len(values) == count
    return values


def data_of(page, name):
    """Return the JSON of an element of the page; for "pairs", that of all blocks together."""
    if name == "pairs":
        return [pair for block in blocks_of(page) for pair in block]
    return json.loads(re.search(rf'<script id="{name}"[^>]*>(.*?)</script>', page, re.DOTALL)[1])


def blocks_of(page):
    """Return the pairs of each block."""
    blocks = re.findall(r'<script class="pairs"[^>]*>(.*?)</script>', page, re.DOTALL)
    return [json.loads(block) for block in blocks]


weight_arrays = arrays(
    np.float32, st.tuples(st.integers(0, 7), st.integers(0, 90)), elements=st.floats(0, 1, width=32)
)


four_decimal_arrays = arrays(
    np.float32, st.integers(0, 40), elements=st.integers(0, 10_000).map(lambda n: n / 10_000)
)


@given(four_decimal_arrays, st.integers(0, 100))
@settings(deadline=None)
def test_an_encoded_weight_reaches_a_threshold_if_and_only_if_the_weight_does(row, hundredths):
    thousandths = np.array(decode_weights(encode_weights(row), len(row)))
    expected = row >= np.float32(hundredths / 100)
    assert (thousandths >= 10 * hundredths).tolist() == expected.tolist()


@given(weight_arrays)
@settings(deadline=None)
def test_encoded_weights_are_exact_to_a_thousandth(table):
    decoded = np.array(decode_weights(encode_weights(table), table.size)) / 1000
    assert np.all(np.abs(decoded - table.ravel()) <= 0.001)


def test_encoded_tables_equal_those_worked_by_hand():
    assert encode_weights(np.zeros((1, 3), np.float32)) == SYMBOLS[18]
    one = np.array([[0, 1, 0]], np.float32)
    assert encode_weights(one) == SYMBOLS[16] + SYMBOLS[15] + SYMBOLS[40] + SYMBOLS[16]
    assert encode_weights(np.full((1, 1), np.nan, np.float32)) == SYMBOLS[16]


def test_the_policy_of_the_page_allows_only_its_own_script_and_style():
    page = page_of([CROSSING_PAIR])
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        text = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_the_page_contains_no_url():
    page = (
        page_of([CROSSING_PAIR]).replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    )
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page)


HOSTILE = "</script><script>alert(1)</script> <!-- {{gold}} <b>&amp; \u2028 \ud800 \x00"


def test_hostile_text_adds_no_script_elements_or_comments():
    plain = page_of([CROSSING_PAIR])
    page = page_of([translation(1, HOSTILE, HOSTILE)], model=HOSTILE)
    assert page.count("<script") == plain.count("<script")
    assert page.count("</script") == plain.count("</script")
    assert "<!--" not in page
    page.encode()


def test_hostile_text_is_unchanged_in_the_data_of_the_page():
    text = HOSTILE.replace("\ud800", "")
    (pair,) = data_of(page_of([translation(1, text, "x")]), "pairs")
    assert pair.get("S", "".join(pair["s"])).split() == text.split()


def test_words_are_stored_with_the_spaces_after_them():
    (pair,) = data_of(page_of([CROSSING_PAIR]), "pairs")
    assert pair["s"] == ["I ", "love ", "you"]
    assert pair["t"] == ["Je ", "t'", "aime"]
    assert "S" not in pair


def test_words_that_do_not_form_the_text_are_stored_with_the_text():
    pair_of_pieces = translation(1, "I love", "x", source_words=("▁I", "▁lo", "ve"))
    (pair,) = data_of(page_of([pair_of_pieces]), "pairs")
    assert pair["s"] == ["▁I", "▁lo", "ve"]
    assert pair["S"] == "I love"


def test_links_are_stored_in_pharaoh_format():
    (pair,) = data_of(page_of([CROSSING_PAIR]), "pairs")
    assert pair["l"] == "0-0 1-2 2-1"


def test_attention_is_stored_with_unaligned_and_an_aligner_with_link_probs():
    attention = table("ab", "x", [[0.5, 0.25]], [0.25])
    aligner = table("ab", "x", [[0.5, 0.25]], [0.25], kind="alignment", links=[[0.875, 0.125]])
    translated = translation(1, "a b", "x", alignment=attention, others=(aligner,))
    (pair,) = data_of(page_of([translated]), "pairs")
    assert decode_weights(pair["w"]["attention"], 3) == [500, 250, 250]
    assert decode_weights(pair["w"]["alignment"], 2) == [875, 125]


def test_a_blank_pair_and_no_pairs_give_valid_pages():
    blank = translation(1, "", "", source_words=(), target_words=())
    assert data_of(page_of([blank]), "pairs") == [{"n": 1, "s": [], "t": [], "l": "", "w": {}}]
    assert data_of(page_of([]), "pairs") == []


@pytest.mark.parametrize(
    "sizes",
    [
        [0],
        [1],
        [FIRST_BLOCK],
        [FIRST_BLOCK, 1],
        [FIRST_BLOCK, BLOCK],
        [FIRST_BLOCK, BLOCK, 1],
    ],
)
def test_the_script_is_after_the_first_block_of_pairs(sizes):
    page = page_of([translation(line, "a", "b") for line in range(1, sum(sizes) + 1)])
    assert [len(block) for block in blocks_of(page)] == sizes
    assert [pair["n"] for pair in data_of(page, "pairs")] == list(range(1, sum(sizes) + 1))
    before, after = page.split("<script>")
    assert len(blocks_of(before)) == 1
    assert len(blocks_of(after)) == len(sizes) - 1
    assert data_of(after, "gold") is None


def test_gold_links_follow_the_pairs():
    writer = PageWriter(Page())
    page = writer.begin() + writer.end([GoldAlignment.from_links([(0, 0)], [(1, 2)])])
    assert data_of(page, "gold") == [["0-0", "0-0 1-2"]]


def test_numbers_that_are_not_finite_are_stored_as_null():
    (pair,) = data_of(page_of([translation(1, "a", "b", word_logp=(float("-inf"),))]), "pairs")
    assert pair["b"] == [None]


def test_a_page_of_1000_pairs_with_two_tables_each_is_at_most_2_megabytes():
    generator, words = np.random.default_rng(0), 20
    text = " ".join(["mots"] * words)
    pairs = []
    for line in range(1, 1001):
        tables = [
            table(text.split(), text.split(), rows, 1 - rows.sum(axis=1), kind=kind)
            for kind in ("attention", "alignment")
            for rows in [generator.dirichlet(np.full(words, 0.1), words)]
        ]
        pairs.append(translation(line, text, text, alignment=tables[0], others=(tables[1],)))
    assert len(page_of(pairs, links_of=links_above(0.3)).encode()) <= 2_000_000
