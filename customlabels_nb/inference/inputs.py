"""Load one input image of any supported type, and list the images in a folder, pattern or table."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from PIL import Image

from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import InputError, NotAnImageError
from customlabels_nb.images.listing import list_folder, list_pattern
from customlabels_nb.images.locations import Location
from customlabels_nb.images.reading import open_image, read_bytes

if TYPE_CHECKING:
    import torch

    from customlabels_nb.datasets.dataset import Dataset

#: An image, and images, that models take.
ImageInput: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image | np.ndarray | torch.Tensor"
)
ImageSource: TypeAlias = "str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | pd.DataFrame | Dataset"

_ROUNDING = 1e-3  # tolerance for float pixels below 0 or above 1


def load_encoded(image: object, *, root: Path | None = None) -> tuple[Image.Image, bytes | None, str]:
    """Load one image as an upright RGB image and return it with its encoded bytes (or None) and its name.

    It is a path or URL, the bytes of an encoded file, a file opened in binary mode, a PIL image, an array of shape
    (height, width) or (height, width, 1, 3 or 4), or a tensor of shape (1, 3 or 4, height, width), also as a batch of
    one. Values are uint8, or floats between 0 and 1. ``root`` is the base of relative paths that do not exist in the
    current folder. The model decodes the bytes as in evaluation and batch inference, so that the confidences are the
    same.
    """
    if isinstance(image, str | os.PathLike):
        location = Location.of(image)
        name, place = location.name, location.below(root)
        if place.is_folder:
            raise NotAnImageError(name, "it is a folder. For the images in it, use detect_many.")
        data = read_bytes(place.name)
    elif (encoded := _encoded(image)) is not None:
        data, name = encoded
    else:
        shown, name = _decoded(image)
        return shown, None, name
    return open_image(data, name=name), data, name


def _decoded(image: object) -> tuple[Image.Image, str]:
    if isinstance(image, Image.Image):
        name = str(getattr(image, "filename", "") or "image")
        if 0 in image.size:
            raise NotAnImageError(name, "the image has no pixels.")
        return open_image(image, name=name), name
    if isinstance(image, np.ndarray):
        return _from_array(image, "array"), "array"
    torch = sys.modules.get("torch")  # a tensor can exist only if torch is already imported
    if torch is not None and isinstance(image, torch.Tensor):
        return _from_array(_channels_last(image), "tensor"), "tensor"
    raise InputError(
        f"image has type {type(image).__name__}. Pass a path, URL, bytes, open file, PIL image, array or tensor. "
        "For several images, use detect_many."
    )


def expand_sources(
    sources: str | os.PathLike[str] | pd.DataFrame | Iterable[str | os.PathLike[str]],
    *,
    root: Path | None = None,
    issues: list[Issue] | None = None,
) -> list[str]:
    """List the images that ``sources`` refers to, as paths or URLs.

    They are a single image, a folder with its subfolders (hidden ones are skipped), which may be local, in a bucket
    (``s3://bucket/photos/``) or on a web server that lists its files (URL ending in "/"), a pattern with ``*``, ``?``
    or ``**``, a list of any of these, or a table with the column ``image``. Folders that cannot be read are added to
    ``issues``.
    """
    issues = [] if issues is None else issues
    if isinstance(sources, pd.DataFrame):
        if "image" not in sources.columns:
            raise InputError(f"The table of images needs a column 'image'. Its columns are {list(sources.columns)}.")
        return [location.name for location in _locations(sources["image"])]
    if isinstance(sources, str | os.PathLike):
        location = Location.of(sources)
        place = location.below(root)
        if place.path is not None and not place.is_pattern and not os.path.lexists(place.path):
            raise InputError(f"images={location.name!r} does not exist. Check the path or pattern.")
        return _expand(location, root, issues)
    if isinstance(sources, bytes | bytearray) or not isinstance(sources, Iterable):
        raise InputError(f"images has type {type(sources).__name__}. Pass paths, a pattern, a folder or a table.")
    return list(chain.from_iterable(_expand(location, root, issues) for location in _locations(sources)))


def _locations(sources: Iterable[object]) -> Iterator[Location]:
    for position, source in enumerate(sources):
        if not isinstance(source, str | os.PathLike):
            raise InputError(f"images[{position}] has type {type(source).__name__}. Pass paths or URLs.")
        yield Location.of(source)


def _expand(location: Location, root: Path | None, issues: list[Issue]) -> list[str]:
    place = location.below(root)
    if place.is_pattern:
        names = [match.name for match in list_pattern(place, root=root)]
    elif files := list_folder(place):
        issues += files.issues
        names = files.images
    else:
        return [location.name]
    if not names:
        raise InputError(f"images={location.name!r} contains no images. Check the path or pattern.")
    return names


def _encoded(image: object) -> tuple[bytes, str] | None:
    """Return the encoded bytes and the name of an image passed as bytes or as an open file, otherwise None."""
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image), "image"
    read = getattr(image, "read", None)
    if not callable(read) or isinstance(image, Image.Image):
        return None
    with contextlib.suppress(AttributeError, OSError):  # read from the start if the file is seekable
        image.seek(0)  # type: ignore[attr-defined]
    data = b"" if isinstance(image, io.TextIOBase) else read()
    name = getattr(image, "name", None)
    if isinstance(image, io.TextIOBase) or not isinstance(data, bytes):
        raise InputError("image is a file opened in text mode. Open it in binary mode: open(path, 'rb').")
    return data, Location.of(name).name if isinstance(name, str) and name else "image"


def _channels_last(tensor: Any) -> np.ndarray[Any, Any]:
    array = tensor.detach().cpu()
    if array.is_floating_point():
        array = array.float()  # numpy has no bfloat16
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 3 or array.shape[0] not in (1, 3, 4):
        raise InputError(f"image is a tensor of shape {tuple(array.shape)}. It must be (1, 3 or 4, height, width).")
    return np.moveaxis(array.numpy(), 0, 2)


def _from_array(array: np.ndarray[Any, Any], what: str) -> Image.Image:
    shape = array.shape
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)) or 0 in array.shape:
        raise InputError(
            f"image is {'an' if what == 'array' else 'a'} {what} of shape {shape}. "
            "It must be (height, width) or (height, width, 1, 3 or 4), without empty dimensions, or a batch of one."
        )
    return open_image(Image.fromarray(np.ascontiguousarray(_to_bytes(array))), name=what)


def _to_bytes(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if np.issubdtype(array.dtype, np.floating):
        low, high = float(array.min()), float(array.max())
        if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):  # also rejects NaN
            raise InputError(f"image contains floats from {low:g} to {high:g}. Scale them to 0 to 1, or pass uint8.")
        return (np.clip(array, 0, 1) * 255).round().astype(np.uint8)
    if array.dtype != np.uint8:
        raise InputError(f"image has dtype {array.dtype}. Pass uint8, or floats between 0 and 1.")
    return array
