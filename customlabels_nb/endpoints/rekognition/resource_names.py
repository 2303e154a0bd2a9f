"""Format and parse the ARNs of projects, datasets and versions."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from customlabels_nb.errors import ServiceError

_NAME = r"[a-zA-Z0-9_.\-]{1,255}"
_ARN = re.compile(
    rf"arn:aws:rekognition:(?P<region>[a-z\d-]+):(?P<account>\d{{12}}):project/(?P<project>{_NAME})/"
    rf"(?:dataset/(?P<split>train|test)/|version/(?P<version>{_NAME})/)?(?P<digits>[1-9]\d{{0,17}})",
    re.ASCII,
)


@dataclass(frozen=True)
class ResourceName:
    """Parts of an ARN. ``digits`` is the time of creation in milliseconds, which identifies the resource for good.

    ``split`` is set for datasets and ``version`` for versions.
    """

    region: str
    account: str
    project: str
    digits: int
    split: str | None = None
    version: str | None = None

    def dataset(self, split: str, digits: int) -> ResourceName:
        return replace(self, split=split, digits=digits)

    def of_version(self, name: str, digits: int) -> ResourceName:
        return replace(self, version=name, digits=digits)

    def __str__(self) -> str:
        part = f"dataset/{self.split}/" if self.split else f"version/{self.version}/" if self.version else ""
        return f"arn:aws:rekognition:{self.region}:{self.account}:project/{self.project}/{part}{self.digits}"


def name_in_arn(name: str, digits: int) -> str:
    """Return the name of a project or version of Python as far as an ARN allows, else with ``digits`` at its end."""
    if re.fullmatch(_NAME, name, re.ASCII):
        return name
    return f"{re.sub(r'[^a-zA-Z0-9_.-]+', '-', name)[:200].strip('-') or 'name'}-{digits}"


def parse_arn(text: str) -> ResourceName:
    """Parse the ARN of a project, dataset or version, which has one spelling: ``str`` of the result is ``text``."""
    match = _ARN.fullmatch(text)
    if match is None:
        if re.fullmatch(r"arn:[a-z\d-]+:rekognition:[a-z\d-]+:\d{12}:project/.+/\d+", text, re.ASCII):
            raise not_found(text)  # another partition, leading zeros, or more digits than a time has
        raise ServiceError("InvalidParameterException", f"{text[:200]!a} is not the ARN of a resource.")
    parts = match.groupdict()
    return ResourceName(**{**parts, "digits": int(parts["digits"])})  # type: ignore[arg-type]


def not_found(arn: object) -> ServiceError:
    return ServiceError("ResourceNotFoundException", f"The resource {str(arn)[:400]!a} does not exist.")
