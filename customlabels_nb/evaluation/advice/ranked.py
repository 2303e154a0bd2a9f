"""The list of all advice, the strongest first, which shows itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import overload

import pandas as pd

from customlabels_nb.evaluation.advice.advice_html import advice_html, advice_text
from customlabels_nb.evaluation.advice.advice_images import Pictures
from customlabels_nb.evaluation.advice.items import HERE, AdviceItem

#: More than this nobody reads; the strongest are kept.
MOST_ITEMS = 12
#: One kind doesn't crowd out the others.
MOST_OF_A_KIND = 4


@dataclass(frozen=True, eq=False, repr=False)
class Advice(Sequence[AdviceItem]):
    """What would help most, the strongest first; empty where nothing was found.

    Attributes
    ----------
    items : tuple of AdviceItem
    notes : tuple of str
        What was not looked at or not shown, in sentences.
    name : str
        What was evaluated.
    labels : DataFrame
        ``label`` and ``colour``.
    pictures : callable, optional
        Gives small pictures of images, to be shown in notebooks.
    """

    items: tuple[AdviceItem, ...]
    notes: tuple[str, ...] = ()
    name: str = ""
    labels: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"label": [], "colour": []}))
    pictures: Pictures | None = None

    @overload
    def __getitem__(self, index: int) -> AdviceItem: ...
    @overload
    def __getitem__(self, index: slice) -> Advice: ...
    def __getitem__(self, index: int | slice) -> AdviceItem | Advice:
        if isinstance(index, slice):
            return replace(self, items=self.items[index])
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[AdviceItem]:
        return iter(self.items)

    def about(self, kind: str | None = None, *, label: str | None = None) -> Advice:
        """Only what is of this kind, or speaks of this label."""
        chosen = (item for item in self.items if kind in (None, item.kind) and (label is None or label in item.labels))
        return replace(self, items=tuple(chosen))

    def to_frame(self) -> pd.DataFrame:
        """One row an item: kind, text, labels (tuple of str), images (how many), call, weight."""
        rows = [
            (item.kind, item.text, item.labels, item.images["image"].nunique(), item.call, item.weight)
            for item in self.items
        ]
        table = pd.DataFrame(rows, columns=["kind", "text", "labels", "images", "call", "weight"])
        return table.astype({"kind": "str", "text": "str", "images": "int64", "call": "str", "weight": "float64"})

    def __repr__(self) -> str:
        return advice_text(self.items, self.name, self.notes)

    def _repr_html_(self) -> str:
        colours = dict(zip(self.labels["label"], self.labels["colour"], strict=True))
        return advice_html(self.items, self.name, self.notes, colours, self.pictures)


def strongest(found: Sequence[AdviceItem]) -> tuple[tuple[AdviceItem, ...], int]:
    """The items that are shown, each with its place in its call, and how many were left out.

    Doubtful truth comes first: it makes all other advice doubtful.
    """
    kept: list[AdviceItem] = []
    for item in sorted(found, key=lambda item: (item.kind != "label_error", -item.weight)):
        if len(kept) < MOST_ITEMS and sum(other.kind == item.kind for other in kept) < MOST_OF_A_KIND:
            kept.append(replace(item, call=item.call.replace(HERE, f"report.advice[{len(kept)}]")))
    return tuple(kept), len(found) - len(kept)
