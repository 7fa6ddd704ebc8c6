"""Readers of untrusted bytes, which may raise `AttnError` only.

    python tests/fuzz_targets.py NAME -runs=20000 [CORPUS]

runs one of them with atheris, a coverage-guided fuzzer.
"""

import io
import json
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from attn_cli import config
from attn_cli.alignment.pharaoh import read_gold, read_links
from attn_cli.bundles import archive, manifest
from attn_cli.cli.input import LineParser
from attn_cli.data.text_input import Line, Lines, parse_pair
from attn_cli.errors import AttnError

FOLDER = Path(tempfile.mkdtemp(prefix="attn-fuzz-"))


def corpus(data: bytes) -> None:
    """Read lines of a text as pairs."""
    lines = list(Lines(io.BytesIO(data), name="text"))
    assert len(lines) == data.count(b"\n") + (not data.endswith(b"\n") and data not in _EMPTY)
    for line in lines:
        parse_pair(line.text)


_EMPTY = (b"", b"\xef\xbb\xbf")


def pharaoh(data: bytes) -> None:
    """Read links of an aligner."""
    read_links(data.decode("utf-8", "replace").split("\n"), name="links")


def gold(data: bytes) -> None:
    """Read gold links."""
    read_gold(data.decode("utf-8", "replace").split("\n"), name="gold")


def jsonl(data: bytes) -> None:
    """Read a record and write it again as JSON."""
    for pairs in (False, True):
        line = LineParser("records", "jsonl", pairs)(Line(1, data.decode("utf-8", "replace")))
        json.dumps(line.extra, allow_nan=False)


def recipe(data: bytes) -> None:
    """Read a recipe, write it and read it again."""
    parsed = config.parse(data.decode("utf-8", "replace"))
    assert config.parse(config.to_toml(parsed)) == parsed


def bundle_json(data: bytes) -> None:
    """Read the manifest of a model in a folder with a few files."""
    (FOLDER / manifest.FACTS).write_bytes(data)
    manifest.checked_manifest(FOLDER)


def safetensors(data: bytes) -> None:
    """Read the parameters of a network or a checkpoint."""
    from attn_cli.training import checkpoint

    path = FOLDER / "weights.safetensors"
    path.write_bytes(data)
    checkpoint.load(path)


def model_archive(data: bytes) -> None:
    """Read a model in one file."""
    path = FOLDER / "model.zip"
    path.write_bytes(data)
    with archive.open_archive(path):
        pass


TARGETS: dict[str, Callable[[bytes], None]] = {
    "corpus": corpus,
    "pharaoh": pharaoh,
    "gold": gold,
    "jsonl": jsonl,
    "recipe": recipe,
    "bundle_json": bundle_json,
    "safetensors": safetensors,
    "model_archive": model_archive,
}

#: A good input of each, from which a fuzzer begins.
SEEDS = {
    "corpus": b"I see.\tje vois.\r\na ||| b\n\xff\n",
    "pharaoh": b"0-0 1-2:0.5\n\n2-1\n",
    "gold": b"1-1 2p3 4?4\n",
    "jsonl": b'{"source": "I see.", "target": "je vois.", "id": [1, 2.5, null]}',
    "recipe": b'name = "a"\n[model.encoder]\ncell = "lstm"\nwidth = 64\n',
    "bundle_json": b'{"format": 1, "name": "a", "source": "en", "target": "fr", "scores": {}, '
    b'"files": {"weights.safetensors": {"bytes": 3, "sha256": "00"}}, "staged": []}',
    "safetensors": b'\x40\0\0\0\0\0\0\0{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    + b" " * 8
    + b"\0\0\0\0",
    "model_archive": b"PK\x05\x06" + bytes(18),
}


def run(name: str, data: bytes) -> None:
    """Run a target; a refusal is the right result for bad input."""
    with suppress(AttnError):
        TARGETS[name](data)


def main() -> None:
    """Run one target under atheris, with the options of libFuzzer after its name."""
    import atheris

    _, name, *options = sys.argv
    for module in [each for each in sys.modules if each.startswith("attn_cli")]:
        del sys.modules[module]
    with atheris.instrument_imports(include=["attn_cli"]):
        import fuzz_targets

        if name == "safetensors":  # its target imports torch when it is called
            import attn_cli.training.checkpoint  # noqa: F401
    seeds = Path(tempfile.mkdtemp(prefix="attn-seeds-"))
    (seeds / "seed").write_bytes(SEEDS[name])
    atheris.Setup(
        [sys.argv[0], *options, os.fspath(seeds)], lambda data: fuzz_targets.run(name, data)
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
