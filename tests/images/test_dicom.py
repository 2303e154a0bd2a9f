"""Tests of DICOM: window and level, colors, frames, damage, compared with pydicom and its own examples."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydicom import examples
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from customlabels_nb.errors import ImageError, ImageTooLargeError, NotAnImageError, TruncatedImageError
from customlabels_nb.images import reading as images
from customlabels_nb.images.reading import header_size, inspect, open_image
from customlabels_nb.images.thumbnails import thumbnail_of
from tests.conftest import ROOT
from tests.images.pictures import jpeg
from tests.tiers import many

RAMP = np.tile(np.linspace(0, 4095, 64).astype(np.uint16), (48, 1))  # 12 bits, dark on the left


def dataset(pixels: np.ndarray, **elements: Any) -> FileDataset:
    """Return a DICOM file of pixels (height, width), (height, width, 3), or (frames, height, width) on request."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3.4"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    result = FileDataset("made.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    result.SOPClassUID, result.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    colors = pixels.ndim == 3 and "NumberOfFrames" not in elements
    shape = pixels.shape[1:] if "NumberOfFrames" in elements else pixels.shape
    result.Rows, result.Columns = shape[:2]
    result.SamplesPerPixel = 3 if colors else 1
    if colors:
        result.PlanarConfiguration = 0
    result.PhotometricInterpretation = "RGB" if colors else "MONOCHROME2"
    bits = 8 * pixels.dtype.itemsize
    result.BitsAllocated = result.BitsStored = bits
    result.HighBit, result.PixelRepresentation = bits - 1, int(pixels.dtype.kind == "i")
    result.PixelData = pixels.tobytes()
    for name, value in elements.items():
        setattr(result, name, value)
    return result


def written(made: Dataset) -> bytes:
    """Return the bytes of a DICOM file."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def dicom(pixels: np.ndarray, **elements: Any) -> bytes:
    return written(dataset(pixels, **elements))


def grey(data: bytes) -> np.ndarray:
    """Open a DICOM file, check that it is grey, and return one channel."""
    opened = np.asarray(open_image(data, name="scan.dcm"))
    assert (opened[:, :, 0] == opened[:, :, 1]).all()
    assert (opened[:, :, 0] == opened[:, :, 2]).all()
    return opened[:, :, 0].astype(int)


# -- window and level -------------------------------------------------------------------------------
def test_the_window_is_applied() -> None:
    shown = grey(dicom(RAMP, BitsStored=12, HighBit=11, WindowCenter=1000, WindowWidth=400))
    assert (shown[RAMP <= 799] == 0).all()
    assert (shown[RAMP >= 1200] == 255).all()
    inside = (RAMP > 800) & (RAMP < 1199)
    expected = ((RAMP - 999.5) / 399 + 0.5) * 255  # DICOM PS3.3 C.11.2.1.2.1
    np.testing.assert_allclose(shown[inside], expected[inside], atol=0.51)


def test_the_window_counts_in_rescaled_values() -> None:
    made = dicom(
        RAMP, BitsStored=12, HighBit=11, RescaleSlope=2, RescaleIntercept=-1024, WindowCenter=40, WindowWidth=400
    )
    real = RAMP * 2.0 - 1024
    shown = grey(made)
    assert (shown[real < -161] == 0).all()
    assert (shown[real > 240] == 255).all()
    assert 0 < shown[(real > -100) & (real < 200)].min() < 255


def test_first_of_several_windows_is_used() -> None:
    one = grey(dicom(RAMP, WindowCenter=1000, WindowWidth=400))
    assert (grey(dicom(RAMP, WindowCenter=[1000, 3000], WindowWidth=[400, 100])) == one).all()


@pytest.mark.parametrize("function", ["LINEAR_EXACT", "SIGMOID"])
def test_other_functions_of_the_window(function: str) -> None:
    shown = grey(dicom(RAMP, WindowCenter=2048, WindowWidth=1000, VOILUTFunction=function))
    assert shown[0, 0] <= 1
    assert shown[0, -1] >= 254
    assert (np.diff(shown[0]) >= 0).all()
    assert abs(int(shown[0][np.abs(RAMP[0].astype(int) - 2048).argmin()]) - 128) < 12


@pytest.mark.parametrize(("vr", "bits"), [("US", 8), ("US", 12), ("OW", 8), ("OW", 16)])
def test_a_table_for_the_window_is_applied(vr: str, bits: int) -> None:
    entries = ((4095 - np.arange(4096)) << bits >> 12).astype("<u2")
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4096, 0, bits])
    item.add_new("LUTData", vr, entries.tolist() if vr == "US" else entries.tobytes())
    made = dataset(RAMP, BitsStored=12, HighBit=11, WindowCenter=1, WindowWidth=2)
    made.VOILUTSequence = [item]
    np.testing.assert_allclose(grey(written(made)), 255 - RAMP / 4095 * 255, atol=1.1)


@pytest.mark.parametrize(("centre", "width"), [(1000, 0), (1000, -5), ("", ""), ([], [])])
def test_invalid_window_is_ignored(centre: object, width: object) -> None:
    assert (grey(dicom(RAMP, WindowCenter=centre, WindowWidth=width)) == grey(dicom(RAMP))).all()


def test_without_a_window_the_darkest_is_black_and_the_brightest_white() -> None:
    values = (RAMP // 8 + 1000).astype(np.uint16)
    shown = grey(dicom(values))
    np.testing.assert_allclose(shown, (values - 1000.0) / (values.max() - 1000) * 255, atol=0.51)
    values[:10] = 65535
    assert (grey(dicom(values, PixelPaddingValue=65535))[10:] == shown[10:]).all()


def test_eight_bits_without_a_window_stay_as_they_are() -> None:
    values = (RAMP // 40 + 50).astype(np.uint8)
    assert (grey(dicom(values)) == values).all()


def test_a_picture_of_one_value_is_no_division_by_zero() -> None:
    assert len(np.unique(grey(dicom(np.full((4, 4), 700, dtype=np.uint16))))) == 1


def test_monochrome1_is_white_at_zero() -> None:
    window = {"WindowCenter": 2000, "WindowWidth": 1000}
    plain = grey(dicom(RAMP, **window))
    assert (grey(dicom(RAMP, PhotometricInterpretation="MONOCHROME1", **window)) == 255 - plain).all()
    assert (grey(dicom(RAMP, PhotometricInterpretation="MONOCHROME1")) == 255 - grey(dicom(RAMP))).all()


def test_signed_values_and_wide_ones() -> None:
    signed = RAMP.astype(np.int16) - 2000
    np.testing.assert_allclose(grey(dicom(signed)), grey(dicom(RAMP)), atol=1)
    wide = RAMP.astype(np.uint32) * 1_000_000
    np.testing.assert_allclose(grey(dicom(wide)), grey(dicom(RAMP)), atol=1)


# -- colors and compression ------------------------------------------------------------------------
def test_rgb_stays_as_it_is() -> None:
    colors = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    assert (np.asarray(open_image(dicom(colors))) == colors).all()
    deep = np.asarray(open_image(dicom(colors.astype(np.uint16) * 257)))
    np.testing.assert_allclose(deep, colors, atol=1)


def test_a_palette_becomes_its_colors() -> None:
    indexes = np.tile(np.arange(4, dtype=np.uint8), (4, 1))
    made = dataset(indexes, PhotometricInterpretation="PALETTE COLOR")
    for name, values in (("Red", [0, 255, 0, 9]), ("Green", [0, 0, 255, 9]), ("Blue", [0, 0, 0, 9])):
        setattr(made, f"{name}PaletteColorLookupTableDescriptor", [4, 0, 8])
        setattr(made, f"{name}PaletteColorLookupTableData", bytes(values))
    assert np.asarray(open_image(written(made)))[0].tolist() == [[0, 0, 0], [255, 0, 0], [0, 255, 0], [9, 9, 9]]


def test_run_lengths_and_jpeg_are_decompressed() -> None:
    made = dataset(RAMP, WindowCenter=2000, WindowWidth=1000)
    made.compress(RLELossless)
    assert (grey(written(made)) == grey(dicom(RAMP, WindowCenter=2000, WindowWidth=1000))).all()
    photo = open_image(jpeg(3, (64, 48)))
    made = dataset(np.asarray(photo))
    made.file_meta.TransferSyntaxUID, made.PhotometricInterpretation = JPEGBaseline8Bit, "YBR_FULL_422"
    made.PixelData = encapsulate([jpeg(3, (64, 48))])
    made["PixelData"].VR = "OB"
    difference = np.abs(np.asarray(open_image(written(made))).astype(int) - np.asarray(photo))
    assert difference.mean() < 4


def test_missing_decompressor_is_named() -> None:
    made = dataset(RAMP)
    made.file_meta.TransferSyntaxUID = JPEGLossless
    made.PixelData = encapsulate([jpeg(1)])
    made["PixelData"].VR = "OB"
    data = written(made)
    for read in (lambda: inspect(data, "scan.dcm"), lambda: open_image(data, name="scan.dcm")):
        with pytest.raises(NotAnImageError, match=r"scan\.dcm.*JPEG Lossless.*pip install .*pylibjpeg"):
            read()


def test_pydicoms_own_examples_are_read() -> None:
    for example in (examples.ct, examples.mr, examples.rgb_color, examples.palette_color):
        buffer = io.BytesIO()
        example.save_as(buffer)
        opened = open_image(buffer.getvalue())
        assert opened.size == (example.Columns, example.Rows)
        assert np.asarray(opened).std() > 5


# -- frames, sizes, files ---------------------------------------------------------------------------
def test_first_frame_is_used_and_frames_are_counted() -> None:
    frames = np.stack([RAMP, RAMP[:, ::-1], RAMP * 0])
    window = {"WindowCenter": 2000, "WindowWidth": 1000}
    data = dicom(frames, NumberOfFrames=3, **window)
    assert (grey(data) == grey(dicom(RAMP, **window))).all()
    facts = inspect(data, "film.dcm")
    assert (facts.width, facts.height, facts.frames) == (64, 48, 3)
    assert inspect(dicom(RAMP), "scan.dcm").frames == 1


def test_the_size_is_read_without_the_pixels(tmp_path: Path) -> None:
    data = dicom(RAMP)
    cut = tmp_path / "scan.dcm"
    cut.write_bytes(data[: -RAMP.nbytes + 10])
    assert header_size(str(cut)) == (64, 48)
    with pytest.raises(TruncatedImageError, match=r"scan\.dcm"):
        open_image(cut)


def test_a_file_is_known_by_its_content_whatever_its_name(tmp_path: Path) -> None:
    for name in ("IM000001", "scan.png", "SCAN.DCM"):
        (tmp_path / name).write_bytes(dicom(RAMP))
        assert open_image(tmp_path / name).size == header_size(str(tmp_path / name)) == (64, 48)


def test_a_thumbnail_is_made(tmp_path: Path) -> None:
    (tmp_path / "scan.dcm").write_bytes(dicom(RAMP))
    small = thumbnail_of("scan.dcm", root=tmp_path, sha256=None, size=32, cache=None)
    assert open_image(small).size == (32, 24)


# -- damage and bombs -------------------------------------------------------------------------------
def test_other_files_are_named_in_the_error(tmp_path: Path) -> None:
    path = tmp_path / "scan.dcm"
    path.write_bytes(b"This is a text. " * 20)
    for read in (open_image, lambda path: header_size(str(path))):
        with pytest.raises(NotAnImageError, match=r"scan\.dcm.*DICM is missing"):
            read(path)


def test_dicom_without_an_image_is_refused() -> None:
    made = dataset(RAMP)
    for name in ("Rows", "Columns", "PixelData"):
        delattr(made, name)
    with pytest.raises(NotAnImageError, match=r"report\.dcm.*contains no image"):
        inspect(written(made), "report.dcm")


def test_a_file_without_pixels_is_damaged() -> None:
    made = dataset(RAMP)
    del made.PixelData
    with pytest.raises(TruncatedImageError, match=r"scan\.dcm"):
        inspect(written(made), "scan.dcm")


def test_a_header_that_claims_too_many_pixels_is_refused_undecoded() -> None:
    data = dicom(RAMP, Rows=60_000, Columns=60_000)
    for read in (lambda: inspect(data, "bomb.dcm"), lambda: open_image(data, name="bomb.dcm")):
        with pytest.raises(ImageTooLargeError, match=r"bomb\.dcm.*60,000 × 60,000 pixels"):
            read()


def test_a_dataset_that_is_compressed_as_a_whole_is_not_inflated() -> None:
    made = dataset(np.zeros((4000, 4000), dtype=np.uint8))
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    with pytest.raises(NotAnImageError, match="deflated"):
        inspect(written(made), "scan.dcm")


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2, 0.5, 0.9, 0.99])
def test_a_cut_file_is_an_image_error(share: float) -> None:
    data = dicom(RAMP)
    cut = data[: int(len(data) * share)]
    for read in (lambda: inspect(cut, "cut.dcm"), lambda: open_image(cut, name="cut.dcm")):
        with pytest.raises(ImageError, match=r"cut\.dcm"):
            read()


@hypothesis_settings(max_examples=many(80))
@given(st.data())
def test_changed_bytes_give_a_picture_or_an_image_error(data: st.DataObject) -> None:
    damaged = bytearray(dicom(RAMP[:8, :8], WindowCenter=2000, WindowWidth=1000))
    for place in data.draw(st.lists(st.integers(128, len(damaged) - 1), min_size=1, max_size=6)):
        damaged[place] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's warnings about damage
        for read in (lambda: inspect(bytes(damaged), "x"), lambda: open_image(bytes(damaged), max_pixels=10**6)):
            try:
                read()
            except ImageError:
                continue


def test_without_pydicom_the_package_to_install_is_named(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "scan.dcm").write_bytes(dicom(RAMP))
    (tmp_path / "photos" / "photo.jpg").write_bytes(jpeg(1))
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "pydicom":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hidden())
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "pydicom" else found(name, package)
from customlabels_nb.errors import NotAnImageError
from customlabels_nb.images.listing import read_folder
from customlabels_nb.images.reading import open_image
found = read_folder("photos")
assert [image.rsplit("/", 1)[-1] for image in found.images] == ["photo.jpg"]
print([(issue.code, issue.message) for issue in found.issues])
try:
    open_image("photos/scan.dcm")
except NotAnImageError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    first, second = ran.stdout.splitlines()
    assert "IMAGE_TYPE_UNSUPPORTED" in first
    assert '"pydicom>=' in first
    assert "scan.dcm" in second
    assert '"pydicom>=' in second


def test_pydicom_is_not_loaded_before_a_file_is_read(tmp_path: Path) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import customlabels_nb.images.reading\n"
        "print('pydicom' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
    assert {".dcm", ".dicom"} <= images.READ_SUFFIXES
