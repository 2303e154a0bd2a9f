"""Explore an evaluation interactively: move thresholds and filter test images.

:class:`Exploration` is the UI-independent model of the results screen. The page computes the same metrics from the
arrays built in :mod:`~customlabels_nb.evaluation.exploring.packing`, and tests check that both agree.
"""

from customlabels_nb.evaluation.exploring.exploration import Exploration
from customlabels_nb.evaluation.exploring.filtering import SHOWN, SORTS, Filter
from customlabels_nb.evaluation.exploring.position import MODES, Position

__all__ = ["MODES", "SHOWN", "SORTS", "Exploration", "Filter", "Position"]
