"""Tests of packing a complete project as one zip file and unpacking it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import ArchiveError, CustomLabelsError, ProjectError, ProjectExistsError, ProjectNameError
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.store import Action
from tests.project.conftest import draw
from tests.project.test_history import tables

REMOTE = "s3://bucket/a.png"


@pytest.fixture
def rich(project: Project, tmp_path: Path) -> Project:
    """Return a project with awkward external names, copied images, a URL, a missing file and a snapshot."""
    for random_state, name in enumerate(["a b.png", "é'\"<x>.png", "A B.png", "../up.png", "%20.png"]):
        draw(tmp_path / "odd" / "in" / name, 1, 50 + random_state)
    draw(tmp_path / "own" / "copied" / "0.png", 2, 70)
    draw(tmp_path / "gone.png", 2, 71)
    project.add_images(tmp_path / "odd", label="odd", progress=False)
    project.add_images(tmp_path / "own", labels_from="folders", copy=True, split="test", progress=False)
    project.add_images([tmp_path / "gone.png"], progress=False)
    project.import_dataset(cl.Dataset(pd.DataFrame({"image": [REMOTE]})), progress=False)
    (tmp_path / "gone.png").unlink()
    project.snapshots.take("kept")
    project.update("train", project.train_set.relabel({"disc": "ring"}))
    return project


def by_content(project: Project) -> set[tuple[str, str, str | None]]:
    """Return the project's data of each image, independent of its name."""
    found = set()
    for dataset in (project.train_set, project.test_set):
        rows = dataset.images.assign(labels=dataset.labels_of_images())
        for row in rows.itertuples():
            path = project.root / row.image
            content = path.read_bytes().hex()[:4000] if path.is_file() else row.image
            found.add((content, row.split, ",".join(row.labels)))
    return found


def test_unpacked_project_is_complete(rich: Project, tmp_path: Path, shapes: Path) -> None:
    packed = rich.pack(tmp_path / "class.zip", progress=False)
    assert (packed.images, packed.remote) == (24 + 5 + 1, 1)
    assert packed.issues[["code", "where"]].to_numpy().tolist() == [["IMAGE_NOT_FOUND", str(tmp_path / "gone.png")]]
    assert packed.bytes == (tmp_path / "class.zip").stat().st_size
    wanted = by_content(rich)
    elsewhere = tmp_path / "elsewhere"
    copy = cl.unpack_project(tmp_path / "class.zip", elsewhere)
    assert by_content(copy) == wanted
    assert copy.name == "shapes"
    own = [image for image in copy.train_set.images["image"] if image not in (REMOTE, str(tmp_path / "gone.png"))]
    assert all(image.startswith("images/") and (copy.root / image).is_file() for image in own)
    assert sorted(path.name for path in elsewhere.iterdir()) == ["shapes"]
    assert {path.name for path in copy.root.iterdir()} <= {"project.db", "project.db-wal", "project.db-shm", "images"}
    # history is included: it can be undone, and compared with, under the new names
    assert copy.snapshots.diff("kept")["change"].tolist() == ["relabelled"] * 8
    copy.undo()
    assert copy.snapshots.diff("kept").empty
    assert "ring" in rich.labels


def test_packing_waits_for_no_lock_of_its_own(rich: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[Thread] = []

    def waiting(**options: Any) -> Thread:
        waits.append(Thread(**options))
        return waits[-1]

    monkeypatch.setattr("customlabels_nb.store.database.Thread", waiting)
    rich.pack(tmp_path / "class.zip", versions=False, progress=False)
    assert waits == []


def test_the_original_stays_as_it_is(rich: Project, tmp_path: Path) -> None:
    before, lines = tables(rich), len(rich.history)
    rich.pack(tmp_path / "class.zip", progress=False)
    assert tables(rich) == before
    assert len(rich.history) == lines
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_trained_version_goes_along_and_still_evaluates(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.distribute(0.25)
    model = project.train("first", progress=False)
    f1 = model.evaluate().summary
    project.pack(tmp_path / "class.zip", progress=False)
    project.pack(tmp_path / "without.zip", versions=False, progress=False)
    copy = cl.unpack_project(tmp_path / "class.zip", tmp_path / "x", name="again")
    assert copy.name == "again"
    assert copy.root.name == "again"
    again = copy.model("first")
    pd.testing.assert_frame_equal(again.evaluate().summary, f1)
    per_image = again.evaluate().per_image
    assert all(image.startswith("images/") for image in per_image["image"])
    with again.started(), model.started():
        there = copy.root / copy.test_set.images["image"].iloc[0]
        assert again.detect(there).response == model.detect(there).response
    bare = cl.unpack_project(tmp_path / "without.zip", tmp_path / "x", name="bare")
    assert bare.versions.empty
    assert not (bare.root / "versions").exists()


def test_images_can_be_left_out(rich: Project, tmp_path: Path) -> None:
    packed = rich.pack(tmp_path / "class.zip", images=False, progress=False)
    assert packed.images == 0
    copy = cl.unpack_project(tmp_path / "class.zip", tmp_path / "x")
    assert tables(copy) == tables(rich)
    assert not (copy.root / "images").exists()


def test_a_running_version_is_stopped_in_the_copy(project: Project, tmp_path: Path) -> None:
    from tests.store.test_contract import version

    store = open_project_store(project.root)
    for name, status in (("runs", "RUNNING"), ("trains", "TRAINING_IN_PROGRESS")):
        (project.root / "versions" / name).mkdir(parents=True)
        store.add_version(version(name, status=status, pid=os.getpid(), host="elsewhere"), Action("x", "me"))
    packed = project.pack(tmp_path / "class.zip", progress=False)
    assert packed.versions == 1
    assert packed.issues["where"].tolist() == ["trains"]
    with zipfile.ZipFile(tmp_path / "class.zip") as archive:
        archive.extract("project.db", tmp_path)
    with sqlite3.connect(tmp_path / "project.db") as direct:
        rows = direct.execute("SELECT name, status, host, pid FROM versions").fetchall()
    assert rows == [("runs", "STOPPED", None, None)]


@pytest.mark.postgres
def test_a_teams_database_comes_out_as_a_file_without_its_address(
    postgres_url: str, tmp_path: Path, shapes: Path
) -> None:
    team = cl.create_project(f"team-{uuid4().hex[:8]}", tmp_path, store=postgres_url)
    try:
        team.add_images(shapes, labels_from="folders", progress=False)
        team.snapshots.take("kept")
        team.update("train", team.train_set.relabel({"disc": "ring"}))
        team.pack(tmp_path / "class.zip", progress=False)
        wanted, history = by_content(team), team.history.drop(columns=["before", "after"])
    finally:
        team.delete(confirm=True)
    names = zipfile.ZipFile(tmp_path / "class.zip").namelist()
    assert "project.json" not in names
    assert b"postgresql" not in b"".join(zipfile.ZipFile(tmp_path / "class.zip").read(name) for name in names)
    copy = cl.unpack_project(tmp_path / "class.zip", tmp_path / "x")
    assert by_content(copy) == wanted
    pd.testing.assert_frame_equal(copy.history.drop(columns=["before", "after"]), history)
    copy.undo()
    assert copy.snapshots.diff("kept").empty


def test_nothing_is_overwritten(rich: Project, tmp_path: Path) -> None:
    rich.pack(tmp_path / "class.zip", progress=False)
    (tmp_path / "x" / "shapes").mkdir(parents=True)
    with pytest.raises(ProjectExistsError, match="shapes"):
        cl.unpack_project(tmp_path / "class.zip", tmp_path / "x")
    assert list((tmp_path / "x").iterdir()) == [tmp_path / "x" / "shapes"]
    with pytest.raises(ProjectNameError):
        cl.unpack_project(tmp_path / "class.zip", tmp_path / "x", name="../up")
    rich.pack(tmp_path / "class.zip", images=False, progress=False)  # the error is about the file itself
    assert cl.unpack_project(tmp_path / "class.zip", tmp_path / "x", name="other").name == "other"


def rewritten(source: Path, target: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    """Write the zip file with changed members and return its path."""
    with zipfile.ZipFile(source) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target


def in_database(statement: str, *values: object) -> Callable[[dict[str, bytes]], None]:
    """Return a function that runs an SQL statement in an archive's database."""

    def change(members: dict[str, bytes]) -> None:
        path = Path(os.environ["HOME"]) / f"{uuid4().hex}.db"
        path.write_bytes(members["project.db"])
        with sqlite3.connect(path) as direct:
            direct.execute(statement, values)
        direct.close()
        members["project.db"] = path.read_bytes()
        path.unlink()

    return change


HOSTILE: dict[str, Callable[[dict[str, bytes]], object]] = {
    "leads out": lambda m: m.update({"images/../../evil": b"x"}),
    "absolute": lambda m: m.update({"/etc/evil": b"x"}),
    "pointer": lambda m: m.update({"project.json": b"{}"}),
    "journal": lambda m: m.update({"project.db-wal": b"x"}),
    "foreign member": lambda m: m.update({"setup.py": b"x"}),
    "no database": lambda m: m.pop("project.db"),
    "no database but text": lambda m: m.update({"project.db": b"hello" * 1000}),
    "empty database": lambda m: m.update({"project.db": b""}),
    "cut database": lambda m: m.update({"project.db": m["project.db"][: len(m["project.db"]) // 2]}),
    "trigger": in_database("CREATE TRIGGER t AFTER INSERT ON history BEGIN DELETE FROM images; END"),
    "version outside": in_database(
        "INSERT INTO versions (id, name, status, status_message, folder, created, updated)"
        " VALUES (1, 'v', 'STOPPED', '', '../../home', 0, 0)"
    ),
    "newer schema": in_database("UPDATE meta SET value = '999'"),
    "no about": lambda m: m.pop("customlabels.json"),
    "about is no JSON": lambda m: m.update({"customlabels.json": b"{"}),
    "about is a list": lambda m: m.update({"customlabels.json": b"[]"}),
    "about names a path": lambda m: m.update(
        {"customlabels.json": json.dumps({"format": "1.0", "name": "../x"}).encode()}
    ),
    "newer format": lambda m: m.update({"customlabels.json": json.dumps({"format": "1.1", "name": "x"}).encode()}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_other_zip_files_are_refused(project: Project, tmp_path: Path, name: str) -> None:
    project.pack(tmp_path / "good.zip", progress=False)
    bad = rewritten(tmp_path / "good.zip", tmp_path / "bad.zip", HOSTILE[name])
    (tmp_path / "x").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises((ArchiveError, ProjectNameError)):
        cl.unpack_project(bad, tmp_path / "x")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, b"PK\x05\x06" + b"\0" * 18])
def test_garbage_raises_a_typed_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(ArchiveError, match=r"x\.zip"):
        cl.unpack_project(tmp_path / "x.zip", tmp_path)
    with pytest.raises(ArchiveError, match=r"none\.zip"):
        cl.unpack_project(tmp_path / "none.zip", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


def test_a_zip_cut_anywhere_is_a_typed_error(rich: Project, tmp_path: Path) -> None:
    rich.pack(tmp_path / "good.zip", progress=False)
    data = (tmp_path / "good.zip").read_bytes()
    for at in range(1, len(data), len(data) // 11):
        (tmp_path / "x").mkdir()
        (tmp_path / "cut.zip").write_bytes(data[:at])
        with pytest.raises(ArchiveError):
            cl.unpack_project(tmp_path / "cut.zip", tmp_path / "x")
        flipped = bytearray(data)
        flipped[at] ^= 0xFF
        (tmp_path / "cut.zip").write_bytes(flipped)
        try:
            cl.unpack_project(tmp_path / "cut.zip", tmp_path / "x").delete(confirm=True)
        except CustomLabelsError:
            assert not list((tmp_path / "x").iterdir())
        shutil.rmtree(tmp_path / "x")


def test_a_full_disk_leaves_the_old_file_and_no_half_project(
    rich: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rich.pack(tmp_path / "class.zip", progress=False)
    old = (tmp_path / "class.zip").read_bytes()

    def full(*arguments: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    def small(path: str) -> sqlite3.Connection:
        connection = connect(path)
        connection.execute("PRAGMA max_page_count = 2")
        return connection

    connect = sqlite3.connect
    for where, name, replaced in ((zipfile.ZipFile, "writestr", full), (sqlite3, "connect", small)):
        with monkeypatch.context() as patched:
            patched.setattr(where, name, replaced)
            with pytest.raises(ProjectError, match=r"class\.zip' cannot be written: the disk is full\."):
                rich.pack(tmp_path / "class.zip", progress=False)
        assert (tmp_path / "class.zip").read_bytes() == old
        assert not list(tmp_path.glob(".*"))
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", full)
        with pytest.raises(ArchiveError, match="disk is full"):
            cl.unpack_project(tmp_path / "class.zip", tmp_path / "x")
    assert list((tmp_path / "x").iterdir()) == []


def test_unwritable_target_is_named(rich: Project, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="nowhere"):
        rich.pack(tmp_path / "nowhere" / "class.zip", progress=False)
    rich.pack(tmp_path / "class.zip", progress=False)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ProjectError, match="file"):
        cl.unpack_project(tmp_path / "class.zip", tmp_path / "file")


def test_a_folder_is_refused_before_anything_is_packed(project: Project, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"is a folder.*class\.zip"):
        project.pack(tmp_path)


def test_a_missing_image_keeps_its_name(project: Project, tmp_path: Path) -> None:
    draw(tmp_path / "own" / "0.png", 2, 70)
    draw(tmp_path / "other" / "0.png", 1, 71)
    project.add_images(tmp_path / "own", split="test", copy=True, progress=False)
    (lost,) = project.test_set.images["image"]
    outside = tmp_path / "other" / Path(lost).name
    (tmp_path / "other" / "0.png").rename(outside)
    project.add_images(outside, progress=False)
    (project.root / lost).unlink()
    packed = project.pack(tmp_path / "packed.zip", progress=False)
    assert packed.issues["where"].tolist() == [lost]
    copy = cl.unpack_project(tmp_path / "packed.zip", tmp_path / "elsewhere", name="copy")
    assert copy.test_set.images["image"].tolist() == [lost]
    assert lost not in set(copy.train_set.images["image"])
    copy.close()
