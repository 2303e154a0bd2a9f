"""Read and write JSON files that only their owner may read."""

from __future__ import annotations

import json
import logging
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from customlabels_nb._utils.files import replacing, write_errors
from customlabels_nb.errors import InputError

#: Characters of the shortest key that is used. Over a network, nobody can try the 2**64 keys of 16 hexadecimal digits.
SHORTEST_KEY = 16

_log = logging.getLogger(__name__)


def read_private(path: Path) -> Any:
    """Return the content of a file, or None if it does not exist. InputError if other users may read or change it."""
    if not path.exists():
        return None
    if os.name == "posix" and path.stat().st_mode & 0o077:
        command = f"chmod 600 {shlex.quote(str(path))}"
        raise InputError(f"Other users may read or change the access keys in {str(path)!r}. Run: {command}")
    return json.loads(path.read_text("utf-8"))


def write_private(path: Path, content: Any) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with write_errors(f"The file {str(path)!r}"), replacing(path) as file:
        os.chmod(file.name, 0o600)
        file.write(json.dumps(content, indent=2).encode())


def usable_keys(path: Path, keys: Mapping[str, Any]) -> dict[str, str]:
    """Return the keys by name, without those that are too short, which the log names at the start of a server."""
    usable = {name: key for name, key in keys.items() if isinstance(key, str) and len(key) >= SHORTEST_KEY}
    for name in keys.keys() - usable:
        _log.warning(
            "The key %r in %r is not used, because it has fewer than %d characters. Write a longer one, or delete the "
            "file to make new keys.", name, str(path), SHORTEST_KEY,
        )  # fmt: skip
    return usable


def parse_secret(text: str) -> bytes:
    """Return the bytes of a secret in hexadecimal digits, or raise ValueError if it could be guessed."""
    if len(secret := bytes.fromhex(text)) < SHORTEST_KEY:
        raise ValueError(f"its secret has fewer than {SHORTEST_KEY} bytes")
    return secret
