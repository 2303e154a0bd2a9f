"""Export labelled data to files in one of the dataset formats."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.formats import FORMATS, ExportReport
from customlabels_nb.errors import InputError, NotEnoughDataError
from customlabels_nb.events import Events

#: Statuses of images that can be exported in addition to labelled images.
MORE = ("unlabelled", "skipped", "needs_review")

#: File extensions of the formats that write a single file. Others write a folder.
_ENDINGS = {"ground_truth": ".manifest", "coco": ".json", "csv": ".csv"}


@dataclass(frozen=True)
class DashboardExport:
    """Result of an export, with the number of images by dataset, and one report for each file."""

    folder: Path
    images: dict[str, int]
    written: list[ExportReport]

    @property
    def issues(self) -> pd.DataFrame:
        """Data that the format cannot store: code, message, where, source, line."""
        return pd.concat([written.issues for written in self.written], ignore_index=True)

    @property
    def files(self) -> list[Path]:
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
    """Export labelled images, and optionally images with other statuses, in a dataset format.

    If the format stores the split, both datasets are written together. Otherwise, each dataset is written to its own
    subfolder, ``train`` or ``test``. ``folder`` is inside ``base``, by default the working folder, or absolute.
    ``include`` has the other statuses to export: "unlabelled", "skipped" or "needs_review".
    """
    if format not in FORMATS:
        raise InputError(f"format={format!r} must be one of {list(FORMATS)!r}.")
    if unknown := sorted(set(include) - set(MORE)):
        raise InputError(f"include={unknown[0]!r} is not valid. Choose from {MORE!r}.")
    chosen_splits = sorted(set(map(t.check_split, splits)), key=t.SPLITS.index)
    target = place_of(folder, base or Path.cwd())
    chosen = _with_status(map(dataset, chosen_splits), {"labelled", *include})
    if not chosen:
        raise NotEnoughDataError("There are no images to export. Label some images, or include other statuses.")
    together = "split" in FORMATS[format].holds
    parts = [reduce(Dataset.concat, chosen.values())] if together else list(chosen.values())
    written = []
    for number, part in enumerate(parts):
        if events is not None:
            events.progress("writing", number, len(parts), "datasets")
        path = target if together else target / part.name
        if format in _ENDINGS:
            path = target / f"{'labels' if together else part.name}{_ENDINGS[format]}"
        written.append(part._write(format, path, copy_images=copy_images))
    left_out = [image for each in written for image in each.left_out]
    images = pd.concat([part.image_table for part in parts])
    counts = images.loc[~images["image"].isin(left_out), "split"].value_counts()
    return DashboardExport(target, {split: int(counts.get(split, 0)) for split in chosen}, written)


def _with_status(datasets: Iterable[Dataset], statuses: set[str]) -> dict[str, Dataset]:
    """Return the images of each dataset that have one of the statuses, without datasets that have none."""
    parts = [whole.filter(whole.image_table["status"].isin(statuses).to_numpy()) for whole in datasets]
    return {part.name: part for part in parts if len(part)}


def place_of(folder: str | os.PathLike[str], base: Path) -> Path:
    """Resolve a folder relative to ``base``, and refuse a relative one outside it."""
    text = os.fspath(folder).strip()
    if not text or "\0" in text:
        raise InputError(f"folder={text!r} must be a non-empty folder name without NUL characters, such as 'export'.")
    path = Path(text).expanduser()
    if path.is_absolute():
        return path
    inside = Path(os.path.normpath(base / path))
    if inside == base or base not in inside.parents:
        raise InputError(f"folder={text!r} must be a subfolder of {str(base)!r} or an absolute path.")
    return inside
