"""Tests that hundreds of images can be labelled by keys alone: no key is lost, and none acts twice."""

from __future__ import annotations

import random

import pytest
from playwright.sync_api import expect

from tests.browser import annotator, gallery
from tests.browser.annotator import AnnotatorPage
from tests.browser.gallery import GalleryPage
from tests.browser.jupyter import Lab, notebook

pytestmark = [pytest.mark.browser, pytest.mark.storing]

COUNT = 200
LABELS = ("apple", "pear", "plum")
SINGLE = "g = project.label('train', mode='single', sort='name')\ng"
BOXES = """
def boxes():
    table = project.train_set.annotations
    names = table["image"].map(lambda image: int(Path(image).stem))
    return sorted(zip(names, table["label"], table["left"].round(), table["top"].round()))
"""


@pytest.mark.exhaustive
def test_two_hundred_images_are_labelled_in_single_mode(lab: Lab) -> None:
    page = lab.open(notebook(gallery.SETUP + gallery.PROJECT.format(count=COUNT), SINGLE))
    page.run_all()
    single = GalleryPage(page, 1).ready()
    before = page.value("len(project.history)")
    name = single.root.locator(".stage .name")
    rng = random.Random(0)
    labels, mistakes = {}, 0
    for number in range(COUNT):
        image = f"{number:03}"
        expect(name).to_have_text(f"{image}.png")
        if rng.random() < 0.05:
            single.press("0")  # skipped
            continue
        key = rng.randrange(3)
        if rng.random() < 0.05:
            single.press(str((key + 1) % 3 + 1), "Control+z")
            expect(name).to_have_text(f"{image}.png")
            mistakes += 1
        single.press(str(key + 1))
        labels[image] = LABELS[key]
    single.expect_saved(seconds=60)
    assert single.labelled() == labels
    assert page.value("len(project.history)") == before + COUNT + 2 * mistakes  # each with its undo
    assert page.page_errors == []


@pytest.mark.exhaustive
def test_boxes_are_drawn_on_two_hundred_images(lab: Lab) -> None:
    page = lab.open(notebook(annotator.SETUP + annotator.PROJECT.format(count=COUNT) + BOXES, annotator.SHOW))
    page.run_all()
    screen = AnnotatorPage(page, 1).ready()
    rng = random.Random(0)
    drawn = []
    for number in range(COUNT):
        screen.expect_image(f"{number}.png")
        key, right, down = (rng.randrange(3) for _ in range(3))
        screen.press(str(key + 1), "k", *["ArrowRight"] * right, *["ArrowDown"] * down, "Enter", "Enter", "PageDown")
        drawn.append((number, LABELS[key], 200 + right, 150 + down))
    screen.expect_saved(seconds=60)
    assert page.value("boxes()") == drawn
    assert page.page_errors == []
