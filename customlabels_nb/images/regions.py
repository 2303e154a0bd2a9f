"""Parts of images: regions around boxes, and thumbnails that are cut from the decoded image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from PIL import Image

from customlabels_nb.images.decoding import decode, opened, orientation, upright_rgb
from customlabels_nb.images.reading import thumbnail

if TYPE_CHECKING:
    import numpy.typing as npt

#: Left, top, width and height in pixels of the upright original.
Region: TypeAlias = tuple[int, int, int, int]

#: Begins the name of a region after that of its image, as in media fragments: ``a.jpg#xywh=10,20,30,40``.
FRAGMENT = "#xywh="

_LARGEST = 100_000  # pixels of a side of an image whose size is unknown
_MARGIN = 0.15  # of the sides of a box
_TILE_SHAPE = 9 / 8  # width by height. Keep in sync with ``.frame`` in ``widgets/static/shared/tiles.css``.


class Part(NamedTuple):
    """A region of an image, or the whole image. ``content`` is its hash or remote identity, None if unknown."""

    image: str
    content: str | None = None
    region: Region | None = None


def regions_around(boxes: npt.ArrayLike, sizes: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the regions that show boxes (left, top, width, height) on images of these sizes, NaN if unknown.

    A region is the box with a margin, in the shape of a tile if the image is large enough, and within the image.
    """
    image = np.asarray(sizes, dtype=np.float64).reshape(-1, 2)
    image = np.where(np.isnan(image), _LARGEST, image)
    corners = np.asarray(boxes, dtype=np.float64).reshape(-1, 2, 2)
    start, end = (np.clip(corner, 0, image) for corner in (corners[:, 0], corners.sum(axis=1)))
    sides = np.minimum((end - start) * (1 + 2 * _MARGIN), image)
    shape = np.array([_TILE_SHAPE, 1])
    sides = np.minimum(np.maximum(sides, shape * (sides / shape).max(axis=1, keepdims=True)), image)
    first = np.clip((start + end - sides) / 2, 0, image - sides)
    top_left = np.minimum(np.floor(first), image - 1)
    bottom_right = np.maximum(np.minimum(np.ceil(first + sides), image), top_left + 1)
    return np.hstack([top_left, bottom_right - top_left]).astype(np.int64)


def cut(data: bytes, name: str, regions: Sequence[Region | None], size: int) -> list[bytes]:
    """Decode an image once, and return JPEG thumbnails within ``size`` × ``size`` pixels of its regions, None for all.

    Regions are never enlarged, and black outside the image.
    """
    return [thumbnail(part, size) for part in open_regions(data, name, regions, size, max)]


def open_regions(
    data: bytes, name: str, regions: Sequence[Region | None], size: int, side: Callable[[tuple[int, int]], int]
) -> Iterator[Image.Image]:
    """Decode an image once, and yield its regions as upright RGB, None for all of it.

    A JPEG is decoded smaller if the shorter (``side=min``) or longer (``max``) side of each region keeps ``size``
    pixels.
    """
    with opened(data, name) as image:
        longest, is_jpeg = max(image.size), image.format in ("JPEG", "MPO")
        needed = max(min(1.0, size / side(region[2:] if region else image.size)) for region in regions)
        if is_jpeg:
            image.draft("RGB", (max(1, int(needed * image.width)), max(1, int(needed * image.height))))
        decode(image, name)
        # copying a large photo would double its memory
        photo = image if is_jpeg and image.mode == "RGB" and orientation(image) == 1 else upright_rgb(image, name)
    photo.info = {}
    scale = max(photo.size) / longest
    for region in regions:
        yield photo.crop(_scaled(region, scale, photo.size)) if region else photo


def _scaled(region: Region, scale: float, size: tuple[int, int]) -> Region:
    """Return the left, top, right and bottom of a region in an image that was decoded smaller.

    Of a region that is much larger than the image, the part is returned that is at most as far outside as the image is
    wide and high.
    """
    left, top, width, height = region
    corners = ((left, top), (left + width, top + height))
    (x, y), (right, bottom) = (
        [min(round(at * scale), 2 * side) for at, side in zip(corner, size, strict=True)] for corner in corners
    )
    return x, y, max(right, x + 1), max(bottom, y + 1)
