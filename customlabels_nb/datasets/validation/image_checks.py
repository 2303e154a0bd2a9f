"""Whether the images of a manifest are there and may be used: several at a time, and of local files only the header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.core.limits import Limits
from customlabels_nb.datasets.formats.manifest_lines import wrong_size
from customlabels_nb.datasets.formats.manifest_sizes import headers
from customlabels_nb.datasets.formats.manifest_values import ImageVerdict
from customlabels_nb.errors import ImageError, ImageNotFoundError
from customlabels_nb.images.reading import ImageHeader, is_remote, read_header
from customlabels_nb.remote.download_cache import connections
from customlabels_nb.settings import settings

_TYPES = frozenset({"JPEG", "MPO", "PNG"})


@dataclass
class ImageFindings:
    """What looking at images told.

    Attributes
    ----------
    verdicts : dict
        Place of an image → verdict. Images that could not be looked at are missing.
    refused : set of str
        S3 buckets that let nobody in.
    fetched, lost : int
        How many images on S3 were read, and how many could not be.
    unreachable : dict
        Server or bucket → why nothing of it could be looked at.
    """

    verdicts: dict[str, ImageVerdict] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    fetched: int = 0
    lost: int = 0
    unreachable: dict[str, str] = field(default_factory=dict)


def judge_images(places: Sequence[str], limits: Limits) -> ImageFindings:
    """Look at the images at these paths and URLs."""
    judged = ImageFindings()
    local = [place for place in places if not is_remote(place)]
    for place, header in zip(local, headers(local), strict=True):
        judged.verdicts[place] = _verdict(header, limits)
    remote = [place for place in places if is_remote(place)]

    def look(place: str) -> ImageHeader | ImageError | None:
        if _server(place) in judged.unreachable:
            return None
        try:
            return read_header(place)
        except ImageError as error:
            return error

    workers = connections(remote, settings.threads)
    for place, seen in zip(remote, map_bounded(look, remote, workers=workers), strict=True):
        if seen is not None:
            _note(judged, place, seen, limits)
    return judged


def _note(judged: ImageFindings, place: str, seen: ImageHeader | ImageError, limits: Limits) -> None:
    on_s3 = place.startswith("s3://")
    cause = seen.__cause__ if isinstance(seen, ImageError) else None
    if isinstance(seen, ImageError) and not _is_about_the_image(seen, cause):
        judged.unreachable.setdefault(_server(place), seen.reason)
        return
    if on_s3 and isinstance(cause, PermissionError):
        judged.refused.add(urlsplit(place).netloc)
    judged.fetched += on_s3 and not isinstance(seen, ImageNotFoundError)
    judged.lost += on_s3 and isinstance(seen, ImageNotFoundError)
    judged.verdicts[place] = _verdict(seen, limits)


def _is_about_the_image(error: ImageError, cause: BaseException | None) -> bool:
    """Rather than about the way to it: a missing package, no network, no credentials, a server that doesn't answer."""
    if type(error) is ImageError:
        return False
    if not isinstance(error, ImageNotFoundError):
        return True
    if isinstance(cause, FileNotFoundError) and error.image.startswith(("http://", "https://")):
        return getattr(cause.__cause__, "status", None) is not None
    return isinstance(cause, FileNotFoundError | PermissionError)


def _server(place: str) -> str:
    parts = urlsplit(place)
    return f"{parts.scheme}://{parts.netloc}"


def _verdict(seen: ImageHeader | ImageError, limits: Limits) -> ImageVerdict:
    if isinstance(seen, ImageError):
        return ImageVerdict(unusable=seen.reason)
    width, height = size = seen.width, seen.height
    wrong = wrong_size(size, limits)
    if limits.service and seen.format not in _TYPES:
        return ImageVerdict(size, f"it is of the type {seen.format}, not PNG or JPEG", wrong)
    if limits.max_image_bytes is not None and seen.bytes > limits.max_image_bytes:
        return ImageVerdict(size, f"it has {seen.bytes:,} of at most {limits.max_image_bytes:,} bytes", wrong)
    ratio = max(size) / min(size)
    if limits.max_aspect_ratio is not None and ratio > limits.max_aspect_ratio:
        said = f"{width:,} × {height:,} pixels are more than {limits.max_aspect_ratio:g} to 1"
        return ImageVerdict(size, said, wrong)
    return ImageVerdict(size, "", wrong)
