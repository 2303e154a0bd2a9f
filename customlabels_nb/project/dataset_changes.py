"""Changes of a project's datasets that follow from comparing whole tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from customlabels_nb._utils.text import one_line
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue, issues_to_frame
from customlabels_nb.datasets.dataset import Dataset, Groups
from customlabels_nb.datasets.reviewed import forget_where_changed
from customlabels_nb.datasets.splitting import rare_labels
from customlabels_nb.errors import InputError, NotAllowedError, NotEnoughDataError
from customlabels_nb.ingest.sources import image_uri
from customlabels_nb.store import Action, SqlStore


@dataclass(frozen=True)
class Distribution:
    """What :func:`distribute` did: counts of both sides, and findings as a table."""

    train: int
    test: int
    issues: pd.DataFrame = field(repr=False)

    def __repr__(self) -> str:
        notes = "".join(f"\n  {one_line(row.where)}: {one_line(row.message)}" for row in self.issues.itertuples())
        return f"{self.train:,} images to train on, {self.test:,} to test on.{notes}"


def write_difference(store: SqlStore, split: str, value: Dataset | pd.DataFrame, action: Action) -> int:
    """Write what ``value`` changes of a project's dataset; returns how many images changed.

    A dataset that comes from a project knows what it was when it was read: only what differs from that is an edit. A
    table ``image, label`` (and box columns) gives these images exactly these annotations.
    """
    if not isinstance(value, Dataset | pd.DataFrame):
        raise InputError(f"Give a Dataset or a DataFrame with image and label, not {type(value).__name__}.")
    dataset = value if isinstance(value, Dataset) else _edited(store, split, value, action.who)
    images, annotations = t.settle_statuses(dataset.images, dataset.annotations), dataset.annotations
    if dataset.origin is not None:
        edited = _edits(dataset.origin, images, annotations)
        images = images[images["image"].isin(edited)].reset_index(drop=True)
        annotations = annotations[annotations["image"].isin(edited)].reset_index(drop=True)
        images = forget_where_changed(images, annotations, dataset.origin.images, dataset.origin.annotations)
    return store.update_images(split, images, annotations, action).count


def remove_images(store: SqlStore, split: str, value: Dataset | pd.DataFrame | Sequence[str], action: Action) -> int:
    """Remove images from a project's dataset; returns how many.

    A dataset or a table with ``revision`` is refused where somebody changed an image since it was read.
    """
    if isinstance(value, Dataset):
        value = value.images
    if isinstance(value, str) or not isinstance(value, pd.DataFrame | Sequence | pd.Series):
        raise InputError(f"Give a Dataset, a DataFrame or a list of images, not {value!r}.")
    images = value if isinstance(value, pd.DataFrame) else pd.DataFrame({"image": list(value)})
    images = images[["image", *(["revision"] if "revision" in images else [])]].drop_duplicates("image")
    if "revision" not in images:
        known = store.tables(split, images["image"].tolist())[0].set_index("image")["revision"]
        images = images.assign(revision=images["image"].map(known))
    return store.remove_images(split, images.reset_index(drop=True), action).count


def _edits(origin: Dataset, images: pd.DataFrame, annotations: pd.DataFrame) -> set[str]:
    """The images whose row or annotations differ from what they were in ``origin``, and those it doesn't have."""
    from customlabels_nb.store.frames import annotation_keys, row_keys

    rows, old_rows = row_keys(images), row_keys(origin.images)
    marks, old_marks = annotation_keys(annotations), annotation_keys(origin.annotations)
    return {name for name in rows if rows[name] != old_rows.get(name) or marks.get(name) != old_marks.get(name)}


def distribute(
    store: SqlStore,
    train: Dataset,
    test_fraction: float,
    action: Action,
    *,
    groups: Groups | None = None,
    random_state: int = 0,
) -> Distribution:
    """Move a stratified share of the training images to the empty test set."""
    tested = store.statistics(t.TEST).total_entries
    if tested:
        raise NotAllowedError(
            f"The test set has {tested:,} images already; nothing is distributed onto it. "
            "project.delete_dataset('test') empties it."
        )
    chosen = train.split_mask(test_fraction, groups=groups, random_state=random_state)
    if not chosen.any():
        raise NotEnoughDataError(
            f"No label has two images that could be told apart, so {len(train)} images can't be distributed. "
            "Label more images: project.label('train').",
            "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_DISTRIBUTE",
        )
    moved = train.images.loc[chosen, "image"].tolist()
    store.move_images(moved, t.TRAIN, t.TEST, action)
    rare = rare_labels(train.labels_of_images(), train.groups_of_images(groups))
    counts = train.label_counts
    issues = issues_to_frame(
        Issue(
            "LABEL_TOO_RARE_TO_SPLIT",
            "" if counts[label] == 1 else f"All its {counts[label]:,} images belong together: they stay in train.",
            where=label,
        )
        for label in rare
    )
    return Distribution(len(train) - len(moved), len(moved), issues)


def write_predictions(store: SqlStore, found: Any, model: str, action: Action) -> int:
    """Keep a table of predictions for images of both sides in place of all that the model has; returns how many.

    What it said of one image (a ``Detection``) takes the place of what it said of that image only.
    """
    image, table = getattr(found, "name", None), getattr(found, "table", None)
    of_one = isinstance(image, str) and isinstance(table, pd.DataFrame)
    if not isinstance(found, pd.DataFrame) and not of_one:
        raise InputError(f"Give a DataFrame with image, label and confidence, not {type(found).__name__}.")
    if not isinstance(model, str) or not model.strip():
        raise InputError(f"model={model!r} is no name; give a version of the project, or a name for these predictions.")
    frame = _beside_others(store, str(image), table, model.strip()) if of_one else found
    if "image" in frame.columns and frame["image"].notna().all():
        train = dict(zip(frame["image"], _stored_names(store, t.TRAIN, frame["image"]), strict=True))
        names = pd.Series(list(train.values()), dtype=object)
        test = dict(zip(names, _stored_names(store, t.TEST, names), strict=True))
        frame = frame.assign(image=[test[train[name]] for name in frame["image"]])
    predictions = t.normalise_annotations(frame).assign(model=model.strip())
    return store.replace_predictions(model.strip(), predictions, action).count


def _beside_others(store: SqlStore, image: str, table: pd.DataFrame, model: str) -> pd.DataFrame:
    """What the model has said of other images, and the table of this one."""
    said, columns = store.predictions(model=model), ["image", *table.columns]
    names = {image, image_uri(image)}
    return pd.concat([said.loc[~said["image"].isin(names), columns], table.assign(image=image)[columns]])


def _edited(store: SqlStore, split: str, frame: pd.DataFrame, annotator: str) -> Dataset:
    """The stored images that a table of annotations speaks of, with these annotations."""
    if "image" in frame.columns and frame["image"].notna().all():
        frame = frame.assign(image=_stored_names(store, split, frame["image"]))
    annotations = t.normalise_annotations(frame, annotator=annotator)
    images, old, labels = store.tables(split, frame["image"].unique().tolist())
    missing = set(frame["image"]) - set(images["image"])
    if missing:
        raise InputError(f"{len(missing)} images are not in the {split} set, such as {sorted(missing)[0]!r}.")
    if "revision" in frame.columns:
        images = images.assign(revision=images["image"].map(frame.groupby("image")["revision"].first()))
    before, images = images, t.settle_statuses(images, annotations, changed=old["image"])
    images = forget_where_changed(images, annotations, before, old)
    return Dataset(images, annotations, labels, name=split)


def _stored_names(store: SqlStore, split: str, images: pd.Series) -> list[str]:
    """The names that the dataset has for these images: as given, or else as an import would write them."""

    def stored(names: Iterable[object]) -> set[str]:
        wanted = [name for name in names if isinstance(name, str)]
        return set(store.tables(split, wanted)[0]["image"])

    given = images.unique().tolist()
    as_given = stored(given)
    names = {name: image_uri(name) for name in given if name not in as_given}
    as_written = stored(names.values()) if names else set()
    found = {name: uri if (uri := names.get(name, name)) in as_written else str(name) for name in given}
    return [found[name] for name in images]
