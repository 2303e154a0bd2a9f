"""Reading 100,000 boxes from a project's database and editing labels, compared with bare SQL on the same tables.

Both contenders return a DataFrame with the same rows and columns: image, label, left, top, width, height, polygon,
crowd, confidence, annotator, job, created. The bare read is ``sqlite3`` with image and label names joined by SQL and
its rows passed to ``pd.DataFrame(rows, columns=…)`` unchanged: no dtypes, times as numbers, polygons as text. The
store's side is ``store.annotations()``: the dtypes of the annotations table, times in UTC, polygons as lists. Both
keep the order of images. Each opens a new connection or takes one from the pool, and the file is in memory.

An edit is ``LabellingSession.assign`` of one image from the call to its return, in one process and in 20
concurrently, each with its own images. The bare edit is in ``_store_worker.py``. Both commit durably. The two take
turns, on SQLite and on the PostgreSQL of the tests. Processor time is that of the editing processes, without
PostgreSQL's own.

With ``--only large``, 1,000,000 images are added by a process of its own, without and with four boxes each: its peak
of memory above the start, and how long it takes to count what the project then contains. ``--rows`` sets the number.

    python benchmarks/store.py [--only large] [--rows 1000000]
"""

from __future__ import annotations

import argparse
import gc
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
from _measure import ROOT, alternate, bound, figure, heading, last_json, ratio, seconds, spread, start

from customlabels_nb.core import tables as t
from customlabels_nb.store import Action, SqlStore, create_store

ROWS = 100_000
ROUNDS = 15
LABELS = 20
MOST = 2.0

PROCESSES = 20
EDITED, EDIT_LABELS, EDIT_SECONDS, EDIT_ROUNDS = 2_000, 10, 3, 3
ALONE_MS, TOGETHER_MS, TOGETHER_RATE = 7.0, 300.0, 120.0

MANY, IMPORT_BYTES, COUNTS_MS = 1_000_000, 600e6, 50.0

_BARE = """
SELECT i.image, l.label, a."left", a.top, a.width, a.height, a.polygon, a.crowd, a.confidence, a.annotator, a.job,
       a.created
FROM annotations a JOIN images i ON i.id = a.image_id JOIN labels l ON l.id = a.label_id
ORDER BY a.image_id, a.id
"""


def fill(store: SqlStore, images: int, polygons: float) -> None:
    """Add ``ROWS`` boxes on ``images`` images to the training set, the share ``polygons`` of them with a polygon."""
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
    """Read the boxes with SQL that anybody who knows the tables would write."""
    with closing(sqlite3.connect(path)) as connection:
        cursor = connection.execute(_BARE)
        columns = [column[0] for column in cursor.description]
        return pd.DataFrame(cursor.fetchall(), columns=columns)


def check_same(ours: pd.DataFrame, bare: pd.DataFrame) -> None:
    """Check that both contenders read the same rows, because the comparison is meaningless otherwise."""
    assert list(ours.columns) == list(bare.columns)
    for name in ("image", "label", *t.BOX_COLUMNS, "confidence", "annotator"):
        assert ours[name].tolist() == bare[name].tolist(), name


def compare(images: int, polygons: float) -> float:
    """Print the results for one kind of project and return the ratio of our time to the bare one's."""
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
    figure("rows/s", f"{ROWS / statistics.median(ours):,.0f} (bare {ROWS / statistics.median(bare):,.0f})")
    return ratio(ours, bare)


def fill_for_edits(store: SqlStore) -> None:
    """Add labelled images to the training set."""
    names = [f"/home/somebody/photos/IMG_{index:06d}.jpg" for index in range(EDITED)]
    images = pd.DataFrame({"image": names, "width": 1024, "height": 768, "status": "labelled"})
    labels = [f"label {1 + number % EDIT_LABELS}" for number in range(1, EDITED + 1)]
    annotations = t.normalise_annotations(pd.DataFrame({"image": names, "label": labels}), annotator="somebody")
    store.add_images("train", t.normalise_images(images), annotations, Action("import", "somebody"))


def edit_at_once(location: str, schema: str, which: str, count: int) -> tuple[list[float], float]:
    """Let ``count`` processes edit and return the time of each edit and the processor time of one, in ms."""
    command = [sys.executable, str(Path(__file__).with_name("_store_worker.py")), location, schema, which]
    processes = [
        subprocess.Popen(
            [*command, *map(str, (own, count, EDIT_SECONDS, EDITED, EDIT_LABELS))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )
        for own in range(count)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    results = [json.loads(process.communicate()[0]) for process in processes]
    waits = [1e3 * wait for result in results for wait in result["waits"]]
    return waits, 1e3 * sum(result["cpu"] for result in results) / len(waits)


def compare_edits(kind: str, location: str, schema: str) -> None:
    """Print the results of edits in one database."""
    for count in (1, PROCESSES):
        kept: dict[str, list[tuple[list[float], float]]] = {"ours": [], "bare": []}
        for _ in range(EDIT_ROUNDS):
            for which, runs in kept.items():
                runs.append(edit_at_once(location, schema, which, count))
        heading(
            f"One label edit on {kind}, {count} concurrent; median of {EDIT_ROUNDS} runs of {EDIT_SECONDS} s in turn:"
        )
        middle, late, rate, cpu = (
            {which: [of(run) for run in runs] for which, runs in kept.items()}
            for of in (
                lambda run: float(np.quantile(run[0], 0.5)),
                lambda run: float(np.quantile(run[0], 0.95)),
                lambda run: len(run[0]) / EDIT_SECONDS,
                lambda run: run[1],
            )
        )
        for which in kept:
            worst = max(max(run[0]) for run in kept[which])
            figure(
                f"{which}: p50, p95, longest",
                f"{spread(middle[which], ' ms')}, {spread(late[which], ' ms')}, {worst:,.0f} ms",
            )
            figure(
                f"{which}: edits, processor time of one",
                f"{spread(rate[which], ' a second')}, {spread(cpu[which], ' ms')}",
            )
        figure("p50, ours over bare", f"{ratio(middle['ours'], middle['bare']):.3g}×")
        if count == 1:
            bound("p50 alone", statistics.median(middle["ours"]), " ms", at_most=ALONE_MS)
        else:
            bound("edits of all processes", statistics.median(rate["ours"]), " per second", at_least=TOGETHER_RATE)
            bound("p95 of all", statistics.median(late["ours"]), " ms", at_most=TOGETHER_MS)


def edits_on_sqlite() -> None:
    """Measure edits in a file."""
    with tempfile.TemporaryDirectory() as folder:
        location = str(Path(folder) / "project.db")
        store = create_store(location, "benchmark", task="single-label")
        fill_for_edits(store)
        compare_edits("SQLite", location, "")
        store.close()


def edits_on_postgresql() -> None:
    """Measure edits on a server, if there is one."""
    sys.path.append(str(ROOT))
    from tests import provision

    try:
        with provision.postgres() as location:
            store = create_store(location, "benchmark", schema="benchmark_edits", task="single-label")
            try:
                fill_for_edits(store)
                compare_edits("PostgreSQL", location, "benchmark_edits")
            finally:
                store.destroy()
    except provision.Unavailable as reason:
        figure("PostgreSQL skipped", str(reason))


def large(rows: int) -> None:
    """Add many images, a table at a time, and count them."""
    for boxes in (0, 4):
        command = [sys.executable, str(Path(__file__).with_name("_import_worker.py")), str(rows), str(boxes)]
        found = last_json(command)
        heading(f"{rows:,} images with {f'{boxes} boxes' if boxes else 'a label'} each, from an iterator of tables:")
        figure("processor time, file", f"{found['seconds']:.0f} s, {found['bytes'] / 1e6:,.0f} MB")
        bound("peak of memory above the start", found["peak"] / 1e6, " MB", at_most=IMPORT_BYTES / 1e6)
        for name, what in (("statistics", "project.statistics"), ("labels", "labels"), ("statuses", "statuses")):
            bound(f"counting: {what}", found[f"{name}_ms"], " ms", at_most=COUNTS_MS)


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--only", choices=["large"])
    parser.add_argument("--rows", type=int, default=MANY)
    options, sys.argv[1:] = parser.parse_known_args()
    start(__doc__, with_images=False)
    if options.only == "large":
        large(options.rows)
        return
    for images, polygons in ((10_000, 0.0), (100_000, 0.0), (10_000, 0.2)):
        bound("time, ours over bare", compare(images, polygons), "×", at_most=MOST)
    edits_on_sqlite()
    edits_on_postgresql()
    large(options.rows)


if __name__ == "__main__":
    main()
