"""Export iterations as ONNX files, each in a process of its own."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

from customlabels_nb._utils.files import scratch
from customlabels_nb._utils.text import one_line
from customlabels_nb.endpoints.custom_vision.calls import Call, invalid
from customlabels_nb.endpoints.custom_vision.ids import project_id
from customlabels_nb.endpoints.custom_vision.iterations import find_iteration, iteration_id, trained_model
from customlabels_nb.endpoints.http_messages import Answer
from customlabels_nb.endpoints.served_versions import ServedVersion, change_facts, facts_of
from customlabels_nb.errors import MissingDependencyError, ServiceError
from customlabels_nb.inference.exporting.formats import check_format
from customlabels_nb.models.artifact import load_config
from customlabels_nb.project.projects import load_project
from customlabels_nb.project.version_copying import location_of
from customlabels_nb.workers.detached_process import is_alive, run_detached

_PLATFORM = "ONNX"
_FILE = "custom_vision_onnx.zip"
_running: set[Path] = set()  # files that processes of this server write


def export_iteration(call: Call) -> dict[str, Any]:
    """Begin to export an iteration. A platform and flavor that are exported already are not exported again."""
    platform, flavor = call.query.need("platform"), call.query.text("flavor")
    if platform.lower() != _PLATFORM.lower():
        message = f"The platform {platform[:100]!a} is not available here. Use {_PLATFORM}, which needs no flavor."
        raise invalid(message, "BadRequestProjectUnsupportedExportPlatform")
    served = call.project()
    version = find_iteration(served, call.path.text("iterationId"))
    trained_model(version)
    try:
        check_format("onnx")
    except MissingDependencyError as error:
        raise invalid(str(error), "BadRequestExportValidationFailed") from error
    with served.version_lock:
        stored = facts_of(served.store, version.local)
        flavors = [*stored.get("exports", []), *([flavor] if flavor not in stored.get("exports", []) else [])]
        facts = change_facts(served.store, version.local, exports=flavors)
        if _status(version, facts) == "Failed":
            _running.add(_file(version))
            served.folder.jobs.submit(_run, version)
        return _described(call, version, facts, flavor)


def get_exports(call: Call) -> list[dict[str, Any]]:
    served = call.project()
    version = find_iteration(served, call.path.text("iterationId"))
    facts = version.facts
    return [_described(call, version, facts, flavor) for flavor in facts.get("exports", [])]


def get_exported_file(call: Call) -> Answer:
    """Return the zip file of an export. The signature in its address takes the place of a key."""
    id_ = call.path.need("iterationId")
    served = call.signed_project(call.path.need("projectId"), id_, "export")
    try:
        data = _file(find_iteration(served, id_)).read_bytes()
    except OSError as error:
        raise ServiceError("NotFound", "The export was deleted. Export the iteration again.") from error
    return Answer(200, {"Content-Type": "application/zip", "Content-Length": str(len(data))}, data)


def write_export(task: Mapping[str, Any]) -> None:
    """Write the zip file of a version. It is complete as soon as it exists."""
    with closing(load_project(task["root"])) as project:
        process = os.getpid(), psutil.Process().create_time()
        change_facts(location_of(project).store, task["name"], exporter=process)
        model = project.model(task["name"])
        with scratch(model.folder) as folder:
            exported = model.export("onnx", folder / "onnx")
            labels = "".join(f"{one_line(label)}\n" for label in load_config(model.folder).labels)
            with zipfile.ZipFile(folder / _FILE, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.write(exported.file, "model.onnx")
                archive.write(folder / "onnx" / "detect.py", "detect.py")
                archive.writestr("labels.txt", labels)
            os.replace(folder / _FILE, model.folder / _FILE)


def _run(version: ServedVersion[Any]) -> None:
    task = {"root": str(version.served.project.root), "name": version.local}
    try:
        run_detached(f"{__name__}:write_export", task, {})
    finally:
        _running.discard(_file(version))


def _file(version: ServedVersion[Any]) -> Path:
    return version.model.folder / _FILE


def _status(version: ServedVersion[Any], facts: Mapping[str, Any]) -> str:
    if _file(version) in _running or is_alive(*facts.get("exporter", (0, 0))):
        return "Exporting"
    return "Done" if _file(version).exists() else "Failed"


def _described(call: Call, version: ServedVersion[Any], facts: Mapping[str, Any], flavor: str | None) -> dict[str, Any]:
    status = _status(version, facts)
    address = call.address(project_id(version.served), iteration_id(version), "export") if status == "Done" else None
    export = {"platform": _PLATFORM, "status": status, "downloadUri": address, "flavor": flavor}
    return export | {"newerVersionAvailable": False}
