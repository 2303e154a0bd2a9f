"""Tests of addresses that are public, however they are written."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from customlabels_nb.remote.public_addresses import is_private_name, is_public

#: IPv6 addresses that lead to the IPv4 address with a number.
_EMBEDDINGS = {
    "IPv4-compatible": lambda number: number,
    "IPv4-mapped": lambda number: 0xFFFF << 32 | number,
    "NAT64": lambda number: 0x64FF9B << 96 | number,
    "6to4": lambda number: 0x2002 << 112 | number << 80 | 1,
}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("10.1.2.3", False), ("192.168.0.1", False), ("::1", False),
        ("172.20.0.1", False), ("100.64.0.1", False), ("169.254.169.254", False), ("fe80::1%eth0", False),
        ("fd00::1", False), ("::ffff:127.0.0.1", False), ("2002:7f00:1::", False), ("0.0.0.0", False),
        ("224.0.0.1", False), ("::ffff:8.8.8.8", True), ("64:ff9b::7f00:1", False), ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::a9fe:a9fe", False), ("64:ff9b::8.8.8.8", True), ("64:ff9b:1::8.8.8.8", False),
        ("::127.0.0.1", False), ("2002:0808:0808::", True), ("2001::1", False), ("2001:db8::1", False), ("::", False),
        ("ff02::1", False), ("fec0::1", False), ("2130706433", False), ("0177.0.0.1", False), ("localhost", False),
    ],
)  # fmt: skip
def test_public_addresses_are_recognised(address: str, expected: bool) -> None:
    assert is_public(address) is expected


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(_EMBEDDINGS)))
@example(0x7F000001, "6to4")
def test_an_ipv6_address_is_as_public_as_the_ipv4_address_in_it(number: int, embedding: str) -> None:
    outer = str(ipaddress.IPv6Address(_EMBEDDINGS[embedding](number)))
    inner = ipaddress.IPv4Address(number)
    assert is_public(outer) is is_public(str(inner))
    if inner not in ipaddress.ip_network("192.0.0.0/24"):  # in which Python versions differ
        assert is_public(str(inner)) is (inner.is_global and not inner.is_multicast)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("2130706433", True), ("0x7f.1", True), ("017700000001", True), ("127.1", True), ("127.0.0.1.", True),
        ("localhost", True), ("localhost.", True), ("a.b.localhost", True), ("::1", True), ("fe80::1%eth0", True),
        ("134744072", False), ("8.8.8.8", False), ("example.com", False), ("notlocalhost", False),
        ("localhost.example.com", False), ("10.0.0.1.example.com", False), ("cafe", False),
    ],
)  # fmt: skip
def test_names_of_private_addresses_are_recognised(host: str, expected: bool) -> None:
    assert is_private_name(host) is expected
