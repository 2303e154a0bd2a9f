"""User and machine settings: user name, cache, threads, network and timeout. ``cl.settings`` is the only instance."""

from __future__ import annotations

import getpass
import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unicodedata import category

from customlabels_nb._utils.arguments import check_integer, is_number, plain_repr
from customlabels_nb._utils.files import expand_home
from customlabels_nb._utils.rendering import facts_html
from customlabels_nb._utils.unknown_names import unknown_name
from customlabels_nb.errors import InputError, UnknownNameError

LOGIN = "the login name"
_SHARED_LOGINS = ("jovyan", "root")  # of containers, whoever uses them
_UNSTORABLE = ("Cc", "Cs")  # control characters and surrogates
_LONGEST_USER, _MOST_THREADS, _MOST_NUMBER = 256, 4096, 1e12


def find_user() -> tuple[str, str]:
    """Return the user's name, and where it was found: an environment variable or :data:`LOGIN`."""
    for variable in ("CUSTOMLABELS_NB_USER", "JUPYTERHUB_USER"):
        if name := os.environ.get(variable, "").strip():
            return _printable(name), variable
    try:
        return _printable(getpass.getuser()), LOGIN
    except (ImportError, KeyError, OSError):  # a user ID without a name, as in containers
        return f"user-{os.getuid()}" if hasattr(os, "getuid") else "user", LOGIN


def _printable(name: str) -> str:
    return "".join("?" if category(character) in _UNSTORABLE else character for character in name)[:_LONGEST_USER]


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
    if not 0 < value <= _MOST_NUMBER:
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


def _is_on(variable: str) -> bool:
    return os.environ.get(variable, "") not in ("", "0")


def _buckets() -> dict[str, Path]:
    text = os.environ.get("CUSTOMLABELS_NB_BUCKETS", "")
    return dict(bucket_folder(pair, "CUSTOMLABELS_NB_BUCKETS") for pair in text.split(os.pathsep) if pair)


def bucket_folder(text: str, argument: str) -> tuple[str, Path]:
    """Parse ``name=folder`` and return the name and the absolute folder, or raise InputError naming ``argument``."""
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise InputError(f"{argument}={text!r} must have the form name=folder.")
    return name, Path(folder).expanduser().absolute()


# -- values that users set: each function returns the value as it is kept, or raises InputError -----------------


def _check_user(name: str, value: object) -> str:
    if isinstance(value, str) and value.strip() and value == _printable(value):
        return value
    raise InputError(f"{name}={plain_repr(value)} must be a name of at most {_LONGEST_USER} characters in one line.")


def _check_folder(name: str, value: object) -> Path:
    if isinstance(value, str | Path) and value != "" and "\0" not in str(value):
        return Path(expand_home(str(value)))
    raise InputError(f"{name}={plain_repr(value)} must be the path of a folder.")


def _check_threads(name: str, value: object) -> int:
    return value if isinstance(value, CpuShare) else check_integer(name, value, 1, _MOST_THREADS)


def _check_positive(name: str, value: object) -> float:
    if is_number(value) and 0 < value <= _MOST_NUMBER:
        return float(value)
    raise InputError(f"{name}={plain_repr(value)} must be a positive number.")


def _check_switch(name: str, value: object) -> bool:
    if type(value).__name__ in ("bool", "bool_"):  # of Python and NumPy
        return bool(value)
    raise InputError(f"{name}={plain_repr(value)} must be True or False.")


def _check_engine(name: str, value: object) -> object:
    is_engine = all(hasattr(value, part) for part in ("name", "version", "encode", "mask"))
    if is_engine or (isinstance(value, str) and value):
        return value
    raise InputError(
        f"{name}={value!r} must be 'auto', 'grabcut', 'sam2', a folder, 'hf://user/name', or an object with name, "
        "version, encode(…) and mask(…)."
    )


def _check_buckets(name: str, value: object) -> Mapping[str, Path]:
    if isinstance(value, Mapping) and all(isinstance(bucket, str) and bucket for bucket in value):
        folders = {bucket: _check_folder(f"{name}[{bucket!r}]", folder) for bucket, folder in value.items()}
        return {bucket: folder.absolute() for bucket, folder in folders.items()}
    raise InputError(f"{name}={plain_repr(value)} must be a dict of bucket names and folders.")


class _About(NamedTuple):
    """Describe a field: what checks its values, the environment variables of its start value, and its meaning."""

    check: Callable[[str, object], object]
    variables: Sequence[str]
    meaning: str


_ABOUT = {
    "user": _About(_check_user, ["CUSTOMLABELS_NB_USER", "JUPYTERHUB_USER"], "Name recorded in the history"),
    "cache_dir": _About(_check_folder, ["CUSTOMLABELS_NB_CACHE"], "Folder of the content caches"),
    "threads": _About(_check_threads, ["CUSTOMLABELS_NB_THREADS"], "Threads for decoding, and for training if set"),
    "cache_gb": _About(_check_positive, ["CUSTOMLABELS_NB_CACHE_GB"], "Largest size of each content cache, in GB"),
    "network": _About(_check_switch, ["CUSTOMLABELS_NB_OFFLINE"], "Allow network access"),
    "timeout_seconds": _About(_check_positive, ["CUSTOMLABELS_NB_TIMEOUT"], "How long to wait for data from a server"),
    "private_redirects": _About(
        _check_switch, ["CUSTOMLABELS_NB_PRIVATE_REDIRECTS"], "Allow web servers to redirect to private addresses"
    ),
    "outline_engine": _About(
        _check_engine, ["CUSTOMLABELS_NB_OUTLINE_ENGINE"], "Engine that outlines objects in the annotator, such as sam2"
    ),
    "buckets": _About(_check_buckets, ["CUSTOMLABELS_NB_BUCKETS"], "Local folders that are read instead of S3 buckets"),
}


@dataclass(repr=False)
class Settings:
    """User and machine settings. ``cl.settings`` is the only instance, and a notebook shows it as a table.

    Set a field at any time. The environment variable after each field gives its first value.

    Attributes
    ----------
    user : str
        Name recorded in the history. ``CUSTOMLABELS_NB_USER``, else ``JUPYTERHUB_USER``, else the login name.
    cache_dir : pathlib.Path
        Folder of the content caches. ``CUSTOMLABELS_NB_CACHE``.
    threads : int
        Number of threads for decoding and hashing. Unless it is set, training chooses the number of torch threads with
        a short benchmark. ``CUSTOMLABELS_NB_THREADS``.
    cache_gb : float
        Largest size of each content cache in ``cache_dir``. ``CUSTOMLABELS_NB_CACHE_GB``.
    network : bool
        Allow network access. ``CUSTOMLABELS_NB_OFFLINE=1`` forbids it.
    timeout_seconds : float
        How long to wait for data from a web server. ``CUSTOMLABELS_NB_TIMEOUT``.
    private_redirects : bool
        Allow web servers to redirect to private addresses (:mod:`customlabels_nb.remote.remote_files`).
        ``CUSTOMLABELS_NB_PRIVATE_REDIRECTS=1``.
    outline_engine : str or Segmenter
        Engine that outlines objects in the annotator: "grabcut", "sam2", the folder of a SAM 2 model,
        ``"hf://user/name"``, or an object of your own (:class:`~customlabels_nb.images.outlining.Segmenter`). "auto" is
        SAM 2 if transformers and its weights are on this machine, and GrabCut otherwise.
        ``CUSTOMLABELS_NB_OUTLINE_ENGINE``.
    buckets : mapping of str to pathlib.Path
        Local folders by name of an S3 bucket, from which ``s3://name/…`` is read instead. Set another dict to
        change it. ``CUSTOMLABELS_NB_BUCKETS``, ``name=folder``, separated like ``PATH``.

    Examples
    --------
    >>> cl.settings.cache_gb = 8
    >>> cl.settings.cache_gib = 8
    Traceback (most recent call last):
    customlabels_nb.errors.UnknownNameError: settings has no field 'cache_gib'. Did you mean 'cache_gb'?
    """

    user: str = field(default_factory=lambda: find_user()[0])
    cache_dir: Path = field(default_factory=_cache_dir)
    threads: int = field(default_factory=_threads)
    cache_gb: float = field(default_factory=lambda: _number("CUSTOMLABELS_NB_CACHE_GB", 5.0))
    network: bool = field(default_factory=lambda: not _is_on("CUSTOMLABELS_NB_OFFLINE"))
    timeout_seconds: float = field(default_factory=lambda: _number("CUSTOMLABELS_NB_TIMEOUT", 30.0))
    private_redirects: bool = field(default_factory=lambda: _is_on("CUSTOMLABELS_NB_PRIVATE_REDIRECTS"))
    outline_engine: Any = field(default_factory=lambda: os.environ.get("CUSTOMLABELS_NB_OUTLINE_ENGINE") or "auto")
    buckets: Mapping[str, Path] = field(default_factory=_buckets)

    def __post_init__(self) -> None:
        sources = {
            name: next((variable for variable in about.variables if os.environ.get(variable)), "default")
            for name, about in _ABOUT.items()
        }
        vars(self)["_sources"] = sources  # of the values, by field

    def __setattr__(self, name: str, value: object) -> None:
        if name not in _ABOUT:
            raise self._unknown(name)
        super().__setattr__(name, _ABOUT[name].check(name, value))
        vars(self).get("_sources", {})[name] = "set here"

    def __delattr__(self, name: str) -> None:
        if name not in _ABOUT:
            raise self._unknown(name)
        raise InputError(f"settings.{name} cannot be deleted. Set it to another value.")

    if not TYPE_CHECKING:  # for editors, an unknown field is an error

        def __getattr__(self, name: str) -> Any:
            raise self._unknown(name)

    def _unknown(self, name: str) -> UnknownNameError:
        return unknown_name("settings", name, _ABOUT, kind="field", other=f"Its fields are: {', '.join(_ABOUT)}.")

    def __repr__(self) -> str:
        other = [name for name, source in vars(self)["_sources"].items() if source != "default"]
        return f"Settings({', '.join(f'{name}={getattr(self, name)!r}' for name in other)})"

    def _repr_html_(self) -> str:
        sources = vars(self)["_sources"].items()
        rows = [(name, str(getattr(self, name)), source, _ABOUT[name].meaning) for name, source in sources]
        return facts_html(columns=("Setting", "Value", "From", "Meaning"), rows=rows)


settings = Settings()
