"""Read and write JSON files that only their owner may read."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any

from customlabels_nb._utils.files import replacing
from customlabels_nb.errors import InputError


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
    with replacing(path) as file:
        os.chmod(file.name, 0o600)
        file.write(json.dumps(content, indent=2).encode())
