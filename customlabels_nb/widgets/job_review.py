"""Widget in which a reviewer decides disputed images of a labelling job, on a ReviewerSession."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from customlabels_nb.errors import NotAllowedError
from customlabels_nb.jobs.reviewer_session import BoxSession, JobReviewQuery, ReviewerSession
from customlabels_nb.labeling.session import EditResult
from customlabels_nb.labeling.session_files import SessionFiles
from customlabels_nb.labeling.view import Query
from customlabels_nb.widgets._base import STATIC, join_modules, join_styles
from customlabels_nb.widgets._pages import Near, Operation
from customlabels_nb.widgets.annotator import Annotator
from customlabels_nb.widgets.review import Review

_JOB_OPERATIONS: dict[str, Operation] = {
    **{name: Review.operations[name] for name in ("approve", "label", "unlabel", "toggle", "reject")},
    "take": lambda session, edit: partial(session.take, number=edit["number"]),
    "ask": lambda session, edit: session.ask_one_more,
}
_OF_MANAGERS = ("add label", "add again", "task", "instructions")


def _refuse() -> Any:
    raise NotAllowedError(
        "The manager of a labelling job chooses its labels, task and instructions. Ask them to change these."
    )


class JobReview(Review):
    """Review of a labelling job, created by ``job.review()``.

    Every decision is stored immediately. Other cells can read and control it with ``selected``, ``approve`` (take the
    consensus, or accept that people skipped the image), ``take`` (one of the answers), ``correct``, ``ask_one_more``
    and ``reject`` (return to the queue).
    """

    _esm = join_modules(STATIC / "job_review.js")
    _css = join_styles("shared/base.css", "shared/tiles.css", "review.css", "job_review.css")
    operations = _JOB_OPERATIONS

    session: ReviewerSession

    def __init__(self, session: ReviewerSession, files: SessionFiles, *, key: str, page_size: int = 24) -> None:
        super().__init__(
            session, files, project=session.project, key=f"{key} {session.user}", query=JobReviewQuery(),
            page_size=page_size, annotator=self._open_annotator,
        )  # fmt: skip
        self.handlers |= {"invite": self._invite, **dict.fromkeys(_OF_MANAGERS, _refuse)}

    def take(self, number: int, images: Sequence[str] | None = None) -> EditResult:
        """Take an answer as the decision.

        Parameters
        ----------
        number : int
            1 for A, 2 for B, and so on.
        images : sequence of str, optional
            Names of the images. Default: the selected images.

        Examples
        --------
        >>> job.update(annotators=2, max_annotators=2)
        >>> for name, label in [("ben", "garden"), ("carl", "bedroom")]:
        ...     other = job.worker(name)
        ...     for task in other.lease(12):
        ...         receipt = other.submit(task, label)
        >>> screen = job.review()
        >>> outcome = screen.take(1, job.disputed().tasks["image"][:1])
        >>> screen.progress["left"], screen.progress["done"]
        (11, 1)
        >>> screen.close()
        """
        return self._notify(self.session.take(self._chosen(images), number))

    def ask_one_more(self, images: Sequence[str] | None = None) -> EditResult:
        """Ask one more person about images, by default the selected ones. They leave the review until somebody answers.

        Examples
        --------
        >>> job.decide(project.train_set.images["image"][0], "garden")
        >>> screen = job.review()
        >>> outcome = screen.ask_one_more(job.disputed().tasks["image"])
        >>> screen.progress["done"]
        0
        >>> screen.close()
        """
        return self._notify(self.session.ask_one_more(self._chosen(images)))

    def close(self) -> None:
        """Close the widget and the annotator that it opened.

        Examples
        --------
        >>> screen = job.review()
        >>> screen.close()
        """
        super().close()
        if self._box is not None:
            self._box = None
            self.session.close()

    def _figures(self) -> dict[str, Any]:
        session = self.session
        more = {"draws": session.draws, "reasons": session.reasons(), "agreement": session.threshold}
        return {**super()._figures(), **more, "waiting": [*map(asdict, session.waiting)]}

    def _outcome(self, outcome: EditResult, images: Sequence[str] | None, edit: Mapping[str, Any] | None = None) -> Any:
        answer = super()._outcome(outcome, images, edit)
        unseen = {conflict.image for conflict in outcome.conflicts} - {row["name"] for row in answer["rows"]}
        return {**answer, "reload": answer["reload"] or bool(unseen)}

    def _follow(self, images: Near = (), whole: bool = False) -> Any:
        before = len(self.session.table)
        self.session.refresh()
        answer = super()._follow(images, whole)
        return {**answer, "more": abs(len(self.session.table) - before)} if answer else answer

    def _invite(self, person: str) -> Any:
        return {"link": self.session.job.invite(person)["link"][0]}

    def _fix(self, image: str) -> Any:
        """Open an image in an annotator below."""
        if not self.session.draws:
            raise NotAllowedError("The answers to this job are labels, so there are no boxes to edit.")
        return super()._fix(image)

    def _open_annotator(self, split: str) -> Annotator:
        annotator = Annotator(
            BoxSession(self.session), self._files, project=self._project, key=f"{self._key} boxes",
            query=Query(sort="added"),
        )  # fmt: skip
        annotator.handlers |= dict.fromkeys(_OF_MANAGERS, _refuse)
        return annotator
