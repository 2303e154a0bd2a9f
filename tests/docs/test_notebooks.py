"""The notebooks run from top to bottom in a kernel of their own."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from customlabels_nb.quickstart import QUICKSTART, notebooks_folder

OTHERS = sorted(path.name for path in notebooks_folder().glob("*.ipynb") if path.name != QUICKSTART)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_a_notebook_runs_and_is_kept_without_outputs(name: str, tmp_path: Path) -> None:
    notebook = nbformat.read(notebooks_folder() / name, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]
