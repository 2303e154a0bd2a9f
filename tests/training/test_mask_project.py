"""Test of a project whose polygons train masks, from the datasets to the evaluation."""

from pathlib import Path

import pandas as pd

import customlabels_nb as cl
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.models.artifact import load_config
from customlabels_nb.user_settings import settings
from tests.training.test_mask_data import LABELS, triangles


def test_polygon_project_trains_and_evaluates_masks(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(settings, "threads", 1)
    project = cl.create_project("outlines", tmp_path, task="polygons")
    examples = triangles(tmp_path / "images", 8)
    for split, part in (("train", examples[:6]), ("test", examples[6:])):
        rows = [
            {"image": one.image, "label": LABELS[int(one.labels[0])], "polygon": one.polygons[0],
             **dict(zip(("left", "top", "width", "height"), one.boxes[0].tolist(), strict=True))}
            for one in part
        ]  # fmt: skip
        images = pd.DataFrame({"image": [one.image for one in part], "status": "labelled"})
        project.import_dataset(Dataset(images, pd.DataFrame(rows)), split=split, progress=False)
    options = {"steps": 1, "input_size": 64, "device": "cpu", "progress": False}
    project.train("boxes", task="boxes", **options)
    model = project.train("masks", base="boxes", **options)
    config = load_config(tmp_path / "outlines" / "versions" / "masks")
    assert config.task == "polygons"
    assert any("earlier detector, which knows 2 of 2" in note for note in config.training["notes"])
    report = model.evaluate()
    assert report.task == "polygons"
    assert set(report.per_label["label"]) == set(LABELS)
    project.update("test", project.test_set.relabel({LABELS[0]: LABELS[1]}))
    for version in (project.model("boxes"), model):
        with version.started(engine="torch"):
            fresh = version.evaluate(project.test_set, progress=False)
        now = version.evaluate()
        pd.testing.assert_frame_equal(
            now.per_label.drop(columns=["f1_low", "f1_high"]),
            fresh.per_label[now.per_label.columns].drop(columns=["f1_low", "f1_high"]),
        )
    compared = model.evaluate().compare(report)
    assert compared.same_predictions
    assert len(compared.truth_changed)
    assert compared.metric("coco_map")["delta"] == 0
    with model.started():
        found = model.detect(examples[0].image, threshold=0, max_results=2)
        assert found.table["polygon"].notna().all()
        widget = model.quick_test()
        widget.ask(examples[0].image)
        assert "polygon" in widget.table
