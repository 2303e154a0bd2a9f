"""Base classes of all dataset formats: contents, format description and image lookup."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import pandas as pd

from customlabels_nb._utils.text import plain_url, without_passwords
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.limits import IMAGE_SUFFIXES
from customlabels_nb.datasets.formats.stems import FilesByStem, composed
from customlabels_nb.errors import InputError
from customlabels_nb.images.listing import is_hidden
from customlabels_nb.images.locations import is_remote, local_path, to_path, to_uri, url_below, without_scheme
from customlabels_nb.remote.remote_files import is_web

#: Kinds of data that a format may store in addition to images and their labels.
CAPABILITIES = frozenset(
    {
        "image_labels", "boxes", "polygons", "crowd", "confidence", "annotator", "job", "created", "empty",
        "unlabelled", "skipped", "status", "split", "size", "tags", "labels", "label_order", "columns", "notes",
        "predictions", "label_notes", "box_notes",
    }
)  # fmt: skip
_WORDS = {
    "image_labels": "image-level label", "boxes": "box", "polygons": "polygon", "crowd": "crowd",
    "annotator": "annotator", "created": "creation date", "empty": "labelled image without objects",
    "unlabelled": "unlabelled image", "skipped": "skipped image", "status": "image that needs review",
    "split": "test image", "size": "image size", "tags": "image with tags",
    "labels": "label without images", "label_order": "position in the label order",
    "columns": "custom column", "notes": "note on the dataset", "predictions": "prediction",
    "label_notes": "note on an image-level label", "box_notes": "note on a box or polygon",
}  # fmt: skip
_EXAMPLES = 3
_TRIED = 50  # images that are looked for to find their folder
#: Difference in pixels up to which two boxes are the same, unless the format has another one.
ROUNDING = 0.01

#: Relative names that cannot point outside the folder. Most names match, and checking each part of a name is slow.
_ORDINARY = re.compile(r"(?:[\w-][\w. -]*/)*+[\w-][\w. -]*", re.ASCII)


class Notes(dict[str, Any]):
    """Dataset metadata for ``DataFrame.attrs`` that is shared, not copied, when pandas deep-copies the attributes."""

    def __deepcopy__(self, memo: object) -> Notes:
        return self


@dataclass
class Contents:
    """Images, annotations and labels read from a file or folder.

    A reviewed image without objects has the status "labelled". ``labels`` are in the format's order and include those
    without images. ``unread`` has the number (from 1) and text of each line that could not be read. ``taken`` has the
    URIs of the files that were read, beside the images.
    """

    images: pd.DataFrame = field(default_factory=lambda: t.empty(t.IMAGE_COLUMNS))
    annotations: pd.DataFrame = field(default_factory=lambda: t.empty(t.ANNOTATION_COLUMNS))
    labels: list[str] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    unread: list[tuple[int, str]] = field(default_factory=list)
    predictions: pd.DataFrame = field(default_factory=lambda: t.empty(t.PREDICTION_COLUMNS))
    colors: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def unread_of(self, path: str | os.PathLike[str]) -> list[tuple[str, int, str]]:
        """Return the file URI, number and text (storable in any database) of each unread line of the file ``path``."""
        source = without_passwords(to_uri(Path(path).expanduser()))
        plain = [
            without_passwords(raw).replace("\0", "\ufffd").encode("utf-8", "replace").decode() for _, raw in self.unread
        ]
        return [(source, number, raw) for (number, _), raw in zip(self.unread, plain, strict=True)]


@dataclass(frozen=True)
class Format:
    """Dataset format, implemented by one module and listed in :data:`customlabels_nb.datasets.formats.FORMATS`.

    ``recognise`` checks the content of a file or folder for this format. It must neither raise nor read large files
    completely. ``read`` returns the contents, given a path, an :class:`ImageFinder` and ``options``, or raises
    ManifestError or InputError if nothing can be read at all. ``write`` writes contents (each file atomically), never
    outside ``path``, and returns the paths of the files. ``folder`` returns the one that contains the annotations
    written to a path.

    ``holds`` are the :data:`CAPABILITIES` that survive writing and reading, "confidence" only if it does for image
    labels and for boxes, ``columns`` and ``notes`` the additional columns of the images table and keys of its ``attrs``
    that also do, and ``holds_column`` checks whether one of the user's does. ``machine_labels`` is True if the
    annotators of labels that a model assigned survive, although those of people may not. ``copies`` is True if writing
    copies the images, because labels are stored as folder names. ``rounding`` is the difference in pixels up to which
    two boxes are the same, because programs write the format rounded. ``empty`` and ``unlabelled`` describe what an
    image without anything to label looks like, and one that nobody has labelled. Without ``empty``, both look the same.
    ``holes`` describes how holes and further parts of polygons are stored.

    With ``in_image``, boxes and polygons are clipped to the image, because other programs refuse those beyond it. With
    ``on_lines``, names cannot have control characters or line breaks. ``need_copies`` are programs that do not find
    images elsewhere.
    """

    name: str
    recognise: Callable[[Path], bool]
    read: Callable[..., Contents]
    write: Callable[[Contents, Path], list[Path]]
    holds: frozenset[str]
    columns: frozenset[str] = frozenset()
    holds_column: Callable[[pd.DataFrame, str], bool] | None = None
    notes: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    folder: Callable[[Path], Path] = attrgetter("parent")
    machine_labels: bool = False
    copies: bool = False
    rounding: float = ROUNDING
    empty: str = ""
    unlabelled: str = "an image without annotations"
    holes: str = ""
    in_image: bool = False
    on_lines: bool = False
    need_copies: str = ""

    def holds_own(self, images: pd.DataFrame, name: str) -> bool:
        """Check whether a column of the images table survives as far as it is one of the user's."""
        if name in t.IMAGE_COLUMNS or name in self.columns:
            return True
        return self.holds_column is not None and self.holds_column(images, name)


class ImageFinder:
    """Resolver of image names in annotations to the current paths and URLs of the images.

    Relative names are resolved against ``base``. The folder ``images`` is searched recursively by file name, and if
    several files have the same name, by the names of their parents. The URL of a folder is put before relative names,
    and before the file name of others. ``relocate`` maps old prefixes (of paths or their
    ``file:`` URLs) to new ones. The longest is used.
    """

    def __init__(
        self,
        base: Path,
        *,
        images: str | os.PathLike[str] | None = None,
        relocate: Mapping[str, str] | None = None,
    ) -> None:
        self._set_base(base)
        if relocate is not None and not isinstance(relocate, Mapping):
            raise InputError(f"relocate={relocate!r} must be a dict that maps old prefixes to new ones.")
        prefixes = [_without_schemes(old, new) for old, new in (relocate or {}).items()]
        self._relocate = sorted(prefixes, key=lambda pair: -len(pair[0]))
        self._url = f"{plain_url(images).rstrip('/')}/" if isinstance(images, str) and is_remote(images) else None
        self._by_name = None if images is None or self._url else _files_by_name(images)
        self._by_parent: dict[tuple[str, ...], dict[str, list[str]]] = {}  # files with the same ending of their paths
        self._moved = bool(self._relocate) or images is not None
        self._named: dict[str, tuple[str, ...]] = {}  # the first name of each file
        self.missing: list[str] = []

    def find(self, name: str, *urls: str) -> str:
        """Return the URI of an image.

        ``name`` is the image name in the annotation file, ``urls`` are other locations that the file gives for the
        image. With ``images=``, an image that is not found, or matches several files, is added to :attr:`missing` and
        keeps its name.

        Names are relative to ``base``. An absolute path or a ``file:`` URL is accepted if it is below ``base``, or if
        it has the extension of an image, because exports name images elsewhere in this way. Nothing is opened. All
        others are an InputError: relative paths with ``..``, files without such an extension, network shares, and
        paths with a drive on systems without drives.
        """
        relocated = self._known_place(name, *urls) if self._moved else None
        if relocated is not None:
            return relocated
        if self._folder is not None and _ORDINARY.fullmatch(name):
            return self._folder + name if _is_image(name) else self._with_ending(self._folder + name)
        if is_remote(name):
            return _valid_url(name)
        path = to_path(name) if name.startswith("file://") else Path(name)
        if "\0" not in name and self._may_name(path):
            return to_uri(path)  # tables store local files as paths
        parts = PurePosixPath(name.replace("\\", "/"))
        if _may_leave_folder(name, parts):
            raise InputError(
                f"The image name {name!r} is outside the folder of the annotations. Pass the location of the images "
                "with images= or relocate=."
            )
        existing = _existing(self._base, parts)
        full = str(self._base / existing)
        return to_uri(full if _is_image(full) else self._with_ending(full))

    def _with_ending(self, path: str) -> str:
        """Return the path of an image, with the ending of the only file that has it as its stem if it has none."""
        full = self.by_stem.find(Path(path))
        return path if full is None else str(full)

    def _may_name(self, path: Path) -> bool:
        """Check whether annotations may name an absolute path: one below the base, or of an image elsewhere."""
        if not path.is_absolute() or str(path).startswith(("//", "\\\\")):
            return False
        inside = to_uri(path).startswith(os.path.join(to_uri(self._base), ""))
        return inside or path.suffix.lower() in IMAGE_SUFFIXES

    def look_in(self, names: Iterable[str], folders: Iterable[Path]) -> None:
        """Resolve relative names against the first of the folders with most of these files, if the base has fewer."""
        tried = list(islice(filter(_ORDINARY.fullmatch, names), _TRIED))
        counts = {folder: sum(os.path.isfile(folder / name) for name in tried) for folder in (self._base, *folders)}
        self._set_base(max(counts, key=lambda folder: counts[folder]))

    def _set_base(self, base: Path) -> None:
        self._base = base
        self.by_stem = FilesByStem()
        folder = os.path.join(os.path.abspath(base), "")
        self._folder = folder if folder.startswith("/") and folder == to_uri(folder) + "/" else None

    def relocated(self, uri: str) -> str:
        return self._known_place(uri) or uri

    def _known_place(self, name: str, *urls: str) -> str | None:
        for candidate in (name, *urls):
            path = without_scheme(candidate).replace(os.sep, "/")
            for old, new in self._relocate:
                if path.startswith(old):
                    rest = path[len(old) :].replace("\\", "/") if "\\" in old else path[len(old) :]
                    return moved(candidate, new, rest)
        if self._url is not None and (below := _below_folder(name)):
            return url_below(self._url, below)
        return None if self._by_name is None else self._found(name, self._by_name)

    def _found(self, name: str, by_name: Mapping[str, list[str]]) -> str | None:
        spellings = (PurePosixPath(composed(each).replace("\\", "/")) for each in _spellings(without_scheme(name)))
        parts = next((path.parts for path in spellings if path.name in by_name), ())
        match = self._most_alike(by_name[parts[-1]] if parts else [], parts)
        if match is not None:
            first = self._named.setdefault(match, parts)
            shorter = min(len(first), len(parts))
            if first[-shorter:] == parts[-shorter:]:  # otherwise another image whose file has the same name
                return match
        self.missing.append(name)
        return None

    def _most_alike(self, candidates: list[str], parts: tuple[str, ...]) -> str | None:
        """Return the file whose path has the longest common ending with ``parts``, or None if it is not unique."""
        for length in range(1, len(parts)):
            if len(candidates) < 2:
                break
            ending = parts[-length:]
            if ending not in self._by_parent:
                groups = self._by_parent[ending] = {}
                for file in candidates:
                    groups.setdefault(composed(to_path(file).parts[-length - 1]), []).append(file)
            candidates = self._by_parent[ending].get(parts[-length - 1], [])
        return candidates[0] if len(candidates) == 1 else None


def moved(name: str, new: str, rest: str) -> str:
    """Return the place of an image after its prefix was replaced with ``new``, in the spelling of a file if local."""
    if is_remote(new + rest):
        return new + rest if is_web(name) else url_below(new, rest.replace("\\", "/"))
    others = [new + each for each in _spellings(rest) if each != rest and ".." not in each]
    if others and not os.path.isfile(new + rest):
        return to_uri(next(filter(os.path.isfile, others), new + rest))
    return to_uri(new + rest)


def _below_folder(name: str) -> str:
    """Return a relative name as it is, and the file name of a URL or of a path that may leave the folder."""
    plain = [*_spellings(name)][-1] if is_web(name) else without_scheme(name)
    parts = PurePosixPath(plain.replace("\\", "/"))
    return parts.name if is_remote(name) or _may_leave_folder(plain, parts) else str(parts)


def _spellings(name: str) -> Iterator[str]:
    """Yield the names that the file of a path or URL may have: as it is, and without percent-encoding and query."""
    yield name
    if "%" in name:
        yield unquote(name)
    if "?" in name or "#" in name:
        path = re.split("[?#]", name, maxsplit=1)[0]
        yield path
        yield unquote(path)


def _valid_url(name: str) -> str:
    """Return a URL, or raise InputError if it is invalid."""
    try:
        urlsplit(name)
    except ValueError as error:
        raise InputError(f"The image name {name!r} is not a valid URL ({error}).") from error
    return name


def _may_leave_folder(name: str, parts: PurePosixPath) -> bool:
    """Check whether a name may refer to something else than a file in the folder to which it is relative."""
    is_file_url, has_drive = name[:5].lower() == "file:", ":" in name[:3]
    return is_file_url or has_drive or "\0" in name or not name or parts.is_absolute() or ".." in parts.parts


def _existing(base: Path, name: PurePosixPath) -> PurePosixPath:
    """Return a relative name in the spelling of a file (Unicode form, percent-encoding), or as it is without one."""
    text = str(name)
    if (text.isascii() and "%" not in text) or os.path.exists(base / name):
        return name
    forms = [PurePosixPath(unicodedata.normalize(form, each)) for each in _spellings(text) for form in ("NFC", "NFD")]
    inside = (form for form in forms if not _may_leave_folder(str(form), form))
    return next((form for form in inside if os.path.exists(base / form)), name)


def _without_schemes(old: object, new: object) -> tuple[str, str]:
    """Return an old and a new prefix with paths instead of ``file:`` URLs."""
    old, new = (os.fspath(prefix) if isinstance(prefix, os.PathLike) else prefix for prefix in (old, new))
    if not isinstance(old, str) or not isinstance(new, str):
        raise InputError(
            f"relocate={{{old!r}: {new!r}}} must map prefixes of paths or URLs, which are text, to others."
        )
    if old == "file://":  # the path would be empty, which is the start of any name
        old, new = "file:///", f"{new}/"
    return without_scheme(old).replace(os.sep, "/"), without_scheme(new)


def _files_by_name(folder: str | os.PathLike[str]) -> dict[str, list[str]]:
    top = local_path(folder, "images")
    if not os.path.isdir(top):
        raise InputError(f"images={os.fspath(folder)!r} is not a folder.")
    by_name: dict[str, list[str]] = {}
    for parent, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for file in filter(_is_image, sorted(files)):
            stem = os.path.splitext(file)[0]
            for name in (file,) if _is_image(stem) else (file, stem):  # names may lack the ending
                by_name.setdefault(composed(name), []).append(to_uri(os.path.join(parent, file)))
    return by_name


def _is_image(name: str) -> bool:
    return name[name.rfind(".") :].lower() in IMAGE_SUFFIXES


def losses(contents: Contents, format_: Format) -> list[Issue]:
    """List the data that the format cannot store, as one issue per kind of data with a count and examples."""
    return [
        not_held(format_, _WORDS.get(what, what), examples, where=what)
        for what, examples in _held(contents, format_).items()
        if examples and what not in format_.holds
    ]


def _held(contents: Contents, format_: Format) -> dict[str, list[str]]:
    """List examples of the data in ``contents``, by :data:`CAPABILITIES` that a format needs to store them.

    What the format stores without a capability is left out: its own columns and notes, and the annotators it keeps.
    """
    images, annotations = contents.images, contents.annotations
    boxed, outlined = annotations["left"].notna(), annotations["polygon"].notna()
    annotated = t.is_among(images["image"], annotations["image"])
    used = set(annotations["label"].unique())
    in_order = [label for label in t.labels_in_order(annotations, contents.labels) if label in used]
    of_annotations = {
        "image_labels": ~boxed & ~outlined,
        "boxes": boxed,
        "polygons": outlined,
        "crowd": annotations["crowd"],
        "confidence": annotations["confidence"] != 1,
        "annotator": annotations["annotator"].notna() & ~(format_.machine_labels & t.by_machine(annotations)),
        "job": annotations["job"].notna(),
        "created": annotations["created"].notna(),
        "label_notes": annotations["note"].notna() & ~boxed & ~outlined,
        "box_notes": annotations["note"].notna() & (boxed | outlined),
    }
    of_images = {
        "empty": (images["status"] == "labelled") & ~annotated,
        "unlabelled": (images["status"] != "labelled") & ~annotated,
        "skipped": images["status"] == "skipped",
        "status": images["status"] == "needs_review",
        "split": images["split"] != t.TRAIN,
        "size": images["width"].notna(),
        "tags": images["tags"].map(bool).astype(bool),
    }
    return {
        **{what: annotations.loc[there, "image"].tolist() for what, there in of_annotations.items()},
        **{what: images.loc[there, "image"].tolist() for what, there in of_images.items()},
        "labels": [label for label in contents.labels if label not in used],
        "label_order": [label for label, number in zip(in_order, sorted(used), strict=True) if label != number],
        "columns": [name for name in images.columns if not format_.holds_own(images, name)],
        "predictions": contents.predictions["image"].tolist(),
        "notes": [name for name in images.attrs if name not in format_.notes],
    }


def not_held(format_: Format, what: str, examples: list[str], hint: str = "", where: str = "") -> Issue:
    """Return the issue for data that the format cannot store, with a count and examples."""
    message = f"{len(examples):,} × {what} cannot be stored as {format_.name}: {first_of(examples)}.{hint}"
    return Issue("NOT_HELD", message, where=where)


def first_of(examples: list[str]) -> str:
    return ", ".join(map(repr, examples[:_EXAMPLES])) + (" …" if len(examples) > _EXAMPLES else "")
