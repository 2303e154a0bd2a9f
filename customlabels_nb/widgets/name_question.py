"""Widget that asks who labels before it shows a screen of a labelling job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import ipywidgets
import traitlets

from customlabels_nb.errors import NotAllowedError
from customlabels_nb.jobs.identity import check_person
from customlabels_nb.jobs.labeler_session import DONE
from customlabels_nb.user_settings import settings
from customlabels_nb.widgets._base import STATIC, MessageHandler, join_modules, join_styles
from customlabels_nb.widgets._pages import ImagePages
from customlabels_nb.widgets.static_fallback import display_with_fallback, still_html


class NameQuestion(MessageHandler, anywidget.AnyWidget):
    """Question for a name, created by ``job.label()`` where the login does not say who you are.

    The answer becomes ``settings.user``, so that it is asked once for each kernel.

    Attributes
    ----------
    job : str
        Name of the labelling job.
    screen : ImagePages or None
        Screen that replaces the question, None until a name is given.
    """

    _esm = join_modules(STATIC / "name_question/name_question.js")
    _css = join_styles("shared/base.css", "name_question/name_question.css")

    job = traitlets.Unicode().tag(sync=True)

    def __init__(self, open_screen: Callable[[], ImagePages], *, job: str) -> None:
        super().__init__(job=job)
        self.screen: ImagePages | None = None
        self._open_screen = open_screen
        self._box = ipywidgets.VBox([self])
        self.handlers = {"name": self._start}
        self.on_msg(self.answer)

    def _start(self, name: str) -> Any:
        """Open the screen for a person. If they cannot label, the question remains, with the reason."""
        if self.screen is None:
            before, settings.user = settings.user, check_person(name)
            try:
                screen = self._open_screen()
                end = getattr(screen.session, "end", DONE)
                if end not in ("", DONE) and not len(screen.session.view):
                    screen.close()
                    raise NotAllowedError(end)
            except BaseException:
                settings.user = before
                raise
            screen.handlers["other person"] = self._ask_again
            self.screen, self._box.children = screen, (screen._outermost(),)
        return {}

    def _ask_again(self) -> Any:
        """Close the screen, because somebody else labels now."""
        screen, self.screen, self._box.children = self.screen, None, (self,)
        if screen is not None:
            screen.close()
        return {}

    def _ipython_display_(self) -> None:
        display_with_fallback(self._box, still_html(f"{self.job}: run this cell to label."))

    def close(self) -> None:
        """Close the question and the screen.

        Examples
        --------
        >>> question = job.label(ask=True)
        >>> question.close()
        """
        if "screen" in vars(self):  # not if it could not be created
            for widget in (self.screen, self._box):
                if widget is not None:
                    widget.close()
        super().close()
