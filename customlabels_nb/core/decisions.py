"""The decision: the rule by which a model's predictions for an image become its answers.

"most confident": the label with the highest confidence, the first in the order of the labels if several have it. Only
models of one label per image have this rule, and it is their default. "assumed": every label, or box, that reaches the
threshold of its label, which was chosen on the test set or set by a person.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

from customlabels_nb.core.tables import SINGLE_LABEL
from customlabels_nb.errors import InputError

Decision: TypeAlias = Literal["most confident", "assumed"]
#: Decisions that evaluations know beside those of models.
EvaluationDecision: TypeAlias = Decision | Literal["best", "cross-validated"]
MOST_CONFIDENT: Final = "most confident"
ASSUMED: Final = "assumed"
DECISIONS: tuple[str, ...] = get_args(Decision)


def default_decision(task: str) -> str:
    """Return the decision of a task's models unless a person chooses another one."""
    return MOST_CONFIDENT if task == SINGLE_LABEL else ASSUMED


def require_single_label(argument: str, task: str) -> None:
    """Raise InputError if the decision "most confident" does not fit the task."""
    if task != SINGLE_LABEL:
        raise InputError(
            f"{argument}={MOST_CONFIDENT!r} is for models of one label per image, but the task is {task!r}. "
            f"Use {ASSUMED!r}, a number, or a dict of thresholds by label."
        )
