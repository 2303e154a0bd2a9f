"""Test of crops in the gallery: from the first picture of a box to the stored result."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.annotator import PROJECT, SETUP, AnnotatorPage
from tests.browser.gallery import GalleryPage
from tests.browser.jupyter import Lab, notebook

pytestmark = pytest.mark.browser

#: Two boxes on each of three images, and what an opened project has stored of them.
BOXES = """
images = sorted(project.train_set.images["image"])
rows = [dict(image=image, label=label, left=left, top=top, width=90, height=60)
        for image in images for label, left, top in (("apple", 20, 40), ("pear", 150, 110))]
project.update("train", pd.DataFrame(rows))

def statuses():
    return cl.load_project("things").crops("train", sort="name").session.summary()["statuses"]
"""
SHOW = 'g = project.label("train", sort="name", page_size=4)\ng'


@pytest.mark.journey
@pytest.mark.storing
def test_boxes_are_relabelled_removed_confirmed_and_moved(lab: Lab) -> None:
    page = lab.open(notebook(SETUP + PROJECT.format(count=3) + BOXES, SHOW))
    page.run_cell(0)
    page.run_cell(1)
    gallery = GalleryPage(page, 1).ready()
    root, position, done = gallery.root, gallery.root.locator(".position"), gallery.root.locator(".foot .done")
    root.get_by_role("tab", name="crops").click()
    gallery.choose("sort", "name")
    expect(position).to_have_text("1–4 of 6 boxes on 3 images")
    expect(root.get_by_role("listbox", name="Boxes")).to_be_visible()
    expect(gallery.tile(0)).to_have_attribute("aria-label", "apple; 0.png; unconfirmed")
    gallery.tile(3).locator("img[src^='data:']").wait_for()
    left, top, right, bottom = gallery.outlines(gallery.tile(0))[0]  # with a margin around the box
    assert 0.05 < left < right < 0.95
    assert 0.05 < top < bottom < 0.95

    # relabel two boxes by a key, and remove one
    gallery.tile(1).click()
    gallery.tile(2).click(modifiers=["Control"])
    expect(root.locator(".rule")).to_have_text("2 boxes selected ·pearapple→ a key relabels them")
    gallery.press("3")
    expect(gallery.chips(1)).to_have_text("plum")
    expect(root.locator(".toast")).to_contain_text("2 boxes are now “\u2068plum\u2069”")
    expect(gallery.label_button("plum").locator(".count")).to_have_text("2")
    expect(done).to_have_text("2 of 6 confirmed")
    gallery.expect_saved()
    assert page.value("shapes(0)") == [("apple", 20, 40, 90, 60), ("plum", 150, 110, 90, 60)]
    gallery.press("Escape", "ArrowRight", "Delete")
    expect(gallery.tile(3).locator(".status")).to_have_text("removed")
    expect(done).to_have_text("2 of 5 confirmed")
    gallery.expect_saved()
    assert page.value("shapes(1)") == [("plum", 20, 40, 90, 60)]

    # a note is text, in a panel whose keys JupyterLab leaves alone
    gallery.tile(0).click()
    gallery.press("Shift+M")
    field = root.get_by_role("textbox", name="Note")
    expect(field).to_be_focused()
    field.press_sequentially("<b>loose</b>")
    field.press("Control+Enter")
    expect(gallery.tile(0).locator(".noted")).to_be_visible()
    expect(gallery.tile(0).locator(".noted")).to_have_attribute("title", "<b>loose</b>")
    gallery.expect_saved()
    assert page.value("cl.load_project('things').train_set.annotations['note'].dropna().tolist()") == ["<b>loose</b>"]
    gallery.press("Escape", "Control+z")
    expect(gallery.tile(0).locator(".noted")).to_be_hidden()
    gallery.press("Control+z")
    expect(gallery.chips(3)).to_have_text("pear")
    expect(done).to_have_text("2 of 6 confirmed")
    assert page.value("shapes(1)") == [("pear", 150, 110, 90, 60), ("plum", 20, 40, 90, 60)]

    # confirm the page and go on
    gallery.press("Enter")
    expect(position).to_have_text("5–6 of 6 boxes on 3 images")
    expect(done).to_have_text("4 of 6 confirmed")
    gallery.expect_saved()
    assert page.value("statuses()") == {"confirmed": 4, "unconfirmed": 2, "predicted": 0}

    # move a box in the annotator, and come back to its crop
    gallery.press("ArrowRight", "Space", "e")
    annotator = AnnotatorPage(page, 1)
    expect(annotator.rows().nth(1)).to_have_class(r"row current")
    expect(annotator.root).to_be_focused()
    picture = gallery.tile(1).locator("img").get_attribute("src")
    annotator.press(*["Shift+ArrowRight"] * 2)
    page.expect_value("shapes(2)", [("apple", 20, 40, 90, 60), ("pear", 170, 110, 90, 60)])
    expect(gallery.tile(1).locator("img")).not_to_have_attribute("src", picture or "")
    annotator.press("Escape", "Shift+Tab")
    expect(position).to_have_text("5–6 of 6 boxes on 3 images")
    expect(root.locator(".tile.focused.selected")).to_have_attribute("data-place", "5")
    gallery.press("1")
    expect(gallery.chips(1)).to_have_text("apple")
    gallery.expect_saved()
    assert page.value("shapes(2)") == [("apple", 20, 40, 90, 60), ("apple", 170, 110, 90, 60)]
    gallery.press("Enter")
    expect(root.locator(".notice")).to_contain_text("That was the last page.")
    gallery.expect_saved()
    assert page.value("statuses()") == {"confirmed": 6, "unconfirmed": 0, "predicted": 0}
    gallery.choose("show", "unconfirmed")
    expect(root.locator(".empty p")).to_have_text("All boxes are confirmed.")
