"""Tests of the dashboard and the history panel in JupyterLab."""

from __future__ import annotations

import re

import nbformat
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.contrast import colours
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
    images = project._place.dataset(split).images["image"].tolist()[first : first + len(labels)]
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
        self.root.locator(".mark, .empty p").first.wait_for(timeout=30_000)
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
    page = lab.open(notebook(SETUP + PROJECT, SHOW, "e = project.dashboard()\ne", "pass"), width=1400, height=1600)
    page.run_all()
    first, second = DashboardPage(page, 1).ready(), DashboardPage(page, 2).ready()
    for dashboard in (first, second):
        dashboard.expect_said("train apple", f"{APPLE}, train: 9 images")
        dashboard.expect_said("test pear", f"{PEAR}, test: 3 images")
        dashboard.expect_said("train unlabelled", "train: 7 unlabelled of 20 (35 %)")
        expect(dashboard.number("test labelled")).to_have_text("3")
        expect(dashboard.mark("train plum")).to_have_count(0)
    # a second process labels three: both dashboards show it
    client = page.kernel_client()
    client.execute(ELSEWHERE, reply=True, timeout=60)
    for dashboard in (first, second):
        dashboard.expect_said("train plum", f"{PLUM}, train: 3 images")
        dashboard.expect_said("train unlabelled", "train: 4 unlabelled of 20 (20 %)")
        expect(dashboard.number("train labelled")).to_have_text("16")
        expect(dashboard.root.locator(".summary")).to_have_text(re.compile("^30 images, 19 labelled"))

    # a bar shows its count and opens exactly its images
    first.mark("train plum").hover()
    expect(first.root.locator(".tooltip")).to_have_text(f"{PLUM}, train: 3 images")
    first.mark("train plum").click()
    first.expect_gallery("013", "014", "015")
    first.mark("train unlabelled").click()
    first.expect_gallery("016", "017", "018", "019")
    first.number("test labelled").click()
    gallery = first.expect_gallery("020", "021", "022")
    expect(gallery.root.locator(".tab.current")).to_have_text("test 10")
    hour = first.root.locator(".slots .mark.train").last
    expect(hour).to_have_attribute("aria-label", re.compile("train: 16 images$"))
    hour.click()
    first.expect_gallery(*(f"{number:03}" for number in range(16)))
    # by keyboard: Tab reaches a chart once, arrows move inside it
    first.mark("train apple").focus()
    page.page.keyboard.press("ArrowDown")
    expect(first.mark("train pear")).to_be_focused()
    expect(first.root.locator(".tooltip")).to_have_text(f"{PEAR}, train: 4 images")
    page.page.keyboard.press("Enter")
    gallery = first.expect_gallery("009", "010", "011", "012")
    # labels from the gallery below appear immediately, and the focus is not lost
    gallery.tile(0).click()
    gallery.press("1")
    gallery.expect_saved()
    second.expect_said("train apple", f"{APPLE}, train: 10 images")
    first.expect_said("train apple", f"{APPLE}, train: 10 images")
    # Python reads and controls the dashboard
    assert page.value("d.figures.labels['train'].tolist()") == [10, 3, 3]
    client.execute("d.show_images('train', label='plum')", reply=True)
    first.expect_gallery("013", "014", "015")
    first.root.locator(".foot button").click()
    expect(page.output(1).locator(".clnb-gallery")).to_have_count(0)
    assert page.value("d.gallery is None")


def test_history_check_export_and_the_saved_notebook(lab: Lab) -> None:
    page = lab.open(notebook(SETUP + PROJECT, SHOW, "h = project.history_panel()\nh"), width=1400, height=1600)
    page.run_all()
    dashboard = DashboardPage(page, 1).ready()
    root = dashboard.root
    panel = page.output(2).locator(".clnb-history")
    # undo in the panel: the dashboard and its own list follow
    root.locator("[data-tab='history']").click()
    rows = root.locator(".action-line")
    expect(rows.first).to_contain_text("update")
    rows.first.click()
    expect(root.locator(".details")).to_contain_text("this action can be undone")
    expect(root.locator(".names-of")).to_contain_text("020.png, 021.png, 022.png")
    root.locator(".details button").click()
    dashboard.expect_gallery("020", "021", "022")
    expect(panel.locator(".undo").first).to_be_visible()
    panel.locator(".undo").first.click()
    expect(panel.locator(".notice")).to_contain_text(facts("“\u2068update\u2069”", 3, "images"))
    expect(rows.first).to_contain_text("undo update")
    root.locator("[data-tab='overview']").click()
    expect(dashboard.number("test labelled")).to_have_text("0")
    panel.locator(".notice button").first.click()
    expect(dashboard.number("test labelled")).to_have_text("3")
    # an action whose images were changed later names who changed them
    page.kernel_client().execute("label('train', 0, ['plum'])", reply=True)
    older = panel.locator(".action", has=page.page.locator(".number", has_text="13")).locator(".action-line")
    older.click()
    expect(panel.locator(".details")).to_contain_text("changed since")
    expect(panel.locator(".action.open .undo")).to_be_disabled()

    root.locator("button.check").click()
    expect(root.locator(".finding-row.plan").first).to_contain_text("images of only 1 label", timeout=60_000)
    found = root.locator(".finding-row .link").first
    count = int(re.sub(r"\D", "", found.inner_text()))
    found.click()
    expect(dashboard.gallery().root.locator(".position")).to_have_text(re.compile(f"of {count}$"))

    root.locator("button.export").click()
    root.locator("[data-choice='format']").select_option("coco")
    root.locator("[data-choice='unlabelled']").check()
    root.locator("[data-choice='folder']").fill("../elsewhere")
    root.locator(".panel button.primary").click()
    expect(root.locator(".export-words")).to_contain_text("must be a subfolder of")
    root.locator("[data-choice='folder']").fill("out/<b>coco")
    root.locator(".panel button.primary").click()
    expect(root.locator(".export-words")).to_contain_text(facts(20, "train", 10, "test", 2, "files"))
    expect(root.locator(".losses")).to_contain_text("annotator")
    page.screenshot("dashboard-export")
    assert sorted(file.name for file in (page.path.parent / "out" / "<b>coco").iterdir()) == ["test.json", "train.json"]
    page.page.keyboard.press("Escape")
    expect(root.locator(".panel")).to_be_hidden()

    saved = page.save()
    assert len(nbformat.writes(saved)) < 100_000
    page.shut_kernel_down()
    page.show()
    stills = page.page.locator(".clnb-still")
    expect(stills.nth(0)).to_contain_text("train: 13 labelled, 7 unlabelled")
    expect(stills.last).to_contain_text("update")


HOSTILE = """
hostile = "<img src=x onerror=window.hacked=1>"
draw(12)
project = cl.create_project("things", task="multi-label")
project.add_images("photos", progress=False)
arabic = "\\u0627\\u0644\\u0639\\u0631\\u0628\\u064a\\u0629"
labels = [hostile, '"; DROP TABLE labels; --', "\\u202eltr", arabic, "l" * 256]
for label in [*labels, *(f"label {number}" for number in range(995))]:
    project.labels.add(label)
from customlabels_nb.labeling.session import LabellingSession
for number, person in enumerate((hostile, "\\u202eevil", "p" * 200)):
    session = LabellingSession(project._store, project.root, user=person)
    names = session.table.names[3 * number : 3 * number + 3]
    for label in labels:
        session.assign(names, label)
session.set_status(session.table.names[10:11], "skipped")
session.set_status(session.table.names[8:9], "needs_review")
empty = cl.create_project("empty")
draw(3, "few")
done = cl.create_project("done", task="single-label")
done.add_images("few", label="apple", progress=False)
"""
READABLE = (
    ".project", ".summary", "h3", ".head span", ".number:not(:disabled)", ".name bdi", ".queue-row strong",
    "button.link", ".faint", ".finding-row .severity", ".tab:not(.current)", ".tab.current", "button.primary",
    ".hints", ".state",
)  # fmt: skip
READABLE_SVG = (".chart .scale", ".chart .value", ".chart .side-name")


def test_hostile_empty_and_finished_in_both_themes(lab: Lab) -> None:
    shown = ("project.dashboard()", "empty.dashboard()", "done.dashboard()", "project.history_panel()")
    page = lab.open(notebook(SETUP + HOSTILE, *shown), width=1400, height=1700)
    page.run_all()
    dashboard = DashboardPage(page, 1).ready()
    root = dashboard.root
    expect(root.locator(".label-rows .name")).to_have_count(20)
    root.locator("text=Show all 1,000 labels").click()
    expect(root.locator(".label-rows .name")).to_have_count(1000)
    assert root.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
    first = root.locator(".label-rows .mark").first
    expect(first).to_have_attribute("aria-label", "\u2068<img src=x onerror=window.hacked=1>\u2069, train: 9 images")
    first.click()
    expect(dashboard.gallery().root.locator(".position")).to_have_text("1–9 of 9")
    expect(root.locator(".below")).to_contain_text("Below: \u2068<img src=x")
    root.locator(".foot button").click()
    root.locator("text=Show the first 20").click()
    root.locator("button.check").click()
    expect(root.locator(".finding-row .severity").first).to_be_visible(timeout=60_000)

    empty, done = DashboardPage(page, 2).ready(), DashboardPage(page, 3).ready()
    expect(empty.root.locator(".empty p")).to_have_text("There are no images yet.")
    expect(empty.root.locator("button.export")).to_be_hidden()
    expect(done.root.locator(".toolbar button.primary")).to_have_text("Check dataset")
    expect(done.root.locator(".work-chart .faint").first).to_contain_text("No images labelled yet")
    done.root.locator(".toolbar button.primary").click()
    expect(done.root.locator(".finding-row.plan")).to_contain_text("at least", timeout=60_000)
    panel = page.output(4).locator(".clnb-history")
    expect(panel.locator(".who").nth(1)).to_have_text(re.compile("^p{200}$"))
    page.page.wait_for_timeout(300)
    for theme in ("light", "dark"):
        page.set_theme(theme)
        page.page.wait_for_timeout(400)
        root.scroll_into_view_if_needed()
        page.screenshot(f"dashboard-hostile-{theme}")
        for selector in READABLE:
            found = colours(root.locator(f"{selector}:visible").first)
            assert found["contrast"] >= 4.5, f"{selector} in {theme}: {found}"
        for selector in READABLE_SVG:  # drawn elements have their colour in `fill`
            node = root.locator(selector).first
            node.evaluate("node => { node.style.color = getComputedStyle(node).fill; }")
            found = colours(node)
            node.evaluate("node => { node.style.color = ''; }")
            assert found["contrast"] >= 4.5, f"{selector} in {theme}: {found}"
        for selector in (".when", ".who", ".what", ".undo", ".day"):
            found = colours(panel.locator(selector).first)
            assert found["contrast"] >= 4.5, f"{selector} in {theme}: {found}"
    assert page.page.evaluate("window.hacked") is None
    # narrow, as next to another document
    page.page.set_viewport_size({"width": 700, "height": 1200})
    page.page.wait_for_timeout(500)
    page.screenshot("dashboard-narrow")
    panel.evaluate("node => { node.style.width = '300px'; }")
    expect(panel.locator(".who:visible")).to_have_count(0)
    assert panel.locator(".what").first.evaluate("node => node.clientWidth") > 60
    assert root.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
