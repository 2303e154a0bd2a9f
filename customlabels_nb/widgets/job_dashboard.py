"""Dashboard of a labelling job for its managers: states, rate, people and agreement, on a ManagerSession."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

import anywidget
import ipywidgets

from customlabels_nb.core import tables as t
from customlabels_nb.jobs.manager_session import ManagerSession
from customlabels_nb.labeling.view import Query
from customlabels_nb.widgets._base import STATIC, ChangeListener, MessageHandler, join_modules, join_styles
from customlabels_nb.widgets.static_fallback import display_with_fallback, still_html

if TYPE_CHECKING:
    from customlabels_nb.widgets.gallery import Gallery
    from customlabels_nb.widgets.job_review import JobReview

_PATIENCE = 0.3  # seconds to wait for people and agreement before the page shows the rest


class _Link(TypedDict, total=False):
    """A number of the page, see :meth:`.ManagerSession.images`."""

    state: str
    person: str
    skipped_by: str
    verdict: str
    label: str
    image: str
    mixed: tuple[str | None, str | None, str | None, str | None]


class JobDashboard(MessageHandler, ChangeListener, anywidget.AnyWidget):
    """Dashboard of a labelling job, created by ``job.dashboard()``.

    It follows the job while people label. A click on a number opens a gallery below with exactly the images that it
    counts, or the review. Other cells can read and control it with ``totals``, ``show_images`` and ``opened``.

    Attributes
    ----------
    opened
        Gallery or review that is open below, or None.
    """

    _esm = join_modules(STATIC / "job_dashboard.js")
    _css = join_styles("shared/base.css", "dashboard.css", "job_dashboard.css")

    opened: Gallery | JobReview | None = None

    def __init__(
        self, session: ManagerSession, gallery: Callable[[str, Query], Gallery], review: Callable[[], JobReview]
    ) -> None:
        super().__init__()
        self.session = session
        self._gallery, self._review = gallery, review
        self._box = ipywidgets.VBox([self])
        self.handlers = {
            "hello": self._hello,
            "follow": self._follow,
            "open": self._open,
            "close": self._close,
            "act": self._act,
            "invite": self._invite,
        }
        session.measuring.on_end = self._push
        self.listen_to(session.root)
        self.on_msg(self.answer)

    @property
    def totals(self) -> dict[str, Any]:
        """Current numbers: the job's settings, ``states`` of its images, ``people``, ``agreement`` and more.

        Examples
        --------
        >>> job.dashboard().totals["states"]
        {'done': 0, 'review': 0, 'working': 0, 'waiting': 12, 'skipped': 0}
        """
        self.session.refresh()
        self.session.measuring.wait()
        return self.session.figures

    def show_images(self, **link: Any) -> Gallery:
        """Open a gallery below with the images that a number of the dashboard counts.

        Parameters
        ----------
        **link
            One of ``state``, ``person``, ``skipped_by``, ``label``, ``mixed`` and others. See
            :meth:`customlabels_nb.jobs.manager_session.ManagerSession.images`.

        Examples
        --------
        >>> dashboard = job.dashboard()
        >>> len(dashboard.show_images(state="waiting").session.view)
        12
        >>> dashboard.close()
        """
        return self._show(self._gallery(*self._chosen(link)[:2]))

    def close(self) -> None:
        """Close the dashboard, and the gallery or review below.

        Examples
        --------
        >>> dashboard = job.dashboard()
        >>> dashboard.close()
        """
        self.session.measuring.on_end = None
        self._show(None)
        self._box.close()
        super().close()

    def _show(self, widget: Any) -> Any:
        if self.opened is not None:
            self.opened.close()
        self.opened = widget
        self._box.children = (self,) if widget is None else (self, widget._outermost())
        return widget

    def _ipython_display_(self) -> None:
        totals = self.totals
        states = ", ".join(f"{number:,} {state}" for state, number in totals["states"].items() if number)
        text = f"{totals['name']}: {states or 'no images'}. Run this cell to see the current state."
        display_with_fallback(self._box, still_html(text))

    def _push(self) -> None:
        self.send({"push": "news", "news": self.session.figures})

    def _hello(self) -> Any:
        self.session.refresh()
        self.session.measuring.wait(_PATIENCE)
        return self.session.figures

    def _follow(self, changes: int | None = None) -> Any:
        self.session.refresh()
        return {} if changes == self.session.changes else self.session.figures

    def _open(self, link: _Link) -> Any:
        if "review" in link:
            return {"total": self._show(self._review()).progress["left"]}
        split, query, others = self._chosen(link)
        total = len(self._show(self._gallery(split, query)).session.view)
        return {"total": total, "more": f", and {others:,} in the other dataset" if others else ""}

    def _chosen(self, link: Mapping[str, Any]) -> tuple[str, Query, int]:
        """Return the dataset that has most of the images behind a number, the query, and the number of the others."""
        images = self.session.images(link)
        datasets = self.session.datasets_of(images)
        split = max(t.SPLITS, key=datasets.count)
        return split, Query(images=frozenset(images), sort="name"), len(datasets) - datasets.count(split)

    def _close(self) -> Any:
        self._show(None)
        return {}

    def _act(self, action: str, about: str = "") -> Any:
        self.session.act(action, about)
        return self.session.figures

    def _invite(self, person: str) -> Any:
        return {"link": self.session.job.invite(person)["link"][0]}
