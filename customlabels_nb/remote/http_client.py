"""How web servers are asked: no longer than somebody wants to wait, and never led by them into the network around us.

A server may answer with a redirect. One to another host whose address isn't public would make this machine ask, in the
server's stead, what only this machine can reach: itself, its neighbours, or the service that gives a cloud machine its
credentials. Such a redirect is refused unless ``settings.private_redirects`` allows it. What the user names is asked
wherever it lies, and so is a redirect within the host that was named.

User names and passwords come from ``~/.netrc`` (or the file that ``NETRC`` names), proxies from ``HTTPS_PROXY``,
``HTTP_PROXY`` and ``NO_PROXY``.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Any
from urllib.request import getproxies

from customlabels_nb.settings import settings

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
