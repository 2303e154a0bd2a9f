"""Tests that keys reach a screen after each of its buttons."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.annotator import PROJECT, SETUP
from tests.browser.gallery import PROJECT as PHOTOS
from tests.browser.gallery import SETUP as DRAWING
from tests.browser.jupyter import Lab, notebook
from tests.browser.results import PICTURES
from tests.browser.test_job_review import ANSWERS, LABELS
from tests.browser.test_map import PROJECT as MAPPED
from tests.browser.test_quick_test import SETUP as TRIED
from tests.browser.test_verify import FOUND
from tests.browser.test_verify import SHOW as VERIFY

pytestmark = pytest.mark.browser

#: Boxes on three of four images, a label for one, and predictions for two.
LABELLED = """
images = sorted(project.train_set.images["image"])
rows = [dict(image=image, label=label, left=left, top=top, width=90, height=60)
        for image in images[:3] for label, left, top in (("apple", 20, 40), ("pear", 150, 110))]
project.update("train", pd.DataFrame([*rows, dict(image=images[0], label="plum")]))
project.add_predictions(pd.DataFrame([{**row, "confidence": 0.8, "top": 5} for row in rows[:4]]), model="m")
"""

BOXES = SETUP + PROJECT.format(count=4) + LABELLED
BUTTONS = "button:visible:enabled, [role=tab]:visible:enabled"
SCREENS = {
    "gallery": (BOXES, 'project.label("train", sort="name", page_size=4)'),
    "crops": (BOXES, 'project.crops("train", sort="name", page_size=4)'),
    "review": (BOXES, 'project.review("train")'),
    "annotator": (BOXES, 'project.annotate("train", sort="name")'),
    "results": (PICTURES, "classifier().show()"),
    "map": (DRAWING + MAPPED, "m = project.map()\nm"),
    "quick test": (TRIED, 'w = start(boxes, whole)\nw.ask("photo-0.png")\nw.ask("photo-1.png")\nw'),
    "job review": (
        DRAWING + PHOTOS.format(count=4) + ANSWERS.format(answers=LABELS, more="{}"), "r = job.review()\nr",
    ),
    "verify": ("import pandas as pd" + DRAWING + FOUND, VERIFY),
}  # fmt: skip
MAIN = ("gallery", "annotator", "results")  # the exhaustive tier tests the others


@pytest.mark.parametrize(
    "screen", [pytest.param(name, marks=[pytest.mark.exhaustive] * (name not in MAIN)) for name in SCREENS]
)
def test_keys_reach_the_screen_after_each_of_its_buttons(lab: Lab, screen: str) -> None:
    page = lab.open(notebook(*SCREENS[screen]), height=1200)
    page.run_cell(0)
    page.run_cell(1)
    root = page.output(1).locator("[role=application], .clnb-results").first
    if screen == "map":
        expect(root).to_have_attribute("data-points", "40")
        root.press("Control+a")
    root.locator("img[src^='data:']").first.wait_for()
    keys, press, pressed = root.locator("table.keys"), page.page.keyboard.press, set[str]()
    asks = False

    def close_late() -> None:  # a dialog that the kernel has answered after the keys
        press("Escape")
        if asks:
            press("?")

    late = root.locator(".panel:not(:has(table.keys))")
    page.page.add_locator_handler(late, close_late, no_wait_after=True)
    while True:
        buttons = root.locator(BUTTONS)
        names = buttons.evaluate_all("nodes => nodes.map((n) => n.title || n.ariaLabel || n.textContent)")
        new = next((index for index, name in enumerate(names) if name not in pressed), None)
        if new is None:
            break
        pressed.add(names[new])
        buttons.nth(new).click()
        press("Escape")
        press("?")
        asks = True
        expect(keys, f"after the button {names[new]!r}").to_be_visible()
        asks = False
        press("Escape")
        expect(keys).to_be_hidden()
    page.page.remove_locator_handler(late)  # the next test may use the page
    assert len(pressed) > 9
