"""The commands that install what isn't here, for the environment that lacks it.

They name packages, never an extra of ours: whoever works in a checkout finds no release to take an extra of.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec

#: The name under which this package is installed.
OURS = "customlabels-nb"


def install_command(what: str, python: str | os.PathLike[str] | None = None, *, has_pip: bool | None = None) -> str:
    """The command that installs ``what``, written as in a shell.

    It does so for this Python, or for another one, ``python``, which ``has_pip`` or hasn't.
    """
    if has_pip is None:
        has_pip = find_spec("pip") is not None
    python = python or sys.executable
    return f"{python} -m pip install {what}" if has_pip else f"uv pip install --python {python} {what}"


def extra_command(extra: str, names: Iterable[str] = ()) -> str:
    """The command that installs the packages of one of our extras; only those in ``names``, if there are any."""
    from packaging.requirements import Requirement

    try:
        ours = [Requirement(line) for line in requires(OURS) or ()]
    except PackageNotFoundError:  # run from its source
        ours = []
    brought = {
        one.name: f"'{one.name}{''.join(f'[{part}]' for part in sorted(one.extras))}{one.specifier}'"
        for one in ours
        if one.marker is not None and one.marker.evaluate({"extra": extra})
    }
    return install_command(" ".join(brought.get(name, name) for name in names or brought or [f"'{OURS}[{extra}]'"]))
