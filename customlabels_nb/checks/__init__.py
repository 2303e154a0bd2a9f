"""Checks before training: labels, image files, boxes, duplicates and near-duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from customlabels_nb._utils.text import counted
from customlabels_nb.checks.box_rules import check_boxes, check_polygons
from customlabels_nb.checks.findings import CheckReport, Finding
from customlabels_nb.checks.image_fingerprints import Fingerprints, fingerprints, kept_fingerprints
from customlabels_nb.checks.image_rules import Files, check_files, check_light, inspect_files, note_unreadable
from customlabels_nb.checks.label_rules import check_labels
from customlabels_nb.checks.near_duplicates import (
    SIMILARITY_THRESHOLD,
    Pictures,
    check_copies,
    check_threshold,
    near_duplicate_pairs,
)
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.events import Events
from customlabels_nb.images.locations import is_remote
from customlabels_nb.images.thumbnails import ContentCache, project_cache

__all__ = ["CheckReport", "check_datasets", "find_near_duplicates"]

_QUICK = 2000  # images that are read for near-duplicates by default, which takes some seconds


def check_datasets(
    train: Dataset,
    test: Dataset,
    *,
    task: str | None = None,
    files: pd.DataFrame | None = None,
    near_duplicates: bool | None = None,
    events: Events | None = None,
) -> CheckReport:
    """Check the training and test sets for problems that would harm training or its evaluation.

    By default, near-duplicates are searched if at most 2,000 images need to be read and none downloaded. With
    ``files``, the table ``files()`` of a store, files that have not changed since their import are not opened.
    Fingerprints computed before a cancellation stay in the cache.
    """
    datasets = [train, test]
    seen = _files_of(datasets, files, events)
    findings = check_labels(train, test, task)
    pictures = Pictures.of(datasets, [files_of.contents for files_of in seen])
    cache, pairs = project_cache(train.root, "fingerprints"), None
    if near_duplicates or (near_duplicates is None and _is_quick(pictures, cache)):
        prints = _fingerprints(pictures, train.root, cache, events)
        findings += _light(datasets, pictures, prints)
        pairs = near_duplicate_pairs(pictures, prints, events=events)
        for dataset, files_of in zip(datasets, seen, strict=True):
            note_unreadable(dataset, files_of, prints.issues)
    elif near_duplicates is None:
        images = counted(len(pictures.images), "image")
        message = f"Near-duplicates were not searched for among {images}, because the first search takes a while."
        advice = (
            "Search for them with project.check(near_duplicates=True), or hide this note with near_duplicates=False."
        )
        findings.append(Finding("NEAR_DUPLICATES_NOT_SEARCHED", "note", message, advice))
    for dataset, files_of in zip(datasets, seen, strict=True):
        findings += [*check_files(dataset, files_of), *check_boxes(dataset, files_of.width, files_of.height)]
        findings += check_polygons(dataset, files_of.width, files_of.height)
    findings += check_copies(pictures, pairs)
    return CheckReport(findings, len(pictures.images), pairs)


def find_near_duplicates(
    datasets: Sequence[Dataset],
    *,
    files: pd.DataFrame | None = None,
    threshold: float = SIMILARITY_THRESHOLD,
    events: Events | None = None,
) -> pd.DataFrame:
    """Find pairs of near-duplicates within and between datasets."""
    check_threshold(threshold)
    seen = _files_of(datasets, files, events)
    pictures = Pictures.of(datasets, [files_of.contents for files_of in seen])
    root = datasets[0].root
    prints = _fingerprints(pictures, root, project_cache(root, "fingerprints"), events)
    return near_duplicate_pairs(pictures, prints, threshold=threshold, events=events)


def _files_of(datasets: Sequence[Dataset], stored_files: pd.DataFrame | None, events: Events | None) -> list[Files]:
    seen = []
    for dataset in datasets:
        of_dataset = None if stored_files is None else stored_files[stored_files["split"] == dataset.name]
        seen.append(inspect_files(dataset, of_dataset, events=events, phase=f"files of {dataset.name}"))
    return seen


def _contents(pictures: Pictures) -> list[str | None]:
    contents = pictures.images["content"].iloc[pictures.distinct]
    return [value if isinstance(value, str) else None for value in contents]


def _is_quick(pictures: Pictures, cache: ContentCache) -> bool:
    missing = ~kept_fingerprints(_contents(pictures), cache).readable
    names = pictures.images["image"].iloc[pictures.distinct[missing]]
    return len(names) <= _QUICK and not any(map(is_remote, names))


def _fingerprints(pictures: Pictures, root: Path | None, cache: ContentCache, events: Events | None) -> Fingerprints:
    names = pictures.images["image"].iloc[pictures.distinct].tolist()
    return fingerprints(names, root=root, contents=_contents(pictures), cache=cache, events=events)


def _light(datasets: Sequence[Dataset], pictures: Pictures, fingerprinted: Fingerprints) -> list[Finding]:
    prints = np.zeros(len(pictures.images), dtype=fingerprinted.prints.dtype)
    readable = np.zeros(len(pictures.images), dtype=bool)
    prints[pictures.distinct], readable[pictures.distinct] = fingerprinted.prints, fingerprinted.readable
    findings: list[Finding] = []
    ends = np.cumsum([len(dataset) for dataset in datasets])
    for dataset, end in zip(datasets, ends.tolist(), strict=True):
        rows = slice(end - len(dataset), end)
        findings += check_light(dataset, prints[rows], readable[rows])
    return findings
