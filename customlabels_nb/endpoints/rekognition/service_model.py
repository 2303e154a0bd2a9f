"""Read requests and write answers as botocore's model of Amazon Rekognition describes them.

botocore checks required members, types and minimums. Maximums, patterns, enumerations and the encoding of texts are
checked here.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any

from customlabels_nb._utils.installing import extra_command
from customlabels_nb.core.tables import storable
from customlabels_nb.errors import MissingDependencyError, ServiceError

try:
    from botocore.loaders import Loader
    from botocore.model import ServiceModel
    from botocore.validate import ParamValidator
except ImportError as error:
    raise MissingDependencyError(
        "To serve Custom Vision programs only, pass --only custom-vision. The endpoint for Rekognition needs botocore, "
        f"which is not installed: {extra_command('rekognition')}"
    ) from error

TARGET = "RekognitionService."
INVALID = "InvalidParameterException"

_FAULTS = ("InternalServerError", "ThrottlingException")  # the model marks them as faults of the server
_MOST_BYTES = {"DetectCustomLabels": 16 * 2**20, "UpdateDatasetEntries": 8 * 2**20}  # operations with blobs
_CHECKED_LATER = ("ImageBlob",)  # too large an image has an error of its own
_LARGEST = {"integer": 2**31 - 1, "long": 2**63 - 1}
_SHOWN = 80
_CATEGORIES = {"L": ("a-zA-Z", "\ue000"), "N": ("0-9", "\ue001"), "Z": (" ", "\ue002")}
_log = logging.getLogger(__name__)


@cache
def service_model() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("rekognition", "service-2"), "rekognition")


def status_of(code: str) -> int:
    return 500 if code in _FAULTS else 400


def most_bytes(operation: str) -> int:
    """Return the maximum size of a request, in which images that are too large for the service can be received."""
    return _MOST_BYTES.get(operation, 2**20)


def read_request(operation: str, body: bytes) -> dict[str, Any]:
    """Parse and check the input of an operation, with blobs decoded."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ServiceError("SerializationException", "The request body is not valid JSON.") from error
    if not isinstance(value, dict):
        raise ServiceError("SerializationException", "The request body is not a JSON object.")
    shape = service_model().operation_model(operation).input_shape
    problems: list[str] = []
    read = _read(value, shape, operation, problems)
    problems += find_problems(read, shape)
    if problems:
        raise ServiceError(INVALID, "; ".join(problems[:3]))
    return read


def write_answer(result: dict[str, Any]) -> bytes:
    """Serialise an answer: times as seconds since 1970, blobs as base64, and no null members."""
    return json.dumps(_plain(result)).encode()


def find_problems(value: Any, shape: Any) -> list[str]:
    """Describe what is wrong with decoded values of a shape: input of an operation or its output."""
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        return [_short(line) for line in report.generate_report().splitlines()]
    return list(_out_of_bounds(value, shape, ""))


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _read(value: Any, shape: Any, path: str, problems: list[str]) -> Any:
    """Decode blobs and drop null and unknown members. Values of a wrong type are left to the validator."""
    match shape.type_name, value:
        case "structure", dict():
            return {
                name: _read(each, shape.members[name], f"{path}.{name}", problems)
                for name, each in _known_members(value, shape, path).items()
            }
        case "list", list():
            return [_read(each, shape.member, f"{path}[{number}]", problems) for number, each in enumerate(value)]
        case "map", dict():
            return {key: _read(each, shape.value, f"{path}.{_short(key)}", problems) for key, each in value.items()}
        case "blob", str():
            try:
                return base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                problems.append(f"{path} is not valid base64")
                return b" "
        case (("blob" | "integer" | "long" | "float"), str() | bool()):
            return [value]  # so that the validator reports the type: to it, True is a number and a text is a blob
    return value


def _known_members(value: dict[str, Any], shape: Any, path: str) -> dict[str, Any]:
    """Return the members that a structure has and that are not null. Unknown ones are logged."""
    if unknown := [name for name in value if name not in shape.members]:
        _log.info("Ignored unknown members of %s: %.200r", path, unknown)
    return {name: each for name, each in value.items() if name in shape.members and each is not None}


def _out_of_bounds(value: Any, shape: Any, path: str) -> Iterator[str]:
    """Yield the violations of maximums, patterns and enumerations, and texts that cannot be stored."""
    if problem := _size_problem(value, shape) or _text_problem(value, shape):
        yield f"{path}{problem}"
        return
    for part, of, where in _parts(value, shape, path):
        yield from _out_of_bounds(part, of, where)


def _parts(value: Any, shape: Any, path: str) -> Iterator[tuple[Any, Any, str]]:
    """Yield the values in a structure, a list or a map, with their shapes and paths."""
    match shape.type_name:
        case "structure":
            for name, each in value.items():
                yield each, shape.members[name], f"{path}.{name}".removeprefix(".")
        case "list":
            for number, each in enumerate(value):
                yield each, shape.member, f"{path}[{number}]"
        case "map":
            for key, each in value.items():
                yield key, shape.key, f"{path} (key {_short(key)!a})"
                yield each, shape.value, f"{path}.{_short(key)!a}"


def _size_problem(value: Any, shape: Any) -> str:
    """Describe a number, text, list or map that is too large, or a blob that is too short, or return ""."""
    kind, limits = shape.type_name, shape.metadata
    what, size = ("length", len(value)) if hasattr(value, "__len__") else ("value", value)
    most = None if shape.name in _CHECKED_LATER else limits.get("max", _LARGEST.get(kind))
    if most is not None and size > most:
        return f": {what} {_short(size)} is more than the maximum of {most}"
    if kind == "blob" and size < limits.get("min", 0):
        return f": {what} {size} is less than the minimum of {limits['min']}"
    return ""


def _text_problem(value: Any, shape: Any) -> str:
    """Describe a text that is not one of those allowed, or return ""."""
    if shape.type_name != "string":
        return ""
    pattern = shape.metadata.get("pattern")
    rules = (
        (storable(value), "contains characters that cannot be stored (NUL or a lone surrogate)"),
        (not shape.enum or value in shape.enum, f"is not one of {', '.join(shape.enum)}"),
        (pattern is None or _matches(pattern, value), f"does not match the pattern {pattern}"),
    )
    return next((f"={_short(value)!a} {broken}" for is_kept, broken in rules if not is_kept), "")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    for category, (ascii_part, stand_in) in _CATEGORIES.items():
        pattern = pattern.replace(rf"\p{{{category}}}", ascii_part + stand_in)
    return re.compile(pattern, re.ASCII)


def _matches(pattern: str, value: str) -> bool:
    r"""Match a whole text. Python's ``re`` knows no ``\p{L}``, so characters stand in for the categories."""
    if r"\p{" in pattern and not value.isascii():
        value = "".join(
            each if each.isascii() else _CATEGORIES.get(unicodedata.category(each)[0], ("", "\0"))[1] for each in value
        )
    return _compiled(pattern).fullmatch(value) is not None


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.timestamp()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value
