"""Short forms of the content of datasets and reports."""

from __future__ import annotations

from pathlib import Path

import customlabels_nb as cl
from customlabels_nb.images.locations import to_path
from customlabels_nb.ingest.importer import ImportReport


def labels(dataset: cl.Dataset) -> dict[str, list[str]]:
    """Return the labels by file name."""
    names = [Path(to_path(image)).name for image in dataset.images["image"]]
    return dict(zip(names, dataset.labels_of_images(), strict=True))


def codes(report: ImportReport) -> list[tuple[str, str]]:
    return [(row.code, Path(row.where).name) for row in report.issues.itertuples()]
