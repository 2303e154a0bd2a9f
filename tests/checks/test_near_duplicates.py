from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from customlabels_nb.checks.image_fingerprints import FINGERPRINT, Prints, fingerprint, fingerprints, kept_fingerprints
from customlabels_nb.checks.near_duplicates import SIMILARITY_THRESHOLD, near_duplicates
from customlabels_nb.errors import Cancelled, InputError
from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.examples import rooms
from customlabels_nb.images.reading import content_hash, open_image
from customlabels_nb.remote.content_cache import ContentCache


def encoded(image: Image.Image, quality: int = 92) -> bytes:
    """Encode an image as JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def cropped(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    """Crop shares of an image's edges."""
    width, height = image.size
    box = (left * width, top * height, width - right * width, height - bottom * height)
    return image.crop(tuple(map(round, box)))  # type: ignore[arg-type]


CHANGES: dict[str, Callable[[Image.Image], bytes]] = {
    "quality 60": lambda image: encoded(image, 60),
    "half the size": lambda image: encoded(image.resize((image.width // 2, image.height // 2))),
    "240 px": lambda image: encoded(image.resize((240, 240 * image.height // image.width)), 75),
    "brighter": lambda image: encoded(ImageEnhance.Brightness(image).enhance(1.15)),
    "darker": lambda image: encoded(ImageEnhance.Brightness(image).enhance(0.85)),
    "5 % off one corner": lambda image: encoded(cropped(image, 0.05, 0.05, 0, 0)),
    "5 % off, in the middle": lambda image: encoded(cropped(image, 0.025, 0.025, 0.025, 0.025)),
    "5 % off each edge": lambda image: encoded(cropped(image, 0.05, 0.05, 0.05, 0.05)),
    # shares between the steps of the search
    "a bit off each edge": lambda image: encoded(cropped(image, 0.013, 0.037, 0.043, 0.006), 85),
    "a bit off, and darker": lambda image: encoded(
        cropped(ImageEnhance.Brightness(image).enhance(0.88), 0.031, 0.008, 0.018, 0.044), 85
    ),
}


def prints_of(pictures: list[bytes] | list[Image.Image]) -> Prints:
    opened = [open_image(picture, at_least=128) for picture in pictures]
    return np.array([fingerprint(image) for image in opened], dtype=FINGERPRINT)


def changed_copies(pictures: list[Image.Image]) -> Iterator[tuple[str, Prints]]:
    for name, change in CHANGES.items():
        yield name, prints_of([change(image) for image in pictures])


def found_again(originals: Prints, copies: Prints) -> tuple[set[int], set[tuple[int, int]]]:
    """Return the originals found in their copies, and the pairs of images that are not copies of each other."""
    n = len(originals)
    pairs = near_duplicates(np.concatenate([originals, copies]), np.repeat([0, 1], n))
    met = {(a % n, b % n) for a, b in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)}
    return {a for a, b in met if a == b}, {(a, b) for a, b in met if a != b}


@pytest.fixture(scope="module")
def drawn() -> list[Image.Image]:
    """Return two different rooms of each kind."""
    return [
        rooms.draw(label, np.random.default_rng([i, random_state]))
        for i, label in enumerate(rooms.LABELS)
        for random_state in (0, 1)
    ]


def test_changed_copies_of_drawn_rooms_are_found_and_no_others(drawn: list[Image.Image]) -> None:
    originals = prints_of(drawn)
    for name, copies in changed_copies(drawn):
        found, wrong = found_again(originals, copies)
        assert len(found) >= len(drawn) - 1, name
        assert not wrong, name


@pytest.mark.thorough
def test_changed_copies_of_photos_are_found_and_photos_of_the_same_fruit_are_not(fruit_photos: Path) -> None:
    photos = [open_image(path, at_least=300) for path in sorted(fruit_photos.glob("*/*.jpg"))]
    originals = prints_of(photos)
    assert len(originals) == 45
    for name, copies in changed_copies(photos):
        found, wrong = found_again(originals, copies)
        assert len(found) == 45, name
        assert not wrong, name


def test_another_color_is_another_picture(drawn: list[Image.Image]) -> None:
    strong = ImageEnhance.Color(drawn[0]).enhance(1.5)
    luma, blue, red = strong.convert("YCbCr").split()
    prints = prints_of([strong, Image.merge("YCbCr", (luma, red, blue)).convert("RGB")])
    assert not len(near_duplicates(prints).first)
    prints["color"] = 0
    assert len(near_duplicates(prints).first) == 1


def test_pictures_without_outlines_are_no_pairs() -> None:
    white, grey = Image.new("RGB", (90, 60), "white"), Image.new("RGB", (200, 200), (100, 100, 100))
    noise = np.random.default_rng(0).integers(99, 102, (64, 64, 3), dtype=np.uint8)
    prints = prints_of([white, white, grey, Image.fromarray(noise), Image.fromarray(noise)])
    for some in (prints, prints[:1], prints[:0]):
        pairs = near_duplicates(some)
        assert pairs.first.shape == pairs.second.shape == pairs.similarity.shape == (0,)


def test_copies_in_one_split_do_not_hide_copies_in_the_other(drawn: list[Image.Image]) -> None:
    many = [encoded(drawn[0], quality) for quality in range(60, 90)]
    prints = prints_of([*many, encoded(cropped(drawn[0], 0.05, 0.05, 0.05, 0.05))])
    pairs = near_duplicates(prints, [*["train"] * 30, "test"])
    assert 30 in pairs.second
    assert (pairs.first < pairs.second).all()
    assert pairs.similarity.min() >= SIMILARITY_THRESHOLD
    assert pairs.similarity.max() <= 1
    assert len(set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))) == len(pairs.first)
    assert set(pairs.first[pairs.second < 30]) | set(pairs.second[pairs.second < 30]) == set(range(30))


def test_threshold_limits_the_pairs(drawn: list[Image.Image]) -> None:
    prints = prints_of([encoded(drawn[3]), CHANGES["240 px"](drawn[3])])
    value = near_duplicates(prints).similarity.item()
    assert SIMILARITY_THRESHOLD < value < 1
    assert not len(near_duplicates(prints, threshold=min(1.0, value + 0.001)).first)
    for threshold in (0.5, 1.1, float("nan")):
        with pytest.raises(InputError, match="threshold="):
            near_duplicates(prints, threshold=threshold)
    with pytest.raises(InputError, match="sides has 3"):
        near_duplicates(prints, [0, 1, 1])


# -- fingerprints of files ------------------------------------------------------------------------
@pytest.fixture
def files(tmp_path: Path, drawn: list[Image.Image]) -> list[str]:
    """Return the names of four files, one of which is not an image, and of a missing one."""
    for i, image in enumerate(drawn[:4]):
        image.save(tmp_path / f"{i}.jpg")
    (tmp_path / "3.jpg").write_bytes(b"no image")
    return [*(f"{i}.jpg" for i in range(4)), "gone.jpg"]


def test_fingerprints_are_cached_by_content_and_unreadable_images_reported(tmp_path: Path, files: list[str]) -> None:
    cache, contents = (
        ContentCache(tmp_path / "cache", 2**30),
        [content_hash((tmp_path / n).read_bytes()) for n in files[:4]],
    )
    found = fingerprints(files, root=tmp_path, cache=cache)
    assert found.readable.tolist() == [True, True, True, False, False]
    assert [(issue.code, issue.where) for issue in found.issues] == [
        ("IMAGE_NOT_AN_IMAGE", "3.jpg"),
        ("IMAGE_NOT_FOUND", "gone.jpg"),
    ]
    assert not found.prints["spread"][3:].any()
    # the files are deleted, so that only the cache can answer
    kept = fingerprints(["x"] * 3, contents=contents[:3], cache=cache)
    assert (kept.prints == found.prints[:3]).all()
    assert kept_fingerprints([*contents, None], cache).readable.tolist() == [True, True, True, False, False]
    with pytest.raises(InputError, match="contents has 1"):
        fingerprints(files, contents=["a"])


def test_changed_file_gets_a_new_fingerprint(tmp_path: Path, files: list[str]) -> None:
    cache = ContentCache(tmp_path / "cache", 2**30)
    old = content_hash((tmp_path / "0.jpg").read_bytes())
    (tmp_path / "0.jpg").write_bytes((tmp_path / "1.jpg").read_bytes())
    found = fingerprints(["0.jpg"], root=tmp_path, contents=[old], cache=cache)
    assert (found.prints == fingerprints(["1.jpg"], root=tmp_path).prints).all()
    assert not kept_fingerprints([old], cache).readable.any()


def test_search_reports_progress_and_can_be_cancelled(
    tmp_path: Path, files: list[str], drawn: list[Image.Image]
) -> None:
    events, seen = Events(), []
    events.subscribe(lambda event: seen.append(event) if isinstance(event, Progress) else None)
    fingerprints(files, root=tmp_path, events=events)
    near_duplicates(prints_of(drawn[:3]), events=events)
    assert seen == [
        Progress("fingerprints", 0, 5),
        Progress("fingerprints", 5, 5),
        Progress("near-duplicates", 3, 3),
    ]

    def stop(event: Event) -> None:
        events.cancel()

    events.subscribe(stop)
    with pytest.raises(Cancelled):
        fingerprints(files, root=tmp_path, events=events)
