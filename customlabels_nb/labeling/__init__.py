"""What a labelling screen does, without a screen: sessions that run under plain pytest; widgets only translate."""

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
