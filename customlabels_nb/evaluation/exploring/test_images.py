"""Pictures of the test images of an exploration, small and in full."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.errors import ImageError
from customlabels_nb.images.reading import is_remote, read_header
from customlabels_nb.images.thumbnails import BrowserImage, full_view_of, project_cache, thumbnail_of
from customlabels_nb.settings import settings

SIZES = (160, 320, 640)


class TestPictures:
    """Pictures of test images by their positions.

    Parameters
    ----------
    images : DataFrame
        One row a test image: ``image``, perhaps ``sha256``, ``width`` and ``height``.
    root : Path, optional
        Folder under which relative paths lie; what is made is kept in its cache.
    """

    __test__ = False  # no class of tests

    def __init__(self, images: pd.DataFrame, root: Path | None) -> None:
        self._names: list[str] = images["image"].tolist()
        self._root = root
        self._cache = project_cache(root, "thumbnails")
        self._contents = _cells(images, "sha256")
        self._sizes = list(zip(_cells(images, "width"), _cells(images, "height"), strict=True))

    def thumbnails(self, positions: Sequence[int], pixels: int) -> list[bytes | ImageError]:
        """JPEG bytes that fit ``pixels`` × ``pixels``, or why there are none."""
        size = next((size for size in SIZES if size >= pixels), SIZES[-1])

        def one(at: int) -> bytes | ImageError:
            try:
                return thumbnail_of(
                    self._names[at], root=self._root, sha256=self._content(at), size=size, cache=self._cache
                )
            except ImageError as error:
                return error

        return list(map_bounded(one, positions, workers=settings.threads))

    def size(self, at: int) -> tuple[int, int] | None:
        """Width and height of the upright image in pixels, where that is known without fetching it."""
        width, height = self._sizes[at]
        if isinstance(width, int | float) and isinstance(height, int | float) and width > 0 and height > 0:
            return int(width), int(height)
        if is_remote(self._names[at]):
            return None
        try:
            header = read_header(self._names[at], self._root)
        except ImageError:
            return None
        self._sizes[at] = (header.width, header.height)
        return header.width, header.height

    def view(self, at: int) -> BrowserImage:
        """The whole image as a browser shows it.

        Raises
        ------
        ImageError
            If it can't be read.
        """
        return full_view_of(self._names[at], root=self._root, sha256=self._content(at), cache=self._cache)

    def _content(self, at: int) -> str | None:
        content = self._contents[at]
        return content if isinstance(content, str) else None


def _cells(images: pd.DataFrame, column: str) -> list[object]:
    if column not in images.columns:
        return [None] * len(images)
    values = images[column]
    found: list[object] = values.astype(object).where(values.notna(), None).tolist()
    return found
