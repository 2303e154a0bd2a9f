"""Fingerprints of pictures: their outlines and colours, by which changed copies of a photo are found again.

A fingerprint holds the 32 × 32 lowest spatial frequencies of a picture's grey values (a discrete cosine transform of
the picture squeezed to a square), each weighted by its frequency, and the colours of its quarters. Products of weighted
frequencies are correlations of gradients rather than of grey values, which tells two photos of an orange before the
same wall apart.
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
from customlabels_nb.images.reading import read_in_batches
from customlabels_nb.images.thumbnails import ContentCache
from customlabels_nb.remote.content_cache import content_key
from customlabels_nb.settings import settings

#: Part of the key of kept fingerprints: raise it whenever :func:`fingerprint` gives other values.
VERSION = 1
#: Pixels of the square's side, and frequencies that are kept in each direction.
SIDE, KEPT = 64, 32

#: One fingerprint. ``detail``: weighted frequencies, the largest being 127; ``colour``: mean Cb and Cr of each quarter;
#: ``mean``, ``spread``: mean and standard deviation of the grey values (0..255).
FINGERPRINT = np.dtype(
    [("detail", "i1", (KEPT, KEPT)), ("colour", "i1", (2, 2, 2)), ("mean", "<f4"), ("spread", "<f4")]
)
Prints = npt.NDArray[np.void]

_BATCH = 64  # images after which the progress is told
_DECODED = 128  # the smaller side that a JPEG may shrink to while it is decoded: fewer pixels blur the outlines


def _cosines() -> npt.NDArray[np.float32]:
    u, x = np.arange(KEPT)[:, None], np.arange(SIDE)[None]
    basis = np.cos(np.pi * u * (2 * x + 1) / (2 * SIDE)) * np.sqrt(2 / SIDE)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, dtype=np.float32)


#: The orthonormal cosine basis, shape (KEPT, SIDE).
BASIS = _cosines()
#: The weight of each frequency, shape (KEPT, KEPT); 0 for the mean.
FREQUENCY = np.hypot(*np.mgrid[:KEPT, :KEPT]).astype(np.float32)


@dataclass(frozen=True)
class Fingerprints:
    """What :func:`fingerprints` found.

    Attributes
    ----------
    prints : ndarray of FINGERPRINT, shape (n,)
        In the order of the images; zeros where one can't be read.
    readable : ndarray of bool, shape (n,)
    issues : list of Issue
        Why not, one for each such image.
    """

    prints: Prints
    readable: npt.NDArray[np.bool_]
    issues: list[Issue]


def fingerprint(image: Image.Image) -> np.void:
    """The fingerprint of an upright picture, a record of the type :data:`FINGERPRINT`."""
    small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=3.0).convert("YCbCr")
    planes = np.asarray(small, dtype=np.float32)
    grey = planes[:, :, 0]
    weighted = (BASIS @ grey @ BASIS.T) * FREQUENCY
    quarters = planes[:, :, 1:].reshape(2, SIDE // 2, 2, SIDE // 2, 2).mean(axis=(1, 3)) - 128
    record = np.zeros(1, dtype=FINGERPRINT)
    largest = float(np.abs(weighted).max())
    record["detail"] = np.round(weighted * (127 / largest)) if largest > 0 else 0
    record["colour"] = np.clip(np.round(quarters), -127, 127)
    record["mean"], record["spread"] = grey.mean(), grey.std()
    found: np.void = record[0]
    return found


def kept_fingerprints(contents: Sequence[str | None], cache: ContentCache | None) -> Fingerprints:
    """Those fingerprints that the cache has, for images of these contents; no file is read."""
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
    """The fingerprint of each image; images are read on threads, and each answer is kept in ``cache`` as it comes.

    Parameters
    ----------
    images : sequence of str
        Paths or URLs.
    root : Path, optional
        Folder under which relative paths lie.
    contents : sequence of (str or None), optional
        What the images table says of each image's content, as far as that is known to be the file's as it is now: what
        the cache has under it is taken, and the file isn't read.
    cache : ContentCache, optional
        Where fingerprints are kept, under the contents that were read.
    events : Events, optional
        Gets the progress as "fingerprints".

    Raises
    ------
    InputError
        If ``contents`` are not as many as ``images``.
    Cancelled
        If ``events`` were asked to stop; what was read is kept.
    """
    if contents is not None and len(contents) != len(images):
        raise InputError(f"contents has {len(contents)} entries for {len(images)} images; give one for each, or None.")
    known: Sequence[str | None] = [None] * len(images) if contents is None else contents
    kept = kept_fingerprints(known, cache)
    prints, readable, issues = kept.prints, kept.readable, kept.issues
    missing = np.flatnonzero(~readable).tolist()
    if events is not None:
        events.progress("fingerprints", len(images) - len(missing), len(images))

    def prepare(image: Image.Image, content: str) -> np.void:
        found = fingerprint(image)
        if cache is not None:
            # not under the content that was given: the file may have changed since that was known
            cache.put(_cache_key(content), found.tobytes())
        return found

    for batch in read_in_batches(
        images,
        missing,
        prepare,
        root=root,
        known=known,
        at_least=_DECODED,
        threads=settings.threads,
        batch_size=_BATCH,
        events=events,
        phase="fingerprints",
    ):
        for index, found in batch:
            if isinstance(found, Issue):
                issues.append(found)
            else:
                prints[index], readable[index] = found, True
    return Fingerprints(prints, readable, issues)


def _cache_key(content: str) -> str:
    return content_key(content, "fingerprint", VERSION)
