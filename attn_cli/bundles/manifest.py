"""The files of a bundle by their names, its bundle.json, and their checksums.

    recipe.toml          the model's definition
    joint.spm            the vocabulary (or source.spm and target.spm)
    model.safetensors    the parameters of the translation network
    word_aligner.safetensors    those of the word aligner, if there is one
    encoder.onnx step.onnx forced.onnx word_aligner.onnx    the same networks as graphs
    graphs.bin           the parameters that these share, except the last one's
    shortlist.bin        the target pieces that a sentence may use, if training had word links
    select.onnx shortlist_step.onnx    graphs for these pieces alone
    confidence.json      the calibration of the confidence, if there is one
    bundle.json          format, languages, license, size and sha256 of each file, scores
    MODEL_CARD.md        a description, if there is one
    .staging/            new files, listed as `staged` in bundle.json until they are renamed

bundle.json lists files by their names on disk. `stored_name` maps current names to those of older
bundles. Nothing in the folder is trusted: symbolic links that lead out of it are refused, and so
are JSON, recipes and cards that are not regular files or too large.
"""

import errno
import hashlib
import json
import os
import re
import stat
import time
from pathlib import Path
from typing import Any

from attn_cli.bundles import vocabularies
from attn_cli.errors import ModelError
from attn_cli.files.reading import leads_outside, read_small

#: The format this program writes, and the newest it reads. In format 1 some files, parameters and
#: inputs of graphs have other names; `stored_name`, `nn.state_dict` and `engines.onnx` map them.
FORMAT = 2

RECIPE, FACTS, CARD = "recipe.toml", "bundle.json", "MODEL_CARD.md"
WEIGHTS, WORD_ALIGNER = "model.safetensors", "word_aligner.safetensors"
ENCODER, STEP, FORCED = "encoder.onnx", "step.onnx", "forced.onnx"
WORD_ALIGNER_GRAPH = "word_aligner.onnx"
SHORTLIST, SELECT, SHORTLIST_STEP = "shortlist.bin", "select.onnx", "shortlist_step.onnx"
GRAPH_WEIGHTS = "graphs.bin"
CONFIDENCE = "confidence.json"

#: The names that files had in older bundles.
FORMER_NAMES = {
    WORD_ALIGNER: "alignment_head.safetensors",
    WORD_ALIGNER_GRAPH: "alignment_head.onnx",
}

GRAPHS = (ENCODER, STEP, FORCED, GRAPH_WEIGHTS, WORD_ALIGNER_GRAPH)
SHORTLIST_GRAPHS = (SELECT, SHORTLIST_STEP)

#: Files that belong to the exported graphs, under all their names.
ALL_GRAPHS = (*GRAPHS, FORMER_NAMES[WORD_ALIGNER_GRAPH], *SHORTLIST_GRAPHS)

#: Files that are removed when bundle.json no longer names them.
OWN_FILES = (
    *(WEIGHTS, WORD_ALIGNER, FORMER_NAMES[WORD_ALIGNER], SHORTLIST, *ALL_GRAPHS),
    *(CONFIDENCE, *vocabularies.FILES),
)

#: Folder of new files until they are renamed.
STAGING = ".staging"

#: Scores of at least this, infinity and NaN are ignored.
_NO_SCORE = 1e6

#: Maximum bytes of bundle.json, and of a card or recipe.
_MAX_MANIFEST, _MAX_TEXT = 1 << 22, 1 << 20

#: Terminal control sequences; control characters except TAB and line feed; and those that change
#: the direction of writing, which can disguise text.
_CONTROL_SEQUENCES = (
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|\x1b.?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)

#: Seconds before the checksums of a damaged model are checked again.
_RETRY_SECONDS = 0.3

_DAMAGED = "Copy or train the model again; attn models list shows the others."


def stored_name(facts: dict[str, Any], name: str) -> str | None:
    """Return the name under which bundle.json lists the file `name`; None if it does not."""
    names = (name, FORMER_NAMES.get(name, name))
    return next((each for each in names if each in facts["files"]), None)


def verify_checksums(path: Path) -> dict[str, Any]:
    """Read every file of the model and compare its sha256; returns the bundle.json.

    If a check fails all files are read again, since a running training may have replaced them.
    Raises ModelError as `open_bundle`, and for a wrong checksum.
    """
    try:
        return _verify_checksums(path)
    except ModelError:
        time.sleep(_RETRY_SECONDS)
        return _verify_checksums(path)


def _verify_checksums(path: Path) -> dict[str, Any]:
    facts = checked_manifest(path)
    for name in facts["files"]:
        verify_file(path, facts, name)
    return facts


def checked_manifest(path: Path) -> dict[str, Any]:
    """Read bundle.json, and check that its files exist and have their sizes."""
    facts = read_manifest(path)
    check_sizes(path, facts)
    return facts


def check_sizes(path: Path, facts: dict[str, Any]) -> None:
    """Raise ModelError unless the files exist, inside the folder, with their sizes."""
    for name, entry in facts["files"].items():
        _refuse_link_outside(path, locate(path, facts, name))
        size = _size(locate(path, facts, name))
        if size is None:
            raise ModelError(f"the model {path} lacks its file {name}", _DAMAGED)
        if size != entry["bytes"]:
            sizes = f"{size} bytes instead of {entry['bytes']}"
            raise ModelError(f"the model {path} is damaged: {name} has {sizes}", _DAMAGED)


def read_manifest(path: Path) -> dict[str, Any]:
    """Read and check the bundle.json of the folder `path`. Raises ModelError if it is invalid."""
    _refuse_link_outside(path, path / FACTS)
    try:
        data = read_small(path / FACTS, limit=_MAX_MANIFEST)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EFBIG, errno.EIO):
            problem = f"the model {path} is damaged: {FACTS} cannot be read: {error.strerror}"
            raise ModelError(problem, _DAMAGED) from error
        hint = "Train one with attn train, or name one that attn models list shows."
        raise ModelError(f"{path} holds no model: it has no {FACTS}", hint) from error
    return parse_manifest(data, path)


def parse_manifest(data: bytes, path: Path) -> dict[str, Any]:
    """Parse and check a bundle.json of the model `path`. Raises ModelError if it is invalid."""
    unreadable = ModelError(f"the model {path} is damaged: {FACTS} cannot be read", _DAMAGED)
    try:
        facts = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise unreadable from error
    format = facts.get("format") if isinstance(facts, dict) else None
    if not isinstance(format, int):
        raise unreadable
    if format > FORMAT:
        newer = f"the model {path} is of format {format}, this program reads {FORMAT}"
        raise ModelError(newer, "Upgrade attn.")
    if not _is_well_formed(facts):
        raise unreadable
    for name in facts["files"]:
        if not _is_inside(name):
            outside = f"{FACTS} names {name!r}, which is outside its folder"
            raise ModelError(f"the model {path} is damaged: {outside}", _DAMAGED)
    if "licence" in facts:  # as older bundles spell it
        facts["license"] = facts.pop("licence")
    return dict(facts)


def score_of(facts: dict[str, Any], metric: str) -> float | None:
    """Return a score of bundle.json; None if there is none, or it is no finite number."""
    entry = facts["scores"].get(metric)
    score = entry.get("score") if isinstance(entry, dict) else None
    return float(score) if isinstance(score, int | float) and abs(score) < _NO_SCORE else None


def _is_well_formed(facts: dict[str, Any]) -> bool:
    """Return whether `facts` has all fields, with their types."""
    files, scores, staged = facts.get("files"), facts.get("scores"), facts.get("staged", [])
    license = facts.get("license", facts.get("licence", ""))
    texts = (*map(facts.get, ("name", "source", "target")), license)
    return (
        all(isinstance(text, str) for text in texts)
        and isinstance(scores, dict)
        and all(isinstance(score, dict) for name, score in scores.items() if name == "bleu")
        and isinstance(files, dict)
        and all(map(_is_entry, files.values()))
        and isinstance(staged, list)
        and all(isinstance(name, str) and name in files for name in staged)
    )


def _is_entry(entry: Any) -> bool:
    """Return whether `entry` has the size and the checksum of a file."""
    size, digest = map(entry.get, ("bytes", "sha256")) if isinstance(entry, dict) else (None, None)
    return isinstance(size, int) and 0 <= size < 1 << 63 and isinstance(digest, str)


def _is_inside(name: str) -> bool:
    """Return whether `name` is a plain file name, so that it cannot leave the folder."""
    return name not in ("", os.curdir, os.pardir) and not set(name) & set("/\\:\0")


def require_files(path: Path, facts: dict[str, Any], *names: str) -> None:
    """Raise ModelError unless bundle.json lists these files."""
    for name in names:
        if stored_name(facts, name) is None:
            raise ModelError(f"the model {path} is damaged: {FACTS} lacks {name}", _DAMAGED)


def locate(path: Path, facts: dict[str, Any], name: str) -> Path:
    """Return the path of a file of the model in the folder `path`, whose bundle.json is `facts`."""
    name = stored_name(facts, name) or name
    return (path / STAGING if name in facts.get("staged", ()) else path) / name


def _size(file: Path) -> int | None:
    """Return the size in bytes; None if there is no such regular file."""
    try:
        status = file.stat()
    except (OSError, ValueError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def checksum(file: Path) -> str:
    """Return the sha256 of a file. Raises ModelError if it cannot be read."""
    try:
        return str(file_entry(file)["sha256"])
    except OSError as error:
        raise ModelError(
            f"the model {file.parent} is damaged: {file.name} cannot be read: {error.strerror}",
            _DAMAGED,
        ) from error


def altered(path: Path, name: str) -> ModelError:
    """Return the error for a file with another checksum."""
    what = f"the checksum (sha256) of {name} does not match"
    return ModelError(f"the model {path} is damaged: {what}", _DAMAGED)


def file_entry(path: Path) -> dict[str, Any]:
    """Return the entry of bundle.json for a file: its size and sha256."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return {"bytes": file.tell(), "sha256": digest.hexdigest()}


def entry_of(data: bytes) -> dict[str, Any]:
    """Return the entry of bundle.json for a file with that content."""
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def verify_file(path: Path, facts: dict[str, Any], name: str) -> None:
    """Raise ModelError unless the file has the checksum that bundle.json gives."""
    name = stored_name(facts, name) or name
    if checksum(locate(path, facts, name)) != facts["files"][name]["sha256"]:
        raise altered(path, name)


def read_for_display(path: Path, facts: dict[str, Any], name: str) -> str | None:
    """Return a text file of a model without control sequences; None where there is none.

    Raises ModelError for one that is damaged, no regular file, or outside of the folder.
    """
    if name not in facts["files"] and not os.path.lexists(locate(path, facts, name)):
        return None
    return printable(read_text_file(path, facts, name).decode("utf-8", "replace"))


def read_text_file(path: Path, facts: dict[str, Any], name: str) -> bytes:
    """Return the content of a small file of a model. Raises ModelError as `read_for_display`."""
    file = locate(path, facts, name)
    _refuse_link_outside(path, file)
    try:
        content = read_small(file, limit=_MAX_TEXT)
    except FileNotFoundError as error:
        raise ModelError(f"the model {path} lacks its file {name}", _DAMAGED) from error
    except OSError as error:
        problem = f"the model {path} is damaged: {name} cannot be read: {error.strerror}"
        raise ModelError(problem, _DAMAGED) from error
    if name in facts["files"] and entry_of(content)["sha256"] != facts["files"][name]["sha256"]:
        raise altered(path, name)
    return content


def printable(text: str) -> str:
    """Return `text` without control sequences of terminals."""
    return re.sub(_CONTROL_SEQUENCES, "", text, flags=re.DOTALL)


def _refuse_link_outside(path: Path, file: Path) -> None:
    if leads_outside(file, path):
        problem = f"the model {path} is refused: {file.name} is a link that leads out of its folder"
        raise ModelError(problem, "Copy the file itself into the folder.")
