"""Keep the entries of datasets: manifest lines as they were given, beside the images in the project's store.

The store decides which images and annotations a dataset has, because notebooks change it. A line is written anew only
if the annotations of its image differ from those that the line had. Lines with errors stay entries, and their images
are unlabelled in the store.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, KeysView, Mapping, Sequence
from datetime import datetime
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
from customlabels_nb.endpoints.ledger import Entry
from customlabels_nb.endpoints.rekognition.workspace import READY, RekognitionProject, other_split
from customlabels_nb.errors import ManifestError, OutdatedError, TableError
from customlabels_nb.store import Action
from customlabels_nb.store.frames import annotation_keys
from customlabels_nb.store.writing import ImportPart
from customlabels_nb.user_settings import settings

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
    images, annotations = reader.table().frames()
    read = set(images["image"])
    unread = pd.DataFrame({"image": [source for source, _ in lines if source not in read]}, dtype=t.TEXT)
    images = pd.concat([images, t.normalise_images(unread)]) if len(unread) else images
    order = {source: number for number, (source, _) in enumerate(lines)}
    images = images.iloc[np.argsort([order[source] for source in images["image"]])].reset_index(drop=True)
    findings = {note.number: note.parsed for note in reader.notes()}
    labels, valid = _labels_by_image(annotations), ParsedLine()
    entries = [
        _entry(source, raw, findings.get(number, valid), labels.get(source, {}))
        for number, (source, raw) in enumerate(lines, 1)
    ]
    return entries, images, annotations


def _entry(source: str, raw: bytes, checked: ParsedLine, labels: dict[str, bool]) -> Entry:
    """Return a line as an entry with its errors. It is labelled if it is valid and has a label attribute."""
    labelled = checked.state == "valid" and not (parsed(raw) or {}).keys() <= {SOURCE, *ADDED}
    errors = [each for each in checked.findings if not is_warning(each)]
    listed = [{"code": each.code, "message": each.message, "place": each.place} for each in errors]
    return Entry(source, source, raw, labelled, listed, labels)


def add_entries(served: RekognitionProject, split: str, lines: Lines, what: str) -> None:
    """Store lines: their images and annotations in the project, replacing those of known images, and the lines.

    With too many labels, nothing is stored.
    """
    store = served.project._store
    entries, images, annotations = read_entries(lines, served.folder.limits)
    most = served.folder.limits.max_labels
    if most is not None and annotations["label"].nunique() > most:
        raise manifest_error("ERROR_MANIFEST_TOO_MANY_LABELS")
    names = {source: source for source, _ in lines} | served.ledger.images_of([source for source, _ in lines])
    images = images.assign(image=images["image"].map(names).astype(t.TEXT))
    annotations = annotations.assign(image=annotations["image"].map(names).astype(t.TEXT))
    action = Action(what, settings.user, "Rekognition endpoint")
    for attempt in range(_ATTEMPTS):
        stored = store.tables(split, images["image"].tolist())[0]
        try:
            store.add_parts(split, [_part(images, annotations, stored["image"].tolist())], action)
            break
        except (OutdatedError, TableError):  # a notebook has added some of the images meanwhile
            if attempt == _ATTEMPTS - 1:
                raise
    states = _states(*store.tables(split, images["image"].tolist())[:2])
    placed = (_placed(entry, names[entry.source], states) for entry in entries)
    served.ledger.put_entries(split, placed)


def _part(images: pd.DataFrame, annotations: pd.DataFrame, stored_names: Sequence[str]) -> ImportPart:
    """Return the images to add, and how to replace the annotations of those in ``stored_names``."""
    is_known, of_known = t.is_among(images["image"], stored_names), t.is_among(annotations["image"], stored_names)
    new = images[~is_known].reset_index(drop=True), annotations[~of_known].reset_index(drop=True)

    def replaced(stored: pd.DataFrame, old: pd.DataFrame, _: object) -> tuple[pd.DataFrame, pd.DataFrame]:
        changed = annotations[t.is_among(annotations["image"], stored["image"])].reset_index(drop=True)
        return forget_where_changed(_with_statuses(stored, images), changed, stored, old), changed

    return ImportPart(*new, known=stored_names, edit=replaced if stored_names else None)


def refresh_entries(served: RekognitionProject) -> None:
    """Bring the ledger up to date with the store, unless a job changes the datasets. Wait for others that do so."""
    with served.refreshing:
        store, ledger = served.project._store, served.ledger
        last = store.last_action()
        seen = ledger.fact("action", [0, None])
        if last == seen[0] and seen[1] == _existing(served):
            return
        if not served.lock.acquire(blocking=False):
            return
        try:
            # whether only versions have changed, such as by training
            moment = None if seen[1] is None else ledger.fact("moment")
            same = seen[1] == _existing(served)
            if not (same and moment is not None and store.changes_since(datetime.fromisoformat(moment))[0] == 0):
                refresh_datasets(served)
            newest = store.actions(limit=1)
            if len(newest) and int(newest["id"].iloc[0]) == last:
                ledger.set_facts(action=[last, _existing(served)], moment=newest["created"].iloc[0].isoformat())
        finally:
            served.lock.release()


def refresh_datasets(served: RekognitionProject) -> None:
    """Compare all entries with the project's store. The caller holds the lock of the project."""
    with served.ledger.writing():
        for split in t.SPLITS:
            _refresh_dataset(served, split)


def _existing(served: RekognitionProject) -> list[str]:
    return [split for split in t.SPLITS if served.project._store.dataset(split) is not None]


def _refresh_dataset(served: RekognitionProject, split: t.Split) -> None:
    store, ledger = served.project._store, served.ledger
    record, state = store.dataset(split), ledger.datasets().get(split)
    if record is None:
        if state is not None and not state.is_busy:
            ledger.remove_dataset(split)
        return
    if state is None:
        ledger.add_dataset(split, record.status, READY, created=record.created.timestamp())
    images, annotations, _ = store.tables(split)
    states = _states(images, annotations)
    entries = _entries_of(served, split, states.keys())
    changed = [image for image, digest in states.items() if entries.get(image, (0, ""))[1] != digest]
    if changed:
        chosen, annotations = images[images["image"].isin(changed)], annotations[annotations["image"].isin(changed)]
        _rewrite(served, split, chosen, annotations, states)


def _entries_of(served: RekognitionProject, split: str, images: KeysView[str]) -> dict[str, tuple[int, str]]:
    """Return the ids and the states of the entries of ``images``, which are all images of a dataset.

    Entries of images from the other dataset are moved here, and those of images that are gone are removed. Entries of
    images that are now in the other dataset are moved when that one is refreshed.
    """
    ledger, other = served.ledger, other_split(split)
    select = "SELECT image, id, state FROM entries WHERE split = ?"
    entries = {image: (number, state) for image, number, state in ledger.rows(select, split)}
    if entries.keys() == images:
        return entries
    others = set(served.project._store.images(other)["image"])
    rows = ledger.rows(select, other)
    came = {image: (number, state) for image, number, state in rows if image in images and image not in others}
    ledger.move_entries([number for image, (number, _) in came.items() if image not in entries], split)
    entries = came | entries
    gone = [number for image, (number, _) in entries.items() if image not in images and image not in others]
    ledger.remove_entries(gone)
    return entries


def _rewrite(
    served: RekognitionProject, split: str, images: pd.DataFrame, annotations: pd.DataFrame, states: Mapping[str, str]
) -> None:
    """Write the lines of images whose annotations have changed, or that have none yet."""
    rows = served.ledger.rows("SELECT image, source, line FROM entries WHERE split = ?", split)
    old = {image: (source, line) for image, source, line in rows}
    buckets = served.folder.buckets
    named = {source: image for image, (source, _) in old.items()}
    sources: dict[str, str] = {}
    for image in images["image"]:
        source = old[image][0] if image in old else buckets.source_of(image, served.project.root)
        if named.setdefault(source, image) != image:  # a file and the object that it stands for
            named[source := buckets.external(image)] = image
        sources[image] = source
    lines = manifest_lines(
        images.assign(image=images["image"].map(sources)), annotations.assign(image=annotations["image"].map(sources))
    )
    written = [
        (source, _merged(line, old[image][1] if image in old else None))
        for (image, source), line in zip(sources.items(), lines, strict=True)
    ]
    entries, _, _ = read_entries(written, served.folder.limits)
    served.ledger.put_entries(split, (_placed(entry, named[entry.source], states) for entry in entries))


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


def _placed(entry: Entry, image: str, states: Mapping[str, str]) -> Entry:
    return Entry(image, entry.source, entry.line, entry.labelled, entry.findings, entry.labels, states.get(image, ""))


def _labels_by_image(table: pd.DataFrame) -> dict[str, dict[str, bool]]:
    """Map each image to its labels, and each of these to whether it is on a box."""
    labels: dict[str, dict[str, bool]] = {}
    for image, label, boxed in zip(table["image"], table["label"], table["left"].notna(), strict=True):
        of_image = labels.setdefault(image, {})
        of_image[label] = of_image.get(label, False) or bool(boxed)
    return labels


def _with_statuses(stored: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Return the stored images with the statuses of the lines, and the lines' sizes where the sizes are unknown."""
    rows = images.set_index("image")
    result = stored.assign(status=stored["image"].map(rows["status"]).astype(t.TEXT))
    for side in ("width", "height"):
        result[side] = result[side].fillna(stored["image"].map(rows[side]).astype("Int64"))
    return result


def _states(images: pd.DataFrame, annotations: pd.DataFrame) -> dict[str, str]:
    """Return a digest of the status and the annotations of each image."""
    keys = annotation_keys(annotations)
    return {
        image: hashlib.md5(repr((status, keys.get(image))).encode(), usedforsecurity=False).hexdigest()
        for image, status in zip(images["image"], images["status"], strict=True)
    }
