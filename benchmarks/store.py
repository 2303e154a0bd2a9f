"""100,000 boxes from a project's database as a table, beside a bare read of the same file.

Both sides give a DataFrame with the same rows and the same columns: image, label, left, top, width, height, polygon,
crowd, confidence, annotator, job, created. The bare read is ``sqlite3`` with image and label names joined by SQL, its
rows put into ``pd.DataFrame(rows, columns=…)`` as they are: no dtypes of its own, times as numbers, polygons as text.
The store's side is ``store.annotations()``: the dtypes of the annotations table, times in UTC, polygons as lists.
Both keep the order of images; each opens its connection anew or takes it from the pool, the file lies in memory.

    python benchmarks/store.py
"""

from __future__ import annotations

import gc
import sqlite3
import statistics
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
from _measure import alternate, bound, figure, heading, ratio, seconds, spread, start

from customlabels_nb import tables as t
from customlabels_nb.store import Action, Store, create_store

ROWS = 100_000
ROUNDS = 15
LABELS = 20
MOST = 2.0

_BARE = """
SELECT i.image, l.label, a."left", a.top, a.width, a.height, a.polygon, a.crowd, a.confidence, a.annotator, a.job,
       a.created
FROM annotations a JOIN images i ON i.id = a.image_id JOIN labels l ON l.id = a.label_id
ORDER BY a.image_id, a.id
"""


def fill(store: Store, images: int, polygons: float) -> None:
    """Put ``ROWS`` boxes into the training set, spread over ``images`` images; a share of them with a polygon."""
    rng = np.random.default_rng(0)
    names = [f"/home/somebody/photos/kitchen/2026-11/IMG_{index:06d}.jpg" for index in range(images)]
    corners = rng.uniform(0, 900, (ROWS, 2)).round(1)
    sizes = rng.uniform(5, 120, (ROWS, 2)).round(1)
    annotations = pd.DataFrame(
        {
            "image": [names[index] for index in np.sort(rng.integers(0, images, ROWS))],
            "label": [f"label {index}" for index in rng.integers(0, LABELS, ROWS)],
            "left": corners[:, 0],
            "top": corners[:, 1],
            "width": sizes[:, 0],
            "height": sizes[:, 1],
            "polygon": [
                [[x, y], [x + w, y], [x + w / 2, y + h]] if has else None
                for (x, y), (w, h), has in zip(
                    corners.tolist(), sizes.tolist(), rng.random(ROWS) < polygons, strict=True
                )
            ],
            "annotator": "somebody",
        }
    )
    table = t.normalise_images(pd.DataFrame({"image": names, "width": 1024, "height": 1024, "status": "labelled"}))
    store.add_images("train", table, t.normalise_annotations(annotations), Action("import", "somebody"))


def bare_read(path: Path) -> pd.DataFrame:
    """What anybody would write who knows the tables."""
    with closing(sqlite3.connect(path)) as connection:
        cursor = connection.execute(_BARE)
        columns = [column[0] for column in cursor.description]
        return pd.DataFrame(cursor.fetchall(), columns=columns)


def check_same(ours: pd.DataFrame, bare: pd.DataFrame) -> None:
    """Both sides must have read the same thing, or the comparison means nothing."""
    assert list(ours.columns) == list(bare.columns)
    for name in ("image", "label", *t.BOX_COLUMNS, "confidence", "annotator"):
        assert ours[name].tolist() == bare[name].tolist(), name


def compare(images: int, polygons: float) -> float:
    """Print the figures of one kind of project; returns ours over bare."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "project.db"
        store = create_store(str(path), "benchmark")
        fill(store, images, polygons)
        check_same(store.annotations(), bare_read(path))
        gc.collect()
        ours, bare = alternate(ROUNDS, lambda: seconds(store.annotations), lambda: seconds(lambda: bare_read(path)))
        store.close()
    shape = f"{polygons:.0%} with a polygon" if polygons else "none with a polygon"
    heading(f"{ROWS:,} boxes on {images:,} images, {shape}; median of {ROUNDS} reads in turn:")
    figure("store.annotations()", spread(ours, " s"))
    figure("bare sqlite3 → DataFrame", spread(bare, " s"))
    figure("rows a second", f"{ROWS / statistics.median(ours):,.0f} (bare {ROWS / statistics.median(bare):,.0f})")
    return ratio(ours, bare)


def main() -> None:
    """Print the figures."""
    start(__doc__, with_images=False)
    for images, polygons in ((10_000, 0.0), (100_000, 0.0), (10_000, 0.2)):
        bound("time, ours over bare", compare(images, polygons), "×", at_most=MOST)


if __name__ == "__main__":
    main()
