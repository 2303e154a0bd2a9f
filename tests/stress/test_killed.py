"""Tests of kill -9 at random moments: the remaining state is consistent and reported accurately."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import customlabels_nb as cl
from customlabels_nb.store import schema
from tests.project.conftest import draw
from tests.stress.nursery import BATCH, install_next_schema

pytestmark = [pytest.mark.thorough, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]
KILLS = 12


class Nursery:
    """Workers that can be killed. See ``nursery.py``."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.stress.nursery"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.wait_for("ready")

    def wait_for(self, word: str) -> str:
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith(word):
                return line.strip()
        raise AssertionError(f"the nursery ended before it said {word!r}")

    def run(self, mode: str, root: Path, *, kill_after: float | None = None) -> float:
        """Run a worker, kill it ``kill_after`` seconds after it began, and return how long it ran."""
        assert self.process.stdin
        self.process.stdin.write(f"{mode} {root}\n")
        self.process.stdin.flush()
        pid = int(self.wait_for("pid").split()[1])
        self.wait_for("begin")
        begun = time.perf_counter()
        if kill_after is not None:
            time.sleep(kill_after)
            with contextlib.suppress(ProcessLookupError):  # it had already finished
                os.kill(pid, signal.SIGKILL)
        self.wait_for("gone")
        return time.perf_counter() - begun

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(30)
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Yield a nursery of workers and close it."""
    started = Nursery()
    yield started
    started.close()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of sixty small images of three labels."""
    folder = tmp_path_factory.mktemp("material") / "photos"
    for label, name in enumerate(("disc", "stripes", "triangle")):
        for seed in range(20):
            draw(folder / name / f"{seed:02}.png", label, seed)
    return folder


@pytest.fixture
def template(tmp_path: Path, photos: Path) -> Path:
    """Return a folder with a project and its photos that attempts copy."""
    folder = tmp_path / "template"
    folder.mkdir()
    (folder / "photos").symlink_to(photos)
    cl.create_project("p", folder).close()
    return folder


def attempts(nursery: Nursery, template: Path, mode: str, seed: int, kills: int = KILLS) -> Iterator[Path]:
    """Yield projects after killing a worker of this mode at random moments across its whole duration."""
    whole = template.with_name("whole")
    shutil.copytree(template, whole, symlinks=True)
    duration = nursery.run(mode, whole / "p")
    rng = random.Random(seed)
    for number in range(kills):
        folder = template.with_name(f"attempt{number}")
        shutil.copytree(template, folder, symlinks=True)
        # one moment in each equal part of the total duration, the last ones possibly past its end
        nursery.run(mode, folder / "p", kill_after=duration * (number + rng.random()) / kills)
        check_database(folder / "p" / "project.db")
        yield folder / "p"


def check_database(path: Path) -> None:
    """Check the integrity of a database."""
    with sqlite3.connect(path) as direct:
        assert direct.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert direct.execute("PRAGMA foreign_key_check").fetchall() == []


def test_an_import_leaves_whole_batches(nursery: Nursery, template: Path) -> None:
    sizes = []
    for root in attempts(nursery, template, "import", seed=1):
        project = cl.load_project(root)
        train = project.train_set
        sizes.append(len(train))
        assert len(train) % BATCH == 0
        assert len(train.annotations) == len(train)
        assert set(train.label_counts) <= {BATCH}
        assert len(project.history) == len(train) // BATCH
        assert train.images["sha256"].notna().all()
        project.close()
    assert len(set(sizes)) >= 4, sizes  # the kills happened during the work


def test_an_edit_leaves_one_state_of_all_images(nursery: Nursery, template: Path, photos: Path) -> None:
    project = cl.load_project(template / "p")
    project.add_images(photos, label="start", progress=False)
    project.close()
    labels = []
    for root in attempts(nursery, template, "edit", seed=2):
        project = cl.load_project(root)
        train = project.train_set
        (label,) = set(train.annotations["label"])
        labels.append(label)
        assert len(train.annotations) == len(train) == 60
        (revision,) = set(train.images["revision"])
        assert revision == len(project.history)
        last = project.history.iloc[0]
        assert label == ("start" if last["what"] == "import" else f"round {last['note']}")
        project.close()
    assert len(set(labels)) >= 4, labels


def test_a_training_says_what_happened_and_resumes_or_goes(nursery: Nursery, template: Path, photos: Path) -> None:
    project = cl.load_project(template / "p")
    few = template.with_name("few")  # each attempt ends in a complete training
    shutil.copytree(photos, few, ignore=shutil.ignore_patterns("1[2-9].png"))
    project.add_images(few, auto_label=True, progress=False)
    project.distribute()
    project.close()
    seen = []
    for number, root in enumerate(attempts(nursery, template, "train", seed=3, kills=10)):
        project = cl.load_project(root)
        if project.versions.empty:
            seen.append("before")
            continue
        model = project.model("v1")
        seen.append(model.status)
        if model.status == "TRAINING_FAILED":
            assert "ended" in model.status_message
            if number % 2:
                model.delete(confirm=True)
                assert project.versions.empty
                assert not (root / "versions" / "v1").exists()
                assert project.train("v1", progress=False).status == "TRAINING_COMPLETED"
            else:
                assert model.resume(progress=False).status == "TRAINING_COMPLETED"
        assert model.status == "TRAINING_COMPLETED"
        assert model.evaluate().evaluation.figure("f1") > 0.5
        project.close()
    assert seen.count("TRAINING_FAILED") >= 3, seen


def test_a_migration_is_done_or_not_begun(
    nursery: Nursery, template: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = cl.load_project(template / "p")
    project.add_images(photos, label="x", progress=False)
    project.close()
    with sqlite3.connect(template / "p" / "project.db") as direct:  # enough rows for a kill to hit the migration step
        fields = "split, status, width, height, sha256, bytes, mtime_ns, source, tags, extra, revision, created"
        direct.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) "
            f"INSERT INTO images (id, image, {fields}) SELECT id + 1000 * i, image || i, {fields} FROM images, n"
        )
        rows = direct.execute("SELECT COUNT(*) FROM images").fetchone()[0]
    versions = []
    for root in attempts(nursery, template, "migrate", seed=4):
        with sqlite3.connect(root / "project.db") as direct:
            (version,) = direct.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
            columns = {row[1] for row in direct.execute("PRAGMA table_info(images)")}
            statuses = direct.execute("SELECT status, COUNT(*) FROM images GROUP BY status").fetchall()
        versions.append(int(version))
        if int(version) == schema.SCHEMA_VERSION:
            assert "rating" not in columns
            assert statuses == [("labelled", rows)]
            cl.load_project(root).close()
        else:
            assert "rating" in columns
            assert statuses == [("skipped", rows)]
    assert versions.count(schema.SCHEMA_VERSION) >= 3, versions
    # the next start of the newer release finishes the interrupted migration
    released = dict(schema.MIGRATIONS)
    monkeypatch.setattr(schema, "SCHEMA_VERSION", schema.SCHEMA_VERSION)
    install_next_schema()
    try:
        project = cl.load_project(template.with_name("attempt0") / "p")
        assert set(project.train_set.images["status"]) == {"skipped"}
        project.close()
    finally:
        schema.MIGRATIONS.clear()
        schema.MIGRATIONS.update(released)
