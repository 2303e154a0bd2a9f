"""Find and remove images whose files are gone, and refuse to work on images whose whole source is missing."""

from __future__ import annotations

import os
from collections.abc import Iterator
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
    "If it is on a disk, mount the disk. If the photos are somewhere else now, create a new project from the exported "
    "labels, with cl.read_dataset(file, relocate={{{folder!r}: 'the new folder'}}). If they were deleted, remove them "
    "with project.remove()."
)
_OF_ZIP = "project.refresh() unpacks the zip file again, and keeps the labels."


class MissingSource(NamedTuple):
    """Source of which no image is left: its folder, what to do, and a mask of its images."""

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
    """Yield the sources of which no image is left, because something else than their files was moved or deleted.

    1. A folder that was added, and that does not exist or is empty, as where a disk is not mounted.
    2. The folder into which a zip file was unpacked.
    3. The folder of a table or a dataset.

    Files that were added by themselves are single files, which somebody has deleted.
    """
    if not missing.any():
        return
    sources = flat_sources(record.sources for split in t.SPLITS if (record := store.dataset(split)))
    kinds = {str(source.get("name", "")): source.get("kind") for source in sources}
    paths = np.array([_path_of(image, root) for image in images["image"].tolist()], dtype=object)
    explained: _Mask = np.zeros(len(images), dtype=np.bool_)
    for name, kind in kinds.items():
        folder = "" if kind != "folder" or is_remote(name) else os.fspath(to_path(name))
        if folder and not _has_entries(folder):
            inside = os.path.join(folder, "")
            within = missing & np.array([path.startswith(inside) for path in paths], dtype=np.bool_)
            if within.any():
                yield MissingSource(folder, _ADVICE.format(folder=folder), within)
            explained |= within
    stored = images["source"].to_numpy(dtype=object, na_value="")
    for source in dict.fromkeys(stored[missing & ~explained].tolist()):
        within = (stored == source) & (paths != "") & ~explained
        folder = os.path.commonpath([os.path.dirname(path) for path in paths[within].tolist()])
        if source and kinds.get(source) not in ("folder", "files") and missing[within].all():
            advice = _OF_ZIP if kinds.get(source) == "zip" else _ADVICE.format(folder=folder)
            if not _has_entries(folder):
                yield MissingSource(folder, advice, within)


def _path_of(image: str, root: Path) -> str:
    return "" if is_remote(image) else os.fspath(to_path(image, root))


def _has_entries(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(True for _ in entries)
    except OSError:  # also where a network disk does not answer
        return False
