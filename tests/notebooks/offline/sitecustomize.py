"""Cuts a Python off from the network: imported by every one that has this folder in PYTHONPATH.

Addresses of this machine stay, as the kernel talks to its client by them. Each attempt goes to the file named by
``NOTEBOOKS_NETWORK_LOG``, for code that swallows the error is no better than code that doesn't.
"""

import errno
import os
import sys

_LOCAL = ("", "localhost", "127.", "::1", "0.0.0.0", "::", "<broadcast>")


def _is_local(host: object) -> bool:
    if isinstance(host, bytes | bytearray):
        host = host.decode("ascii", "replace")
    return host is None or (isinstance(host, str) and (host in _LOCAL or host.startswith("127.")))


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None  # others are sockets in the file system
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
