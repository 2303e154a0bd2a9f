import io
import os
import sys
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from customlabels_nb.errors import ImageNotFoundError, InputError, NotAnImageError, TruncatedImageError
from customlabels_nb.images.locations import located
from customlabels_nb.inference.inputs import expand_sources, load_encoded
from tests.models.pictures import gradient


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Return the path of a small photo."""
    path = tmp_path / "photo.png"
    gradient(30, 20).save(path)
    return path


def test_files_by_path_url_and_bytes(photo: Path) -> None:
    for given in (photo, str(photo), photo.as_uri()):
        image, _, name = load_encoded(given)
        assert (image.size, image.mode, name) == ((30, 20), "RGB", str(given))
    assert load_encoded("photo.png", root=photo.parent)[0].size == (30, 20)
    for data in (photo.read_bytes(), bytearray(photo.read_bytes()), memoryview(photo.read_bytes())):
        assert load_encoded(data)[0].tobytes() == load_encoded(photo)[0].tobytes()
    with fsspec.open("memory://bucket/photo.png", "wb") as file:
        file.write(photo.read_bytes())
    assert load_encoded("memory://bucket/photo.png")[0].size == (30, 20)


def test_open_files(photo: Path) -> None:
    whole = load_encoded(photo)[0].tobytes()
    buffer = io.BytesIO()
    load_encoded(photo)[0].save(buffer, "PNG")  # and is at its end
    assert load_encoded(buffer)[0].tobytes() == whole
    assert load_encoded(buffer)[2] == "image"
    with photo.open("rb") as file:
        image, _, name = load_encoded(file)
        assert (image.tobytes(), name) == (whole, str(photo))
        assert load_encoded(file)[1:] == (photo.read_bytes(), str(photo))
    with photo.open() as file, pytest.raises(InputError, match="binary mode"):
        load_encoded(file)


def test_pictures_and_arrays_and_tensors_hold_the_same(photo: Path) -> None:
    image, *_ = load_encoded(photo)
    pixels = np.asarray(image)
    opaque = np.dstack([pixels, np.full((20, 30), 255, np.uint8)])
    channels_first = torch.from_numpy(pixels.copy()).permute(2, 0, 1)
    for given in (
        image,
        pixels,
        opaque,
        pixels / 255,
        (pixels / 255).astype(np.float32),
        channels_first,
        channels_first / 255,
        (channels_first / 255).requires_grad_(),
        pixels[None],
        channels_first[None],
    ):
        assert load_encoded(given)[0].tobytes() == image.tobytes()
    grey = pixels[:, :, 0]
    for given in (grey, grey[:, :, None], grey / 255, torch.from_numpy(grey.copy())[None]):
        assert (np.asarray(load_encoded(given)[0]) == np.dstack([grey] * 3)).all()


def test_pictures_are_turned_upright() -> None:
    image = gradient(30, 20)
    image.getexif()[0x0112] = 6
    assert load_encoded(image)[0].size == (20, 30)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((3, 20, 30), np.uint8), r"array of shape \(3, 20, 30\)"),
        (np.zeros((20, 30, 2), np.uint8), r"\(20, 30, 2\)"),
        (np.zeros((0, 30, 3), np.uint8), r"\(0, 30, 3\)"),
        (np.zeros(5, np.uint8), r"\(5,\)"),
        (np.full((2, 2), 255.0), "from 255 to 255"),
        (np.full((2, 2), -0.5), "from -0.5"),
        (np.full((2, 2), np.nan), "nan"),
        (np.zeros((2, 2), np.int64), "dtype int64"),
        (np.zeros((2, 2), bool), "dtype bool"),
        (torch.zeros(20, 30, 3), r"tensor of shape \(20, 30, 3\)"),
        (torch.zeros(2, 3, 2, 2), r"\(2, 3, 2, 2\)"),
        (np.zeros((2, 20, 30, 3), np.uint8), r"\(2, 20, 30, 3\)"),
        (np.zeros((1, 3, 20, 30), np.uint8), r"\(1, 3, 20, 30\)"),
        (io.StringIO("text"), "opened in text mode. Open it in binary mode"),
        (torch.zeros(3, 0, 2), r"\(0, 2, 3\)"),
        (None, "type NoneType"),
        (["a.jpg"], "type list.*detect_many"),
        (7, "type int"),
    ],
)
def test_anything_else_is_refused_by_name(given: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_encoded(given)


def test_files_that_are_no_images_are_named(photo: Path) -> None:
    with pytest.raises(ImageNotFoundError, match=r"gone\.png"):
        load_encoded(photo.parent / "gone.png")
    with pytest.raises(NotAnImageError, match="empty"):
        load_encoded(b"")
    with pytest.raises(NotAnImageError, match="no pixels"):
        load_encoded(Image.new("RGB", (0, 5)))
    photo.write_bytes(photo.read_bytes()[:100])
    with pytest.raises(TruncatedImageError, match=r"photo\.png"):
        load_encoded(str(photo))
    with pytest.raises(ImageNotFoundError, match="nosuchbucket"):
        load_encoded("memory://nosuchbucket/gone.jpg")


def test_model_gets_a_reduced_image_and_display_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    gradient(1200, 900).save(path)
    for given in (path, path.read_bytes()):
        shown, data, _ = load_encoded(given)
        assert shown.size == (1200, 900)
        assert data == path.read_bytes()
    same, data, _ = load_encoded(shown)
    assert same.size == (1200, 900)
    assert data is None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with images, subfolders, hidden files and a text file."""
    for name in ("a.jpg", "b.PNG", "c.txt", "sub/d.jpeg", "sub/deep/e.jpg", ".hidden.jpg", ".ipynb_checkpoints/a.jpg"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "in"


def names(found: list[str], folder: Path) -> list[str]:
    return [os.path.relpath(path, folder).replace(os.sep, "/") for path in found]


def test_folders_give_the_images_below_them(folder: Path) -> None:
    expected = ["a.jpg", "b.PNG", "sub/d.jpeg", "sub/deep/e.jpg"]
    assert names(expand_sources(folder), folder) == expected
    assert names(expand_sources(str(folder) + "/"), folder) == expected
    assert names([path.removeprefix("file://") for path in expand_sources(folder.as_uri())], folder) == expected
    assert names(expand_sources("in", root=folder.parent), folder) == expected


def test_one_image_is_not_a_folder(folder: Path) -> None:
    for given, root in ((folder, None), (str(folder), None), (folder.as_uri(), None), ("in", folder.parent)):
        with pytest.raises(NotAnImageError, match=r"is a folder.*detect_many"):
            load_encoded(given, root=root)


def test_patterns_are_expanded(folder: Path) -> None:
    assert names(expand_sources(f"{folder}/*.jpg"), folder) == ["a.jpg"]
    assert names(expand_sources(f"{folder}/?.*"), folder) == ["a.jpg", "b.PNG", "c.txt"]
    assert names(expand_sources(folder / "**" / "*.jpg"), folder) == ["a.jpg", "sub/deep/e.jpg"]
    assert names(expand_sources(f"{folder}/*"), folder) == ["a.jpg", "b.PNG", "c.txt"]  # no folders
    assert expand_sources("in/*.jpg", root=folder.parent) == [os.path.join("in", "a.jpg")]
    if sys.platform != "win32":
        (folder / "what?.jpg").touch()
        (folder / "whats.jpg").touch()
        assert names(expand_sources(folder / "what?.jpg"), folder) == ["what?.jpg"]


def test_bucket_patterns_are_expanded() -> None:
    system = fsspec.filesystem("memory")
    for name in ("2.jpg", "1.jpg", "note.txt"):
        system.pipe(f"/patterns/{name}", b"")
    assert expand_sources("memory://patterns/*.jpg") == ["memory://patterns/1.jpg", "memory://patterns/2.jpg"]
    assert expand_sources("https://example.com/a.jpg?size=*") == ["https://example.com/a.jpg?size=*"]
    with pytest.raises(InputError, match=r"patterns/\*\.tif.* contains no images"):
        expand_sources("memory://patterns/*.tif")
    with pytest.raises(InputError, match="cannot be listed"):
        expand_sources("nosuchprotocol://bucket/*.jpg")


def test_lists_and_tables_are_accepted(folder: Path) -> None:
    given = [folder / "a.jpg", "s3://bucket/b.jpg", "relative.jpg"]
    expected = [str(folder / "a.jpg"), "s3://bucket/b.jpg", "relative.jpg"]
    assert expand_sources(given) == expected
    assert expand_sources(iter(given)) == expected
    assert expand_sources(pd.DataFrame({"image": expected, "label": "x"})) == expected
    assert expand_sources([]) == []
    assert names(expand_sources([folder / "*.jpg", folder / "sub"]), folder) == [
        "a.jpg",
        "sub/d.jpeg",
        "sub/deep/e.jpg",
    ]
    assert expand_sources(pd.DataFrame({"image": ["wild*.jpg"]})) == ["wild*.jpg"]  # a table names images only
    with pytest.raises(InputError, match=r"'\*\.tif' contains no images"):
        expand_sources([folder / "a.jpg", "*.tif"])


def test_missing_image_is_refused(folder: Path) -> None:
    for name in ("alone.jpg", str(folder / "gone.jpg"), folder / "nope"):
        with pytest.raises(InputError, match="does not exist"):
            expand_sources(name)
    assert expand_sources(["gone.jpg", folder / "a.jpg"]) == ["gone.jpg", str(folder / "a.jpg")]  # of several, later
    assert expand_sources("https://example.com/gone.jpg") == ["https://example.com/gone.jpg"]


def test_relative_names_are_found_in_the_folder_then_the_root(
    folder: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = folder / "sub"
    gradient(9, 9).save(here / "both.png")
    gradient(30, 20).save(folder / "both.png")
    gradient(30, 20).save(folder / "there.png")
    monkeypatch.chdir(here)
    assert load_encoded("both.png", root=folder)[0].size == (9, 9)
    assert load_encoded("there.png", root=folder)[0].size == (30, 20)
    assert located("there.png", folder) == str(folder / "there.png")
    assert located("gone.png", folder) == "gone.png"
    assert expand_sources(["both.png", "there.png"], root=folder) == ["both.png", "there.png"]
    assert expand_sources("*.jpeg", root=folder) == ["d.jpeg"]
    assert expand_sources("t*.png", root=folder) == ["there.png"]
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.setenv("USERPROFILE", str(here))
    assert load_encoded("~/both.png")[2] == str(here / "both.png")
    assert expand_sources(["~/d.jpeg"]) == expand_sources("~/*.jpeg") == [str(here / "d.jpeg")]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_utf8_become_urls(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    gradient(30, 20).save(os.fsdecode(path), "PNG")
    found = expand_sources(tmp_path)
    assert len(found) == 1
    assert found[0].endswith("/caf%E9.png")
    assert load_encoded(found[0])[0].size == (30, 20)
    assert load_encoded(os.fsdecode(path))[2] == found[0]


def test_missing_files_and_wrong_types_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"\*\.tif"):
        expand_sources(folder / "*.tif")
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty.* contains no images"):
        expand_sources(folder / "empty")
    with pytest.raises(InputError, match="column 'image'"):
        expand_sources(pd.DataFrame({"path": ["a.jpg"]}))
    with pytest.raises(InputError, match=r"images\[1\] has type int"):
        expand_sources(["a.jpg", 3])
    with pytest.raises(InputError, match=r"images\[0\] has type float"):
        expand_sources(pd.DataFrame({"image": [float("nan")]}))
    for wrong in (5, b"a.jpg", None):
        with pytest.raises(InputError, match="images has type"):
            expand_sources(wrong)
