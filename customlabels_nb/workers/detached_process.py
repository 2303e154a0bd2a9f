"""Run a function in a process that goes on if this one ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import psutil

_PROGRAM = "import json, sys; from pkgutil import resolve_name; resolve_name(sys.argv[1])(json.loads(sys.argv[2]))"


def run_detached(entry: str, arguments: Mapping[str, Any], environment: Mapping[str, str]) -> None:
    """Run a function in a new process, and wait for it."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, entry, json.dumps(arguments)],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    process.wait()


def is_alive(pid: int, created: float) -> bool:
    """Check whether the process with this ID and creation time is running, and is not this one."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        same = pid != os.getpid() and process.create_time() == created
        return same and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
