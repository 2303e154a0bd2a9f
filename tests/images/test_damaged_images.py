"""Tests of damaged images and decompression bombs: the error names the image."""

from __future__ import annotations

import contextlib
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from customlabels_nb.errors import (
    ImageError,
    ImageTooLargeError,
    NotAnImageError,
    TruncatedImageError,
)
from customlabels_nb.images.reading import inspect, open_image
from tests.images.pictures import encoded, jpeg, picture, png_chunk, png_header
from tests.tiers import many

LOSSLESS = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}


# -- damage -----------------------------------------------------------------------------------------
def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_cut_file_is_refused_by_both(format_: str, share: float) -> None:
    data = encoded(noise(), format_, **LOSSLESS.get(format_, {}))
    cut = data[: int(len(data) * share)]
    for read in (lambda: inspect(cut, "cut.x"), lambda: open_image(cut, name="cut.x")):
        with pytest.raises((TruncatedImageError, NotAnImageError)) as caught:
            read()
        assert "cut.x" in str(caught.value)
        assert caught.value.image == "cut.x"


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_cut_photo_is_called_truncated(share: float) -> None:
    data = encoded(noise(), "JPEG", quality=90)
    with pytest.raises(TruncatedImageError, match="truncated or damaged"):
        inspect(data[: int(len(data) * share)], "cut.jpg")


def test_trailing_bytes_are_accepted() -> None:
    for garbage in (b"\0" * 10, b"\0" * 5000, b"<script>" * 40):
        assert inspect(jpeg(9) + garbage, "a.jpg").width == 48
        assert open_image(jpeg(9) + garbage).tobytes() == open_image(jpeg(9)).tobytes()


@pytest.mark.parametrize(
    "data", [b"", b"This is a text.", b"GIF89a", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b"BM"]
)
def test_files_that_are_no_images_are_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"notes\.jpg"):
        inspect(data, "notes.jpg")
    with pytest.raises(ImageError, match=r"notes\.jpg"):
        open_image(data, name="notes.jpg")


def test_empty_and_text_files_have_their_own_message() -> None:
    with pytest.raises(NotAnImageError, match="empty"):
        inspect(b"", "a.jpg")
    with pytest.raises(NotAnImageError, match="not an image in a supported format"):
        inspect(b"This is a text.", "a.jpg")


@pytest.mark.parametrize("where", [b"IHDR", b"IDAT"])
def test_a_png_with_a_wrong_checksum_is_refused(where: bytes) -> None:
    data = bytearray(encoded(noise(), "PNG"))
    data[data.index(where) + 20] ^= 0x55
    with pytest.raises(ImageError):
        inspect(bytes(data), "a.png")
    with pytest.raises(ImageError):
        open_image(bytes(data))


def test_a_png_with_broken_pixels_under_a_right_checksum_is_refused_when_opened() -> None:
    data = png_header(32, 32) + png_chunk(b"IDAT", b"not zlib") + png_chunk(b"IEND", b"")
    with pytest.raises(TruncatedImageError):
        open_image(data, name="a.png")


def test_a_png_without_pixels_is_refused() -> None:
    with pytest.raises(ImageError):
        inspect(png_header(32, 32), "a.png")
    with pytest.raises(ImageError):
        open_image(png_header(32, 32) + png_chunk(b"IEND", b""), name="a.png")


@hypothesis_settings(max_examples=many(60))
@given(st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"]), st.data())
def test_changed_bytes_give_a_picture_or_an_image_error(format_: str, data: st.DataObject) -> None:
    damaged = bytearray(encoded(picture(1, (24, 16)), format_))
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=6)):
        damaged[place] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's warnings about damage
        for read in (lambda: inspect(bytes(damaged), "x"), lambda: open_image(bytes(damaged), max_pixels=10**6)):
            with contextlib.suppress(ImageError):
                read()


# -- decompression bombs ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    "data",
    [
        png_header(30_000, 30_000) + png_chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + png_chunk(b"IEND", b""),
        b"GIF89a" + struct.pack("<HH", 30_000, 30_000) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
        b",\0\0\0\0" + struct.pack("<HH", 30_000, 30_000) + b"\0\x02\x02\x4c\x01\0;",
        b"P6 30000 30000 255\n\0\0\0",
    ],
    ids=["png", "gif", "ppm"],
)
def test_a_header_that_claims_too_many_pixels_is_refused_undecoded(data: bytes) -> None:
    for read in (lambda: inspect(data, "bomb"), lambda: open_image(data, name="bomb")):
        with pytest.raises(ImageTooLargeError, match="pixels"):
            read()


def test_pixel_limit_can_be_set() -> None:
    data = encoded(picture(1, (100, 50)), "PNG")
    assert open_image(data, name="a", max_pixels=5000).width == 100
    with pytest.raises(ImageTooLargeError, match=r"100 × 50 pixels.* limit of 4,999"):
        open_image(data, name="a", max_pixels=4999)


def test_large_image_within_the_limit_gives_no_warning() -> None:
    large = encoded(Image.new("1", (12_000, 8_000)), "PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert inspect(large, "large").width == 12_000


def test_reading_on_many_threads_leaves_the_warnings_as_they_were() -> None:
    before = list(warnings.filters)
    data = encoded(picture(1), "PNG")
    threads = [threading.Thread(target=lambda: [inspect(data, "a") for _ in range(200)]) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before
