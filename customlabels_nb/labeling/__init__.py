"""UI-independent labelling sessions for viewing, editing, undoing and reviewing. Widgets are front ends to them."""

from customlabels_nb.labeling.review import ReviewQuery, ReviewSession
from customlabels_nb.labeling.session import Conflict, EditResult, LabellingSession
from customlabels_nb.labeling.similarity import NotReadyError
from customlabels_nb.labeling.view import Query, View

__all__ = [
    "Conflict",
    "LabellingSession",
    "NotReadyError",
    "EditResult",
    "Query",
    "ReviewQuery",
    "ReviewSession",
    "View",
]
