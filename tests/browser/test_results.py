"""Tests of the results screen in JupyterLab, and as a file in plain Chromium."""

from __future__ import annotations

import re
import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, expect

import customlabels_nb as cl
from customlabels_nb.evaluation.exploring import Exploration, Filter
from tests.browser.annotator import AnnotatorPage
from tests.browser.gallery import GalleryPage
from tests.browser.jupyter import Lab, LabPage, notebook
from tests.browser.results import APPLE, BOXES, EXTRA, PEAR, PICTURES, ResultsScreen

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.hacked=1>"
ROOMS = (
    "backyard", "bathroom", "bedroom", "closet", "entry_way", "floor_plan", "front_yard", "kitchen", "living_space",
    "patio",
)  # fmt: skip
LONG = (HOSTILE, "x" * 64, "ש" * 64, "名" * 64, "no", *(f"{'long ' * 11}{number}" for number in range(5)))


def screen_in(page: LabPage, cell: int) -> ResultsScreen:
    return ResultsScreen(page.page, page.output(cell).locator(".clnb-results"))


def expect_same(
    screen: ResultsScreen,
    page: LabPage,
    report: str,
    position: dict[str, Any],
    part: tuple[str, str] | None = None,
) -> None:
    """Check that the page shows the same numbers, cells and images as the kernel."""
    told = page.value(f"expected({report}, {position!r}, {part!r})")
    said = screen.said()
    assert said["rows"] == told["rows"], position
    assert said["means"] == told["means"], position
    assert said["matrix"] == told["matrix"], position
    assert said["shown"] == told["shown"][: max(1, len(said["shown"]))], position


@pytest.mark.journey
def test_numbers_follow_the_sliders_and_cells_show_their_images(lab: Lab) -> None:
    page = lab.open(
        notebook(PICTURES, "report = classifier()\ns = report.show()\ns", "boxes = detector()\nd = boxes.show()\nd"),
        width=1400,
        height=1500,
    )
    page.run_all()
    screen = screen_in(page, 1).ready()
    start = {"mode": "most confident", "one": 0.5, "own": {}, "iou_threshold": None}
    expect_same(screen, page, "report", start)
    expect(screen.root.locator(".slider.threshold")).to_be_hidden()
    expect(screen.root.locator(".curves-plot .here")).to_be_hidden()
    expect(screen.root.locator(".label-table th.threshold")).to_be_hidden()
    expect(screen.cell("apple", "(no answer)")).to_have_count(0)
    screen.mode("assumed")
    expect_same(screen, page, "report", {**start, "mode": "assumed"})
    lacking = screen.cell("apple", "(no answer)")
    lacking.click()
    assert len(screen.names()) == int(lacking.inner_text()) > 0
    expect(screen.root.locator(".narrowed")).to_contain_text("without an answer")
    page.expect_value("sorted(s.shown)", sorted(screen.names()))
    lacking.click()
    screen.mode("one")
    # by hand: the slider is dragged with the mouse, and the kernel receives its value
    slider = screen.root.locator(".slider.threshold")
    box = slider.bounding_box()
    assert box is not None
    page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.page.mouse.down()
    for step in range(6):
        page.page.mouse.move(box["x"] + box["width"] * (0.5 + 0.05 * step), box["y"] + box["height"] / 2)
    page.page.mouse.up()
    value = float(slider.input_value())
    assert 0.65 < value < 0.9
    expect(screen.root.locator(".figures .interval")).to_have_count(4)  # requested at rest
    expect_same(screen, page, "report", {**start, "mode": "one", "one": value})
    assert page.value("s.thresholds['pear']") == value
    # a single label
    screen.mode("assumed")
    screen.row("pear").click()
    screen.move("threshold", 0.8)
    screen.row("pear").click()
    expect_same(screen, page, "report", {**start, "mode": "per label", "own": {"pear": 0.8}})
    # a cell shows exactly its images, and from a cell of the notebook
    screen.mode("most confident")
    rows = "report.per_image.drop_duplicates('image').set_index(['truth', 'predicted'])['image']"
    wanted = page.value(f"{rows}.get([('apple', 'apple')]).tolist()")
    screen.cell("apple", "apple").click()
    assert sorted(screen.names()) == sorted(wanted)
    page.expect_value("sorted(s.shown)", sorted(wanted))
    page.kernel_client().execute(f"s.set_filter()\ns.set_filter(show='tp', label={HOSTILE!r})", reply=True)
    wanted = page.value("s.shown")
    expect(screen.tile(0)).to_have_attribute("title", wanted[0])
    assert screen.names() == wanted
    # the keyboard: select, open the viewer, next image, close
    screen.root.locator(".grid").focus()
    page.page.keyboard.press("Space")
    expect(screen.root.locator(".tile.selected")).to_have_count(1)
    page.page.keyboard.press("Enter")
    viewer = screen.root.locator(".viewer")
    expect(viewer.locator(".title")).to_have_text(wanted[0].removeprefix("photos/"))
    page.page.keyboard.press("ArrowRight")
    expect(viewer.locator(".title")).to_have_text(wanted[1].removeprefix("photos/"))
    page.page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()

    boxes = screen_in(page, 2).ready()
    boxes.move("iou-threshold", 0.6)
    boxes.move("threshold", 0.4)
    expect_same(boxes, page, "boxes", {"mode": "one", "one": 0.4, "own": {}, "iou_threshold": 0.6})
    assert not page.errors, page.errors


def test_a_slice_changes_numbers_matrix_curves_and_tiles(lab: Lab) -> None:
    page = lab.open(notebook(PICTURES, "report = classifier()\ns = report.show()\ns"), width=1400, height=1200)
    page.run_all()
    screen = screen_in(page, 1).ready()
    position = {"mode": "most confident", "one": 0.5, "own": {}, "iou_threshold": None}
    curve, interval = screen.root.locator("path.curve.f1"), screen.root.locator(".figures .interval").first
    before, whole = curve.get_attribute("d"), interval.inner_text()
    screen.root.locator("select[aria-label='slice']").select_option(label="camera: right")
    expect(screen.root.locator(".figures")).to_contain_text("20 of 30 test images")
    expect_same(screen, page, "report", position, ("camera", "right"))
    assert curve.get_attribute("d") != before
    low, high = page.value("s.exploration.intervals(('camera', 'right'))['f1']")
    expect(interval).to_have_text(re.compile(re.escape(f"[{low:.2f}, {high:.2f}]")))
    assert interval.inner_text() != whole
    expect(screen.root.locator(".filterbar .tab[data-show='all'] .count")).to_have_text("20")
    cell = screen.cell("pear", "apple")
    cell.click()
    assert len(screen.names()) == int(cell.inner_text()) > 0
    page.expect_value("list(s.exploration.filter.slice)", ["camera", "right"])
    cell.click()
    screen.mode("assumed")
    expect_same(screen, page, "report", {**position, "mode": "assumed"}, ("camera", "right"))
    screen.root.locator("select[aria-label='slice']").select_option(label="all")
    expect_same(screen, page, "report", {**position, "mode": "assumed"})
    screen.button("Slices").click()
    expect(screen.root.locator(".slices tr")).to_have_count(2)
    screen.root.locator(".slices button", has_text="right").click()
    expect_same(screen, page, "report", {**position, "mode": "assumed"}, ("camera", "right"))
    assert not page.errors, page.errors


def test_advice_shows_its_images_and_sliders_need_no_kernel(lab: Lab) -> None:
    page = lab.open(notebook(PICTURES, "s = classifier(gain=0.7).show()\ns"), width=1400, height=1400)
    page.run_all()
    screen = screen_in(page, 1).ready()
    told = page.value("[(item.text, item.names) for item in s.exploration.evaluation.advice]")
    screen.button("Advice").click()
    cards = screen.root.locator(".card")
    assert [card.locator("p").inner_text() for card in cards.all()] == [text for text, _ in told]
    index = next(index for index, (_, names) in enumerate(told) if len(names) > 1)
    cards.nth(index).locator(".pictures img[src^='data:']").first.wait_for()
    cards.nth(index).locator("button", has_text="Show").click()
    expect(screen.root.locator(".panel")).to_be_hidden()
    assert sorted(screen.names()) == sorted(told[index][1])
    page.shut_kernel_down()
    before = screen.said()["means"]
    screen.move("threshold", 0.9)
    assert screen.said()["means"] != before


def test_images_are_zoomed_and_boxes_stay_on_them(lab: Lab) -> None:
    page = lab.open(notebook(PICTURES, "d = detector().show()\nd"), width=1400, height=1400)
    page.run_all()
    screen = screen_in(page, 1).ready()
    first = screen.tile(0)
    expect(first.locator(".overlay path:not(.halo)").first).to_be_visible()
    for part, dashed in ((".truth", False), (".predicted", True)):
        line = first.locator(f".overlay {part}").first.evaluate("node => getComputedStyle(node).strokeDasharray")
        assert (line != "none") == dashed
    first.dblclick()
    viewer = screen.root.locator(".viewer")
    viewer.locator(".stage img[src^='data:image/png']").wait_for()  # the full image, not the thumbnail
    place = """node => {
        const picture = node.querySelector("img").getBoundingClientRect();
        const box = node.querySelector(".truth").getBoundingClientRect();
        return [(box.left - picture.left) / picture.width, box.width / picture.width, picture.width];
    }"""
    stage = viewer.locator(".stage")
    # the list and the picture are linked
    line, marked = viewer.locator(".item").first, stage.locator(".marked")
    expect(marked).to_have_count(0)
    line.hover()
    frame = marked.first.bounding_box()
    assert frame is not None
    page.page.mouse.move(2, 2)
    expect(marked).to_have_count(0)
    page.page.mouse.move(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
    expect(line).to_have_class(re.compile("marked"))
    # zoom to the pointer, move, and fit
    before = stage.evaluate(place)
    frame = stage.bounding_box()
    assert frame is not None
    page.page.mouse.move(frame["x"] + 100, frame["y"] + 100)
    page.page.mouse.wheel(0, -600)
    after = stage.evaluate(place)
    assert after[2] > 1.8 * before[2]
    assert after[:2] == pytest.approx(before[:2], abs=0.02)
    left = stage.locator("img").bounding_box()
    page.page.mouse.down()
    page.page.mouse.move(frame["x"] + 60, frame["y"] + 80)
    page.page.mouse.up()
    moved = stage.locator("img").bounding_box()
    assert left is not None
    assert moved is not None
    assert moved["x"] - left["x"] == pytest.approx(-40, abs=1)
    page.page.keyboard.press("0")
    assert stage.evaluate(place)[2] == pytest.approx(before[2], abs=1)
    page.page.keyboard.press("Escape")
    # in the part of a tall widget that is in sight, with its list
    page.page.set_viewport_size({"width": 1000, "height": 700})
    expect(screen.root).to_have_class(re.compile("narrow"))
    notebook_frame = page.page.locator(".jp-WindowedPanel-outer:visible").bounding_box()
    assert notebook_frame is not None
    for block in ("start", "end"):
        screen.root.locator(".gallery-body").evaluate("(node, block) => node.scrollIntoView({ block })", block)
        screen.root.locator(".tile:not([hidden])").last.dblclick()
        for part in (viewer, viewer.locator(".items"), viewer.locator(".band")):
            box = part.bounding_box()
            assert box is not None
            assert box["y"] >= notebook_frame["y"] - 1, block
            assert box["y"] + box["height"] <= notebook_frame["y"] + notebook_frame["height"] + 1, block
            assert box["height"] > 30, block
        page.page.keyboard.press("Escape")
        expect(viewer).to_be_hidden()


PROJECT = """
import pandas as pd
from PIL import ImageDraw
def shape(number, kind, folder):
    rng = np.random.default_rng([number, kind])
    picture = Image.new("RGB", (128, 96), (220, 220, 215))
    pen, color = ImageDraw.Draw(picture), tuple(int(v) for v in rng.integers(0, 140, 3))
    x, y = (int(v) for v in rng.integers(35, 60, 2))
    if kind == 0:
        pen.ellipse((x - 24, y - 24, x + 24, y + 24), fill=color)
    else:
        for offset in range(0, 128, 12):
            pen.line((offset + x % 12, 0, offset + x % 12, 96), fill=color, width=4)
    path = Path(folder) / ("disc", "stripes")[kind]
    path.mkdir(parents=True, exist_ok=True)
    picture.save(path / f"{folder}-{number}.png")
for number in range(12):
    for kind in (0, 1):
        shape(number, kind, "train" if number < 7 else "test")
project = cl.create_project("shapes", task="single-label")
project.add_images("train", labels_from="folders", progress=False)
project.add_images("test", split="test", labels_from="folders", progress=False)
model = project.train("v1", progress=False)
project.train("v2", progress=False)
"""


@pytest.mark.storing
def test_a_wrong_box_is_corrected_from_its_cell_and_counted_when_evaluated_again(lab: Lab) -> None:
    page = lab.open(notebook(PICTURES, BOXES, "s = report.show()\ns"), width=1400, height=900)
    page.run_all()
    screen, seen = screen_in(page, 2).ready(), "corrected-after-predictions"
    note = "[note for note in s.exploration.evaluation.notes if 'after seeing' in note]"
    before = screen.said()["means"]["f1"]
    assert page.value(note) == []
    # a prediction that matches nothing is marked in its image, and is missing in the truth
    screen.cell("background", "pear").click()
    expect(screen.root.locator(".tile .marked")).to_have_count(1)
    screen.button("Open as crops").click()
    gallery = GalleryPage(page, 2).ready()
    expect(gallery.tile(0)).to_have_attribute("aria-label", "predicted pear; 000.png; predicted")
    gallery.press("Enter")
    gallery.expect_saved()
    page.expect_value("stored(0)[0]", [APPLE, EXTRA, PEAR])
    assert seen in page.value("stored(0)[1]")
    screen.button("Evaluate again").click()
    expect(screen.root.locator("[data-figure=f1]")).not_to_have_text(before)
    expect(screen.cell("background", "pear")).to_have_text("·")
    assert page.value(note)[0].startswith("1 of 3 test images were corrected after seeing predictions.")
    # the image view opens the annotator with the box, which Enter takes over
    screen.cell("background", "apple").click()
    screen.tile(0).dblclick()
    viewer = screen.root.locator(".viewer")
    expect(viewer.locator(".stage .marked")).not_to_have_count(0)
    room, window = viewer.bounding_box(), page.page.locator(".jp-WindowedPanel-outer:visible").bounding_box()
    assert room is not None
    assert window is not None
    assert 0.8 < room["height"] / window["height"] <= 1
    viewer.locator(".item.fp").hover()
    page.page.keyboard.press("e")
    annotator = AnnotatorPage(page, 2)
    expect(annotator.root.locator(".row.current.dashed")).to_be_visible()
    expect(annotator.root).to_be_focused()
    annotator.press("Enter")
    page.expect_value("stored(2)[0]", [APPLE, ("apple", 40, *PEAR[2:]), PEAR])
    annotator.press("Control+z")
    page.expect_value("stored(2)", ([APPLE, PEAR], []))
    assert not page.errors, page.errors


@pytest.mark.storing
@pytest.mark.thorough
def test_thresholds_are_stored_labels_corrected_and_versions_compared(lab: Lab) -> None:
    page = lab.open(notebook(PICTURES, PROJECT, "s = model.evaluate().show()\ns"), width=1400, height=1800)
    page.run_all(seconds=300)
    screen = screen_in(page, 2).ready()
    # a threshold is saved and used by detect, and then the most confident label again
    keep = screen.root.locator("button.keep")
    expect(keep).to_have_text("Save: most confident label")
    expect(keep).to_be_disabled()
    screen.mode("one")
    screen.move("threshold", 0)
    screen.button("Save thresholds").click()
    expect(screen.root.locator(".notice", has_text="Thresholds saved.")).to_be_visible()
    expect(screen.button("Save thresholds")).to_be_disabled()
    assert page.value("model.thresholds") == {"disc": 0.0, "stripes": 0.0}
    screen.mode("most confident")
    keep.click()
    expect(screen.root.locator(".notice", has_text="answers with the most confident label")).to_be_visible()
    expect(keep).to_be_disabled()
    assert page.value("model.decision") == "most confident"

    # a wrong label is corrected in the gallery, and the metrics follow
    before = screen.said()["means"]["f1"]
    screen.show("all")
    screen.tile(0).click()
    name = screen.names()[0]
    screen.root.locator("button.fix", has_text="1 selected").click()
    gallery = GalleryPage(page, 2).ready()
    assert gallery.names() == [name.rsplit("/", 1)[-1].removesuffix(".png")]
    gallery.tile(0).click()
    gallery.label_button("stripes" if "/disc/" in name else "disc").click()
    gallery.expect_saved()
    screen.button("Evaluate again").click()
    expect(screen.root.locator("[data-figure=f1]")).not_to_have_text(before)
    assert page.value("f\"{s.metrics['f1']:.3f}\"") == screen.said()["means"]["f1"]
    screen.button("Close gallery").click()
    expect(page.output(2).locator(".clnb-gallery")).to_have_count(0)

    # an open image gets its correct label back
    screen.tile(screen.names().index(name)).dblclick()
    viewer = screen.root.locator(".viewer")
    expect(viewer.locator(".item.fn")).to_have_count(1)
    page.value("project.undo() and s.judge_again()")
    expect(viewer.locator(".item.tp")).to_have_count(1)
    expect(viewer.locator(".item.fn")).to_have_count(0)
    viewer.get_by_role("button", name="Close (Esc)").click()

    # comparison with another version
    screen.button("Compare…").click()
    screen.root.locator(".panel .version", has_text="v2").click()
    expect(screen.root.locator(".comparison .change").first).to_contain_text("F1")
    deltas = "s.exploration.comparison.per_label.set_index('label')['delta'].loc[['disc', 'stripes']].tolist()"
    shown = [screen.row(label).locator("td.delta").inner_text() for label in ("disc", "stripes")]
    told = [round(value, 3) for value in page.value(deltas)]
    assert [float(text.replace("−", "-").replace("±", "")) for text in shown] == told
    screen.root.locator(".comparison button").click()
    expect(screen.root.locator(".comparison")).to_have_count(0)

    # a test image is moved to training, and the page is exported to a file
    screen.show("all")
    screen.tile(1).click()
    name = screen.names()[1]
    screen.button("Train on 1 selected").click()
    screen.root.locator(".panel select").select_option("disc")
    screen.button("Move to training").click()
    expect(screen.root.locator(".notice", has_text="1 image moved")).to_be_visible()
    assert page.value(f"project.train_set.annotations.set_index('image')['label'][{name!r}]") == "disc"
    screen.button("Export…").click()
    screen.root.locator(".writer[data-what='page'] button").click()
    expect(screen.root.locator(".notice", has_text="v1.html")).to_be_visible()
    assert (page.path.parent / "v1.html").stat().st_size > 50_000


def test_the_file_opens_offline_and_its_sliders_live(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = _reports(tmp_path, monkeypatch)
    context = browser.new_context(offline=True, viewport={"width": 1200, "height": 1200})
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    for kind in ("classifier", "detector"):
        report = scope[kind]()
        page.goto(report.to_html(tmp_path / f"{kind}.html", max_images=9).as_uri())
        screen = ResultsScreen(page, page.locator(".clnb-results")).ready()
        overlap = report.outcomes.iou_threshold if kind == "detector" else None
        for value in (0.05, 0.75):
            screen.move("threshold", value)
            said = screen.said()
            told = scope["expected"](report, {"mode": "one", "one": value, "own": {}, "iou_threshold": overlap})
            assert said["shown"] == told["shown"][: len(said["shown"])]
            assert said == told | {"shown": said["shown"]}
        screen.show("all")
        screen.root.locator(".tile:has(img[src^='data:'])").first.dblclick()
        expect(screen.root.locator(".viewer .item").first).to_be_visible()
        for gone in ("Save thresholds", "Fix ground truth", "Compare…"):
            expect(screen.button(gone).first).to_be_hidden()
    assert page.evaluate("window.hacked") is None
    assert problems == []
    context.close()


def _reports(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Draw the images of `PICTURES` in a folder, and return its functions."""
    monkeypatch.chdir(folder)
    (folder / "pictures.py").write_text(PICTURES, encoding="utf-8")
    return runpy.run_path("pictures.py")


def _file_of(browser: Browser, report: cl.Report, folder: Path) -> ResultsScreen:
    """Open the exported file of a report."""
    page = browser.new_context(viewport={"width": 1200, "height": 1200}).new_page()
    page.goto(report.to_html(folder / "report.html", max_images=0).as_uri())
    return ResultsScreen(page, page.locator(".clnb-results")).ready(pictures=False)


@pytest.mark.parametrize("kind", ["several", "detector"])
def test_cell_count_equals_its_images_under_any_filter(
    kind: str, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = _reports(tmp_path, monkeypatch)[kind]()
    screen = _file_of(browser, report, tmp_path)
    exploration = Exploration(report)
    search, chip = screen.root.locator(".filterbar .search"), screen.root.locator(".narrowing")
    screen.row("pear").click()
    search.fill("01")
    before = screen.names()
    cells = screen.root.locator(".cells .cell:not(:disabled)")
    some = 0
    for at in range(cells.count()):
        cell = cells.nth(at)
        truth, predicted = (cell.get_attribute(f"data-{side}") or "" for side in ("truth", "predicted"))
        wanted = exploration.choose(Filter("all", pair=(truth, predicted)))
        cell.click()
        screen.expect_place(f"1–{len(wanted)} of {len(wanted)}" if len(wanted) else "no images")
        expect(chip.locator(".narrowed")).to_contain_text(f"{len(wanted)} image")
        assert sorted(screen.names()) == sorted(exploration.names[image] for image in wanted)
        if kind == "several":
            assert cell.inner_text() == (str(len(wanted)) if len(wanted) else "·")
        some += len(wanted)
    assert some >= 30
    chip.locator("button").click()  # restore all of these filters
    expect(chip).to_be_hidden()
    expect(search).to_have_value("01")
    assert screen.names() == before


def test_a_label_replaces_a_cell_and_the_matrix_is_one_tab_stop(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = _reports(tmp_path, monkeypatch)["detector"]()
    exploration = Exploration(report)
    screen = _file_of(browser, report, tmp_path)
    keyboard, chip = screen.page.keyboard, screen.root.locator(".narrowing")
    # a label row leaves the cell, and "all" counts what it shows
    screen.show("all")
    screen.cell("apple", "apple").click()
    screen.row("pear").click()
    expect(chip).to_be_hidden()
    count = len(exploration.choose(Filter("all", label="pear")))
    screen.expect_place(f"1–{min(count, 24)} of {count}")
    # selecting a label moves nothing, whatever its name
    place = screen.root.locator(".numbers").bounding_box()
    screen.row(HOSTILE).click()
    assert screen.root.locator(".numbers").bounding_box() == place
    # keys lead through the matrix
    expect(screen.root.locator(".cells .cell[tabindex='0']")).to_have_count(1)
    screen.cell("apple", "apple").focus()
    for key, predicted in (("ArrowRight", "pear"), ("Home", HOSTILE), ("End", "background"), ("ArrowLeft", "pear")):
        keyboard.press(key)
        expect(screen.cell("apple", predicted)).to_be_focused()
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    expect(screen.cell("pear", "pear")).to_have_attribute("aria-pressed", "true")
    keyboard.press("Tab")
    expect(screen.root.locator(".cells .cell:focus")).to_have_count(0)
    screen.page.close()


def test_correct_label_pairs_are_not_red(browser: Browser, tmp_path: Path) -> None:
    images = [f"{number}.png" for number in range(4)]
    pair = pd.DataFrame({"image": images * 2, "label": ["leaves"] * 4 + ["grown"] * 4})
    report = cl.evaluate(pair, pair.assign(confidence=0.9), task="multi-label")
    screen = _file_of(browser, report, tmp_path)
    expect(screen.cell("grown", "leaves")).to_have_text("·")
    expect(screen.cell("leaves", "grown")).to_have_class(re.compile(r"\bnone\b"))
    expect(screen.cell("grown", "grown")).to_have_text("4")
    expect(screen.one("leaves", "tn")).to_be_disabled()
    expect(screen.root.locator(".one[tabindex='0']")).to_have_count(1)  # all tables are one tab stop
    screen.one("leaves", "tp").focus()
    for kind in ("fp", "fn"):
        screen.page.keyboard.press("ArrowRight")
        expect(screen.one("leaves", kind)).to_be_focused()
    screen.one("leaves", "tp").click()
    expect(screen.one("leaves", "tp")).to_have_text("TP 4")
    screen.expect_place("1–4 of 4")
    screen.page.close()


def test_fix_button_appears_only_for_mistakes(lab: Lab) -> None:
    actions = (
        "types.SimpleNamespace(can=['open_images'], facts={}, labels=lambda: [], suspects=lambda: None, "
        "open_images=lambda names: ipywidgets.Label(str(len(names))))"
    )
    show = (
        "import types\nimport ipywidgets\nfrom customlabels_nb.evaluation.exploring import Filter\n"
        f"s = cl.Report(several(), actions=lambda: {actions}).show()\ns"
    )
    page = lab.open(notebook(PICTURES, show), width=1400, height=1400)
    page.run_all()
    screen = screen_in(page, 1).ready()
    fix = screen.root.locator("button.fix")
    wrong = page.value("[s.exploration.names[at] for at in s.exploration.choose(Filter('mistakes'))]")
    shown = page.value("[s.exploration.names[at] for at in s.exploration.choose(Filter('all'))]")
    assert len(wrong) < len(shown)
    screen.show("all")
    expect(fix).to_have_text(f"Fix ground truth of {len(wrong)} shown…")
    right = next(name for name in shown if name not in wrong)
    page.kernel_client().execute(f"s.set_filter(show='all', pair=None, images=[{right!r}])", reply=True)
    screen.expect_place("1–1 of 1")
    expect(fix).to_be_hidden()
    screen.tile(0).click()
    expect(fix).to_have_text("Relabel 1 selected…")  # not suggested, but the user's selection can be opened


NAMES = """root => {
    const matrix = root.querySelector(".matrix");
    const cells = [...matrix.querySelectorAll(".cell")].map((cell) => cell.getBoundingClientRect());
    const names = [...matrix.querySelectorAll(".cell-name")];
    const places = [...matrix.querySelectorAll(".column")].map((name) => name.getBoundingClientRect());
    return {
        cut: names.map((name) => name.querySelector("bdi")).filter(
            (name) => Math.max(name.scrollWidth - name.clientWidth, name.scrollHeight - name.clientHeight) > 2,
        ).map((name) => name.textContent),
        wider: matrix.scrollWidth - matrix.clientWidth,
        height: matrix.querySelector(".cells").clientHeight,
        overlapping: places.filter((place, at) => place.bottom > cells[at].top || place.right > places[at + 1]?.left).length,
        titles: names.map((name) => name.title),
        hidden: [".label-table .scroll", ".label-table .name bdi"].flatMap((part) => [...root.querySelectorAll(part)])
            .filter((node) => node.scrollHeight > node.clientHeight + 2 || node.scrollWidth > node.clientWidth).length,
    };
}"""  # noqa: E501


def _resize(screen: ResultsScreen, width: int) -> None:
    """Set the page's width and wait until the screen has handled it."""
    screen.page.set_viewport_size({"width": width, "height": 1200})
    screen.page.wait_for_function("width => innerWidth === width", arg=width)
    screen.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")


def _page_of(browser: Browser, labels: Sequence[str], folder: Path) -> ResultsScreen:
    """Open the exported file of a report with three images per label."""
    truth = pd.DataFrame({"image": [f"{number}.png" for number in range(3 * len(labels))], "label": [*labels] * 3})
    return _file_of(browser, cl.evaluate(truth, truth.assign(confidence=0.9), truth[["image"]]), folder)


@pytest.mark.parametrize("labels", [ROOMS, LONG], ids=["rooms", "long"])
def test_long_label_names_fit_the_matrix(browser: Browser, tmp_path: Path, labels: Sequence[str]) -> None:
    screen = _page_of(browser, labels, tmp_path)
    for width in (1300, 1000, 800, 500):
        _resize(screen, width)
        said = screen.root.evaluate(NAMES)
        assert (said["wider"], said["overlapping"]) == (0, 0), width
        assert sorted(said["titles"]) == sorted([*labels] * 2)
        if labels is ROOMS:
            expect(screen.root.locator(".cells.turned")).to_be_visible()
            assert (said["cut"], said["hidden"]) == ([], 0), width
            assert said["height"] < 320
    assert screen.page.evaluate("window.hacked") is None
    screen.page.close()


#: Returns the texts beside the names of tiles that are not entirely in sight, and the texts instead of photos.
TILES = """root => {
    const outside = (node, frame) => {
        const [inner, outer] = [node.getBoundingClientRect(), frame.getBoundingClientRect()];
        return inner.right > outer.right + 1 || inner.bottom > outer.bottom + 1;
    };
    const tiles = [...root.querySelectorAll(".tile:not([hidden])")];
    return {
        cut: tiles.flatMap((tile) => [...tile.querySelectorAll(".caption :is(.word, .number, .faint), .excuse")]
            .filter((node) => outside(node, node.closest(".caption, .frame"))).map((node) => node.textContent)),
        words: tiles.map((tile) => [...tile.querySelectorAll(".word")].map((node) => node.textContent).join()),
        excuses: tiles.map((tile) => tile.querySelector(".excuse").innerText),
    };
}"""


def test_confidences_and_file_names_on_tiles_are_whole(browser: Browser, tmp_path: Path) -> None:
    labels = [*LONG[:5], "backyard"]
    names = [f"{number}.png" for number in range(7)]
    truth = pd.DataFrame({"image": names, "label": [*labels, labels[0]]})
    said = pd.DataFrame({"image": names[:6], "label": [labels[-1], *labels[:5]], "confidence": 0.9})
    said = pd.concat([said, truth.tail(1).assign(confidence=0.004)])
    screen = _file_of(browser, cl.evaluate(truth, said, truth[["image"]], thresholds=0.5), tmp_path)
    for width in (1300, 1000, 500):
        _resize(screen, width)
        tiles = screen.root.evaluate(TILES)
        assert tiles["cut"] == [], width
        assert sorted(tiles["words"]) == ["missed"] * 6 + ["missed 0.00"]
        assert [text.split("\n")[0] for text in tiles["excuses"]] == screen.names()
    screen.page.close()


def test_short_names_are_horizontal_and_long_tables_scroll(browser: Browser, tmp_path: Path) -> None:
    screen = _page_of(browser, ["apple", "orange", "pear"], tmp_path)
    assert screen.root.evaluate(NAMES)["cut"] == []
    expect(screen.root.locator(".cells.turned")).to_have_count(0)
    screen.page.close()
    screen = _page_of(browser, [f"label {number}" for number in range(25)], tmp_path)
    expect(screen.root.locator(".label-table .search")).to_have_attribute("placeholder", "Find one of 25 labels")
    shares = """table => [...table.querySelectorAll("tbody tr")].map((row) => {
        const place = row.getBoundingClientRect();
        return (table.getBoundingClientRect().bottom - place.top) / place.height;
    })"""
    shown = [share for share in screen.root.locator(".label-table .scroll").evaluate(shares) if 0 < share < 1]
    assert len(shown) == 1
    assert 0.3 < shown[0] < 0.7
    screen.page.close()


#: Moves the slider twice. Returns the changes of the page by the second move: after its event, in its frame, and later.
CHANGES = """async (root, values) => {
    const slider = root.querySelector(".slider.threshold");
    const scroll = root.querySelector(".label-table .scroll").getBoundingClientRect();
    const below = [...root.querySelectorAll(".label-table tbody tr")].filter((row) => row.getBoundingClientRect().top > scroll.bottom + 60);
    const move = (value) => { slider.value = value; slider.dispatchEvent(new Event("input", { bubbles: true })); };
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const shown = () => new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve))); });
    move(values[0]);
    await shown();
    const records = [];
    const observer = new MutationObserver((found) => records.push(...found));
    observer.observe(root, { subtree: true, childList: true, characterData: true, attributes: true });
    const take = () => {
        records.push(...observer.takeRecords());
        const within = (nodes) => records.filter(({ target }) => nodes.some((node) => node.contains(target))).length;
        return {
            images: within([root.querySelector(".gallery-body"), root.querySelector(".foot")]), below: within(below), numbers: within([root.querySelector(".numbers")]),
            replaced: records.filter(({ type, target }) => type === "childList" && !root.querySelector(".gallery-body").contains(target)).length,
        };
    };
    const frameAfter = frame();
    move(values[1]);
    const handled = take();
    await frameAfter;
    const painted = take();
    await shown();
    return { rows: below.length, handled, painted, later: take() };
}"""  # noqa: E501


#: Moves the slider in each frame, at this many milliseconds by the page's clock. Returns the changes of the images.
MOVES = """async (root, [values, step]) => {
    const slider = root.querySelector(".slider.threshold");
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    let [clock, changes] = [0, 0];
    performance.now = () => clock;
    const observer = new MutationObserver((records) => { changes += records.length; });
    observer.observe(root.querySelector(".gallery-body"), { subtree: true, childList: true, attributes: true });
    for (const value of values) {
        await frame();
        clock += step;
        slider.value = value;
        slider.dispatchEvent(new Event("input", { bubbles: true }));
    }
    const during = changes;
    for (let count = 0; count < 4; count += 1) await frame();
    delete performance.now;
    return { during, after: changes };
}"""


def test_slider_moves_update_only_visible_text(browser: Browser, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.array([f"label {number}" for number in range(25)])
    images = [f"{number:03}.png" for number in range(300)]
    truth = pd.DataFrame({"image": images * 4, "label": rng.choice(labels, 1200), "top": 5.0, "width": 20.0})
    truth["left"], truth["height"] = 25.0 * (np.arange(1200) // 300), 20.0
    said = truth.assign(label=np.where(rng.random(1200) < 0.3, rng.choice(labels, 1200), truth["label"]))
    said["confidence"] = rng.random(1200)
    screen = _file_of(browser, cl.evaluate(truth, said, images, task="boxes"), tmp_path)
    found = screen.root.evaluate(CHANGES, ["0.3", "0.6"])
    assert found["rows"] >= 10
    assert found["handled"]["numbers"] > 50
    for step in ("handled", "painted"):
        assert (found[step]["images"], found[step]["below"], found[step]["replaced"]) == (0, 0, 0), step
    assert found["later"]["images"] > 0
    assert found["later"]["below"] > 0
    texts = screen.said()
    screen.move("threshold", 0.6)  # settled: everything at once
    again = screen.said()
    assert {name: texts["rows"][name] for name in labels} == {name: again["rows"][name] for name in labels}
    assert texts["shown"] == again["shown"]

    # while moves come in each frame, the images wait for the last, or for a tenth of a second
    quick = screen.root.evaluate(MOVES, [["0.2", "0.4", "0.2", "0.4", "0.2"], 10])
    assert quick["during"] == 0
    assert quick["after"] > 0
    assert screen.root.evaluate(MOVES, [["0.4", "0.2", "0.4", "0.2", "0.4"], 60])["during"] > 0
    screen.page.close()
