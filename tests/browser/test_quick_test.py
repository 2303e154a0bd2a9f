"""Tests of the quick test in JupyterLab: photos dropped, pasted, chosen, by URL and from the camera."""

from __future__ import annotations

import re
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.jupyter import Lab, LabPage, notebook

pytestmark = pytest.mark.browser

#: Two models without a network that count their calls, and a project for the tested photos.
SETUP = """
from dataclasses import dataclass, field
from pathlib import Path
import io
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
import customlabels_nb as cl
from customlabels_nb.inference.detection import Detection
from customlabels_nb.inference.inputs import load_encoded
from customlabels_nb.labeling.feedback import Feedback
from customlabels_nb.labeling.quick_test import Facts, QuickTestModel
from customlabels_nb.labeling.quick_test import QuickTestSession
from customlabels_nb.widgets.quick_test import QuickTest

HOSTILE = "<img src=x onerror=window.hacked=1>"
COLORS = ("#c8553d", "#3a9a5b", "#2f7fc1", "#d49b1a")

def picture(path, size=(640, 420), seed=0):
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size, (206, 214, 200))
    pen = ImageDraw.Draw(image)
    for left, top, side, color in ((60, 90, 150, "#b23a2a"), (300, 60, 210, "#3f9a58"), (450, 250, 120, "#d6a21e")):
        pen.ellipse((left, top, left + side, top + side), fill=color)
    pixels = np.asarray(image).astype(int) + rng.integers(-9, 9, (size[1], size[0], 3))
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)

@dataclass
class Fake:
    name: str
    labels: tuple
    answers: list
    detects: bool
    where: str | None = None
    asked: int = 0

    def start(self):
        self.where = "cpu"

    def stop(self):
        self.where = None

    def ask(self, image):
        self.asked += 1
        shown, _, name = load_encoded(image)
        rows = [(label, c, *(box or (np.nan,) * 4)) for label, c, box in self.answers]
        table = pd.DataFrame(rows, columns=["label", "confidence", "left", "top", "width", "height"]).astype({"label": "str"})
        return Detection(shown, name, table, dict(zip(self.labels, COLORS)), None, self.detects)

    def candidate(self):
        facts = Facts(self.labels, COLORS[:len(self.labels)], tuple([0.5, 0.4, 0.3, 0.5][:len(self.labels)]), not self.detects)
        return QuickTestModel(self.name, "F1 0.914", self.start, self.stop, lambda: self.where, self.ask, lambda: facts)

labels = ("tomato", "lime", HOSTILE, "plum")
boxes = Fake("fruit.boxes", labels, [
    ("lime", 0.97, (300., 60., 210., 210.)), ("tomato", 0.91, (60., 90., 150., 150.)), (HOSTILE, 0.42, (450., 250., 120., 120.)),
    ("lime", 0.21, (80., 100., 90., 90.)), ("plum", 0.08, (10., 10., 40., 60.))], True)
whole = Fake("fruit.labels", labels, [("lime", 0.58, None), ("tomato", 0.31, None), (HOSTILE, 0.09, None), ("plum", 0.02, None)], False)
project = cl.create_project("things")
project.labels.add("tomato"); project.labels.add("lime"); project.labels.add("quince")
for seed in range(3):
    picture(f"photo-{seed}.png", seed=seed)
Path("no-picture.jpg").write_bytes(b"nothing of the kind")

def start(*models):
    session = QuickTestSession(lambda: [model.candidate() for model in models], feedback=Feedback(project._store, project.root))
    return QuickTest(session)
"""  # noqa: E501


class QuickTestPage:
    """Quick test shown by a cell of a page."""

    def __init__(self, page: LabPage, cell: int) -> None:
        self.page = page
        self.folder = page.path.parent
        self.root = page.output(cell).locator(".clnb-quick-test")

    def choose(self, *names: str) -> None:
        self.root.locator("input[type=file]").set_input_files([self.folder / name for name in names])

    def bring(self, kind: str, target: str, name: str, *, text: str = "", mime: str = "image/png") -> None:
        """Drop or paste a file of the folder, or a text."""
        data = list((self.folder / name).read_bytes()) if name else []
        self.page.page.evaluate(
            """([kind, selector, name, data, text, mime]) => {
                const transfer = new DataTransfer();
                if (name) transfer.items.add(new File([new Uint8Array(data)], name, { type: mime }));
                if (text) { transfer.setData("text/plain", text); transfer.setData("text/uri-list", text); }
                const node = document.querySelector(selector);
                const options = { bubbles: true, cancelable: true };
                if (kind === "paste") node.dispatchEvent(new ClipboardEvent("paste", { ...options, clipboardData: transfer }));
                else for (const type of ["dragenter", "dragover", "drop"]) node.dispatchEvent(new DragEvent(type, { ...options, dataTransfer: transfer }));
            }""",  # noqa: E501
            [kind, target, name, data, text, mime],
        )

    def answers(self) -> list[tuple[str, bool]]:
        """Return the labels of the list and whether each is chosen."""
        found: list[list[Any]] = self.root.locator(".answer:not(.own)").evaluate_all(
            "rows => rows.map(row => [row.querySelector('bdi').textContent, row.querySelector('input').checked])"
        )
        return [(label, taken) for label, taken in found]

    def slide(self, value: float) -> None:
        self.root.locator(".slider").evaluate(
            "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', { bubbles: true })); }",
            value,
        )

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.page.keyboard.press(key)


@pytest.mark.journey
def test_detected_boxes_follow_the_threshold_and_are_added(lab: Lab) -> None:
    page = lab.open(notebook(SETUP, "w = start(boxes, whole)\nw"), width=1240, height=1000)
    page.run_cell(0)
    page.run_cell(1)
    test = QuickTestPage(page, 1)
    root = test.root
    expect(root.locator(".empty")).to_be_visible()
    expect(root.locator(".toolbar .state")).to_have_text("stopped")

    # dropped: the model starts by itself and is called once
    test.bring("drop", ".clnb-quick-test", "photo-0.png")
    expect(root.locator(".mark")).to_have_count(3)
    expect(root.locator(".toolbar .state")).to_have_text("running on cpu")
    expect(root.locator(".tag text").first).to_have_text(re.compile("lime.* 0.97"))
    assert test.answers() == [("lime", True), ("tomato", True), ("<img src=x onerror=window.hacked=1>", True)]
    expect(root.locator(".summary")).to_contain_text("3 of 5 boxes")

    # thresholds change without another call
    root.focus()
    test.slide(0.1)
    expect(root.locator(".mark")).to_have_count(4)
    test.press("+", "+")
    expect(root.locator(".rest")).to_have_text("1 box is below the threshold")
    page.expect_value("(w.threshold, len(w.table), boxes.asked)", (0.2, 4, 1))
    test.press("a")
    expect(root.locator(".mark")).to_have_count(3)

    # a box is excluded by its key, and the others are added to the dataset
    test.press("3")
    expect(root.locator(".mark.left-out")).to_have_count(1)
    expect(root.locator(".as")).to_have_text("lime, tomato")
    test.press("Control+Enter")
    expect(root.locator(".done")).to_have_text("✓ in train: lime, tomato")
    expect(root.locator(".saved-words")).to_have_text("saved")
    stored = "project.train_set.annotations[['label', 'left', 'width']].values.tolist()"
    assert page.value(stored) == [["lime", 300, 210], ["tomato", 60, 150]]
    test.press("Control+z")
    expect(root.locator(".add")).to_be_visible()
    assert page.value("len(project.train_set.images)") == 0


@pytest.mark.exhaustive
def test_labels_from_files_the_clipboard_and_addresses(lab: Lab) -> None:
    page = lab.open(notebook(SETUP, "w = start(whole, boxes)\nw"), width=1400, height=1000)
    page.run_cell(0)
    page.run_cell(1)
    test = QuickTestPage(page, 1)
    root = test.root
    test.choose("photo-0.png")
    expect(root.locator(".chips .chip")).to_have_text(["lime0.58"])
    # a file that is not an image is reported, and the photo stays
    test.choose("no-picture.jpg")
    expect(root.locator(".notice.error")).to_contain_text("'no-picture.jpg'")
    expect(root.locator(".facts")).to_have_text("photo-0.png · 640 × 420 px")
    # the model was wrong: a label that it does not know
    root.focus()
    test.press("l")
    expect(root.locator(".own-label")).to_be_focused()
    page.page.keyboard.type("quince")
    test.press("Enter")
    expect(root.locator(".as")).to_have_text("quince")
    root.locator("[data-menu='split']").select_option("test")
    root.locator(".add").click()
    expect(root.locator(".done")).to_have_text("✓ in test: quince")
    assert page.value("project.test_set.annotations['label'].tolist()") == ["quince"]

    # pasted: an image, the address of one, and neither
    test.bring("paste", ".clnb-quick-test", "photo-1.png")
    expect(root.locator(".facts")).to_contain_text("photo-1.png")
    handler = partial(SimpleHTTPRequestHandler, directory=str(test.folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        root.focus()
        test.press("u")
        page.page.keyboard.type(f"{address}/photo-2.png")
        test.press("Enter")
        expect(root.locator(".facts")).to_contain_text("photo-2.png")
        test.bring("drop", ".clnb-quick-test", "", text=f"{address}/photo-1.png")
        expect(root.locator(".film")).to_have_count(4)
        server.shutdown()
    test.bring("paste", ".clnb-quick-test", "", text="just words")
    expect(root.locator(".notice.error")).to_contain_text("neither a file nor the URL")

    # another photo, another model, which can be stopped
    root.focus()
    test.press("ArrowLeft", "ArrowLeft")
    expect(root.locator(".film.current")).to_have_attribute("data-number", "2")
    root.locator("[data-menu='model']").select_option("fruit.boxes")
    expect(root.locator(".mark")).to_have_count(3)
    root.locator(".power").click()
    expect(root.locator(".toolbar .state")).to_have_text("stopped")
    assert page.value("(whole.where, boxes.where, boxes.asked)") == ("cpu", None, 1)
    root.locator("[data-menu='model']").select_option("fruit.labels")
    expect(root.locator(".answer")).to_have_count(4)

    # after a reload it is unchanged, and without a kernel nothing is said to be saved
    page.save()
    page.show()
    expect(root.locator(".film")).to_have_count(4)
    expect(root.locator(".facts")).to_contain_text("photo-1.png")
    page.shut_kernel_down()
    test.slide(0.2)  # the current results remain usable
    expect(root.locator(".chips .chip")).to_have_count(2)
    root.focus()
    test.press("Control+Enter")
    expect(root.locator(".saved-words")).to_contain_text("not saved")
    expect(root.locator(".done")).to_be_hidden()
    expect(root.locator(".notice.error").first).to_contain_text("kernel does not respond")


def test_camera_picture_is_detected(lab: Lab) -> None:
    page = lab.open(notebook(SETUP, "w = start(boxes)\nw"), width=1300)
    page.run_cell(0)
    page.run_cell(1)
    test = QuickTestPage(page, 1)
    root = test.root
    root.focus()
    test.press("c")
    expect(root.locator(".camera-bar")).to_be_visible()
    expect(root.locator(".mark")).to_have_count(3)  # its images are predicted continuously and not saved
    expect(root.locator(".adding")).to_be_hidden()
    test.slide(0.5)
    expect(root.locator(".mark")).to_have_count(2)
    assert page.value("(w.asked, len(w.session.trials))") == (0, 0)
    root.locator(".tab").first.click()
    root.focus()
    test.press("Escape")
    expect(root.locator(".camera-bar")).to_be_hidden()
    assert page.page.evaluate("document.querySelector('.clnb-quick-test video').srcObject") is None
    test.press("c")
    page.page.wait_for_function("document.querySelector('.clnb-quick-test video').videoWidth > 0")
    test.press(" ")
    expect(root.locator(".facts")).to_contain_text("camera-")
    expect(root.locator(".camera-bar")).to_be_hidden()
    width, height, name = page.value("(w.detection.image.width, w.detection.image.height, w.detection.name)")
    assert width >= 640
    assert height >= 360
    assert re.fullmatch(r"camera-[\dT.-]+\.jpg", name)
    expect(root.locator(".mark")).to_have_count(3)
    expect(root.locator(".add")).to_be_visible()
