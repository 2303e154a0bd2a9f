"""Perceptual hashing: image fingerprints that identify edited copies of a photo.

A fingerprint contains the 32 × 32 lowest spatial frequencies of an image's grey values (a discrete cosine transform of
the image resized to a square), each weighted by its frequency, and the mean colors of the image's quadrants. Comparing
weighted frequencies amounts to correlating gradients rather than grey values, which distinguishes two photos of an
orange in front of the same wall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import InputError
from customlabels_nb.events import Events
from customlabels_nb.images.reading import open_image, read_in_batches
from customlabels_nb.images.thumbnails import ContentCache
from customlabels_nb.remote.content_cache import content_key
from customlabels_nb.user_settings import settings

#: Part of the cache key of fingerprints. Increase it whenever :func:`fingerprint` returns other values.
VERSION = 1
#: Side of the square in pixels, and number of frequencies in each direction.
SIDE, KEPT = 64, 32

#: Record of one fingerprint. ``detail``: weighted frequencies, scaled so that the largest is 127; ``color``: mean Cb
#: and Cr of each quadrant; ``mean``, ``spread``: mean and standard deviation of the grey values (0 to 255).
FINGERPRINT = np.dtype([("detail", "i1", (KEPT, KEPT)), ("color", "i1", (2, 2, 2)), ("mean", "<f4"), ("spread", "<f4")])
Prints = npt.NDArray[np.void]

_BATCH = 64  # images between two progress events
_DECODED = 128  # minimum shorter side when downscaling a JPEG while decoding: fewer pixels blur the edges


def _cosines() -> npt.NDArray[np.float32]:
    u, x = np.arange(KEPT)[:, None], np.arange(SIDE)[None]
    basis = np.cos(np.pi * u * (2 * x + 1) / (2 * SIDE)) * np.sqrt(2 / SIDE)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, dtype=np.float32)


#: Orthonormal cosine basis, shape (KEPT, SIDE).
BASIS = _cosines()
#: Weight of each frequency, shape (KEPT, KEPT); 0 for the mean.
FREQUENCY = np.hypot(*np.mgrid[:KEPT, :KEPT]).astype(np.float32)


@dataclass(frozen=True)
class Fingerprints:
    """Fingerprints of images, all zeros where ``readable`` is False, and issues that state why."""

    prints: Prints
    readable: npt.NDArray[np.bool_]
    issues: list[Issue]


def fingerprint(image: Image.Image) -> np.void:
    """Compute the fingerprint of an upright image, a record of type :data:`FINGERPRINT`."""
    small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=3.0).convert("YCbCr")
    planes = np.asarray(small, dtype=np.float32)
    grey = planes[:, :, 0]
    weighted = (BASIS @ grey @ BASIS.T) * FREQUENCY
    quarters = planes[:, :, 1:].reshape(2, SIDE // 2, 2, SIDE // 2, 2).mean(axis=(1, 3)) - 128
    record = np.zeros(1, dtype=FINGERPRINT)
    largest = float(np.abs(weighted).max())
    record["detail"] = np.round(weighted * (127 / largest)) if largest > 0 else 0
    record["color"] = np.clip(np.round(quarters), -127, 127)
    record["mean"], record["spread"] = grey.mean(), grey.std()
    filled: np.void = record[0]
    return filled


def kept_fingerprints(contents: Sequence[str | None], cache: ContentCache | None) -> Fingerprints:
    """Look up cached fingerprints by content hash, without reading any image."""
    prints = np.zeros(len(contents), dtype=FINGERPRINT)
    readable = np.zeros(len(contents), dtype=bool)
    for index, content in enumerate(contents):
        kept = None if cache is None or content is None else cache.get(_cache_key(content))
        if kept is not None and len(kept) == FINGERPRINT.itemsize:
            prints[index], readable[index] = np.frombuffer(kept, dtype=FINGERPRINT)[0], True
    return Fingerprints(prints, readable, [])


def fingerprints(
    images: Sequence[str],
    *,
    root: Path | None = None,
    contents: Sequence[str | None] | None = None,
    cache: ContentCache | None = None,
    events: Events | None = None,
) -> Fingerprints:
    """Compute the fingerprints of images in worker threads, and cache each fingerprint as soon as it is ready.

    Images whose content hash (None if unknown) is in the cache are not read. A cancellation loses nothing.
    """
    if contents is not None and len(contents) != len(images):
        raise InputError(
            f"contents has {len(contents)} entries for {len(images)} images. Pass one entry per image, or None."
        )
    hashes: Sequence[str | None] = [None] * len(images) if contents is None else contents
    kept = kept_fingerprints(hashes, cache)
    prints, readable, issues = kept.prints, kept.readable, kept.issues
    missing = np.flatnonzero(~readable).tolist()
    done = len(images) - len(missing)
    if events is not None:
        events.progress("fingerprints", done, len(images))

    def prepare(data: bytes, content: str, index: int) -> np.void:
        computed = fingerprint(open_image(data, name=images[index], at_least=_DECODED))
        if cache is not None:
            # not keyed by the given content: the file may have changed since it was hashed
            cache.put(_cache_key(content), computed.tobytes())
        return computed

    for batch in read_in_batches(
        images,
        missing,
        prepare,
        root=root,
        content_ids=hashes,
        threads=settings.threads,
        batch_size=_BATCH,
    ):
        for index, result in batch:
            if isinstance(result, Issue):
                issues.append(result)
            else:
                prints[index], readable[index] = result, True
        done += len(batch)
        if events is not None:
            events.progress("fingerprints", done, len(images))
    return Fingerprints(prints, readable, issues)


def _cache_key(content: str) -> str:
    return content_key(content, "fingerprint", VERSION)
