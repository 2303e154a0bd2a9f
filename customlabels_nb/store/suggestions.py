"""Annotations that a person rejected, which are suggested to the next person until the image is labelled.

They are stored as predictions whose model is :data:`REJECTED_BY`, the name of that person and, in the following lines,
the reason. Renamed, merged and removed labels, and undo, therefore change them like predictions. They are never read
with the predictions of models.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, func, select

from customlabels_nb.store import schema
from customlabels_nb.store.columns import among
from customlabels_nb.store.database import counter, fetch
from customlabels_nb.store.trace import Trace, delete_with

#: Start of the model names of suggestions.
REJECTED_BY = "rejected by "
#: Counter of the suggestions that were ever stored. Without any, nothing has to be filtered.
SUGGESTIONS = "suggestions"

_START = func.substr(schema.predictions.c.model, 1, len(REJECTED_BY))


def suggesting_model(by: str, reason: str) -> str:
    """Return the model of suggestions that a person rejected for a reason, which may be empty."""
    return f"{REJECTED_BY}{by}\n{reason}" if reason else f"{REJECTED_BY}{by}"


def person_and_reason(model: str) -> tuple[str, str]:
    by, _, reason = model.removeprefix(REJECTED_BY).partition("\n")
    return by, reason


def any_suggested(connection: Connection) -> bool:
    return counter(connection, SUGGESTIONS) > 1


def is_suggested() -> ColumnElement[bool]:
    """Return the condition that a row of the predictions is a suggestion."""
    return _START == REJECTED_BY


def is_predicted(connection: Connection) -> list[ColumnElement[bool]]:
    """Return the conditions that a row of the predictions is by a model."""
    return [_START != REJECTED_BY] if any_suggested(connection) else []


def drop_suggestions(connection: Connection, trace: Trace, images: Collection[int]) -> None:
    """Delete the suggestions for images, given by their ids."""
    if images and any_suggested(connection):
        p = schema.predictions.c
        chosen = select(p.id).where(among(connection, p.image_id, images), is_suggested())
        ids = [int(id_) for (id_,) in fetch(connection, chosen)]
        trace.keep(schema.predictions, ids, gone=True)
        delete_with(connection, schema.predictions, ids)
