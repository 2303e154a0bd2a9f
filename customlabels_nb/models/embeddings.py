"""Compute image embeddings with a content-based cache, and find or sort similar images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb._utils.device import BatchSize, choose_device
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import InputError
from customlabels_nb.events import Events
from customlabels_nb.images.missing import missing_files
from customlabels_nb.images.reading import read_in_batches
from customlabels_nb.images.regions import Region, open_regions
from customlabels_nb.models.backbone import PACKAGED, Backbone
from customlabels_nb.models.backbones import (
    backbone_named,
    decode_threads,
    fetch_backbone,
    forward_batch,
    is_backbone_name,
    load_backbone,
)
from customlabels_nb.models.feature_file import FeatureCache, FeatureFile, Rows, crop_content, feature_key
from customlabels_nb.models.pretrained.siglip import SIGLIP2, describe_image_tower, load_image_tower
from customlabels_nb.models.pretrained.weights import KNOWN_MODELS, absolute_name, get_weights
from customlabels_nb.models.transforms import Pixels, to_batch, to_pixels

if TYPE_CHECKING:
    from torch import nn

Features = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]

_BLOCK = 4096  # images per similarity matrix, which takes 64 MB
_DIRECTIONS = 32
_SAMPLE = 10_000


@dataclass(frozen=True)
class Embeddings:
    """Result of :func:`embed`: features of shape (n, d), NaN for images that cannot be read, with an issue each."""

    features: Features
    issues: list[Issue]

    @property
    def readable(self) -> npt.NDArray[np.bool_]:
        """Mask of the rows with features, shape (n,)."""
        return ~np.isnan(self.features[:, 0])


def embed(
    images: Sequence[str],
    *,
    root: Path | None = None,
    keys: Sequence[str | None] | None = None,
    regions: Sequence[Region | None] | None = None,
    backbone: str = PACKAGED,
    device: str | None = None,
    cache: FeatureCache | None = None,
    batch_size: int | None = None,
    events: Events | None = None,
    phase: str = "features",
) -> Embeddings:
    """Compute pooled features of a pretrained backbone for each image, or for a region of it.

    ``regions`` are in pixels of the upright image, None for all of it. An image is decoded once for all its regions.
    Images are decoded in threads while the network runs, and only a few batches are in memory at a time, regardless of
    the number of images. With ``cache``, the features of each finished batch are stored under the content hashes of its
    images. If an interrupted or cancelled run is repeated with ``keys``, it continues where it stopped. If all images
    are cached, torch is not even imported. Images whose files are gone have no features, even if these are cached.

    Keys are None if none is known to be up to date. With ``cache``, features are rounded to float16, its precision, so
    that new and cached features are the same. The accuracy of classifiers does not change measurably.
    """
    facts = describe_features(backbone)
    if keys is not None and len(keys) != len(images):
        raise InputError(f"keys has {len(keys)} entries for {len(images)} images. Pass one per image, or keys=None.")
    if batch_size is not None:
        batch_size = check_integer("batch_size", batch_size, 1)
    features = np.full((len(images), facts.features), np.nan, dtype=np.float32)
    contents: list[str | None] = [None] * len(images) if keys is None else list(keys)
    parts: Sequence[Region | None] = [None] * len(images) if regions is None else regions
    file = None if cache is None else cache.of(facts)
    issues, missing = _read_cached(file, images, list(map(crop_content, contents, parts)), root, features)
    done = len(images) - len(missing)
    watching = events or Events()
    watching.progress(phase, done, len(images))
    if missing:
        chosen = choose_device(device)
        network = (load_backbone if is_backbone_name(backbone) else load_image_tower)(backbone).to(chosen)
        batches = BatchSize(batch_size or forward_batch(chosen), chosen, events)
        for read in _read_parts(images, contents, parts, missing, root, facts.input_size, chosen, batches):
            issues += read.issues
            done += read.total
            if read.indices:
                rows = np.stack(batches.map(lambda part: _forward(network, part, facts, chosen), read.pixels))
                features[read.indices] = rows if file is None else _rounded(rows)
                if file is not None:
                    file.add(list(map(feature_key, read.contents)), rows)
            watching.progress(phase, done, len(images))
    return Embeddings(features, issues)


class _Read(NamedTuple):
    """A batch of parts of images: the indices, pixels and contents of those that can be read, and how many it had."""

    indices: list[int]
    pixels: list[Pixels]
    contents: list[str]
    issues: list[Issue]
    total: int


def _read_parts(
    images: Sequence[str],
    contents: Sequence[str | None],
    parts: Sequence[Region | None],
    missing: Sequence[int],
    root: Path | None,
    size: int,
    device: str,
    batches: BatchSize,
) -> Iterator[_Read]:
    """Read the missing parts in batches. An image is decoded once for all its parts."""
    photos: dict[str, list[int]] = {}
    for index in missing:
        photos.setdefault(images[index], []).append(index)

    def prepare(data: bytes, content: str, index: int) -> tuple[list[Pixels], str]:
        name = images[index]
        opened = open_regions(data, name, [parts[each] for each in photos[name]], size, min)
        return [to_pixels(part, size) for part in opened], content

    for batch in read_in_batches(
        images,
        [of_photo[0] for of_photo in photos.values()],
        prepare,
        root=root,
        content_ids=contents,
        threads=decode_threads(device),
        batch_size=max(1, batches.size * len(photos) // len(missing)),
    ):
        read = _Read([], [], [], [], sum(len(photos[images[index]]) for index, _ in batch))
        for index, prepared in batch:
            if isinstance(prepared, Issue):
                read.issues.append(prepared)
                continue
            pixels, content = prepared
            # not the given content, because the file may have changed since it was hashed
            contents_read = [crop_content(content, parts[each]) for each in photos[images[index]]]
            read.indices.extend(photos[images[index]])
            read.pixels.extend(pixels)
            read.contents.extend(contents_read)
        yield read


def _read_cached(
    file: FeatureFile | None, images: Sequence[str], keys: Sequence[str | None], root: Path | None, features: Features
) -> tuple[list[Issue], list[int]]:
    """Fill in cached features, and return issues of cached images whose files are gone, and indices of the others."""
    if file is None:
        return [], list(range(len(images)))
    stored = file.read([None if key is None else feature_key(key) for key in keys], features)
    gone = missing_files(images, root)
    features[gone] = np.nan
    issues = [Issue("IMAGE_NOT_FOUND", where=images[index]) for index in np.flatnonzero(stored & gone).tolist()]
    return issues, np.flatnonzero(~stored).tolist()


def describe_features(name: str) -> Backbone:
    """Describe the network that computes features: a backbone, "siglip2", or another SigLIP model."""
    return backbone_named(name) if is_backbone_name(name) else describe_image_tower(name)


def get_features(name: str) -> str:
    """Return the name of features after checking it, a folder as an absolute path. Missing weights are downloaded."""
    if not isinstance(name, str) or (name in KNOWN_MODELS and name != SIGLIP2):
        raise InputError(
            f"The features {name!r} must be {PACKAGED!r}, {SIGLIP2!r}, the folder of a SigLIP model, "
            "'hf://user/name', or a backbone such as 'timm/resnet18.a1_in1k'."
        )
    if is_backbone_name(name):
        fetch_backbone(name)
        return name
    get_weights(name)
    describe_features(name)
    return absolute_name(name)


class PackedFeatures:
    """Features of many images, read from the cache's file when indexed. Unreadable images have zeros."""

    def __init__(self, cache: FeatureCache, backbone: str = PACKAGED) -> None:
        facts = describe_features(backbone)
        self._cache, self._backbone, self._file, self._width = cache, backbone, cache.of(facts), facts.features
        self._ends = [0]
        self._parts: list[tuple[Positions, Rows]] = []

    def add(
        self,
        images: Sequence[str],
        keys: Sequence[str | None],
        *,
        root: Path,
        events: Events,
        regions: Sequence[Region | None] | None = None,
    ) -> None:
        """Append images. The features that are not in the file are computed and stored, see :func:`embed`."""
        contents = keys if regions is None else map(crop_content, keys, regions)
        stored = [None if content is None else feature_key(content) for content in contents]
        positions, rows = self._file.lookup(stored)
        gone = missing_files(images, root)
        if (positions < 0).any():
            computed = embed(
                images, root=root, keys=keys, regions=regions, backbone=self._backbone, cache=self._cache, events=events
            )
            positions, rows = self._file.lookup(stored)
            if (computed.readable & (positions < 0)).any():  # without a key, or the disk is full: only in memory
                with np.errstate(over="ignore"):
                    rows = computed.features.astype(np.float16)
                positions = np.where(np.isfinite(rows).all(axis=1), np.arange(len(rows)), -1)
        self._parts.append((np.where(gone, -1, positions), rows))
        self._ends.append(self._ends[-1] + len(positions))

    @property
    def readable(self) -> npt.NDArray[np.bool_]:
        """Mask of the images with features, shape (n,)."""
        return np.concatenate([np.empty(0, dtype=np.bool_), *(positions >= 0 for positions, _ in self._parts)])

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: slice | npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> Rows:
        wanted = np.arange(len(self))[index]
        result = np.zeros((len(wanted), self._width), dtype=np.float16)
        part = np.searchsorted(self._ends, wanted, side="right") - 1
        for number in np.unique(part).tolist():
            positions, rows = self._parts[number]
            in_part = np.flatnonzero(part == number)
            part_positions = positions[wanted[in_part] - self._ends[number]]
            result[in_part[part_positions >= 0]] = rows[part_positions[part_positions >= 0]]
        return result


def most_similar(
    features: npt.ArrayLike | PackedFeatures, index: int, n: int | None = None
) -> tuple[Positions, Features]:
    """Return the rows of the most similar images, never those of NaN, and their cosine similarity."""
    rows, readable = _rows_of(features)
    if not 0 <= index < len(rows):
        raise InputError(f"index={index!r} is out of range for {len(rows)} images.")
    if not readable[index]:
        raise InputError(f"index={index!r} refers to an image without features.")
    target = unit_rows(rows[index : index + 1])[0]
    # in blocks without a copy of all rows, because there may be 250,000 of them
    cosine = np.concatenate([unit_rows(rows[i : i + _SAMPLE]) @ target for i in range(0, len(rows), _SAMPLE)])
    order = np.argsort(-np.where(readable, cosine, -np.inf), kind="stable")
    order = order[(order != index) & readable[order]][:n]
    return order, cosine[order].astype(np.float32)


def similar_order(features: npt.ArrayLike | PackedFeatures, *, to: int | None = None) -> Positions:
    """Order all images so that similar images are next to each other.

    Each image is followed by the most similar of the remaining images. More than 4,096 images are first split into
    blocks along their principal directions, so that the time grows linearly with the number of images. Images without
    features (NaN) come last, in their original order. With ``to``, the images are sorted by decreasing similarity to
    this one, which comes first.
    """
    rows, has_features = _rows_of(features)
    without = np.flatnonzero(~has_features)
    if to is not None:
        return np.concatenate([[to], most_similar(features, to)[0], without])
    order: list[int] = []
    small, positions = _main_directions(rows, np.flatnonzero(has_features)), np.flatnonzero(has_features)
    for block in _blocks(small, np.arange(len(small))):
        # continue from the end of the previous block
        last = small[order[-1]] if order else small[block].mean(axis=0)
        order += block[_chain(small[block], int(np.argmax(small[block] @ last)) if order else None)].tolist()
    return np.concatenate([positions[np.asarray(order, dtype=np.int64)], without])


def _rows_of(
    features: npt.ArrayLike | PackedFeatures,
) -> tuple[Features | PackedFeatures, npt.NDArray[np.bool_]]:
    """Return the rows, which may be in a file, and a mask of those with features."""
    if isinstance(features, PackedFeatures):
        return features, features.readable
    rows = np.asarray(features, dtype=np.float32)
    if rows.ndim != 2:
        raise InputError(f"features must have shape (images, features), got {rows.shape}.")
    return rows, np.asarray(~np.isnan(rows[:, :1]).any(axis=1))


def _main_directions(rows: Features | PackedFeatures, chosen: Positions) -> Features:
    """Project the chosen rows onto the few directions in which they differ most, and scale them to unit length."""
    sample = chosen[:: max(1, len(chosen) // _SAMPLE)]
    units = unit_rows(rows[sample])
    directions = np.linalg.eigh(units.T @ units)[1][:, ::-1][:, :_DIRECTIONS]
    parts = [unit_rows(unit_rows(rows[chosen[i : i + _SAMPLE]]) @ directions) for i in range(0, len(chosen), _SAMPLE)]
    return np.concatenate([np.empty((0, directions.shape[1]), np.float32), *parts])


def _blocks(rows: Features, chosen: Positions) -> Iterator[Positions]:
    """Yield the chosen rows in blocks, halved along their principal direction until they are small enough."""
    if len(chosen) <= _BLOCK:
        if len(chosen):
            yield chosen
        return
    centred = rows[chosen] - rows[chosen].mean(axis=0)
    direction = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    along = np.argsort(centred @ direction, kind="stable")
    for half in np.array_split(chosen[along], 2):
        yield from _blocks(rows, half)


def _chain(rows: Features, start: int | None) -> Positions:
    """Order rows by moving to the nearest remaining row, starting from ``start`` or from the least similar row."""
    products = rows @ rows.T
    current = int(np.argmin(products.sum(axis=1))) if start is None else start
    order = np.empty(len(rows), dtype=np.int64)
    for position in range(len(rows)):
        order[position] = current
        products[:, current] = -np.inf
        current = int(np.argmax(products[current]))
    return order


def unit_rows(rows: Rows | Features) -> Features:
    rows = rows.astype(np.float32, copy=False)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, np.float32(1e-12)), dtype=np.float32)


def _rounded(rows: Features) -> Features:
    """Round features to float16, except rows that float16 cannot represent, which are not cached either."""
    with np.errstate(over="ignore"):
        small = rows.astype(np.float16).astype(np.float32)
    return np.where(np.isfinite(small).all(axis=1, keepdims=True), small, rows)


def _forward(network: nn.Module, pixels: Sequence[Pixels], facts: Backbone, device: str) -> Features:
    import torch

    with torch.inference_mode():
        rows = network(to_batch(pixels, facts.mean, facts.std, device))
    return np.asarray(rows.cpu().numpy(), dtype=np.float32)
