"""Fixtures of a small project on each database, and checks by SQL that no answer is lost or counts twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
from sqlalchemy import text

from customlabels_nb.core import tables as t
from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.jobs.job_list import LabellingJobs
from customlabels_nb.project.location import ProjectLocation
from customlabels_nb.store import Action, SqlStore, create_store, open_store
from customlabels_nb.user_settings import settings

ACTION = Action("import", "meg")


class Place(ProjectLocation):
    """Place of a project whose store can be opened again, like in another kernel."""

    def reopened(self) -> SqlStore:
        """Open another store on the same database."""
        location, schema = self.store.location
        return open_store(location, schema=schema)

    def sql(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Run SQL, and return the rows."""
        with self.store.writing() as connection:
            result = connection.execute(text(statement), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def number(self, job: LabellingJob) -> int:
        """Return the number of a job, which its rows have in all tables."""
        ((number,),) = self.sql("SELECT id FROM jobs WHERE name = :name", name=job.name)
        return int(number)

    def expire(self, who: str | None = None) -> None:
        """Let the leases of a person, or all leases, expire."""
        condition = "" if who is None else " AND holder = :who"
        self.sql(
            f"UPDATE job_slots SET until = 1 WHERE state = 'held'{condition}", **({} if who is None else {"who": who})
        )


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Yield the place of a project with 12 images and the labels lemon and lime. The manager is meg."""
    settings.user = "meg"
    location, schema = str(tmp_path / "project.db"), None
    if request.param == "postgres":
        location, schema = request.getfixturevalue("postgres_url"), f"test_{uuid4().hex[:12]}"
    store = create_store(location, "leaves", schema=schema, task="single-label")
    images = t.normalise_images(pd.DataFrame({"image": [f"{number:02}.jpg" for number in range(12)]}))
    store.add_images("train", images, t.empty(t.ANNOTATION_COLUMNS), ACTION)
    store.add_labels([("lemon", None), ("lime", None)], ACTION)
    yield Place(tmp_path, store)
    store.destroy()


@pytest.fixture
def create(place: Place) -> Callable[..., LabellingJob]:
    """Return a function that creates a job on all images."""

    def create_job(name: str = "leaves-1", images: Any = "train", **options: Any) -> LabellingJob:
        return LabellingJobs(place).create(name, images, **options)

    return create_job


def check(place: Place, most: int = 9) -> None:
    """Check that no task has more than ``most`` counted answers, and that nobody answered one twice."""
    counted = "FROM job_answers a JOIN job_tasks t ON t.id = a.task WHERE a.counted = 1"
    assert place.sql(f"SELECT a.task {counted} AND t.gold IS NULL GROUP BY a.task HAVING count(*) > {most}") == []
    assert place.sql(f"SELECT a.task, a.who {counted} GROUP BY a.task, a.who HAVING count(*) > 1") == []
    unlike = """SELECT s.task, s.slot FROM job_slots s LEFT JOIN job_answers a ON a.task = s.task AND a.slot = s.slot
        WHERE (s.state = 'answered') <> (a.id IS NOT NULL) OR (a.id IS NOT NULL AND a.who <> s.holder)"""
    assert place.sql(unlike) == []
