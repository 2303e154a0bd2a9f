"""Tests of the gallery by mouse and keyboard in JupyterLab."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import expect

from tests.browser.gallery import PROJECT, SETUP, SHOW, GalleryPage
from tests.browser.jupyter import FLAVOURS, Lab, notebook
from tests.models import tiny_siglip

pytestmark = pytest.mark.browser


def opened(lab: Lab, *, count: int = 30, size: int = 24, more: tuple[str, ...] = (), show: str = SHOW) -> GalleryPage:
    """Open a gallery of ``count`` images in cell 1 of a new notebook."""
    page = lab.open(notebook(SETUP + PROJECT.format(count=count), show.format(size=size), *more))
    page.run_cell(0)
    page.run_cell(1)
    return GalleryPage(page, 1).ready()


@pytest.mark.journey
@pytest.mark.storing
@pytest.mark.parametrize("lab", FLAVOURS, indirect=True)
def test_images_are_labelled_by_mouse_and_by_keyboard(lab: Lab) -> None:
    gallery = opened(lab)
    # by mouse: one by one, with Ctrl, and a range with Shift
    gallery.tile(0).click()
    gallery.label_button("apple").click()
    gallery.tile(1).click()
    for index in (2, 3):
        gallery.tile(index).click(modifiers=["Control"])
    gallery.label_button("pear").click()
    gallery.tile(4).click()
    gallery.tile(11).click(modifiers=["Shift"])
    expect(gallery.root.locator(".hints strong")).to_have_text("8 selected")
    gallery.label_button("plum").click()
    expect(gallery.chips(11)).to_have_text("plum")
    gallery.expect_saved()
    # by keyboard
    gallery.press("Escape", "ArrowRight", *["1"] * 4)  # the focus moves on
    gallery.press("Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight", "2", "Escape", "ArrowRight")
    gallery.press("Space", "ArrowRight", "Space", "ArrowRight", "Space", "ArrowRight", "Space", "3")
    expect(gallery.chips(23)).to_have_text("plum")
    gallery.expect_saved()
    expected = ["apple"] + ["pear"] * 3 + ["plum"] * 8 + ["apple"] * 4 + ["pear"] * 4 + ["plum"] * 4
    assert gallery.labelled() == {f"{number:03}": label for number, label in enumerate(expected)}
    # a label's count and the progress follow
    expect(gallery.label_button("plum").locator(".count")).to_have_text("12")
    expect(gallery.root.locator(".foot .done")).to_have_text("24 of 30 labelled")


def test_pictures_that_take_long_are_shown_once_they_are_there(lab: Lab) -> None:
    slowly = "from customlabels_nb.widgets import _pages\n_pages._SOON = -1  # one by one\ncl.settings.threads = 1\n"
    gallery = opened(lab, count=60, size=48, show=slowly + SHOW)
    pictures = gallery.root.locator(".tile img[src^='data:']:visible")
    expect(pictures).to_have_count(48)
    gallery.press("PageDown")
    expect(gallery.root.locator(".position")).to_have_text("49–60 of 60")
    expect(pictures).to_have_count(12)


@pytest.mark.storing
def test_range_over_pages_undo_filters_and_submit(lab: Lab) -> None:
    gallery = opened(lab, size=9)
    root = gallery.root
    gallery.tile(5).click()
    gallery.press("PageDown")
    expect(root.locator(".position")).to_have_text("10–18 of 30")
    gallery.tile(3).click(modifiers=["Shift"])
    expect(root.locator(".hints strong")).to_have_text("8 selected")
    gallery.press("1")
    gallery.press("Control+z")
    expect(root.locator(".foot .done")).to_have_text("0 of 30 labelled")
    assert gallery.labelled() == {}
    gallery.press("Control+Shift+Z")
    expect(root.locator(".foot .done")).to_have_text("8 of 30 labelled")
    root.get_by_label("undo", exact=True).click()
    expect(root.locator(".foot .done")).to_have_text("0 of 30 labelled")
    gallery.press("Control+Shift+Z")  # keys continue where they were
    expect(root.locator(".foot .done")).to_have_text("8 of 30 labelled")

    gallery.expect_saved(60)
    gallery.choose("show", "labelled")
    expect(root.locator(".position")).to_have_text("1–8 of 8")
    assert gallery.names() == [f"{number:03}" for number in range(5, 13)]
    gallery.choose("with", '["label","pear"]')
    expect(root.locator(".empty p")).to_have_text("No images match the filter.")
    root.locator(".empty button").click()
    root.locator(".search").fill("02")
    expect(root.locator(".position")).to_have_text(re.compile("of 11$"))
    root.locator(".search").fill("")
    gallery.choose("size", "24")
    expect(root.locator(".position")).to_have_text("1–24 of 30")

    # with unlabelled images shown, labelling does not move any tile, and submitting asks once
    gallery.choose("show", "unlabelled")
    expect(root.locator(".position")).to_have_text("1–22 of 22")
    root.focus()
    gallery.press("2")
    expect(gallery.chips(0)).to_have_text("pear")
    expect(root.locator(".position")).to_have_text("1–22 of 22")
    gallery.press("Enter")
    expect(root.locator(".panel p")).to_have_text("21 images on this page have no label.")
    gallery.press("Enter")  # a second Enter only goes on
    expect(root.locator(".notice")).to_contain_text("That was the last page.")
    gallery.press("Enter")
    root.locator(".panel").get_by_role("button", name="Mark them as skipped", exact=True).click()
    gallery.expect_saved()
    gallery.page.expect_value('project.train_set.images["status"].tolist().count("skipped")', 21)
    statuses = gallery.page.value('project.train_set.images["status"].value_counts().to_dict()')
    assert statuses == {"labelled": 9, "skipped": 21}
    gallery.choose("show", "all")
    expect(root.locator(".notice")).to_have_count(0)
    expect(gallery.tile(1).locator(".status")).to_have_text("skipped")
    expect(root.locator(".foot .done")).to_have_text("9 of 30 labelled · 21 skipped")


@pytest.mark.storing
def test_two_galleries_and_other_cells_follow_each_other(lab: Lab) -> None:
    gallery = opened(lab, more=("h = project.label('train', sort='name')\nh",))
    gallery.page.run_cell(2)
    other = GalleryPage(gallery.page, 2).ready()
    gallery.tile(2).click()
    gallery.press("1")
    expect(other.chips(2)).to_have_text("apple")
    other.tile(2).click()
    other.press("2")
    expect(gallery.chips(2)).to_have_text("pear")
    # Python controls the gallery, and another process renames and adds a label
    client = gallery.page.kernel_client()
    client.execute("g.set_filter(\"label == 'pear'\")", reply=True)
    expect(gallery.root.locator(".position")).to_have_text("1–1 of 1")
    client.execute("g.set_filter()", reply=True)
    client.execute(
        "import subprocess, sys; subprocess.run([sys.executable, '-c', '''import customlabels_nb as cl\n"
        "project = cl.load_project(\"things\")\n"
        "project.labels.rename(\"pear\", \"quince\")\nproject.labels.add(\"fig\")'''], check=True)",
        reply=True, timeout=60,
    )  # fmt: skip
    expect(gallery.chips(2)).to_have_text("quince")
    expect(gallery.label_button("fig")).to_be_visible()


@pytest.mark.storing
def test_killed_kernel_loses_no_edit(lab: Lab) -> None:
    gallery = opened(lab, count=9)
    page, state = gallery.page, gallery.root.locator(".state")
    gallery.tile(0).click()
    gallery.press("1")
    gallery.expect_saved()
    page.kill_kernel()
    dialog = page.page.locator(".jp-Dialog button")
    dialog.last.wait_for()
    dialog.last.click()
    page.wait_for_kernel()
    # only what is not saved is shown in red
    expect(state).to_have_text("saved – run the cell to continue")
    expect(state).to_have_class("state gone")
    gallery.tile(1).click()
    gallery.press("2")
    expect(gallery.chips(1)).to_have_text("pear")
    expect(state).to_contain_text("not saved (1)")
    expect(state).to_have_class("state lost")
    expect(gallery.root.locator(".notice.error")).to_contain_text("1 edit is not saved")
    # the cell runs again in the new kernel: saved labels are there, unsaved ones are sent
    page.kernel_client().execute(SETUP + "\nproject = cl.load_project('things')", reply=True, timeout=60)
    page.run_cell(1)
    again = GalleryPage(page, 1).ready()
    expect(again.chips(0)).to_have_text("apple")
    expect(again.chips(1)).to_have_text("pear")
    again.expect_saved()
    assert again.labelled() == {"000": "apple", "001": "pear"}
    assert page.page_errors == []


@pytest.mark.storing
def test_closing_another_tab_loses_no_edit(lab: Lab) -> None:
    gallery = opened(lab, count=9)
    page = gallery.page
    page.beside(notebook(f"import customlabels_nb as cl\nproject = cl.load_project('things')\n{SHOW.format(size=9)}"))
    page.run_cell(0)
    other = GalleryPage(page, 0).ready()
    page.shut_kernel_down()
    page.turn_to(page.path.name)
    first = GalleryPage(page, 1).ready()
    first.tile(2).click()
    first.press("1")
    expect(first.chips(2)).to_have_text("apple")
    first.expect_saved()
    # labels of the other notebook are saved through this kernel, and undo here does not affect them
    page.turn_to("beside.ipynb")
    other.tile(4).click()
    other.press("2")
    expect(other.chips(4)).to_have_text("pear")
    expect(other.root.locator(".notice").filter(has_text="through another")).to_be_visible()
    page.turn_to(page.path.name)
    assert first.labelled() == {"002": "apple", "004": "pear"}
    first.root.focus()
    first.press("Control+z")
    expect(first.chips(2)).to_have_count(0)
    first.press("Control+z")
    expect(first.root.locator(".notice")).to_contain_text("Nothing to undo")
    assert first.labelled() == {"004": "pear"}


@pytest.mark.storing
def test_gallery_survives_rerun_reload_save_and_export(lab: Lab) -> None:
    gallery = opened(lab, count=12, size=9)
    page = gallery.page
    gallery.press("PageDown")
    expect(gallery.root.locator(".position")).to_have_text("10–12 of 12")
    gallery.press("3")
    gallery.expect_saved()
    page.run_cell(1)
    GalleryPage(page, 1).ready()
    page.save()
    page.show()  # the page is reloaded, the kernel is the same
    gallery = GalleryPage(page, 1).ready()
    expect(gallery.root.locator(".position")).to_have_text("10–12 of 12")
    expect(gallery.chips(0)).to_have_text("plum")
    gallery.press("1")
    gallery.expect_saved()
    # without a kernel there is a still image instead of an error, with the count of the last save
    page.shut_kernel_down()
    page.show()
    words = "things, train: 1 of 12 labelled"
    still = page.output(1).locator(".clnb-still")
    expect(still).to_be_visible()
    expect(still).to_contain_text(words)
    assert still.locator("img").evaluate("image => image.naturalWidth") > 300
    error = page.output(1).get_by_text("Error displaying widget")
    expect(error).to_have_count(1)
    expect(error).to_be_hidden()
    # like `jupyter nbconvert --to html`, opened without a network and a kernel
    exported = page.path.with_suffix(".html")
    exported.write_text(HTMLExporter().from_notebook_node(nbformat.read(page.path, as_version=4))[0], encoding="utf-8")
    context = lab.browser.new_context(offline=True)
    reader = context.new_page()
    reader.goto(exported.as_uri())
    expect(reader.locator(".clnb-still")).to_contain_text(words)
    expect(reader.locator(".clnb-still img")).to_be_visible()
    context.close()
    # the cell runs in a new kernel
    page.kernel_client().execute(SETUP + "\nproject = cl.load_project('things')", reply=True, timeout=60)
    page.run_cell(1)
    GalleryPage(page, 1).ready()
    expect(still).to_be_hidden()


@pytest.mark.storing
def test_skipping_asks_before_it_takes_a_page_or_a_label(lab: Lab) -> None:
    gallery = opened(lab, count=12, size=9)
    panel = gallery.root.locator(".panel")
    statuses = 'project.train_set.images["status"].tolist()'
    gallery.press("1", "ArrowRight", "0")  # the focused image, as digits do
    # with nothing selected, the button applies to the page
    gallery.act("Skip")
    expect(panel.locator("p")).to_contain_text("No image is selected")
    gallery.press("Escape")
    expect(panel).to_be_hidden()
    gallery.act("Skip")
    panel.get_by_role("button", name="7").click()
    gallery.expect_saved()
    assert gallery.page.value(statuses) == ["labelled", *["skipped"] * 8, *["unlabelled"] * 3]
    # by the key, on a labelled image
    gallery.root.focus()
    gallery.press("Home", "0")
    panel.get_by_role("button", name="Cancel").click()
    expect(gallery.chips(0)).to_have_text("apple")
    gallery.press("0")
    panel.get_by_role("button", name="Remove label and skip").click()
    expect(gallery.tile(0).locator(".status")).to_have_text("skipped")
    gallery.expect_saved()
    assert gallery.labelled() == {}


def test_focused_image_stays_in_view(lab: Lab) -> None:
    labels = "".join(f"project.labels.add('name number {n}')\n" for n in range(4, 10))
    project = PROJECT.replace("single-label", "multi-label").format(count=48) + labels
    page = lab.open(notebook(SETUP + project, SHOW.format(size=48)), width=1000, height=600)
    page.run_all()
    gallery = GalleryPage(page, 1).ready()
    # a page taller than the window scrolls with the keys
    gallery.press("Home", *["ArrowDown"] * 6)
    expect(gallery.root.locator(".tile.focused")).to_be_in_viewport(ratio=0.9)
    gallery.press("Home")
    expect(gallery.tile(0)).to_be_in_viewport(ratio=0.9)
    assert gallery.root.get_attribute("aria-activedescendant") == gallery.tile(0).get_attribute("id")
    gallery.press("End")
    expect(gallery.tile(47)).to_be_in_viewport(ratio=0.9)
    gallery.press("?")  # panels open inside the visible area
    expect(gallery.root.locator(".panel-body header")).to_be_in_viewport()
    gallery.press("Escape")
    # the name stays, labels that do not fit are counted, and the tile keeps its height
    height = gallery.tile(47).bounding_box()["height"]
    gallery.press("1", "2", "3")
    expect(gallery.tile(47).locator(".caption .count")).to_have_text("+2")
    expect(gallery.chips(47)).to_have_count(1)
    expect(gallery.tile(47).locator(".name")).to_contain_text("047")
    assert gallery.tile(47).bounding_box()["height"] == height
    gallery.root.locator(".toast button").click()
    expect(gallery.tile(47).locator(".caption .count")).to_have_text("+1")
    # the slider changes the size of the thumbnails
    zoom = gallery.root.locator(".zoom")
    if not zoom.is_visible():
        gallery.root.get_by_label("More actions").click()
    zoom.fill("228")
    assert gallery.tile(0).bounding_box()["width"] > 200
    gallery.root.focus()
    # the meaning of the nine keys is shown at any width
    below = "node => node.getBoundingClientRect().bottom <= node.parentElement.getBoundingClientRect().bottom + 1"
    for width in (1000, 700):
        page.page.set_viewport_size({"width": width, "height": 600})
        expect(gallery.root).to_have_class(re.compile("narrow"))
        listed = gallery.root.locator(".labelbar .label")
        assert listed.evaluate_all(f"nodes => nodes.slice(0, 9).every({below})")


def test_finder_adds_labels_and_uploads_images(lab: Lab) -> None:
    gallery = opened(lab, count=6)
    root = gallery.root
    gallery.press("p", "l")
    expect(root.locator(".suggestion")).to_have_text(["plum", "apple", "Add pl"])
    gallery.press("Enter")
    expect(gallery.chips(0)).to_have_text("plum")
    gallery.tile(1).click()
    gallery.press("/")
    gallery.page.page.keyboard.type("fig & <b>date</b>")
    gallery.press("Enter")
    expect(gallery.chips(1)).to_have_text("fig & <b>date</b>")
    gallery.expect_saved()
    assert gallery.labelled() == {"000": "plum", "001": "fig & <b>date</b>"}

    files = [{"name": f"new {n}.png", "mimeType": "image/png", "buffer": picture(n)} for n in range(2)]
    files.append({"name": "not.png", "mimeType": "image/png", "buffer": b"no image"})
    root.locator("input[type=file]").set_input_files(files)
    root.locator(".panel input").fill("pear")
    root.locator(".panel button.primary").click()
    expect(root.locator(".notice")).to_contain_text("2 images added to train")
    expect(root.locator(".notice li")).to_have_count(1)
    expect(root.locator(".notice li")).to_contain_text("not.png")
    expect(root.locator(".notice")).not_to_contain_text("images/not")
    expect(root.locator(".position")).to_have_text("1–8 of 8")
    assert sorted(gallery.labelled().values()) == ["fig & <b>date</b>", "pear", "pear", "plum"]

    root.locator("input[type=file]").set_input_files(files[:1])
    root.locator(".panel input").fill("quince")
    root.locator(".panel select").select_option("take this label")
    root.locator(".panel button.primary").click()
    expect(gallery.chips(6)).to_have_text("quince")
    assert sorted(gallery.labelled().values()) == ["fig & <b>date</b>", "pear", "plum", "quince"]


def picture(random_state: int) -> bytes:
    """Return an encoded image."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 30 * random_state % 256, random_state)).save(buffer, "PNG")
    return buffer.getvalue()


MANY_LABELS = """
for number in range(37):
    project.labels.add(f"label {number}")
"""


def test_the_toolbar_is_one_row_and_the_keys_stay_visible(lab: Lab) -> None:
    page = lab.open(notebook(SETUP + PROJECT.format(count=48) + MANY_LABELS, SHOW.format(size=48)), width=1000)
    page.run_all()
    gallery = GalleryPage(page, 1).ready()
    root, labels = gallery.root, gallery.root.locator(".labels .label")
    in_row = root.locator(".toolbar button:not(.more-menu *), .toolbar .menu:not(.more-menu *)")
    places = "nodes => nodes.map(n => n.getBoundingClientRect()).filter(b => b.width)"
    for width in (1400, 1150):
        page.page.set_viewport_size({"width": width, "height": 768})
        page.page.wait_for_timeout(400)
        middle = in_row.evaluate_all(f"nodes => ({places})(nodes).map(b => b.top + b.height / 2)")
        assert max(middle) - min(middle) < 3
        captions = root.locator(".toolbar .menu:not([hidden], .more-menu *) span")
        assert "show" in captions.all_inner_texts()
        assert all(captions.evaluate_all("nodes => nodes.map(node => node.scrollWidth === node.offsetWidth)"))
        assert root.locator(".toolbar").evaluate("node => node.scrollWidth <= node.clientWidth")
        bottom = root.locator(".labels").evaluate("node => node.getBoundingClientRect().bottom")
        bottoms = labels.evaluate_all(f"nodes => ({places})(nodes).map(b => b.bottom)")
        assert max(bottoms[:9]) <= bottom
        hidden = sum(place > bottom for place in bottoms)
        expect(root.locator(".unfold")).to_have_text(f"{hidden} more")
        gallery.tile(47).scroll_into_view_if_needed()  # only the images scroll
        expect(labels.first).to_be_in_viewport()
    root.locator(".unfold").click()
    expect(root.locator(".unfold")).to_have_text("fewer")
    root.get_by_label("More actions").click()
    expect(root.locator(".more-menu button", has_text="Upload")).to_be_visible()
    page.page.keyboard.press("Escape")
    expect(root.locator(".more-menu")).to_be_hidden()


def test_a_rectangle_selects_and_adds(lab: Lab) -> None:
    gallery = opened(lab, count=24)
    mouse, selected = gallery.page.page.mouse, gallery.root.locator(".hints strong")

    def drag(first: int, last: int) -> None:
        start, end = (gallery.tile(index).bounding_box() for index in (first, last))
        mouse.move(start["x"] + 20, start["y"] + 20)
        mouse.down()
        mouse.move(end["x"] + 30, end["y"] + 30, steps=5)
        mouse.up()

    drag(0, 2)
    expect(selected).to_have_text("3 selected")
    gallery.page.page.keyboard.down("Control")
    drag(5, 6)
    gallery.page.page.keyboard.up("Control")
    expect(selected).to_have_text("5 selected")
    gallery.press("1")
    expect(gallery.chips(6)).to_have_text("apple")
    gallery.tile(3).click()  # a click still selects one
    expect(selected).to_have_text("1 selected")
    gallery.expect_saved()


PREDICTED = """
import pandas as pd
names = sorted(project.train_set.images["image"])
confidences = [number / 10 for number in range(10)]
said = pd.DataFrame({"image": names[:10], "label": "pear", "confidence": confidences})
project.add_predictions(said, model="m")
"""


def test_a_slider_filters_by_confidence_and_the_gallery_fills_the_screen(lab: Lab) -> None:
    page = lab.open(notebook(SETUP + PROJECT.format(count=12) + PREDICTED, SHOW.format(size=24)), height=700)
    page.run_all()
    gallery = GalleryPage(page, 1).ready()
    root, slider, place = gallery.root, gallery.root.locator(".sure"), gallery.root.locator(".position")
    root.get_by_label("More actions").click()
    slider.fill("0.65")
    expect(root.locator(".sureness output")).to_have_text("0.65")
    expect(place).to_have_text("1–3 of 3")
    assert gallery.names() == ["007", "008", "009"]
    root.get_by_label("More actions").click()
    slider.fill("0")
    expect(place).to_have_text("1–12 of 12")
    gallery.act("Full screen")
    expect(root).to_have_css("width", f"{page.page.evaluate('screen.width')}px")
    gallery.press("Home", "1")
    expect(gallery.chips(0)).to_have_text("apple")
    for part in (".toolbar", ".labelbar .label >> nth=2", ".tile >> nth=0", ".toast", ".foot"):
        expect(root.locator(part)).to_be_in_viewport(ratio=0.99)
    hints, toast = (root.locator(part).bounding_box() for part in (".hints", ".toast"))
    assert hints["x"] + hints["width"] <= toast["x"]
    assert hints["width"] > 400  # pixels, for the keys of labels, selection and submitting
    gallery.act("Leave full screen")
    expect(root).not_to_have_css("width", f"{page.page.evaluate('screen.width')}px")
    gallery.expect_saved()


def test_the_preview_is_beside_its_tile_and_can_be_turned_off(lab: Lab) -> None:
    gallery = opened(lab, count=24)
    root, preview = gallery.root, gallery.root.locator(".preview")
    root.locator(".foot .position").scroll_into_view_if_needed()
    for index in (0, 7, 20):
        gallery.tile(index).scroll_into_view_if_needed()
        gallery.tile(index).hover()
        expect(preview).to_be_visible()
        box, tile, body = (found.bounding_box() for found in (preview, gallery.tile(index), root.locator(".body")))
        assert box["x"] >= tile["x"] + tile["width"] or box["x"] + box["width"] <= tile["x"]
        assert box["y"] >= body["y"]
        assert box["y"] + box["height"] <= body["y"] + body["height"]
        expect(preview).to_be_in_viewport(ratio=0.99)
        root.locator(".foot .position").hover()
        expect(preview).to_be_hidden()
    # images that scroll below a pointer at rest open nothing
    gallery.page.page.set_viewport_size({"width": 1280, "height": 600})
    gallery.tile(0).hover()
    expect(preview).to_be_visible()
    gallery.press("Escape")
    root.locator(".body").evaluate("""body => {
        const tile = body.querySelector(".tile"), { top } = tile.getBoundingClientRect();
        const tops = [...body.querySelectorAll(".tile")].map(other => other.getBoundingClientRect().top);
        body.addEventListener("pointerover", event => { window.passed = !tile.contains(event.target); });
        body.scrollTop += tops.find(other => other > top) - top;
    }""")
    gallery.page.page.wait_for_function("window.passed")
    gallery.page.page.wait_for_timeout(1_000)
    expect(preview).to_be_hidden()
    gallery.act("✓ Preview on hover")
    gallery.tile(1).hover()
    gallery.page.page.wait_for_timeout(1_000)
    expect(preview).to_be_hidden()
    gallery.press("Shift+Space")  # the key still opens it
    expect(preview).to_be_visible()
    gallery.press("Escape")
    gallery.act("Preview on hover")


#: Image 0 is stored rotated by a quarter, so that it is 90 × 120 upright. It has a box and a polygon with a hole.
SHAPES = """
import pandas as pd
draw(6)
exif = Image.Exif()
exif[0x0112] = 6
Image.open("photos/000.png").save("photos/000.jpg", exif=exif)
Path("photos/000.png").unlink()
project = cl.create_project("things", task="polygons")
project.add_images("photos", progress=False)
images = sorted(project.train_set.images["image"])
ring = [[45.0, 60.0], [81.0, 60.0], [81.0, 108.0], [45.0, 108.0]]
hole = [[54.0, 72.0], [63.0, 72.0], [63.0, 84.0]]
def shapes(left):
    rows = [("<b>apple</b>", left, 12.0, 27.0, 36.0, None), ("pear", None, None, None, None, [ring, hole])]
    frame = pd.DataFrame(rows, columns=["label", "left", "top", "width", "height", "polygon"])
    return frame.assign(image=images[0])
project.update("train", shapes(9.0))
"""


@pytest.mark.storing
def test_boxes_and_polygons_are_drawn_at_every_size(lab: Lab) -> None:
    shown = ("g = project.label(sort='name', page_size=4)\ng", "s = project.label(sort='name', mode='single')\ns")
    page = lab.open(notebook(SETUP + SHAPES, *shown), width=1400)
    page.run_all()
    gallery, single = GalleryPage(page, 1).ready(), GalleryPage(page, 2).ready()
    wanted = [(0.1, 0.1, 0.4, 0.4), (0.5, 0.5, 0.9, 0.9)]
    preview, stage = gallery.root.locator(".preview"), single.root.locator(".stage .frame")
    expect(gallery.tile(0).locator(".overlay text")).to_have_text([re.compile("pear"), re.compile("<b>apple</b>")])
    gallery.root.focus()
    gallery.press("Shift+Space")
    for node in (preview, stage):
        expect(node.locator(".overlay .truth")).to_have_count(2)
    for node in (gallery.tile(0), preview, single.tile(0), stage):
        assert gallery.outlines(node) == [pytest.approx(shares, abs=0.03) for shares in wanted]
    page.kernel_client().execute("project.update('train', shapes(36.0))", reply=True)
    for node in (gallery.tile(0), preview, stage):
        expect(node.locator(".overlay .truth").first).to_have_attribute("d", re.compile(r"^M36 12"))
    gallery.press("Escape", ".")
    expect(gallery.tile(0).locator(".overlay")).to_be_hidden()
    page.run_cell(1)  # the choice is remembered
    gallery = GalleryPage(page, 1).ready()
    expect(gallery.root.locator(".notice")).to_contain_text("Boxes and polygons are hidden.")
    gallery.press(".")
    expect(gallery.tile(0).locator(".overlay")).to_be_visible()


PROJECTS = """
draw(4)
bare = cl.create_project("bare")
bare.add_images("photos", progress=False)
draw(20, "more")
twenty = cl.create_project("twenty", task="single-label")
twenty.add_images("more", label="apple", progress=False)
"""


def test_projects_without_labels_and_finished_ones_show_the_next_step(lab: Lab) -> None:
    page = lab.open(notebook(SETUP + PROJECTS, "bare.label()", "twenty.label()"), height=1300)
    page.run_all()
    bare = GalleryPage(page, 1).ready()
    expect(bare.root.locator(".labels")).to_contain_text("No labels yet")
    bare.press("Control+a", "1")
    finder = bare.root.locator(".finder")
    expect(finder).to_be_focused()
    expect(finder).to_have_attribute("placeholder", "4 selected: type the label")
    page.page.keyboard.type("first")
    bare.press("Enter")
    expect(bare.chips(3)).to_have_text("first")
    bare.expect_saved()
    bare.press("Control+a", "2")  # the key after that of the last label
    expect(finder).to_be_focused()
    expect(finder).to_have_attribute("placeholder", "4 selected: type the label")
    bare.press("Escape")
    bare.root.locator(".rule .tab", has_text="several").click()
    expect(bare.root.locator(".rule")).to_have_text("several labels per image")
    assert page.value("bare.task") == "multi-label"
    # with twenty finished images, a notice asks about a new label
    twenty = GalleryPage(page, 2).ready()
    twenty.press("/")
    page.page.keyboard.type("second")
    twenty.press("Enter")
    expect(twenty.root.locator(".notice")).to_contain_text("20 images were finished without it.")
    twenty.root.locator(".notice button", has_text="Send them to review").click()
    expect(twenty.tile(0).locator(".status")).to_have_text("needs review")


MODEL = f"""{inspect.getsource(tiny_siglip).partition("annotations")[2]}
project.embedding_model = str(Path("tiny").absolute()) if write_tiny_siglip(Path("tiny")) else ""
project.embed(progress=False)
Image.new("RGB", (120, 90), "red").save("photos/new.png")
project.add_images("photos/new.png", progress=False)
"""


def test_images_are_sorted_by_a_description(lab: Lab) -> None:
    page = lab.open(notebook(SETUP + PROJECT.format(count=30) + MODEL, SHOW.format(size=9)), width=1400)
    page.run_cell(0)
    page.run_cell(1)
    gallery = GalleryPage(page, 1).ready()
    gallery.press("PageDown")
    expect(gallery.tile(0)).to_have_attribute("title", re.compile("009[.]png$"))
    field = gallery.root.get_by_label("Search by what images show")
    field.fill("A red screw")
    field.press("Enter")
    notice = gallery.root.locator(".notice", has_text="Sorted by")
    expect(notice).to_contain_text("Sorted by: \u2068A red screw\u2069. 1 image comes last")
    best = [Path(name).stem for name in page.value("project.search('a red screw')['image'].tolist()")]
    assert gallery.names() == best[:9]
    gallery.press("End", "ArrowRight")  # the page keeps its keys
    field.fill("a blue nut")
    field.press("Enter")
    expect(notice).to_contain_text("a blue nut")
    field.press("Escape")
    expect(notice).to_have_count(0)
    expect(gallery.tile(0)).to_have_attribute("title", re.compile("009[.]png$"))
    expect(field).to_have_value("")
    gallery.choose("show", "unlabelled")
    assert field.bounding_box()["width"] >= 135  # for its placeholder
