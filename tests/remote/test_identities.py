"""Tests of file identities: the server's metadata as a string distinct from a hash and containing the size."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customlabels_nb.remote import remote_files
from customlabels_nb.remote.remote_files import RemoteFile, identity_matches, is_identity, look_up, size_in

urls = st.sampled_from(["s3://b/a.jpg", "https://h/a.jpg", "gs://b/a.jpg", "az://c/a.jpg", "sftp://h/a.jpg"])
etags = st.text(st.characters(), max_size=300) | st.binary(max_size=16).map(bytes.hex)


def looked_up(url: str, facts: dict[str, Any]) -> RemoteFile:
    """Look up a file whose server has these facts of it."""
    server = SimpleNamespace(info=lambda path: facts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote_files, "open_system", lambda url: (server, url))
        return look_up(url)


@given(urls, etags, st.integers(0, 2**63 - 1))
def test_every_etag_gives_an_identity(url: str, etag: str, size: int) -> None:
    identity = looked_up(url, {"ETag": etag, "size": size, "LastModified": datetime.now(UTC)}).identity
    assert identity is not None
    assert is_identity(identity)
    assert size_in(identity) == size
    assert identity.isascii()
    assert len(identity) < 200


@given(st.binary() | st.text())
def test_hashes_are_not_identities(data: bytes | str) -> None:
    content = hashlib.sha256(data if isinstance(data, bytes) else data.encode("utf-8", "replace")).hexdigest()
    assert not is_identity(content)
    assert not is_identity(None)
    assert not is_identity(float("nan"))


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_checksum_distinguishes_contents(data: bytes, other: bytes) -> None:
    digest = hashlib.md5(data, usedforsecurity=False)
    facts = {"size": len(data)}
    of_s3 = looked_up("s3://b/a", {**facts, "ETag": f'"{digest.hexdigest()}"'}).identity
    of_google = looked_up("gs://b/a", {**facts, "md5Hash": base64.b64encode(digest.digest()).decode()}).identity
    of_web = looked_up("https://h/a", {**facts, "ETag": digest.hexdigest()}).identity
    assert of_s3 is not None
    assert of_google is not None
    assert of_web is not None
    assert (identity_matches(of_s3, data), identity_matches(of_google, data), identity_matches(of_web, data)) == (
        True,
        True,
        None,
    )
    if other != data:
        assert not identity_matches(of_s3, other)
        assert identity_matches(of_google, other) is False


def test_equal_etags_compare_only_as_checksums() -> None:
    entry = {"size": 5, "ETag": "abc", "LastModified": datetime(2020, 1, 1, tzinfo=UTC)}
    for scheme, same in (("s3", True), ("https", False), ("az", False), ("gs", False)):
        first, second = (looked_up(f"{scheme}://x/{name}", entry).identity for name in "ab")
        assert (first == second) is same
    assert looked_up("https://h/a", {"size": 5}).identity is None
    assert looked_up("https://h/a", {"size": None, "ETag": "abc"}).identity is None


def test_times_of_every_spelling() -> None:
    moment = datetime(2020, 3, 6, 17, 46, 39, tzinfo=UTC)
    for value in (
        moment,
        moment.isoformat(),
        "Fri, 06 Mar 2020 17:46:39 GMT",
        moment.timestamp(),
        "2020-03-06T17:46:39Z",
    ):
        assert looked_up("sftp://h/a", {"size": 1, "mtime": value}).mtime_ns == round(moment.timestamp()) * 10**9
    assert looked_up("sftp://h/a", {"size": 1, "mtime": "yesterday"}).mtime_ns is None
