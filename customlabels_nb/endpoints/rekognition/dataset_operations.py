"""Create, change, list and delete datasets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from customlabels_nb.core import tables as t
from customlabels_nb.core.version_status import TRAINING
from customlabels_nb.datasets.formats.manifest_values import parsed
from customlabels_nb.endpoints.failures import FAILED_BY_SERVICE
from customlabels_nb.endpoints.rekognition.manifest_entries import (
    Lines,
    add_entries,
    first_lines,
    listed_line,
    manifest_error,
    refresh_entries,
    usable_lines,
)
from customlabels_nb.endpoints.rekognition.resource_names import ResourceName
from customlabels_nb.endpoints.rekognition.service_model import INVALID
from customlabels_nb.endpoints.rekognition.stored_lines import (
    count_entries,
    find_entries,
    find_labels,
    forget_gone_lines,
    read_lines,
)
from customlabels_nb.endpoints.rekognition.workspace import READY, DatasetState, RekognitionCall, RekognitionProject
from customlabels_nb.endpoints.served_versions import versions_of
from customlabels_nb.errors import NotEnoughDataError, ServiceError
from customlabels_nb.store import Action
from customlabels_nb.user_settings import settings

_TEST_FRACTION = 0.2
_TOO_MANY_BAD = 0.5
_UNUSABLE = "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"


def create_dataset(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    """Implement CreateDataset. A manifest is read in a job."""
    served = call.workspace.find_project(request["ProjectArn"])
    split: t.Split = request["DatasetType"].lower()
    source = request.get("DatasetSource")
    read = _lines_to_read(call, source)
    refresh_entries(served)
    action = Action("create dataset", settings.user)
    started = ("CREATE_IN_PROGRESS", "The dataset is being created.")
    status, message = ("CREATE_COMPLETE", READY) if source is None else started
    noted = {"status": status, "message": message}
    if not served.store.create_dataset(split, action, tags=request.get("Tags", {}), endpoint=noted):
        raise ServiceError("ResourceAlreadyExistsException", f"The project already has a {split} dataset.")
    state = served.datasets()[split]

    def create() -> None:
        if lines := read():
            add_entries(served, split, lines, "create dataset")

    if source is not None:
        served.start_job((split,), "CREATE", create)
    return {"DatasetArn": str(served.dataset_arn(state))}


def _lines_to_read(call: RekognitionCall, source: dict[str, Any] | None) -> Callable[[], Lines]:
    """Check where the lines of a new dataset come from, and return the function that reads them."""
    if source is None:
        return list
    if len(source) != 1:
        raise ServiceError(INVALID, "DatasetSource needs either GroundTruthManifest or DatasetArn.")
    if "DatasetArn" in source:
        return partial(_lines_of, *call.workspace.find_dataset(source["DatasetArn"]))
    manifest = source["GroundTruthManifest"]
    if "S3Object" not in manifest:
        raise ServiceError(INVALID, "GroundTruthManifest needs S3Object.")
    return partial(_lines_in, call, manifest["S3Object"], call.workspace.buckets.size(manifest["S3Object"]))


def _lines_of(origin: RekognitionProject, dataset: DatasetState) -> Lines:
    """Return the lines of a dataset of another project."""
    refresh_entries(origin)
    return read_lines(origin.store, dataset.split, "source", "line")


def _lines_in(call: RekognitionCall, s3_object: dict[str, Any], size: int) -> Lines:
    """Return the usable lines of a manifest, one for each image, or raise ManifestError."""
    limits = call.workspace.limits
    if "." not in s3_object["Name"].rpartition("/")[2]:
        raise manifest_error(_UNUSABLE)
    if limits.max_manifest_bytes is not None and size > limits.max_manifest_bytes:
        raise manifest_error("ERROR_MANIFEST_SIZE_TOO_LARGE")
    try:
        data = call.workspace.buckets.read(s3_object, size)
    except ServiceError as error:
        raise manifest_error(_UNUSABLE) from error
    usable = list(usable_lines(data.split(b"\n"), limits))
    if not usable:
        raise manifest_error("ERROR_MANIFEST_IS_EMPTY")
    lines = first_lines(usable)
    if not lines:
        raise manifest_error(_UNUSABLE)
    if limits.max_images is not None and len(usable) > limits.max_images:
        raise manifest_error("ERROR_MANIFEST_ROWS_EXCEEDS_MAXIMUM")
    if len(lines) < len(usable) * (1 - _TOO_MANY_BAD):
        raise manifest_error("ERROR_TOO_MANY_RECORDS_IN_ERROR")
    return list(lines.items())


def describe_dataset(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    served, state = _refreshed(call, request["DatasetArn"])
    total, labelled, errors = count_entries(served.store, state.split)
    return {
        "DatasetDescription": {
            "CreationTimestamp": state.created,
            "LastUpdatedTimestamp": state.updated,
            "Status": state.status,
            "StatusMessage": state.message,
            "StatusMessageCode": state.code,
            "DatasetStats": {
                "LabeledEntries": labelled,
                "TotalEntries": total,
                "TotalLabels": served.store.statistics(state.split).total_labels,
                "ErrorEntries": errors,
            },
        }
    }


def list_dataset_entries(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    page = call.page(request)
    served, state = _readable(call, request["DatasetArn"])
    rows = find_entries(served.store, state.split, request, page.after or 0, page.size + 1)
    items, last = page.cut(rows, lambda row: int(row[0]))
    return page.answer("DatasetEntries", [listed_line(row[1], bool(row[2]), row[3]) for row in items], last)


def list_dataset_labels(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    page = call.page(request)
    served, state = _readable(call, request["DatasetArn"])
    rows = find_labels(served.store, state.split, page.after or 0, page.size + 1)
    items, last = page.cut(rows, lambda row: int(row[0]))
    labels = [
        {"LabelName": label, "LabelStats": {"EntryCount": count, "BoundingBoxCount": boxed}}
        for _, label, count, boxed in items
    ]
    return page.answer("DatasetLabelDescriptions", labels, last)


def update_dataset_entries(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    """Implement UpdateDatasetEntries. The lines are checked at once and stored in a job."""
    served, state = _refreshed(call, request["DatasetArn"])
    lines: dict[str, bytes] = {}
    for number, (source, line) in enumerate(
        usable_lines(request["Changes"]["GroundTruth"].split(b"\n"), call.workspace.limits), 1
    ):
        if source is None:
            raise ServiceError(INVALID, f"Changes.GroundTruth: line {number} {_fault(line)}. Nothing was changed.")
        lines[source] = line
    if not lines:
        raise ServiceError(INVALID, "Changes.GroundTruth has no lines.")
    with served.version_lock:
        _refuse_in_training(served)
        _begin(served, state, "UPDATE_IN_PROGRESS", "The dataset is being updated.")
    served.start_job(
        (state.split,), "UPDATE", lambda: add_entries(served, state.split, list(lines.items()), "update entries")
    )
    return {}


def _fault(line: bytes) -> str:
    value = parsed(line)
    if value is None:
        return "is not a JSON object"
    return "has no source-ref" if "source-ref" not in value else "is too long or has no s3:// URI as source-ref"


def distribute_dataset_entries(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    (served, first), (other, second) = [_refreshed(call, dataset["Arn"]) for dataset in request["Datasets"]]
    if served is not other or {first.split, second.split} != set(t.SPLITS):
        raise ServiceError(INVALID, "Datasets must be the training and the test dataset of one project.")
    with served.version_lock:  # no other change begins
        if any(state.is_busy for state in served.datasets().values()):
            raise ServiceError("ResourceNotReadyException", "A dataset is still being changed. Try again later.")
        if served.store.statistics(t.TEST).total_entries:
            raise ServiceError(INVALID, "The test dataset must be empty.")
        for split in t.SPLITS:
            served.set_status(split, "UPDATE_IN_PROGRESS", "The entries are being distributed.")

    def distribute() -> None:
        try:
            served.project.distribute(_TEST_FRACTION)
        except NotEnoughDataError as error:
            raise manifest_error("ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_DISTRIBUTE") from error

    served.start_job(t.SPLITS, "UPDATE", distribute)
    return {}


def delete_dataset(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    served, state = _refreshed(call, request["DatasetArn"])
    with served.version_lock:
        _refuse_in_training(served)
        _begin(served, state, "DELETE_IN_PROGRESS", "The dataset is being deleted.")
    try:
        with served.lock:
            served.project.delete_dataset(state.split, confirm=True)
            forget_gone_lines(served.store)
    except BaseException:  # the same status as after a restart
        served.set_status(state.split, "UPDATE_FAILED", FAILED_BY_SERVICE, "SERVICE_ERROR")
        raise
    return {}


def _refreshed(call: RekognitionCall, name: ResourceName) -> tuple[RekognitionProject, DatasetState]:
    """Find a dataset, and bring its entries up to date with the project."""
    served, _ = call.workspace.find_dataset(name)
    refresh_entries(served)
    return call.workspace.find_dataset(name)


def _readable(call: RekognitionCall, name: ResourceName) -> tuple[RekognitionProject, DatasetState]:
    """Find a dataset whose entries can be listed."""
    served, state = _refreshed(call, name)
    if state.status == "CREATE_IN_PROGRESS":
        raise ServiceError("ResourceNotReadyException", "The dataset is still being created. Try again later.")
    if state.is_busy:
        raise ServiceError("ResourceInUseException", "The dataset is being changed. Try again later.")
    return served, state


def _begin(served: RekognitionProject, state: DatasetState, status: str, message: str) -> None:
    """Set a status that refuses other changes, or raise if there is one already."""
    if not served.set_status(state.split, status, message, idle=True):
        raise ServiceError("ResourceInUseException", "The dataset is being changed. Try again later.")


def _refuse_in_training(served: RekognitionProject) -> None:
    """Raise if a version is being trained. The caller holds the lock of versions, so that no training begins."""
    if any(version.status == TRAINING for version in versions_of(served)):
        raise ServiceError("ResourceInUseException", "A model of the project is being trained. Try again later.")
