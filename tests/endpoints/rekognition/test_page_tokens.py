"""Tests of paging: sizes, tokens of other requests, changes between pages, and restarts."""

from __future__ import annotations

import base64
from itertools import chain

import pytest

from customlabels_nb.endpoints.rekognition.page_tokens import Page
from customlabels_nb.errors import ServiceError
from tests.endpoints.rekognition.service import Service


def pages(service: Service, size: int) -> list[list[str]]:
    found, token = [], ""
    while True:
        answer = service.call("describe_projects", MaxResults=size, NextToken=token)
        found.append([one["ProjectArn"] for one in answer["ProjectDescriptions"]])
        if "NextToken" not in answer:
            return found
        token = answer["NextToken"]


def test_pages_of_any_size_join_to_the_whole_list_newest_first(service: Service) -> None:
    made = [service.project(f"p{number}") for number in range(5)][::-1]
    assert [len(page) for page in pages(service, 2)] == [2, 2, 1]
    assert [len(page) for page in pages(service, 5)] == [5]
    for size in (1, 2, 5, 100):
        assert list(chain.from_iterable(pages(service, size))) == made
    assert [one["ProjectArn"] for one in paginated(service)] == made


def paginated(service: Service) -> list[dict[str, str]]:
    paginator = service.client.get_paginator("describe_projects")
    return [one for page in paginator.paginate(PaginationConfig={"PageSize": 2}) for one in page["ProjectDescriptions"]]


def test_changes_between_pages_neither_repeat_nor_hide_entries(service: Service) -> None:
    made = [service.project(f"p{number}") for number in range(4)]
    answer = service.call("describe_projects", MaxResults=2)
    service.project("newer")
    service.call("delete_project", ProjectArn=made[3])
    rest = service.call("describe_projects", MaxResults=2, NextToken=answer["NextToken"])
    assert [one["ProjectArn"] for one in rest["ProjectDescriptions"]] == made[1::-1]


def test_tokens_are_valid_after_a_restart(service: Service) -> None:
    made = [service.project(f"p{number}") for number in range(3)]
    token = service.call("describe_projects", MaxResults=1)["NextToken"]
    service.restart()
    found = service.call("describe_projects", MaxResults=1, NextToken=token)["ProjectDescriptions"]
    assert [one["ProjectArn"] for one in found] == [made[1]]


def test_tokens_belong_to_their_request(service: Service) -> None:
    for number in range(3):
        service.project(f"p{number}")
    token = service.call("describe_projects", MaxResults=1)["NextToken"]
    raw = bytearray(base64.urlsafe_b64decode(token))
    raw[0] ^= 1
    altered = base64.urlsafe_b64encode(bytes(raw)).decode()
    for request in (
        {"NextToken": token, "Features": ["CUSTOM_LABELS"]},
        {"NextToken": altered},
        {"NextToken": token[:-4]},
        {"NextToken": f"{token}\n"},
        {"NextToken": "ü"},
        {"NextToken": "x"},
    ):
        assert service.refused("describe_projects", **request) == "InvalidPaginationTokenException"
    assert service.call("describe_projects", NextToken=token, MaxResults=50)["ProjectDescriptions"]


def test_tokens_of_other_secrets_and_accounts_are_refused() -> None:
    token = Page(b"a", "1", "List", {}).answer("Items", [], 7)["NextToken"]
    assert Page(b"a", "1", "List", {"NextToken": token, "MaxResults": 3}).after == 7
    for secret, account, operation in ((b"b", "1", "List"), (b"a", "2", "List"), (b"a", "1", "Other")):
        with pytest.raises(ServiceError, match="NextToken"):
            Page(secret, account, operation, {"NextToken": token})
