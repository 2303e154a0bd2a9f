"""Test of the flows of the service's guide with the AWS command line, in a separate environment with awscli."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import provision
from tests.endpoints.rekognition.server_process import ServerProcess
from tests.endpoints.rekognition.service import classified
from tests.endpoints.rekognition.test_policy_operations import document, statement
from tests.endpoints.rekognition.training import paint
from tests.waiting import wait_until

#: Run the command in forks of one process, because its imports take a second. Its output is written to two files.
_PROGRAM = """
import json, os, sys
from awscli.clidriver import create_clidriver, main
create_clidriver().create_help_command()  # imports the rest
for line in sys.stdin:
    command = os.fork()
    if not command:
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.argv = ["aws", *json.loads(line)]
        sys.exit(main())
    print(os.waitstatus_to_exitcode(os.waitpid(command, 0)[1]), flush=True)
"""


class CommandLine:
    """The command ``aws rekognition``, which finds the endpoint by its environment alone."""

    def __init__(self, folder: Path, packages: Path, environment: dict[str, str], url: str) -> None:
        home = folder / "home"
        home.mkdir()
        self.environment = {
            **environment, "PYTHONPATH": str(packages), "HOME": str(home), "AWS_PAGER": "",
            "AWS_ENDPOINT_URL_REKOGNITION": url, "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_MAX_ATTEMPTS": "1",
        }  # fmt: skip
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
            self.environment.pop(name, None)

    def __enter__(self) -> CommandLine:
        command = [sys.executable, "-c", _PROGRAM]
        self.process = subprocess.Popen(
            command,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.environment["HOME"],
        )
        return self

    def __exit__(self, *error: object) -> None:
        self.process.communicate(timeout=60)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(["rekognition", *arguments]) + "\n")
        self.process.stdin.flush()
        status = int(self.process.stdout.readline())
        printed = [Path(self.environment["HOME"], name).read_text() for name in ("stdout", "stderr")]
        return subprocess.CompletedProcess(arguments, status, *printed)

    def __call__(self, *arguments: str) -> Any:
        done = self.run(*arguments)
        assert done.returncode == 0, (arguments, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None


@pytest.fixture(scope="module")
def packages(outer_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with awscli and what it needs."""
    target = tmp_path_factory.mktemp("awscli")
    try:
        provision.install_package("awscli", target, outer_environment)
    except provision.Unavailable as reason:
        pytest.skip(str(reason))
    return target


@pytest.mark.exhaustive
def test_the_guide_with_the_command_line(outer_environment: dict[str, str], packages: Path, tmp_path: Path) -> None:
    with (
        ServerProcess(tmp_path, "--engine", "torch", "--hold") as server,
        CommandLine(tmp_path, packages, outer_environment, server.url) as aws,
    ):
        lines = paint(server.photos)
        project = aws("create-project", "--project-name", "rooms", "--tags", "team=a,site=b")["ProjectArn"]
        assert aws("list-tags-for-resource", "--resource-arn", project)["Tags"] == {"team": "a", "site": "b"}
        aws("tag-resource", "--resource-arn", project, "--tags", '{"team": "c"}')
        aws("untag-resource", "--resource-arn", project, "--tag-keys", "site")
        assert aws("list-tags-for-resource", "--resource-arn", project)["Tags"] == {"team": "c"}

        (server.photos / "train.manifest").write_text("".join(f"{line}\n" for line in lines))
        place = "GroundTruthManifest={S3Object={Bucket=photos,Name=train.manifest}}"
        create = ("create-dataset", "--project-arn", project, "--dataset-type")
        train = aws(*create, "TRAIN", "--dataset-source", place)["DatasetArn"]
        test = aws(*create, "TEST")["DatasetArn"]

        def settled(arn: str) -> dict[str, Any]:
            wait_until(lambda: not server.status(arn)["Status"].endswith("IN_PROGRESS"))
            return dict(aws("describe-dataset", "--dataset-arn", arn)["DatasetDescription"])

        assert settled(train)["DatasetStats"]["LabeledEntries"] == 12
        bad = json.dumps({**json.loads(classified("12.jpg", "red")), "class0": "x"})
        (tmp_path / "changes").write_text(f"{bad}\n")
        change = f"GroundTruth=fileb://{tmp_path / 'changes'}"
        if aws.run("update-dataset-entries", "--dataset-arn", train, "--changes", change).returncode:
            text = json.dumps({"GroundTruth": f"{bad}\n"})  # a blob in a structure is text in other versions
            aws("update-dataset-entries", "--dataset-arn", train, "--changes", text)
        assert settled(train)["Status"] == "UPDATE_COMPLETE"
        entries = ("list-dataset-entries", "--dataset-arn", train)
        assert len(aws(*entries)["DatasetEntries"]) == 13
        (found,) = aws(*entries, "--has-errors")["DatasetEntries"]
        assert json.loads(found)["source-ref"].endswith("12.jpg")
        assert len(aws(*entries, "--contains-labels", "red", "--labeled", "--max-items", "2")["DatasetEntries"]) == 2
        labels = aws("list-dataset-labels", "--dataset-arn", train)["DatasetLabelDescriptions"]
        assert {one["LabelName"] for one in labels} == {"red", "blue"}
        aws("distribute-dataset-entries", "--datasets", f"Arn={train}", f"Arn={test}")
        assert (settled(train)["Status"], settled(test)["DatasetStats"]["TotalEntries"]) == ("UPDATE_COMPLETE", 2)

        request = ("--version-name", "v1", "--output-config", "S3Bucket=photos,S3KeyPrefix=out")
        version = aws("create-project-version", "--project-arn", project, *request)["ProjectVersionArn"]
        names = ("--project-arn", project, "--version-names", "v1")
        server.settle(project, "v1")  # the command looks only every two minutes
        aws("wait", "project-version-training-completed", *names)
        (found,) = aws("describe-project-versions", *names)["ProjectVersionDescriptions"]
        assert (found["Status"], 0 <= found["EvaluationResult"]["F1Score"] <= 1) == ("TRAINING_COMPLETED", True)
        start = ("start-project-version", "--project-version-arn", version, "--min-inference-units", "1")
        assert aws(*start) == {"Status": "STARTING"}
        server.settle(project, "v1")
        aws("wait", "project-version-running", *names)
        photo = f"fileb://{server.photos / '1.jpg'}"
        detect = ("detect-custom-labels", "--project-version-arn", version)
        assert aws(*detect, "--image-bytes", photo)["CustomLabels"][0]["Name"] == "blue"
        stored = "S3Object={Bucket=photos,Name=0.jpg}"
        found = aws(*detect, "--image", stored, "--min-confidence", "0", "--max-results", "1")["CustomLabels"]
        assert [one["Name"] for one in found] == ["red"]

        policy = ("put-project-policy", "--project-arn", project, "--policy-name", "p", "--policy-document")
        revision = aws(*policy, document(statement(project)))["PolicyRevisionId"]
        (found,) = aws("list-project-policies", "--project-arn", project)["ProjectPolicies"]
        assert found["PolicyRevisionId"] == revision
        other = aws("create-project", "--project-name", "other")["ProjectArn"]
        copied = (
            "copy-project-version", "--source-project-arn", project, "--source-project-version-arn", version,
            "--destination-project-arn", other, "--version-name", "c",
            "--output-config", "S3Bucket=photos,S3KeyPrefix=c",
        )  # fmt: skip
        copy = aws(*copied)["ProjectVersionArn"]
        wait_until(lambda: server.version(other, "c")["Status"] == "COPYING_COMPLETED")
        aws("delete-project-policy", "--project-arn", project, "--policy-name", "p", "--policy-revision-id", revision)

        refused = aws.run("delete-project", "--project-arn", project)
        assert "ResourceInUseException" in refused.stderr
        assert aws("stop-project-version", "--project-version-arn", version) == {"Status": "STOPPING"}
        wait_until(lambda: server.version(project, "v1")["Status"] == "STOPPED")
        for arn in (version, copy):
            assert aws("delete-project-version", "--project-version-arn", arn) == {"Status": "DELETING"}
        for arn in (train, test):
            aws("delete-dataset", "--dataset-arn", arn)
        for arn in (project, other):
            assert aws("delete-project", "--project-arn", arn) == {"Status": "DELETING"}
        assert aws("describe-projects") == {"ProjectDescriptions": []}
