"""Labels that stand elsewhere: in another project, or in a file in a known format."""

from __future__ import annotations

import os
from pathlib import Path

from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.loading import read_dataset
from customlabels_nb.errors import InputError
from customlabels_nb.project.location import DATABASE, is_project, open_project_store


def labels_in(source: str | os.PathLike[str] | Dataset) -> list[tuple[str, str | None]]:
    """The labels of another project, or of a dataset, in order.

    Parameters
    ----------
    source : path, URL or Dataset
        A project's folder, or what :func:`~customlabels_nb.datasets.loading.read_dataset` reads.

    Returns
    -------
    list of (str, str or None)
        Name, and its colour if people chose it, which is so in projects.

    Raises
    ------
    InputError
        If nothing can be read there.
    """
    if isinstance(source, Dataset):
        return [(label, None) for label in source.labels["label"].tolist()]
    text = os.fspath(source).strip()
    if not text or "\0" in text:
        raise InputError(f"source={text!r} is no path: name another project's folder, or a file with annotations.")
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
        return list(zip(table["label"].tolist(), table["colour"].tolist(), strict=True))
    if not path.exists():
        raise InputError(f"source={text!r}: there is nothing at {str(path)!r}.")
    return labels_in(read_dataset(path))
