"""HTTP client that fsspec uses, with timeouts, answers of bounded size, and a guard against hostile redirects.

By redirecting to a host with a private address, a server could make this machine send a request to a host that only
this machine can reach: itself, its neighbours, or the service that provides a cloud machine's credentials (server-side
request forgery). Such a redirect is refused unless ``settings.private_redirects`` allows it. URLs given by the user and
redirects within the same host are always followed. A proxy resolves names itself.
"""

from __future__ import annotations

import socket
from contextvars import ContextVar
from typing import Any

import aiohttp

from customlabels_nb.remote.public_addresses import RedirectRefusedError, is_private_name, is_public
from customlabels_nb.user_settings import settings

_WHOLE_ANSWER_SECONDS = 300.0
#: Maximum size of an answer that fsspec reads whole, such as a page of links or a part of a large file, in bytes.
_MOST_AT_ONCE = 64 * 2**20

_named: ContextVar[str | None] = ContextVar("named", default=None)  # host of the URL that the request began with
_chosen: ContextVar[str | None] = ContextVar("chosen", default=None)  # URL of the connection, if a server chose it


async def make_client(*, seconds: float, **options: Any) -> aiohttp.ClientSession:
    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(_note_named_host)
    return aiohttp.ClientSession(
        timeout=timeouts(seconds, max(_WHOLE_ANSWER_SECONDS, seconds)),
        trace_configs=[trace],
        trust_env=True,
        connector=_Connector(socket_factory=_open_socket),
        response_class=_Response,
        **options,
    )


def timeouts(seconds: float, total: float) -> aiohttp.ClientTimeout:
    """Return the timeouts of a request: ``seconds`` to wait for data, ``total`` with all redirects and the body."""
    return aiohttp.ClientTimeout(total=total, connect=None, sock_connect=seconds, sock_read=seconds)


class _Response(aiohttp.ClientResponse):
    async def read(self) -> bytes:
        """Return the whole body, after decompression, unless it is too large."""
        if self._body is None:
            parts, size = [], 0
            async for part in self.content.iter_any():
                parts.append(part)
                size += len(part)
                if size > _MOST_AT_ONCE:
                    self.close()
                    raise ValueError(f"the answer has more than {_MOST_AT_ONCE:,} bytes")
            self._body = b"".join(parts)
        return self._body


class _Connector(aiohttp.TCPConnector):
    """Connector that connects only to public addresses if a server chose the host.

    The address of the connection itself is checked, because the next look-up of a name may have another result.
    """

    async def connect(self, req: aiohttp.ClientRequest, traces: Any, timeout: aiohttp.ClientTimeout) -> Any:
        host, target = req.url.raw_host or "", str(req.url)
        if settings.private_redirects or host == _named.get():
            return await super().connect(req, traces, timeout)
        if is_private_name(host):
            raise RedirectRefusedError(target)
        if req.proxy:
            return await super().connect(req, traces, timeout)
        token = _chosen.set(target)
        try:
            connection = await super().connect(req, traces, timeout)
        finally:
            _chosen.reset(token)
        # it may have been opened earlier, for a URL that the user gave
        peer = connection.transport and connection.transport.get_extra_info("peername")
        if not peer or not is_public(peer[0]):
            connection.close()
            raise RedirectRefusedError(target)
        return connection


async def _note_named_host(session: Any, context: Any, request: aiohttp.TraceRequestStartParams) -> None:
    _named.set(request.url.raw_host)


def _open_socket(address_info: Any) -> socket.socket:
    family, kind, protocol, _, address = address_info
    target = _chosen.get()
    if target is not None and not is_public(address[0]):
        raise RedirectRefusedError(target)
    return socket.socket(family, kind, protocol)
