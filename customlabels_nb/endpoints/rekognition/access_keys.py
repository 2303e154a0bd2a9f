"""Keep the access keys of an endpoint."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from customlabels_nb.endpoints.private_files import parse_secret, read_private, usable_keys, write_private
from customlabels_nb.errors import InputError

#: Account of a key that names no other.
ACCOUNT = "123456789012"

_PRINCIPAL = "arn:aws:iam::{}:user/local"


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
            raise TypeError("permissions must be strings")
        if wrong := [each for each in (*self.allow, *self.deny) if re.search(r"/0\d*$", each)]:
            raise ValueError(f"the permission {wrong[0]!r} has leading zeros, which no ARN has")

    def may(self, operation: str, arns: Sequence[str]) -> bool:

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


def load_keys(path: Path, only_key: AccessKey | None = None, accounts: Iterable[str] = (ACCOUNT,)) -> KeyFile:
    """Read the key file, which only its owner can read, with new keys for accounts that have none.

    ``only_key`` replaces all keys. Raises InputError if the file is damaged, or other users may read or change it.
    """
    try:
        stored = read_private(path)
        content: dict[str, Any] = {"secret": secrets.token_hex(32), "keys": []} if stored is None else stored
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
            write_private(path, content)
        secret = parse_secret(content["secret"])
        if only_key:
            return KeyFile({only_key.access_key: only_key}, secret)
        by_id = {key.access_key: key for key in (*keys, *made)}
        usable = usable_keys(path, {name: key.secret_key for name, key in by_id.items()})
        return KeyFile({name: by_id[name] for name in usable}, secret, made)
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"The key file {str(path)!r} is damaged ({error}). Delete it to make new keys.") from error
