"""Tests of writes that fail: old files remain, and missing images are listed.

``tests/stress`` kills processes that write, and fills the disk.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from customlabels_nb.datasets import formats
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.formats.staging import free_name, staged
from customlabels_nb.datasets.loading import read_dataset
from customlabels_nb.errors import InputError
from tests.datasets.formats.test_contract import photos, target
from tests.images.pictures import jpeg

NAMES = list(formats.FORMATS)
LABELS = ("first", "second")


def dataset(photos: Path | list[str], label: str, *, boxes: bool) -> Dataset:
    """Return a dataset of all photos in a folder, or of these names, each with this label."""
    names = photos if isinstance(photos, list) else [str(path) for path in sorted(photos.glob("*.png"))]
    images = pd.DataFrame({"image": names, "width": 100, "height": range(60, 60 + len(names))})
    rows = images[["image"]].assign(label=label)
    return Dataset(images, rows.assign(left=1.0, top=2.0, width=30.0, height=40.0) if boxes else rows)


def everything_in(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", NAMES)
def test_images_that_can_not_be_copied_are_listed_and_the_rest_is_written(tmp_path: Path, name: str) -> None:
    shots = photos(tmp_path / "photos", 6)
    path = target(name, tmp_path / "out")
    given = dataset(tmp_path / "photos", LABELS[0], boxes=not formats.FORMATS[name].copies)
    Path(shots[1]).unlink()
    Path(shots[2]).unlink()
    os.mkfifo(shots[2])
    Path(shots[4]).unlink()
    Path(shots[4]).mkdir()
    written = given.to(name, path, copy_images=True)
    assert written.left_out == [shots[1], shots[2], shots[4]]
    assert "IMAGE_NOT_FOUND" in set(written.issues["code"])
    assert "3 images" in repr(written)
    assert repr(shots[1]) in repr(written)
    found = read_dataset(path, name)
    assert found.issues.empty
    assert sorted(Path(image).name for image in found.images["image"]) == [f"photo {n}.png" for n in (0, 3, 5)]
    assert found.label_counts.to_dict() == {LABELS[0]: 3}
    assert {file.name for file in written.files if file.suffix == ".png"} == {f"photo {n}.png" for n in (0, 3, 5)}


@pytest.mark.parametrize("name", NAMES)
def test_images_left_out_for_one_reason_are_one_line(tmp_path: Path, name: str) -> None:
    shots = photos(tmp_path / "photos", 6)
    given = dataset(tmp_path / "photos", LABELS[0], boxes=not formats.FORMATS[name].copies)
    for shot in shots[1:]:
        Path(shot).unlink()
    written = given.to(name, target(name, tmp_path / "out"), copy_images=True)
    assert written.left_out == shots[1:]
    (line,) = (issue.message for issue in written.issues.itertuples() if issue.code == "IMAGE_NOT_FOUND")
    assert line.startswith(f"5 × image left out: {shots[1]!r}, ")


@pytest.mark.parametrize("name", ["coco", "image_folder"])
def test_nothing_changes_if_no_image_can_be_copied(tmp_path: Path, name: str) -> None:
    shots = photos(tmp_path / "photos", 2)
    path = target(name, tmp_path / "out")
    given = dataset(tmp_path / "photos", LABELS[0], boxes=name == "coco")
    given.to(name, path, copy_images=True)
    before = everything_in(tmp_path / "out")
    for shot in shots:
        Path(shot).unlink()
    with pytest.raises(InputError, match=r"0 of 2.*photo 0\.png"):
        given.relabel({LABELS[0]: LABELS[1]}).to(name, path, copy_images=True)
    assert everything_in(tmp_path / "out") == before


@pytest.mark.parametrize("name", [name for name in NAMES if "boxes" in formats.FORMATS[name].holds])
def test_failed_export_leaves_the_folder_unchanged(tmp_path: Path, name: str) -> None:
    shots = photos(tmp_path / "photos", 4)
    path = target(name, tmp_path / "out")
    dataset(tmp_path / "photos", LABELS[0], boxes=True).to(name, path)
    before = everything_in(tmp_path / "out")
    contents = formats.Contents(
        *(getattr(dataset(tmp_path / "photos", LABELS[1], boxes=True), part) for part in ("images", "annotations")),
        [LABELS[1]],
    )
    column = (
        "label" if name in ("custom_vision", "label_studio", "label_studio_min", "labelme", "cvat") else "confidence"
    )  # it cannot hold confidences
    values = contents.annotations[column].astype(object)
    values[3] = object()
    contents.annotations = contents.annotations.assign(**{column: values})
    with pytest.raises(TypeError):
        formats.write(contents, name, path)
    assert everything_in(tmp_path / "out") == before
    assert len(shots) == len(read_dataset(path, name).annotations)


def test_a_link_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    photos(tmp_path / "photos", 1)
    new = dataset(tmp_path / "photos", "x", boxes=True)
    (tmp_path / "elsewhere").mkdir()
    for name, inner in (("voc", "Annotations"), ("voc", "ImageSets"), ("voc", "images"), ("image_folder", "x")):
        folder = tmp_path / f"{name}-{inner}"
        folder.mkdir()
        (folder / inner).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(InputError, match=rf"{inner}.* is a symlink pointing outside "):
            new.to(name, folder, copy_images=True)
        assert {entry.name for entry in folder.iterdir()} <= {inner, "images"}
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_staged_files_are_moved_in_order_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    (tmp_path / "kept").write_text("old")
    with staged(tmp_path) as files:
        files.write(tmp_path / "deep" / "a", b"a")
        files.write(tmp_path / "kept", b"new", durable=True)
        files.remove(tmp_path / "old")
        files.remove(tmp_path / "kept")
        files.remove(tmp_path / "never was")
        assert not (tmp_path / "deep").exists()
        assert (tmp_path / "kept").read_text() == "old"
    assert {str(path.relative_to(tmp_path)): data for path, data in everything_in(tmp_path).items()} == {
        "deep/a": b"a", "kept": b"new",
    }  # fmt: skip
    with pytest.raises(TypeError), staged(tmp_path) as files:
        files.write(tmp_path / "kept", "newer")  # type: ignore[arg-type]
    assert (tmp_path / "kept").read_text() == "new"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["deep", "kept"]


def test_copies_have_names_that_are_free_and_safe() -> None:
    taken: dict[str, int] = {}
    uris = ["/a/x.png", "/b/X.jpg", "/c/x.png", "/a/x-2.png", "s3://b/..", "s3://b/.hidden.png", "/a/<2>?.png"]
    names = [free_name(uri, taken) for uri in uris]
    assert names == ["x.png", "X-2.jpg", "x-3.png", "x-2-2.png", "image", "hidden.png", "_2__.png"]
    assert taken["x"] == 3  # the next copy does not try the others again
    longest = free_name("/a/" + "z" * 300 + ".png", taken)
    assert [free_name(f"/b/{longest}", taken), free_name(f"/b/{longest}", dict[str, int]())] == [
        longest.replace(".png", "-2.png"), longest,
    ]  # fmt: skip
    assert free_name("https://h/b.jpg#top", taken) == "b.jpg"
    assert free_name("https://h/a.jpg?w=640&path=/b/" + "y" * 300, taken) == "a.jpg"
    assert free_name("/a/\n" + "é" * 300 + "." + "y" * 300, taken) == "_" + "é" * 35 + "." + "y" * 71


def test_copies_have_extensions_of_images(tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(jpeg(1, (8, 8)))
    (tmp_path / "scan.v2").write_bytes(jpeg(2, (8, 8)))
    with staged(tmp_path) as files:
        copies = [files.copy_image(str(tmp_path / name), tmp_path / "images", {}) for name in ("photo", "scan.v2")]
    assert [path and path.name for path in copies] == ["photo.jpg", "scan.jpg"]


@pytest.mark.parametrize("name", NAMES)
def test_a_path_where_nothing_can_be_written_is_named(tmp_path: Path, name: str) -> None:
    photos(tmp_path / "photos", 1)
    (tmp_path / "file").write_text("somebody's")
    boxes = not formats.FORMATS[name].copies
    with pytest.raises(InputError, match=r"path='.*file"):
        dataset(tmp_path / "photos", "x", boxes=boxes).to(name, target(name, tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "somebody's"


def test_dataset_can_be_written_over_itself(tmp_path: Path) -> None:
    photos(tmp_path / "photos", 3)
    dataset(tmp_path / "photos", "x", boxes=False).to("image_folder", tmp_path / "out")
    read = read_dataset(tmp_path / "out")
    read.relabel({"x": "y"}).to("image_folder", tmp_path / "out")
    again = read_dataset(tmp_path / "out")
    assert again.label_counts.to_dict() == {"x": 3, "y": 3}  # existing files belong to somebody and stay
    assert isinstance(again, Dataset)
