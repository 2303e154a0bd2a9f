"""What a labelling screen does, without a screen: sessions that run under plain pytest; widgets only translate."""

from customlabels_nb.labeling.review import ReviewQuery, ReviewSession
from customlabels_nb.labeling.session import Conflict, LabellingSession, Outcome
from customlabels_nb.labeling.similarity import NotReadyError
from customlabels_nb.labeling.view import Query, View

__all__ = [
    "Conflict",
    "LabellingSession",
    "NotReadyError",
    "Outcome",
    "Query",
    "ReviewQuery",
    "ReviewSession",
    "View",
]
