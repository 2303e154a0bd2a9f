"""Tables of one moment, of which the images are there at once and the annotations follow.

A dataset of 250,000 images has a million boxes: whoever looks at the first images shall not wait for them. They are
read by a thread, in the transaction that the images were read in, so they are of the same moment whatever is written
meanwhile.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future

import pandas as pd

from customlabels_nb.errors import Cancelled, StoreError
from customlabels_nb.store import frames, schema
from customlabels_nb.store.database import Database, counter

_AT_ONCE = 50_000  # so few annotations that were ever made are not worth a thread


class Pending:
    """Annotations that are being read: call it to have them. Nobody reads on when it is gone."""

    def __init__(self) -> None:
        self._table: Future[pd.DataFrame] = Future()
        self._process = os.getpid()

    def __call__(self) -> pd.DataFrame:
        if self._process != os.getpid() and not self._table.done():
            raise StoreError("This process was forked while the annotations were read; fork when they are there.")
        return self._table.result()


def read_tables_later(
    database: Database, split: str
) -> tuple[pd.DataFrame, Callable[[], pd.DataFrame], pd.DataFrame, threading.Thread | None]:
    """Images, what gives the annotations, labels, and the thread that reads on, None if nothing is left to read."""
    with database.read() as connection:
        if counter(connection, schema.annotations.name) <= _AT_ONCE:
            _, images, annotations = frames.read_tables(connection, split)
            return images, lambda: annotations, frames.read_labels(connection), None
    first: Future[tuple[pd.DataFrame, pd.DataFrame]] = Future()
    pending = Pending()
    thread = threading.Thread(
        target=_read, args=(database, split, first, pending._table, weakref.ref(pending)), daemon=True
    )
    thread.start()
    images, labels = first.result()
    return images, pending, labels, thread


def _read(
    database: Database,
    split: str,
    first: Future[tuple[pd.DataFrame, pd.DataFrame]],
    table: Future[pd.DataFrame],
    wanted: Callable[[], Pending | None],
) -> None:
    def go_on() -> None:
        if wanted() is None:
            raise Cancelled("Nobody waits for these annotations any more.")

    try:
        with database.read() as connection:
            ids, images = frames.read_images_and_ids(connection, split)
            labels = frames.read_labels(connection)
            names = images["image"].array
            first.set_result((images, labels))
            del images
            table.set_result(frames.read_marks_of(connection, split, ids, names, go_on))
    except BaseException as error:
        for future in (first, table):
            if not future.done():
                future.set_exception(error)
