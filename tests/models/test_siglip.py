"""Tests of vectors of images and texts: the real classes of SigLIP with tiny random weights."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from customlabels_nb.assist.background_training import BackgroundTraining
from customlabels_nb.errors import CustomLabelsError, InputError, ModelError, NotAllowedError, NotReadyError
from customlabels_nb.labeling.similarity import SimilarityOrder
from customlabels_nb.models.embeddings import describe_features, embed
from customlabels_nb.models.image_search import ImageSearch, open_search
from customlabels_nb.models.pretrained.siglip import embed_text
from customlabels_nb.models.pretrained.transformers_models import read_normalisation
from customlabels_nb.models.pretrained.weights import get_weights
from customlabels_nb.project.location import open_project_store
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import create_project
from tests.images.pictures import write_folder
from tests.models.saved_folders import saved_by_processor
from tests.models.tiny_siglip import SIDE, write_tiny_siglip


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Return the folder of a tiny model, and the model."""
    folder = tmp_path_factory.mktemp("models") / "tiny-siglip"
    return folder, write_tiny_siglip(folder)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project of six images that differ."""
    write_folder(tmp_path / "photos", {"apple": 3, "pear": 3})
    project = create_project("fruit", tmp_path)
    project.add_images(tmp_path / "photos", labels_from="folders", progress=False)
    return project


def test_vectors_are_those_of_the_model_and_its_processor(tmp_path: Path, tiny: tuple[Path, Any]) -> None:
    import torch
    from transformers import AutoTokenizer, SiglipImageProcessor

    folder, model = tiny
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8))
    picture.save(tmp_path / "a.png")
    inputs = SiglipImageProcessor.from_pretrained(folder)(images=picture, return_tensors="pt")
    words = AutoTokenizer.from_pretrained(folder)(
        "a red screw", padding="max_length", max_length=64, return_tensors="pt"
    )
    with torch.inference_mode():
        image = model.get_image_features(**inputs).pooler_output[0].numpy()
        text = model.get_text_features(input_ids=words["input_ids"]).pooler_output[0].numpy()
    assert np.abs(embed([str(tmp_path / "a.png")], backbone=str(folder)).features[0] - image).max() < 1e-4
    found = embed_text(str(folder), " A  Red screw\n")
    assert np.abs(found - text / np.linalg.norm(text)).max() < 1e-4
    assert image.std() > 0.1 < text.std()


@pytest.mark.parametrize("text", ["", " \n", "a" * 10_000, None, 7])
def test_texts_without_meaning_are_refused(tiny: tuple[Path, Any], text: Any) -> None:
    with pytest.raises(InputError, match="text"):
        embed_text(str(tiny[0]), text)


@pytest.mark.parametrize("text", ["grün", "猫", "кот", "قط", "\u202eabc", "<b>", "\x00"])
def test_other_scripts_have_vectors(tiny: tuple[Path, Any], text: str) -> None:
    assert np.linalg.norm(embed_text(str(tiny[0]), text)) == pytest.approx(1)


@pytest.mark.parametrize("lacking", ["tokenizer.json", "preprocessor_config.json"])
def test_incomplete_folders_are_refused(tmp_path: Path, tiny: tuple[Path, Any], lacking: str) -> None:
    folder = shutil.copytree(tiny[0], tmp_path / "model")
    for name in (lacking, "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(ModelError, match=r"cannot be (used|read)"):
        describe_features(str(folder)) if lacking.startswith("pre") else embed_text(str(folder), "a cat")


def test_a_folder_that_a_processor_saved_is_read(tmp_path: Path, tiny: tuple[Path, Any]) -> None:
    saved_by_processor("SiglipProcessor", tiny[0], tmp_path / "model")
    expected, found = describe_features(str(tiny[0])), describe_features(str(tmp_path / "model"))
    assert (found.mean, found.std) == (expected.mean, expected.std)
    assert np.array_equal(embed_text(str(tmp_path / "model"), "a cat"), embed_text(str(tiny[0]), "a cat"))
    (tmp_path / "model" / "processor_config.json").write_text('{"image_processor": {"image_mean": [1, 2]}}')
    with pytest.raises(ModelError, match=r"processor_config\.json' cannot be used"):
        read_normalisation(get_weights(str(tmp_path / "model")))


def test_a_tokenizer_without_a_pad_token_is_refused(tmp_path: Path, tiny: tuple[Path, Any]) -> None:
    from transformers import AutoTokenizer

    folder = shutil.copytree(tiny[0], tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    with pytest.raises(ModelError, match=r"tokenizer in '.*model' has no pad token"):
        embed_text(str(folder), "a cat")


def test_images_are_found_by_a_text_and_by_an_image(
    project: Project, tiny: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = str(tiny[0])
    project.embedding_model = model
    with pytest.raises(NotAllowedError, match=r"No image has vectors .* project\.embed\(model="):
        project.search("a red screw")
    assert project.embed(progress=False).empty
    found = project.search("a red screw")
    names = project.train_set.images["image"].tolist()
    vectors = embed(names, backbone=model).features
    cosines = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) @ embed_text(model, "a red screw")
    expected = pd.DataFrame({"image": names, "score": cosines}).sort_values("score", ascending=False)
    assert found["image"].tolist() == expected["image"].tolist()
    assert found["score"].tolist() == pytest.approx(expected["score"].tolist(), abs=1e-3)
    assert len(project.search("a red screw", max_results=2)) == 2
    alike = project.search(image=names[3])
    assert (alike["image"].iat[0], alike["score"].iat[0]) == (names[3], pytest.approx(1, abs=1e-3))
    shutil.copy(names[3], tmp_path / "elsewhere.png")
    monkeypatch.chdir(tmp_path)
    assert project.search(image="elsewhere.png")["image"].iat[0] == names[3]


def test_screens_open_in_the_order_of_a_description(project: Project, tiny: tuple[Path, Any]) -> None:
    project.embedding_model = str(tiny[0])
    project.embed(progress=False)
    best = project.search("a red screw")["image"].tolist()
    for screen in (project.label(search="a red screw"), project.annotate(search="a red screw")):
        session = screen.session
        while session.arrange().waiting is not None:
            time.sleep(0.05)
        assert session.page(0, 24)[1] == best
        assert session.without_vectors == 0
        screen.close()
    gallery = project.label(search="a red screw")
    gallery.set_filter()  # keeps the order
    assert gallery.session.view.query.text == "a red screw"
    gallery.session.show(replace(gallery.session.view.query, text="a blue nut"))
    gallery.handlers["select"](gallery.session.view.number, 0, 0, [])
    gallery.close()
    again = project.label(search="a red screw")
    assert again.session.view.query.text == "a blue nut"  # where it was left
    again.close()


def test_images_without_vectors_are_left_out_and_counted(
    project: Project, tiny: tuple[Path, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project.embedding_model = str(tiny[0])
    project.embed(progress=False)
    Image.new("RGB", (20, 20), "red").save(tmp_path / "new.png")
    project.add_images(tmp_path / "new.png", progress=False)
    assert len(project.search("a red screw")) == 6
    assert "1 image without vectors was left out. project.embed(model=" in capsys.readouterr().out


def test_vectors_of_another_revision_are_not_used(project: Project, tiny: tuple[Path, Any], tmp_path: Path) -> None:
    project.embedding_model = str(tiny[0])
    project.embed(progress=False)
    order = SimilarityOrder(project.root, lambda: str(tmp_path / "other"))
    images = project.train_set.images
    given = images["image"].tolist(), images["sha256"].tolist()
    shutil.copytree(tiny[0], tmp_path / "other")
    project.embedding_model = str(tmp_path / "other")
    project.embed(progress=False)
    assert len(sorted_by(order, *given)) == 6
    write_tiny_siglip(tmp_path / "other", random_state=1)
    with pytest.raises(NotAllowedError, match="No image has vectors"):
        project.search("a red screw")
    with pytest.raises(NotAllowedError, match="No image has vectors"):
        sorted_by(order, *given)


def sorted_by(order: SimilarityOrder, *images: list[str]) -> list[int]:
    """Wait for the order by a text."""
    while True:
        try:
            return order(*images, text="a red screw")
        except NotReadyError:
            time.sleep(0.05)


@pytest.mark.parametrize("name", [None, 7, "sam2", "resnet"])
def test_unknown_features_are_refused(project: Project, name: Any) -> None:
    with pytest.raises(InputError, match=repr(name)):
        project.embedding_model = name


def test_a_folder_of_features_is_stored_as_an_absolute_path(
    project: Project, tiny: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny[0].parent)
    project.embedding_model = tiny[0].name
    assert project.embedding_model == str(tiny[0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"search": " "}, "search=' ' must describe"),
        ({"search": 7}, "search=7 must describe"),
        ({"search": "a", "queue": "manual"}, "cannot be combined with queue='manual'"),
        ({"sort": "text"}, "sort='text' needs a description"),
    ],
)
def test_screens_refuse_searches_without_meaning(project: Project, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        project.label(**arguments)


@pytest.mark.thorough
def test_several_processes_compute_the_same_vectors(project: Project, tiny: tuple[Path, Any]) -> None:
    project.embedding_model = str(tiny[0])
    project.embed(workers=2, progress=False)
    found = project.search("a red screw")
    names = project.train_set.images["image"].tolist()
    vectors = embed(names, backbone=str(tiny[0])).features
    best = names[int(np.argmax(vectors @ embed_text(str(tiny[0]), "a red screw") / np.linalg.norm(vectors, axis=1)))]
    assert found["image"].iat[0] == best


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "Pass either a text"),
        ({"text": "a", "image": "b.png"}, "Pass either a text"),
        ({"image": "no.txt"}, r"image='.*no.txt' cannot be used"),
        ({"text": "a", "split": "validation"}, "split='validation'"),
        ({"text": "a", "max_results": 0}, "max_results=0 must be"),
    ],
)
def test_impossible_searches_are_refused(
    project: Project, tiny: tuple[Path, Any], tmp_path: Path, arguments: dict[str, Any], words: str
) -> None:
    project.embedding_model = str(tiny[0])
    project.embed(progress=False)
    (tmp_path / "no.txt").write_text("no image")
    if "image" in arguments and "text" not in arguments:
        arguments = {"image": tmp_path / "no.txt"}
    with pytest.raises(CustomLabelsError, match=words):
        project.search(**arguments)


def test_scores_follow_the_file_of_features(project: Project, tiny: tuple[Path, Any]) -> None:
    model = str(tiny[0])
    search = ImageSearch(project.root, model)
    images = project.train_set.images
    keys = images["sha256"].tolist()
    vector = embed_text(model, "a cat")
    with pytest.raises(NotAllowedError, match="No image has vectors"):
        search.scores(keys, lambda: pytest.fail("the text was read in vain"))
    project.embed(model=model, progress=False)
    scores = search.scores(keys, lambda: vector)
    assert np.isfinite(scores).all()
    assert search.scores([None, *keys[::-1]], lambda: vector)[1:] == pytest.approx(scores[::-1])
    assert open_search(project.root, model) is open_search(project.root, model)  # vectors are measured once


def test_labels_are_proposed_with_the_probabilities_of_the_model(
    tmp_path: Path, tiny: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import AutoTokenizer, SiglipImageProcessor

    monkeypatch.setattr(BackgroundTraining, "run", lambda self, events: {})  # no training
    folder, model = tiny
    with torch.no_grad():
        model.logit_scale.fill_(3.0)
    model.save_pretrained(folder := shutil.copytree(folder, tmp_path / "scaled"))
    write_folder(tmp_path / "photos", {"apple": 3, "pear": 3})
    project = create_project("fruit", tmp_path, task="single-label")
    project.add_images(tmp_path / "photos", progress=False)
    prompts = {"screw": "a red screw", "nut": "a blue nut"}
    names = project.train_set.images["image"].tolist()
    images = [Image.open(name).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC) for name in names]
    words = AutoTokenizer.from_pretrained(folder)(
        list(prompts.values()), padding="max_length", max_length=64, return_tensors="pt"
    )
    pixels = SiglipImageProcessor.from_pretrained(folder)(images=images, return_tensors="pt")
    with torch.inference_mode():
        logits = model(input_ids=words["input_ids"], **pixels).logits_per_image
    found = project.assist.propose(prompts, model=str(folder), progress=False).frame.set_index("image").loc[names]
    best = logits.softmax(dim=1).max(dim=1)
    assert found["label"].tolist() == [list(prompts)[label] for label in best.indices]
    assert found["confidence"].to_numpy() == pytest.approx(best.values.numpy(), abs=0.02)
    project.task = "multi-label"
    found = project.assist.propose(prompts, model=str(folder), threshold=0, progress=False).frame
    assert found["confidence"].to_numpy() == pytest.approx(logits.sigmoid().flatten().numpy(), abs=0.02)
    assert len(open_project_store(project.root).predictions()) == 12
