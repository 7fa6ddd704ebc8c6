"""Save and load a prepared text: pairs in pieces, shared by any number of processes.

A folder holds arrays as `.npy`, which are mapped, and one JSON that names them. Nothing in it can
run code.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from attn_cli import config
from attn_cli.data.arrays import (
    RaggedArray,
    Storage,
    StringArray,
    mapped_file,
    open_array,
    write_error,
)
from attn_cli.data.augmentation import Augmentation, SharedWords
from attn_cli.data.corpus import Corpus, CorpusSide
from attn_cli.data.segmentation import Segmentation, SubwordCorpus
from attn_cli.errors import ModelError
from attn_cli.files import atomic

#: The file that lists the arrays, written last: a folder without it has no text.
INDEX = "text.json"

FORMAT = 3

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class StoredText:
    """The training and the validation pairs of a folder, and the `digest` of their text."""

    train: SubwordCorpus
    valid: SubwordCorpus
    digest: str


def save(folder: Path, train: SubwordCorpus, valid: SubwordCorpus) -> StoredText:
    """Write a text into a folder and load it from there.

    Arrays whose `Storage` is that folder are not written again; other array files are removed.
    Raises TrainingError if it cannot be written.
    """
    storage = Storage.open(folder)
    index: dict[str, Any] = {"format": FORMAT}
    stored: dict[int, str] = {}  # parts may share an array
    for part, text in (("train", train), ("valid", valid)):
        arrays = dict(_arrays_of(text))
        for name, values in arrays.items():
            if id(values) not in stored:
                path = mapped_file(storage.store(f"{part}.{name}", values))
                assert path is not None
                stored[id(values)] = path.name
        index[part] = {
            "name": text.corpus.name,
            "digest": text.corpus.digest,
            "variants": text.augmentation and asdict(text.augmentation.settings),
            "source_prefix": text.source_prefix,
            "arrays": {name: stored[id(values)] for name, values in arrays.items()},
        }
    path = folder / INDEX
    try:
        atomic.write_text(path, json.dumps(index, indent=1))
    except OSError as error:
        raise write_error(path, error) from error
    for path in set(folder.glob("*.npy")) - {folder / name for name in stored.values()}:
        with contextlib.suppress(OSError):  # Windows does not remove open files
            path.unlink()
    return load(folder)


def load(folder: Path) -> StoredText:
    """Load the text that `save` wrote, mapped into memory: processes share one copy.

    Raises ModelError if the folder has none or is damaged.
    """
    try:
        index = json.loads((folder / INDEX).read_text("utf-8"))
        if index["format"] != FORMAT:
            raise ValueError(f"format {index['format']} is not known")
        opened: Arrays = {}
        train, valid = (_part(folder, index[part], opened) for part in ("train", "valid"))
        return StoredText(train, valid, digest_of(train.corpus, valid.corpus))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"cannot read the prepared text in {folder}: {error}", "Prepare the text again."
        ) from error


def digest_of(train: Corpus, valid: Corpus) -> str:
    """Return the sha256 of both texts, which checkpoints record."""
    return hashlib.sha256(f"{train.digest} {valid.digest}".encode()).hexdigest()


def _arrays_of(text: SubwordCorpus) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the name and the values of each array of a text."""
    corpus = text.corpus
    yield "lines", corpus.lines
    yield "pairs", corpus.pairs
    for name, side, pieces, lengths in (
        ("source", corpus.source, text.source, text.source_lengths),
        ("target", corpus.target, text.target, text.target_lengths),
    ):
        yield f"{name}.forms.text", side.forms.text
        yield f"{name}.forms.starts", side.forms.starts
        yield f"{name}.words.values", side.sentences.values
        yield f"{name}.words.starts", side.sentences.starts
        yield f"{name}.pieces.values", pieces.pieces.values
        yield f"{name}.pieces.starts", pieces.pieces.starts
        yield f"{name}.first", pieces.first
        if pieces.cumulative_probs is not None:
            yield f"{name}.reach", pieces.cumulative_probs
        yield f"{name}.lengths", lengths
    if (variants := text.augmentation) is not None:
        yield "small", variants.lowercase_forms
        yield "source.final", variants.source_final
        yield "target.final", variants.target_final
        for name, shared in (("names", variants.names), ("words", variants.words)):
            yield f"{name}.at", shared.positions
            yield f"{name}.source", shared.source
            yield f"{name}.target", shared.target


def _part(folder: Path, entry: dict[str, Any], opened: Arrays) -> SubwordCorpus:
    """Load one part of a text; arrays that two parts share are opened once."""
    arrays: Arrays = {}
    for name, file in entry["arrays"].items():
        if Path(file).name != file:
            raise ValueError(f"{file} is not in the folder")
        if file not in opened:
            opened[file] = open_array(folder / file)
        arrays[name] = opened[file]

    def side(name: str) -> CorpusSide:
        forms = StringArray(arrays[f"{name}.forms.text"], arrays[f"{name}.forms.starts"])
        words = RaggedArray(arrays[f"{name}.words.values"], arrays[f"{name}.words.starts"])
        return CorpusSide(forms, words)

    def segmentation(name: str) -> Segmentation:
        pieces = RaggedArray(arrays[f"{name}.pieces.values"], arrays[f"{name}.pieces.starts"])
        return Segmentation(pieces, arrays[f"{name}.first"], arrays.get(f"{name}.reach"))

    corpus = Corpus(
        entry["name"],
        side("source"),
        side("target"),
        arrays["lines"],
        arrays["pairs"],
        Storage(folder),
    )
    vars(corpus)["digest"] = entry["digest"]  # sets the cached property without reading the text
    return SubwordCorpus(
        corpus,
        segmentation("source"),
        segmentation("target"),
        arrays["source.lengths"],
        arrays["target.lengths"],
        _variants(config.AugmentationConfig(**entry["variants"]), arrays)
        if entry["variants"]
        else None,
        tuple(entry["source_prefix"]),
    )


def _variants(settings: config.AugmentationConfig, arrays: Arrays) -> Augmentation:
    names, words = (
        SharedWords(share, arrays[f"{key}.at"], arrays[f"{key}.source"], arrays[f"{key}.target"])
        for key, share in (("names", settings.replace_names), ("words", settings.replace_words))
    )
    return Augmentation(
        settings,
        lowercase_forms=arrays["small"],
        source_final=arrays["source.final"],
        target_final=arrays["target.final"],
        names=names,
        words=words,
    )
