"""Describe what the server needs of an endpoint: to admit requests by their headers, and to answer them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

Threads: TypeAlias = Literal["models", "urls", "others"]


@dataclass(frozen=True)
class Answer:
    """HTTP answer: status, headers, body, and the reason phrase where it is not the usual one of the status."""

    status: int
    headers: dict[str, str]
    body: bytes
    reason: str | None = None


class HttpEndpoint(Protocol):
    """Endpoint without the web server."""

    def admit(self, uri: str, headers: Mapping[str, str], length: int | None) -> int:
        """Return the length of a body that is to be read, or raise an error that ``failure`` answers."""

    def answer(self, method: str, uri: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer a request to ``uri`` (path and query as sent). Errors are answers too."""

    def failure(self, error: Exception) -> Answer:
        """Return the answer for an error."""

    def threads_for(self, uri: str, headers: Mapping[str, str]) -> Threads:
        """Return which threads answer a request: "models" and "urls" are for those that may wait for them."""


def body_length(headers: Mapping[str, str]) -> int | None:
    """Return the length of a body in bytes, or None if the headers do not give it."""
    length = headers.get("Content-Length", "0")
    is_given = "Transfer-Encoding" not in headers and re.fullmatch(r"\d{1,18}", length, re.ASCII)
    return int(length) if is_given else None
