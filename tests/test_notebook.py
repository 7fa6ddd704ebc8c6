"""docs/python.ipynb runs, and its stored outputs are those of today."""

import json
import re

import pytest
from notebook import NOTEBOOK, prepare, run_cells


@pytest.fixture(scope="module")
def notebook():
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def without_numbers(lines: list[str]) -> str:
    """Return the text with # for each number: its last digit may differ on another machine."""
    text = re.sub(r"-?\d+(\.\d+)?(e-?\d+)?|·", "#", "".join(lines))
    text = re.sub(r"</?span[^>]*>|style=\"[^\"]*\"", "", text)  # the color of a number or a cell
    return re.sub(r"[\s\u2212]+", "", text)  # the width of a column depends on its numbers


def test_the_cells_run_and_give_the_stored_outputs(notebook, tmp_path):
    prepare(tmp_path)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    outputs = run_cells(notebook["cells"], tmp_path)
    for cell, cell_outputs in zip(code, outputs, strict=True):
        assert [each["output_type"] for each in cell_outputs] == [
            each["output_type"] for each in cell["outputs"]
        ]
        for output, stored_output in zip(cell_outputs, cell["outputs"], strict=True):
            if "text" in stored_output:
                assert without_numbers(output["text"]) == without_numbers(stored_output["text"])
            for form, content in stored_output.get("data", {}).items():
                assert without_numbers(output["data"][form]) == without_numbers(content)


def test_the_notebook_has_format_4_5_and_no_path_of_a_machine(notebook):
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert all("/home/" not in json.dumps(cell) for cell in notebook["cells"])


def test_the_comparison_ignores_numbers_and_colors_but_no_words():
    assert without_numbers(["0.93 a"]) == without_numbers(["0.94 a"])
    assert without_numbers(["0.93 a"]) != without_numbers(["0.93 b"])
