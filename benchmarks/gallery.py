"""Gallery in JupyterLab: time from a key press until its effect is painted.

Each time runs from the browser's own timestamp of the key until the images of the page are decoded and two frames
have begun after that. The photos are drawn here: 1024 × 768 pixels, noise and shapes, all different. With cached
thumbnails the gallery takes turns with a minimal widget that only paints the same bytes from memory. Needs the extra
``test`` and Chromium.

    python benchmarks/gallery.py [--quick] [--photos DIR]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from _gallery_screens import PAGE, BareScreen, GalleryScreen, GridScreen, OneByOneScreen, draw_photos, spaced
from _measure import ROOT, bound, figure, heading, start

sys.path.insert(0, str(ROOT))

from tests.browser.jupyter import BROWSER_FLAGS, Lab, LabPage, notebook, serve

PAGES, KEYS, BULKS, SIZES = 31, 60, 15, (250, 250_000)
QUICK_PAGES, QUICK_KEYS, QUICK_BULKS, QUICK_SIZES = 13, 10, 4, (250, 10_000)
PARTS = ("turning", "labelling", "growth", "peers")
LABELS = ("apple", "pear", "plum")
CACHED, OVER_BARE, PREFETCHED, COLD, GROWTH, OPENED = 200, 1.5, 60, 600, 1.2, 2_000
CHIP, SAVED, SAVED_WHILE_BUSY, NOTEBOOK = 50, 200, 1_000, 100_000

SETUP = """
import sys
from pathlib import Path
sys.path.insert(0, {benchmarks!r})
import _gallery_kernel as bench
photos = Path({photos!r})
project = bench.create(photos)
"""
CELLS = {
    "setup": SETUP,
    "gallery": "g = project.label('train', page_size=100)\ntimed = bench.Timed(g)\ng",
    "bare": "pictures = bench.thumbnails(project)\nbench.Bare(pictures)",
    "training": "bench.train_until(Path('stop'))",
    "projects": "projects = [bench.create_of_size(*one, project) for one in (('small', {small}), ('large', {large}))]",
    "small": "small = projects[0].label('train', page_size=100)\nsmall",
    "large": "large = projects[1].label('train', page_size=100)\nlarge",
    "grid": "bench.Grid(pictures)",
    "one by one": "bench.one_by_one(photos)",
}


def percentile(values: Sequence[float], share: int) -> float:
    """Return the percentile ``share`` (0 to 100) of the values."""
    return float(np.percentile(values, share))


def show(name: str, values: Sequence[float]) -> None:
    """Print the median and the 95th percentile in milliseconds."""
    figure(name, f"p50 {percentile(values, 50):.0f} ms, p95 {percentile(values, 95):.0f} ms ({len(values)} times)")


class Bench:
    """Notebook in the browser.

    Parameters
    ----------
    page : LabPage
        Page of the notebook.
    pages : int
        Pages of 100 photos.
    cells : dict of str to str, optional
        The notebook's cells by name.
    """

    def __init__(self, page: LabPage, pages: int, cells: Mapping[str, str] = CELLS) -> None:
        self.page = page
        self.pages = pages
        self.names = list(cells)
        self.opened = 0.0  # milliseconds until the last gallery was shown
        page.page.evaluate(Path(__file__).with_name("_gallery_clock.js").read_text("utf-8"))
        page.page.evaluate("clock.watch()")

    def run(self, cell: str, *, wait: bool = True) -> str:
        """Run a cell and return the CSS selector of its output."""
        index = self.names.index(cell)
        self.page.run_cell(index, wait=wait, seconds=600)
        self.page.cell(index).evaluate("(node, index) => { node.dataset.bench = index; }", index)
        return f"[data-bench='{index}'] .jp-Cell-outputArea"

    def gallery(self, cell: str, total: int) -> GalleryScreen:
        """Run a cell that shows a gallery of ``total`` images, and note the milliseconds until it is shown."""
        started = time.perf_counter()
        screen = GalleryScreen(self.page, f"{self.run(cell)} .clnb-gallery", total)
        screen.wait_for_pictures()
        self.opened = 1000 * (time.perf_counter() - started)
        return screen.ready()

    def do(self, code: str) -> None:
        """Run code in the kernel, outside the cells."""
        reply = self.page.kernel_client().execute(code, reply=True, timeout=300)
        assert reply["content"]["status"] == "ok", reply["content"]

    def forget(self) -> None:
        """Discard the recorded request times."""
        self.page.page.evaluate("clock.trips('')")
        self.page.value("timed.read('')")

    def trips(self, kind: str) -> list[float]:
        """Return the round-trip times of requests of a kind since the last call."""
        return list(self.page.page.evaluate("kind => clock.trips(kind)", kind))

    def show_parts(self, kind: str, trips: Sequence[float] | None = None) -> None:
        """Print the round-trip times of requests of a kind, and the part spent in the kernel."""
        trips = self.trips(kind) if trips is None else trips
        taken = self.page.value(f"timed.read({kind!r})")
        if trips and taken:
            show("  of which request round trip", trips)
            show("  of which in the kernel's handler", taken)


def saved_notebook(bench: Bench) -> None:
    """Measure how much larger the saved notebook is with an open gallery."""
    page = bench.page
    page.save()
    before = page.path.stat().st_size
    bench.gallery("gallery", bench.pages * PAGE)
    page.save()
    heading("saved notebook:")
    bound("grows by", (page.path.stat().st_size - before) / 1000, " KB", at_most=NOTEBOOK / 1000)


def turning(bench: Bench, gallery: GalleryScreen) -> None:
    """Measure pages of thumbnails that are not cached, cached on disk, and cached in the page."""
    heading(f"painting a page of {PAGE} thumbnails, nothing cached:")
    bench.forget()
    cold: list[float] = []
    bench.do("bench.forget_thumbnails(project)")
    for number in spaced(bench.pages):
        if number == 1:  # the pages between were prefetched and are on disk
            gallery.quiet()
            bench.do("bench.forget_thumbnails(project)")
        cold.append(gallery.jump(number))
    gallery.quiet()
    show("gallery", cold)
    bench.show_parts("page")
    bound("p95", percentile(cold, 95), " ms", at_most=COLD)

    heading("same with thumbnails cached on disk, in turn with the minimal widget:")
    bare = BareScreen(bench.page, f"{bench.run('bare')} .bare")
    cached: list[float] = []
    painted: list[float] = []
    gallery.jump(0)
    gallery.quiet()
    bench.forget()
    for turn, number in enumerate(spaced(bench.pages)):
        if turn % 2:
            painted.append(bare.next())
        cached.append(gallery.jump(number))
        if not turn % 2:
            painted.append(bare.next())
    gallery.quiet()
    show("gallery", cached)
    bench.show_parts("page")
    show("bare", painted)
    bound("p95", percentile(cached, 95), " ms", at_most=CACHED)
    for share in (50, 95):
        over = percentile(cached, share) / percentile(painted, share)
        bound(f"p{share} of gallery over p{share} of bare", over, "×", at_most=OVER_BARE)

    heading("next page, prefetched:")
    gallery.jump(0)
    ahead = [gallery.turn(number) for number in range(1, bench.pages)]
    show("gallery", ahead)
    bound("p95", percentile(ahead, 95), " ms", at_most=PREFETCHED)


@contextmanager
def training(bench: Bench) -> Iterator[None]:
    """Train on all cores in a cell meanwhile."""
    stop = bench.page.path.parent / "stop"
    stop.unlink(missing_ok=True)
    bench.run("training", wait=False)
    bench.page.page.wait_for_timeout(8_000)  # until torch is imported and the first steps are done
    try:
        yield
    finally:
        stop.touch()
        bench.page.wait_for_kernel()


def keys(bench: Bench, gallery: GalleryScreen, count: int) -> tuple[list[float], list[float]]:
    """Measure labelling image by image, until the chip is painted and until the kernel has responded."""
    gallery.clear()
    bench.trips("")
    times = []
    for index in range(count):
        times.append(gallery.key(str(index % 3 + 1), "chips", label=LABELS[index % 3], places=[index]))
        gallery.page.keyboard.press("ArrowRight")
        gallery.page.wait_for_timeout(30)
    gallery.quiet()
    return times, bench.trips("edit")


def bulk(bench: Bench, gallery: GalleryScreen, count: int) -> tuple[list[float], list[float]]:
    """Measure labelling a page with one key, until it is shown as saved and until the kernel has responded."""
    gallery.turn_to()
    gallery.page.keyboard.press("Escape")
    gallery.key("Control+a", "selected", count=PAGE)
    gallery.label_all("3", LABELS[2])
    gallery.quiet()
    bench.trips("")
    times = [gallery.label_all(str(number % 2 + 1), LABELS[number % 2]) for number in range(count)]
    gallery.quiet()
    gallery.page.keyboard.press("Escape")
    return times, bench.trips("edit")


def labelling(bench: Bench, gallery: GalleryScreen, key_count: int, bulk_count: int) -> None:
    """Measure labels assigned by key, with an idle kernel and while a cell trains."""
    gallery.jump(0)
    for when, most in (("", SAVED), (", while a cell trains", SAVED_WHILE_BUSY)):
        bench.forget()
        with training(bench) if when else nullcontext():
            single, trips = keys(bench, gallery, key_count)
            many, many_trips = bulk(bench, gallery, bulk_count)
            turned = [gallery.jump(number) for number in range(2, bench.pages, 2)] if when else []
        taken = bench.page.value("timed.read('edit')")
        heading(f"from a label's key until its chip is painted{when}:")
        show("gallery", single)
        show("  until the kernel has responded", trips)
        bound("p95", percentile(single, 95), " ms", at_most=CHIP)
        heading(f"{PAGE} labels by one key, until they are saved{when}:")
        show("gallery", many)
        show("  of which request round trip", many_trips)
        show("  of which in the kernel's handler", taken[-len(many) :])
        bound("p95", percentile(many, 95), " ms", at_most=most)
    heading("page with thumbnails cached on disk, while a cell trains:")
    show("gallery", turned)


def growth(bench: Bench, sizes: tuple[int, int]) -> None:
    """Measure going back page by page, so that none is prefetched, in a small and a large project in turn."""
    bench.do("bench.thumbnails(project)")  # these projects use its thumbnails, because they have no files
    bench.run("projects")
    screens = [bench.gallery(cell, total) for cell, total in zip(("small", "large"), sizes, strict=True)]
    heading(f"from running the cell until the first page of {sizes[1]:,} images is shown:")
    bound("gallery", bench.opened, " ms", at_most=OPENED)
    heading(f"going to another page, {sizes[0]:,} and {sizes[1]:,} images in turn:")
    times: list[list[float]] = [[], []]
    for _ in range(bench.pages // 2):
        for screen, kept in zip(screens, times, strict=True):
            last = (screen.total - 1) // PAGE
            start_at = last if screen.total <= 1000 else last // 2
            screen.jump(start_at)
            screen.choose("size", "48")  # back again, so that cached rows are discarded
            screen.choose("size", "100")
            kept += [screen.turn(number, "PageUp") for number in (start_at - 1, start_at - 2)]
    for total, own in zip(sizes, times, strict=True):
        show(f"{total:,} images", own)
    over = percentile(times[1], 50) / percentile(times[0], 50)
    bound("p50, large over small", over, "×", at_most=GROWTH)


def label_each(gallery: GalleryScreen, count: int) -> list[float]:
    """Select the images of each label by clicks, press its key, and return the waiting time of each."""
    times = []
    for number, label in enumerate(LABELS):
        places = list(range(number, count, len(LABELS)))
        times += [gallery.select(place, selected) for selected, place in enumerate(places, 1)]
        times.append(gallery.key(str(number + 1), "chips", label=label, places=places))
    return times


def peers(bench: Bench, gallery: GalleryScreen, *, quick: bool) -> None:
    """Measure a page labelled here, in ipywidgets and in ipyannotations, in labels per minute of waiting time."""
    some, rounds = (12, 2) if quick else (PAGE, 5)
    gallery.jump(0)
    gallery.clear()
    each = sum(label_each(gallery, some)) / some * PAGE
    turns, alike = [], []
    for number in range(1, rounds + 1):
        turns.append(gallery.turn(number))
        gallery.turn_to()
        alike.append(gallery.key("Control+a", "selected", count=PAGE))
        alike[-1] += gallery.key("1", "chips", label=LABELS[0], places=list(range(PAGE)))
        gallery.quiet()
    turn = statistics.median(turns)

    if "pictures" not in bench.page.value("dir()"):
        bench.run("bare")
    grid = GridScreen(bench.page, f"{bench.run('grid')} .grid-peer")
    grid.root.locator("img").nth(PAGE - 1).wait_for(timeout=120_000)
    grid.turn_to()
    grid_each = sum(grid.label(place, place % 3) for place in range(some)) / some * PAGE
    grid_turn = statistics.median(grid.next() for _ in range(rounds))

    single = OneByOneScreen(bench.page, f"{bench.run('one by one')} .one-by-one")
    single.root.locator("img").wait_for(timeout=60_000)
    single.turn_to()
    single_each = statistics.mean(single.label(LABELS[number % 3]) for number in range(some)) * PAGE

    def per_minute(milliseconds: float) -> float:
        return 60_000 * PAGE / milliseconds

    heading("comparison by a script without thinking time, waiting time only:")
    figure(f"next {PAGE} images: gallery", f"{turn:.0f} ms")
    figure("ipywidgets Image + GridBox", f"{grid_turn:.0f} ms, {grid_turn / turn:.1f} × as long")
    ours, bulk = per_minute(each + turn), per_minute(statistics.median(alike) + turn)
    figure("labels per minute, image by image: gallery", f"{ours:,.0f}")
    figure("same, a page of similar images by one key", f"{bulk:,.0f}")
    for name, peer in (
        ("ipywidgets Image + ToggleButtons + GridBox", per_minute(grid_each + grid_turn)),
        ("ipyannotations ClassLabeller", per_minute(single_each)),
    ):
        figure(name, f"{peer:,.0f}; gallery {ours / peer:.2f} ×, by one key {bulk / peer:.0f} ×")


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="quick smoke test with few pages and keys")
    parser.add_argument("--only", choices=PARTS, action="append", help="run only this part (repeatable)")
    parser.add_argument(
        "--photos", type=Path, metavar="DIR", help="folder for the drawn photos, reused by the next run"
    )
    options = parser.parse_args()
    sys.argv = sys.argv[:1]
    start(None, with_images=False)
    from playwright.sync_api import sync_playwright

    from tests import provision

    program = provision.find_chromium()
    if program is None:
        print("Chromium is not installed. `python -m tests` installs it.")
        return
    pages, count, bulks, sizes = (
        (QUICK_PAGES, QUICK_KEYS, QUICK_BULKS, QUICK_SIZES) if options.quick else (PAGES, KEYS, BULKS, SIZES)
    )
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        photos = (options.photos or Path(folder) / "photos").absolute() / str(pages)
        draw_photos(photos, pages * PAGE)
        names = {"benchmarks": str(Path(__file__).parent), "photos": str(photos), "small": sizes[0], "large": sizes[1]}
        (Path(folder) / "jupyter").mkdir()
        with serve(Path(folder) / "jupyter") as server:
            chromium = playwright.chromium.launch(executable_path=program, args=BROWSER_FLAGS)
            lab = Lab(server, chromium, name="benchmark")
            page = lab.open(notebook(*(cell.format(**names) for cell in CELLS.values())), width=1400, height=1750)
            bench = Bench(page, pages)
            bench.run("setup")
            saved_notebook(bench)
            gallery = GalleryScreen(page, "[data-bench='1'] .clnb-gallery", pages * PAGE)
            parts = options.only or PARTS
            if "turning" in parts:
                turning(bench, gallery)
            if "labelling" in parts:
                labelling(bench, gallery, count, bulks)
            if "growth" in parts:
                growth(bench, sizes)
            if "peers" in parts:
                peers(bench, gallery, quick=options.quick)
            lab.close()
            chromium.close()
    if hasattr(os, "getloadavg"):  # including other processes, in which case only the ratios are meaningful
        heading(f"load average of the last 15 minutes: {os.getloadavg()[2]:.1f}")


if __name__ == "__main__":
    main()
