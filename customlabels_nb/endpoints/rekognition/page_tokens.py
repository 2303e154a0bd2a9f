"""Cut lists into pages, with signed tokens that name the last item of a page."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from customlabels_nb.errors import ServiceError

_PAGING = ("NextToken", "MaxResults")


class Page:
    """Page that a request asks for, after the item with the key ``after``, which is None for the first page.

    Tokens are bound to the operation, the resource and the filters of their request. They survive restarts.
    """

    def __init__(
        self, secret: bytes, account: str, operation: str, request: Mapping[str, Any], default: int = 100
    ) -> None:
        filters = {name: value for name, value in request.items() if name not in _PAGING}
        bound = json.dumps([account, operation, filters], sort_keys=True, default=str).encode()
        self._secret = hmac.digest(secret, bound, hashlib.sha256)
        self.size: int = request.get("MaxResults", default)
        token = request.get("NextToken")
        self.after = self._read(token) if token else None

    def cut(self, items: Sequence[Any], key: Callable[[Any], int]) -> tuple[Sequence[Any], int | None]:
        """Return the items of the page, and the key of the last one unless the list ends with it.

        ``items`` are those after :attr:`after`, in order, at least one more than the page holds if there are more.
        """
        if len(items) <= self.size:
            return items, None
        return items[: self.size], key(items[self.size - 1])

    def answer(self, name: str, items: Sequence[Any], last: int | None) -> dict[str, Any]:
        """Return the answer with the items of a page, and a token if there are more."""
        return {name: list(items), "NextToken": None if last is None else self._token(last)}

    def _read(self, token: str) -> int:
        try:
            raw = base64.urlsafe_b64decode(token.encode("ascii"))
            after = int.from_bytes(raw[:8], "big")
            if len(raw) == 24 and hmac.compare_digest(self._token(after), token):
                return after
        except ValueError:  # not base64
            pass
        raise ServiceError("InvalidPaginationTokenException", "NextToken does not belong to this request.")

    def _token(self, last: int) -> str:
        key = last.to_bytes(8, "big")
        return base64.urlsafe_b64encode(key + hmac.digest(self._secret, key, hashlib.sha256)[:16]).decode()
