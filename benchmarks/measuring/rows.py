"""Rows of a long benchmark on disk, so that an interrupted one continues."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from measuring import say

Row = dict[str, Any]


class SavedRows:
    """The rows in OUTPUT.json, each written at once.

    Rows of the file are used again if they were measured with the same `settings`, JSON values.
    Without an output nothing is written.
    """

    def __init__(self, output: Path | None, settings: Mapping[str, Any]) -> None:
        self._path = None if output is None else Path(f"{output}.json")
        self._settings = json.loads(json.dumps(settings))
        self.rows: list[Row] = self._read()

    def _read(self) -> list[Row]:
        if self._path is None or not self._path.is_file():
            return []
        record = json.loads(self._path.read_text(encoding="utf-8"))
        if record.get("settings") != self._settings:
            say(f"{self._path} was measured with other settings and is replaced")
            return []
        rows: list[Row] = record["rows"]
        return rows

    def has(self, **values: object) -> bool:
        """Return whether a row has these values."""
        return any(values.items() <= row.items() for row in self.rows)

    def add(self, row: Row) -> None:
        """Add a row, and write it to disk."""
        self.rows.append(row)
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = Path(f"{self._path}.part")
        part.write_text(json.dumps(self.record(), indent=2, ensure_ascii=False), encoding="utf-8")
        os.replace(part, self._path)

    def record(self) -> dict[str, Any]:
        """The settings and the rows."""
        return {"settings": self._settings, "rows": self.rows}
