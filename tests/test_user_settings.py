"""Tests of settings: read from the environment or set, with invalid values and unknown names refused by name."""

from __future__ import annotations

import os
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

import customlabels_nb as cl
from customlabels_nb import user_settings
from customlabels_nb.errors import InputError
from customlabels_nb.user_settings import CpuShare, Settings


def test_the_environment_gives_the_start_values(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "USER": "Ana",
        "CACHE": str(tmp_path),
        "THREADS": "3",
        "CACHE_GB": "0.5",
        "OFFLINE": "1",
        "TIMEOUT": "2.5",
        "PRIVATE_REDIRECTS": "1",
        "BUCKETS": f"photos={tmp_path}{os.pathsep}other=b",
    }.items():
        monkeypatch.setenv(f"CUSTOMLABELS_NB_{name}", value)
    settings = Settings()
    assert (settings.user, settings.cache_dir, settings.threads) == ("Ana", tmp_path, 3)
    assert settings.cache_gb == 0.5
    assert settings.network is False
    assert settings.timeout_seconds == 2.5
    assert settings.private_redirects is True
    assert settings.buckets == {"photos": tmp_path, "other": Path.cwd() / "b"}


def test_without_an_environment_there_are_sensible_values(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CUSTOMLABELS_NB_")]:
        monkeypatch.delenv(name)
    settings = Settings()
    assert settings.user
    assert settings.threads >= 1
    assert settings.cache_gb > 0
    assert settings.network is True
    assert settings.timeout_seconds > 0
    assert settings.private_redirects is False
    assert settings.buckets == {}
    assert settings.cache_dir.is_absolute()


def test_offline_zero_means_online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSTOMLABELS_NB_OFFLINE", "0")
    assert Settings().network is True


@pytest.mark.parametrize("value", ["many", "0", "-2", "inf", "nan"])
@pytest.mark.parametrize("variable", ["CUSTOMLABELS_NB_THREADS", "CUSTOMLABELS_NB_CACHE_GB", "CUSTOMLABELS_NB_TIMEOUT"])
def test_invalid_number_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InputError, match=variable) as caught:
        Settings()
    assert repr(value) in str(caught.value)


def test_a_user_name_of_odd_bytes_can_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSTOMLABELS_NB_USER", os.fsdecode(b"J\xf6rg"))
    assert Settings().user.encode() == b"J?rg"


def test_half_a_thread_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSTOMLABELS_NB_THREADS", "0.5")
    assert Settings().threads == 1


@pytest.mark.parametrize("value", ["photos", "=folder", "photos="])
def test_a_bucket_without_name_or_folder_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CUSTOMLABELS_NB_BUCKETS", value)
    with pytest.raises(InputError, match="CUSTOMLABELS_NB_BUCKETS"):
        Settings()


def test_cl_settings_is_the_only_instance() -> None:
    from customlabels_nb import settings

    assert cl.settings is settings is user_settings.settings


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("user", "", "user='' must be a name"),
        ("user", "a\nb", "user='a\\nb' must be a name of at most 256 characters in one line."),
        ("user", "a" * 257, "user='aaa"),
        ("cache_dir", "a\0", "cache_dir='a\\x00' must be the path of a folder."),
        ("cache_gb", 10**400, "cache_gb=1000"),
        ("threads", 10**9, "threads=1000000000 must be an integer from 1 to 4,096."),
        ("outline_engine", "", "outline_engine='' must be"),
        ("cache_dir", 5, "cache_dir=5 must be the path of a folder."),
        ("threads", 0, "threads=0 must be an integer from 1 to 4,096."),
        ("cache_gb", -1, "cache_gb=-1 must be a positive number."),
        ("network", "no", "network='no' must be True or False."),
        ("timeout_seconds", float("nan"), "timeout_seconds=nan must be a positive number."),
        ("private_redirects", 1, "private_redirects=1 must be True or False."),
        (
            "outline_engine",
            None,
            "outline_engine=None must be 'auto', 'grabcut', 'sam2', a folder, 'hf://",
        ),
        ("buckets", ["photos=a"], "buckets=['photos=a'] must be a dict of bucket names and folders."),
        ("buckets", {"photos": 5}, "buckets['photos']=5 must be the path of a folder."),
    ],
)
def test_an_invalid_value_is_refused_and_not_kept(name: str, value: object, words: str) -> None:
    before = getattr(cl.settings, name)
    with pytest.raises(InputError, match=f"^{re.escape(words)}"):
        setattr(cl.settings, name, value)
    assert getattr(cl.settings, name) == before


def test_values_are_kept_in_their_type(tmp_path: Path) -> None:
    cl.settings.cache_dir = str(tmp_path)  # type: ignore[assignment]
    cl.settings.buckets = {"photos": "b"}  # type: ignore[dict-item]
    cl.settings.threads = np.int64(2)  # type: ignore[assignment]
    assert cl.settings.cache_dir == tmp_path
    assert cl.settings.buckets == {"photos": Path.cwd() / "b"}
    assert type(cl.settings.threads) is int
    cl.settings.threads = CpuShare(2)
    assert isinstance(cl.settings.threads, CpuShare)


def test_unknown_fields_name_the_nearest_one() -> None:
    words = "^settings has no field 'cache_gib'. Did you mean 'cache_gb'[?]$"
    with pytest.raises(AttributeError, match=words):
        cl.settings.cache_gib = 5  # type: ignore[attr-defined]
    with pytest.raises(cl.errors.UnknownNameError, match=words):
        cl.settings.cache_gib  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match=r"^settings has no field 'qqq'\. Its fields are: user, cache_dir, "):
        cl.settings.qqq  # type: ignore[attr-defined]  # noqa: B018


def test_fields_are_not_deleted() -> None:
    with pytest.raises(InputError, match=r"settings\.user cannot be deleted\. Set it to another value"):
        del cl.settings.user
    with pytest.raises(cl.errors.UnknownNameError, match=r"no field 'users'\. Did you mean 'user'"):
        del cl.settings.users  # type: ignore[attr-defined]


def test_the_display_says_where_each_value_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CUSTOMLABELS_NB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CUSTOMLABELS_NB_USER", "<b>Ana")
    settings = Settings()
    settings.cache_gb = 8
    monkeypatch.setenv("CUSTOMLABELS_NB_USER", "changed later")
    monkeypatch.setenv("CUSTOMLABELS_NB_THREADS", "wrong")
    assert repr(settings) == "Settings(user='<b>Ana', cache_gb=8.0)"
    rows = re.findall("<tr>(.*?)</tr>", settings._repr_html_())
    cells = [re.findall("<td.*?>(?:<bdi>)?(.*?)(?:</bdi>)?</td>", row) for row in rows[1:]]
    assert [row[0] for row in cells] == [*asdict(settings)]
    assert cells[0][1:3] == ["&lt;b&gt;Ana", "CUSTOMLABELS_NB_USER"]
    assert cells[3][1:] == ["8.0", "set here", "Largest size of each content cache, in GB"]
    assert cells[4][1:3] == ["True", "default"]
