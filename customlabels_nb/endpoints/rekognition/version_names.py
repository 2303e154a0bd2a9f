"""Find model versions by their ARNs."""

from __future__ import annotations

from customlabels_nb.endpoints.rekognition.resource_names import ResourceName, name_in_arn, not_found
from customlabels_nb.endpoints.rekognition.workspace import RekognitionProject, Workspace
from customlabels_nb.endpoints.served_versions import ServedVersion, versions_of


def version_name(version: ServedVersion[RekognitionProject]) -> str:
    """Return the name of a version in its ARN: as created by a client, or in Python, as far as an ARN allows."""
    return name_in_arn(version.facts.get("name") or version.local, version.digits)


def version_arn(version: ServedVersion[RekognitionProject]) -> ResourceName:
    return version.served.arn.of_version(version_name(version), version.digits)


def find_version(workspace: Workspace, name: ResourceName) -> ServedVersion[RekognitionProject]:
    """Return the version with a name, or raise ServiceError."""
    served = workspace.find(name)
    for version in versions_of(served) if name.version else ():
        if (version_name(version), version.digits) == (name.version, name.digits):
            return version
    raise not_found(name)
