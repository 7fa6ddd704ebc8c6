"""Read English-French pairs from the formats in which they are published."""

import ast
import gzip
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

Pair = tuple[str, str]


def read_folder(folder: Path, *, everything: bool = False) -> Iterator[tuple[str, Pair]]:
    """Yield the pairs of each file of a folder with the name of their source, by name.

    With `everything`, also pairs of a table with 0 in the third column.
    """
    for path in sorted(folder.iterdir()):
        name = path.name.removesuffix(".gz")
        stem, end = name.rpartition(".")[::2]
        if end in ("tsv", "txt"):
            pairs = table(text_of(path), everything=everything)
        elif end == "en":
            french = path.with_name(path.name.replace(".en", ".fr"))
            pairs = parallel(text_of(path), text_of(french))
        elif end == "po":
            pairs = gettext(text_of(path))
        elif end == "zip":
            pairs = archive(path)
        else:
            continue
        for pair in pairs:
            yield stem, pair


def text_of(path: Path) -> str:
    """Return the text of a file, which may be compressed."""
    data = path.read_bytes()
    return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8")


def columns(path: Path) -> Iterator[list[str]]:
    """Yield the cells of each line of a text or a table."""
    for line in text_of(path).split("\n"):
        yield line.rstrip("\r").split("\t")


def table(text: str, *, everything: bool = False) -> Iterator[Pair]:
    """Parse English TAB French, and perhaps TAB 1 or 0; other third columns are ignored."""
    for line in text.split("\n"):
        english, _, rest = line.rstrip("\r").partition("\t")
        french, _, selected = rest.partition("\t")
        if french and (everything or selected != "0"):
            yield english, french


def parallel(english: str, french: str) -> Iterator[Pair]:
    """Pair the lines of two texts."""
    yield from zip(english.split("\n"), french.split("\n"), strict=True)


def archive(path: Path) -> Iterator[Pair]:
    """Read fra.txt of manythings.org, or *.en-fr.en and *.en-fr.fr of OPUS, from a zip file."""
    with zipfile.ZipFile(path) as files:
        for name in files.namelist():
            if name == "fra.txt":
                yield from table(files.read(name).decode("utf-8"))
            elif name.endswith(".en"):
                sides = (files.read(name[:-2] + side).decode("utf-8") for side in ("en", "fr"))
                yield from parallel(*sides)


def gettext(text: str) -> Iterator[Pair]:
    """Parse the messages of a .po file: no fuzzy, obsolete or empty ones, and no plurals."""
    for block in re.split(r"\n\s*\n", text):
        if re.search(r"^#,.*\bfuzzy\b|^#~|^msgid_plural", block, flags=re.MULTILINE):
            continue
        english, french = (_message(block, name) for name in ("msgid", "msgstr"))
        if english and french:
            yield english, french


def _message(block: str, name: str) -> str:
    match = re.search(rf'^{name} ((?:".*"\s*)+)', block, flags=re.MULTILINE)
    return "".join(ast.literal_eval(line) for line in match[1].split("\n") if line) if match else ""
