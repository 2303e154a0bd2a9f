"""Tests on an NVIDIA GPU: equal results, models side by side, memory, smaller batches and training."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from customlabels_nb.evaluation.boxes import make_boxes
from customlabels_nb.events import Events, Message
from customlabels_nb.inference.detect_many import detect_many
from customlabels_nb.inference.engines.selection import BOX_TOLERANCES, TOLERANCES
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.models.half_precision import has_bfloat16
from customlabels_nb.training.budget import Budget
from customlabels_nb.training.detection_data import DetectionOptions
from customlabels_nb.training.detection_learner import average_precision_50, truth_table
from customlabels_nb.training.detector_recipe import predict_boxes, train_detector
from tests.conftest import AllowedSkip
from tests.training.drawn import drawn_squares

pytestmark = pytest.mark.cuda
MANY = 20  # copies of each photo


@pytest.fixture(scope="session", autouse=True)
def _gpu() -> None:
    if not torch.cuda.is_available():
        raise AllowedSkip("no CUDA device here")


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if name == "bfloat16" and not has_bfloat16("cuda"):
        raise AllowedSkip("this GPU does not support bfloat16")
    return name


@pytest.fixture
def photos(blots: dict[str, list[str]]) -> list[str]:
    return [path for paths in blots.values() for path in paths] * MANY


@pytest.mark.parametrize("engine", ["torch", "bfloat16"], indirect=True)
def test_a_classifier_has_the_confidences_of_the_cpu(model_folder: Path, photos: list[str], engine: str) -> None:
    predictor = Predictor(model_folder)
    predictor.start("cpu", engine="torch")
    truth = detect_many(predictor, photos, threshold=0).sort_values(["image", "label"])
    predictor.start("cuda", engine=engine)
    found = detect_many(predictor, photos, threshold=0)
    predictor.stop()
    assert found["image"].drop_duplicates().tolist() == list(dict.fromkeys(photos))
    assert len(found) == 3 * len(photos)
    atol = 0.005 if engine == "torch" else TOLERANCES["bfloat16"]  # convolutions use TF32
    found = found.sort_values(["image", "label"])
    np.testing.assert_allclose(found["confidence"], truth["confidence"], atol=atol)


@pytest.mark.parametrize("engine", ["torch", "bfloat16"], indirect=True)
def test_a_detector_finds_the_boxes_of_the_cpu(detector_folder: Path, engine: str) -> None:
    rng = np.random.default_rng(4)
    sizes = [(300, 300), (200, 200), (128, 128), (300, 300)]  # others are extended to squares on a GPU
    images = [Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize(size) for size in sizes]
    predictor = Predictor(detector_folder)
    predictor.start("cpu", engine="torch")
    truth = predictor.boxes(images)
    predictor.start("cuda", engine=engine)
    found = predictor.boxes(images)
    predictor.stop()
    for one, other in zip(found, truth, strict=True):
        assert abs(len(one.boxes) - len(other.boxes)) <= 0.1 * len(other.boxes)
        best = other.confidences.argmax()
        near = np.abs(one.boxes - other.boxes[best]).max(axis=1).argmin()
        assert abs(one.confidences[near] - other.confidences[best]) <= BOX_TOLERANCES["bfloat16"]


def test_two_models_run_at_once(model_folder: Path, detector_folder: Path, photos: list[str]) -> None:
    predictors = [Predictor(model_folder), Predictor(detector_folder)]
    for predictor in predictors:
        predictor.start("cuda")
    alone = [detect_many(predictor, photos) for predictor in predictors]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda predictor: detect_many(predictor, photos), predictors))
    for predictor in predictors:
        predictor.stop()
    for one, other in zip(together, alone, strict=True):
        assert one[["image", "label"]].equals(other[["image", "label"]])
        np.testing.assert_allclose(one["confidence"], other["confidence"], atol=0.005)


def test_a_batch_that_does_not_fit_is_halved(model_folder: Path, photos: list[str]) -> None:
    events, told = Events(), []
    events.subscribe(lambda event: told.append(event.text) if isinstance(event, Message) else None)
    predictor = Predictor(model_folder)
    predictor.start("cuda")
    truth = detect_many(predictor, photos, batch_size=8)
    torch.cuda.empty_cache()
    share = (torch.cuda.memory_reserved() + 512 * 2**20) / torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(share)
    try:
        found = detect_many(predictor, photos, batch_size=len(photos), events=events)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        predictor.stop()
    assert any("Out of memory with a batch" in text for text in told)
    assert found[["image", "label"]].equals(truth[["image", "label"]])
    np.testing.assert_allclose(found["confidence"], truth["confidence"], atol=0.005)


def test_memory_is_released(model_folder: Path) -> None:
    predictor = Predictor(model_folder)
    predictor.start("cuda")  # the libraries' own allocations remain
    predictor.stop()
    reserved, allocated = torch.cuda.memory_reserved(), torch.cuda.memory_allocated()
    for _ in range(3):
        predictor.start("cuda")
        predictor.probabilities([np.zeros((3, 224, 224), dtype=np.uint8)] * 64)
        assert torch.cuda.memory_allocated() > allocated + 10_000_000
        predictor.stop()
        assert torch.cuda.memory_allocated() <= allocated
        assert torch.cuda.memory_reserved() <= reserved


def test_training_with_mixed_precision_learns(tmp_path: Path) -> None:
    train, test = drawn_squares(tmp_path / "train", 32), drawn_squares(tmp_path / "test", 12, random_state=1)
    labels, names = ["red", "blue"], [one.image for one in test]
    options = DetectionOptions(Budget(steps=150), device="cuda", input_size=128)
    trained = train_detector(train, labels, options, Events())
    found, names, _ = predict_boxes(trained, names, labels, root=None, events=Events())
    assert average_precision_50(make_boxes(truth_table(names, test, labels), found, names, labels=labels)) > 0.5
