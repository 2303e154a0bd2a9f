"""What the widgets share in which images are edited: edits of the page, taken back and done again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from customlabels_nb.errors import InputError
from customlabels_nb.labeling import EditResult
from customlabels_nb.labeling.image_table import short_name
from customlabels_nb.widgets._pages import ImagePages

#: Does an edit: of the session, these images, with what the page said of it, based on these revisions.
Operation: TypeAlias = Callable[[Any, Sequence[str], dict[str, Any], Any], EditResult]

_MOST_ROWS = 2_000
_SAID_AGAIN = ("op", "label", "status", "remove_labels", "instead_of")


class EditedPages(ImagePages):
    """Pages of images that are edited.

    Attributes
    ----------
    operations : mapping
        What the page may ask for, by ``op``.
    giving : tuple of str
        Those of them that give a label.
    """

    operations: Mapping[str, Operation] = {}
    giving: tuple[str, ...] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.handlers |= {"edit": self._edit, "undo": self._take_back, "redo": self._redo}

    def _about_to(self, op: str, images: Sequence[str]) -> None:
        """Called before an edit of the page is done."""

    def _undone_by_page(self) -> None:
        """Called when the page has taken something back."""

    def _edit(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        undoable, forget = not content.get("guest"), bool(content.get("forget"))
        with self.session.visiting(content["split"], undoable=undoable, forget=forget):
            return self._edit_here(content)

    def _edit_here(self, content: dict[str, Any]) -> Any:
        session = self.session
        images, named = content.get("images"), True
        if images is None:
            images, named = session.images_at(content["ranges"], session.view_numbered(int(content["view"]))), False
        operation = self.operations.get(content["op"])
        if operation is None:
            raise InputError(f"op={content['op']!r} is not known; use one of {sorted(self.operations)!r}.")
        if content["op"] in self.giving:  # a page that hasn't heard yet would bring a renamed label back
            session.check_known(content["label"])
        self._about_to(content["op"], images)
        outcome = operation(session, images, content, content.get("revisions"))
        return self._outcome(outcome, images if named else None, content)

    def _outcome(self, outcome: EditResult, images: Sequence[str] | None, edit: dict[str, Any] | None = None) -> Any:
        conflicts = [
            {"image": c.image, "short": short_name(c.image), "theirs": c.theirs, "yours": c.yours}
            for c in outcome.conflicts
        ]
        retry = {name: edit[name] for name in _SAID_AGAIN if name in edit} if edit else None
        return {
            "info": self._info(),
            "split": self.session.split,
            "rows": self.session.rows(images if images is not None else outcome.images[:_MOST_ROWS]),
            "images": outcome.images[:1],
            "conflicts": conflicts,
            "edit": retry,
            "reload": images is None,
        }

    def _take_back(self, content: dict[str, Any], buffers: list[Any], *, redo: bool = False) -> Any:
        outcome = self.session.redo() if redo else self.session.undo()
        if outcome.images and not redo:
            self._undone_by_page()
        return self._outcome(outcome, outcome.images[:_MOST_ROWS])

    def _redo(self, content: dict[str, Any], buffers: list[Any]) -> Any:
        return self._take_back(content, buffers, redo=True)
