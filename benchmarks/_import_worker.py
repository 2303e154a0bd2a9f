"""Import images with boxes from an iterator of tables, and read the counts. Print peak memory and times as JSON."""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

import customlabels_nb as cl

LABELS, AT_ONCE = 80, 20_000


def tables(first: int, stop: int, boxes: int) -> Iterator[pd.DataFrame]:
    """Yield tables of remote images, each with this number of boxes, or with one label if it is 0."""
    for start in range(first, stop, AT_ONCE):
        numbers = np.repeat(np.arange(start, min(start + AT_ONCE, stop)), max(boxes, 1))
        rng = np.random.default_rng(start)
        names = [f"s3://bucket/photos/{number // 1000:06}/IMG_{number:09}.jpg" for number in numbers]
        labels = [f"label {number}" for number in rng.integers(0, LABELS, len(numbers))]
        table = pd.DataFrame({"image": names, "label": labels})
        if boxes:
            corners = {name: rng.uniform(0, 900, len(numbers)).round(1) for name in ("left", "top")}
            table = table.assign(**corners, width=50.5, height=60.5)
        yield table


def peak() -> int:
    """Return the peak memory of the process in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def milliseconds(work: Callable[[], object]) -> float:
    """Return the median duration of 15 calls."""
    times = []
    for _ in range(15):
        started = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - started))
    return statistics.median(times)


def main(images: int, boxes: int) -> None:
    """Measure one import."""
    with tempfile.TemporaryDirectory() as folder:
        project = cl.create_project("many", folder)
        project.add_images(tables(images, images + 10, boxes), progress=False)  # imports everything that it needs
        started, before = time.process_time(), peak()
        report = project.add_images(tables(0, images, boxes), progress=False)
        seconds, used = time.process_time() - started, peak() - before
        assert report.added == images
        store = project._store
        assert project.statistics["train"].total_boxes == (images + 10) * boxes
        found = {
            "seconds": seconds,
            "peak": used,
            "bytes": os.path.getsize(project.root / "project.db"),
            "statistics_ms": milliseconds(lambda: project.statistics),
            "labels_ms": milliseconds(store.label_uses),
            "statuses_ms": milliseconds(store.status_counts),
        }
        project.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
