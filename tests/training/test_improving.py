import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customlabels_nb.errors import InputError
from customlabels_nb.training.improving import LEAST_HELD_OUT, MOST_HELD_OUT, choose_start, hold_out
from tests.facts import tells


def test_clearly_better_candidate_wins_and_both_metrics_are_noted() -> None:
    names = "the head", "the tuned network"
    kept, reason = choose_start(names, np.array([0.5, 0.6, 0.7]), np.array([0.1, 0.2, 0.3]))
    assert kept
    assert tells(reason, "the tuned network", 3, "0.200", "the head", "0.600")


def test_one_that_is_better_by_luck_does_not() -> None:
    names = "the head", "other"
    kept, reason = choose_start(names, np.array([0.5, 0.5, 0.5, 0.5]), np.array([0.1, 0.6, 0.6, 0.6]))
    assert not kept
    assert tells(reason, "the head", "0.500", 4, "other", "0.475")
    kept, reason = choose_start(names, np.array([0.5, 0.5]), np.array([0.6, 0.7]))
    assert not kept
    assert "was no better" in reason


@given(st.integers(1, 30), st.integers(0, 1000))
def test_kept_network_is_never_worse_on_held_out_images(n: int, random_state: int) -> None:
    first, other = np.random.default_rng(random_state).exponential(size=(2, n))
    kept, _ = choose_start(("the head", "other"), first, other)
    assert not kept or other.mean() <= first.mean()


def test_a_fifth_is_held_out_label_by_label() -> None:
    labels = [["a"]] * 60 + [["b"]] * 40
    found = hold_out(labels, random_state=1)
    assert found is not None
    assert (found[:60].sum(), found[60:].sum()) == (12, 8)
    assert (found == hold_out(labels, random_state=1)).all()
    assert (found != hold_out(labels, random_state=2)).any()
    assert hold_out(labels[:30]) is None
    many = hold_out([["a"], ["b"]] * 20_000)
    assert many is not None
    assert many.sum() == pytest.approx(MOST_HELD_OUT, abs=2)


def test_training_images_of_a_candidate_are_not_held_out() -> None:
    labels = [["a"], ["b"]] * 50
    seen = np.arange(100) < 60
    found = hold_out(labels, seen=seen)
    assert found is not None
    assert not found[seen].any()
    assert found.sum() == 20
    assert hold_out(labels, seen=np.ones(100, dtype=bool)) is None
    assert hold_out(labels, seen=np.arange(100) < 95) is None  # five new ones are too few
    with pytest.raises(InputError, match="seen"):
        hold_out(labels, seen=[True])


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=4), min_size=45, max_size=80), st.integers(0, 1000))
def test_no_label_is_left_without_an_image_to_learn_from(labels: list[list[str]], random_state: int) -> None:
    found = hold_out(labels, random_state=random_state)
    if found is None:
        return
    assert LEAST_HELD_OUT <= found.sum() <= len(labels) // 2
    left = {name for own, held in zip(labels, found, strict=True) if not held for name in own}
    assert left == {name for own in labels for name in own}
