"""Tests of the review by mouse and keyboard in JupyterLab."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.gallery import SETUP
from tests.browser.jupyter import Lab, notebook
from tests.browser.review import LABELLED, ReviewPage

pytestmark = pytest.mark.browser


def opened(lab: Lab) -> ReviewPage:
    """Open a review in cell 1 of a new notebook."""
    page = lab.open(notebook(SETUP + LABELLED, "r = project.review(sort='name')\nr"))
    page.run_cell(0)
    page.run_cell(1)
    return ReviewPage(page, 1).ready()


@pytest.mark.journey
@pytest.mark.storing
def test_labels_are_reviewed_by_keyboard(lab: Lab) -> None:
    review = opened(lab)
    root = review.root
    expect(root.locator(".position")).to_have_text("1–10 of 10")
    assert "anna just now" in review.words(0)
    # the truth beside a prediction, which a click accepts
    expect(review.tile(2).locator(".chip.predicted")).to_have_text(re.compile(r"pear\s*0\.90"))
    assert "disagrees" in review.words(2)
    review.tile(2).locator(".chip.predicted").click()
    expect(review.chips(2)).to_have_text("pear")
    review.tab("pear").click()
    expect(root.locator(".position")).to_have_text("1–4 of 4")  # the prediction was accepted, so that it is reviewed
    assert review.names() == ["006", "007", "008", "009"]
    root.focus()
    review.press("Enter", "a", "3", "x")  # approve, approve, correct, reject: each continues with the next image
    expect(review.chips(2)).to_have_text("plum")
    expect(review.chips(3)).to_have_count(0)
    review.expect_saved()
    assert [("✓ reviewed" in review.words(at)) for at in range(4)] == [True, True, True, False]
    found = review.labelled()
    assert (found["002"], found["008"], found.get("009")) == ("pear", "plum", None)
    done = review.page.value("project.history['what'].head(4).tolist()")
    assert done == ["reject", "correct to plum", "approve", "approve"]
    root.get_by_label("undo", exact=True).click()
    expect(review.chips(3)).to_have_text("pear")
    review.press("Control+z")
    expect(review.chips(2)).to_have_text("pear")
    review.choose("show", "reviewed")
    expect(root.locator(".position")).to_have_text("1–3 of 3")
    review.choose("show", "all")
    expect(root.locator(".position")).to_have_text("1–5 of 5")
    review.tab("*").click()
    expect(root.locator(".position")).to_have_text("1–10 of 10")
    # by mouse: several are rejected, and are in the gallery's queue
    review.tile(1).click()
    review.tile(4).click(modifiers=["Control"])
    root.locator(".reject", has_text="Reject 2").click()
    expect(review.tile(1).locator(".caption")).to_contain_text("to label again")
    review.expect_saved()
    statuses = review.page.value("project.train_set.images['status'].value_counts().to_dict()")
    assert statuses == {"labelled": 8, "unlabelled": 4}
    # the rest in one step
    root.focus()
    review.press("Control+a", "Enter")
    expect(root.locator(".foot .done")).to_have_text("8 of 8 reviewed")
