"""The tier of this run."""

from __future__ import annotations

import os

THOROUGH_VARIABLE = "CUSTOMLABELS_NB_TEST_THOROUGH"
THOROUGH = os.environ.get(THOROUGH_VARIABLE) == "1"


def many(examples: int) -> int:
    """Return the number of generated examples: a quarter in the thorough tier, which repeats the tests, or a tenth."""
    return max(5, examples // (4 if THOROUGH else 10))
