"""Datasets from files, and whether manifests can be trained on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from customlabels_nb._utils.text import plain_url
from customlabels_nb.core.limits import profile as limits_of
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.datasets.formats import read
from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.datasets.formats.json_file import no_garbage_collection
from customlabels_nb.images.reading import is_remote, local_path

if TYPE_CHECKING:
    from customlabels_nb.datasets.validation.validation_report import ValidationReport


def read_dataset(
    path: str | os.PathLike[str],
    format: str | None = None,
    *,
    images: str | os.PathLike[str] | None = None,
    relocate: Mapping[str, str] | None = None,
    **options: Any,
) -> Dataset:
    """Read a dataset from files.

    Parameters
    ----------
    path : path or URL
        A file or folder of annotations; behind a URL a file, which is fetched, while its images stay where they are.
    format : str, optional
        Recognised by content unless it is given; see :meth:`Dataset.to` for the names.
    images : path, optional
        A folder in which the images are found by their file names, wherever the annotations say they are; where several
        have a name, by the folders around them, too.
    relocate : dict, optional
        Old prefix → new one, such as ``{"s3://bucket/": "photos/"}``.
    **options
        What the format alone knows. CSV: ``on_duplicate`` is "error", "first" or "merge", for rows that repeat an
        image; ``prefix`` a folder or URL before bare file names.

    Returns
    -------
    Dataset
        ``.issues`` is a table of what could not be read, or was read otherwise than it stands there.

    Raises
    ------
    ManifestError
        If nothing can be read, or the format isn't known.
    InputError
        If the format doesn't know one of the options, or can't read on without one.
    """
    with no_garbage_collection():
        _, contents = read(path, format, images=images, relocate=relocate, **options)
        return _dataset(os.fspath(path), contents)


def validate_manifest(
    train: str | os.PathLike[str],
    test: str | os.PathLike[str] | None = None,
    *,
    profile: str = "rekognition",
    images: str | os.PathLike[str] | None = None,
    relocate: Mapping[str, str] | None = None,
    check_images: bool = True,
) -> ValidationReport[Dataset]:
    """Check manifest files as the hosted service does when it trains.

    Parameters
    ----------
    train, test : path or URL
        Ground Truth manifests; with both of them, whether their labels overlap is checked, too.
    profile : {"rekognition", "local"}
        The service's rules, or what can be read here.
    images, relocate
        Where the images lie now; see :func:`read_dataset`.
    check_images : bool
        Look at the images: their headers are read, in parallel. Without that the sizes count that the manifests give.

    Returns
    -------
    ValidationReport
        What to do, the most useful first; ``.lines`` is a table of all findings, ``.to(folder)`` writes the service's
        files, ``.fix(…)`` returns a repaired dataset.

    Examples
    --------
    A manifest that isn't there has no lines, and one error:

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


def from_supervision(dataset: Any) -> Dataset:
    """The dataset that one of the package supervision is; the images stay where they are.

    Parameters
    ----------
    dataset : supervision.DetectionDataset or supervision.ClassificationDataset
        An image without detections is one that was looked at and shows nothing. Masks in one part become polygons.

    Returns
    -------
    Dataset
        ``.issues`` is a table of what could not be read, or was read otherwise than it stands there.

    Raises
    ------
    MissingDependencyError
        If supervision isn't installed.
    InputError
        If it is of another type, or a class has a name that can't be a label.
    """
    from customlabels_nb.datasets.interop.supervision_datasets import from_supervision

    return _in_memory(from_supervision(dataset))


def from_ipyannotations(data: Mapping[Any, Any]) -> Dataset:
    """The dataset that was labelled with ipyannotations; the images stay where they are.

    Parameters
    ----------
    data : dict
        Path or URL of each image → the ``data`` of the annotator that was submitted for it: a class, a list of classes,
        or a list of boxes, polygons or points as dicts; an empty list where nothing is to be seen, None where nothing
        was said. Points become boxes without width and height.

    Returns
    -------
    Dataset
        ``.issues`` is a table of what could not be read.

    Raises
    ------
    InputError
        If something stands for an image that is no such data.
    """
    from customlabels_nb.datasets.interop.ipyannotations_data import from_ipyannotations

    return _in_memory(from_ipyannotations(data))


def from_huggingface(
    dataset: Any,
    folder: str | os.PathLike[str] | None = None,
    *,
    image: str = "image",
    label: str | None = None,
    objects: str | None = None,
    boxes: str = "xywh",
) -> Dataset:
    """The dataset that one of Hugging Face's package ``datasets`` is.

    Parameters
    ----------
    dataset : datasets.Dataset or datasets.IterableDataset
        Plain columns beside those named below become columns of images.
    folder : path, optional
        Where images are written that are inside of the dataset, as the bytes that they are; those that are files stay
        where they are. Needed only if there are any of the first kind.
    image, label, objects : str
        The columns: an image or its path; a ClassLabel, a text or a list of these ("label" or "labels" by default, if
        there is one); objects with ``bbox`` and ``category`` ("objects" by default, if there is one).
    boxes : {"xywh", "xyxy"}
        How ``bbox`` is written: left, top, width, height as in COCO, or the corners; in pixels of the upright image.

    Returns
    -------
    Dataset
        ``.issues`` is a table of what could not be read.

    Raises
    ------
    MissingDependencyError
        If datasets isn't installed.
    InputError
        If a column isn't there, ``folder`` is needed, or the dataset is one of several parts.
    """
    from customlabels_nb.datasets.interop.huggingface import from_huggingface

    found = from_huggingface(dataset, folder, image=image, label=label, objects=objects, boxes=boxes)
    return _in_memory(found)


def _in_memory(contents: Contents) -> Dataset:
    return Dataset(contents.images, contents.annotations, contents.labels, issues=contents.issues)


def _dataset(path: str, contents: Contents) -> Dataset:
    return Dataset(
        contents.images,
        contents.annotations,
        contents.labels,
        name=os.path.basename(path.rstrip("/")) or "dataset",
        issues=contents.issues,
        unread=contents.unread_of(path),
    )
