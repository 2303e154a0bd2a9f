"""Tests of creating and unpacking projects in processes that are killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import customlabels_nb as cl
from customlabels_nb.errors import CustomLabelsError, ProjectExistsError, ProjectNotFoundError, StoreError
from customlabels_nb.project import projects
from tests.conftest import ROOT
from tests.images.pictures import tree


@pytest.mark.skipif(sys.platform == "win32", reason="no fork there")
@pytest.mark.parametrize(
    ("kind", "every"),
    [
        ("create", 15),
        *(pytest.param(*each, marks=pytest.mark.thorough) for each in (("create", 1), ("unpack", 2), ("serve", 2))),
    ],
)
def test_a_project_can_be_opened_wherever_its_creation_is_killed(tmp_path: Path, kind: str, every: int) -> None:
    command = [sys.executable, "-m", "tests.project.creating_by_half", kind, str(every), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20, "the calls were not counted"


@pytest.mark.parametrize("name", ["project.db", "project.json", ".hidden", "notes.txt"])
def test_a_folder_with_other_files_is_never_changed(tmp_path: Path, name: str) -> None:
    (tmp_path / "fruit").mkdir()
    (tmp_path / "fruit" / name).write_text("mine")
    (tmp_path / "fruit" / "photo.jpg").write_text("mine")
    before = tree(tmp_path)
    for exist_ok in (False, True):
        with pytest.raises(CustomLabelsError, match="fruit"):
            cl.create_project("fruit", tmp_path, exist_ok=exist_ok)
    with pytest.raises((StoreError, ProjectNotFoundError), match="fruit"):
        cl.load_project("fruit", tmp_path)
    assert tree(tmp_path) == before


def test_a_project_that_is_created_meanwhile_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = projects.create_project_store

    def create_both(*arguments: object) -> None:
        monkeypatch.undo()
        create(*arguments)
        other = cl.create_project("fruit", tmp_path)
        other.labels.add("apple")
        other.close()

    monkeypatch.setattr("customlabels_nb.project.projects.create_project_store", create_both)
    with pytest.raises(ProjectExistsError, match="load_project"):
        cl.create_project("fruit", tmp_path)
    assert list(cl.load_project("fruit", tmp_path).labels) == ["apple"]
