"""Deduplicate images on import: skip known images, duplicates and images in the other split, and detect changes.

Each new image is read once.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import unquote

import numpy as np
import pandas as pd

from customlabels_nb._utils.files import replacing, why_not_written
from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import ImageError, InputError
from customlabels_nb.events import Events
from customlabels_nb.images.locations import is_remote, to_path
from customlabels_nb.images.reading import ImageFacts, examine, hashed, read_bytes, read_content
from customlabels_nb.ingest.sources import ImportOptions, SourceContents
from customlabels_nb.remote.download_cache import connections
from customlabels_nb.remote.memory_budget import image_memory
from customlabels_nb.settings import settings

# work that a thread takes at a time: several small images, or one large image
_PART_IMAGES = 8
_PART_BYTES = 4 * 2**20
_LARGEST = 2**31
_CONTENT = re.compile(r"-[0-9a-f]{8}(?=[0-9a-f]{8}(\.[0-9a-z]+)?$)")  # in the name of a copy, see _copied_name
_FATE = {True: "It was kept.", False: "It was skipped."}


class UnreadFacts(NamedTuple):
    """Metadata of a remote image from the source, with the fields of :class:`ImageFacts`, None if unknown."""

    width: int | None
    height: int | None
    sha256: str | None
    bytes: int | None
    frames: int = 1


Facts: TypeAlias = ImageFacts | UnreadFacts
Stat: TypeAlias = tuple[int, int] | None
#: Labels of each labelled image.
LabelsByImage: TypeAlias = Mapping[str, tuple[str, ...]]


@dataclass
class Intake:
    """New images with metadata, changed images, and issues. ``known`` maps source names to names in the project."""

    images: pd.DataFrame
    annotations: pd.DataFrame
    files: pd.DataFrame
    changed: pd.DataFrame
    issues: list[Issue]
    known: dict[str, str]


class Deduplication:
    """Deduplication of an import, whose images may come in several parts, with the images ``known`` in both splits.

    Remote images are only read if they are to be copied or verified. Otherwise, the metadata from the source is used.
    The stored ``labels`` are used to report duplicates with different labels.
    """

    def __init__(
        self,
        known: pd.DataFrame,
        options: ImportOptions,
        source: str,
        root: Path,
        labels: LabelsByImage | None = None,
    ) -> None:
        self._options, self._source, self._root = options, source, root
        self._issues: list[Issue] = []
        mine = known["split"] == options.split
        self._stored = _stored(known[mine])
        self._others = frozenset(known.loc[~mine, "image"])
        self._labels = dict(labels or {})
        self._here, self._there = (  # images by content hash, in this split and in the other one
            known[side & known["sha256"].notna()].set_index("sha256")["image"].to_dict() for side in (mine, ~mine)
        )

    def read(self, contents: SourceContents, read: dict[str, Facts | ImageError], events: Events | None) -> None:
        """Read the images that :meth:`take_in` needs and that are not in ``read`` yet, and add their metadata to it."""
        listed = contents.images, contents.stats, contents.contents
        todo, changed, _ = self._sorted(*listed)
        self._read(*listed, [*todo, *changed], read, events)

    def take_in(
        self, contents: SourceContents, read: dict[str, Facts | ImageError], events: Events | None = None
    ) -> Intake:
        """Find new images, duplicates and leaks between train and test. ``read`` keeps metadata for a retry."""
        options, stored = self._options, self._stored
        names: list[str] = contents.images["image"].tolist()
        own = [options.copies.get(image, image) for image in names]
        stats, listed = contents.stats, (contents.images, contents.stats, contents.contents)
        todo, changed_todo, leaks = self._sorted(*listed)
        already = {image: name for image, name in zip(names, own, strict=True) if name in stored}
        issues = self._issues = list(contents.issues)
        for index in leaks:
            self._report_leak(names[index], names[index], kept=False)
        wanted = [*todo, *changed_todo]
        answers = self._read(*listed, wanted, read, events)
        facts = {index: fact for index in wanted if not isinstance(fact := answers[index], ImageError)}
        issues += [
            Issue(error.code, error.reason, str(names[index]), self._source)
            for index in wanted
            if isinstance(error := answers[index], ImageError)
        ]
        for index, fact in facts.items():
            if fact.frames > 1:
                message = f"The file has {fact.frames:,} pages or frames. The first one is used."
                issues.append(Issue("IMAGE_HAS_FRAMES", message, names[index], self._source))
        if any(fact.sha256 is not None for fact in facts.values()):  # images with identical content are compared
            for image, image_labels in labels_by_image(contents.annotations).items():
                self._labels.setdefault(image, image_labels)
        for index in changed_todo:
            if index in facts and facts[index].sha256 != stored[own[index]][0]:
                _copy(names[index], own[index], self._root, replace=True)
        changed = self._changed({own[i]: (facts[i], stats[i]) for i in changed_todo if i in facts})
        kept = []
        for index in todo:
            if index not in facts:
                continue
            if options.copy and (own_copy := _copied_name(names[index], facts[index].sha256 or "")) in stored:
                already[names[index]] = own_copy
            elif self._accept(names[index], facts[index]):
                kept.append(index)
        images = contents.images.iloc[kept].reset_index(drop=True)
        sizes = [(facts[i].width, facts[i].height) for i in kept]
        if {"width", "height"} <= set(images.columns):
            issues += _other_sizes(images, sizes, contents.annotations, self._source)
        images = images.assign(
            split=options.split,
            width=pd.array([width for width, _ in sizes], dtype="Int64"),
            height=pd.array([height for _, height in sizes], dtype="Int64"),
            sha256=[facts[i].sha256 for i in kept],
            source=self._source,
        )
        files = pd.DataFrame(
            {
                "image": images["image"],
                "bytes": pd.array([facts[i].bytes for i in kept], dtype="Int64"),
                "mtime_ns": pd.array([stats[i][1] if stats[i] else None for i in kept], dtype="Int64"),  # type: ignore[index]
            }
        )
        annotations = contents.annotations
        if len(kept) < len(names):
            annotations = annotations[annotations["image"].isin(images["image"])]
        if options.copy:
            pairs = zip(images["image"], images["sha256"], strict=True)
            copies = {image: _copy(image, _copied_name(image, sha), self._root) for image, sha in pairs}
            images, files, annotations = (
                table.assign(image=table["image"].map(copies)) for table in (images, files, annotations)
            )
        images = t.settle_statuses(t.normalise_images(images), annotations)
        return Intake(images, annotations, files, changed, issues, already)

    def _sorted(
        self, images: pd.DataFrame, stats: Sequence[Stat], contents: Sequence[str | None]
    ) -> tuple[list[int], list[int], list[int]]:
        """Return the positions of the images that are new, possibly changed, and only in the other split."""
        todo, changed, leaks = list[int](), list[int](), list[int]()
        stored, options = self._stored, self._options
        for index, (image, stat, content) in enumerate(zip(images["image"].tolist(), stats, contents, strict=True)):
            name = options.copies.get(image, image)
            if name in stored:
                if _is_to_be_read_again(image, stored[name], stat, content, options.verify):
                    changed.append(index)
            elif image in self._others and options.on_leak == "report":
                leaks.append(index)
            else:
                todo.append(index)
        return todo, changed, leaks

    def _read(
        self,
        images: pd.DataFrame,
        stats: Sequence[Stat],
        contents: Sequence[str | None],
        wanted: Sequence[int],
        read: dict[str, Facts | ImageError],
        events: Events | None,
    ) -> dict[int, Facts | ImageError]:
        """Return the metadata of the images at these positions, and add to ``read`` what had to be read for it.

        Remote images are identified by their hash if they are copied, and otherwise as the server reports.
        """
        names: list[str] = images["image"].tolist()
        facts: dict[int, Facts | ImageError] = {}
        if not (self._options.copy or self._options.verify):
            facts |= _stated_facts(images, stats, contents, [index for index in wanted if is_remote(names[index])])
        unread = [index for index in wanted if index not in facts and names[index] not in read]
        workers = connections((names[index] for index in unread), settings.threads)

        def read_part(part: list[int]) -> dict[int, ImageFacts | ImageError]:
            # finish each step for all images before the next: parsing headers needs the GIL, reading and hashing do
            # not, and handing the GIL over between threads for each image costs more time than it saves
            answers: dict[int, ImageFacts | ImageError] = {}
            data: dict[int, bytes] = {}
            sizes: dict[int, tuple[int, int, int]] = {}
            for index in part:
                try:
                    if is_remote(names[index]):
                        answers[index] = _remote_facts(names[index], contents[index], hashes=self._options.copy)
                    else:
                        data[index] = read_bytes(names[index], self._root)
                except ImageError as error:
                    answers[index] = error
            for index, encoded in data.items():
                try:
                    sizes[index] = examine(encoded, names[index])
                except ImageError as error:
                    answers[index] = error
            return answers | {index: hashed(data[index], size) for index, size in sizes.items()}

        done = reported = 0
        for answers in map_bounded(read_part, _parts(unread, stats), workers=workers):
            read.update((names[index], fact) for index, fact in answers.items())
            done += len(answers)
            if events is not None and (done - reported >= 64 or done == len(unread)):
                reported = done
                events.progress("reading images", done, len(unread))
        return facts | {index: read[names[index]] for index in wanted if index not in facts}

    def _accept(self, image: str, facts: Facts) -> bool:
        """Decide whether to import an image with a new name, and report it if its content is already known."""
        if facts.sha256 is None:
            return True
        twin, other = self._here.get(facts.sha256), self._there.get(facts.sha256)
        if other is not None:
            kept = self._options.on_leak == "keep"
            self._report_leak(image, other, kept=kept)
            if not kept:
                return False
        if twin is not None:
            kept = self._options.duplicates == "keep"
            there, here = describe_labels(self._labels, twin), describe_labels(self._labels, image)
            differing = f" ({there} there and {here.removeprefix('labelled ')} here)" if there != here else ""
            message = f"Duplicate of {twin!r} in the dataset{differing}. {_FATE[kept]}"
            self._issues.append(Issue("DUPLICATE_CONTENT", message, image, self._source))
            if not kept:
                return False
        self._here.setdefault(facts.sha256, image)
        return True

    def _report_leak(self, image: str, other: str, *, kept: bool) -> None:
        """Report an image that is also in the other split, under the name ``other``."""
        known_as = "" if other == image else f" as {other!r}"
        message = f"Data leak: the other split (train or test) has the same image{known_as}. {_FATE[kept]}"
        self._issues.append(Issue("LEAK_BETWEEN_SPLITS", message, image, self._source))

    def _changed(self, facts: Mapping[str, tuple[Facts, Stat]]) -> pd.DataFrame:
        rows = []
        for image, (fact, stat) in facts.items():
            rows.append((image, fact.width, fact.height, fact.sha256, fact.bytes, stat[1] if stat else None))
            known = self._stored[image][0]
            if fact.sha256 != known and known is not None:
                self._issues.append(Issue("IMAGE_CHANGED", where=image, source=self._source))
                if fact.sha256 in self._there:
                    self._report_leak(image, self._there[fact.sha256], kept=True)
        whole = dict.fromkeys(["width", "height", "bytes", "mtime_ns"], "Int64")
        return pd.DataFrame(rows, columns=["image", "width", "height", "sha256", "bytes", "mtime_ns"]).astype(whole)


def _stored(known: pd.DataFrame) -> dict[str, tuple[Any, ...]]:
    """Map each image to its hash, size in bytes and modification time, with None for unknown values."""
    columns = [known[name].to_numpy(dtype=object, na_value=None).tolist() for name in ("sha256", "bytes", "mtime_ns")]
    return dict(zip(known["image"].tolist(), zip(*columns, strict=True), strict=True))


def _is_to_be_read_again(
    image: str, stored: tuple[Any, ...], stat: tuple[int, int] | None, content: str | None, verify: bool
) -> bool:
    """Check whether a known image must be read again because it may have changed or has no metadata."""
    if not is_remote(image):
        return stat is not None and stored[1:] != stat
    return verify or (content is not None and stored[0] is not None and content != stored[0])


def _stated_facts(
    images: pd.DataFrame, stats: Sequence[Stat], contents: Sequence[str | None], indexes: Sequence[int]
) -> dict[int, Facts]:
    """Return the metadata that the source provides for the images at ``indexes``, without reading them."""
    widths, heights = (
        _pixel_column(images[name]) if name in images else [None] * len(images) for name in ("width", "height")
    )
    facts: dict[int, Facts] = {}
    for index in indexes:
        size = stat[0] if (stat := stats[index]) else None
        facts[index] = UnreadFacts(widths[index], heights[index], contents[index], size)
    return facts


def _other_sizes(
    images: pd.DataFrame, sizes: Sequence[tuple[int | None, int | None]], annotations: pd.DataFrame, source: str
) -> Iterator[Issue]:
    """Yield an issue for each image with boxes whose size in the table differs from its actual size in ``sizes``."""
    stated = zip(_pixel_column(images["width"]), _pixel_column(images["height"]), strict=True)
    pairs = zip(images["image"].tolist(), stated, sizes, strict=True)
    different = [(image, old, new) for image, old, new in pairs if old != new and None not in (*old, *new)]
    boxed = set(annotations.loc[annotations["left"].notna(), "image"]) if different else ()
    for image, old, new in different:
        if image in boxed:
            message = f"The size is given as {old[0]} × {old[1]}, but it is {new[0]} × {new[1]} pixels. "
            if old[::-1] == new:
                message += "The boxes seem to be drawn before the image was turned. "
            message += "Check its boxes, which were not changed."
            yield Issue("IMAGE_SIZE_DIFFERS", message, image, source)


def _pixel_column(values: pd.Series) -> list[int | None]:
    if str(values.dtype) != "Int64":
        return [_pixels(value) for value in values.tolist()]
    return values.where((values > 0) & (values < _LARGEST)).to_numpy(dtype=object, na_value=None).tolist()  # type: ignore[no-any-return]


def _pixels(value: Any) -> int | None:
    whole = isinstance(value, int | float | np.number) and not isinstance(value, bool) and 0 < value < _LARGEST
    return int(value) if whole and int(value) == value else None


def _parts(indexes: Sequence[int], stats: Sequence[Stat]) -> Iterator[list[int]]:
    """Group the images into parts of limited size. An image of unknown size is a part of its own."""
    part: list[int] = []
    remaining = _PART_BYTES
    for index in indexes:
        stat = stats[index]
        remaining -= stat[0] if stat else _PART_BYTES
        if part and (remaining < 0 or len(part) == _PART_IMAGES):
            yield part
            part, remaining = [], _PART_BYTES - (stat[0] if stat else _PART_BYTES)
        part.append(index)
    if part:
        yield part


def _remote_facts(image: str, known: str | None, *, hashes: bool) -> ImageFacts:
    """Read a remote image, and return its metadata with its hash, or with what identifies it on its server."""
    with image_memory.share() as hold:
        data, content = read_content(image, known=known, hold=hold)
        return hashed(data, examine(data, image), None if hashes else content)


def _copied_name(image: str, sha256: str) -> str:
    """Return the path of an image's copy in the project, unique by hashes of its content and origin."""
    if not is_remote(image) and not to_path(image).is_absolute():
        return image  # already in the project
    plain = unquote(image.partition("?")[0]) if is_remote(image) else os.fspath(to_path(image))
    stem, suffix = os.path.splitext(os.path.basename(plain))
    if not (suffix.isascii() and suffix[1:].isalnum() and len(suffix) <= 6):
        suffix = ""
    safe = re.sub(r"[^\w-]+", "_", stem)[:40].strip("_") or "image"
    origin = hashlib.sha256(image.encode()).hexdigest()
    return f"images/{safe}-{sha256[:8]}{origin[:8]}{suffix.lower()}"


def find_copies(images: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Map images to their copies among ``names``, even if the images have changed since then. The last one counts."""
    copies = {_CONTENT.sub("-", name): name for name in names}
    return {image: copies[name] for image in images if (name := _copied_name(image, "")) != image and name in copies}


def _copy(image: str, name: str, root: Path, *, replace: bool = False) -> str:
    """Copy an image to ``name``, relative to ``root``, and return the name. Existing files stay, unless ``replace``."""
    target = root / name
    if name == image or (target.exists() and not replace):
        return name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target, durable=False) as file, image_memory.share() as hold:
            file.write(read_bytes(image, root, hold=hold))
    except OSError as error:
        raise InputError(f"copy=True: cannot copy {image!r} to {str(target)!r}: {why_not_written(error)}.") from error
    return name


def labels_by_image(annotations: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return the distinct labels of each annotated image, in the order of the table."""
    # most images have one label, so images with the same label share a tuple
    alone = {label: (label,) for label in annotations["label"].unique()}
    labels: dict[str, tuple[str, ...]] = {}
    for image, label in zip(annotations["image"].tolist(), annotations["label"].tolist(), strict=True):
        image_labels = labels.get(image)
        if image_labels is None:
            labels[image] = alone[label]
        elif label not in image_labels:
            labels[image] = (*image_labels, label)
    return labels


def describe_labels(labels: LabelsByImage, image: str) -> str:
    """Describe the labels of an image, for example as ``labelled 'a' and 'b'``."""
    image_labels = labels.get(image)
    return f"labelled {' and '.join(map(repr, image_labels))}" if image_labels else "not labelled"
