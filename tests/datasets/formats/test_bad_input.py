"""Tests of every format with bad input: an error that names the file, or issues, but never a crash.

The cases are derived from the output of each format, so that a new format is tested as well.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import CODES
from customlabels_nb.datasets import formats
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import CustomLabelsError, InputError, ManifestError, StoreError
from tests.datasets.formats.test_contract import dataset, target

NAMES = list(formats.FORMATS)
ANNOTATED = [name for name in NAMES if not formats.FORMATS[name].copies]  # the others have no annotation file
FILES = [name for name in ANNOTATED if formats.FORMATS[name].folder(Path("x", "y.json")) == Path("x")]

_A_NUMBER = re.compile(r"(?<!\d\d:)(?<![\d.T-])\d+\.\d+(?![\d.])")  # not part of a date
_FOLDERS: dict[str, Path] = {}
PIECES = st.binary(max_size=12) | st.sampled_from([
    b"nan", b"1e999", b"-", b"../", b"{", b"[[1,2]]", b'"', b",", b"\n", b"\r", b"<x1>", b"</object>", b"&#0;", b"*a",
    b"!!int x", b"\xed\xa0\x80",
])  # fmt: skip
#: Names of images that lead out of the folder, or nowhere.
LEADING_OUT = [
    "../secret.png", "a/../../secret.png", "..\\secret.png", "/etc/passwd", "\\\\server\\share\\x.png", "C:\\x.png",
    "c:/x.png", "//server/share/x.png", "http://[x.png", "x\0.png", "file:///etc/passwd", "file://server/share/x.png",
    "file://../secret.png", "file://localhost/etc/passwd", "file:///%65tc/passwd", "file:../secret.png", "FILE:///x.png",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Write a small dataset in each format, which :func:`written` copies."""
    for name, format_ in formats.FORMATS.items():
        folder = tmp_path_factory.mktemp(name)
        kind = "boxes" if "boxes" in format_.holds else "image_labels"
        chosen = dataset(folder, kind).filter("label.notna()")
        chosen.to(name, target(name, folder), copy_images=not format_.copies)
        _FOLDERS[name] = folder
    yield
    _FOLDERS.clear()


def written(name: str, folder: Path) -> Path:
    """Write a small dataset in the format. ``photo 0.png`` is in each of its files that names images."""
    shutil.copytree(_FOLDERS[name], folder, dirs_exist_ok=True)
    path = target(name, folder)
    if name == "ground_truth":
        path.write_text(path.read_text("utf-8").replace(str(_FOLDERS[name]), str(folder)), "utf-8")
    return path


def texts(path: Path) -> list[Path]:
    """Return the annotation files at ``path``."""
    return [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file() and f.suffix != ".png")


def read_or_refused(path: Path, name: str, **options: Any) -> Dataset | CustomLabelsError:
    """Return the dataset after checking it, or the typed error, which must name the file."""
    try:
        found = cl.read_dataset(path, name, **options)
    except CustomLabelsError as caught:
        error = caught
    else:
        return sound(found)
    assert path.name in str(error), error
    return error


def sound(found: Dataset) -> Dataset:
    """Check that the tables contain only allowed values and return the dataset."""
    assert set(found.issues["code"]) <= set(CODES)
    assert set(found.annotations["image"]) <= set(found.images["image"])
    boxes = found.annotations[list(t.BOX_COLUMNS)].to_numpy()
    assert not np.isinf(boxes).any()
    assert not (boxes[:, 2:] < 0).any()
    found.images.to_json()
    found.issues.to_json()
    return found


def listing(folder: Path) -> dict[str, bytes]:
    """Return all files with their contents, except those with duplicate images of a CSV file."""
    files = [file for file in folder.rglob("*") if file.is_file() and not file.is_symlink()]
    return {str(file): file.read_bytes() for file in files if "duplicate" not in file.name}


@pytest.fixture(autouse=True)
def _nothing_is_written_by_reading(tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    """Check that reading a file writes nothing, for tests that list their files in the fixture ``made``."""
    made = request.getfixturevalue("made") if "made" in request.fixturenames else []
    yield
    for before in made:
        assert listing(tmp_path) == before


@pytest.fixture
def made() -> list[dict[str, bytes]]:
    """Return a list to which the test appends the contents of its folder after writing its files."""
    return []


@pytest.mark.parametrize("name", NAMES)
def test_missing_path_or_wrong_type_raises_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "nothing", tmp_path / "folder.json", tmp_path / "file"):
        assert isinstance(read_or_refused(path, name), CustomLabelsError)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("data", [b"", b" \n\r\n\t", b"\0", b"\xef\xbb\xbf", b"\xff\xfe", b"\xff" * 9, b"[]", b"null"])
def test_empty_files_raise_an_error(tmp_path: Path, name: str, data: bytes, made: list[Any]) -> None:
    path = written(name, tmp_path)
    for file in texts(path):
        file.write_bytes(data)
    made.append(listing(tmp_path))
    found = read_or_refused(path, name)
    if name in FILES:
        assert isinstance(found, ManifestError)
        assert found.code in CODES
    if name in ANNOTATED:
        assert isinstance(found, CustomLabelsError) or found.annotations.empty


@pytest.mark.parametrize("name", ANNOTATED)
@pytest.mark.parametrize("bad", LEADING_OUT)
def test_names_that_lead_out_are_refused_by_name(tmp_path: Path, name: str, bad: str, made: list[Any]) -> None:
    path = written(name, tmp_path / "in")
    (tmp_path / "secret.png").write_bytes((tmp_path / "in" / "photos" / "photo 0.png").read_bytes())
    own = str(tmp_path / "in" / "images" / "photo 0.png") if name == "ground_truth" else "images/photo 0.png"
    own = "photo 0.png" if name == "cvat" else own
    changed = 0
    for file in texts(path):
        text = file.read_text("utf-8")
        changed += own in text
        in_json = file.suffix in (".json", ".manifest")
        escaped = bad.replace("\\", "\\\\").replace("\0", "\\u0000") if in_json else bad
        file.write_text(text.replace(f"./{own}", own).replace(own, escaped), "utf-8")
    assert changed
    made.append(listing(tmp_path))
    found = read_or_refused(path, name)
    if isinstance(found, CustomLabelsError):
        return
    if name != "ground_truth":  # in ground_truth, a path is used as given
        outside = [uri for uri in found.images["image"] if not uri.startswith((f"{tmp_path}/in/", "s3://"))]
        assert outside == []
        assert not found.issues.empty
    assert "secret" not in "".join(Path(uri).name for uri in found.images["image"]) or name == "ground_truth"


@pytest.mark.parametrize("name", ANNOTATED)
@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-1e400", "1e400", "9" * 99, "-5", "true", '"7"', "null", "[]", "1e308", "x"]
)
def test_invalid_numbers_are_reported(tmp_path: Path, name: str, number: str, made: list[Any]) -> None:
    """Test that of the first box of each file, read values are finite, and unread ones are reported."""
    path = written(name, tmp_path)
    count = len(cl.read_dataset(path, name).annotations)
    changed = 0
    for file in texts(path):
        text, done = _A_NUMBER.subn(number, file.read_text("utf-8"), 1)
        file.write_text(text, "utf-8")
        changed += done
    assert changed
    made.append(listing(tmp_path))
    found = read_or_refused(path, name)
    if isinstance(found, Dataset) and len(found.annotations) < count:
        assert not found.issues.empty


@pytest.mark.parametrize("name", ANNOTATED)
@pytest.mark.parametrize("how", ["cut", "utf8", "nul", "twice", "reversed", "spread"])
def test_damaged_files(tmp_path: Path, name: str, how: str, made: list[Any]) -> None:
    path = written(name, tmp_path)
    whole = cl.read_dataset(path, name)
    for file in texts(path):
        data = file.read_bytes()
        if file.name in (formats.entries.INDEX_NAME, formats.entries.INDEX_BESIDE_JSON) and how != "cut":
            continue
        middle = len(data) // 2
        file.write_bytes({
            "cut": data[:middle],
            "utf8": data.replace(b"photo", b"ph\xffto"),
            "nul": data[:middle] + b"\0" * 9 + data[middle:],
            "twice": data + data,
            "reversed": data[::-1],
            "spread": data.decode().encode("utf-16"),
        }[how])  # fmt: skip
    made.append(listing(tmp_path))
    found = read_or_refused(path, name)
    if isinstance(found, Dataset):
        same = len(found.annotations) == len(whole.annotations)
        assert same or not found.issues.empty or how in ("cut", "utf8")  # the remainder may look complete


@pytest.mark.parametrize("examples", [25, pytest.param(150, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("name", ANNOTATED)
def test_files_with_a_changed_piece_are_read_or_refused(tmp_path: Path, name: str, examples: int) -> None:
    written(name, tmp_path)
    check_changed(target(name, tmp_path), name, examples)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["label_studio", "cvat"])
def test_changed_files_with_masks_and_predictions_are_read_or_refused(tmp_path: Path, name: str) -> None:
    box = {"left": 1.0, "top": 2.0, "width": 6.0, "height": 5.0, "image": "photo 0.png", "label": "x"}
    hole = [[[1, 2], [7, 2], [7, 7], [1, 7]], [[3, 3], [4, 3], [4, 4]]]
    images = pd.DataFrame({"image": ["photo 0.png", "photo 1.png"], "width": [9, 9], "height": [8, 8]})
    rows = pd.DataFrame([box, {**box, "polygon": hole}, {"image": "photo 1.png", "label": "y"}])
    predictions = pd.DataFrame([{**box, "confidence": 0.5, "model": "v1"}])
    path = target(name, tmp_path)
    Dataset(images, rows, predictions=predictions, root=tmp_path).to(name, path)
    check_changed(path, name, 1000)


def check_changed(path: Path, name: str, examples: int) -> None:
    """Read the files at ``path`` with a changed piece, ``examples`` times."""
    originals = {file: file.read_bytes() for file in texts(path)}

    @settings(max_examples=examples, derandomize=True)
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        for file, original in originals.items():
            start = data.draw(st.integers(0, len(original)))
            end = data.draw(st.integers(start, min(len(original), start + 20)))
            file.write_bytes(original[:start] + data.draw(PIECES) + original[end:])
        formats.FORMATS[name].recognise(path)
        options = {"on_duplicate": "merge"} if name == "csv" else {}
        found = read_or_refused(path, name, **options)
        assert isinstance(found, CustomLabelsError) or len(found.unread) <= len(found.issues)

    check()


@pytest.mark.parametrize("name", ANNOTATED)
def test_10_mb_of_garbage_are_refused_quickly(tmp_path: Path, name: str) -> None:
    path = written(name, tmp_path)
    garbage = np.random.default_rng(0).bytes(10_000_000)
    file = next(file for file in texts(path) if file.suffix in (".manifest", ".json", ".csv", ".xml", ".yaml"))
    for other in texts(path):
        other.unlink()
    file.write_bytes(garbage)
    started = time.process_time()
    with pytest.raises(ManifestError, match=rf"{path.name}|{file.name}"):
        cl.read_dataset(path, name)
    with pytest.raises(ManifestError, match=path.name):
        cl.read_dataset(path)
    assert time.process_time() - started < 5


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["[", '{"a":', "<a>", "- ", '",', "a: "])
def test_deeply_nested_and_long_values_are_refused(tmp_path: Path, name: str, text: str) -> None:
    path = written(name, tmp_path)
    for file in texts(path):
        file.write_text(text * 50_000)
    read_or_refused(path, name)


@pytest.mark.parametrize("name", NAMES)
def test_links_in_circles_and_links_to_nothing(tmp_path: Path, name: str) -> None:
    path = written(name, tmp_path / "in")
    count = len(cl.read_dataset(path, name).annotations)
    folder = path if path.is_dir() else path.parent
    (folder / "again").symlink_to(folder)
    (folder / "nothing.png").symlink_to(tmp_path / "nothing")
    found = read_or_refused(path, name)
    assert isinstance(found, Dataset)
    assert len(found.annotations) == count
    circle = tmp_path / f"circle{path.suffix}"
    circle.symlink_to(circle)
    assert isinstance(read_or_refused(circle, name), CustomLabelsError)


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="needs files that may not be read")
@pytest.mark.parametrize("name", NAMES)
def test_unreadable_file_raises_a_typed_error(tmp_path: Path, name: str) -> None:
    path = written(name, tmp_path)
    path.chmod(0)
    try:
        assert isinstance(read_or_refused(path, name), CustomLabelsError)
    finally:
        path.chmod(0o700)


@pytest.mark.parametrize("name", ANNOTATED)
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    path = tmp_path / target(name, tmp_path).name
    os.mkfifo(path)
    for options in ({"format": name}, {}):
        with pytest.raises(CustomLabelsError, match=path.name):
            cl.read_dataset(path, **options)


@pytest.mark.parametrize(
    "name", [b"b.png\x8f", b"x" * 300, b"x" * 5000, b"d/" * 2500, b"b\0.png", b"\xed\xa0\x80.png"], ids=lambda b: b[:8]
)
@pytest.mark.parametrize("format", ["csv", "coco"])
@pytest.mark.parametrize("searched", [False, True])
def test_invalid_name_does_not_affect_other_images(tmp_path: Path, format: str, name: bytes, searched: bool) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    picture = photos / "a.png"
    Image.new("RGB", (50, 40), "red").save(picture)
    place = tmp_path / "data"
    text = name.decode("utf-8", "surrogateescape") if name[0] != 0xED else "\ud800.png"
    if format == "csv":
        place = place.with_suffix(".csv")
        place.write_bytes(b"image,label\n" + name + b",cat\n" + os.fsencode(picture.name) + b",dog\n")
    else:
        place = place.with_suffix(".json")
        images = [{"id": n, "file_name": file, "width": 50, "height": 40} for n, file in enumerate((text, "a.png"))]
        boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 4, 4]} for n in range(2)]
        categories = [{"id": 1, "name": "cat"}]
        place.write_text(json.dumps({"images": images, "annotations": boxes, "categories": categories}))
    read = cl.read_dataset(place, format, images=photos if searched else None)
    assert any(image.endswith("a.png") for image in read.images["image"])
    project = cl.create_project("p", tmp_path)
    project.import_dataset(read, progress=False)
    assert len(read) + len(project.issues) >= 2


def test_impossible_texts_and_folders_are_refused_by_type(tmp_path: Path) -> None:
    project = cl.create_project("p", tmp_path)
    for text in ("\ud800", "\udc8fx"):
        with pytest.raises(InputError, match="surrogate"):
            project.instructions = text
        with pytest.raises(InputError, match="surrogate"):
            project.tags["stage"] = text
        assert not project.instructions
    with pytest.raises(InputError, match="surrogate"):
        project.add_images([tmp_path / "\ud800.jpg"], progress=False)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "project.json").write_text("[" * 100_000)
    with pytest.raises(StoreError, match=r"project\.json"):
        cl.load_project(tmp_path / "deep")
    (tmp_path / "a.csv").write_text("a.png,dog\n")
    for folder in ("a\0b", "\ud800", "y" * 5000, "d/" * 2500):
        for act in (
            lambda place: cl.create_project("q", place),
            lambda place: cl.load_project(place),
            lambda place: cl.list_projects(place),
            lambda place: cl.read_dataset(place),
            lambda place: cl.read_dataset(tmp_path / "a.csv", images=place),
            lambda place: project.train_set.to("csv", place / "x.csv"),
        ):
            with pytest.raises(CustomLabelsError):
                act(tmp_path / folder)
