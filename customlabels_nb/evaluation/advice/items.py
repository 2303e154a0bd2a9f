"""Single suggestion for improving a model."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import pandas as pd

from customlabels_nb._utils.text import last_part, one_line, printable

#: Heading of each kind of suggestion.
KINDS: dict[str, str] = {
    "threshold": "Better threshold",
    "trade_off": "Threshold trade-off",
    "label_error": "Check these labels first",
    "suspects": "Check these training labels",
    "confusion": "Confused labels",
    "box_limit": "Limit of boxes",
    "missed": "Missed",
    "false_alarm": "False positives",
    "misplaced": "Imprecise boxes",
    "box_size": "Missed box size",
    "never_found": "Never found",
    "several_appearances": "Varying appearance",
    "slice": "Weak slice",
    "rare": "Few images",
    "over_confident": "Overconfident",
    "few_test_images": "Too few test images",
}
#: Maximum number of images listed per suggestion.
SHOWN_IMAGES = 4


@dataclass(frozen=True, eq=False)
class AdviceItem:
    """Single suggestion for improving a model.

    Attributes
    ----------
    kind : str
        "threshold", "trade_off", "label_error", "suspects", "confusion", "box_limit", "missed", "false_alarm",
        "misplaced", "box_size", "never_found", "several_appearances", "slice", "rare", "over_confident" or
        "few_test_images".
    text : str
        Observation and suggestion, in one or two sentences.
    labels : tuple of str
        Labels that the suggestion is about.
    images : DataFrame
        Test images that show the problem (for "suspects" training images), clearest first: ``image``, and further
        columns that depend on the kind.
    call : str
        Code that applies the suggestion or lists the images, empty if there is none. It runs in an empty notebook.
    weight : float
        Estimated gain in mean F1 if all these mistakes were corrected. Suggestions about the reliability of the metrics
        have a small weight.

    Examples
    --------
    >>> item = cl.evaluate(truth, predictions).advice[1]
    >>> item.heading
    'Few images'
    >>> item.text
    'cat and dog have fewer than 3 test images, so their metrics are unreliable. Add more of them to the test set.'
    """

    kind: str
    text: str
    labels: tuple[str, ...]
    images: pd.DataFrame
    call: str
    weight: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind={self.kind!r} is unknown. Choose one of: {', '.join(KINDS)}.")

    @property
    def heading(self) -> str:
        """Heading for this kind of suggestion."""
        return KINDS[self.kind]

    @property
    def names(self) -> list[str]:
        """Names of the images, without duplicates."""
        return [str(name) for name in self.images["image"].unique()]

    def __repr__(self) -> str:
        return printable("\n".join(item_lines(self)))


def item_lines(item: AdviceItem, mark: str = "") -> list[str]:
    """Format a suggestion as lines of text: observation and advice, images, and code."""
    indent = " " * len(mark)
    lines = textwrap.wrap(one_line(f"{item.heading}: {item.text}"), 100, initial_indent=mark, subsequent_indent=indent)
    names = item.images["image"].drop_duplicates()
    shown = ", ".join(one_line(last_part(name)) for name in names.head(SHOWN_IMAGES))
    more = f" and {len(names) - SHOWN_IMAGES:,} more" if len(names) > SHOWN_IMAGES else ""
    code = [f"{indent}    {line}" for line in item.call.splitlines()]
    return [*lines, *([f"{indent}{shown}{more}"] if shown else []), *code]
