"""What engines are called, which one was chosen, and why one can't be used; torch isn't needed for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from customlabels_nb.errors import InputError

AUTO, TORCH, BFLOAT16, ONNX = "auto", "torch", "bfloat16", "onnx"
ENGINES = (AUTO, TORCH, BFLOAT16, ONNX)


@dataclass(frozen=True)
class EngineChoice:
    """The engine that runs a model.

    Attributes
    ----------
    name : str
        "torch", "bfloat16" (torch, in numbers of half the length) or "onnx" (onnxruntime).
    others : dict of str to str
        By name of an engine that was tried why it wasn't taken.
    """

    name: str
    others: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "; ".join([self.name, *(f"not {name}: {why}" for name, why in self.others.items())])


def check_engine(name: object) -> None:
    """Raise InputError unless it is one of :data:`ENGINES`."""
    if name not in ENGINES:
        raise InputError(f"engine={name!r} is not known; use one of {', '.join(ENGINES)}.")


class UnsuitableError(Exception):
    """An engine doesn't work here, or not for this network; the message says why, to be put behind its name."""


class LacksPackageError(UnsuitableError):
    """It needs a package that isn't installed; the message ends in the command that installs it."""
