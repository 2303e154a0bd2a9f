"""Tests of kill -9 at each step of an action: what was there is intact, and nothing is left behind."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import customlabels_nb as cl
from customlabels_nb._utils import files
from customlabels_nb._utils.files import remove_abandoned, scratch
from customlabels_nb.errors import ProjectNotFoundError
from tests.conftest import ROOT
from tests.images.pictures import write_folder

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """Return a folder with a project and with a packed one, and photos beside it."""
    folder = tmp_path / "attempt"
    write_folder(tmp_path / "photos", {"apple": 2})
    write_folder(tmp_path / "more", {"pear": 2}, start=2)
    project = cl.create_project("old", folder)
    project.add_images(tmp_path / "photos", labels_from="folders", copy=True, progress=False)
    project.pack(folder / "given.zip", progress=False)
    project.close()
    return folder


def attempts(template: Path, action: str) -> list[Path]:
    """Return the folders in which the action was killed, in the order of its steps."""
    command = [sys.executable, "-m", "tests.stress.at_each_step", action, str(template)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [template.with_name(f"{template.name}-{number}") for number in range(1, int(done.stdout) + 1)]


def hidden(folder: Path) -> list[Path]:
    return [path for path in folder.rglob(".*") if path.name != ".renaming"]


def name_in_database(folder: Path) -> str:
    """Return the project's name in its database."""
    (path,) = folder.glob("*/project.db")
    with sqlite3.connect(path) as direct:
        (name,) = direct.execute("SELECT name FROM project").fetchone()
    return str(name)


def test_killed_rename_is_complete_or_absent(template: Path) -> None:
    names = []
    for folder in attempts(template, "rename"):
        for asked in ("old", "new"):
            place = folder.with_name(f"{folder.name}-{asked}")
            shutil.copytree(folder, place)
            for marker in place.rglob(".renaming"):  # a recent one may belong to a kernel that is still renaming
                os.utime(marker, (0, 0))
            name = name_in_database(place)
            if asked != name and not list(place.rglob(".renaming")):  # not started, or finished
                with pytest.raises(ProjectNotFoundError):
                    cl.load_project(place / asked)
                asked = name
            project = cl.load_project(place / asked)
            assert project.name == name
            assert project.root == place / name
            assert [path.name for path in place.iterdir() if path.is_dir()] == [name]
            assert project.train_set.labels_of_images() == [["apple"], ["apple"]]
            assert not list(place.rglob(".renaming"))
            project.close()
        assert cl.list_projects(folder)[["name", "path"]].to_numpy().tolist() == [[name, str(folder / name)]]
        names.append(name)
    assert names.index("new") >= 3, names  # kills happened before and after the commit
    assert names.count("new") >= 2


def test_killed_actions_are_whole_and_returned_ones_kept(template: Path) -> None:
    two, four = [["apple"]] * 2, [["apple"]] * 2 + [["pear"]] * 2
    states = [two, [*two, ["pear"]], four, [["plum"]] * 4, four]
    found = []
    for folder in attempts(template, "edit"):
        project = cl.load_project(folder / "old")
        actions = len(project.history) - 1
        returned = int((folder / "done").read_text()) if (folder / "done").exists() else 0
        assert actions in (returned, returned + 1)
        train = project.train_set
        assert train.labels_of_images() == states[actions]
        assert all((project.root / image).is_file() for image in train.images["image"])
        found.append(actions)
        project.close()
    assert set(found) == {0, 1, 2, 3, 4}


@pytest.mark.thorough
def test_a_dataset_that_is_being_replaced_can_be_read(template: Path) -> None:
    labels = set()
    for folder in attempts(template, "replace"):
        found = cl.read_dataset(folder / "voc")
        assert found.issues.empty, found.issues.to_dict("records")
        assert len(found.annotations) == 3
        labels |= set(found.annotations["label"])
    assert labels == {"first", "second"}


@pytest.mark.parametrize(
    "action",
    [pytest.param("pack", marks=pytest.mark.thorough), "unpack", pytest.param("export", marks=pytest.mark.thorough)],
)
def test_leftovers_of_a_killed_process_are_removed(template: Path, action: str) -> None:
    left = {folder: hidden(folder) for folder in attempts(template, action)}
    assert sum(map(bool, left.values())) >= 5
    for number, folder in enumerate(left):
        if action == "export":
            cl.load_project(folder / "old").train_set.to("image_folder", folder / "out")
        elif action == "pack" and number % 2:
            cl.load_project(folder / "old").pack(folder / "again.zip", progress=False)
        elif action == "unpack":
            cl.unpack_project(folder / "given.zip", folder / "out", name="again")
        else:
            cl.load_project(folder / "old")
        assert hidden(folder) == []


def test_files_of_a_living_process_or_another_machine_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "import sys, pathlib\nfrom customlabels_nb._utils.files import scratch\n"
        "with scratch(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'data').write_text('mine')\n    print(folder, flush=True)\n    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        used = Path(other.stdout.readline().strip())
        with scratch(tmp_path) as mine:
            remove_abandoned(tmp_path)
            assert mine.is_dir()
        assert (used / "data").read_text() == "mine"
        assert not mine.exists()
        other.kill()
        other.wait()
        assert used.is_dir()
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(files, "_PREFIX", ".clnb-00000000-")
            remove_abandoned(tmp_path)
        assert used.is_dir()
    (tmp_path / "elsewhere").mkdir()
    used.with_name(used.name.replace(".part", "-link.part")).symlink_to(tmp_path / "elsewhere")
    remove_abandoned(tmp_path)
    assert not used.exists()
    assert (tmp_path / "elsewhere").is_dir()
