"""Read, check, store, write, open and edit a manifest of 250,000 images and 1.1 million boxes.

Everything is compared with a bare loop over the same file, in new processes that take turns, timed after the imports.
The bare loop reads each line with ``json.loads``, appends the values to lists and creates two DataFrames, of images
and boxes, without checks and dtypes and with times as text. Ours is ``cl.read_dataset``, which checks every line, the
DataFrames of images and annotations, and ``project.import_dataset``, which commits them to the project's database.
The bare loop for writing formats each line of the same two tables with ``json.dumps``. Ours is ``dataset.to``.

Then the project is opened in a new process, up to the first ``train_set.images.head()``, and 100 of its images get
other labels, one action after another. The same for fewer images shows how the cost grows: the exponent.

Two unusual manifests are read and compared with a bare loop over their lines with ``json.loads``: 30 MB of blank
lines, and one line of 50 MB.

    python benchmarks/datasets.py [--quick]
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _measure import alternate, bound, figure, heading, in_fresh_process, ratio, seconds, spread, start
from image_checks import compare_image_checks

SIZES = (25_000, 100_000, 250_000)
BOXES = 4.4  # per image, on average
LABELS = 20
ROUNDS = 3
MOST, MOST_WRITING, MOST_GIGABYTES, MOST_GROWTH, MOST_OPENING, MOST_EDITING = 2.5, 2.0, 1.5, 1.1, 1.0, 0.1
MOST_ODD, MOST_ODD_SECONDS = 5.0, 5.0

_PEAK = """
def peak():
    import resource, sys
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
"""
_BARE = f"""
import json, sys, time
import pandas as pd
{_PEAK}
started = time.perf_counter()
images, boxes = [], []
with open(sys.argv[1], encoding="utf-8") as file:
    for line in file:
        entry = json.loads(line)
        name, attribute, about = entry["source-ref"], entry["bounding-box"], entry["bounding-box-metadata"]
        images.append((name, attribute["image_size"][0]["width"], attribute["image_size"][0]["height"]))
        for box, also in zip(attribute["annotations"], about["objects"]):
            label = about["class-map"][str(box["class_id"])]
            boxes.append((name, label, box["left"], box["top"], box["width"], box["height"], also["confidence"],
                          about["job-name"], about["creation-date"]))
images = pd.DataFrame(images, columns=["image", "width", "height"])
sides = ["left", "top", "width", "height"]
boxes = pd.DataFrame(boxes, columns=["image", "label", *sides, "confidence", "job", "created"])
read, reading = time.perf_counter(), peak()
own = {{}}
for row in zip(*(boxes[name].tolist() for name in boxes)):
    own.setdefault(row[0], []).append(row)
with open(sys.argv[2], "w", encoding="utf-8") as file:
    for name, *size in zip(*(images[name].tolist() for name in images)):
        rows = own.get(name, [])
        labels = sorted({{row[1] for row in rows}})
        line = {{
            "source-ref": name,
            "bounding-box": {{
                "image_size": [{{"width": size[0], "height": size[1], "depth": 3}}],
                "annotations": [
                    {{"class_id": labels.index(label), "left": left, "top": top, "width": width, "height": height}}
                    for _, label, left, top, width, height, *_ in rows
                ],
            }},
            "bounding-box-metadata": {{
                "objects": [{{"confidence": row[6]}} for row in rows],
                "class-map": {{str(number): label for number, label in enumerate(labels)}},
                "type": "groundtruth/object-detection",
                "human-annotated": "yes",
                "creation-date": rows[0][8] if rows else "",
                "job-name": rows[0][7] if rows else "",
            }},
        }}
        file.write(json.dumps(line, ensure_ascii=False) + "\\n")
written = time.perf_counter()
print(json.dumps({{"read": read - started, "write": written - read, "peak": reading, "boxes": len(boxes)}}))
"""
_OURS = f"""
import json, os, sys, time
import customlabels_nb as cl
cl.read_dataset, cl.create_project
import customlabels_nb.store.sql
{_PEAK}
moments = [time.perf_counter()]
dataset = cl.read_dataset(sys.argv[1])
images, boxes = dataset.images, dataset.annotations
moments.append(time.perf_counter())
project = cl.create_project("boxes", sys.argv[3])
report = project.import_dataset(dataset, progress=False)
moments.append(time.perf_counter())
storing = peak()
dataset.to("ground_truth", sys.argv[2])
moments.append(time.perf_counter())
del dataset, images, boxes
stored = project.train_set
count = len(stored.annotations)
moments.append(time.perf_counter())
size = os.path.getsize(project.root / "project.db")
project.close()
read, store, write, back = (b - a for a, b in zip(moments, moments[1:]))
print(json.dumps({{"read": read, "store": store, "write": write, "back": back, "peak": storing, "all": peak(),
                   "boxes": count, "images": report.added, "size": size}}))
"""
_OPEN = """
import json, sys, time
import customlabels_nb as cl
cl.load_project
import customlabels_nb.project.project, customlabels_nb.store.sql
started = time.perf_counter()
project = cl.load_project(sys.argv[1])
table = project.train_set.images
first = table.head()
opened = time.perf_counter() - started
edits = []
for number in range(7):
    chosen = table["image"].iloc[1000 * number:1000 * number + 100]
    edit = chosen.to_frame().assign(label=f"{sys.argv[2]} {number}")
    started = time.perf_counter()
    changed = project.update("train", edit)
    edits.append(time.perf_counter() - started)
    assert changed == 100
started = time.perf_counter()
project.statistics
counted = time.perf_counter() - started
project.close()
print(json.dumps({"open": opened, "edits": edits, "statistics": counted}))
"""


def draw(path: Path, images: int) -> None:
    """Write a manifest like a labelling job of the hosted service. Its images do not exist."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(BOXES, images).clip(0, 50)
    total = int(counts.sum())
    limits = {"class_id": LABELS, "left": 900, "top": 650, "width": 120, "height": 110}
    columns = [rng.integers(1, most, total).tolist() for most in limits.values()]
    boxes = [dict(zip(limits, row, strict=True)) for row in zip(*columns, strict=True)]
    with path.open("w", encoding="utf-8") as file:
        end = 0
        for number, count in enumerate(counts.tolist()):
            begin, end = end, end + count
            own = boxes[begin:end]
            line = {
                "source-ref": f"s3://some-bucket/kitchen/2026-11/IMG_{number:06d}.jpg",
                "bounding-box": {"image_size": [{"width": 1024, "height": 768, "depth": 3}], "annotations": own},
                "bounding-box-metadata": {
                    "objects": [{"confidence": 1} for _ in own],
                    "class-map": {str(c): f"label {c:02d}" for c in sorted({box["class_id"] for box in own})},
                    "type": "groundtruth/object-detection",
                    "human-annotated": "yes",
                    "creation-date": "2026-03-04T05:06:07.891011",
                    "job-name": "labeling-job/boxes",
                },
            }
            file.write(json.dumps(line) + "\n")


def compare(folder: Path, images: int, rounds: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Path]:
    """Measure both contenders in turn on a manifest of this many images, and leave the last project in the folder."""
    manifest = folder / f"{images}.manifest"
    draw(manifest, images)
    ours: list[dict[str, Any]] = []
    bare: list[dict[str, Any]] = []

    def run(code: str, results: list[dict[str, Any]]) -> float:
        place = folder / f"{images}-{len(ours)}"
        results.append(in_fresh_process(code, str(manifest), str(folder / "written.manifest"), str(place)))
        return 0.0

    alternate(rounds, lambda: run(_OURS, ours), lambda: run(_BARE, bare))
    assert {result["boxes"] for result in (*ours, *bare)} == {bare[0]["boxes"]}
    assert {result["images"] for result in ours} == {images}
    return ours, bare, folder / f"{images}-{rounds - 1}" / "boxes"


def growth(seconds: dict[int, float]) -> float:
    """Return the exponent p of the best-fitting cost n**p."""
    x, y = (np.log(np.array(list(values))) for values in (seconds.keys(), seconds.values()))
    return float(np.polyfit(x, y, 1)[0])


def show(images: int, ours: list[dict[str, Any]], bare: list[dict[str, Any]]) -> float:
    """Print the results of one size and return our seconds until everything is stored."""
    heading(f"{images:,} images, {bare[0]['boxes']:,} boxes; median of {len(ours)} rounds in turn:")
    stored = [result["read"] + result["store"] for result in ours]
    figure("read and checked", spread([result["read"] for result in ours], " s"))
    figure("stored", spread([result["store"] for result in ours], " s"))
    figure("read back from the database", spread([result["back"] for result in ours], " s"))
    figure("bare json.loads loop → DataFrames", spread([result["read"] for result in bare], " s"))
    figure("written", spread([result["write"] for result in ours], " s"))
    figure("bare json.dumps loop", spread([result["write"] for result in bare], " s"))
    gigabytes = [[result[name] / 1e9 for result in results] for results, name in ((bare, "peak"), (ours, "all"))]
    figure("peak memory, bare reading", spread(gigabytes[0], " GB"))
    figure("peak memory with writing and reading back", spread(gigabytes[1], " GB"))
    figure("database", f"{ours[0]['size'] / 1e6:.0f} MB")
    compared = (
        ("time until stored, ours over bare", ratio(stored, [r["read"] for r in bare]), "×", MOST),
        ("time of writing, ours over bare", ratio(*([r["write"] for r in s] for s in (ours, bare))), "×", MOST_WRITING),
        ("peak of memory until stored", max(r["peak"] for r in ours) / 1e9, " GB", MOST_GIGABYTES),
    )
    for name, value, unit, most in compared:
        if images == SIZES[-1]:
            bound(name, value, unit, at_most=most)
        else:
            figure(name, f"{value:.3g}{unit}")
    return statistics.median(stored)


def compare_odd(folder: Path) -> None:
    """Print the results for manifests that no tool writes: blank lines, and a single line."""
    import customlabels_nb as cl

    def read_bare(path: Path) -> list[Any]:
        with path.open("rb") as file:
            return [json.loads(line) for line in file if line.strip()]

    first = json.dumps({"source-ref": "s3://some-bucket/first.jpg"}).encode() + b"\n"
    draw(folder / "one.manifest", 1)
    line = json.loads((folder / "one.manifest").read_bytes())
    box, many = {"class_id": 1, "left": 2, "top": 3, "width": 40, "height": 50}, 600_000
    line["bounding-box"]["annotations"] = [box] * many
    line["bounding-box-metadata"] |= {"objects": [{"confidence": 1}] * many, "class-map": {"1": "label 01"}}
    for name, rest in (("blank lines", b"\n" * 30_000_000), ("one line", json.dumps(line).encode())):
        path = folder / "odd.manifest"
        path.write_bytes(first + rest)
        timed = [partial(seconds, partial(work, path)) for work in (cl.read_dataset, read_bare)]
        ours, bare = alternate(ROUNDS, *timed)
        heading(f"a manifest of {name}, {len(rest) / 1e6:.0f} MB; median of {ROUNDS} rounds in turn:")
        figure("bare json.loads loop", spread(bare, " s"))
        bound("read and checked", statistics.median(ours), " s", at_most=MOST_ODD_SECONDS)
        bound("ours over bare", ratio(ours, bare), "×", at_most=MOST_ODD)


def main() -> None:
    """Run the benchmark and print the results."""
    quick = "--quick" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--quick"]
    start(__doc__, with_images=False)
    took: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for images in SIZES[:1] if quick else SIZES:
            ours, bare, project = compare(Path(folder), images, 1 if quick else ROUNDS)
            took[images] = show(images, ours, bare)
        compare_odd(Path(folder))
        opened = [in_fresh_process(_OPEN, str(project), f"label {n}") for n in range(1 if quick else ROUNDS)]
    heading(f"a project of {images:,} images:")
    bound(
        "opened, until the first images.head()",
        statistics.median(r["open"] for r in opened),
        " s",
        at_most=MOST_OPENING,
    )
    edits = [edit for result in opened for edit in result["edits"]]
    bound("100 images labelled as one action", statistics.median(edits), " s", at_most=MOST_EDITING)
    figure("statistics of both datasets", spread([result["statistics"] for result in opened], " s"))
    if not quick:
        heading("growth of the time until stored:")
        for images, until in took.items():
            figure(f"{images:,} images", f"{until:.2f} s, {until / images * 1e6:.0f} µs per image")
        bound("exponent", growth(took), "", at_most=MOST_GROWTH)
        compare_image_checks()


if __name__ == "__main__":
    main()
