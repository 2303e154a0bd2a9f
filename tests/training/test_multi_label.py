import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from customlabels_nb.errors import InputError, NotEnoughDataError
from customlabels_nb.models.classifier import ImageClassifier, probabilities
from customlabels_nb.training.classification import CS, FittedHead
from customlabels_nb.training.multi_label import fit_multi_label_head
from tests.tiers import many

Arrays = tuple[np.ndarray, np.ndarray]


def scenes(n: int, k: int, *, spread: float = 1.0, d: int = 60, share: float = 0.4, random_state: int = 0) -> Arrays:
    """Return points that are the sum of one direction per label, and noise."""
    rng = np.random.default_rng(random_state)
    truth = rng.random((n, k)) < share
    truth[np.arange(k), np.arange(k)] = True
    directions = 3 * np.random.default_rng(99).normal(size=(k, d)) / np.sqrt(d)
    return (truth @ directions + spread * rng.normal(size=(n, d)) / np.sqrt(d) * 3).astype(np.float32), truth


def sigmoid(head: FittedHead, features: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-head.logits(features).astype(np.float64)))


@pytest.mark.parametrize("n", [30, 150])  # fewer and more points than dimensions
def test_each_label_has_its_own_plain_logistic_regression(n: int) -> None:
    features, truth = scenes(n, 4, spread=2.0)
    others, _ = scenes(40, 4, random_state=1)
    for C in (0.03, 3.0):
        head = fit_multi_label_head(features, truth, Cs=[C])
        assert head.temperature == 1
        found = sigmoid(head, others)
        for label in range(4):
            weight = None if head.balance == 0 else "balanced"
            plain = LogisticRegression(C=C, tol=1e-9, max_iter=5000, class_weight=weight)
            plain.fit(features.astype(np.float64), truth[:, label])
            assert found[:, label] == pytest.approx(plain.predict_proba(others.astype(np.float64))[:, 1], abs=1e-3)


def test_the_strength_is_chosen_on_held_out_images() -> None:
    easy = fit_multi_label_head(*scenes(60, 3, spread=0.2), random_state=0)
    features, _ = scenes(60, 3)
    hard = fit_multi_label_head(features, np.random.default_rng(5).random((60, 3)) < 0.5, random_state=0)
    assert max(CS) == easy.C
    assert hard.C < 0.1
    assert easy.log_loss is not None
    assert hard.log_loss is not None
    assert easy.log_loss < 0.1 < 0.6 < hard.log_loss < 0.8  # no worse than a uniform guess: log 2 is 0.69


def test_held_out_figures_are_those_of_the_confidences() -> None:
    features, truth = scenes(50, 3, spread=1.5)
    head = fit_multi_label_head(features, truth, random_state=3)
    found = head.out_of_fold
    assert found is not None
    assert found.shape == truth.shape
    loss = -np.log(np.where(truth, found, 1 - found)).mean()
    assert head.log_loss == pytest.approx(loss)
    assert head.accuracy == pytest.approx(((found >= 0.5) == truth).all(axis=1).mean())
    again, other = (
        fit_multi_label_head(features, truth, random_state=3),
        fit_multi_label_head(features, truth, random_state=4),
    )
    assert (again.weight == head.weight).all()
    assert (other.out_of_fold != found).any()


def test_unlabelled_negatives_are_used() -> None:
    features, truth = scenes(80, 3, spread=0.5)
    assert (~truth.any(axis=1)).sum() > 5
    head = fit_multi_label_head(features, truth)
    others, expected = scenes(200, 3, spread=0.5, random_state=1)
    nothing = ~expected.any(axis=1)
    assert ((sigmoid(head, others) < 0.5).all(axis=1)[nothing]).mean() > 0.8


def test_a_label_with_one_image() -> None:
    features, truth = scenes(40, 3, spread=0.3)
    truth[:, 2] = False
    truth[7, 2] = True
    head = fit_multi_label_head(features, truth)
    found = sigmoid(head, features)
    assert found[7, 2] == found[:, 2].max()
    assert np.isfinite(head.out_of_fold).all()
    alone = fit_multi_label_head(features[:3], np.eye(3, dtype=bool))
    assert alone.out_of_fold is None
    assert (sigmoid(alone, features[:3]).argmax(axis=0) == [0, 1, 2]).all()


def test_label_on_every_image_is_noted() -> None:
    features, truth = scenes(30, 3)
    truth[:, 1] = True
    head = fit_multi_label_head(features, truth)
    found = sigmoid(head, 10 * features)[:, 1]
    assert found == pytest.approx(31 / 32)  # Laplace: nearly certain, never completely
    assert any("Every training image has 1 of" in note for note in head.notes)


def test_rare_labels_count_for_more_where_that_helps() -> None:
    features, truth = scenes(60, 3, spread=0.8, random_state=2)
    truth[np.flatnonzero(truth[:, 0])[4:]] = False
    keep = truth.any(axis=1)
    head = fit_multi_label_head(features[keep], truth[keep])
    assert head.balance == 1
    assert any("rare labels get a larger weight" in note for note in head.notes)
    even = fit_multi_label_head(*scenes(60, 2))
    assert even.balance == 0
    assert not even.notes


def test_hyperparameters_are_chosen_on_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    features, truth = scenes(300, 3, spread=1.5)
    whole = fit_multi_label_head(features, truth)
    monkeypatch.setattr("customlabels_nb.training.classification.MOST_COMPARED", 80)
    monkeypatch.setattr("customlabels_nb.training.classification.MOST_DOUBLE", 200)
    head = fit_multi_label_head(features, truth)
    assert head.out_of_fold is not None
    assert (~np.isnan(head.out_of_fold[:, 0])).sum() == 80
    others, expected = scenes(200, 3, spread=1.5, random_state=1)
    right = [((fitted.logits(others) >= 0) == expected).mean() for fitted in (head, whole)]
    assert right[0] == pytest.approx(right[1], abs=0.03)


@given(st.integers(2, 14), st.integers(1, 5), st.integers(0, 2**31))
@settings(max_examples=many(40))
def test_confidences_are_between_0_and_1(n: int, k: int, random_state: int) -> None:
    rng = np.random.default_rng(random_state)
    truth = rng.random((n, k)) < rng.random(k)
    truth[rng.integers(n, size=k), np.arange(k)] = True
    features = (10.0 ** rng.uniform(-3, 3) * rng.normal(size=(n, 8))).astype(np.float32)
    head = fit_multi_label_head(features, truth, random_state=random_state)
    assert np.isfinite(head.weight).all()
    assert np.isfinite(head.bias).all()
    assert head.temperature >= 1
    assert head.out_of_fold is None or ((head.out_of_fold >= 0) & (head.out_of_fold <= 1)).all()


def test_bad_input_is_refused() -> None:
    features, truth = scenes(12, 3)
    broken = features.copy()
    broken[5, 3] = np.inf
    with pytest.raises(InputError, match=r"features\[5\]"):
        fit_multi_label_head(broken, truth)
    for wrong in (truth[:-1], truth.astype(int), truth[:, 0]):
        with pytest.raises(InputError, match="truth"):
            fit_multi_label_head(features, wrong)
    with pytest.raises(InputError, match="Cs"):
        fit_multi_label_head(features, truth, Cs=[])
    truth[:, 1] = False
    with pytest.raises(NotEnoughDataError, match=r"\[1\]"):
        fit_multi_label_head(features, truth)


def test_a_classifier_gives_its_confidences() -> None:
    import torch

    features, truth = scenes(40, 3)
    head = fit_multi_label_head(features, truth)
    network = ImageClassifier(torch.nn.Identity(), 60, 3)
    network.set_head(head.weight, head.bias)
    found = probabilities(network(torch.from_numpy(features)), "sigmoid")
    assert found == pytest.approx(sigmoid(head, features), abs=1e-5)
    json.dumps({"C": head.C, "balance": head.balance, "log_loss": head.log_loss, "notes": head.notes})


@pytest.mark.thorough
def test_collages_of_two_fruits(fruit_photos: Path, tmp_path: Path) -> None:
    from tests.training.collages import collages

    train, truth = collages(fruit_photos, tmp_path / "train", 24, random_state=0, part=0)
    test, expected = collages(fruit_photos, tmp_path / "test", 16, random_state=1, part=1)
    head = fit_multi_label_head(train, truth)
    assert f1_score(expected, head.logits(test) >= 0, average="macro") > 0.9
