"""What can be asked about: one image in any form that is at hand, or many named images."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from customlabels_nb.errors import InputError, NotAnImageError
from customlabels_nb.formats.folder import read_folder
from customlabels_nb.images import is_remote, open_image, read_bytes, to_path, to_uri

_ROUNDING = 1e-3  # how far float pixels may lie outside 0..1


def load_input(image: object, *, root: Path | None = None) -> tuple[Image.Image, str]:
    """One image as an upright RGB picture, and what to call it.

    Parameters
    ----------
    image : str, Path, bytes, PIL image, array or tensor
        Path or URL; an encoded file's bytes; an array (height, width), (height, width, 3) or (height, width, 4); a
        torch tensor (1, 3 or 4, height, width). Arrays and tensors hold uint8, or floats from 0 to 1.
    root : Path, optional
        Folder under which relative paths lie.

    Raises
    ------
    ImageError
        If it is a file or URL that can't be read as an image.
    InputError
        If it is of another type, shape or range of values.
    """
    if isinstance(image, str | os.PathLike):
        name = as_uri(image)
        return open_image(name, root=root), name
    if isinstance(image, bytes | bytearray | memoryview):
        return open_image(bytes(image), name="image"), "image"
    if isinstance(image, Image.Image):
        name = str(getattr(image, "filename", "") or "image")
        if 0 in image.size:
            raise NotAnImageError(name, "the image has no pixels.")
        return open_image(image, name=name), name
    if isinstance(image, np.ndarray):
        return _from_array(image, "array"), "array"
    torch = sys.modules.get("torch")  # who has a tensor has imported it
    if torch is not None and isinstance(image, torch.Tensor):
        return _from_array(_channels_last(image), "tensor"), "tensor"
    raise InputError(
        f"image is of type {type(image).__name__}; give a path, URL, bytes, PIL image, array or tensor. "
        "For several images use detect_many."
    )


def load_for_model(image: object, size: int, *, root: Path | None = None) -> tuple[Image.Image, Image.Image, str]:
    """As :func:`load_input`, with a second picture for the model that may be smaller, no less than ``size``.

    An encoded image is decoded twice: whole to be shown, and reduced exactly as in evaluation and in batches, so
    that all three give equal figures.

    Returns
    -------
    shown, asked : PIL.Image.Image
    name : str
    """
    if isinstance(image, str | os.PathLike):
        name = as_uri(image)
        data = read_bytes(name, root)
    elif isinstance(image, bytes | bytearray | memoryview):
        name, data = "image", bytes(image)
    else:
        shown, name = load_input(image)
        return shown, shown, name
    return open_image(data, name=name), open_image(data, name=name, at_least=size), name


def as_uri(path: str | os.PathLike[str]) -> str:
    """The path or URL as given; a path that tables and screens can't hold (not UTF-8) as a ``file:`` URL."""
    text = os.fsdecode(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text if is_remote(text) else to_uri(text)
    return text


def expand_sources(
    sources: str | os.PathLike[str] | pd.DataFrame | Iterable[str | os.PathLike[str]], *, root: Path | None = None
) -> list[str]:
    """The images that ``sources`` names, as paths or URLs.

    Parameters
    ----------
    sources : str, Path, DataFrame or iterable of these paths
        One image; a folder (its images and those of its subfolders, hidden ones left out); a pattern with ``*``,
        ``?`` or ``**``, also of a bucket (``s3://bucket/*.jpg``); a table with a column ``image``; paths or URLs.
    root : Path, optional
        Folder under which relative paths lie.

    Raises
    ------
    InputError
        If a folder or pattern has no images, or something else than a path or URL is named.
    """
    if isinstance(sources, pd.DataFrame):
        if "image" not in sources.columns:
            raise InputError(f"The table of sources needs a column 'image'; it has {list(sources.columns)}.")
        return expand_sources(sources["image"].tolist(), root=root)
    if isinstance(sources, str | os.PathLike):
        found = _expand_one(as_uri(sources), root)
        if not found:
            raise InputError(f"sources={str(sources)!r} has no images; check the path or pattern.")
        return found
    if isinstance(sources, bytes | bytearray) or not isinstance(sources, Iterable):
        raise InputError(f"sources is of type {type(sources).__name__}; give paths, a pattern, a folder or a table.")
    named = []
    for position, source in enumerate(sources):
        if not isinstance(source, str | os.PathLike):
            raise InputError(f"sources[{position}] is of type {type(source).__name__}; give paths or URLs.")
        named.append(as_uri(source))
    return named


def _expand_one(text: str, root: Path | None) -> list[str]:
    if is_remote(text):
        wild = "*" in text and not text.startswith(("http:", "https:"))
        return _remote_matches(text) if wild else [text]
    path = to_path(text, root)
    if path.is_dir():
        return read_folder(path).images
    if any(sign in text for sign in "*?") and not path.exists():
        matches = sorted(glob.glob(text, root_dir=root, recursive=True))
        return [as_uri(match) for match in matches if not to_path(match, root).is_dir()]
    return [text]


def _remote_matches(pattern: str) -> list[str]:
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(pattern)
        return [system.unstrip_protocol(match) for match in sorted(system.glob(path))]
    except Exception as error:  # each protocol has its own errors
        raise InputError(f"sources={pattern!r} can't be listed ({type(error).__name__}: {error}).") from error


def _channels_last(tensor: Any) -> np.ndarray[Any, Any]:
    array = tensor.detach().cpu()
    if array.is_floating_point():
        array = array.float()  # numpy has no bfloat16
    if array.ndim != 3 or array.shape[0] not in (1, 3, 4):
        raise InputError(f"image is a tensor of shape {tuple(array.shape)}; give (1, 3 or 4, height, width).")
    moved = np.moveaxis(array.numpy(), 0, 2)
    return moved[:, :, 0] if moved.shape[2] == 1 else moved


def _from_array(array: np.ndarray[Any, Any], what: str) -> Image.Image:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)) or 0 in array.shape:
        raise InputError(
            f"image is {'an' if what == 'array' else 'a'} {what} of shape {array.shape}; "
            "give (height, width), (height, width, 3) or (height, width, 4), none of them 0."
        )
    if np.issubdtype(array.dtype, np.floating):
        low, high = float(array.min()), float(array.max())
        if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):  # written so that NaN fails too
            raise InputError(f"image holds floats from {low:g} to {high:g}; scale them to 0..1, or give uint8.")
        array = (np.clip(array, 0, 1) * 255).round().astype(np.uint8)
    if array.dtype != np.uint8:
        raise InputError(f"image is of dtype {array.dtype}; give uint8, or floats from 0 to 1.")
    return open_image(Image.fromarray(np.ascontiguousarray(array)), name=what)
