"""Read label names from another project or from an annotation file."""

from __future__ import annotations

import os
from pathlib import Path

from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.loading import read_dataset
from customlabels_nb.errors import InputError
from customlabels_nb.project.location import DATABASE, is_project, open_project_store


def labels_in(source: str | os.PathLike[str] | Dataset) -> list[tuple[str, str | None]]:
    """Read the labels of a project or dataset in order, with their colors if it is a project."""
    if isinstance(source, Dataset):
        return [(label, None) for label in source.labels["label"].tolist()]
    text = os.fspath(source).strip()
    if not text or "\0" in text:
        raise InputError(f"source={text!r} is not a path. Pass a project folder or an annotation file.")
    if "://" in text:
        return labels_in(read_dataset(text))
    path = Path(text).expanduser()
    root = path.parent if path.name == DATABASE else path
    if is_project(root):
        store = open_project_store(root)
        try:
            table = store.labels()
        finally:
            store.close()
        return list(zip(table["label"].tolist(), table["color"].tolist(), strict=True))
    if not path.exists():
        raise InputError(f"source={text!r}: {str(path)!r} does not exist.")
    return labels_in(read_dataset(path))
