"""Verifies the checksums of a model on first use, and caches the result while nothing changes.

The cache is `verified.json` in the user's folder of caches; if it cannot be read or written,
checksums are verified each time.
"""

import contextlib
import hashlib
import json
import os
from pathlib import Path

from attn_cli.bundles import bundle, registry
from attn_cli.files import user_folders

#: Maximum models in the cache; the oldest entry is removed first.
MOST = 200


def verify_once(path: Path) -> None:
    """Verify the checksums of a model, unless it is shipped with attn or in the cache.

    Raises ModelError as `bundle.verify_checksums` does.
    """
    if not registry.is_shipped(path):
        seen = _fingerprint(path)
        if seen is None or _remembered().get(os.path.realpath(path)) != seen:
            _verify(path, seen)


def verify(path: Path) -> None:
    """Verify the checksums of a model, regardless of the cache."""
    _verify(path, _fingerprint(path))


def _verify(path: Path, fingerprint: str | None) -> None:
    """Verify the checksums and cache the fingerprint, taken before."""
    bundle.verify_checksums(path)
    if fingerprint is not None:
        _remember(os.path.realpath(path), fingerprint)


def _fingerprint(path: Path) -> str | None:
    """What changes when a file does: the bundle.json, and the size and time of all it names.

    None where one of them went away in between.
    """
    facts = bundle.checked_manifest(path)
    try:
        seen = [(path / bundle.FACTS).read_bytes()]
        for name in facts["files"]:
            status = bundle.locate(path, facts, name).stat()
            seen.append(f"{status.st_size} {status.st_mtime_ns}".encode())
    except OSError:
        return None
    return hashlib.sha256(b"\0".join(seen)).hexdigest()


def _memory() -> Path:
    return user_folders.cache_folder() / "verified.json"


def _remembered() -> dict[str, str]:
    """Return the cached fingerprints by real path of the model; empty without a cache."""
    try:
        content = json.loads(_memory().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _remember(place: str, fingerprint: str) -> None:
    """Add a model to the cache; do nothing if it cannot be written."""
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
