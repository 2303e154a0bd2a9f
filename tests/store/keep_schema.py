"""Create the small database of a released schema: ``python -m tests.store.keep_schema``.

Run once when the release's schema is final. From then on, the file is only read.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.jobs.job_list import LabellingJobs
from customlabels_nb.project.location import ProjectLocation
from customlabels_nb.settings import settings
from customlabels_nb.store import Action, VersionRecord, create_store, schema

FOLDER = Path(__file__).parent / "released"
KEPT = Action("import", "kept")


def keep(path: Path) -> None:
    """Write the database that :mod:`.test_sqlite` expects of each release, with everything else this one can store."""
    settings.user = "meg"
    now = datetime(2026, 11, 20, tzinfo=UTC)
    images = pd.DataFrame({"image": ["photos/a.jpg", "photos/b.jpg"], "status": "labelled", "camera": "left"})
    marks = pd.DataFrame({"image": images["image"], "label": ["apple", "banana"], "left": [None, 1.5],
                          "top": [None, 2.0], "width": [None, 30.0], "height": [None, 40.0]})  # fmt: skip
    rows = t.normalise_annotations(marks)
    with closing(create_store(str(path), "kept")) as store:
        store.add_images("train", t.normalise_images(images), rows, KEPT)
        store.add_version(
            VersionRecord("kept.1", "TRAINING_COMPLETED", "The model is ready to run.", "versions/kept.1", now, now,
                          task="single-label", metrics={"f1": 1.0}),
            KEPT,
        )  # fmt: skip
        store.replace_predictions("kept.1", rows.assign(model="kept.1"), KEPT)
        store.take_snapshot("kept", None, KEPT)
        store.rename_label("apple", "pomme", KEPT)
        store.undo(None, KEPT)
        store.remove_images("train", store.images().tail(1), KEPT)
        store.undo(None, KEPT)
        jobs = LabellingJobs(ProjectLocation(path.parent, store))
        ann = jobs.create("kept-1", "train", annotators=2, gold={"photos/b.jpg": "banana"}).worker("ann")
        for task in ann.lease(2):
            ann.submit(task, "apple")
        ben = jobs["kept-1"].worker("ben")
        ben.skip(ben.lease(1)[0], "blurred")
        ben.lease(1)
    with closing(sqlite3.connect(path)) as direct:
        direct.execute("PRAGMA journal_mode = DELETE")


if __name__ == "__main__":
    keep(FOLDER / f"schema-{schema.SCHEMA_VERSION}.db")
