"""Labelling jobs outside of notebooks: a project with a job, its pages, and what its database says of them."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from playwright.sync_api import Page, TimeoutError, expect

import customlabels_nb as cl
from customlabels_nb.user_settings import settings
from tests.browser.gallery import TURNING
from tests.browser.jupyter import SLOW
from tests.browser.waiting import PATIENCE

COMMAND = [sys.executable, "-m", "customlabels_nb.cli", "label"]
COUNTED = "SELECT max(n) FROM (SELECT count(*) AS n FROM job_answers WHERE counted = 1 GROUP BY task)"
TWICE = "SELECT count(*) FROM (SELECT 1 FROM job_answers WHERE counted = 1 GROUP BY task, who HAVING count(*) > 1)"
HELD = "SELECT count(*) FROM job_slots WHERE state = 'held'"


class JobProject:
    """Project of numbered images with the labelling job "leaves-1", which its manager "teacher" has created."""

    def __init__(self, folder: Path, *, count: int = 12, **options: Any) -> None:
        (folder / "photos").mkdir()
        for number in range(count):
            picture = Image.new("RGB", (160, 120), (60 + number * 6, 200 - number * 6, 90 + number % 5 * 30))
            ImageDraw.Draw(picture).text((60, 40), str(number), fill="white", font_size=36)
            picture.save(folder / "photos" / f"{number:03}.png")
        before, settings.user = settings.user, "teacher"
        project = cl.create_project("things", folder, task="single-label")
        project.add_images(folder / "photos", progress=False)
        for label in ("apple", "pear", "plum"):
            project.labels.add(label)
        project.jobs.create("leaves-1", images=project.train_set, **options)
        self.root = project.root
        project.close()
        settings.user = before

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """Return rows of the database, or the values if there is one column."""
        with closing(sqlite3.connect(self.root / "project.db", timeout=30)) as database:
            found = database.execute(sql, values).fetchall()
        return [row[0] if len(row) == 1 else row for row in found]

    def expect_rows(self, sql: str, *values: Any, wanted: list[Any], seconds: float = PATIENCE) -> None:
        """Wait until the database has these rows."""
        end = time.monotonic() + seconds
        while (found := self.rows(sql, *values)) != wanted and time.monotonic() < end:
            time.sleep(0.1)
        assert found == wanted, sql

    def names(self, sql: str, *values: Any) -> set[str]:
        """Return the file names of the images that the database lists."""
        return {Path(image).name for image in self.rows(sql, *values)}


class JobPage:
    """Page that shows the screen of a labelling job."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: str(error) == SLOW or self.errors.append(str(error)))
        self.question = page.locator(".clnb-name-question")
        self.field = self.question.get_by_label("Your name")
        self.gallery = page.locator(".clnb-gallery")

    def ready(self) -> JobPage:
        """Wait for the images and focus the gallery."""
        try:
            self.gallery.locator(".tile img[src^='data:']").first.wait_for()
        except TimeoutError as error:
            error.add_note(f"{self.page.url} shows: {self.page.locator('body').inner_text()[:1000]}\n{self.errors}")
            raise
        self.gallery.focus()
        return self

    def press(self, *keys: str) -> None:
        """Press keys one after another."""
        for key in keys:
            self.page.keyboard.press(key)

    def expect_saved(self) -> None:
        """Wait until everything is shown as saved, and no page is loading any more."""
        expect(self.gallery.locator(".state")).to_have_text("saved")
        expect(self.gallery).not_to_have_class(TURNING)

    def names(self) -> list[str]:
        """Return the file names of the tasks."""
        titles: list[str] = self.gallery.locator(".tile").evaluate_all("tiles => tiles.map(tile => tile.title)")
        return [title.rsplit("/", 1)[-1] for title in titles if title]


def environment(folder: Path, **more: str) -> Mapping[str, str]:
    """Return the environment of a server whose home and temporary folder are empty folders here."""
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    return os.environ | {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")} | more
