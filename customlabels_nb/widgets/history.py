"""History panel widget: list the actions of a project and undo them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anywidget
import pandas as pd
import traitlets

from customlabels_nb._utils.text import counted
from customlabels_nb.labeling.action_list import PAGE, ActionList
from customlabels_nb.widgets._base import STATIC, ChangeListener, Handler, MessageHandler, join_modules, join_styles
from customlabels_nb.widgets.static_fallback import display_with_fallback, still_html

_IN_STILL = 10
_MOST_ROWS = 1_000


def history_handlers(actions: ActionList) -> Mapping[str, Handler]:
    """Return the handlers of a page that shows the history, also for widgets that show it in a panel."""

    def page(
        who: str | None = None, before: int | None = None, limit: int | None = None, seen: int | None = None
    ) -> Any:
        newest = actions.last_action()  # read first, so that later changes are found by the next request
        if seen == newest:
            return {}
        limit = min(max(limit or PAGE, 1), _MOST_ROWS)
        rows = actions.rows(before=before, who=who, limit=limit + 1)
        return {
            "seen": newest,
            "project": actions.project,
            "people": actions.people(),
            "rows": rows[:limit],
            "more": len(rows) > limit,
            "read_only": actions.read_only,
        }

    def details(id: int) -> Any:
        return actions.details(id)

    def undo(id: int) -> Any:
        return {"images": actions.undo(id), "undone_by": actions.last_action()}

    return {"history": page, "history details": details, "history undo": undo}


class HistoryPanel(MessageHandler, ChangeListener, anywidget.AnyWidget):
    """Widget that lists who changed what and when, and undoes it.

    Created by :meth:`customlabels_nb.project.project.Project.history_panel`.

    Attributes
    ----------
    action : int
        The id of the action that is opened, 0 for none. ``observe(handler, "action")`` calls ``handler`` when it
        changes.
    """

    _esm = join_modules(STATIC / "history/history.js")
    _css = join_styles("shared/base.css", "history/history.css")

    action = traitlets.Int(0)

    def __init__(self, actions: ActionList) -> None:
        super().__init__()
        self.actions = actions
        handlers: dict[str, Handler] = dict(history_handlers(actions))
        self.handlers = {**handlers, "history details": self._opened(handlers["history details"])}
        self.listen_to(actions.root)
        self.on_msg(self.answer)

    @property
    def table(self) -> pd.DataFrame:
        """Latest actions, newest first, without the changes that they made. ``project.history`` has the details."""
        return self.actions.table()

    def undo(self, action_id: int) -> int:
        """Undo an action of the history and return the number of images that changed.

        Parameters
        ----------
        action_id : int
            Id of the action in ``project.history``.

        Returns
        -------
        int
            Number of images that changed.

        Examples
        --------
        >>> renamed = project.labels.rename("garden", "yard")
        >>> panel = project.history_panel()
        >>> changed = panel.undo(int(project.history["id"].iloc[0]))
        >>> "garden" in project.labels
        True
        """
        return self.actions.undo(action_id)

    def close(self) -> None:
        """Close the panel.

        Examples
        --------
        >>> panel = project.history_panel()
        >>> panel.close()
        """
        super().close()

    def _opened(self, details: Handler) -> Handler:
        def handler(id: int) -> Any:
            self.action = id
            return details(id)

        return handler

    def _ipython_display_(self) -> None:
        display_with_fallback(self, self._fallback())

    def _fallback(self) -> str:
        table = self.actions.table(limit=_IN_STILL)
        lines = [f"{row.created:%Y-%m-%d %H:%M} · {row.who} · {row.what} · {row.count:,}" for row in table.itertuples()]
        return still_html(
            *lines, f"{self.actions.project}: the latest {counted(len(table), 'action')}. Run this cell to see all."
        )
