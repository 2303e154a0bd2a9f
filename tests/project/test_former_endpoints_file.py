"""Tests of projects that endpoints served when they kept a file of their own."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.endpoints.training_process import train_in_this_process
from customlabels_nb.errors import NotAllowedError, StoreError
from customlabels_nb.project import location
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.version_copying import location_of
from customlabels_nb.store import Action, SqlStore, database
from tests.conftest import ROOT
from tests.project import served_before
from tests.released.endpoint_answers import answers

ANSWERS = json.loads(served_before.PACKED.with_name("answers.json").read_text("utf-8"))
READY = "The dataset is ready."
ACTION = Action("change", "Eve")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Yield the folder of a project that was served, before it is first opened."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    root = served_before.unpack(tmp_path, url)
    yield root
    if url is not None:
        location._open_store(root, None).destroy()


def moved(root: Path) -> dict[str, Any]:
    """Open the project, and return what its store has of its endpoints."""
    with closing(open_project_store(root)) as store:
        return served_before.content(store)


def digits(arn: str) -> int:
    return int(arn.rpartition("/")[2])


def check(found: dict[str, Any]) -> None:
    """Check that everything is there that the endpoints of format 1.0 told."""
    before = ANSWERS["rekognition"]
    _check_settings(found["settings"], before)
    arns = {one["DatasetType"].lower(): one["DatasetArn"] for one in before["project"]["Datasets"]}
    ok = {"status": "CREATE_COMPLETE", "message": READY, "code": "SUCCESS"}
    message = "The manifest file contains too many labels."
    failed = {"status": "UPDATE_FAILED", "message": message, "code": "CLIENT_ERROR"}
    expected = {"train": ok, "test": failed}
    assert found["datasets"] == {split: one | {"digits": digits(arns[split])} for split, one in expected.items()}
    _check_entries(found["entries"], before["datasets"])
    _check_versions(found["versions"], before)


def _check_settings(found: dict[str, Any], before: dict[str, Any]) -> None:
    arn = before["project"]["ProjectArn"]
    assert set(found) == set(served_before.KEYS)
    assert (found["digits"], found["name"]) == (digits(arn), ["-rooms", "project-2"])
    assert (found["custom_vision"]["name"], found["custom_vision"]["description"]) == ("Rooms & more", "seen by Eve")
    tags = {tag["name"]: tag["id"] for tag in ANSWERS["custom_vision"]["tags"]}
    assert {name: facts["id"] for name, facts in found["custom_vision_tags"].items()} == {
        name: tags[name] for name in ("nothing", "green")
    }
    assert found["last_iteration"] == 3
    policies = [(one["id"], one["name"], one["revision"], one["document"]) for one in found["policies"]]
    assert policies == [
        (number, one["PolicyName"], one["PolicyRevisionId"], one["PolicyDocument"])
        for number, one in enumerate(before["policies"], 2)
    ]


def _check_entries(found: list[list[Any]], before: dict[str, Any]) -> None:
    """Check the lines. A notebook has changed the label of one image since, and removed another."""
    listed = {}
    for split, one in before.items():
        for line in map(json.loads, one["lines"]):
            added = line.pop("cl-metadata"), line.pop("cl-errors", None)
            source = line["source-ref"]
            listed[source] = [
                split.lower(),
                source,
                source,
                str(int(added[0]["is_labeled"])),
                str(bool(added[1])),
                "-1",
            ]
            assert source.endswith("/2.png") or line in [row[6] for row in found]
    assert [row[:6] for row in found] == [row for _, row in sorted(listed.items())]


def _check_versions(found: dict[str, list[Any]], before: dict[str, Any]) -> None:
    described = {one["ProjectVersionArn"].split("/")[-2]: one for one in before["versions"]}
    numbers = {name: digits(one["ProjectVersionArn"]) for name, one in described.items()}
    output = {"output": {"S3Bucket": "photos", "S3KeyPrefix": "out"}}
    trained = found["trained"][2]
    assert found == {
        "python": ["TRAINING_COMPLETED", {"by": "a notebook"}, {}],
        "again": ["TRAINING_COMPLETED", {}, {}],
        "trained": ["TRAINING_COMPLETED", {"by": "a client", "aws:description": "good"}, trained],
        "failed": [
            "TRAINING_FAILED",
            {},
            {"name": "failed", **output, "is_wanted": True, "ended": ANY, "digits": numbers["failed"]},
        ],
        "copied": [
            "COPYING_IN_PROGRESS",
            {"by": "a copier", "size": "b"},
            {
                "name": "copied", **output, "status": "COPYING_IN_PROGRESS", "digits": numbers["copied"],
                "source": described["copied"]["SourceProjectVersionArn"],
            },
        ],
        f"version-{numbers['-queued']}": [
            "TRAINING_IN_PROGRESS",
            {"by": "nobody yet"},
            {"name": "-queued", **output, "status": "TRAINING_IN_PROGRESS", "digits": numbers["-queued"]},
        ],
    }  # fmt: skip
    assert trained.items() >= {
        "name": "trained", **output, "kms": "key", "digits": numbers["trained"], "billable": 4, "min_units": 1,
        "max_units": 2, "published": "kitchen", "published_for": "/subscriptions/1", "exports": ["ONNX"],
    }.items()  # fmt: skip
    assert trained["files"] == {"summary": "out/s.json", "validation_train": "out/v.manifest"}
    assert trained["iteration"]["name"] == "Iteration 3"
    assert not trained.keys() & {"created", "record", "tags", "status"}


def test_everything_is_moved_once(root: Path) -> None:
    path, other = root / "endpoints.db", {"id": 7}
    before = path.read_bytes()
    found = moved(root)
    check(found)
    with closing(open_project_store(root)) as store:
        store.change_setting("endpoint:policies", lambda _: [other])
        store.note_dataset("train", lambda _: {})
        store.delete_version("python", ACTION)
    again = moved(root)
    assert again["settings"]["policies"] == [other]
    assert (again["datasets"]["train"], "python" in again["versions"]) == ({}, False)
    assert again["entries"] == found["entries"]
    assert path.read_bytes() == before


def run(root: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "tests.project.served_before", str(root), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_is_moved_by_half(root: Path) -> None:
    assert int(run(root)) > 40
    check(moved(root))


def test_several_processes_move_it_once(root: Path) -> None:
    run(root, "together")
    check(moved(root))


def test_policies_hold_before_the_endpoint_is_started(tmp_path: Path) -> None:
    root = served_before.unpack(tmp_path)
    path, denied = (
        root / "endpoints.db",
        {"Effect": "Deny", "Principal": "*", "Action": "rekognition:CopyProjectVersion"},
    )
    arn = ANSWERS["rekognition"]["versions"][3]["ProjectVersionArn"]
    text = json.dumps({"Version": "2012-10-17", "Statement": [denied | {"Resource": arn}]})
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE policies SET document = ? WHERE name = 'third'", (text,))
    (root / "versions" / "trained").mkdir(parents=True)
    project, target = cl.load_project(root), cl.create_project("target", root.parent)
    with pytest.raises(NotAllowedError, match=r"policies .* \(second, third\) do not allow copying 'trained'"):
        project.model("trained").copy_to(target, progress=False)
    project.close()
    target.close()


def test_moving_keeps_what_the_store_has_noted(tmp_path: Path) -> None:
    root = served_before.unpack(tmp_path)
    shutil.move(root / "endpoints.db", tmp_path)
    with closing(open_project_store(root)) as store:
        store.change_setting("endpoint:digits", lambda _: 5)
        store.note_dataset("train", lambda _: {"digits": 6})
        store.change_version("trained", lambda _: {"endpoint": {"digits": 7}})
    shutil.move(tmp_path / "endpoints.db", root)
    found = moved(root)
    assert found["settings"]["digits"] == 5
    assert found["datasets"]["train"] == {"digits": 6}
    assert found["versions"]["trained"][2] == {"digits": 7}
    assert found["settings"]["last_iteration"] == 3


def test_a_queued_version_keeps_its_number_when_it_is_trained(tmp_path: Path) -> None:
    root = served_before.unpack(tmp_path)
    project = cl.load_project(root)
    store = location_of(project).store
    (queued,) = (version for version in store.versions() if version.endpoint.get("name") == "-queued")

    def train(project: cl.Project, store: SqlStore) -> None:
        store.add_version(replace(queued, created=datetime.now(UTC), endpoint={}), ACTION)

    train_in_this_process({"root": str(root), "name": queued.name}, train)
    (trained,) = (version for version in store.versions() if version.name == queued.name)
    assert trained.created > queued.created
    assert trained.endpoint["digits"] == queued.endpoint["digits"]
    project.close()


def test_many_entries_keep_their_order(tmp_path: Path) -> None:
    root, many = served_before.unpack(tmp_path), 10_000
    names = [f"{number:05}.jpg" for number in range(many)]
    with closing(location._open_store(root, None)) as store:
        images = t.normalise_images(pd.DataFrame({"image": names[:-1]}))
        store.add_images("train", images, t.empty(t.ANNOTATION_COLUMNS), ACTION)
    with closing(sqlite3.connect(root / "endpoints.db")) as connection, connection:
        rows = [
            (split, name, json.dumps({"of": split}).encode()) for name in reversed(names) for split in ("test", "train")
        ]
        columns = "(split, image, source, line, labelled, state) VALUES (?1, ?2, ?2, ?3, 0, '')"
        connection.executemany(f"INSERT INTO entries {columns}", rows)
    began = time.monotonic()
    found = moved(root)["entries"]
    assert time.monotonic() - began < 20  # the time of a query for each would grow with their square
    assert [row[1] for row in found[7:]] == names[-2::-1]
    assert all(row[6] == {"of": "train"} for row in found[7:])


def test_the_log_of_a_killed_server_is_read(tmp_path: Path) -> None:
    root = served_before.unpack(tmp_path)
    path = shutil.move(root / "endpoints.db", tmp_path)
    with closing(sqlite3.connect(path)) as server:
        server.execute("PRAGMA journal_mode = WAL")
        server.execute("UPDATE policies SET name = 'newest' WHERE id = 3")
        server.commit()
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", root)
    before = (root / "endpoints.db").read_bytes()
    assert [policy["name"] for policy in moved(root)["settings"]["policies"]] == ["second", "newest"]
    assert (root / "endpoints.db").read_bytes() == before


def test_a_file_of_another_format_is_left_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = served_before.unpack(tmp_path)
    path = root / "endpoints.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("""UPDATE facts SET value = '"0.9"' WHERE key = 'format'""")
    before = path.read_bytes()
    assert moved(root)["settings"] == {}
    assert "has the format '0.9', but this release reads '1.0'" in caplog.text
    assert path.read_bytes() == before


def test_a_file_with_predictions_only_is_not_moved(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = served_before.unpack(tmp_path)
    with closing(sqlite3.connect(root / "endpoints.db")) as connection:
        for table in ("entry_labels", "entries", "labels", "datasets", "facts", "versions", "policies"):
            connection.execute(f"DROP TABLE {table}")
        connection.commit()
    assert moved(root)["settings"] == {}
    assert caplog.text == ""


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    root = served_before.unpack(tmp_path)
    (root / "endpoints.db").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match=r"Restore the file .*endpoints\.db"):
        cl.load_project(root)
    (root / "endpoints.db").unlink()
    cl.load_project(root).close()


def test_a_project_that_cannot_be_written_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = served_before.unpack(tmp_path)
    with closing(location._open_store(root, None)):  # converts the database
        pass
    monkeypatch.setattr(database, "_is_read_only", lambda path: True)
    assert moved(root)["settings"] == {}
    monkeypatch.undo()
    check(moved(root))


def test_endpoints_answer_as_before(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cl.load_project(root).close()  # as a notebook does first
    assert answers(root.parent, tmp_path / "photos", monkeypatch) == ANSWERS
