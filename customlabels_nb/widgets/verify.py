"""Verify widget: judge predictions in a :class:`~customlabels_nb.labeling.verification.Verification`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pandas as pd

from customlabels_nb.core import change_signal
from customlabels_nb.labeling.session import EditResult
from customlabels_nb.labeling.session_files import SessionFiles
from customlabels_nb.labeling.verification import Submission, Verification
from customlabels_nb.labeling.view import Query
from customlabels_nb.widgets._base import STATIC, join_modules, join_styles
from customlabels_nb.widgets._pages import EditedPages, Operation
from customlabels_nb.widgets.annotator import Annotator

_OPERATIONS: dict[str, Operation] = {
    "right": lambda session, edit: session.confirm,
    "wrong": lambda session, edit: session.reject,
    "label": lambda session, edit: partial(session.correct, label=edit["label"]),
    "unlabel": lambda session, edit: partial(session.correct, label=edit["label"], on=False),
}


class Verify(EditedPages):
    """Widget to judge predictions, created by :meth:`.Project.verify`.

    Every verdict is saved immediately, and the same call of :meth:`.Project.verify` continues with them. Other cells
    can read and control the widget with ``precision``, ``sentence``, ``progress``, ``judge`` and ``submit``.
    """

    _esm = join_modules(STATIC / "verify.js")
    _css = join_styles("shared/base.css", "shared/tiles.css", "verify.css")
    operations = _OPERATIONS
    giving = ("label",)

    session: Verification

    def __init__(
        self,
        session: Verification,
        files: SessionFiles,
        *,
        annotator: Callable[[], Annotator],
        project: str,
        key: str,
        page_size: int = 24,
    ) -> None:
        super().__init__(
            session, files, project=project, key=f"{key} verify", query=Query(sort="added"), page_size=page_size,
            annotator=lambda _: annotator(),
        )  # fmt: skip
        self.handlers["submit"] = self._submit

    @property
    def precision(self) -> pd.DataFrame:
        """Precision by predicted label, on the judged images of the sample's random half.

        The columns are label, shown, right, precision, low and high (the 95 % interval of Clopper and Pearson). Of the
        boxes of an image, one is drawn, because they are not independent.
        """
        return self.session.precision

    @property
    def sentence(self) -> str:
        """Precision in the field and, if a version of the project made the predictions, on the test set."""
        return self.session.sentence

    @property
    def progress(self) -> dict[str, int]:
        """Numbers of images: ``judged`` (right or corrected), ``wrong`` (without another label) and ``left``."""
        self.session.follow()
        statuses = self.session.table.by_status
        remaining = statuses["unlabelled"] + statuses["skipped"]
        return {"judged": statuses["labelled"], "wrong": statuses["needs_review"], "left": remaining}

    @property
    def images(self) -> list[str]:
        """Names of the images of the sample, in order."""
        return list(self.session.table.names)

    @property
    def notes(self) -> list[str]:
        """Sentences about images that are not in the sample, such as those that cannot be read."""
        return self.session.notes

    def judge(self, verdict: bool | str, images: Sequence[str]) -> EditResult:
        """Judge predictions.

        Parameters
        ----------
        verdict : bool or str
            True if the predictions of the images are right, False if they are wrong, or another label.
        images : sequence of str
            Names of the images.

        Examples
        --------
        >>> new = cl.examples.write_photos("rooms", "new", random_state=1, train=10, test=0, size=(160, 120))
        >>> with model.started("cpu", engine="torch"):
        ...     verify = project.verify(new.train, model=model, sample=2)
        >>> outcome = verify.judge(True, verify.images[:1])
        >>> verify.progress
        {'judged': 1, 'wrong': 0, 'left': 1}
        """
        session = self.session
        if isinstance(verdict, str):
            session.check_known(verdict)
            outcome = session.correct(images, verdict)
        else:
            outcome = (session.confirm if verdict else session.reject)(images)
        change_signal.notify(session.root)
        return outcome

    def submit(self) -> Submission:
        """Add the judged images to the project with their labels, as one action for each dataset.

        Images that are wrong and have no other label get the status "needs_review", so that they are labelled before
        they are used for training. Images that the project already has stay the same, and are listed in ``issues``.
        ``project.undo()`` takes the images out again, one dataset at a time.

        Examples
        --------
        >>> new = cl.examples.write_photos("rooms", "new", random_state=1, train=10, test=0, size=(160, 120))
        >>> with model.started("cpu", engine="torch"):
        ...     verify = project.verify(new.train, model=model, sample=2)
        >>> outcome = verify.judge("garden", verify.images[:1])
        >>> verify.submit()
        1 image added to train and 0 to test.
        """
        return self.session.send()

    def close(self) -> None:
        """Close the widget and the annotator that it opened.

        Examples
        --------
        >>> new = cl.examples.write_photos("rooms", "new", random_state=1, train=10, test=0, size=(160, 120))
        >>> with model.started("cpu", engine="torch"):
        ...     verify = project.verify(new.train, model=model, sample=2)
        >>> verify.close()
        """
        super().close()
        if self._box is not None:
            self.session.store.close()

    def _figures(self) -> dict[str, Any]:
        session = self.session
        return {**super()._figures(), "draws": session.draws, "model": session.model, "sentence": session.sentence}

    def _submit(self) -> Any:
        done = self.submit()
        undo = "project.undo(), called twice," if done.train and done.test else "project.undo()"
        return {"info": self._info(), "text": f"{done!r} {undo} takes them out again."}

    def _fallback_text(self) -> str:
        progress = self.progress
        judged = progress["judged"] + progress["wrong"]
        return f"{self._project}: {judged:,} of {judged + progress['left']:,} judged. Run the cell to continue."
