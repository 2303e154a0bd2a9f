"""Database of a project, on SQLite or PostgreSQL."""

from customlabels_nb.store.records import Action, DatasetRecord, ProjectRecord, Statistics, VersionRecord, WriteResult
from customlabels_nb.store.sql import SqlStore, create_store, open_store

__all__ = [
    "Action",
    "DatasetRecord",
    "ProjectRecord",
    "SqlStore",
    "Statistics",
    "VersionRecord",
    "WriteResult",
    "create_store",
    "open_store",
]
