"""Tests of settings: read from the environment, with invalid values refused by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from customlabels_nb.errors import InputError
from customlabels_nb.settings import Settings


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
