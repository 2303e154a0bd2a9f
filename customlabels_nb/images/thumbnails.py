"""What is made of images and kept: thumbnails and views for browsers, in caches found by content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from customlabels_nb.images.browser_images import LONGEST_CONVERTED, BrowserImage, full_view, kept_view
from customlabels_nb.images.reading import open_image, read_content, thumbnail
from customlabels_nb.remote.content_cache import KEY, TAG_NAME, ContentCache, project_cache
from customlabels_nb.remote.remote_files import is_identity

__all__ = ["TAG_NAME", "ContentCache", "full_view_of", "kept_thumbnail", "project_cache", "thumbnail_of"]


def thumbnail_of(image: str, *, root: Path | None, sha256: str | None, size: int, cache: ContentCache | None) -> bytes:
    """JPEG bytes of an image that fit ``size`` × ``size`` pixels, from the cache where its content is known.

    Parameters
    ----------
    sha256 : str, optional
        What the images table says of its content: the hash of a local file, the identity of a remote one.

    Raises
    ------
    ImageError
        If the image can't be read.
    """
    if (kept := kept_thumbnail(sha256, size=size, cache=cache)) is not None:
        return kept
    data, content = read_content(image, root, known=sha256)
    small = thumbnail(open_image(data, name=image, at_least=size), size)
    key = _key(sha256, f"-{size}.jpg") if sha256 else None
    if key is not None and cache is not None and content == sha256:  # the file may have changed since that was known
        cache.put(key, small)
    return small


def kept_thumbnail(sha256: str | None, *, size: int, cache: ContentCache | None) -> bytes | None:
    """What :func:`thumbnail_of` has in the cache; None where it has to be made."""
    key = _key(sha256, f"-{size}.jpg") if sha256 and cache is not None else None
    return cache.get(key) if key is not None and cache is not None else None


def full_view_of(
    image: str,
    *,
    root: Path | None,
    sha256: str | None,
    cache: ContentCache | None,
    longest: int = LONGEST_CONVERTED,
) -> BrowserImage:
    """The whole image as a browser shows it, upright; see :func:`customlabels_nb.images.browser_images.full_view`.

    What had to be converted comes from the cache where the content is known.

    Raises
    ------
    ImageError
        If the image can't be read.
    """
    key = _key(sha256, f"-view-{longest}.jpg") if sha256 and cache is not None else None
    if key is not None and cache is not None and (kept := cache.get(key)) is not None:
        view = kept_view(kept)
        if view is not None:
            return view
    data, content = read_content(image, root, known=sha256)
    view = full_view(data, image, longest=longest)
    if key is not None and cache is not None and content == sha256 and view.data is not data:
        cache.put(key, view.data)
    return view


def _key(content: str, suffix: str) -> str | None:
    """The key of what is made of this content; None for what is neither a hash nor an identity."""
    if is_identity(content):  # it holds what a server said
        content = hashlib.sha256(content.encode()).hexdigest()
    key = content + suffix
    return key if KEY.fullmatch(key) else None
