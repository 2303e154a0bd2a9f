"""Tests of policies: revisions, numbers, documents, and who may copy from which account."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import customlabels_nb as cl
from customlabels_nb.endpoints import EndpointServer
from customlabels_nb.endpoints.rekognition.access_keys import ACCOUNT
from customlabels_nb.errors import InputError, NotAllowedError
from customlabels_nb.store import Action
from tests.endpoints.rekognition.service import SECRET, Service, classified, write_keys
from tests.endpoints.rekognition.test_project_operations import version
from tests.waiting import wait_until

OTHER = "111122223333"
ROLE = f"arn:aws:iam::{OTHER}:role/copier"


def statement(project: str, effect: str = "Allow", principal: Any = "*", resource: Any = None) -> dict[str, Any]:
    place = project.rpartition("/")[0]
    return {
        "Effect": effect, "Principal": principal, "Action": "rekognition:CopyProjectVersion",
        "Resource": resource or f"{place}/version/*",
    }  # fmt: skip


def document(*statements: dict[str, Any], **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more})


def put(service: Service, project: str, text: str, name: str = "p", **more: Any) -> str:
    request = {"ProjectArn": project, "PolicyName": name, "PolicyDocument": text, **more}
    return str(service.call("put_project_policy", **request)["PolicyRevisionId"])


def test_a_policy_has_one_revision_that_counts(service: Service) -> None:
    project = service.project()
    text = document(statement(project), Id="é")
    request = {"ProjectArn": project, "PolicyName": "p", "PolicyDocument": text}
    assert service.refused("put_project_policy", **request, PolicyRevisionId="aa") == "InvalidPolicyRevisionIdException"
    first = put(service, project, text)
    (found,) = service.call("list_project_policies", ProjectArn=project)["ProjectPolicies"]
    assert (found["PolicyRevisionId"], found["PolicyDocument"], found["ProjectArn"]) == (first, text, project)
    assert found["CreationTimestamp"] == found["LastUpdatedTimestamp"]
    assert service.refused("put_project_policy", **request) == "ResourceAlreadyExistsException"
    denial = document(statement(project, "DENY"))
    second = put(service, project, denial, PolicyRevisionId=first.upper())
    (found,) = service.call("list_project_policies", ProjectArn=project)["ProjectPolicies"]
    assert (found["PolicyRevisionId"], found["PolicyDocument"]) == (second, denial)
    assert found["CreationTimestamp"] < found["LastUpdatedTimestamp"]
    one = {"ProjectArn": project, "PolicyName": "p"}
    assert service.refused("delete_project_policy", **one, PolicyRevisionId=first) == "InvalidPolicyRevisionIdException"
    assert service.call("delete_project_policy", **one, PolicyRevisionId=second) == {}
    assert service.refused("delete_project_policy", **one) == "ResourceNotFoundException"
    put(service, project, text)
    assert service.call("delete_project_policy", **one) == {}
    assert service.call("list_project_policies", ProjectArn=project) == {"ProjectPolicies": []}


def test_there_are_five_policies_in_pages(service: Service) -> None:
    project = service.project()
    text = document(statement(project))
    for name in "abcde":
        put(service, project, text, name)
    request = {"ProjectArn": project, "PolicyName": "f", "PolicyDocument": text}
    assert service.refused("put_project_policy", **request) == "ServiceQuotaExceededException"
    found, token = [], ""
    while True:
        page = service.call("list_project_policies", ProjectArn=project, MaxResults=2, NextToken=token)
        found += [one["PolicyName"] for one in page["ProjectPolicies"]]
        if "NextToken" not in page:
            break
        token = page["NextToken"]
    assert found == list("abcde")
    assert len(service.call("list_project_policies", ProjectArn=project)["ProjectPolicies"]) == 5
    assert service.refused("list_project_policies", ProjectArn=project, NextToken=f"{token}A") == (
        "InvalidPaginationTokenException"
    )


def test_pages_go_on_after_deletions(service: Service) -> None:
    project = service.project()
    text = document(statement(project))
    for name in "abcd":
        put(service, project, text, name)
    request = {"ProjectArn": project, "MaxResults": 3}
    page = service.call("list_project_policies", **request)
    assert [one["PolicyName"] for one in page["ProjectPolicies"]] == list("abc")
    for name in "cd":
        service.call("delete_project_policy", ProjectArn=project, PolicyName=name)
    put(service, project, text, "e")
    rest = service.call("list_project_policies", **request, NextToken=page["NextToken"])
    assert [one["PolicyName"] for one in rest["ProjectPolicies"]] == ["e"]


BAD: list[dict[str, Any]] = [
    {"Effect": "Maybe"},
    {"Effect": ["Allow"]},
    {"Action": "rekognition:*"},
    {"Action": ["rekognition:CopyProjectVersion", "s3:GetObject"]},
    {"Action": []},
    {"Principal": {"AWS": "1234"}},
    {"Principal": {"Service": "lambda.amazonaws.com"}},
    {"Principal": [OTHER]},
    {"Principal": "everyone"},
    {"Resource": "*"},
    {"Resource": "arn:aws:rekognition:us-east-1:123456789012:project/other/version/*"},
    {"Resource": "{project}/version/v1/0123"},
    {"Resource": "{project}/version/v1/\u0661"},
    {"Condition": {}},
    {"NotPrincipal": "*"},
    {"NotAction": "a"},
]


def test_malformed_policies_are_refused(service: Service) -> None:
    project = service.project()
    good = statement(project)
    texts = ["{}", "[]", "[" * 1500, "x", '{"Version": "2012-10-17"}', document(), document({})]
    place = project.rpartition("/")[0]
    texts += [document({**good, **bad}).replace("{project}", place) for bad in BAD]
    texts += [json.dumps({"Version": "2008-10-17", "Statement": good}), document(good, Other=1)]
    texts += [document({key: value for key, value in good.items() if key != missing}) for missing in good]
    for text in texts:
        request = {"ProjectArn": project, "PolicyName": "p", "PolicyDocument": text}
        assert service.refused("put_project_policy", **request) == "MalformedPolicyDocumentException", text
    for change, why in (({"Condition": {}}, "'Condition' is not supported"), ({"Principal": {}}, "'AWS' is missing")):
        request = {"ProjectArn": project, "PolicyName": "p", "PolicyDocument": document({**good, **change})}
        with pytest.raises(Exception, match=why):
            service.call("put_project_policy", **request)
    for text in ("", "x" * 2001, '{"a": "Ā"}'):
        request = {"ProjectArn": project, "PolicyName": "p", "PolicyDocument": text}
        with pytest.raises(Exception, match=r"Invalid (type|length)|InvalidParameter"):
            service.call("put_project_policy", **request)
    for good_one in (
        statement(project, "aLLOW", {"AWS": [OTHER, ROLE]}),
        statement(project, "Deny", {"AWS": f"arn:aws:iam::{OTHER}:user/path/me"}) | {"Sid": "1"},
        statement(project, resource=[f"{project.rpartition('/')[0]}/version/v1/1234567890123"]),
    ):
        put(service, project, json.dumps({"Version": "2012-10-17", "Statement": good_one}), f"p{time.time_ns()}")


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[tuple[Service, Any]]:
    """Yield a service with two accounts, and a client of the other one, whose principal is a role."""
    for name in ("root", "photos", "other"):
        (tmp_path / name).mkdir()
    service = Service(tmp_path / "root", tmp_path / "photos", accounts={OTHER: tmp_path / "other"}, key=None)
    write_keys(
        tmp_path / "root",
        {"access_key": "test", "secret_key": SECRET},
        {"access_key": "other", "secret_key": SECRET, "account": OTHER, "principal": ROLE},
        {"access_key": "stray", "secret_key": SECRET, "account": "999999999999"},
    )
    with service:
        yield service, service.new_client("other")


def source(service: Service, project: str) -> str:
    """Add a version whose files are missing, so that only the permission to copy it is tested."""
    python = cl.load_project(service.root / "rooms")
    python._store.add_version(replace(version("v"), status="TRAINING_COMPLETED"), Action("add", "test"))
    python.close()
    (found,) = service.call("describe_project_versions", ProjectArn=project)["ProjectVersionDescriptions"]
    return str(found["ProjectVersionArn"])


def test_an_account_has_projects_of_its_own(accounts: tuple[Service, Any]) -> None:
    service, other = accounts
    project = service.project()
    foreign = other.create_project(ProjectName="rooms")["ProjectArn"]
    assert foreign.split(":")[4] == OTHER
    assert service.call("describe_projects")["ProjectDescriptions"][0]["ProjectArn"] == project
    assert service.refused("delete_project", ProjectArn=foreign) == "ResourceNotFoundException"
    assert service.refused("list_project_policies", ProjectArn=foreign) == "ResourceNotFoundException"
    with pytest.raises(other.exceptions.ResourceNotFoundException):
        other.delete_project(ProjectArn=project)
    stray = service.new_client("stray")
    with pytest.raises(stray.exceptions.AccessDeniedException):
        stray.describe_projects()


def test_an_account_has_buckets_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = {name: tmp_path / name for name in ("root", "photos", "other", "theirs", "both")}
    for folder in folders.values():
        folder.mkdir()
    write_keys(
        folders["root"],
        {"access_key": "test", "secret_key": SECRET},
        {"access_key": "other", "secret_key": SECRET, "account": OTHER},
    )
    buckets = {f"{OTHER}:theirs": folders["theirs"], "both": folders["both"], f"{OTHER}:both": folders["both"]}
    given: dict[str, Any] = {"key": None, "accounts": {OTHER: folders["other"]}, "buckets": buckets}
    for name in ("photos", "theirs", "both"):
        (folders[name] / "a.manifest").write_text(classified("1.jpg", "a") + "\n")
    started: list[dict[str, str]] = []

    def start(*_: object, env: dict[str, str], **__: object) -> SimpleNamespace:
        started.append(env)
        return SimpleNamespace(wait=lambda: 0)

    def datasets_are_created(client: Any) -> bool:
        (found,) = client.describe_projects()["ProjectDescriptions"]
        return {one["Status"] for one in found["Datasets"]} == {"CREATE_COMPLETE"}

    monkeypatch.setattr(subprocess, "Popen", start)
    with Service(folders["root"], folders["photos"], **given) as service:
        consoles = [workspace.buckets.console for workspace in service.server.rekognition.workspaces.values()]
        clients = {"photos": service.client, "theirs": service.new_client("other")}
        for own, (mine, foreign) in zip(clients, (consoles, consoles[::-1]), strict=True):
            client = clients[own]
            arn = client.create_project(ProjectName="p")["ProjectArn"]
            request = {"ProjectArn": arn, "DatasetType": "TRAIN"}
            (other,) = clients.keys() - {own}
            for bucket in (other, foreign):
                place = {"Bucket": bucket, "Name": "a.manifest"}
                with pytest.raises(client.exceptions.InvalidS3ObjectException, match="belongs to another account"):
                    client.create_dataset(**request, DatasetSource={"GroundTruthManifest": {"S3Object": place}})
            workspace = service.server.rekognition.workspaces[arn.split(":")[4]]
            with pytest.raises(InputError, match="belongs to another account"):
                workspace.buckets.write(other, "a", b"")
            for kind, bucket in (("TRAIN", own), ("TEST", "both")):
                place = {"Bucket": bucket, "Name": "a.manifest"}
                source = {"GroundTruthManifest": {"S3Object": place}}
                made = client.create_dataset(ProjectArn=arn, DatasetType=kind, DatasetSource=source)
                assert made["DatasetArn"]
            wait_until(partial(datasets_are_created, client))
            output = {"S3Bucket": own, "S3KeyPrefix": ""}
            client.create_project_version(ProjectArn=arn, VersionName="v", OutputConfig=output)
            wait_until(lambda: len(started) > 0)
            passed = {pair.partition("=")[0] for pair in started.pop()["CUSTOMLABELS_NB_BUCKETS"].split(os.pathsep)}
            assert passed & {*clients, *consoles, "both"} == {own, mine, "both"}
            assert not (folders[other] / "a").exists()
    with pytest.raises(InputError, match="already used for another folder"):
        EndpointServer(folders["root"], port=0, accounts=given["accounts"], buckets={**buckets, "theirs": tmp_path})


PRINCIPALS = {
    "all": "*",
    "root": {"AWS": f"arn:aws:iam::{OTHER}:root"},
    "account": {"AWS": OTHER},
    "role": {"AWS": [ROLE]},
    "another role": {"AWS": f"{ROLE}s"},
    "another account": {"AWS": ACCOUNT},
}


def test_policies_decide_who_may_copy(accounts: tuple[Service, Any]) -> None:
    service, other = accounts
    project, own = service.project(), service.project("own")
    arn = source(service, project)
    target = other.create_project(ProjectName="target")["ProjectArn"]
    denied = other.exceptions.AccessDeniedException
    names = itertools.count()

    def may_copy(client: Any, to: str) -> bool:
        request = {"SourceProjectArn": project, "SourceProjectVersionArn": arn, "DestinationProjectArn": to}
        try:
            output = {"S3Bucket": "photos"}
            made = client.copy_project_version(**request, VersionName=f"v{next(names)}", OutputConfig=output)
        except client.exceptions.AccessDeniedException:
            return False
        for _ in range(400):
            found = client.describe_project_versions(ProjectArn=to)["ProjectVersionDescriptions"]
            if all(one["Status"] != "COPYING_IN_PROGRESS" for one in found):
                break
            time.sleep(0.02)
        assert made["ProjectVersionArn"].startswith(to.rpartition("/")[0])
        assert found[0]["Status"] == "COPYING_FAILED"
        return True

    assert (may_copy(service.client, own), may_copy(other, target)) == (True, False)
    names_of = {"all", "root", "account", "role"}
    for who, principal in PRINCIPALS.items():
        for resource in (None, arn, arn[:-1]):
            for effect in ("Allow", "Deny"):
                put(service, project, document(statement(project, effect, principal, resource)))
                meant = who in names_of and resource != arn[:-1]
                assert may_copy(other, target) == (meant and effect == "Allow"), (who, resource, effect)
                if resource is None:
                    mine = effect == "Deny" and who in ("all", "another account")
                    assert may_copy(service.client, own) != mine, (who, effect)
                service.call("delete_project_policy", ProjectArn=project, PolicyName="p")
    put(service, project, document(statement(project)), "allow")
    assert may_copy(other, target)
    put(service, project, document(statement(project, "Deny", {"AWS": ROLE})), "deny")
    assert not may_copy(other, target)
    assert may_copy(service.client, own)
    absent = {"SourceProjectArn": f"{project}0", "SourceProjectVersionArn": f"{arn}0"}
    more = {"DestinationProjectArn": target, "VersionName": "x", "OutputConfig": {"S3Bucket": "photos"}}
    with pytest.raises(denied):  # whether it exists is not told
        other.copy_project_version(**absent, **more)
    with pytest.raises(other.exceptions.ResourceNotFoundException):
        other.copy_project_version(
            SourceProjectArn=project, SourceProjectVersionArn=arn, **{**more, "DestinationProjectArn": own}
        )


def test_copy_to_obeys_policies(accounts: tuple[Service, Any], tmp_path: Path) -> None:
    service, _ = accounts
    project = service.project()
    source(service, project)
    python = cl.load_project(service.root / "rooms")
    beside = cl.create_project("beside", service.root)
    foreign = cl.create_project("foreign", tmp_path / "other")
    outside = cl.create_project("outside", tmp_path / "outside")
    (python.root / "versions" / "v").mkdir(parents=True)

    def may_copy(target: cl.Project) -> bool:
        try:
            python.model("v").copy_to(target, progress=False)
        except NotAllowedError as error:
            return "policies" not in str(error)
        except cl.errors.ArtifactError:  # the folder is empty
            return True
        raise AssertionError("An empty folder was copied.")

    targets = (beside, foreign, outside)
    assert [may_copy(target) for target in targets] == [True, True, True]
    cases = (
        (statement(project, "Allow", {"AWS": OTHER}), [True, True, False]),
        (statement(project, "Deny", {"AWS": OTHER}), [True, False, False]),
        (statement(project, "Deny"), [False, False, False]),
        (statement(project, "Allow"), [True, True, True]),
        (statement(project, "Deny", resource=f"{project.rpartition('/')[0]}/version/v/1"), [True, False, False]),
    )
    for given, expected in cases:
        put(service, project, document(given))
        assert [may_copy(target) for target in targets] == expected
        service.call("delete_project_policy", ProjectArn=project, PolicyName="p")
    for each in (python, *targets):
        each.close()
