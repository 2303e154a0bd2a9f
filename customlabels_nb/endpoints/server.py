"""Run the endpoint on Tornado, which JupyterLab brings along, in a thread."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import responses
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tornado import httputil
from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets

from customlabels_nb._utils.arguments import check_integer
from customlabels_nb.endpoints.custom_vision.custom_vision_endpoint import CustomVisionEndpoint
from customlabels_nb.endpoints.custom_vision.iteration_training import go_on
from customlabels_nb.endpoints.http_messages import Answer, HttpEndpoint, Threads, body_length
from customlabels_nb.endpoints.project_folders import ServingOptions
from customlabels_nb.endpoints.rekognition.access_keys import AccessKey
from customlabels_nb.errors import InputError, ServiceError

if TYPE_CHECKING:
    from customlabels_nb.endpoints.rekognition.endpoint import Endpoint

#: Maximum size of all requests that are being read or answered, in bytes.
MOST_BYTES_AT_ONCE = 256 * 2**20
#: Maximum number of connections that wait for headers, at most a quarter of the files that the process may open.
MOST_IDLE = 256
#: Time in which all of a body must have arrived.
BODY_SECONDS = 60.0
PORT = 8766
REKOGNITION, CUSTOM_VISION = "rekognition", "custom-vision"

_DEFAULT = ServingOptions()
#: Number of threads. Requests that run models or download images may wait for long, and others do not wait for them.
_THREADS: dict[Threads, int] = {"models": 64, "urls": 16, "others": 32}
_IDLE_SECONDS = 120.0  # until the headers of the next request have arrived
_MOST_DISCARDED = 2**16  # bytes of a refused request that are read so that the connection can be used again
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class EndpointServer:
    """Web server that answers programs written for Amazon Rekognition Custom Labels and Azure Custom Vision.

    Use it in a ``with`` block, or call :meth:`start` and :meth:`stop`.

    Parameters
    ----------
    root : path
        Folder that holds the projects. It is created if it does not exist.
    port : int
        Port to listen on. 0 chooses a free one.
    address : str
        Address to listen on. Only this machine can reach the default.
    key : AccessKey, optional
        The only key that is accepted, for tests. Custom Vision programs send its secret. By default, the keys in the
        folder ``.endpoints`` in ``root``.
    buckets : mapping, optional
        Folders that stand in for S3 buckets, by name, or by "account:name" for another account than that of ``root``.
        A bucket that several accounts share is given once for each.
    options : ServingOptions
        Region, limits and other options.
    accounts : mapping, optional
        Folders with the projects of other accounts, by their 12 digits. The account of ``root`` is 123456789012.
    certificate, private_key : path, optional
        Files for HTTPS.
    only : {"rekognition", "custom-vision"}, optional
        Serve programs of one service only. By default, those of both are served. Only "rekognition" needs botocore.

    Raises
    ------
    InputError
        If a test key would be accepted from other machines, the port is taken, a folder is a file, or other users may
        read the keys.

    Examples
    --------
    >>> from customlabels_nb.endpoints import EndpointServer
    >>> with EndpointServer(project.root.parent, port=0) as server:
    ...     server.url
    'http://127.0.0.1:...'
    """

    def __init__(
        self,
        root: str | Path,
        *,
        port: int = PORT,
        address: str = "127.0.0.1",
        key: AccessKey | None = None,
        buckets: Mapping[str, Path] | None = None,
        options: ServingOptions = _DEFAULT,
        accounts: Mapping[str, Path] | None = None,
        certificate: Path | None = None,
        private_key: Path | None = None,
        only: str | None = None,
    ) -> None:
        if only not in (None, REKOGNITION, CUSTOM_VISION):
            raise InputError(f"only={only!r} must be {REKOGNITION!r}, {CUSTOM_VISION!r} or None.")
        self.root = Path(root).absolute()
        if key is not None and address not in _LOOPBACK:
            raise InputError(
                f"address={address!r} can be reached from other machines. Leave out `key`, which is for tests."
            )
        self._address = address
        self._tls = _tls_context(certificate, private_key)
        try:
            self._sockets = bind_sockets(check_integer("port", port, 0, 2**16 - 1), address)
        except OSError as error:
            raise InputError(f"Cannot listen on {address}, port {port}: {error.strerror or error}.") from error
        self.rekognition: Endpoint | None = None
        self.custom_vision: CustomVisionEndpoint | None = None
        try:
            if only != CUSTOM_VISION:
                from customlabels_nb.endpoints.rekognition.endpoint import Endpoint  # needs botocore

                self.rekognition = Endpoint(self.root, options, key=key, buckets=buckets, accounts=accounts)
                if only == REKOGNITION:  # iterations that were being trained are not left
                    go_on(self.rekognition.folder)
            if only != REKOGNITION:
                secret = None if key is None else key.secret_key
                folder = None if self.rekognition is None else self.rekognition.folder
                self.custom_vision = CustomVisionEndpoint(
                    self.root, options, key=secret, folder=folder, scheme="https" if self._tls else "http"
                )
        except BaseException:
            self._close()
            raise
        self._pools = {kind: ThreadPoolExecutor(size, "endpoint") for kind, size in _THREADS.items()}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None

    @property
    def url(self) -> str:
        """URL for ``AWS_ENDPOINT_URL_REKOGNITION``."""
        port = self._sockets[0].getsockname()[1]
        host = f"[{self._address}]" if ":" in self._address else self._address
        return f"{'https' if self._tls else 'http'}://{host}:{port}"

    def instructions(self) -> str:
        """Return the commands and keys that client programs need. New keys are included once.

        Examples
        --------
        >>> server = EndpointServer(project.root.parent, port=0)
        >>> "export AWS_ENDPOINT_URL_REKOGNITION=http://127.0.0.1:" in server.instructions()
        True
        >>> server.stop()
        """
        lines = [f"Projects in {self.root} are served. Stop with Ctrl+C."]
        for endpoint in (self.custom_vision, self.rekognition):
            if endpoint is not None:
                lines += ["", *endpoint.instructions(self.url)]
        return "\n".join(lines)

    def start(self) -> EndpointServer:
        """Start answering requests in a thread.

        Examples
        --------
        >>> server = EndpointServer(project.root.parent, port=0).start()
        >>> server.stop()
        """
        started: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), name="endpoint-server")
        self._thread.start()
        started.result()
        return self

    def stop(self) -> None:
        """Stop answering requests, and finish the jobs of datasets.

        Examples
        --------
        >>> server = EndpointServer(project.root.parent, port=0).start()
        >>> server.stop()
        """
        if self._loop is not None and self._end is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()
            self._thread = None
        for pool in self._pools.values():
            pool.shutdown()
        self._close()

    def _close(self) -> None:
        for socket in self._sockets:
            socket.close()
        for endpoint in (self.custom_vision, self.rekognition):
            if endpoint is not None:
                endpoint.close()

    def __enter__(self) -> EndpointServer:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _endpoint_of(self, path: str) -> HttpEndpoint:
        is_custom_vision = path.lower().lstrip("/").startswith("customvision/")  # an ENDPOINT may end with a slash
        first, second = self.rekognition, self.custom_vision
        endpoint = (second or first) if is_custom_vision else (first or second)
        assert endpoint is not None
        return endpoint

    async def _serve(self, started: Future[None]) -> None:
        try:
            self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
            server = HTTPServer(
                _Connections(self._endpoint_of, self._pools),
                ssl_options=self._tls,
                idle_connection_timeout=_IDLE_SECONDS,
                body_timeout=BODY_SECONDS,
                max_body_size=MOST_BYTES_AT_ONCE,
            )
            server.add_sockets(self._sockets)
            started.set_result(None)
        except BaseException as error:
            started.set_exception(error)
            raise
        await self._end.wait()
        server.stop()
        await server.close_all_connections()


def _tls_context(certificate: Path | None, private_key: Path | None) -> ssl.SSLContext | None:
    """Load the certificate for HTTPS. Return None for HTTP, or raise InputError if the files cannot be used."""
    if certificate is None:
        if private_key is not None:
            raise InputError(f"private_key={str(private_key)!r} needs a certificate, or else HTTP is served.")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, private_key)
    except OSError as error:  # ssl.SSLError is one
        pair = f"certificate={str(certificate)!r} with private_key={private_key and str(private_key)!r}"
        raise InputError(f"{pair} cannot be used: {error.strerror or error}.") from error
    return context


class _Connections(httputil.HTTPServerConnectionDelegate):
    """Requests of all connections.

    ``bytes`` counts those of their bodies. ``idle`` are connections that send no headers, or not even a TLS handshake,
    in the order of their last request.
    """

    def __init__(self, endpoint_of: Callable[[str], HttpEndpoint], pools: Mapping[Threads, ThreadPoolExecutor]) -> None:
        self.endpoint_of, self.pools = endpoint_of, pools
        self.bytes = 0
        self.idle: dict[IOStream, None] = {}
        self._most_idle = _most_idle()

    def start_request(self, server_conn: object, request_conn: httputil.HTTPConnection) -> _Request:
        stream = cast(HTTP1ServerConnection, server_conn).stream
        self.idle[stream] = None
        if len(self.idle) > self._most_idle:  # others must still be able to connect
            oldest = next(iter(self.idle))
            del self.idle[oldest]
            oldest.close()
        return _Request(self, request_conn, stream)


def _most_idle() -> int:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return MOST_IDLE
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST_IDLE if files == resource.RLIM_INFINITY else min(MOST_IDLE, files // 4)


class _Request(httputil.HTTPMessageDelegate):
    """Request that is refused by its headers, or answered once its body has arrived."""

    def __init__(self, connections: _Connections, connection: httputil.HTTPConnection, stream: IOStream) -> None:
        self._all, self._connection, self._stream = connections, connection, stream
        self._body = bytearray()
        self._is_refused = False
        self._reserved = 0

    def headers_received(self, start_line: Any, headers: httputil.HTTPHeaders) -> None:
        self._all.idle.pop(self._stream, None)
        self._line, self._headers = start_line, headers
        self._endpoint = self._all.endpoint_of(start_line.path)
        length = body_length(headers)
        try:
            reserved = self._endpoint.admit(start_line.path, headers, length)
            if self._all.bytes + reserved > MOST_BYTES_AT_ONCE:
                raise ServiceError("ThrottlingException", "Too many large requests at once. Try again later.")
            self._reserved = reserved
            self._all.bytes += reserved
        except Exception as error:
            self._is_refused = True
            self._write(self._endpoint.failure(error))
            if length is None or length > _MOST_DISCARDED or "Expect" in headers:
                self._connection.finish()  # before the body has arrived, which closes the connection

    def data_received(self, chunk: bytes) -> None:
        if not self._is_refused:
            self._body += chunk

    def finish(self) -> None:
        if self._is_refused:
            self._connection.finish()
        else:
            self._task = asyncio.create_task(self._answer())

    def on_connection_close(self) -> None:
        self._all.bytes -= self._reserved  # the body has not arrived

    async def _answer(self) -> None:
        request = self._line.method, self._line.path, self._headers, bytes(self._body)
        self._body.clear()
        pool = self._all.pools[self._endpoint.threads_for(self._line.path, self._headers)]
        try:
            answer = await asyncio.get_running_loop().run_in_executor(pool, self._endpoint.answer, *request)
        finally:
            self._all.bytes -= self._reserved
        self._write(answer)
        self._connection.finish()

    def _write(self, answer: Answer) -> None:
        line = httputil.ResponseStartLine("HTTP/1.1", answer.status, answer.reason or responses[answer.status])
        body = b"" if self._line.method == "HEAD" else answer.body
        self._connection.write_headers(line, httputil.HTTPHeaders(answer.headers), body)
