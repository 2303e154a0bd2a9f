"""Tests of screens by the rules of axe-core, besides those in test_appearance.py, and of what screen readers say."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import serious_violations
from tests.browser.annotator import AnnotatorPage
from tests.browser.gallery import SETUP, GalleryPage
from tests.browser.jupyter import Lab, notebook
from tests.browser.results import PICTURES

pytestmark = pytest.mark.browser

#: Projects with predictions: six images to label, of which verify shows two more, and boxes.
PROJECTS = """
import pandas as pd
draw(8)
photos = sorted(str(path) for path in Path("photos").glob("*.png"))
project = cl.create_project("things", task="single-label")
project.add_images(photos[:6], progress=False)
boards = cl.create_project("boards", task="boxes")
boards.add_images(photos[:6], progress=False)
for label in ("apple", "pear"):
    project.labels.add(label)
    boards.labels.add(label)
project.add_predictions(pd.DataFrame({"image": photos[:6], "label": "apple", "confidence": 0.8}), model="m")
box = {"label": ["apple", "pear"], "left": 10.0, "top": 15.0, "width": 40.0, "height": 30.0}
boards.update("train", pd.DataFrame({"image": photos[:1] * 2, **box}))
"""
SCREENS = {
    "gallery": "project.label(sort='name')",
    "single": "project.label(mode='single', sort='name')",
    "verify": "project.verify(pd.DataFrame({'image': photos[6:], 'label': ['apple', 'pear'], 'confidence': 0.7}))",
    "annotator": "boards.annotate(sort='name')",
    "job": "project.jobs.create('leaves', images=project.train_set).label()",
    "instructions": "project.jobs.create('rules', images=project.train_set, instructions='Look twice.').label()",
    "boxes job": "boards.jobs.create('boards', images=boards.train_set).label()",
    "doctor": "cl.doctor()",
    "report": PICTURES.replace("photos", "pictures") + "classifier()",
    "check": "project.check()",
}


def test_screens_say_edits_and_axe_finds_nothing_serious(lab: Lab) -> None:
    page = lab.open(notebook(SETUP + PROJECTS, *SCREENS.values()), width=1400, height=1300)
    page.run_all(seconds=300)
    at = {name: number for number, name in enumerate(SCREENS, 1)}
    roots = {name: page.output(number).locator(".clnb") for name, number in at.items()}
    expect(roots["instructions"].get_by_role("dialog", name="Instructions")).to_be_visible()
    for name in ("gallery", "single", "verify", "job"):
        roots[name].locator(".tile img[src^='data:']").first.wait_for()

    gallery = GalleryPage(page, at["gallery"]).ready()
    gallery.press("2")
    expect(gallery.root.locator(".toast-place[role=status]")).to_contain_text("1 → \u2068pear\u2069")
    expect(gallery.root.get_by_role("option", name="000.png; pear")).to_be_visible()
    gallery.press("Control+a")
    expect(gallery.root.locator(".spoken")).to_have_text("6 selected")
    gallery.press("Escape", "?")
    annotator = AnnotatorPage(page, at["annotator"]).ready()
    annotator.press("PageUp")
    expect(annotator.root.get_by_role("img", name="000.png, 2 shapes")).to_be_visible()
    annotator.press("Tab")
    expect(annotator.root.locator(".spoken")).to_have_text("apple, 40 by 30 at 10, 15, 1 of 2")

    problems = []
    for theme in ("light", "dark"):
        page.set_theme(theme)
        problems += [f"{theme}: {text}" for text in serious_violations(page.page, ".jp-OutputArea-output")]
    assert not problems, "\n".join(problems)
    assert page.page_errors == []
