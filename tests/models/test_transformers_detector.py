"""Tests of D-FINE and RF-DETR: the real classes with tiny random weights, from folders."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import Cancelled, InputError, ModelError
from customlabels_nb.events import Events, Progress
from customlabels_nb.models.artifact import load_artifact, load_config
from customlabels_nb.models.detector_shape import TransformersShape, shape_from_dict, with_box_limit
from customlabels_nb.training.budget import Budget
from customlabels_nb.user_settings import settings
from tests.models.tiny_detectors import SIDES, tiny_config, write_tiny_detector
from tests.threads import one_thread  # noqa: F401
from tests.training.drawn import COLORS, drawn_squares

pytestmark = pytest.mark.thorough  # importing transformers takes ten seconds
FAMILIES = ["d_fine", "rf_detr"]
MOST_STEPS = 600  # 120 to 280 are usual
LABELS = ["red", "blue"]
BOX = ["left", "top", "width", "height"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the folders of two tiny models with three labels."""
    base = tmp_path_factory.mktemp("models")
    return {family: write_tiny_detector(family, base / family) for family in FAMILIES}


def built(family: str, n_labels: int) -> Any:
    import torch

    from customlabels_nb.models.transformers_detector import build_transformers_detector

    torch.manual_seed(0)
    shape = TransformersShape("tiny", "", "", tiny_config(family).to_dict()).for_size(SIDES[family])
    detector = build_transformers_detector(shape, n_labels)
    for layer in detector.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)
    return detector


@pytest.mark.exhaustive
@pytest.mark.parametrize("family", FAMILIES)
def test_eight_drawn_images_are_learnt(one_thread: None, family: str) -> None:  # noqa: F811
    import torch

    from customlabels_nb.models.transforms import to_batch

    names = ["red", "never", "blue"]  # one label less or more would be seen
    side, rng, truth = SIDES[family], np.random.default_rng(0), []
    pixels = np.empty((8, 3, side, side), dtype=np.uint8)
    for image in range(8):
        pixels[image] = rng.integers(90, 150)
        width, height = rng.integers(side // 5, side // 2, 2)
        left, top = int(rng.integers(0, side - width)), int(rng.integers(0, side - height))
        color = image % 2
        pixels[image, :, top : top + height, left : left + width] = np.array(COLORS[color])[:, None, None]
        truth.append([str(image), names[2 * color], left, top, int(width), int(height)])
    detector = built(family, 3)
    facts = detector.shape.family
    images = to_batch(list(pixels), facts.mean, facts.std)
    corners = [torch.tensor([[x, y, x + width, y + height]]).float() for *_, x, y, width, height in truth]
    labels = [torch.tensor([names.index(label)]) for _, label, *_ in truth]
    optimizer = torch.optim.AdamW(detector.parameters(), lr=2e-3, weight_decay=facts.decay)
    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / 30, total_iters=30)
    reached = 0.0
    for step in range(1, MOST_STEPS + 1):
        torch.manual_seed(step)
        loss = detector.train().losses(images, corners, labels)["loss"]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(detector.parameters(), facts.clip)
        optimizer.step()
        warmup.step()
        if step >= 120 and step % 40 == 0:
            reached = precision_of(detector, images, truth, names)
            if reached >= 0.95:
                break
    assert reached >= 0.95


def precision_of(detector: Any, images: Any, truth: list[Any], names: list[str]) -> float:
    import torch

    from customlabels_nb.evaluation.boxes import make_boxes
    from customlabels_nb.training.detection_learner import average_precision_50

    with torch.inference_mode():
        outputs = detector.eval()(images)
    rows = [
        [str(image), names[label], score, x0, y0, x1 - x0, y1 - y0]
        for image, output in enumerate(outputs)
        for label, score, (x0, y0, x1, y1) in zip(
            output["labels"].tolist(), output["scores"].tolist(), output["boxes"].tolist(), strict=True
        )
    ]
    found = pd.DataFrame(rows, columns=["image", "label", "confidence", *BOX])
    boxes = pd.DataFrame(truth, columns=["image", "label", *BOX]).assign(crowd=False)
    return average_precision_50(make_boxes(boxes, found, [str(image) for image in range(8)], labels=names))


@pytest.mark.parametrize("family", FAMILIES)
def test_images_without_objects_and_wide_images(family: str) -> None:
    import torch

    detector, side = built(family, 1), SIDES[family]
    images = torch.rand(2, 3, side, side)
    box, label = torch.tensor([[8.0, 8, 40, 30]]), torch.tensor([0])
    nothing = torch.empty(0, 4), torch.empty(0, dtype=torch.int64)
    for second in ((box, label), nothing):
        loss = detector.train().losses(images, [nothing[0], second[0]], [nothing[1], second[1]])["loss"]
        loss.backward()
        assert bool(loss.isfinite())
    with torch.inference_mode():
        wide = detector.eval()(images[:, :, : side // 2])[0]
        padded = torch.cat([images[:, :, : side // 2], torch.zeros(2, 3, side // 2, side)], dim=2)
        assert torch.equal(wide["boxes"], detector(padded)[0]["boxes"])


@pytest.mark.parametrize("family", FAMILIES)
def test_pretrained_weights_are_taken_over_except_for_labels(folders: dict[str, Path], family: str) -> None:
    import torch

    from customlabels_nb.models.pretrained.transformers_models import load_part
    from customlabels_nb.models.pretrained.weights import get_weights
    from customlabels_nb.models.transformers_detector import (
        LABEL_LAYERS,
        _classes,
        pretrained_shape,
        pretrained_transformers_detector,
    )

    name = str(folders[family])
    shape = pretrained_shape(name).for_size(SIDES[family])
    original = load_part(_classes(shape)[1], get_weights(name)).state_dict()
    for n_labels in (2, 3):  # the head is new even if the number of labels is the same
        taken = pretrained_transformers_detector(name, shape, n_labels, random_state=1).network.state_dict()
        for key, value in taken.items():
            if not any(part in key for part in LABEL_LAYERS):
                assert torch.equal(value, original[key])
        heads = [key for key in taken if key.endswith(("class_embed.weight", "class_embed.0.weight"))]
        assert heads
        assert not any(taken[key].shape == original[key].shape and taken[key].equal(original[key]) for key in heads)
    with pytest.raises(InputError, match=r"input_size=32 is too small for the detector"):
        pretrained_shape(str(folders["rf_detr"])).for_size(32)
    with pytest.raises(ModelError, match="have changed since the training began"):
        pretrained_transformers_detector(name, replace(shape, revision="0" * 40), 2, random_state=1)


@pytest.mark.parametrize("family", FAMILIES)
def test_resumed_training_gives_equal_weights(folders: dict[str, Path], family: str, tmp_path: Path) -> None:
    import torch

    from customlabels_nb.training.detection_data import DetectionOptions
    from customlabels_nb.training.detector_recipe import train_detector

    squares = drawn_squares(tmp_path / "images", 4)
    options = DetectionOptions(
        Budget(steps=3), device="cpu", detector=str(folders[family]), input_size=SIDES[family], batch=2
    )
    whole = train_detector(squares, LABELS, options, Events())
    events = Events()
    events.subscribe(lambda event: events.cancel() if event == Progress("training", 1, 3, "steps") else None)
    with pytest.raises(Cancelled):
        train_detector(squares, LABELS, options, events, checkpoints=tmp_path / "kept")
    resumed = train_detector(squares, LABELS, options, Events(), checkpoints=tmp_path / "kept")
    first, second = whole.network.state_dict(), resumed.network.state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.exhaustive
def test_project_trains_loads_detects_and_exports(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from customlabels_nb.inference.exporting.detect import ExportedModel

    monkeypatch.setattr(settings, "threads", 1)
    monkeypatch.setattr(settings, "network", False)
    weights = Path(shutil.copytree(folders["d_fine"], tmp_path / "weights"))
    examples = drawn_squares(tmp_path / "images", 6)
    project = cl.create_project("squares", tmp_path, task="boxes")
    for split, part in (("train", examples[:4]), ("test", examples[4:])):
        rows = [
            {"image": one.image, "label": LABELS[int(one.labels[0])]}
            | dict(zip(BOX, one.boxes[0].tolist(), strict=True))
            for one in part
        ]
        images = pd.DataFrame({"image": [one.image for one in part], "status": "labelled"})
        project.import_dataset(Dataset(images, pd.DataFrame(rows)), split=split, progress=False)
    model = project.train("tiny", detector=str(weights), steps=2, input_size=128, device="cpu", progress=False)
    shutil.rmtree(weights)  # a trained model needs nothing else
    folder = tmp_path / "squares" / "versions" / "tiny"
    config = load_config(folder)
    assert isinstance(config.detector, TransformersShape)
    assert len(config.detector.revision) == 64
    network, _ = load_artifact(folder)
    assert network.n_labels == 2
    assert model.evaluate().task == "boxes"
    names = [one.image for one in examples]
    with model.started():
        alone = pd.concat([model.detect(name, threshold=0).table for name in names])
        together = model.detect_many(names, threshold=0, progress=False)
    assert len(alone) == len(together) > 0
    assert np.allclose(alone["confidence"].to_numpy(), together["confidence"].to_numpy())
    assert np.allclose(alone[BOX].to_numpy(), together[BOX].to_numpy())
    model.start("cpu", engine="torch", views=4)
    assert len(model.detect(names[0], threshold=0).table) > 0
    model.stop()
    assert "weights from transformers (licence unknown" in model.card.text
    exported = model.export("onnx", tmp_path / "exported")
    assert ExportedModel(exported.file).facts["licence"] == ""


@pytest.mark.parametrize("family", FAMILIES)
def test_a_detector_finds_no_more_objects_than_it_proposes(folders: dict[str, Path], family: str) -> None:
    import torch

    from customlabels_nb.inference.exporting.networks import rules_of
    from customlabels_nb.models.transformers_detector import build_transformers_detector, pretrained_shape

    shape = pretrained_shape(str(folders[family])).for_size(SIDES[family])
    assert with_box_limit(shape, None, 500) == shape
    few = with_box_limit(shape, 7, 0)
    assert shape_from_dict(few.to_dict()) == few
    network = build_transformers_detector(few, 2).eval()
    with torch.inference_mode():
        corners, scores, labels = network.candidates(torch.zeros(1, 3, SIDES[family], SIDES[family]))
    assert (corners.shape[1], scores.shape[1], labels.shape[1], rules_of(network)["most"]) == (7, 7, 7, 7)
    with pytest.raises(InputError, match=rf"max_boxes=100.*at most {shape.box_limit} objects"):
        with_box_limit(shape, 100, 0)


def test_changed_configuration_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    from customlabels_nb.models.transformers_detector import build_transformers_detector, pretrained_shape

    folder = Path(shutil.copytree(folders["rf_detr"], tmp_path / "other"))
    config = json.loads((folder / "config.json").read_text())
    config["backbone_config"]["model_type"] = "timm_backbone"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="has the backbone 'timm_backbone'"):
        pretrained_shape(str(folder))
    shape = pretrained_shape(str(folders["rf_detr"])).for_size(128)
    wrong = replace(shape, config={**shape.config, "d_model": "many"})
    with pytest.raises(InputError, match="The configuration of the detector 'rf_detr' cannot be used"):
        build_transformers_detector(wrong, 2)
    (folder / "config.json").write_text(json.dumps({"model_type": "detr", "auto_map": {"AutoModel": "evil.Model"}}))
    with pytest.raises(ModelError, match=r"type 'detr' and code, which is never run"):
        pretrained_shape(str(folder))
