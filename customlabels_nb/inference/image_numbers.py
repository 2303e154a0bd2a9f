"""Number the images of an output folder, and keep their names in it.

The images of each run that adds any are stored as ``_images-<first>-<stop>.parquet``, in the order of their numbers. A
chunk of images is then a range of numbers, and an interrupted run is resumed even if its listing has changed.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from customlabels_nb._utils.text import first_line
from customlabels_nb.errors import InputError
from customlabels_nb.inference.journal import CompletedChunk
from customlabels_nb.inference.output_folder import OutputFolder

_LISTING = re.compile(r"_images-(\d{9,})-(\d{9,})\.parquet")
_ROWS = 65_536


class Run(NamedTuple):
    """Images with consecutive numbers."""

    first: int
    images: Sequence[str]

    @property
    def stop(self) -> int:
        return self.first + len(self.images)

    def chunks(self, size: int) -> Iterator[Run]:
        for start in range(0, len(self.images), size):
            yield Run(self.first + start, self.images[start : start + size])


def listings(folder: OutputFolder) -> list[tuple[int, int, str]]:
    """Return first number, number after the last one, and file name of each listing, in order."""
    matches = (_LISTING.fullmatch(name) for name in folder.sizes())
    return sorted((int(match[1]), int(match[2]), match[0]) for match in matches if match)


def unprocessed(folder: OutputFolder, images: Sequence[str], done: CompletedChunk) -> list[Run]:
    """Return the images that are not done with their numbers, in order, and store the names of new ones."""
    frozen = listings(folder)
    stop = frozen[-1][1] if frozen else 0
    gaps = any(first != before for (first, _, _), (_, before, _) in zip(frozen, [(0, 0, ""), *frozen], strict=False))
    if gaps or done.stop > stop:
        raise InputError(
            f"to={str(folder)!r} is missing one of the files '_images-….parquet', which list its images. "
            "Empty the folder to start again, or pass a different `to`."
        )
    same = _equal_at_start(folder, [name for _, _, name in frozen], images)
    if same == stop:
        runs, new = list(without(Run(0, images[:same]), done.ranges)), images[same:]
    else:
        runs, new = _matched(folder, frozen, images, done)
    if new:
        added = Run(stop, new)
        folder.write(f"_images-{added.first:09}-{added.stop:09}.parquet", _parquet(added.images))
        runs.append(added)
    return runs


def _equal_at_start(folder: OutputFolder, names: Sequence[str], images: Sequence[str]) -> int:
    """Return the number of images at the start that are the stored ones. This needs no second list of all names."""
    same = 0
    for stored in _stored(folder, names):
        if same == len(images) or plain(images[same]) != stored:
            break
        same += 1
    return same


def _matched(
    folder: OutputFolder, frozen: Sequence[tuple[int, int, str]], images: Sequence[str], done: CompletedChunk
) -> tuple[list[Run], list[str]]:
    """Return runs of stored images to process, and the new names. Equal names take finished numbers first."""
    finished = np.zeros(frozen[-1][1], dtype=bool)
    for begin, end in done.ranges:
        finished[begin:end] = True
    first: dict[str, int] = {}
    more: dict[str, deque[int]] = {}
    for number, name in enumerate(_stored(folder, [name for _, _, name in frozen])):
        if first.setdefault(name, number) != number:
            more.setdefault(name, deque()).append(number)
    for name, later in more.items():
        first[name], *rest = sorted([first[name], *later], key=lambda number: not finished[number])
        more[name] = deque(rest)
    numbers = np.full(len(images), -1, dtype=np.int64)
    for index, image in enumerate(images):
        name = plain(image)
        numbers[index] = first.pop(name, -1)
        if numbers[index] >= 0 and (others := more.get(name)):
            first[name] = others.popleft()
    new = [images[index] for index in np.flatnonzero(numbers < 0).tolist()]
    order = np.argsort(numbers, kind="stable")[len(new) :]
    order = order[~finished[numbers[order]]]
    ends = np.flatnonzero(np.diff(numbers[order]) != 1) + 1
    runs = [
        Run(int(numbers[part[0]]), [images[index] for index in part.tolist()])
        for part in np.split(order, ends)
        if len(part)
    ]
    return runs, new


def without(run: Run, ranges: Iterable[tuple[int, int]]) -> Iterator[Run]:
    """Yield the parts of a run that are outside all ranges."""
    start = run.first
    for first, stop in sorted(ranges):
        if first >= run.stop:
            break
        if first > start:
            yield Run(start, run.images[start - run.first : first - run.first])
        start = max(start, stop)
    if start < run.stop:
        yield Run(start, run.images[start - run.first :])


def plain(name: str) -> str:
    """Replace lone surrogates in a name, so that it can be encoded as UTF-8."""
    return name.encode("utf-8", "replace").decode()


def _stored(folder: OutputFolder, names: Sequence[str]) -> Iterator[str]:
    import pyarrow as arrow
    from pyarrow import parquet

    for name in names:
        first, stop = map(int, _LISTING.fullmatch(name).groups())  # type: ignore[union-attr]
        try:
            file = parquet.ParquetFile(arrow.BufferReader(folder.read(name)), page_checksum_verification=True)
            if file.metadata.num_rows != stop - first:
                raise arrow.ArrowInvalid(f"{file.metadata.num_rows:,} rows")
            for batch in file.iter_batches(_ROWS, columns=["image"]):
                yield from batch.column("image").to_pylist()
        except (OSError, KeyError, arrow.ArrowException) as error:
            raise InputError(
                f"{f'{folder}/{name}'!r}, which lists images, is damaged ({first_line(error)}). Restore it. Otherwise, "
                "empty the folder to start again, or pass a different `to`."
            ) from error


def _parquet(images: Sequence[str]) -> Any:
    import pyarrow as arrow
    from pyarrow import parquet

    schema = arrow.schema([("image", arrow.string())])
    sink = arrow.BufferOutputStream()
    with parquet.ParquetWriter(sink, schema, compression="zstd", write_page_checksum=True) as writer:
        for start in range(0, len(images), _ROWS):
            rows = [plain(name) for name in images[start : start + _ROWS]]
            writer.write_table(arrow.table({"image": rows}, schema=schema))
    return sink.getvalue().to_pybytes()
