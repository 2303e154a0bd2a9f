"""Test that other programs read what this package exports: ``python -m tests --peers``.

Each program runs in an environment of its own, which uv makes. ``readers.py`` runs there, without this package.
``layouts.py`` reads YOLO folders by the rules that Ultralytics documents, and runs in the other tests, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import clip_ltwh
from tests import provision
from tests.peers.layouts import read_yolo

#: Packages that each program needs.
PEERS = {
    "pycocotools": ["pycocotools"],
    "torchvision": ["torchvision", "pycocotools"],
    "supervision": ["supervision"],
    "datumaro": ["datumaro"],
    "label-studio-sdk": ["label-studio-sdk"],
}
#: Where each format is written, and by how many pixels boxes may differ.
EXPORTS = {
    "coco": ("annotations/instances_default.json", 0.01),
    "coco_elsewhere": ("annotations/instances_default.json", 0.01),  # without copies
    "voc": (".", 1.01),  # supervision counts pixels from 1
    "yolo": (".", 0.01),
    "yolo_polygons": (".", 0.01),
    "cvat": ("annotations.xml", 0.01),
    "labelme": (".", 0.01),
    "label_studio": ("tasks.json", 0.01),
}
SIZE = (100, 60)
NAMES = ["photo 0.png", "d.jpg", "d.png", "ünï 🍎.jpg", "empty.png", "test.jpg"]
LABELS = ["cat", "big dog"]
BOXES = {
    "photo 0.png": [("cat", -5, 4, 30, 20)],
    "d.jpg": [("big dog", 3, 4, 30, 20)],
    "d.png": [("cat", 13, 14, 30, 20), ("big dog", 50, 30, 60, 90)],
    "ünï 🍎.jpg": [("cat", 10, 20, 30, 24)],
    "test.jpg": [("big dog", 10.5, 20, 30, 30)],
}


def dataset(folder: Path, *, polygons: bool) -> cl.Dataset:
    """Write images to ``folder`` and return a dataset of them: two have the same stem, two boxes beyond their image."""
    folder.mkdir()
    rows: list[dict[str, Any]] = []
    for number, name in enumerate(NAMES):
        Image.fromarray(np.full((SIZE[1], SIZE[0], 3), 40 * number, dtype=np.uint8)).save(folder / name)
        for label, left, top, width, height in BOXES.get(name, []):
            row = {"image": str(folder / name), "label": label, "left": left, "top": top}
            rows.append(row | {"width": width, "height": height, "polygon": None})
            if polygons and name == "ünï 🍎.jpg":
                rows[-1]["polygon"] = [[left, top], [left + width, top], [left + width, top + height]]
    images = pd.DataFrame({"image": [str(folder / name) for name in NAMES], "status": "labelled"})
    images = images.assign(width=SIZE[0], height=SIZE[1], split=["train"] * 5 + ["test"])
    return cl.Dataset(images, pd.DataFrame(rows), LABELS)


def export(folder: Path) -> None:
    """Write all exports to ``folder``, and ``expected.json`` with the boxes in each."""
    sets = {polygons: dataset(folder / f"photos-{polygons}", polygons=polygons) for polygons in (True, False)}
    expected = {}
    for name, (target, tolerance) in EXPORTS.items():
        chosen = sets[name != "yolo"]
        copied = name != "coco_elsewhere"
        chosen.to(name.removesuffix("_polygons").removesuffix("_elsewhere"), folder / name / target, copy_images=copied)
        rows = chosen.annotations[["image", "label", *t.BOX_COLUMNS]].to_numpy().tolist()
        clipped = name != "label_studio"
        expected[name] = {
            "tolerance": tolerance,
            "images": len(NAMES),
            "boxes": sorted(
                [pixel(row[0]), row[1], *(clip_ltwh(row[2:], SIZE)[0].tolist() if clipped else row[2:])] for row in rows
            ),
        }
    (folder / "expected.json").write_text(json.dumps(expected), "utf-8")


def pixel(path: str) -> int:
    """Return the number of an image, which is the color of its pixels, so that no name has to be the same."""
    return round(int(np.asarray(Image.open(path).convert("L"))[0, 0]) / 40)


def main() -> int:
    """Write the exports, show what each program reads in them, and return the exit status."""
    uv = provision.find_uv(os.environ)
    if uv is None:
        print("No uv for the environments of the programs. Install it: pip install uv", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export(folder)
        failed = []
        for peer, packages in PEERS.items():
            needed = [f"--with={package}" for package in (*packages, "pillow")]
            command = [uv, "run", "--quiet", "--no-project", "--python", sys.executable, *needed, "python"]
            print(f"\n---- {peer} ".ljust(100, "-"), flush=True)
            program = [str(Path(__file__).with_name("readers.py")), peer, name]
            if subprocess.run([*command, *program], cwd=folder, check=False).returncode:
                failed.append(peer)
        print("\n---- layout rules of Ultralytics ".ljust(100, "-"))
        for export_name in ("yolo", "yolo_polygons"):
            splits = read_yolo(folder / export_name / "data.yaml")
            images = [image for each in splits.values() for image in each.images]
            print(f"{export_name}: {', '.join(f'{split} {len(each.images)} images' for split, each in splits.items())}")
            if any(each.problems for each in splits.values()) or len(images) != len(NAMES):
                failed.append(export_name)
    print("\n" + (f"Failed: {', '.join(failed)}" if failed else "All programs read all exports."))
    return int(bool(failed))
