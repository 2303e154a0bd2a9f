"""Tests of the files that workers on other machines must be able to read."""

from __future__ import annotations

import pytest

from customlabels_nb.cluster.shared_files import readable_everywhere
from customlabels_nb.errors import InputError
from tests.s3_server import Bucket


def test_a_bucket_is_probed_by_an_image_that_can_be_read(bucket: Bucket) -> None:
    missing, there = f"{bucket.url}/missing.jpg", bucket.put("there.jpg", b"image")
    assert readable_everywhere([missing, there], None, shared=False) == [[there, ""]]
    with pytest.raises(InputError, match=r"None of the first images can be read: .*missing\.jpg"):
        readable_everywhere([missing], None, shared=False)
    assert readable_everywhere(["http://127.0.0.1:1/gone.jpg"], None, shared=False) == []
