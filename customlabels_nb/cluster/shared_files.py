"""Choose files by which workers on other machines show that they can read what the driver reads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from customlabels_nb.errors import ImageError, InputError
from customlabels_nb.images.reading import content_hash, is_remote, read_bytes, to_path
from customlabels_nb.inference.image_numbers import listings
from customlabels_nb.inference.inputs import located
from customlabels_nb.inference.output_folder import OutputFolder

_MOST_PROBES = 8


def readable_everywhere(
    names: Sequence[str], root: Path | None, folder: OutputFolder | None = None, *, shared: bool
) -> list[list[str]]:
    """Return files that each worker must be able to read: a local one, the output's listing, one of each bucket.

    Raises
    ------
    InputError
        If there are local paths without ``shared``.
    """
    from customlabels_nb.remote.remote_files import look_up

    output = None if folder is None else folder.local
    local = next((name for name in names if not is_remote(name)), None)
    if not shared and (local is not None or output is not None):
        argument = f"to={str(folder)!r}" if local is None else f"The image {local!r}"
        raise InputError(
            f"{argument} is a path on this machine, which workers on other machines may not have. Use a URL, such as "
            "'s3://bucket/folder/', or pass shared=True if all machines have the same files at this path."
        )
    probes: list[list[str]] = []
    if local is not None:
        place = os.path.abspath(to_path(located(local, root)))
        with suppress(ImageError):  # it is reported as an unreadable image
            probes.append([place, content_hash(read_bytes(place, max_bytes=None))])
    if folder is not None and output is not None:
        name = listings(folder)[0][2]
        probes.append([str(output / name), content_hash(folder.read(name))])
    places: dict[str, str] = {}
    for name in names:
        if is_remote(name) and len(places) < _MOST_PROBES:
            places.setdefault(urlsplit(name)._replace(path="", query="", fragment="").geturl(), name)
    for name in places.values():
        with suppress(ImageError):
            look_up(name)
            probes.append([name, ""])
    return probes
