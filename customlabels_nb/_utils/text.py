"""Sanitise names given by users (labels, files, models) for display: no control characters, no markup, no passwords."""

from __future__ import annotations

import codecs
import html
import re
import unicodedata
import warnings
from collections.abc import Iterable

_JOINERS = "\u200c\u200d"  # invisible, but required by several scripts and many emoji

_LOGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([^\s/?#\"'<>]*)@", re.IGNORECASE)
_LOGIN_OF_URL = re.compile(r"(?:^|(?<=::))([a-z][a-z0-9+.-]*)://([^/?#]*)@", re.IGNORECASE)
#: Copies of ``copy=True``, in the project or named by the number of their task.
_COPIED = re.compile(r"(?:images|\d+)/(.+)-[0-9a-f]{16}((?:[.][a-z0-9]{1,5})?)")
_OTHER_ENCODINGS = ("gb18030", "shift_jis", "euc_kr", "big5", "cp1251")


def without_passwords(text: str) -> str:
    """Remove passwords from the URLs in ``text``, and user names too from URLs of web servers and S3."""
    return _LOGIN.sub(_without_login, text) if "@" in text and "://" in text else text


def plain_url(name: str) -> str:
    """Remove the password from a path or URL, and warn if there was one."""
    plain = _LOGIN_OF_URL.sub(_without_login, name)
    if plain != name:
        warnings.warn(
            f"The password in the URL {plain.partition('?')[0]!r} was removed and is neither used nor stored. Put it "
            "where the protocol's tools look for it: ~/.netrc for http, https and ftp, ~/.aws/credentials for s3.",
            stacklevel=3,
        )
    return plain


def _without_login(match: re.Match[str]) -> str:
    protocol, (user, colon, _) = match[1], match[2].partition(":")
    if not colon and protocol.lower() not in ("http", "https"):
        return match[0]  # only a user name, or the container in an abfs:// URL
    kept = "" if protocol.lower() in ("http", "https", "s3", "s3a") else f"{user}@"
    return f"{protocol}://{kept}"


def printable(text: str) -> str:
    """Replace control characters, which a terminal would interpret, except line breaks."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c == "\n" or _is_shown(c) else "\ufffd" for c in text)


def one_line(text: str) -> str:
    """Replace control characters as :func:`printable` does, and line breaks with spaces."""
    return printable(" ".join(text.splitlines()))


def first_line(error: BaseException) -> str:
    """Return the first line of an error message, truncated to 200 characters."""
    return (str(error).strip().splitlines() or [""])[0][:200]


def escaped(text: str) -> str:
    """Escape ``text`` for HTML, including quoted attributes, on one line."""
    return html.escape(one_line(text))


def file_name(path: str) -> str:
    """Return the file name of a path without its folders, or of a URL without its query."""
    plain = path.partition("?")[0] if "://" in path else path
    return plain.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] or path


def last_part(name: str) -> str:
    """Return the last part of a path or URL, with its query and without the hash of a copied file."""
    return name_before_copying(name) or name.rstrip("/").rsplit("/", 1)[-1]


def name_before_copying(image: str) -> str | None:
    """Return the file name of a copy of ``copy=True`` without the hash, or None for another image."""
    copied = _COPIED.fullmatch(image)
    return None if copied is None else "".join(copied.groups())


def counted(number: int, one: str, many: str = "") -> str:
    """Format a count with its noun, such as ``1 image`` or ``2,000 images``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(names: Iterable[str], most: int = 8) -> str:
    """Join names as ``a``, ``a and b`` or ``a, b and c``, ending with ``… and 5 more`` if there are many."""
    shown = list(names)
    if len(shown) > most + 1:
        shown = [*shown[:most], f"{len(shown) - most:,} more"]
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def quoted(names: Iterable[str], most: int = 4) -> str:
    """List distinct names in quotes, as :func:`listed` does."""
    return listed((repr(str(name)) for name in dict.fromkeys(names)), most)


def _is_shown(character: str) -> bool:
    # str.isprintable rejects all spaces but the ASCII one, but names contain others (macOS screenshots, for example)
    return character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"


def utf_16_of(data: bytes) -> list[str]:
    """Return the name of the encoding in a list if the data are UTF-16, which has a NUL in each ASCII letter."""
    head = data[:1000]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ["utf-16"]
    if head.count(0) * 4 < len(head) or not head:
        return []
    return ["utf-16-be" if head[::2].count(0) > head[1::2].count(0) else "utf-16-le"]


def fitting_encodings(data: bytes) -> list[str]:
    """Return the encodings in which text that is not UTF-8 consists of letters, the most likely first."""
    high = bytes(byte if byte > 127 else 32 for byte in data).split()
    # in Latin alphabets most letters are ASCII, in others a letter has two bytes or is next to another one
    order = ["cp1252"] if max(map(len, high), default=0) < 2 else [*_OTHER_ENCODINGS, "cp1252"]
    return [encoding for encoding in order if _is_text(data, encoding)]


def _is_text(data: bytes, encoding: str) -> bool:
    try:
        others = [character for character in data.decode(encoding) if not character.isascii()]
    except UnicodeDecodeError:
        return False
    return all(character.isalpha() and not "\uff61" <= character <= "\uff9f" for character in others)
