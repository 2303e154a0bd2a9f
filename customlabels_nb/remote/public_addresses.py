"""Decide whether an address is public: one that is neither of this machine nor of a network that it belongs to."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress

# ``is_global`` of ipaddress is not used: its answers differ between Python 3.11 and 3.14
_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
            "224.0.0.0/4", "240.0.0.0/4",
            "2001::/23",  # of protocols, such as Teredo
            "2001:db8::/32", "3fff::/20",  # of documentation
        ),
    )
)  # fmt: skip
_UNICAST = ipaddress.ip_network("2000::/3")  # the only public IPv6 addresses that are in use
#: IPv6 networks whose addresses lead to an IPv4 address in them, and the number of bits after it.
_EMBEDDING = {
    ipaddress.ip_network("::/96"): 0,  # compatible with IPv4
    ipaddress.ip_network("::ffff:0:0/96"): 0,  # IPv4-mapped
    ipaddress.ip_network("64:ff9b::/96"): 0,  # NAT64
    ipaddress.ip_network("2002::/16"): 80,  # 6to4
}


class RedirectRefusedError(OSError):
    """Redirect to a private address that was refused. Users see the message as the reason in a different error."""

    def __init__(self, target: str) -> None:
        super().__init__(
            f"redirect to {target!r} refused: its address is not public. "
            "Set settings.private_redirects = True if you trust the server"
        )


def is_public(address: str) -> bool:
    """Check whether an IP address is public. Text that is not an IP address is not."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    for network, shift in _EMBEDDING.items():
        if parsed in network:
            parsed = ipaddress.IPv4Address(int(parsed) >> shift & 0xFFFFFFFF)
    if parsed.version == 6 and parsed not in _UNICAST:
        return False
    return not any(parsed in network for network in _NOT_PUBLIC)


def is_private_name(host: str) -> bool:
    """Check whether the host of a URL is written as an address that is not public, or as a name of this machine."""
    host = host.rstrip(".")
    with suppress(OSError):
        host = socket.inet_ntoa(socket.inet_aton(host))  # resolvers read 2130706433 and 0x7f.1 as 127.0.0.1
    is_address = ":" in host or host.replace(".", "").isdigit()
    return (is_address and not is_public(host)) or f".{host}".endswith(".localhost")
