"""Map-style PyTorch dataset, safe to use in a DataLoader with any number of workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.data import Dataset as _TorchDataset
from torchvision.tv_tensors import BoundingBoxes, Mask

from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import ltwh_to_xyxy, xyxy_to_ltwh
from customlabels_nb.core.issues import Issue, issues_to_frame
from customlabels_nb.core.masks import masks_of
from customlabels_nb.core.polygons import emptiness
from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.datasets.interop.common import boxes_of, chosen_task, has_place, left_out, split_off_unlabelled
from customlabels_nb.errors import InputError
from customlabels_nb.images.reading import open_image

#: Name of label 0 in torchvision's detectors.
BACKGROUND = "__background__"


class TorchDataset(_TorchDataset):  # type: ignore[type-arg,unused-ignore]
    """PyTorch dataset of (image, target) pairs, from :meth:`customlabels_nb.datasets.dataset.Dataset.to_torch`.

    It only holds names and arrays, so it can be pickled, and each DataLoader worker opens the images itself. Unlabelled
    images are excluded and listed in ``issues``. Targets are positions in ``classes``.
    """

    def __init__(
        self,
        contents: Contents,
        *,
        root: Path | None,
        task: str | None,
        transform: Callable[[Any], Any] | None,
        transforms: Callable[[Any, Any], Any] | None,
    ) -> None:
        if transform is not None and transforms is not None:
            raise InputError("Pass either transform= (for the image) or transforms= (for image and target), not both.")
        self.task = chosen_task(task, contents.annotations, polygons=True)
        self._drawn = self.task in t.DRAWN_TASKS
        self._root, self._transform, self._transforms = root, transform, transforms
        places = has_place(contents.annotations)
        wanted = contents.annotations[places if self._drawn else ~places]
        images, issues = split_off_unlabelled(contents, wanted)
        if self.task == "single-label":
            _refuse_several(wanted)
            bare = images.loc[~images["image"].isin(wanted["image"]), "image"]
            issues += left_out(bare.tolist(), "image is labelled as empty", "images are labelled as empty")
            images = images[images["image"].isin(wanted["image"])]
        self._found = issues
        self.images: list[str] = images["image"].tolist()
        self.classes = [BACKGROUND, *contents.labels] if self._drawn else list(contents.labels)
        self._take(wanted)

    def _take(self, annotations: pd.DataFrame) -> None:
        """Store the annotations as arrays sorted by image, with the offset of each image."""
        if self._drawn:
            boxes = boxes_of(annotations)
            empty = np.asarray((boxes[:, 2:] <= 0).any(axis=1))
            if self.task == t.POLYGONS:
                outlined = annotations["polygon"].notna().to_numpy()
                empty[outlined] |= [emptiness(polygon) is not None for polygon in annotations["polygon"][outlined]]
            names = annotations.loc[empty, "image"].drop_duplicates().tolist()
            if names:
                one, many = ("mask", "masks") if self.task == t.POLYGONS else ("box", "boxes")
                dropped = counted(int(empty.sum()), f"{one} without an area was", f"{many} without an area were")
                message = f"{dropped} dropped, for example in {names[0]!r}."
                self._found.append(Issue("NOT_HELD", message, where=names[0]))
            annotations, boxes = annotations[~empty], boxes[~empty]
        position = {image: number for number, image in enumerate(self.images)}
        number = {label: index for index, label in enumerate(self.classes)}
        of_image = annotations["image"].map(position).to_numpy(dtype=np.int64)
        order = np.argsort(of_image, kind="stable")
        self._first = np.searchsorted(of_image[order], np.arange(len(self.images) + 1))
        self._labels = annotations["label"].map(number).to_numpy(dtype=np.int64)[order]
        if self._drawn:
            self._boxes = ltwh_to_xyxy(boxes[order]).astype(np.float32)
            self._crowd = annotations["crowd"].to_numpy(dtype=np.int64)[order]
            self._polygons = annotations["polygon"].to_numpy(dtype=object)[order]

    @property
    def issues(self) -> pd.DataFrame:
        """Table of excluded images and annotations, with the columns code, message, where, source and line."""
        return issues_to_frame(self._found)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        position = range(len(self))[index]  # raises IndexError and supports negative indices
        image = open_image(self.images[position], root=self._root)
        target = self._target(position, image.size)
        if self._transforms is not None:
            pair: tuple[Any, Any] = self._transforms(image, target)
            return pair
        return image if self._transform is None else self._transform(image), target

    def _target(self, position: int, size: tuple[int, int]) -> Any:
        part = slice(int(self._first[position]), int(self._first[position + 1]))
        labels = self._labels[part]
        if self.task == "single-label":
            return int(labels[0])
        if self.task == "multi-label":
            vector = torch.zeros(len(self.classes))
            vector[torch.from_numpy(labels.copy())] = 1.0
            return vector
        boxes = torch.from_numpy(self._boxes[part].copy())
        target = {
            "boxes": BoundingBoxes(boxes, format="XYXY", canvas_size=(size[1], size[0])),
            "labels": torch.from_numpy(labels.copy()),
            "image_id": position,
            "area": (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]),
            "iscrowd": torch.from_numpy(self._crowd[part].copy()),
        }
        if self.task == t.POLYGONS:
            masks = masks_of(self._polygons[part], xyxy_to_ltwh(self._boxes[part]), size)
            area = torch.from_numpy(masks.sum(axis=(1, 2), dtype=np.float32))
            target |= {"masks": Mask(torch.from_numpy(masks)), "area": area}
        return target

    @staticmethod
    def collate(batch: Sequence[tuple[Any, Any]]) -> tuple[list[Any], list[Any]]:
        """Collate a batch into a list of images and a list of targets.

        Pass it as ``DataLoader(collate_fn=…)`` for boxes or masks, because their number varies.
        """
        images, targets = zip(*batch, strict=True)
        return list(images), list(targets)

    def __repr__(self) -> str:
        classes = counted(len(self.classes), "class", "classes")
        return f"TorchDataset({counted(len(self), 'image')}, {classes}, task={self.task!r})"


def _refuse_several(annotations: pd.DataFrame) -> None:
    several = annotations.loc[annotations["image"].duplicated(), "image"]
    if len(several):
        raise InputError(
            f"task='single-label', but {counted(several.nunique(), 'image has', 'images have')} several labels, for "
            f"example {several.iloc[0]!r}. Use task='multi-label'."
        )
