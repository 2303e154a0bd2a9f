"""Tests of ARNs."""

from __future__ import annotations

import pytest

from customlabels_nb.errors import ServiceError
from customlabels_nb.rekognition.resource_names import parse_arn

START = "arn:aws:rekognition:us-east-1:123456789012:project"


@pytest.mark.parametrize("rest", ["a.b-c_/1", "a/dataset/train/12", "a/dataset/test/12", "a/version/v.1/12"])
def test_arns_are_parsed_and_formatted(rest: str) -> None:
    assert str(parse_arn(f"{START}/{rest}")) == f"{START}/{rest}"


@pytest.mark.parametrize(
    "text", ["", "arn:aws:s3:::bucket", f"{START}/a", f"{START}/a/", f"{START}/a/version/v/", f"{START}/a/1\n"]
)
def test_malformed_arns_are_invalid(text: str) -> None:
    with pytest.raises(ServiceError) as caught:
        parse_arn(text)
    assert caught.value.code == "InvalidParameterException"


@pytest.mark.parametrize("text", [f"{START}/a/{'9' * 40}", START.replace(":aws:", ":aws-cn:") + "/a/1"])
def test_arns_of_other_partitions_name_nothing(text: str) -> None:
    with pytest.raises(ServiceError) as caught:
        parse_arn(text)
    assert caught.value.code == "ResourceNotFoundException"
