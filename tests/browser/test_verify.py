"""Tests of the verify widget by mouse and keyboard in JupyterLab."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.gallery import SETUP, GalleryPage
from tests.browser.jupyter import Lab, LabPage, notebook

pytestmark = [pytest.mark.browser, pytest.mark.storing]

FOUND = """
draw(12, "field")
project = cl.create_project("things", task="single-label", exist_ok=True)
for label in ("apple", "<b>pear</b>"):
    if label not in project.labels:
        project.labels.add(label)
found = pd.DataFrame({
    "image": [f"field/{n:03}.png" for n in range(12)],
    "label": ["apple", "<b>pear</b>"] * 6,
    "confidence": [0.9 - n / 50 for n in range(12)],
})
"""
BOXES = """
draw(4, "field")
project = cl.create_project("boards", task="boxes")
project.labels.add("diode")
found = pd.DataFrame({"image": [f"field/{n:03}.png" for n in range(4)], "label": "diode", "confidence": 0.8})
found = found.assign(left=30.0, top=20.0, width=50.0, height=40.0)
"""
SHOW = "v = project.verify(found, page_size=6)\nv"


class VerifyPage(GalleryPage):
    """Verify widget shown by a cell of a page."""

    def __init__(self, page: LabPage, cell: int) -> None:
        super().__init__(page, cell)
        self.root = page.output(cell).locator(".clnb-verify")

    def ready(self) -> VerifyPage:
        super().ready()
        return self

    def verdicts(self) -> list[str]:
        """Return the verdicts of the tiles."""
        found: list[str] = self.root.locator(".tile:visible").evaluate_all("tiles => tiles.map(t => t.dataset.verdict)")
        return found


def opened(lab: Lab, setup: str) -> VerifyPage:
    """Open the widget in cell 1 of a new notebook."""
    page = lab.open(notebook("import pandas as pd\n" + SETUP + setup, SHOW))
    page.run_cell(0)
    page.run_cell(1)
    return VerifyPage(page, 1).ready()


def test_predictions_are_judged_by_mouse_and_keyboard(lab: Lab) -> None:
    verify = opened(lab, FOUND)
    assert verify.verdicts() == ["waiting"] * 6
    expect(verify.root.locator(".tile .chip.predicted")).to_have_count(6)
    expect(verify.root.locator(".tile b")).to_have_count(0)  # a label is text
    verify.press("Delete")  # the first image, and on to the second
    verify.press("2")
    verify.tile(3).click()
    verify.root.locator(".wrong").first.click()
    verify.press("Control+z")
    expect(verify.root.locator(".tile[data-verdict='wrong']")).to_have_count(1)
    verify.press("Escape", "Enter")  # the rest of the page is right
    expect(verify.root.locator(".position")).to_have_text("7–12 of 12")
    expect(verify.root.locator(".done")).to_have_text("6 of 12 judged")
    verify.expect_saved()
    verify.page.run_cell(1)
    verify = VerifyPage(verify.page, 1).ready()
    expect(verify.root.locator(".done")).to_have_text("6 of 12 judged")
    verify.root.locator(".submit").click()
    expect(verify.root.locator(".notice")).to_contain_text("6 images added to train and 0 to test.")
    statuses = verify.page.value("project.train_set.images['status'].value_counts().to_dict()")
    assert statuses == {"labelled": 5, "needs_review": 1}


def test_boxes_are_fixed_in_the_annotator_below(lab: Lab) -> None:
    verify = opened(lab, BOXES)
    expect(verify.root.locator(".overlay .predicted")).to_have_count(4)
    assert verify.outlines(verify.tile(2)) == [pytest.approx((30 / 120, 20 / 90, 80 / 120, 60 / 90), abs=0.03)]
    verify.press("a")
    expect(verify.tile(0).locator(".overlay .truth")).to_have_count(1)
    verify.press("e")
    annotator = verify.page.output(1).locator(".clnb-annotator")
    annotator.locator(".photo[src^='data:']").wait_for()
    annotator.focus()
    verify.press("a")  # accept the predicted box, and move it
    verify.press("Tab", "ArrowRight", "ArrowRight")
    expect(annotator.locator(".state")).to_have_text("saved")
    expect(verify.tile(1)).to_have_attribute("data-verdict", "corrected")
    verify.expect_saved()
    lefts = verify.page.value("sorted(v.session.store.annotations('train')['left'])")
    assert lefts == [30.0, 32.0]
