"""Tests of updating the images of a dataset from manifest lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import customlabels_nb as cl
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.formats.ground_truth import manifest_lines
from customlabels_nb.errors import InputError, ManifestError
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from tests.project.conftest import draw
from tests.project.test_history import tables

LABELLED = {"type": "groundtruth/image-classification", "class-name": "hexagon", "confidence": 1, "job-name": "j",
            "human-annotated": "yes", "creation-date": "2026-01-02T03:04:05"}  # fmt: skip


def entry(image: str, label: str | None = "hexagon") -> dict[str, Any]:
    labelled = {"shape": 1, "shape-metadata": {**LABELLED, "class-name": label}}
    return {"source-ref": image, **(labelled if label else {})}


def labels(project: Project) -> dict[str, list[str]]:
    rows = project.train_set.annotations
    return {image: own["label"].tolist() for image, own in rows.groupby("image")}


@pytest.fixture
def entries(project: Project, tmp_path: Path) -> list[dict[str, Any]]:
    """Return two existing images, one of which loses its label, and a new one."""
    names = project.train_set.images["image"].tolist()
    draw(tmp_path / "new.png", 1, 99)
    return [entry(names[0]), entry(names[1], None), entry(str(tmp_path / "new.png"), "star")]


def test_annotations_are_replaced_and_unknown_images_added_as_one_action(
    project: Project, entries: list[dict[str, Any]]
) -> None:
    before, known, lines = tables(project), labels(project), len(project.history)
    report = project.update_entries("train", entries, note="from the tool", progress=False)
    assert (report.updated, report.added, report.unchanged) == (2, 1, 0)
    first, second, new = (line["source-ref"] for line in entries)
    wanted = {**known, first: ["hexagon"], new: ["star"]}
    del wanted[second]
    assert labels(project) == wanted
    images = project.train_set.images.set_index("image")
    assert images.loc[[first, second, new], "status"].tolist() == ["labelled", "unlabelled", "labelled"]
    assert images.loc[new, "width"] == 128
    assert len(project.history) == lines + 1
    assert project.history.iloc[0][["what", "note", "count"]].tolist() == ["update entries", "from the tool", 3]
    again = project.update_entries("train", entries, progress=False)
    assert (again.updated, again.added, again.unchanged) == (0, 0, 3)
    project.undo()
    assert tables(project) == before


@pytest.mark.parametrize("form", ["text", "path", "lines", "bytes"])
def test_entries_may_be_files_lines_or_dicts(
    project: Project, entries: list[dict[str, Any]], tmp_path: Path, form: str
) -> None:
    text = "\n".join(map(json.dumps, entries)) + "\n"
    (tmp_path / "x.manifest").write_text(text)
    forms: dict[str, Any] = {
        "text": text,
        "path": tmp_path / "x.manifest",
        "lines": iter(text.split("\n")),
        "bytes": [line.encode() for line in text.split("\n")],
    }
    assert project.update_entries("train", forms[form], progress=False).updated == 2


def test_lines_that_can_not_be_read_are_reported_and_the_rest_is_done(
    project: Project, entries: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "no.png").write_text("no picture")
    bad = ["{broken", json.dumps({"no": "source"}), json.dumps(entry(str(tmp_path / "no.png")))]
    report = project.update_entries("train", [*map(json.dumps, entries), *bad], progress=False)
    assert (report.updated, report.added) == (2, 1)
    assert {"ERROR_INVALID_JSON_LINE", "ERROR_MISSING_SOURCE_REF", "IMAGE_NOT_AN_IMAGE"} <= set(report.issues["code"])
    assert len(open_project_store(project.root).import_lines()) >= 2
    assert "see .issues" in repr(report)


def test_exported_entries_can_be_imported_unchanged(project: Project) -> None:
    rows = project.train_set
    assert project.update_entries("train", list(manifest_lines(rows.images, rows.annotations)), progress=False)
    assert labels(project) == {image: own["label"].tolist() for image, own in rows.annotations.groupby("image")}


def test_labels_of_models_stay_so_through_export_snapshot_and_pack(project: Project, tmp_path: Path) -> None:
    def origin(dataset: Dataset) -> list[tuple[Any, ...]]:
        rows = dataset.annotations
        rows = rows[rows["label"].isin(["square", "disc"])]
        return sorted((row.label, row.confidence, str(row.annotator), str(row.job)) for row in rows.itertuples())

    given = project.train_set.annotations.groupby("image").head(1).iloc[:3]
    machine = given.assign(label="square", annotator=["model:run 1", "model:run 1", "model:run 2"], confidence=0.75)
    project.update("train", machine)
    project.update("train", given.iloc[2:].assign(label="disc", annotator="Ann"))
    wanted = origin(project.train_set)
    assert [row[2] for row in wanted[-2:]] == ["model:run 1"] * 2
    project.train_set.to("ground_truth", tmp_path / "x.manifest")
    lines = (tmp_path / "x.manifest").read_text().splitlines()
    assert sum('"human-annotated":"no"' in line for line in lines) == 2
    assert project.update_entries("train", tmp_path / "x.manifest", progress=False)
    machine_rows = [row for row in wanted if row[0] == "square"]
    assert [row for row in origin(project.train_set) if row[0] == "square"] == machine_rows
    project.snapshots.take("kept")
    project.update("train", given.assign(label="disc", annotator="Ann"))
    assert "square" not in {row[0] for row in origin(project.train_set)}
    project.snapshots.restore("kept")
    project.pack(tmp_path / "x.zip", progress=False)
    copy = cl.unpack_project(tmp_path / "x.zip", tmp_path / "elsewhere")
    for dataset in (project.train_set, copy.train_set, cl.read_dataset(tmp_path / "x.manifest")):
        assert [row for row in origin(dataset) if row[0] == "square"] == machine_rows


@pytest.mark.parametrize("entries", ["", [], "  \n", None, 3, {"source-ref": "x"}, [{1, 2}], [object()]])
def test_invalid_entries_are_refused(project: Project, entries: Any) -> None:
    with pytest.raises(InputError, match=r"entr"):
        project.update_entries("train", entries, progress=False)


def test_missing_file_is_named(project: Project) -> None:
    with pytest.raises(ManifestError, match=r"nowhere\.manifest"):
        project.update_entries("train", "nowhere.manifest", progress=False)
