"""Paginated project history, with undo."""

from __future__ import annotations

from typing import Any

import pandas as pd

from customlabels_nb.core import change_signal
from customlabels_nb.core import tables as t
from customlabels_nb.labeling.image_table import short_name
from customlabels_nb.labeling.progress import microseconds
from customlabels_nb.labeling.screen import ProjectScreen

PAGE = 50

_SHOWN_NAMES, _SHOWN_LABELS = 6, 4


class ActionList(ProjectScreen):
    """Project history for a screen, with undo."""

    def table(self, *, before: int | None = None, who: str | None = None, limit: int | None = PAGE) -> pd.DataFrame:
        return self._store.actions(before=before, who=who, limit=limit)

    def people(self) -> dict[str, int]:
        return self._store.actors()

    def rows(self, *, before: int | None = None, who: str | None = None, limit: int = PAGE) -> list[dict[str, Any]]:
        """Convert :meth:`table` to JSON-compatible rows, with times in microseconds since 1970.

        ``labels`` names the labels of the action unless ``what`` does.
        """
        table = self.table(before=before, who=who, limit=limit)
        plain = table.drop(columns="created").astype(object)
        rows: list[dict[str, Any]] = plain.where(plain.notna(), None).to_dict("records")
        labels = self._store.labels_of_actions([row["id"] for row in rows])
        return [
            {**row, "created": created, "labels": _labels_text(row["what"], *labels.get(row["id"], ([], [])))}
            for row, created in zip(rows, microseconds(table["created"]), strict=True)
        ]

    def details(self, action_id: int) -> dict[str, Any]:
        """Return an action's image counts by dataset, some image names, and the reason if it cannot be undone."""
        actions = self._store.actions_since(action_id - 1, 1)
        images: list[str] = actions["images"].iloc[0] if len(actions) and actions["id"].iloc[0] == action_id else []
        return {
            "id": action_id,
            "names": [short_name(name) for name in images[:_SHOWN_NAMES]],
            "images": {split: len(names) for split, names in self.images(action_id).items()},
            "refusal": self._store.undo_refusal(action_id),
        }

    def images(self, action_id: int) -> dict[str, list[str]]:
        """Return the still existing images that an action touched, by dataset."""
        actions = self._store.actions_since(action_id - 1, 1)
        if not len(actions) or actions["id"].iloc[0] != action_id or not actions["images"].iloc[0]:
            return {}
        numbers = self._store.outline_images(actions["images"].iloc[0])["number"].tolist()
        names = self._store.image_names(numbers)
        side = actions["split"].iloc[0]
        by_split: dict[str, list[str]] = {
            split: names.loc[names["split"] == split, "image"].tolist() for split in t.SPLITS
        }
        # a name that is in both datasets refers to the action's dataset
        return {split: kept for split, kept in by_split.items() if kept and (side == split or side not in t.SPLITS or
                                                                         not by_split.get(str(side)))}  # fmt: skip

    def undo(self, action_id: int) -> int:
        with self._lock:
            undone = self._store.undo(action_id, self._action("undo"))
        change_signal.notify(self.root)
        return undone.count


def _labels_text(what: str, before: list[str], after: list[str]) -> str:
    """Name the labels of an action, such as "garden → yard". Empty if ``what`` already names one."""
    if any(what.endswith(f" {label}") for label in (*before, *after)):
        return ""
    sides = [after or before] if set(before) == set(after) or not (before and after) else [before, after]
    return " → ".join(_some(side) for side in sides)


def _some(labels: list[str]) -> str:
    named = ", ".join(f"⁨{label}⁩" for label in labels[:_SHOWN_LABELS])  # names in any direction
    return named if len(labels) <= _SHOWN_LABELS else f"{named} and {len(labels) - _SHOWN_LABELS:,} more"
