"""Steps from each released schema version to the next.

``MIGRATIONS[n]`` takes a connection inside the writing transaction and turns version ``n`` into ``n + 1``.
All steps that are due run in that one transaction, so a killed migration leaves the old version whole.
A step is one module here, and every released version keeps a small database in the tests that must open.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from customlabels_nb.store.migrations import _1_to_2

Migration = Callable[[Connection], None]

MIGRATIONS: dict[int, Migration] = {1: _1_to_2.migrate}
