"""Looking around in an evaluation: thresholds that move, and which test images are looked at. Nothing is drawn here.

:class:`Exploration` is what the results screen is about; the page computes the same numbers from
:mod:`~customlabels_nb.evaluation.exploring.packing`'s arrays, and tests hold the two equal.
"""

from customlabels_nb.evaluation.exploring.exploration import Exploration
from customlabels_nb.evaluation.exploring.filtering import SHOWN, SORTS, Filter
from customlabels_nb.evaluation.exploring.position import MODES, Position

__all__ = ["MODES", "SHOWN", "SORTS", "Exploration", "Filter", "Position"]
