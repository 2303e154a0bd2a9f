"""Features of images, computed once and kept by content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from customlabels_nb.cache import ContentCache
from customlabels_nb.device import choose_device
from customlabels_nb.errors import ImageError, InputError
from customlabels_nb.events import Events
from customlabels_nb.images import content_hash, open_image, read_bytes
from customlabels_nb.issues import Issue
from customlabels_nb.models.backbones import (
    PACKAGED,
    Backbone,
    backbone_named,
    decode_threads,
    forward_batch,
    load_backbone,
)
from customlabels_nb.models.transforms import TRANSFORM_VERSION, Pixels, to_batch, to_pixels
from customlabels_nb.work import map_bounded

if TYPE_CHECKING:
    from torch import nn

Features = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Embeddings:
    """What :func:`embed` found.

    Attributes
    ----------
    features : ndarray of float32, shape (n, d)
        One row an image, in the order given; NaN where an image can't be read.
    issues : list of Issue
        Why not, one for each such image.
    """

    features: Features
    issues: list[Issue]

    @property
    def readable(self) -> npt.NDArray[np.bool_]:
        """Which rows hold features, shape (n,)."""
        return ~np.isnan(self.features[:, 0])


def embed(
    images: Sequence[str],
    *,
    root: Path | None = None,
    keys: Sequence[str | None] | None = None,
    backbone: str = PACKAGED,
    device: str | None = None,
    cache: ContentCache | None = None,
    batch_size: int | None = None,
    events: Events | None = None,
    phase: str = "features",
) -> Embeddings:
    """Pooled features of a pretrained backbone for each image.

    Images are decoded on threads while the network works; a few batches are in memory at once, however many
    images there are. With ``cache`` each finished batch is kept, under the hashes of the bytes that were read; so a
    run with ``keys`` that was interrupted or cancelled goes on where it stopped. torch isn't even imported when all
    images are there.

    Parameters
    ----------
    images : sequence of str
        Paths or URLs.
    root : Path, optional
        Folder under which relative paths lie.
    keys : sequence of (str or None), optional
        The SHA-256 of each image as far as it is known to be that of the file as it is now: what the cache has under
        it is taken, and the file isn't read. A file without is read.
    backbone, device : str, optional
        See :mod:`customlabels_nb.models.backbones` and :func:`customlabels_nb.device.choose_device`.
    cache : ContentCache, optional
        Where features are kept.
    batch_size : int, optional
        Images in one forward pass; what suits the device by default.
    events : Events, optional
        Gets the progress as ``phase``.

    Raises
    ------
    InputError
        If ``keys`` are not as many as ``images``, or ``batch_size`` or ``backbone`` can't be.
    Cancelled
        If ``events`` were asked to stop.
    """
    facts = backbone_named(backbone)
    if keys is not None and len(keys) != len(images):
        raise InputError(f"keys has {len(keys)} entries for {len(images)} images; give one for each, or None.")
    if batch_size is not None and batch_size < 1:
        raise InputError(f"batch_size={batch_size!r} must be at least 1.")
    features = np.full((len(images), facts.features), np.nan, dtype=np.float32)
    given: list[str | None] = [None] * len(images) if keys is None else list(keys)
    missing = [index for index, key in enumerate(given) if not _from_cache(features[index], key, facts, cache)]
    done = len(images) - len(missing)
    _tell(events, phase, done, len(images))
    issues: list[Issue] = []
    if missing:
        chosen = choose_device(device)
        network = load_backbone(backbone).to(chosen)

        def decode(index: int) -> _Read:
            name = images[index]
            try:
                data = read_bytes(name, root)
                image = open_image(data, name=name, at_least=facts.input_size)
                return _Read(index, to_pixels(image, facts.input_size), content_hash(data))
            except ImageError as error:
                return _Read(index, Issue(error.code, error.reason, where=name), None)

        with closing(map_bounded(decode, missing, workers=decode_threads(chosen))) as decoded:
            for batch in _batches(decoded, batch_size or forward_batch(chosen)):
                pixels = [read.found for read in batch if not isinstance(read.found, Issue)]
                rows: Iterator[Features] = iter(_forward(network, pixels, facts, chosen) if pixels else ())
                for read in batch:
                    if isinstance(read.found, Issue):
                        issues.append(read.found)
                        continue
                    row = features[read.index] = next(rows)
                    if cache is not None and read.hash is not None:
                        # not under the key that was given: the file may have changed since that was known
                        cache.put(_cache_key(read.hash, facts), row.tobytes())
                done += len(batch)
                _tell(events, phase, done, len(images))
    return Embeddings(features, issues)


@dataclass(frozen=True)
class _Read:
    """An image of which the bytes, whose hash is ``hash``, were read and decoded; or why not."""

    index: int
    found: Pixels | Issue
    hash: str | None


def _cache_key(key: str, facts: Backbone) -> str:
    text = f"{key}\n{facts.name}\n{facts.input_size}\n{TRANSFORM_VERSION}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _from_cache(row: Features, key: str | None, facts: Backbone, cache: ContentCache | None) -> bool:
    """Whether the cache knew ``key``; its features are then in ``row``."""
    kept = cache.get(_cache_key(key, facts)) if cache is not None and key is not None else None
    if kept is None or len(kept) != row.nbytes:
        return False
    values = np.frombuffer(kept, dtype=np.float32)
    if not np.isfinite(values).all():
        return False
    row[:] = values
    return True


def _batches(decoded: Iterator[_Read], size: int) -> Iterator[list[_Read]]:
    batch: list[_Read] = []
    for item in decoded:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _forward(network: nn.Module, pixels: list[Pixels], facts: Backbone, device: str) -> Features:
    import torch

    with torch.inference_mode():
        rows = network(to_batch(pixels, facts.mean, facts.std, device))
    return np.asarray(rows.cpu().numpy(), dtype=np.float32)


def _tell(events: Events | None, phase: str, done: int, total: int) -> None:
    if events is not None:
        events.progress(phase, done, total)
