"""Tests of the gallery, the annotator and the results in Notebook 6.5.7 with ipywidgets 7 and an older anywidget."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import annotator, gallery, results
from tests.browser.annotator import AnnotatorPage
from tests.browser.contrast import unreadable
from tests.browser.gallery import GalleryPage
from tests.browser.jupyter import ROOT, Lab, LabPage, Server, notebook, serve_notebook6
from tests.browser.results import ResultsScreen
from tests.browser.test_appearance import SCREENS

pytestmark = [pytest.mark.browser, pytest.mark.storing, pytest.mark.exhaustive]

VERSIONS = Path(ROOT, "tests", "environments", "notebook6.txt")
#: Styles of the notebook program that would change the look of a widget. Its colors and fonts may.
FOREIGN = """root => {
    const names = ["display", "font-size", "font-weight", "line-height", "opacity", "box-shadow", "text-align",
                   "border-top-style", "border-top-left-radius", "margin-top", "margin-left", "margin-bottom",
                   "padding-top", "padding-left", "padding-bottom"];
    const nodes = [root, ...root.querySelectorAll("*:not(svg, svg *, p)")];
    const read = () => nodes.map((node) => {
        const style = node.computedStyleMap();
        return names.map((name) => `${name}: ${style.get(name)}`);
    });
    root.style.width = `${root.offsetWidth}px`;
    const sheets = [...document.styleSheets].filter((one) => !one.ownerNode.textContent.includes(".clnb"));
    const before = read();
    for (const sheet of sheets) sheet.disabled = true;
    const after = read();
    for (const sheet of sheets) sheet.disabled = false;
    root.style.width = "";
    const changed = nodes.flatMap((node, at) => before[at].flatMap((value, which) =>
        value === after[at][which] ? [] : [`${node.localName}.${node.className} ${value}, not ${after[at][which]}`]));
    return [...new Set(changed)];
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield Notebook 6 of an environment of its own, which has everything else from the running one."""
    uv = shutil.which("uv", path=Path(sys.executable).parent) or shutil.which("uv")
    if uv is None:
        pytest.fail("no uv, which makes the environment of Notebook 6: pip install uv", pytrace=False)
    folder = tmp_path_factory.mktemp("notebook6")
    python = folder / "env" / "bin" / "python"
    making = [uv, "venv", "--quiet", "--no-python-downloads", "--python", sys.executable, str(folder / "env")]
    subprocess.run(making, check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), "-r", str(VERSIONS)], check=True)
    own = next((folder / "env" / "lib").iterdir()) / "site-packages"
    (own / "beside.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n", encoding="utf-8")
    with serve_notebook6(folder, python) as running:
        yield running


@pytest.fixture(scope="module")
def page(server: Server, browser: Browser) -> Iterator[LabPage]:
    """Yield a notebook that shows the three screens. The last test labels in it."""
    lab = Lab(server, browser, "notebook6", "notebook6")
    try:
        boards = annotator.PROJECT.format(count=3).replace("things", "boards").replace("photos", "large")
        cells = (
            gallery.SETUP + gallery.PROJECT.format(count=8),
            gallery.SHOW.format(size=24),
            annotator.SETUP + boards.replace("draw(3)", "draw(3, 'large')"),
            annotator.SHOW,
            results.PICTURES.replace("photos", "pictures"),
            "r = classifier().show()\nr",
        )
        page = lab.open(notebook(*cells), width=1400)
        for number in range(len(cells)):
            page.run_cell(number)
        yield page
        lab.keep_evidence()
    finally:
        lab.close(passed=False)


@pytest.mark.parametrize("width", [1400, 1000])
def test_the_screens_look_as_elsewhere(page: LabPage, width: int) -> None:
    page.page.set_viewport_size({"width": width, "height": 900})
    GalleryPage(page, 1).ready()
    AnnotatorPage(page, 3).ready()
    ResultsScreen(page.page, page.output(5).locator(".clnb-results")).ready()
    for cell in (1, 3, 5):
        root = page.output(cell).locator(".clnb")
        root.scroll_into_view_if_needed()
        page.screenshot(f"notebook6-{cell}-{width}")
        assert root.evaluate(FOREIGN) == []
        assert root.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
        expect(page.output(cell).locator(".clnb-still")).to_be_hidden()  # the saved notebook shows it
    for cell, name in ((1, "gallery"), (3, "annotator"), (5, "results")):
        shown = page.output(cell).locator(".clnb")
        texts = [one for one in SCREENS[name].texts.split(", ") if shown.locator(one).count()]
        assert unreadable(shown, texts) == []


def test_a_saved_notebook_shows_pictures(page: LabPage) -> None:
    saved = page.save()
    for cell in (1, 3, 5):
        outputs = [output["data"] for output in saved.cells[cell].outputs]
        assert any("clnb-still" in data.get("text/html", "") for data in outputs)


def test_images_are_labelled_boxes_drawn_and_a_threshold_moved(page: LabPage) -> None:
    tagging = GalleryPage(page, 1).ready()
    cells = page.page.evaluate("Jupyter.notebook.ncells()")
    tagging.tile(2).locator("img").click()
    tagging.press("2")
    expect(tagging.chips(2)).to_contain_text(["pear"])
    tagging.tile(3).locator("img").click()
    tagging.press("3", "Control+z")
    expect(tagging.chips(3)).to_have_count(0)
    tagging.press("Escape", "Home", "1")
    expect(tagging.chips(0)).to_contain_text(["apple"])
    tagging.press("d", "d", "x", "b")  # keys with which the notebook deletes and adds cells
    tagging.expect_saved()
    assert tagging.labelled() == {"000": "apple", "002": "pear"}

    drawing = AnnotatorPage(page, 3).ready()
    drawing.press("2")
    drawing.drag((50, 40), (150, 140))
    drawing.expect_shapes(1)
    drawing.expect_saved()
    [(label, *box)] = page.value("shapes(0, 'boards')")
    assert label == "pear"
    assert box == [pytest.approx(side, abs=2) for side in (50, 40, 100, 100)]
    assert page.page.evaluate("Jupyter.notebook.ncells()") == cells

    found = ResultsScreen(page.page, page.output(5).locator(".clnb-results")).ready()
    slider = found.root.locator(".slider.threshold")
    found.mode("one")
    expect(slider).to_be_enabled()
    before = found.said()
    slider.focus()
    for _ in range(20):
        page.page.keyboard.press("ArrowRight")
    expect(found.root.locator(".figures [data-figure='recall']")).not_to_have_text(before["means"]["recall"])
    assert page.page.evaluate("window.hacked") is None
