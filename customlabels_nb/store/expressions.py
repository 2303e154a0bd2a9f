"""SQL expressions that SQLite and PostgreSQL write differently, for statements that are built once for both."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnClause, Text, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

_NOW = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM statement_timestamp()) * 1000000 AS BIGINT)",
}
_TOKEN = {"sqlite": "lower(hex(randomblob(16)))", "postgresql": "CAST(gen_random_uuid() AS TEXT)"}


class database_now(GenericFunction[int]):  # noqa: N801 - named like the functions of SQLAlchemy
    """Time of the database, in microseconds since 1970."""

    type = BigInteger()
    inherit_cache = True


class random_token(GenericFunction[str]):  # noqa: N801
    """Random text that nobody can guess, another one in each row."""

    type = Text()
    inherit_cache = True


@compiles(database_now)
def _now(element: database_now, compiler: SQLCompiler, **options: Any) -> str:
    return _NOW[compiler.dialect.name]


@compiles(random_token)
def _token(element: random_token, compiler: SQLCompiler, **options: Any) -> str:
    return _TOKEN[compiler.dialect.name]


def constants(*values: str | int) -> list[ColumnClause[Any]]:
    """Return values of this program that are a part of the SQL, and are known when a database plans a statement."""
    return [literal_column(repr(value), Text() if isinstance(value, str) else BigInteger()) for value in values]
