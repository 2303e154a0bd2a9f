"""Functions that run inside a notebook's kernel: checks, the record of calls, and breaking functions."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

PACKAGE = "customlabels_nb"
_checks: list[ModuleType] = []


def prepare(checks: str | None, record: str | None, broken: dict[str, str] | None) -> None:
    """Prepare the kernel before the first cell.

    Parameters
    ----------
    checks : str, optional
        File with the notebook's checks.
    record : str, optional
        File for the public functions that cells called, written by `finish`.
    broken : dict, optional
        ``{"module", "name", "how"}``: see :func:`break_function`.
    """
    if checks is not None:
        spec = importlib.util.spec_from_file_location("notebook_checks", checks)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        _checks[:] = [module]
    if broken is not None:
        break_function(**broken)
    if record is not None:
        _Record(Path(record)).start()


def check(name: str) -> None:
    """Call one of the checks with the variables of the cells."""
    from IPython import get_ipython

    sys.setprofile(None)
    getattr(_checks[0], name)(get_ipython().user_ns)
    if _Record.current is not None:
        sys.setprofile(_Record.current.see)


def finish() -> None:
    """Write the record."""
    sys.setprofile(None)
    if _Record.current is not None:
        _Record.current.write()


class _Record:
    """Recorder of the public functions, methods and properties that the cells themselves call."""

    current: _Record | None = None

    def __init__(self, path: Path) -> None:
        self._path = path
        self._called: dict[tuple[str, str], None] = {}
        self._cells: dict[int, bool] = {}

    def start(self) -> None:
        type(self).current = self
        sys.setprofile(self.see)

    def see(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or frame.f_back is None or "ipykernel_" not in frame.f_back.f_code.co_filename:
            return
        module = frame.f_globals.get("__name__", "")
        if module.split(".")[0] == PACKAGE:
            self._called.setdefault((module, frame.f_code.co_qualname))

    def write(self) -> None:
        found = [list(called) for called in self._called if is_public(called[1])]
        self._path.write_text(json.dumps(found), encoding="utf-8")


def is_public(name: str) -> bool:
    """Return True if a dotted name has no private part. Constructors count as their class."""
    parts = name.removesuffix(".__init__").split(".")
    return not any(part.startswith(("_", "<")) for part in parts)


def break_function(module: str, name: str, how: str) -> None:
    """Replace a function, method or property with a broken one.

    Parameters
    ----------
    how : {"raises", "nothing", "changed"}
        Raise an error, do nothing and return None, or return another value (see :func:`changed`).
    """
    owner: Any = importlib.import_module(module)
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    found = vars(owner)[last]
    kinds = (staticmethod, classmethod)
    if isinstance(found, property):
        setattr(owner, last, property(_broken(found.fget, how), found.fset, found.fdel))
    elif isinstance(found, kinds):
        setattr(owner, last, type(found)(_broken(found.__func__, how)))
    elif hasattr(found, "func") and hasattr(found, "attrname"):  # functools.cached_property
        setattr(owner, last, property(_broken(found.func, how)))
    else:
        setattr(owner, last, _broken(found, how))


def _broken(function: Any, how: str) -> Callable[..., Any]:
    """Return a broken version of a function."""

    def broken(*arguments: Any, **options: Any) -> Any:
        if how == "raises":
            raise RuntimeError("broken on purpose")
        return None if how == "nothing" else changed(function(*arguments, **options))

    return broken


def changed(value: Any) -> Any:
    """Return a wrong value of the same kind: a shifted number, a table with a row less and shifted numbers.

    Raises
    ------
    Unchangeable
        For kinds of values without such an alternative.
    """
    import numpy as np
    import pandas as pd

    if isinstance(value, bool | np.bool_):
        return not value
    if isinstance(value, int | np.integer):
        return value + 1
    if isinstance(value, float | np.floating):
        return value * 0.7 + 0.1
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, Path):
        return value.with_name(value.name + "x")
    if isinstance(value, list | tuple) and value:
        return type(value)(value[:-1]) if not hasattr(value, "_fields") else Unchangeable.tell(value)
    if isinstance(value, dict) and value:
        return dict(list(value.items())[:-1])
    if isinstance(value, pd.Series | pd.DataFrame) and len(value):
        return value.iloc[:-1]
    if isinstance(value, Iterator):
        return iter(list(value)[:-1])
    return Unchangeable.tell(value)


class Unchangeable(BaseException):
    """Error for a value without a known wrong alternative, which no cell can catch by accident."""

    @classmethod
    def tell(cls, value: Any) -> Any:
        """Raise it for the value."""
        raise cls(type(value).__name__)
