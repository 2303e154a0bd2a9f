"""What all formats of datasets on disk have in common."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import pandas as pd

from customlabels_nb import tables as t
from customlabels_nb.errors import InputError
from customlabels_nb.images import is_remote, to_path, to_uri
from customlabels_nb.issues import Issue
from customlabels_nb.limits import IMAGE_SUFFIXES

#: What a format may be able to hold beside images and their labels.
CAPABILITIES = frozenset(
    {
        "image_labels", "boxes", "polygons", "crowd", "confidence", "job", "created", "empty", "unlabelled",
        "label_order", "size",
    }
)  # fmt: skip


#: Relative names that can't lead anywhere but down: nearly all, and looking at the parts of each takes its time.
_ORDINARY = re.compile(r"(?:[\w-][\w. -]*/)*+[\w-][\w. -]*", re.ASCII)


@dataclass
class Contents:
    """What a file or folder of annotations says.

    Attributes
    ----------
    images, annotations : DataFrame
        Normalised tables. An image that was looked at and shows nothing has status "labelled".
    labels : list of str
        In the format's order; it may name labels that no image has.
    issues : list of Issue
        What could not be read, or was read otherwise than it stood there.
    unread : list of (int, str)
        Number (from 1) and text of lines that were not read.
    """

    images: pd.DataFrame = field(default_factory=lambda: t.empty(t.IMAGE_COLUMNS))
    annotations: pd.DataFrame = field(default_factory=lambda: t.empty(t.ANNOTATION_COLUMNS))
    labels: list[str] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    unread: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Format:
    """A format: one module, one of these in :data:`customlabels_nb.formats.FORMATS`.

    Attributes
    ----------
    name : str
        How people ask for it.
    recognise : callable
        Whether a file or folder is of this format, by its content; must not raise, nor read all of a large file.
    read : callable
        Gives the contents of a file or folder; raises ManifestError or InputError if nothing can be read at all.
    write : callable
        Writes contents (each file whole or not at all) and returns the files; never outside ``path``.
    holds : frozenset of str
        Which of :data:`CAPABILITIES` survive writing and reading.
    """

    name: str
    recognise: Callable[[Path], bool]
    read: Callable[[Path, ImageFinder], Contents]
    write: Callable[[Contents, Path], list[Path]]
    holds: frozenset[str]


class ImageFinder:
    """Finds the images that annotations name, where they lie now.

    Parameters
    ----------
    base : Path
        The folder of the annotations: names are relative to it.
    images : path, optional
        A folder (searched below) in which images are found by their file name.
    relocate : mapping, optional
        Old prefix → new one, for URLs and paths that begin with it; the longest prefix counts.
    """

    def __init__(
        self,
        base: Path,
        *,
        images: str | os.PathLike[str] | None = None,
        relocate: Mapping[str, str] | None = None,
    ) -> None:
        self._base = base
        folder = os.path.join(os.path.abspath(base), "")
        self._folder = folder if folder.startswith("/") and folder == to_uri(folder) + "/" else None
        self._relocate = sorted((relocate or {}).items(), key=lambda pair: -len(pair[0]))
        self._by_name = None if images is None else _files_by_name(images)
        self.missing: list[str] = []

    def find(self, name: str, *urls: str) -> str:
        """The image's URI.

        ``name`` is as it stands in the file, ``urls`` are further places that the format gives for it. With ``images=``
        what isn't found is listed in :attr:`missing`, and keeps its name.

        Raises
        ------
        InputError
            If the name is absolute or leads out of the folder of the annotations, and no ``relocate`` explains it.
        """
        place = self._known_place(name, *urls)
        if place is not None:
            return place
        if self._folder is not None and _ORDINARY.fullmatch(name):
            return self._folder + name
        try:
            if is_remote(name):
                return name
            if name.startswith("file://"):
                return to_uri(to_path(name))  # in the tables a file of this machine is a path
        except ValueError as error:  # a URL that is none
            raise InputError(f"The image name {name!r} can't be a URL ({error}).") from error
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in name[:3] or "\0" in name or not name:
            raise InputError(
                f"The image name {name!r} leads out of the folder of the annotations; say where the images are now "
                "with images= or relocate=."
            )
        return to_uri(self._base / parts)

    def relocated(self, uri: str) -> str:
        """Where the image that a whole URI names lies now; unchanged unless ``relocate`` or ``images`` tell."""
        return self._known_place(uri) or uri

    def _known_place(self, name: str, *urls: str) -> str | None:
        for candidate in (name, *urls):
            for old, new in self._relocate:
                if candidate.startswith(old):
                    moved = new + candidate[len(old) :]
                    return moved if is_remote(moved) else to_uri(moved)
        if self._by_name is not None:
            found = self._by_name.get(PurePosixPath(name.replace("\\", "/")).name)
            if found is not None:
                return found
            self.missing.append(name)
        return None


def _files_by_name(folder: str | os.PathLike[str]) -> dict[str, str]:
    top = Path(folder).expanduser()
    if not top.is_dir():
        raise InputError(f"images={os.fspath(folder)!r} is not a folder.")
    found: dict[str, str] = {}
    for parent, folders, files in os.walk(top):
        folders.sort()
        for file in sorted(files):
            if os.path.splitext(file)[1].lower() in IMAGE_SUFFIXES:
                found.setdefault(file, to_uri(os.path.join(parent, file)))
    return found


def losses(contents: Contents, format_: Format) -> list[Issue]:
    """What of these contents the format can't hold, one issue for each kind of thing with how many there are."""
    images, annotations = contents.images, contents.annotations
    boxed = annotations["left"].notna()
    counts = {
        "image_labels": int((~boxed & annotations["polygon"].isna()).sum()),
        "boxes": int(boxed.sum()),
        "polygons": int(annotations["polygon"].notna().sum()),
        "crowd": int(annotations["crowd"].sum()),
        "confidence": int((annotations["confidence"] != 1).sum()),
        "job": int(annotations["job"].notna().sum()),
        "empty": int(((images["status"] == "labelled") & ~images["image"].isin(annotations["image"])).sum()),
        "unlabelled": int((images["status"] != "labelled").sum()),
    }
    return [
        Issue("NOT_HELD", f"{count:,} × {what.replace('_', ' ')} can't be held by {format_.name}.", where=what)
        for what, count in counts.items()
        if count and what not in format_.holds
    ]


def written_name(uri: str, base: Path) -> str:
    """How an image is named in a file that lies in ``base``: relative to it if it lies below, else as a URL."""
    if is_remote(uri) or uri.startswith("file://"):
        return uri
    inside = os.path.abspath(base)
    if uri.startswith(f"{inside}/") and "//" not in uri and "/." not in uri:  # most do, and the rest takes its time
        return uri[len(inside) + 1 :]
    path = os.path.abspath(uri)
    if os.path.commonpath([path, inside]) == inside:
        return PurePosixPath(os.path.relpath(path, inside)).as_posix()
    return "file://" + quote(path)
