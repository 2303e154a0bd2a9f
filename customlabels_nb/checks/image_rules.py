"""Check image files for images that are missing, damaged, changed, tiny, elongated, blank or dark."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from customlabels_nb._utils.text import counted
from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.checks.findings import Finding, rows_of
from customlabels_nb.checks.image_fingerprints import Prints
from customlabels_nb.core.issues import CODES, Issue
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import ImageError
from customlabels_nb.events import Events
from customlabels_nb.images.locations import is_remote, to_path
from customlabels_nb.images.reading import content_hash, header_size, measure, read_bytes
from customlabels_nb.user_settings import settings

_PART = 256
_INPUT = 224  # side in pixels of a classifier's square input
_VERY_SMALL = 64
_VERY_LONG = 4.0  # ratio of the sides from which shapes are unrecognisable after resizing to a square
_BLANK, _DARK = 4.0, 25.0  # standard deviation and mean of grey values, 0 to 255

_ADVICE = {
    "IMAGE_CHANGED": "Check whether the labels still fit, then import the same folder again to update the file data.",
    "IMAGE_SIZE_CHANGED": "Check their boxes, which are in pixels of the original image.",
}


_Seen: TypeAlias = tuple[tuple[int, int] | None, str | None]


@dataclass
class Files:
    """State of the files of a dataset by position. Remote images, which are not downloaded, are only counted."""

    contents: list[str | None]
    width: npt.NDArray[np.float64]
    height: npt.NDArray[np.float64]
    problems: list[tuple[int, str, str]] = field(default_factory=list)
    remote: int = 0


def inspect_files(
    dataset: Dataset, stored_files: pd.DataFrame | None, *, events: Events | None = None, phase: str = "checking files"
) -> Files:
    """Check in worker threads that the files of a dataset exist and are unchanged.

    A file is not opened if its size and modification time are the same as at its import, and read completely if they
    have changed. If they are not known, only the header is read. Remote images are not downloaded.
    """
    images = dataset.image_table
    names = images["image"].tolist()
    contents = [value if isinstance(value, str) and value else None for value in images["sha256"]]
    width, height = (images[side].to_numpy(dtype=np.float64, na_value=np.nan) for side in ("width", "height"))
    stats: dict[str, tuple[int, int]] = {}
    if stored_files is not None:
        facts = stored_files[["image", "bytes", "mtime_ns"]].dropna()
        pairs = zip(facts["bytes"].astype("int64").tolist(), facts["mtime_ns"].astype("int64").tolist(), strict=True)
        stats = dict(zip(facts["image"].tolist(), pairs, strict=True))
    result = Files(contents, width, height, remote=sum(map(is_remote, names)))

    def look(part: range) -> list[_Seen | ImageError]:
        return [_look(names[index], dataset.root, stats.get(names[index])) for index in part]

    parts = [range(start, min(start + _PART, len(names))) for start in range(0, len(names), _PART)]
    with closing(map_bounded(look, parts, workers=settings.threads)) as answers:
        for part, answer in zip(parts, answers, strict=True):
            for index, seen in zip(part, answer, strict=True):
                _note(result, index, seen)
            if events is not None:
                events.progress(phase, part.stop, len(names))
    return result


def _look(image: str, root: Path | None, stored_stat: tuple[int, int] | None) -> _Seen | ImageError:
    """Return the size and content hash of a file, None if they were not read, or the error."""
    try:
        if is_remote(image):
            return None, None
        if stored_stat is None:
            return header_size(image, root), None
        try:
            status = os.stat(to_path(image, root))
            if stat.S_ISREG(status.st_mode) and (status.st_size, status.st_mtime_ns) == stored_stat:
                return None, None
        except (OSError, ValueError):
            pass  # reading the file raises a precise error
        data = read_bytes(image, root)
        return measure(data, image), content_hash(data)
    except ImageError as error:
        return error


def _note(files: Files, index: int, seen: _Seen | ImageError) -> None:
    if isinstance(seen, ImageError):
        files.contents[index] = None
        files.problems.append((index, seen.code, seen.reason))
        return
    size, content = seen
    if content is not None:
        if content != files.contents[index]:
            files.problems.append((index, "IMAGE_CHANGED", "its content has changed since the import"))
        files.contents[index] = content
    if size is not None:
        before = (files.width[index], files.height[index])
        if not np.isnan(before).any() and before != size:
            detail = f"{size[0]} × {size[1]} px now, {before[0]:.0f} × {before[1]:.0f} before"
            files.problems.append((index, "IMAGE_SIZE_CHANGED", detail))
        files.width[index], files.height[index] = size


def note_unreadable(dataset: Dataset, files: Files, issues: Sequence[Issue]) -> None:
    """Record images found to be unreadable when all images were read, unless a problem is recorded already."""
    noted = {index for index, _, _ in files.problems}
    by_image = {issue.where: issue for issue in issues}
    for index, image in enumerate(dataset.image_table["image"]):
        if image in by_image and index not in noted:
            files.problems.append((index, by_image[image].code, by_image[image].message))
    files.remote = 0


def check_files(dataset: Dataset, files: Files) -> Iterator[Finding]:
    """Yield findings about unusable files, image sizes and aspect ratios."""
    names = dataset.image_table["image"].to_numpy(dtype=object)
    frame = pd.DataFrame(files.problems, columns=["index", "code", "detail"])
    for code, part in frame.groupby("code", sort=False):
        rows = rows_of(dataset.name, names[part["index"].to_numpy(dtype=np.int64)].tolist(), part["detail"])
        text = CODES[str(code)]
        changed = code in ("IMAGE_CHANGED", "IMAGE_SIZE_CHANGED")
        lost = "" if changed else " Training ignores such images."
        message = f"{counted(len(rows), 'image')} of the {dataset.name} set: {text[0].lower()}{text[1:]}{lost}"
        replace = "Replace the files with intact ones"
        if code == "IMAGE_NOT_FOUND":
            replace = "Restore the files, find them in another folder with project.relocate(folder)"
        chosen = f"report.images_with({str(code)!r}, {dataset.name!r})"
        removal = f"project.remove({dataset.name!r}, {chosen})"
        removal = "project.remove_missing()" if code == "IMAGE_NOT_FOUND" else removal
        advice = f"{replace}, or remove the images: {removal}."
        severity = "warning" if changed else "error"
        yield Finding(str(code), severity, message, _ADVICE.get(str(code), advice), rows["image"].iat[0], rows)
    if files.remote:
        message = f"{counted(files.remote, 'remote image')} of the {dataset.name} set not checked."
        advice = "Download and check them with project.check(near_duplicates=True). Training reports unusable images."
        yield Finding("IMAGES_NOT_LOOKED_AT", "note", message, advice, dataset.name, count=files.remote)
    short, long = np.minimum(files.width, files.height), np.maximum(files.width, files.height)
    sizes = np.array([f"{w:.0f} × {h:.0f} px" for w, h in zip(files.width, files.height, strict=True)], dtype=object)
    words = f"with a side shorter than {_VERY_SMALL} px, although a model's input has sides of at least {_INPUT} px"
    advice = "If these are thumbnails, use the original images."
    yield from _found(dataset, short < _VERY_SMALL, "IMAGE_VERY_SMALL", words, advice, sizes)
    if not dataset.annotations["left"].notna().any():  # a detector scales images without distorting them
        words = (
            f"with one side at least {_VERY_LONG:.0f} times as long as the other, distorted when resized to a square"
        )
        advice = "Split them into several images, or crop them to the labelled object."
        yield from _found(dataset, long >= _VERY_LONG * short, "IMAGE_VERY_LONG", words, advice, sizes)


def check_light(dataset: Dataset, prints: Prints, readable: npt.NDArray[np.bool_]) -> Iterator[Finding]:
    """Yield findings about readable images that are nearly blank or very dark, based on their fingerprints."""
    blank = readable & (prints["spread"] < _BLANK)
    dark = readable & (prints["mean"] < _DARK)
    shallow = _use_few_bits(dataset, blank | dark)
    advice = "They look black to a model. Save them with values up to 65,535, or with 8 bits."
    words = "with 16-bit grey values that only use the lowest 8 bits"
    yield from _found(dataset, shallow, "IMAGE_FEW_BITS", words, advice)
    blank &= ~shallow
    advice = "Check whether something went wrong when they were taken."
    yield from _found(dataset, blank, "IMAGE_NEARLY_BLANK", "with almost a single color", advice)
    advice = "Take the photos again with more light, or remove them."
    yield from _found(dataset, dark & ~blank & ~shallow, "IMAGE_VERY_DARK", "with hardly any light", advice)


def _use_few_bits(dataset: Dataset, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which of the chosen local images have greyscale of 16 bits, but no value above 255."""
    result = np.zeros_like(chosen)
    names = dataset.image_table["image"].tolist()
    for index in np.flatnonzero(chosen).tolist():
        if not is_remote(names[index]):
            with suppress(ImageError), Image.open(io.BytesIO(read_bytes(names[index], dataset.root))) as image:
                result[index] = image.mode.startswith("I;16") and np.asarray(image).max(initial=0) < 256
    return result


def _found(
    dataset: Dataset,
    holds: npt.NDArray[Any],
    code: str,
    words: str,
    advice: str,
    details: npt.NDArray[Any] | None = None,
) -> Iterator[Finding]:
    if holds.any():
        rows = rows_of(dataset.name, dataset.image_table["image"][holds], "" if details is None else details[holds])
        message = f"{counted(len(rows), 'image')} of the {dataset.name} set {words}."
        yield Finding(code, "warning", message, advice, rows["image"].iat[0], rows)
