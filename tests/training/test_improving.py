import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customlabels_nb.errors import InputError
from customlabels_nb.training.improving import LEAST_HELD_OUT, MOST_HELD_OUT, ModelCandidate, choose_start, hold_out


def candidate(name: str, *losses: float) -> ModelCandidate:
    return ModelCandidate(name, np.array(losses))


def test_the_clearly_better_one_wins_and_both_figures_are_said() -> None:
    found = choose_start([candidate("the head", 0.5, 0.6, 0.7), candidate("the tuned network", 0.1, 0.2, 0.3)])
    assert (found.position, found.name, found.images) == (1, "the tuned network", 3)
    assert found.log_losses == pytest.approx({"the head": 0.6, "the tuned network": 0.2})
    assert found.reason == (
        "Kept the tuned network: on 3 held-out images its log-loss is 0.200, that of the head 0.600."
    )


def test_one_that_is_better_by_luck_does_not() -> None:
    found = choose_start([candidate("the head", 0.5, 0.5, 0.5, 0.5), candidate("other", 0.1, 0.6, 0.6, 0.6)])
    assert found.position == 0
    assert "not clearly better" in found.reason
    worse = choose_start([candidate("the head", 0.5, 0.5), candidate("other", 0.6, 0.7)])
    assert worse.position == 0
    assert "no better" in worse.reason


def test_of_several_better_ones_the_best_wins() -> None:
    found = choose_start([candidate("a", 0.9, 0.8), candidate("b", 0.4, 0.5), candidate("c", 0.1, 0.2)])
    assert found.name == "c"
    assert choose_start([candidate("a", 0.9, 0.8)]).name == "a"


@given(st.integers(1, 30), st.integers(1, 4), st.integers(0, 1000))
def test_what_is_kept_is_never_worse_on_held_out_images(n: int, others: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    candidates = [ModelCandidate(str(i), rng.exponential(size=n)) for i in range(others + 1)]
    found = choose_start(candidates)
    assert candidates[found.position].log_loss <= candidates[0].log_loss


def test_candidates_that_cannot_be_compared_are_refused() -> None:
    for wrong in (
        [],
        [candidate("a")],
        [candidate("a", 1.0), candidate("b", 1.0, 2.0)],
        [candidate("a", 1.0), candidate("a", 2.0)],
    ):
        with pytest.raises(InputError):
            choose_start(wrong)


def test_a_fifth_is_held_out_label_by_label() -> None:
    labels = [["a"]] * 60 + [["b"]] * 40
    found = hold_out(labels, seed=1)
    assert found is not None
    assert (found[:60].sum(), found[60:].sum()) == (12, 8)
    assert (found == hold_out(labels, seed=1)).all()
    assert (found != hold_out(labels, seed=2)).any()
    assert hold_out(labels[:30]) is None
    many = hold_out([["a"], ["b"]] * 20_000)
    assert many is not None
    assert many.sum() == pytest.approx(MOST_HELD_OUT, abs=2)


def test_what_a_candidate_has_learnt_from_is_not_held_out() -> None:
    labels = [["a"], ["b"]] * 50
    seen = np.arange(100) < 60
    found = hold_out(labels, seen=seen)
    assert found is not None
    assert not found[seen].any()
    assert found.sum() == 20
    assert hold_out(labels, seen=np.ones(100, dtype=bool)) is None
    assert hold_out(labels, seen=np.arange(100) < 95) is None  # five that are new say too little
    with pytest.raises(InputError, match="seen"):
        hold_out(labels, seen=[True])


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=4), min_size=45, max_size=80), st.integers(0, 1000))
def test_no_label_is_left_without_an_image_to_learn_from(labels: list[list[str]], seed: int) -> None:
    found = hold_out(labels, seed=seed)
    if found is None:
        return
    assert LEAST_HELD_OUT <= found.sum() <= len(labels) // 2
    left = {name for own, held in zip(labels, found, strict=True) if not held for name in own}
    assert left == {name for own in labels for name in own}
