"""The blocks of README.md and docs/*.md run as shown, and the links of all documents work."""

import ast
import re
import unicodedata
from pathlib import Path

import document_blocks
import pytest
from document_blocks import DOCUMENTS, README, ROOT, Command, blocks_of, matches, name_of
from marian_models import write_folder

#: Documents whose links are checked, beside those whose blocks are run.
DOCUMENTS_WITH_LINKS = (*DOCUMENTS, *(ROOT / name for name in (
    "CONTRIBUTING.md", "CHANGELOG.md", "GLOSSARY.md", "models/README.md", "data/README.md",
    "benchmarks/README.md", "SECURITY.md",
)))  # fmt: skip

MAX_WORDS = 900


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return document_blocks.workspace(tmp_path_factory.mktemp("documents"), quick=True)


def texts(documents):
    return [
        pytest.param(each, each.read_text(encoding="utf-8"), id=name_of(each)) for each in documents
    ]


@pytest.mark.xdist_group("documents")  # which xdist starts before single tests
@pytest.mark.parametrize(("document", "text"), texts(DOCUMENTS))
def test_the_blocks_of_a_document_run_in_order(document, text, tmp_path):
    blocks = [block for block in blocks_of(text) if block.kind != "skip"]
    if not blocks:
        pytest.skip("no block of it is run")
    workspace = document_blocks.workspace(tmp_path, quick=True)
    if document.name == "any-model.md":
        pytest.importorskip("transformers")
        write_folder(workspace / "opus-mt-en-fr", encoder_layers=2, decoder_layers=2)
    for block in blocks:
        try:
            document_blocks.check(block, workspace, quick=True)
        except AssertionError as error:
            raise AssertionError(f"{name_of(document)}:{block.line}: {error}") from error


def test_the_readme_has_blocks_that_run():
    blocks = blocks_of(README.read_text(encoding="utf-8"))
    assert len([block for block in blocks if block.kind != "skip"]) >= 5


def test_the_readme_fits_on_a_page():
    words = len(README.read_text(encoding="utf-8").split())
    assert words <= MAX_WORDS, f"README.md has {words} words: move some into docs/"


def test_every_make_command_in_the_documents_has_a_target():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    text = "\n".join(each.read_text(encoding="utf-8") for each in DOCUMENTS_WITH_LINKS)
    commands = set(re.findall(r"(?:`|\$ )make ([a-z]+)", text))
    assert {"demo", "test"} <= commands <= targets


#: A link of Markdown: its text and its target. The text may break over lines.
LINK = re.compile(r"\[((?:[^\]\[]|\[[^\]]*\])*)\]\(([^)\s]+)\)")

#: A link's text that is one symbol of Python.
SYMBOL = re.compile(r"`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)`")

_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def links_of(text):
    """Return the relative links of a Markdown text outside of blocks, as (text, target) pairs."""
    links = LINK.findall(_FENCE.sub("", text)) + [
        ("", source) for source in re.findall(r'<img src="([^"]+)"', text)
    ]
    return [(text, target) for text, target in links if not re.match(r"[a-z]+:", target)]


def headings_in(file):
    """Return the anchors of a Markdown file; the empty set for any other file."""
    return anchors_of(file.read_text(encoding="utf-8")) if file.suffix == ".md" else set()


def anchors_of(text):
    """Return the anchors that GitHub gives to the headings of a Markdown text."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    return {anchor(heading) for heading in headings}


def anchor(heading):
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    characters = [each for each in plain if each in " -_" or unicodedata.category(each)[0] in "LNM"]
    return "".join(characters).replace(" ", "-")


def definitions_of(path: Path):
    """Return the functions, classes and methods of a Python file: `f`, `C`, `C.m`."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{each.name}" for each in node.body if hasattr(each, "name")}
    return names


@pytest.mark.parametrize(("document", "text"), texts(DOCUMENTS_WITH_LINKS))
def test_a_relative_link_leads_to_a_file_and_a_heading(document, text):
    broken = []
    for _, target in links_of(text):
        path, _, fragment = target.partition("#")
        file = document.parent / path if path else document
        if not file.exists() or (fragment and fragment not in headings_in(file)):
            broken.append(target)
    assert not broken


def links_to_symbols(document):
    text = document.read_text(encoding="utf-8")
    for label, target in links_of(text):
        symbol = SYMBOL.fullmatch(label)
        if symbol and target.endswith(".py"):
            yield symbol[1], document.parent / target


@pytest.mark.parametrize("document", DOCUMENTS_WITH_LINKS, ids=name_of)
def test_a_link_to_a_symbol_leads_to_the_file_that_defines_it(document):
    wrong_links = [
        f"{symbol} is not defined in {path.name}"
        for symbol, path in links_to_symbols(document)
        if symbol not in definitions_of(path)
    ]
    assert not wrong_links


def test_each_of_the_eight_steps_links_to_its_code():
    text = (ROOT / "docs" / "how-attention-works.md").read_text(encoding="utf-8")
    steps = re.split(r"^### \d\. ", text.split("\n## ")[1], flags=re.MULTILINE)[1:]
    assert len(steps) == 8
    has_link = [bool(re.search(r"\[`[\w.]+`\]\(\S+\.py\)", step)) for step in steps]
    assert has_link == [True] * 5 + [False] + [True] * 2  # one product makes steps 6 and 7


def test_no_document_links_to_a_line_number():
    for document in DOCUMENTS_WITH_LINKS:
        assert not re.search(r"\]\([^)]*#L\d+\)", document.read_text(encoding="utf-8")), document


def test_the_anchors_are_those_of_github():
    headings = "# A `b` and, c\n## What they mean, & not\n## 4. May weights be read?\n"
    assert anchors_of(headings) == {"a-b-and-c", "what-they-mean--not", "4-may-weights-be-read"}


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


def test_the_kind_the_commands_and_the_statuses_of_a_block_are_read():
    (block,) = blocks_of(SAMPLE)
    assert block.kind == "model"
    assert block.commands == (
        Command("attn translate x", ("eins …", "…", "drei")),
        Command("attn nonsense", (), 2),
    )


@pytest.mark.parametrize(
    ("output", "is_same"),
    [
        ("eins zwei\nzwei\nund\ndrei\n", True),
        ("eins  x \n\ndrei", True),
        ("eins zwei\ndrei", False),
        ("eins zwei\nzwei\nvier\n", False),
        ("eins zwei\nzwei\ndrei\nvier\n", False),
    ],
)
def test_an_ellipsis_matches_any_text(output, is_same):
    assert matches(("eins …", "…", "drei"), output) is is_same


def test_an_output_that_differs_from_the_document_is_an_error(folder):
    (block,) = blocks_of("```console\n$ echo one\ntwo\n```\n")
    with pytest.raises(AssertionError, match="the document shows"):
        document_blocks.check(block, folder, quick=True)


def test_the_architecture_names_each_module():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    modules = {path.stem for path in (ROOT / "attn_cli").rglob("*.py")} - {"__init__", "__main__"}
    assert not sorted(name for name in modules if not re.search(rf"\b{name}\b", text))
