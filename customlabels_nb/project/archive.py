"""Pack a project into a zip file, and unpack it.

The zip file contains ``project.db`` (always an SQLite file), ``customlabels.json`` (format version and project name),
``images/`` and ``versions/``. It never contains the URL of a team's database, caches, or files that do not belong to
the project.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import stat
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import pandas as pd

from customlabels_nb._utils.files import portable_name, replacing, scratch, write_errors
from customlabels_nb._utils.progress_bars import say
from customlabels_nb._utils.rendering import ShownWithTable
from customlabels_nb._utils.text import counted, one_line
from customlabels_nb.core.image_files import files_of
from customlabels_nb.core.issues import Issue, issues_to_frame
from customlabels_nb.core.version_status import READY, RESUMABLE, RUNNING
from customlabels_nb.datasets.formats.zip_files import unpack_whole
from customlabels_nb.errors import ArchiveError, ProjectError, StoreError
from customlabels_nb.events import Events
from customlabels_nb.images.locations import is_remote, to_path
from customlabels_nb.project.auto_refresh import interval, set_interval
from customlabels_nb.project.location import DATABASE, ProjectLocation, check_name, new_project_folder
from customlabels_nb.store import Action, SqlStore, VersionRecord, open_store
from customlabels_nb.training.kept_files import relocated_files
from customlabels_nb.user_settings import settings

_ABOUT = "customlabels.json"
_FORMAT = "1.0"
_MOST_ABOUT_BYTES = 10_000


@dataclass(frozen=True)
class PackReport(ShownWithTable):
    """Result of :meth:`.Project.pack`: numbers of images, remote images and versions, file size, and issues."""

    path: Path
    images: int
    remote: int
    versions: int
    bytes: int
    issues: pd.DataFrame = field(repr=False)

    def __repr__(self) -> str:
        remote = f", {self.remote:,} more as URLs" if self.remote else ""
        are = counted(len(self.issues), "item is", "items are")
        missing = f" {are} missing, see .issues." if len(self.issues) else ""
        versions, size = counted(self.versions, "version"), f"{self.bytes / 1e6:,.1f} MB"
        return f"{one_line(str(self.path))}: {counted(self.images, 'image')}{remote}, {versions}, {size}.{missing}"


def pack(
    location: ProjectLocation, path: Path, *, images: bool = True, versions: bool = True, events: Events | None = None
) -> PackReport:
    issues: list[Issue] = []
    if path.is_dir():
        raise ProjectError(f"{str(path)!r} is a folder. Pass the path of a zip file, such as 'class.zip'.")
    with write_errors(f"path={str(path)!r}", ProjectError), scratch(path.parent) as folder:
        (folder / "database").mkdir()  # not in ``folder``, whose lock writers would wait for
        copy = os.path.join(folder, "database", DATABASE)
        location.store.copy_to(copy)
        with closing(open_store(copy)) as store:
            kept = _settle_versions(store, location.root, versions, issues)
            table = store.images()
            names = table["image"].tolist()
            files = dict(zip(names, files_of(table, store.longer_files()), strict=True))
            there = _in_zip(files, location.root, issues) if images else {}
            moved = {image: name for image, name in there.items() if image != name}
            if moved:
                store.rename_images(moved)
            about = {"format": _FORMAT, "name": store.project().name}
        with replacing(folder / "packed") as file, zipfile.ZipFile(file, "w", strict_timestamps=False) as archive:
            archive.writestr(_ABOUT, json.dumps(about, ensure_ascii=False))
            archive.write(copy, DATABASE, zipfile.ZIP_DEFLATED)
            for source, name in _version_files(kept, location.root, archive, moved):
                archive.write(source, name, zipfile.ZIP_DEFLATED)
            for done, (image, name) in enumerate(there.items(), 1):
                # images are compressed already
                archive.write(to_path(image, location.root), name, zipfile.ZIP_STORED)
                if events is not None:
                    events.progress("packing images", done, len(there))
        (folder / "packed").replace(path)
    if any((location.root / "feedback").glob("*.db")):
        issues.append(Issue("NOT_HELD", "Verdicts that were not submitted are left out.", where="feedback"))
    remote = sum(map(is_remote, names))
    return PackReport(path, len(there), remote, len(kept), path.stat().st_size, issues_to_frame(issues))


def _settle_versions(store: SqlStore, root: Path, wanted: bool, issues: list[Issue]) -> list[VersionRecord]:
    """Delete versions that cannot be packed from the copied database, and return the remaining ones."""
    kept = []
    for version in store.versions():
        action = Action("pack", settings.user, version.name)
        folder = root / version.folder
        is_finished = version.status in (*READY, *RESUMABLE)
        if not wanted or not is_finished or not _is_version_folder(version) or not folder.is_dir():
            if wanted:
                reason = f"The version is {version.status}. Only finished versions are packed."
                issues.append(Issue("NOT_HELD", reason, where=version.name))
            store.delete_version(version.name, action)
            continue
        if version.status in RUNNING:
            store.update_version(version.name, status="STOPPED", status_message="The model is stopped.")
        store.update_version(version.name, host=None, pid=None, heartbeat=None)
        kept.append(version)
    return kept


def _is_version_folder(version: VersionRecord) -> bool:
    parts = PurePosixPath(version.folder).parts
    return len(parts) == 2 and parts[0] == "versions" and parts[1] not in ("..", ".") and "\\" not in parts[1]


def _version_files(
    kept: Iterable[VersionRecord], root: Path, archive: zipfile.ZipFile, moved: Mapping[str, str]
) -> Iterator[tuple[Path, str]]:
    """Yield the version files to add to ``archive``, with their names in it.

    Files that contain names of moved images are rewritten and added to the archive directly.
    """
    for version in kept:
        folder = root / version.folder
        changed = relocated_files(folder, moved) if moved else {}
        for name, content in changed.items():
            archive.writestr(f"{version.folder}/{name}", content, zipfile.ZIP_DEFLATED)
        for parent, folders, files in os.walk(folder):
            folders[:] = [name for name in folders if not os.path.islink(os.path.join(parent, name))]
            for name in sorted(files):
                path = Path(parent, name)
                inside = path.relative_to(root).as_posix()
                handled = path.parent == folder and name in changed
                if not handled and not path.is_symlink() and path.is_file() and _is_plain(inside):
                    yield path, inside


def _in_zip(files: Mapping[str, str], root: Path, issues: list[Issue]) -> dict[str, str]:
    """Map each existing local image to its name in the zip file, which gives it the same ``file`` if possible."""
    members: dict[str, str] = {}
    taken: set[str] = set()
    elsewhere: list[str] = []
    for image in files:
        if is_remote(image):
            continue
        try:
            there = stat.S_ISREG(to_path(image, root).stat().st_mode)
        except (OSError, ValueError):
            there = False
        own = _is_own(image) and image.lower() not in taken
        if own:
            taken.add(image.lower())  # also if the file is missing, because the image keeps its name
        if not there:
            issues.append(Issue("IMAGE_NOT_FOUND", where=image))
        elif own:
            members[image] = image
        else:
            elsewhere.append(image)
    return members | _names_in_zip({image: files[image] for image in elsewhere}, taken)


def _names_in_zip(files: Mapping[str, str], taken: set[str]) -> dict[str, str]:
    """Name images from outside of the project by their ``files``, unlike those names that are ``taken``."""
    members: dict[str, str] = {}
    numbers: dict[str, int] = {}
    paths = {image: _portable_path(file) for image, file in files.items()}
    folders = {folder for stem, _ in paths.values() for folder in _folders(stem)}
    for image, (stem, suffix) in paths.items():
        if taken.intersection(_folders(stem)):  # a file of the project is named like the folder
            stem = stem.replace("/", "-")
        while True:
            number = numbers[stem.lower()] = numbers.get(stem.lower(), 0) + 1
            name = f"images/{stem}{f'-{number}' if number > 1 else ''}{suffix}"
            if name.lower() not in taken and name.lower() not in folders:
                break
        taken.add(name.lower())
        members[image] = name
    return members


def _portable_path(file: str) -> tuple[str, str]:
    """Return a path that is valid on every platform, without its suffix, and the suffix."""
    *folders, name = os.fspath(to_path(file)).replace(os.sep, "/").split("/")
    stem, suffix = os.path.splitext(name)
    parts = [*(_portable(folder, "folder") for folder in folders if folder), _portable(stem, "image")]
    return "/".join(parts), suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,8}", suffix) else ""


def _portable(name: str, default: str) -> str:
    plain = re.sub(r"[^\w .()+,=@-]+", "_", name.encode("utf-8", "replace").decode())[:80].strip(". ")
    return portable_name(plain) or default


def _folders(stem: str) -> set[str]:
    return {os.fspath(folder).lower() for folder in PurePosixPath("images", stem).parents}


def _is_own(image: str) -> bool:
    """Check whether ``image`` is a relative path in the project's ``images`` folder that is valid on every platform."""
    path = PurePosixPath(image)
    inside = path.parts[:1] == ("images",) and ".." not in path.parts and os.fspath(path) == image
    return inside and len(path.parts) > 1 and _is_plain(image)


def _is_plain(name: str) -> bool:
    return name.isprintable() and all(portable_name(part) == part for part in name.split("/"))


def unpack(path: str | os.PathLike[str], into: Path, name: str | None = None) -> Path:
    """Unpack a zip file written by :func:`pack` into a new folder in ``into`` and return the new folder.

    See :func:`customlabels_nb.project.projects.unpack_project`.
    """
    archive = os.path.expanduser(os.fspath(path))
    name = check_name(_about(archive) if name is None else name)
    target = into / name
    with new_project_folder(target) as folder:
        unpack_whole(archive, folder, allowed=_belongs)
        (folder / _ABOUT).unlink()
        _check_database(folder / DATABASE, name)
    return target


def _about(archive: str) -> str:
    """Check that the zip file is a packed project, and return the project's name."""
    if not os.path.isfile(archive):
        raise ArchiveError(f"{archive!r} is not a file. Pass the path of a zip archive.")
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(_ABOUT) as file:
            about = json.loads(file.read(_MOST_ABOUT_BYTES))
            format_, name = about["format"], about["name"]
            opened.getinfo(DATABASE)
    except Exception as error:  # zipfile raises all kinds of errors for damaged archives
        raise ArchiveError(
            f"The archive {archive!r} is not a packed project ({error}). To add images from a zip file, use add_images."
        ) from error
    if not isinstance(name, str) or format_ != _FORMAT:
        raise ArchiveError(
            f"The archive {archive!r} has the format {format_!r}, but this release reads {_FORMAT!r}. Use the release "
            "that packed it."
        )
    return name


def _belongs(path: PurePosixPath) -> bool:
    return os.fspath(path) in (_ABOUT, DATABASE) or (path.parts[0] in ("images", "versions") and len(path.parts) > 1)


def _check_database(path: Path, name: str) -> None:
    """Raise ArchiveError if the database is damaged or has unexpected contents, as the archive is not trusted."""
    try:
        with closing(sqlite3.connect(f"file:{quote(os.fspath(path))}?mode=ro&immutable=1", uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            foreign = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('trigger', 'view')").fetchone()
            sound = connection.execute("PRAGMA quick_check").fetchone()[0]
        if foreign is not None or sound != "ok":
            raise ArchiveError(
                f"The archive's database is damaged or is not a project database ({foreign[0] if foreign else sound})."
            )
        with closing(open_store(os.fspath(path))) as store:
            strange = [version.folder for version in store.versions() if not _is_version_folder(version)]
            if strange:
                raise ArchiveError(f"A version refers to the folder {strange[0]!r}, which is outside the project.")
            if store.setting("assist") is not None:  # no training starts by itself on the receiver's computer
                store.change_setting("assist", lambda old: {**old, "on": False})
            if interval(store) is not None:  # nor does a screen request URLs that the sender has chosen
                set_interval(store, None)
                say(
                    "Automatic refreshes are switched off in the unpacked project. Check the sources in "
                    "project.datasets before you switch them on with project.auto_refresh('1d')."
                )
            if store.project().name != name:
                store.set_project(Action("unpack", settings.user), name=name)
    except (sqlite3.Error, StoreError) as error:
        raise ArchiveError(f"Cannot open the project's database: {error}") from error
