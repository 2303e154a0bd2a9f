"""Evaluation: pure functions of truth and prediction tables.

``evaluate(truth, predictions)`` gives an :class:`Evaluation`, a value that holds the tables; the modules hold
the functions that it is made of. Drawing (``plots``) and files (``summary``) take an evaluation.

Names are resolved when they are first used: a project opens without what only an evaluation needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["ConfusionMatrix", "Evaluation", "evaluate"]

_HOMES = {"ConfusionMatrix": "confusion", "Evaluation": "result", "evaluate": "result"}

if TYPE_CHECKING:
    from customlabels_nb.evaluation.confusion import ConfusionMatrix
    from customlabels_nb.evaluation.result import Evaluation, evaluate


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f"customlabels_nb.evaluation.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'customlabels_nb.evaluation' has no attribute {name!r}")
