"""Find and remove images whose files are gone, and refuse to work on images whose whole source is missing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError
from customlabels_nb.images.locations import is_remote, to_path
from customlabels_nb.images.missing import missing_files
from customlabels_nb.images.thumbnails import project_cache
from customlabels_nb.ingest.refresh import flat_sources
from customlabels_nb.models.feature_file import project_features
from customlabels_nb.store import Action, SqlStore, WriteResult

_Mask = npt.NDArray[np.bool_]
_ADVICE = (
    "If it is on a disk, mount it. If the photos are somewhere else now, call project.relocate('the new folder'). "
    "If they were deleted, remove them with project.remove()."
)
_OF_ZIP = "project.refresh() unpacks the zip file again, and keeps the labels."


class MissingSource(NamedTuple):
    """Source whose images are all missing: its folder, what to do, and a mask of the images."""

    folder: str
    advice: str
    images: _Mask


def refuse_missing_sources(store: SqlStore, root: Path, images: pd.DataFrame) -> None:
    """Raise InputError if a whole source of these images is missing, for example because a disk is not mounted."""
    missing = missing_files(images["image"].tolist(), root)
    for folder, advice, within in _missing_sources(store, root, images, missing):
        raise InputError(
            f"The folder {folder!r} does not exist or is empty, but the project has "
            f"{counted(int(within.sum()), 'image')} from it. {advice}"
        )


def find_missing_images(store: SqlStore, root: Path) -> pd.DataFrame:
    """Return the images whose files are gone, without those of sources that are missing as a whole."""
    images = store.images()
    missing = missing_files(images["image"].tolist(), root)
    for *_, within in _missing_sources(store, root, images, missing):
        missing &= ~within
    return images[missing].reset_index(drop=True)


def remove_missing_images(store: SqlStore, root: Path, missing: pd.DataFrame, action: Action) -> WriteResult:
    """Remove images of both datasets as one action, with their features and thumbnails in the project's caches."""
    done = store.remove_images(None, missing, action)
    contents = set(missing["sha256"].dropna()) - set(store.images()["sha256"].dropna())
    project_features(root).forget(contents)
    project_cache(root, "thumbnails").forget(contents)
    return done


def _missing_sources(store: SqlStore, root: Path, images: pd.DataFrame, missing: _Mask) -> Iterator[MissingSource]:
    """Yield the sources with missing images whose folder does not exist or is empty, as where a disk is not mounted."""
    if not missing.any():
        return
    sources = flat_sources(record.sources for split in t.SPLITS if (record := store.dataset(split)))
    kinds = {str(source.get("name", "")): str(source.get("kind")) for source in sources}
    paths = np.array([_path_of(image, root) for image in images["image"].tolist()], dtype=object)
    stored = images["source"].to_numpy(dtype=object, na_value="")
    for name in dict.fromkeys(stored[missing].tolist()):
        within, kind = (stored == name) & (paths != ""), kinds.get(name, "")
        folder = _folder_of(name, kind, paths[within].tolist())
        if folder and not _has_entries(folder):
            advice = _OF_ZIP if kind == "zip" else _ADVICE
            yield MissingSource(folder, advice, within & missing)


def _folder_of(name: str, kind: str, paths: Sequence[str]) -> str:
    """Return the folder of a source with images at these paths, or "" if a missing file is just a deleted file.

    It is the folder that was added, or the folder above all images of a zip file, table or dataset. Files that were
    added by themselves have no folder.
    """
    if kind == "folder":
        return os.fspath(to_path(name))
    return "" if kind in ("files", "") else os.path.commonpath([os.path.dirname(path) for path in paths])


def _path_of(image: str, root: Path) -> str:
    return "" if is_remote(image) else os.fspath(to_path(image, root))


def _has_entries(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(True for _ in entries)
    except OSError:  # also where a network disk does not answer
        return False
