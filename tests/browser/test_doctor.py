"""Test that the check-up in a notebook reports the server correctly."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.jupyter import OWN_KERNEL, Lab, notebook

pytestmark = pytest.mark.browser


def test_doctor_finds_the_notebook_server_complete(lab: Lab) -> None:
    page = lab.open(notebook("import customlabels_nb as cl\nfound = cl.doctor()\nfound"), kernel=OWN_KERNEL)
    page.run_all(seconds=300)  # torch is imported, on a possibly busy machine
    expect(page.output(0).get_by_text("All requirements are installed")).to_be_visible()
    expect(page.output(0).get_by_text("JupyterLab of this environment: widgets render")).to_be_visible()
    assert page.value("found.table.set_index('name').loc['this notebook', 'state']") == "good"
    assert page.page_errors == []
