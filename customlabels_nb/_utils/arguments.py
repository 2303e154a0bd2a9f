"""Check numbers and text that users pass as arguments, with the same rules and messages everywhere."""

from __future__ import annotations

from collections.abc import Collection
from numbers import Integral, Real
from typing import TypeGuard

from customlabels_nb.errors import InputError


def plain_repr(value: object) -> str:
    """Return the repr of a value, with NumPy's scalars as plain numbers: ``8``, not ``np.int64(8)``."""
    import numpy as np

    with np.printoptions(legacy="1.25"):
        return repr(value)


def is_number(value: object) -> TypeGuard[float]:
    """Check whether a value is a number of Python or NumPy. True and False are not numbers."""
    return isinstance(value, Real) and not isinstance(value, bool)


def check_integer(name: str, value: object, least: int, most: int | None = None, *, otherwise: str = "") -> int:
    """Return an argument as int, or raise InputError unless it is an integer from ``least`` to ``most``.

    NumPy's integers are accepted. True, 8.0 and "8" are not. ``otherwise`` describes other values that the caller
    accepts, such as "None for all".
    """
    if isinstance(value, Integral) and not isinstance(value, bool):
        number = int(value)
        if number >= least and (most is None or number <= most):
            return number
    allowed = f"of at least {least:,}" if most is None else f"from {least:,} to {most:,}"
    raise InputError(f"{name}={plain_repr(value)} must be an integer {allowed}{otherwise and f', or {otherwise}'}.")


def check_fraction(
    name: str, value: object, least: float = 0, most: float = 1, *, exclude: Collection[float] = (), otherwise: str = ""
) -> float:
    """Return an argument as float, or raise InputError unless it is a number between ``least`` and ``most``.

    NumPy's numbers are accepted. True and "0.5" are not. The bounds in ``exclude`` are not accepted either.
    """
    if is_number(value) and least <= value <= most and value not in exclude:
        return float(value)
    but = f", but not {' or '.join(f'{bound:g}' for bound in exclude)}" if exclude else ""
    share = value / 100 if is_number(value) and value >= 10 else -1.0
    hint = f" Did you mean {share:g}?" if least <= share <= most else ""
    allowed = f"a number between {least:g} and {most:g}{but}{otherwise and f', or {otherwise}'}"
    raise InputError(f"{name}={plain_repr(value)} must be {allowed}.{hint}")


def check_random_state(value: object) -> int:
    """Return a seed as int, or raise InputError unless it is an integer that all libraries accept as a seed."""
    return check_integer("random_state", value, 0, 2**32 - 1)


def surrogate_error(error: UnicodeEncodeError) -> InputError:
    """Return the error for a text with a lone surrogate, which databases cannot store."""
    return InputError(f"{error.object[:200]!r} cannot be stored: it contains a lone surrogate.")
