"""Search images by the vector of a text or of another image, among the features that are stored."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb._utils.progress_bars import say
from customlabels_nb._utils.text import counted
from customlabels_nb.errors import InputError, NotAllowedError
from customlabels_nb.images.locations import is_remote
from customlabels_nb.images.missing import missing_files
from customlabels_nb.models.backbones import is_backbone_name
from customlabels_nb.models.embeddings import describe_features, embed
from customlabels_nb.models.feature_file import Rows, feature_key, project_features
from customlabels_nb.models.pretrained.siglip import SIGLIP2, embed_text

Scores = npt.NDArray[np.float32]

_BLOCK = 8192
_EXACT = 4096  # results whose order is exact


def text_model(features: str) -> str:
    """Return the model that reads texts for a project with these features: their own, or SigLIP 2."""
    return SIGLIP2 if is_backbone_name(features) else features


def no_vectors(model: str) -> str:
    return f"No image has vectors of {model!r} yet. Compute them with project.embed(model={model!r})."


def open_search(root: Path, model: str) -> ImageSearch:
    """Return the search of a project with the revision of a model that is on this machine, once per process."""
    return _open(root, model, describe_features(model).name)


@lru_cache(maxsize=4)
def _open(root: Path, model: str, _revision: str) -> ImageSearch:
    return ImageSearch(root, model)


class ImageSearch:
    """Search among the features of a project's images. Only their lengths and positions stay in memory."""

    def __init__(self, root: Path, model: str) -> None:
        self._model = model
        self._file = project_features(root).of(describe_features(model))
        self._keys: tuple[str | None, ...] = ()
        self._hashed: list[bytes | None] = []
        self._rows: Rows | None = None
        self._positions: npt.NDArray[np.int64] | None = None
        self._lock = threading.Lock()
        self._lengths = np.empty(0, dtype=np.float32)

    def scores(self, keys: Sequence[str | None], compute_vector: Callable[[], npt.NDArray[np.float32]]) -> Scores:
        """Return the cosine similarity to each image, NaN without features, unless no image has any."""
        with self._lock:
            rows = self._look_up(tuple(keys))
            positions, lengths = self._positions, self._lengths
        assert positions is not None
        if len(keys) and not (positions >= 0).any():
            raise NotAllowedError(no_vectors(self._model))
        vector = compute_vector()
        unit = (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)
        products = _products(rows, unit) / np.maximum(lengths, np.float32(1e-12))
        found = np.full(len(keys), np.nan, dtype=np.float32)
        has_features = positions >= 0
        found[has_features] = products[positions[has_features]]
        return found

    def vector_of(self, key: str | None) -> npt.NDArray[np.float32] | None:
        (position,), rows = self._file.lookup([None if key is None else feature_key(key)])
        return None if position < 0 else rows[position].astype(np.float32)

    def _look_up(self, keys: tuple[str | None, ...]) -> Rows:
        """Find the images in the file, and measure the vectors that were added since the last search."""
        if keys != self._keys:
            self._keys, self._hashed = keys, [None if key is None else feature_key(key) for key in keys]
            self._positions = None
        _, rows = self._file.lookup([])
        if self._positions is None or not self._is_known(rows):
            self._positions, rows = self._file.lookup(self._hashed)
        if not self._is_known(rows):
            starts = range(0, len(rows), _BLOCK)
            parts = [np.linalg.norm(rows[at : at + _BLOCK].astype(np.float32), axis=1) for at in starts]
            self._rows, self._lengths = rows, np.concatenate([np.empty(0, dtype=np.float32), *parts])
        return rows

    def _is_known(self, rows: Rows) -> bool:
        return self._rows is not None and self._rows.base is rows.base and len(self._rows) == len(rows)


def similarities(root: Path, model: str, keys: Sequence[str | None], vectors: Scores) -> Scores:
    """Return the cosine similarity of each image to each unit vector, shape (n, k), NaN for images without features."""
    hashed = [None if key is None else feature_key(key) for key in keys]
    positions, rows = project_features(root).of(describe_features(model)).lookup(hashed)
    result = np.full((len(keys), len(vectors)), np.nan, dtype=np.float32)
    with_features = np.flatnonzero(positions >= 0)
    for block in (with_features[start : start + _BLOCK] for start in range(0, len(with_features), _BLOCK)):
        part = rows[positions[block]].astype(np.float32)
        lengths = np.maximum(np.linalg.norm(part, axis=1, keepdims=True), np.float32(1e-12))
        result[block] = part @ vectors.T / lengths
    return result


def _products(rows: Rows, vector: npt.NDArray[np.float32]) -> Scores:
    """Multiply float16 rows by a vector, in float16 to 1e-3 of the result, which needs no copy of all rows in float32.

    The largest products are computed again in float32, so that the best results are in the right order.
    """
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the mapped file cannot be written, and is not
        products = torch.mv(torch.from_numpy(rows), torch.from_numpy(vector).half()).float().numpy()
    best = np.argpartition(-products, _EXACT)[:_EXACT] if len(products) > _EXACT else np.arange(len(products))
    products[best] = rows[best].astype(np.float32) @ vector
    return np.asarray(products)


def search_images(
    root: Path, features: str, images: pd.DataFrame, *, text: str | None, image: str | None, max_results: int | None
) -> pd.DataFrame:
    """Return the best images (image, sha256) with their score, at most ``max_results``.

    Images without vectors are left out, and so are results whose files are gone.
    """
    model = text_model(features) if text is not None else features
    search = open_search(root, model)
    keys = [key if isinstance(key, str) else None for key in images["sha256"]]

    def vector() -> Scores:
        return embed_text(model, text) if text is not None else _vector_of(search, root, model, images, str(image))

    scores = search.scores(keys, vector)
    if missing := int(np.isnan(scores).sum()):
        are = "was" if missing == 1 else "were"
        say(f"{counted(missing, 'image')} without vectors {are} left out. project.embed(model={model!r}) adds them.")
    found = pd.DataFrame({"image": images["image"], "score": scores}).dropna()
    found = found.sort_values("score", ascending=False, kind="stable").head(
        len(found) if max_results is None else max_results
    )
    gone = missing_files(found["image"].tolist(), root)
    if gone.any():
        were = counted(int(gone.sum()), "image without a file was", "images without a file were")
        say(f"{were} left out. project.remove_missing() removes them from the project.")
        found = found[~gone]
    return found.reset_index(drop=True)


def _vector_of(search: ImageSearch, root: Path, model: str, images: pd.DataFrame, image: str) -> Scores:
    """Return the features of an image, which are stored if it is one of ``images``."""
    content = images.loc[images["image"] == image, "sha256"]
    if len(content) and isinstance(content.iat[0], str) and (stored := search.vector_of(content.iat[0])) is not None:
        return stored
    path = image if is_remote(image) or len(content) else str(Path(image).expanduser().absolute())
    computed = embed([path], root=root, backbone=model)
    for issue in computed.issues:
        raise InputError(f"image={image!r} cannot be used: {issue.message}")
    return np.asarray(computed.features[0])
