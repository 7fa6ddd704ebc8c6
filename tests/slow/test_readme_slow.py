"""The README's blocks with the demo's real model: what they show is what a reader will see."""

import pytest
import readme_blocks

BLOCKS = readme_blocks.blocks_of(readme_blocks.README.read_text(encoding="utf-8"))


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.kind == "model"], ids=str)
def test_the_block_shows_what_the_demo_prints(block, demo):
    readme_blocks.check(block, demo, quick=False)
