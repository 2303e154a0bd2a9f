"""How many local images a second are checked to be there and measured by their headers, beside a bare Pillow loop.

The check is what formats and validation use: upright sizes, files that are missing or no images told instead of
raised, on ``settings.threads`` threads. The bare loop is one thread: ``PIL.Image.open(path).size``, which neither turns
a size upright nor survives a file that is missing. The images are made here: JPEGs of a camera's size with EXIF, some
of them lying. Both have the files in memory, and take turns.

    python benchmarks/image_checks.py
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
from _measure import alternate, figure, heading, ratio, seconds, spread, start
from PIL import Image

from customlabels_nb.datasets.formats.json_file import measured
from customlabels_nb.settings import settings

COUNT = 5_000
KINDS = 20
ROUNDS = 5
SIZE = (1600, 1200)


def make_images(folder: Path) -> list[str]:
    """``COUNT`` JPEG files, every fourth stored lying; returns their paths."""
    rng = np.random.default_rng(0)
    encoded = []
    for kind in range(KINDS):
        fields = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        exif = Image.Exif()
        exif[0x0112] = 6 if kind % 4 == 0 else 1
        buffer = io.BytesIO()
        Image.fromarray(fields).resize(SIZE, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90, exif=exif)
        encoded.append(buffer.getvalue())
    paths = [folder / f"{number:05}.jpg" for number in range(COUNT)]
    for number, path in enumerate(paths):
        path.write_bytes(encoded[number % KINDS])
    return [str(path) for path in paths]


def bare_loop(paths: list[str]) -> list[tuple[int, int]]:
    """The size of each as it is stored, and nothing else."""
    sizes = []
    for path in paths:
        with Image.open(path) as image:
            sizes.append(image.size)
    return sizes


def check_same(paths: list[str]) -> None:
    """Both sides must have measured the same, or the comparison means nothing."""
    upright = [size[::-1] if number % KINDS % 4 == 0 else size for number, size in enumerate(bare_loop(paths))]
    assert [size for _, size in measured(paths)] == upright


def compare_image_checks() -> float:
    """Print images a second of both sides; returns the check's over the bare loop's."""
    threads = settings.threads
    with tempfile.TemporaryDirectory() as folder:
        paths = make_images(Path(folder))
        check_same(paths)  # and the files are in memory from here on

        def check(workers: int) -> float:
            settings.threads = workers
            return seconds(lambda: list(measured(paths)))

        ours, single, bare = alternate(
            ROUNDS, lambda: check(threads), lambda: check(1), lambda: seconds(lambda: bare_loop(paths))
        )
        settings.threads = threads
    heading(f"{COUNT:,} local JPEGs measured by their headers; median of {ROUNDS} rounds in turn:")
    figure(f"check, settings.threads = {threads}", spread([COUNT / value for value in ours], " images/s"))
    figure("check, settings.threads = 1", spread([COUNT / value for value in single], " images/s"))
    figure("bare PIL.Image.open(path).size, 1 thread", spread([COUNT / value for value in bare], " images/s"))
    figure("check over the bare loop, settings.threads = 1", f"{ratio(bare, single):.2f}×")
    over = ratio(bare, ours)
    figure(f"check over the bare loop, settings.threads = {threads}", f"{over:.2f}×")
    return over


if __name__ == "__main__":
    start(__doc__, with_images=False)
    compare_image_checks()
