"""Database schema: tables, schema version and migrations.

Ids are taken from ``counters`` within the write transaction and are never reused. Times are microseconds since 1970 in
UTC, structured values are JSON text, and history payloads are zlib-compressed JSON. SQLite and PostgreSQL store the
same bytes, and no cell has to be converted.
"""

from collections.abc import Callable

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

#: Incremented with each released change. :data:`MIGRATIONS` convert each version to the next.
SCHEMA_VERSION = 2

metadata = MetaData()

# SQLite uses a column as its row id only if its type is INTEGER, otherwise it adds an index
_Id = BigInteger().with_variant(Integer(), "sqlite")

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("next_id", BigInteger, nullable=False),
)

project = Table(
    "project",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("task", Text),
    Column("status", Text, nullable=False),
    Column("status_message", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("tags", Text),
    Column("instructions", Text),
)

datasets = Table(
    "datasets",
    metadata,
    Column("split", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("status_message", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("sources", Text),
    Column("tags", Text),
)

labels = Table(
    "labels",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("label", Text, nullable=False, unique=True),
    Column("colour", Text, nullable=False),
    Column("position", Integer, nullable=False),
)

images = Table(
    "images",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("split", Text, ForeignKey("datasets.split"), nullable=False),
    Column("image", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("sha256", Text),
    Column("bytes", BigInteger),
    Column("mtime_ns", BigInteger),
    Column("source", Text),
    Column("tags", Text),
    Column("extra", Text),
    Column("revision", Integer, nullable=False),
    Column("created", BigInteger, nullable=False),
    UniqueConstraint("split", "image"),
)


def _annotation_columns() -> list[Column[object]]:
    return [
        Column("id", _Id, primary_key=True, autoincrement=False),
        Column("image_id", BigInteger, ForeignKey("images.id", ondelete="CASCADE"), nullable=False),
        Column("label_id", Integer, ForeignKey("labels.id"), nullable=False),
        Column("left", Double),
        Column("top", Double),
        Column("width", Double),
        Column("height", Double),
        Column("polygon", Text),
        Column("crowd", SmallInteger, nullable=False),
        Column("confidence", Double, nullable=False),
        Column("annotator", Text),
        Column("job", Text),
        Column("created", BigInteger, nullable=False),
    ]


annotations = Table(
    "annotations",
    metadata,
    *_annotation_columns(),
    Index("annotations_by_image", "image_id"),
)

versions = Table(
    "versions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
    Column("status", Text, nullable=False),
    Column("status_message", Text, nullable=False),
    Column("kind", Text),
    Column("folder", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("tags", Text),
    Column("config", Text),
    Column("metrics", Text),
    Column("statistics", Text),
    Column("alias", Text, unique=True),
    Column("host", Text),
    Column("pid", Integer),
    Column("heartbeat", BigInteger),
)

predictions = Table(
    "predictions",
    metadata,
    *_annotation_columns(),
    Column("model", Text, nullable=False),
    Index("predictions_by_image", "image_id"),
    Index("predictions_by_model", "model"),
)

history = Table(
    "history",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("created", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("split", Text),
    Column("count", Integer, nullable=False),
    Column("before", LargeBinary),
    Column("after", LargeBinary),
    Column("undo", LargeBinary),
    Column("undoes", BigInteger),
    Index("history_by_undone", "undoes"),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
    Column("created", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("split", Text),
    Column("images", BigInteger, nullable=False),
    Column("annotations", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

issues = Table(
    "issues",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("created", BigInteger, nullable=False),
    Column("split", Text),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("where", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("line", Integer),
)

import_lines = Table(
    "import_lines",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("split", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("line", Integer, nullable=False),
    Column("raw", Text, nullable=False),
)


def _from_1_to_2(connection: Connection) -> None:
    """Add undo of actions, snapshots of datasets, and instructions for annotators."""
    blob = LargeBinary().compile(dialect=connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE history ADD COLUMN undo {blob}")
    connection.exec_driver_sql("ALTER TABLE history ADD COLUMN undoes BIGINT")
    connection.exec_driver_sql("ALTER TABLE project ADD COLUMN instructions TEXT")
    connection.exec_driver_sql("CREATE INDEX history_by_undone ON history (undoes)")
    for index in ("annotations_by_label", "predictions_by_label", "images_by_content"):
        connection.exec_driver_sql(f"DROP INDEX {index}")  # slowed down each import, and hardly any query used them
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


#: Migration from each released version ``n`` to ``n + 1``, as a function of a connection in the write transaction. All
#: required migrations run in the same transaction, so that an interrupted migration leaves the old version intact. A
#: migration defines its tables explicitly, because the definitions above will change. The tests include a small
#: database from every released version.
MIGRATIONS: dict[int, Callable[[Connection], None]] = {1: _from_1_to_2}
