"""Find, describe and change the images of a project. Training and test images are one pool for programs."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar, cast

import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.datasets.reviewed import forget_where_changed
from customlabels_nb.endpoints.custom_vision.calls import Call, moment
from customlabels_nb.endpoints.custom_vision.ids import id_in_project, project_id
from customlabels_nb.endpoints.custom_vision.project_records import ProjectTag, action, is_detection, read_tags
from customlabels_nb.endpoints.project_folders import ServedProject
from customlabels_nb.errors import OutdatedError, ServiceError, StaleEditError, TableError
from customlabels_nb.images.locations import is_remote, to_path

BOX = list(t.BOX_COLUMNS)
#: Sizes of images for screens, by the kind in their addresses.
SIDES = {"resized": 1024, "thumbnail": 256}

_ATTEMPTS = 5
T = TypeVar("T")


class ImageList:
    """Images of a project (or only ``names``) with their annotations, in the order in which they were added."""

    def __init__(self, served: ServedProject, names: Sequence[str] | None = None) -> None:
        store = served.store
        self.served = served
        self.tags = read_tags(served)
        if names is None:
            images = store.images()
        else:
            parts = [store.tables(split, list(names))[:2] for split in t.SPLITS]
            images, self.marks = (pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True))
        self.images = images.drop_duplicates("image")

    @cached_property
    def marks(self) -> pd.DataFrame:
        return self.served.store.annotations()

    @cached_property
    def by_id(self) -> dict[str, str]:
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

    @cached_property
    def tagged(self) -> set[str]:
        return set(self.marks["image"].tolist()) | self.negatives

    def with_tags(self, tags: Sequence[ProjectTag]) -> set[str]:
        names = [tag.name for tag in tags if not tag.is_negative]
        found = set(self.marks.loc[self.marks["label"].isin(names), "image"])
        return found | self.negatives if any(tag.is_negative for tag in tags) else found

    def find(self, ids: Sequence[str]) -> list[str]:
        return _found(self.by_id, ids, "image", "NotFoundImage")

    def find_tags(self, ids: Sequence[str], code: str = "BadRequestInvalidIds") -> list[ProjectTag]:
        return _found({tag.id: tag for tag in self.tags}, ids, "tag", code)

    def drawn(self, names: Collection[str] | None = None) -> pd.DataFrame:
        """Return the boxes in pixels with the size of their image, the tag, and an id for the tag and the place."""
        sizes = self.images.set_index("image")[["width", "height"]].astype("float64")
        ids = {tag.name: tag.id for tag in self.tags}
        drawn = self.marks[self.marks["left"].notna() & self.marks["label"].isin(ids)]
        if names is not None:
            drawn = drawn[drawn["image"].isin(names)]
        drawn = drawn.join(sizes.add_prefix("full_"), on="image").dropna(subset=["full_width", "full_height"])
        drawn = drawn.assign(tag=drawn["label"].map(ids), twin=drawn.groupby(["image", "label", *BOX]).cumcount())
        rows = zip(*(drawn[name].tolist() for name in ("image", "tag", "twin", *BOX)), strict=True)
        return drawn.assign(id=[region_id(project_id(self.served), *row) for row in rows])

    def describe(self, call: Call, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return images as the service describes them. A negative tag has the time at which its image was added."""
        chosen, tags = set(names), {tag.name: tag for tag in self.tags}
        sized = self.images[self.images["image"].isin(chosen)].fillna({"width": 0, "height": 0})
        rows = {row.image: row for row in sized.itertuples()}
        first = self.marks[self.marks["image"].isin(chosen)].groupby(["image", "label"], sort=False)["created"].min()
        listed, regions = defaultdict(list), defaultdict(list)
        for (name, label), created in first.items():
            if label in tags:
                listed[name].append(_described_tag(tags[label], created))
        for mark in self.drawn(chosen).itertuples():
            pixels = mark.left, mark.top, mark.width, mark.height
            sides = (mark.full_width, mark.full_height) * 2
            shares = {name: pixel / side for name, pixel, side in zip(BOX, pixels, sides, strict=True)}
            tag = _described_tag(tags[mark.label], mark.created)
            regions[mark.image].append({"regionId": mark.id, **tag, **shares})
        negative = [tag for tag in self.tags if tag.is_negative]
        project, made = project_id(self.served), self.served.store.project().created.timestamp()
        has_regions, described = is_detection(self.served), []  # a program may take "regions" for those of a detector
        for name in names:
            id_, created = id_in_project(project, "image", name), _added(self.served, name) or made
            if name in self.negatives:
                listed[name] = [_described_tag(tag, created) for tag in negative]
            described.append(
                {
                    "id": id_,
                    "created": moment(created),
                    "width": int(rows[name].width),
                    "height": int(rows[name].height),
                    "originalImageUri": call.address(project, id_, "original"),
                    "resizedImageUri": call.address(project, id_, "resized"),
                    "thumbnailUri": call.address(project, id_, "thumbnail"),
                    "tags": listed[name],
                    "metadata": {},
                }
                | ({"regions": regions[name]} if has_regions else {})
            )
        return described


def list_images(served: ServedProject) -> ImageList:
    """Return all images of a project, which are read again only after a change."""
    state = served.store.last_action(), read_tags(served)
    seen, images = served.listed
    if seen != state:
        images = ImageList(served)
        served.listed = state, images
    return cast(ImageList, images)


def region_id(project: str, image: str, tag: str, twin: int, *pixels: float) -> str:
    """Return the id of a box. ``twin`` counts boxes at the same place, which only notebooks can draw."""
    return id_in_project(project, "region", f"{image}/{tag}/{'/'.join(map(repr, pixels))}/{twin}")


def _found(by_id: Mapping[str, T], ids: Sequence[str], kind: str, code: str) -> list[T]:
    """Return the images or tags with the ids, or raise ServiceError for the first id that none has."""
    for id_ in ids:
        if id_ not in by_id:
            raise ServiceError(code, f"The {kind} {id_} does not exist in the project.")
    return [by_id[id_] for id_ in ids]


def _described_tag(tag: ProjectTag, created: Any) -> dict[str, Any]:
    return {"tagId": tag.id, "tagName": tag.name, "created": moment(created)}


Edit = Callable[[pd.DataFrame, pd.DataFrame], tuple[pd.DataFrame, pd.DataFrame]]


def change_images(served: ServedProject, names: Sequence[str], what: str, edit: Edit) -> None:
    """Change images and their annotations. If a notebook changes them at the same time, ``edit`` is called again."""
    store = served.store
    for split in t.SPLITS:
        for attempt in range(_ATTEMPTS):
            images, annotations, _ = store.tables(split, list(names))
            if images.empty:
                break
            after = edit(images.copy(), annotations)
            images_after = forget_where_changed(*after, images, annotations)
            try:
                store.update_images(split, images_after, after[1], action(what))
                break
            except (StaleEditError, OutdatedError, TableError):
                if attempt == _ATTEMPTS - 1:
                    raise


def add_marks(served: ServedProject, annotations: pd.DataFrame, negatives: Sequence[str] = ()) -> None:
    """Add annotations to images, which are labelled then, and label the ``negatives`` as empty."""

    def edit(images: pd.DataFrame, stored: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        new = annotations[annotations["image"].isin(images["image"])]
        labelled = images["image"].isin(new["image"]) | images["image"].isin(negatives)
        after = pd.concat([stored, new], ignore_index=True) if len(new) else stored
        return images.assign(status=images["status"].mask(labelled, "labelled")), after

    names = [*dict.fromkeys(annotations["image"].tolist()), *negatives]
    change_images(served, names, "add tags", edit)


def remove_marks(served: ServedProject, names: Sequence[str], gone: Callable[[pd.DataFrame], Any]) -> None:
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
