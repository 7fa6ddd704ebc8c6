"""The format of an output file: that of its extension, unless --format says one that fits."""

from collections.abc import Sequence
from pathlib import Path

from attn_cli.choices import OutputFormat, ShownAttention, View
from attn_cli.errors import UsageError

#: The formats that a file of an extension can hold. Other extensions can hold every format.
EXTENSIONS: dict[str, tuple[OutputFormat, ...]] = {
    ".svg": ("svg",),
    ".png": ("png",),
    ".pdf": ("pdf",),
    ".html": ("html",),
    ".jsonl": ("jsonl",),
    ".tsv": ("tsv",),
    ".tex": ("gb4e",),
    ".links": ("pharaoh",),
    ".txt": ("text", "table", "pharaoh", "gloss"),
}

#: Formats that are one document, and not a record for each line.
DOCUMENTS: tuple[OutputFormat, ...] = ("html", "svg", "png", "pdf")

#: The formats that can hold the square table of self-attention.
_WITH_SELF_ATTENTION = ("table", "jsonl", "tsv", *DOCUMENTS)


def format_of(
    output: Path | None, named: OutputFormat | None, *, default: OutputFormat
) -> OutputFormat:
    """Return the format of an output: `named`, else that of the extension, else `default`.

    A `.gz` after the extension does not count. Raises UsageError where `named` does not fit the
    extension.
    """
    name = str(output or "-").removesuffix(".gz")
    fitting = EXTENSIONS.get(Path(name).suffix.lower())
    if fitting is None:
        return named or default
    if named is not None:
        if named in fitting:
            return named
        raise UsageError(
            f"--format {named} does not fit {output}",
            f"Leave --format out, or name the file {_extensions([named])}.",
        )
    return default if default in fitting else fitting[0]


def check_view(format: OutputFormat, view: View) -> None:
    """Raises UsageError for a view of what is no table."""
    if view != "auto" and format != "table":
        raise UsageError(
            f"--view {view} draws a table, but the format is {format}",
            "Leave --view out, or write --format table.",
        )


def check_self_attention(
    show: ShownAttention, format: OutputFormat, excluded: dict[str, bool]
) -> None:
    """Raises UsageError for an option that --show excludes, or a format without square tables."""
    for name, is_set in excluded.items():
        if is_set:
            raise UsageError(
                f"--show {show} shows self-attention, which excludes {name}",
                "Leave one of the two out.",
            )
    if format not in _WITH_SELF_ATTENTION:
        raise UsageError(
            f"--show {show} links no source word to a target word, so it has no {format}",
            f"Choose a --format of {', '.join(_WITH_SELF_ATTENTION)}.",
        )


def check_document(format: OutputFormat, *, shard: bool) -> None:
    """Raises UsageError for a part of a file that would be a whole document."""
    if shard and format in DOCUMENTS:
        raise UsageError(
            f"--shard writes a part of a result, and {format} is one document",
            "Leave --shard out, or choose another format.",
        )


def _extensions(formats: Sequence[str]) -> str:
    """Return the extensions of files that hold one of these formats, for people."""
    fitting = [
        f"*{extension}"
        for extension, each in EXTENSIONS.items()
        if not set(formats).isdisjoint(each)
    ]
    return " or ".join(fitting) or "otherwise"
