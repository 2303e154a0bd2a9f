"""Photos per second imported by ``project.add_images``, compared with a loop that hashes files and reads headers.

Then boxes that were corrected elsewhere are imported again, compared with the first import of their images.
"""

from __future__ import annotations

import hashlib
import io
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from _measure import alternate, bound, figure, heading, ratio, seconds, spread, start
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.user_settings import settings

COUNT = 10_000
PER_FOLDER = 250
ROUNDS = 5
SIDE = 1024
LEAST_BYTES, MOST_BYTES = 100_000, 150_000
LEAST_SHARE = 0.8
LEAST_SPEEDUP = 10.0
CORRECTED, BOXES = 4_000, 4  # images with a corrected box, and boxes of each
MOST_TIMES = 8.0


def make_photos(source: Path, target: Path) -> None:
    """Write ``COUNT`` different JPEGs: the real photos at several qualities, each file with its own comment."""
    encoded = [data for path in sorted(source.glob("*/*.jpg")) for data in smaller(path)]
    if not encoded:
        print(f"No photo in {source} yields a JPEG of {LEAST_BYTES:,} to {MOST_BYTES:,} bytes.")
        sys.exit(0)
    for index in range(COUNT):
        data = encoded[index % len(encoded)]
        note = f"photo {index:06d}".encode()
        comment = b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note
        folder = target / f"label {index // PER_FOLDER:03d}"
        folder.mkdir(exist_ok=True)
        (folder / f"{index:06d}.jpg").write_bytes(data[:2] + comment + data[2:])


def smaller(path: Path) -> Iterator[bytes]:
    """Yield JPEGs of a photo within the required size range."""
    with Image.open(path) as photo:
        rgb = photo.convert("RGB")
    rgb.thumbnail((SIDE, SIDE))
    for quality in range(76, 97, 4):
        buffer = io.BytesIO()
        rgb.save(buffer, "JPEG", quality=quality)
        if LEAST_BYTES <= buffer.tell() <= MOST_BYTES:
            yield buffer.getvalue()


def bare_loop(paths: list[Path]) -> None:
    """Hash each file and read its image size."""
    facts = []
    for path in paths:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        with Image.open(path) as image:
            facts.append((digest, image.size))


def take_in(photos: Path, threads: int) -> tuple[float, float]:
    """Return the seconds that a new project takes to add the folder, and to add it again."""
    settings.threads = threads
    with tempfile.TemporaryDirectory() as root:
        project = cl.create_project("many", root)
        first, second = (
            seconds(lambda: project.add_images(photos, labels_from="folders", progress=False)) for _ in range(2)
        )
        assert project.statistics["train"].total_entries == COUNT
        project.close()
    return first, second


def correct_boxes() -> tuple[float, float]:
    """Return the seconds to import images with boxes, and to replace the boxes after one of each image has moved."""
    images = pd.DataFrame({"image": [f"s3://bucket/{number}.jpg" for number in range(CORRECTED)], "status": "labelled"})
    places = np.random.default_rng(0).integers(0, 800, (CORRECTED * BOXES, 2)).astype(float)
    boxes = pd.DataFrame({"image": images["image"].repeat(BOXES).to_numpy(), "label": "cat", "width": 50, "height": 40})
    boxes = boxes.assign(left=places[:, 0], top=places[:, 1])
    moved = boxes.assign(left=boxes["left"].where(boxes.index % BOXES > 0, boxes["left"] + 9))
    given = [cl.Dataset(images, marks) for marks in (boxes, moved)]
    with tempfile.TemporaryDirectory() as root:
        project = cl.create_project("corrected", root)
        first, second = (
            seconds(lambda each=each: project.import_dataset(each, on_known="replace", progress=False))
            for each in given
        )
        assert set(project.train_set.annotations["left"]) == set(moved["left"])
        project.close()
    return first, second


def main() -> None:
    """Run the benchmark and print the results."""
    source = start(__doc__)
    threads = settings.threads
    again = []
    with tempfile.TemporaryDirectory() as temporary:
        photos = Path(temporary) / "photos"
        photos.mkdir()
        made = seconds(lambda: make_photos(source, photos))
        paths = sorted(photos.rglob("*.jpg"))
        size = statistics.mean(path.stat().st_size for path in paths)
        heading(f"{len(paths):,} photos of {size / 1e3:.0f} KB on average (created in {made:.0f} s):")

        def ours() -> float:
            first, second = take_in(photos, threads)
            again.append(first / second)
            return first

        bare_loop(paths)  # from here on the files are in memory and the imports of add_images are done
        take_in(photos, threads)
        firsts, single, bare = alternate(
            ROUNDS, ours, lambda: take_in(photos, 1)[0], lambda: seconds(lambda: bare_loop(paths))
        )
    figure("bare loop, 1 thread", spread([COUNT / value for value in bare], " images/s"))
    figure(f"add_images, settings.threads = {threads}", spread([COUNT / value for value in firsts], " images/s"))
    figure("add_images, settings.threads = 1", spread([COUNT / value for value in single], " images/s"))
    figure("add_images over the bare loop, settings.threads = 1", f"{ratio(bare, single):.2f}×")
    bound(
        f"add_images over the bare loop, settings.threads = {threads}", ratio(bare, firsts), "×", at_least=LEAST_SHARE
    )
    bound("importing the same folder again, times faster", statistics.median(again), "×", at_least=LEAST_SPEEDUP)
    heading(f"{CORRECTED:,} images with {BOXES} boxes each, one of which was moved elsewhere:")
    firsts, corrected = zip(*(correct_boxes() for _ in range(ROUNDS)), strict=True)
    bound("import with on_known='replace', over the first", ratio(corrected, firsts), "×", at_most=MOST_TIMES)


if __name__ == "__main__":
    main()
