"""Labelled data as files: what of a project is written, and where."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import issues_to_frame
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.formats import FORMATS, Written
from customlabels_nb.errors import InputError, NotEnoughDataError
from customlabels_nb.events import Events

#: What may be included beside labelled images.
MORE = ("unlabelled", "skipped", "needs_review")

#: Formats that are one file, and how it ends; others are a folder.
_ENDINGS = {"ground_truth": ".manifest", "coco": ".json", "csv": ".csv"}


@dataclass(frozen=True)
class DashboardExport:
    """What became of an export.

    Attributes
    ----------
    folder : Path
    images : dict
        How many images of each dataset were written.
    written : list of Written
        One for each dataset, or one for both where the format tells train from test.
    """

    folder: Path
    images: dict[str, int]
    written: list[Written]

    @property
    def issues(self) -> pd.DataFrame:
        """What the format could not hold: code, message, where, source, line."""
        return issues_to_frame([issue for written in self.written for issue in written.issues])

    @property
    def files(self) -> list[Path]:
        """All files that were written."""
        return [file for written in self.written for file in written.files]


def export(
    dataset: Callable[[str], Dataset],
    folder: str | os.PathLike[str],
    format: str,
    *,
    splits: Collection[str] = t.SPLITS,
    include: Collection[str] = (),
    copy_images: bool = False,
    base: Path | None = None,
    events: Events | None = None,
) -> DashboardExport:
    """Write labelled images, and others if wanted, in a format of files.

    Formats that tell train from test get both in one dataset, others ``train`` and ``test`` beside each other.

    Parameters
    ----------
    dataset : callable
        ``dataset(split)`` gives the dataset as it is now.
    folder : path
        Below ``base``, or absolute.
    include : collection of str
        Of :data:`MORE`.
    copy_images : bool
        Copy the images, too.
    base : Path, optional
        The notebook's folder; the working folder unless it is given.

    Raises
    ------
    InputError
        If an argument is not known, or a relative folder leads out of the base.
    NotEnoughDataError
        If there is nothing to write.
    """
    if format not in FORMATS:
        raise InputError(f"format={format!r} is not known; use one of {list(FORMATS)!r}.")
    unknown = sorted(set(include) - set(MORE))
    if unknown:
        raise InputError(f"include={unknown[0]!r} is not known; use some of {MORE!r}.")
    chosen_splits = [split for split in t.SPLITS if split in set(map(t.check_split, splits))]
    target = place_of(folder, base or Path.cwd())
    chosen = {}
    for split in chosen_splits:
        whole = dataset(split)
        own = whole.filter(whole.images["status"].isin({"labelled", *include}).to_numpy())
        if len(own):
            chosen[split] = own
    if not chosen:
        raise NotEnoughDataError("There is no such image to export. Label some, or include others.")
    together = "split" in FORMATS[format].holds
    parts = [reduce(Dataset.concat, chosen.values())] if together else list(chosen.values())
    written = []
    for number, part in enumerate(parts):
        if events is not None:
            events.progress("writing", number, len(parts), "datasets")
        path = target if together else target / part.name
        if format in _ENDINGS:
            path = target / f"{'labels' if together else part.name}{_ENDINGS[format]}"
        written.append(part.to(format, path, copy_images=copy_images))
    left_out = [issue.where for each in written for issue in each.issues if issue.code != "NOT_HELD"]
    images = pd.concat([part.images for part in parts])
    counts = images.loc[~images["image"].isin(left_out), "split"].value_counts()
    return DashboardExport(target, {split: int(counts.get(split, 0)) for split in chosen}, written)


def place_of(folder: str | os.PathLike[str], base: Path) -> Path:
    """The folder that is meant.

    Raises
    ------
    InputError
        If none is named, or a relative one leads out of ``base``.
    """
    text = os.fspath(folder).strip()
    if not text or "\0" in text:
        raise InputError(f"folder={text!r} names no folder; give one such as 'export'.")
    path = Path(text).expanduser()
    if path.is_absolute():
        return path
    inside = Path(os.path.normpath(base / path))
    if inside == base or base not in inside.parents:
        raise InputError(f"folder={text!r} is not below {str(base)!r}; name a folder in it, or an absolute path.")
    return inside
