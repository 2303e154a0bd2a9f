from pathlib import Path

import numpy as np
import pytest
import torch

from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.models.artifact import ModelConfig, save_artifact
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.backbones import BACKBONES, load_backbone
from customlabels_nb.models.classifier import ImageClassifier
from customlabels_nb.models.detector_building import build_detector, normalisation
from customlabels_nb.models.detector_shape import OWN, DetectorShape
from customlabels_nb.models.embeddings import embed
from customlabels_nb.training.classification import fit_head
from tests.models.pictures import save_blots

COLORS = {"red": (220, 30, 30), "green": (30, 180, 40), "blue": (30, 60, 220)}


@pytest.fixture(scope="session")
def blots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Return six images each of a red, a green and a blue disc."""
    folder = tmp_path_factory.mktemp("pictures")
    return {name: save_blots(folder / name, color, 6) for name, color in COLORS.items()}


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory, blots: dict[str, list[str]]) -> Path:
    """Return a classifier trained to distinguish the discs' colors."""
    facts = BACKBONES[PACKAGED]
    features = embed([path for paths in blots.values() for path in paths]).features
    head = fit_head(features, np.repeat([0, 1, 2], 6), 3)
    network = ImageClassifier(load_backbone(), facts.features, 3)
    network.set_head(head.weight, head.bias)
    folder = tmp_path_factory.mktemp("model")
    config = ModelConfig(
        task="single-label",
        labels=tuple(COLORS),
        colors=("#c8553d", "#3a9a5b", "#2f7fc1"),
        backbone=PACKAGED,
        input_size=facts.input_size,
        mean=facts.mean,
        std=facts.std,
        thresholds={"red": 0.4},
    )
    save_artifact(folder, network, config)
    return folder


@pytest.fixture(scope="session")
def predictor(model_folder: Path) -> Predictor:
    """Return the classifier running on the CPU."""
    started = Predictor(model_folder)
    started.start("cpu")
    return started


@pytest.fixture(scope="session")
def detector_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an untrained detector: it detects much, and the same for the same image."""
    folder = tmp_path_factory.mktemp("detector")
    shape = DetectorShape(anchors=((16, 24), (32, 48), (64, 96)), channels=32, hidden=64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        network = build_detector(shape, 2, PACKAGED)
    mean, std = normalisation(OWN, PACKAGED)
    config = ModelConfig(
        task="boxes",
        labels=("red", "blue"),
        colors=("#c8553d", "#2f7fc1"),
        backbone=PACKAGED,
        input_size=128,
        mean=mean,
        std=std,
        thresholds={"red": 0.2, "blue": 0.3},
        detector=shape,
    )
    save_artifact(folder, network, config)
    return folder


@pytest.fixture(scope="session")
def detector(detector_folder: Path) -> Predictor:
    """Return the detector running on the CPU."""
    started = Predictor(detector_folder)
    started.start("cpu")
    return started
