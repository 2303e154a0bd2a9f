"""The tier of this run."""

from __future__ import annotations

import os

THOROUGH_VARIABLE = "CUSTOMLABELS_NB_TEST_THOROUGH"
EXHAUSTIVE_VARIABLE = "CUSTOMLABELS_NB_TEST_EXHAUSTIVE"
EXHAUSTIVE = os.environ.get(EXHAUSTIVE_VARIABLE) == "1"
THOROUGH = EXHAUSTIVE or os.environ.get(THOROUGH_VARIABLE) == "1"


def many(examples: int) -> int:
    """Return the number of generated examples: all in the exhaustive tier, otherwise a tenth of them, at least 5.

    A property that only the thorough tier tests draws a quarter of them, at least 8.
    """
    if EXHAUSTIVE:
        return examples
    return max(8, examples // 4) if THOROUGH else max(5, examples // 10)
