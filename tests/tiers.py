"""The tier of this run."""

from __future__ import annotations

import os

THOROUGH_VARIABLE = "CUSTOMLABELS_NB_TEST_THOROUGH"
ALL_VARIABLE = "CUSTOMLABELS_NB_TEST_ALL"
THOROUGH = os.environ.get(THOROUGH_VARIABLE) == "1"


def many(examples: int) -> int:
    """Return the number of generated examples: half in the thorough tier, which repeats property tests, or a tenth.

    ``CUSTOMLABELS_NB_TEST_ALL=1`` generates all in the thorough tier, which takes two slow cores more than an hour.
    """
    share = 10 if not THOROUGH else 1 if os.environ.get(ALL_VARIABLE) == "1" else 2
    return max(5, examples // share)
