"""Translate a line of literals alone: it is its own translation, word for word."""

from dataclasses import replace

import numpy as np

from attn_cli.alignment.merge import build_alignment, label_units
from attn_cli.choices import Level, MatrixKind
from attn_cli.types import Hypothesis, TokenizedLine, Translation


def copy_line(
    source: TokenizedLine, line: int, *, level: Level, kind: MatrixKind | None, rewritten: bool
) -> Translation:
    """Return the translation of a line that has only literals; `line` is its number.

    Its table of `kind`, None for no table, links each word to itself. With `rewritten` the literals
    are written as the target language writes them.
    """
    size = len(source.ids)
    rows = label_units(source, level)
    table = None
    if kind is not None:
        identity = np.eye(size, dtype=np.float32)
        table = build_alignment(identity, source, source, kind=kind, mode="decoded", level=level)
        if kind == "alignment":
            table = replace(table, link_probs=table.weights)
    text, target = source.raw.strip(), rows.labels
    if rewritten:
        text, words = _rewrite(source)
        if level == "word":
            target = words
            table = table and replace(table, target=words)
    return Translation(
        line=line,
        source=source.raw,
        text=text,
        source_words=rows.labels,
        target_words=target,
        hypotheses=(Hypothesis(source.ids, 0.0, np.zeros(size, np.float32)),),
        texts=(text,),
        alignment=table,
        word_logp=(0.0,) * len(rows.labels),
    )


def _rewrite(source: TokenizedLine) -> tuple[str, tuple[str, ...]]:
    """Return a line with its literals as the target language writes them, and its words."""
    texts = {copied.word: copied.text for copied in source.literals}
    words = tuple(texts.get(index, word.text) for index, word in enumerate(source.words))
    text, end = "", 0
    for word, rewritten in zip(source.words, words, strict=True):
        text += source.raw[end : word.start] + rewritten
        end = word.end
    return (text + source.raw[end:]).strip(), words
