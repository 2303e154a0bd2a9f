"""Check image files for images that are missing, damaged, changed, tiny, elongated, blank or dark."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

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
from customlabels_nb.settings import settings

_PART = 256
_INPUT = 224  # side in pixels of a classifier's square input
_VERY_SMALL = 64
_VERY_LONG = 4.0  # ratio of the sides from which shapes are unrecognisable after resizing to a square
_BLANK, _DARK = 4.0, 25.0  # standard deviation and mean of grey values, 0 to 255

_ADVICE = {
    "IMAGE_CHANGED": "Check whether the labels still fit, then import the same folder again to update the file data.",
    "IMAGE_SIZE_CHANGED": "Check their boxes, which are in pixels of the original image.",
}


@dataclass
class Files:
    """State of the files of a dataset by position. Remote images, which are not downloaded, are only counted."""

    contents: list[str | None]
    width: npt.NDArray[np.float64]
    height: npt.NDArray[np.float64]
    problems: list[tuple[int, str, str]] = field(default_factory=list)
    remote: int = 0


def inspect_files(
    dataset: Dataset, known: pd.DataFrame | None, *, events: Events | None = None, phase: str = "checking files"
) -> Files:
    """Check in worker threads that the files of a dataset exist and are unchanged.

    A file is not opened if its size and modification time are the same as at its import, and read completely if they
    have changed. If they are not known, only the header is read. Remote images are not downloaded.
    """
    images = dataset.images
    names = images["image"].tolist()
    contents = [value if isinstance(value, str) and value else None for value in images["sha256"]]
    width, height = (images[side].to_numpy(dtype=np.float64, na_value=np.nan) for side in ("width", "height"))
    stats: dict[str, tuple[int, int]] = {}
    if known is not None:
        facts = known[["image", "bytes", "mtime_ns"]].dropna()
        pairs = zip(facts["bytes"].astype("int64").tolist(), facts["mtime_ns"].astype("int64").tolist(), strict=True)
        stats = dict(zip(facts["image"].tolist(), pairs, strict=True))
    result = Files(contents, width, height)
    done = 0

    def look(part: range) -> list[tuple[int, _FileCheck]]:
        return [(index, _look(names[index], dataset.root, stats.get(names[index]))) for index in part]

    parts = (range(start, min(start + _PART, len(names))) for start in range(0, len(names), _PART))
    with closing(map_bounded(look, parts, workers=settings.threads)) as answers:
        for answer in answers:
            for index, seen in answer:
                _note(result, index, seen)
            done += len(answer)
            if events is not None:
                events.progress(phase, done, len(names))
    return result


@dataclass(frozen=True)
class _FileCheck:
    """Result of checking one file: its size, its content hash, or an error, or nothing if it is unchanged."""

    size: tuple[int, int] | None = None
    content: str | None = None
    error: ImageError | None = None
    remote: bool = False


_AS_IT_WAS = _FileCheck()


def _look(image: str, root: Path | None, known: tuple[int, int] | None) -> _FileCheck:
    if is_remote(image):
        return _FileCheck(remote=True)
    try:
        if known is None:
            return _FileCheck(size=header_size(image, root))
        try:
            status = os.stat(to_path(image, root))
            if stat.S_ISREG(status.st_mode) and (status.st_size, status.st_mtime_ns) == known:
                return _AS_IT_WAS
        except (OSError, ValueError):
            pass  # reading the file raises a precise error
        data = read_bytes(image, root)
        return _FileCheck(size=measure(data, image), content=content_hash(data))
    except ImageError as error:
        return _FileCheck(error=error)


def _note(files: Files, index: int, seen: _FileCheck) -> None:
    if seen.remote:
        files.remote += 1
    if seen.error is not None:
        files.contents[index] = None
        files.problems.append((index, seen.error.code, seen.error.reason))
        return
    if seen.content is not None:
        if seen.content != files.contents[index]:
            files.problems.append((index, "IMAGE_CHANGED", "its content has changed since the import"))
        files.contents[index] = seen.content
    if seen.size is not None:
        before = (files.width[index], files.height[index])
        if not np.isnan(before).any() and before != seen.size:
            detail = f"{seen.size[0]} × {seen.size[1]} px now, {before[0]:.0f} × {before[1]:.0f} before"
            files.problems.append((index, "IMAGE_SIZE_CHANGED", detail))
        files.width[index], files.height[index] = seen.size


def note_unreadable(dataset: Dataset, files: Files, issues: Sequence[Issue]) -> None:
    """Record images found to be unreadable when all images were read, unless a problem is recorded already."""
    noted = {index for index, _, _ in files.problems}
    by_image = {issue.where: issue for issue in issues}
    for index, image in enumerate(dataset.images["image"]):
        if image in by_image and index not in noted:
            files.problems.append((index, by_image[image].code, by_image[image].message))
    files.remote = 0


def check_files(dataset: Dataset, files: Files) -> Iterator[Finding]:
    """Yield findings about unusable files, image sizes and aspect ratios."""
    names = dataset.images["image"].to_numpy(dtype=object)
    frame = pd.DataFrame(files.problems, columns=["index", "code", "detail"])
    for code, part in frame.groupby("code", sort=False):
        rows = rows_of(dataset.name, names[part["index"].to_numpy(dtype=np.int64)].tolist(), part["detail"])
        changed = code in ("IMAGE_CHANGED", "IMAGE_SIZE_CHANGED")
        lost = "" if changed else " Training ignores such images."
        message = f"{counted(len(rows), 'image')} of the {dataset.name} set: {_lower(CODES[str(code)])}{lost}"
        replace = "Restore the files" if code == "IMAGE_NOT_FOUND" else "Replace the files with intact ones"
        chosen = f"report.images_with({str(code)!r}, {dataset.name!r})"
        advice = f"{replace}, or remove the images: project.remove({dataset.name!r}, {chosen})."
        severity = "warning" if changed else "error"
        yield Finding(str(code), severity, message, _ADVICE.get(str(code), advice), rows["image"].iat[0], rows)
    if files.remote:
        message = f"{counted(files.remote, 'remote image')} of the {dataset.name} set not checked."
        advice = "Download and check them with project.check(near_duplicates=True). Training reports unusable images."
        yield Finding("IMAGES_NOT_LOOKED_AT", "note", message, advice, dataset.name, count=files.remote)
    short, long = np.minimum(files.width, files.height), np.maximum(files.width, files.height)
    sizes = [f"{w:.0f} × {h:.0f} px" for w, h in zip(files.width, files.height, strict=True)]
    drawn = dataset.annotations["left"].notna().any()
    for holds, code, words, advice in (
        (
            short < _VERY_SMALL,
            "IMAGE_VERY_SMALL",
            f"with a side shorter than {_VERY_SMALL} px, although a model's input has sides of at least {_INPUT} px",
            "If these are thumbnails, use the original images.",
        ),
        (
            (long >= _VERY_LONG * short) & ~drawn,  # a detector scales images without distorting them
            "IMAGE_VERY_LONG",
            f"with one side at least {_VERY_LONG:.0f} times as long as the other, distorted when resized to a square",
            "Split them into several images, or crop them to the labelled object.",
        ),
    ):
        indices = np.flatnonzero(holds).tolist()
        if indices:
            message = f"{counted(len(indices), 'image')} of the {dataset.name} set {words}."
            rows = rows_of(dataset.name, names[indices].tolist(), [sizes[index] for index in indices])
            yield Finding(code, "warning", message, advice, rows["image"].iat[0], rows)


def check_light(dataset: Dataset, prints: Prints, readable: npt.NDArray[np.bool_]) -> list[Finding]:
    """Return findings about readable images that are nearly blank or very dark, based on their fingerprints."""
    names = dataset.images["image"].to_numpy(dtype=object)
    blank = readable & (prints["spread"] < _BLANK)
    findings = []
    for holds, code, words, advice in (
        (
            blank,
            "IMAGE_NEARLY_BLANK",
            "with almost a single color",
            "Check whether something went wrong when they were taken.",
        ),
        (
            readable & ~blank & (prints["mean"] < _DARK),
            "IMAGE_VERY_DARK",
            "with hardly any light",
            "Take the photos again with more light, or remove them.",
        ),
    ):
        if holds.any():
            rows = rows_of(dataset.name, names[holds].tolist())
            message = f"{counted(len(rows), 'image')} of the {dataset.name} set {words}."
            findings.append(Finding(code, "warning", message, advice, rows["image"].iat[0], rows))
    return findings


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
