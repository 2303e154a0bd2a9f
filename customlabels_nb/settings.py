"""User and machine settings: user name, cache, threads, network and timeout.

``settings`` is the only instance. Its fields can be changed at any time. Environment variables set the initial values:
``CUSTOMLABELS_NB_USER``, ``CUSTOMLABELS_NB_CACHE``, ``CUSTOMLABELS_NB_THREADS``, ``CUSTOMLABELS_NB_CACHE_GB``,
``CUSTOMLABELS_NB_OFFLINE``, ``CUSTOMLABELS_NB_TIMEOUT``, ``CUSTOMLABELS_NB_PRIVATE_REDIRECTS``,
``CUSTOMLABELS_NB_OUTLINE_ENGINE``, and ``CUSTOMLABELS_NB_BUCKETS`` (``name=folder``, separated like ``PATH``). Without
``CUSTOMLABELS_NB_USER``, the user is ``JUPYTERHUB_USER`` or the login name.
"""

from __future__ import annotations

import getpass
import math
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from customlabels_nb.errors import InputError

LOGIN = "the login name"
_SHARED_LOGINS = ("jovyan", "root")  # of containers, whoever uses them


def find_user() -> tuple[str, str]:
    """Return the user's name, and where it was found: an environment variable or :data:`LOGIN`."""
    for variable in ("CUSTOMLABELS_NB_USER", "JUPYTERHUB_USER"):
        if name := os.environ.get(variable):
            return name.encode("utf-8", "replace").decode(), variable
    try:
        return getpass.getuser().encode("utf-8", "replace").decode(), LOGIN
    except (ImportError, KeyError, OSError):  # a user ID without a name, as in containers
        return f"user-{os.getuid()}" if hasattr(os, "getuid") else "user", LOGIN


def is_nobody(name: str) -> bool:
    """Check whether a name is a login that many people share, so that it names nobody."""
    return name in _SHARED_LOGINS and find_user() == (name, LOGIN)


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
        raise InputError(f"The environment variable {variable}={text!r} must be a positive number.")
    return value


class CpuShare(int):
    """Number of available CPUs. In ``settings.threads``, this type means a default, not the user's choice."""


def cpu_share(cgroup: Path = Path("/sys/fs/cgroup"), own_file: Path = Path("/proc/self/cgroup")) -> CpuShare:
    """Return the number of CPUs available to this process, from its affinity and its cgroup quotas (v1 and v2)."""
    share: float = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    lines: list[str] = []
    with suppress(OSError, UnicodeDecodeError):
        lines = own_file.read_text("utf-8").splitlines()
    for _, controllers, path in (line.split(":", 2) for line in ["::", ":cpu:", *lines]):
        group = cgroup / controllers / path.lstrip("/")
        for folder in (group, *group.parents):
            for names in (["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]):
                with suppress(OSError, ValueError):  # no such file, or "max" for no quota
                    quota, period = map(int, " ".join((folder / name).read_text("ascii") for name in names).split())
                    share = min(share, quota / period) if quota > 0 < period else share
    return CpuShare(max(1, math.ceil(share)))


def _threads() -> int:
    chosen = os.environ.get("CUSTOMLABELS_NB_THREADS")
    return max(1, int(_number("CUSTOMLABELS_NB_THREADS", 1))) if chosen else cpu_share()


def _buckets() -> dict[str, Path]:
    text = os.environ.get("CUSTOMLABELS_NB_BUCKETS", "")
    return dict(bucket_folder(pair, "CUSTOMLABELS_NB_BUCKETS") for pair in text.split(os.pathsep) if pair)


def bucket_folder(text: str, argument: str) -> tuple[str, Path]:
    """Parse ``name=folder`` and return the name and the absolute folder, or raise InputError naming ``argument``."""
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise InputError(f"{argument}={text!r} must have the form name=folder.")
    return name, Path(folder).expanduser().absolute()


@dataclass
class Settings:
    """User and machine settings.

    ``user`` is the name recorded in the history. ``cache_gb`` limits the size of each content cache in ``cache_dir``.

    ``threads`` is the number of threads for decoding and hashing. Unless it is set, training chooses the number of
    torch threads with a short benchmark.

    ``network`` allows network access. ``timeout_seconds`` is how long to wait for data from a web server.
    ``private_redirects`` allows web servers to redirect to private addresses
    (:mod:`customlabels_nb.remote.remote_files`).

    ``outline_engine`` finds outlines in the annotator: "grabcut", "sam2", the folder of a SAM 2 model,
    ``"hf://user/name"``, or an object of your own (:class:`~customlabels_nb.images.outlining.Segmenter`). "auto" is
    SAM 2 if transformers and its weights are on this machine, and GrabCut otherwise.

    ``buckets`` maps names of S3 buckets to local folders, from which ``s3://name/…`` is read instead.
    """

    user: str = field(default_factory=lambda: find_user()[0])
    cache_dir: Path = field(default_factory=_cache_dir)
    threads: int = field(default_factory=_threads)
    cache_gb: float = field(default_factory=lambda: _number("CUSTOMLABELS_NB_CACHE_GB", 5.0))
    network: bool = field(default_factory=lambda: os.environ.get("CUSTOMLABELS_NB_OFFLINE", "") in ("", "0"))
    timeout_seconds: float = field(default_factory=lambda: _number("CUSTOMLABELS_NB_TIMEOUT", 30.0))
    private_redirects: bool = field(
        default_factory=lambda: os.environ.get("CUSTOMLABELS_NB_PRIVATE_REDIRECTS", "") not in ("", "0")
    )
    outline_engine: Any = field(default_factory=lambda: os.environ.get("CUSTOMLABELS_NB_OUTLINE_ENGINE", "auto"))
    buckets: dict[str, Path] = field(default_factory=_buckets)


settings = Settings()
