"""Find the projects in a folder, open them, and keep what their servers share."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar

from sqlalchemy import Engine

from customlabels_nb._utils.files import is_disk_full, lock_file
from customlabels_nb.core.limits import LOCAL, REKOGNITION, Limits
from customlabels_nb.errors import CustomLabelsError, InputError, ProjectExistsError, ProjectNameError, ServiceError
from customlabels_nb.project.location import DATABASE, POINTER, STATE_FOLDER, is_project
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project, load_project
from customlabels_nb.project.version_copying import location_of
from customlabels_nb.store import SqlStore
from customlabels_nb.store.sql import ENDPOINT

#: Limits of the hosted service, without those on the size of images.
RELAXED = replace(
    REKOGNITION, max_image_bytes=LOCAL.max_image_bytes, min_side_pixels=1, max_side_pixels=None, max_aspect_ratio=None
)

_JOBS = 8
_RETRY_SECONDS = 30  # until a project that cannot be opened is tried again, as a database may not answer at all
T = TypeVar("T")
Served = TypeVar("Served", bound="ServedProject")
_log = logging.getLogger(__name__)


@dataclass
class ServedProject:
    """Project with its store. ``digits`` is the time of its creation in milliseconds, which identifies it.

    ``lock`` is held while its images are changed or read again, ``refreshing`` only while a request reads them again,
    ``version_lock`` while the status of a version is changed. ``listed`` is the last list of its images, after the
    state of the project in which it was read. ``predictions`` is the open file of stored predictions.
    """

    folder: ProjectFolder[Any]
    project: Project
    digits: int
    mark: tuple[int, int]
    lock: threading.RLock = field(default_factory=threading.RLock)
    refreshing: threading.Lock = field(default_factory=threading.Lock)
    version_lock: threading.RLock = field(default_factory=threading.RLock)
    listed: tuple[Any, Any] = None, None
    predictions: Engine | None = None

    @property
    def store(self) -> SqlStore:
        return location_of(self.project).store

    def fact(self, key: str, default: Any = None) -> Any:
        """Return what endpoints have noted of the project under a key."""
        noted = self.store.setting(ENDPOINT + key)
        return default if noted is None else noted

    def note(self, key: str, change: Callable[[Any], Any]) -> Any:
        """Replace what endpoints have noted under a key, None at first, by ``change(noted)`` in one transaction."""
        return self.store.change_setting(ENDPOINT + key, change)

    def close(self) -> None:
        with contextlib.suppress(CustomLabelsError):
            self.project.close()
        if self.predictions is not None:
            self.predictions.dispose()


@dataclass(frozen=True)
class Quotas:
    """Limits of an account. A limit that is None does not apply."""

    projects: int | None = None
    versions_per_project: int | None = None
    trainings: int | None = None
    running: int | None = None
    units_per_version: int | None = None
    policies_per_project: int | None = 5
    copies: int | None = 5

    def check(self, name: str, count: int, code: str = "ServiceQuotaExceededException") -> None:
        most = getattr(self, name)
        if most is not None and count > most:
            raise ServiceError(code, f"The quota of {name.replace('_', ' ')} is {most}.")


#: Quotas of the hosted service, as older editions of its guide give them.
HOSTED = Quotas(projects=100, versions_per_project=100, trainings=2, running=2, units_per_version=5)


@dataclass(frozen=True)
class ServingOptions:
    """Options of an endpoint. Requests for any region are accepted, ``region`` is that of new ARNs.

    ``hold`` is the time in seconds, at most 20, for which a description of a single version in transition waits for a
    change, so that waiters of clients end soon. ``service_limits`` enforces the limits that Custom Vision documents,
    such as 6 MB an image.
    """

    region: str = "us-east-1"
    limits: Limits = REKOGNITION
    hold: float = 0.0
    budget: str | float | None = None
    engine: str | None = None
    quotas: Quotas = Quotas()
    service_limits: bool = False


class ProjectFolder(Generic[Served]):
    """Projects in a folder, opened as ``served_type``. ``training`` is held by the training that runs in any folder."""

    def __init__(
        self, root: Path, options: ServingOptions, served_type: type[Served], training: threading.Lock | None = None
    ) -> None:
        self.root = root
        self.options = options
        self.limits = options.limits
        self.lock = threading.RLock()
        self.counting = threading.RLock()  # held, before locks of projects, while versions are counted for a quota
        self.jobs = ThreadPoolExecutor(_JOBS, thread_name_prefix="endpoint-job")
        self.training = training or threading.Lock()
        self.is_closed = False
        self._served_type = served_type
        self._open: dict[Path, Served] = {}
        self._broken: dict[Path, tuple[tuple[int, int], float]] = {}

    def close(self) -> None:
        self.is_closed = True
        self.jobs.shutdown()
        with self.lock:
            while self._open:
                self._open.popitem()[1].close()

    def projects(self) -> list[Served]:
        """Return the projects, newest first. Those that are new in the folder are opened."""
        with self.lock:
            identities = {folder: mark for folder in self._folders() if (mark := _mark(folder)) is not None}
            for folder, served in list(self._open.items()):
                if identities.get(folder) != served.mark:  # deleted, renamed or replaced by another
                    del self._open[folder]  # not closed, as another thread may still read it
            for folder, mark in identities.items():
                tried, until = self._broken.get(folder, (None, 0.0))
                if folder not in self._open and (tried != mark or until < time.monotonic()):
                    self._try_to_open(folder, mark)
            return sorted(self._open.values(), key=lambda served: -served.digits)

    def first(self, is_wanted: Callable[[Served], bool]) -> Served | None:
        """Return the project that is wanted, or None. The folder is only looked through for one that is not open."""
        with self.lock:
            there = [
                served for folder, served in self._open.items() if is_wanted(served) and _mark(folder) == served.mark
            ]
            return next(iter(there or filter(is_wanted, self.projects())), None)

    def read_each(self, projects: Iterable[Served], read: Callable[[Served], T]) -> list[T]:
        """Return what ``read`` finds in each of the projects, without those that are deleted meanwhile."""
        results = []
        for served in projects:
            try:
                results.append(read(served))
            except Exception:
                if any(each is served for each in self.projects()):
                    raise
        return results

    def forget(self, served: Served) -> None:
        """Drop a project that is being deleted. It is not closed, as another thread may still read it."""
        with self.lock:
            self._open = {folder: other for folder, other in self._open.items() if other is not served}

    def adopt(self, project: Project, **facts: Any) -> Served:
        with self.lock:
            mark = _mark(project.root)
            if mark is None:
                raise ServiceError("ResourceNotFoundException", f"The project {project.root.name!r} no longer exists.")
            served = self._served_type(self, project, 0, mark)
            digits, others = served.fact("digits"), {other.digits for other in self._open.values()}
            if digits is None or digits in others:  # new, or the folder is a copy of another project's
                facts["digits"] = digits = unused_digits(served.store.project().created.timestamp(), others)
            served.digits = digits
            for key, value in facts.items():
                served.note(key, lambda _: value)  # noqa: B023 - called at once
            self._open[project.root] = served
            return served

    @contextlib.contextmanager
    def creating(self, name: str, tags: dict[str, str] | None = None) -> Iterator[Project]:
        """Yield a new project, which is deleted if the block raises, such as on a full disk."""
        project = self._create(name, tags)
        try:
            yield project
        except BaseException:
            project.delete(confirm=True)
            raise

    def _create(self, name: str, tags: dict[str, str] | None) -> Project:
        """Create a project in a folder of its name, or of another if the name cannot be a folder or is taken."""
        folders = {folder.name.casefold() for folder in self.root.iterdir()}
        number = 1
        while True:
            folder = name if number == 1 else f"project-{number}"
            number += 1
            with contextlib.suppress(ProjectNameError, ProjectExistsError):
                if folder.casefold() not in folders:
                    return create_project(folder, self.root, tags=tags)

    def _folders(self) -> list[Path]:
        with os.scandir(self.root) as entries:
            return sorted(
                self.root / entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()
            )

    def _try_to_open(self, folder: Path, mark: tuple[int, int]) -> None:
        try:
            project = load_project(folder)
            try:
                self.adopt(project)
            except BaseException:
                project.close()
                raise
            self._broken.pop(folder, None)
        except Exception as error:  # a broken project must not hide the others
            if is_disk_full(error):  # nothing is wrong with the project, so it must not seem to be gone
                raise
            if folder not in self._broken:
                _log.warning("Cannot open the project in %s: %s", folder, error)
            self._broken[folder] = mark, time.monotonic() + _RETRY_SECONDS


def _mark(folder: Path) -> tuple[int, int] | None:
    """Identify the project in a folder by the file of its database, or return None if there is no project."""
    try:
        if not is_project(folder):
            return None
        status = os.stat(folder / DATABASE if (folder / DATABASE).is_file() else folder / POINTER)
        return status.st_dev, status.st_ino
    except OSError:
        return None


def lock_folder(root: Path) -> BinaryIO:
    """Lock a folder of projects until the returned file is closed, so that no other process takes jobs for cut off."""
    folder = root / STATE_FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    file = (folder / "lock").open("wb")
    if not lock_file(file):
        file.close()
        raise InputError(f"The projects in {str(root)!r} are already served. Stop that server.")
    return file


def unused_digits(created: float, taken: Iterable[int]) -> int:
    """Return a time in milliseconds that no other resource has in its ARN."""
    digits, others = round(created * 1000), set(taken)
    return max(digits, max(others) + 1) if digits in others else digits
