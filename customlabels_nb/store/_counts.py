"""Counting and pairing in the database what would be slow to read whole."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, func, select

from customlabels_nb.core import tables as t
from customlabels_nb.store import frames, schema
from customlabels_nb.store.columns import fetch_columns
from customlabels_nb.store.database import fetch


def statistics(connection: Connection, split: str) -> tuple[int, int, int]:
    """Entries, labelled entries and labels in use of a dataset."""
    i, a = schema.images.c, schema.annotations.c
    total = connection.scalar(select(func.count()).select_from(schema.images).where(i.split == split))
    labelled = connection.scalar(
        select(func.count()).select_from(schema.images).where(i.split == split, i.status == "labelled")
    )
    own = a.image_id.in_(select(i.id).where(i.split == split))
    used = connection.scalar(select(func.count(func.distinct(a.label_id))).where(own))
    return int(total or 0), int(labelled or 0), int(used or 0)


def labels_of_images(connection: Connection, split: str) -> pd.DataFrame:
    """Image and label of each annotation of a dataset, each pair once, in the order of import."""
    a, i, names = schema.annotations.c, schema.images.c, schema.labels.c
    chosen = select(i.id, i.image).where(i.split == split).order_by(i.id)
    ids, images = fetch_columns(connection, chosen, "io")
    pairs = select(a.image_id, a.label_id).where(a.image_id.in_(select(i.id).where(i.split == split)))
    own, label_ids = fetch_columns(connection, pairs.order_by(a.image_id, a.id), "ii")
    first = ~pd.DataFrame({"image": own, "label": label_ids}).duplicated().to_numpy()
    known, labels = fetch_columns(connection, select(names.id, names.label).order_by(names.id), "io")
    image, label = frames.named(own[first], ids, images), frames.named(label_ids[first], known, labels)
    return pd.DataFrame({"image": image, "label": label})


def label_counts(connection: Connection, split: str) -> pd.DataFrame:
    """How many images of a dataset have each label, in the order of labels."""
    a, i, names = schema.annotations.c, schema.images.c, schema.labels.c
    own = a.image_id.in_(select(i.id).where(i.split == split))
    pairs = select(a.image_id, a.label_id).where(own).distinct().subquery()
    counts = select(pairs.c.label_id, func.count().label("images")).group_by(pairs.c.label_id).subquery()
    joined = schema.labels.outerjoin(counts, names.id == counts.c.label_id)
    statement = select(names.label, func.coalesce(counts.c.images, 0)).select_from(joined).order_by(names.position)
    return frames.frame(fetch(connection, statement), {"label": "str", "images": "int64"})


def label_uses(connection: Connection, label: str | None) -> pd.DataFrame:
    """How many images of each dataset have each label, and in how many annotations it stands."""
    a, i, names = schema.annotations.c, schema.images.c, schema.labels.c
    marks, chosen = select(a.image_id, a.label_id), select(names.id, names.label).order_by(names.position)
    if label is not None:
        chosen = chosen.where(names.label == label)
        marks = marks.where(a.label_id.in_(select(names.id).where(names.label == label)))
    known, labels = fetch_columns(connection, chosen, "io")
    images, own = fetch_columns(connection, marks, "ii")
    at = np.searchsorted(np.sort(known), own)
    place = np.argsort(known)[at] if len(own) else at  # of the label of each annotation
    first = np.unique(images * max(len(known), 1) + place, return_index=True)[1] if len(own) else at
    (tested,) = fetch_columns(connection, select(i.id).where(i.split == t.TEST), "i")
    in_test = np.isin(images[first], tested)

    def counted(places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return np.bincount(places, minlength=len(known)).astype(np.int64)[: len(known)]

    once = place[first]
    return pd.DataFrame(
        {
            "label": pd.Series(labels, dtype="str"),
            "train": counted(once[~in_test]),
            "test": counted(once[in_test]),
            "annotations": counted(place),
        }
    )
