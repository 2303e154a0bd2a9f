"""Send requests to widgets like their pages, and display them like notebooks."""

from __future__ import annotations

import json
import threading
from typing import Any

import ipywidgets
import pytest


class Page:
    """Page of a widget that sends requests.

    ``sent`` has everything that the widget has sent, and ``pushed`` what is no answer to a request.
    """

    def __init__(self, widget: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.widget = widget
        self.sent: list[dict[str, Any]] = []
        self.pushed: list[dict[str, Any]] = []
        self._buffers: list[bytes] = []
        self._news = threading.Condition()
        monkeypatch.setattr(widget, "send", self._take)

    def _take(self, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        content = json.loads(json.dumps(content, allow_nan=False))  # like the comm
        with self._news:
            self.sent.append(content)
            if "push" in content:
                self.pushed.append(content)
            else:
                self._buffers = buffers or []
            self._news.notify_all()

    def ask(self, kind: str, *buffers: bytes, **content: Any) -> Any:
        """Return the content of the answer, or raise RuntimeError with its message if it is an error."""
        return self.ask_whole(kind, *buffers, **content)[0]

    def ask_whole(self, kind: str, *buffers: bytes, **content: Any) -> tuple[Any, list[bytes]]:
        """Return content and buffers of the answer."""
        before = len(self.sent)
        self.widget.answer(self.widget, {"id": 7, "kind": kind, "content": content}, list(buffers))
        with self._news:  # another thread may answer
            assert self._news.wait_for(lambda: any("answer" in sent for sent in self.sent[before:]), 60)
        (answer,) = [sent for sent in self.sent[before:] if "answer" in sent]
        assert answer["answer"] == 7
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["content"], self._buffers

    def edit(self, op: str, images: list[str], **more: Any) -> Any:
        """Send an edit of images."""
        return self.ask("edit", **{"op": op, "images": images, "split": "train", "revisions": {}, **more})


class JobPage(Page):
    """Page of a labelling job."""

    def rows(self, show: str | None = None) -> list[Any]:
        """Return the rows that the page shows."""
        hello = self.ask("hello")
        query = hello["query"] if show is None else {**hello["query"], "show": show}
        shown = self.ask("show", split="train", query=query, place=hello["place"], size=24, pixels=160)
        return list(shown["page"]["rows"])

    def edit_row(self, op: str, row: Any, **more: Any) -> Any:
        """Send an edit of one image that was shown."""
        return self.edit(op, [row["name"]], revisions={row["name"]: row["revision"]}, **more)


class Cell:
    """Output of a notebook cell that displays a widget.

    ``html`` is what a saved notebook has, and ``outermost`` the live widget, or the box that contains it.
    """

    def __init__(self, widget: Any) -> None:
        self.html = ""
        self.outermost: Any = None
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("IPython.display.display", self._display)
            widget._ipython_display_()

    @property
    def widgets(self) -> tuple[Any, ...]:
        """Return the live widgets, from top to bottom."""
        return tuple(self.outermost.children)

    def update(self, html: Any) -> None:
        """Replace the HTML, which widgets do when it is outdated."""
        self.html = html.data

    def _display(self, shown: Any, **_: Any) -> Cell:
        if isinstance(shown, ipywidgets.Widget):  # of ipywidgets 7
            self.outermost = shown
        elif isinstance(shown, dict):
            model = shown["application/vnd.jupyter.widget-view+json"]["model_id"]
            self.outermost = ipywidgets.widget_serialization["from_json"](f"IPY_MODEL_{model}", None)
        else:
            self.update(shown)
        return self
