"""Decide by the policies of a project who may copy its model versions to other projects.

Clients of the Rekognition-compatible endpoint put policies. All projects in a folder that it serves are of one account.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from customlabels_nb.errors import InputError, NotAllowedError
from customlabels_nb.project.location import STATE_FOLDER, ProjectLocation
from customlabels_nb.store import VersionRecord
from customlabels_nb.store.sql import ENDPOINT

#: Name under which endpoints note the policies of a project, oldest first: dicts with their ``document`` and others.
POLICIES = "policies"
#: File in the endpoint's folder with the account that the projects beside it belong to.
ACCOUNT_FILE = "account"

_ACTION = "rekognition:copyprojectversion"
_PRINCIPAL = re.compile(r"\*|\d{12}|arn:aws:iam::\d{12}:(?:root|(?:user|role)/[\w+=,.@/-]{1,512})", re.ASCII)
_RESOURCE = re.compile(r"(arn:aws:rekognition:[^/]+:project/[^/]+)/version/(?:\*|[\w.\-]+/([1-9]\d*))", re.ASCII)


@dataclass(frozen=True)
class Statement:
    """Statement of a policy: if it allows, for which principals and versions (ends of ARNs), "*" for any."""

    allows: bool
    principals: frozenset[str]
    versions: frozenset[str]


def read_policy(text: str, project: str | None = None) -> list[Statement]:
    """Return the statements of a JSON policy on ``project`` (an ARN without its end). Conditions are refused."""
    try:
        policy = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("The policy is not valid JSON.") from error
    _check_keys(policy, {"Version", "Statement"}, {"Id"})
    if policy["Version"] != "2012-10-17":
        raise InputError(f"Version={policy['Version']!r} must be '2012-10-17'.")
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    if not statements:
        raise InputError("Statement is empty.")
    return [_statement(each, project) for each in statements]


def _statement(value: Any, project: str | None) -> Statement:
    _check_keys(value, {"Effect", "Principal", "Action", "Resource"}, {"Sid"})
    effect = str(value["Effect"]).lower()
    if effect not in ("allow", "deny"):
        raise InputError(f"Effect={value['Effect']!r} must be 'Allow' or 'Deny'.")
    if any(action.lower() != _ACTION for action in _texts(value, "Action")):
        raise InputError(f"Action={value['Action']!r} must be 'rekognition:CopyProjectVersion'.")
    principals = value["Principal"]
    if principals != "*":
        _check_keys(principals, {"AWS"}, set())
        principals = _texts(principals, "AWS")
    if not all(_PRINCIPAL.fullmatch(each) for each in principals):
        raise InputError(f"Principal={value['Principal']!r} must be '*', accounts, or ARNs of roots, users and roles.")
    versions = set()
    for resource in _texts(value, "Resource"):
        match = _RESOURCE.fullmatch(resource)
        if match is None or (project is not None and match[1] != project):
            raise InputError(f"Resource={resource!r} must be the ARN of a version of the project, or …/version/*.")
        versions.add(match[2] or "*")
    return Statement(effect == "allow", frozenset(principals), frozenset(versions))


def _check_keys(value: Any, required: set[str], optional: set[str]) -> None:
    names = ", ".join(sorted(required | optional))
    if not isinstance(value, dict):
        raise InputError(f"{str(value)[:100]!r} must be an object with the keys {names}.")
    for key in (*sorted(required - value.keys()), *sorted(value.keys() - required - optional)):
        problem = "is missing" if key in required else "is not supported"
        raise InputError(f"{key[:100]!a} {problem}. The keys must be {names}.")


def _texts(value: dict[str, Any], key: str) -> list[str]:
    texts = value[key] if isinstance(value[key], list) else [value[key]]
    if not texts or not all(isinstance(each, str) for each in texts):
        raise InputError(f"{key}={value[key]!r} must be a text, or a list of texts.")
    return texts


def decide(policies: Iterable[str], version: int, account: str | None, principal: str | None) -> bool | None:
    """Return False if a policy denies a copy, otherwise True if one allows it, or None if none is about it."""
    who = {"*", account, f"arn:aws:iam::{account}:root", principal}
    effects = {
        statement.allows
        for policy in policies
        for statement in read_policy(policy)
        if statement.principals & who and statement.versions & {"*", str(version)}
    }
    return False if False in effects else True if effects else None


def require_permission(source: ProjectLocation, version: VersionRecord, target: Path) -> None:
    """Check that the policies of a project allow copying its version to the project in ``target``."""
    root, noted = source.root, source.store.setting(ENDPOINT + POLICIES) or []
    policies = {policy["name"]: policy["document"] for policy in noted}
    source_account, account = (_account(each.resolve().parent) for each in (root, target))
    shared = root.resolve().parent == target.resolve().parent or (
        source_account is not None and source_account == account
    )
    decision = decide(policies.values(), version.digits, account, None)
    if decision is False or (policies and decision is None and not shared):
        raise NotAllowedError(
            f"The policies of {str(root)!r} ({', '.join(sorted(policies))}) do not allow copying {version.name!r} to "
            f"{str(target)!r}. Add a policy that allows it, or delete these policies."
        )


def _account(folder: Path) -> str | None:
    try:
        return (folder / STATE_FOLDER / ACCOUNT_FILE).read_text("utf-8").strip()
    except OSError:
        return None
