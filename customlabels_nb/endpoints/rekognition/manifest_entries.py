"""Keep the entries of datasets: manifest lines as they were given, beside the images in the project's store.

The store decides which images and annotations a dataset has, because notebooks change it. A line is written again only
if the annotations of its image differ from those that the line had. Lines with errors stay entries, and their images
are unlabelled in the store.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import CODES
from customlabels_nb.core.limits import Limits
from customlabels_nb.datasets.formats.ground_truth import manifest_lines
from customlabels_nb.datasets.formats.manifest_lines import ManifestLines
from customlabels_nb.datasets.formats.manifest_tables import ManifestReader
from customlabels_nb.datasets.formats.manifest_values import (
    ADDED,
    BOXES,
    IMAGE_LEVEL,
    METADATA,
    SOURCE,
    LineFinding,
    ParsedLine,
    attributes_of,
    bucket_of,
    parsed,
)
from customlabels_nb.datasets.reviewed import forget_where_changed
from customlabels_nb.datasets.validation.written_files import dumped, is_warning, with_findings, without_findings
from customlabels_nb.endpoints.rekognition.stored_lines import (
    Entry,
    changed_images,
    put_entries,
    read_lines,
)
from customlabels_nb.endpoints.rekognition.workspace import RekognitionProject
from customlabels_nb.errors import ManifestError, OutdatedError, TableError
from customlabels_nb.store import Action
from customlabels_nb.store.frames import annotation_keys
from customlabels_nb.store.writing import ImportPart
from customlabels_nb.user_settings import settings

_log = logging.getLogger(__name__)

#: Lines that become entries, with their source-refs.
Lines = Sequence[tuple[str, bytes]]

_ATTEMPTS = 5
#: End of a line that was listed, see :func:`listed_line`.
_LISTED = re.compile(rb',"cl-metadata":\{"is_labeled": (?:true|false)\}\}\Z')
_TRACES = tuple(f'{key}"'.encode() for key in ("errors", "warnings", "cl-metadata"))


def manifest_error(code: str) -> ManifestError:
    """Return the error with one of the codes and messages of Rekognition's for whole manifests."""
    return ManifestError(CODES[code], code)


def usable_lines(source: Iterable[bytes], limits: Limits) -> Iterator[tuple[str | None, bytes]]:
    """Yield lines with their source-refs, or None if they cannot be entries: objects with an image on S3.

    Blank lines and the findings of an earlier validation are left out.
    """
    longest = limits.max_line_length
    for raw in source:
        line = _LISTED.sub(b"}", raw.removeprefix(b"\xef\xbb\xbf").strip())
        if not line:
            continue
        value = parsed(line) if longest is None or len(line) <= longest else None
        name = None if value is None else value.get(SOURCE)
        if value is None or not isinstance(name, str) or not t.storable(name) or bucket_of(name) is None:
            yield None, line
            continue
        yield name, dumped(value) if any(key in line for key in _TRACES) and without_findings(value) else line


def first_lines(lines: Iterable[tuple[str | None, bytes]]) -> dict[str, bytes]:
    """Return the usable lines by their source-refs, the first one of each image."""
    first: dict[str, bytes] = {}
    for source, line in lines:
        if source is not None:
            first.setdefault(source, line)
    return first


def read_entries(lines: Lines, limits: Limits) -> tuple[list[Entry], pd.DataFrame, pd.DataFrame]:
    """Check lines of images, or all of one ``image``, and return entries with tables of images and annotations."""
    reader = ManifestReader(ManifestLines("manifest", [raw for _, raw in lines]), limits)
    reader.read()
    for issue in reader.account().issues("manifest"):
        _log.info(issue.message)
    images, annotations = reader.table().frames()
    read = set(images["image"])
    unread = pd.DataFrame({"image": [source for source, _ in lines if source not in read]}, dtype=t.TEXT)
    images = pd.concat([images, t.normalise_images(unread)]) if len(unread) else images
    order = {source: number for number, (source, _) in enumerate(lines)}
    images = images.iloc[np.argsort([order[source] for source in images["image"]])].reset_index(drop=True)
    findings = {note.number: note.parsed for note in reader.notes()}
    valid = ParsedLine()
    entries = [_entry(source, raw, findings.get(number, valid)) for number, (source, raw) in enumerate(lines, 1)]
    return entries, images, annotations


def _entry(source: str, raw: bytes, checked: ParsedLine) -> Entry:
    """Return a line as an entry with its errors. It is labelled if it is valid and has a label attribute."""
    labelled = checked.state == "valid" and not (parsed(raw) or {}).keys() <= {SOURCE, *ADDED}
    errors = [each for each in checked.findings if not is_warning(each)]
    listed = [{"code": each.code, "message": each.message, "place": each.place} for each in errors]
    return Entry(source, source, raw, labelled, listed)


def add_entries(served: RekognitionProject, split: str, lines: Lines, what: str) -> None:
    """Store lines: their images and annotations, replacing those of known images, and the lines beside them.

    With too many labels, nothing is stored.
    """
    store, sources = served.store, [source for source, _ in lines]
    entries, images, annotations = read_entries(lines, served.folder.limits)
    most = served.folder.limits.max_labels
    if most is not None and annotations["label"].nunique() > most:
        raise manifest_error("ERROR_MANIFEST_TOO_MANY_LABELS")
    names = {source: source for source in sources}
    for place in sorted(t.SPLITS, key=lambda each: each == split):  # images of this dataset count
        names |= dict(read_lines(store, place, "source", "image", sources=sources))
    images = images.assign(image=images["image"].map(names).astype(t.TEXT))
    annotations = annotations.assign(image=annotations["image"].map(names).astype(t.TEXT))
    action = Action(what, settings.user, "Rekognition endpoint")
    for attempt in range(_ATTEMPTS):
        stored = store.tables(split, images["image"].tolist())[0]
        try:
            written = store.add_parts(split, [_part(images, annotations, stored["image"].tolist())], action)
            break
        except (OutdatedError, TableError):  # a notebook has added some of the images meanwhile
            if attempt == _ATTEMPTS - 1:
                raise
    states = _states(*store.tables(split, images["image"].tolist())[:2])
    if store.last_action() != written.action:  # a notebook may have changed some images meanwhile
        states = _states(images, annotations)  # with revision 0, so that a refresh compares them
    put_entries(store, split, _placed(entries, names, states))


def _part(images: pd.DataFrame, annotations: pd.DataFrame, stored_names: Sequence[str]) -> ImportPart:
    """Return the images to add, and how to replace the annotations of those in ``stored_names``."""
    is_known, of_known = t.is_among(images["image"], stored_names), t.is_among(annotations["image"], stored_names)
    new = images[~is_known].reset_index(drop=True), annotations[~of_known].reset_index(drop=True)

    def replaced(stored: pd.DataFrame, old: pd.DataFrame, _: object) -> tuple[pd.DataFrame, pd.DataFrame]:
        changed = annotations[t.is_among(annotations["image"], stored["image"])].reset_index(drop=True)
        return forget_where_changed(_with_statuses(stored, images), changed, stored, old), changed

    return ImportPart(*new, known=stored_names, edit=replaced if stored_names else None)


def refresh_entries(served: RekognitionProject) -> None:
    """Bring the lines up to date with their images, unless a job changes the datasets. Wait for others that do so."""
    with served.refreshing:
        last = served.store.last_action()
        if last == served.refreshed or not served.lock.acquire(blocking=False):
            return
        try:
            refresh_datasets(served)
            served.refreshed = last
        finally:
            served.lock.release()


def refresh_datasets(served: RekognitionProject) -> None:
    """Compare the lines of changed images with their annotations. The caller holds the lock of the project."""
    for split, images in changed_images(served.store).items():
        if images:
            _refresh(served, split, images)


def _refresh(served: RekognitionProject, split: str, names: Sequence[str]) -> None:
    """Write the lines of images whose annotations have changed, or that have none yet."""
    images, annotations, _ = served.store.tables(split, names)
    states = _states(images, annotations)
    revisions = {image: revision for image, (revision, _) in states.items()}
    rows = read_lines(served.store, split, "image", "line", "source", "state", images=names)
    stored = dict.fromkeys(states, (None, None, "")) | {image: tuple(row) for image, *row in rows}
    sources = _sources(served, split, {image: stored[image][1] for image in states})
    changed = {
        sources[image]: image for image, (_, state) in states.items() if stored[image][1:] != (sources[image], state)
    }
    chosen, marks = (table[table["image"].isin(changed.values())] for table in (images, annotations))
    lines = manifest_lines(
        chosen.assign(image=chosen["image"].map(sources)), marks.assign(image=marks["image"].map(sources))
    )
    written = [
        (source, _merged(line, stored[image][0])) for (source, image), line in zip(changed.items(), lines, strict=True)
    ]
    entries, _, _ = read_entries(written, served.folder.limits)
    put_entries(served.store, split, _placed(entries, changed, states), revisions)


def _sources(served: RekognitionProject, split: str, known: Mapping[str, str | None]) -> dict[str, str]:
    """Return the source-refs of images: those of their lines, unless other images of the dataset have them now."""
    buckets = served.folder.buckets
    sources = {image: source or buckets.source_of(image, served.project.root) for image, source in known.items()}
    rows = read_lines(served.store, split, "source", "image", sources=list(sources.values()))
    named = {source: image for source, image in rows if image not in known}
    for image, source in sources.items():
        if named.setdefault(source, image) != image:  # a file, and its object in a bucket
            sources[image] = buckets.external(image)
            named[sources[image]] = image
    return sources


def _merged(line: str, before: bytes | None) -> bytes:
    """Return a line with what the earlier line of the image has beyond boxes and labels that have changed."""
    new: dict[str, Any] = json.loads(line)
    old = None if before is None else parsed(before)
    if old is None:
        return line.encode()
    labels, attributes = _by_label(new), attributes_of(old)
    kept = {key: labels[label] for label, key in _by_label(old).items() if label in labels}
    size = next(filter(None, (old[key].get("image_size") for key in attributes if _is_boxes(old, key))), None)
    new = _without(new, kept.values())  # kept attributes stay as they were named
    old = _without(old, attributes, kept)
    for key in attributes_of(new):
        if _is_boxes(new, key) and new[key]["image_size"] == [{}] and size:
            new[key]["image_size"] = size
        if key in old or key + METADATA in old:  # the name of another attribute that is kept
            new[f"{key}-label"], new[f"{key}-label{METADATA}"] = new.pop(key), new.pop(key + METADATA)
    return dumped(old | new)


def _by_label(line: dict[str, Any]) -> dict[str, str]:
    """Map the labels of a line's image-level attributes to these attributes, the first of several."""
    keys = [key for key in attributes_of(line) if _type(line, key) == IMAGE_LEVEL]
    named = {key: line[key + METADATA].get("class-name") for key in keys}
    return {label: key for key, label in reversed(named.items()) if isinstance(label, str)}


def _without(line: Mapping[str, Any], attributes: Iterable[str], kept: Iterable[str] = ()) -> dict[str, Any]:
    gone = _with_metadata(attributes) - _with_metadata(kept)
    return {name: value for name, value in line.items() if name not in gone}


def _with_metadata(attributes: Iterable[str]) -> set[str]:
    return {name for key in attributes for name in (key, key + METADATA)}


def _is_boxes(line: Mapping[str, Any], key: str) -> bool:
    return _type(line, key) == BOXES and isinstance(line[key], dict)


def _type(value: Mapping[str, Any], key: str) -> Any:
    metadata = value[key + METADATA]
    return metadata.get("type") if isinstance(metadata, dict) else None


def listed_line(line: bytes, labelled: bool, findings: str | None) -> str:
    """Return a line as ListDatasetEntries shows it: with ``cl-metadata``, and ``cl-errors`` where they belong."""
    metadata = json.dumps({"is_labeled": labelled})
    if findings is None:
        start = line.decode("utf-8").rstrip()[:-1].rstrip()
        return _one_line(f'{start},"cl-metadata":{metadata}}}')
    value = parsed(line) or {}
    with_findings(
        value, [LineFinding(f["code"], f["message"], tuple(f["place"])) for f in json.loads(findings)], prefix="cl-"
    )
    return _one_line(dumped(value | {"cl-metadata": json.loads(metadata)}).decode("utf-8"))


def _one_line(text: str) -> str:
    # JSON has no line breaks but between tokens, and these two characters end lines elsewhere
    return text.replace("\r", " ").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x85", "\\u0085")


def _placed(
    entries: Iterable[Entry], images: Mapping[str, str], states: Mapping[str, tuple[int, str]]
) -> Iterator[Entry]:
    """Yield entries with their images by their sources, and what these are in the store now."""
    for entry in entries:
        if (state := states.get(image := images[entry.source])) is not None:
            yield Entry(image, entry.source, entry.line, entry.labelled, entry.findings, *state)


def _with_statuses(stored: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Return the stored images with the statuses of the lines, and the lines' sizes where the sizes are unknown."""
    rows = images.set_index("image")
    result = stored.assign(status=stored["image"].map(rows["status"]).astype(t.TEXT))
    for side in ("width", "height"):
        result[side] = result[side].fillna(stored["image"].map(rows[side]).astype("Int64"))
    return result


def _states(images: pd.DataFrame, annotations: pd.DataFrame) -> dict[str, tuple[int, str]]:
    """Return the revision of each image, and a digest of its status and annotations, without notes."""
    keys = annotation_keys(annotations.drop(columns="note"))
    rows = zip(images["image"], images["status"], images["revision"], strict=True)
    return {
        image: (revision, hashlib.md5(repr((status, keys.get(image))).encode(), usedforsecurity=False).hexdigest())
        for image, status, revision in rows
    }
