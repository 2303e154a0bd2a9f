"""Read and write S3 objects: in folders that stand in for buckets, or on an S3 server through s3fs."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from customlabels_nb._utils.files import write_whole
from customlabels_nb.errors import InputError, ServiceError
from customlabels_nb.images.locations import is_remote, to_path
from customlabels_nb.remote.remote_files import open_system, path_in_bucket, why
from customlabels_nb.user_settings import settings


@dataclass(frozen=True)
class Buckets:
    """Buckets of an account: folders (``settings.buckets``), and all others on the S3 server of the environment.

    ``console`` is the name of the bucket for the account's folder. ``owners`` has the accounts that may use
    a bucket. Buckets that are not in it are open to all.
    """

    console: str
    account: str = ""
    owners: Mapping[str, Collection[str]] = field(default_factory=dict)

    def size(self, s3_object: Mapping[str, Any]) -> int:
        """Return the size of an object in bytes, or raise ServiceError (InvalidS3ObjectException)."""
        url, version = object_url(s3_object)
        try:
            system, path = self._open(url, version)
            entry = system.info(path, **version)
        except Exception as error:  # each client library raises its own errors
            raise _unreadable(url, error) from error
        if entry.get("type") == "directory":
            raise _unreadable(url, IsADirectoryError("it is a folder"))
        return int(entry.get("size") or 0)

    def read(self, s3_object: Mapping[str, Any], size: int) -> bytes:
        """Return the content of an object, or its start if it has become larger than ``size`` meanwhile."""
        url, version = object_url(s3_object)
        try:
            system, path = self._open(url, version)
            return bytes(system.cat_file(path, start=0, end=size, **version)) if size else b""
        except Exception as error:
            raise _unreadable(url, error) from error

    def write(self, bucket: str, key: str, data: bytes, *, kms_key: str | None = None) -> None:
        """Write an object, encrypted by an S3 server with ``kms_key`` if one is given, or raise InputError."""
        url = f"s3://{bucket}/{key}"
        try:
            self._check(bucket)
            if (target := path_in_bucket(url)) is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                write_whole(target, data)
                return
            system, path = open_system(url)
            encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
            system.pipe_file(path, data, **encryption)
        except Exception as error:
            raise InputError(f"{url[:200]!a} cannot be written: {_why(url, error)}") from error

    def source_of(self, image: str, root: Path) -> str:
        """Return the ``s3://`` URI of an image of the project in ``root``, which is listed as its source-ref."""
        if image.startswith("s3://"):
            return image
        if is_remote(image):
            return self.external(image)
        path = Path(os.path.abspath(to_path(image, root)))
        for name, folder in settings.buckets.items():
            if path.is_relative_to(folder) and name != self.console and self.may_use(name):
                return f"s3://{name}/{_key(path.relative_to(folder))}"
        home = settings.buckets.get(self.console)
        if home is not None and path.is_relative_to(home):
            return f"s3://{self.console}/{_key(path.relative_to(home))}"
        return self.external(_key(path).lstrip("/"))

    def external(self, name: str) -> str:
        """Return the URI for an image outside all buckets."""
        return f"s3://{self.console}/external/{quote(name)}"

    def may_use(self, bucket: str) -> bool:
        """Check whether a bucket is the account's own, or open to all."""
        return self.account in self.owners.get(bucket, [self.account])

    def _check(self, bucket: str) -> None:
        if not self.may_use(bucket):
            raise InputError("the bucket belongs to another account.")

    def _open(self, url: str, version: Mapping[str, str]) -> tuple[Any, str]:
        self._check(url.split("/")[2])
        if not version:
            return open_system(url)
        if path_in_bucket(url) is not None:
            raise InputError("a folder keeps no versions of its files, so leave out Version")
        import s3fs

        return s3fs.S3FileSystem(version_aware=True, use_listings_cache=False), url


def object_url(s3_object: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the URL of an S3Object, and its version as an argument, or raise ServiceError if it names no object."""
    if "Bucket" not in s3_object or "Name" not in s3_object:
        raise ServiceError("InvalidParameterException", "S3Object needs Bucket and Name.")
    version = {"version_id": s3_object["Version"]} if "Version" in s3_object else {}
    return f"s3://{s3_object['Bucket']}/{s3_object['Name']}", version


def _key(path: Path) -> str:
    """Return a path as text, with bytes quoted that are not UTF-8."""
    text = path.as_posix()
    try:
        text.encode()
    except UnicodeEncodeError:
        return quote(os.fsencode(text))
    return text


def _unreadable(url: str, error: Exception) -> ServiceError:
    return ServiceError("InvalidS3ObjectException", f"{url[:200]!a} cannot be read: {_why(url, error)}")


def _why(url: str, error: Exception) -> str:
    bucket, reason = url.split("/")[2], why(url, error)
    if bucket in settings.buckets or isinstance(error, FileNotFoundError):
        return reason
    return f"{reason} To use a folder as this bucket, start the server with --bucket {bucket[:100]}=DIR."
