"""The commands that install what isn't here, for the environment that lacks it.

They name packages, not an extra of ours: whoever works in a checkout finds no release to take an extra of.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec

#: The name under which this package is installed.
OURS = "customlabels-nb"
_PLAIN = re.compile(r"[\w./\\:@+-]+")


def install_command(*what: str, python: str | os.PathLike[str] | None = None, has_pip: bool | None = None) -> str:
    """The command that installs requirements, for any shell.

    Parameters
    ----------
    what : str
        Requirements and options.
    python : path, optional
        For which Python; the one that runs unless given.
    has_pip : bool, optional
        Whether pip is there; of the Python that runs it is looked up. Without it, it is uv's command.
    """
    if has_pip is None:
        has_pip = find_spec("pip") is not None
    place = os.fspath(python or sys.executable or "python")
    start = [place, "-m", "pip", "install"] if has_pip else ["uv", "pip", "install", "--python", place]
    return " ".join(word if _PLAIN.fullmatch(word) else f'"{word}"' for word in (*start, *what))


def extra_command(extra: str, names: Sequence[str] = ()) -> str:
    """The command that installs the packages of one of our extras; only those in ``names``, if there are any.

    Where the package runs from its source without being installed, nothing says what these are: it names the extra.
    """
    from packaging.requirements import Requirement

    try:
        ours = [Requirement(line) for line in requires(OURS) or ()]
    except PackageNotFoundError:
        ours = []
    brought = {
        one.name: f"{one.name}{''.join(f'[{part}]' for part in sorted(one.extras))}{one.specifier}"
        for one in ours
        if one.marker is not None and one.marker.evaluate({"extra": extra})
    }
    return install_command(*(brought.get(name, name) for name in names or [*brought] or [f"{OURS}[{extra}]"]))


def installed_version(name: str) -> str | None:
    """Return the version of a package; None if it isn't installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
