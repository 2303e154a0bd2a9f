"""Tests of the label manager, alone and in the gallery's panel, in JupyterLab."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.gallery import SETUP, GalleryPage
from tests.browser.jupyter import Lab, LabPage, notebook
from tests.facts import facts

pytestmark = pytest.mark.browser

#: Nine images: four apples, three pears, two without a label.
PROJECT = """
draw(9)
project = cl.create_project("things", task="single-label")
project.add_images("photos", progress=False)
for label in ("apple", "pear", "plum"):
    project.labels.add(label)
project.update("train", project.train_set.images[["image"]].head(7).assign(label=["apple"] * 4 + ["pear"] * 3))
"""
EDIT = "m = project.labels.edit()\nm"


class Manager:
    """Label manager shown by a cell or in a gallery's panel."""

    def __init__(self, page: LabPage, root: Locator) -> None:
        self.page = page
        self.root = root
        self.list = root.locator(".label-list")

    def ready(self) -> Manager:
        self.root.locator(".label-row").first.wait_for()
        self.list.focus()
        return self

    def row(self, label: str) -> Locator:
        return self.root.locator(f".label-row[data-label='{label}']")

    def expect_labels(self, *labels: str) -> None:
        expect(self.root.locator(".label-row .name")).to_have_text(list(labels))

    def expect_saved(self) -> None:
        expect(self.root.locator(".state")).to_have_text("saved")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.page.keyboard.press(key)

    def type(self, text: str) -> None:
        self.page.page.keyboard.type(text)

    def expect_said(self, text: str) -> None:
        isolated = text.replace("“", "“\u2068").replace("”", "\u2069”")
        expect(self.root.locator(".said")).to_have_text(isolated)


def opened(lab: Lab, *cells: str, width: int = 1280) -> tuple[LabPage, Manager]:
    """Open a label manager in a new notebook."""
    page = lab.open(notebook(SETUP + PROJECT, EDIT, *cells), width=width, height=1300)
    page.run_all()
    return page, Manager(page, page.output(1).locator(".clnb-label-manager")).ready()


def stored(page: LabPage) -> list[str]:
    labels: list[str] = page.value("list(cl.load_project('things').labels)")
    return labels


@pytest.mark.journey
@pytest.mark.storing
def test_every_edit_is_made_and_undone_by_mouse_and_keyboard(lab: Lab) -> None:
    page, manager = opened(lab)
    root = manager.root
    expect(manager.row("apple").locator(".uses")).to_have_text(["4", "0"])
    # by keyboard: rename, move, merge after showing the count, remove an unused label
    manager.press("F2")
    manager.type("Apfel <b>")
    manager.press("Enter")
    manager.expect_said("“apple” was renamed to “Apfel <b>” in 4 annotations.")
    manager.press("Alt+ArrowDown")
    manager.expect_labels("pear", "Apfel <b>", "plum")
    manager.press("ArrowUp", "m")
    expect(root.locator(".question p").first).to_have_text(re.compile("Merge .*pear.* into"))
    manager.type("plum")
    expect(root.locator(".question button.primary")).to_have_text("Merge 3 annotations")
    manager.press("Enter")
    manager.expect_labels("Apfel <b>", "plum")
    expect(manager.row("plum").locator(".uses").first).to_have_text("3")
    manager.expect_saved()
    assert stored(page) == ["Apfel <b>", "plum"]
    manager.press("Control+z")
    manager.expect_labels("pear", "Apfel <b>", "plum")
    expect(manager.row("plum").locator(".uses").first).to_have_text("0")
    manager.press("End", "Delete")
    manager.expect_labels("pear", "Apfel <b>")
    # by mouse: add (asks about finished images), drag, recolor, remove with annotations
    root.locator(".adder").fill("fig")
    root.locator(".adding button").click()
    expect(root.locator(".question p").first).to_contain_text("7 images are already done.")
    root.locator(".question button", has_text="send to review").click()
    manager.expect_said("“fig” was added. 7 images need review.")
    manager.row("fig").locator(".grip").drag_to(manager.row("pear"), target_position={"x": 60, "y": 4})
    manager.expect_labels("fig", "pear", "Apfel <b>")
    manager.row("pear").locator(".swatch").click()
    root.locator(".palette .swatch[aria-label='#8b7ee6']").click()
    manager.expect_saved()
    manager.row("Apfel <b>").hover()
    root.locator(".actions button", has_text="Remove").click()
    expect(root.locator(".question p").nth(1)).to_contain_text(facts(4, "annotations", 4, "images", 4, "train"))
    manager.press("Enter")  # the harmless choice has the focus
    manager.expect_labels("fig", "pear", "Apfel <b>")
    root.locator(".actions button", has_text="Remove").click()
    root.locator(".question button.primary").click()
    manager.expect_labels("fig", "pear")
    manager.expect_saved()
    assert page.value("project.labels.to_frame()['color'].tolist()[1]") == "#8b7ee6"
    assert page.value("project.train_set.label_counts.to_dict()") == {"fig": 0, "pear": 3}
    # undo all of it
    for _ in range(7):
        root.locator(".tools button", has_text="Undo").click()
        manager.expect_saved()
    manager.expect_labels("apple", "pear", "plum")
    assert page.value("project.train_set.label_counts.to_dict()") == {"apple": 4, "pear": 3, "plum": 0}
    assert page.page_errors == []


def test_open_screens_update_at_once(lab: Lab) -> None:
    page, manager = opened(
        lab, "g = project.label('train', sort='name', page_size=9)\ng", "r = project.review('train', sort='name')\nr"
    )
    gallery = GalleryPage(page, 2).ready()
    review = page.output(3).locator(".tile:visible")
    expect(review).to_have_count(7)
    with page.without_interval(2_000):  # the interval at which they poll
        # a rename in the gallery's own panel
        gallery.act("Labels…")
        inside = Manager(page, gallery.root.locator(".panel .label-manager")).ready()
        inside.press("F2")
        inside.type("Apfel")
        inside.press("Enter")
        expect(gallery.chips(0)).to_have_text("Apfel")
        expect(review.first.locator(".chip:not(.predicted)")).to_have_text("Apfel")
        manager.expect_labels("Apfel", "pear", "plum")
        inside.press("Escape")
        expect(gallery.root.locator(".panel")).to_be_hidden()
        # a merge in the manager
        manager.row("pear").click()
        manager.press("m")
        manager.type("Apfel")
        manager.press("Enter")
        expect(gallery.chips(6)).to_have_text("Apfel")
        expect(review.last.locator(".chip:not(.predicted)")).to_have_text("Apfel")
        expect(gallery.label_button("Apfel").locator(".count")).to_have_text("7")
    # another process renames while a name is being typed here: that name is refused with the reason
    manager.row("plum").click()
    manager.press("F2")
    manager.type("Zwetschge")
    page.kernel_client().execute(
        "import subprocess, sys; subprocess.run([sys.executable, '-c', '''import customlabels_nb as cl\n"
        "from customlabels_nb.user_settings import settings\nsettings.user = \"ben\"\n"
        "cl.load_project(\"things\").labels.rename(\"plum\", \"prune\")'''], check=True)",
        reply=True, timeout=60,
    )  # fmt: skip
    expect(manager.root.locator(".notice")).to_contain_text(facts("'plum'", "ben", "'prune'"))
    manager.expect_labels("Apfel", "prune")
    assert page.page_errors == []
