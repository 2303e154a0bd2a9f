"""Send requests to widgets like their pages."""

from __future__ import annotations

from typing import Any

import pytest

from customlabels_nb.widgets.results import Results


class ResultsPage:
    """Page of a results screen that sends requests."""

    def __init__(self, screen: Results, monkeypatch: pytest.MonkeyPatch) -> None:
        self.screen = screen
        self.sent: list[tuple[Any, Any]] = []
        monkeypatch.setattr(screen, "send", lambda content, buffers=None: self.sent.append((content, buffers)))

    def ask(self, kind: str, **content: Any) -> Any:
        """Return the content of the response, or raise RuntimeError with its message if it is an error."""
        return self.ask_whole(kind, **content)[0]

    def ask_whole(self, kind: str, **content: Any) -> tuple[Any, list[bytes]]:
        """Return content and buffers of the response."""
        self.screen.answer(self.screen, {"id": 7, "kind": kind, "content": content}, [])
        answer, buffers = next(sent for sent in reversed(self.sent) if "answer" in sent[0])
        self.sent.clear()
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["content"], buffers

    def pushes(self) -> list[dict[str, Any]]:
        """Return the messages pushed to the page since the last request."""
        found = [content for content, _ in self.sent if "push" in content]
        self.sent.clear()
        return found
