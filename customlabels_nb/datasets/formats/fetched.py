"""Annotations that lie behind a URL: fetched to be read, while what they name stays where it is."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from customlabels_nb._utils.files import scratch
from customlabels_nb.core.limits import LOCAL
from customlabels_nb.datasets.formats.base import Contents
from customlabels_nb.errors import InputError, ManifestError
from customlabels_nb.images.reading import to_uri
from customlabels_nb.remote.remote_files import download


@contextmanager
def fetched(url: str) -> Iterator[Path]:
    """The file behind ``url`` as one in a folder of its own, while the block runs.

    Raises
    ------
    ManifestError
        If it can't be read, or is a folder.
    """
    if url.endswith("/"):
        raise ManifestError(
            f"{url!r} is a folder, and annotations behind a URL are a file; project.add_images takes images from "
            "folders there, with auto_label=True their labels, too.",
            "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT",
        )
    with scratch(Path(tempfile.gettempdir())) as folder:
        name = re.sub(r"[^\w.-]+", "_", url.partition("?")[0].rpartition("/")[2])[-80:].lstrip(".")
        path = Path(folder, name or "annotations")
        try:
            download(url, path, LOCAL.max_archive_bytes)
        except InputError as error:
            refused = isinstance(error.__cause__, PermissionError)
            code = (
                "ERROR_INVALID_PERMISSIONS_MANIFEST_S3_BUCKET"
                if refused
                else "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"
            )
            raise ManifestError(str(error), code) from error
        yield path


def as_at(contents: Contents, path: Path, url: str) -> Contents:
    """What was read from the fetched file ``path``, as if it had been read where it lies: beside its images."""
    here, there = os.path.join(to_uri(path.parent), ""), url.partition("?")[0].rpartition("/")[0] + "/"

    def moved(name: str) -> str:
        return there + name[len(here) :] if name.startswith(here) else name

    return replace(
        contents,
        images=contents.images.assign(image=contents.images["image"].map(moved)),
        annotations=contents.annotations.assign(image=contents.annotations["image"].map(moved)),
        issues=[
            replace(issue, where=moved(issue.where), source=url if issue.source == str(path) else moved(issue.source))
            for issue in contents.issues
        ],
    )
