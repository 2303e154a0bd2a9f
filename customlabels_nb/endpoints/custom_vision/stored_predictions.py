"""Store images that programs have sent to a model, with their predictions, in a file of their own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from customlabels_nb.endpoints.custom_vision.calls import RequestFields, invalid
from customlabels_nb.endpoints.project_folders import ServedProject
from customlabels_nb.project.former_endpoints_file import MOVED
from customlabels_nb.project.location import STORED_PREDICTIONS

_DAY = 24 * 3600.0
_SECONDS_KEPT = 30 * _DAY
_PAGE, _LONGEST_PAGE, _MOST_TAGS = 50, 256, 100
_INVALID = "BadRequestPredictionInvalidQueryParameters"
_WAIT_SECONDS = 30

_opening = threading.Lock()
_metadata = sa.MetaData()
_predictions = sa.Table(
    "predictions",
    _metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("created", sa.Double, nullable=False),  # in seconds since 1970
    sa.Column("iteration", sa.Text, nullable=False),
    sa.Column("application", sa.Text),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("image", sa.LargeBinary, nullable=False),
    sa.Index("predictions_by_time", "created"),
    sqlite_autoincrement=True,
)
_c = _predictions.c
_day_ago = sa.select(sa.func.max(_c.created)).where(_c.created < sa.bindparam("day_ago")).scalar_subquery()
_forget_old = sa.delete(_predictions).where(_c.created < _day_ago - _SECONDS_KEPT)


def _file(served: ServedProject, *, make: bool = False) -> sa.Engine | None:
    """Open the file with the predictions of a project. Unless ``make`` is set, return None if there is none.

    The last predictions may be lost if the power fails, but not if the server is killed.
    """
    path = served.project.root / STORED_PREDICTIONS
    with _opening:
        if served.predictions is None and (make or path.exists()):
            if not path.exists():
                served.store.change_setting(MOVED, lambda _: True)
            url, options = sa.URL.create("sqlite", database=str(path)), {"timeout": _WAIT_SECONDS}
            engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", connect_args=options)

            @sa.event.listens_for(engine, "connect")
            def prepare(connection: Any, record: object) -> None:
                for setting in ("journal_mode = WAL", "synchronous = NORMAL"):
                    connection.execute(f"PRAGMA {setting}")

            _metadata.create_all(engine)
            served.predictions = engine
        return served.predictions


def add_prediction(served: ServedProject, answer: Mapping[str, Any], application: str | None, image: bytes) -> None:
    """Store an image with the answer to its request, and delete those that are older than 30 days.

    The 30 days are counted back from the newest prediction that is more than a day old, because the clock may be wrong
    by some hours now.
    """
    file, now = _file(served, make=True), time.time()
    assert file is not None
    row = {"id": answer["id"], "created": now, "iteration": answer["iteration"], "application": application}
    with file.connect() as connection:
        connection.execute(_forget_old, {"day_ago": now - _DAY})
        connection.execute(sa.insert(_predictions), {**row, "answer": json.dumps(answer), "image": image})


def delete_predictions(served: ServedProject, ids: Sequence[str]) -> None:
    if (file := _file(served)) is not None:
        with file.connect() as connection:
            connection.execute(sa.delete(_predictions).where(_c.id.in_(ids)))


def image_of_prediction(served: ServedProject, identifier: str) -> bytes | None:
    if (file := _file(served)) is None:
        return None
    with file.connect() as connection:
        image: bytes | None = connection.scalar(sa.select(_c.image).where(_c.id == identifier))
        return image


def find_predictions(served: ServedProject, token: RequestFields) -> tuple[list[dict[str, Any]], str | None]:
    """Return a page of answers that a query token asks for, and its ``continuation``, which is None on the last page.

    A continuation names the last answer of its page, so that deletions between two pages skip nothing.
    """
    ranges = [
        (tag.id("id"), tag.number("minThreshold", 0.0), tag.number("maxThreshold", 1.0))
        for tag in token.parts("tags", _MOST_TAGS, "BadRequestPredictionTagsExceededCount")
    ]
    limits = (
        (_c.created.__ge__, _time(token, "startTime")),
        (_c.created.__le__, _time(token, "endTime")),
        (_c.application.__eq__, token.text("application")),
        (_c.iteration.__eq__, token.id("iterationId") if "iterationId" in token else None),
    )
    chosen = sa.select(_c.number, _c.answer).where(*(limit(value) for limit, value in limits if value is not None))
    file, rows = _file(served), list[Any]()
    if file is not None:
        with file.connect() as connection:
            rows = list(connection.execute(chosen))
    order = token.choice("orderBy", "Newest", "Oldest", "Suggested")
    answers = ((number, json.loads(text)) for number, text in rows)
    ranked = [(_rank(order, number, each), number, each) for number, each in answers if _has_tags(each, ranges)]
    ranked.sort(key=lambda each: each[:2])
    if after := token.text("continuation"):
        last = _place(after)
        ranked = [each for each in ranked if each[:2] > last]
    count = token.count("maxCount", _PAGE, 1, _LONGEST_PAGE)
    page = [answer for _, _, answer in ranked[:count]]
    return page, json.dumps(ranked[count - 1][:2]) if len(ranked) > count else None


def _has_tags(answer: Mapping[str, Any], ranges: Sequence[tuple[str, float, float]]) -> bool:
    """Check whether an answer has every tag of ``ranges`` with a probability in its range."""
    return all(
        any(each["tagId"] == id_ and low <= each["probability"] <= high for each in answer["predictions"])
        for id_, low, high in ranges
    )


def _rank(order: str, number: int, answer: Mapping[str, Any]) -> float:
    """Return the position of an answer in an order. Smaller ones are first."""
    certainty = max((each["probability"] for each in answer["predictions"]), default=0.0)
    return float({"Newest": -number, "Oldest": number, "Suggested": certainty}[order])


def _time(token: RequestFields, name: str) -> float | None:
    text = token.text(name)
    if text is None:
        return None
    try:
        time_ = datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid(f"{name}={text[:100]!a} is not a time, such as 2024-05-01T10:00:00Z.", _INVALID) from error
    return (time_ if time_.tzinfo else time_.replace(tzinfo=UTC)).timestamp()


def _place(continuation: str) -> tuple[float, int]:
    try:
        rank, number = json.loads(continuation)
        return float(rank), int(number)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise invalid(
            "continuation must be that of an earlier answer. Leave it out for the first page.", _INVALID
        ) from error
