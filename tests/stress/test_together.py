"""Tests of several processes and threads writing to one project: no lost data, no lock errors."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import CustomLabelsError, StaleEditError
from customlabels_nb.project.project import Project
from tests.project.conftest import draw

pytestmark = pytest.mark.thorough
WRITERS, ROUNDS = 3, 6

PROGRAM = """
import sys
from pathlib import Path
import customlabels_nb as cl
from tests.stress.test_together import add_boxes, import_own
project = cl.load_project(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
import_own(project, int(sys.argv[2]))
print(add_boxes(project, int(sys.argv[2])))
project.close()
"""


def add_boxes(project: Project, writer: int) -> int:
    """Add boxes to one image shared by all writers, reading it again after a conflict."""
    refused = 0
    for number in range(ROUNDS):
        while True:
            train = project.train_set.filter("image.str.endswith('shared.png')")
            box = {"label": f"writer {writer}", "left": writer, "top": number, "width": 5, "height": 5}
            image = train.images["image"].iloc[0]
            more = pd.concat([train.annotations, pd.DataFrame([{"image": image, **box}])], ignore_index=True)
            try:
                project.update("train", cl.Dataset(train.images, more, train.labels, name="train"))
                break
            except StaleEditError as stale:
                if len(stale.yours) != len(more) or set(stale.theirs["image"]) != {image}:
                    raise
                refused += 1
    return refused


def import_own(project: Project, writer: int) -> None:
    """Import images, rename and recolor a label, while others do the same."""
    folder = project.root.parent / f"photos{writer}"
    for path in sorted(folder.glob("*.png")):
        project.add_images(path, label=f"own {writer}", progress=False)
    project.labels.rename(f"own {writer}", f"renamed {writer}")
    project.labels.recolor(f"renamed {writer}", "#123456")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    """Yield a project on each database with one shared image."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    made = cl.create_project("together", tmp_path, store=url)
    draw(tmp_path / "shared.png", 0, 0)
    made.add_images(tmp_path / "shared.png", progress=False)
    for writer in range(WRITERS):
        for random_state in range(5):
            draw(tmp_path / f"photos{writer}" / f"{random_state}.png", writer % 3, 10 * writer + random_state + 1)
    yield made
    made.delete(confirm=True)


def check(project: Project) -> None:
    """Check that no write of any process was lost."""
    train = project.train_set
    boxes = train.annotations[train.annotations["left"].notna()]
    assert len(boxes) == WRITERS * ROUNDS
    assert sorted(zip(boxes["left"], boxes["top"], strict=True)) == [
        (writer, number) for writer in range(WRITERS) for number in range(ROUNDS)
    ]
    shared = train.images[train.images["image"].str.endswith("shared.png")]
    assert shared["revision"].tolist() == [1 + WRITERS * ROUNDS]
    assert len(train) == 1 + WRITERS * 5
    done = project.history["what"].value_counts()
    assert done["update"] == WRITERS * ROUNDS
    assert done["import"] == 1 + WRITERS * 5
    colors = project.labels.to_frame().set_index("label")["color"]
    assert all(colors[f"renamed {writer}"] == "#123456" for writer in range(WRITERS))


def test_concurrent_processes_lose_no_edit(project: Project) -> None:
    command = [sys.executable, "-c", PROGRAM, str(project.root)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([*command, str(writer)], **pipes) for writer in range(WRITERS)]  # type: ignore[call-overload]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    ends = [process.communicate(timeout=300) for process in processes]
    assert [error for _, error in ends] == [""] * WRITERS
    assert sum(int(out) for out, _ in ends) > 0  # there were conflicts
    check(project)


def test_concurrent_threads_lose_no_edit(project: Project) -> None:
    refused: list[int] = []
    failed: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            import_own(project, writer)
            refused.append(add_boxes(project, writer))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(refused) == WRITERS
    check(project)


def test_readers_see_whole_actions_while_somebody_writes(project: Project) -> None:
    stop = threading.Event()
    failed: list[BaseException] = []
    photos = sorted(path for writer in range(WRITERS) for path in (project.root.parent / f"photos{writer}").glob("*"))
    project.add_images(photos, label="start", progress=False)

    def write() -> None:
        try:
            for number in range(12):
                project.update("train", project.train_set.relabel(f"round {number}", "label.notna()"))
        except CustomLabelsError as error:
            failed.append(error)
        finally:
            stop.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not stop.is_set():
        train = project.train_set
        labels = train.annotations["label"]
        assert len(labels) == len(photos)
        assert labels.nunique() == 1
        assert labels.iloc[0] in set(train.labels["label"])
        revision = train.images.loc[train.images["image"] == train.annotations["image"].iloc[0], "revision"].iloc[0]
        assert labels.iloc[0] == ("start" if revision == 1 else f"round {revision - 2}")
        seen.add(labels.iloc[0])
    writer.join()
    assert failed == []
    assert len(seen) > 1


def test_importing_the_same_photos_at_once_adds_each_once(project: Project) -> None:
    folders = [project.root.parent / f"photos{writer}" for writer in range(WRITERS)]
    failed: list[BaseException] = []
    added: list[int] = []

    def add(number: int) -> None:
        try:
            for folder in folders[number:] + folders[:number]:
                added.append(project.add_images(folder, label="same", progress=False).added)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sum(added) == WRITERS * 5
    assert len(project.train_set) == 1 + WRITERS * 5
    assert project.train_set.images["sha256"].is_unique
