"""Tests of training models for each task in a project, from labels to an evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub.constants
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw
from safetensors.numpy import load_file

from customlabels_nb.errors import Cancelled, InputError, ModelNotFoundError, TableError, WeightsUnavailableError
from customlabels_nb.events import Event, Events, Message, Progress
from customlabels_nb.models import backbones
from customlabels_nb.models.artifact import load_config
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.backbones import SizedBackbone
from customlabels_nb.models.detector_building import build_detector
from customlabels_nb.models.detector_shape import DetectorShape
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project
from customlabels_nb.store import SqlStore
from customlabels_nb.training import run
from customlabels_nb.training.loop import Checkpoints
from customlabels_nb.training.options import TrainingOptions
from customlabels_nb.user_settings import settings
from tests.facts import tells
from tests.models.test_backbones import keep_timm_weights

#: Makes a detector's steps take a fraction of a second.
TINY = {"steps": 2, "input_size": 64, "progress": False}


def scene(path: Path, random_state: int, shapes: str) -> list[dict[str, object]]:
    """Draw a red square or a blue disc for each letter of ``shapes`` and return the boxes."""
    rng = np.random.default_rng(random_state)
    picture = Image.fromarray(rng.integers(222, 234, (96, 96, 3)).astype(np.uint8))
    pen, boxes = ImageDraw.Draw(picture), []
    for place, letter in enumerate(shapes):
        x, y, side = 6 + 44 * (place % 2) + int(rng.integers(6)), 8 + 44 * (place // 2), 30 + int(rng.integers(6))
        label = "square" if letter == "s" else "disc"
        if letter == "s":
            pen.rectangle((x, y, x + side - 1, y + side - 1), fill=(200, 30, 40))
        else:
            pen.ellipse((x, y, x + side - 1, y + side - 1), fill=(20, 60, 190))
        boxes.append({"image": str(path), "label": label, "left": x, "top": y, "width": side, "height": side})
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return boxes


@pytest.fixture
def boxed(tmp_path: Path) -> Project:
    """Return a project of squares and discs with ten training and four test images, one of each empty."""
    project = create_project("boxed", tmp_path)
    for split, kinds in (
        ("train", ["s", "d", "sd", "ds", "ss", "", "dd", "sds", "d", "s"]),
        ("test", ["s", "d", "sd", ""]),
    ):
        folder = tmp_path / split
        rows = [row for i, kind in enumerate(kinds) for row in scene(folder / f"{i}.png", 100 * len(split) + i, kind)]
        project.add_images(folder, split=split, progress=False)
        own = project.train_set if split == "train" else project.test_set
        names = {Path(name).name: name for name in own.images["image"]}
        marks = pd.DataFrame(rows)
        marks["image"] = marks["image"].map(lambda name, names=names: names[Path(str(name)).name])
        project.update(split, marks)
        bare = [name for name in names.values() if name not in set(marks["image"])]
        own = project.train_set if split == "train" else project.test_set
        project.update(split, own.with_status("labelled", lambda images, bare=bare: images["image"].isin(bare)))
    return project


def heard() -> tuple[Events, list[str]]:
    """Return events and the list of their messages."""
    events, said = Events(), []
    events.subscribe(lambda event: said.append(event.text) if isinstance(event, Message) else None)
    return events, said


@pytest.mark.thorough
def test_detector_is_trained_and_evaluated(boxed: Project) -> None:
    events, said = heard()
    model = boxed.train("one", events=events, **TINY)
    assert any(tells(sentence, "detector", "test", "boxes") for sentence in said)
    record = model.record
    assert (record.status, record.task) == ("TRAINING_COMPLETED", "boxes")
    assert record.statistics["training_images"] == 10
    assert record.statistics["test_images"] == 4
    report = model.evaluate()
    assert report.task == "boxes"
    assert set(report.per_label["label"]) == {"square", "disc"}
    assert record.metrics["coco_map"] == pytest.approx(report.metric("coco_map"))
    assert json.loads((model.folder / "config.json").read_text())["training"]["steps"] == 2
    names = {path.name for path in model.folder.rglob("*")}
    assert "checkpoints" not in names
    assert f"EvaluationResultSummary-boxed-{model.name}.json" in names
    again = boxed.train("two", **TINY)  # one box part more or less is the same model
    weights = [load_file(version.folder / "model.safetensors") for version in (model, again)]
    assert all(np.array_equal(weights[0][key], weights[1][key]) for key in weights[0])


@pytest.mark.thorough
def test_thresholds_of_a_detector_are_chosen_in_the_views_in_use(
    boxed: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = boxed.train(**TINY)
    of_one = model.thresholds
    model.set_thresholds({"disc": 0.75})
    with monkeypatch.context() as patch:
        patch.setattr(SqlStore, "read_only", True)
        model.start("cpu", engine="torch", views=2)
        assert model.thresholds == {"square": of_one["square"], "disc": 0.75}
    assert capsys.readouterr().out.endswith("of one view are used, because the project is read-only.\n")
    model.start("cpu", engine="torch", views=4)
    assert "Choosing the thresholds for views=4 on 4 test images." in capsys.readouterr().out
    best = model.evaluate(boxed.test_set, thresholds="best", progress=False).per_label
    chosen = dict(zip(best["label"], best["threshold"], strict=True))
    assert chosen["square"] != of_one["square"]
    assert model.thresholds == {"square": chosen["square"], "disc": 0.75}
    image = boxed.test_set.images["image"].iloc[2]
    everything = model.detect(image, threshold=0).table
    expected = everything[everything["confidence"] >= everything["label"].map(model.thresholds)]
    assert len(model.detect(image).table) == len(expected)
    model.stop()
    assert model.thresholds == {"square": of_one["square"], "disc": 0.75}
    model.start("cpu", engine="torch", views=4)
    assert "Choosing" not in capsys.readouterr().out
    model.set_thresholds(None)
    assert model.thresholds == chosen
    model.stop()


@pytest.mark.parametrize("wrong", ["a box", "a polygon"])
def test_test_images_that_cannot_be_evaluated_are_found_before_training(boxed: Project, wrong: str) -> None:
    table = boxed.test_set.annotations
    if wrong == "a box":
        table["left"] = 1e12
    else:
        corners = [[1.0, 1.0], [40.0, 1.0], [1.0, 40.0]]
        table["polygon"] = pd.Series([[*corners[:2], [1.0, float("nan")]], *[corners] * (len(table) - 1)], dtype=object)
        train = boxed.train_set.annotations
        train["polygon"] = pd.Series([corners] * len(train), dtype=object)
        boxed.update("train", train)
    boxed.update("test", table)
    with pytest.raises(TableError, match="too large" if wrong == "a box" else "not a list of finite points"):
        boxed.train("late", task="boxes" if wrong == "a box" else "polygons", **TINY)
    assert boxed.versions.empty


@pytest.mark.thorough
def test_stopped_detector_resumes_to_equal_weights(boxed: Project) -> None:
    options = {**TINY, "steps": 4}
    whole = boxed.train("whole", **options)
    events = Events()

    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.phase == "training" and event.done == 2:
            events.cancel()

    events.subscribe(stop)
    with pytest.raises(Cancelled):
        boxed.train("stopped", events=events, **options)
    stopped = boxed.model("stopped")
    assert stopped.status == "TRAINING_STOPPED"
    assert "Stopped by you after epoch" in stopped.status_message
    assert "project.model('stopped').resume()" in stopped.status_message
    loaded = Checkpoints(stopped.folder / "checkpoints").load()
    assert loaded is not None
    assert loaded.facts["identity"]["start time"] == stopped.record.created.isoformat()
    stopped.resume(progress=False)
    weights = [load_file(version.folder / "model.safetensors") for version in (whole, stopped)]
    assert all(np.array_equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_multi_label_model_is_trained(tmp_path: Path) -> None:
    project = create_project("several", tmp_path)
    kinds = ["s", "d", "sd", "ss", "ds", "dd", "s", "d", "sd", ""] * 2
    for i, kind in enumerate(kinds):
        scene(tmp_path / "photos" / f"{i:02}.png", i, kind)
    project.add_images(tmp_path / "photos", progress=False)
    images = project.train_set.images["image"].tolist()
    rows = [(image, label) for image, kind in zip(images, kinds, strict=True)
            for label in sorted({"square" if letter == "s" else "disc" for letter in kind})]  # fmt: skip
    project.update("train", pd.DataFrame(rows, columns=["image", "label"]))
    bare = [image for image, kind in zip(images, kinds, strict=True) if not kind]
    project.update("train", project.train_set.with_status("labelled", lambda frame: frame["image"].isin(bare)))
    model = project.train(progress=False)
    assert model.record.task == "multi-label"
    assert model.evaluate().task == "multi-label"
    assert model.record.metrics["f1"] > 0.9
    with model.started():
        found = model.detect(tmp_path / "photos" / "02.png").table
        assert set(found["label"]) == {"square", "disc"}
        assert found["confidence"].sum() > 1
        nothing = model.detect(tmp_path / "photos" / "09.png", threshold=0.5).table
    assert nothing.empty


@pytest.mark.thorough
def test_brands_are_trained_from_logos(tmp_path: Path) -> None:
    project = create_project("brands", tmp_path)
    for name, letter in (("square", "s"), ("disc", "d")):
        scene(tmp_path / "logos" / f"{name}.png", 1, letter)
        project.add_images([tmp_path / "logos" / f"{name}.png"], label=name, progress=False)
    rows = [row for i in range(3) for row in scene(tmp_path / "scenes" / f"{i}.png", i, "sd")]
    project.add_images(tmp_path / "scenes", split="test", progress=False)
    marks = pd.DataFrame(rows)
    names = {Path(name).name: name for name in project.test_set.images["image"]}
    marks["image"] = marks["image"].map(lambda name: names[Path(str(name)).name])
    project.update("test", marks)
    events, said = heard()
    model = project.train(events=events, **TINY)
    assert any("a brand detector" in sentence for sentence in said)
    assert (model.record.task, load_config(model.folder).training["recipe"]) == ("boxes", "brands")
    assert model.evaluate().task == "boxes"
    assert len(model.evaluate().images) == 3


@pytest.mark.thorough
def test_backbones_of_a_size_are_trained_and_recorded_by_name(
    boxed: Project, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = {
        "base": SizedBackbone("timm/test_convnext.r160_in1k", 1e-3),
        "large": SizedBackbone("timm/test_vit.r160_in1k", 1e-3),
    }
    monkeypatch.setattr(backbones, "DETECTORS", {"base": tiny["base"]})
    monkeypatch.setattr(backbones, "CLASSIFIERS", tiny)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(settings, "network", False)
    for size in tiny.values():
        keep_timm_weights(size.name.partition("/")[2], tmp_path)
    for own, options, size in (
        (boxed, {**TINY, "backbone": "auto"}, "base"),
        (project, {"backbone": "large"}, "large"),
    ):
        events, said = heard()
        model = own.train(events=events, **({"progress": False} | options))
        assert model.record.config["backbone"] == tiny[size].name
        assert any(f"backbone='auto' uses {tiny[size].name!r}" in sentence for sentence in said) is (own is boxed)
        model.start("cpu")
        found = model.detect_many(own.test_set.images["image"], threshold=0, progress=False)
        assert set(found["label"]) <= set(own.labels.colors)
        model.stop()


def test_training_from_a_base_version(project: Project) -> None:
    first = project.train("first", progress=False)
    events, said = heard()
    project.train("second", base="latest", progress=False, events=events)
    assert any("'first' has the same frozen backbone" in sentence for sentence in said)
    assert project.model("second").record.config["base"] == "first"
    first.delete(confirm=True)
    for base in ("first", first):
        with pytest.raises(ModelNotFoundError, match="No version matches 'first'"):
            project.train(base=base, progress=False)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"task": "detection"}, "task='detection'"),
        ({"recipe": "logos"}, "recipe='logos'"),
        ({"budget": "soon"}, "budget='soon'"),
        ({"budget": "90s", "steps": 4}, "Pass only one"),
        ({"steps": 0}, "steps=0"),
        ({"detector": "yolo"}, "detector 'yolo'"),
        ({"input_size": 100}, "input_size=100"),
        ({"input_size": 32}, "input_size=32"),
        ({"input_size": 4096}, "input_size=4096"),
        ({"backbone": "resnet"}, "backbone 'resnet'"),
        ({"random_state": -1}, "random_state=-1"),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(project: Project, given: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        project.train(progress=False, **given)
    assert project.versions.empty
    assert len(project.test_set) == 0


def test_unavailable_weights_are_refused_before_training(boxed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(boxed.root / "nothing"))
    with pytest.raises(WeightsUnavailableError, match="needs no download"):
        boxed.train(detector="ssdlite320_mobilenet_v3_large", steps=2, progress=False)
    assert boxed.versions.empty


@pytest.mark.parametrize("backbone", ["torchvision/resnet18", "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k"])
def test_backbones_that_detectors_cannot_have_are_refused_before_the_download(
    boxed: Project, monkeypatch: pytest.MonkeyPatch, backbone: str
) -> None:
    monkeypatch.setattr(run, "fetch_backbone", lambda name: pytest.fail("downloaded"))
    with pytest.raises(InputError, match=f"backbone='{backbone}'"):
        boxed.train(backbone=backbone, **TINY)  # type: ignore[arg-type]
    assert boxed.versions.empty


@pytest.mark.parametrize(
    ("task", "given", "seconds"),
    [
        ("single-label", {}, None),
        ("single-label", {"budget": "90s"}, 90),
        ("single-label", {"steps": 5}, None),
        ("boxes", {}, 120),
    ],
)
def test_the_time_for_a_backbone_is_that_of_the_training(
    monkeypatch: pytest.MonkeyPatch, task: str, given: dict, seconds: float | None
) -> None:
    asked: list[float | None] = []

    def choose(wanted: str, *, seconds: float | None, **_: object) -> str:
        asked.append(seconds)
        return PACKAGED

    monkeypatch.setattr(run, "choose_backbone", choose)
    part = SimpleNamespace(images=[])
    plan: Any = SimpleNamespace(task=task, train=part, test=part)
    assert run.with_weights(plan, TrainingOptions(backbone="auto", **given), "cpu", Events()).backbone == PACKAGED
    assert asked == [seconds]


def test_a_detector_with_its_own_backbone_is_recorded_with_it(boxed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "ssdlite320_mobilenet_v3_large"
    coco = build_detector(DetectorShape(name), 90, name).network.state_dict()
    monkeypatch.setattr("customlabels_nb.models.detector_building.coco_weights", lambda asked: coco)
    model = boxed.train(detector=name, backbone="auto", steps=1, input_size=64, progress=False)
    config = model.record.config
    assert config["backbone"] == load_config(model.folder).backbone == name
    assert TrainingOptions(**config).backbone == name  # as a resumed run reads it
    with pytest.raises(InputError, match=f"Unknown backbone '{name}'"):
        TrainingOptions(backbone=name)
