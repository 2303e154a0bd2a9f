"""Run the endpoint on Tornado, which JupyterLab brings along, in a thread."""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import responses
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    ResponseStartLine,
)
from tornado.netutil import bind_sockets

from customlabels_nb.errors import InputError, ServiceError
from customlabels_nb.rekognition.endpoint import Answer, Endpoint, body_length, failure
from customlabels_nb.rekognition.signatures import ACCOUNT, AccessKey
from customlabels_nb.rekognition.workspace import ServingOptions

#: Maximum size of all requests that are being read or answered, in bytes.
MOST_BYTES_AT_ONCE = 256 * 2**20
PORT = 8766

_DEFAULT = ServingOptions()
_THREADS = 96  # more than those that may wait: MOST_DETECTIONS and MOST_HELD
_IDLE_SECONDS = 120.0  # until the headers of the next request have arrived
_BODY_SECONDS = 60.0  # until all of a body has arrived
_MOST_DISCARDED = 2**16  # bytes of a refused request that are read so that the connection can be used again
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class EndpointServer:
    """Web server that answers programs written for Amazon Rekognition Custom Labels.

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
        The only key that is accepted, for tests. By default, the keys in ``.rekognition/keys.json`` in ``root``.
    buckets : mapping, optional
        Folders that stand in for S3 buckets, by name. They belong to the account of ``root``, and those named
        "account:name" to another one. A bucket that several accounts share is given once for each.
    options : ServingOptions
        Region, limits and others.
    accounts : mapping, optional
        Folders with the projects of other accounts, by their 12 digits. The account of ``root`` is 123456789012.
    certificate, private_key : path, optional
        Files for HTTPS.

    Raises
    ------
    InputError
        If a test key would be accepted from other machines, the port is taken, a folder is a file, or other users may
        read the keys.

    Examples
    --------
    >>> from customlabels_nb.rekognition import EndpointServer
    >>> with EndpointServer(project.root.parent, port=0) as server:
    ...     server.url
    'http://127.0.0.1:...'
    """

    def __init__(
        self,
        root: Path,
        *,
        port: int = PORT,
        address: str = "127.0.0.1",
        key: AccessKey | None = None,
        buckets: Mapping[str, Path] | None = None,
        options: ServingOptions = _DEFAULT,
        accounts: Mapping[str, Path] | None = None,
        certificate: Path | None = None,
        private_key: Path | None = None,
    ) -> None:
        if key is not None and address not in _LOOPBACK:
            raise InputError(f"address={address!r} can be reached by others. Leave out the key given for tests.")
        self._address = address
        self._port = port
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._tls.load_cert_chain(certificate, private_key)
        try:
            self._sockets = bind_sockets(port, address)
        except OSError as error:
            raise InputError(f"Cannot listen on {address}, port {port}: {error.strerror or error}.") from error
        try:
            self.endpoint = Endpoint(root, options, key=key, buckets=buckets, accounts=accounts)
        except BaseException:
            for socket in self._sockets:
                socket.close()
            raise
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="rekognition")
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
        """Return the lines that a shell needs for its clients. New keys are included once.

        Examples
        --------
        >>> server = EndpointServer(project.root.parent, port=0)
        >>> "export AWS_ENDPOINT_URL_REKOGNITION=http://127.0.0.1:" in server.instructions()
        True
        >>> server.stop()
        """
        keys = self.endpoint.keys
        region = self.endpoint.options.region  # boto3 reads the second variable, other clients the first
        variables = {"AWS_ENDPOINT_URL_REKOGNITION": self.url, "AWS_REGION": region, "AWS_DEFAULT_REGION": region}
        variables |= {name: os.environ[name] for name in ("AWS_ENDPOINT_URL_S3",) if name in os.environ}
        lines = [f"Projects in {self.endpoint.root} are served. Stop with Ctrl+C. In another terminal:", ""]
        lines += [f"export {name}={value}" for name, value in variables.items()]
        given = self.endpoint.key
        if not keys.new:
            place = self.endpoint.key_file if given is None else f"{given.access_key}, as given"
            return "\n".join([*lines, "", f"Access keys: {place}"])
        lines += ["export AWS_PROFILE=custom-labels-access", ""]
        lines += [f"New access keys, stored in {self.endpoint.key_file}. For ~/.aws/credentials:"]
        for key in keys.new:
            name = "custom-labels-access" if key.account == ACCOUNT else f"account-{key.account}"
            secret = f"aws_secret_access_key = {key.secret_key}"
            lines += ["", f"[{name}]", f"aws_access_key_id = {key.access_key}", secret]
        return "\n".join(lines)

    def start(self) -> EndpointServer:
        """Start to answer requests, in a thread.

        Examples
        --------
        >>> server = EndpointServer(project.root.parent, port=0).start()
        >>> server.stop()
        """
        started: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), name="rekognition-server")
        self._thread.start()
        started.result()
        return self

    def stop(self) -> None:
        """Stop to answer requests, and finish the jobs of datasets.

        Examples
        --------
        >>> server = EndpointServer(project.root.parent, port=0).start()
        >>> server.stop()
        """
        if self._loop is not None and self._end is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()
            self._thread = None
        self._pool.shutdown()
        self.endpoint.close()

    def __enter__(self) -> EndpointServer:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    async def _serve(self, started: Future[None]) -> None:
        try:
            self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
            server = HTTPServer(
                _Connections(self.endpoint, self._pool),
                ssl_options=self._tls,
                idle_connection_timeout=_IDLE_SECONDS,
                body_timeout=_BODY_SECONDS,
            )
            server.add_sockets(self._sockets)
            started.set_result(None)
        except BaseException as error:
            started.set_exception(error)
            raise
        await self._end.wait()
        server.stop()
        await server.close_all_connections()


class _Connections(HTTPServerConnectionDelegate):
    """Requests of all connections, with the bytes of their bodies."""

    def __init__(self, endpoint: Endpoint, pool: ThreadPoolExecutor) -> None:
        self.endpoint, self.pool = endpoint, pool
        self.bytes = 0
        self.tasks: set[asyncio.Task[None]] = set()

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        return _Request(self, request_conn)


class _Request(HTTPMessageDelegate):
    """Request that is answered before its body is read if it is refused by its headers."""

    def __init__(self, connections: _Connections, connection: HTTPConnection) -> None:
        self._connections, self._connection = connections, connection
        self._body = bytearray()
        self._reserved = 0
        self._is_refused = False

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
        """Refuse the request, or reserve memory for its body."""
        self._line, self._headers = start_line, headers
        length = body_length(headers)
        try:
            reserved = self._connections.endpoint.admit(start_line.path, headers, length)
            if self._connections.bytes + reserved > MOST_BYTES_AT_ONCE:
                raise ServiceError("ThrottlingException", "Too many large requests at once. Try again later.")
        except Exception as error:
            self._is_refused = True
            self._write(failure(error))
            if length is None or length > _MOST_DISCARDED or "Expect" in headers:
                self._connection.finish()  # before the body has arrived, which closes the connection
        else:
            self._reserved = reserved
            self._connections.bytes += reserved

    def data_received(self, chunk: bytes) -> None:
        """Store a part of the body, or discard it if the request was refused."""
        if not self._is_refused:
            self._body += chunk

    def finish(self) -> None:
        """Answer the whole request."""
        if self._is_refused:
            self._connection.finish()
            return
        task = asyncio.create_task(self._answer())
        self._connections.tasks.add(task)  # the loop keeps no reference
        task.add_done_callback(self._connections.tasks.discard)

    def on_connection_close(self) -> None:
        """Release the memory of a body that has not arrived in full."""
        self._connections.bytes -= self._reserved

    async def _answer(self) -> None:
        request = self._line.method, self._line.path, self._headers, bytes(self._body)
        try:
            loop, connections = asyncio.get_running_loop(), self._connections
            answer = await loop.run_in_executor(connections.pool, connections.endpoint.answer, *request)
        finally:
            self._connections.bytes -= self._reserved
        self._write(answer)
        self._connection.finish()

    def _write(self, answer: Answer) -> None:
        line = ResponseStartLine("HTTP/1.1", answer.status, responses[answer.status])
        body = b"" if self._line.method == "HEAD" else answer.body
        self._connection.write_headers(line, HTTPHeaders(answer.headers), body)
