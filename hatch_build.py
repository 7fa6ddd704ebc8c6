"""Builds the manual pages into the wheel, as share/man/man1."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManualHook(BuildHookInterface[Any]):
    """Writes the pages to a temporary folder, from which the wheel takes them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the pages to a wheel; an editable installation has none."""
        if version != "standard":
            return
        sys.path.insert(0, self.root)
        from attn_cli.cli.manual import write_pages

        self.folder = tempfile.TemporaryDirectory()
        for page in write_pages(Path(self.folder.name)):
            build_data["shared_data"][str(page)] = f"share/man/man1/{page.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary folder."""
        if version == "standard":
            self.folder.cleanup()
