"""Test that screens work when cells keep running."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.gallery import PROJECT, SETUP, GalleryPage
from tests.browser.jupyter import BUSY, Lab, notebook

pytestmark = pytest.mark.browser

SHOW = """
screens = [
    project.label("train", sort="name", page_size=6),
    project.labels.edit(),
    project.history_panel(),
    project.dashboard(),
]
display(*screens)
project.labels.add("late")
"""


def test_screens_answer_while_the_cell_that_shows_or_changes_them_runs(lab: Lab) -> None:
    page = lab.open(notebook(SETUP + PROJECT.format(count=6), SHOW + BUSY, "project.labels.add('later')\n" + BUSY))
    page.page.set_viewport_size({"width": 1300, "height": 2600})
    page.run_cell(0)
    page.run_cell(1, wait=False)
    out = page.output(1)
    gallery = GalleryPage(page, 1).ready()
    names = out.locator(".clnb-label-manager .label-row .name")
    expect(names.last).to_have_text("late")
    expect(out.locator(".clnb-history .action .what").first).to_contain_text("add label")
    expect(out.locator(".clnb-dashboard .label-rows .name")).to_have_count(4)
    gallery.press("1")
    gallery.expect_saved()
    expect(page.cell(1)).to_contain_text("[*]")  # the cell is still running
    page.let_go()
    expect(page.cell(1)).not_to_contain_text("[*]")

    page.run_cell(2, wait=False)
    expect(names.last).to_have_text("later")
    gallery.root.focus()
    gallery.press("2")
    gallery.expect_saved()
    expect(page.cell(2)).to_contain_text("[*]")
    expect(out.locator(".clnb .notice:visible")).to_have_count(0)
    page.let_go()
    assert page.value("labelled()") == {"000": "apple", "001": "pear"}
