"""Read datasets from files and other libraries, and validate manifests."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from customlabels_nb._utils.garbage import collection_paused
from customlabels_nb._utils.text import plain_url
from customlabels_nb._utils.unknown_names import names_arguments
from customlabels_nb.core.limits import profile as limits_of
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.formats import read
from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.images.locations import is_remote, local_path

if TYPE_CHECKING:
    import datasets
    from supervision import ClassificationDataset, DetectionDataset

    from customlabels_nb.core.limits import Profile
    from customlabels_nb.datasets.formats.format_detection import FormatName
    from customlabels_nb.datasets.interop.huggingface import Notation
    from customlabels_nb.datasets.validation.validation_report import ValidationReport
    from customlabels_nb.images.listing import LabelsFrom


@names_arguments
def read_dataset(
    path: str | os.PathLike[str],
    format: FormatName | None = None,
    *,
    images: str | os.PathLike[str] | None = None,
    relocate: Mapping[str, str] | None = None,
    labels_from: LabelsFrom | None = None,
    **options: Any,
) -> Dataset:
    """Read a dataset from annotation files.

    A folder is read if it has the layout of a format, contains one file of annotations (or one for each split), or only
    contains images, in folders named after their labels. A folder with annotations that cannot be read is refused.

    Parameters
    ----------
    path : path or URL
        Annotation file or folder. A URL must refer to a file, which is downloaded, but its images are not. Their names
        in the file are relative to its folder, and are percent-encoded for web servers, "50%.jpg" as "50%25.jpg".
    format : str, optional
        Format name as in :meth:`Dataset.to`. By default it is detected from the content.
    images : path or URL, optional
        Folder in which images are looked up by file name, ignoring their paths in the annotations. If several files
        have the same name, their parent folders are compared too. A URL is put before relative names, and before the
        file name of other images. Nothing is looked up there.
    relocate : dict, optional
        Mapping from old path prefixes to new ones, such as ``{"s3://bucket/": "photos/"}``.
    labels_from : {"folders"}, optional
        Take the labels of images from the names of their folders, even if there are annotations beside the images.
        Folders such as "train" and "val" are splits if all folders beside them are, too.
    **options
        Format options. CSV has ``on_duplicate`` ("error", "first" or "merge"), which handles rows that repeat an image,
        ``prefix``, a folder or URL to put before bare file names, and ``encoding`` for files that are not UTF-8.
        COCO has ``truth``, the COCO file with the images and categories of a file of COCO results, which are
        predictions with a ``score``. Pass the dataset to ``cl.evaluate``, or its annotations to
        ``project.add_predictions``.

    Returns
    -------
    Dataset
        ``.issues`` is a table of the entries that could not be read or were changed while reading.

    Raises
    ------
    ManifestError
        If nothing can be read, or the format is unknown.
    InputError
        If the format does not support one of the options, or requires one that is missing.

    Examples
    --------
    >>> written = boxes.train_set.to("csv", "boards.csv")
    >>> dataset = cl.read_dataset("boards.csv")
    >>> len(dataset), dataset.labels["label"].tolist()
    (4, ['diode', 'resistor'])
    """
    with collection_paused():
        chosen, contents = read(path, format, images=images, relocate=relocate, labels_from=labels_from, **options)
        dataset = _dataset(os.fspath(path), contents)
        dataset.rounding = chosen.rounding
        return dataset


@names_arguments
def validate_manifest(
    train: str | os.PathLike[str],
    test: str | os.PathLike[str] | None = None,
    *,
    profile: Profile = "rekognition",
    images: str | os.PathLike[str] | None = None,
    relocate: Mapping[str, str] | None = None,
    check_images: bool = True,
) -> ValidationReport[Dataset]:
    """Validate manifest files as the hosted service (Rekognition Custom Labels) does before training.

    Parameters
    ----------
    train, test : path or URL
        Ground Truth manifests. If both are given, the overlap between their labels is checked too.
    profile : {"rekognition", "local"}
        Rules to apply: "rekognition" for the hosted service's rules, or "local" for this package's.
    images, relocate
        Current location of the images (see :func:`read_dataset`).
    check_images : bool
        Read the image headers, in parallel. If False, the image sizes in the manifests are used.

    Returns
    -------
    ValidationReport
        Displays what to fix, the most useful fix first. ``.lines`` is a table of all findings, ``.to(folder)`` writes
        the validation files that the hosted service would produce, and ``.fix(…)`` returns a repaired dataset.

    Examples
    --------
    A missing manifest has no lines and one error:

    >>> import customlabels_nb as cl
    >>> report = cl.validate_manifest("nowhere.manifest")
    >>> report.ok, report.errors["message"].tolist()
    (False, ['The manifest file extension or contents are invalid.'])
    """
    from customlabels_nb.datasets.validation.validation_report import validate_files

    limits = limits_of(profile)
    manifests = _manifest(train, "train"), None if test is None else _manifest(test, "test")
    return validate_files(*manifests, limits, _dataset, images=images, relocate=relocate, check_images=check_images)


def _manifest(path: str | os.PathLike[str], argument: str) -> str:
    return plain_url(path) if isinstance(path, str) and is_remote(path) else os.fspath(local_path(path, argument))


@names_arguments
def from_supervision(dataset: DetectionDataset | ClassificationDataset) -> Dataset:
    """Convert a supervision dataset to a Dataset without copying the images.

    Parameters
    ----------
    dataset : supervision.DetectionDataset or supervision.ClassificationDataset
        Dataset to convert. Images without detections are imported as labelled as empty. Masks become polygons along the
        edges of their pixels.

    Returns
    -------
    Dataset
        ``.issues`` is a table of the entries that could not be read or were changed while reading.

    Raises
    ------
    MissingDependencyError
        If supervision is not installed.
    InputError
        If ``dataset`` is not of one of these types, or a class name is not a valid label.

    Examples
    --------
    >>> dataset = cl.from_supervision(boxes.train_set.to_supervision())
    >>> len(dataset), dataset.labels["label"].tolist()
    (4, ['diode', 'resistor'])
    """
    from customlabels_nb.datasets.interop.supervision_datasets import from_supervision

    return _in_memory(from_supervision(dataset))


@names_arguments
def from_ipyannotations(data: Mapping[Any, Any]) -> Dataset:
    """Convert annotations made with ipyannotations to a Dataset without copying the images.

    Parameters
    ----------
    data : dict
        Mapping from the path or URL of each image to the ``data`` submitted for it: a class, a list of classes, or a
        list of boxes, polygons or points as dicts. An empty list means that the image is empty, None that it is
        unlabelled. Points become boxes with width and height 0.

    Returns
    -------
    Dataset
        ``.issues`` is a table of the entries that could not be read.

    Raises
    ------
    InputError
        If a key is not the path or URL of an image, or its value has none of these forms.

    Examples
    --------
    >>> box = {"type": "box", "label": "cat", "xyxy": (10, 20, 110, 80)}
    >>> dataset = cl.from_ipyannotations({"a.jpg": [box], "b.jpg": []})
    >>> dataset.annotations[["label", "left", "top", "width", "height"]].values.tolist()
    [['cat', 10.0, 20.0, 100.0, 60.0]]
    """
    from customlabels_nb.datasets.interop.ipyannotations_data import from_ipyannotations

    return _in_memory(from_ipyannotations(data))


@names_arguments
def from_huggingface(
    dataset: datasets.Dataset | datasets.IterableDataset,
    folder: str | os.PathLike[str] | None = None,
    *,
    image: str = "image",
    label: str | None = None,
    objects: str | None = None,
    boxes: Notation = "xywh",
) -> Dataset:
    """Convert a Hugging Face ``datasets.Dataset`` to a Dataset.

    Parameters
    ----------
    dataset : datasets.Dataset or datasets.IterableDataset
        Dataset to convert. Columns of plain values, except those named by the arguments below, are read as those of a
        table by ``project.add_images``: as labels, boxes or sizes, or as columns of the images table.
    folder : path, optional
        Folder to which embedded images are written, as their original bytes. Required only if the dataset has embedded
        images. Images that are files are not copied.
    image, label, objects : str
        Column names. ``image`` contains an image or its path. ``label`` contains a ClassLabel, a string, or a list of
        either (default: "label" or "labels", if present). ``objects`` contains objects with ``bbox`` and ``category``
        (default: "objects", if present). Without it, boxes in a column such as ``bbox`` have the labels in ``label``.
    boxes : {"xywh", "xyxy"}
        Notation of ``bbox``, in pixels of the upright image: left, top, width, height as in COCO, or the corners.

    Returns
    -------
    Dataset
        ``.issues`` is a table of the entries that could not be read.

    Raises
    ------
    MissingDependencyError
        If the package ``datasets`` is not installed.
    InputError
        If a column does not exist, ``folder`` is required but missing, or ``dataset`` is a dict of several splits.

    Examples
    --------
    >>> import datasets
    >>> hf_dataset = datasets.load_dataset("imagefolder", data_dir=photos, split="train")
    >>> cl.from_huggingface(hf_dataset).labels["label"].tolist()
    ['bathroom', 'bedroom', 'garden']
    """
    from customlabels_nb.datasets.interop.huggingface import from_huggingface

    contents = from_huggingface(dataset, folder, image=image, label=label, objects=objects, boxes=boxes)
    return _in_memory(contents)


def _in_memory(contents: Contents) -> Dataset:
    return Dataset(contents.images, contents.annotations, contents.labels, issues=contents.issues)


def _dataset(path: str, contents: Contents) -> Dataset:
    return Dataset(
        contents.images,
        contents.annotations,
        pd.DataFrame({"label": contents.labels, "color": [contents.colors.get(label) for label in contents.labels]}),
        predictions=contents.predictions,
        name=os.path.basename(path.rstrip("/")) or "dataset",
        issues=contents.issues,
        unread=contents.unread_of(path),
    )
