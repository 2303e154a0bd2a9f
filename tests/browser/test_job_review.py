"""Tests of the review of a labelling job by mouse and keyboard in JupyterLab."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.gallery import PROJECT, SETUP
from tests.browser.jupyter import Lab, notebook
from tests.browser.review import ReviewPage

pytestmark = [pytest.mark.browser, pytest.mark.storing]

#: Answers of anna, ben and carl to the images 0 to 3. Nobody disputes image 3.
ANSWERS = """
images = sorted(project.train_set.images["image"])
job = project.jobs.create("fruit-1", images, annotators=3, agreement=0.9, **{more})
for at, name in enumerate(["anna", "ben", "carl"]):
    worker = job.worker(name)
    for task in worker.lease(9):
        worker.submit(task, {answers}[images.index(task.image)][at])
"""
LABELS = "[['apple', 'pear', 'plum'], ['apple', 'pear', 'pear'], ['plum', 'pear', 'pear'], ['plum'] * 3]"
BOXES = """[[[dict(label='apple', left=20, top=15, width=50, height=50)], [dict(label='pear', left=22, top=15, width=52,
height=50)], [dict(label='pear', left=24, top=18, width=50, height=50), dict(label='plum', left=80, top=50, width=30,
height=30)]]]"""
RESULTS = "job.results.query(\"state == 'resolved'\")['label'].tolist()"


def opened(lab: Lab, answers: str = LABELS, count: int = 4, more: str = "{}") -> ReviewPage:
    """Open the review in cell 1 of a new notebook."""
    setup = SETUP + PROJECT.format(count=count) + ANSWERS.format(answers=answers, more=more)
    page = lab.open(notebook(setup, "r = job.review()\nr"))
    page.run_cell(0)
    page.run_cell(1)
    return ReviewPage(page, 1).ready()


def cards(review: ReviewPage) -> Locator:
    """Return the answers and the consensus beside the image."""
    return review.root.locator(".side .card")


@pytest.mark.journey
def test_keyboard_decides_and_reveals_names(lab: Lab) -> None:
    review = opened(lab)
    root = review.root
    expect(root.locator(".tile:visible")).to_have_count(3)
    expect(cards(review).last).to_contain_text("No majority")
    expect(root.locator(".reason")).to_contain_text(["all reasons", re.compile("pear.*plum.*2"), "no majority"])
    expect(root).not_to_contain_text(re.compile("anna|ben|carl"))
    wanted = cards(review).nth(1).locator(".chip").inner_text()
    review.press("b")
    expect(root.locator(".toast")).to_contain_text(re.compile(rf"\.png\W+{wanted}"))
    review.expect_saved()
    expect(review.tile(0)).to_contain_text(wanted)
    expect(review.tile(1)).to_have_class(re.compile(r"\bfocused\b"))
    expect(root).not_to_contain_text(re.compile("anna|ben|carl"))
    review.press("ArrowLeft")
    expect(cards(review).last).to_contain_text("✓ Decided")
    expect(root.locator(".side")).to_contain_text("carl")
    review.press("ArrowRight", "Enter", "3")
    review.expect_saved()
    expect(root.get_by_role("tab", name="decided 3")).to_be_visible()
    assert sorted(review.page.value(RESULTS)) == sorted([wanted, "pear", "plum", "plum"])
    review.press("Control+z", "r")
    expect(root.locator(".side")).to_contain_text("One person more is asked")
    review.expect_saved()
    assert review.page.value("job.progress.left") == 1
    review.tile(0).click()
    root.get_by_role("button", name="Back to the queue").click()
    expect(root.locator(".toast")).to_contain_text("is in the queue again: everybody is asked again")
    review.expect_saved()
    assert review.page.value("job.progress.left") == 4
    # another reviewer decides meanwhile, which the page does not show yet
    decide = "r.session._looked += 1000\njob.decide(r.session.images_at([(1, 1)])[0], 'apple')"
    review.page.kernel_client().execute(decide, reply=True)
    review.tile(1).click()
    review.press("Delete")
    expect(root.locator(".notice.error")).to_contain_text("is “apple” now. Please check it again.")
    expect(review.tile(1)).to_contain_text("apple")
    assert review.page.value("job.progress.left") == 4


def test_boxes_are_shown_compared_and_edited_below(lab: Lab) -> None:
    review = opened(lab, BOXES, 1, "{'task': 'boxes'}")
    root, drawn = review.root, review.root.locator(".canvas rect:not(.edge)")
    expect(drawn).to_have_count(4)
    expect(root.locator(".name-tag")).to_have_count(4)
    # beside the image, at any width
    for width in (1400, 1000, 850):
        review.page.page.set_viewport_size({"width": width, "height": 768})
        expect(root).to_have_class(re.compile(r"\bmedium\b" if width > 1000 else r"\bnarrow\b"))
        expect(root.get_by_role("button", name="Take consensus").first).to_be_in_viewport()
        sides = root.locator(".stage .frame").bounding_box()
        assert sides is not None
        assert sides["width"] >= 300
        assert sides["height"] >= 200
    review.press("Tab")
    expect(root.locator(".stage .caption")).to_contain_text(re.compile("A .*apple|A .*pear"))
    expect(root.locator(".name-tag")).to_have_count(3)
    review.press("Escape", "h")
    expect(drawn).to_have_count(1)
    expect(root.locator(".name-tag")).to_contain_text("⏎ pear")
    review.press("h")
    cards(review).nth(0).hover()
    expect(root.locator(".name-tag strong")).to_have_text(re.compile("A"))
    review.press("e")
    expect(review.page.output(1).locator(".clnb-annotator")).to_be_focused()
    root.focus()
    review.press("Shift+Digit1")
    review.expect_saved()
    expect(root.locator(".side")).to_contain_text("carl")
    expect(root.locator(".name-tag").first).to_contain_text("✓")
