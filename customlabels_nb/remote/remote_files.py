"""Access remote files by URL through fsspec: metadata, downloads, listings, credentials, redirects and error messages.

Credentials are read from the usual locations of each protocol. Each protocol's client has its own timeouts and retries,
except that requests to web servers have a user-defined timeout and do not follow redirects into private networks. By
redirecting to a host with a private address, a server could make this machine send a request to a host that only this
machine can reach: itself, its neighbours, or the service that provides a cloud machine's credentials (server-side
request forgery). Such a redirect is refused unless ``settings.private_redirects`` allows it. URLs given by the user and
redirects within the same host are always followed.

User names and passwords for web servers come from ``~/.netrc`` (or the file named by ``NETRC``), proxies from
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

#: Protocols of object stores, whose clients are thread-safe and read an entire object with one request.
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
    **dict.fromkeys(_HTTP, "~/.netrc, or the file named by the environment variable NETRC"),
    **dict.fromkeys(
        _S3,
        "the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE), ~/.aws/credentials, "
        "~/.aws/config, the role of this machine (a public bucket needs none if FSSPEC_S3_ANON=true is set before "
        "Python starts)",
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
#: Reason for a file that its server does not have.
NOT_THERE = "the file does not exist. Check the URL."
_NO_CREDENTIALS = re.compile(r"Credential|NoAuthToken|ProfileNotFound|TokenLoad|UnauthorizedSSO|ClientAuthentication")
_PLAIN = re.compile(r"[!-~]{1,128}")
_MOST_PAGES = 10_000  # pages of links that are read for one listing
_IDENTITY = re.compile(r"(etag|md5|changed):([!-~]*):(\d+)")


@dataclass(frozen=True)
class RemoteFile:
    """Metadata of a remote file, as reported by its server without sending the content.

    ``identity`` is a string that identifies the content: an ETag, a checksum or the modification time, with the size.
    It contains colons, so that it cannot be mistaken for a SHA-256 hash, and is None if the server reports nothing
    suitable. ``size`` is in bytes, ``mtime_ns`` in nanoseconds since 1970.
    """

    url: str
    size: int | None
    mtime_ns: int | None
    identity: str | None

    @property
    def stat(self) -> tuple[int, int] | None:
        """Size and modification time, or None if either is unknown."""
        return None if self.size is None or self.mtime_ns is None else (self.size, self.mtime_ns)


def is_identity(content: object) -> bool:
    """Check whether ``content`` is a :class:`RemoteFile` identity string rather than a content hash."""
    return isinstance(content, str) and _IDENTITY.fullmatch(content) is not None


def size_in(identity: str) -> int:
    """Return the file size in bytes that is part of an identity."""
    return int(identity.rpartition(":")[2])


def protocol_of(url: str) -> str:
    """Return the protocol before ``://`` in a URL, in lower case."""
    return url.partition("://")[0].rpartition("::")[2].lower()


def is_web(url: str) -> bool:
    """Check whether a URL is on a web server, whose files can only be listed from pages of links (:func:`list_web`)."""
    return protocol_of(url) in _HTTP


def is_store(url: str) -> bool:
    """Check whether a URL is in an object store, where a file appears only when it is complete."""
    return protocol_of(url) in _STORES and "::" not in url


def look_up(url: str) -> RemoteFile:
    try:
        system, path = open_system(url)
        entry = system.info(path)
    except Exception as error:  # the client library of each protocol raises its own errors
        raise image_error(url, error) from error
    if entry.get("type") == "directory":
        raise NotAnImageError(url, "the URL is a folder. Add a '/' at the end to list its images.")
    return _file(url, entry)


def list_files(url: str) -> list[RemoteFile]:
    """List all files in a folder and its subfolders, or all files that match a pattern with ``*``, sorted by name."""
    with _url_errors(url, "listed"):
        system, path = open_system(url)
        system.invalidate_cache()
        pattern = "*" in url
        entries: Mapping[str, Any] = (system.glob if pattern else system.find)(path, detail=True)
        top = url.partition("*")[0].rpartition("/")[0] if pattern else url.rstrip("/")
        below = open_system(top)[1].rstrip("/")
    return [
        # built from the URL as given, because it may contain a server name
        _file(top + name[len(below) :], entry)
        for name, entry in sorted(entries.items())
        if entry.get("type") != "directory" and not name.endswith("/") and name.startswith(below + "/")
    ]


def list_web(url: str, *, folders: int = _MOST_PAGES) -> list[str]:
    """List the files under a web URL, by links without query and within it, recursively, sorted by name."""
    files: set[str] = set()
    seen, waiting = {url}, [url]
    while waiting:
        page = waiting.pop()
        with _url_errors(page, "listed"):
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
            raise InputError(f"{url!r} has more than {folders:,} pages of links. Pass a subfolder.")
    return sorted(files)


def media_type(url: str) -> str:
    """Return the media type that a web server reports for a file, such as "image/jpeg", or "" if it is unknown."""
    try:
        system, path = open_system(url)
        return str(system.info(path).get("mimetype") or "").lower()
    except Exception:  # reading the file itself will raise the error
        return ""


def read(url: str, expected: str | None, max_bytes: int | None) -> bytes:
    """Read a remote file of at most ``max_bytes``."""
    size = None if expected is None else size_in(expected)
    if max_bytes is not None and size is not None and size > max_bytes:
        raise _too_large(url, max_bytes)
    try:
        system, path = open_system(url)
        if size and is_store(url):
            # a single request, with one extra byte to detect whether the object has grown
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
    """Download an entire file, such as an archive, to ``path``."""
    with _url_errors(url, "read"):
        system, location = open_system(url)
        with system.open(location, "rb") as source, path.open("wb") as target:
            while target.tell() <= max_bytes and (data := source.read(1 << 20)):
                target.write(data)
            size = target.tell()
    if size > max_bytes:
        raise InputError(f"{url!r} has more than {max_bytes:,} bytes.")


def identity_matches(identity: str, data: bytes) -> bool | None:
    """Check whether the bytes match an identity, or return None if the identity has no checksum to compare."""
    if len(data) != size_in(identity):
        return False
    kind, value = identity.rpartition(":")[0].split(":", 1)
    digest = hashlib.md5(data, usedforsecurity=False)
    if kind == "md5":
        return value == base64.b64encode(digest.digest()).decode()
    # an ETag of S3 is the MD5, except for multipart uploads and objects encrypted with a customer's key
    return True if kind == "etag" and value == digest.hexdigest() else None


def open_system(url: str) -> tuple[Any, str]:
    """Return the fsspec file system for ``url`` and the path within it, a local one for ``settings.buckets``."""
    if (local := path_in_bucket(url)) is not None:
        from fsspec.implementations.local import LocalFileSystem

        return LocalFileSystem(), str(local)
    if not settings.network:
        raise InputError("settings.network is off.")
    import fsspec

    # fsspec's listings cache would hide changes
    options: dict[str, Any] = {"use_listings_cache": False} if protocol_of(url) in _STORES | _HTTP else {}
    if is_web(url) and "::" not in url:
        options |= client_options()
    options |= {name: client_options() for name in _HTTP if f"::{name}://" in url.lower()}
    system, path = fsspec.core.url_to_fs(url, **options)
    return system, path


def path_in_bucket(url: str) -> Path | None:
    """Return the local path of an object in a bucket of ``settings.buckets``, or None for any other URL."""
    bucket, _, key = url.partition("://")[2].partition("/")
    folder = settings.buckets.get(bucket) if protocol_of(url) in _S3 and "::" not in url else None
    if folder is None:
        return None
    if "\0" in key or any(part.startswith(".") for part in key.split("/")):
        raise FileNotFoundError(url)
    root = folder.resolve()
    path = (root / key.lstrip("/")).resolve()
    if not path.is_relative_to(root):
        raise FileNotFoundError(url)
    return path


@contextmanager
def _url_errors(url: str, what: str) -> Iterator[None]:
    """Convert exceptions to errors that state that the URL cannot be ``what`` ("listed" or "read"), and why."""
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(f"{url!r} cannot be {what}: {why(url, error)}") from error
    except Exception as error:
        raise InputError(f"{url!r} cannot be {what}: {why(url, error)}") from error


def image_error(url: str, error: Exception) -> ImageError:
    if isinstance(error, ImageError):
        return error
    if isinstance(error, InputError):
        return ImageNotFoundError(url, f"cannot be fetched: {error}")
    if isinstance(error, ImportError):
        return ImageError(url, why(url, error))
    return ImageNotFoundError(url, f"cannot be read: {why(url, error)}")


def why(url: str, error: Exception) -> str:
    """Return a human-readable explanation of an error that occurred for a URL, with advice on how to fix it."""
    protocol = protocol_of(url)
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, ImportError):
        package = _PACKAGES.get(protocol)
        command = extra_command("s3") if protocol in _S3 else install_command(package) if package else None
        return f"its protocol needs a package that is not installed{f': {command}' if command else f' ({error}).'}"
    if isinstance(error, ValueError) and "Protocol not known" in str(error):
        return f"the protocol '{protocol}://' is not supported."
    if _NO_CREDENTIALS.search(type(error).__name__):
        import fsspec

        fsspec.get_filesystem_class(protocol).clear_instance_cache()  # so that the next attempt uses new credentials
        places = _PLACES.get(protocol)
        return f"no credentials found ({error})" + (f". Searched in {places}." if places else ".")
    status = getattr(error.__cause__, "status", None)  # fsspec reports every HTTP error as a missing file
    if isinstance(error, PermissionError) or status in (401, 403):
        reason = f"HTTP status {status}" if status else str(error) or type(error).__name__
        return f"access is denied ({reason}). Check the credentials and their permissions" + (
            f". Credentials are read from {_PLACES[protocol]}." if protocol in _PLACES else "."
        )
    causes = (error, error.__cause__, error.__context__)
    if refused := next((cause for cause in causes if isinstance(cause, RedirectRefusedError)), None):
        return f"{refused}."
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return "the server did not respond in time (timeout). Check the network."
    if astray := next((cause for cause in causes if type(cause).__name__.startswith("NonHttp")), None):
        return f"redirect to {str(astray)!r} refused: the target is not a web server."
    if isinstance(error, FileNotFoundError) and error.__cause__ is not None and protocol in _HTTP:
        reason = f"HTTP status {status}" if status else f"no response: {error.__cause__}"
        return f"{reason}. Check the URL."
    if isinstance(error, FileNotFoundError):
        return NOT_THERE
    reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
    return f"{reason}. Check the URL and your access to it."


def _bounded(file: BinaryIO, max_bytes: int | None) -> bytes:
    if max_bytes is None:
        return bytes(file.read())
    parts: list[bytes] = []
    remaining = max_bytes + 1
    while remaining > 0 and (part := file.read(remaining)):  # a stream may return fewer bytes than requested
        parts.append(part)
        remaining -= len(part)
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
    # only S3 ETags and checksums are equal for identical content at different URLs, so all others include the URL
    digest = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:16]
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
        return f"etag:{etag}:{size}" if protocol in _S3 else f"etag:{digest}/{etag}:{size}"
    return None if moment is None else f"changed:{digest}/{moment}:{size}"


def _moment(entry: Mapping[str, Any]) -> int | None:
    """Return the modification time in nanoseconds, which each protocol names differently."""
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
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")  # the position of the IPv4 address in it depends on the network


class RedirectRefusedError(Exception):
    """Redirect to a private address that was refused. Users see the message as the reason in a different error."""

    def __init__(self, target: str) -> None:
        super().__init__(
            f"redirect to {target!r} refused: its address is not public. "
            "Set settings.private_redirects = True if you trust the server"
        )


def client_options() -> dict[str, Any]:
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
    """Raise an error if a redirect leads to a private address. aiohttp itself refuses protocols other than HTTP."""
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
    """Check whether a host's addresses are public, or cannot be resolved, so that the request fails anyway."""
    try:
        entries = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return not getproxies()  # a proxy may resolve the host
    return all(_is_global(str(entry[4][0])) for entry in entries)


def _is_global(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(parsed, "ipv4_mapped", None) or getattr(parsed, "sixtofour", None)
    if any(parsed in network for network in _EMBEDDING):
        inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
    if parsed in _LOCAL_NAT64:
        return False
    return parsed.is_global and not parsed.is_multicast and (inner is None or inner.is_global)
