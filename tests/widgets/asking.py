"""Asking widgets as their pages would."""

from __future__ import annotations

from typing import Any

import pytest

from customlabels_nb.widgets.results import Results


class ResultsPage:
    """Asks a results screen as its page would."""

    def __init__(self, screen: Results, monkeypatch: pytest.MonkeyPatch) -> None:
        self.screen = screen
        self.sent: list[tuple[Any, Any]] = []
        monkeypatch.setattr(screen, "send", lambda content, buffers=None: self.sent.append((content, buffers)))

    def ask(self, kind: str, **content: Any) -> Any:
        """The content of the answer; RuntimeError with its words if it is an error."""
        return self.ask_whole(kind, **content)[0]

    def ask_whole(self, kind: str, **content: Any) -> tuple[Any, list[bytes]]:
        """Content and buffers."""
        self.screen.answer(self.screen, {"id": 7, "kind": kind, "content": content}, [])
        answer, buffers = next(sent for sent in reversed(self.sent) if "answer" in sent[0])
        self.sent.clear()
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["content"], buffers

    def pushes(self) -> list[dict[str, Any]]:
        """What was pushed to the page since the last question."""
        found = [content for content, _ in self.sent if "push" in content]
        self.sent.clear()
        return found
