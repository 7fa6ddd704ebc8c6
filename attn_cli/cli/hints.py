"""Hints on stderr where arguments are probably not what was meant: file names, single words."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from attn_cli.console import Console


def hint_at_texts(console: Console, texts: Sequence[str]) -> None:
    """Say what `attn translate` makes of file names, and of words that are no sentence each."""
    if files := [text for text in texts if _is_file(text)]:
        console.info(
            f"attn: {files[0]} is taken as text; to translate the lines of that file: "
            f"attn translate -i {shlex.quote(files[0])}"
        )
    elif len(texts) > 1 and not any(" " in text.strip() for text in texts):
        sentence = " ".join(texts).replace('"', '\\"')
        console.info(
            f"attn: {len(texts)} arguments are {len(texts)} lines; for one line, quote it: "
            f'attn translate "{sentence}"'
        )


def hint_at_pair(console: Console, pair: Sequence[str]) -> None:
    """Say what `attn align` makes of two file names."""
    if len(pair) == 2 and all(map(_is_file, pair)):
        source, target = map(shlex.quote, pair)
        console.info(
            f"attn: {pair[0]} and {pair[1]} are taken as text; to align the lines of these files: "
            f"attn align --source {source} --target {target}"
        )


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # a name that is too long, or has a NUL
        return False
