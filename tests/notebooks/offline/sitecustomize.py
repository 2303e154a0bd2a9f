"""Block the network in every Python process with this folder in PYTHONPATH.

Local addresses stay available, because the kernel communicates with its client through them; an old kernel looks for
them under this machine's name, with ``.local`` where the name alone is not known. Each attempt is written to the file
named by ``NOTEBOOKS_NETWORK_LOG``, so that code that swallows the error is detected as well.
"""

import errno
import os
import socket
import sys

_NAME = socket.gethostname()
_LOCAL = ("", "localhost", "127.", "::1", "0.0.0.0", "::", "<broadcast>", _NAME, f"{_NAME}.local")


def _is_local(host: object) -> bool:
    """Return True if a host is this machine."""
    if isinstance(host, bytes | bytearray):
        host = host.decode("ascii", "replace")
    return host is None or (isinstance(host, str) and (host in _LOCAL or host.startswith("127.")))


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse and log network access as an audit hook."""
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None  # others are Unix sockets
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    if not _is_local(host):
        log = os.environ.get("NOTEBOOKS_NETWORK_LOG")
        if log:
            with open(log, "a", encoding="utf-8") as file:
                file.write(f"{event} {host}\n")
        raise OSError(errno.ENETUNREACH, f"Notebooks are run without a network; {host!r} was asked for.")


sys.addaudithook(_refuse)
