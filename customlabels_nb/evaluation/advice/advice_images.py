"""Small pictures of test images, for cards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from customlabels_nb.errors import ImageError
from customlabels_nb.images.reading import is_remote, read_header
from customlabels_nb.images.thumbnails import project_cache, thumbnail_of

#: Longest side in pixels of what is shown; a notebook keeps it.
SIZE = 128


class AdviceImage(NamedTuple):
    """A small picture, and the pixels of the upright image that it was made of.

    Attributes
    ----------
    data : bytes
        A JPEG.
    width, height : int
    """

    data: bytes
    width: int
    height: int


#: Gives a small picture of an image, or None where there is none.
Pictures = Callable[[str], AdviceImage | None]


def picture_of(image: str, root: Path | None) -> AdviceImage | None:
    """The picture of an image on this machine; None of a remote one, which isn't fetched for it, or an unreadable one.

    Parameters
    ----------
    image : str
        Path or URL.
    root : Path, optional
        Folder under which relative paths lie; thumbnails are kept in its cache.
    """
    if is_remote(image):
        return None
    try:
        header = read_header(image, root)
        data = thumbnail_of(image, root=root, sha256=None, size=SIZE, cache=project_cache(root, "thumbnails"))
    except ImageError:
        return None
    return AdviceImage(data, header.width, header.height)
