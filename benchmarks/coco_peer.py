"""Reading a COCO file of 20,000 images with ``cl.read_dataset`` and with datumaro, in turn.

datumaro runs in its own environment created by uv, which the first run has to install. Both read the same file, drawn
here like those of cocodataset.org: 80 categories, 7 annotations per image, once with boxes only and once with
polygons. Both start from the path, in a new process after the imports. Ours ends with the tables of images and
annotations, theirs with a list of all items and their annotations. The times are processor seconds, because both use
one core. The boxes of both must be equal, and the bound applies to them. Polygons are lists of points in our tables
and flat arrays in theirs, and creating the lists takes as long as reading the boxes.

    python benchmarks/coco_peer.py
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _measure import alternate, bound, figure, heading, last_json, own_environment, ratio, spread, start

IMAGES, CATEGORIES, EACH = 20_000, 80, 7
ROUNDS = 3
AT_LEAST = 2.0
_DATE = "2013-11-14 11:18:45"

_OURS = """
import json, sys, time
from pathlib import Path
import numpy as np
import customlabels_nb as cl
cl.read_dataset, cl.Dataset
started = time.process_time()
dataset = cl.read_dataset(sys.argv[1], "coco")
images, annotations = dataset.images, dataset.annotations
seconds = time.process_time() - started
number = {image: n for n, image in enumerate(images["image"])}
label = {label: n for n, label in enumerate(dataset.labels["label"])}
columns = [annotations["image"].map(number), annotations["label"].map(label)]
columns += [annotations[side] for side in ("left", "top", "width", "height")]
np.save(Path(sys.argv[2], "boxes.npy"), np.column_stack(columns).astype(float))
what = f"customlabels_nb {cl.__version__}"
print(json.dumps({"seconds": seconds, "what": what, "images": len(images)}))
"""


def draw(path: Path, images: int, *, outlines: bool) -> None:
    """Write a COCO file of images that do not exist."""
    rng = np.random.default_rng(0)
    count = images * EACH
    corners, sides = rng.uniform(0, (430, 270), (count, 2)).round(2), rng.uniform(5, 200, (count, 2)).round(2)
    angles = np.sort(rng.uniform(0, 2 * np.pi, (count, 12)))
    owners = np.sort(rng.integers(1, images + 1, count)).tolist()
    categories = rng.integers(1, CATEGORIES + 1, count).tolist()
    annotations: list[dict[str, Any]] = []
    for number in range(count):
        (left, top), (width, height) = corners[number].tolist(), sides[number].tolist()
        shape: dict[str, Any] = {"segmentation": [], "area": width * height}
        if outlines:
            x = (left + width * (0.5 + np.cos(angles[number]) / 2)).round(2)
            y = (top + height * (0.5 + np.sin(angles[number]) / 2)).round(2)
            left, top = float(x.min()), float(y.min())
            width, height = float(np.ptp(x)), float(np.ptp(y))
            area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
            shape = {"segmentation": [np.column_stack([x, y]).ravel().tolist()], "area": area}
        place = {"image_id": owners[number], "category_id": categories[number], "bbox": [left, top, width, height]}
        annotations.append({"id": number + 1, **place, **shape, "iscrowd": 0})
    data = {
        "info": {"description": "drawn"},
        "licenses": [],
        "categories": [{"id": n + 1, "name": f"category {n}", "supercategory": "thing"} for n in range(CATEGORIES)],
        "images": [
            {
                "id": n + 1,
                "file_name": f"{n + 1:012d}.jpg",
                "width": 640,
                "height": 480,
                "date_captured": "2013-11-14 11:18:45",
            }
            for n in range(images)
        ],
        "annotations": annotations,
    }
    path.parent.mkdir(parents=True)
    (path.parent.parent / "images").mkdir()  # datumaro requires one
    path.write_text(json.dumps(data), "utf-8")


def compare(images: int, datumaro: list[str], folder: Path, *, outlines: bool) -> None:
    """Print the results for one file."""
    path = folder / "annotations" / "instances_drawn.json"
    draw(path, images, outlines=outlines)
    said: dict[str, dict[str, Any]] = {}
    boxes: dict[str, Any] = {}

    def run(name: str, command: list[str]) -> float:
        said[name] = last_json([*command, str(path), str(folder)])
        boxes[name] = np.load(folder / "boxes.npy")
        return float(said[name]["seconds"])

    worker = str(Path(__file__).parent / "_datumaro_worker.py")
    ours, theirs = alternate(
        ROUNDS, lambda: run("ours", [sys.executable, "-c", _OURS]), lambda: run("theirs", [*datumaro, worker])
    )
    kind = "outlines" if outlines else "boxes"
    heading(f"{images:,} images, {images * EACH:,} {kind}, {path.stat().st_size / 1e6:.0f} MB, {ROUNDS} rounds:")
    figure(f"{said['ours']['what']}, seconds", spread(ours, " s"))
    figure(f"{said['theirs']['what']}, seconds", spread(theirs, " s"))
    mine, other = boxes["ours"], boxes["theirs"]
    equal = mine.shape == other.shape and np.allclose(mine, other, rtol=0, atol=1e-3)  # theirs are single precision
    figure("number of boxes, ours and theirs", f"{len(mine):,} and {len(other):,}, {'equal' if equal else 'NOT EQUAL'}")
    times = ratio(theirs, ours)
    if outlines:
        figure("datumaro's seconds over ours", f"{times:.1f}×")
    else:
        bound("datumaro's seconds over ours", times, "×", at_least=AT_LEAST)


def main() -> None:
    """Run the benchmark and print the results."""
    start(__doc__, with_images=False)
    datumaro = own_environment(["datumaro"], "datumaro")
    for outlines in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            compare(IMAGES, datumaro, Path(folder), outlines=outlines)


if __name__ == "__main__":
    main()
