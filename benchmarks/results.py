"""Results screen in JupyterLab: time to open, and time from a move of the slider until it is painted.

A step runs from the slider's event, sent at the beginning of a frame as browsers do, until the frame with every
number, curve and cell in view is painted. The images, and the rows of the table that are scrolled out of view, follow
in the next frame, so that the numbers never wait for them. Steps go to random values, so that nothing is cached,
including those of the IoU. Predictions are random. The images have no files: thumbnails come after the numbers and do
not delay them. Needs the extra ``test`` and Chromium.

    python benchmarks/results.py [--quick]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _measure import ROOT, bound, figure, heading

sys.path.insert(0, str(ROOT))

from playwright.sync_api import sync_playwright

from tests import provision
from tests.browser.jupyter import BROWSER_FLAGS, Lab, LabPage, notebook, serve

STEPS, QUICK_STEPS = 120, 25
OPENING, STEP = 1_000, 30  # milliseconds

SETUP = """
import numpy as np
import pandas as pd
import customlabels_nb as cl

def classifier(n, k, task):
    rng = np.random.default_rng(0)
    names, labels = [f"photos/{i:06}.jpg" for i in range(n)], [f"label {j}" for j in range(k)]
    truth = np.arange(n) % k
    scores = rng.normal(size=(n, k))
    scores[np.arange(n), truth] += 3
    confidence = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    true = pd.DataFrame({"image": names, "label": [labels[t] for t in truth]})
    said = pd.DataFrame({"image": np.repeat(names, k), "label": labels * n, "confidence": confidence.ravel()})
    return cl.evaluate(true, said, names, task=task, name="many images")

def detector(n, boxes, k=20):
    rng = np.random.default_rng(0)
    names = np.array([f"photos/{i:06}.jpg" for i in range(n)])
    labels = np.array([f"label {j}" for j in range(k)])
    size = rng.uniform(20, 150, (boxes, 2))
    corner = rng.uniform(0, 1, (boxes, 2)) * (np.array([640, 480]) - size)
    true = pd.DataFrame({"image": names[np.arange(boxes) % n], "label": rng.choice(labels, boxes)})
    true[["left", "top"]], true[["width", "height"]] = corner, size
    said = true.copy()
    said[["left", "top"]] = np.maximum(corner + rng.normal(0, 8, corner.shape), 0)
    wrong = rng.random(boxes) < 0.2
    said.loc[wrong, "label"] = rng.choice(labels, wrong.sum())
    said["confidence"] = rng.beta(4, 2, boxes)
    images = pd.DataFrame({"image": names, "width": 640, "height": 480})
    return cl.evaluate(true, said, images, task="boxes", name="many boxes")
"""
CASES = {
    "10,000 images x 20 labels, one label each": "classifier(10_000, 20, 'single-label')",
    "10,000 images x 20 labels, several each": "classifier(10_000, 20, 'multi-label')",
    "5,000 images, 50,000 boxes": "detector(5_000, 50_000)",
    "20,000 images x 80 labels": "classifier(20_000, 80, 'single-label')",
}

#: Milliseconds of each step until the page's own work on the numbers is done, until they are painted, and the images.
MEASURE = """async (root, [slider, values]) => {
    const node = root.querySelector(`.slider.${slider}`);
    const painted = () => new Promise((resolve) => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => resolve(performance.now());
        requestAnimationFrame(() => channel.port2.postMessage(null));
    });
    const times = [];
    for (const value of values) {
        await new Promise((resolve) => requestAnimationFrame(resolve));
        await new Promise((resolve) => setTimeout(resolve, 40));
        const start = performance.now();
        node.value = value;
        node.dispatchEvent(new Event("input", { bubbles: true }));
        root.getBoundingClientRect();
        const worked = performance.now();
        const numbers = await painted();
        await new Promise((resolve) => setTimeout(resolve));
        times.push([worked - start, numbers - start, await painted() - start]);
    }
    return times;
}"""


def steps(page: LabPage, slider: str, values: Sequence[float]) -> np.ndarray[Any, Any]:
    """Return the milliseconds of each step, shape (steps, 3)."""
    root = page.output(2).locator(".clnb-results")
    return np.array(root.evaluate(MEASURE, [slider, [str(round(value, 3)) for value in values]]))


def measure(lab: Lab, name: str, code: str, count: int) -> None:
    """Measure opening and slider steps for one size."""
    heading(name)
    page = lab.open(notebook(SETUP, f"report = {code}", "report.show()"), width=1400, height=1400)
    page.run_cell(0)
    page.run_cell(1, seconds=300)
    ready = page.page.evaluate_handle(
        """() => { window.opened = new Promise((resolve) => {
            const look = () => (document.querySelector(".clnb-results .label-table tbody tr") ? resolve(performance.now()) : requestAnimationFrame(look));
            look();
        }); return performance.now(); }"""  # noqa: E501
    ).json_value()
    page.run_cell(2)
    opened = float(page.page.evaluate("window.opened")) - float(ready)
    bound("from running the cell until the screen is shown", opened, "ms", at_most=OPENING)
    page.page.wait_for_timeout(4_000)  # advice and images
    rng = np.random.default_rng(1)
    for slider in ("threshold", "overlap"):
        if page.output(2).locator(f".slider.{slider}").is_hidden():
            continue
        times = steps(page, slider, rng.uniform(0.06, 0.98, count).tolist())
        worked, painted, images = np.percentile(times, [50, 95], axis=0).T
        figure(f"{slider}: JavaScript only, p50 and p95", f"{worked[0]:.1f} ms, {worked[1]:.1f} ms")
        figure(f"{slider}: until numbers are painted, p50", f"{painted[0]:.1f} ms")
        bound(f"{slider}: until numbers are painted, p95", float(painted[1]), "ms", at_most=STEP)
        figure(f"{slider}: until images are painted, p50 and p95", f"{images[0]:.1f} ms, {images[1]:.1f} ms")
    lab.close()


def main() -> None:
    """Measure every size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    options = parser.parse_args()
    count = QUICK_STEPS if options.quick else STEPS
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as server, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=provision.find_chromium(), args=BROWSER_FLAGS)
        for name, code in CASES.items():
            measure(Lab(server, chromium, name="results"), name, code, count)
        chromium.close()


if __name__ == "__main__":
    main()
