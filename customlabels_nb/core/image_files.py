"""Column ``file`` of tables of images: a short name of each image, which stays the same when images are added.

It is the path below the source that the image was added from. If an earlier image of the project has the same, the
source's folder is put in front, and further folders if needed. A copy has lost its folders, and is named after its file
alone. The names depend on the columns ``image`` and ``source``, and on earlier images only. They are not stored: tables
that users hold get the column from :func:`with_files`, and :func:`without_files` removes it from tables that users pass
back. A user's own column ``file`` is stored, and shown instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, ClassVar

import pandas as pd

from customlabels_nb.core import tables as t

FILE = "file"
_SHORT = ("split", "status", "width", "height", "tags", "revision")
_LONG = ("image", "source", "sha256")
_PATTERN = re.compile(r"[*?]")
_COPY = re.compile(r"images/([^/]+)-[0-9a-f]{16}(\.[0-9a-z]+)?")  # see name_of_copy
_UNPACKED = re.compile(r"images/[\w-]+-[0-9a-f]{8}/(.+)")
_ELLIPSIS = "…"


class ImageDataFrame(pd.DataFrame):
    """DataFrame that cuts long texts in the middle in its display, and remembers which files were derived."""

    _metadata: ClassVar[list[str]] = ["_derived"]
    _derived: pd.DataFrame | None = None

    @property
    def _constructor(self) -> type[ImageDataFrame]:
        return ImageDataFrame

    def __finalize__(self, other: Any, method: str | None = None, **options: Any) -> ImageDataFrame:
        super().__finalize__(other, method, **options)
        parts = [other.left] if method == "merge" else other.objs if method == "concat" else ()
        derived = [part._derived for part in parts if getattr(part, "_derived", None) is not None]
        if derived:
            self._derived = pd.concat(derived) if len(derived) > 1 else derived[0]
        return self

    def __repr__(self) -> str:
        return repr(self._shortened())

    def _repr_html_(self) -> str | None:
        html: str | None = self._shortened()._repr_html_()
        return html

    def _shortened(self) -> pd.DataFrame:
        """Return a plain table whose displayed texts have at most ``display.max_colwidth`` characters."""
        plain, rows, width = (
            pd.DataFrame(self),
            pd.get_option("display.max_rows"),
            pd.get_option("display.max_colwidth"),
        )
        ends = slice(None) if rows is None or len(self) <= rows else [*range(rows), *range(len(self) - rows, len(self))]
        for position in range(len(self.columns)) if width else ():
            values = plain.iloc[ends, position].tolist()
            if any(isinstance(value, str) and len(value) >= width for value in values):
                column = plain.iloc[:, position].astype(object)
                column.iloc[ends] = [shortened(v, width - 1) if isinstance(v, str) else v for v in values]
                plain.isetitem(position, column)
        return plain


def shortened(text: str, width: int) -> str:
    """Cut a text in the middle, so that the end of a path, its file name, stays readable as far as it fits."""
    if len(text) <= width or width < 3:
        return text
    name = len(text) - text.rfind("/") if "/" in text else 0
    end = min(max(name, width // 2), width - 1 - width // 4)
    return text[: width - 1 - end] + _ELLIPSIS + text[len(text) - end :]


def with_files(images: pd.DataFrame, longer: Mapping[str, str], *, facts: Sequence[str] = ()) -> pd.DataFrame:
    """Return a table of images as users see it: ``file``, ``facts``, short columns, their own and long ones.

    ``longer`` is the result of :func:`longer_files`. A column ``file`` of the user is kept.
    """
    table = ImageDataFrame(t.copied(images))
    table.attrs = images.attrs
    if FILE not in table:
        table[FILE] = pd.array(files_of(table, longer), dtype=t.TEXT)
        table._derived = pd.DataFrame(table)[["image", FILE]]
    first = [name for name in (FILE, *facts, *_SHORT) if name in table]
    last = [name for name in _LONG if name in table]
    return table[[*first, *(name for name in table if name not in (*first, *last)), *last]]


def without_files(images: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str] | None]:
    """Return a table without a column ``file`` that :func:`with_files` has added, and the ``longer`` files that it had.

    A column with other values is the user's own. Without a table that :func:`with_files` has returned, the files are
    those that the rows would get by themselves, and ``longer`` is None.
    """
    if not isinstance(images, pd.DataFrame):  # other values are refused elsewhere
        return images, None
    plain, derived, longer = pd.DataFrame(images), getattr(images, "_derived", None), None
    plain.attrs = images.attrs
    expected: Sequence[str | None]
    if "image" not in plain or not plain.columns.is_unique or (derived is None and FILE not in plain):
        return plain, None
    if derived is not None:
        names, sources = _places(plain)
        files = dict(zip(derived["image"].tolist(), derived[FILE].tolist(), strict=True))
        rows = zip(names, short_files(names, sources), strict=True)
        longer = {image: files[image] for image, short in rows if files.get(image, short) != short}
        expected = [files.get(name) for name in names]
    else:
        expected = files_of(plain, longer_of(plain))
    return without_expected(plain, expected), longer


def without_expected(images: pd.DataFrame, expected: Sequence[str | None]) -> pd.DataFrame:
    """Return a table without a column ``file`` if this has no other values than the ``expected`` ones."""
    if FILE not in images:
        return images
    values = images[FILE].to_numpy(dtype=object, na_value=None).tolist()
    ours = all(value is None or value == file for value, file in zip(values, expected, strict=True))
    return images.drop(columns=FILE) if ours else images


def short_files(images: Sequence[str], sources: Sequence[str | None]) -> list[str]:
    """Return the path of each image below its source."""
    files = list[str]()
    names = iter(images)
    for source, run in groupby(sources):  # images of a source follow each other
        inside = f"{_folder(source) or chr(0)}/"
        length = len(inside)
        for image in islice(names, sum(1 for _ in run)):
            files.append(image[length:] if image.startswith(inside) else _short(image, source))
    return files


def longer_files(images: Sequence[str], sources: Sequence[str | None]) -> dict[str, str]:
    """Return the files that are longer than the path below the source, because an earlier image has this path.

    The images are in the order in which they were added. An image in both splits is named once.
    """
    files = short_files(images, sources)
    if len(set(files)) == len(files) == len(set(images)):
        return {}
    taken, given, longer = set[str](), dict[str, str](), dict[str, str]()
    for image, source, short in zip(images, sources, files, strict=True):
        name = given.get(image)
        if name is None:
            name = short
            if short in taken:
                name = next((name for name in _candidates(image, source, short) if name not in taken), image)
            given[image] = name
            taken.add(name)
        if name != short:
            longer[image] = name
    return longer


def longer_of(images: pd.DataFrame) -> dict[str, str]:
    """Return :func:`longer_files` of the rows of a table, in their order."""
    return longer_files(*_places(images))


def _places(images: pd.DataFrame) -> tuple[list[str], list[str | None]]:
    names = list(map(str, images["image"].tolist()))  # users also pass paths
    sources = images["source"].to_numpy(dtype=object, na_value=None).tolist() if "source" in images else ()
    return names, [source and str(source) for source in sources] or [None] * len(names)


def files_of(images: pd.DataFrame, longer: Mapping[str, str]) -> list[str]:
    """Return the derived file of each image."""
    names, sources = _places(images)
    short = short_files(names, sources)
    return [longer.get(name, file) for name, file in zip(names, short, strict=True)] if longer else short


def _folder(source: str | None) -> str:
    """Return the folder that a source is or, for a pattern, that all its images are in."""
    if not source:
        return ""
    pattern = _PATTERN.search(source)
    return (source[: pattern.start()].rpartition("/")[0] if pattern else source).rstrip("/")


def _short(image: str, source: str | None) -> str:
    """Return the file of an image that is not below its source: in the project, of a table or of a list of files."""
    if copy := _COPY.fullmatch(image):
        return copy[1] + (copy[2] or "")
    if source and source.lower().endswith(".zip") and (unpacked := _UNPACKED.fullmatch(image)):
        return unpacked[1]
    if image.startswith("images/"):
        return image.removeprefix("images/")
    return _path(image).rpartition("/")[2] or image


def _path(image: str) -> str:
    return image.partition("?")[0] if "://" in image else image


def _candidates(image: str, source: str | None, short: str) -> Iterator[str]:
    """Yield longer and longer files of an image: with the source's folder in front, then with more folders."""
    path, folders = _path(image), list[str]()
    if image.startswith("images/") and "/" in (folder := _folder(source)):
        folders.append(folder.removesuffix(".zip"))
    if path.endswith(short):
        folders.append(path.removesuffix(short).rstrip("/"))
    for parts in (folder.split("/") for folder in folders):
        for start in range(len(parts) - 1, -1, -1):
            yield "/".join([*parts[start:], short])
