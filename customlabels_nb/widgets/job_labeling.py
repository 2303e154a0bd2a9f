"""Widgets in which a person answers the tasks of a labelling job: the gallery and the annotator on a LabelerSession."""

from __future__ import annotations

from typing import Any

from customlabels_nb.errors import NotAllowedError
from customlabels_nb.jobs.labeler_session import JobFiles, LabelerSession
from customlabels_nb.labeling.view import Query
from customlabels_nb.widgets._pages import EditRequest, ImagePages, Near, Ranges
from customlabels_nb.widgets.annotator import Annotator, Drawn
from customlabels_nb.widgets.gallery import Gallery

_OF_MANAGERS = ("add label", "add again", "task", "instructions", "upload begin", "search setup")


def _refuse() -> Any:
    raise NotAllowedError(
        "The manager of a labelling job chooses its labels, task, instructions and images. If no label fits, skip the "
        "image with a reason."
    )


class _JobPages(ImagePages):
    """Show a labelling job in a gallery or an annotator: the parts that both share."""

    session: LabelerSession

    def __init__(self, session: LabelerSession, *, key: str, **options: Any) -> None:
        files = JobFiles(session)
        super().__init__(
            session, files, project=session.progress["name"], key=key, query=Query(sort="added"), **options
        )
        self.handlers |= {"leave": self._leave, "here": self._here, **dict.fromkeys(_OF_MANAGERS, _refuse)}

    def _figures(self) -> dict[str, Any]:
        return {**super()._figures(), "job": {**self.session.progress, "asked": "other person" in self.handlers}}

    def _hello(self) -> Any:
        """Start with the first image without an answer."""
        self.session.touch()
        self.session.refresh()
        self._go_to_first()
        return {**super()._hello(), "focus": self._focus}

    def _go_to_first(self) -> None:
        waiting = self.session.waiting
        position = self.session.place_of(waiting[0]) if waiting else len(self.session.view) - 1
        self._focus = max(0, position or 0)
        self._place = self._focus // self._size * self._size

    def _follow(self, images: Near = (), whole: bool = False) -> Any:
        if self.session.refresh():
            self._show_first()
        return super()._follow(images, whole)

    def _show_first(self) -> None:
        self._go_to_first()
        self.send({"push": "show", "change": {"place": self._focus, "keep": self._focus}})

    def _after(self, answer: Any) -> Any:
        """Let the page ask for more tasks at once if few are left."""
        if self.session.needs_tasks:
            self.send({"push": "follow"})
        return answer

    def _select(self, view: int, place: int, focus: int, ranges: Ranges) -> Any:
        self.session.touch()
        return super()._select(view, place, focus, ranges)

    def _leave(self) -> Any:
        """Give back the tasks, because the page was closed."""
        self.session.leave()
        return {}

    def _here(self) -> Any:
        """Note that the page is hidden, but not closed."""
        self.session.heard()
        return {}

    def _fallback_text(self) -> str:
        progress = self.session.progress
        return f"{self._project}: {progress['text']}. Run the cell to continue."

    def close(self) -> None:
        """Close the widget, and release the tasks.

        Examples
        --------
        >>> screen = job.label()
        >>> screen.close()
        """
        super().close()
        if "session" in vars(self):  # not if it could not be created
            self.session.close()


class JobGallery(_JobPages, Gallery):
    """Gallery of a labelling job with image-level labels, created by ``job.label()``."""

    def _edit(self, content: EditRequest) -> Any:
        with self.session.skipping(content.get("reason")):
            answer = self._after(super()._edit(content))
        if content.get("guest"):  # an earlier page had kept it, and this one may show the image as the first
            self._show_first()
        return answer

    def _return_to_place(self) -> None:
        """Start with the first image without an answer instead."""

    def _remember_place(self) -> None:
        """Keep nothing for other galleries."""


class JobAnnotator(_JobPages, Annotator):
    """Annotator of a labelling job with boxes or polygons, created by ``job.label()``."""

    session: LabelerSession

    def _save(self, content: Drawn) -> Any:
        with self.session.skipping(content.get("reason")):
            return self._after(super()._save(content))
