"""Find local images whose files are gone, without opening any file."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from customlabels_nb.images.locations import is_remote, to_path

_FEW = 20  # files of a folder that are looked up one by one, which is then faster than listing it


def missing_files(images: Sequence[str], root: Path | None = None) -> npt.NDArray[np.bool_]:
    """Return a mask of the local images without a file, shape (n,). Paths are relative to ``root``."""
    missing: npt.NDArray[np.bool_] = np.zeros(len(images), dtype=np.bool_)
    by_folder = defaultdict[str, list[tuple[int, str]]](list)
    for index, image in enumerate(images):
        if image.startswith("/"):  # most names, which need no conversion
            folder, _, name = image.rpartition("/")  # twice as fast as os.path.split
            by_folder[folder or "/"].append((index, name))
        elif not is_remote(image):
            folder, name = os.path.split(to_path(image, root))
            by_folder[folder].append((index, name))
    for folder, files in by_folder.items():
        listed = _names_in(folder) if len(files) > _FEW else frozenset()
        for index, name in files:
            # the file system may know the file under another spelling than the one that it lists
            missing[index] = name not in listed and not os.path.exists(os.path.join(folder, name))
    return missing


def _names_in(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except (OSError, ValueError):
        return frozenset()
