"""Import optional packages, and build the commands that install missing ones in the current environment.

The commands name the packages rather than an extra of this package, because a checkout may have no release to install.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from typing import Any

from customlabels_nb.errors import MissingDependencyError

#: The name under which this package is installed.
OURS = "customlabels-nb"
_PLAIN = re.compile(r"[\w./\\:@+-]+")


def install_command(*what: str, python: str | os.PathLike[str] | None = None, has_pip: bool | None = None) -> str:
    """Return the shell command that installs requirements for ``python``, with uv if it has no pip."""
    if has_pip is None:
        has_pip = find_spec("pip") is not None
    program = os.fspath(python or sys.executable or "python")
    start = [program, "-m", "pip", "install"] if has_pip else ["uv", "pip", "install", "--python", program]
    return " ".join(word if _PLAIN.fullmatch(word) else f'"{word}"' for word in (*start, *what))


def extra_command(extra: str, names: Sequence[str] = ()) -> str:
    """Return the command that installs an extra's dependencies, or only ``names``, or the whole extra in a checkout."""
    from packaging.requirements import Requirement

    try:
        ours = [Requirement(line) for line in requires(OURS) or ()]
    except PackageNotFoundError:
        ours = []
    brought = {
        need.name: f"{need.name}{''.join(f'[{part}]' for part in sorted(need.extras))}{need.specifier}"
        for need in ours
        if need.marker is not None and need.marker.evaluate({"extra": extra})
    }
    return install_command(*(brought.get(name, name) for name in names or [*brought] or [f"{OURS}[{extra}]"]))


def installed_version(name: str) -> str | None:
    """Return the version of a package, or None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def imported(package: str, what: str) -> Any:
    """Import ``package``, which the feature ``what`` requires."""
    try:
        return import_module(package)
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise  # the package is installed but fails to import
        raise MissingDependencyError(f"{what} needs the package {package}: {install_command(package)}") from error
