import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from customlabels_nb.errors import Cancelled, InputError
from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.images import decoding, regions
from customlabels_nb.images.reading import inspect
from customlabels_nb.models import embeddings
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.backbones import backbone_named, load_backbone
from customlabels_nb.models.embeddings import PackedFeatures, embed, most_similar, similar_order
from customlabels_nb.models.feature_file import SUFFIX, FeatureCache, project_features
from customlabels_nb.remote.content_cache import TAG_NAME
from tests.models.pictures import gradient, save_blots

#: Rounding to float16, as in the cache, changes a feature by at most one part in 2,048.
ROUNDING = 4e-3


@pytest.fixture(scope="module")
def blots(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return save_blots(tmp_path_factory.mktemp("blots"), (200, 30, 30), 10)


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "cache", 2**30)


def keys_of(paths: list[str]) -> list[str]:
    return [inspect(Path(path).read_bytes(), path).sha256 for path in paths]


def watched() -> tuple[Events, list[Progress]]:
    """Return events and the list of their progress."""
    events, seen = Events(), []
    events.subscribe(lambda event: seen.append(event) if isinstance(event, Progress) else None)
    return events, seen


def test_one_row_an_image_whatever_the_batches(blots: list[str]) -> None:
    whole = embed(blots)
    assert whole.features.shape == (10, 1280)
    assert whole.features.dtype == np.float32
    assert whole.readable.all()
    assert not whole.issues
    assert np.abs(embed(blots, batch_size=3).features - whole.features).max() < 1e-4
    assert np.abs(embed(blots[4:5]).features - whole.features[4]).max() < 1e-4


def test_batches_that_do_not_fit_are_halved(blots: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    network, sizes = load_backbone(), []

    def narrow(images: torch.Tensor) -> torch.Tensor:
        sizes.append(len(images))
        if len(images) > 3:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return network(images)  # type: ignore[no-any-return]

    whole = embed(blots)
    monkeypatch.setattr(embeddings, "load_backbone", lambda name: SimpleNamespace(to=lambda device: narrow))
    assert np.abs(embed(blots, batch_size=5).features - whole.features).max() < 1e-4
    assert sizes == [5, 2, 2, 1, 2, 2, 1]


def test_unreadable_images_are_rows_of_nan_and_issues(blots: list[str], tmp_path: Path, cache: FeatureCache) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "cut.jpg").write_bytes(Path(blots[0]).read_bytes()[:500])
    images = [blots[0], "text.jpg", "gone.jpg", blots[1], "cut.jpg"]
    for _ in range(2):
        found = embed(images, root=tmp_path, keys=["k000", "k111", "k222", "k333", "k444"], cache=cache)
        assert found.readable.tolist() == [True, False, False, True, False]
        assert np.isnan(found.features[1]).all()
        assert [(issue.where, issue.code) for issue in found.issues] == [
            ("text.jpg", "IMAGE_NOT_AN_IMAGE"),
            ("gone.jpg", "IMAGE_NOT_FOUND"),
            ("cut.jpg", "IMAGE_TRUNCATED"),
        ]


def test_nothing_is_computed_twice(blots: list[str], cache: FeatureCache) -> None:
    first = embed(blots, keys=keys_of(blots), cache=cache)
    events, seen = watched()
    # only the cache can answer for a file that is no image, regardless of its name
    again = embed([__file__] * 10, keys=keys_of(blots), cache=cache, events=events)
    assert (again.features == first.features).all()
    assert seen == [Progress("features", 10, 10)]


def test_cached_features_need_no_torch(blots: list[str], cache: FeatureCache) -> None:
    embed(blots, keys=keys_of(blots), cache=cache)
    code = (
        "import sys; from pathlib import Path; from customlabels_nb.models.feature_file import FeatureCache\n"
        "from customlabels_nb.models.embeddings import embed\n"
        "found = embed([sys.executable] * 10, keys=sys.argv[2:], cache=FeatureCache(Path(sys.argv[1]), 2**30))\n"
        "assert found.readable.all()\n"
        "assert not {'torch', 'timm', 'sklearn', 'matplotlib'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code, str(cache.folder), *keys_of(blots)], check=True)


@pytest.mark.parametrize("error", [KeyboardInterrupt, pytest.param(Cancelled, marks=pytest.mark.thorough)])
def test_an_interrupted_run_goes_on_where_it_stopped(
    blots: list[str], cache: FeatureCache, error: type[BaseException]
) -> None:
    events = Events()

    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.done >= 6:
            if error is Cancelled:
                events.cancel()
            else:
                raise error

    events.subscribe(stop)
    with pytest.raises(error):
        embed(blots, keys=keys_of(blots), cache=cache, batch_size=2, events=events)
    events, seen = watched()
    found = embed(blots, keys=keys_of(blots), cache=cache, batch_size=2, events=events)
    assert seen[0].done >= 6
    assert seen[-1] == Progress("features", 10, 10)
    assert np.abs(found.features - embed(blots).features).max() < ROUNDING


# -- regions --------------------------------------------------------------------------------------
REGIONS = [(0, 0, 40, 30), (60, 10, 50, 50), (100, 80, 200, 120), (5, 150, 280, 9), (0, 0, 300, 200)]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return photos of which one is stored rotated."""
    folder = tmp_path_factory.mktemp("scenes")
    gradient().save(folder / "plain.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    gradient().transpose(Image.Transpose.ROTATE_90).save(folder / "rotated.png", exif=exif)
    return [str(folder / "plain.png"), str(folder / "rotated.png")]


def test_regions_have_the_features_of_separate_images(scenes: list[str], tmp_path: Path, cache: FeatureCache) -> None:
    images = [name for _ in REGIONS for name in scenes]  # the regions of a photo are not neighbours
    regions = [region for region in REGIONS for _ in scenes]
    saved = []
    for number, (left, top, width, height) in enumerate(REGIONS):
        saved.append(str(tmp_path / f"{number}.png"))
        gradient().crop((left, top, left + width, top + height)).save(saved[-1])
    expected = np.repeat(embed(saved).features, len(scenes), axis=0)
    assert np.abs(embed(images, regions=regions).features - expected).max() < 1e-4
    keys = [key for _ in REGIONS for key in keys_of(scenes)]
    first = embed(images, keys=keys, regions=regions, cache=cache)
    assert np.abs(first.features - expected).max() < ROUNDING
    again = embed([__file__] * len(keys), keys=keys, regions=regions, cache=cache)
    assert (again.features == first.features).all()
    assert np.abs(embed(scenes, keys=keys_of(scenes), cache=cache).features - first.features[-2:]).max() < ROUNDING
    file = cache.of(backbone_named(PACKAGED))
    cache.forget(keys_of(scenes)[:1])  # with all of its regions
    assert len(file.lookup([])[1]) == len(REGIONS) + 1


def test_a_photo_is_decoded_once_for_its_regions(
    scenes: list[str], cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []

    def decode(image: Image.Image, name: str) -> None:
        decoded.append(name)
        if len(decoded) == 2:
            raise KeyboardInterrupt
        decoding.decode(image, name)

    monkeypatch.setattr(regions, "decode", decode)
    given: dict[str, Any] = {"keys": keys_of(scenes) * 5, "cache": cache, "batch_size": 1}
    given["regions"] = [region for region in REGIONS for _ in scenes]
    with pytest.raises(KeyboardInterrupt):
        embed(scenes * 5, **given)
    assert decoded == scenes
    events, seen = watched()
    assert embed(scenes * 5, events=events, **given).readable.all()
    assert decoded == [*scenes, scenes[1]]
    assert [(event.done, event.total) for event in seen] == [(5, 10), (10, 10)]


def test_an_unreadable_photo_is_one_issue(scenes: list[str]) -> None:
    found = embed([scenes[0], "gone.png", "gone.png"], regions=REGIONS[:3])
    assert found.readable.tolist() == [True, False, False]
    assert [issue.where for issue in found.issues] == ["gone.png"]


def test_a_damaged_entry_is_computed_again(blots: list[str], cache: FeatureCache) -> None:
    first = embed(blots[:2], keys=keys_of(blots[:2]), cache=cache)
    (path,) = cache.folder.glob(f"*{SUFFIX}")
    data = bytearray(path.read_bytes())
    data[-100] ^= 0xFF
    path.write_bytes(data)
    kept = embed([__file__] * 2, keys=keys_of(blots[:2]), cache=FeatureCache(cache.folder, 2**30))
    assert kept.readable.tolist() == [True, False]
    again = embed(blots[:2], keys=keys_of(blots[:2]), cache=FeatureCache(cache.folder, 2**30))
    assert np.abs(again.features - first.features).max() < ROUNDING


def test_images_without_key_and_odd_keys(blots: list[str], cache: FeatureCache) -> None:
    odd = [None, '"etag/…"-17', "\udcff"]
    first = embed(blots[:3], keys=odd, cache=cache)
    kept = embed([__file__] * 3, keys=keys_of(blots[:3]), cache=cache)  # stored by content, regardless of the keys
    assert np.abs(kept.features - first.features).max() < ROUNDING
    assert len(cache.of(backbone_named(PACKAGED)).lookup([])[1]) == 3


def test_features_are_kept_for_the_bytes_that_were_read(blots: list[str], tmp_path: Path, cache: FeatureCache) -> None:
    changed = tmp_path / "changed.png"
    changed.write_bytes(Path(blots[1]).read_bytes())
    old, new = keys_of(blots[:2])
    found = embed([str(changed), "gone"], keys=[old, "f" * 64], cache=cache)  # when the key was made
    assert found.readable.tolist() == [True, False]
    truth = embed(blots[:2])
    assert np.abs(found.features[0] - truth.features[1]).max() < ROUNDING
    # so the old content has its own features, and the new content needs no file
    again = embed([blots[0], __file__], keys=[old, new], cache=cache)
    assert np.abs(again.features - truth.features).max() < ROUNDING


def test_packed_features_are_read_from_the_file(blots: list[str], tmp_path: Path, cache: FeatureCache) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    images, keys = [*blots[:5], "text.jpg", *blots[5:]], [*keys_of(blots[:5]), "no", *keys_of(blots[5:])]
    keys[9] = None  # type: ignore[call-overload]
    expected = np.nan_to_num(embed(images, root=tmp_path, keys=keys, cache=cache).features)
    packed = PackedFeatures(cache)
    for part in (slice(0, 3), slice(3, 8), slice(8, 11)):
        packed.add(images[part], keys[part], root=tmp_path, events=Events())
    assert packed[:].shape == (len(packed), 1280) == (11, 1280)
    assert packed.readable.tolist() == [True] * 5 + [False] + [True] * 5
    order = np.array([9, 5, 0, 10, 4, 4])
    for index in (slice(None), slice(2, 7), order, expected[:, 0] > 0):
        assert np.abs(packed[index] - expected[index]).max() < ROUNDING
    file = cache.of(backbone_named(PACKAGED)).lookup([])[1]
    assert [np.may_share_memory(rows, file) for _, rows in packed._parts] == [True, True, False]
    assert PackedFeatures(cache).readable.tolist() == []


def test_invalid_arguments_and_no_images(blots: list[str]) -> None:
    assert embed([]).features.shape == (0, 1280)
    with pytest.raises(InputError, match="keys has 1 entries for 10"):
        embed(blots, keys=["a"])
    with pytest.raises(InputError, match="batch_size=0"):
        embed(blots, batch_size=0)
    with pytest.raises(InputError, match="'none' is neither a folder"):
        embed(blots, backbone="none")


# -- similar images -------------------------------------------------------------------------------
def clusters(n: int, of: int = 10, random_state: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return features of ``n`` images in groups of ``of``, shuffled, and the group of each."""
    rng = np.random.default_rng(random_state)
    group = rng.permutation(np.arange(n) // of)
    centres = rng.normal(size=(n // of + 1, 64))
    return (centres[group] + 0.1 * rng.normal(size=(n, 64))).astype(np.float32), group


def broken(group: np.ndarray, order: np.ndarray) -> int:
    """Count neighbours of different groups beyond the unavoidable ones."""
    return int((np.diff(group[order]) != 0).sum()) - (len(np.unique(group)) - 1)


def test_similar_images_are_neighbours_in_the_order() -> None:
    features, group = clusters(600)
    order = similar_order(features)
    assert sorted(order) == list(range(600))
    assert broken(group, order) == 0
    assert (similar_order(features) == order).all()
    assert broken(group, np.arange(600)) > 400


def test_ten_thousand_images_are_put_in_order_in_seconds() -> None:
    features, group = clusters(10_000)
    started = time.process_time()
    order = similar_order(features)
    assert time.process_time() - started < 20
    assert sorted(order) == list(range(10_000))
    assert broken(group, order) < 500


@pytest.mark.thorough
def test_photos_of_a_fruit_are_neighbours(fruit_photos: Path) -> None:
    photos = sorted(fruit_photos.glob("*/*.jpg"))
    features = embed([str(path) for path in photos]).features
    fruit = np.array([["apple", "banana", "orange"].index(path.parent.name) for path in photos])
    shuffled = np.random.default_rng(0).permutation(len(photos))
    assert broken(fruit[shuffled], similar_order(features[shuffled])) <= 1
    for index in (0, 20, 40):
        nearest, similarity = most_similar(features, index, 8)
        assert (fruit[nearest] == fruit[index]).mean() >= 0.75
        assert (np.diff(similarity) <= 0).all()
        assert (similar_order(features, to=index)[:9] == [index, *nearest]).all()


def test_images_without_features_come_last() -> None:
    features, _ = clusters(20)
    features[[3, 11]] = np.nan
    assert similar_order(features)[-2:].tolist() == [3, 11]
    assert similar_order(features, to=5).tolist()[0] == 5
    assert similar_order(features, to=5)[-2:].tolist() == [3, 11]
    nearest, similarity = most_similar(features, 5)
    assert set(nearest) == set(range(20)) - {3, 5, 11}
    assert not np.isnan(similarity).any()
    assert similar_order(np.full((3, 4), np.nan)).tolist() == [0, 1, 2]
    assert similar_order(np.empty((0, 4))).tolist() == []
    assert similar_order(np.ones((1, 4))).tolist() == [0]
    assert sorted(similar_order(np.zeros((5, 4)))) == [0, 1, 2, 3, 4]
    for index in (3, 20, -1):
        with pytest.raises(InputError, match=f"index={index}"):
            most_similar(features, index)
    with pytest.raises(InputError, match="shape"):
        similar_order(np.zeros(5))


def test_features_are_kept_with_their_project(blots: list[str], tmp_path: Path) -> None:
    cache = project_features(tmp_path)
    first = embed(blots, keys=[None, *keys_of(blots)[1:]], root=tmp_path, cache=cache)
    again = embed([__file__] * len(blots), keys=keys_of(blots), root=tmp_path, cache=cache)
    assert (again.features == first.features).all()
    kept = {path.name for path in (tmp_path / "cache" / "features").iterdir()} - {TAG_NAME}
    assert [Path(name).suffix for name in kept] == [SUFFIX]
