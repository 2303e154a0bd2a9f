"""Review widget: approve, correct or reject labels in a :class:`~customlabels_nb.labeling.review.ReviewSession`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from customlabels_nb.core import change_signal
from customlabels_nb.errors import InputError
from customlabels_nb.labeling.review import ReviewQuery, ReviewSession
from customlabels_nb.labeling.session import EditResult
from customlabels_nb.labeling.session_files import SessionFiles
from customlabels_nb.widgets._base import STATIC, join_modules, join_styles
from customlabels_nb.widgets._pages import EditedPages, Operation
from customlabels_nb.widgets.annotator import Annotator

_OPERATIONS: dict[str, Operation] = {
    "approve": lambda session, edit: session.approve,
    "label": lambda session, edit: partial(session.correct, label=edit["label"], instead_of=edit.get("instead_of")),
    "unlabel": lambda session, edit: partial(session.correct, label=edit["label"], on=False),
    "toggle": lambda session, edit: partial(session.correct_toggling, label=edit["label"]),
    "suggest": lambda session, edit: session.take_suggestions,
    "reject": lambda session, edit: partial(session.reject, reason=edit.get("reason") or ""),
    "remove": lambda session, edit: session.remove_labels,
    "note": lambda session, edit: partial(session.set_note, note=edit["note"]),
}


class Review(EditedPages):
    """Widget to approve, correct or reject labels, created by :meth:`.Project.review`.

    Every decision is saved immediately. Other cells can read and control the widget with ``selected``, ``set_filter``,
    ``observe``, ``approve``, ``correct`` and ``reject``.

    Attributes
    ----------
    selection : tuple of str
        The selected images, or the one in focus. ``observe(handler, "selection")`` calls ``handler`` when it changes.
    """

    _esm = join_modules(STATIC / "review.js")
    _css = join_styles("shared/base.css", "shared/tiles.css", "review.css")
    operations = _OPERATIONS
    giving = ("label", "toggle")

    session: ReviewSession

    def __init__(
        self,
        session: ReviewSession,
        files: SessionFiles,
        *,
        project: str,
        key: str,
        query: ReviewQuery | None = None,
        page_size: int = 24,
        annotator: Callable[[str], Annotator] | None = None,
    ) -> None:
        # the page stores pending edits under this key: a review cannot send those of a gallery
        options: dict[str, Any] = {"query": query, "page_size": page_size, "annotator": annotator}
        super().__init__(session, files, project=project, key=f"{key} review", **options)

    @property
    def progress(self) -> dict[str, Any]:
        """Number of images of the dataset ``left`` to review and ``done``, and left ``by_label``.

        Examples
        --------
        >>> progress = project.review("train").progress
        >>> progress["left"] + progress["done"]
        12
        """
        self.session.follow()
        return self.session.progress()

    def approve(self, images: Sequence[str] | None = None) -> EditResult:
        """Approve the labels of images.

        Parameters
        ----------
        images : sequence of str, optional
            Names of the images. Default: the selected images.

        Examples
        --------
        >>> review = project.review("train")
        >>> result = review.approve(project.train_set.images["image"][:2])
        >>> len(result.images)
        2
        """
        return self._notify(self.session.approve(self._chosen(images)))

    def correct(self, label: str, images: Sequence[str] | None = None) -> EditResult:
        """Correct the labels of images.

        Parameters
        ----------
        label : str
            The correct label.
        images : sequence of str, optional
            Names of the images. Default: the selected images.

        Examples
        --------
        >>> review = project.review("train")
        >>> result = review.correct("garden", project.train_set.images["image"][:1])
        >>> result.conflicts
        ()
        """
        return self._notify(self.session.correct(self._chosen(images), label))

    def reject(self, images: Sequence[str] | None = None, reason: str = "") -> EditResult:
        """Reject the labels and boxes of images, so that they are labelled again.

        The rejected ones are suggested to the next person. They do not count as labels.

        Parameters
        ----------
        images : sequence of str, optional
            Names of the images. Default: the selected images.
        reason : str
            Shown to the next person and in the history. Becomes the note on images without labels and boxes.

        Examples
        --------
        >>> review = project.review("train")
        >>> result = review.reject(project.train_set.images["image"][:1], reason="wrong label")
        >>> len(result.images)
        1
        """
        return self._notify(self.session.reject(self._chosen(images), reason=reason))

    def remove_labels(self, images: Sequence[str] | None = None) -> EditResult:
        """Remove the labels and boxes of images, so that they are labelled again without suggestions.

        Parameters
        ----------
        images : sequence of str, optional
            Names of the images. Default: the selected images.

        Examples
        --------
        >>> review = project.review("train")
        >>> result = review.remove_labels(project.train_set.images["image"][:1])
        >>> len(result.images)
        1
        """
        return self._notify(self.session.remove_labels(self._chosen(images)))

    def _chosen(self, images: Sequence[str] | None) -> list[str]:
        if isinstance(images, str):
            raise InputError(f"images={images!r} is a string. Give a list of image names.")
        chosen = list(self.selection if images is None else images)
        if not chosen:
            raise InputError("No image is selected. Select images in the widget, or pass images=[…].")
        return chosen

    def _notify(self, outcome: EditResult) -> EditResult:
        change_signal.notify(self.session.root)
        return outcome

    def _figures(self) -> dict[str, Any]:
        return {**super()._figures(), "review": self.session.progress()}

    def _fallback_text(self) -> str:
        progress = self.session.progress()
        done, total = progress["done"], progress["done"] + progress["left"]
        return f"{self._project}, {self.session.split}: {done:,} of {total:,} reviewed. Run the cell to continue."
