"""What will limit the result of training, said before it: labels, image files, boxes, copies and near-duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from customlabels_nb.checks.box_rules import check_boxes
from customlabels_nb.checks.findings import CheckReport, Finding
from customlabels_nb.checks.image_fingerprints import Fingerprints, fingerprints, kept_fingerprints
from customlabels_nb.checks.image_rules import Files, check_files, check_light, look_at_files, note_unreadable
from customlabels_nb.checks.label_rules import check_labels
from customlabels_nb.checks.near_duplicates import SAME, Pictures, check_copies, check_threshold, near_duplicate_pairs
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.events import Events
from customlabels_nb.images.reading import is_remote
from customlabels_nb.images.thumbnails import ContentCache, project_cache

__all__ = ["CheckReport", "check_datasets", "find_near_duplicates"]

_QUICK = 2000  # so many images are read for near-duplicates without being asked to: some seconds


def check_datasets(
    train: Dataset,
    test: Dataset,
    *,
    task: str | None = None,
    files: pd.DataFrame | None = None,
    near_duplicates: bool | None = None,
    events: Events | None = None,
) -> CheckReport:
    """Say what will limit the result of training on ``train`` and testing on ``test``.

    Parameters
    ----------
    train, test : Dataset
        Named "train" and "test".
    task : str, optional
        What is declared to be labelled, one of :data:`customlabels_nb.core.tables.TASKS`.
    files : DataFrame, optional
        A store's ``files()``: files as they were imported aren't opened again.
    near_duplicates : bool, optional
        Look for near-duplicates. Unless it is given that is done if no more than 2,000 images must be read for it and
        none be fetched.
    events : Events, optional
        Gets the progress.

    Raises
    ------
    Cancelled
        If ``events`` were asked to stop; what was read is kept.
    """
    datasets = [train, test]
    seen = _files_of(datasets, files, events)
    findings = check_labels(train, test, task)
    pictures = Pictures.of(datasets, [own.contents for own in seen])
    cache, pairs = project_cache(train.root, "fingerprints"), None
    if near_duplicates or (near_duplicates is None and _is_quick(pictures, cache)):
        found = _fingerprints(pictures, train.root, cache, events)
        findings += _light(datasets, pictures, found)
        pairs = near_duplicate_pairs(pictures, found, events=events)
        for dataset, own in zip(datasets, seen, strict=True):
            note_unreadable(dataset, own, found.issues)
    elif near_duplicates is None:
        findings.append(_not_looked_for(len(pictures.images)))
    for dataset, own in zip(datasets, seen, strict=True):
        findings += [*check_files(dataset, own), *check_boxes(dataset, own.width, own.height)]
    findings += check_copies(pictures, pairs)
    return CheckReport(findings, len(pictures.images), pairs)


def find_near_duplicates(
    datasets: Sequence[Dataset],
    *,
    files: pd.DataFrame | None = None,
    threshold: float = SAME,
    events: Events | None = None,
) -> pd.DataFrame:
    """The pairs of near-duplicates in and between datasets; see :class:`customlabels_nb.project.project.Project`."""
    check_threshold(threshold)
    seen = _files_of(datasets, files, events)
    pictures = Pictures.of(datasets, [own.contents for own in seen])
    root = datasets[0].root
    found = _fingerprints(pictures, root, project_cache(root, "fingerprints"), events)
    return near_duplicate_pairs(pictures, found, threshold=threshold, events=events)


def _files_of(datasets: Sequence[Dataset], known: pd.DataFrame | None, events: Events | None) -> list[Files]:
    seen = []
    for dataset in datasets:
        own = None if known is None else known[known["split"] == dataset.name]
        seen.append(look_at_files(dataset, own, events=events, phase=f"files of {dataset.name}"))
    return seen


def _contents(pictures: Pictures) -> list[str | None]:
    own = pictures.images["content"].iloc[pictures.distinct]
    return [value if isinstance(value, str) else None for value in own]


def _is_quick(pictures: Pictures, cache: ContentCache) -> bool:
    missing = ~kept_fingerprints(_contents(pictures), cache).readable
    names = pictures.images["image"].iloc[pictures.distinct[missing]]
    return len(names) <= _QUICK and not any(map(is_remote, names))


def _fingerprints(pictures: Pictures, root: Path | None, cache: ContentCache, events: Events | None) -> Fingerprints:
    names = pictures.images["image"].iloc[pictures.distinct].tolist()
    return fingerprints(names, root=root, contents=_contents(pictures), cache=cache, events=events)


def _light(datasets: Sequence[Dataset], pictures: Pictures, found: Fingerprints) -> list[Finding]:
    """Findings about blank and dark pictures."""
    prints = np.zeros(len(pictures.images), dtype=found.prints.dtype)
    readable = np.zeros(len(pictures.images), dtype=bool)
    prints[pictures.distinct], readable[pictures.distinct] = found.prints, found.readable
    findings, start = [], 0
    for dataset in datasets:
        own = slice(start, start + len(dataset))
        findings += check_light(dataset, prints[own], readable[own])
        start += len(dataset)
    return findings


def _not_looked_for(images: int) -> Finding:
    message = f"Near-duplicates were not looked for among {images:,} images, which takes a while the first time."
    advice = "project.check(near_duplicates=True) does so; near_duplicates=False leaves this note out."
    return Finding("NEAR_DUPLICATES_NOT_LOOKED_FOR", "note", message, advice)
