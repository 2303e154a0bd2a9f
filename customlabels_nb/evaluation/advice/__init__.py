"""What would help a model most, in the words of a person who looks at its mistakes.

Each module has rules of one kind; each rule is a function of a :class:`~customlabels_nb.evaluation.advice.case.Case`,
and says at the constants that it uses from when on something is worth saying.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy.typing as npt
import pandas as pd

from customlabels_nb.evaluation.advice.advice_images import AdviceImage, Pictures, picture_of
from customlabels_nb.evaluation.advice.case import Case
from customlabels_nb.evaluation.advice.choices import threshold_advice
from customlabels_nb.evaluation.advice.items import AdviceItem
from customlabels_nb.evaluation.advice.mistakes import (
    alarm_advice,
    confusion_advice,
    find_mistakes,
    missed_advice,
    truth_advice,
)
from customlabels_nb.evaluation.advice.ranked import Advice, strongest
from customlabels_nb.evaluation.advice.sizes import misplaced_advice, size_advice
from customlabels_nb.evaluation.advice.subgroups import checked_features, looks_advice
from customlabels_nb.evaluation.advice.trust import (
    confidence_advice,
    interval_advice,
    never_found_advice,
    rare_advice,
)
from customlabels_nb.evaluation.thresholded import Thresholded

__all__ = ["Advice", "AdviceItem", "AdviceImage", "Pictures", "advise", "picture_of"]


def advise(
    applied: Thresholded,
    *,
    summary: pd.DataFrame,
    per_label: pd.DataFrame,
    per_image: pd.DataFrame,
    labels: pd.DataFrame,
    training: Mapping[str, int] | None = None,
    features: Mapping[str, npt.ArrayLike] | pd.DataFrame | npt.ArrayLike | None = None,
    name: str = "",
    in_project: bool = False,
    pictures: Pictures | None = None,
) -> Advice:
    """What would help most, the strongest first.

    Parameters
    ----------
    applied : Thresholded
    summary, per_label, per_image, labels : DataFrame
        The tables of the :class:`~customlabels_nb.evaluation.result.Evaluation`.
    training : dict, optional
        Number of training images by label, for advice on rare ones.
    features : dict, DataFrame or ndarray, optional
        Features of the test images (image → vector, a table indexed by image, or one row a test image), for advice on
        labels that hide several looks.
    name : str
        What was evaluated.
    in_project : bool
        Whether calls can name a project and a model.
    pictures : callable, optional
        Gives small pictures of images, to be shown in notebooks.

    Raises
    ------
    InputError
        If ``features`` are not those of the test images.
    """
    case = Case(
        applied, summary, per_label, per_image, training, checked_features(features, applied.outcomes), in_project
    )
    mistakes = find_mistakes(case)
    found = [
        *truth_advice(case, mistakes),
        *never_found_advice(case),
        *confusion_advice(case, mistakes),
        *missed_advice(case, mistakes),
        *alarm_advice(case, mistakes),
        *threshold_advice(case),
        *looks_advice(case),
        *rare_advice(case),
        *interval_advice(case),
        *confidence_advice(case),
    ]
    if case.detection:
        found += [*misplaced_advice(case, mistakes), *size_advice(case)]
    items, left = strongest(found)
    notes = []
    if left:
        notes.append(f"{left} weaker piece{'' if left == 1 else 's'} of advice left out.")
    if case.features is None and not case.detection:
        notes.append("Not looked at: labels that hide several looks, which takes report.advise(features=…).")
    return Advice(items, tuple(notes), name, labels, pictures)
