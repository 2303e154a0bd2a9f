"""Tests of displaying widgets with a static image."""

from __future__ import annotations

from typing import Any

import ipywidgets
import pytest

from customlabels_nb.widgets.static_fallback import display_with_fallback


def test_boxes_of_ipywidgets_7_are_displayed(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("IPython.display.display", lambda what, **_: shown.append(what))
    monkeypatch.delattr(ipywidgets.Widget, "_repr_mimebundle_", raising=False)
    box = ipywidgets.VBox()
    display_with_fallback(box, "<p>3 images</p>")
    assert [getattr(what, "data", what) for what in shown] == ["<p>3 images</p>", box]
