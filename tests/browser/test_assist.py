"""Tests of the queues of assist by mouse and keyboard in JupyterLab."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.assist import RESULTS
from tests.browser.gallery import PROJECT, SETUP, GalleryPage
from tests.browser.jupyter import Lab, notebook
from tests.browser.review import ReviewPage

pytestmark = [pytest.mark.browser, pytest.mark.storing]

WRITE = "\nimages = sorted(project.train_set.images['image'])\nresults(images, {found}).write(project.root)\n"
HISTORY = "[(what, int(n)) for what, n in zip(project.history['what'], project.history['count'])][:{count}]"


def opened(lab: Lab, found: str, show: str, *, more: str = "", count: int = 12) -> GalleryPage:
    """Open a screen of a project with these results in cell 1 of a new notebook."""
    page = lab.open(notebook(RESULTS + SETUP + PROJECT.format(count=count) + more + WRITE.format(found=found), show))
    page.run_cell(0)
    page.run_cell(1)
    kind = ReviewPage if "review" in show else GalleryPage
    return kind(page, 1).ready()


def test_a_cluster_page_is_one_key_and_one_undo(lab: Lab) -> None:
    found = "pages=[[0, 1, 2, 3, 4], [5, 6, 7], [8, 9]]"
    gallery = opened(lab, found, "g = project.label(queue='clustered', page_size=9)\ng")
    root = gallery.root
    expect(root.locator(".cluster")).to_have_text("cluster 1 of 3 · alike 96 %")
    expect(root.locator(".tile.selected")).to_have_count(5)
    expect(root.locator(".cluster-hints strong")).to_have_text("5 of 5")
    gallery.tile(2).click()
    expect(gallery.tile(2)).to_have_class(re.compile(r"\bout\b"))
    gallery.press("ArrowLeft", "Space", "Space")  # out and in again
    expect(root.locator(".primary")).to_have_text("Submit 4 ⏎")
    gallery.press("1", "Enter", "2")  # keys pressed meanwhile are for the next page, which is left with its last label
    expect(root.locator(".cluster strong")).to_have_text("cluster 3 of 4")
    gallery.expect_saved()
    apples = dict.fromkeys(["000", "001", "003", "004"], "apple")
    assert gallery.labelled() == apples | dict.fromkeys(["005", "006", "007"], "pear")
    assert gallery.page.value(HISTORY.format(count=2)) == [("label pear", 3), ("label apple", 4)]
    # one undo for each page, on that page
    gallery.press("Control+z", "Control+z")
    expect(root.locator(".cluster strong")).to_have_text(re.compile("cluster 1 of"))
    assert gallery.labelled() == {}
    gallery.press("3")
    expect(root.locator(".cluster strong")).to_have_text(re.compile("cluster 2 of"))
    root.locator(".later").click()
    expect(root.locator(".notice")).to_contain_text("3 images have no label yet")
    expect(root.locator(".cluster strong")).to_have_text("cluster 3 of 4")
    gallery.press("1")
    expect(gallery.tile(0)).to_have_attribute("title", re.compile("002.png"))  # alone
    gallery.press("1")
    expect(root.locator(".cluster strong")).to_have_text(re.compile("cluster 2 of"))
    gallery.press("1")
    expect(root.locator(".empty p")).to_have_text("All clustered images are labelled or skipped.")
    root.locator(".empty button").click()
    expect(root.locator(".position")).to_have_text("1–9 of 12")
    assert gallery.page.value("project.train_set.images['status'].value_counts().to_dict()") == {
        "labelled": 10, "unlabelled": 2,
    }  # fmt: skip


def test_keys_without_effect_on_a_cluster_page_say_so(lab: Lab) -> None:
    gallery = opened(lab, "pages=[[0, 1, 2], [3, 4]]", "g = project.label(queue='clustered', page_size=9)\ng")
    root = gallery.root
    gallery.press("+")
    expect(root.locator(".notice")).to_contain_text("There are no predictions to accept here.")
    expect(root.locator(".toast")).to_be_hidden()
    gallery.press("=")  # leaves the queue, with a way back
    expect(root.locator(".notice").last).to_contain_text("Sorted by similarity to")
    expect(root.locator(".position")).to_have_text("1–9 of 12")
    root.get_by_role("button", name="Back").click()
    expect(root.locator(".cluster strong")).to_have_text("cluster 1 of 2")
    expect(root.locator(".tile.selected")).to_have_count(3)


def test_a_page_says_that_a_training_has_withdrawn_its_predictions(lab: Lab) -> None:
    found = "prelabels=[(n, 'apple', 0.99) for n in range(4)]"
    gallery = opened(lab, found, "g = project.label(queue='prelabelled', page_size=4)\ng")
    root = gallery.root
    gallery.press("2")
    gallery.expect_saved()
    client = gallery.page.kernel_client()
    client.execute("results(images, pages=[[7, 8]], run=2).write(project.root)", reply=True)
    expect(root.locator(".notice")).to_contain_text("does not trust the predictions of this page any more")
    expect(root.locator(".chip.predicted")).to_have_count(0)
    expect(gallery.chips(0)).to_have_text("pear")
    root.get_by_role("button", name="Go on").click()
    expect(root.locator(".empty p")).to_contain_text("There are no predictions to accept")
    expect(root.locator(".notice")).to_have_count(0)


def test_a_page_of_predictions_is_accepted_with_enter(lab: Lab) -> None:
    found = "prelabels=[(n, 'apple', 0.99 - n / 100) for n in range(4)] + [(n, 'pear', 0.9) for n in range(4, 6)]"
    gallery = opened(lab, found, "g = project.label(queue='prelabelled', page_size=4)\ng")
    root = gallery.root
    expect(root.locator(".chip.predicted")).to_have_count(4)
    expect(root.locator(".primary")).to_have_text("Accept page ⏎")
    gallery.press("ArrowRight", "3", "ArrowRight", "Delete")  # corrected, and rejected
    expect(gallery.chips(1)).to_have_text("plum")
    expect(root.locator(".chip.predicted")).to_have_count(2)
    gallery.press("Enter")
    expect(root.locator(".position")).to_have_text("5–6 of 6")
    gallery.expect_saved()
    assert gallery.labelled() == {"000": "apple", "001": "plum", "003": "apple"}
    assert gallery.page.value(HISTORY.format(count=3)) == [
        ("accept predictions", 2), ("clear labels", 1), ("label plum", 1),
    ]  # fmt: skip
    tags = "[tags for tags in project.train_set.images.sort_values('image')['tags']][:4]"
    assert gallery.page.value(tags) == [["prelabelled"], ["prelabel-corrected"], ["prelabel-rejected"], ["prelabelled"]]
    gallery.press("Control+z")
    expect(root.locator(".position")).to_have_text("1–4 of 6")
    assert gallery.labelled() == {"001": "plum"}
    gallery.press("Enter", "Enter")
    expect(root.locator(".empty p")).to_contain_text("There are no predictions to accept")
    assert gallery.labelled()["005"] == "pear"
    # what was rejected is asked again
    gallery.choose("queue", "manual")
    expect(root.locator(".position")).to_have_text("1–4 of 7")
    root.focus()
    gallery.press("PageDown")
    expect(root.locator(".position")).to_have_text("5–7 of 7")
    assert gallery.names() == ["007", "006", "002"]
    # the test set is labelled without help
    root.locator("[data-split='test']").click()
    expect(root.locator(".empty p")).to_have_text("There are no images yet.")
    expect(root.locator(".menu.queue")).to_be_hidden()


def test_with_several_labels_a_key_corrects_the_predicted_ones(lab: Lab) -> None:
    found = "prelabels=[(n, label, 0.9) for n in range(2) for label in ('apple', 'pear')]"
    more = "\nproject.task = 'multi-label'\n"
    gallery = opened(lab, found, "g = project.label(queue='prelabelled', page_size=4)\ng", more=more)
    gallery.press("2", "3")  # no pear, but a plum
    expect(gallery.chips(0)).to_have_text(["apple", "plum"])
    gallery.press("Enter")
    expect(gallery.root.locator(".empty p")).to_contain_text("There are no predictions to accept")
    gallery.expect_saved()
    stored = "project.train_set.annotations.groupby('image')['label'].apply(sorted).tolist()"
    assert gallery.page.value(stored) == [["apple", "plum"], ["apple", "pear"]]
    tags = "[tags for tags in project.train_set.images.sort_values('image')['tags']][:2]"
    assert gallery.page.value(tags) == [["prelabel-corrected"], ["prelabelled"]]


def test_a_suggestion_for_a_suspect_is_taken_with_plus(lab: Lab) -> None:
    more = "\nfor n, label in enumerate(['apple'] * 3):\n    image = sorted(project.train_set.images['image'])[n]\n"
    more += "    project.update('train', pd.DataFrame({'image': [image], 'label': [label]}))\n"
    found = "suspects=[{'image': n, 'kind': 'swapped', 'given': 'apple', 'suggested': 'pear'} for n in (2, 0, 1)]"
    review = opened(lab, found, "r = project.review(queue='suspect')\nr", more=more, count=4)
    assert review.names() == ["002", "000", "001"]
    expect(review.tile(0).locator(".suspect")).to_have_text("given apple, probably pear")
    review.press("+", "Enter", "3")  # taken, kept, another one
    expect(review.chips(0)).to_have_text("pear")
    expect(review.chips(2)).to_have_text("plum")
    review.expect_saved()
    assert review.labelled() == {"002": "pear", "000": "apple", "001": "plum"}
    assert review.page.value(HISTORY.format(count=3)) == [
        ("correct to plum", 1), ("approve", 1), ("take suggestions", 1),
    ]  # fmt: skip
    review.choose("queue", "")
    review.choose("queue", "suspect")
    expect(review.root.locator(".empty p")).to_have_text(
        "No labels are suspected to be wrong, or all suspects are reviewed."
    )
