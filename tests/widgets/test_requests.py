"""Tests of requests from pages: what they may reach, and that malformed ones change nothing."""

from __future__ import annotations

import importlib
import json
import logging
import pkgutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, TypedDict

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from customlabels_nb import widgets
from customlabels_nb.user_settings import settings
from customlabels_nb.widgets import label_manager
from customlabels_nb.widgets._base import MessageHandler
from customlabels_nb.widgets._requests import MalformedError, arguments_of
from tests.widgets.screens import LABELERS, OPEN, Screen, replaced, spots, texts

WORDS = "a word of a fixed list"
KNOWN = "an entry of the project, the job or the session with this name"
TEXT = "text that is stored, shown or compared"

#: What a page may reach with each text that it sends: its fields by kind of request.
REACH: dict[str, dict[str, str]] = {
    WORDS: {
        "show": "split query.show query.sort query.queue query.reason", "edit": "op split status",
        "save": "split status", "add again": "split", "task": "task",
        "labels change": "op", "unit": "unit", "act": "action", "add": "split",
        "pick": "split", "point": "split", "open": "screen link.show link.queue link.state link.work",
        "export": "format include splits what",
        "filter": "filter.show filter.sort", "moved": "position.mode", "keep": "position.mode",
        "intervals": "position.mode", "fix": "position.mode", "crops": "position.mode",
    },
    KNOWN: {
        "show": "near left query query.label query.like query.predicted query.annotator", "arrange": "near",
        "follow": "images", "full": "image", "pictures": "images", "picture": "instructions",
        "image": "image", "region": "image", "outline": "image", "add again": "image",
        "prepare outlines": "image following", "fix": "image position.own", "crops": "label predicted position.own",
        "edit": "images label labels instead_of revisions",
        "save": "image labels shapes", "labels uses": "label", "labels change": "label before into",
        "upload part": "batch", "upload end": "batch label on_known", "history": "who", "act": "about",
        "open": "link.label link.annotator link.person link.skipped_by link.verdict link.image link.mixed",
        "compare": "name", "choose": "model", "add": "label labels model", "part": "key", "ask": "key",
        "moved": "position.own", "keep": "position.own", "intervals": "position.own slice",
        "values": "by", "filter": "filter.label filter.pair filter.slice filter.images",
    },
    TEXT: {
        "show": "query.search query.text", "edit": "reason note", "save": "reason note", "add label": "label",
        "labels change": "name labels color", "name": "name", "label": "label", "ask": "name", "follow": "assist",
        "assist": "budget", "invite": "person", "filter": "filter.search", "ring": "text",
    },
    "a new file in the project's folder for images": {"upload part": "name"},
    "any URL, but no path": {"ask": "url"},
    "any project, file or URL, of people who have a kernel": {"labels find": "source"},
    "pictures in its lines, any file or URL, of people who have a kernel": {"instructions": "text"},
    "any folder, of people who have a kernel": {"export": "folder path"},
}  # fmt: skip
FILES = {"labels find.source", "instructions.text", "export.folder", "export.path"}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Screen]]:
    """Yield a function that opens a screen by its name, once."""
    screens: dict[str, Screen] = {}

    def open_(name: str) -> Screen:
        settings.user = "meg"
        if name not in screens:
            screens[name] = Screen(name, tmp_path_factory.mktemp("screen"))
        return screens[name]

    yield open_
    for screen in screens.values():
        screen.widget.close()


def ask(screen: Screen, kind: str, content: Any, buffers: Sequence[bytes] = ()) -> dict[str, Any]:
    """Send a request, and return the answer."""
    answers: SimpleQueue[Any] = SimpleQueue()  # other threads may answer
    screen.widget.send = lambda message, buffers=None: answers.put(message) if "answer" in message else None
    screen.widget.answer(screen.widget, {"id": 1, "kind": kind, "content": content}, list(buffers))
    answer = answers.get(timeout=60)
    assert answers.empty()
    return dict(json.loads(json.dumps(answer)))


def buffers_of(screen: Screen, kind: str) -> list[bytes]:
    return [b"not an image"] if "buffer" in screen.widget.handlers[kind].__code__.co_varnames else []


# -- what texts may reach --------------------------------------------------------------------------------
def _widgets(cls: type) -> Iterator[type]:
    """Yield the subclasses that a module of the package defines, without those that traitlets makes of them."""
    for own in cls.__subclasses__():
        if getattr(sys.modules[own.__module__], own.__name__, None) is own and own.__module__.startswith(
            widgets.__name__
        ):
            yield own
        yield from _widgets(own)


def test_every_text_field_of_a_page_is_listed(opened: Callable[[str], Screen]) -> None:
    for module in pkgutil.iter_modules(widgets.__path__, "customlabels_nb.widgets."):
        importlib.import_module(module.name)
    known = set(_widgets(MessageHandler))
    found: set[str] = set()
    classes: set[type] = set()
    for name in OPEN:
        widget = opened(name).widget
        classes.add(next(cls for cls in type(widget).__mro__ if cls in known))
        query = getattr(getattr(widget, "session", None), "query_type", None)
        for kind, handler in widget.handlers.items():
            found.update(texts(handler, kind, query))
    bases = {base for cls in known for base in cls.__mro__[1:]}
    assert known - bases == classes - bases
    listed = [
        f"{kind}.{field}" for group in REACH.values() for kind, fields in group.items() for field in fields.split()
    ]
    assert sorted(found) == sorted(listed)


@pytest.mark.parametrize("name", ["gallery", "annotator", "review", "job gallery", "job annotator", "job review"])
def test_a_page_gets_the_pictures_of_its_instructions_only(name: str, opened: Callable[[str], Screen]) -> None:
    screen = opened(name)
    instructions = screen.widget.session.instructions
    line = instructions.split("\n").index("![ripe](ripe.png)")
    assert ask(screen, "picture", {"instructions": instructions, "line": line, "nth": 0})["content"] == {
        "mime": "image/jpeg"
    }
    for wrong in (line - 1, line + 1, -1, 10**6):
        assert (
            "has no picture" in ask(screen, "picture", {"instructions": instructions, "line": wrong, "nth": 0})["error"]
        )
    changed = instructions.replace("ripe.png", "../photos/train/0.png")
    answer = ask(screen, "picture", {"instructions": changed, "line": line, "nth": 0})
    assert "The instructions have changed" in answer["error"]


_EVENTS: list[str] = []


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("open", "os.listdir", "os.scandir", "socket.connect", "socket.getaddrinfo", "sqlite3.connect"):
        _EVENTS.append(f"{event} {arguments!r}")


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an image that no project has, and note from now on what is opened."""
    folder = tmp_path_factory.mktemp("secret-folder")
    Image.new("RGB", (20, 10), "red").save(folder / "here.png")
    sys.addaudithook(_note)
    return folder


def hostile(secrets: Path, root: Path) -> list[tuple[str, str]]:
    """Return names of an image outside of the project, each with one of an image that does not exist."""
    up = "../" * len(root.parts)
    places = [f"{secrets}/", f"{up}{str(secrets)[1:]}/", f"file://{secrets}/",
              f"1/{up}{str(secrets)[1:]}/", "http://127.0.0.1:9/secret-folder/"]  # fmt: skip
    return [(f"{place}here.png", f"{place}gone.png") for place in places]


def operations(screen: Screen, kind: str) -> Sequence[str | None]:
    if kind == "labels change":
        return list(label_manager._OPERATIONS)
    return list(screen.widget.operations) if kind == "edit" else [None]


def contents_with(screen: Screen, kind: str, *names: str) -> Iterator[list[Any]]:
    """Yield contents in which each text in turn is one of the names, for all names."""

    def put(name: str) -> Callable[[Any, Any], None]:
        def change(parent: Any, key: Any) -> None:
            if isinstance(parent[key], dict) and "apple" in parent[key]:
                parent[key] = {name: parent[key]["apple"]}
            elif isinstance(parent[key], str | None):
                parent[key] = name

        return change

    for optional in ("", *screen.optional(kind)):
        for operation in operations(screen, kind)[: None if names[0].startswith("/") else 1]:
            content = screen.content(kind, optional) | ({} if operation is None else {"op": operation})
            for spot in spots(content):
                field = ".".join([kind, *(part for part in spot if isinstance(part, str))])
                is_url = field == "ask.url" and names[0].startswith("http")
                contents = [replaced(content, spot, put(name)) for name in names]
                is_new = contents[0] != content and optional in ("", spot[0])
                if is_new and not (field in FILES or is_url or spot[-1] == "op"):
                    yield contents


@pytest.mark.parametrize(
    "turns", [(0,), pytest.param((1, 2, 3, 4), marks=pytest.mark.exhaustive)], ids=["one", "others"]
)
@pytest.mark.parametrize("name", OPEN)
def test_names_of_a_page_reach_no_file_outside_of_the_project(
    name: str,
    turns: tuple[int, ...],
    opened: Callable[[str], Screen],
    secrets: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    screen = opened(name)
    pairs = hostile(secrets, screen.project.root)
    for names in [pairs[(list(OPEN).index(name) + turn) % len(pairs)] for turn in turns]:
        for kind in screen.widget.handlers:
            for contents in contents_with(screen, kind, *names):
                _EVENTS.clear()
                answers = [ask(screen, kind, content, buffers_of(screen, kind)) for content in contents]
                assert not [event for event in _EVENTS if "secret-folder" in event or "'127.0.0.1', 9" in event]
                if "error" in answers[0]:  # it does not tell which one exists
                    errors = [str(answer.get("error")).replace("gone.png", "here.png") for answer in answers]
                    assert errors[0] == errors[1], (kind, contents[0])


def test_people_who_label_have_no_request_that_takes_a_file(opened: Callable[[str], Screen]) -> None:
    for name in LABELERS:
        screen = opened(name)
        assert not {"labels find", "export", "ask"}.intersection(screen.widget.handlers)
        for kind in {"instructions", "task", "add label", "upload begin"}.intersection(screen.widget.handlers):
            assert "The manager of a labelling job chooses" in ask(screen, kind, {"text": "![](/etc/passwd)"})["error"]


# -- malformed requests --------------------------------------------------------------------------------------
class Failures(logging.Handler):
    """Keep what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(logging.Formatter().format(record))


@pytest.fixture
def failures() -> Iterator[list[str]]:
    """Yield a list of what the package logs."""
    handler, logger = Failures(), logging.getLogger("customlabels_nb")
    logger.addHandler(handler)
    yield handler.records
    logger.removeHandler(handler)


def stored(screen: Screen) -> Any:
    """Return everything that requests can change in the project."""
    with screen.store.reading() as connection:
        names = "project images annotations labels predictions versions history jobs job_tasks job_skips job_answers"
        return [connection.exec_driver_sql(f"SELECT * FROM {name}").fetchall() for name in names.split()]


NUMBERS = (0, 1, -1, 2, 5, 7, 0.5, 2**31, 2**53 - 1, 1 - 2**53, 1e308, -1e308, 5e-324)
STRINGS = (
    *(
        "",
        " ",
        "x" * 300,
        "#12345g",
        "\u202e😀",
        "apple",
        "pear",
        "9/0.png",
        "train",
        "test",
        "anna",
        "fruit.2",
        "boxes",
    ),
    *("multi-label", "skipped", "needs_review", "unlabelled", "errors", "to_review", "random", "similarity", "doubt"),
    *("assist", "clustered", "suspect", "hour", "day", "show", "fp", "suspects", "fixed", "assumed", "per label"),
    *("most confident", "cross-validated", "resume", "close", "trust", "accept", "return", "train", "yolo", "https://"),
)
WRONG = st.recursive(
    st.sampled_from([None, True, False, 2**53, 2**63, -(10**400), float("nan"), float("inf"), "a\0b", "\ud800", {}, []])
    | st.sampled_from(NUMBERS)
    | st.sampled_from(STRINGS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["label", "x"]), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def contents(draw: st.DrawFn, screen: Screen, kind: str, operation: str | None) -> Any:
    """Draw contents in which some values are missing, unusual or of another type."""
    if draw(st.integers(0, 9)) == 0:
        return draw(WRONG)
    content = screen.content(kind, *draw(st.sets(st.sampled_from([*screen.optional(kind), ""]))))
    if operation is not None:
        content = {name: value for name, value in content.items() if name == "label" or draw(st.integers(0, 3))}
        content["op"] = operation

    def change(parent: Any, key: Any) -> None:
        how = draw(st.sampled_from(["drop", "wrong", "unusual", "unusual", "unusual"]))
        if how == "drop":
            del parent[key]
        elif how == "unusual" and isinstance(parent[key], str | None):
            parent[key] = draw(st.sampled_from(STRINGS))
        elif how == "unusual" and type(parent[key]) in (int, float):
            kept = [number for number in NUMBERS if isinstance(number, type(parent[key]))]
            parent[key] = draw(st.sampled_from(kept))
        else:
            parent[key] = draw(WRONG)

    for _ in range(draw(st.integers(0 if operation else 1, 3))):
        if places := list(spots(content)):
            content = replaced(content, draw(st.sampled_from(places)), change)
    return content


@pytest.mark.parametrize("most", [4, pytest.param(30, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("name", OPEN)
def test_malformed_requests_change_nothing_and_log_nothing(
    name: str,
    most: int,
    opened: Callable[[str], Screen],
    failures: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    screen = opened(name)

    def check(kind: str, content: Any, buffers: list[bytes]) -> None:
        before = stored(screen)
        answer = ask(screen, kind, content, buffers)
        assert not failures, (kind, content, failures.pop())
        if "error" in answer:
            assert stored(screen) == before
        screen.renew()

    for kind in screen.widget.handlers:
        right, often = buffers_of(screen, kind), most if screen.content(kind, *screen.optional(kind)) else 3
        for operation in operations(screen, kind):
            buffers = st.sampled_from([right, right, right, [], [b"a", b"b"]])
            run = given(st.just(kind), contents(screen, kind, operation), buffers)(check)
            hypothesis_settings(max_examples=often, suppress_health_check=list(HealthCheck))(run)()


class Corner(NamedTuple):
    x: float
    y: float = 0.0


class Edit(TypedDict, total=False):
    names: list[str | None]
    corners: list[Corner]


def handle(view: int, ranges: Sequence[tuple[int, int]] = (), edit: Edit | None = None) -> Any:
    return view, ranges, edit


def test_a_handler_gets_its_fields_as_values_of_their_types() -> None:
    assert arguments_of(handle, {"view": 3, "another": "field"}) == {"view": 3}
    edit = {"names": ["a", None], "corners": [{"x": 1}], "z": 1}
    found = arguments_of(handle, {"view": 3, "ranges": [[0, 1]], "edit": edit})
    assert found == {"view": 3, "ranges": [(0, 1)], "edit": {**edit, "corners": [Corner(1)]}}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], r"content=\[\] must be a dictionary"),
        ({}, "view is missing"),
        ({"view": True}, "view=True must be an integer"),
        ({"view": 1.0}, r"view=1.0 must be an integer"),
        ({"view": 2**53}, "view=9007199254740992 must be an integer"),
        ({"view": 1, "ranges": {}}, "ranges={} must be a list"),
        ({"view": 1, "ranges": [[1]]}, r"ranges\[0\]=\[1\] must be a list of 2 values"),
        ({"view": 1, "ranges": [[1, "2"]]}, r"ranges\[0\]\[1\]='2' must be an integer"),
        ({"view": 1, "edit": {"names": ["\ud800"]}}, r"edit.names\[0\]='\\ud800' must be a string"),
        ({"view": 1, "edit": {"names": ["a\0"]}}, r"edit.names\[0\]='a\\x00' must be a string"),
        ({"view": 1, "edit": {"corners": [{"x": float("nan")}]}}, r"edit.corners\[0\].x=nan must be a number"),
        ({"view": 1, "edit": {"corners": [{"y": 1}]}}, r"edit.corners\[0\].x is missing"),
    ],
)
def test_a_malformed_request_names_the_field_and_its_value(content: Any, words: str) -> None:
    with pytest.raises(MalformedError, match=f"^{words}$"):
        arguments_of(handle, content)
