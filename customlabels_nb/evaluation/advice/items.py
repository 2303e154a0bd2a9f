"""What a piece of advice is."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import pandas as pd

from customlabels_nb._utils.text import one_line, printable

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
#: Stands in a call for the item itself. What comes from data is written with ``repr``, which can't hold it.
HERE = "\0"
#: Images named of each item.
SHOWN_IMAGES = 4


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
        return printable("\n".join(item_lines(self)))


def item_lines(item: AdviceItem, mark: str = "") -> list[str]:
    """Write an item as text: what was seen, its images, the code."""
    indent = " " * len(mark)
    said = textwrap.wrap(one_line(f"{item.heading}: {item.text}"), 100, initial_indent=mark, subsequent_indent=indent)
    names = item.images["image"].drop_duplicates()
    shown = ", ".join(short_name(name) for name in names.head(SHOWN_IMAGES))
    more = f" and {len(names) - SHOWN_IMAGES:,} more" if len(names) > SHOWN_IMAGES else ""
    code = [f"{indent}    {line}" for line in item.call.splitlines()]
    return [*said, *([f"{indent}{shown}{more}"] if shown else []), *code]


def short_name(image: str) -> str:
    """Return the name of an image without its folder."""
    return one_line(image.rstrip("/").rsplit("/", 1)[-1])
