"""Files behind URLs, through fsspec: what a server tells of them, their bytes, listings, and what went wrong.

Credentials come from where each protocol's own tools look for them. Timeouts and repeated attempts are those of the
protocol's client, but web servers are asked no longer than somebody wants to wait, and never lead us into the network
around us: a server may answer with a redirect, and one to another host whose address isn't public would make this
machine ask, in the server's stead, what only this machine can reach: itself, its neighbours, or the service that gives
a cloud machine its credentials. Such a redirect is refused unless ``settings.private_redirects`` allows it. What the
user names is asked wherever it lies, and so is a redirect within the host that was named.

User names and passwords for web servers come from ``~/.netrc`` (or the file that ``NETRC`` names), proxies from
``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY``.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import html
import ipaddress
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote
from urllib.request import getproxies

from customlabels_nb._utils.installing import extra_command, install_command
from customlabels_nb.errors import (
    ImageError,
    ImageNotFoundError,
    ImageTooLargeError,
    InputError,
    MissingDependencyError,
    NotAnImageError,
)
from customlabels_nb.settings import settings

#: Object stores, whose clients may be used from many threads and read a whole object with one request.
_S3 = frozenset({"s3", "s3a"})
_STORES = _S3 | {"gs", "gcs", "az", "abfs", "abfss"}
_HTTP = frozenset({"http", "https"})
_PACKAGES = {
    **dict.fromkeys(_HTTP, "aiohttp"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("az", "abfs", "abfss", "adl"), "adlfs"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
}
_PLACES = {
    **dict.fromkeys(_HTTP, "~/.netrc, or the file that the environment variable NETRC names"),
    **dict.fromkeys(
        _S3,
        "the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE), ~/.aws/credentials, "
        "~/.aws/config, the role of this machine; a public bucket needs none if FSSPEC_S3_ANON=true is set before "
        "Python starts",
    ),
    **dict.fromkeys(
        ("gs", "gcs"), "GOOGLE_APPLICATION_CREDENTIALS, the login of gcloud, the service account of this machine"
    ),
    **dict.fromkeys(
        ("az", "abfs", "abfss"),
        "the environment (AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and "
        "AZURE_STORAGE_ACCOUNT_KEY), the login of az, the identity of this machine",
    ),
}
_NO_CREDENTIALS = re.compile(r"Credential|NoAuthToken|ProfileNotFound|TokenLoad|UnauthorizedSSO|ClientAuthentication")
_PLAIN = re.compile(r"[!-~]{1,128}")
_MOST_PAGES = 10_000  # of links that are read for one listing
_IDENTITY = re.compile(r"(etag|md5|changed):([!-~]*):(\d+)")


@dataclass(frozen=True)
class RemoteFile:
    """What a server tells of a file without sending it.

    ``identity`` tells its content from others: an ETag, a checksum or the time of its last change, with the size. It
    has colons, so that it can't be taken for a SHA-256. It is None where the server says nothing of the kind. ``size``
    is in bytes, ``mtime_ns`` in nanoseconds since 1970.
    """

    url: str
    size: int | None
    mtime_ns: int | None
    identity: str | None

    @property
    def stat(self) -> tuple[int, int] | None:
        """Size and time of the last change, where both are known."""
        return None if self.size is None or self.mtime_ns is None else (self.size, self.mtime_ns)


def is_identity(content: object) -> bool:
    """Whether ``content``, which tells the content of a file from others, is a :class:`RemoteFile`'s identity."""
    return isinstance(content, str) and _IDENTITY.fullmatch(content) is not None


def size_in(identity: str) -> int:
    """The size in bytes that an identity speaks of."""
    return int(identity.rpartition(":")[2])


def protocol_of(url: str) -> str:
    """What stands before ``://``, in small letters."""
    return url.partition("://")[0].rpartition("::")[2].lower()


def is_web(url: str) -> bool:
    """Whether the file lies on a web server, of which only pages of links can be listed (:func:`list_web`)."""
    return protocol_of(url) in _HTTP


def look_up(url: str) -> RemoteFile:
    """Ask for the size and the identity of one file.

    Raises
    ------
    ImageError
        One of its subclasses, naming the URL.
    """
    try:
        system, path = open_system(url)
        entry = system.info(path)
    except Exception as error:  # each protocol raises what its client library does
        raise image_error(url, error) from error
    if entry.get("type") == "directory":
        raise NotAnImageError(url, "it is a folder; with a '/' at its end its images are listed.")
    return _file(url, entry)


def list_files(url: str) -> list[RemoteFile]:
    """All files below a folder, however deep, or those that a pattern with ``*`` matches, in the order of their names.

    Raises
    ------
    InputError
        If it can't be listed.
    MissingDependencyError
        If that takes a package that isn't here.
    """
    with _telling(url, "listed"):
        system, path = open_system(url)
        system.invalidate_cache()
        pattern = "*" in url
        entries: Mapping[str, Any] = (system.glob if pattern else system.find)(path, detail=True)
        top = url.partition("*")[0].rpartition("/")[0] if pattern else url.rstrip("/")
        below = str(system._strip_protocol(top)).rstrip("/")
    return [
        # the URL as it was given, and not put together anew: it may name a server, too
        _file(top + name[len(below) :], entry)
        for name, entry in sorted(entries.items())
        if entry.get("type") != "directory" and not name.endswith("/") and name.startswith(below + "/")
    ]


def list_web(url: str, *, folders: int = _MOST_PAGES) -> list[str]:
    """The files that a web server's pages below ``url`` link to, however deep, in the order of their names.

    Links that lead out of it are never followed, nor those with a question mark, by which such pages sort themselves.

    Parameters
    ----------
    url : str
        Ends in "/".
    folders : int
        No more pages than these are read.

    Raises
    ------
    InputError
        If the page can't be read, one below it neither, or there are too many.
    MissingDependencyError
        If that takes a package that isn't here.
    """
    files: set[str] = set()
    seen, waiting = {url}, [url]
    while waiting:
        page = waiting.pop()
        with _telling(page, "listed"):
            system, path = open_system(page)
            links: list[str] = [html.unescape(link) for link in system.ls(path, detail=False)]
        for link in links:
            inside = link[len(url) :]
            parts = unquote(inside).split("/")
            if (
                not (link.startswith(url) and inside)
                or "?" in inside
                or "#" in inside
                or not {".", ".."}.isdisjoint(parts)
            ):
                continue
            if not link.endswith("/"):
                files.add(link)
            elif link not in seen:
                seen.add(link)
                waiting.append(link)
        if len(seen) > folders:
            raise InputError(f"{url!r} has more than {folders:,} pages of links; name a folder below it.")
    return sorted(files)


def media_type(url: str) -> str:
    """What a web server says that a file is, "image/jpeg" say; "" if it doesn't, or can't be asked."""
    try:
        system, path = open_system(url)
        return str(system.info(path).get("mimetype") or "").lower()
    except Exception:  # whoever wants the file itself gets to know
        return ""


def read(url: str, expected: str | None, max_bytes: int | None) -> bytes:
    """The bytes of a file; more than ``max_bytes`` are never read.

    Parameters
    ----------
    expected : str, optional
        The identity that the file is known by, for its size.

    Raises
    ------
    ImageError
        One of its subclasses, naming the URL.
    """
    size = None if expected is None else size_in(expected)
    if max_bytes is not None and size is not None and size > max_bytes:
        raise _too_large(url, max_bytes)
    try:
        system, path = open_system(url)
        if size and protocol_of(url) in _STORES and "::" not in url:
            # one request; one byte more than there should be tells that the object has grown
            data: bytes = system.cat_file(path, start=0, end=size + 1)
        else:
            with system.open(path, "rb") as file:
                data = _bounded(file, max_bytes)
    except Exception as error:
        raise image_error(url, error) from error
    if max_bytes is not None and len(data) > max_bytes:
        raise _too_large(url, max_bytes)
    return data


def download(url: str, path: Path, max_bytes: int) -> None:
    """Write a whole file, such as an archive, to ``path``.

    Raises
    ------
    InputError
        If it can't be read, or has more than ``max_bytes``.
    MissingDependencyError
        If that takes a package that isn't here.
    """
    with _telling(url, "read"):
        system, location = open_system(url)
        with system.open(location, "rb") as source, path.open("wb") as target:
            while target.tell() <= max_bytes and (data := source.read(1 << 20)):
                target.write(data)
            size = target.tell()
    if size > max_bytes:
        raise InputError(f"{url!r} has more than {max_bytes:,} bytes.")


def tells(identity: str, data: bytes) -> bool | None:
    """Whether these bytes are those of the identity; None if it has no checksum by which that could be told."""
    if len(data) != size_in(identity):
        return False
    kind, value = identity.rpartition(":")[0].split(":", 1)
    digest = hashlib.md5(data, usedforsecurity=False)
    if kind == "md5":
        return value == base64.b64encode(digest.digest()).decode()
    # an ETag of S3 is the MD5, unless the object came in parts or is encrypted with a key of its own
    return True if kind == "etag" and value == digest.hexdigest() else None


def open_system(url: str) -> tuple[Any, str]:
    """The fsspec file system of ``url`` and the path in it.

    Raises
    ------
    InputError
        If ``settings.network`` is off.
    """
    if not settings.network:
        raise InputError("settings.network is off.")
    import fsspec

    # no listings kept by fsspec: what was listed once would hide what changed since
    options: dict[str, Any] = {"use_listings_cache": False} if protocol_of(url) in _STORES | _HTTP else {}
    if is_web(url) and "::" not in url:
        options |= client_options()
    options |= {name: client_options() for name in _HTTP if f"::{name}://" in url.lower()}
    system, path = fsspec.core.url_to_fs(url, **options)
    return system, path


@contextmanager
def _telling(url: str, what: str) -> Iterator[None]:
    """Say of whatever goes wrong inside that the URL can't be "listed" or "read", and why."""
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(f"{url!r} can't be {what}: {why(url, error)}") from error
    except Exception as error:
        raise InputError(f"{url!r} can't be {what}: {why(url, error)}") from error


def image_error(url: str, error: Exception) -> ImageError:
    """The error for an image behind a URL that could not be read because of ``error``."""
    if isinstance(error, ImageError):
        return error
    if isinstance(error, InputError):
        return ImageNotFoundError(url, f"is not fetched: {error}")
    if isinstance(error, ImportError):
        return ImageError(url, why(url, error))
    return ImageNotFoundError(url, f"can't be read: {why(url, error)}")


def why(url: str, error: Exception) -> str:
    """What went wrong behind a URL and what to do, as a sentence for a person."""
    protocol = protocol_of(url)
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, ImportError):
        package = _PACKAGES.get(protocol)
        command = extra_command("s3") if protocol in _S3 else install_command(package) if package else None
        return f"its protocol needs a package that isn't installed{f': {command}' if command else f' ({error}).'}"
    if isinstance(error, ValueError) and "Protocol not known" in str(error):
        return f"nothing here reads URLs that begin with '{protocol}://'."
    if _NO_CREDENTIALS.search(type(error).__name__):
        _forget_systems(url)  # whoever sets them now is to be heard at the next attempt
        places = _PLACES.get(protocol)
        return f"there are no credentials ({error})" + (f"; looked for in {places}." if places else ".")
    status = getattr(error.__cause__, "status", None)  # all that goes wrong with a web server is a missing file
    if isinstance(error, PermissionError) or status in (401, 403):
        reason = f"HTTP status {status}" if status else str(error) or type(error).__name__
        return f"access is denied ({reason}); check the credentials and what they allow" + (
            f"; looked for in {_PLACES[protocol]}." if protocol in _PLACES else "."
        )
    causes = (error, error.__cause__, error.__context__)
    if refused := next((cause for cause in causes if isinstance(cause, RedirectRefusedError)), None):
        return f"{refused}."
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return "there was no answer in time; check the network."
    if astray := next((cause for cause in causes if type(cause).__name__.startswith("NonHttp")), None):
        return f"it redirects to {str(astray)!r}, which is no web server; refused."
    if isinstance(error, FileNotFoundError) and error.__cause__ is not None and protocol in _HTTP:
        reason = f"HTTP status {status}" if status else f"no answer: {error.__cause__}"
        return f"{reason}; check the URL."
    if isinstance(error, FileNotFoundError):
        return "it isn't there; check the URL."
    reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
    return f"{reason}; check the URL and the access to it."


def _forget_systems(url: str) -> None:
    import fsspec

    fsspec.get_filesystem_class(protocol_of(url)).clear_instance_cache()


def _bounded(file: BinaryIO, max_bytes: int | None) -> bytes:
    if max_bytes is None:
        return bytes(file.read())
    parts: list[bytes] = []
    left = max_bytes + 1
    while left > 0 and (part := file.read(left)):  # a stream returns what has arrived, not what was asked for
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _too_large(url: str, max_bytes: int) -> ImageTooLargeError:
    return ImageTooLargeError(url, f"the file has more than {max_bytes:,} bytes.")


def _file(url: str, entry: Mapping[str, Any]) -> RemoteFile:
    size = entry.get("size")
    size = size if isinstance(size, int) and 0 <= size < 2**63 else None
    moment = _moment(entry)
    return RemoteFile(url, size, moment, None if size is None else _identity(url, entry, size, moment))


def _identity(url: str, entry: Mapping[str, Any], size: int, moment: int | None) -> str | None:
    protocol = protocol_of(url)
    # only an ETag of S3 and a checksum say the same of equal content under two names; all else speaks of one URL
    place = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    etag = next((str(entry[name]).strip('"') for name in ("ETag", "etag") if entry.get(name)), "")
    etag = (
        etag
        if not etag or _PLAIN.fullmatch(etag)
        else hashlib.sha256(etag.encode("utf-8", "surrogatepass")).hexdigest()
    )
    checksum = entry.get("md5Hash")
    if isinstance(checksum, str) and _PLAIN.fullmatch(checksum):
        return f"md5:{checksum}:{size}"
    if etag:
        return f"etag:{etag}:{size}" if protocol in _S3 else f"etag:{place}/{etag}:{size}"
    return None if moment is None else f"changed:{place}/{moment}:{size}"


def _moment(entry: Mapping[str, Any]) -> int | None:
    """The time of the last change (ns), under whichever name the protocol has it."""
    names = ("LastModified", "last_modified", "Last-Modified", "updated", "mtime", "modified", "created")
    value = next((entry[name] for name in names if entry.get(name)), None)
    try:
        if isinstance(value, str):
            value = parsedate_to_datetime(value) if "," in value else datetime.fromisoformat(value)
        if isinstance(value, datetime):
            value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        nanoseconds = None if value is None else round(float(value) * 1e6) * 1000
    except (TypeError, ValueError, OverflowError):
        return None
    return nanoseconds if nanoseconds is None or abs(nanoseconds) < 2**63 else None


_WHOLE_ANSWER_SECONDS = 300.0
#: IPv6 networks whose last 32 bits are an IPv4 address: NAT64, and addresses that are compatible with IPv4.
_EMBEDDING = ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96")
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")  # each network decides where the IPv4 address is


class RedirectRefusedError(Exception):
    """A server redirects to where it has no business to send us; users meet it as the reason in another error."""

    def __init__(self, target: str) -> None:
        super().__init__(
            f"it redirects to {target!r}, whose address isn't public; "
            "settings.private_redirects = True allows that if you trust the server"
        )


def client_options() -> dict[str, Any]:
    """What fsspec's file system of the web is made with."""
    return {"get_client": _client, "client_kwargs": {"seconds": settings.timeout_seconds}}


async def _client(*, seconds: float, **options: Any) -> Any:
    import aiohttp

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(_note_named_host)
    trace.on_request_redirect.append(_check_redirect)
    timeout = aiohttp.ClientTimeout(
        total=max(_WHOLE_ANSWER_SECONDS, seconds), connect=None, sock_connect=seconds, sock_read=seconds
    )
    return aiohttp.ClientSession(timeout=timeout, trace_configs=[trace], trust_env=True, **options)


async def _note_named_host(session: Any, context: Any, request: Any) -> None:
    context.named = request.url.host


async def _check_redirect(session: Any, context: Any, redirect: Any) -> None:
    """Raise where the redirect leads to must not be asked; other protocols than the web's aiohttp refuses itself."""
    import yarl

    location = redirect.response.headers.get("Location") or redirect.response.headers.get("URI")
    if location is None or settings.private_redirects:
        return
    target = redirect.url.join(yarl.URL(location))
    if target.scheme not in ("http", "https") or not target.host or target.host == context.named:
        return
    if not await _is_public(target.host, target.port):
        raise RedirectRefusedError(str(target))


async def _is_public(host: str, port: int | None) -> bool:
    """Whether all addresses of a host are public; a host that isn't known is for the request itself to find out."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return not getproxies()  # a proxy may know the host
    return all(_is_global(str(entry[4][0])) for entry in found)


def _is_global(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(parsed, "ipv4_mapped", None) or getattr(parsed, "sixtofour", None)
    if any(parsed in network for network in _EMBEDDING):
        inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
    if parsed in _LOCAL_NAT64:
        return False
    return parsed.is_global and not parsed.is_multicast and (inner is None or inner.is_global)
