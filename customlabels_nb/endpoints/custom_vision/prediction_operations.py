"""Classify images and detect objects in them, with published and other iterations, and manage stored predictions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from customlabels_nb.core.geometry import ltwh_to_ratios
from customlabels_nb.core.tables import BOX_COLUMNS
from customlabels_nb.endpoints.custom_vision.calls import Call, RequestFields, invalid, moment
from customlabels_nb.endpoints.custom_vision.ids import project_id
from customlabels_nb.endpoints.custom_vision.image_operations import DOWNLOAD_SECONDS, Upload, add_batch, read_url
from customlabels_nb.endpoints.custom_vision.iterations import (
    find_iteration,
    find_published,
    iteration_id,
    latest_iteration,
    tag_ids,
    trained_model,
)
from customlabels_nb.endpoints.custom_vision.project_records import REGULAR, is_detection, read_settings, read_tags
from customlabels_nb.endpoints.custom_vision.stored_predictions import (
    add_prediction,
    delete_predictions,
    find_predictions,
    image_of_prediction,
)
from customlabels_nb.endpoints.http_messages import Answer
from customlabels_nb.endpoints.predictors import limiter_of, predictor_of
from customlabels_nb.endpoints.project_folders import ServedProject
from customlabels_nb.endpoints.served_versions import ServedVersion
from customlabels_nb.errors import ImageError, ImageTooLargeError, ModelError, ServiceError
from customlabels_nb.inference.postprocess import ImagePrediction, Postprocessor
from customlabels_nb.models.canvas import Canvas
from customlabels_nb.remote.memory_budget import image_memory

_MOST_PREDICTION_BYTES, _MOST_TEST_BYTES = 4 * 2**20, 6 * 2**20  # of the service, with service_limits only
_BATCH = 64
_ATTEMPTS = 3
_TOKEN = ("session", "maxCount", "orderBy", "tags", "iterationId", "startTime", "endTime", "application")


def prediction_operation(name: str) -> Callable[[Call], Any]:
    """Return the operation with this name: one of eight that predict an image with a published iteration."""
    detects, from_url, stores = name.startswith("detect"), "_url" in name, "no_store" not in name

    def predict(call: Call) -> dict[str, Any]:
        served = call.project()
        version = find_published(served, call.path.need("publishedName"))
        if is_detection(served) != detects:
            kind = "an object detection" if detects else "a classification"
            raise ServiceError("BadRequestInvalid", f"The operation {name} needs {kind} project.")
        with _image(call, from_url, _MOST_PREDICTION_BYTES) as data:
            return _answer(served, version, data, stores, call.query.text("application"))

    predict.__name__ = name
    return predict


def quick_test_image(call: Call) -> dict[str, Any]:
    """Predict the image in the body with an iteration, by default the newest trained one."""
    return _quick_test(call, from_url=False)


def quick_test_image_url(call: Call) -> dict[str, Any]:
    """Predict the image at a URL with an iteration, by default the newest trained one."""
    return _quick_test(call, from_url=True)


def _quick_test(call: Call, *, from_url: bool) -> dict[str, Any]:
    served = call.project()
    wanted = "iterationId" in call.query
    version = find_iteration(served, call.query.id("iterationId")) if wanted else latest_iteration(served)
    trained_model(version)
    stores = "store" not in call.query or call.query.flag("store")
    with _image(call, from_url, _MOST_TEST_BYTES) as data:
        return _answer(served, version, data, stores, None)


@contextmanager
def _image(call: Call, from_url: bool, quota: int) -> Iterator[bytes]:
    """Yield the image in the body of a request, or the one at its URL, whose memory is reserved in the block."""
    most = quota if call.folder.options.service_limits else image_memory.limit
    with image_memory.share() as hold:
        try:
            if from_url:
                data = read_url(call.json().need("url"), most, hold, time.monotonic() + DOWNLOAD_SECONDS)
            else:
                data = next((content for _, content in call.files()), b"")
        except ImageTooLargeError as error:
            raise invalid(f"The image has more than {most:,} bytes.", "BadRequestImageSizeBytes") from error
        except ImageError as error:
            reason = (error.reason or str(error)).removeprefix("The URL ")
            raise invalid(f"The URL {reason}", "BadRequestImageUrl") from error
        if not data:
            kind = "Url" if from_url else "Stream"
            raise invalid(f"The {'URL' if from_url else 'body'} has no image.", f"BadRequestImage{kind}")
        if len(data) > most:
            message = f"The image has {len(data):,} bytes, but at most {most:,} are allowed."
            raise invalid(message, "BadRequestImageSizeBytes")
        yield data


def _answer(
    served: ServedProject, version: ServedVersion[Any], data: bytes, stores: bool, application: str | None
) -> dict[str, Any]:
    """Return the answer to a prediction request, and store it with the image if the program wants that."""
    answer = {
        "id": str(uuid4()),
        "project": project_id(served),
        "iteration": iteration_id(version),
        "created": moment(time.time()),
        "predictions": _predictions(served, version, data),
    }
    if stores:
        add_prediction(served, answer, application, data)
    return answer


def _predictions(served: ServedProject, version: ServedVersion[Any], data: bytes) -> list[dict[str, Any]]:
    """Return all predictions for an image, the most probable first."""
    found, labels, size = _asked(version, data)
    tags = read_tags(served)
    ids, types = tag_ids(version, labels, tags), {tag.id: tag.type for tag in tags}
    entries = []
    for index, probability in zip(found.labels.tolist(), found.confidences.tolist(), strict=True):
        tag = {"tagId": ids[labels[index]], "tagName": labels[index], "tagType": types.get(ids[labels[index]], REGULAR)}
        entries.append({"probability": probability, **tag})
    if size is not None:
        for entry, box in zip(entries, ltwh_to_ratios(found.boxes, size).tolist(), strict=True):
            entry["boundingBox"] = dict(zip(BOX_COLUMNS, box, strict=True))
    return entries


def _asked(version: ServedVersion[Any], data: bytes) -> tuple[ImagePrediction, tuple[str, ...], tuple[int, int] | None]:
    """Return a model's predictions, its labels, and the size of the image if it has boxes."""
    for attempt in range(_ATTEMPTS):
        try:
            predictor = predictor_of(version)
            processor = Postprocessor(predictor, 0.0)
            image = processor.prepare(data, "image")
            found = limiter_of(version).ask(predictor, image)
            return found, processor.config.labels, image.size if isinstance(image, Canvas) else None
        except ModelError:  # a client of the other endpoint has stopped it meanwhile
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("no attempt")


# -- stored predictions ---------------------------------------------------------------------------------
def query_predictions(call: Call) -> dict[str, Any]:
    """List stored predictions, page by page."""
    served, token = call.project(), call.json()
    answers, continuation = find_predictions(served, token)
    project, domain = project_id(served), read_settings(served).domain
    results = []
    for answer in answers:
        address = call.address(project, answer["id"], "prediction")
        addresses = dict.fromkeys(("originalImageUri", "resizedImageUri", "thumbnailUri"), address)
        results.append(answer | addresses | {"domain": domain})
    return {"token": token.chosen(*_TOKEN) | {"continuation": continuation}, "results": results}


def delete_prediction(call: Call) -> None:
    """Delete stored predictions with their images. Ids that are not stored are ignored."""
    served, ids = call.project(), call.query.ids("ids", _BATCH)
    if not ids:
        raise invalid("ids is empty. Pass at least one id.", "BadRequestPredictionIdsMissing")
    delete_predictions(served, ids)


def create_images_from_predictions(call: Call) -> Answer:
    """Add images of stored predictions to the project, with the tags and regions in the body."""
    served = call.project()

    def upload(entry: RequestFields) -> Upload:
        data = image_of_prediction(served, entry.id("id"))
        return Upload(entry.id("id"), data=data or b"", status="" if data else "ErrorSource")

    return add_batch(call, upload)


def get_predicted_image(call: Call) -> Answer:
    """Return the image of a stored prediction. The signature in its address takes the place of a key."""
    id_ = call.path.need("predictionId")
    served = call.signed_project(call.path.need("projectId"), id_, "prediction")
    data = image_of_prediction(served, id_)
    if data is None:
        raise ServiceError("NotFoundImage", "The prediction was deleted.")
    return Answer(200, {"Content-Type": "application/octet-stream", "Content-Length": str(len(data))}, data)
