"""Test of a person's way with boxes in one notebook, from drawing to evaluating again."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.annotator import AnnotatorPage
from tests.browser.gallery import GalleryPage
from tests.browser.jupyter import Lab, notebook
from tests.browser.results import APPLE, BOXES, EXTRA, PEAR, PICTURES, ResultsScreen
from tests.browser.review import ReviewPage

pytestmark = [pytest.mark.browser, pytest.mark.storing, pytest.mark.thorough]

#: Two training images beside the test images of `BOXES`.
TRAINING = """
project.add_images(NAMES[3:5], progress=False)

def drawn(number):
    rows = cl.load_project("quarters").train_set.annotations
    rows = rows[rows["image"].str.endswith(f"{number:03}.png")]
    return sorted(rows[["label", *COLUMNS]].round(1).itertuples(index=False, name=None))
"""
#: An apple and a pear on each training image, and a second apple over the first one.
PREDICTED = """
said = [(name, *shape) for name in project.train_set.images["image"] for shape in
        (("apple", 6, 11, 40, 30, 0.9), ("pear", 65, 10, 40, 30, 0.8), ("apple", 12, 14, 40, 30, 0.6))]
project.add_predictions(pd.DataFrame(said, columns=["image", "label", *COLUMNS, "confidence"]), model="m")
"""
SHOWN = [
    "a = project.annotate(sort='name')\na",
    PREDICTED,
    "r = project.review(sort='name')\nr",
    "s = report.show()\ns",
]


def test_boxes_are_drawn_accepted_reviewed_corrected_and_evaluated_again(lab: Lab) -> None:
    page = lab.open(notebook(PICTURES, BOXES + TRAINING, *SHOWN), width=1400, height=900)
    keyboard = page.page.keyboard
    for cell in range(3):
        page.run_cell(cell)
    annotator = AnnotatorPage(page, 2).ready()
    annotator.press("1")
    annotator.drag((5, 10), (45, 40))
    annotator.expect_saved()
    page.expect_value("drawn(3)", [APPLE])

    # predictions appear beside what is drawn, which A does not double
    page.run_cell(3)
    dashed = annotator.root.locator(".row.dashed")
    expect(dashed).to_have_count(2)
    annotator.ready().press("a")
    expect(dashed).to_have_count(1)
    page.expect_value("drawn(3)", [APPLE, PEAR])
    annotator.press("Shift+Tab")
    expect(annotator.root.locator(".row.dashed.current")).to_have_count(1)
    annotator.press("Delete")
    expect(dashed).to_have_count(0)
    annotator.press("PageDown")
    annotator.expect_image("004.png")
    expect(dashed).to_have_count(3)
    annotator.press("a")
    taken = [("apple", 6, 11, 40, 30), PEAR]
    page.expect_value("drawn(4)", taken)

    # one image is approved, and one is corrected below the review
    page.run_cell(4)
    review = ReviewPage(page, 4).ready()
    expect(review.root.locator(".position")).to_have_text("1–2 of 2")
    review.press("Enter")
    expect(review.tile(0)).to_contain_text("✓ reviewed")
    review.press("e")
    below = AnnotatorPage(page, 4)
    expect(below.root).to_be_focused()
    below.expect_image("004.png")
    below.press("Tab", "Shift+ArrowRight")
    moved = [("apple", 16, 11, 40, 30), PEAR]
    page.expect_value("drawn(4)", moved)
    expect(review.tile(1)).to_contain_text("✓ reviewed")
    # what is rejected is suggested in the open annotator, and counts for nothing until it is accepted
    below.press("Escape", "Escape", "Shift+Tab")
    expect(review.root).to_be_focused()
    review.press("x")
    expect(review.root.locator(".panel .question")).to_be_focused()
    keyboard.press("3")
    expect(review.tile(1)).to_contain_text("Rejected by \u2068you\u2069: \u2068box is loose\u2069")
    page.expect_value("drawn(4)", [])
    expect(annotator.root.locator(".notice", has_text="box is loose")).to_be_visible()
    expect(dashed).to_have_count(2)
    annotator.ready().press("a")
    page.expect_value("drawn(4)", moved)
    expect(review.tile(1)).not_to_contain_text("Rejected")

    # mistakes of a detector are corrected as crops and in the annotator, which the next evaluation says
    page.run_cell(5)
    screen = ResultsScreen(page.page, page.output(5).locator(".clnb-results")).ready()
    corrected = "[note.partition(' corrected')[0] for note in s.exploration.evaluation.notes if 'after seeing' in note]"
    screen.cell("background", "pear").click()
    screen.button("Open as crops").click()
    crops = GalleryPage(page, 5).ready()
    expect(crops.tile(0)).to_have_attribute("aria-label", "predicted pear; 000.png; predicted")
    crops.press("Enter")
    page.expect_value("stored(0)[0]", [APPLE, EXTRA, PEAR])
    screen.button("Evaluate again").click()
    expect(screen.cell("background", "pear")).to_have_text("·")
    page.expect_value(corrected, ["1 of 3 test images were"])
    screen.cell("background", "apple").click()
    screen.tile(0).dblclick()
    screen.root.locator(".viewer .item.fp").hover()
    keyboard.press("e")
    fixing = AnnotatorPage(page, 5)
    expect(fixing.root.locator(".row.current.dashed")).to_be_visible()
    expect(fixing.root).to_be_focused()
    fixing.press("Enter")
    page.expect_value("stored(2)[0]", [APPLE, ("apple", 40, *PEAR[2:]), PEAR])
    screen.button("Evaluate again").click()
    expect(screen.cell("background", "apple")).to_have_text("·")
    page.expect_value(corrected, ["2 of 3 test images were"])
    assert page.value("[drawn(number) for number in (3, 4)]") == [[APPLE, PEAR], moved]
    assert not page.errors, page.errors
