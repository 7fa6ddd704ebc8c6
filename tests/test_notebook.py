"""docs/python.ipynb runs, and shows what it says it shows."""

import json
import re

import pytest
from notebook import NOTEBOOK, prepare, run_cells


@pytest.fixture(scope="module")
def notebook():
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def without_numbers(lines: list[str]) -> str:
    """The text with each number as #, since the last digit may differ elsewhere."""
    text = re.sub(r"-?\d+(\.\d+)?(e-?\d+)?|·", "#", "".join(lines))
    text = re.sub(r"</?span[^>]*>|style=\"[^\"]*\"", "", text)  # the color of a number or a cell
    return re.sub(r"[\s\u2212]+", "", text)  # a column is as wide as its numbers


def test_the_cells_run_and_show_what_is_stored(notebook, tmp_path):
    prepare(tmp_path)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    outputs = run_cells(notebook["cells"], tmp_path)
    for cell, of_cell in zip(code, outputs, strict=True):
        assert [each["output_type"] for each in of_cell] == [
            each["output_type"] for each in cell["outputs"]
        ]
        for output, stored in zip(of_cell, cell["outputs"], strict=True):
            if "text" in stored:
                assert without_numbers(output["text"]) == without_numbers(stored["text"])
            for form, content in stored.get("data", {}).items():
                assert without_numbers(output["data"][form]) == without_numbers(content)


def test_it_is_a_notebook_of_format_4_5_without_traces_of_a_machine(notebook):
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert all("/home/" not in json.dumps(cell) for cell in notebook["cells"])


def test_numbers_and_colors_do_not_count_but_words_do():
    assert without_numbers(["0.93 a"]) == without_numbers(["0.94 a"])
    assert without_numbers(["0.93 a"]) != without_numbers(["0.93 b"])
