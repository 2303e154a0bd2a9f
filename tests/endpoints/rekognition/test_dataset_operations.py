"""Tests of datasets: statuses, manifests with errors, entries and their filters, updates and distribution."""

from __future__ import annotations

import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

import customlabels_nb as cl
from customlabels_nb.core.issues import CODES
from customlabels_nb.endpoints.rekognition import dataset_operations, manifest_entries
from customlabels_nb.endpoints.rekognition.resource_names import parse_arn
from customlabels_nb.errors import StoreError
from customlabels_nb.store import SqlStore
from tests.endpoints.rekognition.service import Service, boxed, classified
from tests.endpoints.rekognition.training import replace_process
from tests.s3_server import Bucket

BAD_BOX = boxed("bad.jpg", ("cat", -5, 0, 20, 20))
ALWAYS = {
    "CreationTimestamp", "LastUpdatedTimestamp", "Status", "StatusMessage", "StatusMessageCode", "DatasetStats",
}  # fmt: skip


def stats(described: dict[str, Any]) -> tuple[int, int, int, int]:
    """Return the numbers of total and labelled entries, of labels, and of entries with errors."""
    found = described["DatasetStats"]
    return found["TotalEntries"], found["LabeledEntries"], found["TotalLabels"], found["ErrorEntries"]


def test_an_empty_dataset_is_created_described_and_deleted(service: Service) -> None:
    project = service.project()
    arn = service.call("create_dataset", ProjectArn=project, DatasetType="TRAIN", Tags={"a": "b"})["DatasetArn"]
    assert arn.startswith(f"{project.rpartition('/')[0]}/dataset/train/")
    found = service.call("describe_dataset", DatasetArn=arn)["DatasetDescription"]
    assert found.keys() == ALWAYS
    assert (found["Status"], found["StatusMessageCode"], stats(found)) == ("CREATE_COMPLETE", "SUCCESS", (0, 0, 0, 0))
    assert service.call("list_dataset_entries", DatasetArn=arn) == {"DatasetEntries": []}
    assert service.call("list_dataset_labels", DatasetArn=arn) == {"DatasetLabelDescriptions": []}
    (described,) = service.call("describe_projects")["ProjectDescriptions"]
    (dataset,) = described["Datasets"]
    assert (dataset["DatasetArn"], dataset["DatasetType"], dataset["Status"]) == (arn, "TRAIN", "CREATE_COMPLETE")
    again = {"ProjectArn": project, "DatasetType": "TRAIN"}
    assert service.refused("create_dataset", **again) == "ResourceAlreadyExistsException"
    assert service.call("delete_dataset", DatasetArn=arn) == {}
    assert service.refused("describe_dataset", DatasetArn=arn) == "ResourceNotFoundException"
    assert service.call("create_dataset", **again)["DatasetArn"] != arn


def test_lines_are_kept_byte_for_byte(service: Service) -> None:
    lines = [
        classified("1.jpg", "cat", mine={"deep": [1, 2.50, "ü"]}, number=1.0),
        '{"source-ref":"s3://photos/2 \\u00fc.jpg" ,  "weight" : 1E2,"class0":1,"class0-metadata":{"class-name":"dog",'
        '"confidence":1.00,"human-annotated":"yes","creation-date":"2024-05-01","type":"groundtruth/image-classification"}}',
        boxed("3.jpg", ("cat", 0, 0, 20, 20), ("dog", 5, 5, 50, 60)),
        '{"source-ref": "s3://photos/4.jpg"}',
    ]
    arn = service.dataset(service.project(), lines)
    found = service.call("list_dataset_entries", DatasetArn=arn)["DatasetEntries"]
    for line, entry, labelled in zip(lines, found, ("true", "true", "true", "false"), strict=True):
        assert entry == f'{line[:-1]},"cl-metadata":{{"is_labeled": {labelled}}}}}'
    assert stats(service.settle(arn)) == (4, 3, 2, 0)
    assert service.labels(arn) == {"cat": (2, 1), "dog": (2, 1)}
    assert service.update(arn, *found)["Status"] == "UPDATE_COMPLETE"
    assert service.call("list_dataset_entries", DatasetArn=arn)["DatasetEntries"] == found


def test_lines_with_errors_stay_entries_and_others_are_left_out(service: Service) -> None:
    good = [classified(f"{number}.jpg", "ab"[number % 2]) for number in range(4)]
    faults = [
        "nonsense",
        '["list"]',
        "{}",
        '{"source-ref": 5}',
        '{"source-ref": "photo.jpg"}',
        classified("1.jpg", "b"),
    ]
    unsupported = '{"source-ref": "s3://photos/x.jpg", "weight": 3}'
    arn = service.dataset(service.project(), [*good, BAD_BOX, *faults[:3], "", unsupported, *faults[3:]])
    assert stats(service.settle(arn)) == (6, 4, 2, 2)
    entries = service.entries(arn)
    assert [entry["source-ref"].rpartition("/")[2] for entry in entries] == [
        "0.jpg", "1.jpg", "2.jpg", "3.jpg", "bad.jpg", "x.jpg",
    ]  # fmt: skip
    assert entries[1]["class0-metadata"]["class-name"] == "b"
    errors = [
        {"code": code, "message": CODES[code]} for code in ("ERROR_INVALID_BOUNDING_BOX", "ERROR_NO_VALID_ANNOTATIONS")
    ]
    assert entries[4]["box"]["annotations"][0]["cl-errors"] == errors[:1]
    assert entries[4]["cl-errors"] == errors[1:]
    assert entries[5]["cl-errors"][0]["code"] == "ERROR_NO_LABEL_ATTRIBUTES"
    assert [entry["cl-metadata"]["is_labeled"] for entry in entries] == [True] * 4 + [False] * 2
    project = cl.load_project(service.root / "rooms")
    assert project.train_set.images["status"].tolist() == ["labelled"] * 4 + ["unlabelled"] * 2
    project.close()


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "01234567"),
    ({"ContainsLabels": ["cat"]}, "035"),
    ({"ContainsLabels": ["cat", "dog"]}, "0135"),
    ({"ContainsLabels": ["Cat"]}, ""),
    ({"ContainsLabels": ["bird"]}, "3"),
    ({"Labeled": True}, "01356"),
    ({"Labeled": False}, "247"),
    ({"SourceRefContains": "in/"}, "567"),
    ({"SourceRefContains": "%"}, ""),
    ({"SourceRefContains": "IN/"}, ""),
    ({"HasErrors": True}, "47"),
    ({"HasErrors": False}, "01234567"),
    ({"ContainsLabels": ["cat"], "SourceRefContains": "in/"}, "5"),
    ({"Labeled": False, "HasErrors": True, "SourceRefContains": "in/"}, "7"),
    ({"Labeled": True, "HasErrors": True}, ""),
]


def test_filters_are_combined_and_paged(service: Service) -> None:
    lines = [
        classified("0.jpg", "cat"),
        classified("1.jpg", "dog"),
        '{"source-ref": "s3://photos/2.jpg"}',
        boxed("3.jpg", ("cat", 0, 0, 20, 20), ("bird", 0, 0, 30, 30)),
        BAD_BOX.replace("bad", "4"),
        classified("in/5.jpg", "cat", "dog"),
        classified("in/6.jpg", "fish"),
        BAD_BOX.replace("bad", "in/7"),
    ]
    arn = service.dataset(service.project(), lines)
    for filters, expected in FILTERS:
        for size in (1, 3, 100) if len(filters) != 1 else (2,):
            found, token = "", ""
            while token is not None:
                answer = service.call(
                    "list_dataset_entries", DatasetArn=arn, MaxResults=size, NextToken=token, **filters
                )
                assert len(answer["DatasetEntries"]) <= size
                found += "".join(json.loads(line)["source-ref"][-5] for line in answer["DatasetEntries"])
                token = answer.get("NextToken")
            assert found == expected, (filters, size)
    token = service.call("list_dataset_entries", DatasetArn=arn, MaxResults=1, Labeled=True)["NextToken"]
    other = {"DatasetArn": arn, "NextToken": token, "Labeled": False}
    assert service.refused("list_dataset_entries", **other) == "InvalidPaginationTokenException"
    assert [len(page["DatasetLabelDescriptions"]) for page in label_pages(service, arn)] == [3, 1]


def label_pages(service: Service, arn: str) -> list[dict[str, Any]]:
    paginator = service.client.get_paginator("list_dataset_labels")
    return list(paginator.paginate(DatasetArn=arn, PaginationConfig={"PageSize": 3}))


# -- sources ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "source",
    [
        {},
        {"GroundTruthManifest": {}},
        {"GroundTruthManifest": {"S3Object": {"Bucket": "photos"}}},
        {"GroundTruthManifest": {"S3Object": {"Bucket": "photos", "Name": "a"}}, "DatasetArn": "x" * 20},
    ],
)
def test_sources_that_are_not_one_source_are_invalid(service: Service, source: dict[str, Any]) -> None:
    project = service.project()
    request = {"ProjectArn": project, "DatasetType": "TRAIN", "DatasetSource": source}
    assert service.refused("create_dataset", **request) == "InvalidParameterException"
    assert service.call("describe_projects")["ProjectDescriptions"][0]["Datasets"] == []


def test_objects_that_cannot_be_read_make_no_dataset(service: Service) -> None:
    project = service.project()
    service.put("m.manifest", classified("1.jpg", "a"))
    (service.photos.parent / "secret.manifest").write_text(classified("1.jpg", "a"))
    (service.photos / "link.manifest").symlink_to(service.photos.parent / "secret.manifest")
    (service.photos / "folder.manifest").mkdir()
    objects = [
        {"Bucket": "photos", "Name": name}
        for name in ("none", "../secret.manifest", "link.manifest", "/", "folder.manifest")
    ]
    objects += [{"Bucket": "photos", "Name": "m.manifest", "Version": "3"}, {"Bucket": "photos", "Name": "a\x7f"}]
    for place in objects:
        source = {"GroundTruthManifest": {"S3Object": place}}
        request = {"ProjectArn": project, "DatasetType": "TRAIN", "DatasetSource": source}
        assert service.refused("create_dataset", **request) == "InvalidS3ObjectException", place
    assert service.call("describe_projects")["ProjectDescriptions"][0]["Datasets"] == []


@pytest.mark.parametrize(
    ("key", "content", "code"),
    [
        ("manifest", classified("1.jpg", "a"), "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"),
        ("a.manifest", "", "ERROR_MANIFEST_IS_EMPTY"),
        ("a.manifest", "\n\n", "ERROR_MANIFEST_IS_EMPTY"),
        ("a.manifest", b"\x89PNG\r\n\x1a\n", "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"),
        ("a.manifest", f"x\ny\n{classified('1.jpg', 'a')}", "ERROR_TOO_MANY_RECORDS_IN_ERROR"),
        ("a.manifest", "\n".join(classified(f"{n}", f"x{n}") for n in range(251)), "ERROR_MANIFEST_TOO_MANY_LABELS"),
    ],
)  # fmt: skip
def test_manifests_that_cannot_be_a_dataset_fail_with_the_services_message(
    service: Service, key: str, content: str | bytes, code: str
) -> None:
    project = service.project()
    source = {"GroundTruthManifest": {"S3Object": service.put(key, content)}}
    request = {"ProjectArn": project, "DatasetType": "TRAIN", "DatasetSource": source}
    arn = service.call("create_dataset", **request)["DatasetArn"]
    found = service.settle(arn)
    assert found.keys() == ALWAYS
    assert (found["Status"], found["StatusMessageCode"]) == ("CREATE_FAILED", "CLIENT_ERROR")
    assert found["StatusMessage"] == CODES[code]
    assert stats(found) == (0, 0, 0, 0)
    assert service.refused("create_dataset", **request) == "ResourceAlreadyExistsException"
    service.call("delete_dataset", DatasetArn=arn)


def test_a_dataset_is_copied_with_its_lines(service: Service) -> None:
    lines = [classified("1.jpg", "a", mine=1), BAD_BOX]
    first, second = service.project(), service.project("other")
    arn = service.dataset(first, lines)
    source = {"DatasetSource": {"DatasetArn": arn}}
    copy = service.call("create_dataset", ProjectArn=second, DatasetType="TEST", **source)["DatasetArn"]
    assert service.settle(copy)["Status"] == "CREATE_COMPLETE"
    assert service.entries(copy) == service.entries(arn)
    service.call("delete_dataset", DatasetArn=arn)
    request = {"ProjectArn": second, "DatasetType": "TRAIN", **source}
    assert service.refused("create_dataset", **request) == "ResourceNotFoundException"
    assert len(service.entries(copy)) == 2


def test_manifests_and_versions_are_read_from_an_s3_server(service: Service, bucket: Bucket) -> None:
    bucket.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    bucket.put("a.manifest", classified("old.jpg", "a").encode())
    (old,) = bucket.client.list_object_versions(Bucket=bucket.name)["Versions"]
    bucket.put("a.manifest", classified("new.jpg", "a").encode())
    project = service.project()
    found = []
    for kind, version in (("TRAIN", {}), ("TEST", {"Version": old["VersionId"]})):
        place = {"Bucket": bucket.name, "Name": "a.manifest", **version}
        source = {"GroundTruthManifest": {"S3Object": place}}
        request = {"ProjectArn": project, "DatasetType": kind, "DatasetSource": source}
        arn = service.call("create_dataset", **request)["DatasetArn"]
        service.settle(arn)
        found += [entry["source-ref"] for entry in service.entries(arn)]
    assert found == ["s3://photos/new.jpg", "s3://photos/old.jpg"]
    place = {"Bucket": bucket.name, "Name": "none.manifest"}
    request = {"ProjectArn": service.project("x"), "DatasetType": "TRAIN"}
    source = {"GroundTruthManifest": {"S3Object": place}}
    assert service.refused("create_dataset", **request, DatasetSource=source) == "InvalidS3ObjectException"


# -- updates ----------------------------------------------------------------------------------------
def test_an_update_replaces_lines_in_their_places_and_adds_others(service: Service) -> None:
    arn = service.dataset(service.project(), [classified(f"{n}.jpg", "ab"[n % 2]) for n in range(3)])
    new = [classified("9.jpg", "new"), classified("1.jpg", "c", mine=2), '{"source-ref": "s3://photos/2.jpg"}']
    found = service.update(arn, *new)
    assert (found["Status"], stats(found)) == ("UPDATE_COMPLETE", (4, 3, 3, 0))
    assert found["LastUpdatedTimestamp"] > found["CreationTimestamp"]
    entries = service.entries(arn)
    assert [entry["source-ref"][-5] for entry in entries] == ["0", "1", "2", "9"]
    assert (entries[1]["mine"], entries[2].keys()) == (2, {"source-ref", "cl-metadata"})
    assert service.labels(arn) == {"a": (1, 0), "c": (1, 0), "new": (1, 0)}
    service.update(arn, BAD_BOX.replace("bad", "0"))
    assert service.labels(arn) == {"c": (1, 0), "new": (1, 0)}
    assert [entry["source-ref"][-5] for entry in service.entries(arn, HasErrors=True)] == ["0"]


def test_values_of_a_line_that_are_not_read_are_logged(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", manifest_entries.__name__):
        service.dataset(service.project(), [classified("1.jpg", "cat", rating=5), classified("2.jpg", "cat")])
    assert caplog.messages == ["1 × value of the key 'rating' of a line was not imported: 'line 1'."]


@pytest.mark.parametrize(
    "line", [b"nope", b"\xff", b"[]", b"{}", b'{"source-ref": 1}', b'{"source-ref": "a.jpg"}', b" ", b"[" * 3000]
)
def test_an_update_with_a_bad_line_changes_nothing(service: Service, line: bytes) -> None:
    arn = service.dataset(service.project(), [classified("1.jpg", "a")])
    changes = {"GroundTruth": line if line == b" " else classified("2.jpg", "b").encode() + b"\n" + line}
    assert service.refused("update_dataset_entries", DatasetArn=arn, Changes=changes) == "InvalidParameterException"
    assert stats(service.settle(arn)) == (1, 1, 1, 0)
    assert service.settle(arn)["Status"] == "CREATE_COMPLETE"


class Paused:
    """Jobs that wait until they are released, so that their statuses can be seen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.release = threading.Event()
        add = dataset_operations.add_entries

        def slow(*arguments: Any) -> None:
            assert self.release.wait(20)
            add(*arguments)

        monkeypatch.setattr(dataset_operations, "add_entries", slow)


def test_statuses_are_seen_at_once_and_refuse_other_changes(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    project, paused = service.project(), Paused(monkeypatch)
    try:
        source = service.manifest([classified("1.jpg", "a")])
        request = {"ProjectArn": project, "DatasetType": "TRAIN", "DatasetSource": source}
        arn = service.call("create_dataset", **request)["DatasetArn"]
        test = service.call("create_dataset", ProjectArn=project, DatasetType="TEST")["DatasetArn"]
        found = service.call("describe_dataset", DatasetArn=arn)["DatasetDescription"]
        assert (found.keys(), found["Status"]) == (ALWAYS, "CREATE_IN_PROGRESS")
        changes = {"GroundTruth": classified("2.jpg", "b").encode()}
        assert service.refused("list_dataset_entries", DatasetArn=arn) == "ResourceNotReadyException"
        assert service.refused("list_dataset_labels", DatasetArn=arn) == "ResourceNotReadyException"
        assert service.refused("update_dataset_entries", DatasetArn=arn, Changes=changes) == "ResourceInUseException"
        assert service.refused("delete_dataset", DatasetArn=arn) == "ResourceInUseException"
        assert service.refused("delete_project", ProjectArn=project) == "ResourceInUseException"
        pair = [{"Arn": arn}, {"Arn": test}]
        assert service.refused("distribute_dataset_entries", Datasets=pair) == "ResourceNotReadyException"
        assert service.refused("create_dataset", **request) == "ResourceAlreadyExistsException"
        paused.release.set()
        service.settle(arn)
        paused.release.clear()
        service.call("update_dataset_entries", DatasetArn=arn, Changes=changes)
        assert service.call("describe_dataset", DatasetArn=arn)["DatasetDescription"]["Status"] == "UPDATE_IN_PROGRESS"
        assert service.refused("list_dataset_entries", DatasetArn=arn) == "ResourceInUseException"
        assert service.refused("distribute_dataset_entries", Datasets=pair) == "ResourceNotReadyException"
    finally:
        paused.release.set()
    assert service.settle(arn)["Status"] == "UPDATE_COMPLETE"
    assert len(service.entries(arn)) == 2


def test_operations_cut_off_by_a_restart_have_failed(service: Service) -> None:
    arn = service.dataset(service.project(), [classified("1.jpg", "a")])
    workspace = service.server.rekognition.folder
    served, _ = workspace.find_dataset(parse_arn(arn))
    served.set_status("train", "UPDATE_IN_PROGRESS", "")
    service.restart()
    found = service.settle(arn)
    assert (found["Status"], found["StatusMessageCode"]) == ("UPDATE_FAILED", "SERVICE_ERROR")
    assert len(service.entries(arn)) == 1


def test_a_job_that_fails_by_itself_is_a_service_error(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    arn = service.dataset(service.project(), [classified("1.jpg", "a")])
    monkeypatch.setattr(dataset_operations, "add_entries", lambda *_: 1 / 0)
    found = service.update(arn, classified("2.jpg", "a"))
    assert (found["Status"], found["StatusMessageCode"]) == ("UPDATE_FAILED", "SERVICE_ERROR")
    monkeypatch.undo()
    assert service.update(arn, classified("2.jpg", "a"))["Status"] == "UPDATE_COMPLETE"


# -- distribution -----------------------------------------------------------------------------------
def test_a_fifth_of_the_entries_moves_to_the_test_dataset(service: Service) -> None:
    project = service.project()
    lines = [classified(f"{number}.jpg", "abc"[number % 3], mine=number) for number in range(30)]
    train, test = service.dataset(project, lines), service.dataset(project, kind="TEST")
    assert service.call("distribute_dataset_entries", Datasets=[{"Arn": test}, {"Arn": train}]) == {}
    for arn, count in ((train, 24), (test, 6)):
        found = service.settle(arn)
        assert (found["Status"], stats(found)) == ("UPDATE_COMPLETE", (count, count, 3, 0))
    assert service.labels(test) == dict.fromkeys("abc", (2, 0))
    kept = [entry["mine"] for arn in (train, test) for entry in service.entries(arn)]
    assert sorted(kept) == list(range(30))
    assert (
        service.refused("distribute_dataset_entries", Datasets=[{"Arn": test}, {"Arn": train}])
        == "InvalidParameterException"
    )


def test_datasets_that_are_no_pair_are_invalid(service: Service) -> None:
    first, second = service.project(), service.project("other")
    train, test = service.dataset(first, [classified("1.jpg", "a")]), service.dataset(second, kind="TEST")
    for pair in ([train, train], [train, test]):
        request = {"Datasets": [{"Arn": arn} for arn in pair]}
        assert service.refused("distribute_dataset_entries", **request) == "InvalidParameterException"


def test_too_few_entries_to_distribute_fail_in_both_datasets(service: Service) -> None:
    project = service.project()
    train, test = service.dataset(project, [classified("1.jpg", "a")]), service.dataset(project, kind="TEST")
    service.call("distribute_dataset_entries", Datasets=[{"Arn": train}, {"Arn": test}])
    for arn in (train, test):
        found = service.settle(arn)
        assert (found["Status"], found["StatusMessageCode"]) == ("UPDATE_FAILED", "CLIENT_ERROR")
        assert found["StatusMessage"] == CODES["ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_DISTRIBUTE"]
    assert len(service.entries(train)) == 1


def test_datasets_are_kept_while_a_model_is_trained(service: Service) -> None:
    from dataclasses import replace

    from tests.endpoints.rekognition.test_project_operations import version

    arn = service.dataset(service.project(), [classified("1.jpg", "a")])
    service.add_version(replace(version("v"), status="TRAINING_IN_PROGRESS"))
    changes = {"GroundTruth": classified("2.jpg", "b").encode()}
    assert service.refused("update_dataset_entries", DatasetArn=arn, Changes=changes) == "ResourceInUseException"
    assert service.refused("delete_dataset", DatasetArn=arn) == "ResourceInUseException"


class Announced:
    """Lock that tells when a thread has to wait for it."""

    def __init__(self) -> None:
        self.lock, self.waiting = threading.RLock(), threading.Event()

    def __enter__(self) -> None:
        if not self.lock.acquire(blocking=False):
            self.waiting.set()
            self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


@pytest.mark.parametrize("change", ["update_dataset_entries", "delete_dataset"])
def test_no_training_begins_beside_a_change_of_its_dataset(
    service: Service, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    replace_process(monkeypatch)
    project, paused, lock = service.project(), Paused(monkeypatch), Announced()
    paused.release.set()
    arn = service.dataset(project, [classified("1.jpg", "a")])
    paused.release.clear()
    workspace = service.server.rekognition.folder
    monkeypatch.setattr(workspace.find_project(parse_arn(project)), "version_lock", lock)
    read, codes = dataset_operations.versions_of, list[Future[str]]()
    train = {"ProjectArn": project, "VersionName": "v", "OutputConfig": {"S3Bucket": "photos"}}

    def train_meanwhile(served: Any) -> Any:
        found = read(served)  # to check that no version is being trained
        codes.append(pool.submit(service.refused, "create_project_version", **train))
        codes[0].add_done_callback(lambda _: lock.waiting.set())
        assert lock.waiting.wait(20)
        return found

    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(dataset_operations, "versions_of", train_meanwhile)
        lines = {"Changes": {"GroundTruth": classified("2.jpg", "b").encode()}}
        try:
            service.call(change, DatasetArn=arn, **(lines if change == "update_dataset_entries" else {}))
            assert codes[0].result() in ("ResourceInUseException", "InvalidParameterException")
        finally:
            paused.release.set()


def test_a_request_waits_for_the_refresh_of_another(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_process(monkeypatch)
    project, lock = service.project(), Announced()
    python = cl.load_project(service.root / "rooms")
    python.update_entries("train", [json.loads(classified("1.jpg", "a"))], progress=False)
    python.close()
    workspace = service.server.rekognition.folder
    monkeypatch.setattr(workspace.find_project(parse_arn(project)), "refreshing", lock)
    refresh, codes = manifest_entries.refresh_datasets, list[Future[Any]]()
    request = {"ProjectArn": project, "VersionName": "v", "OutputConfig": {"S3Bucket": "photos"}}

    def train_meanwhile(served: Any) -> None:
        if not codes:
            codes.append(pool.submit(service.call, "create_project_version", **request))
            codes[0].add_done_callback(lambda _: lock.waiting.set())
            assert lock.waiting.wait(20)
        refresh(served)

    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(manifest_entries, "refresh_datasets", train_meanwhile)
        (found,) = service.call("describe_projects")["ProjectDescriptions"]
        assert [one["DatasetType"] for one in found["Datasets"]] == ["TRAIN"]
        assert codes[0].result()["ProjectVersionArn"]


# -- failures of the store --------------------------------------------------------------------------
def locked(*_: Any, **__: Any) -> None:
    raise StoreError("The project's database is locked.")


def test_a_dataset_that_could_not_be_created_is_not_in_progress(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = {"ProjectArn": service.project(), "DatasetType": "TRAIN"}
    with monkeypatch.context() as patch:
        patch.setattr(SqlStore, "create_dataset", locked)
        assert service.refused("create_dataset", **request, Tags={"a": "b"}) == "InternalServerError"
    (found,) = service.call("describe_projects")["ProjectDescriptions"]
    for dataset in found["Datasets"]:
        service.call("delete_dataset", DatasetArn=dataset["DatasetArn"])
    service.call("create_dataset", **request)
    service.call("delete_project", ProjectArn=request["ProjectArn"])


def test_a_dataset_that_could_not_be_deleted_can_be_deleted_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = service.dataset(service.project(), [classified("1.jpg", "a")])
    with monkeypatch.context() as patch:
        patch.setattr(SqlStore, "delete_dataset", locked)
        assert service.refused("delete_dataset", DatasetArn=arn) == "InternalServerError"
    found = service.call("describe_dataset", DatasetArn=arn)["DatasetDescription"]
    assert (found["Status"], found["StatusMessageCode"], stats(found)) == (
        "UPDATE_FAILED",
        "SERVICE_ERROR",
        (1, 1, 1, 0),
    )
    service.call("delete_dataset", DatasetArn=arn)
    assert service.refused("describe_dataset", DatasetArn=arn) == "ResourceNotFoundException"
