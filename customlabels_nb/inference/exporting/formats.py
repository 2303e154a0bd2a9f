"""Formats of exported models, without loading PyTorch."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from customlabels_nb._utils.installing import extra_command
from customlabels_nb.errors import InputError, MissingDependencyError

ExportFormat: TypeAlias = Literal["onnx", "pt2"]
FORMATS = get_args(ExportFormat)


def check_format(name: object) -> str:
    """Return ``name`` if it is a format that can be written on this machine.

    Raises
    ------
    InputError
        If the format does not exist.
    MissingDependencyError
        If packages that the format requires are not installed.
    """
    if not isinstance(name, str) or name not in FORMATS:
        raise InputError(f"Unknown export format {name!r}. Choose one of: {', '.join(FORMATS)}.")
    if name == "onnx":
        try:
            import onnx  # noqa: F401
            import onnxruntime  # noqa: F401
            import onnxscript  # noqa: F401
        except ImportError as error:
            raise MissingDependencyError(
                f"Exporting to ONNX requires the package {error.name!r}, unlike export('pt2'). Install it with: "
                f"{extra_command('onnx')}"
            ) from error
    return name
