"""Check the requests of a page against the parameters of the functions that handle them."""

from __future__ import annotations

import inspect
import math
import reprlib
from collections.abc import Callable, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from customlabels_nb.errors import InputError

_LARGEST = 2**53 - 1  # integer that JavaScript can represent
_NAMES = {str: "a string", int: "an integer", float: "a number", bool: "true or false", NoneType: "null"}


class MalformedError(InputError):
    """A request lacks a field, or a field has a value of another type."""


def arguments_of(
    function: Callable[..., Any], content: Any, buffers: Sequence[Any] = (), where: str = "content"
) -> dict[str, Any]:
    """Check the fields of a request, and return them as the arguments of a function or class.

    Each parameter is a field of the content. Its annotation is the type of the value, and a parameter without a default
    is required. The parameter ``content`` takes all fields, described by a TypedDict, and ``buffer`` the only buffer of
    the request. Fields without a parameter are ignored: edits that a page kept may come from another release.

    Strings contain no NUL and no lone surrogate. Numbers are finite, and integers are those of JavaScript.

    Raises
    ------
    MalformedError
        If a field is missing or has another type.
    """
    if not isinstance(content, dict):
        raise _wrong(where, content, "a dictionary")
    types, arguments = get_type_hints(function), dict[str, Any]()
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "buffer":
            if len(buffers) != 1:
                raise MalformedError(f"it has {len(buffers)} buffers instead of one")
            arguments[name] = buffers[0]
        elif name == "content":
            arguments[name] = _read(content, types.get(name, Any), where)
        elif name in content:
            arguments[name] = _read(content[name], types.get(name, Any), _inside(where, name))
        elif parameter.default is parameter.empty:
            raise MalformedError(f"{_inside(where, name)} is missing")
    return arguments


def _inside(where: str, name: str) -> str:
    return name if where == "content" else f"{where}.{name}"


def _read(value: Any, expected: Any, where: str) -> Any:
    """Return a JSON value as an instance of the expected type."""
    origin, parts = get_origin(expected), get_args(expected)
    if origin in (Union, UnionType):
        if value is None and NoneType in parts:
            return None
        return _read(value, next(part for part in parts if part is not NoneType), where)
    if expected is Any:
        return value
    if origin is Literal:
        if value not in parts:
            raise _wrong(where, value, f"one of {parts!r}")
        return value
    if expected in _NAMES:
        return _plain(value, expected, where)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return _read_list(value, origin, parts, where)
    if not isinstance(value, dict):
        raise _wrong(where, value, "a dictionary")
    if origin is not None:
        return {_plain(key, str, where): _read(item, parts[1], f"{where}[…]") for key, item in value.items()}
    return _read_fields(value, expected, where)


def _read_list(value: Any, origin: type, parts: tuple[Any, ...], where: str) -> Any:
    if not isinstance(value, list):
        raise _wrong(where, value, "a list")
    types = [parts[0]] * len(value) if origin is not tuple or parts[-1] is ... else parts
    if len(types) != len(value):
        raise _wrong(where, value, f"a list of {len(types)} values")
    items = [_read(item, types[index], f"{where}[{index}]") for index, item in enumerate(value)]
    return tuple(items) if origin is tuple else items


def _read_fields(value: dict[str, Any], expected: Any, where: str) -> Any:
    if not is_typeddict(expected):
        return expected(**arguments_of(expected, value, where=where))
    fields = get_type_hints(expected)
    if missing := expected.__required_keys__ - value.keys():
        raise MalformedError(f"{_inside(where, min(missing))} is missing")
    checked = {name: _read(value[name], fields[name], _inside(where, name)) for name in fields if name in value}
    return Fields({**value, **checked})


def _plain(value: Any, expected: type, where: str) -> Any:
    kinds = (int, float) if expected is float else expected
    is_right = isinstance(value, kinds) and (expected is bool or not isinstance(value, bool))
    if is_right and isinstance(value, str):
        is_right = "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
    elif is_right and isinstance(value, int):
        is_right = abs(value) <= _LARGEST
    elif is_right and isinstance(value, float):
        is_right = math.isfinite(value)
    if not is_right:
        raise _wrong(where, value, _NAMES[expected])
    return value


def _wrong(where: str, value: Any, wanted: str) -> MalformedError:
    return MalformedError(f"{where}={reprlib.repr(value)} must be {wanted}")


class Fields(dict[str, Any]):
    """Fields of a request, of which some are needed only by some operations."""

    def __missing__(self, field: str) -> Any:
        raise MalformedError(f"{field} is missing")
