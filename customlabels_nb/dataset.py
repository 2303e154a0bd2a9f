"""A dataset as a value: images, their annotations, and labels in order.

Every method that changes something returns a new dataset; the one it was called on stays as it was.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from customlabels_nb import tables as t
from customlabels_nb.dataset_markup import dataset_html, dataset_text
from customlabels_nb.errors import InputError, LabelError, TableError
from customlabels_nb.formats import Written, read, write
from customlabels_nb.formats.base import Contents
from customlabels_nb.images import is_remote, to_path, to_uri
from customlabels_nb.issues import Issue, issues_to_frame
from customlabels_nb.splitting import join_groups, stratified_split

_IN_TEXT, _IN_HTML = 20, 40  # labels that are shown
_ASSIGNMENT = re.compile(r"(?<![=!<>])=(?!=)")
Where: TypeAlias = str | Sequence[bool] | pd.Series | Callable[[pd.DataFrame], Any]


class Dataset:
    """Images with what people said about them.

    Parameters
    ----------
    images : DataFrame
        Needs ``image``; see :mod:`customlabels_nb.tables`. Extra columns survive.
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
    ) -> None:
        self._images = t.normalise_images(images)
        self._annotations = (
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
        self.origin = origin
        self.found = list(issues)

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
        """``n`` images, or a ``fraction`` of them, drawn at random; all if there are fewer. The order is kept."""
        if (n is None) == (fraction is None):
            raise InputError("Give either n or fraction.")
        good = isinstance(n, int | np.integer) and n >= 0 if fraction is None else 0 <= fraction <= 1
        if not good:
            raise InputError(f"n={n!r}, fraction={fraction!r}: n is a whole number, fraction lies between 0 and 1.")
        count = n if n is not None else round(len(self) * float(fraction or 0))
        chosen = np.random.default_rng(random_state).permutation(len(self))[:count]
        return self._take(self._images.iloc[np.sort(chosen)])

    def split(
        self, fraction: float = 0.2, *, groups: str | Sequence[object] | None = None, random_state: int = 0
    ) -> tuple[Dataset, Dataset]:
        """Two datasets: the rest, and a stratified share of the labelled images.

        Parameters
        ----------
        fraction : float
            The share, between 0 and 1.
        groups : str or sequence, optional
            A column of images, or one value per image (a Series is matched by its index): images of one group stay
            together. Images with the same content always do.
        """
        chosen = self.split_mask(fraction, groups=groups, random_state=random_state)
        return self._take(self._images[~chosen]), self._take(self._images[chosen])

    def split_mask(
        self, fraction: float, *, groups: str | Sequence[object] | None = None, random_state: int = 0
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

    def groups_of_images(self, groups: str | Sequence[object] | None = None) -> list[object]:
        """The group of each image for :meth:`split`: those of ``groups`` and of equal content, joined."""
        content: list[object] = list(self.groups_by_content)
        if groups is None:
            return content
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

    # -- files --------------------------------------------------------------------------------------
    def to(self, format: str, path: str | os.PathLike[str], *, copy_images: bool = False) -> Written:
        """Write the dataset in a format of files.

        Parameters
        ----------
        format : str
            "ground_truth", "coco", "voc", "yolo", "custom_vision", "csv" or "image_folder".
        path : path
            The file, or the folder for formats that are one.
        copy_images : bool
            Copy the images to ``images/`` beside the annotations, so that all of it can be moved.

        Returns
        -------
        Written
            ``.files``, and ``.issues``: what the format could not hold.
        """
        contents = Contents(self._images, self._annotations, self._labels["label"].tolist())
        return write(contents, format, path, root=self.root, copy_images=copy_images)

    def _take(self, images: pd.DataFrame) -> Dataset:
        chosen = self._annotations[self._annotations["image"].isin(images["image"])]
        return Dataset(images, chosen, self._labels, name=self.name, root=self.root, origin=self.origin)

    def _mask(self, where: Where) -> np.ndarray[Any, np.dtype[np.bool_]]:
        if callable(where):
            where = np.asarray(found) if not isinstance(found := where(self.images), pd.Series) else found
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
        return dataset_text(self.name, self._images, self.label_counts)

    def _repr_html_(self) -> str:
        return dataset_html(self.name, self._images, self._labels, self.label_counts, self.root)


def _caller() -> FrameType:
    """The frame of whoever called into this package: the variables that a query may name are its."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(f"{__package__}."):
        frame = frame.f_back
    return frame


def read_dataset(
    path: str | os.PathLike[str],
    format: str | None = None,
    *,
    images: str | os.PathLike[str] | None = None,
    relocate: Mapping[str, str] | None = None,
) -> Dataset:
    """Read a dataset from files.

    Parameters
    ----------
    path : path
        A file or folder of annotations.
    format : str, optional
        Recognised by content unless it is given; see :meth:`Dataset.to` for the names.
    images : path, optional
        A folder in which the images are found by their file names, wherever the annotations say they are.
    relocate : dict, optional
        Old prefix → new one, such as ``{"s3://bucket/": "photos/"}``.

    Returns
    -------
    Dataset
        ``.issues`` is a table of what could not be read, or was read otherwise than it stands there.

    Raises
    ------
    ManifestError
        If nothing can be read, or the format isn't known.
    """
    _, contents = read(path, format, images=images, relocate=relocate)
    return Dataset(
        contents.images,
        contents.annotations,
        contents.labels,
        name=os.path.basename(os.fspath(path).rstrip("/")) or "dataset",
        issues=contents.issues,
    )
