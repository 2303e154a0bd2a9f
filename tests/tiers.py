"""The tier of this run."""

from __future__ import annotations

import os

THOROUGH_VARIABLE = "CUSTOMLABELS_NB_TEST_THOROUGH"
THOROUGH = os.environ.get(THOROUGH_VARIABLE) == "1"


def many(examples: int) -> int:
    """Return the number of generated examples: a quarter of them in the thorough tier, a tenth in the first.

    Of few examples, the thorough tier draws 8 and the first 5, so that it never only repeats the first.
    """
    return max(8, examples // 4) if THOROUGH else max(5, examples // 10)
