"""Why an engine can't be used."""

from __future__ import annotations


class UnsuitableError(Exception):
    """An engine doesn't work here, or not for this network; the message says why, to be put behind its name."""


class LacksPackageError(UnsuitableError):
    """It needs a package that isn't installed; the message ends in the command that installs it."""
