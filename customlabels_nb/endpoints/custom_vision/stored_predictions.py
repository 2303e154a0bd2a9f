"""Store images that programs have sent to a model, with their predictions, in the ledger of the project."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from customlabels_nb.endpoints.custom_vision.calls import RequestFields, invalid
from customlabels_nb.endpoints.ledger import Ledger

_DAY = 24 * 3600.0
_SECONDS_KEPT = 30 * _DAY
_PAGE, _LONGEST_PAGE, _MOST_TAGS = 50, 256, 100
_INVALID = "BadRequestPredictionInvalidQueryParameters"


def add_prediction(ledger: Ledger, answer: Mapping[str, Any], application: str | None, image: bytes) -> None:
    """Store an image with the answer to its request, and delete those that are older than 30 days.

    A clock may be wrong for some hours, so that a prediction from more than a day ago, and not this one, says that 30
    days have passed.
    """
    now = time.time()
    row = (answer["id"], now, answer["iteration"], application, json.dumps(answer), image)
    with ledger.writing() as connection:
        earlier = "SELECT MAX(created) FROM predictions WHERE created < ?"
        connection.execute(f"DELETE FROM predictions WHERE created < ({earlier}) - ?", (now - _DAY, _SECONDS_KEPT))
        columns = "(id, created, iteration, application, answer, image)"
        connection.execute(f"INSERT INTO predictions {columns} VALUES (?, ?, ?, ?, ?, ?)", row)


def delete_predictions(ledger: Ledger, ids: Sequence[str]) -> None:
    with ledger.writing() as connection:
        connection.executemany("DELETE FROM predictions WHERE id = ?", [(each,) for each in ids])


def image_of_prediction(ledger: Ledger, identifier: str) -> bytes | None:
    rows = ledger.rows("SELECT image FROM predictions WHERE id = ?", identifier)
    return bytes(rows[0][0]) if rows else None


def find_predictions(ledger: Ledger, token: RequestFields) -> tuple[list[dict[str, Any]], str | None]:
    """Return a page of answers that a query token asks for, and its ``continuation``, which is None on the last page.

    A continuation names the last answer of its page, so that deletions between two pages skip nothing.
    """
    ranges = [
        (tag.id("id"), tag.number("minThreshold", 0.0), tag.number("maxThreshold", 1.0))
        for tag in token.parts("tags", _MOST_TAGS, "BadRequestPredictionTagsExceededCount")
    ]
    conditions: dict[str, Any] = {"created >= ?": _time(token, "startTime"), "created <= ?": _time(token, "endTime")}
    conditions["application = ?"] = token.text("application")
    conditions["iteration = ?"] = token.id("iterationId") if "iterationId" in token else None
    chosen = {condition: value for condition, value in conditions.items() if value is not None}
    where = " AND ".join(["1", *chosen])
    rows = ledger.rows(f"SELECT number, answer FROM predictions WHERE {where}", *chosen.values())
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
        raise invalid("continuation is not one of a former answer. Leave it out.", _INVALID) from error
