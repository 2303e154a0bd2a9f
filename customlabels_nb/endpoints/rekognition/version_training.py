"""Train a version in a process of its own, which outlives the server, and write its files to the output bucket."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from customlabels_nb._utils.files import scratch
from customlabels_nb.core import tables as t
from customlabels_nb.core.limits import Limits
from customlabels_nb.datasets.formats.manifest_lines import ManifestFile, ManifestLines
from customlabels_nb.datasets.formats.manifest_values import SOURCE, parsed
from customlabels_nb.datasets.validation.rules import ManifestLike, check_manifests
from customlabels_nb.datasets.validation.written_files import SUMMARY_FILE, TESTING_FILE, TRAINING_FILE, write_outputs
from customlabels_nb.endpoints.project_folders import ServingOptions
from customlabels_nb.endpoints.rekognition.buckets import Buckets, object_url
from customlabels_nb.endpoints.rekognition.manifest_entries import (
    add_entries,
    first_lines,
    manifest_error,
    usable_lines,
)
from customlabels_nb.endpoints.rekognition.stored_lines import read_lines
from customlabels_nb.endpoints.rekognition.version_outputs import PROBE, Outputs
from customlabels_nb.endpoints.rekognition.workspace import Workspace, version_arn, version_name
from customlabels_nb.endpoints.served_versions import ServedVersion, change_facts, end_job, facts_of
from customlabels_nb.endpoints.training_process import train_in_this_process
from customlabels_nb.errors import ManifestError
from customlabels_nb.images.locations import is_remote, to_path
from customlabels_nb.project.location import STATE_FOLDER
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project
from customlabels_nb.project.version_copying import location_of
from customlabels_nb.store import SqlStore
from customlabels_nb.user_settings import settings
from customlabels_nb.workers.detached_process import run_detached


def training_task(version: ServedVersion) -> dict[str, Any]:
    """Return what a training process needs to know, as JSON values."""
    served = version.served
    workspace = served.folder
    return {
        "root": str(served.project.root),
        "state": str(workspace.root / STATE_FOLDER),
        "name": version.local,
        "arn": str(version_arn(version)),
        "project": served.name,
        "version": version_name(version),
        "limits": asdict(workspace.limits),
        "console": workspace.buckets.console,
        "budget": workspace.options.budget,
    }


def start_process(version: ServedVersion) -> None:
    """Train a version in a new process, and wait for it."""
    may_use = version.served.folder.buckets.may_use  # images of others must not be read for this account
    buckets = os.pathsep.join(f"{name}={folder}" for name, folder in settings.buckets.items() if may_use(name))
    run_detached(f"{__name__}:train_served_version", training_task(version), {"CUSTOMLABELS_NB_BUCKETS": buckets})


def train_served_version(task: Mapping[str, Any]) -> None:
    """Validate the data, train, and write the files."""
    train_in_this_process(task, lambda project, store: _Training(task, project, store).run())


class _Training:
    """Training of one version, as described by :func:`training_task`."""

    def __init__(self, task: Mapping[str, Any], project: Project, store: SqlStore) -> None:
        self.task, self.project, self.store = task, project, store
        self.name: str = task["name"]
        self.facts = facts_of(store, self.name)
        self.limits = Limits(**task["limits"])
        self.outputs = Outputs(Buckets(task["console"]), self.facts, task["project"], task["version"])
        self.checked_lines: list[bytes] = []  # of the training manifest, with findings, if the test set is split off
        self.started = time.time()

    def run(self) -> None:
        self.outputs.write(PROBE, b"")
        data = self._data()
        self._validate(*data)
        with self._trainable(data) as project:
            model = project.train(name=self.name, budget=self.task["budget"], machine_labels=True, progress=False)
            self._write_split_off(project)
            self.outputs.write_evaluation(model, self.task["arn"])
            if project is not self.project:
                model.copy_to(self.project, self.name, progress=False)
            record = model.record
        facts = {"billable": math.ceil(time.time() - self.started), "files": self.outputs.files}
        end_job(self.store, self.name, record.status, record.status_message, **facts)

    # -- data ---------------------------------------------------------------------------------------
    def _data(self) -> list[ManifestLike | None]:
        """Return the training and the test manifest: lines of the datasets, or URLs. None: split one off."""
        if "training" in self.facts:
            manifests: list[ManifestLike | None] = [object_url(self.facts["training"])[0]]
            testing = self.facts.get("testing")
            return [*manifests, None if testing is None else object_url(testing)[0]]
        lines: list[ManifestLike | None] = []
        for split in t.SPLITS:
            rows = [line for (line,) in read_lines(self.store, split, "line")]
            exists = self.store.dataset(split) is not None
            if exists and not rows:
                raise manifest_error("ERROR_MANIFEST_IS_EMPTY")
            lines.append(ManifestLines(f"{split}.manifest", rows) if exists else None)
            if exists:
                content = b"".join(line + b"\n" for line in rows)
                self.outputs.write(f"{self.outputs.folder}/{split}.manifest", content, f"input_{split}")
        return lines

    def _validate(self, train: ManifestLike | None, test: ManifestLike | None) -> None:
        """Check the manifests, write the validation files, and raise ManifestError if they cannot be trained on."""
        assert train is not None
        rows = [row for split in t.SPLITS for row in read_lines(self.store, split, "source", "image")]
        places = {source: str(to_path(image, self.project.root)) for source, image in rows if not is_remote(image)}
        checked = check_manifests(train, test, limits=self.limits, relocate=places, autosplit=test is None)
        sides = [checked.train, *([checked.test] if checked.test else [])]
        errors = [*checked.errors, *(error for side in sides for error in side.errors)]
        with tempfile.TemporaryDirectory() as folder:
            for path in write_outputs(checked, Path(folder)):
                role = {TRAINING_FILE: "validation_train", TESTING_FILE: "validation_test", SUMMARY_FILE: "manifests"}
                self.outputs.write(f"{self.outputs.folder}/validation/{path.name}", path.read_bytes(), role[path.name])
                if test is None and path.name == TRAINING_FILE:
                    self.checked_lines = path.read_bytes().splitlines(keepends=True)
        change_facts(self.store, self.name, files=self.outputs.files)
        if errors:
            raise ManifestError(errors[0].message, errors[0].code)

    @contextmanager
    def _trainable(self, data: list[ManifestLike | None]) -> Iterator[Project]:
        """Yield the project, or for manifests that are no datasets a temporary one with their images."""
        if "training" not in self.facts:
            yield self.project
            return
        with scratch(Path(self.task["state"])) as folder:
            workspace = Workspace(folder, "0" * 12, ServingOptions(limits=self.limits), self.outputs.buckets)
            project = create_project(self.task["project"][:50].strip("-. ") or "project", folder)
            served = workspace.adopt(project)
            try:
                for split, source in zip(t.SPLITS, data, strict=True):
                    usable = usable_lines(ManifestFile(source), self.limits) if isinstance(source, str) else ()
                    if lines := list(first_lines(usable).items()):
                        add_entries(served, split, lines, "import")
                yield project
            finally:
                workspace.close()

    def _write_split_off(self, project: Project) -> None:
        """Write the lines that were split off for testing, with their findings, if there was no test manifest."""
        if not self.checked_lines:
            return
        tested = {source for (source,) in read_lines(location_of(project).store, t.TEST, "source")}
        lines = [line for line in self.checked_lines if (parsed(line) or {}).get(SOURCE) in tested]
        self.outputs.write(f"{self.outputs.folder}/validation/{TESTING_FILE}", b"".join(lines), "validation_test")
