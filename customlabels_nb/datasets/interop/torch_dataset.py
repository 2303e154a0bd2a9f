"""A dataset as PyTorch's: map-style, for its DataLoader with any number of workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.data import Dataset as _TorchDataset
from torchvision.tv_tensors import BoundingBoxes

from customlabels_nb.core.geometry import ltwh_to_xyxy
from customlabels_nb.core.issues import Issue, issues_to_frame
from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.datasets.interop.common import (
    Target,
    boxes_of,
    chosen_target,
    has_place,
    left_out,
    split_off_unlabelled,
)
from customlabels_nb.errors import InputError
from customlabels_nb.images.reading import open_image

#: What torchvision's detectors take label 0 for.
BACKGROUND = "__background__"


class TorchDataset(_TorchDataset):  # type: ignore[type-arg,unused-ignore]
    """Pairs of image and target; see :meth:`customlabels_nb.datasets.dataset.Dataset.to_torch`.

    Holds names and arrays only: it can be pickled, and each worker opens the images by itself.

    Attributes
    ----------
    images : list of str
        The image of each item; those without a label are not among them, which ``issues`` tells.
    classes : list of str
        The label of each number in the targets.
    target : str
        "single-label", "multi-label" or "boxes".
    """

    def __init__(
        self,
        contents: Contents,
        *,
        root: Path | None,
        target: str | None,
        transform: Callable[[Any], Any] | None,
        transforms: Callable[[Any, Any], Any] | None,
    ) -> None:
        if transform is not None and transforms is not None:
            raise InputError("Give either transform= (of the image) or transforms= (of image and target), not both.")
        self.target: Target = chosen_target(target, contents.annotations)
        self._root, self._transform, self._transforms = root, transform, transforms
        places = has_place(contents.annotations)
        wanted = contents.annotations[places if self.target == "boxes" else ~places]
        images, found = split_off_unlabelled(contents, wanted)
        if self.target == "single-label":
            _refuse_several(wanted)
            bare = images.loc[~images["image"].isin(wanted["image"]), "image"]
            found += left_out(bare.tolist(), "images show nothing, which is no single label,")
            images = images[images["image"].isin(wanted["image"])]
        self._found = found
        self.images: list[str] = images["image"].tolist()
        self.classes = [BACKGROUND, *contents.labels] if self.target == "boxes" else list(contents.labels)
        self._take(wanted)

    def _take(self, annotations: pd.DataFrame) -> None:
        """Lay out the annotations as arrays in the order of images, with where those of each begin."""
        if self.target == "boxes":
            boxes = boxes_of(annotations)
            empty = (boxes[:, 2:] <= 0).any(axis=1)
            names = annotations.loc[empty, "image"].drop_duplicates().tolist()
            if names:
                message = f"{int(empty.sum()):,} boxes without an area were left out, such as one of {names[0]!r}."
                self._found.append(Issue("NOT_HELD", message, where=names[0]))
            annotations, boxes = annotations[~empty], boxes[~empty]
        position = {image: number for number, image in enumerate(self.images)}
        number = {label: index for index, label in enumerate(self.classes)}
        of_image = annotations["image"].map(position).to_numpy(dtype=np.int64)
        order = np.argsort(of_image, kind="stable")
        self._first = np.searchsorted(of_image[order], np.arange(len(self.images) + 1))
        self._labels = annotations["label"].map(number).to_numpy(dtype=np.int64)[order]
        if self.target == "boxes":
            self._boxes = ltwh_to_xyxy(boxes[order]).astype(np.float32)
            self._crowd = annotations["crowd"].to_numpy(dtype=np.int64)[order]

    @property
    def issues(self) -> pd.DataFrame:
        """What of the dataset is left out here: code, message, where, source, line."""
        return issues_to_frame(self._found)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        position = range(len(self))[index]  # IndexError past the end, negative ones from the end
        image = open_image(self.images[position], root=self._root)
        target = self._target(position, image.size)
        if self._transforms is not None:
            pair: tuple[Any, Any] = self._transforms(image, target)
            return pair
        return image if self._transform is None else self._transform(image), target

    def _target(self, position: int, size: tuple[int, int]) -> Any:
        own = slice(int(self._first[position]), int(self._first[position + 1]))
        labels = self._labels[own]
        if self.target == "single-label":
            return int(labels[0])
        if self.target == "multi-label":
            vector = torch.zeros(len(self.classes))
            vector[torch.from_numpy(labels.copy())] = 1.0
            return vector
        boxes = torch.from_numpy(self._boxes[own].copy())
        return {
            "boxes": BoundingBoxes(boxes, format="XYXY", canvas_size=(size[1], size[0])),
            "labels": torch.from_numpy(labels.copy()),
            "image_id": position,
            "area": (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]),
            "iscrowd": torch.from_numpy(self._crowd[own].copy()),
        }

    @staticmethod
    def collate(batch: Sequence[tuple[Any, Any]]) -> tuple[list[Any], list[Any]]:
        """For ``DataLoader(collate_fn=…)`` with boxes, whose number differs: lists of images and of targets."""
        images, targets = zip(*batch, strict=True)
        return list(images), list(targets)

    def __repr__(self) -> str:
        return f"TorchDataset({len(self):,} images, {len(self.classes):,} classes, target={self.target!r})"


def _refuse_several(annotations: pd.DataFrame) -> None:
    several = annotations.loc[annotations["image"].duplicated(), "image"]
    if len(several):
        raise InputError(
            f"target='single-label', but {several.nunique():,} images have several labels, such as "
            f"{several.iloc[0]!r}; use target='multi-label'."
        )
