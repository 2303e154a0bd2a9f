"""Read and write Label Studio's files: JSON, a list of tasks, and JSON_MIN, a list of flat records.

A task has ``data`` with the image, ``annotations`` by people, each with a list of results, and ``predictions`` by
models. Results of the type ``choices`` are image-level labels. ``rectanglelabels``, ``polygonlabels``, ``brushlabels``
and ``labels`` are drawn in percent of the image size, which is ``original_width`` and ``original_height``, or is read
from the image. A rotated rectangle (in degrees clockwise around its top left corner) becomes a polygon, and so does a
brush mask. Of several annotations of a task the newest one is read. A task whose annotations were all cancelled is
skipped, one whose annotation is empty shows none of the labels, and one without annotations is unlabelled. Texts and
numbers in ``data`` become columns of the images table. ``split`` there is the split, ``note`` the note on the image.
``text`` in the ``meta`` of a result is the note on the annotation.

A task can have several images, under several keys of ``data`` or as a list under one. ``to_name`` of a result is the
name of an image control in the labelling configuration, which the file does not contain. It is known if it is a key of
``data``, or if there is one image. ``item_index`` selects an image of a list. Other results are reported, and so is
whatever else is in a file but is not imported.

The brush's run-length coding is that of thi.ng/rle-pack: the number of bytes (four for each pixel, the last is the
mask), the bits of a word, the bits of four kinds of run lengths, then runs of one word, and of different words.

Images served by Label Studio (``/data/upload/…``, ``/data/local-files/?d=…``) are looked up next to the file and in
``images`` there, or by ``images=``, uploads also without the prefix that Label Studio puts before their name. The
writer names images in its folder as local files. Polygons with holes or several parts are written as brush masks, with
their points in ``meta``, from which they are read again.

A record of JSON_MIN has the data of a task, its ``id``, the results under the names of their controls, and what is
known about the annotation. A record with an ``annotation_id`` of null and no results is written for an image that was
not annotated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd

from customlabels_nb._utils.files import replacing
from customlabels_nb.core import tables as t
from customlabels_nb.core.geometry import ltwh_to_ratios, rotate_box
from customlabels_nb.core.masks import MOST_PIXELS, Mask, polygon_of_mask, polygon_to_mask, row_runs
from customlabels_nb.core.polygons import Polygon, rings_of, to_one_ring
from customlabels_nb.datasets.formats.account import ELSEWHERE, NUMBER, TAKEN, TEXT, Fate, Ignored, Record, Taken
from customlabels_nb.datasets.formats.base import Contents, Format, ImageFinder
from customlabels_nb.datasets.formats.entries import (
    MOMENT,
    Box,
    Collector,
    Places,
    Size,
    UnreadableError,
    box_around,
    checked_box,
    is_here,
    is_readable,
    listed_name,
    moment_or_none,
    own_values,
    sizes_of_drawn,
    split_of,
    with_annotations,
)
from customlabels_nb.datasets.formats.json_file import (
    as_list,
    as_rings,
    file_in,
    first_entry,
    load,
    measured,
    number_or_none,
    outer_keys,
    shown,
    size_of,
    unusable,
    write_array,
)
from customlabels_nb.datasets.formats.verdicts import Verdict, are_ratios, judge, scaled_polygon
from customlabels_nb.errors import InputError, LabelError
from customlabels_nb.images.locations import is_remote, to_uri
from customlabels_nb.images.reading import READ_SUFFIXES

_FILE = "label_studio.json"
_DRAWN = {"rectanglelabels": "rectangle", "polygonlabels": "polygon", "brushlabels": "brush", "labels": ""}
_CHOICES = "choices"
_SIDES = ("x", "y", "width", "height")
_LISTS = ("annotations", "completions", "predictions")
_FARTHEST = 1e12  # percent
_MOST_CODES = 2**23  # bytes of a brush mask
_RUN_BITS = (3, 4, 8, 16)
_LOCAL = "/data/local-files/?d="
_UPLOAD = re.compile(r"(?:^|/)upload/\d+/([^?#]+)")
_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-(?=.)")
_YEARS = range(1900, 2200)
_OTHER_MEDIA = (
    ".mp4",
    ".mov",
    ".avi",
    ".mkv",
    ".webm",
    ".m4v",
    ".wav",
    ".mp3",
    ".flac",
    ".ogg",
    ".txt",
    ".csv",
    ".html",
)
_SIGNS = ("rectanglelabels", "polygonlabels", "brushlabels", "rle")
_OUTLINE = frozenset({"x", "points", "rle"})
_NOT_OWN = {"image", "width", "height", "split", "note"}  # keys of the data that reading takes for these
# fields that are read, or that only the server needs
_ABOUT = ("annotator", "annotation_id", "created_at", "updated_at", "lead_time")
_SERVER = (
    "id", *_ABOUT, "number", "file_upload", "inner_id", "project", "updated_by", "task",
    "completed_at", "total_annotations", "cancelled_annotations", "total_predictions", "is_labeled", "overlap",
    "agreement", "comment_count", "unresolved_comment_count", "last_comment_updated_at", "comment_authors",
    "annotators", "reviewers", "storage_filename", "allow_skip",
    # of annotations and predictions
    "completed_by", "was_cancelled", "ground_truth", "draft_created_at", "prediction", "result_count",
    "unique_id", "import_id", "last_action", "bulk_created", "parent_prediction", "parent_annotation",
    "last_created_by", "created_username", "created_ago", "model_version", "model", "model_run", "score", "cluster",
    "neighbors",
)  # fmt: skip
_FIELDS: dict[str, Fate] = {
    **dict.fromkeys(_SERVER, Ignored("it is read, or only the server needs it")),
    **dict.fromkeys(("data", *_LISTS, "drafts", "result"), ELSEWHERE),
    **dict.fromkeys(("completed_by", "annotator"), Taken(lambda value: _person(value) is not None, "person")),
    **dict.fromkeys(("created_at", "updated_at"), MOMENT),
    "model_version": TEXT,
    "score": NUMBER,
}
_VALUE: dict[str, Fate] = {
    "meta": ELSEWHERE,
    **dict.fromkeys((*_SIDES, *_DRAWN, _CHOICES, "points", "rle", "rotation"), TAKEN),
    **dict.fromkeys(("original_width", "original_height"), NUMBER),
    **dict.fromkeys(("closed", "format"), Ignored("all outlines are closed, and there is one format")),
}
_RESULT = Record(
    "a result",
    {
        **_VALUE,
        **dict.fromkeys(("type", "item_index", "score"), TAKEN),
        **dict.fromkeys(("from_name", "to_name"), TEXT),
        **dict.fromkeys(
            ("id", "origin", "readonly", "hidden", "locked", "selected"), Ignored("how the result is shown")
        ),
        "image_rotation": NUMBER,
        "value": Record("a result", _VALUE),
        "meta": Record("the meta of a result", {"rings": TAKEN, "text": TAKEN}),
    },
)


def _recognise(path: Path) -> bool:
    file = file_in(path, _FILE)
    keys, head = outer_keys(file, of_first=True)
    if keys.get("data") != "{" and not ("[" in map(keys.get, _LISTS) and '"result"' in head):
        return False
    if (task := first_entry(head)) is None:
        return True
    data, listed = task.get("data"), "[" in map(keys.get, _LISTS)  # tasks without images are recognised to say so
    return isinstance(data, dict) and bool(
        _image_keys(data, _Targets.of([task])) or (listed and _texts([*data.values()]))
    )


def _recognise_records(path: Path) -> bool:
    keys, head = outer_keys(file_in(path, _FILE), of_first=True)
    if not ({"annotation_id", "id"} <= keys.keys() or any(f'"{name}"' in head for name in _SIGNS)):
        return False
    record = first_entry(head)
    return (
        bool(keys)
        if record is None or keys.keys() >= {"annotation_id", "id", "lead_time"}
        else bool(_image_keys(record, _Targets()))
    )


# -- reading ----------------------------------------------------------------------------------------


def _read(path: Path, finder: ImageFinder) -> Contents:
    path = file_in(path, _FILE)
    entries = load(path, list)
    if not entries:
        raise unusable(path, "it contains no tasks")
    tasks = list(_tasks(entries))
    targets = _Targets.of([task for _, task in tasks])
    without = [data for _, task in tasks if (data := _data_of(task)) and not _image_keys(data, targets)]
    if len(without) == len(tasks):
        first = shown(_data_of(entries[0]) or entries[0])
        raise unusable(
            path,
            f"Label Studio's tasks about videos, audio and text are not read, such as {first}. Label the frames of a "
            "video as images",
        )
    reader = _Reader(path, finder, targets)
    for number, task in tasks:
        try:
            reader.read_task(task, f"task {number}")
        except (UnreadableError, InputError) as error:
            reader.collected.unreadable(str(error), where=f"task {number}")
    return reader.contents()


def _data_of(task: object) -> dict[str, Any]:
    data = task.get("data") if isinstance(task, dict) else None
    return data if isinstance(data, dict) else {}


def _tasks(entries: list[Any]) -> Iterator[tuple[int, object]]:
    """Yield the number of each task and the task. Records of JSON_MIN about one task are joined to a task."""
    joined: dict[Any, dict[str, Any]] = {}
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or isinstance(entry.get("data"), dict):
            yield number, entry
            continue
        data, results = _split_record(entry)
        identity = entry.get("id") if isinstance(entry.get("id"), int | str) else f"record {number}"
        task = joined.setdefault(identity, {"data": data, "annotations": [], "number": number})
        if results or entry.get("annotation_id", 0) is not None:
            about = {name: entry[name] for name in _ABOUT if name in entry}
            task["annotations"].append({**about, "result": results, "completed_by": entry.get("annotator")})
    yield from ((task["number"], task) for task in joined.values())


def _split_record(record: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the data of a record of JSON_MIN, and its results, which are what is drawn and what follows its id."""
    names = list(record)
    end = next((n for n, name in enumerate(names) if name in ("annotator", "annotation_id")), len(names))
    controls = set(names[names.index("id") + 1 : end] if "id" in record else ())
    data, results = {}, []
    for name in (name for name in names if name not in (*_ABOUT, "id")):
        values = record[name] if isinstance(record[name], list) else [record[name]]
        if name in controls or any(isinstance(item, dict) for item in values):
            results += [_result_of(name, item) for item in values]
        else:
            data[name] = record[name]
    return data, results


def _result_of(name: str, item: object) -> dict[str, Any]:
    """Return an item under the name of a control as the result of a task."""
    value = {_CHOICES: [item]} if isinstance(item, str) else item
    return {"value": value, "from_name": name, "meta": item.get("meta") if isinstance(item, dict) else None}


@dataclass
class _Targets:
    """Names in ``to_name``: all, those of results with an outline, and those that are not a key of any task's data."""

    names: set[str] = field(default_factory=set)
    drawn: set[str] = field(default_factory=set)
    loose: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, tasks: list[object]) -> _Targets:
        targets, keys = cls(), set[str]()
        for task in tasks:
            if not isinstance(task, dict):
                continue
            keys.update(data if isinstance(data := task.get("data"), dict) else ())
            for entry in chain.from_iterable(as_list(task.get(name)) for name in _LISTS):
                for result in as_list(entry.get("result")) if isinstance(entry, dict) else ():
                    if isinstance(result, dict) and isinstance(name := result.get("to_name"), str):
                        targets.names.add(name)
                        if isinstance(value := result.get("value"), dict) and not _OUTLINE.isdisjoint(value):
                            targets.drawn.add(name)
        targets.loose = targets.names - keys
        return targets

    def fits(self, name: str, key: str) -> bool:
        """Check whether a control called ``name`` shows the image ``key``, which is the only image of the task."""
        if self.drawn:
            return name in self.drawn
        return key not in self.names and len(self.loose) == 1


_Target = Callable[[dict[str, Any]], str]
_Outline = tuple[Box, "Polygon | None", Size]
_Read = dict[str, list[bool]]


class _NoImageError(UnreadableError):
    """Error with what a result is about, which is not an image."""


@dataclass
class _Drawn:
    """Result whose outline is in percent of an image size that may still be unknown."""

    uri: str
    kind: str
    value: dict[str, Any]
    result: dict[str, Any]
    labels: list[str]
    facts: dict[str, Any]
    where: str


class _Reader:
    """Reader of tasks. Outlines are converted to pixels at the end, when all image sizes are known."""

    def __init__(self, path: Path, finder: ImageFinder, targets: _Targets) -> None:
        self._base, self._finder, self._targets = path.parent, finder, targets
        self._places = Places(finder)
        self.collected = Collector(to_uri(path))
        self._drawn: list[_Drawn] = []
        self._read: _Read = {}
        self._chosen_with: dict[str, dict[object, str]] = {}  # the controls of each choice, and where they were used

    def read_task(self, task: object, where: str) -> None:
        """Read a task, or raise UnreadableError or InputError."""
        collected = self.collected
        if not isinstance(task, dict):
            raise UnreadableError(f"It is {shown(task)}, not an object.")
        data = task.get("data")
        if not isinstance(data, dict):
            raise UnreadableError(f"Its data is {shown(data)}, not an object.")
        images = self._images(data, where)
        own = list(dict.fromkeys(uri for uri in chain(*images.values()) if uri not in collected.images))
        if not own:
            return
        size = size_of(data.get("width"), data.get("height")) if len(own) == 1 else None
        used = {*images, "split", *(("width", "height") if size else ())}
        facts = collected.columns({name: value for name, value in data.items() if name not in used}, where)
        annotation, status = self._chosen(task, where)
        for uri in own:
            collected.add_image(uri, size=size, split=split_of(data.get("split")), status=status, own=facts)
        collected.account.record(task, Record("a task", _FIELDS), where)
        if drafts := as_list(task.get("drafts")):
            collected.account.add("draft of an annotation", where, len(drafts))
        target = partial(self._target, images=images, data=data)
        if annotation is not None:
            read: _Read = {uri: [] for uri in own}
            by = {"annotator": _annotator(annotation), "created": _moment(annotation)}
            collected.account.record(annotation, Record("an annotation", _FIELDS), where)
            if annotation.get("ground_truth") is True:
                collected.account.add("mark 'ground_truth'", where)
            self._read_results(annotation.get("result"), target, read, where, by)
            self._read |= read
        self._read_predictions(task, target, own, where)

    def _images(self, data: dict[str, Any], where: str) -> dict[str, list[str]]:
        """Return the URIs of the images under each key of the data, and report those of earlier tasks."""
        keys = _image_keys(data, self._targets)
        if not keys:
            raise UnreadableError(f"Its data has no image: {shown(data)}.")
        images: dict[str, list[str]] = {key: [] for key in keys}
        for key in keys:
            for name in _texts(data[key]):
                uri = self._image(name, where)
                images[key].append(uri)
                if uri in self.collected.images:
                    self.collected.unreadable(f"An earlier task has the same image, {shown(name)}.", where=where)
        return images

    def _read_predictions(self, task: dict[str, Any], target: _Target, images: list[str], where: str) -> None:
        for number, prediction in enumerate(as_list(task.get("predictions")), 1):
            if not isinstance(prediction, dict):  # an id
                self.collected.account.add("prediction without its results", where)
                continue
            version = prediction.get("model_version")
            usable = isinstance(version, str) and version.strip() and t.storable(version)
            score = number_or_none(prediction.get("score"))
            model = str(version).strip() if usable else "unknown"
            by = {"model": model, "created": _moment(prediction), "score": 1.0 if score is None else score}
            origin = f"{where}, prediction {number}"
            self.collected.account.record(prediction, Record("a prediction", _FIELDS), origin)
            self._read_results(prediction.get("result"), target, {uri: [] for uri in images}, origin, by)

    def contents(self) -> Contents:
        why_unknown = self._size_images()
        outlines = [self._outline(drawn, why_unknown.get(drawn.uri)) for drawn in self._drawn]
        self._add_outlines(outlines)
        for uri, read in self._read.items():
            self.collected.settle(uri, read)
        self._report_shared_choices()
        self.collected.count_missing(self._finder)
        return self.collected.contents([])

    def _size_images(self) -> dict[str, str]:
        """Set the sizes of images with outlines, and return why others are unknown."""
        images = self.collected.images
        for drawn in self._drawn:
            size = _given_size(drawn.result, drawn.value)
            if size is not None and images[drawn.uri]["width"] is None:
                images[drawn.uri]["width"], images[drawn.uri]["height"] = size
        waiting = {drawn.uri for drawn in self._drawn if images[drawn.uri]["width"] is None}
        unknown: dict[str, str] = {}
        for uri, measure in measured(sorted(waiting)):
            if isinstance(measure, str):
                unknown[uri] = measure
            else:
                images[uri]["width"], images[uri]["height"] = measure
        return unknown

    def _outline(self, drawn: _Drawn, why_unknown: str | None) -> _Outline | None:
        """Return the box, polygon and image size of an outline, or None after reporting why it cannot be read."""
        image = self.collected.images[drawn.uri]
        try:
            if why_unknown is not None:
                raise UnreadableError(f"It is in percent of the image size, which is unknown: {why_unknown}")
            size = _given_size(drawn.result, drawn.value) or (image["width"], image["height"])
            box, polygon = _outline(drawn, size)
            self.collected.check_area(box, where=drawn.where)
            return box, polygon, size
        except UnreadableError as error:
            self.collected.unreadable(str(error), where=drawn.where)
            return None

    def _add_outlines(self, outlines: list[_Outline | None]) -> None:
        """Add an annotation for each label of the outlines, after judging these together."""
        verdicts = self._verdicts(outlines)
        for drawn, outline, verdict in zip(self._drawn, outlines, verdicts, strict=True):
            readable = outline is not None and verdict != Verdict.UNREADABLE
            if "model" not in drawn.facts:
                self._read[drawn.uri].append(readable)
            if outline is None or not readable:
                continue
            box, polygon, size = outline
            if verdict == Verdict.PIXELS:
                factor = 100 / np.array(size)
                box, polygon = checked_box(np.array(box) * np.tile(factor, 2)), scaled_polygon(polygon, factor)
            for label in drawn.labels:
                self.collected.add_annotation(drawn.uri, label, box, polygon=polygon, **drawn.facts)

    def _verdicts(self, outlines: list[_Outline | None]) -> list[int]:
        """Judge the outlines in percent of the image size together, and report what is changed or left out."""
        pairs = zip(self._drawn, outlines, strict=True)
        in_percent = [None if "rle" in drawn.value else outline for drawn, outline in pairs]
        boxes = np.array([outline[0] if outline else [np.nan] * 4 for outline in in_percent]).reshape(-1, 4)
        sizes = np.array([outline[2] if outline else [np.nan] * 2 for outline in in_percent]).reshape(-1, 2)
        percents = ltwh_to_ratios(boxes, sizes) * 100
        judged = judge(percents, sizes, unit="percent")
        for verdict, message, first in judged.findings():
            say = self.collected.unreadable if verdict == Verdict.UNREADABLE else self.collected.adjusted
            say(message, where=self._drawn[first].where)
        if are_ratios(percents):
            why = f"All outlines ({len(outlines):,}) look like ratios, but were read as percent of the image size."
            self.collected.adjusted(f"{why} Convert them in the file if that is wrong.", where=self._drawn[0].where)
        verdicts: list[int] = judged.verdicts.tolist()
        return verdicts

    def _report_shared_choices(self) -> None:
        for label, controls in self._chosen_with.items():
            if len(controls) > 1:
                of = " and ".join(f"{shown(name)} ({where})" for name, where in islice(controls.items(), 3))
                why = f"{shown(label)} is a choice of the controls {of}. Both were read as one label."
                self.collected.adjusted(f"{why} If they differ, rename one of them in the file.", where=label)

    def _image(self, image: str, where: str) -> str:
        """Return the URI of an image, which may be a file that Label Studio serves."""
        if image.startswith("data:"):
            raise UnreadableError("The image is embedded in the file, which is not supported.")
        folders = [self._base, self._base / "images"]
        upload = _UPLOAD.search(image)
        if upload is None:
            name = unquote(image.partition(_LOCAL)[2].partition("&")[0]) if _LOCAL in image else image
            return self._places.beside(name, folders, image)
        name = unquote(upload[1])
        uri = self._places.beside(name, folders, image)
        plain = _UPLOAD_PREFIX.sub("", name)
        if is_remote(uri) or is_here(uri):
            return uri
        if plain != name:
            other = self._places.beside(plain, folders, image)
            if is_here(other):
                self._places.not_missing(name)
                return other
            self._places.not_missing(plain)
        if not self._finder.missing:
            why = f"The photo {shown(name)} is in Label Studio's folder of uploads. Pass its location with images=."
            self.collected.adjusted(why, where=where)
        return uri

    def _chosen(self, task: dict[str, Any], where: str) -> tuple[dict[str, Any] | None, str]:
        """Return the annotation of a task that counts, or None, and the status of the image."""
        annotations = self._annotations(task.get("annotations", task.get("completions")), where)
        finished = [entry for entry in annotations if entry.get("was_cancelled") is not True]
        if cancelled := sum(len(as_list(e.get("result"))) for e in annotations if e.get("was_cancelled") is True):
            self.collected.account.add("result of a cancelled annotation", where, cancelled)
        if not finished:
            return None, "skipped" if annotations else "unlabelled"
        earliest = datetime.min.replace(tzinfo=UTC)
        newest = max(reversed(finished), key=lambda entry: _moment(entry) or earliest)
        if len(finished) > 1:
            others = ", ".join(str(_annotator(entry)) for entry in finished if entry is not newest)
            by = _annotator(newest)
            which = f"The newest, by {by}, was read, not those by {others}." if by else "Only the newest was read."
            why = f"It has {len(finished)} annotations. {which}"
            self.collected.adjusted(why[:1000], where=where)
        return newest, "labelled"

    def _annotations(self, listed: object, where: str) -> list[dict[str, Any]]:
        """Return the annotations of a task, and report those that are not objects."""
        annotations = [entry for entry in as_list(listed) if isinstance(entry, dict)]
        if len(annotations) < len(as_list(listed)) or not isinstance(listed, list | None):
            self.collected.unreadable(f"Some of its annotations are not objects: {shown(listed)}.", where=where)
        return annotations

    def _target(self, result: dict[str, Any], images: dict[str, list[str]], data: dict[str, Any]) -> str:
        """Return the URI of the image that a result is about, or raise UnreadableError if it is unknown."""
        name = to if isinstance(to := result.get("to_name"), str) else None
        only = next(iter(images)) if len(images) == 1 else None
        if name in images:
            pages = images[name]
        elif name in data:
            raise _NoImageError(f"result about {shown(name)}")
        elif only is not None and (name is None or self._targets.fits(name, only)):
            pages = images[only]
        else:
            names = ", ".join(map(shown, images))
            why = f"Its to_name {shown(name)} does not say which image of the task it is about: {names}."
            raise UnreadableError(f"{why} Set it to one of these in the file.")
        page = result.get("item_index")
        if len(pages) == 1:
            return pages[0]
        if isinstance(page, int) and 0 <= page < len(pages):
            return pages[page]
        raise UnreadableError(f"Its item_index {shown(page)} is not the position of an image among {len(pages)}.")

    def _read_results(self, results: object, target: _Target, read: _Read, where: str, facts: dict[str, Any]) -> None:
        """Read the results of an annotation, or of a prediction, which has a score among its facts.

        ``read`` has the images of the task. False is added for each result that is not imported, True for each
        image-level label, and nothing for outlines.
        """
        entries = as_list(results)
        if not isinstance(results, list | None):
            self.collected.unreadable(f"Its result is {shown(results)}, not an array.", where=where)
            _none_of(read)
        labelled = {
            str(entry.get("id")) for entry in entries if isinstance(entry, dict) and entry.get("type") in list(_DRAWN)
        }
        for number, entry in enumerate(entries, 1):
            place, uri = f"{where}, result {number}", None
            try:
                if (left_out := _left_out(entry, labelled)) is not None:
                    if left_out:
                        self.collected.account.add(left_out, place)
                        _none_of(read)
                    continue
                uri = target(entry)
                if uri in read:  # else an earlier task has this image, which is reported
                    self._read_result(entry, uri, read[uri], place, facts)
            except _NoImageError as error:
                self.collected.account.add(str(error), place)
            except (UnreadableError, LabelError) as error:
                self.collected.unreadable(str(error), where=place)
                _none_of(read if uri is None else {uri: read[uri]})

    def _read_result(
        self, entry: dict[str, Any], uri: str, read: list[bool], where: str, facts: dict[str, Any]
    ) -> None:
        """Read a result about an image, or raise UnreadableError or LabelError."""
        collected, value = self.collected, entry["value"]
        kind = str(_kind(entry, value))
        names = value.get(kind)
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise UnreadableError(f"Its {kind} are {shown(names)}, not a list of labels.")
        labels = [collected.label(name) for name in names]
        facts = dict(facts)
        if (usual := facts.pop("score", None)) is not None:
            score = usual if entry.get("score") is None else entry["score"]
            facts["confidence"] = collected.confidence(number_or_none(score), score, what="score", where=where)
        collected.account.record(entry, _RESULT, where)
        if isinstance(meta := entry.get("meta"), dict):
            facts["note"] = collected.note("\n".join(_texts(meta.get("text"))), where)
        if (turned := number_or_none(entry.get("image_rotation"))) and turned % 360:
            collected.account.add("rotation of the image on the screen", where)
        if kind != _CHOICES:
            self._drawn.append(_Drawn(uri, kind, value, entry, labels, facts, where))
            return
        for label in dict.fromkeys(labels):
            self._chosen_with.setdefault(label, {}).setdefault(str(entry.get("from_name")), where)
            collected.add_annotation(uri, label, **facts)
        read.append(True)


def _none_of(read: _Read) -> None:
    """Note for all images that a result which may be about them was not imported."""
    for results in read.values():
        results.append(False)


def _kind(entry: dict[str, Any], value: dict[str, Any]) -> object:
    return entry.get("type", next((name for name in (*_DRAWN, _CHOICES) if name in value), None))


def _left_out(entry: object, labelled: set[str]) -> str | None:
    """Return what a result that is not imported is called, "" if the file repeats it, or None for other results."""
    if isinstance(entry, dict) and entry.get("type") == "relation":
        return "relation"
    if not isinstance(entry, dict) or not isinstance(value := entry.get("value"), dict):
        raise UnreadableError(f"It is {shown(entry)}, which has no value.")
    kind = _kind(entry, value)
    if kind not in (*_DRAWN, _CHOICES):
        if kind is None:
            return f"result of the control {shown(entry.get('from_name'))}"
        repeated = kind in _DRAWN.values() and str(entry.get("id")) in labelled
        return "" if repeated else f"result of the type {shown(kind)}"
    if kind == _CHOICES and not _OUTLINE.isdisjoint(value):
        return "choice for a region"
    return "label of a text" if kind == "labels" and "start" in value and _OUTLINE.isdisjoint(value) else None


def _texts(value: object) -> list[str]:
    """Return a text or a list of texts as a list, which is empty for any other value."""
    values = value if isinstance(value, list) else [value]
    texts = [text for text in values if isinstance(text, str) and text]
    return texts if len(texts) == len(values) else []


def _is_image(text: str) -> bool:
    name = text.partition("?")[0].lower()
    served = (_LOCAL in text or _UPLOAD.search(text) is not None) and not text.lower().endswith(_OTHER_MEDIA)
    return served or name.endswith(tuple(READ_SUFFIXES))


def _image_keys(data: dict[str, Any], targets: _Targets) -> list[str]:
    """Return the keys of the images in the data of a task, which depend on the labelling configuration."""
    texts = {name: its for name, value in data.items() if (its := _texts(value))}
    keys = [name for name, its in texts.items() if name in ("image", *targets.drawn) or all(map(_is_image, its))]
    if named := [name for name in keys if name in targets.names]:
        return named
    return ["image"] if "image" in keys and len(targets.drawn or targets.names) < 2 else keys


def _moment(entry: dict[str, Any]) -> datetime | None:
    moment = moment_or_none(entry.get("updated_at")) or moment_or_none(entry.get("created_at"))
    return moment.replace(tzinfo=UTC) if moment and moment.year in _YEARS else None


def _annotator(annotation: dict[str, Any]) -> str | None:
    return _person(annotation.get("completed_by"))


def _person(by: object) -> str | None:
    name = by.get("email", by.get("id")) if isinstance(by, dict) else by
    return str(name) if isinstance(name, str | int) and t.storable(str(name)) else None


def _given_size(result: dict[str, Any], value: dict[str, Any]) -> Size | None:
    sizes = (size_of(entry.get("original_width"), entry.get("original_height")) for entry in (result, value))
    return next(filter(None, sizes), None)


def _outline(drawn: _Drawn, size: Size) -> tuple[Box, Polygon | None]:
    value = drawn.value
    scale = np.array(size) / 100
    kind = _DRAWN[drawn.kind] or ("brush" if "rle" in value else "polygon" if "points" in value else "rectangle")
    if kind == "brush":
        return _of_brush(drawn, size)
    if kind == "polygon":
        points = as_list(value.get("points"))
        ring = [_numbers(point) for point in points if isinstance(point, list) and len(point) == 2]
        if len(ring) < 3 or len(ring) < len(points):
            raise UnreadableError(f"{shown(value.get('points'))} are not three or more points.")
        polygon: Polygon = (np.array(ring) * scale).tolist()
        return box_around(polygon), polygon
    sides = _numbers([value.get(name) for name in _SIDES])
    if min(sides[2:]) < 0:
        raise UnreadableError("Its width or height is negative.")
    box = checked_box((np.array(sides) * np.tile(scale, 2)).tolist())
    turned = value.get("rotation")
    degrees = 0.0 if turned is None else _numbers([turned])[0]
    if not degrees % 360:
        return box, None
    corners: Polygon = rotate_box(box, degrees, box[:2]).tolist()
    return box_around(corners), corners


def _numbers(values: list[Any]) -> list[float]:
    numbers = [number for value in values if (number := number_or_none(value)) is not None and abs(number) < _FARTHEST]
    if len(numbers) < len(values):
        raise UnreadableError(f"{shown(values)} are not numbers.")
    return numbers


def _of_brush(drawn: _Drawn, size: Size) -> tuple[Box, Polygon]:
    codes = drawn.value.get("rle")
    if not isinstance(codes, list) or len(codes) > _MOST_CODES:
        raise UnreadableError(f"Its rle is not a list of at most {_MOST_CODES:,} bytes.")
    meta = drawn.result.get("meta")
    rings, parts = as_rings(meta.get("rings") if isinstance(meta, dict) else [])
    try:
        mask = decode_brush(bytes(codes), size)
        polygon = polygon_of_mask(mask, rings if len(rings) == parts else [])
    except (ValueError, TypeError) as error:
        raise UnreadableError(f"Its brush mask cannot be read: {error}") from error
    except InputError as error:
        raise UnreadableError(str(error)) from error
    if polygon is None:
        raise UnreadableError("Its brush mask is empty.")
    return box_around(polygon), polygon


def decode_brush(data: bytes, size: Size) -> Mask:
    """Decode a brush mask of ``size`` (width, height) to 0 and 1, shape (height, width), or raise ValueError."""
    bits, position = bin(int.from_bytes(b"\1" + data))[3:], 0

    def take(count: int) -> int:
        nonlocal position
        position += count
        if position > len(bits):
            raise ValueError("the data end too early")
        return int(bits[position - count : position], 2)

    width, height = size
    total, word = take(32), take(5) + 1
    if total != 4 * width * height or width * height > MOST_PIXELS or word != 8:
        raise ValueError(f"{total:,} words of {word} bits are not a mask of {width} × {height} pixels")
    sizes = [take(4) + 1 for _ in _RUN_BITS]
    values, lengths, count = bytearray(), list[int](), 0
    while count < total:
        same = take(1)
        length = take(sizes[take(2)]) + 1
        values += take(word if same else word * length).to_bytes(1 if same else length)
        lengths += [length] if same else [1] * length
        count += length
    ends = np.minimum(np.cumsum(lengths), total) // 4  # each pixel's fourth word is its mask
    mask = np.repeat(np.frombuffer(values, dtype=np.uint8) > 0, np.diff(ends, prepend=0))
    return mask.reshape(height, width).astype(np.uint8)


def encode_brush(mask: Mask) -> bytes:
    """Encode a mask, shape (height, width), as Label Studio stores it."""
    parts = [f"{4 * mask.size:032b}{7:05b}", *(f"{bits - 1:04b}" for bits in _RUN_BITS)]
    for number, run in enumerate(row_runs(mask)):
        remaining = 4 * run
        while remaining:
            length = min(remaining, 1 << _RUN_BITS[-1])
            kind = next(k for k, bits in enumerate(_RUN_BITS) if length <= 1 << bits)
            parts.append(f"1{kind:02b}{length - 1:0{_RUN_BITS[kind]}b}{255 * (number % 2):08b}")
            remaining -= length
    bits = "".join(parts)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8)


# -- writing ----------------------------------------------------------------------------------------


def _write(contents: Contents, path: Path, *, records: bool = False) -> list[Path]:
    path = file_in(path, _FILE)
    why = "The boxes of {uri!r} cannot be written as percent, because the image size is unknown: {reason}"
    sizes = sizes_of_drawn(contents, why)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        own = {} if records else own_values(contents.images, _NOT_OWN)  # a record has other fields beside its data
        tasks = _written(contents, sizes, path.parent, own)
        write_array(file, map(_flat, tasks) if records else tasks)
        file.write(b"\n")
    return [path]


def _written(
    contents: Contents, sizes: dict[str, Size], folder: Path, own: dict[str, dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    predicted: dict[str, dict[str, list[Any]]] = {}
    for row in contents.predictions.itertuples(index=False):
        predicted.setdefault(row.image, {}).setdefault(row.model, []).append(row)
    for number, (image, rows, looked_at) in enumerate(with_annotations(contents), 1):
        name, size = listed_name(image.image, folder), sizes.get(image.image)
        data: dict[str, Any] = {"image": name if "://" in name[:32] else _LOCAL + quote(name, safe="/ ")}
        if size is not None:
            data |= {"width": size[0], "height": size[1]}
        if image.split == t.TEST:
            data["split"] = image.split
        if not pd.isna(note := getattr(image, "note", None)):
            data["note"] = str(note)
        data |= {key: its[image.image] for key, its in own.items() if is_readable(key, its.get(image.image))}
        write = partial(_results, size=size, task=number)
        annotations = [{"result": write(rows), "was_cancelled": False}] if looked_at else []
        if rows:
            annotations[0]["created_at"] = max(row.created for row in rows).isoformat()
        if image.status == "skipped" and not rows:
            annotations = [{"result": [], "was_cancelled": True}]
        models = predicted.get(image.image, {})
        predictions = [{"model_version": model, "result": write(boxes, scored=True)} for model, boxes in models.items()]
        yield {"id": number, "data": data, "annotations": annotations, "predictions": predictions}


def _flat(task: dict[str, Any]) -> dict[str, Any]:
    """Return a task as a record of JSON_MIN."""
    record: dict[str, Any] = {**task["data"], "id": task["id"]}
    about: dict[str, Any] = {"annotation_id": None}
    for annotation in task["annotations"]:
        if annotation["was_cancelled"]:
            continue
        about["annotation_id"] = task["id"]
        if "created_at" in annotation:
            about["created_at"] = annotation["created_at"]
        for result in annotation["result"]:
            more = {name: result[name] for name in ("original_width", "original_height", "meta") if name in result}
            record.setdefault(result["from_name"], []).append(result["value"] | more)
    if "choice" in record:
        labels = [label for value in record["choice"] for label in value[_CHOICES]]
        record["choice"] = labels[0] if len(labels) == 1 else {_CHOICES: labels}
    return record | about


def _results(rows: list[Any], size: Size | None, task: int, *, scored: bool = False) -> list[dict[str, Any]]:
    results = []
    for number, row in enumerate(rows, 1):
        kind, value, more = _shape(row, size)
        name = "choice" if kind == _CHOICES else kind.removesuffix("labels")
        entry = {"id": f"{task}-{number}", "from_name": name, "to_name": "image", "type": kind, **more}
        entry["value"] = value | {kind: [row.label]}
        if not pd.isna(row.note):
            entry["meta"] = {**entry.get("meta", {}), "text": [row.note]}
        if kind != _CHOICES and size is not None:
            entry |= {"original_width": size[0], "original_height": size[1], "image_rotation": 0}
        results.append(entry | ({"score": row.confidence} if scored else {}))
    return results


def _shape(row: Any, size: Size | None) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return the type of a result, its outline in percent, and what else describes it."""
    if row.polygon is None:
        if pd.isna(row.left):
            return _CHOICES, {}, {}
        sides = 100 * ltwh_to_ratios([row.left, row.top, row.width, row.height], size or (1, 1))[0]
        return "rectanglelabels", {**dict(zip(_SIDES, sides.tolist(), strict=True)), "rotation": 0}, {}
    width, height = size or (1, 1)
    rings = rings_of(row.polygon)
    if len(rings) > 1 and width * height <= MOST_PIXELS:
        mask = polygon_to_mask(rings, (width, height))
        if mask.any():
            flat = [ring.ravel().tolist() for ring in rings]
            return "brushlabels", {"format": "rle", "rle": list(encode_brush(mask))}, {"meta": {"rings": flat}}
    points = np.array(to_one_ring(rings)) * 100 / (width, height)
    return "polygonlabels", {"points": points.tolist(), "closed": True}, {}


def _holds_column(images: pd.DataFrame, name: str) -> bool:
    """Check whether reading finds the same values. Beside missing ones, whole numbers and booleans become others."""
    own = own_values(images, _NOT_OWN, name).get(name)
    complete = own is not None and len(own) == len(images)
    return own is not None and all(
        is_readable(name, value) and (complete or not isinstance(value, int)) for value in own.values()
    )


FORMAT = Format(
    name="label_studio",
    recognise=_recognise,
    read=_read,
    write=_write,
    holds=frozenset({
        "image_labels", "boxes", "polygons", "empty", "unlabelled", "skipped", "split", "size", "predictions",
        "label_notes", "box_notes",
    }),
    columns=frozenset({"note"}),
    holds_column=_holds_column,
    folder=lambda path: file_in(path, _FILE).parent,
    empty="a task with an annotation without results",
    holes="a brush mask",
    unlabelled="a task without annotations",
)  # fmt: skip
RECORDS = replace(
    FORMAT,
    name="label_studio_min",
    recognise=_recognise_records,
    write=partial(_write, records=True),
    holds_column=None,
    holds=FORMAT.holds - {"predictions", "label_notes", "skipped"},
)
