"""Tests of reading requests by botocore's model, with maximums, patterns and enumerations."""

from __future__ import annotations

import base64
import copy
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from customlabels_nb.endpoints.rekognition.endpoint import OPERATIONS
from customlabels_nb.endpoints.rekognition.service_model import (
    find_problems,
    read_request,
    service_model,
    status_of,
    write_answer,
)
from customlabels_nb.errors import ServiceError
from tests.endpoints.rekognition.service import declared_errors

PROJECT = "arn:aws:rekognition:us-east-1:123456789012:project/rooms/1700000000000"
DATASET = "arn:aws:rekognition:us-east-1:123456789012:project/rooms/dataset/train/1700000000000"


def read(operation: str, **request: Any) -> dict[str, Any]:
    return read_request(operation, json.dumps(request).encode())


def problem(operation: str, **request: Any) -> str:
    with pytest.raises(ServiceError) as caught:
        read(operation, **request)
    assert caught.value.code == "InvalidParameterException"
    return str(caught.value)


def test_blobs_are_decoded_and_null_and_unknown_members_dropped() -> None:
    changes = {"GroundTruth": base64.b64encode(b"{}").decode(), "Later": 1}
    found = read("UpdateDatasetEntries", DatasetArn=DATASET, Changes=changes, New={"a": 1}, Other=None)
    assert found == {"DatasetArn": DATASET, "Changes": {"GroundTruth": b"{}"}}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"MaxResults": NaN}', b"[" * 5000, b'"\\ud800"'])
def test_bodies_that_are_no_json_object_have_an_error_of_their_own(body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        read_request("DescribeProjects", body)
    assert caught.value.code == "SerializationException"


@pytest.mark.parametrize(
    ("operation", "request_", "said"),
    [
        ("CreateProject", {}, 'Missing required parameter in input: "ProjectName"'),
        ("CreateProject", {"ProjectName": 7}, "ProjectName"),
        ("CreateProject", {"ProjectName": ""}, "ProjectName"),
        ("CreateProject", {"ProjectName": "a" * 256}, "length 256 is more than the maximum of 255"),
        ("CreateProject", {"ProjectName": "a b"}, "does not match the pattern"),
        ("CreateProject", {"ProjectName": "a\n"}, "does not match the pattern"),
        ("CreateProject", {"ProjectName": "ä"}, "does not match the pattern"),
        ("CreateProject", {"ProjectName": "a", "Feature": "X"}, "is not one of CONTENT_MODERATION, CUSTOM_LABELS"),
        ("CreateProject", {"ProjectName": "a", "Tags": {"aws:x": "1"}}, "does not match the pattern"),
        ("CreateProject", {"ProjectName": "a", "Tags": {"x": "1\ud800"}}, "cannot be stored"),
        ("CreateProject", {"ProjectName": "a", "Tags": {"x": "1\0"}}, "cannot be stored"),
        ("CreateProject", {"ProjectName": "a", "Tags": {"x": "1\ue000"}}, "does not match the pattern"),
        ("CreateProject", {"ProjectName": "a", "Tags": {"x" * 129: "1"}}, "maximum of 128"),
        ("CreateProject", {"ProjectName": "a", "Tags": {f"k{n}": "" for n in range(201)}}, "maximum of 200"),
        ("DescribeProjects", {"MaxResults": 101}, "value 101 is more than the maximum of 100"),
        ("DescribeProjects", {"MaxResults": 0}, "MaxResults"),
        ("DescribeProjects", {"MaxResults": True}, "MaxResults"),
        ("DescribeProjects", {"MaxResults": 1.5}, "MaxResults"),
        ("DescribeProjects", {"MaxResults": "5"}, "MaxResults"),
        ("DescribeProjects", {"ProjectNames": ["a"] * 11}, "length 11"),
        ("DescribeProjects", {"ProjectNames": []}, "ProjectNames"),
        ("DescribeProjects", {"ProjectNames": ["a", None]}, "ProjectNames"),
        ("DescribeProjects", {"NextToken": "t" * 1025}, "maximum of 1024"),
        ("UpdateDatasetEntries", {"DatasetArn": DATASET, "Changes": {"GroundTruth": ""}}, "less than the minimum of 1"),
        ("UpdateDatasetEntries", {"DatasetArn": DATASET, "Changes": {"GroundTruth": "?"}}, "not valid base64"),
        ("UpdateDatasetEntries", {"DatasetArn": DATASET, "Changes": {"GroundTruth": 5}}, "GroundTruth"),
        ("ListDatasetEntries", {"DatasetArn": DATASET, "Labeled": 1}, "Labeled"),
        ("ListDatasetEntries", {"DatasetArn": PROJECT}, "does not match the pattern"),
        ("StartProjectVersion", {"ProjectVersionArn": PROJECT, "MinInferenceUnits": 10**30}, "value 1000000"),
        ("PutProjectPolicy", {"ProjectArn": PROJECT, "PolicyName": "p", "PolicyDocument": "€"}, "does not match"),
    ],
)  # fmt: skip
def test_violations_name_the_member_its_value_and_the_limit(
    operation: str, request_: dict[str, Any], said: str
) -> None:
    assert said in problem(operation, **request_)


@pytest.mark.parametrize("text", ["Größe 3", "日本 語", "a_.:/=+-@", "", "٣", "x\u3000y"])
def test_tags_may_have_letters_digits_and_spaces_of_any_script(text: str) -> None:
    assert read("CreateProject", ProjectName="a", Tags={"k": text})["Tags"] == {"k": text}


def test_a_description_may_have_the_characters_of_its_odd_pattern() -> None:
    output = {"S3Bucket": "photos", "S3KeyPrefix": ""}
    given = {"ProjectArn": PROJECT, "VersionName": "v", "OutputConfig": output}
    assert read("CreateProjectVersion", **given, VersionDescription="a-b_c. (d)':,;?")["OutputConfig"] == output
    assert "pattern" in problem("CreateProjectVersion", **given, VersionDescription="a!")


def test_the_size_of_images_is_left_to_the_operation() -> None:
    image = {"Bytes": base64.b64encode(bytes(5_242_881)).decode()}
    version = PROJECT.replace("rooms/", "rooms/version/v/")
    assert len(read("DetectCustomLabels", ProjectVersionArn=version, Image=image)["Image"]["Bytes"]) == 5_242_881


def test_changes_may_have_five_mebibytes() -> None:
    for size, fits in ((5_242_880, True), (5_242_881, False)):
        changes = {"GroundTruth": base64.b64encode(bytes(size)).decode()}
        if fits:
            assert read("UpdateDatasetEntries", DatasetArn=DATASET, Changes=changes)
        else:
            assert "maximum of 5242880" in problem("UpdateDatasetEntries", DatasetArn=DATASET, Changes=changes)


def test_answers_have_times_as_numbers_and_no_null_members() -> None:
    when = datetime(2024, 5, 1, tzinfo=UTC)
    assert json.loads(write_answer({"A": when, "B": None, "C": [{"D": b"x", "E": None}]})) == {
        "A": 1714521600.0, "C": [{"D": "eA=="}],
    }  # fmt: skip


def test_the_walk_finds_problems_of_answers_too() -> None:
    shape = service_model().operation_model("DescribeProjects").output_shape
    assert find_problems({"ProjectDescriptions": [{"Status": "CREATED", "CreationTimestamp": 3.5}]}, shape) == []
    assert "MADE" in find_problems({"ProjectDescriptions": [{"Status": "MADE"}]}, shape)[0]


def test_only_faults_have_status_500() -> None:
    assert [status_of(code) for code in ("InternalServerError", "ThrottlingException", "LimitExceededException")] == [
        500, 500, 400,
    ]  # fmt: skip


def test_all_operations_are_in_the_model() -> None:
    assert set(OPERATIONS) <= set(service_model().operation_names)
    assert all("InvalidParameterException" in declared_errors(name) for name in OPERATIONS)


#: Announcements that a service ends or closes. "No longer" alone is none: DeleteProject says it of a deleted project.
NOTICE = re.compile(
    r"availability notice|end[- ]of[- ](support|life|sale)|maintenance mode|new customers|discontinu|retire|sunset"
    r"|deprecat|(will not|no longer) (be )?(available|supported|offered|open|accept|able to use)|not accepting",
    re.IGNORECASE,
)


def announces_end(documentation: str) -> bool:
    """Return whether a text of the documentation, which is HTML, announces the end of a service."""
    return NOTICE.search(" ".join(re.sub(r"<[^>]*>", " ", documentation).split())) is not None


def ending_operations(model: ServiceModel) -> list[str]:
    """Return the operations of Custom Labels whose end a service model announces."""
    operations = [model.operation_model(name) for name in OPERATIONS]
    return [each.name for each in operations if each.deprecated or announces_end(each.documentation)]


def test_no_end_of_custom_labels_is_announced() -> None:
    """If this fails, AWS has announced a change: update docs/comparisons.md and the guide about leaving a service."""
    assert ending_operations(ServiceModel(Loader().load_service_model("rekognition", "service-2"))) == []


@pytest.mark.parametrize(
    "notice",
    [
        "<p>End of support notice: see the guide.</p>",
        "<p>On October 31, 2027, AWS will discontinue support for Custom Labels.</p>",
        "<note><p>Service availability notice: see the guide.</p></note>",
        "<note><p>Custom Labels is <b>no longer\n available</b> in this region.</p></note>",
        "Amazon Rekognition Custom Labels is no longer open to new customers.",
        "We are not accepting new accounts for Custom Labels.",
        "After this date, Custom Labels will not be available.",
        "After this date, you will no longer be able to use Custom Labels.",
        "Custom Labels will be retired in 2028.",
        "This operation is deprecated.",
    ],
)
def test_notice_in_the_documentation_is_found(notice: str) -> None:
    planted = copy.deepcopy(Loader().load_service_model("rekognition", "service-2"))
    planted["operations"]["DetectCustomLabels"]["documentation"] += notice
    assert ending_operations(ServiceModel(planted)) == ["DetectCustomLabels"]


def test_deprecated_operation_is_found() -> None:
    planted = copy.deepcopy(Loader().load_service_model("rekognition", "service-2"))
    planted["operations"]["CreateProject"]["deprecated"] = True
    assert ending_operations(ServiceModel(planted)) == ["CreateProject"]


@pytest.mark.parametrize(
    "sentence",
    [
        "You can no longer train a model version for the project by specifying manifest files.",
        "The project is deleted when the project no longer appears in the response.",
        "You can't use Custom Labels with images that are not available.",
    ],
)
def test_other_sentences_announce_no_end(sentence: str) -> None:
    assert not announces_end(sentence)
