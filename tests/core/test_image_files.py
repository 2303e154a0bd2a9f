"""Tests of the short names of images: they are unique, stay the same, are not stored, and make way for a user's own."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customlabels_nb import Dataset
from customlabels_nb.core import tables as t
from customlabels_nb.core.image_files import (
    FILE,
    files_of,
    longer_files,
    longer_of,
    short_files,
    shortened,
    with_files,
    without_files,
)
from tests.tiers import many

FOLDERS = st.lists(st.sampled_from(["a", "b", "images", "x-0123456789abcdef"]), max_size=3).map("/".join)
NAMES = st.sampled_from(["1.jpg", "2.jpg", "x-0123456789abcdef.jpg", "a"])


@st.composite
def added_images(draw: st.DrawFn) -> tuple[str, str | None]:
    """Return the name and the source of an image: from a folder, bucket, archive or list, copied or unpacked."""
    top, below, name = draw(st.sampled_from(["/data", "s3://bucket", "C:/data"])), draw(FOLDERS), draw(NAMES)
    folder = draw(FOLDERS)
    source = "/".join(filter(None, [top, folder]))
    image = "/".join(filter(None, [source, below, name]))
    kind = draw(st.sampled_from(["folder", "folder/", "pattern", "list", "table", "none", "copy", "zip", "packed"]))
    in_project = "/".join(filter(None, [below, name]))
    return {
        "folder": (image, source),
        "folder/": (image, f"{source}/"),
        "pattern": (image, f"{source}/*.jpg"),
        "list": (image, image),
        "table": (image, "a table of 3 images"),
        "none": (image, None),
        "copy": (f"images/{name.partition('.')[0]}-0123456789abcdef.jpg", source),
        "zip": (f"images/photos-01234567/{in_project}", "/data/photos.zip"),
        "packed": (f"images/{in_project}", source),
    }[kind]


PROJECTS = st.lists(added_images(), min_size=1, max_size=12, unique_by=lambda pair: pair[0])


def table_of(pairs: list[tuple[str, str | None]]) -> pd.DataFrame:
    images, sources = zip(*pairs, strict=True)
    return t.normalise_images(pd.DataFrame({"image": images, "source": sources, "site": range(len(pairs))}))


@settings(max_examples=many(400), deadline=None)
@given(PROJECTS)
def test_files_are_unique_and_never_change_when_images_are_added(pairs: list[tuple[str, str | None]]) -> None:
    table = table_of(pairs)
    files = files_of(table, longer_of(table))
    assert len(set(files)) == len(files)
    for count in range(1, len(table)):
        assert files_of(table[:count], longer_of(table[:count])) == files[:count]


@pytest.mark.parametrize(
    ("image", "source", "file"),
    [
        ("/data/photos/cat/1.jpg", "/data/photos", "cat/1.jpg"),
        ("s3://bucket/photos/cat/1.jpg", "s3://bucket/photos/", "cat/1.jpg"),
        ("https://server/photos/1.jpg?token=a/b", None, "1.jpg"),
        ("/data/photos/cat/1.jpg", "/data/photos/*/1.jpg", "cat/1.jpg"),
        ("/data/photos/1.jpg", "/data/photos/1.jpg", "1.jpg"),
        ("/data/photos/cat/1.jpg", "a table of 2 images", "1.jpg"),
        ("images/photos-0a1b2c3d/cat/1.jpg", "/data/photos.zip", "cat/1.jpg"),
        ("images/1-0123456789abcdef.jpg", "/data/photos", "1.jpg"),
        ("images/cat/1.jpg", "/data/photos", "cat/1.jpg"),
        ("1.jpg", None, "1.jpg"),
    ],
)
def test_file_is_the_path_below_the_source(image: str, source: str | None, file: str) -> None:
    assert short_files([image], [source]) == [file]


def test_later_image_has_its_folders_in_front() -> None:
    images = ["/a/left/cat/1.jpg", "/a/right/cat/1.jpg", "/b/right/cat/1.jpg", "images/1-0123456789abcdef.jpg"]
    sources = ["/a/left", "/a/right", "/b/right", "/b/right/cat"]
    assert longer_files(images, sources) == {images[1]: "right/cat/1.jpg", images[2]: "b/right/cat/1.jpg"}
    again = [*images, "images/1-fedcba9876543210.jpg", *images]  # also in the other split
    assert longer_files(again, [*sources, "/c/birds", *sources])[again[4]] == "birds/1.jpg"


#: What people do with a table before they pass it back.
STEPS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "nothing": lambda table: table,
    "filter": lambda table: table[table["site"] % 2 == 1],
    "without sources": lambda table: table[[FILE, "image", "site"]],
    "copy": lambda table: table.copy(),
    "sort": lambda table: table.sort_values("site", ascending=False, ignore_index=True),
    "merge": lambda table: table.merge(pd.DataFrame({FILE: table[FILE], "weather": "sun"}), on=FILE),
    "concat": lambda table: pd.concat([table[table["site"] > 2], table[table["site"] <= 2]]),
    "pickle": lambda table: pickle.loads(pickle.dumps(table)),  # noqa: S301
    "without file": lambda table: table.drop(columns=FILE),
    "new rows": lambda table: pd.concat([table, pd.DataFrame({"image": ["/new/1.jpg"], "site": [99]})]),
}


@settings(max_examples=many(120), deadline=None)
@given(st.sampled_from(sorted(STEPS)), PROJECTS)
def test_derived_files_come_back_and_are_not_stored(step: str, pairs: list[tuple[str, str | None]]) -> None:
    table = table_of(pairs)
    shown = with_files(table, longer_of(table))
    passed = STEPS[step](shown)
    dataset = Dataset(passed)
    assert FILE not in dataset.image_table
    expected = dict(zip(shown["image"], shown[FILE], strict=True))
    back = dict(zip(dataset.images["image"], dataset.images[FILE], strict=True))
    assert {image: file for image, file in back.items() if image in expected} == {
        image: expected[image] for image in back if image in expected
    }
    assert dataset.filter("file != ''").images.equals(dataset.images)


@settings(max_examples=many(60), deadline=None)
@given(PROJECTS, st.data())
def test_own_column_is_kept_and_shown(pairs: list[tuple[str, str | None]], data: st.DataObject) -> None:
    table = table_of(pairs)
    shown = with_files(table, longer_of(table))
    row = data.draw(st.integers(0, len(shown) - 1))
    own = shown.copy()
    own.loc[row, FILE] = f"folder/{shown[FILE][row]}"
    for passed in (own, pd.DataFrame(own)):
        dataset = Dataset(passed)
        assert dataset.image_table[FILE].tolist() == dataset.images[FILE].tolist() == own[FILE].tolist()
        assert Dataset(dataset.images).image_table.equals(dataset.image_table)


def test_columns_are_in_the_order_of_reading() -> None:
    table = table_of([("/data/1.jpg", "/data")])
    shown = with_files(table.assign(label="cat"), {}, facts=["label"])
    assert shown.columns.tolist() == [
        "file", "label", "split", "status", "width", "height", "tags", "revision", "site", "image", "source", "sha256"
    ]  # fmt: skip


def test_display_cuts_long_texts_in_the_middle() -> None:
    image = f"/data/{'long/' * 20}IMG_0001.jpg"
    shown = with_files(table_of([(image, None)] + [(f"/data/{i}.jpg", None) for i in range(200)]), {})
    for head in (shown, shown.head(3), shown[["image"]]):
        with pd.option_context("display.width", 1000, "display.max_columns", None):
            for text in (repr(head), head._repr_html_() or ""):
                assert "long/IMG_0001.jpg" in text
                assert image not in text
    assert shown["image"][0] == image
    with pd.option_context("display.max_colwidth", None):
        assert image in repr(shown[["image"]])


@given(st.text(max_size=80), st.integers(3, 60))
@settings(max_examples=many(100), deadline=None)
def test_shortened_text_keeps_both_ends(text: str, width: int) -> None:
    short = shortened(text, width)
    assert len(short) <= max(width, 3)
    assert short == text or (text.startswith(short.partition("…")[0]) and "…" in short)


def test_table_without_images_is_left_alone() -> None:
    table = pd.DataFrame({"file": ["a"]})
    assert without_files(table)[0].equals(table)
