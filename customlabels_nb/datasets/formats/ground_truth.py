"""Read and write SageMaker Ground Truth manifests (JSON Lines with one image per line).

Image-level labels (``groundtruth/image-classification``) and boxes (``groundtruth/object-detection``) are written as
documented by Amazon Rekognition Custom Labels. The reader also accepts the output of multi-label jobs, lines with only
a ``source-ref``, and manifests with validation results. Lines that cannot be read completely are reported with their
error codes. Of an attribute and its adjusted copy (with an ``adjustment-status``), only the copy is read. Annotations
marked as ``deleted`` are left out, and unknown keys are counted. A reviewed image without objects is written as a line
with an empty box attribute.

A label that a model assigned (its ``annotator`` starts with "model:") is written as ``"human-annotated": "no"`` with
its confidence, and with the annotator as ``job-name``. Ground Truth has one ``human-annotated`` per attribute, not one
per box, and Rekognition accepts several box attributes in a line. So the boxes of each model are an attribute of their
own, in which ``objects`` has the confidence of each box. Reading restores annotator and confidence. If a job is known
as well, it is the ``job-name``, and the annotator becomes "model:" and the name of the job.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from customlabels_nb._utils.files import replacing
from customlabels_nb._utils.garbage import collection_paused
from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import CODES, Issue
from customlabels_nb.core.limits import LOCAL
from customlabels_nb.datasets.formats.base import Contents, Format, ImageFinder
from customlabels_nb.datasets.formats.manifest_lines import UNUSABLE, LineSource, ManifestFile
from customlabels_nb.datasets.formats.manifest_sizes import fit_to_images, headers
from customlabels_nb.datasets.formats.manifest_tables import ManifestReader, ManifestTable
from customlabels_nb.datasets.formats.manifest_values import (
    ADDED,
    BOXES,
    CONSEQUENCES,
    IMAGE_LEVEL,
    METADATA,
    SOURCE,
    job_name_of,
)
from customlabels_nb.datasets.formats.verdicts import in_pixels, without_area
from customlabels_nb.errors import ManifestError
from customlabels_nb.images.locations import is_remote, to_uri
from customlabels_nb.images.reading import ImageHeader

_BOX_ATTRIBUTE = "bounding-box"

_EMPTY = "ERROR_MANIFEST_IS_EMPTY"


def read_manifest(path: str | os.PathLike[str]) -> Contents:
    return manifest_of(ManifestFile(path), os.fspath(path))


def manifest_of(source: LineSource, name: str) -> Contents:
    """Read a manifest from lines, like :func:`read_manifest`, with ``name`` as its name in error messages."""
    reader = ManifestReader(source, LOCAL)
    reader.read()
    manifest = contents_of(reader)
    if not len(manifest.images):
        code = UNUSABLE if manifest.unread else _EMPTY
        first = next((f" Line {each.line}: {each.message}" for each in manifest.issues if each.line is not None), "")
        raise ManifestError(f"{name!r}: {CODES[code]}{first}", code)
    return manifest


def contents_of(reader: ManifestReader, table: ManifestTable | None = None) -> Contents:
    """Return the tables and issues from the lines of a reader. Pass its ``table`` to avoid building it again."""
    source = reader.source.name
    with collection_paused():
        images, annotations = (table or reader.table()).frames()
    result = Contents(images, annotations)
    for number, raw, parsed in reader.notes():
        causes = [cause for cause in parsed.findings if cause.code not in CONSEQUENCES] or parsed.findings
        for cause in causes:
            message = f"{cause.message} ({cause.detail})" if cause.detail else cause.message
            where = ".".join(map(str, cause.place))
            result.issues.append(Issue(cause.code, message, where=where, source=source, line=number))
        if any(cause.code.startswith("ERROR_") for cause in parsed.findings):
            result.unread.append((number, raw.decode("utf-8", "replace")))
    if reader.predictions():
        have = counted(reader.predictions(), "attribute has", "attributes have")
        message = f"{have} predictions of a model, which were not read as labels."
        result.issues.append(Issue("ENTRY_ADJUSTED", message, source=source))
    result.issues += reader.account().issues(source)
    undated = reader.bad_dates()
    if undated:
        have = counted(len(undated), "line has", "lines have")
        message = f"{have} an invalid creation-date. The current time was used instead."
        result.issues.append(Issue("ENTRY_ADJUSTED", message, source=source, line=undated[0]))
    return result


def _recognise(path: Path) -> bool:
    """Check whether the first non-blank line is an object with a ``source-ref``, regardless of the file extension."""
    try:
        with path.open("rb") as file:
            for raw in itertools.islice(file, 100):
                line = raw.removeprefix(b"\xef\xbb\xbf").strip()
                if line:
                    value = json.loads(line.decode())  # bytes may also be UTF-16, which is not read
                    return isinstance(value, dict) and SOURCE in value
    except (OSError, ValueError, RecursionError):
        return False
    return False


def placed(manifest: Contents, finder: ImageFinder, name: str) -> Contents:
    """Return the contents with the current locations of the images, and with boxes fitted to the images.

    ``name`` is the name of the manifest in messages.
    """
    images, annotations = manifest.images, manifest.annotations
    places = {image: finder.relocated(image) for image in images["image"].tolist()}
    repeated: list[Issue] = []
    if any(old != new for old, new in places.items()):
        first = {location: image for image, location in reversed(places.items())}
        for image in [image for image, location in places.items() if first[location] != image]:
            message = f"It was skipped because {places[image]!r} was already found for {first[places[image]]!r}."
            repeated.append(Issue("ENTRY_UNREADABLE", message, where=image))
            del places[image]
        if repeated:
            images = images[images["image"].isin(places)].reset_index(drop=True)
            annotations = annotations[annotations["image"].isin(places)].reset_index(drop=True)
        images = images.assign(image=images["image"].map(places))
        annotations = annotations.assign(image=annotations["image"].map(places))
    labels = t.labels_in_order(annotations)
    annotations, converted = in_pixels(images, annotations, name, judged=False)  # the service's rules
    images, annotations, fitted = fit_to_images(images, annotations)
    issues = [*manifest.issues, *repeated, *converted, *fitted, *without_area(annotations, name)]
    return Contents(images, annotations, labels, issues, manifest.unread)


def _read(path: Path, finder: ImageFinder) -> Contents:
    contents = placed(read_manifest(path), finder, to_uri(path))
    contents.taken.add(to_uri(path))
    return contents


def manifest_lines(
    images: pd.DataFrame, annotations: pd.DataFrame, *, labels: Iterable[str] | None = None, by_human: bool = True
) -> Iterator[str]:
    """Yield the lines of a manifest, without line breaks, in the order of ``images``.

    Images without annotations become lines with only a ``source-ref``, unless their status is "labelled". Polygons are
    written as their bounding boxes, and boxes from several jobs or models as one attribute each. If the tables are only
    part of a manifest, pass all ``labels`` in that manifest, so that each label has the same attribute throughout. Set
    ``by_human`` to False for model predictions. Otherwise the annotator of each annotation decides.
    """
    rows = _Rows(annotations, by_human)
    attributes = attribute_names(sorted(annotations["label"].unique() if labels is None else labels))
    latest = rows.dates[-1] if rows.dates else "1970-01-01T00:00:00"
    facts = (images[name].tolist() for name in ("image", "status"))
    for image, status, size, annotation_rows in zip(
        *facts, _sizes(images), rows.by_image(images["image"]), strict=True
    ):
        line: dict[str, Any] = {SOURCE: image}
        groups: dict[tuple[str, str, int] | None, list[int]] = {}
        for row in annotation_rows:
            job = rows.jobs[row]
            if rows.boxed[row]:
                # an attribute has one job and one date, but boxes without a job stay together
                groups.setdefault((job, rows.human[row], rows.created[row]) if job else None, []).append(row)
                continue
            label = rows.labels[row]
            line[attributes[label]] = 1
            line[attributes[label] + METADATA] = {
                "confidence": rows.confidences[row],
                "job-name": job or f"labeling-job/{label}",
                "class-name": label,
                "human-annotated": rows.human[row],
                "creation-date": rows.dates[rows.created[row]],
                "type": IMAGE_LEVEL,
            }
        for number, boxes in enumerate(groups.values(), 1):
            name = _BOX_ATTRIBUTE if number == 1 else f"{_BOX_ATTRIBUTE}-{number}"
            date = rows.dates[max([rows.created[row] for row in boxes])]
            line |= _box_attribute(name, size, rows, boxes, rows.jobs[boxes[0]], date, rows.human[boxes[0]])
        if not annotation_rows and status == "labelled":
            line |= _box_attribute(_BOX_ATTRIBUTE, size, rows, [], None, latest, "yes" if by_human else "no")
        yield orjson.dumps(line).decode()


class _Rows:
    """Columns of an annotations table as lists, with the rows of each image."""

    def __init__(self, annotations: pd.DataFrame, by_human: bool) -> None:
        self._images = annotations["image"]
        self.labels: list[str] = annotations["label"].tolist()
        self.confidences: list[float] = annotations["confidence"].tolist()
        jobs = [job if isinstance(job, str) and job else None for job in annotations["job"].tolist()]
        people = annotations["annotator"].astype(object).where(annotations["annotator"].notna(), None).tolist()
        named = [job_name_of(job, annotator) for job, annotator in zip(jobs, people, strict=True)]
        self.jobs = [job for job, _ in named]
        self.human = ["yes" if by_human and not machine else "no" for _, machine in named]
        self.crowds: list[bool] = annotations["crowd"].tolist()
        self.boxed: list[bool] = annotations["left"].notna().tolist()
        self.left, self.top, self.width, self.height = (annotations[side].tolist() for side in t.BOX_COLUMNS)
        # rank of each row's date, and the string for each distinct date
        codes, moments = pd.factorize(annotations["created"], sort=True)
        self.created: list[int] = codes.tolist()
        utc = moments.tz_convert("UTC").tz_localize(None).to_numpy(dtype="datetime64[us]")
        texts: list[str] = np.datetime_as_string(utc, unit="us").tolist()
        self.dates = [text.removesuffix(".000000") for text in texts]

    def by_image(self, images: pd.Series) -> Iterator[list[int]]:
        """Yield the row numbers of each image, in the order of the table."""
        codes = pd.Index(images).get_indexer(self._images)
        order = np.argsort(codes, kind="stable")
        ends = np.searchsorted(codes[order], np.arange(len(images) + 1)).tolist()
        ordered = order.tolist()
        return (ordered[start:end] for start, end in pairwise(ends))


def _sizes(images: pd.DataFrame) -> list[dict[str, int]]:
    has_size = images[["width", "height"]].notna().all(axis=1).tolist()
    sides = images[["width", "height"]].fillna(0).to_numpy(dtype="int64").tolist()
    return [
        {"width": width, "height": height, "depth": 3} if there else {}
        for there, (width, height) in zip(has_size, sides, strict=True)
    ]


def attribute_names(labels: list[str]) -> dict[str, str]:
    """Map each label to an attribute name that is safe, unique and not reserved."""
    result: dict[str, str] = {}
    taken = {SOURCE, *ADDED}
    for label in labels:
        safe = re.sub(r"[^A-Za-z0-9-]+", "-", label).strip("-")[:100] or "label"
        while safe.lower().endswith(METADATA):
            safe = safe[: -len(METADATA)].rstrip("-") or "label"
        if safe.lower().startswith((_BOX_ATTRIBUTE, "rekognition-custom-labels")):
            safe = f"label-{safe}"
        name, number = safe, 2
        while name.lower() in taken:
            name, number = f"{safe}-{number}", number + 1
        taken.add(name.lower())
        result[label] = name
    return result


def _box_attribute(
    name: str, size: dict[str, int], rows: _Rows, boxes: list[int], job: str | None, date: str, human: str
) -> dict[str, Any]:
    ids = {label: number for number, label in enumerate(sorted({rows.labels[row] for row in boxes}))}
    annotations = [
        {
            "class_id": ids[rows.labels[row]],
            "left": rows.left[row],
            "top": rows.top[row],
            "width": rows.width[row],
            "height": rows.height[row],
            **({"iscrowd": 1} if rows.crowds[row] else {}),
        }
        for row in boxes
    ]
    return {
        name: {"image_size": [size], "annotations": annotations},
        name + METADATA: {
            "objects": [{"confidence": rows.confidences[row]} for row in boxes],
            "class-map": {str(number): label for label, number in ids.items()},
            "type": BOXES,
            "human-annotated": human,
            "creation-date": date,
            "job-name": job or f"labeling-job/{_BOX_ATTRIBUTE}",
        },
    }


def _write_manifest(contents: Contents, path: Path) -> list[Path]:
    """Write a manifest. Missing sizes of images with boxes are read from the headers of local files."""
    images = _with_sizes(contents.images, contents.annotations)
    with replacing(path) as file, collection_paused():
        file.writelines(f"{line}\n".encode() for line in manifest_lines(images, contents.annotations))
    return [path]


def _with_sizes(images: pd.DataFrame, annotations: pd.DataFrame) -> pd.DataFrame:
    lacking = images["width"].isna()
    if not lacking.any():
        return images
    boxed = annotations.loc[annotations["left"].notna(), "image"]
    empty = (images["status"] == "labelled") & ~t.is_among(images["image"], annotations["image"])
    lacking &= images["image"].isin(boxed) | empty
    places = [path for path in images.loc[lacking, "image"].tolist() if not is_remote(path)]
    sizes = {path: seen for path, seen in zip(places, headers(places), strict=True) if isinstance(seen, ImageHeader)}
    if not sizes:
        return images
    images, rows = images.copy(), images["image"].isin(sizes)
    for side in ("width", "height"):
        images.loc[rows, side] = [getattr(sizes[path], side) for path in images.loc[rows, "image"]]
    return images


FORMAT = Format(
    "ground_truth",
    _recognise,
    _read,
    _write_manifest,
    frozenset({"image_labels", "boxes", "crowd", "confidence", "job", "created", "empty", "unlabelled", "size"}),
    machine_labels=True,
    empty="a label attribute without annotations",
    unlabelled="a line with only `source-ref`",
)
