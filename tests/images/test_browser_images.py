"""Tests of full images for browsers: unchanged if supported, else upright and with the right brightness."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from customlabels_nb.errors import ImageError, ImageNotFoundError
from customlabels_nb.images.reading import content_hash, open_image
from customlabels_nb.images.thumbnails import BrowserImage, ContentCache, full_view, full_view_of, kept_view
from tests.images.pictures import encoded, jpeg, picture, tree
from tests.images.test_dicom import RAMP, dicom
from tests.images.test_reading import difference


def turned(format_: str) -> bytes:
    """Return an encoded image that EXIF rotates by a quarter turn."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(picture(1), format_, exif=exif)


def shown(view: BrowserImage) -> Image.Image:
    """Return the image as shown by a browser that ignores orientations."""
    with Image.open(io.BytesIO(view.data)) as image:
        assert view.mime == Image.MIME[image.format or ""]
        assert (view.width, view.height) == image.size
        assert image.getexif().get(0x0112, 1) == 1
        return image.convert("RGB")


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (jpeg(1), "image/jpeg"),
        (encoded(picture(1).convert("L")), "image/jpeg"),
        (encoded(picture(1), "MPO", save_all=True, append_images=[picture(2)]), "image/jpeg"),
        (encoded(picture(1), "PNG"), "image/png"),
        (encoded(picture(1).convert("RGBA"), "PNG"), "image/png"),
        (encoded(picture(1).quantize(8), "PNG"), "image/png"),
        (encoded(picture(1), "WEBP", lossless=True), "image/webp"),
    ],
)
def test_images_that_browsers_show_are_not_converted(data: bytes, mime: str) -> None:
    assert full_view(data, "a") == BrowserImage(data, mime, 48, 32, 1.0)


DEEP = Image.fromarray(np.tile(np.linspace(0, 65535, 48).astype(np.uint16), (32, 1)))
FILM = {"save_all": True, "append_images": [picture(2)]}


@pytest.mark.parametrize(
    "data",
    [
        turned("JPEG"),
        turned("PNG"),
        turned("WEBP"),
        encoded(picture(1).convert("CMYK"), "JPEG"),
        encoded(DEEP, "PNG"),
        encoded(picture(1), "TIFF"),
        encoded(picture(1), "BMP"),
        encoded(picture(1), "GIF"),
        encoded(picture(1), "PNG", **FILM),
        encoded(picture(1), "WEBP", lossless=True, **FILM),
        dicom(RAMP, WindowCenter=2000, WindowWidth=1000),
    ],
    ids=["turned jpeg", "turned png", "turned webp", "cmyk", "16 bits", "tiff", "bmp", "gif", "apng", "film", "dicom"],
)
def test_all_others_become_upright_jpeg(data: bytes) -> None:
    view = full_view(data, "a")
    assert (view.mime, view.scale) == ("image/jpeg", 1.0)
    assert difference(shown(view), open_image(data)) < 6


def test_large_images_are_scaled_down_with_their_scale() -> None:
    view = full_view(encoded(picture(1, (600, 400)), "TIFF"), "a.tif", longest=150)
    assert (view.width, view.height, view.scale) == (150, 100, 0.25)
    assert shown(view).size == (150, 100)
    assert full_view(turned("JPEG"), "a", longest=24).scale == 0.5


def test_a_color_profile_survives() -> None:
    data = encoded(picture(1), "TIFF", icc_profile=b"some profile")
    with Image.open(io.BytesIO(full_view(data, "a.tif").data)) as image:
        assert image.info["icc_profile"] == b"some profile"


def test_damaged_images_raise_an_error() -> None:
    whole = (jpeg(1, (400, 300)), encoded(picture(1, (400, 300)), "PNG"), encoded(picture(1), "TIFF"))
    for data in (*(data[: len(data) * 2 // 3] for data in whole), b"no image"):
        with pytest.raises(ImageError, match=r"bad\.x"):
            full_view(data, "bad.x")


def test_a_view_is_converted_once_for_a_content(tmp_path: Path) -> None:
    path, cache = tmp_path / "a.tif", ContentCache(tmp_path / "cache", 1 << 20)
    path.write_bytes(encoded(picture(1, (200, 100)), "TIFF"))
    before = tree(tmp_path)
    sha256 = content_hash(path.read_bytes())
    first = full_view_of("a.tif", root=tmp_path, sha256=sha256, cache=cache, longest=100)
    assert (first.width, first.height, first.scale) == (100, 50, 0.5)
    assert tree(tmp_path)["a.tif"] == before["a.tif"]
    path.unlink()
    assert full_view_of("a.tif", root=tmp_path, sha256=sha256, cache=cache, longest=100) == first
    with pytest.raises(ImageNotFoundError):
        full_view_of("a.tif", root=tmp_path, sha256=sha256, cache=cache, longest=50)


def test_unconverted_and_changed_images_are_not_cached(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path / "cache", 1 << 20)
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    (tmp_path / "b.bmp").write_bytes(encoded(picture(1), "BMP"))
    full_view_of("a.jpg", root=tmp_path, sha256=content_hash(jpeg(1)), cache=cache)
    full_view_of("b.bmp", root=tmp_path, sha256=content_hash(b"as it was"), cache=cache)
    full_view_of("b.bmp", root=tmp_path, sha256=None, cache=None)
    assert not cache.folder.exists()


def test_foreign_bytes_in_the_cache_are_ignored() -> None:
    assert kept_view(b"damaged") is None
    assert kept_view(jpeg(1)) is None
