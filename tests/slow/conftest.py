"""The demo's model, trained once for all slow tests, as a reader trains it."""

from pathlib import Path

import document_blocks
import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark every test of this folder as slow."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("slow")


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """A folder after `attn train` without arguments: its model is in runs/demo."""
    folder = document_blocks.workspace(tmp_path_factory.mktemp("demo"))
    status, output = document_blocks.run("attn train", folder, seconds=1800)
    assert status == 0, output
    return folder
