"""Tests that unreadable lines are passed on from the file to the dataset to the project."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import customlabels_nb as cl
from tests.datasets.formats.test_contract import photos


def mixed(folder: Path) -> Path:
    """Write a manifest with two unreadable lines, the last of which is not text."""
    name = photos(folder / "photos", 1)[0]
    path = folder / "set.manifest"
    path.write_bytes(json.dumps({"source-ref": name}).encode() + b'\n{"source-ref": 7}\n{broken \xff\0')
    return path


def fresh_project(folder: Path) -> closing[cl.Project]:
    return closing(cl.create_project("kept", folder))


def test_a_dataset_has_the_lines_and_a_project_keeps_them_once(tmp_path: Path) -> None:
    path = mixed(tmp_path)
    dataset = cl.read_dataset(path)
    lines = [(str(path), 2, '{"source-ref": 7}'), (str(path), 3, "{broken \ufffd\ufffd")]
    assert dataset.unread == lines
    with fresh_project(tmp_path) as project:
        for _ in range(2):
            report = project.import_dataset(dataset, split="test", progress=False)
            assert set(report.issues["line"]) >= {2, 3}
            assert project.test_set.unread == lines
            assert project.train_set.unread == []
            assert set(project.issues["line"].dropna()) >= {2, 3}
        assert project.history["what"].tolist().count("import") == 1  # there was nothing new the second time


def test_lines_alone_are_kept_where_every_image_is_known(tmp_path: Path) -> None:
    path = mixed(tmp_path)
    with fresh_project(tmp_path) as project:
        project.add_images(tmp_path / "photos", progress=False)
        assert project.train_set.unread == []
        assert project.import_dataset(cl.read_dataset(path), progress=False).added == 0
        assert [line for _, line, _ in project.train_set.unread] == [2, 3]


def test_rows_of_csv_are_kept_as_text_that_can_be_stored(tmp_path: Path) -> None:
    name = photos(tmp_path / "photos", 1)[0]
    path = tmp_path / "set.csv"
    path.write_bytes(b"photos/" + Path(name).name.encode() + b",cat\n../up.jpg,d\x8fg\nx/\0.jpg,cat\n")
    with fresh_project(tmp_path) as project:
        project.import_dataset(cl.read_dataset(path, "csv"), progress=False)
        rows = [(line, raw) for _, line, raw in project.train_set.unread]
    assert rows == [(2, "../up.jpg,d?g"), (3, "x/\ufffd.jpg,cat")]
