"""Name a table of weights: what its weights mean, and the title of its unaligned share."""

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
    """Whether it is a sentence's self-attention: its rows are its columns."""
    return alignment.kind not in ("attention", "alignment")


def caption_of(alignment: SoftAlignment) -> tuple[str, str]:
    """Return the name of the kind of table, and what its weights are."""
    origin = "" if is_square(alignment) else f", {alignment.mode}"
    return f"{alignment.kind}{origin}", MEANING[alignment.kind, alignment.mode]
