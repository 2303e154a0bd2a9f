"""Tests of the dashboard and the history panel in JupyterLab."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.gallery import SETUP, GalleryPage
from tests.browser.jupyter import Lab, LabPage, notebook
from tests.facts import facts

pytestmark = pytest.mark.browser

#: Thirty images, twenty of them in train: nine apples and four pears. In test: three pears.
PROJECT = """
import pandas as pd
draw(20)
draw(30, "others")
project = cl.create_project("things", task="single-label")
project.add_images("photos", progress=False)
project.add_images("others", split="test", progress=False)
for label in ("apple", "pear", "plum"):
    project.labels.add(label)
def label(split, first, labels):
    dataset = {"train": project.train_set, "test": project.test_set}[split]
    images = dataset.images["image"].tolist()[first : first + len(labels)]
    project.update(split, pd.DataFrame({"image": images, "label": labels}))
label("train", 0, ["apple"] * 9 + ["pear"] * 4)
label("test", 0, ["pear"] * 3)
"""
SHOW = "d = project.dashboard()\nd"
APPLE, PEAR, PLUM = ("\u2068apple\u2069", "\u2068pear\u2069", "\u2068plum\u2069")  # isolated from the text around them


class DashboardPage:
    """Dashboard shown by a cell of a page."""

    def __init__(self, page: LabPage, cell: int) -> None:
        self.page = page
        self.cell = cell
        self.root = page.output(cell).locator(".clnb-dashboard")

    def ready(self) -> DashboardPage:
        self.root.locator(".mark, .empty p").first.wait_for()
        return self

    def mark(self, key: str) -> Locator:
        """Return a bar: "train apple", "test pear", "train skipped", "<person> train"."""
        return self.root.locator(f".mark[data-key='{key}']")

    def number(self, figure: str) -> Locator:
        """Return a number that opens images."""
        return self.root.locator(f"[data-figure='{figure}']")

    def expect_said(self, key: str, text: str | re.Pattern[str], timeout: float = 10_000) -> None:
        expect(self.mark(key)).to_have_attribute("aria-label", text, timeout=timeout)

    def gallery(self) -> GalleryPage:
        """Return the gallery below the dashboard."""
        return GalleryPage(self.page, self.cell).ready()

    def expect_gallery(self, *names: str) -> GalleryPage:
        gallery = self.gallery()
        expect(gallery.root.locator(".position")).to_have_text(f"1–{len(names)} of {len(names)}")
        assert sorted(gallery.names()) == sorted(names)
        return gallery


ELSEWHERE = (
    "import subprocess, sys; subprocess.run([sys.executable, '-c', '''import customlabels_nb as cl\n"
    "project = cl.load_project(\"things\")\n"
    "rows = project.train_set.images[[\"image\"]].iloc[13:16]\n"
    "project.update(\"train\", rows.assign(label=\"plum\"))'''], check=True)"
)  # fmt: skip


@pytest.mark.journey
def test_two_dashboards_follow_another_process_and_bars_open_their_images(lab: Lab) -> None:
    page = lab.open(notebook(SETUP + PROJECT, SHOW, "e = project.dashboard()\ne"), width=1400, height=1600)
    page.run_all()
    first, second = DashboardPage(page, 1).ready(), DashboardPage(page, 2).ready()
    first.expect_said("train apple", f"{APPLE}, train: 9 images")
    first.expect_said("train unlabelled", "train: 7 unlabelled of 20 (35 %)")
    expect(first.mark("train plum")).to_have_count(0)
    # a second process labels three: both dashboards show it
    page.kernel_client().execute(ELSEWHERE, reply=True, timeout=60)
    for dashboard in (first, second):
        dashboard.expect_said("train plum", f"{PLUM}, train: 3 images")
        dashboard.expect_said("train unlabelled", "train: 4 unlabelled of 20 (20 %)")
        expect(dashboard.number("train labelled")).to_have_text("16")

    # a bar shows its count and opens exactly its images
    first.mark("train plum").hover()
    expect(first.root.locator(".tooltip")).to_have_text(f"{PLUM}, train: 3 images")
    first.mark("train plum").click()
    first.expect_gallery("013", "014", "015")
    first.mark("train unlabelled").click()
    first.expect_gallery("016", "017", "018", "019")
    first.number("test labelled").click()
    gallery = first.expect_gallery("020", "021", "022")
    expect(gallery.root.locator(".tab.current[data-split]")).to_have_text("test 10")
    # by keyboard: Tab reaches a chart once, arrows move inside it
    first.mark("train apple").focus()
    page.page.keyboard.press("ArrowDown")
    expect(first.mark("train pear")).to_be_focused()
    expect(first.root.locator(".tooltip")).to_have_text(f"{PEAR}, train: 4 images")
    page.page.keyboard.press("Enter")
    gallery = first.expect_gallery("009", "010", "011", "012")
    # labels from the gallery below appear immediately
    gallery.tile(0).click()
    gallery.press("1")
    gallery.expect_saved()
    second.expect_said("train apple", f"{APPLE}, train: 10 images")
    first.expect_said("train apple", f"{APPLE}, train: 10 images")
    first.root.locator(".foot button").click()
    expect(page.output(1).locator(".clnb-gallery")).to_have_count(0)


def test_history_check_and_export(lab: Lab) -> None:
    page = lab.open(notebook(SETUP + PROJECT, SHOW, "h = project.history_panel()\nh"), width=1400, height=1600)
    page.run_all()
    dashboard = DashboardPage(page, 1).ready()
    root = dashboard.root
    panel = page.output(2).locator(".clnb-history")
    # undo in the panel: the dashboard and its own list follow
    root.locator("[data-tab='history']").click()
    rows = root.locator(".action-line")
    rows.first.click()
    expect(root.locator(".names-of")).to_contain_text("020.png, 021.png, 022.png")
    root.locator(".details button").click()
    dashboard.expect_gallery("020", "021", "022")
    panel.locator(".undo").first.click()
    expect(panel.locator(".notice")).to_contain_text(facts("“\u2068update\u2069”", 3, "images"))
    expect(rows.first).to_contain_text("undo update")
    root.locator("[data-tab='overview']").click()
    expect(dashboard.number("test labelled")).to_have_text("0")
    panel.locator(".notice button").first.click()
    expect(dashboard.number("test labelled")).to_have_text("3")

    root.locator("button.check").click()
    expect(root.locator(".finding-row.plan").first).to_contain_text("images of only 1 label")
    found = root.locator(".finding-row .link").first
    count = int(re.sub(r"\D", "", found.inner_text()))
    found.click()
    expect(dashboard.gallery().root.locator(".position")).to_have_text(re.compile(f"of {count}$"))

    root.locator("button.export").click()
    root.locator("[data-choice='format']").select_option("coco")
    root.locator("[data-choice='unlabelled']").check()
    root.locator("[data-choice='folder']").fill("out/<b>coco")
    root.locator(".panel button.primary").click()
    expect(root.locator(".export-words")).to_contain_text(facts(20, "train", 10, "test", 2, "files"))
    expect(root.locator(".losses")).to_contain_text("annotator")
    assert sorted(file.name for file in (page.path.parent / "out" / "<b>coco").iterdir()) == ["test.json", "train.json"]
    page.page.keyboard.press("Escape")
    expect(root.locator(".panel")).to_be_hidden()
