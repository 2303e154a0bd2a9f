"""A project's database: the contract in :mod:`.base`, and the one way to open it."""

from customlabels_nb.store.base import Action, DatasetRecord, ProjectRecord, Statistics, Store, VersionRecord

__all__ = [
    "Action",
    "DatasetRecord",
    "ProjectRecord",
    "Statistics",
    "Store",
    "VersionRecord",
    "create_store",
    "open_store",
]


def create_store(location: str, name: str, *, schema: str | None = None, task: str | None = None) -> Store:
    """Make the database of a new project. See :func:`customlabels_nb.store.sql.create_store`."""
    from customlabels_nb.store import sql

    return sql.create_store(location, name, schema=schema, task=task)


def open_store(location: str, *, schema: str | None = None) -> Store:
    """Open the database of a project. See :func:`customlabels_nb.store.sql.open_store`."""
    from customlabels_nb.store import sql

    return sql.open_store(location, schema=schema)
