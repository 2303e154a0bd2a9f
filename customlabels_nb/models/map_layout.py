"""Lay out images on a plane by their stored features, so that similar images are close, and store the layout."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import re
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from customlabels_nb._utils.arguments import check_random_state
from customlabels_nb._utils.files import replacing
from customlabels_nb.errors import NotAllowedError, NotEnoughDataError
from customlabels_nb.events import Events
from customlabels_nb.models.backbone import PACKAGED
from customlabels_nb.models.embeddings import describe_features, embed, unit_rows
from customlabels_nb.models.feature_file import Rows, feature_key, project_features
from customlabels_nb.models.image_search import no_vectors
from customlabels_nb.remote.content_cache import caches_of, tag_cache

Places = npt.NDArray[np.float32]

#: Images that are laid out together, and least number of images of a map.
LAID_OUT, FEWEST = 5_000, 5
#: Phase of the progress.
PHASE = "layout"

_COMPONENTS, _NEIGHBOURS, _BLOCK = 50, 5, 2_048
_STEPS, _PERPLEXITY = 1_000, 30
_FEW = 2_000  # images that one thread lays out
_STEP = re.compile(r"Iteration (\d+)")
_KEY = np.dtype("V16")


@dataclass(frozen=True)
class MapLayout:
    """Places of images on a plane, most of them between -1 and 1, NaN for an image without features.

    ``laid_out`` counts those that were laid out together, ``placed`` those that were placed by their neighbours.
    ``is_final`` is False for the plane of the first two principal components.
    """

    xy: Places
    laid_out: int
    placed: int
    is_final: bool = True

    @property
    def without(self) -> int:
        return len(self.xy) - self.laid_out - self.placed


@dataclass(frozen=True)
class _Stored:
    """Layout in the cache: components of the features, images laid out together, and places of all known images."""

    mean: Places
    components: Places
    anchors: Places
    keys: npt.NDArray[np.void]
    xy: Places


class MapLayouts:
    """Layout of a dataset in a project's cache.

    The places belong to the contents of images and to the features. New images are placed by their neighbours and
    stored as well, so that no image moves until :meth:`compute` is called again.
    """

    def __init__(self, root: Path, model: str, split: str, random_state: int = 0) -> None:
        random_state = check_random_state(random_state)
        self._file = project_features(root).of(describe_features(model))
        self._root, self._model, self._random_state = root, model, random_state
        #: Arguments of :func:`lay_out_sample`, beside the contents.
        self.arguments = {"root": str(root), "model": model, "split": split, "random_state": random_state}
        self._path = caches_of(root) / "maps" / f"{self._file.path.stem}-{split}-{random_state}.npz"
        self._stored: tuple[tuple[int, int], _Stored, dict[bytes, int]] | None = None

    def add_features(self, images: Sequence[str], contents: Sequence[str | None], events: Events) -> None:
        """Compute and store the features that are missing, unless they are those of another network."""
        positions, _ = self._file.lookup([None if content is None else feature_key(content) for content in contents])
        known = zip(images, contents, positions.tolist(), strict=True)
        missing = [(image, content) for image, content, at in known if content is not None and at < 0]
        if missing and self._model == PACKAGED:
            names, keys = zip(*missing, strict=True)
            embed(names, root=self._root, keys=keys, cache=project_features(self._root), events=events)

    def read(self, contents: Sequence[str | None]) -> MapLayout | None:
        """Return the stored layout, in which new images are placed, or None if there is none."""
        if self._read() is None:
            return None
        assert self._stored is not None
        keys = [None if content is None else feature_key(content) for content in contents]
        new = {key for key in keys if key is not None and key not in self._stored[2]}
        if new:
            self._add(sorted(new))
        _, stored, index = self._stored
        at = np.fromiter((-1 if key is None else index.get(key, -1) for key in keys), np.int64, len(keys))
        result = np.full((len(keys), 2), np.nan, dtype=np.float32)
        result[at >= 0] = stored.xy[at[at >= 0]]
        together = int(((at >= 0) & (at < len(stored.anchors))).sum())
        return MapLayout(result, together, int((at >= 0).sum()) - together)

    def _add(self, keys: list[bytes]) -> None:
        """Place new images that have features by their neighbours, and store their places."""
        assert self._stored is not None
        stamp, stored, index = self._stored
        positions, rows = self._file.lookup(keys)
        placeable = [key for key, position in zip(keys, positions.tolist(), strict=True) if position >= 0]
        if not placeable:
            return
        xy = _place(stored, _main(stored, rows, positions[positions >= 0]))
        index.update((key, len(stored.keys) + number) for number, key in enumerate(placeable))
        all_keys = np.concatenate([stored.keys, _keys_of(placeable)])
        stored = replace(stored, keys=all_keys, xy=np.concatenate([stored.xy, xy]))
        if self._stamp() == stamp:  # otherwise it was laid out again meanwhile
            self._write(stored)
        self._stored = self._stamp() or stamp, stored, index

    def plane(self, contents: Sequence[str | None]) -> MapLayout:
        """Return the plane of the first two principal components, which needs about a second."""
        keys = [None if content is None else feature_key(content) for content in contents]
        positions, rows = self._file.lookup(keys)
        fit = _fit(rows, self._sample(contents), self._file)
        has_features = positions >= 0
        result = np.full((len(keys), 2), np.nan, dtype=np.float32)
        first = replace(fit, components=fit.components[:, :2])
        result[has_features] = _scaled(_main(first, rows, positions[has_features]))
        return MapLayout(result, int(has_features.sum()), 0, is_final=False)

    def compute(self, contents: Sequence[str | None], events: Events) -> int:
        """Lay out a sample of the images, store the result, and return their number."""
        sample = self._sample(contents)
        positions, rows = self._file.lookup(sample)
        fit = _fit(rows, sample, self._file)
        anchors = _main(fit, rows, positions)
        events.progress(PHASE, 0, _STEPS)
        xy = _scaled(_embed(anchors, self._random_state, events))
        self._write(_Stored(fit.mean, fit.components, anchors, _keys_of(sample), xy))
        events.progress(PHASE, _STEPS, _STEPS)
        return len(sample)

    def sample(self, contents: Sequence[str | None]) -> list[str]:
        """Return the contents of the images to lay out together, which :meth:`compute` needs."""
        by_key = {feature_key(content): content for content in contents if content is not None}
        return [by_key[key] for key in self._sample(contents)]

    def _sample(self, contents: Sequence[str | None]) -> list[bytes]:
        """Choose the images to lay out together, the same ones whatever the order of the images."""
        keys = sorted({feature_key(content) for content in contents if content is not None})
        positions, _ = self._file.lookup(keys)
        usable = [key for key, position in zip(keys, positions.tolist(), strict=True) if position >= 0]
        if not usable:
            raise NotAllowedError(no_vectors(self._model))
        if len(usable) < FEWEST:
            are = "is" if len(usable) == 1 else "are"
            raise NotEnoughDataError(
                f"A map needs at least {FEWEST} different images with features, but there {are} only {len(usable)}."
            )
        if len(usable) > LAID_OUT:
            chosen = np.random.default_rng(self._random_state).choice(len(usable), LAID_OUT, replace=False)
            usable = [usable[index] for index in np.sort(chosen).tolist()]
        return usable

    def stamp(self) -> tuple[Any, int]:
        """Return a value that changes when the stored layout or the features change."""
        with contextlib.suppress(OSError):
            return self._stamp(), self._file.path.stat().st_size
        return self._stamp(), 0

    # -- file ---------------------------------------------------------------------------------------
    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino

    def _read(self) -> _Stored | None:
        """Return the stored layout, or None if there is none or the file is damaged."""
        stamp = self._stamp()
        if stamp is None:
            self._stored = None
        elif self._stored is None or self._stored[0] != stamp:
            self._stored = None
            with contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                with self._path.open("rb") as file, np.load(file) as arrays:
                    names = ("mean", "components", "anchors", "keys", "xy")
                    mean, components, anchors, keys, xy = (arrays[name] for name in names)
                keys = np.ascontiguousarray(keys).view(_KEY).reshape(-1)
                if len(keys) == len(xy) >= len(anchors) and components.shape[0] == self._file.width:
                    stored = _Stored(mean, components, anchors, keys, xy)
                    self._stored = stamp, stored, {key: number for number, key in enumerate(keys.tolist())}
        return None if self._stored is None else self._stored[1]

    def _write(self, stored: _Stored) -> None:
        """Replace the file. If the disk is full or the folder is read-only, nothing is stored."""
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            tag_cache(self._path.parent)
            with replacing(self._path, durable=False) as file:
                keys = stored.keys.view(np.uint8).reshape(-1, _KEY.itemsize)
                np.savez(
                    file, mean=stored.mean, components=stored.components, anchors=stored.anchors, keys=keys,
                    xy=stored.xy,
                )  # fmt: skip


def _keys_of(keys: Sequence[bytes]) -> npt.NDArray[np.void]:
    return np.frombuffer(b"".join(keys), dtype=_KEY)


def _fit(rows: Rows, sample: Sequence[bytes], file: Any) -> _Stored:
    from sklearn.decomposition import PCA

    units = unit_rows(rows[file.lookup(sample)[0]])
    fit = PCA(min(_COMPONENTS, *units.shape), svd_solver="covariance_eigh").fit(units)
    if fit.explained_variance_[0] < 1e-6:
        raise NotEnoughDataError("All images have nearly the same features, so a map would show a single point.")
    empty = np.empty((0, 2), dtype=np.float32)
    return _Stored(fit.mean_, fit.components_.T, empty, _keys_of([]), empty)


def _main(fit: _Stored, rows: Rows, positions: npt.NDArray[np.int64]) -> Places:
    """Project the features of images to their principal components, shape (images, components)."""
    starts = range(0, len(positions), _BLOCK)
    parts = [(unit_rows(rows[positions[start : start + _BLOCK]]) - fit.mean) @ fit.components for start in starts]
    return np.concatenate([np.empty((0, fit.components.shape[1]), np.float32), *parts])


def _place(stored: _Stored, points: Places) -> Places:
    """Place images at the mean of their nearest neighbours, weighted by the inverse square of the distance."""
    anchors = stored.anchors
    count = min(_NEIGHBOURS, len(anchors))
    lengths = (anchors**2).sum(axis=1)
    result = np.empty((len(points), 2), dtype=np.float32)
    for start in range(0, len(points), _BLOCK):
        block = points[start : start + _BLOCK]
        near = np.argpartition(lengths - 2 * block @ anchors.T, count - 1, axis=1)[:, :count]
        distances = ((anchors[near] - block[:, None]) ** 2).sum(axis=2)
        weights = 1 / (distances + 1e-8)
        weights /= weights.sum(axis=1, keepdims=True)
        result[start : start + _BLOCK] = (stored.xy[near] * weights[:, :, None]).sum(axis=1)
    return result


def _scaled(xy: Places) -> Places:
    """Move and scale places into a square from -1 to 1."""
    low, high = xy.min(axis=0), xy.max(axis=0)
    half = max(float((high - low).max()) / 2, 1e-12)
    return np.asarray((xy - (low + high) / 2) / half, dtype=np.float32)


def _embed(points: Places, random_state: int, events: Events) -> Places:
    """Return the places of UMAP if it is installed, or of t-SNE."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as those of numba
        if importlib.util.find_spec("umap") is not None:
            umap = importlib.import_module("umap")
            neighbours = min(15, len(points) - 1)
            return np.asarray(umap.UMAP(n_neighbors=neighbours, random_state=random_state).fit_transform(points))
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits

        perplexity = min(_PERPLEXITY, (len(points) - 1) / 3)
        tsne = TSNE(perplexity=perplexity, init="pca", random_state=random_state, max_iter=_STEPS, verbose=2)
        # a sum over three threads depends on which of them ends first, and beside other work two threads wait for each
        # other most of the time
        with threadpool_limits(1 if len(points) < _FEW else 2, "openmp"), contextlib.redirect_stdout(_Steps(events)):
            return np.asarray(tsne.fit_transform(points))


class _Steps(io.TextIOBase):
    """Convert what t-SNE prints to events."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def write(self, text: str) -> int:
        if match := _STEP.search(text):
            self._events.progress(PHASE, min(int(match[1]), _STEPS), _STEPS)
        return len(text)


def lay_out_sample(arguments: dict[str, Any], events: Events) -> int:
    """Run :meth:`MapLayouts.compute` in a helper process."""
    layouts = MapLayouts(Path(arguments["root"]), arguments["model"], arguments["split"], arguments["random_state"])
    return layouts.compute(arguments["contents"], events)
