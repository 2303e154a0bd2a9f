"""Explore an evaluation interactively: move thresholds and filter test images.

:class:`Exploration` is the model of the results screen, without any drawing. The page computes the same numbers from
the arrays of :mod:`~customlabels_nb.evaluation.exploring.packing`, and tests check that the two are equal.
"""

from customlabels_nb.evaluation.exploring.exploration import Exploration
from customlabels_nb.evaluation.exploring.filtering import SHOWN, SORTS, Filter
from customlabels_nb.evaluation.exploring.position import MODES, Position

__all__ = ["MODES", "SHOWN", "SORTS", "Exploration", "Filter", "Position"]
