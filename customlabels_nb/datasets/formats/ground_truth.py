"""Ground Truth manifests: JSON Lines, one image a line.

Written is what the hosted service's documentation describes for image-level labels
(``groundtruth/image-classification``) and boxes (``groundtruth/object-detection``). Read are those, the output of
multi-label jobs, lines with only a ``source-ref``, and what validation made of any of them; a line that can't be read
whole is returned, with the code of what is wrong. An image that was looked at and shows nothing is a line with a box
attribute without boxes.
"""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import CODES, Issue
from customlabels_nb.core.limits import LOCAL
from customlabels_nb.datasets.formats.base import Contents, Format, ImageFinder
from customlabels_nb.datasets.formats.ground_truth_writing import attribute_names, manifest_lines, write_manifest
from customlabels_nb.datasets.formats.json_file import no_garbage_collection
from customlabels_nb.datasets.formats.manifest_files import UNUSABLE, LineSource, ManifestFile
from customlabels_nb.datasets.formats.manifest_sizes import fit_to_images
from customlabels_nb.datasets.formats.manifest_tables import ManifestReader, ManifestTable
from customlabels_nb.datasets.formats.manifest_values import SOURCE
from customlabels_nb.errors import ManifestError

__all__ = [
    "FORMAT",
    "Manifest",
    "attribute_names",
    "contents_of",
    "manifest_lines",
    "manifest_of",
    "placed",
    "read_manifest",
]

# findings that only say what follows from another one of their line
_CONSEQUENCES = frozenset(
    {"ERROR_NO_VALID_LABEL_ATTRIBUTES", "ERROR_NO_VALID_ANNOTATIONS", "WARNING_NO_ANNOTATIONS"}
)  # fmt: skip
_EMPTY = "ERROR_MANIFEST_IS_EMPTY"


@dataclass
class Manifest:
    """What a manifest says. ``unread`` has the number (from 1) and the raw text of lines that weren't read whole."""

    images: pd.DataFrame
    annotations: pd.DataFrame
    issues: list[Issue] = field(default_factory=list)
    unread: list[tuple[int, str]] = field(default_factory=list)


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Read a manifest file.

    Raises
    ------
    ManifestError
        If the file can't be read, is empty or has no line that can be read.
    """
    return manifest_of(ManifestFile(path), os.fspath(path))


def manifest_of(source: LineSource, name: str) -> Manifest:
    """What lines say; see :func:`read_manifest`. ``name`` is how an error calls them."""
    reader = ManifestReader(source, LOCAL)
    reader.read()
    manifest = contents_of(reader)
    if not len(manifest.images):
        code = UNUSABLE if manifest.unread else _EMPTY
        raise ManifestError(f"{name!r}: {CODES[code]}", code)
    return manifest


def contents_of(reader: ManifestReader, table: ManifestTable | None = None) -> Manifest:
    """The tables and issues of the lines that a reader has read; ``table`` spares asking it again."""
    source = reader.source.name
    with no_garbage_collection():
        images, annotations = (table or reader.table()).frames()
    result = Manifest(images, annotations)
    for number, raw, parsed in reader.notes():
        causes = [found for found in parsed.findings if found.code not in _CONSEQUENCES] or parsed.findings
        for found in causes:
            message = f"{found.message} ({found.detail})" if found.detail else found.message
            where = ".".join(map(str, found.place))
            result.issues.append(Issue(found.code, message, where=where, source=source, line=number))
        if any(found.code.startswith("ERROR_") for found in parsed.findings):
            result.unread.append((number, raw.decode("utf-8", "replace")))
    if reader.predictions():
        message = f"{reader.predictions():,} attributes hold what a model said; they were not read as labels."
        result.issues.append(Issue("ENTRY_ADJUSTED", message, source=source))
    undated = reader.bad_dates()
    if undated:
        message = f"{len(undated):,} lines give a creation-date that is none; the time of reading stands for it."
        result.issues.append(Issue("ENTRY_ADJUSTED", message, source=source, line=undated[0]))
    return result


def _recognise(path: Path) -> bool:
    """By the first line that isn't blank: an object with a ``source-ref``, under any extension."""
    try:
        with path.open("rb") as file:
            for raw in itertools.islice(file, 100):
                line = raw.removeprefix(b"\xef\xbb\xbf").strip()
                if line:
                    value = json.loads(line)
                    return isinstance(value, dict) and SOURCE in value
    except (OSError, ValueError, RecursionError):
        return False
    return False


def placed(manifest: Manifest, finder: ImageFinder) -> Contents:
    """The contents with the images where they lie now, and their boxes as they fit these."""
    images, annotations = manifest.images, manifest.annotations
    places = {image: finder.relocated(image) for image in images["image"].tolist()}
    repeated: list[Issue] = []
    if any(old != new for old, new in places.items()):
        first = {place: image for image, place in reversed(places.items())}
        for image in [image for image, place in places.items() if first[place] != image]:
            message = f"It is left out: {places[image]!r} was found for {first[places[image]]!r} already."
            repeated.append(Issue("ENTRY_UNREADABLE", message, where=image))
            del places[image]
        if repeated:
            images = images[images["image"].isin(places)].reset_index(drop=True)
            annotations = annotations[annotations["image"].isin(places)].reset_index(drop=True)
        images = images.assign(image=images["image"].map(places))
        annotations = annotations.assign(image=annotations["image"].map(places))
    labels = t.labels_in_order(annotations)
    images, annotations, said = fit_to_images(images, annotations)
    return Contents(images, annotations, labels, manifest.issues + repeated + said, manifest.unread)


def _read(path: Path, finder: ImageFinder) -> Contents:
    return placed(read_manifest(path), finder)


FORMAT = Format(
    "ground_truth",
    _recognise,
    _read,
    write_manifest,
    frozenset({"image_labels", "boxes", "confidence", "job", "created", "empty", "unlabelled", "size"}),
)
