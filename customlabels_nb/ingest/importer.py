"""Taking images in: read each file once, recognise what is known, report what can't be used."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from customlabels_nb.datasets.import_reports import ImportReport
from customlabels_nb.errors import ImageError, OutdatedError
from customlabels_nb.events import Events
from customlabels_nb.ingest.deduplication import Facts, take_in
from customlabels_nb.ingest.existing_labels import kept_labels, label_known, labels_by_image
from customlabels_nb.ingest.sources import ImportOptions, Source, SourceContents, find_images
from customlabels_nb.settings import settings
from customlabels_nb.store import Action, SqlStore

__all__ = ["ImportReport", "import_images"]


def import_images(
    store: SqlStore,
    root: Path,
    source: Source | SourceContents,
    options: ImportOptions,
    *,
    events: Events | None = None,
) -> ImportReport:
    """Add the images of ``source`` to a dataset of the project at ``root``, in one transaction."""
    who, split = settings.user, options.split
    found = source
    if not isinstance(found, SourceContents):
        found = find_images(found, options, project_folder=root, annotator=who)
    name = str(found.description["name"])
    facts: dict[int, Facts | ImageError] = {}
    while True:
        known, as_of = store.files()
        labels = labels_by_image(store.labels_of_images(split)) if len(found.annotations) else {}
        intake = take_in(found, facts, options, known=known, root=root, labels=labels, events=events)
        wanted = found.annotations[found.annotations["image"].isin(intake.known)]
        wanted = wanted.assign(image=wanted["image"].map(intake.known).astype("str"))
        pairs = zip(wanted["image"].tolist(), wanted["label"].tolist(), strict=True)
        wanted = wanted[pd.array([label not in labels.get(image, ()) for image, label in pairs], dtype=bool)]
        bare = wanted[~wanted["image"].isin(labels)]
        statuses = store.images(split).set_index("image")["status"].to_dict() if len(bare) else {}
        issues = [*intake.issues, *kept_labels(wanted, labels, statuses, name)]
        if intake.images.empty and not issues and not found.lines and store.dataset(split) is not None:
            break  # all of it is known and nothing is to be said: there is no action
        try:
            store.add_images(
                split,
                intake.images,
                intake.annotations,
                Action("import", who, name),
                files=intake.files,
                issues=issues,
                lines=found.lines,
                source={**found.description, "copy": True} if options.copy else found.description,
                as_of=as_of,
            )
            break
        except OutdatedError:  # somebody else imported meanwhile: sort out again what was read already
            continue
    if len(intake.changed):
        store.refresh_files(split, intake.changed, Action("refresh files", who, name))
    labelled = label_known(store, split, bare, Action("label imported images", who, name))
    added = intake.images["image"].tolist()
    return ImportReport(split, len(added), len(intake.known), found.ignored, issues, labelled, added_images=added)
