"""Evaluation: pure functions of truth and prediction tables.

``evaluate(truth, predictions)`` gives an :class:`Evaluation`, a value that holds the tables; the modules hold
the functions that it is made of. Drawing (``plots``) and files (``summary``) take an evaluation.
"""

from customlabels_nb.evaluation.confusion import ConfusionMatrix
from customlabels_nb.evaluation.result import Evaluation, evaluate

__all__ = ["ConfusionMatrix", "Evaluation", "evaluate"]
