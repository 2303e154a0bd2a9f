"""Actions that can be taken back, snapshots of datasets, and instructions for those who label."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, LargeBinary, MetaData, Table, Text


def migrate(connection: Connection) -> None:
    """Give the history room for what undoing needs, and make the table of snapshots."""
    blob = LargeBinary().compile(dialect=connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE history ADD COLUMN undo {blob}")
    connection.exec_driver_sql("ALTER TABLE history ADD COLUMN undoes BIGINT")
    connection.exec_driver_sql("ALTER TABLE project ADD COLUMN instructions TEXT")
    connection.exec_driver_sql("CREATE INDEX history_by_undone ON history (undoes)")
    for index in ("annotations_by_label", "predictions_by_label", "images_by_content"):
        connection.exec_driver_sql(f"DROP INDEX {index}")  # each import paid for them, hardly a query used them
    Table(
        "snapshots",
        MetaData(),
        Column("id", BigInteger, primary_key=True, autoincrement=False),
        Column("name", Text, nullable=False, unique=True),
        Column("created", BigInteger, nullable=False),
        Column("who", Text, nullable=False),
        Column("split", Text),
        Column("images", BigInteger, nullable=False),
        Column("annotations", BigInteger, nullable=False),
        Column("content", LargeBinary, nullable=False),
    ).create(connection)
