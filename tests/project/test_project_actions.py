"""Tests of the project actions of a version's results screen, as requested by its page."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import InputError, LabelError, NotAllowedError
from customlabels_nb.evaluation.advice.rules import NEW
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.project.report import Report
from customlabels_nb.training.kept_files import write_snapshots
from customlabels_nb.widgets.annotator import Annotator
from customlabels_nb.widgets.results import Results
from tests.project.conftest import train_project
from tests.widgets.asking import Cell, Page

_BOXES = ["image", "label", "left", "top", "width", "height"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, shapes: Path) -> Project:
    """Return a project with two versions. Tests that change it use a copy."""
    return train_project(tmp_path_factory.mktemp("trained"), shapes, "v1", "v2", task="single-label")


@pytest.fixture
def project(trained_copy: Project) -> Project:
    return trained_copy


@pytest.fixture
def page(project: Project, monkeypatch: pytest.MonkeyPatch) -> Page:
    return Page(project.model("v1").evaluate().show(), monkeypatch)


def test_mistakes_of_a_detector_open_as_crops(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    config: Any = SimpleNamespace(task="boxes", is_detector=True, training={})
    image, other = project.test_set.images["image"].head(2)
    truth = pd.DataFrame([(image, "disc", 10, 10, 40, 40), (other, "stripes", 5, 5, 30, 30)], columns=_BOXES)
    project.update("test", truth)
    found = pd.DataFrame([(image, "triangle", 10, 10, 40, 38), (other, "disc", 50, 50, 9, 9)], columns=_BOXES)
    evaluation = cl.evaluate(truth, found.assign(confidence=[0.9, 0.8]), thresholds=0.5)
    report = Report(evaluation, actions=lambda: project.model("v1")._project_actions(config))

    def rows(*asked: Any, **labels: str) -> list[tuple[Any, ...]]:
        crops = report.crops(*asked, **labels)
        rows = crops.session.rows(crops.session.page(0, 10)[1])
        assert crops.session.split == "test"
        return [(row["image"], row["status"], row["boxes"], row["predicted"]) for row in rows]

    swapped = (image, "unconfirmed", ["disc"], ["triangle", 0.9])
    assert rows("wrong label") == [swapped]
    assert rows("false negatives", label="stripes") == [(other, "unconfirmed", ["stripes"], None)]
    offered = [(image, "predicted", [], ["triangle", 0.9]), (other, "predicted", [], ["disc", 0.8])]
    assert rows() == rows("false positives") == offered
    assert rows(predicted="disc") == offered[1:]

    page = Page(report.show(), monkeypatch)
    here = {"position": page.widget.position, "images": [0, 1]}
    assert page.ask("crops", mistake="false positives", predicted="disc", **here) == {"count": 1}
    with pytest.raises(RuntimeError, match="None of these images has boxes with the mistake 'badly placed'"):
        page.ask("crops", mistake="badly placed", **here)
    (gallery,) = Cell(page.widget).widgets[1].children
    assert gallery.session.page(0, 10)[1]
    assert page.widget.judge_again() == []  # no version has this evaluation
    project.update("test", truth.assign(left=11))
    assert rows("false negatives") == []  # the true boxes were moved since
    with pytest.raises(NotAllowedError, match="This report has no project"):
        evaluation.crops()
    with pytest.raises(NotAllowedError, match="labels of images"):
        project.model("v1").evaluate().crops()


def test_the_header_shows_training_figures_and_code_to_load_the_model(page: Page, project: Project) -> None:
    facts = page.ask("hello")["facts"]
    said = dict(facts["said"])
    assert said["training images"] == "18"
    assert said["trained in"].endswith(" s")
    assert len(said["evaluated"]) == 16
    assert facts["code"].splitlines()[2:4] == ["project = cl.load_project('shapes')", "model = project.model('v1')"]
    assert facts["can"] == ["keep_thresholds", "open_images", "evaluate_again", "add_to_train", "versions"]
    assert facts["project_labels"] == ["disc", "stripes", "triangle"]
    assert page.ask("training")["counts"] == {"disc": 6, "stripes": 6, "triangle": 6}


def test_advice_runs_in_an_empty_notebook(project: Project, page: Page) -> None:
    facts = page.ask("hello")["facts"]
    assert facts["kept"] == project.model("v1").decision == "most confident"
    with project.model("v1").started("cpu", engine="torch"):
        elsewhere = project.model("v1").evaluate(project.test_set, thresholds=0.99, progress=False)
    for report in (project.model("v1").evaluate(thresholds=0.99), elsewhere):
        loaded = 0
        for item in report.advice:
            there: dict[str, Any] = {}
            exec(item.call.replace(f".add_images({NEW!r}", ".label('train'); dict(a=1"), there)  # noqa: S102
            assert not {"project", "model"} & set(there)
            loaded += f"cl.load_project({str(project.root)!r})" in item.call
        assert loaded


def test_kept_thresholds_are_the_versions_own_and_detect_follows(page: Page, project: Project) -> None:
    model = project.model("v1")
    image = project.test_set.images["image"].iloc[0]
    everything = model.detect(image, threshold=0).table
    assert len(everything) == 3
    page.ask("keep", position={"mode": "one", "one": 0.0, "own": {}, "iou_threshold": None})
    assert (model.decision, set(model.thresholds.values())) == ("assumed", {0.0})
    assert len(model.detect(image).table) == 3
    own = {"disc": 1.0, "stripes": 1.0, "triangle": 1.0}
    page.ask("keep", position={"mode": "per label", "one": 0.5, "own": own, "iou_threshold": None})
    assert model.thresholds == own
    assert model.detect(image).table.empty
    top = {"mode": "most confident", "one": 0.5, "own": {}, "iou_threshold": None}
    assert page.ask("keep", position=top) == {"kept": "most confident"}
    assert model.decision == "most confident"
    assert len(model.detect(image).table) == 1
    model.stop()
    page.widget.set_thresholds(0.25)
    page.widget.keep_thresholds()
    assert set(model.thresholds.values()) == {0.25}


def test_fixing_a_wrong_truth_changes_the_figures(page: Page, project: Project) -> None:
    screen = page.widget
    before = screen.metrics["f1"]
    name = project.test_set.images["image"].iloc[0]
    true = project.test_set.annotations.set_index("image")["label"][name]
    other = "disc" if true != "disc" else "stripes"
    at = screen.exploration.index_of[name]
    assert page.ask("changed") == {"text": ""}

    cell = Cell(screen)
    assert page.ask("fix", images=[at], position=screen.position) == {"count": 1}
    _, box = cell.widgets
    (gallery,) = box.children
    assert gallery.session.split == "test"
    assert gallery.session.page(0, 10)[1] == [name]
    gallery.session.assign([name], other)
    assert page.ask("changed") == {"text": "1 test label was changed since"}
    assert screen.metrics["f1"] == before
    facts = page.ask("refresh")["facts"]
    assert facts["images"] == screen.exploration.names
    assert page.ask("changed") == {"text": ""}
    assert screen.metrics["f1"] != before
    note = f"1 of {len(screen.exploration.names)} test images were corrected after seeing predictions. "
    assert note in str(screen.exploration.evaluation.notes)
    assert note in str(project.model("v1").evaluate().notes)
    assert note not in str(project.model("v1").evaluate(as_trained=True).notes)
    write_snapshots(project.model("v1").folder, project.train_set, project.test_set)
    assert note in str(project.model("v1").evaluate(as_trained=True).notes)
    assert screen.exploration.table([at])["true"].tolist() == [other]
    page.ask("close")
    assert cell.widgets == (screen,)

    project.undo()
    assert screen.judge_again() == [name]
    assert screen.metrics["f1"] == before
    assert note not in str(screen.exploration.evaluation.notes)


def test_boxes_are_corrected_in_the_annotator(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    config: Any = SimpleNamespace(task="boxes", is_detector=True, training={"seconds": 300.0, "device": "cpu"})
    actions = project.model("v1")._project_actions(config)
    names = project.test_set.images["image"].tolist()
    found = pd.DataFrame([(names[3], "disc", 10, 10, 40, 40, 0.9)], columns=[*_BOXES, "confidence"])
    screen = actions.open_images([names[3], names[1]], found, box=[10, 10, 40, 40])
    assert isinstance(screen, Annotator)
    assert screen.session.shapes(names[3])["predictions"][0]["confidence"] == 0.9
    assert Page(screen, monkeypatch).ask("hello")["box"] == [10, 10, 40, 40]
    assert screen.session.split == "test"
    assert sorted(screen.session.page(0, 10)[1]) == sorted([names[1], names[3]])
    assert screen.session.images_at([(screen._focus, screen._focus)]) == [names[3]]  # the first one requested
    assert actions.facts == {"trained in": "5 min", "on": "cpu"}
    assert actions.versions() == []  # none of another task
    screen.close()


def test_images_are_moved_to_the_training_images(page: Page, project: Project) -> None:
    names = project.test_set.images["image"].tolist()
    places = page.widget.exploration.index_of
    assert page.ask("add", images=[places[name] for name in names[:2]], label="triangle") == {"count": 2}
    assert set(names[:2]) <= set(project.train_set.images["image"])
    labels = project.train_set.annotations.set_index("image")["label"]
    assert labels[names[:2]].tolist() == ["triangle"] * 2
    assert page.ask("add", images=[places[names[2]]], label="") == {"count": 1}
    with pytest.raises(RuntimeError, match="test set"):
        page.ask("add", images=[places[names[2]]], label="triangle")
    with pytest.raises(RuntimeError, match="label"):
        page.ask("add", images=[places[names[3]]], label=" ")


def test_versions_are_compared_on_the_screen(page: Page, project: Project) -> None:
    assert page.ask("versions") == {"names": ["v2"]}
    answer = page.ask("compare", name="v2")
    assert answer["comparison"]["names"] == ["v2", "v1"]
    assert set(answer["groups"]) == {"fixed", "broken"}
    assert answer["comparison"]["said"] == "The predictions are the same."
    assert set(answer["comparison"]["labels"]) == {"disc", "stripes", "triangle"}
    assert page.ask("compare", name=None) == {"comparison": None, "groups": {}, "renewed": False}
    with pytest.raises(RuntimeError, match="'v3'"):
        page.ask("compare", name="v3")
    shown = project.model("v2").evaluate().show(baseline=project.model("v1").evaluate())
    assert shown.exploration.comparison is not None
    assert shown.exploration.comparison.names == ("v1", "v2")


def test_results_are_controlled_from_python(page: Page, project: Project) -> None:
    screen: Results = page.widget
    screen.set_filter(show="all", sort="name")
    assert screen.shown == [screen.exploration.names[at] for at in screen.exploration.choose()]
    assert len(screen.selected) == 6
    assert {"true", "predicted", "misses"} <= set(screen.selected.columns)
    screen.select(screen.shown[1:3])
    assert screen.selected["image"].tolist() == screen.shown[1:3]
    assert set(screen.rows["image"]) == set(screen.shown[1:3])
    assert [push["push"] for push in page.pushed] == ["filter", "select"]
    screen.set_thresholds({"disc": 0.9})
    assert screen.thresholds["disc"] == 0.9
    assert page.pushed[-1]["position"]["own"] == {"disc": 0.9}
    seen: list[Any] = []
    screen.observe(lambda change: seen.append(change.new["mode"]), "position")
    page.ask("moved", position={"mode": "cross-validated", "one": 0.5, "own": {}, "iou_threshold": None})
    assert seen == ["cross-validated"]
    for change in ({"show": "nonsense"}, {"color": "red"}, {"label": "kiwi"}):
        with pytest.raises((InputError, LabelError)):
            screen.set_filter(**change)
    with pytest.raises(InputError, match=r"elsewhere\.png"):
        screen.select(["elsewhere.png"])


def test_the_map_of_a_report_follows_the_results_screen(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    report = project.model("v1").evaluate()
    results = report.show()
    results.set_thresholds(1.0)
    shown = Page(report.map(), monkeypatch)
    hello = shown.ask("hello")
    assert (hello["judged"], hello["read_only"], hello["project"]) == (True, True, "v1")
    assert hello["map"]["without"] == 0  # training has computed the features
    assert hello["map"]["wrong"] == len(results.exploration.names) == 6
    results.set_thresholds(0.0)
    assert {"push": "follow"} in shown.pushed
    assert shown.ask("follow")["info"]["map"]["wrong"] == 6  # each image has all labels
    results.set_thresholds("most confident")
    assert shown.ask("follow")["info"]["map"]["wrong"] == 0
    assert "v1: 0 of 6 test images are wrong" in Cell(shown.widget).html
    with pytest.raises(RuntimeError, match="Unknown request 'edit'"):
        shown.edit("label", results.exploration.names[:1], split="test", label="disc")
    shown.widget.select(results.exploration.names[:2])
    shown.ask("open", screen="gallery")
    assert shown.widget.below.session.split == "test"
    shown.widget.close()


def test_corrected_and_skipped_test_images_are_judged_as_by_evaluate(
    page: Page, project: Project, tmp_path: Path
) -> None:
    screen = page.widget
    names = project.test_set.images["image"].tolist()
    session = LabellingSession(open_project_store(project.root), project.root, "test")
    true = session.table.labels[session.table.position[names[0]]][0]
    session.add_label("discs")
    session.assign(names[:1], "discs")
    assert screen.judge_again() == names[:1]
    screen.set_thresholds(0.25)
    screen.keep_thresholds()  # without the label that the model does not know
    assert set(project.model("v1").thresholds) == {"disc", "stripes", "triangle"}

    session.assign(names[:1], true)
    last = screen.exploration.names[-1]
    seen = page.ask_whole("thumbs", images=[len(names) - 1], pixels=160)
    assert page.ask("compare", name="v2")["renewed"]  # also this version is judged by today's labels
    screen.select([names[1], last])
    session.set_status(names[1:3], "skipped", remove_labels=True)
    assert set(screen.judge_again()) == set(names[1:3])
    with project.model("v1").started("cpu"):
        expected = project.model("v1").evaluate(project.test_set, thresholds=0.25, progress=False)
    assert screen.metrics["f1"] == expected.metric("f1")
    assert len(screen.exploration.names) == len(names) - 2
    # images, selection, comparison and files are those of the new evaluation
    assert screen.exploration.names[-1] == last
    assert page.ask_whole("thumbs", images=[len(names) - 3], pixels=160) == seen
    assert screen.selection == (last,)
    assert screen.exploration.comparison is not None
    assert screen.exploration.comparison.names == ("v2", "v1")
    page.ask("export", what="files", path=str(tmp_path / "files"))
    summary = json.loads(next((tmp_path / "files").rglob("*Summary*.json")).read_text("utf-8"))
    assert summary["EvaluationDetails"]["NumberOfTestingImages"] == len(names) - 2
