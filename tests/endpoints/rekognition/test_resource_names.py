"""Tests of ARNs."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from customlabels_nb.endpoints.rekognition.access_keys import AccessKey
from customlabels_nb.endpoints.rekognition.endpoint import OPERATIONS
from customlabels_nb.endpoints.rekognition.resource_names import parse_arn
from customlabels_nb.endpoints.rekognition.service_model import service_model
from customlabels_nb.errors import ServiceError

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


@pytest.mark.parametrize(
    "text",
    [f"{START}/a/{'9' * 40}", f"{START}/a/01", f"{START}/a/version/v/0", START.replace(":aws:", ":aws-cn:") + "/a/1"],
)
def test_arns_that_cannot_exist_name_nothing(text: str) -> None:
    with pytest.raises(ServiceError) as caught:
        parse_arn(text)
    assert caught.value.code == "ResourceNotFoundException"


_ARNS = [f"{START}/rooms/1730000000123", f"{START}/rooms/dataset/train/17", f"{START}/rooms/version/v1/1730000000123"]
_PIECES = st.sampled_from(
    ["0", "00", "+", " ", "\n", "/", "//", "%30", ":", "_", "..", "\u0661", "\uff11", "\u200b", "\0"]
)


@st.composite
def _mutated(draw: st.DrawFn) -> tuple[str, str]:
    """Return an ARN, and the same with some characters inserted, removed, repeated or replaced by similar ones."""
    text = arn = draw(st.sampled_from(_ARNS))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(start + 3, len(text))))
        part = text[start:end]
        changes = [part.upper(), part.title(), part * 2, "", unicodedata.normalize("NFKC", part), part[::-1]]
        text = text[:start] + draw(st.sampled_from(changes) | _PIECES | st.text(max_size=3)) + text[end:]
    return arn, text


@given(_mutated())
@example((_ARNS[0], _ARNS[0].replace("/173", "/0173")))
def test_a_resource_has_one_spelling_by_which_a_denial_recognises_it(given: tuple[str, str]) -> None:
    arn, text = given
    key = AccessKey("test", "test", deny=[f"rekognition:* {arn.partition(':project/')[2]}"])
    with suppress(ServiceError):
        name = parse_arn(text)
        assert str(name) == text
        assert name != parse_arn(arn) or not key.may("DeleteProject", [str(name)])


def test_all_arns_of_the_service_are_members_that_requests_are_searched_for() -> None:
    found = set()

    def search(shape: Any, path: str) -> None:
        if shape.type_name == "structure":
            for name, member in shape.members.items():
                search(member, f"{path}.{name}")
        elif shape.type_name == "list":
            search(shape.member, f"{path}[]")
        elif shape.name.endswith("Arn"):
            found.add(path)

    for operation in OPERATIONS:
        search(service_model().operation_model(operation).input_shape, "")
    assert {path for path in found if path.count(".") > 1} == {".Datasets[].Arn", ".DatasetSource.DatasetArn"}
    assert all(path.endswith("Arn") for path in found)
