"""What an exploration can do to a project, as functions that it is given: the evaluation itself knows no project."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from customlabels_nb.evaluation.result import Evaluation


@dataclass(frozen=True)
class ProjectActions:
    """Functions of a project; each is None where there is nothing to do it to.

    Attributes
    ----------
    keep_thresholds : callable
        ``keep_thresholds({label: threshold})`` makes them the version's own.
    open_images : callable
        ``open_images(names)`` gives the widget in which the truth of these test images is put right.
    truth_now : callable
        ``truth_now()`` gives the names of the images that the test set has now, and their annotations.
    moment : callable
        ``moment()`` is another value after whatever was done to the project.
    add_to_train : callable
        ``add_to_train(names, label)`` moves test images to the training images, with this label (None: with those that
        they have); gives how many were moved.
    versions : callable
        ``versions()`` gives the names of the versions that this one can be compared with.
    evaluation_of : callable
        ``evaluation_of(name)`` gives the evaluation of another version.
    labels : callable
        ``labels()`` gives the names of the project's labels.
    facts : dict
        What is said of the training in words: name → text.
    """

    keep_thresholds: Callable[[Mapping[str, float]], None] | None = None
    open_images: Callable[[Sequence[str]], Any] | None = None
    truth_now: Callable[[], tuple[list[str], pd.DataFrame]] | None = None
    moment: Callable[[], object] | None = None
    add_to_train: Callable[[Sequence[str], str | None], int] | None = None
    versions: Callable[[], list[str]] | None = None
    evaluation_of: Callable[[str], Evaluation] | None = None
    labels: Callable[[], list[str]] | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
