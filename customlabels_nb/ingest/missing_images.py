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


class MissingSource(NamedTuple):
    """Folder that does not exist, and a mask of the images that are in it."""

    folder: str
    images: _Mask


def refuse_missing_sources(store: SqlStore, root: Path) -> None:
    """Raise InputError if a whole source of images is missing, for example because a disk is not mounted."""
    images = store.images()
    for folder, within in _missing_sources(store, root, images, missing_files(images["image"].tolist(), root)):
        raise InputError(
            f"The folder {folder!r} does not exist, but the project has {counted(int(within.sum()), 'image')} from it. "
            "If it is on a disk, mount the disk. If the photos are somewhere else now, create a new project from the "
            f"exported labels, with cl.read_dataset(file, relocate={{{folder!r}: 'the new folder'}}). If they were "
            "deleted, remove them with project.remove()."
        )


def find_missing_images(store: SqlStore, root: Path) -> pd.DataFrame:
    """Return the images whose files are gone, without those of sources that are missing as a whole."""
    images = store.images()
    missing = missing_files(images["image"].tolist(), root)
    for _, within in _missing_sources(store, root, images, missing):
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
    """Yield the folders that were added and do not exist, and those of other sources of which no file is left."""
    if not missing.any():
        return
    names = images["image"].tolist()
    paths = np.array(["" if is_remote(name) else os.fspath(to_path(name, root)) for name in names], dtype=object)
    explained: _Mask = np.zeros(len(images), dtype=np.bool_)
    for description in flat_sources(record.sources for split in t.SPLITS if (record := store.dataset(split))):
        name = str(description.get("name", ""))
        if description.get("kind") == "folder" and not is_remote(name) and not to_path(name).is_dir():
            inside = os.path.join(os.fspath(to_path(name)), "")
            within = missing & np.array([path.startswith(inside) for path in paths], dtype=np.bool_)
            if within.any():
                yield MissingSource(os.fspath(to_path(name)), within)
            explained |= within
    sources = images["source"].to_numpy(dtype=object, na_value="")
    for source in dict.fromkeys(sources[missing & ~explained].tolist()):
        within = (sources == source) & (paths != "") & ~explained
        folder = os.path.commonpath([os.path.dirname(path) for path in paths[within].tolist()])
        if missing[within].all() and not os.path.isdir(folder):
            yield MissingSource(folder, within)
