from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from customlabels_nb.assist.clusters import ENOUGH_LABELS, cluster_pages
from customlabels_nb.assist.queue import compact
from customlabels_nb.errors import InputError
from tests.labeling.fake_assist import results


def drawn(n: int, k: int, spread: float, *, random_state: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(random_state)
    label = np.arange(n) % k
    return compact(np.eye(k, 20)[label] + spread * rng.normal(size=(n, 20))), label


def purity(pages: pd.DataFrame, label: np.ndarray) -> pd.Series:
    """Return the share of the most frequent label on each page."""
    own = pd.Series(label[pages["position"]])
    return own.groupby(pages["page"].to_numpy()).agg(lambda part: part.value_counts(normalize=True).iloc[0])


@pytest.mark.parametrize("size", [1, 4, 6, 9, 50])
def test_every_open_image_is_on_one_page_of_one_cluster(size: int) -> None:
    features, _ = drawn(203, 4, 0.2)
    open_ = np.arange(203) % 5 != 0
    pages = cluster_pages(features, open_, size)
    assert sorted(pages["position"]) == np.flatnonzero(open_).tolist()
    sizes = pages.groupby("page").size()
    assert sizes.max() <= size
    assert (pages.groupby("page")["cluster"].nunique() == 1).all()
    assert sizes.index.tolist() == list(range(len(sizes)))
    pd.testing.assert_frame_equal(pages, cluster_pages(features, open_, size))


def test_the_purest_pages_come_first() -> None:
    features, label = drawn(600, 5, 0.16)
    pages = cluster_pages(features, np.ones(600, bool), 9)
    alike = pages.groupby("page")["alike"].first()
    full = alike[pages.groupby("page").size() == 9]
    assert (full.diff().dropna() <= 1e-9).all()
    pure = purity(pages, label)
    assert pure.head(20).mean() > 0.95
    assert pure.head(20).mean() >= pure.tail(20).mean()


def test_a_trained_model_makes_pages_purer() -> None:
    features, label = drawn(500, 5, 0.35)
    probabilities = np.full((500, 5), 0.05)
    probabilities[np.arange(500), label] = 0.8
    everything = np.ones(500, bool)
    plain = cluster_pages(features, everything, 6)
    before = cluster_pages(features, everything, 6, probabilities=probabilities, labels=ENOUGH_LABELS - 1)
    later = cluster_pages(features, everything, 6, probabilities=probabilities, labels=ENOUGH_LABELS)
    pd.testing.assert_frame_equal(plain, before)
    assert (plain["label"] == -1).all()
    assert purity(plain, label).mean() < 0.95
    assert purity(later, label).mean() == 1
    assert (later["label"] == label[later["position"]]).all()


@pytest.mark.parametrize(("n", "uses_model"), [(29, True), (30, False)])
def test_few_images_are_grouped_by_the_model_from_its_first_labels_on(n: int, uses_model: bool) -> None:
    features, label = drawn(n, 5, 0.35)
    probabilities = np.full((n, 5), 0.05)
    probabilities[np.arange(n), label] = 0.8
    pages = cluster_pages(features, np.ones(n, bool), 6, probabilities=probabilities, labels=5)
    assert bool(purity(pages, label).mean() == 1) is uses_model
    assert bool((pages["label"] >= 0).all()) is uses_model


def test_the_order_stays_while_images_are_labelled() -> None:
    features, _ = drawn(120, 3, 0.2)
    pages = cluster_pages(features, np.ones(120, bool), 6)
    first = pages.loc[pages["page"] == 0, "position"].to_numpy()
    names = np.array([f"{i}.jpg" for i in range(120)])
    stored = replace(results(names.tolist()), pages=pages)
    left = stored.cluster_pages(set(np.delete(names, first[1:])), {names[first[0]]})
    assert left["position"].tolist() == [*pages["position"][6:], first[0]]
    assert (left["page"].to_numpy()[:-1] == pages["page"].to_numpy()[6:]).all()
    assert left["page"].iloc[-1] > pages["page"].max()  # alone, not skipped
    assert stored.cluster_pages((), names).empty


def test_nothing_is_grouped_when_all_is_labelled() -> None:
    features, _ = drawn(20, 2, 0.2)
    pages = cluster_pages(features, np.zeros(20, bool), 4)
    assert pages.empty
    assert replace(results([f"{i}.jpg" for i in range(20)]), pages=pages).cluster_pages((), ()).empty


def test_a_page_needs_an_image() -> None:
    with pytest.raises(InputError, match="size=0"):
        cluster_pages(drawn(10, 2, 0.2)[0], np.ones(10, bool), 0)
