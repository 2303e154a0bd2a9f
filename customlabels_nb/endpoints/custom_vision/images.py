"""Find, describe and change the images of a project. Training and test images are one pool for programs."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.datasets.reviewed import forget_where_changed
from customlabels_nb.endpoints.custom_vision.calls import Call, moment
from customlabels_nb.endpoints.custom_vision.ids import id_in_project, project_id
from customlabels_nb.endpoints.custom_vision.project_records import ProjectTag, action, read_tags
from customlabels_nb.endpoints.project_folders import ServedProject
from customlabels_nb.errors import OutdatedError, ServiceError, StaleEditError, TableError
from customlabels_nb.images.locations import is_remote, to_path

BOX = list(t.BOX_COLUMNS)
#: Sizes of images for screens, by the kind in their addresses.
SIDES = {"resized": 1024, "thumbnail": 256}

_ATTEMPTS = 5


class ImageList:
    """Images of a project with their annotations, in the order in which they were added.

    Parameters
    ----------
    served : ServedProject
        Project.
    names : sequence of str, optional
        Only these images. By default all.
    """

    def __init__(self, served: ServedProject, names: Sequence[str] | None = None) -> None:
        store = served.project._store
        self.served = served
        self.tags = read_tags(served)
        if names is None:
            self.images, self.marks = store.images(), store.annotations()
        else:
            parts = [store.tables(split, list(names))[:2] for split in t.SPLITS]
            self.images, self.marks = (pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True))
        self.images = self.images.drop_duplicates("image")

    @cached_property
    def by_id(self) -> dict[str, str]:
        """Names of the images by their ids."""
        project = project_id(self.served)
        return {id_in_project(project, "image", name): name for name in self.images["image"].tolist()}

    @cached_property
    def negatives(self) -> set[str]:
        """Images with the negative tag: those labelled as empty, if the project has such a tag."""
        if not any(tag.is_negative for tag in self.tags):
            return set()
        return set(self.images.loc[self.images["status"] == "labelled", "image"]) - set(self.marks["image"])

    @property
    def counts(self) -> dict[str, int]:
        """Number of images with each tag, by its id."""
        pairs = self.marks[["image", "label"]].drop_duplicates()
        by_label = pairs["label"].value_counts().to_dict()
        return {tag.id: len(self.negatives) if tag.is_negative else by_label.get(tag.name, 0) for tag in self.tags}

    def tagged(self) -> set[str]:
        """Return the images that have tags."""
        return set(self.marks["image"]) | self.negatives

    def with_tags(self, tags: Sequence[ProjectTag]) -> set[str]:
        """Return the images that have one of the tags."""
        names = [tag.name for tag in tags if not tag.is_negative]
        found = set(self.marks.loc[self.marks["label"].isin(names), "image"])
        return found | self.negatives if any(tag.is_negative for tag in tags) else found

    def find(self, ids: Sequence[str]) -> list[str]:
        """Return the names of images, or raise ServiceError if an id is unknown."""
        for id_ in ids:
            if id_ not in self.by_id:
                raise ServiceError("NotFoundImage", f"There is no image {id_} in the project.")
        return [self.by_id[id_] for id_ in ids]

    def find_tags(self, ids: Sequence[str], code: str = "BadRequestInvalidIds") -> list[ProjectTag]:
        """Return the tags with these ids, or raise ServiceError if one is unknown."""
        known = {tag.id: tag for tag in self.tags}
        for id_ in ids:
            if id_ not in known:
                raise ServiceError(code, f"There is no tag {id_} in the project.")
        return [known[id_] for id_ in ids]

    def describe(self, call: Call, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return the images as the service describes them."""
        project, chosen = project_id(self.served), set(names)
        made = self.served.project._store.project().created
        tags = {tag.name: tag for tag in self.tags}
        negative = next((tag for tag in self.tags if tag.is_negative), None)
        rows = {row.image: row for row in self.images.itertuples() if row.image in chosen}
        marks = defaultdict(list)
        for mark in self.marks[self.marks["image"].isin(chosen)].itertuples():
            marks[mark.image].append(mark)
        described = []
        for name in names:
            row, id_ = rows[name], id_in_project(project, "image", name)
            first: dict[str, Any] = {}
            for mark in marks[name]:
                first[mark.label] = min(first.get(mark.label, mark.created), mark.created)
            listed = [
                {"tagId": tags[label].id, "tagName": label, "created": moment(created)}
                for label, created in first.items()
                if label in tags
            ]
            created = _added(self.served, name) or made.timestamp()
            if negative is not None and name in self.negatives:
                listed.append({"tagId": negative.id, "tagName": negative.name, "created": moment(created)})
            original, resized, thumbnail = (
                call.address(project, id_, kind) for kind in ("original", "resized", "thumbnail")
            )
            described.append(
                {
                    "id": id_,
                    "created": moment(created),
                    "width": 0 if pd.isna(row.width) else int(row.width),
                    "height": 0 if pd.isna(row.height) else int(row.height),
                    "originalImageUri": original,
                    "resizedImageUri": resized,
                    "thumbnailUri": thumbnail,
                    "tags": listed,
                    "regions": [
                        region | {"created": moment(mark.created)}
                        for region, mark in self._regions(row, marks[name], tags)
                    ],
                    "metadata": {},
                }
            )
        return described

    def regions(self) -> dict[str, tuple[str, Any]]:
        """Return the image and the index in ``marks`` of each region, by its id."""
        tags = {tag.name: tag for tag in self.tags}
        rows = {row.image: row for row in self.images.itertuples()}
        marks = defaultdict(list)
        for mark in self.marks[self.marks["left"].notna()].itertuples():
            marks[mark.image].append(mark)
        return {
            region["regionId"]: (name, mark.Index)
            for name, drawn in marks.items()
            for region, mark in self._regions(rows[name], drawn, tags)
        }

    def _regions(self, row: Any, marks: Sequence[Any], tags: dict[str, ProjectTag]) -> list[tuple[dict[str, Any], Any]]:
        """Return the boxes of an image as regions, with ids that depend on the tag and the place."""
        found: list[tuple[dict[str, Any], Any]] = []
        if pd.isna(row.width) or pd.isna(row.height):
            return found
        taken: set[str] = set()
        for mark in marks:
            if pd.isna(mark.left) or mark.label not in tags:
                continue
            key = f"{row.image}/{tags[mark.label].id}/{mark.left!r}/{mark.top!r}/{mark.width!r}/{mark.height!r}"
            while key in taken:
                key += "+"
            taken.add(key)
            region = {
                "regionId": id_in_project(project_id(self.served), "region", key),
                "tagId": tags[mark.label].id,
                "tagName": mark.label,
                "left": mark.left / row.width,
                "top": mark.top / row.height,
                "width": mark.width / row.width,
                "height": mark.height / row.height,
            }
            found.append((region, mark))
        return found


Edit = Callable[[pd.DataFrame, pd.DataFrame], tuple[pd.DataFrame, pd.DataFrame]]


def change_images(served: ServedProject, names: Sequence[str], what: str, edit: Edit) -> None:
    """Change images and their annotations. If a notebook changes them at the same time, ``edit`` is called again."""
    store = served.project._store
    for split in t.SPLITS:
        for attempt in range(_ATTEMPTS):
            images, marks, _ = store.tables(split, list(names))
            if images.empty:
                break
            after = edit(images.copy(), marks)
            images_after = forget_where_changed(*after, images, marks)
            try:
                store.update_images(split, images_after, after[1], action(what))
                break
            except (StaleEditError, OutdatedError, TableError):
                if attempt == _ATTEMPTS - 1:
                    raise


def add_marks(served: ServedProject, marks: pd.DataFrame, negatives: Sequence[str] = ()) -> None:
    """Add annotations to images, which are labelled then, and label the ``negatives`` as empty."""

    def edit(images: pd.DataFrame, stored: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        new = marks[marks["image"].isin(images["image"])]
        labelled = images["image"].isin(new["image"]) | images["image"].isin(negatives)
        after = pd.concat([stored, new], ignore_index=True) if len(new) else stored
        return images.assign(status=images["status"].mask(labelled, "labelled")), after

    names = [*dict.fromkeys(marks["image"].tolist()), *negatives]
    change_images(served, names, "add tags", edit)


def remove_marks(served: ServedProject, names: Sequence[str], gone: Callable[[pd.DataFrame], pd.Series]) -> None:
    """Remove the annotations that ``gone`` selects. Images without any are unlabelled then."""

    def edit(images: pd.DataFrame, stored: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        after = stored[~gone(stored)].reset_index(drop=True)
        bare = ~images["image"].isin(after["image"])
        return images.assign(status=images["status"].mask(bare, "unlabelled")), after

    change_images(served, names, "remove tags", edit)


def _added(served: ServedProject, name: str) -> float | None:
    """Return the time at which an image file was written, in seconds since 1970, or None if it is unknown."""
    try:
        return None if is_remote(name) else os.stat(to_path(name, served.project.root)).st_mtime
    except (OSError, ValueError):
        return None
