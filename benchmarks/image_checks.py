"""Local images per second checked for existence and size, compared with a bare Pillow loop.

Formats and validation use this check: it applies the EXIF orientation, reports missing files and non-images instead
of raising, and uses ``settings.threads`` threads. The bare loop is one thread: ``PIL.Image.open(path).size``, which
ignores the orientation and fails on a missing file. The images are created here: JPEGs of a camera's size with EXIF,
some of them rotated. Both run in turn with the files in memory.

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
from customlabels_nb.user_settings import settings

COUNT = 5_000
KINDS = 20
ROUNDS = 5
SIZE = (1600, 1200)


def make_images(folder: Path) -> list[str]:
    """Write ``COUNT`` JPEG files, every fourth with a rotated EXIF orientation, and return their paths."""
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
    """Return the stored size of each image."""
    sizes = []
    for path in paths:
        with Image.open(path) as image:
            sizes.append(image.size)
    return sizes


def check_same(paths: list[str]) -> None:
    """Check that both contenders measure the same, because the comparison is meaningless otherwise."""
    upright = [size[::-1] if number % KINDS % 4 == 0 else size for number, size in enumerate(bare_loop(paths))]
    assert [size for _, size in measured(paths)] == upright


def compare_image_checks() -> float:
    """Print images per second of both contenders and return the ratio of the check's to the bare loop's."""
    threads = settings.threads
    with tempfile.TemporaryDirectory() as folder:
        paths = make_images(Path(folder))
        check_same(paths)  # and loads the files into memory

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
