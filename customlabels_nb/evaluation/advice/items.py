"""What a piece of advice is, and the list of them, which shows itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import overload

import pandas as pd

from customlabels_nb.evaluation.advice.pictures import Picture

#: What advice may be about: kind → its heading.
KINDS: dict[str, str] = {
    "threshold": "A better threshold",
    "trade_off": "A threshold to choose",
    "label_error": "Check these labels first",
    "confusion": "Taken for another label",
    "missed": "Missed",
    "false_alarm": "False alarms",
    "misplaced": "Boxes that lie badly",
    "box_size": "Missed by size",
    "never_found": "Never found",
    "several_looks": "Several looks",
    "rare": "Few images",
    "over_confident": "Confidences too high",
    "few_test_images": "Too few test images",
}
#: More than this nobody reads; the strongest are kept.
MOST_ITEMS = 12
#: One kind doesn't crowd out the others.
MOST_OF_A_KIND = 4
#: Stands in a call for the item itself. What comes from data is written with ``repr``, which can't hold it.
HERE = "\0"

#: Gives a small picture of an image, or None where there is none.
Pictures = Callable[[str], Picture | None]


@dataclass(frozen=True, eq=False)
class AdviceItem:
    """One piece of advice.

    Attributes
    ----------
    kind : str
        A key of :data:`KINDS`.
    text : str
        What was seen and what to do, in a sentence or two.
    labels : tuple of str
        The labels that it speaks of.
    images : DataFrame
        The test images that it speaks of, the most telling first: ``image`` and what is to be known of it.
    call : str
        The code that does it, or opens what it speaks of.
    weight : float
        About how much the mean F1 would gain, if it went as well as it can; a little where advice is about how far
        figures can be trusted.
    """

    kind: str
    text: str
    labels: tuple[str, ...]
    images: pd.DataFrame
    call: str
    weight: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"Unknown kind: {self.kind!r}.")

    @property
    def heading(self) -> str:
        """The kind in words."""
        return KINDS[self.kind]

    @property
    def names(self) -> list[str]:
        """The names of its images, each once."""
        return [str(name) for name in self.images["image"].unique()]

    def __repr__(self) -> str:
        from customlabels_nb.evaluation.advice.markup import item_text

        return item_text(self)


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
        from customlabels_nb.evaluation.advice.markup import advice_text

        return advice_text(self)

    def _repr_html_(self) -> str:
        from customlabels_nb.evaluation.advice.markup import advice_html

        return advice_html(self)


def strongest(found: Sequence[AdviceItem]) -> tuple[tuple[AdviceItem, ...], int]:
    """The items that are shown, each with its place in its call, and how many were left out.

    Doubtful truth comes first: it makes all other advice doubtful.
    """
    kept: list[AdviceItem] = []
    for item in sorted(found, key=lambda item: (item.kind != "label_error", -item.weight)):
        if len(kept) < MOST_ITEMS and sum(other.kind == item.kind for other in kept) < MOST_OF_A_KIND:
            kept.append(replace(item, call=item.call.replace(HERE, f"report.advice[{len(kept)}]")))
    return tuple(kept), len(found) - len(kept)
