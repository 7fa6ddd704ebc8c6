"""Captions of tables of weights: their kind, the meaning of their weights, titles of columns."""

from attn_cli.types import SoftAlignment

#: The meaning of the weights of a table, by its kind and mode.
MEANING = {
    ("attention", "decoded"): "attention weights of each decoded word",
    ("attention", "forced"): "attention weights of each given word",
    ("alignment", "decoded"): "which words correspond",
    ("alignment", "forced"): "which words correspond",
    ("encoder self-attention", "forced"): "attention weights of each source word",
    ("decoder self-attention", "forced"): "attention weights of each word on the words up to it",
}

#: The title of the column of the unaligned share, by the kind of the table.
UNALIGNED_TITLE = {
    "attention": "(end)",
    "alignment": "(none)",
    "encoder self-attention": "(end)",
    "decoder self-attention": "(start)",
}


def is_square(alignment: SoftAlignment) -> bool:
    """Return whether rows and columns are the same words: a table of self-attention."""
    return alignment.kind not in ("attention", "alignment")


def caption_of(alignment: SoftAlignment) -> tuple[str, str]:
    """Return the kind of table and the meaning of its weights."""
    mode = "" if is_square(alignment) else f", {alignment.mode}"
    return f"{alignment.kind}{mode}", MEANING[alignment.kind, alignment.mode]
