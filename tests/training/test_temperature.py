import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customlabels_nb.errors import InputError
from customlabels_nb.training.temperature import LEAST_IMAGES, MOST, fit_temperature, losses, standard_error


def drawn(n: int, k: int, random_state: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw logits, and labels with the corresponding probabilities."""
    rng = np.random.default_rng(random_state)
    logits = 2 * rng.normal(size=(n, k))
    powers = np.exp(logits)
    return logits, (powers.cumsum(axis=1) / powers.sum(axis=1, keepdims=True) < rng.random((n, 1))).sum(axis=1)


@pytest.mark.parametrize("factor", [1.5, 3.0, 6.0])
def test_a_known_temperature_is_found(factor: float) -> None:
    logits, targets = drawn(3000, 4)
    found = fit_temperature(logits * factor, targets)
    assert found.kept
    assert found.value == pytest.approx(factor, rel=0.1)
    assert found.after < found.before
    assert found.after == pytest.approx(losses(logits, targets).mean(), abs=0.01)
    assert found.losses.mean() == pytest.approx(found.after)


def test_temperature_of_multi_label_models() -> None:
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(2000, 3))
    truth = rng.random((2000, 3)) < 1 / (1 + np.exp(-logits))
    assert fit_temperature(3 * logits, truth).value == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_confidences_that_can_be_trusted_stay_as_they_are(factor: float) -> None:
    logits, targets = drawn(1000, 3)
    found = fit_temperature(logits * factor, targets)
    assert not found.kept  # nor is a cautious model made more confident
    assert found.value == 1
    assert found.before == found.after == pytest.approx(losses(logits * factor, targets).mean())


def test_few_images_keep_the_temperature() -> None:
    logits, targets = drawn(LEAST_IMAGES - 1, 3)
    assert not fit_temperature(20 * logits, targets).kept
    assert np.isnan(fit_temperature(np.empty((0, 3)), np.empty(0, int)).before)


@given(st.integers(1, 60), st.integers(2, 5), st.floats(0.1, 200), st.integers(0, 10_000))
def test_it_never_makes_held_out_images_worse(n: int, k: int, factor: float, random_state: int) -> None:
    logits, targets = drawn(n, k, random_state)
    found = fit_temperature(factor * logits, targets, random_state=random_state)
    assert 1 <= found.value <= MOST
    assert found.after <= found.before
    assert found == fit_temperature(factor * logits, targets, random_state=random_state)


def test_losses_are_the_log_losses() -> None:
    logits = np.array([[0.0, np.log(3.0)], [1000.0, -1000.0]])
    assert losses(logits, np.array([1, 0])) == pytest.approx([-np.log(0.75), 0])
    assert losses(logits, np.array([1, 1])) == pytest.approx([-np.log(0.75), 2000])
    several = losses(logits[:1], np.array([[True, False]]))
    assert several == pytest.approx([(-np.log(0.5) - np.log(0.25)) / 2])
    assert standard_error(np.array([3.0])) == np.inf


def test_bad_input_is_refused() -> None:
    for logits, truth in (
        (np.zeros(3), np.zeros(3, int)),
        (np.zeros((3, 2)), np.zeros(2, int)),
        (np.full((3, 2), np.nan), np.zeros(3, int)),
    ):
        with pytest.raises(InputError, match="logits"):
            fit_temperature(logits, truth)
