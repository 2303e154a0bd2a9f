"""Read the first frame of DICOM files with its window applied, using the optional package pydicom.

Pixels are converted as the standard requires (DICOM PS3.3, C.7.6.3 "Image Pixel", C.11.1 "Modality LUT", C.11.2 "VOI
LUT").
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from PIL import Image, ImageFile

from customlabels_nb._utils.installing import extra_command, install_command
from customlabels_nb.errors import NotAnImageError, TruncatedImageError

_MARK, _MARK_AT = b"DICM", 128
_FILE_META_GROUP = 0x0002
_MOST_TABLED = 1 << 16  # number of distinct values up to which a lookup table is faster than computing each pixel
_LACKS_PACKAGES = ("missing dependencies", "does not support")  # in pydicom's messages about missing decoders
_DECODERS = ("pylibjpeg[all]", "pyjpegls")

_Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def is_readable() -> bool:
    return find_spec("pydicom") is not None


@cache
def how_to_read() -> str:
    return f"DICOM images need the package pydicom. Install it with: {extra_command('dicom')}"


def is_dicom(file: BinaryIO) -> bool:
    """Check whether a file has the DICOM prefix, then rewind it."""
    file.seek(_MARK_AT)
    mark = file.read(len(_MARK))
    file.seek(0)
    return mark == _MARK


class RefusedError(Exception):
    """Error for a DICOM file that is not supported: reason and advice, without the name of the image."""


class DicomImage(ImageFile.ImageFile):
    """DICOM file as a Pillow image, whose size is read from the header and whose first frame is decoded on load."""

    format = "DICOM"
    format_description = "Digital Imaging and Communications in Medicine"

    def _open(self) -> None:
        self._dataset = _header(self.fp)
        self._size = int(self._dataset.Columns), int(self._dataset.Rows)
        self._mode = "L" if int(self._dataset.get("SamplesPerPixel", 1)) == 1 else "RGB"
        self.n_frames = max(1, int(self._dataset.get("NumberOfFrames", 1) or 1))

    def load(self) -> Any:
        """Decode the first frame to 8-bit greyscale or RGB."""
        if self._dataset is not None:
            picture = Image.fromarray(_shown(_first_frame(self.fp, self._dataset), self._dataset))
            self.im, self._mode, self._size = picture.im, picture.mode, picture.size
            self._dataset = None
        return super().load()


def open_dicom(file: BinaryIO, name: str) -> DicomImage:
    """Open the image in a DICOM file, reading only the header."""
    if not is_readable():
        raise NotAnImageError(name, how_to_read())
    try:
        return DicomImage(file, name)
    except RefusedError as error:
        raise NotAnImageError(name, str(error)) from error
    except MemoryError:
        raise
    except Exception as error:  # pydicom's parser may raise anything on a damaged header
        raise TruncatedImageError(name, f"the header is damaged ({error or type(error).__name__}).") from error


def _header(file: Any) -> Any:
    from pydicom import dcmread
    from pydicom.filereader import read_dataset
    from pydicom.uid import UID

    file.seek(_MARK_AT + len(_MARK))
    meta = read_dataset(file, False, True, stop_when=lambda tag, _vr, _length: tag.group != _FILE_META_GROUP)
    syntax = UID(str(meta.get("TransferSyntaxUID", "")))
    if syntax.is_transfer_syntax and syntax.is_deflated:
        # it would have to be inflated completely before its size is known
        raise RefusedError("deflated DICOM files are not supported. Convert the file, for example with dcmconv.")
    file.seek(0)
    dataset = dcmread(file, stop_before_pixels=True)
    if not dataset.get("Rows") or not dataset.get("Columns"):
        raise RefusedError("the DICOM file contains no image.")
    return dataset


def _syntax(dataset: Any) -> Any:
    return dataset.file_meta.TransferSyntaxUID


def _first_frame(file: Any, dataset: Any) -> _Array:
    """Return the stored pixel values of the first frame, shape (height, width), or (height, width, 3) for RGB."""
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array

    file.seek(0)
    try:
        pixels: _Array = pixel_array(file, index=0)
    except NotImplementedError as error:
        name = _syntax(dataset).name
        raise RefusedError(
            f"{name} compression is not supported. Convert the file, for example with dcmconv."
        ) from error
    except RuntimeError as error:
        if not any(words in str(error) for words in _LACKS_PACKAGES):
            raise
        name = _syntax(dataset).name
        raise RefusedError(
            f"the compression {name} needs additional packages. Install them with: {install_command(*_DECODERS)}"
        ) from error
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
    return pixels


def _shown(pixels: _Array, dataset: Any) -> _Array:
    """Convert stored pixel values to 8 bits per channel, as a DICOM viewer displays them."""
    if pixels.ndim == 3:
        return pixels[:, :, :3] if pixels.dtype == np.uint8 else _eight_bits(pixels[:, :, :3], 0, _white(dataset))
    if pixels.dtype.kind in "iu":
        low, high = int(pixels.min()), int(pixels.max())
        if high - low < _MOST_TABLED:
            table = _grey(np.arange(low, high + 1).astype(pixels.dtype), pixels, dataset)
            return table[pixels.astype(np.int64) - low]
    return _grey(pixels, pixels, dataset)


def _white(dataset: Any) -> int:
    """Return the largest possible value of a color channel."""
    palette = dataset.PhotometricInterpretation == "PALETTE COLOR"
    bits = int(dataset.RedPaletteColorLookupTableDescriptor[2] if palette else dataset.BitsStored)
    return (1 << bits) - 1


def _grey(values: _Array, pixels: _Array, dataset: Any) -> _Array:
    """Convert ``values`` from the image ``pixels`` to 8 bits by applying the modality LUT and the window."""
    from pydicom.pixels.processing import apply_modality_lut

    real = apply_modality_lut(values, dataset)
    shown = _windowed(real, dataset)
    if shown is None:
        shown = _eight_bits(real, *_own_range(pixels, dataset))
    return 255 - shown if dataset.PhotometricInterpretation == "MONOCHROME1" else shown


def _windowed(real: _Array, dataset: Any) -> _Array | None:
    """Apply the file's first VOI LUT or window, or return None if it has no valid one."""
    from pydicom.pixels.processing import apply_windowing

    try:
        if dataset.get("VOILUTSequence"):
            return _apply_lookup_table(real, dataset.VOILUTSequence[0], _syntax(dataset).is_little_endian)
        if "WindowCenter" not in dataset or "WindowWidth" not in dataset:
            return None
        with np.errstate(over="ignore"):
            # pydicom scales the window to the range of possible stored values, whose ends are black and white
            ends = apply_windowing(np.array([-1e30, 1e30]), dataset)
            return _eight_bits(apply_windowing(real, dataset), float(ends[0]), float(ends[1]))
    except (ValueError, TypeError, IndexError, KeyError, AttributeError):  # the window is invalid
        return None


def _apply_lookup_table(real: _Array, item: Any, little_endian: bool) -> _Array:
    """Apply a VOI LUT without pydicom, which mishandles tables with more than 256 entries of 8 bits."""
    entries, first, bits = (int(value) for value in item.LUTDescriptor)
    data = item.LUTData
    if isinstance(data, bytes):
        width = 1 if len(data) == entries else 2
        data = np.frombuffer(data, dtype=f"{'<' if little_endian else '>'}u{width}")
    table = _eight_bits(np.atleast_1d(np.asarray(data)), 0, (1 << bits) - 1)
    result: _Array = table[np.clip(np.rint(real) - first, 0, len(table) - 1).astype(np.int64)]
    return result


def _own_range(pixels: _Array, dataset: Any) -> tuple[float, float]:
    """Return the real values of black and white for a file without a window: the full 8-bit range or the data range."""
    from pydicom.pixels.processing import apply_modality_lut

    bits = int(dataset.get("BitsStored", 0) or 0)
    if pixels.dtype.kind == "u" and 0 < bits <= 8:
        ends = np.array([0, 2**bits - 1], dtype=pixels.dtype)
    else:
        padding = dataset.get("PixelPaddingValue")
        content = pixels if padding is None else pixels[pixels != padding]
        content = content[np.isfinite(content)] if content.dtype.kind == "f" else content
        content = content if content.size else pixels
        ends = np.array([content.min(), content.max()], dtype=pixels.dtype)
    first, last = apply_modality_lut(ends, dataset).tolist()
    return min(first, last), max(first, last)


def _eight_bits(values: _Array, black: float, white: float) -> _Array:
    real = np.nan_to_num(values.astype(np.float64))
    scaled = (real - black) / (white - black) if white != black else np.zeros(real.shape)
    result: _Array = (np.clip(scaled, 0, 1) * 255).round().astype(np.uint8)
    return result
