"""What a store tells of a project as a whole: what counting needs, and the list of what was done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime

import pandas as pd


class Overview(ABC):
    """A part of the contract; see :class:`customlabels_nb.store.base.Store`."""

    @abstractmethod
    def outline_images(self, images: Sequence[str] | None = None) -> pd.DataFrame:
        """All images of both datasets in numbers: what counting needs, without names.

        Parameters
        ----------
        images : sequence of str, optional
            Only these, on whatever side they are: the cost is theirs, however large the project is.

        Returns
        -------
        DataFrame
            number (int64, ascending; an image keeps its number), split and status (categories), added (datetime, when
            it came into the project), predicted (bool, whether any model said something of it).
        """

    @abstractmethod
    def outline_annotations(self, numbers: Sequence[int] | None = None) -> pd.DataFrame:
        """All annotations of both datasets, or those of images with these numbers, without boxes.

        The columns are number (of the image), label and annotator (categories; annotator may be null) and created
        (datetime).
        """

    @abstractmethod
    def image_count(self) -> int:
        """How many images both datasets have together."""

    @abstractmethod
    def image_names(self, numbers: Sequence[int]) -> pd.DataFrame:
        """The images with these numbers, as far as they are there: number, split, image."""

    @abstractmethod
    def actions(self, *, before: int | None = None, who: str | None = None, limit: int | None = 50) -> pd.DataFrame:
        """Actions, newest first, without what they changed: id, created, who, what, note, split, count.

        Also undoes, undone_by and undoable, as :meth:`customlabels_nb.store.base.Store.history` has them.

        Parameters
        ----------
        before : int, optional
            Only actions with a smaller id.
        who : str, optional
            Only theirs.
        """

    @abstractmethod
    def actors(self) -> dict[str, int]:
        """Who did something, and how many actions."""

    @abstractmethod
    def changes_since(self, moment: datetime) -> tuple[int, datetime | None]:
        """How many actions changed images, annotations or labels after ``moment``, and when the first of them did."""

    @abstractmethod
    def undo_refusal(self, action_id: int) -> str | None:
        """Why :meth:`customlabels_nb.store.base.Store.undo` would refuse to take an action back, None if not."""
