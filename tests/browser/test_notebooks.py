"""Tests that the notebooks about screens run in JupyterLab and that all their widgets are shown."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from customlabels_nb.quickstart import notebooks_folder
from tests.browser.jupyter import Lab

pytestmark = [pytest.mark.browser, pytest.mark.exhaustive]

ABOUT_SCREENS = ("02_", "03_")  # `test_quickstart` covers the first. Notebooks without screens run without a browser.
NAMES = sorted(path.name for path in notebooks_folder().glob("*.ipynb") if path.name.startswith(ABOUT_SCREENS))


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_and_shows_its_widgets(lab: Lab, tmp_path: Path, name: str) -> None:
    notebook = nbformat.read(notebooks_folder() / name, as_version=4)
    shown = [at for at, cell in enumerate(notebook.cells) if "widget" in cell.metadata.get("tags", [])]
    notebook.cells = notebook.cells[: shown[-1] + 1]  # what follows runs without a browser
    # so does the whole training, whose model the pages do not need
    notebook.cells.insert(0, nbformat.v4.new_code_cell("import tests.notebooks.brief"))
    nbformat.write(notebook, tmp_path / name)
    page = lab.open(tmp_path / name, height=1600)
    page.run_all(seconds=300)
    widgets = page.page.locator(".clnb")
    assert widgets.count() >= 2
    for widget in widgets.all():
        widget.scroll_into_view_if_needed()
        expect(widget).not_to_have_class(re.compile(r"\bloading\b"))
        expect(widget.locator(".state, .spring").first).to_be_attached()
    assert page.page_errors == []
