"""Labelled images for ``assist.py``: handwritten digits, drawn rooms and flowers, and photos of fruit."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from _training_photos import folder_of

import customlabels_nb as cl
from customlabels_nb.assist.probabilities import predict_others
from customlabels_nb.models.embeddings import embed
from customlabels_nb.training.classification import FittedHead

NAMES = ("digits", "rooms", "flowers", "fruit")

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Images:
    """Features and labels of images, a third of which are for testing."""

    name: str
    page: int
    several: bool
    features: Floats
    truth: Mask
    test_features: Floats
    test_truth: Mask

    @property
    def k(self) -> int:
        """Number of labels."""
        return self.truth.shape[1]

    def targets(self, positions: Integers) -> npt.NDArray[np.generic]:
        """Return the labels of images, as positions or as a mask if an image can have several."""
        return self.truth[positions] if self.several else self.truth[positions].argmax(axis=1)

    def probabilities(self, positions: Integers, features: Floats) -> npt.NDArray[np.float64]:
        """Predict features by a head that is trained on the images at ``positions``."""
        blank = np.zeros((self.k, 1), np.float32)
        head = FittedHead(blank, blank[:, 0], 1.0, None, None, None)
        return predict_others(self.features[positions], self.targets(positions), features, head)

    def f1(self, positions: Integers) -> float:
        """Return the macro F1 on the test images after training on the images at ``positions``."""
        found = self.probabilities(positions, self.test_features)
        predicted = found >= 0.5 if self.several else np.eye(self.k, dtype=bool)[found.argmax(axis=1)]
        hits = (predicted & self.test_truth).sum(axis=0)
        return float((2 * hits / np.maximum(predicted.sum(axis=0) + self.test_truth.sum(axis=0), 1)).mean())


def read(name: str) -> tuple[Floats, Mask]:
    """Return the features (n, d) and labels (n, k) of all images, or nothing if there are no photos."""
    if name == "digits":
        from sklearn.datasets import load_digits

        digits = load_digits()
        return (digits.data / 16).astype(np.float32), np.eye(10, dtype=bool)[digits.target]
    if name == "fruit":
        images = [str(path) for path in sorted(folder_of(name).glob("*/*.jpg"))]
        names = [Path(image).parent.name for image in images]
        labels = sorted(set(names))
        truth = np.array([[own == label for label in labels] for own in names], dtype=bool)
        return (embed(images, device="cpu").features if images else np.empty((0, 1), np.float32)), truth
    with tempfile.TemporaryDirectory() as folder:
        photos = cl.examples.write_photos(name, Path(folder) / name, train=900, test=0, size=(240, 180))
        dataset = cl.read_dataset(photos.train)
        images = dataset.images["image"].astype(object).tolist()
        place = {image: at for at, image in enumerate(images)}
        truth = np.zeros((len(images), len(photos.labels)), dtype=bool)
        for image, label in zip(dataset.annotations["image"], dataset.annotations["label"], strict=True):
            truth[place[image], photos.labels.index(label)] = True
        root = photos.train if photos.train.is_dir() else photos.train.parent
        return embed(images, root=root, device="cpu").features, truth


def split(name: str, features: Floats, truth: Mask, random_state: int) -> Images:
    """Set a random third of the images aside for testing."""
    order = np.random.default_rng(random_state).permutation(len(features))
    train, test = np.split(order, [len(order) * 2 // 3])
    several = bool((truth.sum(axis=1) != 1).any())
    page = 10 if len(features) > 100 else 2
    return Images(name, page, several, features[train], truth[train], features[test], truth[test])
