"""Tab in a notebook offers every public name of every public object, and the arguments of calls."""

from __future__ import annotations

import inspect
import types
import typing
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import customlabels_nb as cl
from tests.docs.reference import classes, functions, hints, members

SHELL = InteractiveShell.instance(colors="nocolor", config=Config({"HistoryManager": {"enabled": False}}))
#: The others repeat this, and parse the source of what they return.
FIRST = ("Project", "Dataset", "Labels")


def completed(monkeypatch: pytest.MonkeyPatch, code: str, **names: Any) -> set[str]:
    """Return what IPython offers at the end of a cell in which these names are known."""
    assert SHELL.Completer.use_jedi
    monkeypatch.setattr(SHELL.Completer, "namespace", names)
    with provisionalcompleter():
        return {found.text for found in SHELL.Completer.completions(code, len(code))}


def made(owner: type) -> Any:
    """Return an object of a class whose constructor did not run, and that a widget does not close."""
    own = types.new_class(owner.__name__, (owner,), exec_body=lambda names: names.update(__del__=lambda self: None))
    thing = tuple.__new__(own, owner.__match_args__) if issubclass(owner, tuple) else object.__new__(own)
    for name in getattr(owner, "__dataclass_fields__", ()):
        object.__setattr__(thing, name, None)
    return thing


@pytest.mark.parametrize(
    "owner",
    [pytest.param(each, marks=[pytest.mark.thorough] * (each.__name__ not in FIRST)) for each in classes()],
)
def test_an_object_offers_all_its_public_names(owner: type, monkeypatch: pytest.MonkeyPatch) -> None:
    thing = made(owner)
    names = {name for name in dir(thing) if not name.startswith("_")}
    assert names <= completed(monkeypatch, "thing.", thing=thing)


def test_no_property_has_a_literal_as_its_type() -> None:
    def literals(kind: Any) -> bool:
        return typing.get_origin(kind) is typing.Literal or any(map(literals, typing.get_args(kind)))

    found = [
        f"{owner.__name__}.{name}"
        for owner in classes()
        for name, value in members(owner)
        if isinstance(value, property) and literals(hints(value.fget).get("return"))
    ]
    assert found == []  # jedi 0.20 fails, and offers no name of the object


def arguments(function: Any) -> set[str]:
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {f"{each.name}=" for each in inspect.signature(function).parameters.values() if each.kind in by_name}


def test_calls_offer_their_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"cl": cl, "project": made(cl.Project), "model": made(cl.Model)}
    for call, started in (("project.train", "b"), ("model.evaluate", "t"), ("cl.evaluate", "t")):
        expected = {name for name in arguments(eval(call, names)) if name.startswith(started)}  # noqa: S307
        assert expected
        assert expected <= completed(monkeypatch, f"{call}({started}", **names)


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "function"), list(functions()))
def test_every_function_offers_its_arguments(name: str, function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert arguments(function) <= completed(monkeypatch, f"{name}(", cl=cl)
