from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from customlabels_nb.assist.queue import (
    MANY_CHECKED,
    QueueState,
    ask_once,
    check_images,
    check_places,
    compact,
    order_queue,
)
from customlabels_nb.errors import InputError


def names(count: int) -> list[str]:
    return [f"img_{number:04d}.jpg" for number in range(count)]


def check_order(images: Sequence[str], *, random_state: int = 0) -> np.ndarray:
    return np.argsort(check_places(images, random_state=random_state))


def blobs(sizes: tuple[int, ...], *, random_state: int = 0, spread: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Draw features around one direction per cluster, and the cluster of each row."""
    rng = np.random.default_rng(random_state)
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    centres = np.eye(len(sizes), 24) * 3
    return compact(centres[cluster] + spread * rng.normal(size=(len(cluster), 24))), cluster


def nothing_labelled(features: np.ndarray, k: int, *, random_state: int = 0) -> QueueState:
    n = len(features)
    order = check_order(names(n), random_state=random_state)[: n // 4]
    return QueueState(features, order, np.ones(n, bool), np.zeros(n, bool), np.zeros(k, int))


def answered(state: QueueState, chosen: np.ndarray, cluster: np.ndarray) -> QueueState:
    done = state.labelled.copy()
    done[chosen] = True
    counts = np.bincount(cluster[done], minlength=len(state.counts))
    return replace(state, labelled=done, open=~done, counts=counts, checked=len(chosen))


def test_check_images_are_a_uniform_sample_that_depends_on_name_and_seed_only() -> None:
    order = check_order(names(1000), random_state=3)
    assert sorted(order.tolist()) == list(range(1000))
    assert (order == check_order(names(1000), random_state=3)).all()
    assert (order != check_order(names(1000), random_state=4)).any()
    without = [name for name in names(1000) if name != "img_0500.jpg"]
    kept = [without[at] for at in check_order(without, random_state=3)]
    assert kept == [names(1000)[at] for at in order if at != 500]
    first = np.array([check_order(names(100), random_state=random_state)[:10] for random_state in range(300)])
    drawn = np.bincount(first.ravel(), minlength=100)  # 30 of each image are expected
    assert drawn.min() > 10
    assert drawn.max() < 55


def test_names_with_surrogates_are_ordered() -> None:
    assert sorted(check_order(["a\udcff.jpg", "<b>.jpg", "日本.jpg"]).tolist()) == [0, 1, 2]


def test_a_biased_queue_does_not_bias_the_check_images() -> None:
    rng = np.random.default_rng(0)
    easy, shares = rng.random(2000) < 0.8, []
    for random_state in range(20):
        places = check_places(names(2000), random_state=random_state)
        labelled, offered = np.zeros(2000, bool), list[int]()
        for _ in range(6):
            end, offered = check_images(places, ~labelled, offered)
            reserved = np.isin(places, np.array(offered, np.uint64))
            labelled |= easy & ~reserved & (rng.random(2000) < 0.5)  # by pages of clusters, for example
            labelled[np.flatnonzero(reserved & ~labelled)[np.argsort(places[reserved & ~labelled])][:40]] = True
        shares.append(easy[places <= end].mean())
    assert np.mean(shares) == pytest.approx(0.8, abs=0.02)


def test_the_evidence_ends_at_an_offered_place_before_the_first_open_one() -> None:
    places = np.arange(100, dtype=np.uint64)
    waiting = np.ones(100, bool)
    end, offered = check_images(places, waiting, [])
    assert (end, offered) == (-1, list(range(25)))
    waiting[:3] = waiting[60:] = False
    assert check_images(places, waiting, offered) == (2, [2, 2, *range(3, 18)])
    waiting[:50] = False  # what nobody was offered is no evidence, although it is labelled
    end, offered = check_images(places, waiting, offered)
    assert (end, offered) == (24, [24, 24, 50, 51, 52])
    waiting[7] = True  # added later
    end, offered = check_images(places, waiting, offered)
    assert (end, offered) == (-1, [24, 7, 50, 51])
    waiting[7] = False
    assert check_images(places, waiting, offered)[0] == 24
    assert check_images(places, np.zeros(100, bool), offered) == (51, [51, 51])


def test_half_of_each_page_are_check_images_then_a_fifth() -> None:
    features, cluster = blobs((200, 200, 200))
    state = nothing_labelled(features, 3)
    queue = order_queue(state, page=20)
    assert (queue["kind"][:20] == "check").sum() == 10
    checks = queue.loc[queue["kind"] == "check", "position"].to_numpy()
    assert (np.diff([state.check_order.tolist().index(at) for at in checks]) > 0).all()
    many = answered(state, state.check_order[:MANY_CHECKED], cluster)
    assert (order_queue(many, page=20)["kind"][:20] == "check").sum() == 4


def test_the_queue_has_every_open_image_once_and_is_the_same_for_the_same_seed() -> None:
    features, cluster = blobs((150, 80, 20))
    state = answered(nothing_labelled(features, 3), np.arange(0, 250, 7), cluster)
    probabilities = np.full((250, 3), 0.2)
    probabilities[np.arange(250), cluster] = 0.6
    warm = replace(state, doubt=np.linspace(0, 1, 250), probabilities=probabilities)
    for each in (state, warm):
        for page in (1, 9, 20, 1000):
            queue = order_queue(each, page=page, random_state=5)
            assert sorted(queue["position"]) == np.flatnonzero(each.open).tolist()
            pd.testing.assert_frame_equal(queue, order_queue(each, page=page, random_state=5))


def test_check_images_are_never_asked_because_of_the_model() -> None:
    features, cluster = blobs((60, 60))
    state = answered(nothing_labelled(features, 2), np.arange(0, 120, 11), cluster)
    doubt = np.zeros(120)
    doubt[state.check_order] = 1
    warm = replace(state, doubt=doubt, probabilities=np.full((120, 2), 0.5))
    for each in (state, warm):
        queue = order_queue(each)
        checks = each.check_order[each.open[each.check_order]]
        assert queue.loc[queue["kind"] == "check", "position"].tolist() == checks.tolist()


def test_nothing_is_asked_when_all_is_labelled() -> None:
    features, cluster = blobs((10, 10))
    state = answered(nothing_labelled(features, 2), np.arange(20), cluster)
    assert order_queue(state).empty
    assert order_queue(replace(state, doubt=np.zeros(20))).empty


def test_a_page_needs_an_image() -> None:
    with pytest.raises(InputError, match="page=0"):
        order_queue(nothing_labelled(blobs((5, 5))[0], 2), page=0)


def test_the_first_typical_images_cover_all_clusters() -> None:
    features, cluster = blobs((300, 60, 60, 60, 60, 60))
    covered, by_chance = [], []
    for random_state in range(5):
        queue = order_queue(
            nothing_labelled(features, 6, random_state=random_state), page=24, random_state=random_state
        )
        typical = queue.loc[queue["kind"] == "typical", "position"].to_numpy()[:12]
        covered.append(len(np.unique(cluster[typical])))
        by_chance.append(len(np.unique(cluster[np.random.default_rng(random_state).permutation(600)[:12]])))
    assert np.mean(covered) > np.mean(by_chance)
    assert min(covered) >= 4


def test_typical_images_are_in_the_middle_of_their_cluster() -> None:
    features, cluster = blobs((100, 100, 100), spread=0.6)
    centres = np.stack([features[cluster == number].mean(axis=0) for number in range(3)])
    distance = np.linalg.norm(features - centres[cluster], axis=1)
    queue = order_queue(nothing_labelled(features, 3), page=6)
    typical = queue.loc[queue["kind"] == "typical", "position"].to_numpy()[:3]
    assert distance[typical].mean() < 0.8 * distance.mean()


def test_later_uncertain_images_come_first_and_differ_from_each_other() -> None:
    features, cluster = blobs((200, 200, 200, 200))
    doubt = np.where(cluster < 2, 0.9, 0.1) + np.random.default_rng(0).uniform(0, 0.05, 800)
    state = answered(nothing_labelled(features, 4), np.arange(0, 800, 10), cluster)
    queue = order_queue(replace(state, doubt=doubt), page=8)
    asked = queue.loc[queue["kind"] == "uncertain", "position"].to_numpy()[:6]
    assert (doubt[asked] >= 0.9).all()
    assert set(cluster[asked].tolist()) == {0, 1}


def test_images_of_rare_labels_get_a_quarter_of_the_chosen_places() -> None:
    features, cluster = blobs((400, 400, 60))
    labelled = np.r_[0:60, 400:460, 800:803]
    state = answered(nothing_labelled(features, 3), labelled, cluster)
    probabilities = np.full((860, 3), 0.05)
    probabilities[np.arange(860), cluster] = 0.9
    queue = order_queue(replace(state, doubt=np.linspace(1, 0, 860), probabilities=probabilities), page=40)
    asked = queue[queue["kind"] != "check"][:40]
    rare = asked.loc[asked["kind"] == "rare", "position"].to_numpy()
    assert 9 <= len(rare) <= 12  # an image that is also a check image counts as one
    assert (cluster[rare] == 2).all()


def test_sharpest_of_near_duplicates_is_queued() -> None:
    copies = ["a", "b", "a", "c", "b", "a"]
    assert ask_once(copies, [1, 5, 3, 0, 5, 2]).tolist() == [False, True, True, True, False, False]


def test_compact_rows_have_unit_length_and_unreadable_images_none() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(100, 200)).astype(np.float16)
    rows[7] = np.nan
    small = compact(rows)
    assert small.shape == (100, 64)
    assert small.dtype == np.float32
    np.testing.assert_allclose(np.delete(np.linalg.norm(small, axis=1), 7), 1, rtol=1e-5)
    assert not small[7].any()
    assert compact(rng.normal(size=(3, 5))).shape[0] == 3
