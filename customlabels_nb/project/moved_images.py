"""Find images whose files were moved or renamed, by their content, and give them their new names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.version_status import TRAINING
from customlabels_nb.errors import ImageError, InputError, NotAllowedError
from customlabels_nb.images.listing import FoundFiles, read_folder
from customlabels_nb.images.locations import is_remote, to_path, to_uri
from customlabels_nb.images.missing import missing_files
from customlabels_nb.images.reading import content_hash, read_bytes
from customlabels_nb.ingest.refresh import flat_sources
from customlabels_nb.store import Action, SqlStore
from customlabels_nb.training.kept_files import relocated_files, write_file


def relocate_images(store: SqlStore, root: Path, folder: Path, action: Action) -> int:
    """Rename the images without a file whose content is in ``folder``, and return their number.

    The files of the versions are rewritten first: if this is interrupted, the images are still missing, and the next
    call does the rest.
    """
    images = store.files()[0]
    missing = images[missing_files(images["image"].tolist(), root)]
    if missing.empty:
        return 0
    found = read_folder(folder)
    moved = _moved(missing, found, set(images["image"]))
    if not moved:
        raise InputError(
            f"{str(folder)!r} has none of the {counted(len(missing), 'image')} whose files are missing, such as "
            f"{missing['image'].iat[0]!r}. Images are recognised by their content, so edited files are not found."
        )
    if training := [version.name for version in store.versions() if version.status == TRAINING]:
        raise NotAllowedError(f"{training[0]!r} is being trained. Wait until its training has ended.")
    for version in store.versions():
        for name, content in relocated_files(root / version.folder, moved).items():
            write_file(root / version.folder / name, content)
    sources, stored = _moved_sources(store, moved), set(images["image"])
    names = dict(moved)
    for old, new in sources.items():  # images that a person removed are in the history only, and do not come back
        inside = (image.removeprefix(f"{new}/") for image in found.images if image.startswith(f"{new}/"))
        names = {f"{old}/{name}": f"{new}/{name}" for name in inside if f"{old}/{name}" not in stored} | names
    store.rename_images(names, sources=sources, action=action, count=len(moved))
    return len(moved)


def _moved(missing: pd.DataFrame, found: FoundFiles, taken: set[str]) -> dict[str, str]:
    """Map missing images to found files with the same content, first to those with the same file name."""
    sizes = set(missing["bytes"].dropna().tolist())
    files: dict[str, list[str]] = {}
    for image, stat in zip(found.images, found.stats, strict=True):
        if image not in taken and stat is not None and stat[0] in sizes:
            try:
                files.setdefault(content_hash(read_bytes(image)), []).append(image)
            except ImageError:  # deleted since it was listed
                continue
    moved: dict[str, str] = {}
    wanted = dict(zip(missing["image"].tolist(), missing["sha256"].tolist(), strict=True))
    for same_name in (True, False):
        for image, content in wanted.items():
            here = files.get(content, [])
            if image not in moved and (
                new := next((file for file in here if not same_name or _file_name(file) == _file_name(image)), None)
            ):
                moved[image] = new
                here.remove(new)
    return moved


def _file_name(image: str) -> str:
    return image.rpartition("/")[2]


def _moved_sources(store: SqlStore, moved: Mapping[str, str]) -> dict[str, str]:
    """Map the folders that were added and do not exist any more to where their images are now."""
    sources = flat_sources(record.sources for split in t.SPLITS if (record := store.dataset(split)))
    folders = {}
    for source in sources:
        name = str(source.get("name", ""))
        if source.get("kind") != "folder" or is_remote(name) or os.path.isdir(to_path(name)):
            continue
        for image, new in moved.items():
            inside = image.removeprefix(name.rstrip("/") + "/")
            if inside != image and new.endswith("/" + inside):  # the folder was moved as a whole
                folders[name] = to_uri(to_path(new.removesuffix("/" + inside)))
                break
    return folders
