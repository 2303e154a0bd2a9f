"""Base of the Jupyter widgets: JavaScript bundling without a build step, and request handling for their pages.

The front end takes one module and cannot resolve relative imports. Therefore the modules that a widget's file imports
are placed before it, each once and after its own imports. ``import`` lines between them are dropped, and so are the
``export`` keywords of all files except the widget's own. ``node --test`` runs the same files unchanged. Top-level names
in these files must be unique.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from customlabels_nb.core import change_signal
from customlabels_nb.errors import CustomLabelsError, DamagedError, InputError, OutdatedError, StoreError
from customlabels_nb.widgets._requests import MalformedError, arguments_of

Handler: TypeAlias = Callable[..., Any]

STATIC = Path(__file__).parent / "static"

_IMPORT = re.compile(r'^import\s+(?:[^"\';]*?\s+from\s+)?["\'](?P<path>\.[^"\']*)["\'];?[ \t]*\n', re.MULTILINE)
_RENAMED = re.compile(r"\bas\b|\*")
_LEFT_OVER = re.compile(r"""^(?:import|export)\b[^"'`;=(]*["']\.[^"']*["'].*""", re.MULTILINE)
_EXPORT = re.compile(r"^export\s+(?=(?:async\s+)?(?:function|class|const|let)\b)", re.MULTILINE)
_TOP_LEVEL_NAME = re.compile(r"^(?:export\s+)?(?:async\s+)?(?:function|class|const|let)\s+([\w$]+)", re.MULTILINE)


def join_modules(entry: Path) -> str:
    """Bundle ``entry`` and all modules that it imports by relative paths into one JavaScript module.

    ValueError is raised if modules import each other in a circle, two modules use the same top-level name, or an import
    has an unsupported form.
    """
    parts: dict[Path, str] = {}
    _collect(entry.resolve(), parts, ())
    owners: dict[str, Path] = {}
    for path, source in parts.items():
        for name in _TOP_LEVEL_NAME.findall(source):
            if name in owners:
                raise ValueError(f"{name!r} is defined at the top level of both {owners[name].name} and {path.name}.")
            owners[name] = path
    *shared, entry_source = parts.values()
    return "\n".join([*(_EXPORT.sub("", source) for source in shared), entry_source])


def _collect(path: Path, parts: dict[Path, str], above: tuple[Path, ...]) -> None:
    if path in above:
        raise ValueError(f"{path.name} imports itself through {', '.join(p.name for p in above)}.")
    if path in parts:
        return
    source = path.read_text("utf-8")
    for match in _IMPORT.finditer(source):
        if _RENAMED.search(match[0].rpartition("from")[0]):
            raise ValueError(f"In {path.name}, {match[0].strip()!r} cannot be bundled: names cannot be changed.")
        _collect((path.parent / match["path"]).resolve(), parts, (*above, path))
    parts[path] = _IMPORT.sub("", source)
    unbundled = _LEFT_OVER.search(parts[path])
    if unbundled:
        raise ValueError(f'In {path.name}, {unbundled[0]!r} cannot be bundled: use only import {{ a }} from "./b.js";')


def join_styles(*names: str) -> str:
    """Concatenate the style sheets of these names in ``static/``.

    Every widget brings a copy of ``shared/base.css``, so a widget's own sheet must win by its selectors, not by its
    position: its rules are nested in its root class with a doubled class name, ``.clnb-<name>.clnb``.
    """
    return "\n".join((STATIC / name).read_text("utf-8") for name in names)


class MessageHandler:
    """Mixin for widgets whose page sends requests.

    It responds to messages of ``{id, kind, content}`` with the same id. A subclass fills ``handlers`` in its
    ``__init__`` and passes :meth:`answer` to ``on_msg``. The parameters of a handler are the fields of the content, see
    :func:`~customlabels_nb.widgets._requests.arguments_of`. It returns content, or content and buffers, or a Future of
    them if it takes long. The content is JSON. Handlers may run in any thread, also while a cell runs. Put this class
    before the widget's base class.
    """

    handlers: dict[str, Handler]
    send: Callable[..., None]
    comm: Any

    def answer(self, _widget: Any, message: Any, buffers: list[Any]) -> None:
        """Handle one message of the page and send the response, or the message of the error."""
        if not isinstance(message, dict) or "id" not in message:
            return
        answer, kind = message["id"], str(message.get("kind"))
        with self._sending_errors(answer, kind):
            handler = self.handlers.get(kind)
            if handler is None:
                raise InputError(f"Unknown request {kind!r}. The page was loaded by another release: reload it.")
            content = message.get("content")
            response = handler(**arguments_of(handler, {} if content is None else content, buffers or []))
            if isinstance(response, Future):
                response.add_done_callback(lambda done: self._send_late(answer, kind, done))
            else:
                self._send_response(answer, response)

    def _send_late(self, answer: Any, kind: str, done: Future[Any]) -> None:
        with self._sending_errors(answer, kind):
            self._send_response(answer, done.result())

    def _send_response(self, answer: Any, response: Any) -> None:
        content, sent = response if isinstance(response, tuple) else (response, [])
        self.send({"answer": answer, "content": content}, list(sent))

    @contextmanager
    def _sending_errors(self, answer: Any, kind: str) -> Iterator[None]:
        """Send the message of an error in the block as the answer."""
        try:
            yield
        except MalformedError as error:
            self.send({"answer": answer, "error": f"Malformed request {kind!r}: {error}. Reload the page."})
        except CustomLabelsError as error:
            again = isinstance(error, StoreError) and not isinstance(error, OutdatedError | DamagedError)
            self.send({"answer": answer, "error": str(error), "again": again})
        except Exception as error:
            logging.getLogger("customlabels_nb").exception("A widget failed to handle %r.", kind)
            self.send({"answer": answer, "error": f"{type(error).__name__}: {error}"})

    def open(self) -> None:
        """Open the connection to the page."""
        super().open()  # type: ignore[misc]
        self._listen_while_cells_run()

    def _send(self, msg: Any, buffers: list[Any] | None = None) -> None:
        super()._send(msg, buffers)  # type: ignore[misc]
        self._listen_while_cells_run()

    def _listen_while_cells_run(self) -> None:
        """Let messages of the page arrive in the thread that it addresses.

        Since ipykernel 7.4, messages are routed to the thread that last wrote to the widget. If a cell creates a widget
        or sends it a message, that is the main thread, which is busy until the cell has finished.
        """
        if self.comm is not None:
            vars(self.comm).pop("_reply_subshell_id", None)


class ChangeListener:
    """Mixin for widgets whose page polls for changes: other widgets of this kernel make it poll immediately.

    A subclass calls :meth:`listen_to`, and its page handles the push "follow". Put this class before the widget's base
    class.
    """

    send: Callable[..., None]
    _stop_listening: Callable[[], None] | None = None

    def listen_to(self, root: Path) -> None:
        """Listen for changes of the project in this folder."""
        self._stop_listening = change_signal.listen(root, self._on_change)

    def _on_change(self) -> None:
        self.send({"push": "follow"})

    def close(self) -> None:
        """Close the widget.

        Examples
        --------
        >>> screen = project.label("train")  # or project.annotate(), project.review()
        >>> screen.close()
        """
        if self._stop_listening is not None:
            self._stop_listening()
        super().close()  # type: ignore[misc]
