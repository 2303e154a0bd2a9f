"""Tests of the folders of Ultralytics' classifiers."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from customlabels_nb.datasets.formats.format_detection import detect
from customlabels_nb.datasets.loading import read_dataset


def photos(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (len(name), 0, 0)).save(folder / name)


def test_folders_of_splits_are_read_and_written(tmp_path: Path) -> None:
    photos(tmp_path / "in", "train/cat/a.png", "train/dog/b.png", "val/cat/c.png", "test/dog/d.png")
    found = read_dataset(tmp_path / "in")
    table = found.images.merge(found.annotations, on="image")
    rows = [(Path(row.image).name, row.split, row.label) for row in table.itertuples()]
    assert sorted(rows) == [
        ("a.png", "train", "cat"), ("b.png", "train", "dog"), ("c.png", "test", "cat"), ("d.png", "test", "dog"),
    ]  # fmt: skip
    found.to("yolo_classify", tmp_path / "out")
    files = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.png"))
    assert files == ["train/cat/a.png", "train/dog/b.png", "val/cat/c.png", "val/dog/d.png"]


@pytest.mark.parametrize("names", [("train/a.png", "test/b.png"), ("train/x/a.png", "cat/b.png")])
def test_other_folders_are_folders_by_label(tmp_path: Path, names: tuple[str, ...]) -> None:
    photos(tmp_path, *names)
    assert detect(tmp_path)[0].name == "image_folder"
