"""Annotator in JupyterLab: latency of drawing and waiting times.

A move of the pressed pointer is timed until its frame is on the screen, by the browser's own trace, in turn with a
minimal widget that only paints the same photo and boxes. A key press or button release is timed until its effect is
painted: images decoded and two frames begun. The photos are drawn here, 4,096 pixels wide. A script draws the boxes
of 50 real photos from their XML files, and the export is compared with these.

    python benchmarks/annotator.py [--quick] [--photos DIR]
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

from _annotator_screens import AnnotatorScreen, Corners, Stage, draw_large, traced, truth_of
from _measure import ROOT, TEST_DATA_VARIABLE, bound, figure, heading, own_environment, start
from gallery import Bench, percentile, show, training

sys.path.insert(0, str(ROOT))

from tests.browser.jupyter import BROWSER_FLAGS, Lab, notebook, serve

PARTS = ("moves", "polygons", "outlines", "turning", "saving", "peers", "person")
BOXES = {"boxes-100.jpg": 100, "boxes-500.jpg": 500}
POLYGONS = ("polygons-50.jpg", 50, 200)
SIDE, PHOTO = 4096, (4096, 3072)
FRAME = 1000 / 60
LOOKED_AT = 500  # minimum milliseconds that a person looks at an image
OVER_BARE, FRAMES, PREFETCHED, SAVED, SAVED_WHILE_BUSY = 1.2, 2, 100, 100, 1_000
OUTLINED = 200
SITE = "import importlib.util as u; print(u.find_spec('jupyter_bbox_widget').submodule_search_locations[0])"

CELLS = {
    "setup": """
import sys
from pathlib import Path
sys.path.insert(0, {benchmarks!r})
import _annotator_kernel as bench
photos = Path({photos!r})
project = bench.create(photos, {boxes!r}, {polygons!r})
""",
    "annotator": "a = project.annotate('train', sort='name')\ntimed = bench.Timed(a)\na",
    "bare 100": "bench.Bare(photos / 'boxes-100.jpg', 100, stage)",
    "bare 500": "bench.Bare(photos / 'boxes-500.jpg', 500, stage)",
    "bare polygons": "bench.Bare(photos / 'polygons-50.jpg', 0, stage, bench.rings(50, 200))",
    "training": "bench.train_until(Path('stop'))",
    "BoxAnnotator": "bench.box_annotator(photos / 'boxes-100.jpg', 100)",
    "BBoxWidget": "bench.bbox_widget(photos / 'boxes-100.jpg', 100)",
    "person": "person = bench.create_empty({real!r}, 'raccoon')\np = person.annotate('train')\np",
}


@dataclass(frozen=True)
class Amounts:
    """Number of repetitions of each measurement."""

    photos: int
    rounds: int
    boxes: int
    moves: int
    real: int


FULL = Amounts(photos=40, rounds=8, boxes=30, moves=40, real=50)
QUICK = Amounts(photos=8, rounds=2, boxes=6, moves=10, real=6)


def moves(bench: Bench, screen: AnnotatorScreen, amounts: Amounts) -> None:
    """Measure moves of the pointer in the annotator and the minimal widget in turn."""
    for name, count in BOXES.items():
        screen.display(bench, name)
        ours, theirs = beside_bare(bench, screen, f"bare {count}", amounts)
        heading(f"latency of a pointer move, {count} boxes on {SIDE:,} × {SIDE:,} pixels:")
        show("annotator", ours)
        show("bare canvas", theirs)
        if count == min(BOXES.values()):
            bound("p95, annotator over bare", percentile(ours, 95) / percentile(theirs, 95), "×", at_most=OVER_BARE)
        else:
            bound("p95", percentile(ours, 95) / FRAME, " frames", at_most=FRAMES)


def polygons(bench: Bench, screen: AnnotatorScreen, amounts: Amounts) -> None:
    """Measure moves of the pointer beside the minimal widget, with many polygons and one of them selected."""
    name, count, points = POLYGONS
    screen.display(bench, name)
    screen.root.press("Tab")
    ours, theirs = beside_bare(bench, screen, "bare polygons", amounts)
    heading(f"latency of a pointer move, {count} polygons of {points} points on {SIDE:,} × {SIDE:,} pixels:")
    show("annotator", ours)
    show("bare canvas", theirs)
    bound("p95, annotator over bare", percentile(ours, 95) / percentile(theirs, 95), "×", at_most=OVER_BARE)


def beside_bare(bench: Bench, screen: AnnotatorScreen, cell: str, amounts: Amounts) -> tuple[list[float], list[float]]:
    """Return the latencies in the annotator and in the minimal widget of a cell, measured in turn."""
    lab, size = bench.page, screen.area.bounding_box()
    bench.do(f"stage = ({round(size['width'])}, {round(size['height'])})")
    bare = Stage(lab, f"{bench.run(cell)} .bare", "canvas").ready()
    ours: list[float] = []
    theirs: list[float] = []
    for turn in range(amounts.rounds):
        for stage, times in ((screen, ours), (bare, theirs))[:: 1 if turn % 2 else -1]:
            stage.ready()
            with traced(lab.lab.browser, lab.page) as found:
                stage.drag(amounts.moves)
            times += found
    return ours, theirs


def outlines(real: list[tuple[Path, list[Corners]]]) -> None:
    """Measure assisted outlines of real photos from their known boxes, and from a click in the middle of each."""
    from customlabels_nb.core.geometry import iou, polygon_to_ltwh
    from customlabels_nb.images.outlining import Click, find_outline
    from customlabels_nb.images.reading import open_image

    times: dict[str, list[float]] = {"from a box": [], "from a click": []}
    overlaps: list[float] = []
    for path, boxes in real:
        photo = open_image(str(path))
        for left, top, right, bottom in boxes:
            box = (left, top, right - left, bottom - top)
            click = Click((left + right) / 2, (top + bottom) / 2, True)
            find_outline(photo, box=box)  # the first one imports OpenCV
            for name, ask in (("from a box", {"box": box}), ("from a click", {"clicks": [click]})):
                began = process_time()
                polygon, _ = find_outline(photo, **ask)
                times[name].append(1000 * (process_time() - began))
                if name == "from a box":
                    overlaps.append(float(iou([polygon_to_ltwh(polygon)], [box])[0, 0]) if polygon else 0.0)
    heading(f"assisted outlines of {len(overlaps)} objects on {len(real)} real photos, time of all cores together:")
    for name, found in times.items():
        show(name, found)
        bound("p95", percentile(found, 95), " ms", at_most=OUTLINED)
    figure("median IoU of an outline's bounding box with its box", f"{percentile(overlaps, 50):.2f}")
    _outlines_of_fruit()


def _outlines_of_fruit() -> None:
    """Compare outlines from boxes with the ones that a person corrected, if their photos are there."""
    from _training_masks import OUTLINES
    from _training_photos import folder_of

    from customlabels_nb import read_dataset
    from customlabels_nb.core.masks import mask_iou, polygon_to_rle
    from customlabels_nb.images.outlining import find_outline
    from customlabels_nb.images.reading import open_image

    folder = folder_of("fruit-objects") / "images"
    if not folder.is_dir():
        return
    overlaps = []
    for image, shapes in read_dataset(OUTLINES, images=folder).annotations.groupby("image"):
        photo = open_image(str(image))
        for _, shape in shapes.iterrows():
            polygon, _ = find_outline(photo, box=(shape["left"], shape["top"], shape["width"], shape["height"]))
            masks = [polygon_to_rle(one, photo.size) for one in (polygon, shape["polygon"])]
            overlaps.append(float(mask_iou(masks[:1], masks[1:])[0, 0]))
    figure(f"mean IoU with the corrected outlines of {len(overlaps)} fruit", f"{sum(overlaps) / len(overlaps):.3f}")


def turning(bench: Bench, screen: AnnotatorScreen, amounts: Amounts) -> None:
    """Measure going to the next image when it is prefetched."""
    heading(f"going to the next, prefetched image ({PHOTO[0]:,} × {PHOTO[1]:,} pixels):")
    number = screen.display(bench, "photo-000.jpg")
    times = []
    guides = []
    for step in range(1, amounts.photos):
        times.append(screen.next(number + step))
        screen.quiet()
        screen.page.wait_for_timeout(LOOKED_AT)
        guides.append(screen.key("g", "guides"))
    show("annotator", times)
    show("key that only shows guides, for comparison", guides)
    bound("p95", percentile(times, 95), " ms", at_most=PREFETCHED)


def saving(bench: Bench, screen: AnnotatorScreen, amounts: Amounts) -> None:
    """Measure storing a box, with an idle kernel and while a cell trains."""
    count = 0
    screen.display(bench, "photo-000.jpg")
    for when, most in (("", SAVED), (", while a cell trains", SAVED_WHILE_BUSY)):
        times = []
        bench.forget()
        with training(bench) if when else nullcontext():
            screen.turn_to()
            for _ in range(amounts.boxes):
                count += 1
                left, top = 30 + 90 * (count % 40), 40 + 180 * (count // 40)
                times.append(screen.draw((left, top, left + 80, top + 160), count, "stored", fresh=True))
            screen.quiet()
            trips = bench.trips("save")
        heading(f"from drawing a box until it is stored{when}:")
        show("annotator", times)
        bench.show_parts("save", trips)
        bound("p95", percentile(times, 95), " ms", at_most=most)
    stored = bench.page.value("len(project.train_set.annotations)") - sum(BOXES.values()) - POLYGONS[1]
    figure("drawn boxes, stored boxes", f"{count}, {stored}")


def peers(bench: Bench, screen: AnnotatorScreen, amounts: Amounts) -> None:
    """Measure the same drag here and in other box widgets, with an idle kernel and while a cell trains."""
    heading("time until a pointer move is painted, one by one, 100 boxes:")
    screen.display(bench, "boxes-100.jpg")
    stages: dict[str, Stage] = {"annotator": screen}
    for name, area in (("BoxAnnotator", "canvas"), ("BBoxWidget", "img")):
        if name == "BBoxWidget":
            try:
                command = own_environment(["jupyter-bbox-widget"], "jupyter_bbox_widget")
            except SystemExit:
                continue
            package = last_line([*command, "-c", SITE])
            bench.do(f"sys.path.append({str(Path(package).parent)!r})")  # after the existing entries
        known = len(bench.page.page_errors)
        stages[name] = Stage(bench.page, bench.run(name), area).ready()
        if bench.page.page_errors[known:] or stages[name].root.get_by_text("javascript error").count():
            figure(name, f"shows an error: {(bench.page.page_errors[known:] or ['?'])[0].splitlines()[0][:100]}")
            del bench.page.page_errors[known:]
    for begin, when in ((0.15, "kernel idle"), (0.2, "while a cell trains")):
        ours = 0.0
        with nullcontext() if when == "kernel idle" else training(bench):
            for name, stage in stages.items():
                times = stage.ready().lags(amounts.moves, begin)
                if len(times) < amounts.moves:
                    figure(f"{name}, {when}", f"nothing painted within 5 s after {len(times)} moves")
                    continue
                show(f"{name}, {when}", times)
                ours = ours or percentile(times, 50)
                if stage is not screen:
                    figure("  median relative to ours", f"{percentile(times, 50) / ours:.2f} ×")


def last_line(command: list[str]) -> str:
    """Return the last line that a command prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]


def real_photos(count: int) -> list[tuple[Path, list[Corners]]]:
    """Return the first real photos with the boxes of their XML files, or none without the data."""
    folder = Path(os.environ.get(TEST_DATA_VARIABLE) or ROOT.parent / "shared" / "data") / "raccoon"
    files = sorted((folder / "annotations").glob("*.xml"), key=lambda file: int(re.sub(r"\D", "", file.stem)))
    found = [truth_of(file) for file in files[:count]]
    return [(folder / "images" / name, boxes) for name, boxes in found]


def person(bench: Bench, real: list[tuple[Path, list[Corners]]]) -> None:
    """Annotate real photos by mouse from their known boxes, export them and compare."""
    bench.do("a.close()")
    screen = AnnotatorScreen(bench.page, f"{bench.run('person')} .clnb-annotator")
    screen.ready()
    screen.at(1)
    began, waited, scales = perf_counter(), 0.0, []
    for number, (_, boxes) in enumerate(real, 1):
        if number > 1:
            waited += screen.next(number)
        scales.append(screen.scale())
        for count, box in enumerate(boxes, 1):
            waited += screen.draw(box, count, fresh=count > 1)
    took = perf_counter() - began
    screen.quiet()
    bench.do("person.train_set.to('voc', 'exported')")
    written = dict(truth_of(file) for file in (bench.page.path.parent / "exported").rglob("*.xml"))
    total, furthest, share = sum(len(boxes) for _, boxes in real), 0.0, 0.0
    for (path, boxes), scale in zip(real, scales, strict=True):
        for box, ours in zip(boxes, written[path.name], strict=True):
            off = max(abs(a - b) for a, b in zip(box, ours, strict=True))
            furthest, share = max(furthest, off), max(share, off / max(1, 1 / scale))
    heading(f"{len(real)} real photos with {total} boxes from XML files, drawn by mouse and exported:")
    figure("screen pixels per image pixel", f"{min(scales):.2f} to {max(scales):.2f}")
    figure("maximum error of an exported box's side", f"{furthest:.3g} px")
    bound("the same, over max(1, 1 / zoom) px", share, "", at_most=1)
    figure("boxes per minute of waiting time", f"{60_000 * total / waited:,.0f}")
    figure("boxes per minute, including the script's six moves per box", f"{60 * total / took:,.0f}")


MEASURES = {"moves": moves, "polygons": polygons, "turning": turning, "saving": saving, "peers": peers}


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="quick smoke test with few photos and boxes")
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
    amounts, parts = QUICK if options.quick else FULL, options.only or PARTS
    real = real_photos(amounts.real)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        photos = (options.photos or Path(folder) / "photos").absolute() / str(amounts.photos)
        sizes = dict.fromkeys(BOXES, (SIDE, SIDE))
        sizes[POLYGONS[0]] = (SIDE, SIDE)
        sizes |= {f"photo-{number:03}.jpg": PHOTO for number in range(amounts.photos)}
        draw_large(photos / "large", sizes)
        names = {
            "benchmarks": str(Path(__file__).parent),
            "photos": str(photos / "large"),
            "boxes": BOXES,
            "polygons": POLYGONS,
        }
        names["real"] = [str(path) for path, _ in real]
        (Path(folder) / "jupyter").mkdir()
        with serve(Path(folder) / "jupyter") as server:
            chromium = playwright.chromium.launch(executable_path=program, args=BROWSER_FLAGS)
            lab = Lab(server, chromium, name="benchmark")
            cells = {name: cell.format(**names) for name, cell in CELLS.items()}
            bench = Bench(lab.open(notebook(*cells.values()), width=1400, height=1000), 0, cells)
            bench.page.page.evaluate(Path(__file__).with_name("_annotator_clock.js").read_text("utf-8"))
            bench.run("setup")
            screen = AnnotatorScreen(bench.page, f"{bench.run('annotator')} .clnb-annotator")
            screen.ready()
            for part, measure in MEASURES.items():
                if part in parts:
                    measure(bench, screen, amounts)
            if "outlines" in parts and real:
                outlines(real)
            if "person" in parts and real:
                person(bench, real)
            elif "person" in parts:
                print(f"\nThere are no real photos: name the parent folder of 'raccoon' in {TEST_DATA_VARIABLE}.")
            lab.close()
            chromium.close()


if __name__ == "__main__":
    main()
