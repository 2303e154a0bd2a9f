"""Find the projects, datasets and versions of an account by their ARNs, and run jobs of datasets in threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from customlabels_nb.core import tables as t
from customlabels_nb.endpoints.failures import DISK_FULL, FAILED_BY_SERVICE, job_message
from customlabels_nb.endpoints.project_folders import ProjectFolder, ServedProject, ServingOptions
from customlabels_nb.endpoints.rekognition.buckets import Buckets
from customlabels_nb.endpoints.rekognition.page_tokens import Page
from customlabels_nb.endpoints.rekognition.resource_names import ResourceName, name_in_arn, not_found
from customlabels_nb.endpoints.served_versions import ServedVersion, versions_of
from customlabels_nb.store import DatasetRecord

READY = "The dataset is ready."


@dataclass(frozen=True)
class DatasetState:
    """Dataset as the endpoint reports it. ``digits`` end its ARN."""

    split: t.Split
    digits: int
    created: datetime
    updated: datetime
    status: str
    message: str
    code: str

    @property
    def is_busy(self) -> bool:
        """True while the dataset is being created, changed or deleted."""
        return self.status.endswith("IN_PROGRESS")


@dataclass
class RekognitionProject(ServedProject):
    """Project with its ARN. ``refreshed`` is the last action of its history that the lines of its images have seen."""

    folder: Workspace
    refreshed: int | None = None

    @property
    def arn(self) -> ResourceName:
        return ResourceName(self.folder.options.region, self.folder.account, self.name, self.digits)

    @cached_property
    def name(self) -> str:
        """Name of the project in its ARN: as created by a client, or its name in Python as far as an ARN allows."""
        name = self.project.name
        client_name, folder = self.fact("name", (None, None))
        return str(client_name) if client_name is not None and folder == name else name_in_arn(name, self.digits)

    def datasets(self) -> dict[str, DatasetState]:
        records = {split: self.store.dataset(split) for split in t.SPLITS}
        return {split: _state(split, record) for split, record in records.items() if record is not None}

    def set_status(self, split: str, status: str, message: str, code: str = "SUCCESS", *, idle: bool = False) -> bool:
        """Store a dataset's status. Return False if ``idle`` is set and a change is in progress, or if it is gone."""
        facts = {"status": status, "message": message, "code": code}

        def change(noted: dict[str, Any]) -> dict[str, Any] | None:
            return None if idle and noted.get("status", "").endswith("IN_PROGRESS") else {**noted, **facts}

        return self.store.note_dataset(split, change)

    def dataset_arn(self, state: DatasetState) -> ResourceName:
        return self.arn.dataset(state.split, state.digits)

    def start_job(self, splits: tuple[str, ...], change: str, work: Callable[[], None]) -> None:
        """Run ``work`` in a thread. Then the datasets are ``<change>_COMPLETE`` or ``<change>_FAILED``."""

        def run() -> None:
            with self.lock:
                done = (f"{change}_COMPLETE", READY, "SUCCESS")
                try:
                    work()
                except Exception as error:
                    message = job_message(error, f"A job of {self.name} failed.")
                    code = "SERVICE_ERROR" if message in (DISK_FULL, FAILED_BY_SERVICE) else "CLIENT_ERROR"
                    done = (f"{change}_FAILED", message, code)
                for split in splits:
                    self.set_status(split, *done)

        self.folder.jobs.submit(run)


class Workspace(ProjectFolder[RekognitionProject]):
    """Projects of one account: the folders with projects in ``root``."""

    def __init__(
        self,
        root: Path,
        account: str,
        options: ServingOptions,
        buckets: Buckets,
        training: threading.Lock | None = None,
    ) -> None:
        super().__init__(root, options, RekognitionProject, training)
        self.buckets = buckets
        self.account = account
        for served in self.projects():
            for split, state in served.datasets().items():
                if state.is_busy:  # the server ended while it worked on the dataset
                    status = state.status.replace("DELETE", "UPDATE").replace("IN_PROGRESS", "FAILED")
                    served.set_status(split, status, FAILED_BY_SERVICE, "SERVICE_ERROR")

    def find(self, name: ResourceName) -> RekognitionProject:
        """Return the project of a resource, or raise ServiceError if it is not in this account and region."""
        if (name.region, name.account) == (self.options.region, self.account):
            for served in self.projects():
                if served.name == name.project and (name.split or name.version or served.digits == name.digits):
                    return served
        raise not_found(name)

    def find_project(self, name: ResourceName) -> RekognitionProject:
        if name.split or name.version:
            raise not_found(name)
        return self.find(name)

    def find_dataset(self, name: ResourceName) -> tuple[RekognitionProject, DatasetState]:
        served = self.find(name)
        state = served.datasets().get(name.split or "")
        if state is None or state.digits != name.digits:
            raise not_found(name)
        return served, state


@dataclass(frozen=True)
class RekognitionCall:
    """Call of an operation by a principal, with the projects of its account and of all, and the secret for paging."""

    operation: str
    workspace: Workspace
    accounts: Mapping[str, Workspace]
    principal: str
    secret: bytes

    def page(self, request: Mapping[str, Any], default: int = 100) -> Page:
        return Page(self.secret, self.workspace.account, self.operation, request, default)


def version_name(version: ServedVersion[RekognitionProject]) -> str:
    """Return the name of a version in its ARN: as created by a client, or in Python, as far as an ARN allows."""
    return name_in_arn(version.facts.get("name") or version.local, version.digits)


def version_arn(version: ServedVersion[RekognitionProject]) -> ResourceName:
    return version.served.arn.of_version(version_name(version), version.digits)


def find_version(workspace: Workspace, name: ResourceName) -> ServedVersion[RekognitionProject]:
    served = workspace.find(name)
    for version in versions_of(served) if name.version else ():
        if (version_name(version), version.digits) == (name.version, name.digits):
            return version
    raise not_found(name)


def _state(split: t.Split, record: DatasetRecord) -> DatasetState:
    noted = record.endpoint
    return DatasetState(
        split,
        record.digits,
        record.created,
        record.updated,
        noted.get("status", record.status),
        noted.get("message", READY),
        noted.get("code", "SUCCESS"),
    )
