"""Proxy of a PostgreSQL server that cuts a connection between commit and reply."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from sqlalchemy.engine import make_url


class CuttingProxy:
    """Proxy at :attr:`url` of the server at ``url``, which listens on a Unix socket or a port.

    Attributes
    ----------
    cuts : int
        Number of commits whose reply will be withheld, and whose connection will be closed.
    """

    def __init__(self, url: str) -> None:
        self.cuts = 0
        self.done = 0
        parsed = make_url(url)
        folder = parsed.query.get("host") or ""
        self._folder, self._port = str(folder), parsed.port or 5432
        self._host = parsed.host or "localhost"
        self._listener = socket.create_server(("127.0.0.1", 0))
        own = parsed.difference_update_query(["host", "port"]).set(
            host="127.0.0.1", port=self._listener.getsockname()[1]
        )
        self.url = own.update_query_dict({"sslmode": "disable"}).render_as_string(hide_password=False)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop accepting connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = self._connect()
                for source, target, commits in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pump, args=(source, target, commits), daemon=True).start()

    def _connect(self) -> socket.socket:
        if not self._folder:
            return socket.create_connection((self._host, self._port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{self._folder}/.s.PGSQL.{self._port}")
        return server

    def _pump(self, source: socket.socket, target: socket.socket, commits: bool) -> None:
        with suppress(OSError):
            while data := source.recv(2**16):
                if commits and self.cuts and b"COMMIT" in data:
                    self.cuts -= 1
                    self.done += 1  # before the client can notice
                    # the thread of the other direction must not forward the reply
                    source.shutdown(socket.SHUT_RDWR)
                    target.sendall(data)
                    return
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
