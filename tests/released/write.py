"""Write the files of this version that later versions must read: ``python -m tests.released.write``.

Run it once for each release. ``test_released.py`` opens the files of all releases.

``interface.json`` has the names and arguments of everything public. ``project.zip`` is a packed project with a trained
version, ``models.zip`` has a folder of each kind of model, ``unfinished.zip`` predictions that were interrupted, and
``expected.json`` what these files contain. So that they stay small, the models have weights of a repeating pattern, and
the version in the project lacks the weights of the packaged backbone.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import inspect
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import customlabels_nb as cl
from customlabels_nb.cli import _parser
from customlabels_nb.core.tables import BOXES, MULTI_LABEL, POLYGONS, SINGLE_LABEL
from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.models.artifact import WEIGHTS, ModelConfig, save_artifact, save_zero_shot
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.backbones import build_backbone, load_backbone
from customlabels_nb.models.classifier import ImageClassifier
from customlabels_nb.models.detector_building import build_detector, normalisation
from customlabels_nb.models.detector_shape import OWN, DetectorShape, TransformersShape, ZeroShot
from customlabels_nb.models.transformers_detector import build_transformers_detector
from customlabels_nb.user_settings import settings
from tests.docs import reference
from tests.models.tiny_detectors import SIDES, tiny_config

FOLDER = Path(__file__).parent
LABELS = ("blue", "red")
COLORS = ("#2f7fc1", "#c8553d")
SIDE, IMAGES, USER = 64, 12, "Eve"
UNFINISHED = ("found.jsonl", "found.manifest", "parts")
_PERIOD, _OUTPUTS = 251, 4
_KEPT = "kept.safetensors"


# -- interface --------------------------------------------------------------------------------------------
def interface() -> dict[str, Any]:
    """Return the arguments of each public function and method, the names of errors, and the options of commands.

    A property has None instead of arguments. An argument is its name, its kind and its default.
    """
    callables = dict(reference.functions())
    for owner in reference.classes():
        for name, value in reference.members(owner):
            callables[f"{owner.__name__}.{name}"] = reference.function_of(value)
    return {
        "names": {name: None if value is None else _arguments(value) for name, value in sorted(callables.items())},
        "fields": {
            owner.__name__: [one.name for one in dataclasses.fields(owner) if not one.name.startswith("_")]
            for owner in reference.classes()
            if dataclasses.is_dataclass(owner)
        },
        "errors": sorted(name for name, value in vars(cl.errors).items() if inspect.isclass(value)),
        "commands": {name: sorted(options) for name, options in _commands()},
    }


def _arguments(function: Any) -> list[list[str]]:
    return [
        [one.name, one.kind.name, "" if one.default is inspect.Parameter.empty else _shown(one.default)]
        for one in inspect.signature(function).parameters.values()
    ]


def _shown(default: Any) -> str:
    return repr(sorted(default)) if isinstance(default, frozenset) else repr(default)


def _commands() -> Iterator[tuple[str, list[str]]]:
    for action in _parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, parser in action.choices.items():
                yield name, [option for one in parser._actions for option in one.option_strings or [one.dest]]


# -- files ------------------------------------------------------------------------------------------------
def photo(number: int) -> Image.Image:
    """Draw a noisy image of a color: blue for even numbers, red for odd ones."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
    pixels[:, :, 0 if number % 2 else 2] += 150
    return Image.fromarray(pixels)


def write_photos(folder: Path, count: int) -> Path:
    """Write images into a folder for each label."""
    for number in range(count):
        path = folder / LABELS[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        photo(number).save(path)
    return folder


def write_models(folder: Path) -> dict[str, Any]:
    """Write a folder of each kind of model, and return what each detects in an image."""
    mean, std = normalisation(OWN, PACKAGED)
    shared: dict[str, Any] = {"labels": LABELS, "colors": COLORS, "mean": mean, "std": std}
    shape = DetectorShape(anchors=((16, 24), (32, 48), (64, 96)), channels=32, hidden=64)
    features = build_backbone(PACKAGED)
    for task in (SINGLE_LABEL, MULTI_LABEL):
        network = ImageClassifier(features, 1280, len(LABELS))
        config = ModelConfig(task=task, backbone=PACKAGED, input_size=SIDE, thresholds={"red": 0.25}, **shared)
        save_artifact(folder / task, with_pattern(network), config)
    for task in (BOXES, POLYGONS):
        config = ModelConfig(task=task, backbone=PACKAGED, input_size=2 * SIDE, detector=shape, **shared)
        network = build_detector(shape, len(LABELS), PACKAGED, masks=task == POLYGONS)
        save_artifact(folder / task, with_pattern(network), config)
    for family, name in {"d_fine": "dfine-nano", "rf_detr": "rfdetr-nano"}.items():
        tiny, side = tiny_config(family, len(LABELS)).to_dict(), SIDES[family]
        transformer = TransformersShape(name, "0123456789", "apache-2.0", tiny).for_size(side)
        network = build_transformers_detector(transformer, len(LABELS))
        own = dict(zip(("mean", "std"), normalisation(transformer, ""), strict=True))
        config = ModelConfig(task=BOXES, backbone=name, input_size=side, detector=transformer, **{**shared, **own})
        save_artifact(folder / family, with_pattern(network), config)
    found = {path.name: answers(path) for path in sorted(folder.iterdir())}
    prompts = ZeroShot("owlv2-base", "0123456789", ("a red thing", "a blue thing"))
    config = ModelConfig(task=BOXES, backbone=PACKAGED, input_size=960, zero_shot=prompts, **shared)
    save_zero_shot(folder / "zero-shot", config)
    return found


def with_pattern(network: Any) -> Any:
    """Replace all weights by a pattern that repeats itself, scaled by the inputs of each layer.

    The biases of the last layers differ, so that no two labels have the same confidence.
    """
    with torch.no_grad():
        for weight in network.state_dict().values():
            if weight.ndim > 1:
                pattern = torch.sin(1.7 * (torch.arange(weight.numel()) % _PERIOD).float())
                weight.copy_((pattern * (2 / weight[0].numel()) ** 0.5).reshape(weight.shape))
            elif 1 < weight.numel() <= _OUTPUTS:
                weight.copy_(torch.linspace(0, 1, weight.numel()))
            elif weight.ndim == 1:
                weight.copy_(weight.mean().expand_as(weight))
    return network.eval()


def answers(folder: Path) -> dict[str, float]:
    """Return the highest confidence of each label that a model predicts for an image."""
    with tempfile.TemporaryDirectory() as scratch, cl.load_model(folder).started("cpu", engine="torch") as model:
        photo(1).save(f"{scratch}/photo.png")
        found = model.detect_many([f"{scratch}/photo.png"], threshold=0, progress=False)
    return {str(label): round(float(value), 4) for label, value in found.groupby("label")["confidence"].max().items()}


def write_project(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Write a packed project with a job, boxes, a snapshot and a version, and return its path and content."""
    project = cl.create_project("released", folder)
    project.add_images(write_photos(folder / "photos", IMAGES), labels_from="folders", copy=True, progress=False)
    project.distribute(test_fraction=0.25)
    project.snapshots.take("before")
    job = project.jobs.create("again", "train", annotators=2, labels=LABELS, task=SINGLE_LABEL)
    for person, label in (("Ann", "red"), ("Bo", "blue")):
        worker = job.worker(person)
        for task in worker.lease(2):
            worker.submit(task, [label])
    project.tags["camera"] = "north"
    model = project.train("first", steps=20, progress=False)
    expected = {**content(project), "detects": answers(model.folder)}
    packed = folder / "packed.zip"
    project.pack(packed, progress=False)
    project.close()
    without_backbone(packed)
    return packed, expected


def content(project: cl.Project) -> dict[str, Any]:
    """Return what the project contains, without times and paths."""
    job, model = project.jobs["again"], project.model("first")
    sets = {"train": project.train_set, "test": project.test_set}
    metrics = model.evaluate().per_label[["label", "f1", "precision", "recall"]].round(4)
    return {
        "labels": {split: sorted(data.annotations["label"]) for split, data in sets.items()},
        "history": project.history["what"].tolist(),
        "snapshots": project.snapshots.list["name"].tolist(),
        "tags": dict(project.tags),
        "answers": job.answers[["person", "label"]].to_numpy().tolist(),
        "metrics": metrics.to_dict("records"),
        "thresholds": {label: round(value, 4) for label, value in model.thresholds.items()},
    }


def without_backbone(packed: Path) -> None:
    """Remove the weights of the packaged backbone from the version in a packed project."""
    with unpacked(packed) as folder:
        (weights,) = folder.rglob(WEIGHTS)
        backbone = {f"backbone.{key}": value for key, value in load_backbone().state_dict().items()}
        everything = load_file(weights)
        own = {key: value for key, value in everything.items() if not torch.equal(value, backbone.get(key, value + 1))}
        weights.unlink()
        save_file(own, weights.with_name(_KEPT))


def with_backbone(packed: Path) -> None:
    """Restore the file of weights that :func:`without_backbone` replaced, byte for byte."""
    with unpacked(packed) as folder:
        (kept,) = folder.rglob(_KEPT)
        backbone = {f"backbone.{key}": value for key, value in load_backbone().state_dict().items()}
        weights = {key: value.contiguous() for key, value in (backbone | load_file(kept)).items()}
        save_file(weights, kept.with_name(WEIGHTS), metadata={"format": "pt"})
        kept.unlink()


@contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
    """Return a folder with the files of a zip file, which is written again afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.unpack_archive(archive, folder, "zip")
        yield Path(folder)
        archive.unlink()
        shutil.make_archive(str(archive.with_suffix("")), "zip", folder)


def write_unfinished(model: Path, folder: Path) -> None:
    """Write predictions of runs that were interrupted after the first images."""
    with contextlib.chdir(folder):
        write_photos(Path("photos"), IMAGES)
        for name in UNFINISHED:
            events = Events()
            events.subscribe(partial(_stop_early, events))
            detect_photos(model, name, batch_size=2, events=events)
        shutil.rmtree("photos")


def _stop_early(events: Events, event: Event) -> None:
    if isinstance(event, Progress) and event.done >= 4:
        events.cancel()


def detect_photos(model: Path, to: str, **options: Any) -> Any:
    """Write what a model predicts for the images in ``photos``."""
    names = sorted(path.as_posix() for path in Path("photos").rglob("*.png"))
    with cl.load_model(model).started("cpu", engine="torch") as running:
        return running.detect_many(names, to=to, threshold=0, progress=False, **options)


def main() -> None:
    """Write the files of this version."""
    folder = FOLDER / cl.__version__
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    settings.user = USER
    with tempfile.TemporaryDirectory() as scratch:
        models, unfinished = Path(scratch) / "models", Path(scratch) / "unfinished"
        expected: dict[str, Any] = {"models": write_models(models)}
        unfinished.mkdir()
        write_unfinished(models / SINGLE_LABEL, unfinished)
        for written in (models, unfinished):
            shutil.make_archive(str(folder / written.name), "zip", written)
        packed, expected["project"] = write_project(Path(scratch) / "work")
        shutil.move(packed, folder / "project.zip")
    for name, value in (("expected", expected), ("interface", interface())):
        (folder / f"{name}.json").write_text(json.dumps(value, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
