"""The other notebooks run from top to bottom in a real JupyterLab, and their widgets show something."""

from __future__ import annotations

import re

import nbformat
import pytest
from playwright.sync_api import expect

from customlabels_nb.quickstart import QUICKSTART, notebooks_folder
from tests.browser.jupyter import Lab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OTHERS = sorted(path.name for path in notebooks_folder().glob("*.ipynb") if path.name != QUICKSTART)


@pytest.mark.parametrize("name", OTHERS)
def test_a_notebook_runs_and_is_kept_without_outputs(lab: Lab, name: str) -> None:
    code = [cell for cell in nbformat.read(notebooks_folder() / name, as_version=4).cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    page = lab.open(notebooks_folder() / name, height=1600)
    page.run_all(seconds=300)
    widgets = page.page.locator(".clnb")
    assert widgets.count() >= 3
    for widget in widgets.all():
        widget.scroll_into_view_if_needed()
        expect(widget).not_to_have_class(re.compile(r"\bloading\b"), timeout=30_000)
        expect(widget.locator(".state, .spring").first).to_be_attached(timeout=30_000)
    assert page.page_errors == []
