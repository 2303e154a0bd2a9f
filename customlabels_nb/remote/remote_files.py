"""Access remote files by URL through fsspec: metadata, downloads, listings, credentials and error messages.

Credentials are read from the usual locations of each protocol. Each protocol's client has its own timeouts and retries,
except that requests to web servers have a user-defined timeout and do not follow redirects into private networks
(:mod:`.http_client`).

User names and passwords for web servers come from ``~/.netrc`` (or the file named by ``NETRC``), proxies from
``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY``.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote

from customlabels_nb._utils.installing import extra_command, install_command
from customlabels_nb.errors import (
    ImageError,
    ImageNotFoundError,
    ImageTooLargeError,
    InputError,
    MissingDependencyError,
    NotAnImageError,
)
from customlabels_nb.remote.memory_budget import Hold
from customlabels_nb.remote.public_addresses import RedirectRefusedError
from customlabels_nb.user_settings import settings

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
_PART = 2**18  # bytes of a stream that are read at once
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
    return protocol_of(url) in _STORES and not is_chain(url)


def is_chain(url: str) -> bool:
    """Check whether fsspec reads a URL through several protocols, such as ``simplecache::https://``.

    The URLs of web servers and the names of objects may contain ``::``, too.
    """
    first = url.partition("://")[0]
    return "::" in first or ("::" in url and first.lower() not in _STORES | _HTTP)


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
            is_below = link.startswith(url) and inside and {".", ".."}.isdisjoint(unquote(inside).split("/"))
            if not is_below or "?" in inside or "#" in inside:
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


def read(
    url: str, expected: str | None, max_bytes: int | None, *, hold: Hold | None = None, seconds: float | None = None
) -> bytes:
    """Read a remote file of at most ``max_bytes``, from a web server in ``seconds``.

    ``hold`` reserves memory for it (:mod:`.memory_budget`), after it was written to a temporary file: a server that
    sends slowly takes no memory from others.
    """
    size = None if expected is None else size_in(expected)
    _check_size(url, size or 0, max_bytes)
    try:
        system, path = open_system(url)
        if size and is_store(url):
            if hold is not None:
                hold(size + 1)
            # a single request, with one extra byte to detect whether the object has grown
            data: bytes = system.cat_file(path, start=0, end=size + 1)
        else:
            options = _streaming(seconds) if is_web(url) and not is_chain(url) else {}
            with system.open(path, "rb", **options) as source, _target(hold) as target:
                _copy(source, target, max_bytes)
                _check_size(url, target.tell(), max_bytes)
                if hold is not None:
                    hold(target.tell())
                target.seek(0)
                data = target.read()
    except Exception as error:
        raise image_error(url, error) from error
    _check_size(url, len(data), max_bytes)
    return data


def _streaming(seconds: float | None) -> dict[str, Any]:
    """Return the options of fsspec for one request whose answer is read in small parts, whatever the server sends."""
    from customlabels_nb.remote.http_client import timeouts

    options: dict[str, Any] = {"block_size": 0, "size": 1}  # a size other than 0 saves a request for it
    return options if seconds is None else options | {"timeout": timeouts(settings.timeout_seconds, max(seconds, 0.01))}


def _target(hold: Hold | None) -> BinaryIO:
    """Return a file in memory, or on disk where memory has to be reserved first."""
    if hold is None:
        return io.BytesIO()
    folder = settings.cache_dir  # the folder of the system for temporary files may be in memory
    return cast(BinaryIO, tempfile.TemporaryFile(dir=folder if os.access(folder, os.W_OK) else None))


def download(url: str, path: Path, max_bytes: int) -> None:
    """Download an entire file, such as an archive, to ``path``."""
    with _url_errors(url, "read"):
        system, location = open_system(url)
        with system.open(location, "rb") as source, path.open("wb") as target:
            _copy(source, target, max_bytes)
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
    if is_chain(url):
        options |= {name: _client_options() for name in _HTTP if f"::{name}://" in url.lower()}
        system, path = fsspec.core.url_to_fs(url, **options)
        return system, path
    kind = fsspec.get_filesystem_class(url.partition("://")[0])
    options |= _client_options() if is_web(url) else kind._get_kwargs_from_urls(url)
    return kind(**options), kind._strip_protocol(url)


def _client_options() -> dict[str, Any]:
    from customlabels_nb.remote.http_client import make_client

    return {"get_client": make_client, "client_kwargs": {"seconds": settings.timeout_seconds}}


def path_in_bucket(url: str) -> Path | None:
    """Return the local path of an object in a bucket of ``settings.buckets``, or None for any other URL."""
    bucket, _, key = url.partition("://")[2].partition("/")
    folder = settings.buckets.get(bucket) if protocol_of(url) in _S3 and not is_chain(url) else None
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
    except Exception as error:
        kind = MissingDependencyError if isinstance(error, ImportError) else InputError
        raise kind(f"{url!r} cannot be {what}: {why(url, error)}") from error


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
    protocol, described = protocol_of(url), getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
    reasons = (reason for explain in _REASONS if (reason := explain(protocol, error)) is not None)
    return next(reasons, f"{described}. Check the URL and your access to it.")


def _before_request(protocol: str, error: Exception) -> str | None:
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, ImportError):
        package = _PACKAGES.get(protocol)
        command = extra_command("s3") if protocol in _S3 else install_command(package) if package else None
        return f"its protocol needs a package that is not installed{f': {command}' if command else f' ({error}).'}"
    unknown = isinstance(error, ValueError) and "Protocol not known" in str(error)
    return f"the protocol '{protocol}://' is not supported." if unknown else None


def _no_access(protocol: str, error: Exception) -> str | None:
    status, places = _status(error), _PLACES.get(protocol)
    if _NO_CREDENTIALS.search(type(error).__name__):
        import fsspec

        fsspec.get_filesystem_class(protocol).clear_instance_cache()  # so that the next attempt uses new credentials
        return f"no credentials found ({error})." + (f" Searched in {places}." if places else "")
    if not isinstance(error, PermissionError) and status not in (401, 403):
        return None
    reason = f"HTTP status {status}" if status else str(error) or type(error).__name__
    advice = f" Credentials are read from {places}." if places else ""
    return f"access is denied ({reason}). Check the credentials and their permissions.{advice}"


def _known_cause(protocol: str, error: Exception) -> str | None:
    causes = [error, *_causes(error)]
    if refused := next((cause for cause in causes if isinstance(cause, RedirectRefusedError)), None):
        return f"{refused}."
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return "the server did not respond in time (timeout). Check the network."
    astray = next((cause for cause in causes if type(cause).__name__.startswith("NonHttp")), None)
    return None if astray is None else f"redirect to {str(astray)!r} refused: the target is not a web server."


def _no_file(protocol: str, error: Exception) -> str | None:
    is_missing, is_web_server = isinstance(error, FileNotFoundError), protocol in _HTTP
    if is_web_server and (status := _status(error)):
        return f"HTTP status {status}. Check the URL."
    if is_web_server and is_missing and error.__cause__ is not None:
        return f"no response: {error.__cause__}. Check the URL."
    return NOT_THERE if is_missing else None


#: Explanations of errors. The first that applies is used.
_REASONS: tuple[Callable[[str, Exception], str | None], ...] = (
    _before_request,  # no server was asked
    _no_access,  # fsspec reports this as a missing file, too
    _known_cause,  # says more than the error, which is often that of a missing file
    _no_file,
)


def _status(error: Exception) -> object:
    """Return the HTTP status of an error. fsspec reports most of them as a missing file."""
    return getattr(error.__cause__ or error, "status", None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    while (cause := error.__cause__ or error.__context__) is not None:
        yield cause
        error = cause


def _copy(source: BinaryIO, target: BinaryIO, max_bytes: int | None) -> None:
    """Copy a stream, or a little more than ``max_bytes`` of it."""
    while (max_bytes is None or target.tell() <= max_bytes) and (data := source.read(_PART)):
        target.write(data)


def _check_size(url: str, size: int, most: int | None) -> None:
    """Raise ImageTooLargeError if a file has more than ``most`` bytes."""
    if most is not None and size > most:
        raise ImageTooLargeError(url, f"the file has more than {most:,} bytes.")


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
    if etag and not _PLAIN.fullmatch(etag):
        etag = hashlib.sha256(etag.encode("utf-8", "surrogatepass")).hexdigest()
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
