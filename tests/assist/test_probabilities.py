from __future__ import annotations

import numpy as np
import pytest

from customlabels_nb.assist.probabilities import (
    FOLDS,
    box_doubt,
    clarity,
    cross_fit,
    folds_by_group,
    label_doubt,
    learn,
    margin_doubt,
    predict,
    predict_others,
)


def drawn(n: int, k: int, *, random_state: int = 0, spread: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(random_state)
    label = np.arange(n) % k
    return (np.eye(k, 12)[label] + spread * rng.normal(size=(n, 12))).astype(np.float32), label


def test_cross_fitted_predictions_of_random_labels_are_at_chance() -> None:
    rng = np.random.default_rng(0)
    features, label = rng.normal(size=(150, 200)).astype(np.float32), rng.integers(0, 3, 150)
    head = learn(features, label, 3)
    assert (predict(features, head).argmax(axis=1) == label).mean() > 0.6  # learnt by heart
    found = cross_fit(features, label, head)
    assert (found.argmax(axis=1) == label).mean() < 0.5
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_cross_fitted_predictions_of_learnable_labels_are_accurate() -> None:
    features, label = drawn(200, 4, spread=0.25)
    assert (cross_fit(features, label, learn(features, label, 4)).argmax(axis=1) == label).mean() > 0.95
    several = np.eye(4, dtype=bool)[label] | np.eye(4, dtype=bool)[(label + 1) % 4]
    found = cross_fit(features, several, learn(features, several, 4))
    assert ((found >= 0.5) == several).mean() > 0.95


def test_copies_are_in_the_same_fold() -> None:
    copies = np.arange(300) % 90
    fold = folds_by_group(np.arange(300) % 3, copies, 0)
    assert all(len(np.unique(fold[copies == group])) == 1 for group in range(90))
    assert len(np.unique(fold)) == FOLDS


def test_labels_are_spread_over_the_folds() -> None:
    label = np.repeat([0, 1], [90, 10])
    fold = folds_by_group(label, None, 1)
    assert np.bincount(fold[label == 1]).tolist() == [2] * FOLDS
    assert (folds_by_group(label, None, 1) == fold).all()


def test_a_label_without_images_is_never_predicted() -> None:
    features, label = drawn(60, 2)
    for truth in (label, np.eye(4, dtype=bool)[label]):
        head = learn(features, truth, 4)
        found = predict(features, head, several=truth.ndim == 2)
        assert found.shape == (60, 4)
        assert not found[:, 2:].any()
        assert not cross_fit(features, truth, head)[:, 2:].any()


def test_a_single_label_is_certain() -> None:
    features = np.random.default_rng(0).normal(size=(6, 5))
    head = learn(features, np.full(6, 1), 3)
    np.testing.assert_array_equal(predict(features, head), np.tile([0, 1, 0], (6, 1)))
    np.testing.assert_array_equal(cross_fit(features, np.full(6, 1), head), np.tile([0, 1, 0], (6, 1)))


def test_without_training_images_all_labels_are_equally_likely() -> None:
    features, label = drawn(20, 2)
    found = predict_others(features[:0], label[:0], features, learn(features, label, 2))
    np.testing.assert_array_equal(found, 0.5)


def test_features_may_be_of_half_precision() -> None:
    features, label = drawn(100, 3)
    head = learn(features, label, 3)
    np.testing.assert_allclose(predict(features.astype(np.float16), head), predict(features, head), atol=5e-3)


def test_doubt_is_one_minus_the_margin() -> None:
    assert margin_doubt(np.array([[0.5, 0.5, 0], [0.1, 0.2, 0.7]])) == pytest.approx([1, 0.5])
    assert margin_doubt(np.array([[1.0]])).tolist() == [0]


def test_clarity_is_the_distance_to_the_threshold() -> None:
    found = clarity(np.array([[0.0, 0.2, 0.6, 1.0]]), [0.2, 0.2, 0.2, 0.2])
    assert found[0] == pytest.approx([1, 0, 0.5, 1])


def test_doubt_about_a_frequent_label_counts_less() -> None:
    probabilities = np.array([[0.5, 1.0], [0.0, 0.5], [0.25, 0.0]])
    assert label_doubt(probabilities, [9, 4]) == pytest.approx([0.5, 1, 0.25])
    assert label_doubt(probabilities, [0, 0]) == pytest.approx([1, 1, 0.5])


def test_an_image_is_as_doubtful_as_its_least_certain_box() -> None:
    found = box_doubt(np.array([0, 0, 2]), np.array([0.9, 0.6, 1.0]), 0.5, 4)
    assert found == pytest.approx([0.8, 0, 0, 0])
