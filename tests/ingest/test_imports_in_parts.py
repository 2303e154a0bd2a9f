"""Tests of imports whose rows are made and stored in parts, and of sources that are several tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import InputError
from customlabels_nb.ingest import importer
from customlabels_nb.ingest.importer import ImportReport
from customlabels_nb.store import SqlStore, open_store
from tests.images.pictures import write_folder
from tests.store.test_history import state

Add = Callable[..., ImportReport]


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "MOST_IN_PART", 2)


def table(first: int, stop: int, **more: Any) -> pd.DataFrame:
    """Return rows of remote images with a box each, labelled from z to a."""
    rows = [f"s3://bucket/{number}.jpg" for number in range(first, stop)]
    names = [chr(ord("z") - number) for number in range(first, stop)]
    columns = {"image": rows, "label": names, "left": 1, "top": 2, "width": 3, "height": 4, **more}
    return pd.DataFrame(columns)


def outcome(project: cl.Project, report: ImportReport) -> dict[str, Any]:
    """Return what an import left: report, rows, issues, history, without the folder and times."""
    with closing(open_store(str(project.root / "project.db"))) as store:
        found = state(store)
    for rows in found.values():
        for row in rows:
            for key in ("created", "mtime_ns"):
                row.pop(key, None) if isinstance(row, dict) else None
    del found["datasets"]
    last = project.history.iloc[0]
    told = [report.added, report.known, report.ignored, report.labelled, report.added_images]
    issues = report.issues.drop(columns="line", errors="ignore").to_dict("records")
    return {**found, "told": told, "reported": issues, "history": [last["what"], last["count"], last["after"]]}


def test_import_in_parts_equals_one_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = tmp_path / "photos"
    paths = write_folder(photos, {"pear": 3, "apple": 4, "fig": 3})
    (photos / "pear" / "again.jpg").write_bytes(paths[5].read_bytes())  # of another part, and with another label
    (photos / "quince").mkdir()
    (photos / "quince" / "twin.jpg").write_bytes(paths[0].read_bytes())  # the only image of its label
    (photos / "apple" / "damaged.jpg").write_bytes(b"no image")
    (photos / "notes.txt").write_bytes(b"")
    found = []
    for size in (20_000, 2):
        monkeypatch.setattr(importer, "MOST_IN_PART", size)
        project = cl.create_project(f"p{size}", tmp_path)
        report = project.add_images(photos, labels_from="folders", progress=False)
        again = project.add_images(photos, labels_from="folders", progress=False)
        assert (again.added, len(project.history)) == (0, 1)
        found.append(outcome(project, report))
        project.undo()
        assert project.statistics["train"].total_entries == 0
        assert list(project.labels) == []
    assert found[0] == found[1]
    assert list(found[0]["labels"][0]) == ["label", "color"]


def test_tables_are_added_as_one_action(project: cl.Project, add: Add, in_parts: None) -> None:
    report = add(pd.DataFrame(part) for part in (table(0, 5), table(0, 0), table(5, 8, camera="left")))
    assert (report.added, len(report.issues), len(project.history)) == (8, 0, 1)
    assert project.train_set.images["camera"].isna().sum() == 5
    assert project.statistics["train"].total_boxes == 8
    assert project.history["after"].iloc[0]["images"] == [f"s3://bucket/{number}.jpg" for number in range(8)]
    assert add([table(6, 10)]).known == 2
    project.undo()
    project.undo()
    assert project.statistics["train"].total_entries == 0


def test_tables_that_fail_add_nothing(project: cl.Project, add: Add, in_parts: None) -> None:
    def failing() -> Iterator[pd.DataFrame]:
        yield table(0, 3)
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        add(failing())
    with pytest.raises(InputError, match=r"two tables.*s3://bucket/1.jpg.*one table"):
        add([table(0, 2), table(1, 3)])
    with pytest.raises(InputError, match="sequence of DataFrames"):
        add([table(0, 2), "photos"])
    assert project.statistics["train"].total_entries == 0
    assert len(project.history) == 0


def test_tables_are_added_after_concurrent_changes(
    project: cl.Project, add: Add, in_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, calls = SqlStore.files, []

    def outdated(store: SqlStore) -> Any:
        found = files(store)
        calls.append(1)
        if len(calls) == 1:
            add([table(0, 3)])
        return found

    monkeypatch.setattr(SqlStore, "files", outdated)
    report = add(iter([table(0, 3), table(3, 6)]))
    assert (report.added, report.known, len(calls)) == (3, 3, 3)
