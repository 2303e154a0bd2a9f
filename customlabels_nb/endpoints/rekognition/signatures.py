"""Verify the signatures of requests with botocore's own signer."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, HTTPHeaders
from botocore.credentials import Credentials

from customlabels_nb.endpoints.rekognition.access_keys import AccessKey
from customlabels_nb.errors import ServiceError

SKEW = timedelta(minutes=5)

_SERVICE = "rekognition"
_ALGORITHM = "AWS4-HMAC-SHA256"
_TIME = "%Y%m%dT%H%M%SZ"
_FIELD = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
_REQUIRED = frozenset({"host", "x-amz-date", "x-amz-target"})


def read_claim(
    keys: Mapping[str, AccessKey], uri: str, headers: Mapping[str, str], now: datetime
) -> tuple[AccessKey, str, list[str], str]:
    """Return the key, region, signed headers and signature of a request whose body has not been read yet."""
    authorization = headers.get("Authorization", "")
    if authorization.partition(" ")[0] != _ALGORITHM:
        raise ServiceError("MissingAuthenticationTokenException", f"The request is not signed with {_ALGORITHM}.")
    fields = dict(_FIELD.findall(authorization))
    scope = fields.get("Credential", "").split("/")
    signed = fields.get("SignedHeaders", "").lower().split(";")
    if len(fields) < 3 or len(scope) != 5 or scope[4] != "aws4_request":
        raise _incomplete("The Authorization header needs Credential, SignedHeaders and Signature.")
    lacking = sorted(_REQUIRED - set(signed)) + [name for name in signed if name not in headers]
    if lacking:
        raise _incomplete(f"These headers must be sent and signed: {', '.join(lacking[:5])}.")
    name, date, region, service, _ = scope
    key = keys.get(name)
    if key is None:
        raise ServiceError("UnrecognizedClientException", "The security token included in the request is invalid.")
    _check_scope(headers["X-Amz-Date"], date, service, now)
    try:
        urlsplit(f"http://{headers['Host']}{uri}")
    except ValueError as error:
        raise _incomplete(f"The Host header {headers['Host'][:100]!a} or the URL is malformed.") from error
    return key, region, signed, fields["Signature"]


def verify(
    keys: Mapping[str, AccessKey], method: str, uri: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> AccessKey:
    """Return the key that signed a request, or raise ServiceError as :func:`read_claim` or for a wrong signature."""
    key, region, signed, signature = read_claim(keys, uri, headers, now)
    content = headers.get("X-Amz-Content-SHA256", "")
    if content and content != hashlib.sha256(body).hexdigest():
        raise _wrong("X-Amz-Content-SHA256 is not the hash of the body.")
    request = AWSRequest(method, f"http://{headers['Host']}{uri}", {each: headers[each] for each in signed}, body)
    request.context["timestamp"] = headers["X-Amz-Date"]
    signer = _Signer(Credentials(key.access_key, key.secret_key), _SERVICE, region)
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        raise _wrong("The signature does not match. Check the secret key, and that nothing changes the request.")
    return key


class _Signer(SigV4Auth):  # type: ignore[misc,unused-ignore]
    """Signer that signs exactly the headers of the request, as a client of another language may sign more."""

    def headers_to_sign(self, request: Any) -> Any:
        signed = HTTPHeaders()
        for name, value in request.headers.items():
            signed[name.lower()] = value
        return signed


def _check_scope(time: str, date: str, service: str, now: datetime) -> None:
    try:
        signed = datetime.strptime(time, _TIME).replace(tzinfo=UTC)
    except ValueError as error:
        raise _incomplete("X-Amz-Date must have the form YYYYMMDDTHHMMSSZ.") from error
    if service != _SERVICE:
        raise _wrong(f"The credential is scoped to the service {service!a}, not {_SERVICE!r}.")
    if time[:8] != date:
        raise _wrong(f"The credential is scoped to {date!a}, but X-Amz-Date is {time}.")
    if abs(now - signed) > SKEW:
        raise _wrong(
            f"The request was signed at {time}, more than 5 minutes from the server's time {now.strftime(_TIME)}."
        )


def _incomplete(message: str) -> ServiceError:
    return ServiceError("IncompleteSignatureException", message)


def _wrong(message: str) -> ServiceError:
    return ServiceError("InvalidSignatureException", message)
