"""Sentence pairs written by hand, and their pages. Shared by tests of the page."""

import numpy as np

from attn_cli.render.html.page import Page, PageWriter
from attn_cli.types import SoftAlignment, Translation, WordAlignment


def table(source, target, weights=None, unaligned=None, *, kind="attention", links=None):
    """Return an alignment; by default all weight of each target word lies on the diagonal."""
    shape = (len(target), len(source))
    if weights is None:
        weights = np.eye(*shape)
    if unaligned is None:
        unaligned = np.zeros(shape[0])
    return SoftAlignment(
        tuple(source),
        tuple(target),
        np.array(weights, np.float32).reshape(shape),
        np.array(unaligned, np.float32),
        kind,
        link_probs=None if links is None else np.array(links, np.float32).reshape(shape),
    )


def translation(line, source, target, *, source_words=None, target_words=None, **fields):
    """Return a pair of words separated by spaces, each linked with its neighbor."""
    source_words = tuple(source.split()) if source_words is None else source_words
    target_words = tuple(target.split()) if target_words is None else target_words
    if source_words or target_words:
        fields.setdefault("alignment", table(source_words, target_words))
    return Translation(line, source, target, source_words, target_words, **fields)


#: The pair of the README: its second and third words cross.
CROSSING_PAIR = translation(
    1,
    "I love you",
    "Je t'aime",
    target_words=("Je", "t'", "aime"),
    alignment=table(
        ["I", "love", "you"],
        ["Je", "t'", "aime"],
        [[0.94, 0.04, 0.02], [0.11, 0.01, 0.88], [0.05, 0.91, 0.04]],
    ),
)


def links_above(minimum):
    """Return a function that extracts the links of a pair: its cells of at least `minimum`."""

    def links_of(each):
        if each.alignment is None:
            return WordAlignment(frozenset(), 0, 0)
        cells = np.argwhere(each.alignment.link_scores >= minimum).tolist()
        shape = len(each.source_words), len(each.target_words)
        return WordAlignment(frozenset((s, t) for t, s in cells), *shape)

    return links_of


def page_of(translations, *, gold=None, links_of=None, model="en-fr", **fields):
    """Return the page of these pairs, with links from 0.3 on."""
    links_of = links_of or links_above(0.3)
    minimum = {"attention": 0.3, "alignment": 0.5}
    writer = PageWriter(Page(model, minimum=minimum, has_gold=gold is not None, **fields))
    parts = [writer.pair(each, links_of(each)) for each in translations]
    return "".join([writer.begin(), *parts, writer.end(gold)])
