"""Run the cells of docs/python.ipynb without Jupyter, and write their outputs into it.

    PYTHONPATH=tests python tests/notebook.py

The output of a cell is what it prints, then the value of its last line in each of its formats.
"""

import ast
import contextlib
import io
import json
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

from document_blocks import ROOT

NOTEBOOK = ROOT / "docs" / "python.ipynb"

#: Forms of a value in a notebook, and the method that returns each.
FORMS = {"text/html": "_repr_html_", "image/svg+xml": "_repr_svg_"}


def run_cells(cells: list[dict[str, Any]], folder: Path) -> list[list[dict[str, Any]]]:
    """Run the cells in order in `folder`, in one namespace; return the outputs of each code
    cell."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("error")
        return [_run("".join(c["source"]), namespace) for c in cells if c["cell_type"] == "code"]


def _run(source: str, namespace: dict[str, Any]) -> list[dict[str, Any]]:
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    stdout, value = io.StringIO(), None
    with contextlib.redirect_stdout(stdout):
        exec(compile(tree, "cell", "exec"), namespace)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), namespace)
    outputs: list[dict[str, Any]] = []
    if text := stdout.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(text)})
    if value is not None:
        outputs.append({"output_type": "execute_result", "metadata": {}, "data": _forms(value)})
    return outputs


def _forms(value: Any) -> dict[str, list[str]]:
    data = {"text/plain": _lines(repr(value))}
    for form, method in FORMS.items():
        if content := getattr(value, method, lambda: None)():
            data[form] = _lines(content)
    return data


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def main() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        outputs = run_cells(notebook["cells"], Path(folder))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, (cell, cell_outputs) in enumerate(zip(code, outputs, strict=True), start=1):
        cell["execution_count"] = number
        for output in cell_outputs:
            if output["output_type"] == "execute_result":
                output["execution_count"] = number
                if "text/html" in output["data"]:  # one picture suffices
                    output["data"].pop("image/svg+xml", None)
        cell["outputs"] = cell_outputs
    text = json.dumps(notebook, ensure_ascii=False, indent=1)
    NOTEBOOK.write_text(text + "\n", encoding="utf-8")


def prepare(folder: Path) -> None:
    """Put the files that the notebook reads into `folder`."""
    os.symlink(ROOT / "data", folder / "data")


if __name__ == "__main__":
    main()
