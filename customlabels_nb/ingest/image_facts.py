"""Read the size and content hash of images, in parallel and each file once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.errors import ImageError
from customlabels_nb.events import Events
from customlabels_nb.images.locations import is_remote
from customlabels_nb.images.reading import ImageFacts, examine, hashed, read_bytes, read_content
from customlabels_nb.ingest.sources import Incoming
from customlabels_nb.remote.download_cache import connections
from customlabels_nb.remote.memory_budget import image_memory
from customlabels_nb.user_settings import settings

# work that a thread takes at a time: several small images, or one large image
_PART_IMAGES = 8
_PART_BYTES = 4 * 2**20
_LARGEST = 2**31


class UnreadFacts(NamedTuple):
    """Metadata of a remote image from the source, with the fields of :class:`ImageFacts`, None if unknown."""

    width: int | None
    height: int | None
    sha256: str | None
    bytes: int | None
    frames: int = 1


Facts: TypeAlias = ImageFacts | UnreadFacts


class FactsReader:
    """Reader of image metadata that keeps what it has read, so that an import can be tried again.

    Remote images are only read if they are to be copied or verified. Otherwise, the metadata from the source is used.
    They are identified by their hash if they are copied, and otherwise as the server reports.
    """

    def __init__(self, root: Path, events: Events | None, *, check_images: bool, copy: bool) -> None:
        self._root, self._events, self._check_images, self._copy = root, events, check_images, copy
        self._read: dict[str, ImageFacts | ImageError] = {}

    def read(self, incoming: Incoming, wanted: Sequence[int]) -> dict[int, Facts | ImageError]:
        """Return the metadata of the images at the positions ``wanted``, or why they cannot be used."""
        names: list[str] = incoming.images["image"].tolist()
        facts: dict[int, Facts | ImageError] = {}
        if not (self._copy or self._check_images):
            facts |= _stated_facts(incoming, [index for index in wanted if is_remote(names[index])])
        to_read = [index for index in wanted if index not in facts]
        self._read_all(names, incoming, [index for index in to_read if names[index] not in self._read])
        return facts | {index: self._read[names[index]] for index in to_read}

    def _read_all(self, names: Sequence[str], incoming: Incoming, unread: Sequence[int]) -> None:
        workers = connections((names[index] for index in unread), settings.threads)
        done = reported = 0
        parts = _parts(unread, incoming.stats)
        for answers in map_bounded(lambda part: self._read_part(names, incoming, part), parts, workers=workers):
            self._read.update((names[index], fact) for index, fact in answers.items())
            done += len(answers)
            if self._events is not None and (done - reported >= 64 or done == len(unread)):
                reported = done
                self._events.progress("reading images", done, len(unread))

    def _read_part(
        self, names: Sequence[str], incoming: Incoming, part: Sequence[int]
    ) -> dict[int, ImageFacts | ImageError]:
        # finish each step for all images before the next: parsing headers needs the GIL, reading and hashing do
        # not, and handing the GIL over between threads for each image costs more time than it saves
        answers: dict[int, ImageFacts | ImageError] = {}
        data: dict[int, bytes] = {}
        sizes: dict[int, tuple[int, int, int]] = {}
        for index in part:
            try:
                if is_remote(names[index]):
                    content = incoming.contents[index]
                    answers[index] = _remote_facts(names[index], content, hashes=self._copy)
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


def pixel_column(values: pd.Series) -> list[int | None]:
    """Return the widths or heights of a column, with None for values that are not numbers of pixels."""
    if str(values.dtype) != "Int64":
        return [_pixels(value) for value in values.tolist()]
    return values.where((values > 0) & (values < _LARGEST)).to_numpy(dtype=object, na_value=None).tolist()  # type: ignore[no-any-return]


def _pixels(value: Any) -> int | None:
    whole = isinstance(value, int | float | np.number) and not isinstance(value, bool) and 0 < value < _LARGEST
    return int(value) if whole and int(value) == value else None


def _stated_facts(incoming: Incoming, indexes: Sequence[int]) -> dict[int, Facts]:
    """Return the metadata that the source provides for the images at ``indexes``, without reading them."""
    if not indexes:
        return {}
    images, unknown = incoming.images, [None] * len(incoming.images)
    widths, heights = (pixel_column(images[name]) if name in images else unknown for name in ("width", "height"))
    sizes = [stat[0] if stat else None for stat in incoming.stats]
    return {i: UnreadFacts(widths[i], heights[i], incoming.contents[i], sizes[i]) for i in indexes}


def _parts(indexes: Sequence[int], stats: Sequence[tuple[int, int] | None]) -> Iterator[list[int]]:
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


def _remote_facts(image: str, content_id: str | None, *, hashes: bool) -> ImageFacts:
    """Read a remote image, and return its metadata with its hash, or with what identifies it on its server."""
    with image_memory.share() as hold:
        data, content = read_content(image, content_id=content_id, hold=hold)
        return hashed(data, examine(data, image), None if hashes else content)
