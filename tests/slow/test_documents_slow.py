"""The tables in the documents are those that the shipped models print."""

import document_blocks
import pytest

BLOCKS = [
    pytest.param(block, id=f"{document_blocks.name_of(document)}:{block.line}")
    for document in document_blocks.DOCUMENTS
    for block in document_blocks.blocks_of(document.read_text(encoding="utf-8"))
    if block.kind == "model"
]


@pytest.mark.parametrize("block", BLOCKS)
def test_the_block_shows_what_the_models_print(block, tmp_path):
    document_blocks.check(block, document_blocks.workspace(tmp_path), quick=False)
