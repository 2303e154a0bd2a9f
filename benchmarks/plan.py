"""The plan for many images: what 1, 10 and 100 million need, computed from measurements of a few thousand.

Each line of the table that it prints says where its numbers come from: [measured] here, by processor time, which
depends little on what else runs; [computed] from that and the number of images; [assumed] prices and sizes, which
are options. ``docs/plan.md`` has the table and what follows from it.

    python benchmarks/plan.py [--images 20000] [--photos 60] [--classifier 10.9] [--detector 77] [--photo-kb 228]
        [--core-hour 0.04] [--requests 0.40] [--traffic 0.02]
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import catalogue
from _measure import cores, last_json

import customlabels_nb as cl
from customlabels_nb.user_settings import settings

SIZES = (1_000_000, 10_000_000, 100_000_000)
CHUNK = 500  # images of a part, and an entry of the journal
ENTRY = 40  # bytes of an entry
DIRECTIONS = 32 * 4  # bytes of the projected features of an image, for near-duplicates


def core_seconds(name: str, folder: Path, photos: int, **training: Any) -> float:
    """Train a model on drawn photos for a moment, and return the processor time of one image in ``detect_many``."""
    drawn = cl.examples.write_photos(name, folder / name, train=24, test=photos, size=(1024, 768))
    project = cl.create_project(name, folder / "projects")
    project.import_dataset(cl.read_dataset(drawn.train), progress=False)
    model = project.train(progress=False, **training)
    settings.threads = 1
    paths = [str(path) for path in sorted((folder / name / "test").rglob("*.jpg"))]
    model.start()
    model.detect_many(paths[:8], progress=False)
    started = time.process_time()
    model.detect_many(paths, progress=False)
    seconds = (time.process_time() - started) / len(paths)
    project.close()
    return seconds


def measure(images: int, photos: int, classifier: float | None, detector: float | None) -> dict[str, float]:
    """Measure bytes and processor seconds of one image. Times of models in ms that are given are not measured."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        found = catalogue.measure(folder, images, min(images, 20_000))
        worker = str(Path(__file__).with_name("_import_worker.py"))
        stored = last_json([sys.executable, worker, str(images), str(catalogue.BOXES)])
        times = {
            "classifier": classifier / 1e3 if classifier else core_seconds("rooms", folder, photos),
            "detector": detector / 1e3 if detector else core_seconds("circuit_boards", folder, photos, steps=2),
        }
    name = "s3://bucket/photos/000000/IMG_000000000.jpg"
    return {
        "name": sys.getsizeof(name) + 8,
        "project": stored["bytes"] / images,
        "import": stored["seconds"] / images,
        "images": found["bytes_images"] / images,
        "found": found["bytes_found"] / images,
        "build": (found["names"] + found["found"]) / images,
        "counts": found["counts"] / images,
        "select": found["select"],
        **times,
    }


def amount(value: float, unit: str) -> str:
    """Format a value with two digits or all before the point."""
    return f"{value:,.{0 if value >= 10 else 1}f} {unit}"


def storage(value: float) -> str:
    """Format bytes."""
    size, unit = next(pair for pair in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1, "B")) if value >= pair[0])
    return amount(value / size, unit)


def duration(seconds: float) -> str:
    """Format processor time."""
    if seconds >= 36_000:
        return amount(seconds / 3600, "core-hours")
    return amount(seconds / 60, "min") if seconds >= 600 else amount(seconds, "s")


def rows(one: dict[str, float], options: argparse.Namespace) -> list[tuple[str, str, list[str]]]:
    """Compute the lines of the table: what, where the numbers come from, and one value for each number of images."""
    photo = options.photo_kb * 1e3

    def each(value: Any, shown: Any) -> list[str]:
        return [shown(value(count)) for count in SIZES]

    def dollars(value: float) -> str:
        return f"{value:,.0f} $" if value >= 10 else f"{value:.2f} $"

    hours = {name: one[name] / 3600 for name in ("classifier", "detector")}
    return [
        ("Names of the images in a list", "computed", each(lambda n: one["name"] * n, storage)),
        ("Journal with an entry per part", "computed", each(lambda n: ENTRY * n / CHUNK, storage)),
        ("Database, 4 boxes an image", "computed", each(lambda n: one["project"] * n, storage)),
        ("`add_images`, tables one after another", "computed", each(lambda n: one["import"] * n, duration)),
        ("Catalogue: images", "computed", each(lambda n: one["images"] * n, storage)),
        ("Catalogue: detections of one model", "computed", each(lambda n: one["found"] * n, storage)),
        ("Catalogue: building it", "computed", each(lambda n: one["build"] * n, duration)),
        ("Catalogue: images and boxes of each label", "computed", each(lambda n: one["counts"] * n, duration)),
        ("20,000 images into a project, at least", "measured", each(lambda n: one["select"], duration)),
        ("Features for near-duplicates, 32 directions", "computed", each(lambda n: DIRECTIONS * n, storage)),
        ("Classifier: time", "computed", each(lambda n: one["classifier"] * n, duration)),
        ("Classifier: cost", "assumed", each(lambda n: hours["classifier"] * n * options.core_hour, dollars)),
        ("Detector: time", "computed", each(lambda n: one["detector"] * n, duration)),
        ("Detector: cost", "assumed", each(lambda n: hours["detector"] * n * options.core_hour, dollars)),
        ("Photos", "assumed", each(lambda n: photo * n, storage)),
        ("Requests, one a photo", "assumed", each(lambda n: options.requests * n / 1e6, dollars)),
        ("Traffic to another region", "assumed", each(lambda n: options.traffic * photo * n / 1e9, dollars)),
    ]


def main() -> None:
    """Measure, and print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000, help="images of the catalogue and project measured")
    parser.add_argument("--photos", type=int, default=60, help="photos that the models look at")
    parser.add_argument("--classifier", type=float, help="ms of a core for one photo, instead of measuring it")
    parser.add_argument("--detector", type=float, help="ms of a core for one photo, instead of measuring it")
    parser.add_argument("--photo-kb", type=float, default=228, help="size of a photo")
    parser.add_argument("--core-hour", type=float, default=0.04, help="price of an hour of a processor core, $")
    parser.add_argument("--requests", type=float, default=0.40, help="price of a million GET requests, $")
    parser.add_argument("--traffic", type=float, default=0.02, help="price of a GB to another region, $")
    options = parser.parse_args()
    one = measure(options.images, options.photos, options.classifier, options.detector)
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {cores()} cores{load}\n")
    print("For one image: " + ", ".join(
        [f"{one[name] * 1e3:.1f} ms of a core ({name})" for name in ("classifier", "detector")]
        + [f"{one[name]:.1f} bytes ({what})" for name, what in (
            ("images", "images/"), ("found", "found/"), ("project", "database"))]
    ) + ".\n")  # fmt: skip
    print("| | " + " | ".join(f"{count // 1_000_000} M" for count in SIZES) + " | |")
    print("| --- | " + "--- | " * (len(SIZES) + 1))
    for what, origin, values in rows(one, options):
        print(f"| {what} | {' | '.join(values)} | [{origin}] |")


if __name__ == "__main__":
    main()
