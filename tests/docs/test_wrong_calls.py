"""Wrong calls of everything public raise an error of the package, which says what to call."""

from __future__ import annotations

import inspect
from typing import Any

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb._utils.unknown_names import MADE_BY, NameHints
from customlabels_nb.errors import ArgumentError, CustomLabelsError
from tests.docs.reference import classes, function_of, functions, members

#: Too many positions for any function.
MANY = (None,) * 30
FUNCTIONS = dict(functions())
METHODS = {
    f"{owner.__name__}.{name}": (owner, value)
    for owner in classes()
    if issubclass(owner, NameHints)
    for name, value in members(owner)
    if inspect.isfunction(function_of(value)) and not isinstance(value, staticmethod | classmethod)
}


def test_functions_name_the_arguments_they_take() -> None:
    for name, function in FUNCTIONS.items():
        with pytest.raises(ArgumentError, match=r"Call it as|must be text"):
            function(*MANY)
        with pytest.raises(ArgumentError, match="has no argument 'nothing'"):
            function(nothing=1)
        assert name.endswith(f".{function.__name__}")


def test_methods_name_the_arguments_they_take() -> None:
    for name, (owner, method) in METHODS.items():
        message = rf"^{name}\(\) takes .*Call it as {method.__name__}\(|must be"
        with pytest.raises(ArgumentError, match=message):
            method(object.__new__(owner), *MANY)


@pytest.mark.parametrize(
    "owner", [each for each in classes() if each.__name__ in MADE_BY], ids=lambda each: each.__name__
)
def test_classes_whose_objects_come_from_a_call_name_it(owner: type) -> None:
    calls: tuple[Any, ...] = ((), ("fruit",), (3,), (None,), (pd.DataFrame(),), MANY)
    for values in calls:
        with pytest.raises(ArgumentError, match=rf"^{owner.__name__}\(.*is not a valid call\. Use .*\w") as caught:
            owner(*values)
        assert all(call in str(caught.value) for call in MADE_BY[owner.__name__])


def test_classes_of_the_package_do_not_end_in_errors_of_python() -> None:
    own = [value for name in cl.__all__ if inspect.isclass(value := getattr(cl, name))]
    for owner in own:
        if issubclass(owner, NameHints):
            with pytest.raises(CustomLabelsError):
                owner(*MANY)
    assert {owner.__name__ for owner in own if not issubclass(owner, NameHints)} == {"CustomLabelsError", "Events"}
