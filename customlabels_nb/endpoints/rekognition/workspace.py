"""Find the projects of an account in its folder, with their ARNs, and run their jobs in threads."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from customlabels_nb.core import tables as t
from customlabels_nb.core.limits import REKOGNITION, Limits
from customlabels_nb.endpoints.rekognition.buckets import Buckets
from customlabels_nb.endpoints.rekognition.ledger import DatasetState, Ledger, unused_digits
from customlabels_nb.endpoints.rekognition.page_tokens import Pager
from customlabels_nb.endpoints.rekognition.resource_names import ResourceName, name_in_arn, not_found
from customlabels_nb.errors import CustomLabelsError, ServiceError
from customlabels_nb.project.location import DATABASE, LEDGER, POINTER, is_project
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import load_project

READY = "The dataset is ready."
FAILED_BY_SERVICE = "Amazon Rekognition experienced a service issue."

_JOBS = 8
T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass
class ServedProject:
    """Project with its ledger and its ARN.

    ``lock`` is held while its datasets are changed or read again, ``refreshing`` only while a request reads them again,
    ``version_lock`` while the status of a version is changed.
    """

    workspace: Workspace
    project: Project
    ledger: Ledger
    digits: int
    mark: tuple[int, int]
    lock: threading.RLock = field(default_factory=threading.RLock)
    refreshing: threading.Lock = field(default_factory=threading.Lock)
    version_lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def arn(self) -> ResourceName:
        """ARN of the project."""
        return ResourceName(self.workspace.options.region, self.workspace.account, self.name, self.digits)

    @cached_property
    def name(self) -> str:
        """Name of the project in its ARN: as created by a client, or its name in Python as far as an ARN allows."""
        name = self.project.name
        given, folder = self.ledger.fact("name", (None, None))
        return str(given) if given is not None and folder == name else name_in_arn(name, self.digits)

    def dataset_arn(self, state: DatasetState) -> ResourceName:
        """Return the ARN of a dataset."""
        return self.arn.dataset(state.split, state.digits)

    def start_job(self, splits: tuple[str, ...], change: str, work: Callable[[], None]) -> None:
        """Run ``work`` in a thread. Then the datasets are ``<change>_COMPLETE`` or ``<change>_FAILED``."""

        def run() -> None:
            with self.lock:
                done = (f"{change}_COMPLETE", READY, "SUCCESS")
                try:
                    work()
                except CustomLabelsError as error:
                    done = (f"{change}_FAILED", _first_line(error), "CLIENT_ERROR")
                except Exception:
                    _log.exception("A job of %s failed.", self.name)
                    done = (f"{change}_FAILED", FAILED_BY_SERVICE, "SERVICE_ERROR")
                with self.ledger.writing():
                    for split in splits:
                        self.ledger.set_status(split, *done)

        self.workspace.jobs.submit(run)

    def close(self) -> None:
        """Close the project and the ledger."""
        with contextlib.suppress(CustomLabelsError):
            self.project.close()
        self.ledger.close()


@dataclass(frozen=True)
class Quotas:
    """Numbers of which there may be as many, where None is no limit."""

    projects: int | None = None
    versions_per_project: int | None = None
    trainings: int | None = None
    running: int | None = None
    units_per_version: int | None = None
    policies_per_project: int | None = 5
    copies: int | None = 5

    def check(self, name: str, count: int, code: str = "ServiceQuotaExceededException") -> None:
        """Raise ServiceError if ``count`` is more than the quota ``name``."""
        most = getattr(self, name)
        if most is not None and count > most:
            raise ServiceError(code, f"The quota of {name.replace('_', ' ')} is {most}.")


#: Quotas of the hosted service, as older editions of its guide give them.
HOSTED = Quotas(projects=100, versions_per_project=100, trainings=2, running=2, units_per_version=5)


@dataclass(frozen=True)
class ServingOptions:
    """Options of an endpoint.

    Attributes
    ----------
    region : str
        Region in new ARNs. Requests for any region are accepted.
    limits : Limits
        Limits of manifests and images.
    hold : float
        Seconds, at most 20, for which a description of a single version in transition waits for a change, so that
        waiters of clients end soon.
    budget : str or float, optional
        Time limit of a training run, as in ``project.train``.
    engine : str, optional
        Engine that runs models, as in ``model.start``.
    quotas : Quotas
        Numbers of projects, versions and others.
    """

    region: str = "us-east-1"
    limits: Limits = REKOGNITION
    hold: float = 0.0
    budget: str | float | None = None
    engine: str | None = None
    quotas: Quotas = Quotas()


class Workspace:
    """Projects of one account: the folders with projects in ``root``.

    ``training`` is held by the training that runs, of any account.
    """

    def __init__(
        self,
        root: Path,
        account: str,
        options: ServingOptions,
        buckets: Buckets,
        training: threading.Lock | None = None,
    ) -> None:
        self.root = root
        self.buckets = buckets
        self.account = account
        self.options = options
        self.limits = options.limits
        self.lock = threading.RLock()
        self.counting = threading.RLock()  # held, before locks of projects, while versions are counted for a quota
        self.jobs = ThreadPoolExecutor(_JOBS, thread_name_prefix="rekognition-job")
        self.training = training or threading.Lock()
        self.is_closed = False
        self._open: dict[Path, ServedProject] = {}
        self._broken: set[Path] = set()
        for served in self.projects():
            for split, state in served.ledger.datasets().items():
                if state.is_busy:  # the server ended while it worked on the dataset
                    status = state.status.replace("DELETE", "UPDATE").replace("IN_PROGRESS", "FAILED")
                    served.ledger.set_status(split, status, FAILED_BY_SERVICE, "SERVICE_ERROR")

    def close(self) -> None:
        """Finish the jobs and close the projects. Training processes go on."""
        self.is_closed = True
        self.jobs.shutdown()
        with self.lock:
            while self._open:
                self._open.popitem()[1].close()

    def projects(self) -> list[ServedProject]:
        """Return the projects, newest first. Those that are new in the folder are opened."""
        with self.lock:
            marks = {folder: mark for folder in self._folders() if (mark := _mark(folder)) is not None}
            for folder, served in list(self._open.items()):
                if marks.get(folder) != served.mark:  # deleted, renamed or replaced by another
                    del self._open[folder]  # not closed, as another thread may still read it
            for folder, mark in marks.items():
                if folder not in self._open:
                    self._try_to_open(folder, mark)
            return sorted(self._open.values(), key=lambda served: -served.digits)

    def read_each(self, projects: Iterable[ServedProject], read: Callable[[ServedProject], T]) -> list[T]:
        """Return what ``read`` finds in each of the projects, without those that are deleted meanwhile."""
        results = []
        for served in projects:
            try:
                results.append(read(served))
            except Exception:
                if any(each is served for each in self.projects()):
                    raise
        return results

    def find(self, name: ResourceName) -> ServedProject:
        """Return the project of a resource, or raise ServiceError if it is not in this account and region."""
        if (name.region, name.account) == (self.options.region, self.account):
            for served in self.projects():
                if served.name == name.project and (name.split or name.version or served.digits == name.digits):
                    return served
        raise not_found(name)

    def find_project(self, name: ResourceName) -> ServedProject:
        """Return the project with a name."""
        if name.split or name.version:
            raise not_found(name)
        return self.find(name)

    def find_dataset(self, name: ResourceName) -> tuple[ServedProject, DatasetState]:
        """Return the project and the state of a dataset."""
        served = self.find(name)
        state = served.ledger.datasets().get(name.split or "")
        if state is None or state.digits != name.digits:
            raise not_found(name)
        return served, state

    def forget(self, served: ServedProject) -> None:
        """Drop a project that is being deleted. It is not closed, as another thread may still read it."""
        with self.lock:
            self._open = {folder: other for folder, other in self._open.items() if other is not served}

    def adopt(self, project: Project, name: str | None = None) -> ServedProject:
        """Add an open project, with the name in its ARN if a client has chosen one."""
        with self.lock:
            mark = _mark(project.root)
            if mark is None:
                raise ServiceError("ResourceNotFoundException", f"The project {project.root.name!r} is gone.")
            ledger = Ledger(project.root / LEDGER)
            digits, others = ledger.fact("digits"), {served.digits for served in self._open.values()}
            if digits is None or digits in others:  # new, or the folder is a copy of another project's
                digits = unused_digits(project._store.project().created.timestamp(), others)
                ledger.set_facts(digits=digits)
            if name is not None:
                ledger.set_facts(name=(name, project.name))
            served = ServedProject(self, project, ledger, digits, mark)
            self._open[project.root] = served
            return served

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
            self._broken.discard(folder)
        except Exception as error:  # a broken project must not hide the others
            if folder not in self._broken:
                _log.warning("Cannot open the project in %s: %s", folder, error)
            self._broken.add(folder)


@dataclass(frozen=True)
class Call:
    """Call of an operation by a principal, with the projects of its account and of all, and the secret for paging."""

    operation: str
    workspace: Workspace
    accounts: Mapping[str, Workspace]
    principal: str
    secret: bytes

    def pager(self, request: Mapping[str, Any]) -> Pager:
        """Return the maker of this request's paging tokens."""
        return Pager(self.secret, self.workspace.account, self.operation, request)


def other_split(split: str) -> str:
    """Return "test" for "train", and the other way round."""
    return t.TEST if split == t.TRAIN else t.TRAIN


def _mark(folder: Path) -> tuple[int, int] | None:
    """Identify the project in a folder by the file of its database, or return None if there is no project."""
    try:
        if not is_project(folder):
            return None
        status = os.stat(folder / DATABASE if (folder / DATABASE).is_file() else folder / POINTER)
        return status.st_dev, status.st_ino
    except OSError:
        return None


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
