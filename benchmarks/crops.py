"""Crops: how fast they are in JupyterLab, and how many keys and clicks they take to find and correct wrong labels.

- ``open``: 250,000 boxes by doubt, and with predictions of 10 % more, from running the cell until the first page is
  shown, and the peak of memory of a process that opens them above that of one that imports the package.
- ``pages``: pages of 100 crops of as many photos (in random order), until they are painted: photos of a megapixel, with
  cached crops and with none, and photos of 12 megapixels with none.
- ``keys``: a label by key among 250,000 boxes, until the kernel has responded that it is stored.
- ``clicks``: 1,000 boxes of which 5 % have a wrong label, with 1, 4, 10 and 25 boxes in a photo. A simulated person
  corrects them by crops sorted by doubt, by crops sorted by similarity, and in the annotator.

The rules of counting are the same for all. The person recognises every wrong label that is on the screen, makes no
mistakes, and knows when all are right: crops and images are looked at in their order, up to the page or image with the
last planted error. Every key and every click costs one, also the key that is held while more than one is selected.

- By crops (pages of 48, the default): a click on each wrong crop, for each right label on the page one key for the
  label, and one for Ctrl if it is given to more than one crop. Enter confirms the page and turns it. Crops are
  corrected through the session of the gallery, and at the end the dataset must be right.
- In the annotator (in the order of the images): a click on each wrong box and a key for its label. Enter saves the
  image and goes to the next one.

The last page or image needs its Enter, too. Waiting, scrolling and looking cost nothing, although looking at 48 crops
takes longer than at a photo with one box. The fruit are those of the tests, see ``_crops_data.py``. ``clicks`` needs
them, and the other parts need the extra ``test`` and Chromium.

    python benchmarks/crops.py [--only open|pages|keys|clicks] [--quick]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from _crops_data import LABELS, Planted, plant
from _gallery_screens import PAGE, GalleryScreen, spaced
from _measure import ROOT, TEST_DATA_VARIABLE, bound, figure, heading, in_fresh_process, start
from gallery import Bench, percentile, show

sys.path.insert(0, str(ROOT))

from customlabels_nb.labeling.crops import CropQuery
from customlabels_nb.labeling.drawing import DrawingSession
from customlabels_nb.labeling.view import Query
from tests.browser.jupyter import BROWSER_FLAGS, Lab, notebook, serve

PARTS = ("open", "pages", "keys", "clicks")
BOXES, QUICK_BOXES, EACH = 250_000, 10_000, 4
PAGES, LARGE_PAGES, QUICK_PAGES, KEYS = 21, 7, 5, 60
OPENED, CACHED, UNCACHED, FIRST_ROW, WHOLE, STORED, MEMORY = 2_000, 250, 900, 500, 5_000, 60, 200
PLANTED, WRONG, DENSITIES, CROPS_PAGE = 1_000, 0.05, (1, 4, 10, 25), 48
GOALS = {1: 0.25, 10: 0.6}

SETUP = """
import sys
from pathlib import Path
sys.path[:0] = [{benchmarks!r}, {root!r}]
import _crops_data as bench
folder = Path({folder!r})
"""
_MANY = "{name} = bench.many_boxes(folder, '{name}', bench.{size}, {images}, {each}, {predicted})"
CELLS = {
    "setup": SETUP,
    "many": _MANY.format(name="many", size="MEGAPIXEL", images="{images}", each=EACH, predicted=0),
    "more": _MANY.format(name="more", size="MEGAPIXEL", images="{images}", each=EACH, predicted="{tenth}"),
    "large": _MANY.format(name="large", size="TWELVE", images="{large}", each=1, predicted=0),
    "gallery": "many.crops('train', sort='random', page_size=100)",
    "twelve": "large.crops('train', sort='random', page_size=100)",
    "predicted": "more.crops('train', sort='added', page_size=100)",
    "doubt": "many.crops('train', page_size=100)",
}
_PEAK = """
import json, resource, sys
import customlabels_nb as cl
import customlabels_nb.widgets.gallery, customlabels_nb.labeling.crops, customlabels_nb.project.screens
if len(sys.argv) > 1:
    crops = cl.load_project(sys.argv[1]).crops("train", sort="added", page_size=100)
    crops.session.page(0, 100)
if sys.platform == "linux":  # ru_maxrss begins with that of the process that started this one
    peak = 1024 * int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps({"peak": peak}))
"""


# -- speed ----------------------------------------------------------------------------------------------------
def open_part(bench: Bench, folder: Path, boxes: int) -> None:
    """Measure how long crops take to open, and their memory."""
    project = str(folder / "projects" / "many")
    heading(f"process that opens {boxes:,} boxes:")
    bare, ours = (in_fresh_process(_PEAK, *argument)["peak"] / 1e6 for argument in ((), (project,)))
    bound("peak of memory above the import", ours - bare, " MB", at_most=MEMORY)
    heading(f"from running the cell until the first page of {boxes:,} boxes is shown:")
    for cell, what in (("predicted", "with predictions"), ("doubt", "by doubt, whose features are computed meanwhile")):
        started = time.perf_counter()
        GalleryScreen(bench.page, f"{bench.run(cell)} .clnb-gallery", boxes).wait_for_pictures()
        bound(what, 1000 * (time.perf_counter() - started), " ms", at_most=OPENED)


def pages_part(bench: Bench, gallery: GalleryScreen, twelve: GalleryScreen, pages: int, large_pages: int) -> None:
    """Measure pages of crops of as many photos."""
    heading(f"page of {PAGE} crops of {PAGE} photos of a megapixel:")
    uncached, cached = [], []
    for times in (uncached, cached):
        gallery.jump(0)
        for number in spaced(pages):
            gallery.quiet()
            if times is uncached:
                bench.do("bench.forget_thumbnails(many)")
            times.append(gallery.jump(number))
        if times is uncached:  # the thumbnails of all of them are made again
            for number in range(pages):
                gallery.jump(number)
    for what, times, most in (("with no crop cached", uncached, UNCACHED), ("cached", cached, CACHED)):
        show(what, times)
        bound("p95", percentile(times, 95), " ms", at_most=most)

    heading(f"page of {PAGE} crops of {PAGE} photos of 12 megapixels, none cached:")
    columns = twelve.root.evaluate(
        "root => { const tops = [...root.querySelectorAll('.tile:not([hidden])')].map((tile) => tile.offsetTop);"
        " return tops.filter((top) => top === tops[0]).length; }"
    )
    first, whole = [], []
    for turn, number in enumerate(spaced(large_pages)):
        twelve.quiet()
        bench.do("bench.forget_thumbnails(large)")
        (whole if turn % 2 else first).append(twelve.jump(number, least=None if turn % 2 else columns))
    for what, times, most in ((f"first row of {columns}", first, FIRST_ROW), ("all", whole, WHOLE)):
        show(what, times)
        bound("longest", max(times), " ms", at_most=most)


def keys_part(bench: Bench, gallery: GalleryScreen, count: int, boxes: int) -> None:
    """Measure the time until a label is stored."""
    gallery.jump(0)
    gallery.quiet()
    bench.trips("")
    painted = []
    for place in range(count):
        label = LABELS[place % 3]
        gallery.select(place, 1)
        painted.append(gallery.key(str(place % 3 + 1), "chips", label=label, places=[place]))
        gallery.quiet()
    gallery.quiet()
    stored = bench.trips("edit")
    heading(f"label of one of {boxes:,} boxes, by key:")
    show("until it is painted", painted)
    show("until it is stored", stored)
    bound("p95 of stored", percentile(stored, 95), " ms", at_most=STORED)


def browser_parts(parts: list[str], *, quick: bool) -> None:
    """Run the parts that need a browser."""
    from playwright.sync_api import sync_playwright

    from tests import provision

    program = provision.find_chromium()
    if program is None:
        print("Chromium is not installed. `python -m tests` installs it.")
        return
    boxes, pages, large = (QUICK_BOXES, QUICK_PAGES, QUICK_PAGES) if quick else (BOXES, PAGES, LARGE_PAGES)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        given = {"benchmarks": str(Path(__file__).parent), "root": str(ROOT), "folder": name, "tenth": boxes // 10}
        given |= {"images": boxes // EACH, "large": large * PAGE}
        (folder / "jupyter").mkdir()
        with serve(folder / "jupyter") as server:
            chromium = playwright.chromium.launch(executable_path=program, args=BROWSER_FLAGS)
            lab = Lab(server, chromium, name="benchmark")
            page = lab.open(notebook(*(cell.format(**given) for cell in CELLS.values())), width=1400, height=1750)
            bench = Bench(page, pages, CELLS)
            for cell in (
                "setup",
                "many",
                *(["more"] if "open" in parts else []),
                *(["large"] if "pages" in parts else []),
            ):
                bench.run(cell)
            if {"pages", "keys"} & set(parts):
                gallery = bench.gallery("gallery", boxes)
                if "pages" in parts:
                    pages_part(bench, gallery, bench.gallery("twelve", large * PAGE), pages, large)
                if "keys" in parts:
                    keys_part(bench, gallery, 10 if quick else KEYS, boxes)
            if "open" in parts:
                open_part(bench, folder, boxes)
            lab.close()
            chromium.close()


# -- keys and clicks until all labels are right -----------------------------------------------------------------
def clicks_part(data: Path, *, quick: bool) -> None:
    """Count keys and clicks, see the docstring of this module."""
    for each in DENSITIES:
        with tempfile.TemporaryDirectory() as folder:
            planted = plant(Path(folder), data, PLANTED // 5 if quick else PLANTED, each, WRONG, random_state=0)
            before = planted.project.train_set.annotations
            annotator, spent = in_annotator(planted), {}
            for sort in ("doubt", "similarity"):
                planted.project.update("train", before)
                spent[sort] = by_crops(planted, sort)
            planted.project.close()
        heading(
            f"{len(planted.right):,} boxes, {each} in a photo, {WRONG:.0%} wrong, keys and clicks until all are right:"
        )
        figure("annotator", f"{annotator[0]} for {annotator[1]} images")
        for sort, (count, pages) in spent.items():
            figure(f"crops by {sort}", f"{count} for {pages} pages, {count / annotator[0]:.2f} × the annotator")
        if each in GOALS:
            bound("crops by doubt over the annotator", spent["doubt"][0] / annotator[0], " ×", at_most=GOALS[each])


def by_crops(planted: Planted, sort: str) -> tuple[int, int]:
    """Correct the labels by crops and return the keys and clicks, and the pages looked at."""
    crops = planted.project.crops("train", page_size=CROPS_PAGE, sort="added")
    session = crops.session
    while session.show(CropQuery(sort=sort)).waiting is not None:
        time.sleep(0.1)
    names, wrong = session.page(0, len(session.view))[1], wrong_labels(planted)
    assert set(names) == set(planted.right)
    spent = pages = 0
    while wrong:
        page = names[pages * CROPS_PAGE : (pages + 1) * CROPS_PAGE]
        labels = Counter(planted.right[name] for name in page if name in wrong)
        for label, count in labels.items():
            chosen = [name for name in page if name in wrong and planted.right[name] == label]
            session.label_boxes(chosen, label)
            spent += count + 1 + (count > 1)
        session.confirm_boxes(page)
        spent, pages = spent + 1, pages + 1
        wrong -= set(page)
    assert not wrong_labels(planted)
    crops.close()
    return spent, pages


def in_annotator(planted: Planted) -> tuple[int, int]:
    """Count the keys and clicks in the annotator, and the images looked at."""
    location = planted.project._location
    session = DrawingSession(location.store, location.root, "train")
    session.show(Query(sort="added"))
    names, wrong = session.page(0, len(session.view))[1], Counter(n.rpartition("#")[0] for n in wrong_labels(planted))
    images = 1 + max(place for place, name in enumerate(names) if wrong[name])
    return 2 * wrong.total() + images, images


def wrong_labels(planted: Planted) -> set[str]:
    """Return the names of the crops whose boxes have a wrong label."""
    boxes = planted.project.train_set.annotations
    ends = (
        f"#xywh={left:g},{top:g},{width:g},{height:g}"
        for left, top, width, height in boxes[["left", "top", "width", "height"]].to_numpy()
    )
    given = dict(
        zip((image + end for image, end in zip(boxes["image"], ends, strict=True)), boxes["label"], strict=True)
    )
    assert set(given) == set(planted.right)
    return {name for name, label in given.items() if label != planted.right[name]}


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="quick smoke test with few boxes, pages and keys")
    parser.add_argument("--only", choices=PARTS, action="append", help="run only this part (repeatable)")
    options = parser.parse_args()
    sys.argv = sys.argv[:1]
    start(None, with_images=False)
    parts = options.only or [*PARTS]
    data = Path(os.environ.get(TEST_DATA_VARIABLE) or ROOT.parent / "shared" / "data")
    if "clicks" in parts and (data / "fruit-objects").is_dir():
        clicks_part(data, quick=options.quick)
    elif "clicks" in parts:
        print(f"There are no photos in {data}, so no labels are corrected.")
    if set(parts) - {"clicks"}:
        browser_parts(parts, quick=options.quick)


if __name__ == "__main__":
    main()
