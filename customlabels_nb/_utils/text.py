"""Names that people gave (labels, files, models) on their way to a screen: no control characters, no markup."""

from __future__ import annotations

import html
import re
import unicodedata
import warnings

_JOINERS = "\u200c\u200d"  # invisible, but several scripts and many emoji fall apart without them

_LOGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([^\s/?#\"'<>]*)@", re.IGNORECASE)
_LOGIN_OF_URL = re.compile(r"(?:^|(?<=::))([a-z][a-z0-9+.-]*)://([^/?#]*)@", re.IGNORECASE)


def without_passwords(text: str) -> str:
    """Return ``text`` with no password in any of its URLs; of web servers and S3 the user name goes, too."""
    return _LOGIN.sub(_without_login, text) if "@" in text and "://" in text else text


def plain_url(name: str) -> str:
    """Return a path or URL without a password, and warn if there was one."""
    plain = _LOGIN_OF_URL.sub(_without_login, name)
    if plain != name:
        warnings.warn(
            f"The password in the URL {plain.partition('?')[0]!r} was left out and is neither used nor stored. Put it "
            "where the protocol's own tools look: ~/.netrc for http, https and ftp, ~/.aws/credentials for s3.",
            stacklevel=3,
        )
    return plain


def _without_login(found: re.Match[str]) -> str:
    protocol, (user, colon, _) = found[1], found[2].partition(":")
    if not colon and protocol.lower() not in ("http", "https"):
        return found[0]  # a user name alone, or the container that abfs:// has there
    kept = "" if protocol.lower() in ("http", "https", "s3", "s3a") else f"{user}@"
    return f"{protocol}://{kept}"


def printable(text: str) -> str:
    """``text`` with a mark in place of each control character but line ends: a terminal would obey them."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c == "\n" or _is_shown(c) else "\ufffd" for c in text)


def one_line(text: str) -> str:
    """``text`` as :func:`printable`, with spaces for line ends."""
    return printable(" ".join(text.splitlines()))


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, at most 200 characters of it."""
    return (str(error).strip().splitlines() or [""])[0][:200]


def escaped(text: str) -> str:
    """``text`` on one line for HTML, also inside of quotes."""
    return html.escape(one_line(text))


def file_name(path: str) -> str:
    """Return the name of a file without its folders, and of a URL without its query."""
    plain = path.partition("?")[0] if "://" in path else path
    return plain.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] or path


def counted(number: int, one: str, many: str = "") -> str:
    """A number and its noun: ``1 image``, ``2,000 images``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _is_shown(character: str) -> bool:
    # str.isprintable refuses all spaces but one, and names hold others: file names of screenshots on a Mac do
    return character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"
