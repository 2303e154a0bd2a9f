"""Tests of the example "flowers": three labels per photo, and their visibility."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from customlabels_nb import examples
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.loading import read_dataset
from customlabels_nb.examples import flowers
from customlabels_nb.examples._drawing import Painting, Plane

SORTS = ("bougainvillea", "camellia", "common_lilac", "frangipani", "jonquil")
AGES = ("fully_grown", "not_fully_grown")
LEAVES = ("with_leaves", "without_leaves")
LABELS = tuple(sorted((*SORTS, *AGES, *LEAVES)))


def labels_of(dataset: Dataset) -> dict[str, frozenset[str]]:
    return {Path(str(name)).name: frozenset(group) for name, group in dataset.annotations.groupby("image")["label"]}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> examples.ExamplePhotos:
    folder = tmp_path_factory.mktemp("example") / "flowers"
    return examples.write_photos("flowers", folder, size=(64, 48), train=20, test=20)


def test_every_photo_has_a_sort_leaves_or_none_and_an_age(photos: examples.ExamplePhotos) -> None:
    assert photos.labels == flowers.LABELS == LABELS
    assert (flowers.TRAIN, flowers.TEST, flowers.TASK) == (100, 60, "multi-label")
    for file in (photos.train, photos.test):
        assert file.suffix == ".csv"
        found = labels_of(read_dataset(file))
        assert Counter(found.values()) == {frozenset(three): 1 for three in itertools.product(SORTS, AGES, LEAVES)}


def test_the_kept_photos_have_three_labels_too(photos: examples.ExamplePhotos) -> None:
    for sort, age, leafy in photos.answers.values():
        assert sort in SORTS
        assert age in AGES
        assert leafy in LEAVES


def compose(sort: str, leafy: bool, grown: bool, random_state: int) -> np.ndarray:
    canvas = flowers.compose(flowers._SPECIES[sort], leafy, grown, np.random.default_rng(random_state), (128, 96))
    return np.asarray(canvas.image).astype(int)


@pytest.mark.parametrize("random_state", range(4))
@pytest.mark.parametrize("sort", SORTS)
def test_leaves_are_to_be_seen_where_the_label_says_so(
    sort: str, random_state: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = compose(sort, True, True, random_state)
    draw, drawn = flowers._leaves, []
    monkeypatch.setattr(flowers, "_leaves", lambda plane, rng, *rest: drawn.append(1) or draw(blank(plane), rng, *rest))
    bare = compose(sort, True, True, random_state)
    assert drawn
    assert (np.abs(shown - bare).max(axis=2) > 24).mean() > 0.004
    drawn.clear()
    compose(sort, False, True, random_state)
    assert drawn == []


def blank(plane: object) -> Plane:
    """Return a plane of another canvas."""
    return Painting((16, 16), (0.0, 0.0, 0.0)).flat()


@pytest.mark.parametrize("sort", SORTS)
def test_a_bud_is_another_picture_than_a_bloom(sort: str) -> None:
    assert (compose(sort, False, True, 1) != compose(sort, False, False, 1)).any(axis=2).mean() > 0.005


def test_leaves_are_green() -> None:
    for species in flowers._SPECIES.values():
        red, green, blue = species.greens[0]
        assert green > max(red, blue)


def test_flowers_survive_a_round_trip(photos: examples.ExamplePhotos, tmp_path: Path) -> None:
    dataset = read_dataset(photos.train)
    dataset.to("csv", tmp_path / "again.csv")
    again = labels_of(read_dataset(tmp_path / "again.csv"))
    assert again == labels_of(dataset)
    assert len(again) == 20
