"""Dashboard of a large project in JupyterLab: time to open, and time to follow changes.

One cell opens the project and shows it, timed from its start until progress is painted, and until all bars are, which
needs the annotations. The dashboard then follows another process that labels images, timed from the commit until the
bar is painted with the new count. Times of the kernel alone are printed as well. The projects have no files: 250,000
images, 70 % of them labelled by eight people over three weeks, once with one label per image and once with 4.4 boxes
per image.

    python benchmarks/dashboard.py [--quick]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _measure import ROOT, bound, figure, heading, seconds, start

sys.path.insert(0, str(ROOT))

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.store import Action
from tests.browser.jupyter import BROWSER_FLAGS, Lab, LabPage, notebook, serve

IMAGES, QUICK_IMAGES = 250_000, 10_000
BOXES = 4.4
LABELS = [f"label {number}" for number in range(20)]
PEOPLE = [f"person {number}" for number in range(8)]
TIMES, QUICK_TIMES = 15, 4
OPENS, FOLLOWS = 1_000, 500

_OTHER_PROCESS = """
import sys, time
import customlabels_nb as cl
from customlabels_nb.labeling.edit_rules import add_label
project = cl.load_project(sys.argv[1])
store = project._store
names = project.train_set.images.query("status == 'unlabelled'")["image"].tolist()
print("ready", flush=True)
for line in sys.stdin:
    name = names.pop()
    rows, marks, _ = store.tables("train", images=[name])
    after = add_label("label 0", annotator="person 0", alone=True)(rows, marks)
    store.update_images("train", *after, cl.store.Action("label", "person 0"))
    print(time.time() * 1000, flush=True)
"""
# both resolve two frames after the condition holds, when it is painted
_PAINTED = """() => { window.painted = (condition) => new Promise((resolve) => {
    const say = () => resolve(performance.timeOrigin + performance.now());
    const look = () => {
        if (!condition()) requestAnimationFrame(look);
        else requestAnimationFrame(() => requestAnimationFrame(say));
    };
    look();
}); }"""
_OPEN = """async (index) => {
    const begun = performance.timeOrigin + performance.now();
    const cell = document.querySelectorAll(".jp-Notebook .jp-Cell")[index];
    const shown = (selector) => window.painted(() => cell.querySelector(`.clnb-dashboard ${selector}`));
    const done = [shown(".progress-of .mark"), shown(".label-rows .mark")];
    window.harness.runCell(index);
    return (await Promise.all(done)).map((moment) => moment - begun);
}"""
_WATCH = """(text) => {
    const marks = () => [...document.querySelectorAll(".clnb-dashboard .mark[data-key='train label 0']")];
    window.seen = window.painted(() => marks().some((mark) => mark.getAttribute("aria-label") === text));
}"""


def create(folder: Path, name: str, images: int, *, boxes: bool) -> cl.Project:
    """Create a project of ``images`` images without files."""
    project = cl.create_project(name, folder)
    rng = np.random.default_rng(0)
    for split, share in (("train", 0.8), ("test", 0.2)):
        count = int(images * share)
        names = np.array([f"/photos/2026-11/{split}/IMG_{number:07}.jpg" for number in range(count)], dtype=object)
        status = rng.choice(["labelled", "unlabelled", "skipped", "needs_review"], count, p=[0.7, 0.2, 0.05, 0.05])
        rows = {
            "image": names,
            "status": status,
            "width": 640,
            "height": 480,
            "sha256": [f"{n:064x}" for n in range(count)],
        }
        labelled = np.flatnonzero(status == "labelled")
        of = np.sort(rng.choice(labelled, int(count * BOXES))) if boxes else labelled
        marks = pd.DataFrame(
            {
                "image": names[of],
                "label": rng.choice(LABELS, len(of)),
                "annotator": rng.choice(PEOPLE, len(of)),
                "created": pd.Timestamp.now(tz="UTC")
                + pd.to_timedelta(rng.integers(1, 21 * 86_400, len(of)), unit="s"),
            }
        )
        if boxes:
            marks = marks.assign(left=1.0, top=2.0, width=30.0, height=40.0)
        tables = t.normalise_images(pd.DataFrame(rows)), t.normalise_annotations(marks)
        project._store.add_images(split, *tables, Action("import", "somebody"))
    return project


def kernel_alone(project: cl.Project, times: int) -> None:
    """Measure the kernel without a browser."""
    opened = [seconds(lambda: project.dashboard().totals) for _ in range(3)]
    figure(
        "kernel alone: create and count everything",
        f"{1000 * statistics.median(opened):.0f} ms (median of {len(opened)})",
    )
    dashboard = project.dashboard()
    assert dashboard.totals.complete
    store = project._store
    names = project.train_set.images["image"].tolist()
    took = []
    for number in range(times):
        rows, marks, _ = store.tables("train", images=[names[number]])
        status = "skipped" if rows["status"].iloc[0] == "needs_review" else "needs_review"
        store.update_images("train", rows.assign(status=status), marks, Action("mark", "anybody"))
        took.append(seconds(dashboard._totals))
    figure("kernel alone: counts after a change", f"{1000 * statistics.median(took):.0f} ms (median of {len(took)})")
    for _ in took:
        store.undo(None, Action("undo", "anybody"))
    dashboard.close()


def follow(page: LabPage, folder: Path, name: str, times: int) -> list[float]:
    """Return the milliseconds from another process's commit until the bar is painted."""
    other = subprocess.Popen(
        [sys.executable, "-c", _OTHER_PROCESS, str(folder / name)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdin is not None
    assert other.stdout is not None
    took = []
    try:
        assert other.stdout.readline() == "ready\n"
        mark = page.page.locator(".clnb-dashboard .mark[data-key='train label 0']").last
        for _ in range(times):
            said = str(mark.get_attribute("aria-label"))
            count = int("".join(filter(str.isdigit, said.split(":")[1])))
            page.page.evaluate(_WATCH, said.replace(f"{count:,}", f"{count + 1:,}"))
            other.stdin.write("\n")
            other.stdin.flush()
            stored = float(other.stdout.readline())
            took.append(float(page.page.evaluate("window.seen")) - stored)
            page.page.wait_for_timeout(150 + 37 * len(took) % 200)  # at an arbitrary point of the polling interval
    finally:
        other.stdin.close()
        other.wait(10)
    return took


def show(name: str, values: list[float], at_most: float | None) -> None:
    """Print the median, and the maximum with its bound."""
    figure(f"{name}, median", f"{statistics.median(values):.0f} ms ({len(values)} times)")
    if at_most is None:
        figure(f"{name}, slowest", f"{max(values):.0f} ms")
    else:
        bound(f"{name}, slowest", max(values), " ms", at_most=at_most)


def measure(chromium: Any, server: Any, folder: Path, name: str, times: int, *, boxes: bool) -> None:
    """Measure opening a project's dashboard and following changes."""
    cells = ["import customlabels_nb as cl", *[f"cl.load_project({str(folder / name)!r}).dashboard()"] * 4]
    lab = Lab(server, chromium, name="dashboard")
    page = lab.open(notebook(*cells), width=1400, height=1500)
    page.page.evaluate(_PAINTED)
    page.run_cell(0)
    page.page.evaluate(_OPEN, 1)  # the first widget of a page also loads what widgets need
    opened: list[list[float]] = []
    for index in (2, 3, 4):
        opened.append(page.page.evaluate(_OPEN, index))
        page.page.evaluate(
            "index => window.jupyterapp.shell.currentWidget.content.widgets[index].model.sharedModel.setOutputs([])",
            index - 1,
        )
    show("open: progress painted", [first for first, _ in opened], OPENS)
    show("open: all bars painted", [whole for _, whole in opened], None if boxes else OPENS)
    page.page.wait_for_timeout(9_000)  # until the closed dashboards stop polling
    show("follow a second process", follow(page, folder, name, times), FOLLOWS)
    page.save()
    figure("size of the saved notebook", f"{page.path.stat().st_size / 1000:.0f} KB")
    lab.close()


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="quick smoke test with few images")
    options = parser.parse_args()
    sys.argv = sys.argv[:1]
    start(None, with_images=False)
    from playwright.sync_api import sync_playwright

    from tests import provision

    program = provision.find_chromium()
    if program is None:
        print("Chromium is not installed. `python -m tests` installs it.")
        return
    images, times = (QUICK_IMAGES, QUICK_TIMES) if options.quick else (IMAGES, TIMES)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        (folder / "jupyter").mkdir()
        with serve(folder / "jupyter") as server:
            chromium = playwright.chromium.launch(executable_path=program, args=BROWSER_FLAGS)
            for name, boxes in (("labels", False), ("boxes", True)):
                heading(f"{images:,} images, {f'{BOXES} boxes per image' if boxes else 'one label per image'}:")
                project = create(folder, name, images, boxes=boxes)
                kernel_alone(project, times)
                project.close()
                measure(chromium, server, folder, name, times, boxes=boxes)
            chromium.close()


if __name__ == "__main__":
    main()
