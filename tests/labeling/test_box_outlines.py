"""Tests of boxes that become polygons: what is stored, undo, resuming, and boxes without an outline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from customlabels_nb.core import tables as t
from customlabels_nb.core.polygons import area
from customlabels_nb.errors import InputError
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project
from customlabels_nb.user_settings import settings
from tests.labeling.color_segmenter import ColorSegmenter, shapes_picture

DISC, SQUARE = (9, 9, 43, 43), (69, 19, 32, 42)
TRIANGLE = [[10, 10], [50, 10], [30, 50]]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> ColorSegmenter:
    engine = ColorSegmenter()
    monkeypatch.setattr(settings, "outline_engine", engine)
    return engine


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project with four images: boxes, a polygon, a crowd, and a missing file."""
    names = []
    for number in range(4):
        picture = shapes_picture()
        picture.putpixel((0, 0), (number, 0, 0))
        picture.save(tmp_path / f"{number}.png")
        names.append(str(tmp_path / f"{number}.png"))
    project = create_project("shapes", tmp_path, task="boxes")
    rows = [(names[0], "disc", DISC, None, False), (names[0], "square", SQUARE, None, False)]
    rows += [(names[1], "disc", (10, 10, 40, 40), TRIANGLE, False), (names[1], "square", SQUARE, None, True)]
    rows += [(names[2], "disc", (0, 0, 61, 61), None, False), (names[3], "square", SQUARE, None, False)]
    frame = pd.DataFrame(
        [(image, label, *box, polygon, crowd) for image, label, box, polygon, crowd in rows],
        columns=["image", "label", *t.BOX_COLUMNS, "polygon", "crowd"],
    )
    project.add_images(frame, progress=False)
    return project


def shapes(project: Project) -> list[tuple[Any, ...]]:
    marks = project.train_set.annotations
    return [
        (Path(row.image).name, row.label, row.left, row.polygon and round(area(row.polygon)), row.crowd, row.annotator)
        for row in marks.itertuples()
    ]


def test_boxes_become_polygons_as_one_action(project: Project, engine: ColorSegmenter, tmp_path: Path) -> None:
    (tmp_path / "3.png").unlink()
    before = shapes(project)
    history = len(project.history)
    result = project.boxes_to_polygons(progress=False)
    assert (result.polygons, result.images) == (2, 1)
    assert repr(result).startswith("2 boxes in 1 image became polygons, 2 boxes have no outline")
    assert [Path(image).name for image in result.failed["image"]] == ["2.png", "3.png"]
    assert result.failed["reason"].iat[0] == "The outline does not fit the box."
    assert "3.png" in result.failed["reason"].iat[1]
    after = shapes(project)
    assert [(row[0], row[1], row[-1]) for row in after if row not in before] == [
        ("0.png", "disc", "model:by-color"),
        ("0.png", "square", "model:by-color"),
    ]
    assert [row[3] for row in after[:2]] == [pytest.approx(1320, rel=0.04), pytest.approx(1200, rel=0.04)]
    assert project.train_set.annotations["confidence"].iat[0] == pytest.approx(0.9)
    assert after[2:] == before[2:]
    assert len(project.history) == history + 1
    project.undo()
    assert shapes(project) == before


def test_an_interrupted_run_continues(project: Project, engine: ColorSegmenter, monkeypatch: Any) -> None:
    before, mask = shapes(project), engine.mask

    def interrupted(*args: Any, **prompts: Any) -> Any:
        if len(engine.encoded) == 2:
            raise KeyboardInterrupt
        return mask(*args, **prompts)

    monkeypatch.setattr(engine, "mask", interrupted)
    with pytest.raises(KeyboardInterrupt):
        project.boxes_to_polygons(progress=False)
    assert shapes(project) == before
    monkeypatch.setattr(engine, "mask", mask)
    engine.previous.clear()
    assert project.boxes_to_polygons(progress=False).polygons == 3
    assert (len(engine.encoded), len(engine.previous)) == (4, 2)  # only the interrupted image twice, no box again
    assert project.boxes_to_polygons(progress=False).polygons == 0


def test_images_that_people_change_meanwhile_keep_their_boxes(
    project: Project, engine: ColorSegmenter, monkeypatch: Any
) -> None:
    encode = engine.encode

    def labelled_meanwhile(image: Any) -> Any:
        if not engine.encoded:
            project.update("train", project.train_set.relabel({"square": "block"}))
        return encode(image)

    monkeypatch.setattr(engine, "encode", labelled_meanwhile)
    result = project.boxes_to_polygons(progress=False)
    assert result.polygons == 0
    assert result.failed["reason"].tolist().count("The image was changed meanwhile.") == 3
    assert "block" in project.train_set.annotations["label"].tolist()


def test_polygons_of_a_changed_file_are_not_cached(project: Project, engine: ColorSegmenter, tmp_path: Path) -> None:
    first = tmp_path / "0.png"
    original = first.read_bytes()
    shapes_picture().transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(first)
    project.boxes_to_polygons(progress=False)
    project.undo()
    first.write_bytes(original)
    project.boxes_to_polygons(progress=False)
    assert [row[3] for row in shapes(project)[:2]] == [pytest.approx(1256, rel=0.06), pytest.approx(1200, rel=0.04)]


def test_no_model_is_loaded_without_boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "outline_engine", "sam3")
    assert create_project("empty", tmp_path).boxes_to_polygons(progress=False).polygons == 0


def test_grabcut_is_refused(project: Project, monkeypatch: Any) -> None:
    monkeypatch.setattr(settings, "outline_engine", "grabcut")
    with pytest.raises(InputError, match="outline_engine='grabcut'"):
        project.boxes_to_polygons()
