"""Files of a labelling screen: thumbnails, image views and uploads."""

from __future__ import annotations

import io
import math
import re
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pandas as pd
from PIL import Image

from customlabels_nb._utils.files import portable_name, scratch, write_errors
from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.core.tables import TEXT
from customlabels_nb.errors import ImageError, InputError
from customlabels_nb.images.locations import to_path, to_uri
from customlabels_nb.images.reading import open_hashed, open_image, thumbnail
from customlabels_nb.images.regions import Part
from customlabels_nb.images.thumbnails import (
    THUMBNAIL_SIZES,
    BrowserImage,
    full_view_of,
    kept_thumbnail,
    project_cache,
    thumbnail_of,
    thumbnails_of,
)
from customlabels_nb.labeling.image_table import short_name
from customlabels_nb.labeling.outliner import Outliner
from customlabels_nb.user_settings import settings

if TYPE_CHECKING:
    from customlabels_nb.datasets.dataset import Dataset
    from customlabels_nb.ingest.importer import ImportReport

_INSTRUCTION_PIXELS = 800
_TILE_SIZES = (*THUMBNAIL_SIZES, 1280)  # the largest for pages of four images
_CROP_PIXELS = 1600
_VIEW_SIZES = (1024, 2048, 4096)
_LIGHT_BYTES = 2 * 2**20
_WIDEST_REGION = 4096
_LARGEST_UPLOAD = 2**31
_PROBLEMS, _FILES_NAMED = 100, 30  # listed after an upload: different problems, and files of each
_QUOTED_FOLDER = re.compile(r"""(?<=(['"]))(?:(?!\1).)*(?:/|\\\\)(?=(?:(?!\1).)*\1)""")


@dataclass
class _Batch:
    folder: Path
    forget: Callable[[], None]
    names: dict[str, Path]
    bytes: int = 0


class SessionFiles:
    """Thumbnails and views for a screen, and uploads, which are written to ``images/`` in ``root``."""

    def __init__(
        self,
        root: Path,
        *,
        dataset: Callable[[str], Dataset],
        add_images: Callable[[list[str], str, str | None, str], ImportReport],
    ) -> None:
        self.root = root
        self.dataset = dataset
        self._add_images = add_images
        self._thumbnails = project_cache(root, "thumbnails")
        self._batches: dict[str, _Batch] = {}
        self._large: tuple[str, Image.Image] | None = None
        self.outliner = Outliner(self._open, self._decoded, self._thumbnails)
        self._lock = threading.Lock()

    def thumbnails(
        self, parts: Sequence[Part], pixels: int, *, seconds: float = math.inf
    ) -> list[bytes | ImageError | None]:
        """Return a JPEG thumbnail of at most ``pixels`` × ``pixels``, or an error, for each part of an image.

        An image is decoded once for all its parts. After some ``seconds``, no further image is decoded, and the
        thumbnails that are lacking are None. The first one is always there.
        """
        until = time.monotonic() + seconds
        size = next((size for size in _TILE_SIZES if size >= pixels), _TILE_SIZES[-1])

        def load(parts: Sequence[Part]) -> dict[Part, bytes | ImageError]:
            try:
                made = thumbnails_of(parts, root=self.root, size=size, cache=self._thumbnails)
                return dict(zip(parts, made, strict=True))
            except ImageError as error:
                return dict.fromkeys(parts, error)

        # read cached thumbnails here: handing them over between threads would take longer than reading
        found: dict[Part, bytes | ImageError] = {}
        lacking: dict[tuple[str, str | None], list[Part]] = {}
        for part in dict.fromkeys(parts):
            if (kept := kept_thumbnail(part, size=size, cache=self._thumbnails)) is None:
                lacking.setdefault(part[:2], []).append(part)
            else:
                found[part] = kept
        begun = (of_image for n, of_image in enumerate(lacking.values()) if n == 0 or time.monotonic() < until)
        threads = settings.threads
        for thumbnails in map_bounded(load, begun, workers=threads, ahead=threads + 1):
            found.update(thumbnails)
        return [found.get(part) for part in parts]

    def full(self, part: Part) -> BrowserImage:
        """Return the full image, or a region of it scaled to at most 1600 pixels per side."""
        if part.region is None:
            return full_view_of(part.image, root=self.root, sha256=part.content, cache=self._thumbnails)
        data = kept_thumbnail(part, size=_CROP_PIXELS, cache=self._thumbnails)
        if data is None:
            (data,) = thumbnails_of([part], root=self.root, size=_CROP_PIXELS, cache=self._thumbnails)
        return _as_view(data, part.region[2])

    def drawing_view(self, image: str, content: str | None, pixels: int) -> BrowserImage:
        """Return the full image to draw on, scaled to about ``pixels`` per side if the original is slow to display."""
        longest = next((size for size in _VIEW_SIZES if size >= pixels), _VIEW_SIZES[-1])
        view = full_view_of(image, root=self.root, sha256=content, cache=self._thumbnails, longest=longest)
        side = max(view.width, view.height)
        if view.scale < 1 or side <= longest or (len(view.data) <= _LIGHT_BYTES and side <= _VIEW_SIZES[-1]):
            return view
        small = thumbnail_of(image, root=self.root, sha256=content, size=longest, cache=self._thumbnails)
        return _as_view(small, view.width)

    def region(self, image: str, box: tuple[int, int, int, int], pixels: int) -> bytes:
        """Crop a region of the upright image as a JPEG at most ``pixels`` wide. The decoded image is cached."""
        whole = self._decoded(image)
        left, top, width, height = box
        right, bottom = min(whole.width, left + width), min(whole.height, top + height)
        if not (0 <= left < right and 0 <= top < bottom):
            raise InputError(f"The region {box!r} is outside the {whole.width} × {whole.height} pixel image.")
        part = whole.crop((left, top, right, bottom))
        return thumbnail(part, max(1, min(pixels, _WIDEST_REGION)))

    def _decoded(self, image: str) -> Image.Image:
        with self._lock:
            if self._large is None or self._large[0] != image:
                self._large = None
                self._large = (image, self._open(image, None)[0])
            return self._large[1]

    def _open(self, image: str, content_id: str | None) -> tuple[Image.Image, str]:
        """Open an image, whose content hash may be known, and return it with the hash of its content."""
        return open_hashed(image, self.root, content_id=content_id)

    def instruction_picture(self, path: str) -> bytes:
        """Return an image from the instructions, also relative to the project, as a JPEG of at most 800 pixels."""
        return thumbnail(open_image(path, root=self.root, at_least=_INSTRUCTION_PIXELS), _INSTRUCTION_PIXELS)

    # -- uploads ------------------------------------------------------------------------------------
    def begin_upload(self) -> str:
        """Begin uploading a batch of files, and return the batch id."""
        inbox = self.root / "images"
        batch, resources = uuid4().hex, ExitStack()
        with write_errors(repr(str(inbox))), self._lock:
            inbox.mkdir(parents=True, exist_ok=True)
            self._batches[batch] = _Batch(resources.enter_context(scratch(inbox)), resources.close, {})
        return batch

    def add_part(self, batch: str, name: str, data: bytes | memoryview, *, first: bool) -> None:
        """Append bytes to a file of the batch, or create the file if ``first``."""
        upload = self._batch(batch)
        if first:
            upload.names[name] = upload.folder / upload_name(
                name, {path.name.lower() for path in upload.names.values()}
            )
        elif name not in upload.names:
            raise InputError(f"The first part of the upload of {name!r} is missing.")
        upload.bytes += len(data)
        if upload.bytes > _LARGEST_UPLOAD:
            self.cancel_upload(batch)
            raise InputError(f"The upload exceeds {_LARGEST_UPLOAD >> 30} GB. Use project.add_images for folders.")
        with write_errors(f"The upload of {name!r}"), upload.names[name].open("wb" if first else "ab") as file:
            file.write(data)

    def end_upload(self, batch: str, split: str, label: str | None, on_known: str = "fill") -> ImportReport:
        """Import the batch's files, with an optional label, and report issues under their uploaded names.

        ``on_known`` is that of :meth:`customlabels_nb.project.project.Project.add_images`.
        """
        upload = self._batch(batch)
        target = self.root / "images"
        moved: list[Path] = []
        uploaded: dict[str, str] = {}
        try:
            taken = {path.name.lower() for path in target.iterdir()}
            for name, path in upload.names.items():
                reserved = reserve(target, path.name, taken)
                moved.append(path.replace(reserved))
                uploaded[to_uri(reserved)] = name
            report = self._add_images([str(path) for path in moved], split, label, on_known)
        finally:
            self.cancel_upload(batch)
        self._remove_unused(moved, split)
        where = [uploaded.get(where, where) for where in report.issues["where"].tolist()]
        return replace(report, issues=report.issues.assign(where=pd.Series(where, report.issues.index, dtype=TEXT)))

    def _remove_unused(self, files: Sequence[Path], split: str) -> None:
        used_paths = {str(to_path(image, self.root)) for image in self.dataset(split).image_table["image"]}
        for path in files:
            if str(path) not in used_paths and path.suffix.lower() != ".zip":
                path.unlink(missing_ok=True)

    def cancel_upload(self, batch: str) -> None:
        with self._lock:
            upload = self._batches.pop(batch, None)
        if upload is not None:
            upload.forget()

    def _batch(self, batch: str) -> _Batch:
        try:
            return self._batches[batch]
        except KeyError:
            raise InputError("This upload was cancelled or belongs to another kernel. Drop the files again.") from None


def _as_view(data: bytes, original_width: int) -> BrowserImage:
    """Return a JPEG that was scaled from an original of this width."""
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as picture:
        width, height = picture.size
    return BrowserImage(data, "image/jpeg", width, height, width / original_width)


def upload_name(name: str, taken: set[str]) -> str:
    """Derive a valid file name that is not in ``taken`` (lower case) from the last part of ``name``."""
    base = portable_name(name.replace("\\", "/").rsplit("/", 1)[-1].lstrip(". ")) or "image"
    stem, dot, suffix = base.rpartition(".")
    if not dot:
        stem, suffix = base, ""
    stem = stem.encode()[:150].decode(errors="ignore") or "image"
    suffix = f".{suffix[:16]}" if suffix else ""
    free, number = f"{stem}{suffix}", 1
    while free.lower() in taken:
        number += 1
        free = f"{stem}-{number}{suffix}"
    return free


def reserve(folder: Path, name: str, taken: set[str]) -> Path:
    """Create an empty file under a valid name not in ``taken`` (lower case), and never one of another process."""
    while True:
        path = folder / upload_name(name, taken)
        taken.add(path.name.lower())
        with suppress(FileExistsError):
            path.touch(exist_ok=False)
            return path


def report_as_json(report: ImportReport) -> dict[str, Any]:
    """Convert an import report to JSON, with each problem once, without folders of the server."""
    issues = report.issues.assign(message=[_QUOTED_FOLDER.sub("", text) for text in report.issues["message"]])
    problems = [
        {"message": message, "count": len(where), "files": [short_name(name) for name in where[:_FILES_NAMED]]}
        for message, where in issues.groupby("message", sort=False)["where"].agg(list).head(_PROBLEMS).items()
    ]
    return {"text": repr(replace(report, issues=report.issues.iloc[:0])), "count": len(issues), "problems": problems}
