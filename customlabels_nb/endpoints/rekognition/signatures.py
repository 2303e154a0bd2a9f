"""Verify the signatures of requests with botocore's own signer, and keep the access keys of an endpoint."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, HTTPHeaders
from botocore.credentials import Credentials

from customlabels_nb._utils.files import replacing
from customlabels_nb.errors import InputError, ServiceError

SKEW = timedelta(minutes=5)
#: Account of a key that names no other.
ACCOUNT = "123456789012"

_PRINCIPAL = "arn:aws:iam::{}:user/local"
_SERVICE = "rekognition"
_ALGORITHM = "AWS4-HMAC-SHA256"
_TIME = "%Y%m%dT%H%M%SZ"
_FIELD = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
_REQUIRED = frozenset({"host", "x-amz-date", "x-amz-target"})


@dataclass(frozen=True)
class AccessKey:
    """Access key of a client, with the account and the principal that it belongs to, and what it may do.

    A permission is an action and, after a space, the end of the ARNs that it is about, both with ``*`` for any text:
    "rekognition:DetectCustomLabels project/rooms/version/*". What ``deny`` names is not allowed.
    """

    access_key: str
    secret_key: str
    account: str = ACCOUNT
    principal: str = _PRINCIPAL.format(ACCOUNT)
    allow: list[str] = field(default_factory=lambda: ["rekognition:*"])
    deny: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not all(isinstance(each, str) for each in (*self.allow, *self.deny)):
            raise TypeError("permissions must be texts")
        if wrong := [each for each in (*self.allow, *self.deny) if re.search(r"/0\d*$", each)]:
            raise ValueError(f"no ARN has leading zeros, as in the permission {wrong[0]!r}")

    def may(self, operation: str, arns: Sequence[str]) -> bool:
        """Check whether the key may call an operation on resources."""

        def concerns(permission: str, arn: str) -> bool:
            action, _, end = permission.partition(" ")
            return fnmatchcase(f"rekognition:{operation}", action) and fnmatchcase(arn, f"*{end}" if end else "*")

        return all(
            any(concerns(each, arn) for each in self.allow) and not any(concerns(each, arn) for each in self.deny)
            for arn in arns or [""]
        )


@dataclass(frozen=True)
class KeyFile:
    """Access keys of an endpoint by their names, the secret that signs its paging tokens, and keys just made."""

    keys: Mapping[str, AccessKey]
    secret: bytes
    new: Sequence[AccessKey] = ()


def parse_key(text: str) -> AccessKey:
    """Parse ``access-key:secret-key``, as given to ``--key``."""
    name, colon, secret = text.partition(":")
    if not (name and colon and secret) or re.search(r"[\s/,]", name):
        raise InputError("The key must have the form ACCESS_KEY:SECRET_KEY.")
    return AccessKey(name, secret)


def load_keys(path: Path, given: AccessKey | None = None, accounts: Iterable[str] = (ACCOUNT,)) -> KeyFile:
    """Read the key file, which only its owner can read, with new keys for accounts that have none.

    ``given`` replaces all keys. Raises InputError if the file is damaged, or other users may read or change it.
    """
    if os.name == "posix" and path.exists() and path.stat().st_mode & 0o077:
        command = f"chmod 600 {shlex.quote(str(path))}"
        raise InputError(f"Other users may read or change the access keys in {str(path)!r}. Run: {command}")
    try:
        content: dict[str, Any] = {"secret": secrets.token_hex(32), "keys": []}
        if path.exists():
            content = json.loads(path.read_text("utf-8"))
        keys = [AccessKey(**each) for each in content["keys"]]
        made = [
            AccessKey(
                f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30), account, _PRINCIPAL.format(account)
            )
            for account in accounts
            if account not in {key.account for key in keys}
        ]
        if made:
            content["keys"] = [asdict(key) for key in (*keys, *made)]
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with replacing(path) as file:
                os.chmod(file.name, 0o600)
                file.write(json.dumps(content, indent=2).encode())
        by_id = {key.access_key: key for key in ([given] if given else [*keys, *made])}
        return KeyFile(by_id, bytes.fromhex(content["secret"]), () if given else made)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"The key file {str(path)!r} is damaged ({error}). Delete it to make new keys.") from error


def read_claim(
    keys: Mapping[str, AccessKey], uri: str, headers: Mapping[str, str], now: datetime
) -> tuple[AccessKey, str, list[str], str]:
    """Return the key, the region, the signed headers and the signature of a request whose body has not been read yet.

    Raises
    ------
    ServiceError
        If the request is not signed, its key is unknown, or its signature is incomplete or for another service or time.
    """
    given = headers.get("Authorization", "")
    if given.partition(" ")[0] != _ALGORITHM:
        raise ServiceError("MissingAuthenticationTokenException", f"The request is not signed with {_ALGORITHM}.")
    fields = dict(_FIELD.findall(given))
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
        raise _wrong(f"The signature is of {time}, but the time is {now.strftime(_TIME)}: more than 5 minutes apart.")


def _incomplete(message: str) -> ServiceError:
    return ServiceError("IncompleteSignatureException", message)


def _wrong(message: str) -> ServiceError:
    return ServiceError("InvalidSignatureException", message)
