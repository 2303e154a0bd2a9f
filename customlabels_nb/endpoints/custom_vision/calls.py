"""Read the values of a request: from its path, its query and its body."""

from __future__ import annotations

import binascii
import hmac
import json
import math
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from customlabels_nb.core import tables as t
from customlabels_nb.endpoints.custom_vision.ids import project_id
from customlabels_nb.endpoints.http_messages import Answer
from customlabels_nb.endpoints.project_folders import ProjectFolder, ServedProject
from customlabels_nb.errors import ServiceError

_MOST_IDS = 256
_FILE_NAME = re.compile(rb'\r\ncontent-disposition:[^\r\n]*;\s*filename=("[^"\r\n]*"|[^\s;]+)', re.IGNORECASE)
_BOUNDARY = re.compile(rb"--([^\r\n]{1,200})\r\n(?:[\w-]+:[^\r\n]*\r\n)*?content-disposition:", re.IGNORECASE)


class RequestFields:
    """Values by their names, in any case: those of a query, which are texts, or those of a JSON object."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = {name.lower(): value for name, value in values.items()}
        self._asked: set[str] = set()
        self._inner: list[RequestFields] = []

    def __contains__(self, name: str) -> bool:
        return self._get(name) is not None

    def unread(self) -> set[str]:
        """Return the names of values that no operation asked for, here and in the objects that were read."""
        return (self._values.keys() - self._asked).union(*(each.unread() for each in self._inner))

    def _get(self, name: str) -> Any:
        self._asked.add(name.lower())
        return self._values.get(name.lower())

    def _read(self, values: list[dict[str, Any]]) -> list[RequestFields]:
        read = [RequestFields(each) for each in values]
        self._inner += read
        return read

    def text(self, name: str, default: str | None = None) -> str | None:
        """Return a text that can be stored, or ``default`` if there is none."""
        value = self._get(name)
        if value is None:
            return default
        if not isinstance(value, str) or not t.storable(value) or len(value) > 4000:
            raise invalid(f"{name}={str(value)[:100]!a} must be a string of up to 4,000 characters.")
        return value

    def need(self, name: str) -> str:
        """Return a text that must not be missing or blank, without white space around it."""
        value = (self.text(name) or "").strip()
        if not value:
            raise ServiceError("BadRequestRequiredParamIsNull", f"{name} is missing. Pass a string.")
        return value

    def number(self, name: str, default: float, least: float = 0.0, most: float = 1.0) -> float:
        """Return a finite number in a range, or ``default`` if there is none."""
        value = self._get(name)
        if value is None:
            return default
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not least <= number <= most:
            raise invalid(f"{name}={str(value)[:100]!a} must be a number from {least:g} to {most:g}.")
        return number

    def count(self, name: str, default: int, least: int, most: int) -> int:
        """Return a whole number in a range, or ``default`` if there is none."""
        number = self.number(name, default, least, most)
        if number != int(number):
            raise invalid(f"{name}={number} must be a whole number.")
        return int(number)

    def flag(self, name: str) -> bool:
        """Return a truth value, which is False if it is missing."""
        value = self._get(name)
        text = "" if value is None else str(value).lower()
        if text not in ("", "true", "false"):
            raise invalid(f"{name}={text[:100]!a} must be true or false.")
        return text == "true"

    def choice(self, name: str, *choices: str) -> str:
        """Return one of the choices in its usual case. The first one is the default."""
        value = self.text(name) or choices[0]
        for choice in choices:
            if choice.lower() == value.lower():
                return choice
        raise invalid(f"{name}={value[:100]!a} must be one of: {', '.join(choices)}.")

    def ids(self, name: str, most: int = _MOST_IDS) -> list[str]:
        """Return ids without duplicates, in lower case."""
        value = self._get(name)
        items = [] if value is None else value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list) or len(items) > most:
            raise invalid(f"{name} must be a list of up to {most} ids.", "BadRequestInvalidIds")
        return list(dict.fromkeys(read_id(name, item) for item in items if item != ""))

    def id(self, name: str) -> str:
        """Return an id, in lower case."""
        return read_id(name, self._get(name))

    def part(self, name: str) -> RequestFields:
        """Return the object in this one, which is empty if it is missing."""
        value = self._get(name)
        if value is not None and not isinstance(value, dict):
            raise invalid(f"{name} must be an object.")
        return self._read([value or {}])[0]

    def parts(self, name: str, most: int, code: str = "BadRequestExceededBatchSize") -> list[RequestFields]:
        """Return the objects in a list, which is empty if it is missing."""
        value = self._get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise invalid(f"{name} must be a list of objects.")
        if len(value) > most:
            raise ServiceError(code, f"{name} has {len(value):,} objects, but at most {most} are allowed.")
        return self._read(value)

    def texts(self, name: str) -> list[str]:
        """Return the texts in a list, which is empty if it is missing."""
        value = self._get(name)
        items = [] if value is None else value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(each, str) for each in items):
            raise invalid(f"{name} must be a list of strings.")
        return [each for each in items if each]

    def chosen(self, *names: str) -> dict[str, Any]:
        """Return values as they were sent, None if they are missing."""
        return {name: self._get(name) for name in names}

    def data(self, name: str) -> bytes:
        """Return bytes that are given in base64."""
        value = self._get(name)
        try:
            return b64decode(value if isinstance(value, str) else "")
        except (binascii.Error, ValueError) as error:
            raise invalid(f"{name} is not base64: {error}.") from error


@dataclass(frozen=True)
class Call:
    """Call of an operation. ``base`` is the server's address as the client knows it."""

    folder: ProjectFolder[Any]
    secret: bytes
    base: str
    path: RequestFields
    query: RequestFields
    content_type: str
    body: bytes
    sent: list[RequestFields] = field(default_factory=list)  # what `json` returned

    def project(self) -> ServedProject:
        wanted = _id_in_path(self.path.text("projectId"))
        served = self.folder.first(lambda served: project_id(served) == wanted)
        if served is None:
            raise ServiceError("NotFoundProject", f"The project {wanted!a} does not exist.")
        return served  # type: ignore[no-any-return]

    def json(self) -> RequestFields:
        """Return the JSON object in the body, which is empty if there is no body."""
        if not self.body.strip():
            return RequestFields({})
        try:
            content = json.loads(self.body, parse_float=_finite, parse_constant=_finite)
        except (ValueError, RecursionError) as error:
            raise invalid(f"The body is not JSON: {str(error)[:200]}.") from error
        if not isinstance(content, dict):
            raise invalid("The body must be a JSON object.")
        self.sent.append(RequestFields(content))
        return self.sent[-1]

    def files(self) -> list[tuple[str, bytes]]:
        """Return the names and contents of the files in the body, which are the parts of a multipart body.

        A part is recognised whatever the type of the body. A name is quoted as in its part, and "" if there is none.
        """
        header = re.search(r'boundary="?([^";]{1,200})', self.content_type, re.IGNORECASE)
        found = _BOUNDARY.match(self.body)
        boundary = header[1].strip().encode("latin-1", "replace") if header else found[1].rstrip() if found else None
        if boundary is None or b"--" + boundary not in self.body:
            return [("", self.body)] if self.body else []
        parts = (b"\r\n" + self.body).split(b"\r\n--" + boundary)[1:]
        split = [part.partition(b"\r\n\r\n") for part in parts if not part.startswith(b"--")]
        return [(_file_name(start), content) for start, _, content in split if content]

    def address(self, *parts: str) -> str:
        """Return the address of a file: the id of its project, its own id and its kind, and a signature."""
        return f"{self.base}/customvision/files/{'/'.join(parts)}/{_signature(self.secret, *parts)}"

    def signed_project(self, *parts: str) -> ServedProject:
        """Return the project of a file, or raise ServiceError unless the address is one that ``address`` returned."""
        signature = self.path.text("signature") or ""
        if not hmac.compare_digest(_signature(self.secret, *parts).encode(), signature.encode("utf-8", "replace")):
            raise ServiceError("NotFoundImage", "The file does not exist.")
        return self.project()


def json_answer(content: Any, status: int = 200, reason: str | None = None) -> Answer:
    body = json.dumps(content, allow_nan=False).encode()
    return Answer(status, {"Content-Type": "application/json", "Content-Length": str(len(body))}, body, reason)


def _file_name(headers: bytes) -> str:
    found = _FILE_NAME.search(headers)
    return found[1].decode("utf-8", "replace") if found else ""


def _signature(secret: bytes, *parts: str) -> str:
    return hmac.digest(secret, "\n".join(parts).encode(), "sha256").hex()[:32]


def _finite(text: str) -> float:
    """Return a number of a JSON text, or raise ValueError if answers could not repeat it."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:100]} is not a finite number")
    return number


def invalid(message: str, code: str = "BadRequestInvalid") -> ServiceError:
    return ServiceError(code, message)


def read_id(name: str, value: object) -> str:
    """Return an id in lower case, or raise ServiceError."""
    try:
        return str(UUID(value)) if isinstance(value, str) else str(UUID(""))
    except ValueError as error:
        raise invalid(f"{name}={str(value)[:100]!a} is not an id.", "BadRequestInvalidIds") from error


def _id_in_path(value: str | None) -> str:
    try:
        return str(UUID(value or ""))
    except ValueError:
        return str(value)[:100]


def moment(time: datetime | float) -> str:
    utc = datetime.fromtimestamp(time, UTC) if isinstance(time, float | int) else time.astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
