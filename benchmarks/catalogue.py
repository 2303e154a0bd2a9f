"""A catalogue of images and detections in Parquet: build it, query it with DuckDB, label its least certain images.

The functions are those of ``docs/catalogue.md``. Run as a program, the file writes detections of a folder as
``detect_many(to="folder/")`` would, builds the catalogue from them, selects images into a project, labels some of them,
and takes the labels back. Nobody looks at the images, so none have to exist.

    python benchmarks/catalogue.py [--images 1000000] [--select 20000] [--folder catalogue]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from _measure import figure, heading

import customlabels_nb as cl

BOXES, LABELS, PART = 4, 80, 100_000
NEW, VECTORS = 100, 10


def _next_part(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder / f"part-{len(list(folder.glob('*.parquet'))):06}.parquet")


def add_names(db: duckdb.DuckDBPyConnection, catalogue: Path, source: str) -> None:
    """Give each new image of ``source`` (Parquet files with a column ``image``) the next number."""
    known, first = "", 0
    if (catalogue / "images").exists():
        known = f"ANTI JOIN '{catalogue}/images/*.parquet' USING (image)"
        first = db.execute(f"SELECT max(id) + 1 FROM '{catalogue}/images/*.parquet'").fetchone()[0]  # type: ignore[index]
    db.execute(f"""
        COPY (
            SELECT {first} + row_number() OVER (ORDER BY image) - 1 AS id, image
            FROM (SELECT DISTINCT image FROM '{source}') {known}
        ) TO '{_next_part(catalogue / "images")}' (FORMAT parquet, COMPRESSION zstd)
    """)


def add_found(db: duckdb.DuckDBPyConnection, catalogue: Path, model: str, source: str) -> None:
    """Add the detections of a model, with numbers for images and 32 bits for boxes."""
    db.execute(f"""
        COPY (
            SELECT id, label, confidence::FLOAT AS confidence, "left"::FLOAT AS "left", top::FLOAT AS top,
                width::FLOAT AS width, height::FLOAT AS height
            FROM '{source}' JOIN '{catalogue}/images/*.parquet' USING (image) ORDER BY id
        ) TO '{_next_part(catalogue / "found" / model)}' (FORMAT parquet, COMPRESSION zstd)
    """)


def least_certain(db: duckdb.DuckDBPyConnection, catalogue: Path, model: str, count: int) -> Iterator[pd.DataFrame]:
    """Yield the unlabelled images with the detections closest to a confidence of 0.5, some thousand at a time."""
    unlabelled = f"ANTI JOIN '{catalogue}/labels/*.parquet' USING (id)" if (catalogue / "labels").exists() else ""
    rows = db.cursor().execute(f"""
        WITH chosen AS (
            SELECT id, min(abs(confidence - 0.5)) AS distance FROM '{catalogue}/found/{model}/*.parquet' {unlabelled}
            GROUP BY id ORDER BY distance, id LIMIT {count}
        )
        SELECT image, id AS catalogue_id FROM chosen JOIN '{catalogue}/images/*.parquet' USING (id) ORDER BY distance
    """)
    while len(table := rows.fetch_df_chunk(VECTORS)):
        yield table


def save_labels(db: duckdb.DuckDBPyConnection, catalogue: Path, project: cl.Project, split: str = "train") -> int:
    """Write the labels that changed since the last time as a new file of ``labels/``, and count their images."""
    dataset = project.train_set if split == "train" else project.test_set
    images = dataset.images[["image", "catalogue_id", "status", "revision"]].dropna(subset="catalogue_id")
    images = images[images["status"] != "unlabelled"].astype({"catalogue_id": "int64"})
    if (catalogue / "labels").exists():
        newest = f"SELECT id, max(revision) AS last FROM '{catalogue}/labels/*.parquet' GROUP BY id"
        db.register("labelled", images)
        images = db.execute(f"""
            SELECT i.* FROM labelled i LEFT JOIN ({newest}) n ON n.id = i.catalogue_id
            WHERE n.last IS NULL OR i.revision > n.last
        """).df()
    db.register("changed", images)
    db.register("marks", dataset.annotations)
    if len(images):
        db.execute(f"""
            COPY (
                SELECT catalogue_id AS id, revision, status, label, "left"::FLOAT AS "left", top::FLOAT AS top,
                    width::FLOAT AS width, height::FLOAT AS height, annotator
                FROM changed LEFT JOIN marks USING (image) ORDER BY id
            ) TO '{_next_part(catalogue / "labels")}' (FORMAT parquet, COMPRESSION zstd)
        """)
    return len(images)


def current_labels(db: duckdb.DuckDBPyConnection, catalogue: Path) -> pd.DataFrame:
    """Return the newest labels of each image. An image without objects has one row without a label."""
    return db.execute(f"""
        SELECT * FROM '{catalogue}/labels/*.parquet'
        QUALIFY revision = max(revision) OVER (PARTITION BY id)
    """).df()


def write_detections(folder: Path, first: int, stop: int) -> None:
    """Write random detections of images as ``detect_many`` does."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = pa.array([f"label {number}" for number in range(LABELS)])
    for start in range(first, stop, PART):
        end = min(start + PART, stop)
        numbers = np.repeat(np.arange(start, end), BOXES)
        rng = np.random.default_rng(start)
        columns: dict[str, Any] = {
            "image": pa.array(map(_name, numbers)),
            "label": pa.DictionaryArray.from_arrays(rng.integers(0, LABELS, len(numbers)).astype(np.int32), labels),
            "confidence": rng.beta(4, 1, len(numbers)),
            **{name: rng.uniform(0, 900, len(numbers)).round(1) for name in ("left", "top")},
            **{name: rng.uniform(5, 120, len(numbers)).round(1) for name in ("width", "height")},
        }
        pq.write_table(pa.table(columns), folder / f"part-{start:09}-{end:09}.parquet", compression="zstd")
        names = pa.table({"image": pa.array(map(_name, range(start, end)))})
        pq.write_table(names, folder / f"_images-{start:09}-{end:09}.parquet", compression="zstd")


def _name(number: int) -> str:
    return f"s3://bucket/photos/{number // 1000:06}/IMG_{number:09}.jpg"


def size(folder: Path) -> int:
    """Return the bytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*.parquet"))


def measure(folder: Path, images: int, select: int) -> dict[str, float]:
    """Build and use a catalogue in ``folder``. Return seconds of processor time, and bytes."""
    catalogue, results = folder / "catalogue", folder / "results"
    names_of, results_of = str(results / "_images-*.parquet"), str(results / "part-*.parquet")
    db = duckdb.connect(str(folder / "scratch.duckdb"))
    db.execute("SET memory_limit = '2GB'")
    found: dict[str, float] = {"images": images}

    def timed(name: str, work: Any) -> Any:
        started = time.process_time()
        result = work()
        found[name] = time.process_time() - started
        return result

    write_detections(results, 0, images)
    timed("names", lambda: add_names(db, catalogue, names_of))
    timed("found", lambda: add_found(db, catalogue, "detector.1", results_of))
    found |= {"bytes_images": size(catalogue / "images"), "bytes_found": size(catalogue / "found")}
    counted = f"SELECT label, count(DISTINCT id), count(*) FROM '{catalogue}/found/detector.1/*.parquet' GROUP BY label"
    rows = timed("counts", lambda: db.execute(counted).fetchall())
    assert len(rows) == LABELS
    assert sum(row[2] for row in rows) == images * BOXES
    project = cl.create_project("least-certain", folder)
    added = timed(
        "select", lambda: project.add_images(least_certain(db, catalogue, "detector.1", select), progress=False)
    )
    assert (added.added, len(added.issues)) == (min(select, images), 0)
    names = project.train_set.images["image"].head(NEW)
    boxes = {"label": "label 1", "left": 1, "top": 2, "width": 30, "height": 40}
    project.update("train", pd.DataFrame({"image": names, **boxes}))
    assert timed("save labels", lambda: save_labels(db, catalogue, project)) == len(names)
    assert save_labels(db, catalogue, project) == 0
    project.update("train", pd.DataFrame({"image": names.head(2), **boxes, "label": "label 2"}))
    assert save_labels(db, catalogue, project) == 2
    labels = current_labels(db, catalogue)
    assert labels["label"].value_counts().to_dict() == {"label 1": len(names) - 2, "label 2": 2}
    more = pd.concat(least_certain(db, catalogue, "detector.1", 10))
    assert not set(more["catalogue_id"]) & set(labels["id"])
    write_detections(results, images, images + NEW)  # images of another day get the next numbers
    add_names(db, catalogue, names_of)
    numbers = db.execute(f"SELECT count(DISTINCT id), max(id) + 1 FROM '{catalogue}/images/*.parquet'").fetchone()
    assert numbers == (images + NEW, images + NEW)
    project.close()
    db.close()
    return found


def main() -> None:
    """Run the script and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--select", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, help="folder to create, which is kept. Otherwise a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        if options.folder is not None:
            options.folder.mkdir(parents=True)
        found = measure(options.folder or Path(temporary), options.images, options.select)
    heading(f"{options.images:,} images with {BOXES} boxes each, {min(options.select, options.images):,} selected:")
    figure("bytes of an image, of a box", f"{found['bytes_images'] / options.images:.1f}, "
           f"{found['bytes_found'] / options.images / BOXES:.1f}")  # fmt: skip
    for name, what in (
        ("names", "numbering the images"),
        ("found", "adding the detections"),
        ("counts", "images and boxes of each label"),
        ("select", "the least certain into a project"),
        ("save labels", "labels taken back"),
    ):
        figure(f"{what}, processor time", f"{found[name]:.2f} s")


if __name__ == "__main__":
    sys.exit(main())
