"""Evaluate predictions against ground truth, as pure functions of tables.

``evaluate(truth, predictions)`` returns an :class:`Evaluation`, which holds the result tables. The other modules
compute these tables. ``plots`` draws an evaluation and ``summary`` writes it to a file.

Names are imported on first use, so that opening a project does not load the evaluation's dependencies.
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
