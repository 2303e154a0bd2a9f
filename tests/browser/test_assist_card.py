"""Test of the dashboard's assist card in JupyterLab: it counts labels, shows runs and opens queues."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import serious_violations
from tests.browser.contrast import unreadable
from tests.browser.gallery import SETUP
from tests.browser.jupyter import Lab, notebook
from tests.browser.test_dashboard import DashboardPage

pytestmark = pytest.mark.browser

#: Four photos of each of ten rooms, and their labels: ten photos of different rooms at a time.
PROJECT = """
import pandas as pd
photos = cl.examples.write_photos("rooms", "rooms-photos", train=40, test=4, size=(160, 120))
project = cl.create_project("things", task="single-label")
project.add_images(photos.train, progress=False)
project.add_images(photos.test, split="test", progress=False)
for name in photos.labels:
    project.labels.add(name)
def label(first, last):
    images = sorted(project.train_set.images["image"], key=lambda image: Path(image).stem[-2:])[first:last]
    project.update("train", pd.DataFrame({"image": images, "label": [Path(image).parent.name for image in images]}))
label(0, 10)
"""
TEXTS = (
    ".assist-head strong", ".purpose", "h4", ".headline strong", ".caption span", ".step span", ".measured .faint",
    ".answers", ".queue-name .faint", "button.link:not(:disabled)", ".advice-words", "button.primary",
)  # fmt: skip


@pytest.mark.exhaustive
def test_the_card_counts_trains_and_opens_queues(lab: Lab) -> None:
    page = lab.open(notebook(SETUP + PROJECT, "d = project.dashboard()\nd"), width=1400, height=1500)
    page.run_all()
    dashboard = DashboardPage(page, 1).ready()
    card = dashboard.root.locator(".assist")
    # off: a sentence and a button, also by keyboard
    expect(card.locator("button:visible")).to_have_text(["Switch on"])
    card.locator(".assist-start").focus()
    page.page.keyboard.press("Enter")
    expect(card.locator(".switch")).to_be_focused()
    # the first run appears with its four steps, and the queue is filled
    expect(card.locator(".caption")).to_contain_text(re.compile("^0 of 10 new since the last"), timeout=300_000)
    expect(card.locator(".step").last).to_contain_text(re.compile(r"inference30 images\d"))
    height = card.bounding_box()["height"]
    # labels of another cell are counted immediately
    page.kernel_client().execute("label(10, 14)", reply=True)
    expect(card.locator(".headline strong").first).to_have_text("6")
    expect(dashboard.number("queue manual train")).to_have_text("26")
    assert card.bounding_box()["height"] == height
    # a number opens its queue below
    dashboard.number("queue manual train").click()
    expect(dashboard.gallery().root.locator(".position")).to_contain_text("of 26")
    assert page.value("d.gallery.session.view.query.queue") == "manual"
    # settings, and off again
    card.locator(".assist-settings").click()
    dashboard.root.locator("[data-choice='target']").select_option("0.9")
    dashboard.root.locator(".panel .primary").click()
    expect(card.locator(".interval")).to_have_attribute("aria-label", re.compile("90 %"))
    for theme in ("light", "dark"):
        page.set_theme(theme)
        page.page.wait_for_timeout(400)
        assert unreadable(card, TEXTS) == [], theme
        assert serious_violations(page.page, ".assist") == [], theme
    for width in (1366, 1000, 700):
        page.page.set_viewport_size({"width": width, "height": 768})
        page.page.wait_for_timeout(400)
        assert card.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
    card.locator(".switch").click()
    expect(card.locator("button:visible")).to_have_text(["Switch on"])
    assert page.value("project.assist.on") is False
