"""Names of the inference engines, the result of choosing one, and engine errors, without importing torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from customlabels_nb.errors import InputError

AUTO, TORCH, BFLOAT16, ONNX = "auto", "torch", "bfloat16", "onnx"
EngineName: TypeAlias = Literal["auto", "torch", "bfloat16", "onnx"]
ENGINES = get_args(EngineName)


@dataclass(frozen=True)
class EngineChoice:
    """Engine chosen for a model, with the reason for each one of the others."""

    name: str
    others: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "; ".join([self.name, *(f"not {name}: {why}" for name, why in self.others.items())])


def check_engine(name: object) -> None:
    if name not in ENGINES:
        raise InputError(f"Unknown engine {name!r}. Choose one of: {', '.join(ENGINES)}.")


class UnsuitableError(Exception):
    """Raised when an engine does not work on this machine or for this network. The message is the reason."""


class LacksPackageError(UnsuitableError):
    """Raised when an engine requires a package that is not installed. The message ends with the install command."""
