"""Tests of the annotator by mouse, keyboard, touch and pen in JupyterLab."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.annotator import PROJECT, SETUP, SHOW, AnnotatorPage
from tests.browser.jupyter import BUSY, FLAVOURS, Lab, notebook
from tests.facts import facts
from tests.labeling import color_segmenter

pytestmark = pytest.mark.browser

#: Give a node a long text, and return if its last letter is inside the parent.
SHOWS_END = """node => {
    node.textContent = "a".repeat(200) + ".png";
    const range = document.createRange();
    range.setStart(node.firstChild, 203);
    range.setEnd(node.firstChild, 204);
    const [letter, room] = [range, node.parentElement].map((item) => item.getBoundingClientRect());
    return letter.width > 0 && letter.left >= room.left - 1 && letter.right <= room.right + 1;
}"""


def opened(lab: Lab, *more: str, count: int = 4, project: str = PROJECT, show: str = SHOW, **context: object):
    """Open an annotator of ``count`` images in cell 1 of a new notebook, wide enough for both side panels."""
    source = notebook(SETUP + project.replace("{count}", str(count)), show, *more)
    page = lab.open(source, **{"width": 1500, "height": 1000, **context})
    page.run_cell(0)
    page.run_cell(1)
    return AnnotatorPage(page, 1).ready()


@pytest.mark.journey
@pytest.mark.storing
@pytest.mark.parametrize("lab", FLAVOURS, indirect=True)
def test_boxes_are_drawn_changed_and_stored(lab: Lab) -> None:
    annotator = opened(lab)
    root = annotator.root
    # draw, select, move, resize by a corner past the opposite one, move by keys
    annotator.drag((50, 40), (150, 140))
    annotator.click(100, 100)
    annotator.drag((100, 100), (130, 110))
    annotator.drag((180, 150), (60, 30))
    annotator.press("ArrowRight", "ArrowRight", "Shift+ArrowDown")
    assert annotator.stored() == [("apple", 62, 40, 20, 20)]
    # edited as numbers, relabelled, and taken back
    annotator.field("width").fill("60")
    annotator.field("width").press("Enter")
    annotator.press("2")
    assert annotator.stored() == [("pear", 62, 40, 60, 20)]
    annotator.press("Control+z", "Control+z", "Control+z")
    annotator.press("Control+Shift+Z")
    root.get_by_label("undo", exact=True).click()
    annotator.press("Control+Shift+Z")
    assert annotator.stored() == [("apple", 62, 40, 20, 20)]
    annotator.press("Delete")
    assert (annotator.stored(), annotator.status()) == ([], "unlabelled")
    # copied, and pasted on the next image
    annotator.drag((20, 20), (300, 280))
    annotator.drag((60, 60), (200, 200), key="Control")
    annotator.press("Control+c", "PageDown")
    annotator.expect_image("1.png")
    annotator.press("Control+v")
    annotator.press("PageDown")
    annotator.expect_image("2.png")
    annotator.press("n", "PageDown")
    annotator.expect_image("3.png")
    annotator.press("3", "k", "Enter", "Enter", "Enter", "n", "Enter")
    expect(root.locator(".empty p")).to_have_text(facts(4, 4, "images"))
    assert annotator.stored(0) == [("pear", 20, 20, 280, 260), ("pear", 60, 60, 140, 140)]
    assert annotator.stored(1) == [("pear", 60, 60, 140, 140)]
    assert [label for label, *_ in annotator.stored(3)] == ["plum"]
    assert annotator.page.value("project.train_set.images['status'].tolist()") == ["labelled"] * 4


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
    # a label is found in a rail, too
    annotator.press("/")
    expect(left).to_have_class(re.compile("over"))
    page.keyboard.type("plu")
    annotator.press("Enter")
    expect(left).to_have_class(re.compile("rail"))
    annotator.drag((50, 40), (150, 140))
    annotator.drag((200, 40), (300, 140))
    assert [label for label, *_ in annotator.stored()] == ["plum", "plum"]
    # the list: one Tab stop, linked with the image
    right.locator(".fold").click()
    expect(annotator.field("left")).to_be_visible()
    rows = annotator.rows()
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
    annotator.press("Delete")
    expect(rows).to_have_count(1)
    expect(rows.nth(0)).to_be_focused()
    # a narrow page shows the end of a long name, and keys
    page.set_viewport_size({"width": round(560 + rest), "height": 900})
    expect(root).to_have_class(re.compile("narrow"))
    assert root.locator(".toolbar strong bdi").evaluate(SHOWS_END)
    expect(root.locator(".foot .hint", has_text="next shape")).to_be_in_viewport(ratio=0.99)
    root.get_by_role("button", name="Keyboard shortcuts").click()
    expect(root.locator(".keys")).to_be_visible()


def test_the_wheel_zooms_to_the_pointer_space_pans_and_tab_leaves(lab: Lab) -> None:
    annotator = opened(lab)
    root, page = annotator.root, annotator.page.page
    # without focus only Ctrl and the wheel zoom
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
    assert annotator.zoom == pytest.approx(fit)  # out until the image fits
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
    annotator.press("f")
    # nothing is left of a drag that the browser ends
    annotator.drag((50, 40), (150, 140), release=False)
    annotator.canvas.evaluate("node => node.dispatchEvent(new PointerEvent('pointercancel', { pointerId: 1 }))")
    annotator.mouse.up()
    annotator.expect_shapes(0)
    # Tab selects shapes, and leaves the widget after Esc
    annotator.drag((50, 40), (150, 140))
    annotator.drag((200, 40), (300, 140))
    annotator.press("Tab")
    expect(annotator.rows().first).to_have_class("row current")
    annotator.press("Escape", "Tab")
    assert root.evaluate("node => document.activeElement !== node && node.contains(document.activeElement)")


#: Predictions for images 1 and 2.
PREDICTIONS = """
names = project.train_set.images["image"].tolist()
said = pd.DataFrame({"image": names[1], "label": ["apple", "pear", "pear"], "left": [20, 120, 300],
                     "top": [20, 30, 200], "width": [80, 90, 60], "height": 70, "confidence": [0.9, 0.8, 0.35]})
project.add_predictions(said, model="m")
project.add_predictions(pd.DataFrame({"image": [names[2]], "label": ["plum"], "confidence": [0.7]}), model="w")
"""


def test_polygons_and_predictions(lab: Lab) -> None:
    annotator = opened(lab, project=PROJECT.replace("boxes", "polygons"))
    root = annotator.root
    for point in ((20, 20), (120, 20), (120, 120)):
        annotator.click(*point)
    annotator.mouse.dblclick(*annotator.at(20, 120))
    annotator.click(70, 20)  # the edge selects
    annotator.drag((120, 120), (150, 160))
    annotator.click(20, 120, key="Alt")
    assert annotator.stored() == [("apple", 20, 20, 130, 140, [[20, 20], [120, 20], [150, 160]])]
    # predictions of a model arrive while the page is open
    annotator.press("PageDown")
    annotator.expect_image("1.png")
    for point in ((200, 150), (280, 150)):  # a polygon is being drawn meanwhile
        annotator.click(*point)
    client = annotator.page.kernel_client()
    client.execute(PREDICTIONS, reply=True)
    expect(annotator.rows()).to_have_count(3)
    annotator.mouse.dblclick(*annotator.at(280, 190))
    assert annotator.stored(1) == [("apple", 200, 150, 80, 40, [[200, 150], [280, 150], [280, 190]])]
    annotator.press("Control+z")
    assert annotator.stored(1) == []
    annotator.press("Tab", "Enter")
    expect(root.locator(".row.dashed")).to_have_count(2)
    annotator.press("b")
    annotator.click(330, 230)
    expect(root.locator(".row.dashed.current .count")).to_have_text("0.35 · accept ⏎")
    annotator.drag((360, 270), (380, 260))  # a handle of the prediction
    assert annotator.stored(1) == [("apple", 20, 20, 80, 70), ("pear", 300, 200, 80, 60)]
    annotator.press("Control+z", "Control+z")
    annotator.click(330, 230)
    annotator.press("Delete", "a")
    assert annotator.stored(1) == [("apple", 20, 20, 80, 70), ("pear", 120, 30, 90, 70)]
    # predictions for the whole image are dashed as well
    annotator.press("PageDown")
    annotator.expect_image("2.png")
    said = root.locator("[data-whole='plum']")
    expect(said).to_have_text("plum0.70 · accept")
    said.click()
    annotator.expect_saved()
    marks = "project.train_set.annotations"
    assert annotator.page.value(f"{marks}.loc[{marks}['left'].isna(), 'label'].tolist()") == ["plum"]


#: Predictions for image 0: of a drawn box, of another label there, and of something new.
OVERLAPPING = """
name = project.train_set.images["image"].iloc[0]
said = pd.DataFrame({"image": name, "label": ["apple", "pear", "plum"], "left": [22, 201, 300],
                     "top": [20, 151, 40], "width": [80, 60, 50], "height": 70, "confidence": [0.9, 0.8, 0.7]})
project.add_predictions(said, model="m")
"""
SELECTED_TEXT = "String(getSelection())"


def test_all_are_accepted_beside_drawn_boxes_and_several_shapes_change_at_once(lab: Lab) -> None:
    annotator = opened(lab)
    root, page = annotator.root, annotator.page.page
    drawn = [("apple", 20, 20, 80, 70), ("apple", 200, 150, 60, 70)]
    for _, left, top, width, height in drawn:
        annotator.drag((left, top), (left + width, top + height))
    assert annotator.stored() == drawn
    annotator.page.kernel_client().execute(OVERLAPPING, reply=True)
    dashed = root.locator(".row.dashed .count")
    expect(dashed).to_have_text(["0.80 · relabel?", "0.70 · accept"])
    annotator.press("a")
    accepted = [*drawn, ("plum", 300, 40, 50, 70)]
    assert annotator.stored() == accepted
    expect(root.locator(".notice")).to_contain_text("1 prediction overlaps another box: Tab to it, Enter accepts.")
    annotator.press("Shift+Tab", "Enter")
    assert annotator.stored() == [drawn[0], ("pear", *drawn[1][1:]), accepted[2]]
    annotator.press("Control+z")
    assert annotator.stored() == accepted
    # all, those in a rectangle, and one more: each change is one step
    annotator.press("Control+a", "2")
    assert [label for label, *_ in annotator.stored()] == ["pear"] * 3
    annotator.press("Control+z", "Escape")
    annotator.drag((5, 5), (120, 120), key="Shift")
    annotator.click(300, 60, key="Shift")
    annotator.drag((310, 50), (313, 55))
    assert annotator.stored() == [("apple", 23, 25, 80, 70), drawn[1], ("plum", 303, 45, 50, 70)]
    annotator.press("Delete")
    assert annotator.stored() == [drawn[1]]
    annotator.press("PageDown")
    annotator.expect_image("1.png")
    annotator.press("Control+a")  # nothing is drawn here
    assert page.evaluate(SELECTED_TEXT) == ""


def test_notes_of_shapes_and_images_are_typed_and_stored(lab: Lab) -> None:
    annotator = opened(lab, width=1280)  # the right panel is folded
    root, keyboard = annotator.root, annotator.page.page.keyboard
    annotator.drag((20, 20), (100, 90))
    annotator.press("m")
    expect(root.get_by_label("Note on the shape")).to_be_focused()
    keyboard.type("half <b>hidden</b>")
    annotator.press("Shift+Enter")
    keyboard.type("a")
    annotator.press("Enter", "Escape", "m")  # Escape drops the selection
    expect(root.get_by_label("Note on the image")).to_be_focused()
    keyboard.type("too dark")
    annotator.press("Escape", "m")  # discarded
    expect(root.get_by_label("Note on the image")).to_have_value("")
    keyboard.type("what is left of it?")
    annotator.press("Enter")
    expect(annotator.rows()).to_have_attribute("title", "apple: half <b>hidden</b>\na")
    expect(root.locator(".toolbar .size")).to_have_attribute("title", "what is left of it?")
    annotator.expect_saved()
    kept = annotator.page.value("(*project.train_set.annotations['note'], project.train_set.images['note'].iloc[0])")
    assert kept == ("half <b>hidden</b>\na", "what is left of it?")


#: Draws a white disc on image 1.
DISC = """draw({count})
picture = Image.new("RGB", (400, 300), (40, 90, 60))
ImageDraw.Draw(picture).ellipse((100, 50, 300, 250), fill="white")
picture.save("photos/1.png")
"""


@pytest.mark.storing
def test_holes_parts_and_assisted_outlines(lab: Lab) -> None:
    project = PROJECT.replace("boxes", "polygons").replace("draw({count})", DISC)
    annotator = opened(lab, project=project, count=2)
    root = annotator.root
    tool = lambda name: root.locator(f"[data-tool='{name}']")  # noqa: E731

    def ring(*corners: tuple[float, float]) -> None:
        for corner in corners:
            annotator.click(*corner)
        annotator.press("Enter")

    square = [[20, 20], [220, 20], [220, 220], [20, 220]]
    ring(*square)
    tool("hole").click()
    expect(root.locator(".tool-hints")).to_contain_text("Hole")
    ring((80, 80), (140, 80), (140, 140), (80, 140))
    annotator.press("Shift+Equal")
    expect(tool("part")).to_have_attribute("aria-pressed", "true")
    ring((260, 60), (340, 60), (340, 140))
    expect(annotator.rows().locator(".count")).to_have_text("11 points · 2 parts · 1 hole")
    rings = [square, [[80, 80], [140, 80], [140, 140], [80, 140]], [[260, 60], [340, 60], [340, 140]]]
    assert annotator.stored() == [("apple", 20, 20, 320, 200, rings)]
    annotator.press("v", "PageDown")
    annotator.expect_image("1.png")
    # the outline of a disc from a box, then with fewer points
    tool("outline").click()
    annotator.drag((92, 42), (308, 258))
    annotator.expect_shapes(1)
    expect(root.locator(".toast")).to_contain_text("Outline → \u2068apple\u2069")
    ((_, *box, outline),) = annotator.stored(1)
    assert box == pytest.approx([100, 50, 200, 200], abs=6)
    points = annotator.rows().locator(".count")
    before = points.inner_text()
    root.get_by_label("Fewer points").fill("8")
    expect(points).not_to_have_text(before)
    assert len(annotator.stored(1)[0][5]) < len(outline)


MODEL = f"""{inspect.getsource(color_segmenter).partition("annotations")[2]}
import threading
go = threading.Event()

class Slow(ColorSegmenter):
    def encode(self, image):
        go.wait(120)
        return super().encode(image)

cl.settings.outline_engine = Slow()
"""


@pytest.mark.storing
def test_a_click_waits_for_the_model_and_becomes_a_polygon(lab: Lab) -> None:
    project = PROJECT.replace("boxes", "polygons").replace("draw({count})", DISC) + MODEL
    annotator = opened(lab, "go.set()", project=project, count=2)
    root = annotator.root
    annotator.press("PageDown")
    annotator.expect_image("1.png")
    annotator.press("o")
    expect(root.locator(".work")).to_have_text("Preparing the image …")
    annotator.click(200, 150)
    expect(root.locator(".work progress")).to_be_visible()
    annotator.page.run_cell(2)
    annotator.expect_shapes(1)
    expect(root.locator(".work")).to_be_hidden()
    expect(root.locator(".tool-hints strong")).to_have_text("Outline (by-color)")
    ((label, *box, polygon),) = annotator.stored(1)
    assert (label, box) == ("apple", pytest.approx([100, 50, 200, 200], abs=2))
    annotator.click(20, 20)  # adds the background
    expect(annotator.rows().locator(".count")).to_have_text("4 points")
    annotator.press("Control+z")
    assert annotator.stored(1) == [(label, *box, polygon)]
    annotator.press("Enter", "Control+z")
    assert annotator.stored(1) == []


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
project.labels.add("apple", color="#ff0000")
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
    """Return the subpixel position at which a line falls from 1, its starting color, to 0, the color after it."""
    last = next(at for at, share in enumerate(line) if share < 0.5)
    return float(last - 0.5 + (line[last - 1] - 0.5) / (line[last - 1] - line[last]))


@pytest.mark.storing
@pytest.mark.parametrize(("ratio", "kind"), [(1, "png"), pytest.param(2, "jpg", marks=pytest.mark.exhaustive)])
def test_drawn_boxes_are_stored_exactly_at_any_zoom(lab: Lab, ratio: int, kind: str) -> None:
    import io

    import numpy as np
    from PIL import Image

    annotator = opened(lab, project=PRECISE, device_scale_factor=ratio)
    if kind == "jpg":
        annotator.press("PageDown")
    annotator.expect_image(f"{int(kind == 'jpg')}.{kind}")
    page = annotator.page
    columns = "['left', 'top', 'width', 'height']"
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
        clip = {"x": round(x0) - 20, "y": round(y0) - 20, "width": round(x1 - x0) + 40, "height": round(y1 - y0) + 40}
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
            assert begin == pytest.approx(low, abs=0.6), zoom
            assert end == pytest.approx(high, abs=0.6), zoom
        # a box drawn around it is stored at the same coordinates
        annotator.drag((inner[0], inner[1]), (inner[2], inner[3]), key="Control")
        annotator.expect_shapes(1)
        annotator.expect_saved()
        annotator.press("Escape")  # the fill of the selected shape would shift the measured lines
        annotator.mouse.move(*annotator.at(10, 10))
        page.page.wait_for_timeout(60)
        left, top, width, height = page.value(f"project.train_set.annotations[{columns}].values.tolist()[0]")
        assert [left, top, left + width, top + height] == pytest.approx(inner, abs=0.51 / zoom), zoom
        x, y = annotator.at(left, top)
        middle, bottom = annotator.at(left + width / 2, top + height)
        assert annotator.canvas.evaluate(LINES, [x, y + 9, True]) == pytest.approx(x, abs=0.5)
        assert annotator.canvas.evaluate(LINES, [middle, bottom, False]) == pytest.approx(bottom, abs=0.5)
        annotator.press("Control+z")
        annotator.expect_saved()


def test_touch_and_pen_draw_and_zoom(lab: Lab) -> None:
    annotator = opened(lab, has_touch=True)
    session = annotator.page.page.context.new_cdp_session(annotator.page.page)

    def touch(*points: tuple[float, float]) -> None:
        for kind, point in zip(["touchStart", *["touchMove"] * (len(points) - 1)], points, strict=True):
            x, y = annotator.at(*point)
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y, "id": 0}]})

    def end(kind: str = "touchEnd") -> None:
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": []})

    touch((50, 40), (100, 100), (150, 140))
    end()
    touch((100, 90))
    end()
    touch((100, 90), (140, 90))
    end()
    # two fingers zoom around their midpoint and draw nothing
    zoom = annotator.zoom
    start = annotator.at(200, 150)
    for kind, spread in (("touchStart", 40), ("touchMove", 60), ("touchMove", 80)):
        points = [{"x": start[0] + side * spread, "y": start[1], "id": side + 1} for side in (-1, 1)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    end()
    expect(annotator.root.locator(".photo").first).to_have_css("will-change", "auto")  # at rest
    assert annotator.zoom == pytest.approx(2 * zoom, rel=0.02)
    assert annotator.at(200, 150) == pytest.approx(start, abs=1)
    annotator.press("f")
    # a lost touch
    touch((200, 200), (300, 280))
    end("touchCancel")
    assert annotator.stored() == [("apple", 90, 40, 100, 100)]
    # a button in place of a key
    delete = annotator.root.get_by_role("button", name="Delete", exact=True)
    assert delete.bounding_box()["height"] >= 40
    delete.tap()
    annotator.expect_shapes(0)
    annotator.press("Control+z")
    # a pen
    annotator.press("Escape", "2")
    pen = {"button": "left", "pointerType": "pen", "force": 0.5, "clickCount": 1}
    for kind, point in (("mousePressed", (220, 180)), ("mouseMoved", (300, 230)), ("mouseReleased", (320, 240))):
        x, y = annotator.at(*point)
        held = 0 if kind == "mouseReleased" else 1
        session.send("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, "buttons": held, **pen})
    assert annotator.stored() == [("apple", 90, 40, 100, 100), ("pear", 220, 180, 100, 60)]


@pytest.mark.storing
def test_edits_are_saved_after_a_busy_kernel_without_subshells(lab: Lab) -> None:
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
def test_killed_kernel_loses_no_edit(lab: Lab) -> None:
    annotator = opened(lab)
    page = annotator.page
    annotator.drag((50, 40), (150, 140))
    annotator.expect_saved()
    page.kill_kernel()
    dialog = page.page.locator(".jp-Dialog button")
    dialog.last.wait_for()
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
    again.expect_image("1.png")  # nothing of it was stored
    again.expect_shapes(1)
    again.press("PageUp")
    again.expect_image("0.png")
    again.expect_shapes(3)
    expect(again.root.locator(".notice")).to_have_count(0)
    assert again.stored(0) == [("apple", 50, 40, 100, 100), ("pear", 200, 40, 100, 100), ("pear", 200, 160, 100, 100)]
    assert again.stored(1) == [("pear", 10, 10, 50, 50)]
    again.click(100, 100)
    again.press("Delete")  # editing continues without a conflict with oneself
    assert len(again.stored(0)) == 2
    expect(again.root.locator(".notice.error")).to_have_count(0)


@pytest.mark.storing
def test_two_annotators_of_one_project(lab: Lab) -> None:
    annotator = opened(lab, 'b = project.annotate("train", sort="name")\nb')
    page = annotator.page
    page.run_cell(2)
    other = AnnotatorPage(page, 2).ready()
    # changes in one annotator appear in the other
    annotator.ready()
    annotator.drag((50, 40), (150, 140))
    annotator.expect_saved()
    other.expect_shapes(1)
    # a stale edit shows both versions: the other page is kept from hearing of the first edit
    page.hide()
    annotator.drag((200, 40), (300, 140))
    annotator.expect_saved()
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
    expect(annotator.rows().nth(1)).to_contain_text("pear")


@pytest.mark.storing
def test_a_drawing_of_a_removed_image_is_kept_until_the_image_is_added_again(lab: Lab) -> None:
    annotator = opened(lab, 'project.remove("train", project.train_set.images["image"].head(1).tolist())')
    annotator.page.hide()  # from the change
    annotator.page.run_cell(2)
    annotator.drag((50, 40), (150, 140))
    notice = annotator.root.locator(".notice.error")
    expect(notice).to_contain_text("somebody has removed 0.png")
    expect(annotator.root.locator(".state")).to_contain_text(facts("not saved", 1))
    annotator.expect_shapes(1)
    notice.get_by_text("Add the image again").click()
    annotator.expect_saved()
    assert annotator.stored() == [("apple", 50, 40, 100, 100)]


@pytest.mark.storing
def test_first_label_and_a_reloaded_page(lab: Lab) -> None:
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
    page.save()
    page.show()  # the page is reloaded, the kernel is the same
    annotator = AnnotatorPage(page, 1).ready()
    annotator.expect_shapes(1)
    annotator.drag((200, 40), (300, 140))
    assert len(annotator.stored()) == 2
