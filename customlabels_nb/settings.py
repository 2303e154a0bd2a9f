"""What may differ from person to person and from machine to machine.

``settings`` is the one instance; change its fields at any time. Environment variables give the start
values: ``CUSTOMLABELS_NB_USER``, ``CUSTOMLABELS_NB_CACHE``, ``CUSTOMLABELS_NB_THREADS``,
``CUSTOMLABELS_NB_CACHE_GB``, ``CUSTOMLABELS_NB_OFFLINE``, ``CUSTOMLABELS_NB_TIMEOUT``,
``CUSTOMLABELS_NB_PRIVATE_REDIRECTS``.
"""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass, field
from pathlib import Path

from customlabels_nb.errors import InputError


def _user() -> str:
    try:
        name = os.environ.get("CUSTOMLABELS_NB_USER") or getpass.getuser()
        return name.encode("utf-8", "replace").decode()
    except (ImportError, KeyError, OSError):  # a container's user id without a name
        return f"user-{os.getuid()}" if hasattr(os, "getuid") else "user"


def _cache_dir() -> Path:
    named = os.environ.get("CUSTOMLABELS_NB_CACHE")
    if named:
        return Path(named)
    from platformdirs import user_cache_path

    return user_cache_path("customlabels_nb", appauthor=False)


def _number(variable: str, default: float) -> float:
    text = os.environ.get(variable)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise InputError(f"The environment variable {variable} is {text!r}; give a positive number.")
    return value


def _threads() -> int:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(_number("CUSTOMLABELS_NB_THREADS", usable)))


@dataclass
class Settings:
    """See the module. ``threads`` is used for decoding and hashing, ``cache_gb`` bounds each content cache.

    ``timeout_seconds`` is how long a web server may say nothing, ``private_redirects`` whether one may redirect to
    addresses that aren't public (:mod:`customlabels_nb.web_client`).
    """

    user: str = field(default_factory=_user)
    cache_dir: Path = field(default_factory=_cache_dir)
    threads: int = field(default_factory=_threads)
    cache_gb: float = field(default_factory=lambda: _number("CUSTOMLABELS_NB_CACHE_GB", 5.0))
    network: bool = field(default_factory=lambda: os.environ.get("CUSTOMLABELS_NB_OFFLINE", "") in ("", "0"))
    timeout_seconds: float = field(default_factory=lambda: _number("CUSTOMLABELS_NB_TIMEOUT", 30.0))
    private_redirects: bool = field(
        default_factory=lambda: os.environ.get("CUSTOMLABELS_NB_PRIVATE_REDIRECTS", "") not in ("", "0")
    )


settings = Settings()
