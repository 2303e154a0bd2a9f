"""Detect labels in an image."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from customlabels_nb.core.decisions import ASSUMED
from customlabels_nb.core.limits import Limits
from customlabels_nb.endpoints.predictors import limiter_of, predictor_of, release
from customlabels_nb.endpoints.rekognition.resource_names import ResourceName
from customlabels_nb.endpoints.rekognition.service_model import INVALID
from customlabels_nb.endpoints.rekognition.workspace import RekognitionCall, find_version
from customlabels_nb.endpoints.served_versions import ServedVersion
from customlabels_nb.errors import ImageError, ImageTooLargeError, ModelError, ServiceError
from customlabels_nb.images.decoding import opened
from customlabels_nb.inference.postprocess import Postprocessor, api_entries
from customlabels_nb.inference.thresholds import choose
from customlabels_nb.models.canvas import Canvas
from customlabels_nb.remote.memory_budget import Hold, image_memory

#: Limit of images that are sent in the request.
MOST_BYTES = 4_000_000
_UNITS = 4  # of a version that was started in a notebook
_SECONDS = 0.2
_FORMATS = ("JPEG", "MPO", "PNG")


_recent: dict[tuple[Path, ResourceName], tuple[float, ServedVersion]] = {}


def detect_custom_labels(call: RekognitionCall, request: dict[str, Any]) -> dict[str, Any]:
    version = _running(call, request["ProjectVersionArn"])
    with image_memory.share() as hold:
        return _detect(call, version, request, _image(call, request["Image"], hold))


def _detect(call: RekognitionCall, version: ServedVersion, request: dict[str, Any], data: bytes) -> dict[str, Any]:
    _check_image(data, call.workspace.limits)
    least, most = request.get("MinConfidence"), request.get("MaxResults")
    units = version.facts.get("max_units") or version.facts.get("min_units") or _UNITS
    limiter = limiter_of(version)
    with limiter.passing(units):
        try:
            predictor = predictor_of(version)
            postprocessor = Postprocessor(predictor, ASSUMED if least is None else least / 100)
            image = postprocessor.prepare(data, "image")
            prediction = limiter.ask(predictor, image)
        except ImageTooLargeError as error:
            raise ServiceError("ImageTooLargeException", error.reason or "The image has too many pixels.") from error
        except ImageError as error:
            raise ServiceError("InvalidImageFormatException", error.reason or "The image is damaged.") from error
        except ModelError as error:  # it was stopped meanwhile
            raise ServiceError("ResourceNotReadyException", str(error)) from error
    kept = choose(prediction.labels, prediction.confidences, postprocessor.thresholds)[:most]
    names = [postprocessor.config.labels[label] for label in prediction.labels[kept]]
    size = image.size if isinstance(image, Canvas) else None
    polygons = None if prediction.polygons is None else prediction.polygons[kept]
    return {"CustomLabels": api_entries(names, prediction.confidences[kept], prediction.boxes[kept], size, polygons)}


def _running(call: RekognitionCall, name: ResourceName) -> ServedVersion:
    """Return a running version. One that runs in this process is looked up again only after a moment."""
    until, version = _recent.get((call.workspace.root, name), (0.0, None))
    if version is None or until < time.monotonic() or version.model._predictor is None:
        version = find_version(call.workspace, name)
        if version.status != "RUNNING":
            release(version)
            raise ServiceError("ResourceNotReadyException", f"The version is {version.status}, not RUNNING.")
        _recent[call.workspace.root, name] = time.monotonic() + _SECONDS, version
    return version


def _image(call: RekognitionCall, image: dict[str, Any], hold: Hold) -> bytes:
    if len(image) != 1:
        raise ServiceError(INVALID, "Image needs either Bytes or S3Object.")
    if "Bytes" in image:
        data: bytes = image["Bytes"]
        if len(data) > MOST_BYTES:
            raise _too_large(f"Image.Bytes has {len(data):,} bytes, but at most {MOST_BYTES:,} are allowed.")
        return data
    size = call.workspace.buckets.size(image["S3Object"])
    most = min(call.workspace.limits.max_image_bytes or image_memory.limit, image_memory.limit)
    if size > most:
        raise _too_large(f"The S3 object has {size:,} bytes, but at most {most:,} are allowed.")
    hold(size)
    return call.workspace.buckets.read(image["S3Object"], size)


def _check_image(data: bytes, limits: Limits) -> None:
    """Refuse images by their type and their size in pixels, before they are decoded."""
    try:
        with opened(data, "image") as image:
            kind, (width, height) = image.format, image.size
    except ImageTooLargeError as error:
        raise _too_large("The image has too many pixels.") from error
    except ImageError as error:
        message = f"The {len(data):,} bytes are not a PNG or JPEG image."
        raise ServiceError("InvalidImageFormatException", message) from error
    if kind not in _FORMATS:
        raise ServiceError("InvalidImageFormatException", f"The image is of type {kind}, not PNG or JPEG.")
    start = f"The image has {width:,} × {height:,} pixels"
    if limits.max_side_pixels is not None and max(width, height) > limits.max_side_pixels:
        raise _too_large(f"{start}, but each side may have at most {limits.max_side_pixels:,}.")
    if min(width, height) < limits.min_side_pixels:
        raise ServiceError(INVALID, f"{start}, but each side needs at least {limits.min_side_pixels}.")
    ratio = limits.max_aspect_ratio
    if ratio is not None and max(width, height) > ratio * min(width, height):
        raise ServiceError(INVALID, f"{start}, an aspect ratio of more than {ratio:g} to 1.")


def _too_large(message: str) -> ServiceError:
    return ServiceError("ImageTooLargeException", message)
