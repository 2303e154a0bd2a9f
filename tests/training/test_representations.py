"""Tests of the choice between features, and features with logits, for a classification head."""

from __future__ import annotations

import numpy as np

from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.backbones import classifier_weights, load_backbone
from customlabels_nb.training.classification import fit_head
from customlabels_nb.training.representations import MOST_IMAGES, fit_best_head

WIDTH, CLASSES = 40, 12
CLASSIFIER = np.eye(CLASSES, WIDTH, dtype=np.float32) * 50  # knows the first directions and nothing about the others


def images(direction: int, each: int, random_state: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return features and targets of two labels that differ in one direction. All others are noise."""
    rng = np.random.default_rng(random_state)
    targets = np.repeat([0, 1], each)
    features = rng.normal(0, 1, (2 * each, WIDTH))
    features[:, :CLASSES] *= 0.05
    features[:, direction] = np.where(targets == 0, -0.3, 0.3) + rng.normal(0, 0.05, 2 * each)
    return features.astype(np.float32), targets


def test_logits_are_added_if_they_separate_the_labels() -> None:
    features, targets = images(0, 12)
    plain = fit_best_head(features, targets, 2)
    head = fit_best_head(features, targets, 2, classifier=CLASSIFIER)
    assert plain.inputs == "features"
    assert head.inputs == "both"
    assert f"{head.log_loss:.3f} instead of {plain.log_loss:.3f}" in head.notes[-1]
    assert head.weight.shape == (2, WIDTH)
    new, labels = images(0, 200, random_state=1)
    right, before = ((one.logits(new).argmax(axis=1) == labels).mean() for one in (head, plain))
    assert right > 0.99
    assert right >= before


def test_features_are_kept_unless_logits_are_clearly_better() -> None:
    features, targets = images(-1, 12)
    plain = fit_head(features, targets, 2)
    unknown = fit_best_head(features, targets, 2, classifier=CLASSIFIER)
    alone = fit_best_head(*images(0, 1), 2, classifier=CLASSIFIER)  # nothing can be held out
    assert unknown.inputs == alone.inputs == "features"
    assert unknown.notes == plain.notes
    np.testing.assert_array_equal(unknown.weight, plain.weight)
    several = fit_best_head(features, np.eye(2, dtype=bool)[targets], 2, classifier=CLASSIFIER)
    assert several.inputs == "features"
    many, labels = images(0, MOST_IMAGES // 2 + 1)
    assert fit_best_head(many, labels, 2, classifier=CLASSIFIER).inputs == "features"


def test_the_packaged_backbone_brings_its_classifier() -> None:
    weights = classifier_weights(PACKAGED)
    assert weights is not None
    assert weights.shape == (1000, load_backbone().num_features)
    assert classifier_weights("timm/resnet18.a1_in1k") is None
