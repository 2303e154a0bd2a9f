"""Refresh a project from its sources when a screen opens and the last refresh is too long ago."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any

from customlabels_nb._utils.arguments import plain_repr
from customlabels_nb._utils.durations import read_seconds
from customlabels_nb._utils.progress_bars import say
from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.datasets.import_reports import RefreshReport
from customlabels_nb.errors import CustomLabelsError, InputError
from customlabels_nb.events import Events
from customlabels_nb.ingest.refresh import refresh_dataset
from customlabels_nb.project.location import ProjectLocation
from customlabels_nb.store import Action, SqlStore
from customlabels_nb.store.database import now_us
from customlabels_nb.user_settings import settings

_SETTING = "auto refresh"
_PATIENCE_SECONDS = 2.0  # for which a screen waits for the new images


def set_interval(store: SqlStore, every: object) -> None:
    """Store the refresh interval of the sources. None disables refreshing."""
    seconds = read_seconds(every)
    if every is not None and (seconds is None or not 0 < seconds < math.inf):
        raise InputError(f"every={plain_repr(every)} must be a duration above 0 such as '1d', or None to disable it.")
    store.change_setting(
        _SETTING, lambda old: {**(old or {"looked": 0}), "every": seconds}, Action("set auto refresh", settings.user)
    )


def interval(store: SqlStore) -> float | None:
    """Return the refresh interval of the sources in seconds, or None if refreshing is disabled."""
    every: float | None = (store.setting(_SETTING) or {"every": None})["every"]
    return every


def refresh_sources(
    location: ProjectLocation,
    splits: Sequence[str] = t.SPLITS,
    *,
    events: Events | None = None,
    clock: Callable[[], int] = now_us,
) -> RefreshReport:
    """Refresh datasets from their sources. With automatic refreshes, running labelling jobs get the new images."""
    store = location.store
    report = sum([refresh_dataset(store, location.root, split, events=events) for split in splits], RefreshReport())
    if interval(store) is not None:
        from customlabels_nb.jobs.job_list import take_new_images  # imports scipy

        store.change_setting(_SETTING, lambda old: {**old, "looked": clock()})
        take_new_images(location)
    return report


def refresh_if_due(location: ProjectLocation, *, clock: Callable[[], int] = now_us) -> None:
    """Refresh the project from its sources if the last refresh is too long ago, and print the changes.

    A screen calls this when it opens. It waits for at most two seconds. After that, the refresh continues in the
    background, and the screen shows the new images when they are found. ``clock`` returns microseconds since 1970.
    """
    store, now = location.store, clock()

    def is_due(setting: dict[str, Any]) -> bool:
        return setting["every"] is not None and abs(now - setting["looked"]) >= setting["every"] * 1e6

    if store.read_only or not is_due(store.setting(_SETTING) or {"every": None}):
        return
    claimed = store.change_setting(_SETTING, lambda old: {**old, "looked": now} if is_due(old) else old)
    if claimed["looked"] != now:  # another kernel scans them
        return
    thread = Thread(target=_refresh, args=(location, clock), name="customlabels_nb auto refresh", daemon=True)
    thread.start()
    thread.join(_PATIENCE_SECONDS)
    if thread.is_alive():
        say("The project's sources are being scanned in the background. New images appear when they are found.")


def _refresh(location: ProjectLocation, clock: Callable[[], int]) -> None:
    try:
        report = refresh_sources(location, [split for split in t.SPLITS if location.store.dataset(split)], clock=clock)
    except CustomLabelsError as error:
        say(f"The project's sources could not be scanned, so its images are shown as before: {error}")
        return
    for message in report.issues.loc[report.issues["code"] == "SOURCE_UNREACHABLE", "message"]:
        say(f"A source of the project cannot be reached, so its images are shown as before: {message}")
    if len(report.images):
        numbers = f"{counted(len(report.added), 'new image')}, {len(report.changed):,} changed"
        say(f"The project's sources were scanned again: {numbers}, {len(report.vanished):,} vanished.")
