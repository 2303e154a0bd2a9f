"""Tests of exporting a version: as a folder, as a zip file, and as a model for other programs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.inference.exporting.detect import ExportedModel as ModelAlone
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project


@pytest.mark.thorough
def test_zipped_model_gives_the_same_results_elsewhere(trained_copy: Project, tmp_path: Path) -> None:
    version = trained_copy.model("v1")
    archive = shutil.make_archive(str(tmp_path / "mailed"), "zip", version.folder.parent, "v1")
    elsewhere = cl.load_model(archive)
    assert elsewhere.name == "v1"
    assert elsewhere.thresholds == version.thresholds
    assert (elsewhere.task, elsewhere.labels) == (version.task, version.labels)
    images = trained_copy.test_set.images["image"].tolist()
    with version.started("cpu"), elsewhere.started("cpu"):
        ours, theirs = (model.detect_many(images, threshold=0, progress=False) for model in (version, elsewhere))
    pd.testing.assert_frame_equal(ours, theirs)
    assert trained_copy.add_predictions(ours, model=version) == len(ours)
    assert set(open_project_store(trained_copy.root).predictions()["model"]) == {"v1"}


@pytest.mark.thorough
def test_export_is_compared_on_test_photos(trained_copy: Project, tmp_path: Path) -> None:
    version = trained_copy.model("v1")
    before = version.status
    written = version.export("pt2", tmp_path / "out")
    assert written.photos == 6
    assert version.status == before  # it need not run for that
    photo = trained_copy.test_set.images["image"][0]
    alone = ModelAlone(written.file)
    assert alone.facts["name"] == "v1"
    assert alone.facts["thresholds"] == version.thresholds
    with version.started("cpu"):
        best = version.detect(photo, threshold=0).table.iloc[0]
    found = alone.detect(photo, threshold=0)[0]
    assert (found["label"], found["confidence"]) == (best["label"], pytest.approx(best["confidence"], abs=1e-4))
