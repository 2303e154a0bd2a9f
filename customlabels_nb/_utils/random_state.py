"""Check seeds of random numbers."""

from __future__ import annotations

from customlabels_nb.errors import InputError


def check_random_state(value: object) -> None:
    """Raise InputError unless ``value`` is an integer from 0 to 4294967295, which all libraries accept as a seed."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise InputError(f"random_state={value!r} must be an integer from 0 to 4294967295.")
