"""Images that are changed and images that are added in one action."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from customlabels_nb.core.issues import Issue
from customlabels_nb.store import frames
from customlabels_nb.store._datasets import Edit, change_images, insert_images
from customlabels_nb.store._trace import Trace
from customlabels_nb.store.base import Action
from customlabels_nb.store.database import record


def update_entries(
    connection: Connection,
    split: str,
    known: tuple[pd.DataFrame, pd.DataFrame],
    new: tuple[pd.DataFrame, pd.DataFrame],
    action: Action,
    files: pd.DataFrame | None,
    issues: Iterable[Issue],
    lines: Sequence[tuple[str, int, str]],
) -> tuple[int, int]:
    """See :meth:`customlabels_nb.store.base.Store.update_entries`."""
    trace = Trace(connection)
    said = insert_images(connection, split, *new, files, issues, lines, None, trace)
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    if len(known[0]):
        edit = Edit(*known, *frames.read_tables(connection, split, known[0]["image"].tolist())[1:])
        before, after = change_images(connection, split, edit, trace)
    added = new[0]["image"].tolist()
    if before or added or said:
        after |= {"images": added} if added else {}
        count = len(before) + len(added)
        record(connection, action, split=split, count=count, before=before, after=after, undo=trace.payload())
    return len(before), len(added)
