"""Database schema: tables, format and migrations.

Ids are taken from ``counters`` within the write transaction and are never reused. Times are microseconds since 1970 in
UTC, structured values are JSON text, and history payloads are zlib-compressed JSON. SQLite and PostgreSQL store the
same bytes, and no cell has to be converted.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeEngine

#: Key in ``meta`` of the database's format, and the format of this release. :data:`MIGRATIONS` convert older ones.
FORMAT_KEY, FORMAT = "format", "1.2"
#: Key of databases from before 1.0, and the last commit of this repository that reads them.
EARLY_KEY, EARLY_COMMIT = "schema_version", "2012a813cb3f"

#: Values of a slot of a labelling job that is open again.
REOPENED = {"state": "open", "holder": None, "since": None, "until": 0, "token": None}

metadata = MetaData()

# SQLite uses a column as its row id only if its type is INTEGER, otherwise it adds an index
_Id = BigInteger().with_variant(Integer(), "sqlite")


def _columns(kind: type[TypeEngine[Any]], *names: str, nullable: bool = True) -> list[Column[Any]]:
    return [Column(name, kind, nullable=nullable) for name in names]


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
    *_columns(Text, "status", "status_message", nullable=False),
    *_columns(BigInteger, "created", "updated", nullable=False),
    *_columns(Text, "tags", "instructions"),
)

datasets = Table(
    "datasets",
    metadata,
    Column("split", Text, primary_key=True),
    *_columns(Text, "status", "status_message", nullable=False),
    *_columns(BigInteger, "created", "updated", nullable=False),
    *_columns(Text, "sources", "tags"),
    Column("endpoint", Text),
)

labels = Table(
    "labels",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("label", Text, nullable=False, unique=True),
    Column("color", Text, nullable=False),
    Column("position", Integer, nullable=False),
)

images = Table(
    "images",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("split", Text, ForeignKey("datasets.split"), nullable=False),
    *_columns(Text, "image", "status", nullable=False),
    *_columns(Integer, "width", "height"),
    Column("sha256", Text),
    *_columns(BigInteger, "bytes", "mtime_ns"),
    *_columns(Text, "source", "tags", "extra"),
    Column("revision", Integer, nullable=False),
    Column("created", BigInteger, nullable=False),
    UniqueConstraint("split", "image"),
)


def _annotation_columns() -> list[Column[object]]:
    return [
        Column("id", _Id, primary_key=True, autoincrement=False),
        Column("image_id", BigInteger, ForeignKey("images.id", ondelete="CASCADE"), nullable=False),
        Column("label_id", Integer, ForeignKey("labels.id"), nullable=False),
        *_columns(Double, "left", "top", "width", "height"),
        Column("polygon", Text),
        Column("crowd", SmallInteger, nullable=False),
        Column("confidence", Double, nullable=False),
        *_columns(Text, "annotator", "job"),
        Column("created", BigInteger, nullable=False),
        Column("note", Text),
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
    *_columns(Text, "status", "status_message", nullable=False),
    Column("task", Text),
    Column("folder", Text, nullable=False),
    *_columns(BigInteger, "created", "updated", nullable=False),
    *_columns(Text, "tags", "config", "metrics", "statistics"),
    Column("alias", Text, unique=True),
    Column("host", Text),
    Column("pid", Integer),
    Column("heartbeat", BigInteger),
    Column("endpoint", Text),
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
    *_columns(Text, "who", "what", "note", nullable=False),
    Column("split", Text),
    Column("count", Integer, nullable=False),
    *_columns(LargeBinary, "before", "after", "undo"),
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
    *_columns(BigInteger, "images", "annotations", nullable=False),
    Column("content", LargeBinary, nullable=False),
)

issues = Table(
    "issues",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("created", BigInteger, nullable=False),
    Column("split", Text),
    *_columns(Text, "code", "message", "where", "source", nullable=False),
    Column("line", Integer),
)

import_lines = Table(
    "import_lines",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    *_columns(Text, "split", "source", nullable=False),
    Column("line", Integer, nullable=False),
    Column("raw", Text, nullable=False),
)

#: Manifest lines as clients of the endpoint wrote them, in the order of their dataset. A line whose image is gone does
#: not count, and counts again if the removal is undone. ``state`` is a digest of the annotations that the line has, and
#: ``revision`` that of the image when they were last compared.
manifest_lines = Table(
    "manifest_lines",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("image_id", BigInteger, nullable=False, unique=True),
    Column("revision", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("line", LargeBinary, nullable=False),
    Column("labelled", SmallInteger, nullable=False),
    Column("findings", Text),
    Column("state", Text, nullable=False),
    Index("manifest_lines_by_source", "source"),
)


def _job_tables() -> list[Table]:
    """Define the tables of labelling jobs, with the constraints that keep an answer from counting twice.

    An answer counts if and only if it has a slot, and each slot of a task has at most one answer. A person has at most
    one slot and one counted answer of a task. Tasks with a known answer (``gold``) have one slot for each person,
    numbered by the negative id of the member. All other tasks have slots 1 to 9. Tasks refer to images by name, since
    an image that is removed and restored from a snapshot has a new id. Answers outlive their images.
    """

    def only_where(condition: str) -> dict[str, Any]:
        return {"sqlite_where": text(condition), "postgresql_where": text(condition)}

    return [
        Table(
            "jobs",
            metadata,
            Column("id", Integer, primary_key=True, autoincrement=False),
            Column("name", Text, nullable=False, unique=True),
            *_columns(Text, "state", "task", nullable=False),
            Column("labels", Text),
            Column("instructions", Text, nullable=False),
            *_columns(Integer, "annotators", "most", nullable=False),
            Column("agreement", Double, nullable=False),
            Column("lease", BigInteger, nullable=False),
            *_columns(Text, "members", "who", nullable=False),
            *_columns(BigInteger, "created", "updated", nullable=False),
        ),
        Table(
            "job_members",
            metadata,
            Column("id", _Id, primary_key=True, autoincrement=True),
            Column("job", Integer, ForeignKey("jobs.id"), nullable=False),
            *_columns(Text, "who", "role", "state", "reason", nullable=False),
            Column("link", Text, unique=True),
            *_columns(BigInteger, "cursor", "joined", nullable=False),
            Column("seen", BigInteger),
            UniqueConstraint("job", "who"),
        ),
        Table(
            "job_tasks",
            metadata,
            Column("id", _Id, primary_key=True, autoincrement=False),
            Column("job", Integer, ForeignKey("jobs.id"), nullable=False),
            Column("image", Text, nullable=False),
            Column("gold", Text),
            Column("state", Text, nullable=False),
            Column("revision", Integer),
            UniqueConstraint("job", "image"),
            Index("job_tasks_with_gold", "job", **only_where("gold IS NOT NULL")),
            Index("job_tasks_answered", "job", "id", **only_where("state = 'answered'")),
        ),
        Table(
            "job_skips",
            metadata,
            Column("task", BigInteger, ForeignKey("job_tasks.id"), primary_key=True, autoincrement=False),
            Column("who", Text, primary_key=True),
            Column("reason", Text, nullable=False),
            Column("created", BigInteger, nullable=False),
        ),
        Table(
            "job_slots",
            metadata,
            Column("task", BigInteger, ForeignKey("job_tasks.id"), primary_key=True, autoincrement=False),
            Column("slot", BigInteger, primary_key=True, autoincrement=False),
            Column("job", Integer, nullable=False),
            Column("state", Text, nullable=False),
            Column("holder", Text),
            Column("since", BigInteger),
            Column("until", BigInteger, nullable=False),
            Column("token", Text),
            UniqueConstraint("task", "holder"),
            CheckConstraint("slot <= 9 AND slot <> 0"),
            CheckConstraint("(state = 'open') = (holder IS NULL)"),
            Index("job_slots_left", "job", "task", "slot", **only_where("state <> 'answered'")),
            Index("job_slots_held", "job", "holder", **only_where("state = 'held'")),
        ),
        Table(
            "job_answers",
            metadata,
            Column("id", _Id, primary_key=True, autoincrement=True),
            Column("key", Text, nullable=False, unique=True),
            Column("task", BigInteger, ForeignKey("job_tasks.id"), nullable=False),
            Column("slot", BigInteger),
            Column("who", Text, nullable=False),
            Column("edit", Integer, nullable=False),
            *_columns(BigInteger, "accepted", "submitted", nullable=False),
            Column("seconds", Double, nullable=False),
            Column("payload", Text, nullable=False),
            Column("counted", SmallInteger, nullable=False),
            Column("reason", Text, nullable=False),
            ForeignKeyConstraint(["task", "slot"], ["job_slots.task", "job_slots.slot"]),
            UniqueConstraint("task", "slot"),
            CheckConstraint("(counted = 1) = (slot IS NOT NULL)"),
            Index("job_answers_counted", "task", "who", unique=True, **only_where("counted = 1")),
            Index("job_answers_by_person", "task", "who"),
        ),
    ]


jobs, job_members, job_tasks, job_skips, job_slots, job_answers = _job_tables()


def _count_tables() -> list[Table]:
    """Define the tables of counts, which :mod:`.counts` keeps up to date. Rows whose numbers are all 0 may be missing.

    ``annotated`` counts the images of a status that have any annotation, ``several`` those with more than one label,
    ``outlined`` those with polygons, and ``boxed`` those with boxes or polygons. ``boxes`` includes polygons.
    """
    return [
        Table(
            name,
            metadata,
            Column("split", Text, primary_key=True),
            key,
            *_columns(BigInteger, *numbers, nullable=False),
        )
        for name, key, numbers in (
            (
                "image_counts",
                Column("status", Text, primary_key=True),
                ("images", "annotated", "several", "boxed", "outlined"),
            ),
            ("label_counts", Column("label_id", Integer, primary_key=True), ("images", "annotations", "boxes")),
        )
    ]


image_counts, label_counts = _count_tables()

#: SQL that counts images for ``image_counts``, and annotations for ``label_counts``. ``{}`` is a condition on ids.
COUNT_IMAGES = """SELECT split, status, count(*) AS images, count(least) AS annotated,
    count(CASE WHEN least <> most THEN 1 END) AS several, count(CASE WHEN boxes > 0 THEN 1 END) AS boxed,
    count(CASE WHEN polygons > 0 THEN 1 END) AS outlined
    FROM (SELECT i.split, i.status, min(a.label_id) AS least, max(a.label_id) AS most, count(a."left") AS boxes,
            count(a.polygon) AS polygons
        FROM images i LEFT JOIN annotations a ON a.image_id = i.id WHERE {} GROUP BY i.id, i.split, i.status) of_image
    GROUP BY split, status"""
COUNT_LABELS = """SELECT i.split, a.label_id, count(DISTINCT i.id) AS images, count(*) AS annotations,
    count(CASE WHEN a."left" IS NOT NULL OR a.polygon IS NOT NULL THEN 1 END) AS boxes
    FROM annotations a JOIN images i ON i.id = a.image_id WHERE {} GROUP BY i.split, a.label_id"""


def count_all(connection: Connection) -> None:
    """Count all images and annotations again, whatever the counts were."""
    for table, counted in (("image_counts", COUNT_IMAGES), ("label_counts", COUNT_LABELS)):
        connection.exec_driver_sql(f"DELETE FROM {table}")
        connection.exec_driver_sql(f"INSERT INTO {table} {counted.format('1 = 1')}")


def _from_1_0(connection: Connection) -> None:
    """Add what endpoints know of datasets, versions and manifest lines, and count the images by their annotations."""
    for table in ("datasets", "versions"):
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN endpoint TEXT")
    id_type = "INTEGER" if connection.dialect.name == "sqlite" else "BIGINT"
    bytes_type = "BLOB" if connection.dialect.name == "sqlite" else "BYTEA"
    connection.exec_driver_sql(
        f"CREATE TABLE manifest_lines (id {id_type} PRIMARY KEY, image_id BIGINT NOT NULL UNIQUE, "
        f"revision INTEGER NOT NULL, source TEXT NOT NULL, line {bytes_type} NOT NULL, labelled SMALLINT NOT NULL, "
        "findings TEXT, state TEXT NOT NULL)"
    )
    connection.exec_driver_sql("CREATE INDEX manifest_lines_by_source ON manifest_lines (source)")
    for name in ("several", "boxed", "outlined"):
        connection.exec_driver_sql(f"ALTER TABLE image_counts ADD COLUMN {name} BIGINT NOT NULL DEFAULT 0")
    count_all(connection)


def _from_1_1(connection: Connection) -> None:
    """Add the notes on annotations and predictions."""
    for table in ("annotations", "predictions"):
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN note TEXT")


#: For each earlier released format, the next one, and a function of a connection in the write transaction that converts
#: the database to it. All required migrations run in the same transaction, so that an interrupted migration leaves the
#: old format intact. A migration defines its tables explicitly, because the definitions above will change. From 1.0.0
#: on, the tests keep a small database of every released format.
MIGRATIONS: dict[str, tuple[str, Callable[[Connection], None]]] = {"1.0": ("1.1", _from_1_0), "1.1": ("1.2", _from_1_1)}
