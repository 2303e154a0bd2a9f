"""Tests of models on the Hugging Face Hub: what is uploaded and downloaded, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import customlabels_nb as cl
from customlabels_nb.errors import ArtifactError, InputError, ModelError, NotAllowedError, WeightsUnavailableError
from customlabels_nb.project.model import Model
from customlabels_nb.user_settings import settings
from tests.models.fake_hub import FakeHub, front_matter, serve_hub, use_hub

FILES = ["config.json", "model.safetensors", "README.md"]
TOKEN = "hf_secret"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """Serve the repository "ann/shapes", which does not exist yet."""
    with serve_hub(FakeHub("ann/shapes", {}, exists=False)) as served:
        use_hub(monkeypatch, served.url, tmp_path / "hf")
        yield served


def test_a_version_is_uploaded_in_one_commit_and_loaded_in_another_process(
    model: Model, hub: FakeHub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model.tags["license"] = "apache-2.0"
    hub.token = TOKEN
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    planned = model.push_to_hub("ann/shapes", dry_run=True)
    assert not hub.exists
    hub.refuses = "/commit/"
    with pytest.raises(ModelError, match=r"ann/shapes cannot be uploaded .*access was denied"):
        model.push_to_hub("ann/shapes")
    hub.refuses = None
    listed = model.push_to_hub("ann/shapes")
    again = model.push_to_hub("hf://ann/shapes")
    printed = capsys.readouterr()
    assert len(hub.uploaded) == 1
    assert hub.commits == ["Upload v1"]
    assert hub.private
    assert planned["file"].tolist() == FILES
    assert dict(planned.to_numpy().tolist()) == {name: len(data) for name, data in hub.files.items()}
    assert listed.equals(planned)
    assert again.equals(planned)
    for name, size in listed.to_numpy().tolist():
        assert printed.out.count(f"  {name}: {size:,} bytes\n") == 3
    texts = hub.files["config.json"].decode() + hub.files["README.md"].decode()
    for secret in (TOKEN, str(tmp_path), ".png"):  # no name of an image
        assert secret not in texts
    assert TOKEN not in printed.out + printed.err

    card = hub.files["README.md"].decode()
    facts = front_matter(card)
    (result,) = facts.pop("model-index")[0]["results"]
    assert facts == {
        "library_name": "customlabels-nb", "pipeline_tag": "image-classification",
        "tags": ["customlabels-nb", "single-label"], "license": "apache-2.0",
    }  # fmt: skip
    f1 = model.record.metrics["f1"]
    assert [metric["value"] for metric in result["metrics"] if metric["type"] == "f1"] == [round(f1, 4)]
    assert '\nmodel = cl.load_model("hf://ann/shapes")\n' in card
    assert "load_project" not in card

    hub.files = {**hub.files, "code.py": b"code", "weights.bin": b"pickle"}
    code = (
        "import sys, customlabels_nb as cl\n"
        "model = cl.load_model(sys.argv[1])\n"
        "print(model.name, model.labels, *sorted(path.name for path in model.folder.iterdir()))"
    )
    environment = {
        "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "other"), "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": TOKEN,
    }  # fmt: skip
    command = [sys.executable, "-c", code, f"hf://ann/shapes@{hub.commit}"]
    ran = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.stdout == "shapes ('disc', 'stripes', 'triangle') config.json model.safetensors\n", ran.stderr
    assert sorted(set(hub.downloaded)) == ["config.json", "model.safetensors"]


def test_hostile_names_are_text_in_the_card(model: Model, hub: FakeHub) -> None:
    model.tags["license"] = "---\nlibrary_name: evil\n- x: !!python/object 'é"
    model.push_to_hub("ann/shapes", private=False)
    assert not hub.private
    facts = front_matter(hub.files["README.md"].decode())
    assert facts["library_name"] == "customlabels-nb"
    assert facts["license"].split() == model.tags["license"].split()


def test_uploads_that_are_not_allowed_are_refused(model: Model, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("shapes", "ann/shapes@main", None):
        with pytest.raises(InputError, match=r"form '(hf://)?user/name'"):
            model.push_to_hub(name)  # type: ignore[arg-type]
    hub.exists = True
    with pytest.raises(NotAllowedError, match=r"is public. Nothing was uploaded. Pass private=False"):
        model.push_to_hub("ann/shapes")
    assert not hub.files
    hub.token = TOKEN
    with pytest.raises(ModelError, match=r"access was denied. Run hf auth login"):
        model.push_to_hub("ann/shapes")
    monkeypatch.setattr(settings, "network", False)
    with pytest.raises(NotAllowedError, match=r"settings.network is False"):
        model.push_to_hub("ann/shapes")
    assert len(model.push_to_hub("ann/shapes", dry_run=True)) == 3


def test_models_that_cannot_be_downloaded_are_explained(
    model: Model, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model.folder
    with pytest.raises(InputError, match=r"'hf://user/name@revision'"):
        cl.load_model("hf://shapes")
    with pytest.raises(WeightsUnavailableError, match=r"does not exist, or is private. If it is yours, run: hf auth"):
        cl.load_model("hf://ann/shapes")
    hub.exists, hub.files = True, {"config.json": (folder / "config.json").read_bytes()}
    with pytest.raises(WeightsUnavailableError, match=r"'hf://ann/shapes@v9' .* the revision does not exist"):
        cl.load_model("hf://ann/shapes@v9")
    hub.gated = True
    with pytest.raises(WeightsUnavailableError, match=r"its owner must grant access"):
        cl.load_model("hf://ann/shapes")
    hub.gated = False
    with pytest.raises(ArtifactError, match=r"contains no model of customlabels_nb: model.safetensors is missing"):
        cl.load_model("hf://ann/shapes")
    hub.commits.append("other")
    hub.files = {"config.json": json.dumps({"model_type": "bert"}).encode(), "model.safetensors": b""}
    with pytest.raises(ArtifactError, match=r"'hf://ann/shapes' contains no model of customlabels_nb: .*no format"):
        cl.load_model("hf://ann/shapes")
    assert "model.safetensors" not in hub.downloaded

    hub.commits.append("model")
    hub.files = {name: (folder / name).read_bytes() for name in FILES[:2]}
    cl.load_model("hf://ann/shapes")
    for offline in ("settings", "hub"):
        if offline == "settings":
            monkeypatch.setattr(settings, "network", False)
        else:
            monkeypatch.setattr(settings, "network", True)
            monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        downloads = len(hub.downloaded)
        assert cl.load_model("hf://ann/shapes").name == "shapes"
        assert len(hub.downloaded) == downloads
        with pytest.raises(WeightsUnavailableError, match=r"'hf://bo/shapes' cannot be downloaded"):
            cl.load_model("hf://bo/shapes")
