"""Map in JupyterLab: opening, moving, and selecting with the lasso, beside a canvas that stamps the same points.

The files of the images are empty, and have features of overlapping groups. Needs the extra ``test`` and Chromium.

    python benchmarks/map.py [--quick]
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _measure import ROOT, bound, cores, figure, heading

sys.path.insert(0, str(ROOT))

from tests.browser.jupyter import BROWSER_FLAGS, Lab, notebook, serve

POINTS, QUICK_POINTS, LAID_OUT, QUICK_LAID_OUT = 100_000, 10_000, 5_000, 1_000
OPENED, FRAME, SHARP, COUNTED, LAYOUT = 2_000, 33, 150, 100, 60
SETUP = "import sys, time\nsys.path.insert(0, {benchmarks!r})\nimport _map_kernel as bench"
#: Notes the frames, and when all points were painted again.
WATCH = """() => {
    const put = CanvasRenderingContext2D.prototype.putImageData;
    globalThis.watch = { frames: [], last: 0, painted: 0, puts: 0 };
    CanvasRenderingContext2D.prototype.putImageData = function (...given) {
        globalThis.watch.puts += 1;
        return put.apply(this, given);
    };
    const tick = (now) => {
        const { watch } = globalThis;
        if (watch.last) watch.frames.push(now - watch.last);
        watch.last = now;
        if (watch.puts) watch.painted = performance.now();
        watch.puts = 0;
        requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
}"""
BARE = """(count) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 800, height: 500 });
    const stamp = Object.assign(document.createElement("canvas"), { width: 8, height: 8 });
    stamp.getContext("2d").fillRect(2, 2, 4, 4);
    const pen = canvas.getContext("2d");
    const places = Float32Array.from({ length: 2 * count }, () => Math.random() * 500);
    const times = [];
    for (let turn = 0; turn < 9; turn += 1) {
        const began = performance.now();
        pen.clearRect(0, 0, 800, 500);
        for (let at = 0; at < places.length; at += 2) pen.drawImage(stamp, places[at], places[at + 1]);
        pen.getImageData(0, 0, 1, 1);
        times.push(performance.now() - began);
    }
    return times.sort((a, b) => a - b)[4];
}"""


def laying_out(page: Any, count: int) -> None:
    """Measure the layout of a sample, and how many neighbours stay neighbours."""
    heading(f"Layout of {count:,} images, {cores()} cores")
    page.value(f"exec('small = bench.create({count})')", seconds=300)
    took = page.value("[time.perf_counter(), len(small.map_layout(progress=False)), time.perf_counter()]", seconds=600)
    bound("laid out", took[2] - took[0], " s", at_most=LAYOUT)
    kept = page.value("bench.neighbours_kept(small, small.map_layout(progress=False))", seconds=120)
    figure("share of the 10 nearest neighbours that are kept", f"{kept:.2f}")


def moving(page: Any, root: Any, count: int) -> None:
    """Measure frames while the map is dragged, and the time until it is sharp."""
    box = root.locator(".plane").bounding_box()
    mouse, middle = page.page.mouse, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.page.evaluate(WATCH)
    root.get_by_role("button", name="move").click()
    mouse.move(*middle)
    mouse.down()
    page.page.evaluate("() => { watch.frames = []; }")
    for step in range(60):
        mouse.move(middle[0] + 80 * math.sin(step / 6), middle[1] + 50 * math.cos(step / 5))
    frames = page.page.evaluate("() => watch.frames")
    moved = page.page.evaluate("() => { watch.painted = 0; return performance.now(); }")
    mouse.move(*middle)  # painted in its own frame if that is quick, and sharp after the gesture otherwise
    mouse.up()
    page.page.wait_for_function("watch.painted > 0")
    sharp = page.page.evaluate("() => watch.painted") - moved
    bound("frame during a gesture, p95", float(np.percentile(frames, 95)), " ms", at_most=FRAME)
    bound("sharp after the gesture", sharp, " ms", at_most=SHARP)
    figure("all points on a bare canvas, median", f"{page.page.evaluate(BARE, count):.0f} ms")


def selecting(page: Any, root: Any) -> None:
    """Measure the time from the end of the lasso until the counts are shown, and until its page is."""
    box = root.locator(".plane").bounding_box()
    mouse, middle = page.page.mouse, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    root.get_by_role("button", name="lasso").click()
    mouse.move(middle[0] + 120, middle[1])
    mouse.down()
    for step in range(1, 26):
        mouse.move(middle[0] + 120 * math.cos(step / 4), middle[1] + 120 * math.sin(step / 4))
    page.page.evaluate(
        """() => {
            const note = (name, node) => new MutationObserver(() => { watch[name] ??= performance.now(); })
                .observe(node, { childList: true, subtree: true, characterData: true });
            note("counted", document.querySelector(".clnb-map .counts"));
            note("paged", document.querySelector(".clnb-map .position"));
            document.addEventListener("pointerup", () => { watch.released = performance.now(); },
                { capture: true, once: true });
        }"""
    )
    mouse.up()
    page.page.wait_for_function("watch.paged > 0")
    counted, paged = page.page.evaluate("() => [watch.counted - watch.released, watch.paged - watch.released]")
    figure("selected", root.locator(".counts strong").inner_text())
    bound("lasso until the counts", counted, " ms", at_most=COUNTED)
    figure("lasso until the page of images", f"{paged:.0f} ms")


def main() -> None:
    """Run the benchmark and print its results."""
    from playwright.sync_api import expect, sync_playwright

    from tests import provision

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10,000 points")
    options = parser.parse_args()
    count, laid_out = (QUICK_POINTS, QUICK_LAID_OUT) if options.quick else (POINTS, LAID_OUT)
    program = provision.find_chromium()
    if program is None:
        print("Chromium is not installed. `python -m tests` installs it.")
        return
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=BROWSER_FLAGS)
        setup = SETUP.format(benchmarks=str(Path(__file__).parent))
        lab = Lab(server, browser)
        page = lab.open(notebook(setup, f"large = bench.create({count})", "m = large.map()\nm"), width=1400)
        page.run_cell(0)
        laying_out(page, laid_out)
        heading(f"Map of {count:,} images")
        page.run_cell(1, seconds=500)
        page.value("len(large.map_layout(progress=False))", seconds=600)
        root = page.output(2).locator(".clnb-map")
        began = time.perf_counter()
        page.run_cell(2, wait=False)
        expect(root).to_have_attribute("data-points", str(count), timeout=120_000)
        bound("open, with a stored layout", 1000 * (time.perf_counter() - began), " ms", at_most=OPENED)
        moving(page, root, count)
        selecting(page, root)
        heap = page.page.evaluate("() => performance.memory.usedJSHeapSize / 2 ** 20")
        figure("heap of the page, memory of the kernel", f"{heap:.0f} MB, {page.value('bench.memory()'):.0f} MB")
        lab.close()
        browser.close()


if __name__ == "__main__":
    main()
