"""The methods of a dataset that hand it to other libraries."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.datasets.interop.common import told

if TYPE_CHECKING:
    from customlabels_nb.datasets.interop.torch_dataset import TorchDataset


class HasTables(Protocol):
    """What the methods here need of a dataset."""

    root: Path | None

    @property
    def images(self) -> pd.DataFrame: ...
    @property
    def annotations(self) -> pd.DataFrame: ...
    @property
    def labels(self) -> pd.DataFrame: ...


class Exchange:
    """A dataset's ``to_…`` methods for other libraries, which are imported when one is called."""

    def to_torch(
        self: HasTables,
        transform: Callable[[Any], Any] | None = None,
        *,
        target: str | None = None,
        transforms: Callable[[Any, Any], Any] | None = None,
    ) -> TorchDataset:
        """The dataset as PyTorch's: ``len``, and pairs of image and target by number.

        Images are opened when they are asked for, upright and RGB. It can be pickled and used by the workers of a
        DataLoader, forked or spawned. Images that aren't labelled are left out, which its ``.issues`` tells.

        Parameters
        ----------
        transform : callable, optional
            Makes something of a PIL image, such as a tensor; boxes don't follow what it does to the size.
        target : {"single-label", "multi-label", "boxes"}, optional
            By default what the annotations are.
            "single-label": an int, the place of the label in ``.classes``;
            "multi-label": float32, shape (classes,), 1 for each label that the image has;
            "boxes": the dict that torchvision's detectors take: ``boxes`` (float32, shape (n, 4), pixels x0, y0, x1,
            y1 of the upright image, as torchvision.tv_tensors.BoundingBoxes), ``labels`` (int64; 0 is the background,
            which ``.classes`` begins with), ``image_id`` (int), ``area`` (float32), ``iscrowd`` (int64).
        transforms : callable, optional
            In place of ``transform``: makes a pair of PIL image and target another, as torchvision.transforms.v2 do.

        Returns
        -------
        TorchDataset
            With ``.classes``, ``.images``, ``.issues`` and, for a DataLoader with boxes, ``.collate``.

        Raises
        ------
        InputError
            If there are no annotations to tell the target from, or an image has several labels where one is wanted.
        """
        from customlabels_nb.datasets.interop.torch_dataset import TorchDataset

        return TorchDataset(
            contents_of(self), root=self.root, target=target, transform=transform, transforms=transforms
        )

    def to_supervision(self: HasTables, *, target: str | None = None) -> Any:
        """The dataset as one of the package supervision, which opens the images when they are asked for.

        Polygons, crowd, annotator, job and time of boxes are in ``Detections.data``. What can't be held, such as images
        that aren't labelled, is left out with a warning that says how much it is.

        Parameters
        ----------
        target : {"single-label", "multi-label", "boxes"}, optional
            By default what the annotations are.

        Returns
        -------
        supervision.DetectionDataset or supervision.ClassificationDataset

        Raises
        ------
        MissingDependencyError
            If supervision isn't installed.
        InputError
            If an image is remote: supervision reads local files.
        """
        from customlabels_nb.datasets.interop.supervision_datasets import to_supervision

        return to_supervision(contents_of(self), root=self.root, target=target)

    def to_huggingface(self: HasTables, *, target: str | None = None) -> Any:
        """The dataset as one of Hugging Face's package ``datasets``.

        The columns are ``image`` (the file where it lies, decoded when it is asked for), ``width``, ``height``, your
        own columns of numbers and texts, and ``label`` (a ClassLabel), ``labels`` (a list of them) or ``objects``:
        lists ``bbox`` (left, top, width, height in pixels), ``category``, ``area``, ``iscrowd``, ``confidence`` and
        ``polygon``. An image that wasn't labelled has None there, one that shows nothing an empty list.

        Parameters
        ----------
        target : {"single-label", "multi-label", "boxes"}, optional
            By default what the annotations are.

        Returns
        -------
        datasets.Dataset

        Raises
        ------
        MissingDependencyError
            If datasets isn't installed.
        InputError
            If an image has several labels where one is wanted, or a name that isn't UTF-8.
        """
        from customlabels_nb.datasets.interop.huggingface import to_huggingface

        return to_huggingface(contents_of(self), root=self.root, target=target)

    def to_ipyannotations(self: HasTables, *, target: str | None = None) -> dict[str, Any]:
        """What was said of each image, as the annotators of ipyannotations have it in ``data``.

        A class, a list of classes, or a list of dicts ``{"type": "box", "label": …, "xyxy": (x0, y0, x1, y1)}``,
        ``{"type": "polygon", "label": …, "points": [(x, y), …]}`` with the first point repeated, or ``{"type": "point",
        "label": …, "coordinates": (x, y)}``, in pixels of the upright image. An image that shows nothing has an empty
        list, one that isn't labelled is not there. What can't be held is left out with a warning.

        Parameters
        ----------
        target : {"single-label", "multi-label", "boxes", "polygons", "points"}, optional
            By default what the annotations are; boxes without width and height are points.

        Returns
        -------
        dict
            Path or URL of the image → data.

        Raises
        ------
        InputError
            If there are no annotations to tell the target from, or an image has several labels where one is wanted.
        """
        from customlabels_nb.datasets.interop.ipyannotations_data import to_ipyannotations

        data, issues = to_ipyannotations(contents_of(self), root=self.root, target=target)
        if issues:
            warnings.warn(told(issues), stacklevel=2)
        return data


def contents_of(dataset: HasTables) -> Contents:
    """The tables of a dataset as formats have them."""
    return Contents(dataset.images, dataset.annotations, dataset.labels["label"].tolist())
