"""What all widgets share: their JavaScript, joined from modules without a build step, and answers to the page.

The front end takes one module and can't resolve relative imports. So the modules that a widget's file imports
are put before it, each once and after those that it imports itself; ``import`` lines between them and the
``export`` words of all but the widget's own file are dropped. ``node --test`` runs the very same files as they
are. Names at the top level of these files must differ.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from customlabels_nb.errors import CustomLabelsError, DamagedError, InputError, OutdatedError, StoreError
from customlabels_nb.labeling import change_signal

Handler: TypeAlias = Callable[[dict[str, Any], list[Any]], Any]

STATIC = Path(__file__).parent / "static"

_IMPORT = re.compile(r'^import\s+(?:[^"\';]*?\s+from\s+)?["\'](?P<path>\.[^"\']*)["\'];?[ \t]*\n', re.MULTILINE)
_RENAMED = re.compile(r"\bas\b|\*")
_LEFT_OVER = re.compile(r"""^(?:import|export)\b[^"'`;=(]*["']\.[^"']*["'].*""", re.MULTILINE)
_EXPORT = re.compile(r"^export\s+(?=(?:async\s+)?(?:function|class|const|let)\b)", re.MULTILINE)
_TOP_LEVEL_NAME = re.compile(r"^(?:export\s+)?(?:async\s+)?(?:function|class|const|let)\s+([\w$]+)", re.MULTILINE)


def join_modules(entry: Path) -> str:
    """One JavaScript module with the code of ``entry`` and of all that it imports by relative paths.

    Raises
    ------
    ValueError
        If modules import each other in a circle, two of them use one name at their top level, or an import has a form
        that isn't known here.
    """
    parts: dict[Path, str] = {}
    _collect(entry.resolve(), parts, ())
    owners: dict[str, Path] = {}
    for path, source in parts.items():
        for name in _TOP_LEVEL_NAME.findall(source):
            if name in owners:
                raise ValueError(f"{name!r} stands at the top level of {owners[name].name} and of {path.name}.")
            owners[name] = path
    *shared, own = parts.values()
    return "\n".join([*(_EXPORT.sub("", source) for source in shared), own])


def _collect(path: Path, parts: dict[Path, str], above: tuple[Path, ...]) -> None:
    if path in above:
        raise ValueError(f"{path.name} imports itself by way of {', '.join(p.name for p in above)}.")
    if path in parts:
        return
    source = path.read_text("utf-8")
    for match in _IMPORT.finditer(source):
        if _RENAMED.search(match[0].rpartition("from")[0]):
            raise ValueError(f"In {path.name}, {match[0].strip()!r} can't be joined: names stay what they are.")
        _collect((path.parent / match["path"]).resolve(), parts, (*above, path))
    parts[path] = _IMPORT.sub("", source)
    left = _LEFT_OVER.search(parts[path])
    if left:
        raise ValueError(f'In {path.name}, {left[0]!r} can\'t be joined: write import {{ a }} from "./b.js"; alone.')


def join_styles(*names: str) -> str:
    """The style sheets of these names in ``static/`` in one, the later ones more specific.

    Every widget brings a copy of ``shared/base.css``, so a widget's own sheet must win by its selectors, not by its
    place: it nests its rules in its root class twice named, ``.clnb-<name>.clnb``.
    """
    return "\n".join((STATIC / name).read_text("utf-8") for name in names)


class MessageHandler:
    """For widgets whose page asks: answers messages of ``{id, kind, content}`` with the same id.

    A subclass fills ``handlers`` in its ``__init__`` and passes :meth:`answer` to ``on_msg``. Handlers take content and
    buffers and return content, or content and buffers; content is JSON. They may run in any thread, also while a cell
    runs. It stands before the widget's base.
    """

    handlers: dict[str, Handler]
    send: Callable[..., None]
    comm: Any

    def answer(self, _widget: Any, message: Any, buffers: list[Any]) -> None:
        """Answer one message of the page; an error becomes its answer, in words."""
        if not isinstance(message, dict) or "id" not in message:
            return
        handler = self.handlers.get(str(message.get("kind")))
        try:
            if handler is None:
                raise InputError(f"This widget knows no {message.get('kind')!r}: its page is of another release.")
            found = handler(message.get("content") or {}, buffers or [])
            content, sent = found if isinstance(found, tuple) else (found, [])
            self.send({"answer": message["id"], "content": content}, list(sent))
        except CustomLabelsError as error:
            again = isinstance(error, StoreError) and not isinstance(error, OutdatedError | DamagedError)
            self.send({"answer": message["id"], "error": str(error), "again": again})
        except Exception as error:
            logging.getLogger("customlabels_nb").exception("A widget could not answer %r.", message.get("kind"))
            self.send({"answer": message["id"], "error": f"{type(error).__name__}: {error}"})

    def open(self) -> None:
        """Tell the page that the widget is there."""
        super().open()  # type: ignore[misc]
        self._listen_while_cells_run()

    def _send(self, msg: Any, buffers: list[Any] | None = None) -> None:
        super()._send(msg, buffers)  # type: ignore[misc]
        self._listen_while_cells_run()

    def _listen_while_cells_run(self) -> None:
        """Let messages of the page reach the thread that it asks for.

        Since ipykernel 7.4 they go to where the widget was last written from. Where a cell makes a widget or tells it
        something, that is the main thread, which has no time before the cell has run.
        """
        if self.comm is not None:
            vars(self.comm).pop("_reply_subshell_id", None)


class ChangeListener:
    """For widgets whose page looks now and then for what others did: other screens of this kernel make it look at once.

    A subclass calls :meth:`hear_of`; its page answers the push "follow". It stands before the widget's base.
    """

    send: Callable[..., None]
    _stop_hearing: Callable[[], None] | None = None

    def hear_of(self, root: Path) -> None:
        """Hear of changes of the project in this folder."""
        self._stop_hearing = change_signal.listen(root, self._hear)

    def _hear(self) -> None:
        self.send({"push": "follow"})

    def close(self) -> None:
        """End the widget."""
        if self._stop_hearing is not None:
            self._stop_hearing()
        super().close()  # type: ignore[misc]
