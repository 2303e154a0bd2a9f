"""Compute image embeddings with a content-based cache, and find or sort similar images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb._utils.device import BatchSize, choose_device
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import InputError
from customlabels_nb.events import Events
from customlabels_nb.images.missing import missing_files
from customlabels_nb.images.reading import read_in_batches
from customlabels_nb.models.backbone import PACKAGED, Backbone
from customlabels_nb.models.backbones import (
    backbone_named,
    decode_threads,
    fetch_backbone,
    forward_batch,
    is_backbone_name,
    load_backbone,
)
from customlabels_nb.models.feature_file import FeatureCache, FeatureFile, Rows, feature_key
from customlabels_nb.models.pretrained.siglip import SIGLIP2, describe_image_tower, load_image_tower
from customlabels_nb.models.pretrained.weights import KNOWN_MODELS, absolute_name, get_weights
from customlabels_nb.models.transforms import Pixels, to_batch, to_pixels

if TYPE_CHECKING:
    from torch import nn

Features = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]
_Batch = Sequence[tuple[int, tuple[Pixels, str] | Issue]]

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
    backbone: str = PACKAGED,
    device: str | None = None,
    cache: FeatureCache | None = None,
    batch_size: int | None = None,
    events: Events | None = None,
    phase: str = "features",
) -> Embeddings:
    """Compute pooled features of a pretrained backbone for each image.

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
    file = None if cache is None else cache.of(facts)
    issues, missing = _read_cached(file, images, contents, root, features)
    if events is not None:
        events.progress(phase, len(images) - len(missing), len(images))
    if missing:
        chosen = choose_device(device)
        network = (load_backbone if is_backbone_name(backbone) else load_image_tower)(backbone).to(chosen)
        batches = BatchSize(batch_size or forward_batch(chosen), chosen, events)
        for batch in read_in_batches(
            images,
            missing,
            lambda image, content: (to_pixels(image, facts.input_size), content),
            root=root,
            content_ids=contents,
            at_least=facts.input_size,
            threads=decode_threads(chosen),
            batch_size=batches.size,
            events=events,
            phase=phase,
        ):
            unreadable, read = _separated(batch)
            issues += unreadable
            if read:
                indices, pixels, contents_read = zip(*read, strict=True)
                rows = np.stack(batches.map(lambda part: _forward(network, part, facts, chosen), pixels))
                features[list(indices)] = rows if file is None else _rounded(rows)
                if file is not None:
                    # not under the given key, because the file may have changed since the key was computed
                    file.add(list(map(feature_key, contents_read)), rows)
    return Embeddings(features, issues)


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


def _separated(batch: _Batch) -> tuple[list[Issue], list[tuple[int, Pixels, str]]]:
    """Return the issues in a batch, and index, pixels and content hash of each image that can be read."""
    read = [(index, *prepared) for index, prepared in batch if not isinstance(prepared, Issue)]
    return [prepared for _, prepared in batch if isinstance(prepared, Issue)], read


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

    def add(self, images: Sequence[str], keys: Sequence[str | None], *, root: Path, events: Events) -> None:
        """Append images. The features that are not in the file are computed and stored, see :func:`embed`."""
        stored = [None if key is None else feature_key(key) for key in keys]
        positions, rows = self._file.lookup(stored)
        gone = missing_files(images, root)
        if (positions < 0).any():
            computed = embed(images, keys=keys, root=root, backbone=self._backbone, cache=self._cache, events=events)
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


def most_similar(features: npt.ArrayLike, index: int, n: int | None = None) -> tuple[Positions, Features]:
    """Return the rows of the most similar images, never those of NaN, and their cosine similarity."""
    rows = _checked_features(features)
    if not 0 <= index < len(rows):
        raise InputError(f"index={index!r} is out of range for {len(rows)} images.")
    if np.isnan(rows[index]).any():
        raise InputError(f"index={index!r} refers to an image without features.")
    length = np.linalg.norm(rows, axis=1)
    products = rows @ rows[index]  # without copying the rows, because there may be 250,000 of them
    cosine = products / np.maximum(length * length[index], np.float32(1e-12))
    order = np.argsort(-np.where(np.isnan(cosine), -np.inf, cosine), kind="stable")
    order = order[(order != index) & ~np.isnan(cosine[order])][:n]
    return order, cosine[order].astype(np.float32)


def similar_order(features: npt.ArrayLike, *, to: int | None = None) -> Positions:
    """Order all images so that similar images are next to each other.

    Each image is followed by the most similar of the remaining images. More than 4,096 images are first split into
    blocks along their principal directions, so that the time grows linearly with the number of images. Images without
    features (NaN) come last, in their original order. With ``to``, the images are sorted by decreasing similarity to
    this one, which comes first.
    """
    rows = _checked_features(features)
    has_features = ~np.isnan(rows[:, :1]).any(axis=1)
    without = np.flatnonzero(~has_features)
    if to is not None:
        return np.concatenate([[to], most_similar(rows, to)[0], without])
    order: list[int] = []
    small, positions = _main_directions(rows, np.flatnonzero(has_features)), np.flatnonzero(has_features)
    for block in _blocks(small, np.arange(len(small))):
        # continue from the end of the previous block
        last = small[order[-1]] if order else small[block].mean(axis=0)
        order += block[_chain(small[block], int(np.argmax(small[block] @ last)) if order else None)].tolist()
    return np.concatenate([positions[np.asarray(order, dtype=np.int64)], without])


def _checked_features(features: npt.ArrayLike) -> Features:
    rows = np.asarray(features, dtype=np.float32)
    if rows.ndim != 2:
        raise InputError(f"features must have shape (images, features), got {rows.shape}.")
    return rows


def _main_directions(rows: Features, chosen: Positions) -> Features:
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
