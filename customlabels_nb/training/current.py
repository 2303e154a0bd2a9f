"""Datasets as their files are now: content that changed since it was imported is found before it is trained on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import ImageError
from customlabels_nb.events import Events
from customlabels_nb.images.reading import inspect, is_remote, read_bytes, to_path
from customlabels_nb.remote.download_cache import look_up_all
from customlabels_nb.remote.remote_files import RemoteFile
from customlabels_nb.settings import settings
from customlabels_nb.store import Action, SqlStore


def with_current_hashes(store: SqlStore, datasets: Sequence[Dataset], events: Events) -> list[Dataset]:
    """The datasets with the content hashes that their files have now.

    Only files whose size or time of change isn't the one that the store knows are read. Those with other content are
    told of and kept as issues; their labels stay. Remote ones are taken for what the store knows of them; the server is
    asked for the identity of those that were imported without.
    """
    known = {row.image: row for row in store.files()[0].itertuples(index=False)}
    return [_with_current_hashes(store, known, dataset, events) for dataset in datasets]


def _with_current_hashes(store: SqlStore, known: Mapping[str, Any], dataset: Dataset, events: Events) -> Dataset:
    images, hashes, changed = dataset.images, [], []
    unknown = filter(is_remote, images.loc[images["sha256"].isna(), "image"])
    asked = look_up_all(unknown, events=events, phase=f"asking for {dataset.name} images")
    for image, sha256 in zip(images["image"], images["sha256"], strict=True):
        row = known.get(image)
        now = sha256
        if is_remote(image):
            said = asked.get(image)
            now = said.identity if isinstance(said, RemoteFile) else now
        elif row is None or row.sha256 != sha256 or not _is_untouched(image, dataset.root, row.bytes, row.mtime_ns):
            now = _content(image, dataset.root) or sha256
        hashes.append(now)
        if isinstance(sha256, str) and now != sha256:
            changed.append(image)
    if changed:
        events.message(
            f"{len(changed):,} {dataset.name} images changed since they were imported, such as {changed[0]!r}; "
            "their labels were kept."
        )
        note_issues(store, dataset.name, [Issue("IMAGE_CHANGED", where=image) for image in changed])
    current = images.assign(sha256=hashes)
    return Dataset(current, dataset.annotations, dataset.labels, name=dataset.name, root=dataset.root)


def note_issues(store: SqlStore, split: str, issues: list[Issue]) -> None:
    """Keep findings of a training with the project's issues; those that are there already aren't doubled."""
    if issues and store.dataset(split) is not None:
        nothing = t.empty(t.IMAGE_COLUMNS), t.empty(t.ANNOTATION_COLUMNS)
        store.add_images(split, *nothing, Action("check images", settings.user), issues=issues)


def _is_untouched(image: str, root: Path | None, size: object, mtime_ns: object) -> bool:
    try:
        status = os.stat(to_path(image, root))
    except (OSError, ValueError):
        return True  # it can't be read: that is found out, and said, later
    return (status.st_size, status.st_mtime_ns) == (size, mtime_ns)


def _content(image: str, root: Path | None) -> str | None:
    try:
        return inspect(read_bytes(image, root), image).sha256
    except ImageError:
        return None
