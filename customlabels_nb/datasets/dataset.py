"""Datasets: images with their annotations and an ordered list of labels.

Methods never modify a dataset. They return a new one.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping, Sequence, Set
from functools import partial
from itertools import chain
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from customlabels_nb._utils.arguments import check_fraction, check_integer, check_random_state
from customlabels_nb._utils.rendering import data_url, render
from customlabels_nb._utils.text import counted, one_line
from customlabels_nb._utils.unknown_names import NameHints
from customlabels_nb._utils.user_code import users_level
from customlabels_nb.core import tables as t
from customlabels_nb.core.image_files import FILE, longer_of, with_files, without_files
from customlabels_nb.core.issues import Issue, issues_to_frame
from customlabels_nb.core.limits import profile as limits_of
from customlabels_nb.core.table_columns import completed_names, full_names, read_frame, with_image, with_lists_of_labels
from customlabels_nb.datasets.formats import ExportReport, write
from customlabels_nb.datasets.formats.base import ROUNDING, Contents
from customlabels_nb.datasets.formats.given_tables import BESIDE_ANNOTATIONS, not_imported, settle_boxes, without_label
from customlabels_nb.datasets.splitting import groups_of_pairs, join_groups, stratified_split
from customlabels_nb.errors import ImageError, InputError, LabelError, NotAllowedError, TableError
from customlabels_nb.images.locations import absolute_uri
from customlabels_nb.images.thumbnails import project_cache, thumbnail_of

if TYPE_CHECKING:
    from datasets import Dataset as HuggingFaceDataset
    from matplotlib.axes import Axes
    from supervision import ClassificationDataset, DetectionDataset

    from customlabels_nb._utils.plotting.style import Theme
    from customlabels_nb.core.limits import Profile
    from customlabels_nb.datasets.formats.format_detection import FormatName
    from customlabels_nb.datasets.import_reports import RefreshReport
    from customlabels_nb.datasets.interop.torch_dataset import TorchDataset
    from customlabels_nb.datasets.validation.subjects import DatasetTables
    from customlabels_nb.datasets.validation.validation_report import ValidationReport
    from customlabels_nb.images.image_grid import ContactSheet

UnreadLine: TypeAlias = tuple[str, int, str]
Groups: TypeAlias = str | Sequence[object] | Mapping[str, object] | pd.DataFrame
Where: TypeAlias = str | Sequence[bool] | pd.Series | Callable[[pd.DataFrame], Any]

_ASSIGNMENT = re.compile(r"(?<![=!<>])=(?!=)")
# limits of the display
_SHOWN_THUMBNAILS = 8
_IN_TEXT = 20
_IN_HTML = 40


class Dataset(NameHints):
    """Images with their annotations and labels.

    Parameters
    ----------
    images : DataFrame
        Images table with at least the column ``image`` (see :mod:`customlabels_nb.core.tables`). Extra columns are
        kept.
    annotations : DataFrame, optional
        Annotations table with at least the columns ``image`` and ``label``, or a list of labels in ``label``. Boxes
        are in the columns ``left, top, width, height``, ``xmin, ymin, xmax, ymax`` or ``bbox`` (as in COCO), in pixels.
        If all are between 0 and 1, they are ratios of the image size, and are converted.
    labels : DataFrame or iterable of str, optional
        Labels, in order. Labels that are used in the annotations but not listed here are appended.
    predictions : DataFrame, optional
        Predictions table: as the annotations, and the column ``model``.
    name : str
        Display name. The datasets of a project are called ``train`` and ``test``.
    root : Path, optional
        Folder that relative image paths refer to, normally the project folder.
    origin : Dataset, optional
        Dataset read from a project that this one is derived from. It is used to distinguish your edits from changes
        that someone else has made since then. Methods that return a new dataset preserve it.
    issues : list of Issue, optional
        Problems found while reading the dataset. ``.issues`` returns them as a table.
    unread : list of (str, int, str), optional
        Lines that could not be read, each as file, line number and text. A project that imports the dataset stores
        them.

    Raises
    ------
    TableError, LabelError
        If a table is invalid, or an annotation refers to an image that is not in ``images``.

    Examples
    --------
    >>> images = pd.DataFrame({"image": ["a.jpg", "b.jpg"], "status": "labelled"})
    >>> annotations = pd.DataFrame({"image": ["a.jpg", "b.jpg"], "label": ["cat", "dog"]})
    >>> cl.Dataset(images, annotations, name="pets")
    Dataset 'pets': 2 images (2 labelled): cat 1, dog 1
    """

    def __init__(
        self,
        images: pd.DataFrame,
        annotations: pd.DataFrame | None = None,
        labels: pd.DataFrame | Sequence[str] | None = None,
        *,
        predictions: pd.DataFrame | None = None,
        name: str = "dataset",
        root: Path | None = None,
        origin: Dataset | None = None,
        issues: Sequence[Issue] = (),
        unread: Sequence[UnreadLine] = (),
    ) -> None:
        images, longer = without_files(with_image(images) if isinstance(images, pd.DataFrame) else images)
        if annotations is None and isinstance(images, pd.DataFrame) and "label" in images:
            raise TableError(
                "The images table has a column 'label'. Pass the labels as annotations: "
                "cl.Dataset(table[['image']].drop_duplicates(), table)."
            )
        self._images = t.normalise_images(images)
        self._longer: Mapping[str, str] | Callable[[], Mapping[str, str]] = (
            partial(longer_of, self._images[["image", "source"]]) if longer is None else longer
        )
        self._annotation_source: pd.DataFrame | Callable[[], pd.DataFrame] = t.empty(t.ANNOTATION_COLUMNS)
        self.found = list(issues)
        labels_table = t.normalise_labels([] if labels is None else labels)
        if annotations is not None:
            self._read(annotations, name, images.columns, labels_table["label"].tolist())
        has_predictions = predictions is not None and len(predictions) > 0
        self._predictions = t.normalise_predictions(predictions) if has_predictions else t.empty(t.PREDICTION_COLUMNS)
        for what, table in (("annotations", self._annotations), ("predictions", self._predictions)):
            if len(stray := self._strangers(table)):
                raise TableError(f"Image {stray.iloc[0]!r} has {what} but is missing from the images table.")
        used = t.labels_in_order(self._annotations, labels_table["label"])
        self._labels = t.normalise_labels(
            pd.DataFrame({"label": used, "color": [*labels_table["color"], *[None] * (len(used) - len(labels_table))]})
        )
        self.name = name
        self.root = root
        self._project: Any = None  # set only on a dataset that was read from a project
        self._origin = origin
        self._is_origin = False  # a reference to self would delay freeing the object until garbage collection
        self._unread: list[UnreadLine] | Callable[[], list[UnreadLine]] = list(unread)
        #: Difference in pixels up to which two boxes are the same, because the file that was read is rounded.
        self.rounding = ROUNDING

    def _read(
        self, annotations: pd.DataFrame, name: str, of_images: Collection[object], labels: Collection[str]
    ) -> None:
        """Set the annotations to those of a table, and add issues about what it has beside them.

        A table that was not written here is judged, and may name images without their endings.
        """
        if not isinstance(annotations, pd.DataFrame) or {*annotations.columns} == {*t.ANNOTATION_COLUMNS}:
            self._annotation_source = t.normalise_annotations(annotations)
            return
        rows, decisions = read_frame(annotations, of="annotations", labels=labels)
        rows, joined = with_lists_of_labels(rows, decisions, labels)
        self.found += [Issue("ENTRY_ADJUSTED", joined, "label", name)] if joined else []
        self._annotation_source = t.normalise_annotations(rows)
        left_out = not_imported(annotations, decisions, name, *BESIDE_ANNOTATIONS, elsewhere={*of_images, FILE})
        if "created" in annotations.columns:
            self.found += left_out
            return
        completed = full_names(self._strangers(self._annotations), self._images["image"])
        if completed:
            names = self._annotations["image"]
            self._annotation_source = self._annotations.assign(image=names.map(completed).fillna(names))
            self.found.append(Issue("ENTRY_ADJUSTED", completed_names(completed), next(iter(completed)), name))
        self.found += [Issue("ENTRY_ADJUSTED", message, column, name) for column, message in decisions.notes()]
        self._images, self._annotation_source, settled = settle_boxes(self._images, self._annotations, name)
        self.found += [*settled, *without_label(rows, name), *left_out]

    def _strangers(self, table: pd.DataFrame) -> pd.Series:
        """Return the names in a table that are missing from the images table."""
        return table.loc[~t.is_among(table["image"], self._images["image"]), "image"]

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
        longer: Callable[[], Mapping[str, str]],
        project: Any = None,
    ) -> Dataset:
        """Create a project's dataset from stored tables, which need no validation.

        Parameters
        ----------
        annotations, unread, longer : callable
            Functions that load the data when it is first needed. ``longer`` is for :func:`.image_files.with_files`.
        project : Project, optional
            Project that :meth:`refresh` and :meth:`show_batch` act on.
        """
        dataset = cls(t.empty(t.IMAGE_COLUMNS), name=name, root=root)
        dataset._unread, dataset._longer = unread, longer
        dataset._images, dataset._annotation_source, dataset._labels = images, annotations, labels
        dataset._is_origin = True
        dataset._project = project
        return dataset

    @property
    def tags(self) -> MutableMapping[str, str]:
        """Tags of the project's dataset that this one was read from, a mapping. Changes are stored at once.

        Raises
        ------
        NotAllowedError
            If the dataset was not read from a project.

        Examples
        --------
        >>> project.train_set.tags["camera"] = "left"
        >>> project.datasets["tags"].iloc[0]
        {'camera': 'left'}
        """
        origin = self._stored_one(", so it has no tags.")
        tags: MutableMapping[str, str] = origin._project._dataset_tags(origin.name)
        return tags

    @property
    def origin(self) -> Dataset | None:
        """Dataset read from a project that this one is derived from, or None."""
        return self if self._is_origin else self._origin

    @property
    def _annotations(self) -> pd.DataFrame:
        if callable(self._annotation_source):
            self._annotation_source = self._annotation_source()
        return self._annotation_source

    @property
    def unread(self) -> list[UnreadLine]:
        """Lines that could not be read completely on import, each as file, line number and text."""
        if callable(self._unread):
            self._unread = self._unread()
        return self._unread

    # -- tables -------------------------------------------------------------------------------------
    @property
    def images(self) -> pd.DataFrame:
        """Copy of the images table that shares memory until it is changed.

        Its first column ``file`` is a short name, to merge with tables of your own: the path below the source that the
        image was added from. If an earlier image has the same, the source's folder is in front. Adding images never
        changes it, but removing the earlier image does. It is not stored, and a column ``file`` of your own is shown
        instead. ``image`` is the full path or URL.

        Examples
        --------
        >>> cl.Dataset(pd.DataFrame({"image": ["/photos/left/1.jpg", "/photos/right/1.jpg"]})).images["file"].tolist()
        ['1.jpg', 'right/1.jpg']
        >>> weather = pd.DataFrame({"file": project.train_set.images["file"].head(1), "weather": "rain"})
        >>> len(project.train_set.images.merge(weather, on="file"))
        1
        """
        return with_files(self._images, self._longer_files)

    @property
    def image_table(self) -> pd.DataFrame:
        """Copy of the images table as it is stored, without the column ``file``."""
        return t.copied(self._images)

    @property
    def _longer_files(self) -> Mapping[str, str]:
        if callable(self._longer):
            self._longer = self._longer()
        return self._longer

    @property
    def annotations(self) -> pd.DataFrame:
        """Copy of the annotations table that shares memory until it is changed."""
        return t.copied(self._annotations)

    @property
    def predictions(self) -> pd.DataFrame:
        """Copy of the table of predictions that were read from a file. ``project.add_predictions`` stores them."""
        return t.copied(self._predictions)

    @property
    def labels(self) -> pd.DataFrame:
        """Labels table, in label order."""
        return t.copied(self._labels)

    @property
    def issues(self) -> pd.DataFrame:
        """Problems found while reading the dataset, with the columns code, message, where, source and line."""
        return issues_to_frame(self.found)

    @property
    def label_counts(self) -> pd.Series:
        """Number of images per label, in label order."""
        pairs = self._annotations[["image", "label"]].drop_duplicates()
        return pairs["label"].value_counts().reindex(self._labels["label"], fill_value=0).rename("images")

    @property
    def groups_by_content(self) -> list[str]:
        """Content hash of each image, or its name if the hash is unknown."""
        content: list[str] = self._images["sha256"].fillna(self._images["image"]).tolist()
        return content

    def labels_of_images(self) -> list[list[str]]:
        """Return the labels of each image, in the order of the images table.

        Examples
        --------
        >>> images = pd.DataFrame({"image": ["a.jpg", "b.jpg"]})
        >>> annotations = pd.DataFrame({"image": ["a.jpg", "a.jpg"], "label": ["cat", "dog"]})
        >>> cl.Dataset(images, annotations).labels_of_images()
        [['cat', 'dog'], []]
        """
        by_image: dict[str, list[str]] = {}
        for image, label in zip(self._annotations["image"], self._annotations["label"], strict=True):
            by_image.setdefault(image, []).append(label)
        return [by_image.get(image, []) for image in self._images["image"]]

    def __len__(self) -> int:
        return len(self._images)

    # -- new datasets -------------------------------------------------------------------------------
    def filter(self, where: Where) -> Dataset:
        """Select the images for which a condition holds.

        Parameters
        ----------
        where : str, sequence of bool, or callable
            Query such as ``"label == 'apple' and width > @least"``. It may use the columns of the images table and the
            columns ``label``, ``confidence``, ``annotator`` and ``job`` of the annotations (an image is selected if the
            query holds for any of its annotations). Put ``@`` before the names of your own variables. Alternatively,
            pass one bool per image (a Series is aligned by its index, as in pandas), or a function that takes the
            images table and returns one bool per image.

        Examples
        --------
        >>> gardens = project.train_set.filter("label == 'garden'")
        >>> set(gardens.annotations["label"])
        {'garden'}
        >>> len(boxes.train_set.filter(lambda images: images["width"] > 1000))
        0
        """
        return self._take(self._images[self._mask(where)])

    def sample(self, n: int | None = None, *, fraction: float | None = None, random_state: int = 0) -> Dataset:
        """Draw a random sample of ``n`` images, or of a ``fraction`` of all images, in their original order.

        If there are fewer than ``n`` images, all of them are returned.

        Raises
        ------
        InputError
            If neither or both of ``n`` and ``fraction`` are given, or the value is invalid.

        Examples
        --------
        >>> len(project.train_set.sample(5))
        5
        """
        if (n is None) == (fraction is None):
            raise InputError("Pass exactly one of n and fraction.")
        share = check_fraction("fraction", fraction) if n is None else 1.0
        count = round(share * len(self)) if n is None else check_integer("n", n, 0)
        chosen = np.random.default_rng(check_random_state(random_state)).permutation(len(self))[:count]
        return self._take(self._images.iloc[np.sort(chosen)])

    def split(
        self, fraction: float = 0.2, *, groups: Groups | None = None, random_state: int = 0
    ) -> tuple[Dataset, Dataset]:
        """Split the dataset into two: the rest, and a stratified sample of the labelled images.

        Images that were labelled as empty stay in the rest, unless there is only one label, for which they are the
        negative examples.

        Parameters
        ----------
        fraction : float
            Share of the labelled images that goes to the second dataset, between 0 and 1.
        groups : str, sequence, mapping or DataFrame, optional
            Groups of images that must stay together: the name of a column of the images table, one value per image (a
            Series is aligned by its index, and a dict has the images as its keys), or a table of pairs with the columns
            ``image`` and ``other``, as returned by ``project.near_duplicates()``. Images with the same content always
            stay together.

        Examples
        --------
        >>> rest, share = project.train_set.split(0.25, random_state=1)
        >>> len(rest) + len(share) == len(project.train_set)
        True
        >>> set(share.images["image"]).isdisjoint(rest.images["image"])
        True
        """
        chosen = self.split_mask(fraction, groups=groups, random_state=random_state)
        return self._take(self._images[~chosen]), self._take(self._images[chosen])

    def split_mask(
        self, fraction: float, *, groups: Groups | None = None, random_state: int = 0
    ) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return a boolean mask of the images that :meth:`split` puts into the second dataset."""
        labels = self.labels_of_images()
        if len(set(chain(*labels))) == 1 and self._annotations[["left", "polygon"]].isna().all(axis=None):
            # images that show nothing of the only label teach and test as much as those with it
            reviewed = (self._images["status"] == "labelled").tolist()
            labels = [names or [""] * is_reviewed for names, is_reviewed in zip(labels, reviewed, strict=True)]
        return stratified_split(
            labels,
            check_fraction("fraction", fraction, exclude=(0, 1)),
            groups=self.groups_of_images(groups),
            random_state=check_random_state(random_state),
        )

    def relabel(self, labels: Mapping[str, str | None] | str, where: Where | None = None) -> Dataset:
        """Change the labels of all images, or only of those for which ``where`` holds.

        Parameters
        ----------
        labels : dict or str
            Mapping from old labels to new ones, or to None to remove a label. Alternatively, one label that replaces
            the image-level labels of the selected images.
        where : optional
            Condition as in :meth:`filter`.

        Raises
        ------
        InputError
            If ``labels`` is neither a label nor a dict.
        LabelError
            If an old label does not exist, or a new label is invalid.

        Examples
        --------
        >>> train = project.train_set.relabel({"bathroom": "washroom"})
        >>> sorted(train.annotations["label"].unique())
        ['bedroom', 'garden', 'washroom']
        """
        if not isinstance(labels, str | Mapping):
            raise InputError(f"labels={labels!r} must be a label, or a dict that maps old labels to new ones.")
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
                    f"Label {sorted(unknown)[0]!r} does not exist. The labels are {list(self._labels['label'])!r}."
                )
            renamed = {old: None if new is None else t.check_label(new) for old, new in labels.items()}
            new = annotations["label"].map(lambda name: renamed.get(name, name))
            annotations["label"] = annotations["label"].where(~touched, new)
            annotations = t.normalise_annotations(annotations)
        images = t.settle_statuses(self._images, annotations, changed=self._annotations.loc[touched, "image"])
        return self._derived(images, annotations)

    def with_status(self, status: t.Status, where: Where | None = None) -> Dataset:
        """Set the status of all images, or only of those for which ``where`` holds, for example to "needs_review".

        Examples
        --------
        >>> train = project.train_set.with_status("needs_review", "label == 'garden'")
        >>> sorted(train.images["status"].unique())
        ['labelled', 'needs_review']
        """
        mask = np.ones(len(self), dtype=bool) if where is None else self._mask(where)
        images = self._images.copy()
        images.loc[mask, "status"] = status
        return self._derived(images, self._annotations)

    def concat(self, other: Dataset) -> Dataset:
        """Concatenate two datasets, skipping images of ``other`` that this dataset already contains.

        The annotations of skipped images are skipped too. Relative image paths become absolute if ``other`` belongs to
        a different project.

        Raises
        ------
        InputError
            If ``other`` is not a dataset.

        Examples
        --------
        >>> everything = project.train_set.concat(project.test_set)
        >>> len(everything) == len(project.train_set) + len(project.test_set)
        True
        >>> len(everything.concat(project.test_set)) == len(everything)
        True
        """
        if not isinstance(other, Dataset):
            raise InputError(f"other is of type {type(other).__name__}, but must be a Dataset.")
        other = other._seen_from(self.root)
        new = other._images[~t.is_among(other._images["image"], self._images["image"])]
        annotations, predictions = (
            pd.concat([mine, theirs[t.is_among(theirs["image"], new["image"])]], ignore_index=True)
            for mine, theirs in ((self._annotations, other._annotations), (self._predictions, other._predictions))
        )
        labels = pd.concat([self._labels, other._labels]).drop_duplicates("label")
        images = pd.concat([self._images, new], ignore_index=True)
        result = self._like(images, annotations, labels, predictions=predictions)
        result._longer = lambda: {**other._longer_files, **self._longer_files}
        return result

    def groups_of_images(self, groups: Groups | None = None) -> list[object]:
        """Return the group of each image for :meth:`split`, merging ``groups`` with groups of identical content."""
        content: list[object] = list(self.groups_by_content)
        if groups is None:
            return content
        if isinstance(groups, pd.DataFrame):
            return join_groups(groups_of_pairs(groups, self._images["image"].tolist()), content)
        try:
            values: list[object] = list(self._group_values(groups))
            set(values)
        except TypeError as error:
            raise InputError(f"groups must contain values that can be compared and hashed ({error}).") from error
        if len(values) != len(self):
            raise InputError(f"groups has {len(values)} values for {len(self)} images. Pass one value per image.")
        alone = pd.isna(np.fromiter(values, dtype=object, count=len(values)))
        return join_groups([("alone", i) if alone[i] else group for i, group in enumerate(values)], content)

    def _group_values(self, groups: str | Sequence[object] | Mapping[str, object]) -> Iterable[object]:
        """Return the value of each image, or raise InputError if it is not stated which value is whose."""
        if isinstance(groups, str):
            if groups in self._images.columns:
                return list(self._images[groups])
            names = list(self._images.columns)
            raise InputError(f"groups={groups!r} is not a column of the images table. Choose one of {names}.")
        if isinstance(groups, Mapping):
            if missing := [image for image in self._images["image"] if image not in groups]:
                raise InputError(f"groups has no key {missing[0]!r}. Pass a dict with the group of each image.")
            return [groups[image] for image in self._images["image"]]
        if isinstance(groups, Set):
            raise InputError("groups is a set, which has no order. Pass a list with one value per image, or a dict.")
        return self._aligned(groups, "groups") if isinstance(groups, pd.Series) else groups

    def _seen_from(self, root: Path | None) -> Dataset:
        """Return this dataset with image paths that are valid from the folder ``root``."""
        if self.root is None or self.root == root:
            return self
        names = {image: absolute_uri(image, self.root) for image in self._images["image"]}
        images, annotations, predictions = (
            table.assign(image=table["image"].map(names))
            for table in (self._images, self._annotations, self._predictions)
        )
        return self._like(images, annotations, predictions=predictions, root=root)

    def __getstate__(self) -> dict[str, Any]:
        # the project holds a database connection, which cannot be sent to another process
        return {
            **self.__dict__,
            "_annotation_source": self._annotations,
            "_unread": self.unread,
            "_project": None,
            "_longer": self._longer_files,
        }

    # -- files --------------------------------------------------------------------------------------
    def to(
        self,
        format: FormatName,
        path: str | os.PathLike[str],
        *,
        copy_images: bool = False,
        escape_formulas: bool = False,
    ) -> ExportReport:
        """Write the dataset to files in an annotation format.

        Parameters
        ----------
        format : str
            "ground_truth", "coco", "voc", "labelme", "label_studio", "label_studio_min" (Label Studio's JSON_MIN),
            "cvat", "yolo", "yolo_classify", "custom_vision", "csv" or "image_folder".
        path : path
            Output file, or output folder for formats that consist of several files.
        copy_images : bool
            Copy the images to ``images/`` next to the annotations, so that the output can be moved. ``image_folder``
            always copies them, into one folder per label. A copy gets another name if a different image has its name,
            with or without the extension. A manifest contains absolute paths: after moving it, read it with
            ``images=``. Without copies, images outside the folder are named by their absolute paths.
        escape_formulas : bool
            Put ``'`` before strings that begin with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return, so that
            spreadsheet programs do not run them as formulas (CSV only). If the file is read again, the ``'`` becomes
            part of these names.

        Returns
        -------
        ExportReport
            ``.files`` lists the files. ``.issues`` lists images that could not be copied, what the format cannot hold,
            and what was changed for other programs (clipped boxes, renamed copies), each with a count.

        Warns
        -----
        UserWarning
            If images are outside the folder and programs that read the format need copies of them.

        Examples
        --------
        >>> written = boxes.train_set.to("coco", "boards.json")
        >>> len(cl.read_dataset("boards.json")) == len(boxes.train_set)
        True
        """
        report = self._write(format, path, copy_images=copy_images, escape_formulas=escape_formulas)
        for message in report.issues.query("code == 'IMAGES_ELSEWHERE'")["message"]:
            warnings.warn(message, stacklevel=users_level())
        return report

    def _write(self, format: str, path: str | os.PathLike[str], **options: Any) -> ExportReport:
        return write(self._contents(), format, path, root=self.root, **options)

    def validate(
        self, profile: Profile = "local", *, test: Dataset | None = None, check_images: bool = True
    ) -> ValidationReport[Dataset]:
        """Validate the dataset as if it were written to a manifest.

        Parameters
        ----------
        profile : {"local", "rekognition"}
            Rules to apply: "local" for this package's rules, or "rekognition" for the hosted service's (see
            :func:`customlabels_nb.validate_manifest`). With "rekognition", images that are not on S3 are checked as if
            they had been uploaded.
        test : Dataset, optional
            Test set that belongs to this dataset.
        check_images : bool
            Check the image headers too, which requires reading them.

        Examples
        --------
        >>> report = project.train_set.validate(test=project.test_set)
        >>> report.ok
        True
        """
        from customlabels_nb.datasets.validation.validation_report import validate_tables

        limits = limits_of(profile)
        tests = None if test is None else test._subject()
        return validate_tables(self._subject(), tests, limits, check_images=check_images)

    def _subject(self) -> DatasetTables[Dataset]:
        from customlabels_nb.datasets.validation.subjects import DatasetTables

        def build(contents: Contents) -> Dataset:
            return self._like(contents.images, contents.annotations, issues=contents.issues)

        return DatasetTables(self._contents(), build, name=self.name, root=self.root, unread=self.unread)

    # -- other libraries ----------------------------------------------------------------------------
    def to_torch(
        self,
        transform: Callable[[Any], Any] | None = None,
        *,
        task: t.Task | None = None,
        transforms: Callable[[Any, Any], Any] | None = None,
    ) -> TorchDataset:
        """Convert the dataset to a PyTorch dataset of (image, target) pairs.

        Images are opened on access, as upright RGB. The result can be pickled and used by DataLoader workers, forked or
        spawned. Unlabelled images are excluded and listed in ``.issues``.

        Parameters
        ----------
        transform : callable, optional
            Function applied to each PIL image, for example to convert it to a tensor. If the function changes the image
            size, boxes are not adjusted.
        task : {"single-label", "multi-label", "boxes", "polygons"}, optional
            Task that the dataset is for; by default it is inferred from the annotations, as "boxes" if there are boxes
            or polygons.
            "single-label": an int, the index of the label in ``.classes``;
            "multi-label": float32, shape (classes,), 1 for each label of the image;
            "boxes": the dict that torchvision's detectors take: ``boxes`` (float32, shape (n, 4), pixels x0, y0, x1,
            y1 of the upright image, as torchvision.tv_tensors.BoundingBoxes), ``labels`` (int64; 0 is the background,
            which is the first of ``.classes``), ``image_id`` (int), ``area`` (float32), ``iscrowd`` (int64);
            "polygons": the same dict with ``masks`` (uint8, shape (n, height, width), 1 inside the polygon, or inside
            the box if there is no polygon, as torchvision.tv_tensors.Mask), as torchvision's Mask R-CNN takes it.
        transforms : callable, optional
            Function applied to each pair of PIL image and target, such as a transform from torchvision.transforms.v2.
            Pass either this or ``transform``.

        Returns
        -------
        TorchDataset
            Dataset with ``.classes``, ``.images``, ``.issues`` and ``.collate``, the collate function to use in a
            DataLoader with boxes.

        Raises
        ------
        InputError
            If the task cannot be inferred because there are no annotations, or if an image has several labels but the
            task allows only one.

        Examples
        --------
        >>> dataset = boxes.train_set.to_torch()
        >>> dataset.classes
        ['__background__', 'diode', 'resistor']
        >>> image, target = dataset[0]
        >>> image.size, target["boxes"].shape[1]
        ((160, 120), 4)
        """
        from customlabels_nb.datasets.interop.torch_dataset import TorchDataset

        return TorchDataset(self._contents(), root=self.root, task=task, transform=transform, transforms=transforms)

    def to_supervision(self, *, task: t.Task | None = None) -> DetectionDataset | ClassificationDataset:
        """Convert the dataset to a dataset of the supervision package, which opens images on access.

        The polygon, crowd flag, annotator, job and time of each box are stored in ``Detections.data``. Items that
        supervision cannot represent, such as unlabelled images, are dropped with a warning that states their number.

        Parameters
        ----------
        task : {"single-label", "multi-label", "boxes", "polygons"}, optional
            Task that the dataset is for; by default it is inferred from the annotations. "polygons" also fills
            ``Detections.mask``, which needs memory for every pixel of each object.

        Returns
        -------
        supervision.DetectionDataset or supervision.ClassificationDataset

        Raises
        ------
        MissingDependencyError
            If supervision is not installed.
        InputError
            If an image is remote, because supervision can only read local files.

        Examples
        --------
        >>> dataset = boxes.train_set.to_supervision()
        >>> dataset.classes
        ['diode', 'resistor']
        """
        from customlabels_nb.datasets.interop.supervision_datasets import to_supervision

        result: DetectionDataset | ClassificationDataset = to_supervision(self._contents(), root=self.root, task=task)
        return result

    def to_huggingface(
        self, *, task: Literal["single-label", "multi-label", "boxes"] | None = None
    ) -> HuggingFaceDataset:
        """Convert the dataset to a Hugging Face ``datasets.Dataset``.

        The columns are ``image`` (a reference to the file, decoded on access), ``width``, ``height``, your own columns
        of numbers and strings, and, depending on the task, one of ``label`` (a ClassLabel), ``labels`` (a list of
        ClassLabels) and ``objects``, which has the lists ``bbox`` (left, top, width, height in pixels), ``category``,
        ``area``, ``iscrowd``, ``confidence`` and ``polygon``. The target column is None for an unlabelled image and
        empty for an image that was labelled as empty.

        Parameters
        ----------
        task : {"single-label", "multi-label", "boxes"}, optional
            Task that the dataset is for; by default it is inferred from the annotations.

        Returns
        -------
        datasets.Dataset

        Raises
        ------
        MissingDependencyError
            If datasets is not installed.
        InputError
            If an image has several labels but the task allows only one, or if its name is not valid UTF-8.

        Examples
        --------
        >>> dataset = boxes.train_set.to_huggingface()
        >>> dataset.column_names
        ['image', 'width', 'height', 'objects']
        """
        from customlabels_nb.datasets.interop.huggingface import to_huggingface

        return to_huggingface(self._contents(), root=self.root, task=task)

    def to_ipyannotations(self, *, task: t.Task | Literal["points"] | None = None) -> dict[str, Any]:
        """Convert the annotations of each image to the ``data`` format of the ipyannotations widgets.

        The data of an image is a class, a list of classes, or a list of dicts
        ``{"type": "box", "label": …, "xyxy": (x0, y0, x1, y1)}``,
        ``{"type": "polygon", "label": …, "points": [(x, y), …]}`` with the first point repeated at the end, or
        ``{"type": "point", "label": …, "coordinates": (x, y)}``, in pixels of the upright image. An image that was
        labelled as empty has an empty list. Unlabelled images are not included. Annotations that do not fit the task
        are dropped with a warning.

        Parameters
        ----------
        task : {"single-label", "multi-label", "boxes", "polygons", "points"}, optional
            Task that the data is for; by default it is inferred from the annotations. Boxes with
            width and height 0 are points.

        Returns
        -------
        dict
            Mapping from the path or URL of each image to its data.

        Raises
        ------
        InputError
            If the task cannot be inferred because there are no annotations, or if an image has several labels but the
            task allows only one.

        Examples
        --------
        >>> data = boxes.train_set.to_ipyannotations()
        >>> sorted(next(iter(data.values()))[0])
        ['label', 'type', 'xyxy']
        """
        from customlabels_nb.datasets.interop.ipyannotations_data import to_ipyannotations

        data, issues = to_ipyannotations(self._contents(), root=self.root, task=task)
        if issues:
            warnings.warn(" ".join(issue.message for issue in issues), stacklevel=users_level())
        return data

    # -- project ------------------------------------------------------------------------------------
    def refresh(self) -> RefreshReport:
        """Rescan the sources of this dataset and update the project, as ``project.refresh`` does.

        This object itself does not change.

        Raises
        ------
        NotAllowedError
            If the dataset was not read from a project.

        Examples
        --------
        >>> project.train_set.refresh()
        0 images added, 0 changed, 0 vanished.
        """
        origin = self._stored_one(". Import it, then call project.refresh().")
        report: RefreshReport = origin._project.refresh(origin.name)
        return report

    def show_batch(
        self,
        n: int = 9,
        *,
        augmented: bool = True,
        task: t.Task | None = None,
        recipe: Literal["brands"] | None = None,
        random_state: int = 0,
    ) -> ContactSheet:
        """Show images as the model sees them during training, with their boxes or labels.

        Parameters
        ----------
        n : int
            Number of images to show, at most 100.
        augmented : bool
            Apply random augmentation as in training. If False, prepare the images as for inference.
        task : {"single-label", "multi-label", "boxes", "polygons"}, optional
            Task of the model. Defaults to the task that training would choose.
        recipe : {"brands"}, optional
            Recipe, as in ``project.train()``. Defaults to the recipe that training would choose.
        random_state : int
            Random seed for the choice of images and the augmentation.

        Returns
        -------
        ContactSheet
            Image grid, which notebooks display. See ``.tiles`` and ``.draw()``.

        Raises
        ------
        NotAllowedError
            If the dataset was not read from a project.
        InputError
            If an argument is invalid.
        NotEnoughDataError
            If no image has the annotations that the task needs, or no image can be read.

        Examples
        --------
        >>> sheet = project.train_set.show_batch(4)
        >>> len(sheet)
        4
        """
        origin = self._stored_one(". Import it, then call project.train_set.show_batch().")
        sheet: ContactSheet = origin._project._show_batch(
            self, n=n, augmented=augmented, task=task, recipe=recipe, random_state=random_state
        )
        return sheet

    def plot(self, ax: Axes | None = None, *, theme: Theme | None = None) -> Axes:
        """Plot the number of images with each label, and beside it the numbers of small, medium and large boxes.

        Boxes are small below 32² pixels and large from 96² pixels on. ``theme="paper"`` draws in black on white.

        Examples
        --------
        >>> ax = boxes.train_set.plot()
        >>> ax.get_title()
        'Images and boxes per label of train'
        """
        from customlabels_nb.datasets.plots import plot_labels

        return plot_labels(self._images, self._annotations, self._labels, self.name, ax, theme=theme)

    def _stored_one(self, advice: str) -> Dataset:
        """Return the dataset that this one was read from, or raise NotAllowedError if it is not in a project."""
        if self.origin is None or self.origin._project is None:
            raise NotAllowedError(f"Dataset {self.name!r} does not belong to a project{advice}")
        return self.origin

    def _contents(self) -> Contents:
        colors = dict(self._labels.itertuples(index=False))
        return Contents(self._images, self._annotations, list(colors), predictions=self._predictions, colors=colors)

    def _take(self, images: pd.DataFrame) -> Dataset:
        return self._derived(images, self._annotations[t.is_among(self._annotations["image"], images["image"])])

    def _derived(self, images: pd.DataFrame, annotations: pd.DataFrame) -> Dataset:
        predictions = self._predictions[t.is_among(self._predictions["image"], images["image"])]
        return self._like(images, annotations, predictions=predictions)

    def _like(
        self, images: pd.DataFrame, annotations: pd.DataFrame, labels: pd.DataFrame | None = None, **facts: Any
    ) -> Dataset:
        same: dict[str, Any] = {"name": self.name, "root": self.root, "origin": self.origin}
        result = Dataset(images, annotations, self._labels if labels is None else labels, **same | facts)
        result._longer = self._longer
        return result

    def _mask(self, where: Where) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Evaluate the condition ``where`` of :meth:`filter` to one bool per image."""
        if callable(where):
            result = where(self.images)
            where = result if isinstance(result, pd.Series) else np.asarray(result)
        if isinstance(where, str):
            columns = ["image", "label", "confidence", "annotator", "job"]
            images = (self.images if FILE in where else self._images).drop(columns=columns[1:], errors="ignore")
            wide = images.merge(self._annotations[columns].drop_duplicates(), on="image", how="left")
            try:
                caller = _caller()
                holds = wide.eval(where, engine="python", local_dict=caller.f_locals, global_dict=caller.f_globals)
                if not isinstance(holds, pd.Series) or holds.dtype not in (bool, "boolean"):
                    raise TypeError("the result is not boolean")
                result = wide.loc[holds.fillna(False).astype(bool), "image"]
            except Exception as error:  # the expression may raise anything
                hint = " Use == to test equality." if _ASSIGNMENT.search(where) else ""
                raise InputError(
                    f"Cannot evaluate filter {where!r}: {error}.{hint} Columns: {list(wide.columns)}."
                ) from error
            return np.asarray(self._images["image"].isin(result), dtype=bool)
        if isinstance(where, pd.Series):
            where = self._aligned(where, "the mask")
            if where.dtype == "boolean":  # from comparing image sizes, some of which are unknown
                where = where.fillna(False).astype(bool)
        mask = np.asarray(where)
        if mask.dtype != bool or mask.shape != (len(self),):
            raise InputError(
                f"The mask must have one bool for each of the {len(self)} images, but has dtype {mask.dtype} and shape "
                f"{mask.shape}."
            )
        return mask

    def _aligned(self, values: pd.Series, what: str) -> pd.Series:
        """Align the values with the images table by its index, or by image name."""
        for index in (self._images.index, pd.Index(self._images["image"])):
            if values.index.equals(index):
                return values
            if values.index.is_unique and index.isin(values.index).all():
                return values.reindex(index)
        raise InputError(
            f"The index of {what} does not match the images table, which is numbered from 0 to {len(self) - 1}. "
            f"If the {len(values)} values are in the order of the images, pass them with .to_numpy()."
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
            labels=[(label, color, counts[label]) for label, color in labels.itertuples(index=False)],
            more=len(self._labels) - _IN_HTML,
            pictures=[_picture(row, self.root) for row in self._images.iloc[np.unique(places)].itertuples()],
        )

    def _head(self) -> str:
        statuses = self._images["status"].value_counts()
        parts = [f"{statuses[s]:,} {s.replace('_', ' ')}" for s in t.STATUSES if statuses.get(s)]
        return f"{counted(len(self), 'image')}{' (' + ', '.join(parts) + ')' if parts else ''}"


def _caller() -> FrameType:
    """Return the stack frame that called into this package, whose variables a query may use."""
    frame = sys._getframe(1)
    ours = f"{__name__.partition('.')[0]}."
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(ours):
        frame = frame.f_back
    return frame


def _picture(row: Any, root: Path | None) -> tuple[str, str, str]:
    """Return the image's name, its thumbnail as a data URL, and, if it has no thumbnail, the error."""
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
