"""A dataset as a value: images, their annotations, and labels in order.

Every method that changes something returns a new dataset; the one it was called on stays as it was.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from customlabels_nb._utils.rendering import data_url, render
from customlabels_nb._utils.text import one_line
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue, issues_to_frame
from customlabels_nb.core.limits import profile as limits_of
from customlabels_nb.datasets.formats import Written, write
from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.datasets.splitting import groups_of_pairs, join_groups, stratified_split
from customlabels_nb.errors import ImageError, InputError, LabelError, NotAllowedError, TableError
from customlabels_nb.images.reading import is_remote, to_path, to_uri
from customlabels_nb.images.thumbnails import project_cache, thumbnail_of

if TYPE_CHECKING:
    from customlabels_nb.datasets.import_reports import RefreshReport
    from customlabels_nb.datasets.interop.torch_dataset import TorchDataset
    from customlabels_nb.datasets.validation.subjects import DatasetTables
    from customlabels_nb.datasets.validation.validation_report import ValidationReport
    from customlabels_nb.images.image_grid import ContactSheet

UnreadLine: TypeAlias = tuple[str, int, str]
Groups: TypeAlias = str | Sequence[object] | pd.DataFrame
Where: TypeAlias = str | Sequence[bool] | pd.Series | Callable[[pd.DataFrame], Any]

_ASSIGNMENT = re.compile(r"(?<![=!<>])=(?!=)")
# how many of a dataset's pictures and labels its display has
_SHOWN_THUMBNAILS = 8
_IN_TEXT = 20
_IN_HTML = 40


class Dataset:
    """Images with what people said about them.

    Parameters
    ----------
    images : DataFrame
        Needs ``image``; see :mod:`customlabels_nb.core.tables`. Extra columns survive.
    annotations : DataFrame, optional
        Needs ``image`` and ``label``.
    labels : DataFrame or iterable of str, optional
        The labels in order; those that annotations use are added at the end.
    name : str
        How it is shown; ``train`` or ``test`` for those of a project.
    root : Path, optional
        The folder under which relative images lie: the project's.
    origin : Dataset, optional
        The dataset, as it was read from a project, that this one comes from; its methods pass it on. It tells what
        was edited from what somebody else changed meanwhile.
    issues : list of Issue, optional
        What was found when it was read; ``.issues`` has it as a table.
    unread : list of (str, int, str), optional
        File, number and text of the lines that were not read; a project that takes the dataset in keeps them.

    Raises
    ------
    TableError, LabelError
        If the tables can't be such tables, or an annotation speaks of an image that isn't there.
    """

    def __init__(
        self,
        images: pd.DataFrame,
        annotations: pd.DataFrame | None = None,
        labels: pd.DataFrame | Sequence[str] | None = None,
        *,
        name: str = "dataset",
        root: Path | None = None,
        origin: Dataset | None = None,
        issues: Sequence[Issue] = (),
        unread: Sequence[UnreadLine] = (),
    ) -> None:
        self._images = t.normalise_images(images)
        self._marks: pd.DataFrame | Callable[[], pd.DataFrame] = (
            t.empty(t.ANNOTATION_COLUMNS) if annotations is None else t.normalise_annotations(annotations)
        )
        stray = self._annotations.loc[~self._annotations["image"].isin(self._images["image"]), "image"]
        if len(stray):
            raise TableError(f"An annotation speaks of {stray.iloc[0]!r}, which is not among the images.")
        known = t.normalise_labels([] if labels is None else labels)
        used = t.labels_in_order(self._annotations, known["label"])
        self._labels = t.normalise_labels(
            pd.DataFrame({"label": used, "colour": [*known["colour"], *[None] * (len(used) - len(known))]})
        )
        self.name = name
        self.root = root
        self._project: Any = None  # known only to the dataset that was read from it
        self._origin = origin
        self._is_origin = False  # no reference to itself, or it would stay in memory until the garbage is collected
        self.found = list(issues)
        self._unread: list[UnreadLine] | Callable[[], list[UnreadLine]] = list(unread)

    @classmethod
    def as_stored(
        cls,
        images: pd.DataFrame,
        annotations: Callable[[], pd.DataFrame],
        labels: pd.DataFrame,
        *,
        name: str,
        root: Path,
        unread: Callable[[], list[UnreadLine]],
        project: Any = None,
    ) -> Dataset:
        """Return a project's dataset from tables that were checked when they were stored.

        Parameters
        ----------
        annotations, unread : callable
            Called when they are needed first.
        project : Project, optional
            Answers :meth:`refresh` and :meth:`show_batch`.
        """
        dataset = cls(t.empty(t.IMAGE_COLUMNS), name=name, root=root)
        dataset._unread = unread
        dataset._images, dataset._marks, dataset._labels = images, annotations, labels
        dataset._is_origin = True
        dataset._project = project
        return dataset

    @property
    def origin(self) -> Dataset | None:
        """The dataset, as it was read from a project, that this one comes from; None if it comes from none."""
        return self if self._is_origin else self._origin

    @property
    def _annotations(self) -> pd.DataFrame:
        if callable(self._marks):
            self._marks = self._marks()
        return self._marks

    @property
    def unread(self) -> list[UnreadLine]:
        """File, number and text of the lines that were not read whole when it was imported."""
        if callable(self._unread):
            self._unread = self._unread()
        return self._unread

    # -- tables -------------------------------------------------------------------------------------
    @property
    def images(self) -> pd.DataFrame:
        """The images table; a copy that shares memory until it is changed."""
        return self._images.copy(deep=False)

    @property
    def annotations(self) -> pd.DataFrame:
        """The annotations table; a copy that shares memory until it is changed."""
        return self._annotations.copy(deep=False)

    @property
    def labels(self) -> pd.DataFrame:
        """The labels table, in order."""
        return self._labels.copy(deep=False)

    @property
    def issues(self) -> pd.DataFrame:
        """What was found when the dataset was read from files: code, message, where, source, line."""
        return issues_to_frame(self.found)

    @property
    def label_counts(self) -> pd.Series:
        """How many images have each label, in the order of labels."""
        pairs = self._annotations[["image", "label"]].drop_duplicates()
        return pairs["label"].value_counts().reindex(self._labels["label"], fill_value=0).rename("images")

    @property
    def groups_by_content(self) -> list[str]:
        """What tells the image's content from others: its hash, or itself where that isn't known."""
        content: list[str] = (
            self._images["sha256"].where(self._images["sha256"].notna(), self._images["image"]).tolist()
        )
        return content

    def labels_of_images(self) -> list[list[str]]:
        """The labels of each image, in the order of the images table."""
        own: dict[str, list[str]] = {}
        for image, label in zip(self._annotations["image"], self._annotations["label"], strict=True):
            own.setdefault(image, []).append(label)
        return [own.get(image, []) for image in self._images["image"]]

    def __len__(self) -> int:
        return len(self._images)

    # -- new values ---------------------------------------------------------------------------------
    def filter(self, where: Where) -> Dataset:
        """The images for which ``where`` holds.

        Parameters
        ----------
        where : str, sequence of bool, or callable
            A query such as ``"label == 'apple' and width > @least"`` over the columns of images and, of
            annotations, ``label``, ``confidence``, ``annotator`` and ``job`` (an image stays if it holds for any of its
            annotations), with ``@`` before names of your own variables; or one bool per image, a Series being matched
            by its index as pandas does; or a function that gives those when it is called with the images table.
        """
        return self._take(self._images[self._mask(where)])

    def sample(self, n: int | None = None, *, fraction: float | None = None, random_state: int = 0) -> Dataset:
        """``n`` images, or a ``fraction`` of them, drawn at random; all if there are fewer. The order is kept.

        Raises
        ------
        InputError
            If neither or both are given, or one can't be.
        """
        if (n is None) == (fraction is None):
            raise InputError("Give either n or fraction.")
        good = isinstance(n, int | np.integer) and n >= 0 if fraction is None else 0 <= fraction <= 1
        if not good:
            raise InputError(f"n={n!r}, fraction={fraction!r}: n is a whole number, fraction lies between 0 and 1.")
        count = n if n is not None else round(len(self) * float(fraction or 0))
        chosen = np.random.default_rng(random_state).permutation(len(self))[:count]
        return self._take(self._images.iloc[np.sort(chosen)])

    def split(
        self, fraction: float = 0.2, *, groups: Groups | None = None, random_state: int = 0
    ) -> tuple[Dataset, Dataset]:
        """Two datasets: the rest, and a stratified share of the labelled images.

        Parameters
        ----------
        fraction : float
            The share, between 0 and 1.
        groups : str, sequence or DataFrame, optional
            A column of images, or one value per image (a Series is matched by its index), or pairs (columns ``image``,
            ``other``, as of ``project.near_duplicates()``): images of one group stay together. Images with the same
            content always do.
        """
        chosen = self.split_mask(fraction, groups=groups, random_state=random_state)
        return self._take(self._images[~chosen]), self._take(self._images[chosen])

    def split_mask(
        self, fraction: float, *, groups: Groups | None = None, random_state: int = 0
    ) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which images :meth:`split` chooses, as one bool per image."""
        if not 0 < fraction < 1:
            raise InputError(f"fraction={fraction!r} does not lie between 0 and 1.")
        return stratified_split(
            self.labels_of_images(), fraction, groups=self.groups_of_images(groups), random_state=random_state
        )

    def relabel(self, labels: Mapping[str, str | None] | str, where: Where | None = None) -> Dataset:
        """Change labels of the images for which ``where`` holds (all, if it isn't given).

        Parameters
        ----------
        labels : dict or str
            Old label → new one, or None to take it away; or one label that these images get in place of the
            image-level labels they have.
        where : optional
            As in :meth:`filter`.

        Raises
        ------
        InputError
            If ``labels`` is neither.
        LabelError
            If there is no such old label, or a new one can't be one.
        """
        if not isinstance(labels, str | Mapping):
            raise InputError(f"labels={labels!r} is neither a label nor a dict of old and new ones.")
        mask = np.ones(len(self), dtype=bool) if where is None else self._mask(where)
        names = self._images.loc[mask, "image"]
        annotations = self._annotations.copy()
        touched = annotations["image"].isin(names)
        if isinstance(labels, str):
            kept = annotations[~(touched & annotations["left"].isna())]
            annotations = pd.concat([kept, t.normalise_annotations(pd.DataFrame({"image": names, "label": labels}))])
        else:
            unknown = set(labels) - set(self._labels["label"])
            if unknown:
                raise LabelError(
                    f"There is no label {sorted(unknown)[0]!r}; there are {list(self._labels['label'])!r}."
                )
            renamed = {old: None if new is None else t.check_label(new) for old, new in labels.items()}
            new = annotations["label"].map(lambda name: renamed.get(name, name))
            annotations["label"] = annotations["label"].where(~touched, new)
            annotations = t.normalise_annotations(annotations)
        images = t.settle_statuses(self._images, annotations, changed=self._annotations.loc[touched, "image"])
        return Dataset(images, annotations, self._labels, name=self.name, root=self.root, origin=self.origin)

    def with_status(self, status: str, where: Where | None = None) -> Dataset:
        """Give the images for which ``where`` holds (all, if it isn't given) a status, such as "needs_review"."""
        mask = np.ones(len(self), dtype=bool) if where is None else self._mask(where)
        images = self._images.copy()
        images.loc[mask, "status"] = status
        return Dataset(images, self._annotations, self._labels, name=self.name, root=self.root, origin=self.origin)

    def concat(self, other: Dataset) -> Dataset:
        """Both together; an image of ``other`` that is here already is left out with its annotations.

        The relative images of another project become absolute.

        Raises
        ------
        InputError
            If ``other`` is no dataset.
        """
        if not isinstance(other, Dataset):
            raise InputError(f"concat takes another Dataset, not {type(other).__name__}.")
        other = other._seen_from(self.root)
        new = other._images[~other._images["image"].isin(self._images["image"])]
        added = other._annotations[other._annotations["image"].isin(new["image"])]
        labels = pd.concat([self._labels, other._labels]).drop_duplicates("label")
        return Dataset(
            pd.concat([self._images, new], ignore_index=True),
            pd.concat([self._annotations, added], ignore_index=True),
            labels,
            name=self.name,
            root=self.root,
            origin=self.origin,
        )

    def groups_of_images(self, groups: Groups | None = None) -> list[object]:
        """The group of each image for :meth:`split`: those of ``groups`` and of equal content, joined."""
        content: list[object] = list(self.groups_by_content)
        if groups is None:
            return content
        if isinstance(groups, pd.DataFrame):
            return join_groups(groups_of_pairs(groups, self._images["image"].tolist()), content)
        if isinstance(groups, str) and groups not in self._images.columns:
            raise InputError(f"groups={groups!r} is not a column of images; there are {list(self._images.columns)}.")
        if isinstance(groups, pd.Series):
            groups = self._aligned(groups, "groups")
        try:
            given: list[object] = list(self._images[groups] if isinstance(groups, str) else groups)
            set(given)
        except TypeError as error:
            raise InputError(f"groups holds no values that tell groups apart ({error}).") from error
        if len(given) != len(self):
            raise InputError(f"groups has {len(given)} values for {len(self)} images.")
        alone = pd.isna(np.fromiter(given, dtype=object, count=len(given)))
        return join_groups([("alone", i) if alone[i] else group for i, group in enumerate(given)], content)

    def _seen_from(self, root: Path | None) -> Dataset:
        """The same dataset in a place where relative images lie under ``root``."""
        if self.root is None or self.root == root:
            return self
        names = {
            image: image if is_remote(image) else to_uri(to_path(image, self.root)) for image in self._images["image"]
        }
        images = self._images.assign(image=self._images["image"].map(names))
        annotations = self._annotations.assign(image=self._annotations["image"].map(names))
        return Dataset(images, annotations, self._labels, name=self.name, root=root, origin=self.origin)

    def __getstate__(self) -> dict[str, Any]:
        # a project's database doesn't go to other processes
        return {**self.__dict__, "_marks": self._annotations, "_unread": self.unread, "_project": None}

    # -- files --------------------------------------------------------------------------------------
    def to(
        self, format: str, path: str | os.PathLike[str], *, copy_images: bool = False, escape_formulas: bool = False
    ) -> Written:
        """Write the dataset in a format of files.

        Parameters
        ----------
        format : str
            "ground_truth", "coco", "voc", "labelme", "yolo", "custom_vision", "csv" or "image_folder".
        path : path
            The file, or the folder for formats that are one.
        copy_images : bool
            Copy the images to ``images/`` beside the annotations (``image_folder`` always copies them, to its folders),
            so that all of it can be moved. A manifest has their whole paths: read it with ``images=`` after a move.
        escape_formulas : bool
            CSV only, for files that are opened in a spreadsheet: put ``'`` before texts that begin with ``=``, ``+``,
            ``-``, ``@``, a tab or a carriage return, so that they aren't run as formulas. Such names then read back
            with the ``'``.

        Returns
        -------
        Written
            ``.files``, and ``.issues``: images that could not be copied, and what the format could not hold.
        """
        options = {"copy_images": copy_images, "escape_formulas": escape_formulas}
        return write(self._contents(), format, path, root=self.root, **options)

    def validate(
        self, profile: str = "local", *, test: Dataset | None = None, check_images: bool = True
    ) -> ValidationReport[Dataset]:
        """Check the dataset as the manifest that it would be; see :func:`customlabels_nb.validate_manifest`.

        Parameters
        ----------
        profile : {"local", "rekognition"}
            What can be used here, or the hosted service's rules; for those, images that don't lie on S3 are judged as
            if they were uploaded.
        test : Dataset, optional
            The test set that belongs to it.
        check_images : bool
            Look at the images' headers.
        """
        from customlabels_nb.datasets.validation.validation_report import validate_tables

        limits = limits_of(profile)
        tests = None if test is None else test._subject()
        return validate_tables(self._subject(), tests, limits, check_images=check_images)

    def _subject(self) -> DatasetTables[Dataset]:
        from customlabels_nb.datasets.validation.subjects import DatasetTables

        def build(contents: Contents) -> Dataset:
            same: dict[str, Any] = {"name": self.name, "root": self.root, "origin": self.origin}
            return Dataset(contents.images, contents.annotations, self._labels, issues=contents.issues, **same)

        return DatasetTables(self._contents(), build, name=self.name, root=self.root, unread=self.unread)

    # -- other libraries ----------------------------------------------------------------------------
    def to_torch(
        self,
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

        return TorchDataset(self._contents(), root=self.root, target=target, transform=transform, transforms=transforms)

    def to_supervision(self, *, target: str | None = None) -> Any:
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

        return to_supervision(self._contents(), root=self.root, target=target)

    def to_huggingface(self, *, target: str | None = None) -> Any:
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

        return to_huggingface(self._contents(), root=self.root, target=target)

    def to_ipyannotations(self, *, target: str | None = None) -> dict[str, Any]:
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

        data, issues = to_ipyannotations(self._contents(), root=self.root, target=target)
        if issues:
            warnings.warn(" ".join(issue.message for issue in issues), stacklevel=2)
        return data

    # -- of its project -----------------------------------------------------------------------------
    def refresh(self) -> RefreshReport:
        """Let the project look at this dataset's sources again (``project.refresh``); the value stays as it is.

        Raises
        ------
        NotAllowedError
            If it is no project's.
        """
        if self.origin is None or self.origin._project is None:
            raise NotAllowedError(f"{self.name!r} is not a project's: project.refresh() looks at sources again.")
        report: RefreshReport = self.origin._project.refresh(self.origin.name)
        return report

    def show_batch(self, n: int = 9, *, augmented: bool = True, kind: str | None = None, seed: int = 0) -> ContactSheet:
        """What a model sees of these images in training, with the boxes or labels that it is told.

        Parameters
        ----------
        n : int
            How many, up to 100.
        augmented : bool
            Changed by chance as in training; otherwise as when the model is used.
        kind : {"single-label", "multi-label", "detection", "brands"}, optional
            Of the model; what training would choose unless it is given.
        seed : int
            Decides which images and which changes.

        Returns
        -------
        ContactSheet
            Shows itself in a notebook; ``.tiles``, ``.draw()``.

        Raises
        ------
        NotAllowedError
            If the dataset was not read from a project.
        InputError
            If an argument can't be used.
        NotEnoughDataError
            If no image is labelled in the way that the model needs, or none can be read.
        """
        if self.origin is None or self.origin._project is None:
            raise NotAllowedError(
                f"{self.name!r} is not a project's: import it, and project.train_set.show_batch() shows what is "
                "learnt from."
            )
        sheet: ContactSheet = self.origin._project._show_batch(self, n=n, augmented=augmented, kind=kind, seed=seed)
        return sheet

    def _contents(self) -> Contents:
        return Contents(self._images, self._annotations, self._labels["label"].tolist())

    def _take(self, images: pd.DataFrame) -> Dataset:
        chosen = self._annotations[self._annotations["image"].isin(images["image"])]
        return Dataset(images, chosen, self._labels, name=self.name, root=self.root, origin=self.origin)

    def _mask(self, where: Where) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """One bool for each image: whether ``where`` holds; see :meth:`filter`."""
        if callable(where):
            found = where(self._images.copy(deep=False))
            where = found if isinstance(found, pd.Series) else np.asarray(found)
        if isinstance(where, str):
            columns = ["image", "label", "confidence", "annotator", "job"]
            own = self._images.drop(columns=columns[1:], errors="ignore")
            wide = own.merge(self._annotations[columns].drop_duplicates(), on="image", how="left")
            try:
                caller = _caller()
                holds = wide.eval(where, engine="python", local_dict=caller.f_locals, global_dict=caller.f_globals)
                if not isinstance(holds, pd.Series) or holds.dtype not in (bool, "boolean"):
                    raise TypeError("it is neither true nor false")
                found = wide.loc[holds.fillna(False).astype(bool), "image"]
            except Exception as error:  # pandas raises whatever the parsed expression makes it raise
                hint = " Equality is written ==." if _ASSIGNMENT.search(where) else ""
                raise InputError(
                    f"filter {where!r} can't be evaluated: {error}.{hint} Columns: {list(wide.columns)}."
                ) from error
            return np.asarray(self._images["image"].isin(found), dtype=bool)
        if isinstance(where, pd.Series):
            where = self._aligned(where, "the mask")
            if where.dtype == "boolean":  # a comparison of sizes that aren't all known
                where = where.fillna(False).astype(bool)
        mask = np.asarray(where)
        if mask.dtype != bool or mask.shape != (len(self),):
            raise InputError(
                f"A mask has one bool for each of the {len(self)} images; got {mask.dtype} of shape {mask.shape}."
            )
        return mask

    def _aligned(self, values: pd.Series, what: str) -> pd.Series:
        """The values in the order of images, matched by the index: that of the table, or the images' names."""
        for index in (self._images.index, pd.Index(self._images["image"])):
            if values.index.equals(index):
                return values
            if values.index.is_unique and index.isin(values.index).all():
                return values.reindex(index)
        raise InputError(
            f"The index of {what} doesn't match that of images, which runs from 0 to {len(self) - 1}: it was made "
            f"from another table. If its {len(values)} values stand in the order of images, give .to_numpy()."
        )

    # -- display ------------------------------------------------------------------------------------
    def __repr__(self) -> str:
        counts = self.label_counts
        parts = [f"{one_line(label)} {count}" for label, count in counts.head(_IN_TEXT).items()]
        more = f" and {len(counts) - _IN_TEXT:,} more" if len(counts) > _IN_TEXT else ""
        return f"Dataset {self.name!r}: {self._head()}{': ' + ', '.join(parts) + more if parts else ''}"

    def _repr_html_(self) -> str:
        counts, labels = self.label_counts, self._labels.head(_IN_HTML)
        places = np.linspace(0, len(self) - 1, min(len(self), _SHOWN_THUMBNAILS)).round().astype(int)
        return render(
            "dataset.html",
            name=self.name,
            head=self._head(),
            labels=[(label, colour, counts[label]) for label, colour in labels.itertuples(index=False)],
            more=len(self._labels) - _IN_HTML,
            pictures=[_picture(row, self.root) for row in self._images.iloc[np.unique(places)].itertuples()],
        )

    def _head(self) -> str:
        """How many images, and with which statuses."""
        statuses = self._images["status"].value_counts()
        parts = [f"{statuses[s]:,} {s.replace('_', ' ')}" for s in t.STATUSES if statuses.get(s)]
        return f"{len(self):,} images{' (' + ', '.join(parts) + ')' if parts else ''}"


def _caller() -> FrameType:
    """The frame of whoever called into this package: the variables that a query may name are its."""
    frame = sys._getframe(1)
    ours = f"{__name__.partition('.')[0]}."
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(ours):
        frame = frame.f_back
    return frame


def _picture(row: Any, root: Path | None) -> tuple[str, str, str]:
    """Return an image's name, a small picture as a URL, and what went wrong if there is none."""
    name = row.image.rsplit("/", 1)[-1]
    try:
        data = thumbnail_of(
            row.image,
            root=root,
            sha256=row.sha256 if isinstance(row.sha256, str) else None,
            size=240,
            cache=project_cache(root, "thumbnails"),
        )
    except ImageError as error:
        return name, "", error.reason
    return name, data_url(data), ""
