"""Tests of the review by mouse and keyboard in JupyterLab."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser import annotator
from tests.browser.gallery import SETUP, GalleryPage
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
    expect(root.locator(".panel .question")).to_be_focused()
    review.page.page.keyboard.press("1")
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
    review.page.page.keyboard.press("Enter")
    expect(review.tile(1).locator(".caption")).to_contain_text("to label again")
    review.expect_saved()
    statuses = review.page.value("project.train_set.images['status'].value_counts().to_dict()")
    assert statuses == {"labelled": 8, "unlabelled": 4}
    # the rest in one step
    root.focus()
    review.press("Control+a", "Enter")
    expect(root.locator(".foot .done")).to_have_text("8 of 8 reviewed")


#: Two boxes on each of three images.
BOXES = """
images = sorted(project.train_set.images["image"])
rows = [dict(image=image, label=label, left=left, top=top, width=90, height=60)
        for image in images for label, left, top in (("apple", 20, 40), ("pear", 150, 110))]
project.update("train", pd.DataFrame(rows))
"""


@pytest.mark.storing
def test_boxes_are_corrected_below_rejected_with_a_reason_and_shown_to_the_next_person(lab: Lab) -> None:
    setup = annotator.SETUP + annotator.PROJECT.format(count=3) + BOXES
    page = lab.open(notebook(setup, "r = project.review(sort='name')\nr", "g = project.label(sort='name')\ng"))
    page.run_cell(0)
    page.run_cell(1)
    review = ReviewPage(page, 1).ready()
    keyboard = page.page.keyboard
    review.press("ArrowRight", "e")
    below = annotator.AnnotatorPage(page, 1)
    expect(below.root).to_be_focused()
    expect(below.rows()).to_have_count(2)
    below.press("Tab")
    expect(below.rows().first).to_have_class("row current")
    below.press(*["Shift+ArrowRight"] * 2)
    page.expect_value("shapes(1)", [("apple", 40, 40, 90, 60), ("pear", 150, 110, 90, 60)])
    expect(review.tile(1)).to_contain_text("✓ reviewed", timeout=10_000)
    below.press("Escape", "Escape", "Shift+Tab")
    expect(review.root).to_be_focused()
    expect(review.root.locator(".tile.focused")).to_have_attribute("data-place", "1")
    review.tile(2).dblclick()
    expect(below.root).to_be_focused()
    # reject with a typed reason
    review.root.focus()
    review.press("Home", "x")
    keyboard.type("<b>loose</b>")
    keyboard.press("Enter")
    expect(review.tile(0)).to_contain_text("Rejected by")
    expect(review.tile(0)).to_contain_text("<b>loose</b>")
    review.expect_saved()
    assert page.value("len(project.train_set.annotations)") == 4
    page.run_cell(2)
    gallery = GalleryPage(page, 2).ready()
    expect(gallery.tile(0).locator(".status.rejected")).to_contain_text("<b>loose</b>")
    expect(gallery.tile(0).locator("path.predicted")).not_to_have_count(0)
    # remove the labels of another image, without suggestions
    review.root.focus()
    review.press("ArrowRight", "Shift+X")
    expect(review.tile(2).locator(".chip")).to_have_count(0)
    expect(review.tile(2).locator(".status.rejected")).to_have_count(0)
    review.press("Control+z", "Control+z")
    expect(review.tile(0).locator(".chip")).to_have_count(2)
    expect(gallery.tile(0).locator(".status.rejected")).to_have_count(0)


#: Lets the review store nothing any more.
FAILING = """
from customlabels_nb.errors import InputError

def fail(*arguments, **options):
    raise InputError("The disk is full.")

r.session._store.update_images = fail
"""


def test_focus_returns_to_an_image_whose_decision_was_not_saved(lab: Lab) -> None:
    page = lab.open(notebook(SETUP + LABELLED, "r = project.review(sort='name')\nr", FAILING))
    for cell in range(3):
        page.run_cell(cell)
    review = ReviewPage(page, 1).ready()
    review.press("ArrowRight", "Enter")
    expect(review.root.locator(".notice")).to_contain_text("Not saved: The disk is full.")
    expect(review.root.locator(".tile.focused")).to_have_attribute("data-place", "1")
    assert "reviewed" not in review.words(1)
