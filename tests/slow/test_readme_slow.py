"""The README's tables are those that the shelf's models print: what a reader will see."""

import pytest
import readme_blocks

BLOCKS = readme_blocks.blocks_of(readme_blocks.README.read_text(encoding="utf-8"))


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.kind == "model"], ids=str)
def test_the_block_shows_what_the_shelf_prints(block, tmp_path):
    readme_blocks.check(block, readme_blocks.workspace(tmp_path), quick=False)
