"""README.md says what is true: its blocks run, its links lead where they say."""

import re

import pytest
import readme_blocks
from readme_blocks import Command, blocks_of, matches

TEXT = readme_blocks.README.read_text(encoding="utf-8")
BLOCKS = blocks_of(TEXT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return readme_blocks.workspace(tmp_path_factory.mktemp("readme"))


def test_the_readme_has_blocks():
    assert len([block for block in BLOCKS if block.kind != "skip"]) >= 5


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_the_block_runs(block, folder):
    if block.kind == "skip":
        pytest.skip("README.md says why")
    readme_blocks.check(block, folder, quick=True)


def test_every_make_in_the_documents_is_a_target():
    makefile = (readme_blocks.ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    contributing = (readme_blocks.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|\$ )make ([a-z]+)", TEXT + contributing))
    assert {"demo", "test"} <= named <= targets


LINE_LINK = re.compile(r"\[`([^`]+)`\]\((\w[^)#]*)#L(\d+)\)")


@pytest.mark.parametrize(("name", "path", "line"), LINE_LINK.findall(TEXT))
def test_a_link_to_a_line_leads_to_the_thing_it_names(name, path, line):
    name = " ".join(name.split())  # a line of prose may break within it
    lines = (readme_blocks.ROOT / path).read_text(encoding="utf-8").splitlines()
    found = [number for number, text in enumerate(lines, start=1) if name in text]
    assert int(line) in found, f"{name} is on line {found} of {path}"


def test_the_eight_steps_are_linked():
    assert len(LINE_LINK.findall(TEXT)) >= 8


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md",
                                      "models/README.md", "data/README.md"])  # fmt: skip
def test_a_relative_link_leads_somewhere(document):
    path = readme_blocks.ROOT / document
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    missing = [
        target
        for target in targets
        if not target.startswith("http") and not (path.parent / target).exists()
    ]
    assert not missing


SAMPLE = """
<!-- test: model -->
```console
$ attn translate x
eins …
…
drei
$ attn nonsense
$ echo $?
2
```
"""


def test_a_block_is_read_as_the_convention_says():
    (block,) = blocks_of(SAMPLE)
    assert block.kind == "model"
    assert block.commands == (
        Command("attn translate x", ("eins …", "…", "drei")),
        Command("attn nonsense", (), 2),
    )


@pytest.mark.parametrize(
    ("printed", "same"),
    [
        ("eins zwei\nzwei\nund\ndrei\n", True),
        ("eins  x \n\ndrei", True),
        ("eins zwei\ndrei", False),
        ("eins zwei\nzwei\nvier\n", False),
        ("eins zwei\nzwei\ndrei\nvier\n", False),
    ],
)
def test_an_ellipsis_stands_for_anything(printed, same):
    assert matches(("eins …", "…", "drei"), printed) is same


def test_what_differs_is_seen(folder):
    (block,) = blocks_of("```console\n$ echo one\ntwo\n```\n")
    with pytest.raises(AssertionError, match=r"README\.md shows"):
        readme_blocks.check(block, folder, quick=True)
