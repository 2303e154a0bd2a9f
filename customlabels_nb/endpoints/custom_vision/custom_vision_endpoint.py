"""Check the key of a request, call its operation, and write the answer."""

from __future__ import annotations

import hmac
import logging
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, unquote

from customlabels_nb._utils.files import is_disk_full
from customlabels_nb.endpoints.custom_vision.calls import Call, RequestFields, json_answer
from customlabels_nb.endpoints.custom_vision.iteration_training import go_on
from customlabels_nb.endpoints.custom_vision.routes import find_route
from customlabels_nb.endpoints.failures import DISK_FULL, log_failure
from customlabels_nb.endpoints.http_messages import Answer, Threads
from customlabels_nb.endpoints.private_files import parse_secret, read_private, usable_keys, write_private
from customlabels_nb.endpoints.project_folders import ProjectFolder, ServedProject, ServingOptions, lock_folder
from customlabels_nb.errors import (
    CustomLabelsError,
    ImageError,
    InputError,
    OutdatedError,
    ServiceError,
    StaleEditError,
    StoreError,
)
from customlabels_nb.project.location import STATE_FOLDER

MOST_BYTES = 256 * 2**20

_log = logging.getLogger(__name__)

_HEADERS = {"training": "Training-Key", "prediction": "Prediction-Key"}
_PATH = re.compile(r"/+customvision/v\d[\w.\-]*/(training|prediction)(/.*)", re.IGNORECASE)
_FILE = re.compile(r"/+customvision/files(/.*)", re.IGNORECASE)
_HOST = re.compile(r"[\w.\-]+(:\d+)?|\[[\da-f:]+\](:\d+)?", re.IGNORECASE | re.ASCII)
_STATUSES = {"Unauthorized": 401, "LengthRequired": 411, "UnsupportedMediaType": 415, "Conflict": 409}


class CustomVisionEndpoint:
    """Endpoint without the web server. A given ``key`` replaces those in ``.endpoints``, ``folder`` is shared."""

    def __init__(
        self,
        root: Path,
        options: ServingOptions,
        *,
        key: str | None = None,
        folder: ProjectFolder[Any] | None = None,
        scheme: str = "http",
    ) -> None:
        self._scheme = scheme
        self._own: tuple[ProjectFolder[Any], IO[bytes]] | None = None
        if folder is None:
            try:
                root.mkdir(parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError) as error:
                raise InputError(f"{str(root)!r} is not a folder. Choose another.") from error
            lock = lock_folder(root)
            folder = ProjectFolder(root, options, ServedProject)
            self._own = folder, lock
        self.folder = folder
        self.key_file = root / STATE_FOLDER / "custom_vision_keys.json"
        try:
            stored, self._secret, self.is_new = _load_keys(self.key_file)
            self.given = key
            self.keys = usable_keys(self.key_file, stored) if key is None else dict.fromkeys(stored, key)
            go_on(folder)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the projects, unless another endpoint has opened them."""
        if self._own is not None:
            self._own[0].close()
            self._own[1].close()

    def instructions(self, url: str) -> list[str]:
        """Return the lines that programs need: the endpoint and the keys, which are included once."""
        lines = ["Custom Vision programs need this endpoint and these keys:", f"ENDPOINT={url}"]
        if self.given is not None:
            return [*lines, "TRAINING_KEY and PREDICTION_KEY: as given"]
        if not self.is_new:
            return [*lines, f"TRAINING_KEY and PREDICTION_KEY: {self.key_file}"]
        return [*lines, *(f"{name.upper()}_KEY={key}" for name, key in self.keys.items())]

    def admit(self, uri: str, headers: Mapping[str, str], length: int | None) -> int:
        """Return the length of a body that is to be read, or raise ServiceError if the request cannot be accepted."""
        if length is None:
            raise ServiceError("LengthRequired", "The request needs a Content-Length, not a Transfer-Encoding.")
        most = MOST_BYTES if self._check_key(uri, headers) else 2**16
        if length > most:
            message = f"The request has {length:,} bytes, but at most {most:,} are allowed."
            raise ServiceError("BadRequestImageSizeBytes", message)
        return length

    def answer(self, method: str, uri: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer a request that :meth:`admit` accepted. Its key is not checked again."""
        try:
            return self._result(method, uri, headers, body)
        except Exception as error:
            return self.failure(error)

    def failure(self, error: Exception) -> Answer:
        """Return the answer for an error. Unexpected errors are logged and not shown."""
        translated = _translated(error)
        code, message = translated.code, str(translated)
        if code == "Unauthorized":
            return json_answer({"error": {"code": "401", "message": message}}, 401, "Access Denied")
        status = 404 if code.startswith("NotFound") else 400 if code.startswith("BadRequest") else 500
        if code == "ThrottlingException":  # clients repeat the request
            code, status = "ErrorServerTimeOut", 503
        return json_answer({"code": code, "message": message}, _STATUSES.get(code, status))

    def threads_for(self, uri: str, headers: Mapping[str, str]) -> Threads:
        path = uri.partition("?")[0].lower()
        if re.search(r"/urls?(/nostore)?/*$", path):
            return "urls"
        return "models" if re.search(r"/prediction/|/quicktest/|/export$|/performance", path) else "others"

    def _check_key(self, uri: str, headers: Mapping[str, str]) -> bool:
        """Return whether the request has a key, which only files and other addresses do not need."""
        match = _PATH.match(uri.partition("?")[0])
        if match is None:
            return False
        kind = match[1].lower()
        sent, key = headers.get(_HEADERS[kind], ""), self.keys.get(kind)
        if not key or not hmac.compare_digest(sent.encode("utf-8", "replace"), key.encode("utf-8", "replace")):
            message = (
                f"The header {_HEADERS[kind]} has no valid key for this endpoint. Use the key that the server printed."
            )
            raise ServiceError("Unauthorized", message)
        return True

    def _result(self, method: str, uri: str, headers: Mapping[str, str], body: bytes) -> Answer:
        path, _, query = uri.partition("?")
        match, file = _PATH.fullmatch(path), _FILE.fullmatch(path)
        part, rest = (match[1].lower(), match[2]) if match else ("files", file[1]) if file else ("", path)
        method = "GET" if method == "HEAD" else method
        operation, values = find_route(method, f"/{part}{rest.rstrip('/')}")
        host = headers.get("Host", "")
        base = f"{self._scheme}://{host if _HOST.fullmatch(host) else 'localhost'}"
        decoded = {name: ",".join(texts) for name, texts in parse_qs(query).items()}
        fields = RequestFields({name: unquote(value) for name, value in values.items()}), RequestFields(decoded)
        call = Call(self.folder, self._secret, base, *fields, headers.get("Content-Type", ""), body)
        try:
            result = operation(call)
        except Exception as error:
            if "projectId" in call.path and not isinstance(error, ServiceError):
                call.project()  # raises NotFoundProject if the project was deleted meanwhile
            raise
        if unread := set().union(*(fields.unread() for fields in call.sent)):
            _log.info("%s %s: values that were not read: %s", method, path[:200], ", ".join(map(ascii, sorted(unread))))
        if isinstance(result, Answer):
            return result
        return Answer(204, {}, b"") if result is None else json_answer(result)


def _translated(error: Exception) -> ServiceError:
    if is_disk_full(error):  # first, as it may be the cause of any other error
        log_failure(error, "A request failed.")
        return ServiceError("ErrorUnknown", DISK_FULL)
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, ImageError):
        return ServiceError("BadRequestImageFormat", error.reason or str(error))
    if isinstance(error, InputError):
        return ServiceError("BadRequestInvalid", str(error))
    if isinstance(error, CustomLabelsError) and (
        isinstance(error, StaleEditError | OutdatedError) or not isinstance(error, StoreError)
    ):  # such as a change of a notebook at the same time
        return ServiceError("Conflict", str(error))
    log_failure(error, "A request failed.")
    return ServiceError("ErrorUnknown", "The endpoint failed. Its log has the reason.")


def _load_keys(path: Path) -> tuple[dict[str, Any], bytes, bool]:
    """Return the keys by what they are for, the secret of addresses, and whether they were made just now."""
    try:
        content = read_private(path)
        is_new = content is None
        if content is None:
            content = {"training": secrets.token_hex(16), "prediction": secrets.token_hex(16)}
            content["secret"] = secrets.token_hex(32)
            write_private(path, content)
        return {name: content[name] for name in _HEADERS}, parse_secret(content["secret"]), is_new
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"The key file {str(path)!r} is damaged ({error}). Delete it to make new keys.") from error
