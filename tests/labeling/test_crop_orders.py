"""Tests of sorting crops by similarity and doubt, in the background."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from customlabels_nb.errors import NotReadyError
from customlabels_nb.images.reading import content_hash
from customlabels_nb.images.regions import Part
from customlabels_nb.labeling import crop_orders
from customlabels_nb.labeling.crop_orders import CropOrders, Doubts, JudgedCrops
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.embeddings import describe_features
from customlabels_nb.models.feature_file import crop_content, feature_key, project_features
from tests.models.pictures import save_blots

Answer = TypeVar("Answer")
PHOTOS, EACH = 30, 6


def wait_for(compute: Callable[..., Answer], parts: list[Part], *rest: Any, **options: Any) -> Answer:
    """Wait until an answer about crops is ready."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            return compute(parts, *rest, **options)
        except NotReadyError as error:
            progress = error.done, error.total
        assert 0 <= progress[0] <= progress[1] == len(parts)
        time.sleep(0.02)
    raise AssertionError("it never became ready")


@pytest.fixture
def parts(tmp_path: Path) -> list[Part]:
    """Return crops with stored features: two kinds that alternate on each photo, photo after photo in turn."""
    photos = []
    for number in range(PHOTOS):
        photo = tmp_path / f"{number:02}.jpg"
        photo.touch()
        photos.append(Part(str(photo), content_hash(f"{number}".encode())))
    made = [part._replace(region=(10 * at, 0, 10, 10)) for at in range(EACH) for part in photos]
    file = project_features(tmp_path).of(describe_features(PACKAGED))
    rows = np.random.default_rng(0).normal(size=(len(made), file.width))
    rows[:, :40] += 1.5 * np.where(kinds() == "a", 1, -1)[:, None]
    file.add([feature_key(crop_content(str(part.content), part.region)) for part in made], rows)
    return made


def kinds() -> np.ndarray:
    return np.array(["a", "b"], dtype=object)[np.arange(PHOTOS * EACH) // PHOTOS % 2]


def judge(orders: CropOrders, parts: list[Part], labels: Any, truth: Any = None) -> Doubts:
    is_truth = np.ones(len(parts), np.bool_) if truth is None else truth
    crops = JudgedCrops(parts, np.array(labels, dtype=object), is_truth)
    return wait_for(lambda parts: orders.doubts("stamp", len(parts), lambda: crops), parts)


def test_features_of_crops_are_computed_once_with_progress(tmp_path: Path) -> None:
    (photo,) = save_blots(tmp_path, (200, 30, 30), 1)
    data = Path(photo).read_bytes()
    parts = [Part(photo, content_hash(data), region) for region in ((0, 0, 50, 50), (60, 40, 80, 60), (1, 1, 49, 48))]
    orders = CropOrders(tmp_path)
    with pytest.raises(NotReadyError):
        orders.similar(parts, to=0)
    assert wait_for(orders.similar, parts, to=0) == [0, 2, 1]
    Path(photo).write_bytes(b"gone, but the features are stored")
    assert wait_for(CropOrders(tmp_path).similar, parts, to=2) == [2, 0, 1]


def test_crops_of_a_kind_are_neighbours(tmp_path: Path, parts: list[Part]) -> None:
    gone = Part(str(tmp_path / "gone.jpg"), "0" * 64, (0, 0, 9, 9))
    orders, some = CropOrders(tmp_path), [gone, *parts]
    found = wait_for(orders.similar, some)
    assert sorted(found) == list(range(len(some)))
    assert found[-1] == 0
    found_kinds = kinds()[np.array(found[:-1]) - 1]
    assert (found_kinds[1:] != found_kinds[:-1]).sum() == 1
    assert orders.similar(some) is found
    nearest = wait_for(orders.similar, some, to=1)
    assert nearest[0] == 1
    assert set(kinds()[np.array(nearest[: PHOTOS * EACH // 2]) - 1]) == {"a"}


@pytest.mark.parametrize("most", [20_000, 100])
def test_wrong_labels_are_the_most_doubtful(
    tmp_path: Path, parts: list[Part], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crop_orders, "_MOST_LEARNT", most)
    wrong = np.random.default_rng(1).permutation(len(parts))[:9]
    labels = kinds()
    labels[wrong] = np.where(labels[wrong] == "a", "b", "a")
    orders = CropOrders(tmp_path)
    doubts = judge(orders, parts, labels)
    assert set(np.argsort(-doubts.score)[:9]) == set(wrong)
    assert {at for at, label in enumerate(doubts.suggested) if label} == set(wrong)
    assert all(doubts.suggested[at] == kinds()[at] for at in wrong)
    assert judge(orders, parts, labels) is doubts
    again = judge(CropOrders(tmp_path), parts, labels)
    assert (again.score == doubts.score).all()
    assert again.suggested == doubts.suggested


def test_predictions_are_judged_but_not_learnt(tmp_path: Path, parts: list[Part]) -> None:
    labels, truth = kinds(), np.ones(len(parts), np.bool_)
    labels[-5:], truth[-5:] = ["a", "b", "b", "a", "c"], False  # the last kind is "b"
    doubts = judge(CropOrders(tmp_path), parts, labels, truth)
    assert (doubts.score[-5:-1] > 0).tolist() == [True, False, False, True]
    assert np.isnan(doubts.score[-1])  # of a label that was not learnt
    assert not any(doubts.suggested)


@pytest.mark.parametrize("labels", ["a" * 40, "ab" * 4, ""])
def test_few_crops_or_a_single_label_are_not_doubted(tmp_path: Path, parts: list[Part], labels: str) -> None:
    some = parts[: len(labels)]
    doubts = judge(CropOrders(tmp_path), some, list(labels))
    assert np.isnan(doubts.score).all()
    assert doubts.suggested == [None] * len(some)


@pytest.mark.parametrize("photos", [1, 3])
def test_crops_of_few_photos_are_compared_with_each_other(tmp_path: Path, parts: list[Part], photos: int) -> None:
    some = [at for at in range(len(parts)) if at % PHOTOS < photos]
    chosen, labels = [parts[at] for at in some] * 3, kinds()[some].tolist() * 3
    doubts = judge(CropOrders(tmp_path), chosen, labels)
    assert (doubts.score < 0).all()


def test_other_arguments_cancel_the_work(tmp_path: Path, parts: list[Part], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def features(self: CropOrders, *rest: Any) -> Iterator[Any]:
        seen.append(rest[-1])
        while True:
            rest[-1].progress("features", 1, 2)
            time.sleep(0.01)

    monkeypatch.setattr(CropOrders, "_features", features)
    orders = CropOrders(tmp_path)
    for count in (3, 4):
        with pytest.raises(NotReadyError):
            orders.similar(parts[:count])
    assert [events.is_cancelled for events in seen] == [True, False]
    seen[1].cancel()
