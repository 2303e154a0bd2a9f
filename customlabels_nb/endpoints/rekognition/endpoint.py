"""Answer requests: verify the signature, check the input, call the operation, and write the answer."""

from __future__ import annotations

import hmac
import os
import re
import threading
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias
from uuid import uuid4

from customlabels_nb._utils.files import is_disk_full
from customlabels_nb.endpoints.failures import DISK_FULL, log_failure
from customlabels_nb.endpoints.http_messages import Answer, Threads
from customlabels_nb.endpoints.project_folders import ServingOptions, lock_folder
from customlabels_nb.endpoints.rekognition import copy_operation as copies
from customlabels_nb.endpoints.rekognition import dataset_operations as datasets
from customlabels_nb.endpoints.rekognition import policy_operations as policies
from customlabels_nb.endpoints.rekognition import project_operations as projects
from customlabels_nb.endpoints.rekognition import tag_operations as tags
from customlabels_nb.endpoints.rekognition import version_operations as versions
from customlabels_nb.endpoints.rekognition.access_keys import ACCOUNT, AccessKey, load_keys
from customlabels_nb.endpoints.rekognition.buckets import Buckets
from customlabels_nb.endpoints.rekognition.detect_operation import detect_custom_labels
from customlabels_nb.endpoints.rekognition.resource_names import parse_arn
from customlabels_nb.endpoints.rekognition.service_model import (
    INVALID,
    TARGET,
    most_bytes,
    read_request,
    status_of,
    write_answer,
)
from customlabels_nb.endpoints.rekognition.signatures import read_claim, verify
from customlabels_nb.endpoints.rekognition.workspace import RekognitionCall, Workspace
from customlabels_nb.errors import InputError, ServiceError
from customlabels_nb.project.copy_policies import ACCOUNT_FILE
from customlabels_nb.project.location import STATE_FOLDER
from customlabels_nb.user_settings import settings

Operation: TypeAlias = Callable[[RekognitionCall, dict[str, Any]], dict[str, Any]]

OPERATIONS: dict[str, Operation] = {
    "CreateProject": projects.create_project_operation,
    "DescribeProjects": projects.describe_projects,
    "DeleteProject": projects.delete_project_operation,
    "CreateDataset": datasets.create_dataset,
    "DescribeDataset": datasets.describe_dataset,
    "ListDatasetEntries": datasets.list_dataset_entries,
    "ListDatasetLabels": datasets.list_dataset_labels,
    "UpdateDatasetEntries": datasets.update_dataset_entries,
    "DistributeDatasetEntries": datasets.distribute_dataset_entries,
    "DeleteDataset": datasets.delete_dataset,
    "CreateProjectVersion": versions.create_project_version,
    "DescribeProjectVersions": versions.describe_project_versions,
    "DeleteProjectVersion": versions.delete_project_version,
    "StartProjectVersion": versions.start_project_version,
    "StopProjectVersion": versions.stop_project_version,
    "DetectCustomLabels": detect_custom_labels,
    "CopyProjectVersion": copies.copy_project_version,
    "PutProjectPolicy": policies.put_project_policy,
    "ListProjectPolicies": policies.list_project_policies,
    "DeleteProjectPolicy": policies.delete_project_policy,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "ListTagsForResource": tags.list_tags_for_resource,
}


class Endpoint:
    """Endpoint without the web server, with a workspace for each account. The arguments are those of EndpointServer."""

    def __init__(
        self,
        root: Path,
        options: ServingOptions,
        *,
        key: AccessKey | None = None,
        buckets: Mapping[str, Path] | None = None,
        accounts: Mapping[str, Path] | None = None,
    ) -> None:
        self.root = root.absolute()
        self.options = options
        roots = _account_folders(self.root, accounts or {})
        self._buckets, owners = _shared_buckets(buckets or {}, roots)
        for name, folder in roots.items():
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError) as error:
                raise InputError(f"{str(folder)!r} is not a folder. Choose another for account {name}.") from error
        self.key_file = self.root / STATE_FOLDER / "keys.json"
        self.key = key
        self.workspaces: dict[str, Workspace] = {}
        self._locks: list[BinaryIO] = []
        try:
            for folder in roots.values():
                self._locks.append(lock_folder(folder))
            self.keys = load_keys(self.key_file, key, roots)
            training = threading.Lock()
            for name, folder in roots.items():
                (folder / STATE_FOLDER / ACCOUNT_FILE).write_text(name, "utf-8")
                tail = hmac.digest(self.keys.secret, name.encode(), "sha256").hex()[:10]
                console = f"custom-labels-console-{options.region}-{tail}"
                self._buckets[console], owners[console] = folder, {name}
                self.workspaces[name] = Workspace(folder, name, options, Buckets(console, name, owners), training)
            settings.buckets = {**settings.buckets, **self._buckets}
            for workspace in self.workspaces.values():
                versions.go_on(workspace)
        except BaseException:
            self.close()
            raise

    @property
    def folder(self) -> Workspace:
        """Projects of the account of ``root``."""
        return self.workspaces[ACCOUNT]

    def close(self) -> None:
        for workspace in self.workspaces.values():
            workspace.close()
        settings.buckets = {name: path for name, path in settings.buckets.items() if name not in self._buckets}
        for lock in self._locks:
            lock.close()

    def admit(self, uri: str, headers: Mapping[str, str], length: int | None) -> int:
        """Return the length of a body that is to be read, or raise ServiceError if the request cannot be accepted."""
        if length is None:
            raise ServiceError("SerializationException", "The request needs a Content-Length, not a Transfer-Encoding.")
        read_claim(self.keys.keys, uri, headers, datetime.now(UTC))
        if length > (most := most_bytes(headers["X-Amz-Target"].removeprefix(TARGET))):
            raise ServiceError(INVALID, f"The request has {length:,} bytes, but at most {most:,} are allowed.")
        return length

    def answer(self, method: str, uri: str, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            return _answer(200, {}, self._result(method, uri, headers, body))
        except Exception as error:
            return self.failure(error)

    def failure(self, error: Exception) -> Answer:
        """Return the answer for an error. Anything but a ServiceError is logged and not shown."""
        request_id = str(uuid4())
        code, message = "InternalServerError", f"The endpoint failed. Its log has the reason, under {request_id}."
        if isinstance(error, ServiceError) and not is_disk_full(error):
            code, message = error.code, str(error)
        else:
            message = DISK_FULL if is_disk_full(error) else message
            log_failure(error, f"Request {request_id} failed.")
        headers = {"x-amzn-RequestId": request_id, "x-amzn-ErrorType": code}
        if code == "ThrottlingException":
            headers["Retry-After"] = "1"
        return _answer(status_of(code), headers, write_answer({"__type": code, "Message": message}))

    def threads_for(self, uri: str, headers: Mapping[str, str]) -> Threads:
        return "models" if headers["X-Amz-Target"].endswith("DetectCustomLabels") else "others"

    def instructions(self, url: str) -> list[str]:
        region = self.options.region  # boto3 reads the second variable, other clients the first
        variables = {"AWS_ENDPOINT_URL_REKOGNITION": url, "AWS_REGION": region, "AWS_DEFAULT_REGION": region}
        variables |= {name: os.environ[name] for name in ("AWS_ENDPOINT_URL_S3",) if name in os.environ}
        lines = ["For programs that use Rekognition, run these lines in another terminal:"]
        lines += [f"export {name}={value}" for name, value in variables.items()]
        if self.key is not None:
            return [*lines, "", f"Access keys: {self.key.access_key}, as given"]
        lines += ["export AWS_PROFILE=custom-labels-access", ""]
        if not self.keys.new:
            return [*lines, f"Access keys: {self.key_file}"]
        lines += [f"New access keys, stored in {self.key_file}. For ~/.aws/credentials:"]
        for key in self.keys.new:
            name = "custom-labels-access" if key.account == ACCOUNT else f"account-{key.account}"
            secret = f"aws_secret_access_key = {key.secret_key}"
            lines += ["", f"[{name}]", f"aws_access_key_id = {key.access_key}", secret]
        return lines

    def _result(self, method: str, uri: str, headers: Mapping[str, str], body: bytes) -> bytes:
        key = verify(self.keys.keys, method, uri, headers, body, datetime.now(UTC))
        name = headers.get("X-Amz-Target", "").removeprefix(TARGET)
        operation = OPERATIONS.get(name)
        if operation is None or method != "POST":
            available = ", ".join(OPERATIONS)
            raise ServiceError(
                "UnknownOperationException", f"{name[:100]!a} is not available here. Available: {available}."
            )
        workspace = self.workspaces.get(key.account)
        if workspace is None:
            raise ServiceError("AccessDeniedException", f"The account {key.account} has no projects here.")
        call = RekognitionCall(name, workspace, self.workspaces, key.principal, self.keys.secret)
        request = read_request(name, body)
        arns = [*_parse_arns(request), *(arn for each in request.get("Datasets", ()) for arn in _parse_arns(each))]
        copied = _parse_arns(request.get("DatasetSource", {}))
        if not key.may(name, arns) or (copied and not key.may("ListDatasetEntries", copied)):
            message = f"{key.principal} is not allowed to call rekognition:{name} on {', '.join(arns + copied) or '*'}."
            raise ServiceError("AccessDeniedException", message)
        return write_answer(operation(call, request))


def _account_folders(root: Path, accounts: Mapping[str, Path]) -> dict[str, Path]:
    """Return the folder of each account that is served, beginning with ``root``, or raise InputError."""
    for name in accounts:
        if name == ACCOUNT or not re.fullmatch(r"\d{12}", name, re.ASCII):
            raise InputError(f"account={name!r} must have 12 digits and not be {ACCOUNT}, the account of root.")
    return {ACCOUNT: root} | {name: folder.absolute() for name, folder in accounts.items()}


def _shared_buckets(
    buckets: Mapping[str, Path], accounts: Collection[str]
) -> tuple[dict[str, Path], dict[str, set[str]]]:
    """Return the folders of buckets and the accounts that may use them, or raise InputError.

    Buckets of ``settings`` belong to the first account unless they are given here, too.
    """
    folders: dict[str, Path] = {}
    owners: dict[str, set[str]] = {}
    for bucket, folder in buckets.items():
        *_, account, name = f"{ACCOUNT}:{bucket}".split(":")
        if account not in accounts:
            raise InputError(f"bucket={bucket!r} is for an account that is not served. Add the account, too.")
        if folders.setdefault(name, folder) != folder:
            raise InputError(f"bucket={bucket!r} is already used for another folder. Choose another name.")
        owners.setdefault(name, set()).add(account)
    return folders, {name: {ACCOUNT} for name in settings.buckets} | owners


def _answer(status: int, headers: dict[str, str], body: bytes) -> Answer:
    length = {"Content-Type": "application/x-amz-json-1.1", "Content-Length": str(len(body))}
    return Answer(status, {"x-amzn-RequestId": str(uuid4())} | length | headers, body)


def _parse_arns(members: dict[str, Any]) -> list[str]:
    """Replace the ARNs among the members of a structure by the names that they spell, and return them."""
    arns = [member for member in members if member.endswith("Arn")]
    members |= {member: parse_arn(members[member]) for member in arns}
    return [str(members[member]) for member in arns]
