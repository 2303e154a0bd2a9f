"""How many photos a second ``project.add_images`` takes in, beside a bare loop that hashes and reads the headers.

The photos are made here from real ones: each a JPEG of about 100 to 150 KB of its own in a temporary folder, 250 in each
of its folders. The bare loop is one thread: ``hashlib.sha256`` of the file's bytes, and ``PIL.Image.open(…).size``.
``add_images`` also lists the folder, looks whether files are whole, turns sizes upright, compares with what is known
and writes it all to a new project's database. Both have the files in memory, and take turns.

    python benchmarks/add_images.py [--images DIR]
"""

from __future__ import annotations

import hashlib
import io
import statistics
import tempfile
from pathlib import Path

from _measure import alternate, bound, figure, heading, ratio, seconds, spread, start
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.settings import settings

COUNT = 10_000
PER_FOLDER = 250
ROUNDS = 5
SIDE = 768
LEAST_SHARE = 0.8
LEAST_SPEEDUP = 10.0


def make_photos(source: Path, target: Path) -> None:
    """``COUNT`` different JPEGs: crops of the real photos, the bytes of some of them varied by a comment."""
    originals = sorted(source.glob("*/*.jpg"))
    encoded = []
    for path in originals:
        with Image.open(path) as photo:
            rgb = photo.convert("RGB")
        for quality in (84, 86, 88, 90):
            buffer = io.BytesIO()
            crop = min(rgb.width, rgb.height, SIDE)
            rgb.crop((0, 0, crop, crop)).resize((SIDE, SIDE)).save(buffer, "JPEG", quality=quality)
            encoded.append(buffer.getvalue())
    encoded.sort(key=lambda data: abs(len(data) - 125_000))
    fitting = encoded[: max(20, len(encoded) // 2)]
    for index in range(COUNT):
        data = fitting[index % len(fitting)]
        note = f"photo {index:06d}".encode()
        comment = b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note
        folder = target / f"label {index // PER_FOLDER:03d}"
        folder.mkdir(exist_ok=True)
        (folder / f"{index:06d}.jpg").write_bytes(data[:2] + comment + data[2:])


def bare_loop(paths: list[Path]) -> None:
    """Hash and size of each file, and nothing else."""
    facts = []
    for path in paths:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        with Image.open(path) as image:
            facts.append((digest, image.size))


def main() -> None:
    """Print the figures."""
    source = start(__doc__)
    again = []
    with tempfile.TemporaryDirectory() as temporary:
        photos = Path(temporary) / "photos"
        photos.mkdir()
        made = seconds(lambda: make_photos(source, photos))
        paths = sorted(photos.rglob("*.jpg"))
        size = statistics.mean(path.stat().st_size for path in paths)
        heading(f"{len(paths):,} photos of {size / 1e3:.0f} KB on average (made in {made:.0f} s):")
        bare_loop(paths)

        def ours(threads: int) -> float:
            settings.threads = threads
            with tempfile.TemporaryDirectory() as root:
                project = cl.create_project("many", root)
                first = seconds(lambda: project.add_images(photos, auto_label=True, progress=False))
                again.append(first / seconds(lambda: project.add_images(photos, auto_label=True, progress=False)))
                assert project.statistics["train"].total_entries == COUNT
                project.close()
            return first

        threads = settings.threads
        ours(threads)
        again.clear()
        firsts, single, bare = alternate(ROUNDS, lambda: ours(threads), lambda: ours(1), lambda: bare_loop_time(paths))
    figure("bare loop, 1 thread", spread([COUNT / value for value in bare], " images/s"))
    figure(f"add_images, {threads} threads as set", spread([COUNT / value for value in firsts], " images/s"))
    figure("add_images, 1 thread", spread([COUNT / value for value in single], " images/s"))
    bound(f"add_images over the bare loop, {threads} threads", ratio(bare, firsts), "×", at_least=LEAST_SHARE)
    figure("add_images over the bare loop, 1 thread", f"{ratio(bare, single):.2f}×")
    bound("second add_images of the same folder, how much quicker", statistics.median(again[::2]), "×", at_least=LEAST_SPEEDUP)


def bare_loop_time(paths: list[Path]) -> float:
    """How long the bare loop takes."""
    return seconds(lambda: bare_loop(paths))


if __name__ == "__main__":
    main()
