"""Takes the sums of a model when it is first used, and remembers that while nothing changes.

Knows bundles and the user's home; no network and no command. What is remembered, in
`$ATTN_HOME/verified.json`, is only ever a shortcut: where it cannot be read or written the sums are
taken each time.
"""

import contextlib
import hashlib
import json
import os
from pathlib import Path

from attn_cli.bundles import bundle, registry

#: Models remembered; the one verified longest ago is forgotten first.
MOST = 200


def make_sure(path: Path) -> None:
    """Take the sums of the model in that folder, unless it came with the program or is remembered.

    Raises ModelError as `bundle.check_sums` does.
    """
    if not registry.came_with_us(path):
        seen = _fingerprint(path)
        if seen is None or _remembered().get(os.path.realpath(path)) != seen:
            _verify(path, seen)


def take_sums(path: Path) -> None:
    """Take the sums of the model in that folder whatever is remembered of it."""
    _verify(path, _fingerprint(path))


def _verify(path: Path, fingerprint: str | None) -> None:
    """Check the sums; they speak for the files as they were seen before that."""
    bundle.check_sums(path)
    if fingerprint is not None:
        _remember(os.path.realpath(path), fingerprint)


def _fingerprint(path: Path) -> str | None:
    """What changes when a file does: the bundle.json, and the size and time of all it names.

    None where one of them went away in between.
    """
    facts = bundle.sealed_facts(path)
    try:
        seen = [(path / bundle.FACTS).read_bytes()]
        for name in facts["files"]:
            status = bundle.locate(path, facts, name).stat()
            seen.append(f"{status.st_size} {status.st_mtime_ns}".encode())
    except OSError:
        return None
    return hashlib.sha256(b"\0".join(seen)).hexdigest()


def _memory() -> Path:
    return registry.home() / "verified.json"


def _remembered() -> dict[str, str]:
    """The fingerprint of each model that was sound, by its real path; empty where there is none."""
    try:
        content = json.loads(_memory().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _remember(place: str, fingerprint: str) -> None:
    """Add a model to those remembered, or do nothing where nothing can be written."""
    known = _remembered()
    known.pop(place, None)
    kept = dict([*known.items(), (place, fingerprint)][-MOST:])
    memory = _memory()
    beside = memory.with_name(f"{memory.name}.{os.getpid()}.part")
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(kept, indent=0) + "\n", encoding="utf-8")
        os.replace(beside, memory)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
