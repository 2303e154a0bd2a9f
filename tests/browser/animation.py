"""Film the way from photos to a judged model in JupyterLab: ``python -m tests.browser.animation``.

Drives a real JupyterLab: photos are labelled in the gallery, a classifier is trained on these labels, its results are
shown, and wrong labels of boxes are corrected where the boxes are pictures. Writes ``docs/images/first_model.webp``.
Waiting is shortened, everything else is as a user sees it.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import ElementHandle, FloatRect, Locator, sync_playwright

from tests import provision
from tests.browser.jupyter import ROOT, Lab, LabPage, launch, notebook, serve
from tests.browser.screenshots import wait_for_images

FILE = ROOT / "docs" / "images" / "first_model.webp"
LARGEST = 2 * 2**20
ROOMS = ("bathroom", "entry_way", "living_space")
CELLS = (
    f"""import customlabels_nb as cl

photos = cl.examples.write_photos("rooms", "photos", train=80, test=120)
project = cl.create_project("rooms", task="single-label")
for label in {ROOMS}:
    project.labels.add(label)
    project.add_images(photos.train / label, progress=False)
    project.add_images(photos.test / label, split="test", label=label, progress=False)""",
    'project.label("train", sort="name", page_size=24)',
    "model = project.train()",
    "model.evaluate().show()",
    """boards = cl.examples.create("circuit_boards", train=12, test=4)
boxes = boards.train_set.annotations
boxes.loc[boxes.index[boxes["label"] == "pot_resistor"][[2, 7]], "label"] = "comparator"  # wrong
boards.update("train", boxes)""",
    'boards.crops("train", page_size=24)',
)
#: A pointer that follows the mouse, which screenshots leave out.
POINTER = """
const pointer = document.createElement("div");
pointer.style.cssText = `position: fixed; z-index: 99999; pointer-events: none; width: 18px; height: 18px; margin: -9px;
  border-radius: 9px; border: 2px solid white; background: #d55e00cc; box-shadow: 0 0 4px #0008`;
document.body.append(pointer);
document.addEventListener("mousemove", (event) => {
  pointer.style.left = `${event.clientX}px`;
  pointer.style.top = `${event.clientY}px`;
}, true);
"""


class Film:
    """Frames of the notebook with the time in milliseconds for which each is shown."""

    def __init__(self, page: LabPage) -> None:
        self.page = page
        self.frames: list[Image.Image] = []
        self.times: list[int] = []
        box = page.page.locator(".jp-NotebookPanel .jp-WindowedPanel-outer").first.bounding_box()
        assert box is not None
        self.clip: FloatRect = {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}
        page.page.evaluate(POINTER)

    def show(self, ms: int) -> None:
        """Add what is visible now."""
        png = self.page.page.screenshot(clip=self.clip)
        self.frames.append(Image.open(io.BytesIO(png)).convert("RGB"))
        self.times.append(ms)

    def click(self, target: Locator | ElementHandle, *, add: Literal["Shift", "Control"] | None = None) -> None:
        """Move the mouse to an element in steps that can be seen, and click."""
        target.scroll_into_view_if_needed()
        box = target.bounding_box()
        assert box is not None
        for steps in range(3):
            self.page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + 40 - 20 * steps)
            self.show(90)
        target.click(modifiers=[add] if add else [])
        self.show(450)

    def turn_to(self, cell: int) -> None:
        """Scroll to the top of a cell."""
        self.page.cell(cell).evaluate("node => node.scrollIntoView({ block: 'start' })")
        self.page.page.wait_for_timeout(500)  # for what JupyterLab draws when it becomes visible
        self.show(700)

    def save(self, path: Path) -> None:
        """Write an animated WebP with the highest quality that is small enough."""
        for quality in (80, 65, 50, 35):
            options = {"quality": quality, "method": 4, "minimize_size": False, "allow_mixed": True, "loop": 0}
            data = io.BytesIO()
            first, *rest = self.frames
            first.save(data, "WEBP", save_all=True, append_images=rest, duration=self.times, **options)
            if data.tell() <= LARGEST:
                break
        path.write_bytes(data.getvalue())


def film(page: LabPage) -> Film:
    """Label, train and evaluate."""
    page.run_cell(0, seconds=300)
    film = Film(page)
    film.show(1800)
    film.turn_to(1)
    page.run_cell(1)
    gallery = page.output(1).locator(".clnb-gallery")
    wait_for_images(gallery, gallery.locator(".tile img[src^='data:']").last)
    film.turn_to(1)
    tiles = gallery.locator(".tile")
    for number in range(len(ROOMS)):
        film.click(tiles.nth(8 * number))
        film.click(tiles.nth(8 * number + 7), add="Shift")
        page.page.keyboard.press(str(number + 1))
        page.page.wait_for_timeout(1500)
        film.show(900)
    film.turn_to(2)
    page.run_cell(2, wait=False)
    view = page.output(2).locator(".clnb-training")
    for _ in range(120):
        page.page.wait_for_timeout(500)
        film.show(180)
        if view.get_by_text("F1").count():
            break
    page.page.wait_for_timeout(2000)
    film.show(1800)
    film.turn_to(3)
    page.run_cell(3, seconds=300)
    results = page.output(3).locator(".clnb-results")
    wait_for_images(results, results.locator(".tile img[src^='data:']").first)
    film.turn_to(3)
    film.show(1500)
    film.click(results.get_by_text("one for all"))
    slider = results.locator("input[type=range].slider").first
    slider.focus()
    for key in ("PageUp",) * 5 + ("PageDown",) * 5:
        page.page.keyboard.press(key)
        page.page.wait_for_timeout(300)
        film.show(220)
    film.show(1800)
    _correct_crops(page, film)
    return film


def _correct_crops(page: LabPage, film: Film) -> None:
    """Give two boxes, which are first because their labels are wrong, the right label."""
    page.run_cell(4, seconds=300)
    film.turn_to(4)
    page.run_cell(5)
    crops = page.output(5).locator(".clnb-gallery")
    wrong = crops.locator(".tile", has_text="comparator").filter(has_text="pot_resistor")
    wrong.nth(1).wait_for()  # suggestions are there when the boxes are sorted by doubt
    wait_for_images(crops, crops.locator(".tile img[src^='data:']").last)
    film.turn_to(5)
    film.show(1200)
    first, second = wrong.element_handles()
    film.click(first)
    film.click(second, add="Control")
    page.page.keyboard.press("2")
    page.page.wait_for_timeout(1500)
    film.show(3000)


def main() -> None:
    """Write the film."""
    program = provision.find_chromium()
    if program is None:
        raise SystemExit("There is no Chromium here: `python -m tests` installs one.")
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as server, sync_playwright() as playwright:
        chromium = launch(playwright, program)
        lab = Lab(server, chromium, "lab", "animation")
        try:
            shot = film(lab.open(notebook(*CELLS), width=1180, height=760, device_scale_factor=1))
        except BaseException:
            lab.keep_evidence()
            raise
        finally:
            lab.server.stop_kernels()
        shot.save(FILE)
        chromium.close()
    seconds = sum(shot.times) / 1000
    print(f"{FILE.relative_to(ROOT)}: {len(shot.times)} frames, {seconds:.0f} s, {FILE.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
