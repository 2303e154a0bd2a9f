"""Import images into a dataset: read each file once, skip known images, and report unusable images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue, issues_to_frame
from customlabels_nb.datasets.import_reports import ImportReport
from customlabels_nb.errors import ImageError, OutdatedError, StaleEditError
from customlabels_nb.events import Events
from customlabels_nb.ingest.deduplication import Facts, LabelsByImage, labels_by_image, take_in, told
from customlabels_nb.ingest.sources import ImportOptions, Source, SourceContents, find_images
from customlabels_nb.settings import settings
from customlabels_nb.store import Action, SqlStore

__all__ = ["ImportReport", "import_images"]

_ATTEMPTS = 20  # attempts while someone else edits the same images, which are then left unchanged

_STATUS_WORDS = {
    "labelled": "is labelled as empty",
    "skipped": "was skipped during labelling",
    "needs_review": "needs to be reviewed",
}


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
            break  # nothing is new and there is nothing to report: add no entry to the history
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
        except OutdatedError:  # someone else has imported since then: deduplicate again, without reading files
            continue
    if len(intake.changed):
        store.refresh_files(split, intake.changed, Action("refresh files", who, name))
    labelled = label_known(store, split, bare, Action("label imported images", who, name))
    added = intake.images["image"].tolist()
    return ImportReport(
        split, len(added), len(intake.known), found.ignored, issues_to_frame(issues), labelled, added_images=added
    )


def kept_labels(wanted: pd.DataFrame, stored: LabelsByImage, statuses: Mapping[str, str], source: str) -> list[Issue]:
    """Return an issue for each known image with a new label in the import that is not applied.

    Parameters
    ----------
    wanted : DataFrame
        Imported annotations of images that are already in the project, under the project's names.
    stored : mapping
        Stored labels of the project's images.
    statuses : mapping
        Stored statuses of the images that have no labels.
    """
    issues = []
    for image, labels in labels_by_image(wanted).items():
        own = stored.get(image, ())
        other = [label for label in labels if label not in own]
        if not other or (not own and statuses.get(image) == "unlabelled"):
            continue
        is_now = f"is already {told(stored, image)}" if own else _STATUS_WORDS.get(statuses.get(image, ""), "is known")
        was = "was" if len(other) == 1 else "were"
        message = f"The image {is_now}, so {' and '.join(map(repr, other))} {was} not applied."
        issues.append(Issue("LABEL_KEPT", message, where=image, source=source))
    return issues


def label_known(store: SqlStore, split: str, wanted: pd.DataFrame, action: Action) -> int:
    """Add annotations to the images that are unlabelled, and return the number of images labelled.

    An image that someone else labels before the update is left unchanged.
    """
    for _ in range(_ATTEMPTS if len(wanted) else 0):
        images, annotations, _labels = store.tables(split, wanted["image"].unique().tolist())
        bare = (images["status"] == "unlabelled") & ~images["image"].isin(annotations["image"])
        chosen = images[bare & images["image"].isin(wanted["image"])]
        if chosen.empty:
            return 0
        given = wanted[wanted["image"].isin(chosen["image"])]
        try:
            return store.update_images(split, t.settle_statuses(chosen, given), given, action).count
        except StaleEditError:
            continue
    return 0
