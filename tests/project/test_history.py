"""Tests of bulk edits of a project's datasets, and undoing them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import InputError, NotAllowedError, StaleEditError
from customlabels_nb.project.project import Project
from tests.project.conftest import draw

BULK: dict[str, Callable[[Project], object]] = {
    "relabel": lambda p: p.update("train", p.train_set.relabel({"disc": "ring"}, "label == 'disc'")),
    "relabel whole": lambda p: p.update("train", p.train_set.relabel("one")),
    "drop labels": lambda p: p.update("train", p.train_set.relabel({"disc": None, "stripes": None})),
    "rename in the dataset": lambda p: p.update("train", p.train_set.relabel({"disc": "circle"})),
    "merge in the dataset": lambda p: p.update("train", p.train_set.relabel({"disc": "triangle"})),
    "status": lambda p: p.update("train", p.train_set.with_status("needs_review")),
    "pandas": lambda p: p.update("train", p.train_set.annotations[["image"]].assign(label="pandas")),
    "own column": lambda p: p.update("train", cl.Dataset(p.train_set.images.assign(camera="left"),
                                                         p.train_set.annotations, origin=p.train_set)),
    "remove": lambda p: p.remove("train", p.train_set.sample(5)),
    "distribute": lambda p: p.distribute(0.25),
    "delete": lambda p: p.delete_dataset("train", confirm=True),
    "rename": lambda p: p.labels.rename("disc", "circle"),
    "merge": lambda p: p.labels.merge("disc", into="triangle"),
    "remove label": lambda p: p.labels.remove("disc", with_annotations=True),
}  # fmt: skip


def tables(project: Project) -> list[object]:
    """Return both datasets and the labels as plain values."""
    found: list[object] = [project.labels.to_frame().to_dict("records")]
    for dataset in (project.train_set, project.test_set):
        for frame in (dataset.images.drop(columns="revision"), dataset.annotations):
            found.append(frame.astype(object).where(frame.notna(), None).to_dict("records"))
    return found


@pytest.mark.parametrize("name", BULK)
def test_bulk_edit_is_one_action_with_undo(project: Project, name: str) -> None:
    before, lines = tables(project), len(project.history)
    BULK[name](project)
    assert tables(project) != before
    assert len(project.history) == lines + 1
    project.undo(note="no good")
    assert tables(project) == before
    assert project.history["note"].iloc[0] == "no good"
    with pytest.raises(NotAllowedError, match="already"):
        project.undo(int(project.history["id"].iloc[1]))


def test_import_is_undone_and_repeated(project: Project, shapes: Path) -> None:
    project.undo()
    assert len(project.train_set) == 0
    assert project.labels.to_frame().empty
    assert project.datasets.empty
    assert project.add_images(shapes, labels_from="folders", progress=False).added == 24


def test_added_dataset_is_undone(project: Project, tmp_path: Path) -> None:
    for random_state in range(3):
        draw(tmp_path / "more" / "star" / f"{random_state}.png", 2, 100 + random_state)
    other = cl.create_project("other", tmp_path)
    other.add_images(tmp_path / "more", labels_from="folders", progress=False)
    before = tables(project)
    joined = project.train_set.concat(other.train_set)
    assert project.import_dataset(joined.filter("label == 'star'"), progress=False).added == 3
    assert "star" in project.labels
    project.undo()
    assert tables(project) == before


def test_later_edit_by_others_blocks_undo(project: Project) -> None:
    project.update("train", project.train_set.relabel({"disc": "ring"}))
    other = cl.load_project(project.root)
    chosen = other.train_set.filter("label == 'ring'").sample(1)
    other.update("train", chosen.relabel("hoop"))
    edit = project.history.iloc[1]
    with pytest.raises(StaleEditError) as caught:
        project.undo(int(edit["id"]))
    assert caught.value.images == chosen.images["image"].tolist()
    assert caught.value.theirs["label"].tolist() == ["hoop"]
    other.undo()
    assert project.undo(int(edit["id"])) == 8


def test_undo_of_an_irreversible_action_is_refused(project: Project) -> None:
    project.tags["stage"] = "test"
    with pytest.raises(NotAllowedError, match="'tag project'"):
        project.undo(int(project.history["id"].iloc[0]))
    assert project.undo() == 24  # the import before it


def test_snapshots_are_taken_compared_and_restored(project: Project) -> None:
    assert project.snapshots.take("before cleaning") == 24
    before = tables(project)
    project.update("train", project.train_set.relabel({"disc": "ring"}))
    project.distribute(0.25)
    changes = project.snapshots.diff("before cleaning")
    assert changes["change"].value_counts().to_dict() == {"relabelled": 8, "moved": 6}
    assert project.snapshots.restore("before cleaning") == 12
    assert tables(project)[1:] == before[1:]
    assert project.history["what"].iloc[0] == "restore snapshot"
    project.undo()
    assert len(project.snapshots.diff("before cleaning")) == 14
    assert project.snapshots.list["images"].tolist() == [24]
    assert list(project.snapshots) == ["before cleaning"]
    assert "<b" not in project.snapshots._repr_html_().replace("<bdi>", "")
    project.snapshots.delete("before cleaning")
    assert len(project.snapshots) == 0


@pytest.mark.parametrize("name", ["", "  ", "x" * 257, "\0", "\ud800", None, 3])
def test_a_name_that_can_not_be_kept_is_refused(project: Project, name: str) -> None:
    with pytest.raises(InputError, match="snapshot"):
        project.snapshots.take(name)


def test_a_snapshot_is_shown_as_text_only(project: Project) -> None:
    project.snapshots.take("<img src=x onerror=alert(1)>")
    assert "<img" not in project.snapshots._repr_html_()
    with pytest.raises(InputError, match="validation"):
        project.snapshots.take("x", split="validation")


def test_an_edit_as_a_table_survives_pandas(project: Project) -> None:
    frame: pd.DataFrame = project.train_set.annotations
    frame.loc[frame["label"] == "disc", "label"] = "ring"
    assert project.update("train", frame[["image", "label"]]) == 24 or project.labels.to_frame()["label"].any()
    assert project.undo() > 0
    assert "ring" not in project.labels
