"""Colors of labels: the palette, and the check of a color that a user chose."""

from __future__ import annotations

import re

from customlabels_nb.errors import InputError

#: Default colors of labels: the six of Okabe and Ito, then those farthest apart with and without color blindness
#: (distance in OKLab, simulation of Machado et al. 2009), visible on light and dark backgrounds.
PALETTE = (
    "#d55e00", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#594d66", "#ae26ff", "#ccbf99", "#8b7ee6",
    "#364e99", "#80412d", "#806080", "#8000cc", "#99c6cc", "#cc9f99", "#62b26c", "#4d6659", "#e67300", "#b23eb2",
)  # fmt: skip
#: Colors of correct and wrong predictions, distinguishable for color-blind readers.
RIGHT, WRONG = "#2f7fc1", "#c8452f"

#: Color of a label, #rrggbb.
COLOR = re.compile(r"#[0-9a-fA-F]{6}")


def label_color(position: int) -> str:
    """Return the default color (#rrggbb) for the label at ``position``."""
    return PALETTE[position % len(PALETTE)]


def check_color(color: str) -> str:
    if not isinstance(color, str) or not COLOR.fullmatch(color):
        raise InputError(f"color={color!r} must have the form '#rrggbb', such as '#c8553d'.")
    return color.lower()
