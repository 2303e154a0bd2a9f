"""Decide what each incoming image is to a project: new, known, changed, a duplicate or a leak.

A project recognises an image by its name, by the file that the name refers to, or by its content. The name comes before
the content, and the first of several stored images with the same content counts.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

import pandas as pd

from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import ImageError
from customlabels_nb.images.locations import is_remote, without_scheme
from customlabels_nb.images.reading import read_bytes
from customlabels_nb.ingest.copies import name_of_copy
from customlabels_nb.ingest.image_facts import Facts, FactsReader
from customlabels_nb.ingest.sources import ImportOptions, Incoming
from customlabels_nb.remote.download_cache import has_content
from customlabels_nb.remote.remote_files import is_identity, is_web, size_in

_PLAIN_URL = re.compile(r"https?://[a-z0-9.-]+(/[\w~-][\w.~-]*)+", re.ASCII)  # has no other spelling
_PORTS = {"http": ":80", "https": ":443"}
_DONE = {True: "It was kept.", False: "It was skipped."}


class StoredNames:
    """Names of stored images, which are found under all spellings of their paths."""

    def __init__(self, names: Iterable[str], root: Path) -> None:
        self._names, self._root = dict.fromkeys(names), root  # in order, since the first of several counts
        self._folders: dict[str, str] = {}

    def find(self, image: str) -> str | None:
        """Return the stored name of an image, or None.

        The name may be relative to the project or absolute, contain a link, or differ in its Unicode form or, where
        the file system ignores it, in case. The URL of a web server may be percent-encoded or not.
        """
        if image in self._names:
            return image
        if not self._names or is_remote(image):
            return self._by_url.get(_spelled(image)) if self._names and is_web(image) else None
        path = self.path(image)
        places = [path, os.path.realpath(path)] if os.path.islink(path) else [path]
        alike = (name for place in places for name in self._by_place.get(self._place(place).casefold(), ()))
        return next((name for name in alike if self._is_same(path, self.path(name))), None)

    @cached_property
    def _by_url(self) -> dict[str, str]:
        web = [name for name in self._names if is_remote(name) and is_web(name)]
        return {_spelled(name): name for name in reversed(web)}

    @cached_property
    def _by_place(self) -> dict[str, list[str]]:
        by_place: dict[str, list[str]] = {}
        for name in self._names:
            if not is_remote(name):
                by_place.setdefault(self._place(self.path(name)).casefold(), []).append(name)
        return by_place

    def path(self, image: str) -> str:
        return os.path.normpath(os.path.join(self._root, without_scheme(image)))

    def _place(self, path: str) -> str:
        """Return a path without links to folders, in one Unicode form."""
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return unicodedata.normalize("NFC", os.path.join(self._folders[folder], name))

    def _is_same(self, path: str, other: str) -> bool:
        try:
            return os.path.samefile(path, other)
        except OSError:  # at least one of the files is missing
            return self._place(path) == self._place(other)


def _spelled(url: str) -> str:
    """Return a URL in the spelling that its others share, or unchanged if it is invalid."""
    if _PLAIN_URL.fullmatch(url):
        return url
    try:
        parts = urlsplit(url)
        path = "/".join(quote(unquote(part), safe="") for part in parts.path.split("/") if part != ".")
    except ValueError:
        return url
    host = parts.netloc.lower().removesuffix(_PORTS.get(parts.scheme, " "))
    return parts._replace(netloc=host, path=path, fragment="").geturl()


class _Known(NamedTuple):
    """Facts about a stored image, None where unknown."""

    sha256: str | None
    stat: tuple[int | None, int | None]  # bytes and modification time


@dataclass(frozen=True)
class Decision:
    """Decisions on the images of an import, with the metadata of those that were read.

    ``fates`` has one row per image, with the columns image, known_as (name in the project, or of the image that a
    duplicate repeats, otherwise None), fate, stays (whether the image is added) and reason (an Issue or None). The fate
    ``new`` is added. ``known`` and ``changed`` (with another content than before) are in the dataset, ``leak`` is in
    the other split, and ``duplicate`` has the content of another image of the import. ``unreadable`` cannot be used.
    """

    fates: pd.DataFrame
    facts: Mapping[int, Facts]


class Identification:
    """Identification of the images of an import, which may come in several tables.

    Parameters
    ----------
    files : DataFrame
        Stored images of both splits, with the columns image, split, sha256, bytes and mtime_ns.
    """

    def __init__(self, files: pd.DataFrame, options: ImportOptions, source: str, root: Path) -> None:
        self._options, self._source = options, source
        mine = files["split"] == options.split
        here, there = files[mine], files[~mine]
        self._stored = _known_files(here)
        self._names, self._names_there = (
            StoredNames(here["image"].tolist(), root),
            StoredNames(there["image"].tolist(), root),
        )
        self._contents, self._contents_there = _Contents(here, root), _Contents(there, root)
        self._arrived: dict[str, str] = {}  # images of this import by content
        self._named: set[str] = set()  # stored images that this import names

    def decide(self, incoming: Incoming, reader: FactsReader) -> Decision:
        """Decide the fate of each image, after reading those that are not recognised by name or may have changed."""
        images: list[str] = incoming.images["image"].tolist()
        names = [self._names.find(self._options.copies.get(image, image)) for image in images]
        self._named.update(name for name in names if name is not None)
        reports_leaks = self._options.on_leak != "keep"
        leaks = [
            self._names_there.find(self._options.copies.get(image, image)) if reports_leaks and name is None else None
            for image, name in zip(images, names, strict=True)
        ]
        listed = zip(images, names, leaks, incoming.stats, incoming.contents, strict=True)
        unread = [
            index
            for index, (image, name, leak, stat, content) in enumerate(listed)
            if leak is None and self._is_to_be_read(image, name, stat, content)
        ]
        facts = reader.read(incoming, unread)
        rows = [
            self._fate(image, name, leak, facts.get(index))
            for index, (image, name, leak) in enumerate(zip(images, names, leaks, strict=True))
        ]
        columns = zip(*rows, strict=True) if rows else ([], [], [], [])
        table = dict(zip(("known_as", "fate", "stays", "reason"), columns, strict=True))
        fates = pd.DataFrame({"image": images, **table}, dtype=object)
        return Decision(fates, {i: fact for i, fact in facts.items() if not isinstance(fact, ImageError)})

    def _is_to_be_read(self, image: str, name: str | None, stat: tuple[int, int] | None, content: str | None) -> bool:
        """Check whether an image is not recognised by name, may have changed, or has no metadata yet."""
        if name is None:
            return True
        stored = self._stored[name]
        if not is_remote(image):
            return stat is not None and stored.stat != stat
        return self._options.check_images or (content is not None and stored.sha256 not in (None, content))

    def _fate(
        self, image: str, name: str | None, leak: str | None, facts: Facts | ImageError | None
    ) -> tuple[str | None, str, bool, Issue | None]:
        """Return what is known of an image, its fate, whether it is added, and what to report. The first rule counts.

        1. Its name is in the other split.
        2. It cannot be read.
        3. Its name is in this split, with the same content or another one.
        4. It is new, and its content is unknown: a remote image that is not read.
        5. Its content, or a copy of it, is in this split, under a name that does not come in this import, too.
        6. Its content is in the other split.
        7. Its content comes with another image of this import.
        """
        if leak is not None:
            return leak, "leak", False, self._leak(image, leak, kept=False)
        if isinstance(facts, ImageError):
            return name, "unreadable", False, self._issue(facts.code, facts.reason, image)
        if name is not None:
            before = self._stored[name].sha256
            respelled = is_remote(image) and image != name  # the URL is part of what a server reports for its file
            if facts is None or facts.sha256 == before or before is None or (respelled and is_identity(facts.sha256)):
                return name, "known", False, None
            return name, "changed", False, self._issue("IMAGE_CHANGED", "", name)
        if facts is None or facts.sha256 is None:
            return None, "new", True, None
        return self._fate_by_content(image, facts.sha256, facts.bytes)

    def _fate_by_content(
        self, image: str, content: str, size: int | None
    ) -> tuple[str | None, str, bool, Issue | None]:
        """Apply the rules from 5 on."""
        keeps_content = self._options.on_duplicate == "keep"
        own_copy = self._names.find(name_of_copy(image, content)) if self._options.copy else None
        same = self._contents.find(image, content, size)
        if own_copy or (same and same not in self._named and not keeps_content):
            return own_copy or same, "known", False, None if own_copy else self._moved(image, str(same))
        if not same and (other := self._contents_there.find(image, content, size)):
            kept = self._options.on_leak == "keep"
            self._arrived.setdefault(content, image)
            return other, "leak", kept, self._leak(image, other, kept=kept)
        twin = self._arrived.setdefault(content, image)
        if same or twin != image:
            message = f"Duplicate of {same or twin!r} in the dataset. {_DONE[keeps_content]}"
            return same or twin, "duplicate", keeps_content, self._issue("DUPLICATE_CONTENT", message, image)
        return None, "new", True, None

    def is_named(self, image: str) -> bool:
        """Check whether an image is known by its name, so that its file is the stored one."""
        return self._names.find(self._options.copies.get(image, image)) is not None

    def leak_of(self, image: str, content: str | None) -> Issue | None:
        """Return an issue if the new content of a stored image is in the other split."""
        other = self._contents_there.find(image, content, None)
        return None if other is None else self._leak(image, other, kept=True)

    def _moved(self, image: str, known_as: str) -> Issue | None:
        if is_remote(image) or is_remote(known_as) or os.path.exists(self._names.path(known_as)):
            return None
        message = f"It is {known_as!r}, whose file is missing. To use this file instead: project.relocate(folder)."
        return self._issue("IMAGE_MOVED", message, image)

    def _leak(self, image: str, other: str, *, kept: bool) -> Issue | None:
        if self._options.follow and not kept:
            return None
        known_as = "" if other == image else f" as {other!r}"
        message = f"Data leak: the other split (train or test) has the same image{known_as}. {_DONE[kept]}"
        return self._issue("LEAK_BETWEEN_SPLITS", message, image)

    def _issue(self, code: str, message: str, where: str) -> Issue:
        return Issue(code, message, where, self._source)


def _known_files(files: pd.DataFrame) -> dict[str, _Known]:
    hashes, *stats = (
        files[name].to_numpy(dtype=object, na_value=None).tolist() for name in ("sha256", "bytes", "mtime_ns")
    )
    stored_files = map(_Known, hashes, zip(*stats, strict=True))
    return dict(zip(files["image"].tolist(), stored_files, strict=True))


class _Contents:
    """Index of stored images by content. The first image with a content counts.

    Remote images that were not downloaded are known by what the server reports, which is compared with local files of
    the same size.
    """

    def __init__(self, files: pd.DataFrame, root: Path) -> None:
        self._files, self._root = files, root

    def find(self, image: str, content: str | None, size: int | None) -> str | None:
        """Return the stored image with the content of ``image``, which has ``size`` bytes, or None."""
        if content is None or content in self._by_hash:
            return None if content is None else self._by_hash[content]
        alike = [] if size is None or is_identity(content) else self._remote_by_size.get(size, [])
        if not alike:
            return None
        data = read_bytes(image, self._root)
        return next((name for name, identity in alike if has_content(name, identity, data)), None)

    @cached_property
    def _by_hash(self) -> dict[str, str]:
        hashed = self._files[self._files["sha256"].notna()].drop_duplicates("sha256")
        return dict(zip(hashed["sha256"].tolist(), hashed["image"].tolist(), strict=True))

    @cached_property
    def _remote_by_size(self) -> dict[int, list[tuple[str, str]]]:
        by_size: dict[int, list[tuple[str, str]]] = {}
        for identity, name in self._by_hash.items():
            if is_identity(identity):
                by_size.setdefault(size_in(identity), []).append((name, identity))
        return by_size
