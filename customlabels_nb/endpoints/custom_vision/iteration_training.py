"""Train an iteration in a process of its own, which outlives the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from customlabels_nb.core.version_status import TRAINING
from customlabels_nb.endpoints.custom_vision.domains import find_domain
from customlabels_nb.endpoints.custom_vision.iterations import Iteration
from customlabels_nb.endpoints.project_folders import ProjectFolder
from customlabels_nb.endpoints.served_versions import end_job, versions_of
from customlabels_nb.endpoints.training_process import begin_training, train_in_this_process
from customlabels_nb.models.backbones import CLASSIFIERS
from customlabels_nb.models.timm_backbones import cached_file
from customlabels_nb.project.project import Project
from customlabels_nb.store import SqlStore
from customlabels_nb.workers.detached_process import run_detached


def go_on(folder: ProjectFolder[Any]) -> None:
    """Go on after a restart: wait for training processes, and begin those that waited."""
    for served in folder.projects():
        for version in versions_of(served):
            if version.facts.get("status") == TRAINING and "iteration" in version.facts:
                begin_training(version, start_process)


def start_process(version: Iteration) -> None:
    """Train an iteration in a new process, and wait for it."""
    run_detached(f"{__name__}:train_iteration", training_task(version), {})


def training_task(version: Iteration) -> dict[str, Any]:
    """Return what a training process needs to know, as JSON values."""
    facts = version.facts["iteration"]
    hours, budget = facts.get("hours"), version.served.folder.options.budget
    return {
        "root": str(version.served.project.root),
        "name": version.local,
        "budget": hours * 3600.0 if budget is None and hours else budget,
        "base": facts.get("base"),
        "domain": facts["domain"],
    }


def _backbone(domain: str) -> str | None:
    """Return the backbone of a domain, larger if it is not compact and the weights are on this machine."""
    is_compact = find_domain(domain)["exportable"]
    return None if is_compact or cached_file(CLASSIFIERS["base"].name) is None else "base"


def train_iteration(task: Mapping[str, Any]) -> None:
    """Train and evaluate. Failures are recorded as the status of the iteration."""

    def train(project: Project, store: SqlStore) -> None:
        model = project.train(
            name=task["name"], budget=task["budget"], base=task["base"], backbone=_backbone(task["domain"]),
            machine_labels=True, progress=False,
        )  # fmt: skip
        record = model.record
        end_job(store, task["name"], record.status, record.status_message)

    train_in_this_process(task, train)
