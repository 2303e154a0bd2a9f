"""Create the screenshots of README and the tour: widgets and a report in JupyterLab, light and dark.

``python -m tests.browser.screenshots`` draws the example projects, trains a classifier of rooms, and writes
``notebooks/images/<scene>-<theme>.webp``. Names of scenes as arguments limit it to these.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Locator, TimeoutError, sync_playwright

from tests import provision
from tests.browser.jupyter import ROOT, Lab, LabPage, launch, notebook, serve

FOLDER = ROOT / "notebooks" / "images"
THEMES = ("light", "dark")
LARGEST = 150 * 1024
WIDTH = 1160  # of the screenshot, where GitHub shows 1,012 at most

GALLERY = (
    """import customlabels_nb as cl

project = cl.examples.create("rooms", train=30, test=10)
model = project.train(random_state=0, budget="20s", progress=False)
more = cl.examples.write_photos("rooms", "more", random_state=1, train=30, test=0)
project.add_images(more.train, progress=False)
new = project.train_set.filter("label.isna()")
project.add_predictions(model.detect_many(new, progress=False), model=model)""",
    'gallery = project.label("train", sort="similarity", page_size=24)\ngallery',
)
ANNOTATOR = (
    'import customlabels_nb as cl\n\nboards = cl.examples.create("circuit_boards", train=12, test=4)',
    'annotator = boards.annotate("train", sort="name")\nannotator',
)
CROPS = (
    """import customlabels_nb as cl

boards = cl.examples.create("circuit_boards", train=12, test=4)
boxes = boards.train_set.annotations
boxes.loc[[10, 30], "label"] = "comparator"  # wrong
boards.update("train", boxes)""",
    'crops = boards.crops("train", page_size=24)\ncrops',
)
REPORT = (
    """import customlabels_nb as cl

project = cl.examples.create("rooms")
model = project.train(random_state=0, budget="20s", progress=False)""",
    "model.evaluate()",
)
RESULTS = (
    """import customlabels_nb as cl

project = cl.examples.create("rooms")
report = project.train(random_state=0, budget="20s", progress=False).evaluate()""",
    'screen = report.show()\nscreen.set_filter(show="all")\nscreen',
)
JOB = (
    """import time

import customlabels_nb as cl

project = cl.examples.create("rooms", train=80, test=10)
job = project.jobs.create("rooms-1", images=project.train_set, annotators=2, instructions="Which room is it?")
truth = project.train_set.annotations.set_index("image")["label"]
for name, count, right in (("anna", 50, 9), ("carl", 30, 7), ("ben", 25, 8)):
    person = job.worker(name)
    for number, task in enumerate(person.lease(count)):
        time.sleep(1.5)  # about as fast as three people
        person.submit(task, truth[task.image] if number % 10 < right else "living_space")
    person.release()""",
    "job.dashboard()",
)


class Scene(NamedTuple):
    """Notebook cells, the last of which shows a widget or a report, and the actions in it before the screenshot."""

    cells: Sequence[str]
    root: str
    ready: str
    act: Callable[[LabPage, Locator], None]
    height: int


def _select_some(page: LabPage, root: Locator, places: Sequence[int] = (2, 3, 4, 9)) -> None:
    """Select tiles of the gallery."""
    root.get_by_text("Sorting by").wait_for(state="hidden")
    for index in places:
        root.locator(".tile").nth(index).click(modifiers=["Control"])


def _select_a_box(page: LabPage, root: Locator) -> None:
    root.evaluate("node => node.focus()")
    page.page.keyboard.press("Tab")


def _nothing(page: LabPage, root: Locator) -> None:
    page.page.mouse.move(2, 2)


SCENES = {
    "gallery": Scene(GALLERY, ".clnb-gallery", ".tile img[src^='data:']", _select_some, 1100),
    "crops": Scene(CROPS, ".clnb-gallery", ".tile img[src^='data:']", partial(_select_some, places=(0, 1)), 1100),
    "annotator": Scene(ANNOTATOR, ".clnb-annotator", ".photo[src^='data:']", _select_a_box, 1000),
    "report": Scene(REPORT, ".clnb-report", ".clnb-matrix", _nothing, 1300),
    "results": Scene(RESULTS, ".clnb-results", ".tile img[src^='data:']", _nothing, 1620),
    "job": Scene(JOB, ".clnb-job-dashboard", ".foot .state:text-is('up to date')", _nothing, 1150),
}


def take(lab: Lab, name: str) -> list[Path]:
    """Take the screenshots of a scene and return their files."""
    scene = SCENES[name]
    page = lab.open(notebook(*scene.cells), width=WIDTH + 330, height=scene.height, device_scale_factor=1)
    page.run_all(seconds=600)
    last = len(scene.cells) - 1
    root = page.output(last).locator(scene.root)
    wait_for_images(root, root.locator(scene.ready).first)
    root.scroll_into_view_if_needed()
    scene.act(page, root)
    files = []
    for theme in THEMES:
        page.set_theme(theme)
        page.page.wait_for_timeout(1500)  # remaining thumbnails, and the end of animations
        files.append(_keep(root.screenshot(), FOLDER / f"{name}-{theme}.webp"))
    page.close()
    return files


def wait_for_images(root: Locator, ready: Locator) -> None:
    """Wait for the widget's images and, on a busy machine, retry as a person would."""
    for _ in range(8):
        with suppress(TimeoutError):
            return ready.wait_for()
        again = root.get_by_text("Try again")
        if again.count():
            again.first.click()
    return ready.wait_for()


def _keep(png: bytes, path: Path) -> Path:
    """Save a screenshot as WebP with the highest quality that is small enough."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    for quality in (88, 82, 76, 70, 60, 50):
        data = io.BytesIO()
        picture.save(data, "WEBP", quality=quality, method=6)
        if data.tell() <= LARGEST:
            break
    path.write_bytes(data.getvalue())
    return path


def main(names: Sequence[str]) -> None:
    """Take the screenshots of these scenes, or of all."""
    unknown = sorted(set(names) - set(SCENES))
    if unknown:
        raise SystemExit(f"{', '.join(unknown)} isn't a scene; known: {', '.join(SCENES)}.")
    program = provision.find_chromium()
    if program is None:
        raise SystemExit("There is no Chromium here: `python -m tests` installs one.")
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as server, sync_playwright() as playwright:
        chromium = launch(playwright, program)
        for name in names or SCENES:
            lab = Lab(server, chromium, "lab", f"screenshot-{name}")
            try:
                for file in take(lab, name):
                    print(f"{file.relative_to(ROOT)}: {file.stat().st_size / 1024:.0f} KB", flush=True)
            except BaseException:
                lab.keep_evidence()
                raise
            finally:
                lab.server.stop_kernels()
        chromium.close()


if __name__ == "__main__":
    main(sys.argv[1:])
