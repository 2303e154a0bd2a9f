"""Outline objects with pretrained segmenters: choose the model, cache its features, and find polygons in boxes."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

import numpy as np

from customlabels_nb.core.geometry import iou_of_pairs, polygon_to_ltwh
from customlabels_nb.core.polygons import Polygon, emptiness, simplified
from customlabels_nb.errors import ImageError, InputError
from customlabels_nb.images.outlining import Box, Encoded, Segmenter, find_mask_outline
from customlabels_nb.images.reading import open_hashed
from customlabels_nb.models.pretrained.weights import describe_download, find_weights
from customlabels_nb.remote.content_cache import ContentCache, content_key
from customlabels_nb.user_settings import settings

if TYPE_CHECKING:
    from PIL import Image

#: Value of ``settings.outline_engine`` that means the best engine on this machine.
AUTO = "auto"

_GRABCUT, _SAM2 = "grabcut", "sam2"
_SIZE = "image_size"  # in the cache
_LEAST_IOU = 0.5  # of the box around an outline with the box that it was found in
_RULES = 1  # version of what makes an outline valid, for cached polygons

#: Features of an image, and its width and height.
EncodedImage: TypeAlias = tuple[Encoded, tuple[int, int]]


class BoxOutline(NamedTuple):
    """Outline of the object in a box and its score. ``reason`` says why the polygon is missing, else it is empty."""

    polygon: Polygon | None
    score: float
    reason: str


def choose_segmenter(engine: Any, *, report: Callable[[str], None], download: bool = True) -> Segmenter | None:
    """Return the model that an outline engine names, or None for GrabCut, and ``report`` what takes long."""
    if not isinstance(engine, str):
        return cast(Segmenter, engine)
    if engine == _GRABCUT:
        return None
    if engine == AUTO:
        if find_spec("transformers") is None or find_weights(_SAM2) is None:
            return None
        engine = _SAM2
    is_here = find_weights(engine) is not None
    report("Loading the model …" if is_here or not download else f"Downloading {describe_download(engine)} …")
    from customlabels_nb.models.pretrained.sam2 import load_sam2

    return load_sam2(engine, download=download)


def get_segmenter(report: Callable[[str], None]) -> Segmenter:
    """Return the model that ``settings.outline_engine`` names, or SAM 2, which may be downloaded, if that is "auto"."""
    segmenter = choose_segmenter(_SAM2 if settings.outline_engine == AUTO else settings.outline_engine, report=report)
    if segmenter is None:
        raise InputError(f"settings.outline_engine={_GRABCUT!r} must be 'auto' or a model to turn boxes into polygons.")
    return segmenter


def encode_cached(
    segmenter: Segmenter,
    content: str | None,
    decode: Callable[[], tuple[Image.Image, str]],
    cache: ContentCache,
    *,
    keep: bool = True,
) -> EncodedImage:
    """Return an image's features, cached by ``content``. ``keep`` caches new ones of unchanged files."""
    from safetensors import SafetensorError
    from safetensors.numpy import load, save

    key = f"{content_key(content, segmenter.name, segmenter.version)}-outline.safetensors" if content else None
    if key is not None and (data := cache.get(key)) is not None:
        with suppress(SafetensorError, KeyError):  # damaged: encode again
            features = load(data)
            width, height = features.pop(_SIZE).tolist()
            return features, (width, height)
    picture, found = decode()
    features = segmenter.encode(picture)
    if keep and key is not None and found == content:
        cache.put(key, save({**features, _SIZE: np.array(picture.size)}))
    return features, picture.size


def outlines_in(
    image: str, content: Any, boxes: list[Box], root: Path, segmenter: Segmenter, cache: ContentCache
) -> list[BoxOutline]:
    """Find the outline of the object in each box of an image, cached by the hash ``content``."""
    sha256 = content if isinstance(content, str) else None
    key = f"{content_key(sha256, segmenter.name, segmenter.version, _RULES, boxes)}-polygons.json" if sha256 else None
    if key is not None and (data := cache.get(key)) is not None:
        return [BoxOutline(*values) for values in json.loads(data)]
    opened: list[str] = []

    def decode() -> tuple[Any, str]:
        picture, content = open_hashed(image, root, content_id=sha256)
        opened.append(content)
        return picture, content

    try:
        encoded = encode_cached(segmenter, sha256, decode, cache, keep=False)
    except ImageError as error:
        return [BoxOutline(None, 0.0, str(error))] * len(boxes)
    outlines = [_outline_in(box, encoded, segmenter) for box in boxes]
    if key is not None and opened in ([], [sha256]):  # the file may have changed since it was hashed
        cache.put(key, json.dumps(outlines).encode())
    return outlines


def _outline_in(box: Box, image: EncodedImage, segmenter: Segmenter) -> BoxOutline:
    """Find the outline of the object in a box. It is valid if it has an area that fits the box."""
    encoded, size = image
    logits, score = segmenter.mask(encoded, size, box=box)
    polygon, pixel = find_mask_outline(logits, size)
    polygon = simplified(polygon, max(1.0, pixel / 2)) if polygon else None
    score = float(np.nan_to_num(score))
    if polygon is None or emptiness(polygon):
        return BoxOutline(None, score, "The model found no object in the box.")
    if iou_of_pairs([polygon_to_ltwh(polygon)], [box])[0] < _LEAST_IOU:
        return BoxOutline(None, score, "The outline does not fit the box.")
    return BoxOutline(polygon, score, "")
