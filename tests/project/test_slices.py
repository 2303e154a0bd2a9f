"""Tests of metrics by columns and tags of the test images, and with cross-validated thresholds."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import InputError
from customlabels_nb.project.project import Project


def test_slices_use_current_columns_and_tags(project: Project) -> None:
    project.distribute(test_fraction=0.4)
    model = project.train(progress=False)
    before = model.evaluate()
    test, columns = project.test_set, ["camera", "tags"]
    count = len(test.images)
    camera = ["left"] * (count // 2) + ["right"] * (count - count // 2)
    images = test.images.assign(camera=camera, tags=[["dark"] if i % 3 == 0 else [] for i in range(count)])
    project.update("test", type(test)(images, test.annotations, name="test", root=test.root))

    report = model.evaluate()
    assert report.by("camera")["slice"].tolist() == ["left", "right"]
    assert report.by("camera")["test_images"].sum() == count
    assert report.by("tags")["slice"].tolist() == ["dark", "(none)"]
    kept = report.images.set_index("image")[columns]
    now = project.test_set.images.set_index("image")[columns]
    pd.testing.assert_frame_equal(now.sort_index(), kept.sort_index())
    pd.testing.assert_frame_equal(report.per_label, before.per_label)


def test_slices_by_size_and_source(project: Project, tmp_path: Path) -> None:
    project.distribute(test_fraction=0.4)
    model = project.train(progress=False)
    images = project.test_set.images
    report = model.evaluate()
    for column in ("width", "height", "source"):
        table = report.by(column)
        assert table["slice"].tolist() == sorted(images[column].astype(str).unique()), column
        assert table["test_images"].sum() == len(images)
    with pytest.raises(InputError, match=r"'camera'.*'width', 'height'.*'source'"):
        report.by("camera")

    # an image removed from the project is counted under "(none)" in the evaluation of the training
    project.remove("test", images["image"].tolist()[:1])
    rest = model.evaluate(as_trained=True).by("width").set_index("slice")["test_images"]
    assert (rest["(none)"], rest.sum()) == (1, len(images))
    assert model.evaluate().by("width")["test_images"].sum() == len(images) - 1

    # a written snapshot has no sources, and reports that
    paths = report.to(tmp_path / "written")
    again = cl.evaluate(*cl.read_evaluation_snapshot(next(path for path in paths if "EvaluationSnapshot" in path.name)))
    with pytest.raises(InputError, match=r"column='source'"):
        again.by("source")


@pytest.mark.thorough
def test_cross_validated_thresholds_on_request(project: Project) -> None:
    project.distribute(test_fraction=0.4)
    report = project.train(progress=False).evaluate(thresholds="cross-validated")
    assert any("cross-validated" in note for note in report.notes)
    assert len(report.applied.folds) == 5
