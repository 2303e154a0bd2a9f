"""Tests of reading images of every kind and source: the result is upright and RGB."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import fsspec
import numpy as np
import PIL
import pillow_heif
import pytest
from PIL import Image, PngImagePlugin, features

from customlabels_nb.errors import (
    ImageError,
    ImageNotFoundError,
    ImageTooLargeError,
    NotAnImageError,
    TruncatedImageError,
)
from customlabels_nb.images.locations import is_remote, to_path, to_uri
from customlabels_nb.images.reading import READ_SUFFIXES, inspect, open_image, read_bytes, thumbnail
from customlabels_nb.ingest.importer import ImportReport
from customlabels_nb.user_settings import settings
from tests.images.pictures import encoded, jpeg, picture, png_chunk, tiff, unreadable
from tests.ingest.reading import codes

# stored pixels of a camera for each EXIF orientation, so that the image is upright
STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
LOSSLESS = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}


def difference(first: Image.Image, second: Image.Image) -> float:
    """Return the mean absolute difference of two images."""
    assert first.size == second.size
    a, b = (np.asarray(image.convert("RGB"), dtype=float) for image in (first, second))
    return float(np.abs(a - b).mean())


# -- orientation ------------------------------------------------------------------------------------
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", STORED_AS)
def test_every_orientation_is_applied_once(format_: str, orientation: int) -> None:
    upright = picture(1, (60, 40))
    method = STORED_AS[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright if method is None else upright.transpose(method)
    data = encoded(stored, format_, exif=exif, **LOSSLESS.get(format_, {}))
    opened, facts = open_image(data), inspect(data, "photo")
    assert (facts.width, facts.height) == opened.size == (60, 40)
    assert difference(opened, upright) < 3
    assert difference(open_image(opened), upright) < 3
    with Image.open(io.BytesIO(data)) as as_pillow_has_it:
        assert difference(open_image(as_pillow_has_it), upright) < 3


def test_the_size_of_a_png_whose_orientation_stands_at_its_end_is_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = encoded(picture(1, (60, 40)), "PNG")
    end = plain.index(b"IEND") - 4
    data = plain[:end] + png_chunk(b"eXIf", exif.tobytes()[6:]) + plain[end:]
    assert (inspect(data, "photo").width, inspect(data, "photo").height) == open_image(data).size == (40, 60)


@pytest.mark.parametrize("value", [0, 9, 4096])
def test_invalid_orientation_is_ignored(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    data = encoded(picture(1), exif=exif)
    assert open_image(data).size == (inspect(data, "photo").width, inspect(data, "photo").height) == (48, 32)


@pytest.mark.parametrize("block", [b"", b"\xff" * 40, b"II*\x00\xff\xff\xff\xff", b"MM\x00*\x00\x00\x00\x08\xff\xff"])
def test_a_damaged_exif_block_is_no_reason_to_refuse_a_photo(block: bytes) -> None:
    plain = jpeg(2)
    payload = b"Exif\0\0" + block
    data = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + plain[2:]
    assert inspect(data, "photo").width == 48
    assert difference(open_image(data), open_image(plain)) == 0


# -- image formats and modes ------------------------------------------------------------------------
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM"])
def test_every_format_is_read_in_a_fresh_process_order(format_: str) -> None:
    data = encoded(picture(3), format_)
    assert inspect(data, "a").width == 48
    assert open_image(data).mode == "RGB"
    assert difference(open_image(data), picture(3)) < 12


def test_cmyk_becomes_rgb() -> None:
    data = encoded(picture(3).convert("CMYK"), "JPEG", quality=98)
    assert open_image(data).mode == "RGB"
    assert difference(open_image(data), picture(3)) < 12


def test_sixteen_bits_keep_their_brightness() -> None:
    steps = np.tile(np.linspace(0, 65535, 48).astype(np.uint16), (32, 1))
    opened = np.asarray(open_image(encoded(Image.fromarray(steps), "PNG")))
    assert opened.shape == (32, 48, 3)
    np.testing.assert_allclose(opened[:, :, 0], steps / 257, atol=1)


def test_a_dark_picture_of_sixteen_bits_stays_dark() -> None:
    dark = np.full((32, 48), 200, dtype=np.uint16)
    assert np.asarray(open_image(encoded(Image.fromarray(dark), "PNG"))).max() <= 1


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0])
def test_floats_are_stretched_to_what_they_seem_to_be(top: float) -> None:
    values = np.tile(np.linspace(0, top, 48, dtype=np.float32), (32, 1))
    values[0, 0] = np.nan
    opened = np.asarray(open_image(encoded(Image.fromarray(values), "TIFF")))
    assert opened[:, -1].min() == 255
    assert opened[:, 0].max() == 0


def test_transparency_is_white_in_every_mode() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 255))
    clear.paste((0, 0, 0, 0), (0, 0, 4, 8))
    palette = clear.convert("RGB").quantize(4)
    keyed = Image.new("RGB", (8, 8), (0, 0, 0))
    keyed.paste((255, 0, 0), (4, 0, 8, 8))
    key = palette.getpixel((0, 0))
    for data in (
        encoded(clear, "PNG"),
        encoded(clear, "WEBP", lossless=True),
        encoded(palette, "PNG", transparency=key),
        encoded(palette, "GIF", transparency=key),
        encoded(keyed, "PNG", transparency=(0, 0, 0)),
    ):
        opened = open_image(data)
        assert opened.mode == "RGB"
        assert opened.getpixel((0, 0)) == (255, 255, 255)
        assert opened.getpixel((7, 7)) == (255, 0, 0)
        kept = open_image(data, keep_alpha=True)
        assert kept.mode == "RGBA"
        assert kept.getchannel("A").getpixel((0, 0)) == 0
        assert kept.getpixel((7, 7)) == (255, 0, 0, 255)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "La", "P", "PA", "I", "F", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV"])
def test_every_mode_of_a_pillow_image_becomes_rgb(mode: str) -> None:
    image = Image.new("RGB", (8, 6), "white")
    try:
        image = image.convert(mode)
    except ValueError:
        image = image.convert({"La": "LA", "RGBa": "RGBA", "PA": "P"}[mode]).convert(mode)
    opened = open_image(image)
    assert (opened.mode, opened.size) == ("RGB", (8, 6))
    assert opened.getpixel((3, 3)) == (255, 255, 255)
    kept = open_image(image, keep_alpha=True)
    assert (kept.mode, kept.size, kept.getpixel((3, 3))) == ("RGBA", (8, 6), (255, 255, 255, 255))


def test_one_bit_and_grey_with_alpha_are_read() -> None:
    bits = picture(4).convert("1")
    assert difference(open_image(encoded(bits, "PNG")), bits) == 0
    assert open_image(encoded(picture(4).convert("LA"), "PNG")).mode == "RGB"


# -- TIFF -------------------------------------------------------------------------------------------
RAMP = np.tile(np.linspace(0, 65535, 48).astype(np.uint16), (32, 1))
RAMPS = np.stack([RAMP, RAMP[:, ::-1], RAMP // 2], axis=2)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("depth", ["uint8", "uint16", "int32", "float32"])
def test_grey_tiff_of_any_depth_and_byte_order(order: str, depth: str) -> None:
    kind = {"i": 2, "f": 3}.get(np.dtype(depth).kind, 1)
    values = {"uint8": RAMP >> 8, "float32": RAMP / 65535}.get(depth, RAMP).astype(depth)
    data = tiff(values, order=order, kind=kind)
    np.testing.assert_allclose(np.asarray(open_image(data))[:, :, 0], RAMP / 257, atol=1.1)
    assert inspect(data, "a.tif").width == 48


@pytest.mark.parametrize(("depth", "kind"), [("uint8", 1), ("uint16", 1), ("float32", 3)])
def test_white_is_zero_tiff_is_inverted(depth: str, kind: int) -> None:
    values = {"uint8": RAMP >> 8, "float32": RAMP / 65535}.get(depth, RAMP).astype(depth)
    opened = np.asarray(open_image(tiff(values, kind=kind, photometric=0)))
    np.testing.assert_allclose(opened[:, :, 0], 255 - RAMP / 257, atol=1.1)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("depth", "planar"), [("uint8", 1), ("uint8", 2), ("uint16", 1)])
def test_rgb_tiff_of_8_and_16_bits(order: str, depth: str, planar: int) -> None:
    values = (RAMPS >> 8 if depth == "uint8" else RAMPS).astype(depth)
    opened = np.asarray(open_image(tiff(values, order=order, photometric=2, planar=planar)))
    np.testing.assert_allclose(opened, RAMPS / 257, atol=1.1)


@pytest.mark.parametrize(
    "data",
    [
        tiff(RAMPS, photometric=2, planar=2),
        tiff((RAMPS / 65535).astype(np.float32), photometric=2, kind=3),
        tiff(RAMP / 65535, kind=3),
    ],
    ids=["16 bits in planes", "RGB of floats", "float64"],
)
def test_a_tiff_that_can_not_be_read_is_refused_and_never_garbled(data: bytes) -> None:
    for read in (lambda: inspect(data, "a.tif"), lambda: open_image(data, name="a.tif")):
        with pytest.raises(NotAnImageError, match=r"a\.tif.*TIFF is not supported.*8 bits"):
            read()


@pytest.mark.parametrize(
    ("compression", "mode"),
    [*product(["tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd"], ["RGB", "L", "CMYK", "RGBA"]), ("jpeg", "RGB")],
)
def test_compressed_tiff_is_read(compression: str, mode: str) -> None:
    options = {"quality": 95} if compression == "jpeg" else {}
    if compression == "zstd" and int(PIL.__version__.partition(".")[0]) < 12:
        pytest.skip("Pillow 11 crashes while it writes zstd")
    data = encoded(picture(3).convert(mode), "TIFF", compression=compression, **options)
    plain = picture(3).convert(mode).convert("RGB")
    assert difference(open_image(data), plain) < 12
    assert inspect(data, "a.tif").height == 32


def test_fax_and_palette_tiff_are_read() -> None:
    bits = picture(4).convert("1")
    assert difference(open_image(encoded(bits, "TIFF", compression="group4")), bits) == 0
    colors = picture(4).quantize(16)
    assert difference(open_image(encoded(colors, "TIFF", compression="tiff_lzw")), colors) == 0


# -- several frames ---------------------------------------------------------------------------------
@pytest.mark.parametrize("format_", ["GIF", "WEBP", "TIFF", "PNG"])
def test_first_frame_is_used(format_: str) -> None:
    frames = [picture(random_state) for random_state in (5, 6, 7)]
    data = encoded(frames[0], format_, save_all=True, append_images=frames[1:], **LOSSLESS.get(format_, {}))
    assert difference(open_image(data), frames[0]) < 3
    facts = inspect(data, "film")
    assert (facts.height, facts.frames) == (32, 3)
    assert inspect(encoded(frames[0], format_), "picture").frames == 1


def test_compressed_pages_are_counted() -> None:
    pages = [picture(random_state) for random_state in (5, 6)]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    assert inspect(data, "pages.tif").frames == 2
    assert difference(open_image(data), pages[0]) == 0


def test_embedded_images_of_equal_size_count_as_pages() -> None:
    photo, preview = picture(5, (64, 48)), picture(6, (16, 12))
    data = encoded(photo, "MPO", save_all=True, append_images=[picture(7, (64, 48)), preview], quality=95)
    assert inspect(data, "a.mpo").frames == 2
    assert inspect(encoded(photo, "MPO", save_all=True, append_images=[preview]), "a.jpg").frames == 1
    assert difference(open_image(data), photo) < 12


def test_import_reports_multi_page_files(tmp_path: Path, add: Callable[..., ImportReport]) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    pages = [picture(random_state) for random_state in (5, 6, 7)]
    (folder / "pages.tif").write_bytes(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    (folder / "photo.jpg").write_bytes(jpeg(1))
    report = add(folder)
    assert report.added == 2
    assert codes(report) == [("IMAGE_HAS_FRAMES", "pages.tif")]
    assert "3 pages or frames" in report.issues["message"].item()
    assert codes(add(folder)) == []


def test_a_damaged_second_page_is_no_reason_to_refuse_the_first() -> None:
    pages = [picture(random_state) for random_state in (5, 6)]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    whole = encoded(pages[0], "TIFF")
    cut = data[: len(whole) + 8]
    facts = inspect(cut, "pages.tif")
    assert (facts.width, facts.height) == (48, 32)
    assert difference(open_image(cut), pages[0]) == 0


def test_the_source_image_is_not_changed_and_not_shared() -> None:
    image = picture(8)
    open_image(image).paste("white", (0, 0, 48, 32))
    assert difference(image, picture(8)) == 0


# -- files ------------------------------------------------------------------------------------------
def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageNotFoundError, match="nothing here") as caught:
        open_image(tmp_path / "nothing here.jpg")
    assert "No such file" in str(caught.value)


def test_folders_pipes_and_devices_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    for name in ("pipe.jpg", "folder.jpg", "zero.jpg"):
        with pytest.raises(NotAnImageError, match=name):
            open_image(tmp_path / name)


def test_a_link_to_itself_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    with pytest.raises(ImageNotFoundError, match=r"loop\.jpg"):
        open_image(tmp_path / "loop.jpg")


def test_forbidden_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "secret.jpg"
    path.write_bytes(jpeg(1))
    with unreadable(path), pytest.raises(ImageNotFoundError, match="Permission denied"):
        open_image(path)
    assert open_image(path).size == (48, 32)


def test_a_huge_file_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.write(jpeg(1))
        file.truncate(1 << 40)  # sparse, so it takes no space
    with pytest.raises(ImageTooLargeError, match="more than 1,000 bytes"):
        read_bytes(str(path), max_bytes=1000)


def test_a_nul_in_a_name_is_a_typed_error() -> None:
    with pytest.raises(ImageNotFoundError):
        open_image("a\0.jpg")


@pytest.mark.parametrize(
    "name",
    [
        b'it\'s "quoted".jpg',
        b"two\nlines.jpg",
        b"<script>alert(1)</script>.jpg".replace(b"/", b"\xe2\x88\x95"),
        b"100%41.jpg",
        b"#hash?query=1.jpg",
        b"  spaces  .jpg",
        "naïve 梨.jpg".encode(),
        b"latin-1 \xe4\xf6\xfc.jpg",
        b"\xff\xfe\x01.jpg",
    ],
)
def test_odd_names_can_be_read_from_the_tables(tmp_path: Path, name: bytes) -> None:
    path = os.path.join(os.fsencode(tmp_path), name)
    with open(path, "wb") as file:
        file.write(jpeg(1))
    uri = to_uri(os.fsdecode(path))
    uri.encode()  # table values can be stored
    assert uri.startswith("file://") == (b"\xe4" in name or b"\xff" in name)
    assert not is_remote(uri)
    assert os.fsencode(to_path(uri)) == path
    assert open_image(uri).size == (48, 32)
    assert open_image(os.fsdecode(path)).size == (48, 32)


def test_file_urls_in_other_spellings_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a b.jpg"
    path.write_bytes(jpeg(1))
    spelled = str(path).replace(" ", "%20")
    for uri in (f"file://{spelled}", f"FILE://{spelled}", f"file://localhost{spelled}"):
        assert open_image(uri).size == (48, 32)


def test_relative_names_lie_under_the_root(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(jpeg(1))
    assert open_image("images/a.jpg", root=tmp_path).size == (48, 32)
    assert to_path("/else/a.jpg", tmp_path) == Path("/else/a.jpg")


@pytest.mark.parametrize(
    ("uri", "remote"),
    [
        ("s3://bucket/key.jpg", True),
        ("https://host/a.jpg", True),
        ("memory://a.jpg", True),
        ("file:///a.jpg", False),
        ("/home/a://b.jpg", False),
        ("C:\\photos\\a.jpg", False),
        ("a.jpg", False),
        ("", False),
    ],
)
def test_uris_with_a_protocol_are_remote(uri: str, remote: bool) -> None:
    assert is_remote(uri) is remote


def test_urls_are_read_through_fsspec_unless_the_network_is_off() -> None:
    with fsspec.open("memory://shop/a.jpg", "wb") as file:
        file.write(jpeg(1))
    assert open_image("memory://shop/a.jpg").size == (48, 32)
    with pytest.raises(ImageNotFoundError, match=r"memory://shop/b\.jpg"):
        open_image("memory://shop/b.jpg")
    with pytest.raises(ImageTooLargeError):
        read_bytes("memory://shop/a.jpg", max_bytes=10)
    settings.network = False
    with pytest.raises(ImageNotFoundError, match=r"settings\.network is off"):
        open_image("memory://shop/a.jpg")


def test_an_unknown_protocol_is_a_typed_error() -> None:
    with pytest.raises(ImageNotFoundError, match="nosuch"):
        open_image("nosuch://a/b.jpg")


# -- sizes ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [(1600, 1200), (1201, 1607)])
def test_a_draft_is_the_same_picture_at_least_that_large(size: tuple[int, int]) -> None:
    data = jpeg(3, size)
    draft, full = open_image(data, at_least=224), open_image(data)
    assert full.size == size
    assert 224 <= min(draft.size) < min(size)
    small = (draft.resize((64, 48)), full.resize((64, 48), reducing_gap=None))
    assert difference(*small) < 4


def test_a_draft_is_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    draft = open_image(encoded(picture(1, (1600, 800)), exif=exif), at_least=100)
    assert draft.height == 2 * draft.width < 1600


def test_thumbnails_fit_and_never_grow() -> None:
    for size, expected in (((400, 200), (100, 50)), ((50, 80), (50, 80)), ((1, 3000), (1, 100))):
        image = picture(1, size)
        with Image.open(io.BytesIO(thumbnail(image, 100))) as small:
            assert (small.format, small.size) == ("JPEG", expected)
        assert image.size == size


def test_image_facts_come_from_the_bytes() -> None:
    data = jpeg(1)
    facts = inspect(data, "a")
    assert (facts.bytes, len(facts.sha256)) == (len(data), 64)
    assert inspect(data + b"\0", "a").sha256 != facts.sha256


def test_real_photos_open(fruit_photos: Path) -> None:
    for path in sorted(fruit_photos.glob("*/*"))[::9]:
        facts = inspect(read_bytes(str(path)), path.name)
        assert open_image(path, at_least=64).mode == "RGB"
        assert facts.width > 32
        with pytest.raises(TruncatedImageError, match=path.name):
            inspect(path.read_bytes()[: facts.bytes // 2], path.name)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_is_read_upright() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    data = encoded(picture(3, (64, 40)), "AVIF", quality=95, exif=turned)
    assert ".avif" in READ_SUFFIXES
    assert (inspect(data, "a.avif").width, inspect(data, "a.avif").height) == (40, 64)
    image = open_image(data)
    upright = np.asarray(picture(3, (64, 40)).transpose(Image.Transpose.ROTATE_270), dtype=float)
    assert image.size == (40, 64)
    assert np.abs(np.asarray(image, dtype=float) - upright).mean() < 20
    with pytest.raises(TruncatedImageError):
        inspect(data[: len(data) * 3 // 4], "cut.avif")


@pytest.mark.parametrize("name", ["phone.heic", "renamed.jpg", "photo"])
def test_heic_photos_are_read_upright(name: str) -> None:
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(picture(3, (64, 40)), "HEIF", quality=95, exif=exif.tobytes())
    assert (inspect(data, name).width, inspect(data, name).height) == (40, 64)
    upright = np.asarray(picture(3, (64, 40)).transpose(Image.Transpose.ROTATE_270), dtype=float)
    assert np.abs(np.asarray(open_image(data, name=name), dtype=float) - upright).mean() < 20
    with pytest.raises(ImageError):
        open_image(data[: len(data) * 3 // 4], name=name)


def test_heic_without_its_package_names_the_extra() -> None:
    program = """
import importlib.util as util
find = util.find_spec
util.find_spec = lambda name, package=None: None if name == "pillow_heif" else find(name, package)
from customlabels_nb.images.reading import READ_SUFFIXES, open_image
assert ".heic" not in READ_SUFFIXES
try:
    open_image(b"\\0\\0\\0\\x18ftypheic" + bytes(12), name="a.jpg")
except Exception as error:
    print(type(error).__name__, error)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert "NotAnImageError 'a.jpg': HEIC photos need the package pillow-heif. Install it with: " in ran.stdout


@pytest.mark.skipif(not features.check_codec("jpg_2000"), reason="this Pillow reads no JPEG 2000")
def test_jpeg_2000_is_read() -> None:
    assert ".jp2" in READ_SUFFIXES
    assert open_image(encoded(picture(3, (64, 40)), "JPEG2000")).size == (64, 40)


@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt"])
def test_png_with_long_texts_is_an_image(kind: str) -> None:
    texts = PngImagePlugin.PngInfo()
    if kind == "iTXt":
        texts.add_itxt("a", "x" * 5_000_000, zip=True)
    else:
        texts.add_text("a", "x" * 5_000_000, zip=kind == "zTXt")
    data = encoded(picture(3, (64, 40)), "PNG", pnginfo=texts)
    assert inspect(data, "a.png").width == 64
    np.testing.assert_array_equal(np.asarray(open_image(data)), np.asarray(picture(3, (64, 40))))


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_white_is_the_largest_value_of_the_bits_that_are_used(bits: int) -> None:
    values = np.tile(np.linspace(0, 2**bits - 1, 48).astype(np.uint16), (32, 1))
    shown = np.asarray(open_image(encoded(Image.fromarray(values), "PNG")))[0, :, 0]
    np.testing.assert_allclose(shown, np.linspace(0, 255, 48), atol=1.5)


def test_unsupported_type_is_named() -> None:
    for name, words in (("a.psd", "PSD.*JPEG"), ("a.jpg", "not an image in a supported")):
        with pytest.raises(NotAnImageError, match=words):
            open_image(b"8BPS\0\1\0\0\0\0", name=name)
