"""Tests of the queues of assist by mouse and keyboard in JupyterLab."""

from __future__ import annotations

import itertools
import re

import pytest
from playwright.sync_api import expect

from tests.browser.assist import RESULTS
from tests.browser.gallery import PROJECT, SETUP, GalleryPage
from tests.browser.jupyter import Lab, notebook

pytestmark = [pytest.mark.browser, pytest.mark.storing]

WRITE = "\nimages = sorted(project.train_set.images['image'])\nresults(images, {found}).write(project.root)\n"
HISTORY = "[(what, int(n)) for what, n in zip(project.history['what'], project.history['count'])][:3]"


def opened(lab: Lab, found: str, show: str) -> GalleryPage:
    """Open a gallery of a project with these results in cell 1 of a new notebook."""
    page = lab.open(notebook(RESULTS + SETUP + PROJECT.format(count=12) + WRITE.format(found=found), show))
    page.run_cell(0)
    page.run_cell(1)
    return GalleryPage(page, 1).ready()


def test_a_cluster_page_is_one_key_and_one_undo(lab: Lab) -> None:
    found = "pages=[[0, 1, 2, 3, 4], [5, 6, 7], [8, 9]], checks=[11, 10]"
    gallery = opened(lab, found, "g = project.label(queue='clustered', page_size=9)\ng")
    root = gallery.root
    expect(root.locator(".cluster")).to_have_text("cluster 1 of 3 · alike 96 %")
    expect(root.locator(".tile.selected")).to_have_count(5)
    gallery.press("=")  # leaves the queue, with a way back
    expect(root.locator(".notice").last).to_contain_text("Sorted by similarity to")
    expect(root.locator(".cluster")).to_be_hidden()  # the other page has been shown
    root.get_by_role("button", name="Back").click()
    expect(root.locator(".tile.selected")).to_have_count(5)
    expect(root).not_to_have_class(re.compile("turning"))
    gallery.tile(2).click()
    expect(gallery.tile(2)).to_have_class(re.compile(r"\bout\b"))
    expect(root.locator(".primary")).to_have_text("Submit 4 ⏎")
    gallery.press("1", "Enter", "2")  # the page is left with its last label: more keys must not pass check images
    expect(root.locator(".cluster strong")).to_have_text("check images")
    expect(root).not_to_have_class(re.compile("turning"))
    gallery.press("Enter")
    expect(root.locator(".panel")).to_contain_text("1 check image has no label yet.")
    root.get_by_role("button", name="Label it").click()
    gallery.press("3")
    expect(root.locator(".cluster strong")).to_have_text("cluster 2 of 4")
    expect(root.locator(".tile.selected")).to_have_count(3)
    gallery.press("Enter")
    expect(root.locator(".panel")).to_contain_text("3 images have no label yet.")
    root.get_by_role("button", name="Label them").click()
    gallery.press("2")
    expect(root.locator(".cluster strong")).to_have_text("cluster 3 of 4")
    gallery.expect_saved()
    apples = dict.fromkeys(["000", "001", "003", "004"], "apple")
    assert gallery.labelled() == apples | dict.fromkeys(["005", "006", "007"], "pear") | {"011": "plum"}
    assert gallery.page.value(HISTORY) == [("label pear", 3), ("label plum", 1), ("label apple", 4)]
    # one undo for each page, on that page
    gallery.press("Control+z", "Control+z", "Control+z")
    expect(root.locator(".cluster strong")).to_have_text(re.compile("cluster 1 of"))
    assert gallery.labelled() == {}


def test_a_page_of_predictions_is_accepted_with_enter(lab: Lab) -> None:
    found = "prelabels=[(n, 'apple', 0.99 - n / 100) for n in range(4)] + [(n, 'pear', 0.9) for n in range(4, 6)]"
    gallery = opened(lab, found, "g = project.label(queue='prelabelled', page_size=4)\ng")
    root = gallery.root
    expect(root.locator(".chip.predicted")).to_have_count(4)
    expect(root.locator(".primary")).to_have_text("Accept page ⏎")
    gallery.press("ArrowRight", "3", "Delete")  # corrected, and rejected
    expect(gallery.chips(1)).to_have_text("plum")
    expect(root.locator(".chip.predicted")).to_have_count(2)
    gallery.press("Enter")
    expect(root.locator(".position")).to_have_text("5–6 of 6")
    gallery.expect_saved()
    assert gallery.labelled() == {"000": "apple", "001": "plum", "003": "apple"}
    gallery.press("Control+z")
    expect(root.locator(".position")).to_have_text("1–4 of 6")
    assert gallery.labelled() == {"001": "plum"}
    gallery.press("Enter")
    expect(root.locator(".position")).to_have_text("5–6 of 6")
    gallery.press("Enter")
    expect(root.locator(".empty p")).to_contain_text("All predictions that can be trusted are answered")
    # what was rejected is asked again
    gallery.choose("queue", "manual")
    expect(root.locator(".position")).to_have_text("1–4 of 7")
    # the test set is labelled without help
    root.locator("[data-split='test']").click()
    expect(root.locator(".menu.queue")).to_be_hidden()


def test_the_bars_fit_a_narrow_page_with_large_numbers(lab: Lab) -> None:
    gallery = opened(lab, "pages=[[0, 1, 2]]", "g = project.label()\ng")
    root, page = gallery.root, gallery.page.page
    page.set_viewport_size({"width": 1280 - round(root.bounding_box()["width"]) + 870, "height": 900})
    expect(root.locator(".more-menu")).to_contain_text("with")
    root.evaluate("""root => {
        root.querySelectorAll(".tab").forEach((tab) => { tab.textContent += "00,000"; });
        root.querySelector(".done").textContent = "123,456 of 250,000 labelled · 6,544 skipped";
    }""")
    parts = root.locator(".toolbar > :not([hidden]), .foot .done, .foot .state")
    row = [
        box for box in parts.evaluate_all("nodes => nodes.map(n => n.getBoundingClientRect().toJSON())") if box["width"]
    ]
    assert all(left["right"] <= right["left"] + 1 for left, right in itertools.pairwise(row[:-2]))
    fits = "node => node.scrollWidth <= node.clientWidth"
    assert root.locator(".foot .state").evaluate(fits)
    gallery.choose("queue", "clustered")
    expect(root.locator(".cluster strong")).to_be_visible()
    assert root.locator(".menu.queue").evaluate(fits)
    assert root.locator(".toolbar").evaluate(fits)
