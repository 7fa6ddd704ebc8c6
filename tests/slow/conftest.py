"""The demo's model, trained once for all slow tests just as a reader would train it."""

import document_blocks
import pytest


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """A folder in which `attn train` has been run, with no argument: its model is in runs/demo."""
    folder = document_blocks.workspace(tmp_path_factory.mktemp("demo"))
    status, printed = document_blocks.run("attn train", folder, seconds=1800)
    assert status == 0, printed
    return folder
