"""Tests of splitting: labels are in both parts where possible, groups stay together, and the seed decides."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customlabels_nb.datasets.splitting import rare_labels, stratified_folds, stratified_split
from tests.tiers import many

single = st.lists(st.sampled_from("abcde"), min_size=1, max_size=80)
fraction = st.floats(0.05, 0.95)
seed = st.integers(0, 2**32)


def sides(labels: list[list[str]], chosen: np.ndarray) -> dict[str, tuple[int, int]]:
    """Return the numbers of not chosen and chosen images by label."""
    names = sorted({name for own in labels for name in own})
    return {
        name: (
            sum(name in own and not picked for own, picked in zip(labels, chosen, strict=True)),
            sum(name in own and bool(picked) for own, picked in zip(labels, chosen, strict=True)),
        )
        for name in names
    }


@settings(max_examples=many(80))
@given(single, fraction, seed)
def test_each_label_has_its_share_within_one_image(names: list[str], share: float, random_state: int) -> None:
    labels = [[name] for name in names]
    chosen = stratified_split(labels, share, random_state=random_state)
    for name, (stay, go) in sides(labels, chosen).items():
        total = names.count(name)
        if total < 2:
            assert go == 0
        else:
            assert stay >= 1
            assert go >= 1
            assert abs(go - share * total) <= 1


def lacking(incidence: np.ndarray, chosen: np.ndarray) -> int:
    total, on = incidence.sum(axis=0), incidence[chosen].sum(axis=0)
    return int(np.where(total >= 2, (on == 0) | (on == total), on > 0).sum())


@settings(max_examples=many(400))
@given(seed)
def test_with_several_labels_an_image_both_sides_have_each_label_if_any_split_does_that(random_state: int) -> None:
    chance = random.Random(random_state)  # draws more images with more labels than strategies do
    labels = [chance.sample("abcdef", chance.randrange(5)) for _ in range(chance.randrange(1, 9))]
    share = chance.uniform(0.05, 0.95)
    chosen = stratified_split(labels, share, random_state=random_state)
    names = sorted({name for own in labels for name in own})
    incidence = np.array([[name in own for name in names] for own in labels], dtype=bool).reshape(len(labels), -1)
    possible = any(not lacking(incidence, np.array(pick, dtype=bool)) for pick in product([0, 1], repeat=len(labels)))
    if possible:
        assert not lacking(incidence, chosen)
    assert not chosen[[not own for own in labels]].any()


def test_many_labels_an_image_keep_their_shares() -> None:
    rng = np.random.default_rng(5)
    labels = [[f"l{i}" for i in set(rng.integers(0, 12, rng.integers(1, 5)))] for _ in range(600)]
    found = sides(labels, stratified_split(labels, 0.25))
    assert all(0.2 <= go / (stay + go) <= 0.3 for stay, go in found.values())


@settings(max_examples=many(60))
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), min_size=1, max_size=40), fraction, seed)
def test_groups_are_not_divided(pairs: list[tuple[str, int]], share: float, random_state: int) -> None:
    labels, groups = [[name] for name, _ in pairs], [group for _, group in pairs]
    chosen = stratified_split(labels, share, groups=groups, random_state=random_state)
    for group in set(groups):
        assert len({bool(c) for c, g in zip(chosen, groups, strict=True) if g == group}) == 1
    one_label_each = len(set(pairs)) == len(set(groups))
    if one_label_each:
        found, rare = sides(labels, chosen), rare_labels(labels, groups)
        assert {name for name, (stay, go) in found.items() if not (stay and go)} == set(rare)
        assert all(found[name][1] == 0 for name in rare)


@settings(max_examples=many(20))
@given(single, seed)
def test_same_random_state_gives_the_same_split(names: list[str], random_state: int) -> None:
    labels = [[name] for name in names]
    first = stratified_split(labels, 0.3, random_state=random_state)
    assert (first == stratified_split(labels, 0.3, random_state=random_state)).all()


def test_other_random_state_gives_another_split() -> None:
    labels = [["a"]] * 50
    assert (stratified_split(labels, 0.5, random_state=1) != stratified_split(labels, 0.5, random_state=2)).any()


def test_large_groups_keep_the_share() -> None:
    groups = [0] * 60 + list(range(1, 41))
    chosen = stratified_split([["a"]] * 100, 0.2, groups=groups)
    assert 15 <= chosen.sum() <= 25
    assert not chosen[0]


@pytest.mark.parametrize("labels", [[], [[]], [[], []], [["a"]], [["a"], ["b"]]])
def test_indivisible_group_stays_in_one_part(labels: list[list[str]]) -> None:
    chosen = stratified_split(labels, 0.5)
    assert chosen.shape == (len(labels),)
    assert chosen.dtype == bool
    assert not chosen.any()


def test_a_label_named_twice_on_an_image_counts_once() -> None:
    assert stratified_split([["a", "a"], ["a"]], 0.5).sum() == 1


def test_the_only_image_of_a_label_stays_even_if_its_other_label_is_common() -> None:
    labels = [["common", "rare"], *[["common"]] * 3]
    for random_state in range(20):
        chosen = stratified_split(labels, 0.75, random_state=random_state)
        assert not chosen[0]
        assert chosen.any()


def test_rare_labels_are_those_of_one_image_or_one_group() -> None:
    labels = [["a", "x"], ["a"], ["b"], ["b"], []]
    assert rare_labels(labels) == ["x"]
    assert rare_labels(labels, ["g", "h", "i", "i", "j"]) == ["b", "x"]


@given(st.lists(st.sampled_from("abc"), min_size=2, max_size=60), st.integers(2, 12), seed)
@settings(max_examples=many(200), deadline=None)
def test_folds_are_equally_large_for_each_label_and_in_total(labels: list[str], folds: int, random_state: int) -> None:
    dealt = stratified_folds([[label] for label in labels], folds, random_state=random_state)
    for part in (dealt, *(dealt[np.array(labels) == label] for label in set(labels))):
        sizes = np.bincount(part, minlength=folds)
        assert sizes.max() - sizes.min() <= 1


@given(
    st.lists(st.tuples(st.sets(st.sampled_from("abc")), st.integers(0, 20)), min_size=2, max_size=40),
    st.integers(2, 6),
    seed,
)
@settings(max_examples=many(100), deadline=None)
def test_groups_stay_together_in_folds(images: list[tuple[set[str], int]], folds: int, random_state: int) -> None:
    labels, groups = [sorted(names) for names, _ in images], [group for _, group in images]
    dealt = stratified_folds(labels, folds, groups=groups, random_state=random_state).tolist()
    assert dealt == stratified_folds(labels, folds, groups=groups, random_state=random_state).tolist()
    assert len(set(zip(groups, dealt, strict=True))) == len(set(groups))
    assert set(dealt) <= set(range(folds))
