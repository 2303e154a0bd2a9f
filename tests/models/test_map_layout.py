"""Tests of laying out images by their features."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from customlabels_nb.errors import Cancelled, NotAllowedError, NotEnoughDataError
from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.models import map_layout
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.embeddings import describe_features
from customlabels_nb.models.feature_file import feature_key, project_features
from customlabels_nb.models.map_layout import MapLayouts


def store(root: Path, groups: dict[str, int], *, noise: float = 0.3) -> list[str]:
    """Store features of images in groups of similar ones, and return their contents."""
    file = project_features(root).of(describe_features(PACKAGED))
    contents = [f"{group}{number}" for group, count in groups.items() for number in range(count)]
    rows = []
    for content in contents:
        centre = np.random.default_rng(ord(content[0])).normal(size=file.width)
        rows.append(centre + noise * np.random.default_rng(int(content[1:])).normal(size=file.width))
    file.add([feature_key(content) for content in contents], np.stack(rows))
    return contents


def layouts(root: Path) -> MapLayouts:
    return MapLayouts(root, PACKAGED, "train")


def test_similar_images_are_close_and_the_same_seed_gives_the_same_layout(tmp_path: Path) -> None:
    contents = store(tmp_path, {"a": 20, "b": 20})
    places = []
    for order in (1, -1):
        layouts(tmp_path).compute(contents[::order], Events())
        found = layouts(tmp_path).read(contents)
        assert found is not None
        assert (found.laid_out, found.placed, found.without) == (40, 0, 0)
        assert np.abs(found.xy).max() == pytest.approx(1)
        places.append(found.xy)
    first, second = places
    assert np.array_equal(first, second)
    a, b = first[:20], first[20:]
    spread = max(np.linalg.norm(side - side.mean(0), axis=1).mean() for side in (a, b))
    assert np.linalg.norm(a.mean(0) - b.mean(0)) > 3 * spread


def test_new_images_are_placed_by_their_neighbours_and_move_no_other(tmp_path: Path) -> None:
    contents = store(tmp_path, {"a": 20, "b": 20})
    layouts(tmp_path).compute(contents, Events())
    kept = layouts(tmp_path)
    before = kept.read(contents)
    more = store(tmp_path, {"a": 25, "b": 20})
    mixed = [more[-1], None, "unknown", *more[:25], *contents[20:]]
    for each in (kept, layouts(tmp_path)):
        after = each.read(mixed)
        assert before is not None
        assert after is not None
        assert (after.laid_out, after.placed, after.without) == (41, 5, 2)
        assert np.array_equal(after.xy[3:23], before.xy[:20])
        assert np.isnan(after.xy[1:3]).all()
        centre_a, centre_b = before.xy[:20].mean(0), before.xy[20:].mean(0)
        new = after.xy[23:28]
        assert (np.linalg.norm(new - centre_a, axis=1) < np.linalg.norm(new - centre_b, axis=1)).all()
    layouts(tmp_path).compute(more, Events())
    again = kept.read(more)
    assert again is not None
    assert (again.laid_out, again.placed) == (45, 0)


def test_large_datasets_are_laid_out_by_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_layout, "LAID_OUT", 15)
    contents = store(tmp_path, {"a": 20, "b": 20})
    assert layouts(tmp_path).compute(contents, Events()) == 15
    assert layouts(tmp_path).sample(contents) != MapLayouts(tmp_path, PACKAGED, "train", 1).sample(contents)
    found = layouts(tmp_path).read(contents)
    assert found is not None
    assert (found.laid_out, found.placed) == (15, 25)
    assert set(layouts(tmp_path).sample(contents)) < set(contents)


def test_the_plane_needs_no_stored_layout(tmp_path: Path) -> None:
    contents = store(tmp_path, {"a": 10, "b": 10})
    assert layouts(tmp_path).read(contents) is None
    plane = layouts(tmp_path).plane([*contents, "unknown"])
    assert not plane.is_final
    assert (plane.laid_out, plane.without) == (20, 1)
    assert (plane.xy[:10, 0] > 0).all() != (plane.xy[10:20, 0] > 0).all()
    assert layouts(tmp_path).read(contents) is None


def test_progress_and_cancelling(tmp_path: Path) -> None:
    contents, events, seen = store(tmp_path, {"a": 20, "b": 20}), Events(), list[int]()

    def watch(event: Event) -> None:
        if isinstance(event, Progress):
            seen.append(event.done)
            if event.done >= 100:
                events.cancel()

    events.subscribe(watch)
    with pytest.raises(Cancelled):
        layouts(tmp_path).compute(contents, events)
    assert seen[:2] == [0, 50]
    assert len(seen) < 5
    assert layouts(tmp_path).read(contents) is None


def test_too_few_images_and_images_that_are_all_alike_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAllowedError, match="Compute them with"):
        layouts(tmp_path).plane(["unknown"])
    contents = store(tmp_path, {"a": 4})
    with pytest.raises(NotEnoughDataError, match="at least 5 different images with features, but there are only 4"):
        layouts(tmp_path).plane(contents)
    alike = store(tmp_path, {"c": 9}, noise=0)
    with pytest.raises(NotEnoughDataError, match="nearly the same features"):
        layouts(tmp_path).compute(alike, Events())


def test_a_damaged_file_is_ignored(tmp_path: Path) -> None:
    contents = store(tmp_path, {"a": 10})
    layouts(tmp_path).compute(contents, Events())
    (path,) = (tmp_path / "cache" / "maps").glob("*.npz")
    path.write_bytes(path.read_bytes()[:200])
    assert layouts(tmp_path).read(contents) is None


def test_umap_is_used_if_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, int]] = []

    class UMAP:
        def __init__(self, **options: int) -> None:
            given.append(options)

        def fit_transform(self, points: np.ndarray) -> np.ndarray:
            return points[:, 1::-1] * 7  # the plane of the components, turned

    module = ModuleType("umap")
    module.UMAP = UMAP  # type: ignore[attr-defined]
    module.__spec__ = ModuleSpec("umap", None)
    monkeypatch.setitem(sys.modules, "umap", module)
    contents = store(tmp_path, {"a": 10, "b": 10})
    seeded = MapLayouts(tmp_path, PACKAGED, "train", 3)
    seeded.compute(contents, Events())
    found = seeded.read(contents)
    assert given == [{"n_neighbors": 15, "random_state": 3}]
    assert found is not None
    assert found.xy == pytest.approx(seeded.plane(contents).xy[:, ::-1], abs=1e-5)
