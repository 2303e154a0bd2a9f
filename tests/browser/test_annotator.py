"""Tests of the annotator by mouse, keyboard, touch and pen in JupyterLab."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.annotator import PROJECT, SETUP, SHOW, AnnotatorPage
from tests.browser.jupyter import BUSY, FLAVOURS, Lab, notebook
from tests.facts import facts

pytestmark = pytest.mark.browser


def opened(lab: Lab, *more: str, count: int = 4, project: str = PROJECT, show: str = SHOW, **context: object):
    """Open an annotator of ``count`` images in cell 1 of a new notebook, wide enough for both side panels."""
    source = notebook(SETUP + project.replace("{count}", str(count)), show, *more)
    page = lab.open(source, **{"width": 1500, "height": 1000, **context})
    page.run_cell(0)
    page.run_cell(1)
    return AnnotatorPage(page, 1).ready()


@pytest.mark.storing
@pytest.mark.parametrize("lab", FLAVOURS, indirect=True)
def test_key_drag_next(lab: Lab) -> None:
    annotator = opened(lab, count=9)
    for number, label in enumerate("213"):
        annotator.expect_image(f"{number}.png")
        annotator.press(label)
        annotator.drag((50, 40), (150, 140 + number))
        annotator.press("PageDown")
    # typed before the images arrive: each key applies to the image it was meant for
    annotator.press(*["n", "PageDown"] * 4, "2", "k", "Enter", "Enter", "Enter", "n", "Enter")
    expect(annotator.root.locator(".empty p")).to_have_text(facts(9, 9, "images"))
    assert annotator.stored(0) == [("pear", 50, 40, 100, 100)]
    statuses = annotator.page.value("project.train_set.images['status'].value_counts().to_dict()")
    assert annotator.stored(1) == [("apple", 50, 40, 100, 101)]
    assert annotator.stored(2) == [("plum", 50, 40, 100, 102)]
    assert (annotator.stored(3), statuses) == ([], {"labelled": 9})
    assert [len(annotator.stored(number)) for number in range(2, 9)] == [1, 0, 0, 0, 0, 1, 0]
    annotator.press("PageUp")
    annotator.expect_image("8.png")
    expect(annotator.root.locator(".foot .position")).to_have_text("9 of 9 · 0 left")


@pytest.mark.journey
@pytest.mark.storing
def test_every_gesture_on_boxes(lab: Lab) -> None:
    annotator = opened(lab)
    root = annotator.root
    # draw, select, move
    annotator.drag((50, 40), (150, 140))
    annotator.click(100, 100)
    annotator.drag((100, 100), (130, 110))
    assert annotator.stored() == [("apple", 80, 50, 100, 100)]
    # the eight handles: corners and sides move by (dx, dy) = (10, 5), opposite ones do not
    left, top, right, bottom = 80, 50, 180, 150
    for handle in ("nw", "n", "ne", "e", "se", "s", "sw", "w"):
        x = left if "w" in handle else right if "e" in handle else (left + right) / 2
        y = top if "n" in handle else bottom if "s" in handle else (top + bottom) / 2
        annotator.drag((x, y), (x + 10, y + 5))
        left, right = left + 10 * ("w" in handle), right + 10 * ("e" in handle)
        top, bottom = top + 5 * ("n" in handle), bottom + 5 * ("s" in handle)
        assert annotator.stored() == [("apple", left, top, right - left, bottom - top)], handle
    # past the opposite corner the box flips
    annotator.drag((right, bottom), (60, 30))
    assert annotator.stored() == [("apple", 60, 30, left - 60, top - 30)]
    annotator.press("Control+z")
    assert annotator.stored() == [("apple", left, top, right - left, bottom - top)]
    # moved by keys, one step for undo
    annotator.press("ArrowRight", "ArrowRight", "Shift+ArrowDown")
    assert annotator.stored() == [("apple", left + 2, top + 10, right - left, bottom - top)]
    annotator.press("Control+z", "Control+Shift+Z")
    assert annotator.stored() == [("apple", left + 2, top + 10, right - left, bottom - top)]
    # edited as numbers
    annotator.field("left").fill("20")
    annotator.field("left").press("Enter")
    annotator.field("height").fill("1")
    annotator.field("height").press("Enter")
    expect(root.locator(".notice")).to_contain_text("smaller than 2 × 2")
    assert annotator.stored() == [("apple", 20, top + 10, right - left, bottom - top)]
    annotator.field("width").fill("60")
    annotator.field("width").press("Enter")
    assert annotator.stored() == [("apple", 20, top + 10, 60, bottom - top)]
    # relabelled and deleted
    annotator.press("2")
    assert annotator.stored()[0][0] == "pear"
    annotator.press("Delete")
    assert (annotator.stored(), annotator.status()) == ([], "unlabelled")
    root.get_by_label("undo", exact=True).click()
    assert annotator.stored()[0][0] == "pear"
    annotator.press("Delete", "1")
    # a box in a box: drawn with a key, and smaller ones are selected by their edge or Tab
    annotator.drag((20, 20), (300, 280))
    annotator.drag((60, 60), (200, 200))
    annotator.click(250, 250)
    annotator.drag((230, 100), (280, 150), key="Control")
    assert annotator.stored() == [("apple", 20, 20, 280, 260), ("apple", 60, 60, 140, 140), ("apple", 230, 100, 50, 50)]
    annotator.press("Tab")
    expect(annotator.rows().nth(0)).to_have_class("row current")
    annotator.press("Tab", "Tab", "Shift+Tab")
    expect(annotator.rows().nth(1)).to_have_class("row current")
    # copied, duplicated, and pasted on the next image
    annotator.press("Control+c", "Control+d")
    assert ("apple", 70, 70, 140, 140) in annotator.stored()
    annotator.press("PageDown")
    annotator.expect_image("1.png")
    annotator.press("3", "Control+v")
    assert annotator.stored(1) == [("apple", 60, 60, 140, 140)]
    annotator.press("PageUp")
    annotator.expect_image("0.png")
    annotator.press("Control+z")  # each image has its own undo steps
    annotator.expect_shapes(3)
    assert annotator.stored(1) == [("apple", 60, 60, 140, 140)]
    # locked and hidden: clicks go through, to draw
    annotator.label_button("apple").hover()
    root.locator(".toggle.locked[data-label='apple']").click()
    annotator.press("2")
    annotator.drag((60, 130), (100, 160))
    assert ("pear", 60, 130, 40, 30) in annotator.stored()
    assert len(annotator.stored()) == 4
    annotator.press("1", "l", "h")
    expect(root.locator(".toggle.hidden[data-label='apple']")).to_have_text("hidden")
    annotator.drag((310, 20), (390, 80))  # new shapes are visible
    expect(root.locator(".toggle.hidden[data-label='apple']")).to_have_text("hide")
    assert len(annotator.stored()) == 5


@pytest.mark.storing
def test_drawn_shape_is_selected_and_next_one_is_drawn_from_its_edge(lab: Lab) -> None:
    annotator = opened(lab)
    root = annotator.root
    annotator.drag((50, 40), (150, 140))
    expect(annotator.rows().first).to_have_class("row current")
    annotator.press("ArrowRight", "2")
    expect(root.locator(".notice")).to_contain_text("Next shape: “\u2068pear\u2069”")
    annotator.drag((151, 60), (251, 160))  # an edge of the first, and a part of it
    annotator.drag((170, 80), (230, 140))  # inside the second
    assert annotator.stored() == [("apple", 51, 40, 100, 100), ("pear", 151, 60, 100, 100), ("pear", 170, 80, 60, 60)]
    annotator.press("Control+c", "Delete")
    annotator.expect_shapes(2)
    annotator.drag((350, 200), (351, 201))
    expect(root.locator(".notice")).to_contain_text("smaller than 2 × 2")
    annotator.click(200, 100)
    expect(root.locator(".notice")).to_have_count(0)
    annotator.press("3")  # relabels the one that was clicked
    annotator.press("v")
    annotator.drag((100, 80), (110, 85))  # moves another one
    annotator.drag((300, 20), (390, 90))  # draws nothing
    assert annotator.stored() == [("apple", 61, 45, 100, 100), ("plum", 151, 60, 100, 100)]
    annotator.press("PageDown")
    annotator.expect_image("1.png")
    annotator.press("Control+v")
    assert annotator.stored(1) == [("pear", 170, 80, 60, 60)]
    annotator.press("b")
    annotator.drag((20, 20), (80, 80))
    annotator.press("2")
    root.get_by_role("button", name="Change this one").click()
    assert annotator.stored(1) == [("pear", 20, 20, 60, 60), ("pear", 170, 80, 60, 60)]


def test_photo_has_most_of_the_area_and_panels_fold(lab: Lab) -> None:
    annotator = opened(lab, width=1280)
    page, root = annotator.page.page, annotator.root
    rest = 1280 - root.bounding_box()["width"]
    left, right = root.locator(".side.left"), root.locator(".side.right")
    for height in (768, 1000):
        page.set_viewport_size({"width": round(820 + rest), "height": height})
        expect(left).to_have_class(re.compile("rail"))
        page.wait_for_timeout(500)
        annotator.canvas.scroll_into_view_if_needed()
        box = root.bounding_box()
        assert box["width"] == pytest.approx(820, abs=2)
        assert box["height"] < height - 100
        assert 400 * 300 * annotator.zoom**2 > 0.5 * box["width"] * box["height"]
        annotator.page.screenshot(f"annotator-820-{height}")
    # the wheel zooms with focus or Ctrl, and out until the image fits
    fit = annotator.zoom
    page.mouse.move(*annotator.at(200, 150))
    page.evaluate("document.activeElement.blur()")
    page.mouse.wheel(0, -100)
    page.wait_for_timeout(300)
    assert annotator.zoom == fit
    page.keyboard.down("Control")
    annotator.wheel(-20)
    page.keyboard.up("Control")
    assert annotator.zoom > fit
    root.evaluate("node => node.focus()")
    annotator.wheel(2000)
    assert annotator.zoom == pytest.approx(fit)
    # a label is found in a rail, too
    annotator.press("/")
    expect(left).to_have_class(re.compile("over"))
    page.keyboard.type("plu")
    annotator.press("Enter")
    expect(left).to_have_class(re.compile("rail"))
    annotator.drag((50, 40), (150, 140))
    annotator.drag((200, 40), (300, 140))
    assert [label for label, *_ in annotator.stored()] == ["plum", "plum"]
    # the list: numbers, one Tab stop, linked with the image
    right.locator(".fold").click()
    expect(annotator.field("left")).to_be_visible()
    rows = annotator.rows()
    assert rows.locator(".number").all_inner_texts() == ["1", "2"]
    assert rows.evaluate_all("rows => rows.map(row => row.tabIndex)") == [-1, 0]
    page.mouse.move(*annotator.at(100, 100))
    expect(rows.nth(0)).to_have_attribute("data-hover", "")
    page.mouse.move(*annotator.at(350, 250))
    expect(root.locator("[data-hover]")).to_have_count(0)
    painted = "node => node.querySelector('.paper').toDataURL()"
    before = annotator.canvas.evaluate(painted)
    rows.nth(0).hover()
    page.wait_for_timeout(200)
    assert annotator.canvas.evaluate(painted) != before
    rows.nth(1).focus()
    annotator.press("ArrowUp")
    expect(rows.nth(0)).to_be_focused()
    expect(rows.nth(0)).to_have_class("row current")
    annotator.press("Delete")
    expect(rows).to_have_count(1)
    expect(rows.nth(0)).to_be_focused()
    left.locator(".fold").click()
    expect(annotator.label_button("apple").locator(".grow")).to_be_visible()
    # full screen
    root.locator(".full-screen").click()
    expect(root.locator(".full-screen")).to_have_attribute("aria-pressed", "true")
    expect(root).to_have_css("width", f"{page.evaluate('screen.width')}px")
    annotator.page.screenshot("annotator-full-screen")
    annotator.press("Shift+f")
    expect(root.locator(".full-screen")).to_have_attribute("aria-pressed", "false")
    assert root.bounding_box()["width"] == pytest.approx(820, abs=2)
    # opened panels stay open when the cell is run again
    annotator.page.run_cell(1)
    annotator.ready()
    expect(left.locator(".fold")).to_have_attribute("aria-expanded", "true")
    expect(annotator.label_button("apple").locator(".grow")).to_be_visible()


@pytest.mark.storing
def test_nothing_is_left_of_what_was_not_finished(lab: Lab) -> None:
    annotator = opened(lab)
    root, page = annotator.root, annotator.page.page
    annotator.drag((50, 40), (150, 140), release=False)
    annotator.press("Escape")
    annotator.mouse.up()
    annotator.drag((50, 40), (150, 140), release=False)
    annotator.canvas.evaluate("node => node.dispatchEvent(new PointerEvent('pointercancel', { pointerId: 1 }))")
    annotator.mouse.up()
    annotator.drag((50, 40), (51, 140))
    expect(root.locator(".notice")).to_contain_text("smaller than 2 × 2")
    annotator.press("k", "ArrowRight")
    annotator.mouse.move(*annotator.at(10, 10))  # a pointer passing by has no effect
    annotator.press("Escape", "p")
    annotator.click(50, 50)
    annotator.click(90, 50)
    annotator.press("PageDown")
    expect(root.locator(".notice")).to_contain_text("Close the polygon (Enter) or discard it (Esc) first.")
    annotator.press("Escape", "b")
    annotator.expect_shapes(0)
    assert (annotator.stored(), annotator.status()) == ([], "unlabelled")
    assert annotator.page.value("len(project.history)") == annotator.page.value(
        "int((project.history['what'] != 'draw').sum())"
    )
    # by keys only: K, arrows, Enter, arrows, Enter
    annotator.press("k", *["Shift+ArrowLeft"] * 5, "ArrowUp", "Enter", "Shift+ArrowRight", "ArrowDown", "Enter")
    assert annotator.stored() == [("apple", 150, 149, 70, 61)]
    annotator.press("ArrowLeft", "Escape", "ArrowRight")
    annotator.expect_image("1.png")
    # statuses: nothing here, needs review, skipped. Pressing again undoes each.
    for key, status in (("n", "labelled"), ("r", "needs_review"), ("0", "skipped")):
        annotator.press(key)
        assert annotator.status(1) == status
        expect(root.locator(".film").nth(1)).to_have_class(f"film {status} current")
    annotator.press("0")
    assert annotator.status(1) == "unlabelled"
    annotator.press("r")
    annotator.drag((50, 40), (150, 140))
    assert annotator.status(1) == "needs_review"
    annotator.press("n")
    expect(root.locator(".notice")).to_contain_text("This image has shapes or labels")
    # zoom to the pointer, pan with Space, original size, fit
    x, y = annotator.at(300, 200)
    place = (round(x), round(y))  # the wheel event has integer coordinates
    there = (300 + (place[0] - x) / annotator.zoom, 200 + (place[1] - y) / annotator.zoom)
    page.mouse.move(*place)
    annotator.wheel(-400)
    assert annotator.zoom > 1.5
    rested = annotator.at(*there)
    assert rested == pytest.approx(place, abs=0.51)  # at rest it is aligned to whole pixels
    page.keyboard.down(" ")
    page.mouse.down()
    page.mouse.move(place[0] - 30, place[1] + 20)
    page.mouse.up()
    page.keyboard.up(" ")
    assert annotator.at(*there) == pytest.approx((rested[0] - 30, rested[1] + 20), abs=0.01)
    annotator.press("Shift+o")
    assert annotator.zoom == 1
    annotator.press("f", "g")
    expect(root.locator(".row", has_text="Guides")).to_have_class("row current")
    # Tab leaves the widget after Esc
    annotator.press("Tab")
    expect(annotator.rows().first).to_have_class("row current")
    annotator.press("Escape", "Tab")
    assert root.evaluate("node => document.activeElement !== node && node.contains(document.activeElement)")


PREDICTIONS = """
names = project.train_set.images["image"].tolist()
said = pd.DataFrame({"image": [names[0]] * 3 + [names[1]], "label": ["apple", "pear", "pear", "plum"],
                     "left": [20, 120, 300, -10], "top": [20, 30, 200, 10], "width": [80, 90, 60, 50],
                     "height": 70, "confidence": [0.9, 0.8, 0.35, 0.6]})
"""


def test_polygons_and_what_a_model_said(lab: Lab) -> None:
    annotator = opened(lab, project=PROJECT.replace("boxes", "polygons") + PREDICTIONS)
    root = annotator.root
    expect(root.locator("[data-tool='polygon']")).to_have_attribute("aria-pressed", "true")
    for point in ((20, 20), (120, 20), (120, 120)):
        annotator.click(*point)
    annotator.mouse.dblclick(*annotator.at(20, 120))
    square = [[20, 20], [120, 20], [120, 120], [20, 120]]
    assert annotator.stored() == [("apple", 20, 20, 100, 100, square)]
    # a corner moved, added on an edge, and removed
    annotator.click(70, 20)  # the edge selects
    annotator.drag((120, 120), (150, 160))
    annotator.click(70, 20)
    annotator.drag((70, 20), (70, 5))
    assert annotator.stored() == [("apple", 20, 5, 130, 155, [[20, 20], [70, 5], [120, 20], [150, 160], [20, 120]])]
    annotator.press("ArrowUp", "Delete")
    annotator.click(150, 160, key="Alt")
    assert annotator.stored() == [("apple", 20, 20, 100, 100, [[20, 20], [120, 20], [20, 120]])]
    annotator.drag((45, 45), (55, 50))
    assert annotator.stored() == [("apple", 30, 25, 100, 100, [[30, 25], [130, 25], [30, 125]])]
    annotator.press("Escape")
    # another one closed by Enter after removing its last corner, and one closed by its first corner
    for point in ((200, 200), (300, 200), (300, 280), (390, 290)):
        annotator.click(*point)
    annotator.press("Backspace", "Enter")
    for point in ((200, 20), (300, 20), (300, 80), (201, 21)):
        annotator.click(*point)
    assert [row[5] for row in annotator.stored()[1:]] == [
        [[200, 20], [300, 20], [300, 80]],
        [[200, 200], [300, 200], [300, 280]],
    ]
    # predictions of a model arrive while the page is open
    annotator.press("PageDown")
    annotator.expect_image("1.png")
    client = annotator.page.kernel_client()
    client.execute("project.add_predictions(said.assign(image=[names[1]] * 3 + [names[2]]), model='m')", reply=True)
    expect(annotator.rows()).to_have_count(3)
    assert annotator.stored(1) == []
    annotator.press("Tab", "Enter")
    assert annotator.stored(1) == [("apple", 20, 20, 80, 70)]
    annotator.press("Control+z")  # dashed again
    expect(root.locator(".row.dashed")).to_have_count(3)
    annotator.press("b")
    annotator.click(330, 230)
    expect(root.locator(".row.dashed.current .count")).to_have_text("0.35 · accept ⏎")
    annotator.press("Delete", "a")
    assert annotator.stored(1) == [("apple", 20, 20, 80, 70), ("pear", 120, 30, 90, 70)]
    assert annotator.page.value("project.train_set.annotations['confidence'].tolist()") == [1] * 5
    annotator.press("PageDown")
    annotator.expect_image("2.png")
    root.locator(".row.dashed").click()
    assert annotator.stored(2) == [("plum", 0, 10, 40, 70)]  # clipped
    # labels of the whole image, next to shapes
    root.locator(".row", has_text="+ image labels").click()
    root.locator("[data-whole='pear']").click()
    annotator.expect_saved()
    marks = "project.train_set.annotations"
    assert annotator.page.value(f"{marks}[{marks}['left'].isna()]['label'].tolist()") == ["pear"]
    assert annotator.stored(2) == [("plum", 0, 10, 40, 70)]
    # predictions for the whole image are dashed as well
    whole = "pd.DataFrame({'image': [names[3]], 'label': ['plum'], 'confidence': [0.7]})"
    client.execute(f"project.add_predictions({whole}, model='w')", reply=True)
    annotator.press("PageDown")
    annotator.expect_image("3.png")
    root.locator(".row", has_text="− image labels").click()
    said = root.locator("[data-whole]:visible")
    expect(said).to_have_text("plum0.70 · accept")
    assert annotator.page.value(f"(~{marks}['image'].eq(names[3])).all().item()")
    annotator.press("a")
    expect(root.locator("[data-whole='plum']")).to_have_text("plum✓")
    annotator.press("Control+z")
    expect(said).to_have_text("plum0.70 · accept")
    said.click()
    annotator.expect_saved()
    assert annotator.page.value(f"{marks}.loc[{marks}['image'].eq(names[3]), 'label'].tolist()") == ["plum"]


PHOTO = """
import shutil
draw(1)
shutil.copy({photo!r}, "photos/photo.jpg")
project = cl.create_project("things", task="polygons")
project.add_images("photos", progress=False)
for label in ("apple", "banana", "orange"):
    project.labels.add(label)

def overlap(polygon, box):
    "IoU of the bounding box of a polygon with a box."
    points = np.array(polygon)
    (left, top), (right, bottom) = points.min(0), points.max(0)
    x, y, width, height = box
    both = max(0, min(right, x + width) - max(left, x)) * max(0, min(bottom, y + height) - max(top, y))
    return round(float(both / ((right - left) * (bottom - top) + width * height - both)), 2)
"""


@pytest.mark.storing
def test_holes_parts_and_assisted_outlines(lab: Lab, test_data: Path) -> None:
    folder = test_data / "fruit-objects"
    if not folder.is_dir():
        pytest.skip(f"no photos at {folder}")
    files = json.loads((folder / "tagged-images.json").read_text("utf-8"))["files"]
    tagged = next(one for one in files if one["filename"] == "image12.jpg")
    photo = folder / "images" / tagged["filename"]
    annotator = opened(lab, project=PHOTO.replace("{photo!r}", repr(str(photo))))
    page, root = annotator.page, annotator.root
    tool = lambda name: root.locator(f"[data-tool='{name}']")  # noqa: E731

    def ring(*corners: tuple[float, float]) -> None:
        for corner in corners:
            annotator.click(*corner)
        annotator.press("Enter")

    def rings() -> list[int]:
        return [len(one) for one in annotator.stored()[0][5]]

    square = [[20, 20], [220, 20], [220, 220], [20, 220]]
    ring(*square)
    # by mouse: a hole, moved by a corner
    tool("hole").click()
    expect(root.locator(".tool-hints")).to_contain_text("Hole")
    ring((80, 80), (140, 80), (140, 140), (80, 140))
    holed = [square, [[80, 80], [140, 80], [140, 140], [80, 140]]]
    assert annotator.stored() == [("apple", 20, 20, 200, 200, holed)]
    # a part by key, a notch across the edge
    annotator.press("Shift+Equal")
    expect(tool("part")).to_have_attribute("aria-pressed", "true")
    ring((260, 60), (340, 60), (340, 140))
    expect(annotator.rows().locator(".count")).to_have_text("11 points · 2 parts · 1 hole")
    assert annotator.stored()[0][1:5] == (20, 20, 320, 200)
    annotator.press("Shift+Minus")
    ring((200, 100), (240, 100), (240, 120), (200, 120))
    assert sorted(rings()) == [3, 4, 8]
    annotator.press("v")
    annotator.drag((140, 140), (150, 160))
    assert [150, 160] in [corner for one in annotator.stored()[0][5] for corner in one]
    # a part is deleted by Alt click or its corner, and each step is undone
    annotator.press("Shift+Minus")
    annotator.click(320, 80, key="Alt")
    assert sorted(rings()) == [4, 8]
    annotator.click(80, 80)
    annotator.press("Shift+Delete")
    expect(annotator.rows().locator(".count")).to_have_text("8 points")
    annotator.press(*["Control+z"] * 4)
    assert sorted(rings()) == [3, 4, 4]
    annotator.press("Control+Shift+Z")
    assert sorted(rings()) == [3, 4, 8]
    ring((0, 0), (390, 0), (390, 290), (0, 290))
    expect(root.locator(".notice")).to_contain_text("Nothing would be left")
    # outlines of a real photo: from a box, then from clicks
    annotator.press("v", "PageDown")
    annotator.expect_image("photo.jpg")
    width, height = (int(side) for side in root.locator(".toolbar .size").inner_text().split(" × "))
    boxes = {
        tag["tag"]: (tag["left"] * width, tag["top"] * height, tag["width"] * width, tag["height"] * height)
        for tag in tagged["tags"]
    }
    annotator.press("3")
    tool("outline").click()
    left, top, across, down = boxes["orange"]
    annotator.drag((left - 8, top - 8), (left + across + 8, top + down + 8))
    annotator.expect_shapes(1)
    expect(root.locator(".toast")).to_contain_text("Outline → \u2068orange\u2069")
    (outlined,) = annotator.stored("photo")
    assert page.value(f"overlap({outlined[5]}, {boxes['orange']})") > 0.85
    # fewer points, and more again
    points = annotator.rows().locator(".count")
    before = points.inner_text()
    annotator.press("[", "[", "[")
    expect(points).not_to_have_text(before)
    annotator.press("]", "]", "]")
    expect(points).to_have_text(before)
    slider = root.get_by_label("Fewer points")
    slider.fill("8")
    expect(points).not_to_have_text(before)
    assert len(annotator.stored("photo")[0][5]) < len(outlined[5])
    # clicks add to the outline and take away from it. Enter keeps it, and the next click begins another
    annotator.press("Enter", "2")
    left, top, across, down = boxes["banana"]
    annotator.click(left + 0.45 * across, top + 0.2 * down)
    annotator.expect_shapes(2)
    annotator.click(left + 0.8 * across, top + 0.5 * down)
    annotator.click(left + 0.5 * across, top + 0.8 * down, key="Alt")
    page.page.wait_for_timeout(500)
    for theme in ("light", "dark"):
        page.set_theme(theme)
        for size in ((1400, 900), (1366, 768), (1000, 768)):
            page.page.set_viewport_size({"width": size[0], "height": size[1]})
            page.page.wait_for_timeout(500)
            annotator.canvas.scroll_into_view_if_needed()
            page.screenshot(f"annotator-masks-{theme}-{size[0]}")
            assert root.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
    annotator.expect_shapes(2)
    assert [shape[0] for shape in annotator.stored("photo")] == ["banana", "orange"]
    assert page.value(f"overlap({annotator.stored('photo')[0][5]}, {boxes['banana']})") > 0.6
    page.save()
    stored = [annotator.stored(number) for number in (0, "photo")]
    # reloaded: everything is there
    page.show()
    annotator = AnnotatorPage(page, 1).ready()
    annotator.expect_image("photo.jpg")
    annotator.expect_shapes(2)
    assert [annotator.stored(number) for number in (0, "photo")] == stored
    annotator.press("PageUp")
    annotator.expect_image("0.png")
    expect(root.locator(".list.shapes .count")).to_have_text("15 points · 2 parts · 1 hole")


PRECISE = """
folder = Path("photos"); folder.mkdir()
upright = Image.new("RGB", (1500, 2000), "#e8e8e8")
upright.paste("#202020", (600, 800, 900, 1200))
upright.paste("#202020", (700, 500, 740, 530))
upright.save(folder / "0.png")
exif = Image.Exif(); exif[0x0112] = 6
upright.transpose(Image.Transpose.ROTATE_90).save(folder / "1.jpg", exif=exif, quality=95, subsampling=0)
project = cl.create_project("things", task="boxes")
project.add_images("photos", progress=False)
project.labels.add("apple", colour="#ff0000")
"""
#: Position of a box's red left (top) edge on the canvas: its centre, in CSS pixels of the page.
LINES = """(node, [x, y, horizontal]) => {
    const paper = node.querySelector(".paper");
    const ratio = paper.width / paper.getBoundingClientRect().width;
    const box = paper.getBoundingClientRect();
    const reach = Math.round(6 * ratio);
    const [px, py] = [Math.round((x - box.left) * ratio), Math.round((y - box.top) * ratio)];
    const [left, top] = horizontal ? [px - reach, py] : [px, py - reach];
    const size = horizontal ? [2 * reach, 1] : [1, 2 * reach];
    const { data } = paper.getContext("2d").getImageData(left, top, ...size);
    let [sum, weighted] = [0, 0];
    for (let at = 0; at < 2 * reach; at += 1) {
        const red = data[4 * at] / 255 * data[4 * at + 3] / 255;
        sum += red;
        weighted += red * (at + 0.5);
    }
    const middle = (horizontal ? left : top) + weighted / sum;
    return sum > 0.5 ? middle / ratio + (horizontal ? box.left : box.top) : null;
}"""


def crossing(line: Any) -> float:
    """Return the subpixel position at which a line falls from 1, its starting colour, to 0, the colour after it."""
    last = next(at for at, share in enumerate(line) if share < 0.5)
    return float(last - 0.5 + (line[last - 1] - 0.5) / (line[last - 1] - line[last]))


@pytest.mark.storing
@pytest.mark.parametrize("ratio", [1, 2])
def test_what_is_drawn_is_what_is_stored_at_any_zoom(lab: Lab, ratio: int) -> None:
    import io

    import numpy as np
    from PIL import Image

    annotator = opened(lab, project=PRECISE, device_scale_factor=ratio)
    page = annotator.page
    columns = "['left', 'top', 'width', 'height']"
    for number, kind in enumerate(("png", "jpg")):
        annotator.expect_image(f"{number}.{kind}")
        for zoom in (0.5, 1, 8):
            annotator.press("f")
            # the dark rectangle (the small one when zoomed in) is at the given coordinates
            inner = (700, 500, 740, 530) if zoom == 8 else (600, 800, 900, 1200)
            annotator.zoom_to(zoom, (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2)
            whole, part = annotator.root.locator(".photo").first, annotator.root.locator(".photo").last
            sharpness = whole.evaluate("node => node.decode().then(() => node.naturalWidth)") / 1500
            if sharpness < 0.999 and zoom * ratio > 1.2 * sharpness:  # the visible part is loaded at full resolution
                expect(part).to_be_visible()
                page.page.wait_for_function("node => node.complete && node.naturalWidth", arg=part.element_handle())
            (x0, y0), (x1, y1) = annotator.at(*inner[:2]), annotator.at(*inner[2:])
            annotator.mouse.move(*annotator.at(10, 10))
            annotator.canvas.evaluate("node => { node.querySelector('.paper').style.visibility = 'hidden' }")
            clip = {
                "x": round(x0) - 20,
                "y": round(y0) - 20,
                "width": round(x1 - x0) + 40,
                "height": round(y1 - y0) + 40,
            }
            seen = np.asarray(Image.open(io.BytesIO(page.page.screenshot(clip=clip))).convert("L")).astype(float)
            annotator.canvas.evaluate("node => { node.querySelector('.paper').style.visibility = '' }")
            inside, outside = seen[seen.shape[0] // 2, seen.shape[1] // 2], seen[2, 2]
            share = (seen - outside) / (inside - outside)
            middle_row, middle_column = share[seen.shape[0] // 2], share[:, seen.shape[1] // 2]
            for line, low, high, origin in ((middle_row, x0, x1, clip["x"]), (middle_column, y0, y1, clip["y"])):
                half = len(line) // 2
                begin = origin + (half - crossing(line[:half][::-1])) / ratio
                end = origin + (half + crossing(line[half:])) / ratio
                # the picture lies on whole pixels of the screen, at most half a pixel away, and JPEG blurs its edges
                assert begin == pytest.approx(low, abs=0.6), (kind, zoom)
                assert end == pytest.approx(high, abs=0.6), (kind, zoom)
            # a box drawn around it is stored at the same coordinates
            annotator.drag((inner[0], inner[1]), (inner[2], inner[3]), key="Control")
            annotator.expect_shapes(1)
            annotator.expect_saved()
            annotator.press("Escape")  # the fill of the selected shape would shift the measured lines
            annotator.mouse.move(*annotator.at(10, 10))
            page.page.wait_for_timeout(60)
            left, top, width, height = page.value(f"project.train_set.annotations[{columns}].values.tolist()[0]")
            assert [left, top, left + width, top + height] == pytest.approx(inner, abs=0.51 / zoom), (kind, zoom)
            x, y = annotator.at(left, top)
            middle, bottom = annotator.at(left + width / 2, top + height)
            assert annotator.canvas.evaluate(LINES, [x, y + 9, True]) == pytest.approx(x, abs=0.5)
            assert annotator.canvas.evaluate(LINES, [middle, bottom, False]) == pytest.approx(bottom, abs=0.5)
            annotator.press("Control+z")
            annotator.expect_saved()
        annotator.press("PageDown")


def test_fingers_and_pen(lab: Lab) -> None:
    annotator = opened(lab, has_touch=True)
    session = annotator.page.page.context.new_cdp_session(annotator.page.page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        places = [dict(zip(("x", "y"), annotator.at(*point), strict=True), id=at) for at, point in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    touch("touchStart", (50, 40))
    touch("touchMove", (100, 100))
    touch("touchMove", (150, 140))
    touch("touchEnd")
    assert annotator.stored() == [("apple", 50, 40, 100, 100)]
    touch("touchStart", (100, 90))
    touch("touchEnd")
    touch("touchStart", (100, 90))
    touch("touchMove", (140, 90))
    touch("touchEnd")
    assert annotator.stored() == [("apple", 90, 40, 100, 100)]
    # two fingers zoom around their midpoint and draw nothing
    zoom = annotator.zoom
    start = annotator.at(200, 150)
    places = [(start[0] - 40, start[1]), (start[0] + 40, start[1])]
    for kind, spread in (("touchStart", 1), ("touchMove", 1.5), ("touchMove", 2)):
        points = [{"x": start[0] + (x - start[0]) * spread, "y": y, "id": at} for at, (x, y) in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(annotator.root.locator(".photo").first).to_have_css("will-change", "auto")  # at rest
    assert annotator.zoom == pytest.approx(2 * zoom, rel=0.02)
    assert annotator.at(200, 150) == pytest.approx(start, abs=1)
    assert annotator.stored() == [("apple", 90, 40, 100, 100)]
    annotator.press("f")
    # a lost touch
    touch("touchStart", (200, 200))
    touch("touchMove", (300, 280))
    session.send("Input.dispatchTouchEvent", {"type": "touchCancel", "touchPoints": []})
    assert len(annotator.stored()) == 1
    # a pen
    annotator.press("Escape", "2")
    pen = {"button": "left", "pointerType": "pen", "force": 0.5, "clickCount": 1}
    for kind, point in (("mousePressed", (220, 180)), ("mouseMoved", (300, 230)), ("mouseReleased", (320, 240))):
        x, y = annotator.at(*point)
        held = 0 if kind == "mouseReleased" else 1
        session.send("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, "buttons": held, **pen})
    assert annotator.stored() == [("apple", 90, 40, 100, 100), ("pear", 220, 180, 100, 60)]


MANY = """
rng = np.random.default_rng(0)
left, top = rng.uniform(0, 360, 500), rng.uniform(0, 260, 500)
width, height = rng.uniform(4, 40, 500), rng.uniform(4, 40, 500)
many = pd.DataFrame({"image": project.train_set.images["image"].iloc[0], "label": rng.choice(["apple", "pear"], 500),
                     "left": left, "top": top, "width": width, "height": height})
project.update("train", many)
"""


@pytest.mark.storing
def test_a_busy_kernel_and_five_hundred_boxes(lab: Lab) -> None:
    annotator = opened(lab, BUSY, project=PROJECT + MANY)
    annotator.expect_shapes(500)
    annotator.page.run_cell(2, wait=False)
    expect(annotator.page.cell(2)).to_contain_text("[*]")
    annotator.root.focus()
    annotator.press("3")
    annotator.drag((5, 5), (395, 295), key="Control", release=False)
    for step in range(30):
        annotator.mouse.move(*annotator.at(395 - 3 * step, 295 - 2 * step))
    annotator.mouse.up()
    annotator.expect_shapes(501)
    annotator.expect_saved()
    expect(annotator.page.cell(2)).to_contain_text("[*]")  # the cell is still running, and the drawn box is stored
    annotator.press("PageDown")
    annotator.expect_image("1.png")
    annotator.drag((50, 40), (150, 140))
    annotator.expect_saved()
    expect(annotator.page.cell(2)).to_contain_text("[*]")
    annotator.page.let_go()
    annotator.page.wait_for_kernel()
    assert annotator.stored(1) == [("plum", 50, 40, 100, 100)]
    assert len(annotator.stored(0)) == 501


@pytest.mark.storing
def test_without_subshells_it_is_saved_once_the_kernel_is_free(lab: Lab) -> None:
    annotator = opened(lab, BUSY, settings={"apputils-extension/kernels-settings": {"commsOverSubshells": "disabled"}})
    annotator.page.page.wait_for_timeout(1_000)  # the next images are prefetched
    assert annotator.page.value("len(project.train_set.images)") == 4  # and the kernel has responded
    annotator.page.run_cell(2, wait=False)
    expect(annotator.page.cell(2)).to_contain_text("[*]")
    annotator.root.focus()
    annotator.drag((50, 40), (150, 140))
    annotator.press("2")
    annotator.drag((200, 40), (300, 140))
    annotator.expect_shapes(2)  # drawn immediately
    annotator.press("PageDown")
    annotator.expect_image("1.png")
    annotator.drag((10, 10), (60, 60))
    expect(annotator.root.locator(".state")).not_to_have_text("saved")
    expect(annotator.page.cell(2)).to_contain_text("[*]")
    annotator.page.let_go()
    annotator.expect_saved()
    assert annotator.stored(0) == [("apple", 50, 40, 100, 100), ("pear", 200, 40, 100, 100)]
    assert annotator.stored(1) == [("pear", 10, 10, 50, 50)]


@pytest.mark.storing
def test_a_kernel_that_is_killed_takes_nothing_along(lab: Lab) -> None:
    annotator = opened(lab)
    page = annotator.page
    annotator.drag((50, 40), (150, 140))
    annotator.expect_saved()
    page.kill_kernel()
    dialog = page.page.locator(".jp-Dialog button")
    dialog.last.wait_for(timeout=30_000)
    dialog.last.click()
    page.wait_for_kernel()
    annotator.press("2")
    annotator.drag((200, 40), (300, 140))
    annotator.drag((200, 160), (300, 260))
    annotator.press("PageDown")  # the next one was prefetched
    annotator.expect_image("1.png")
    annotator.drag((10, 10), (60, 60))
    expect(annotator.root.locator(".state")).to_contain_text("not saved")
    expect(annotator.root.locator(".notice.error")).to_contain_text("kept in this page")
    client = page.kernel_client()
    client.execute(SETUP + "\nproject = cl.load_project('things')", reply=True, timeout=60)
    page.run_cell(1)
    again = AnnotatorPage(page, 1).ready()
    expect(again.root.locator(".notice")).to_contain_text("not saved before. Trying again.")
    again.expect_shapes(3)
    assert again.stored(0) == [("apple", 50, 40, 100, 100), ("pear", 200, 40, 100, 100), ("pear", 200, 160, 100, 100)]
    assert again.stored(1) == [("pear", 10, 10, 50, 50)]
    again.click(100, 100)
    again.press("Delete")  # editing continues without a conflict with oneself
    assert len(again.stored(0)) == 2
    expect(again.root.locator(".notice.error")).to_have_count(0)


@pytest.mark.storing
def test_two_annotators_of_one_project(lab: Lab) -> None:
    show = 'b = project.annotate("train", sort="name")\nb'
    annotator = opened(lab, show, "pass")
    page = annotator.page
    page.run_cell(2)
    other = AnnotatorPage(page, 2)
    other.ready()
    # changes in one annotator appear in the other
    annotator.ready()
    annotator.drag((50, 40), (150, 140))
    annotator.expect_saved()
    other.expect_shapes(1)
    # a stale edit shows both versions: the other page is kept from hearing of the first edit
    page.hide()
    annotator.drag((200, 40), (300, 140))
    annotator.expect_saved()
    assert len(annotator.stored()) == 2
    other.ready()
    other.press("2")
    other.drag((200, 160), (300, 260))
    notice = other.root.locator(".notice.error")
    expect(notice).to_have_text(facts("0.png", 2, "shapes", 2))
    other.expect_shapes(2)
    assert {row[0] for row in other.stored()} == {"apple"}
    notice.get_by_text("Keep mine").click()
    assert other.stored() == [("apple", 50, 40, 100, 100), ("pear", 200, 160, 100, 100)]
    page.unhide()
    annotator.expect_shapes(2)
    expect(annotator.rows().nth(1)).to_contain_text("pear")
    # when the second is closed, the first continues to save
    page.page.evaluate("window.jupyterapp.commands.execute('notebook:clear-cell-output')")
    expect(other.root).to_have_count(0)
    annotator.ready()
    annotator.drag((20, 160), (90, 260))
    assert len(annotator.stored()) == 3
    # another process renames the label in use
    client = page.kernel_client()
    script = "import customlabels_nb as cl; cl.load_project('things').labels.rename('apple', 'quince')"
    client.execute(
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {script!r}], check=True)", reply=True
    )
    expect(annotator.label_button("quince")).to_be_visible(timeout=8_000)
    expect(annotator.rows().first).to_contain_text("quince")
    annotator.drag((320, 20), (390, 90))
    assert [row[0] for row in annotator.stored()] == ["pear", "quince", "quince", "quince"]


HOSTILE = """
hostile = "<img src=x onerror=window.hacked=1>"
draw(5)
for number, name in enumerate([hostile, "\\u202egnp.exe", "n" * 200]):
    Path(f"photos/{number}.png").rename(f"photos/{number} {name}.png")
project = cl.create_project("things", task="boxes")
project.add_images("photos", progress=False)
Path("photos/4.png").write_bytes(b"no image")
arabic = "\\u0627\\u0644\\u0639\\u0631\\u0628\\u064a\\u0629"
labels = [hostile, '"; DROP TABLE labels; --', "\\u202eltr", arabic, "l" * 256]
for label in [*labels, *(f"label {number}" for number in range(95))]:
    project.labels.add(label)
first = project.train_set.images["image"].iloc[0]
project.update("train", pd.DataFrame({"image": first, "label": labels, "left": [10, 90, 170, 250, 330], "top": 60.0,
                                      "width": 60.0, "height": 200.0}))
empty = cl.create_project("empty")
"""
READABLE = (
    ".toolbar strong", ".toolbar .size", "button.primary", ".side h4", ".label bdi", ".label .key", ".row .count",
    ".row.current .grow", ".side p.faint", "kbd", ".foot .position", ".foot .hints", ".foot .state", ".notice span",
)  # fmt: skip


def test_hostile_names_broken_and_empty_look_right_in_both_themes(lab: Lab) -> None:
    from tests.browser.contrast import colours

    annotator = opened(lab, "empty.annotate()", project=HOSTILE, width=1400)
    page, root = annotator.page, annotator.root
    annotator.expect_shapes(5)
    annotator.press("Tab", "Tab", "N")
    expect(root.locator(".notice")).to_contain_text("This image has shapes or labels")
    for theme in ("light", "dark"):
        page.set_theme(theme)
        page.page.wait_for_timeout(400)
        page.screenshot(f"annotator-hostile-{theme}")
        for selector in READABLE:
            found = colours(root.locator(selector).locator("visible=true").first)
            assert found["contrast"] >= 4.5, f"{selector} in {theme}: {found}"
    assert page.page.evaluate("window.hacked") is None
    assert root.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
    root.locator(".film").nth(4).click()
    expect(root.locator(".empty p")).to_contain_text("4.png")
    page.screenshot("annotator-broken")
    root.get_by_text("Next image").click()
    expect(root.locator(".empty p")).to_contain_text(facts(1, 5, "images"))
    root.get_by_text("Label the remaining 4").click()
    expect(root.locator(".foot .position")).to_have_text("1 of 4 · 4 left")
    # narrow, as next to another document
    page.page.set_viewport_size({"width": 760, "height": 1000})
    page.page.wait_for_timeout(400)
    page.screenshot("annotator-narrow")
    assert root.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
    expect(root.locator(".side.right")).to_be_hidden()
    root.locator(".unfold").click()
    expect(root.locator(".side.right")).to_be_visible()
    page.screenshot("annotator-unfolded")
    page.run_cell(2)
    expect(page.output(2).locator(".empty p")).to_contain_text("There are no images yet")
    page.screenshot("annotator-empty")


def test_labels_are_found_and_added_however_narrow_it_is(lab: Lab) -> None:
    annotator = opened(lab, project=PROJECT.replace('("apple"', '("applesauce", "apple"'), width=700)
    page, root = annotator.page, annotator.root
    expect(root).to_have_class(re.compile("narrow"))
    current = root.locator(".side.left .label.current")
    for typed, keys, label in (
        ("app", ["Enter"], "applesauce"),
        ("apple", ["Enter"], "apple"),  # the exact match, though another name begins with it
        ("appl", ["ArrowUp", "Enter"], "appl"),  # new, though other names begin with it
        ("zebra", ["Enter"], "zebra"),
    ):
        annotator.press("/")
        page.page.keyboard.type(typed)
        annotator.press(*keys)
        expect(current).to_have_attribute("data-label", label)
    assert annotator.status() == "unlabelled"  # no letter was taken for a shortcut
    annotator.drag((50, 40), (150, 140))
    assert annotator.stored() == [("zebra", 50, 40, 100, 100)]
    # nothing to copy and nothing to paste: both show a message
    annotator.press("Escape", "Control+c")
    expect(root.locator(".notice")).to_contain_text("No shape is selected")
    annotator.press("Control+v")
    expect(root.locator(".notice")).to_contain_text("Nothing to paste")


def test_labels_midway_and_their_manager(lab: Lab) -> None:
    finished = "draw(30, 'more')\nproject.add_images('more', split='test', label='apple', progress=False)\n"
    annotator = opened(lab, project=PROJECT + finished)
    page, root = annotator.page, annotator.root
    notice, current = root.locator(".notice", has_text="was added"), root.locator(".side.left .label.current")

    def type_label(name: str) -> None:
        annotator.press("/")
        page.page.keyboard.type(name)
        annotator.press("Enter")

    annotator.drag((50, 40), (150, 140))
    annotator.press("PageDown")
    annotator.expect_image("1.png")
    annotator.drag((50, 40), (150, 141))
    # a new label half-way: a notice offers to review the finished images, without a question in between
    type_label("fig")
    expect(current).to_have_attribute("data-label", "fig")
    expect(notice).to_contain_text("“\u2068fig\u2069”")
    notice.locator("button", has_text="Send them to review").click()
    expect(root.locator(".right .row", has_text="Needs review")).to_have_class("row current")
    assert [annotator.status(number) for number in range(4)] == ["needs_review"] * 2 + ["unlabelled"] * 2
    annotator.drag((200, 40), (300, 140))  # editing continues without a conflict with oneself
    assert annotator.stored(1) == [("apple", 50, 40, 100, 101), ("fig", 200, 40, 100, 100)]
    assert [annotator.status(number) for number in range(2)] == ["needs_review", "labelled"]
    for label in ("kiwi", "lime"):  # 1 image is finished now
        type_label(label)
        expect(current).to_have_attribute("data-label", label)
    expect(root.get_by_text("finished without it")).to_have_count(0)
    assert annotator.status(1) == "labelled"
    # the label manager: shapes follow immediately
    root.locator(".toolbar button", has_text="Labels…").click()
    manager = root.locator(".panel .label-manager")
    expect(manager.locator(".label-row")).to_have_count(6)
    expect(manager.locator(".label-list")).to_be_focused()
    annotator.press("F2")
    page.page.keyboard.type("Apfel")
    annotator.press("Enter")
    expect(annotator.rows().first).to_contain_text("Apfel")
    page.screenshot("annotator-labels")
    annotator.press("Escape")
    expect(root.locator(".panel")).to_be_hidden()
    annotator.press("1")
    annotator.drag((200, 160), (300, 260))
    assert [row[0] for row in annotator.stored(1)] == ["Apfel", "Apfel", "fig"]
    expect(root.locator(".notice")).to_have_count(0)  # no change was reported as made elsewhere


@pytest.mark.storing
def test_first_label_run_again_reload_and_still_picture(lab: Lab) -> None:
    annotator = opened(
        lab, project='draw(4)\nproject = cl.create_project("things")\nproject.add_images("photos", progress=False)\n'
    )
    page, root = annotator.page, annotator.root
    annotator.drag((50, 40), (150, 140))
    expect(root.locator(".notice")).to_contain_text("Type a label for the new shape")
    page.page.keyboard.type("first one")  # R and N are shortcuts outside of text fields
    annotator.press("Enter")
    expect(annotator.label_button("first one")).to_be_visible()
    assert annotator.stored() == [("first one", 50, 40, 100, 100)]
    assert annotator.status() == "labelled"
    assert page.value("project.task") == "boxes"
    annotator.press("PageDown", "PageDown")
    annotator.expect_image("2.png")
    annotator.drag((50, 40), (150, 141))
    annotator.expect_saved()
    page.expect_value("[(mark['type'], mark['label']) for mark in a.data]", [("box", "first one")])
    client = page.kernel_client()
    client.execute("a.display(project.train_set.images['image'].iloc[0])", reply=True)
    annotator.expect_image("0.png")
    client.execute("a.set_filter(show='unlabelled')", reply=True)
    annotator.expect_image("1.png")
    client.execute("a.set_filter()", reply=True)
    annotator.expect_image("0.png")
    saved = page.save()
    assert len(nbformat.writes(saved)) < 100_000
    page.show()  # the page is reloaded, the kernel is the same
    annotator = AnnotatorPage(page, 1).ready()
    annotator.expect_shapes(1)
    annotator.drag((200, 40), (300, 140))
    assert len(annotator.stored()) == 2
    page.shut_kernel_down()
    page.show()
    expect(page.output(1).locator(".clnb-still")).to_be_visible()
