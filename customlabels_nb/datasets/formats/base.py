"""What all formats of datasets on disk have in common."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

import pandas as pd

from customlabels_nb._utils.text import without_passwords
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.limits import IMAGE_SUFFIXES
from customlabels_nb.errors import InputError
from customlabels_nb.images.reading import is_remote, local_path, to_path, to_uri

#: What a format may be able to hold beside images and their labels.
CAPABILITIES = frozenset(
    {
        "image_labels", "boxes", "polygons", "crowd", "confidence", "annotator", "job", "created", "empty",
        "unlabelled", "status", "split", "size", "tags", "labels", "label_order", "columns", "notes",
    }
)  # fmt: skip
_WORDS = {
    "image_labels": "label of a whole image", "boxes": "box", "polygons": "polygon", "crowd": "crowd",
    "annotator": "name of who labelled", "created": "date", "empty": "image that shows nothing",
    "unlabelled": "image that isn't labelled", "status": "image that is skipped or needs review",
    "split": "image of the test set", "size": "size of an image", "tags": "image with tags",
    "labels": "label that no image has", "label_order": "place of a label among the others",
    "columns": "column of the user's", "notes": "note on the whole dataset",
}  # fmt: skip
_EXAMPLES = 3

#: Relative names that can't lead anywhere but down: nearly all, and looking at the parts of each takes its time.
_ORDINARY = re.compile(r"(?:[\w-][\w. -]*/)*+[\w-][\w. -]*", re.ASCII)


class Notes(dict[str, Any]):
    """What a file says beside its images. Tables carry it in their ``attrs``, of which pandas makes deep copies."""

    def __deepcopy__(self, memo: object) -> Notes:
        return self


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

    def unread_of(self, path: str | os.PathLike[str]) -> list[tuple[str, int, str]]:
        """The unread lines of the file ``path``, each with its URI, as text that any database can hold."""
        source = without_passwords(to_uri(Path(path).expanduser()))
        plain = [
            without_passwords(raw).replace("\0", "\ufffd").encode("utf-8", "replace").decode() for _, raw in self.unread
        ]
        return [(source, number, raw) for (number, _), raw in zip(self.unread, plain, strict=True)]


@dataclass(frozen=True)
class Format:
    """A format: one module, one of these in :data:`customlabels_nb.datasets.formats.FORMATS`.

    Attributes
    ----------
    name : str
        How people ask for it.
    recognise : callable
        Whether a file or folder is of this format, by its content; must not raise, nor read all of a large file.
    read : callable
        Gives the contents of a file or folder, from its path, an :class:`ImageFinder` and ``options``; raises
        ManifestError or InputError if nothing can be read at all.
    write : callable
        Writes contents (each file whole or not at all) and returns the files; never outside ``path``.
    holds : frozenset of str
        Which of :data:`CAPABILITIES` survive writing and reading.
    columns, notes : frozenset of str
        Columns of images beside those that all have, and keys of their ``attrs``, that survive, too.
    options : frozenset of str
        Keyword arguments that ``read`` takes.
    folder : callable
        The folder in which the annotations lie that are written to a path.
    copies : bool
        Whether writing copies the images, because the place of one tells its label.
    """

    name: str
    recognise: Callable[[Path], bool]
    read: Callable[..., Contents]
    write: Callable[[Contents, Path], list[Path]]
    holds: frozenset[str]
    columns: frozenset[str] = frozenset()
    notes: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    folder: Callable[[Path], Path] = attrgetter("parent")
    copies: bool = False


class ImageFinder:
    """Finds the images that annotations name, where they lie now.

    Parameters
    ----------
    base : Path
        The folder of the annotations: names are relative to it.
    images : path, optional
        A folder (searched below) in which images are found by their file name; where several have it, by the names of
        the folders around them, too.
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
        if relocate is not None and not isinstance(relocate, Mapping):
            raise InputError(f"relocate={relocate!r} is no dict of old prefixes and new ones.")
        self._relocate = sorted((relocate or {}).items(), key=lambda pair: -len(pair[0]))
        self._by_name = None if images is None else _files_by_name(images)
        self._moved = bool(self._relocate) or self._by_name is not None
        self.missing: list[str] = []

    def find(self, name: str, *urls: str) -> str:
        """The image's URI.

        ``name`` is as it stands in the file, ``urls`` are further places that the format gives for it. With ``images=``
        what isn't found, or could be any of several files, is listed in :attr:`missing`, and keeps its name.

        Raises
        ------
        InputError
            If the name is absolute or leads out of the folder of the annotations, and no ``relocate`` explains it.
        """
        place = self._known_place(name, *urls) if self._moved else None
        if place is not None:
            return place
        if self._folder is not None and _ORDINARY.fullmatch(name):
            return self._folder + name
        try:
            if is_remote(name):
                urlsplit(name)
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
            parts = PurePosixPath(name.replace("\\", "/")).parts
            found = _most_alike(self._by_name.get(parts[-1], []) if parts else [], parts)
            if found is not None:
                return found
            self.missing.append(name)
        return None


def _files_by_name(folder: str | os.PathLike[str]) -> dict[str, list[str]]:
    top = local_path(folder, "images")
    if not os.path.isdir(top):
        raise InputError(f"images={os.fspath(folder)!r} is not a folder.")
    found: dict[str, list[str]] = {}
    for parent, folders, files in os.walk(top):
        folders.sort()
        for file in sorted(files):
            if os.path.splitext(file)[1].lower() in IMAGE_SUFFIXES:
                found.setdefault(file, []).append(to_uri(os.path.join(parent, file)))
    return found


def _most_alike(candidates: list[str], parts: Sequence[str]) -> str | None:
    """That one of the files whose path ends most like ``parts``; None if there is none, or no telling which."""
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    pairs = (zip(reversed(to_path(file).parts), reversed(parts), strict=False) for file in candidates)
    alike = [sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], own)) for own in pairs]
    best = max(alike)
    return candidates[alike.index(best)] if alike.count(best) == 1 else None


def losses(contents: Contents, format_: Format) -> list[Issue]:
    """What of these contents the format can't hold: one issue for each kind of thing, with how many and an example."""
    images, annotations = contents.images, contents.annotations
    boxed, outlined = annotations["left"].notna(), annotations["polygon"].notna()
    annotated = images["image"].isin(annotations["image"])
    used = set(annotations["label"].unique())
    in_order = [label for label in t.labels_in_order(annotations, contents.labels) if label in used]
    of_annotations = {
        "image_labels": ~boxed & ~outlined,
        "boxes": boxed,
        "polygons": outlined,
        "crowd": annotations["crowd"],
        "confidence": annotations["confidence"] != 1,
        "annotator": annotations["annotator"].notna(),
        "job": annotations["job"].notna(),
        "created": annotations["created"].notna(),
    }
    of_images = {
        "empty": (images["status"] == "labelled") & ~annotated,
        "unlabelled": (images["status"] != "labelled") & ~annotated,
        "status": images["status"].isin(["skipped", "needs_review"]),
        "split": images["split"] != t.TRAIN,
        "size": images["width"].notna(),
        "tags": images["tags"].map(bool).astype(bool),
    }
    found: dict[str, list[str]] = {
        **{what: annotations.loc[there, "image"].tolist() for what, there in of_annotations.items()},
        **{what: images.loc[there, "image"].tolist() for what, there in of_images.items()},
        "labels": [label for label in contents.labels if label not in used],
        "label_order": [label for label, place in zip(in_order, sorted(used), strict=True) if label != place],
        "columns": [name for name in images.columns if name not in t.IMAGE_COLUMNS and name not in format_.columns],
        "notes": [name for name in images.attrs if name not in format_.notes],
    }
    return [
        Issue(
            "NOT_HELD",
            f"{len(examples):,} × {_WORDS.get(what, what)} can't be held by {format_.name}: {_first(examples)}.",
            where=what,
        )
        for what, examples in found.items()
        if examples and what not in format_.holds
    ]


def _first(examples: list[str]) -> str:
    return ", ".join(map(repr, examples[:_EXAMPLES])) + (" …" if len(examples) > _EXAMPLES else "")


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
