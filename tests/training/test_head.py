import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from customlabels_nb.errors import InputError, NotEnoughDataError
from customlabels_nb.models.embeddings import embed
from customlabels_nb.training.classification import CS, DEFAULT_C, FittedHead, fit_head, folds_of, row_space
from tests.facts import tells

Arrays = tuple[np.ndarray, np.ndarray]


def clusters(n_labels: int, each: int, *, spread: float = 1.0, d: int = 80, random_state: int = 0) -> Arrays:
    """Return points around one random centre per label."""
    rng = np.random.default_rng(random_state)
    targets = np.repeat(np.arange(n_labels), each)
    centres = rng.normal(size=(n_labels, d))
    return (centres[targets] + spread * rng.normal(size=(len(targets), d))).astype(np.float32), targets


def softmax(head: FittedHead, features: np.ndarray) -> np.ndarray:
    """Compute the probabilities of a head."""
    logits = features.astype(np.float64) @ head.weight.T.astype(np.float64) + head.bias
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("n_labels", [2, 3, 5])
@pytest.mark.parametrize("each", [4, 60])  # fewer and more points than dimensions
def test_the_head_is_the_plain_logistic_regression_of_all_features(n_labels: int, each: int) -> None:
    features, targets = clusters(n_labels, each, spread=2.0)
    others, _ = clusters(n_labels, 20, spread=2.0, random_state=1)
    for C in (0.03, 1.0):
        head = fit_head(features, targets, n_labels, Cs=[C])
        plain = LogisticRegression(C=C, tol=1e-9, max_iter=5000).fit(features.astype(np.float64), targets)
        assert softmax(head, others) == pytest.approx(plain.predict_proba(others.astype(np.float64)), abs=2e-4)
        assert head.weight.shape == (n_labels, 80)
        assert head.weight.dtype == head.bias.dtype == np.float32


def test_the_space_of_the_rows_keeps_products_and_lengths() -> None:
    x = np.random.default_rng(0).normal(size=(5, 40))
    rows, basis = row_space(x)
    assert basis is not None
    assert rows.shape == (5, 5)
    assert rows @ basis.T == pytest.approx(x)
    assert rows @ rows.T == pytest.approx(x @ x.T)
    assert basis.T @ basis == pytest.approx(np.eye(5))
    assert row_space(x.T)[1] is None


def test_hard_sets_get_more_regularisation_than_easy_ones() -> None:
    easy = fit_head(*clusters(3, 10, spread=0.3), 3)
    hard = fit_head(*clusters(3, 10, spread=8.0), 3)
    assert max(CS) == easy.C
    assert hard.C < 0.1
    assert easy.accuracy == 1.0
    assert easy.log_loss is not None
    assert hard.log_loss is not None
    assert easy.log_loss < 0.2 < 0.8 < hard.log_loss < 1.2  # no worse than a uniform guess: log 3 is 1.1


def test_held_out_figures_are_those_of_the_probabilities() -> None:
    features, targets = clusters(3, 7, spread=2.0)
    head = fit_head(features, targets, 3)
    assert head.out_of_fold is not None
    assert head.out_of_fold.shape == (21, 3)
    assert head.out_of_fold.sum(axis=1) == pytest.approx(1)
    assert head.accuracy == pytest.approx((head.out_of_fold.argmax(axis=1) == targets).mean())
    assert head.log_loss == pytest.approx(-np.log(head.out_of_fold[np.arange(21), targets]).mean())


def test_held_out_rows_did_not_take_part_in_their_fit() -> None:
    rng = np.random.default_rng(0)
    noise, targets = rng.normal(size=(40, 200)), np.repeat([0, 1], 20)
    head = fit_head(noise, targets, 2)
    assert head.accuracy is not None
    assert head.accuracy < 0.75  # it has memorised the rows, which says nothing about unseen ones
    assert (softmax(head, noise).argmax(axis=1) == targets).all()


def test_the_only_image_of_a_label_is_never_held_out() -> None:
    features, targets = clusters(3, 4)
    head = fit_head(features[:9], targets[:9], 3)
    assert head.out_of_fold is not None
    assert np.isnan(head.out_of_fold).all(axis=1).tolist() == [False] * 8 + [True]
    assert head.log_loss == pytest.approx(-np.log(head.out_of_fold[np.arange(8), targets[:8]]).mean())
    assert (softmax(head, features[:9]).argmax(axis=1) == targets[:9]).all()


@pytest.mark.parametrize("counts", [(1, 1), (1, 1, 1), (3, 1, 1)])
def test_with_one_image_of_most_labels_nothing_is_held_out(counts: tuple[int, ...]) -> None:
    features, _ = clusters(1, sum(counts), spread=3.0)
    targets = np.repeat(np.arange(len(counts)), counts)
    head = fit_head(features, targets, len(counts))
    assert head.C == DEFAULT_C
    assert head.log_loss is None
    assert head.accuracy is None
    assert head.out_of_fold is None
    assert (softmax(head, features).argmax(axis=1) == targets).all()


@given(st.lists(st.integers(1, 12), min_size=2, max_size=6), st.integers(0, 1000))
def test_every_fold_leaves_an_image_of_each_label(counts: list[int], random_state: int) -> None:
    targets = np.random.default_rng(random_state).permutation(np.repeat(np.arange(len(counts)), counts))
    fold = folds_of(targets, len(counts), random_state)
    if fold is None:
        assert 2 * sum(count > 1 for count in counts) < len(counts)
        return
    for number in range(fold.max() + 1):
        assert (fold == number).any()
        assert set(targets[fold != number]) == set(range(len(counts)))
    for label, count in enumerate(counts):
        held = np.bincount(fold[targets == label] + 1, minlength=2)[1:]
        assert held.sum() == (count if count > 1 else 0)
        assert held.max() - held.min() <= 1
    sizes = np.bincount(fold[fold >= 0])
    assert sizes.max() - sizes.min() <= len(counts)


def uneven(counts: tuple[int, ...], spread: float, random_state: int) -> Arrays:
    """Return clusters with a different number of points per label."""
    features, targets = clusters(len(counts), max(counts), spread=spread, random_state=random_state)
    chosen = np.concatenate([np.flatnonzero(targets == label)[:count] for label, count in enumerate(counts)])
    return features[chosen], targets[chosen]


def test_rare_labels_count_for_more_only_where_held_out_confidences_gain() -> None:
    better = 0
    for random_state in range(6):
        features, targets = uneven((4, 30, 30), 3.0, random_state)
        head = fit_head(features, targets, 3, random_state=random_state)
        note = next(note for note in head.notes if "imbalanced" in note)
        weighted, plain = map(float, re.findall(r"log-loss (\d\.\d+) instead of (\d\.\d+)", note)[0])
        assert (head.balance == 1) == (weighted < plain)
        better += head.balance == 1
    assert better >= 4
    noise = np.random.default_rng(0).normal(size=(70, 40))  # without any signal, the rare label is rarely predicted
    head = fit_head(noise, np.repeat([0, 1], [10, 60]), 2)
    assert head.balance == 0
    assert any(tells(note, "imbalanced", 10, 60, "same weight") for note in head.notes)
    assert fit_head(*clusters(3, 10), 3).notes == ()


def test_hyperparameters_are_chosen_on_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    features, targets = uneven((12, 120, 120), 3.0, random_state=3)
    whole = fit_head(features, targets, 3)
    monkeypatch.setattr("customlabels_nb.training.classification.MOST_COMPARED", 60)
    monkeypatch.setattr("customlabels_nb.training.classification.MOST_DOUBLE", 200)
    head = fit_head(features, targets, 3)
    assert head.out_of_fold is not None
    compared = ~np.isnan(head.out_of_fold[:, 0])
    assert 60 <= compared.sum() <= 70
    assert compared[targets == 0].sum() >= 10
    assert head.log_loss == pytest.approx(whole.log_loss, abs=0.2)
    others, expected = clusters(3, 30, spread=3.0, random_state=3)
    assert (softmax(head, others).argmax(axis=1) == softmax(whole, others).argmax(axis=1)).mean() > 0.9
    assert (softmax(head, others).argmax(axis=1) == expected).mean() > 0.8


def test_overconfident_heads_are_softened() -> None:
    rng = np.random.default_rng(1)
    features, targets = clusters(2, 60, spread=1.5, random_state=1)
    wrong = rng.random(120) < 0.25  # labels that cannot be predicted
    targets = np.where(wrong, 1 - targets, targets)
    head = fit_head(features, targets, 2, Cs=[1000.0])
    assert head.temperature > 1.2
    assert any("softened" in note for note in head.notes)
    plain = LogisticRegression(C=1000.0, tol=1e-9, max_iter=5000).fit(features, targets)
    powers = np.exp(plain.decision_function(features) / head.temperature)
    assert softmax(head, features)[:, 1] == pytest.approx(powers / (1 + powers), abs=5e-3)
    assert head.out_of_fold is not None
    assert head.out_of_fold.sum(axis=1) == pytest.approx(1)


def test_same_seed_same_head() -> None:
    features, targets = clusters(3, 8, spread=3.0)
    first, again, other = (fit_head(features, targets, 3, random_state=random_state) for random_state in (1, 1, 2))
    assert (first.weight == again.weight).all()
    assert (first.out_of_fold == again.out_of_fold).all()
    assert (first.out_of_fold != other.out_of_fold).any()


def test_bad_input_is_refused() -> None:
    features, targets = clusters(3, 4)
    broken = features.copy()
    broken[5, 3] = np.nan
    with pytest.raises(InputError, match=r"features\[5\]"):
        fit_head(broken, targets, 3)
    with pytest.raises(InputError, match=r"\(12, 80\) and targets \(11,\)"):
        fit_head(features, targets[:-1], 3)
    with pytest.raises(InputError, match="targets"):
        fit_head(features, targets, 2)
    with pytest.raises(InputError, match="targets"):
        fit_head(features, targets.astype(float), 3)
    with pytest.raises(InputError, match="Cs"):
        fit_head(features, targets, 3, Cs=[])
    with pytest.raises(NotEnoughDataError, match=r"\[3\]"):
        fit_head(features, targets, 4)
    with pytest.raises(NotEnoughDataError, match="at least 2"):
        fit_head(features, np.zeros(12, int), 1)


@pytest.fixture(scope="module")
def fruit(fruit_photos: Path) -> Arrays:
    """Return features and labels of the fruit photos."""
    names = sorted(path.name for path in fruit_photos.iterdir())
    images = [(str(path), i) for i, name in enumerate(names) for path in sorted((fruit_photos / name).iterdir())]
    found = embed([path for path, _ in images])
    assert not found.issues
    return found.features, np.array([i for _, i in images])


@pytest.mark.thorough
@pytest.mark.parametrize(("shots", "accuracy", "log_loss"), [(2, 0.98, 0.1), (5, 0.995, 0.03)])
def test_a_few_photos_a_label_are_enough(fruit: Arrays, shots: int, accuracy: float, log_loss: float) -> None:
    features, targets = fruit
    right, losses = [], []
    for random_state in range(20):
        rng = np.random.default_rng(random_state)
        train = np.concatenate([rng.permutation(np.flatnonzero(targets == label))[:shots] for label in range(3)])
        test = np.setdiff1d(np.arange(len(targets)), train)
        found = softmax(fit_head(features[train], targets[train], 3, random_state=random_state), features[test])
        right.append((found.argmax(axis=1) == targets[test]).mean())
        losses.append(-np.log(found[np.arange(len(test)), targets[test]]).mean())
    assert np.mean(right) >= accuracy
    assert np.mean(losses) <= log_loss


def test_new_photos_are_recognised_with_confidence(fruit: Arrays, fruit_test_photos: list[Path]) -> None:
    features, targets = fruit
    new = embed([str(path) for path in fruit_test_photos]).features
    for random_state in range(10):
        rng = np.random.default_rng(random_state)
        train = np.concatenate([rng.permutation(np.flatnonzero(targets == label))[:12] for label in range(3)])
        found = softmax(fit_head(features[train], targets[train], 3, random_state=random_state), new)
        assert found.argmax(axis=1).tolist() == [0, 1, 2]
        assert found.max(axis=1).min() > 0.9


def test_many_labels_of_two_images_each_are_no_warning() -> None:
    features = np.random.default_rng(0).normal(size=(24, 20))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for each in (1, 2):
            fit_head(features, np.arange(24) // each, 24 // each)
