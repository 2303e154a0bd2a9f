"""What people type first who know other libraries: it works, or the error names what to use."""

from __future__ import annotations

import ast
import inspect
import re
import shutil
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from PIL import Image

import customlabels_nb as cl
from customlabels_nb._utils.unknown_names import MADE_BY, SYNONYMS
from customlabels_nb.inference.detection import Detection
from customlabels_nb.project.project import Project

#: First calls in the documentation of each library, with our names of the objects → what our error says to use. None
#: if the same call works here.
FIRST_CALLS = {
    "fastai": {
        "cl.ImageDataLoaders": "cl.read_dataset(path)",
        "cl.vision_learner": "project.train()",
        "cl.load_learner": "cl.load_model(folder)",
        "project.fine_tune": "project.train()",
        "model.fine_tune": "project.train()",
        "model.lr_find": "project.train()",
        "model.predict": "model.detect(image)",
        "model.get_preds": "model.detect_many(images)",
        "model.show_results": "model.evaluate(dataset).show()",
        "model.export": None,
        "dataset.show_batch": None,
        "report.plot_confusion_matrix()": None,
        "report.plot_top_losses": "report.show()",
        "report.most_confused": "report.confusion_matrix.confusions()",
    },
    "FiftyOne": {
        "cl.launch_app": "project.label()",
        "cl.load_dataset": "cl.read_dataset(path)",
        "project.add_samples": "project.add_images(folder)",
        "dataset.name": None,
        "len(dataset)": None,
        "dataset.first": "dataset.images.head()",
        "dataset.match": "dataset.filter(where)",
        "dataset.sort_by": "dataset.images.sort_values(by)",
        "dataset.take": "dataset.sample(n)",
        "dataset.count_values": "dataset.label_counts",
        "dataset.export": "dataset.to(format, path)",
        "dataset.apply_model": "model.detect_many(dataset)",
        "dataset.evaluate_detections": "cl.evaluate(truth, predictions)",
        "dataset.to_patches": "project.crops()",
        "report.print_report": "report.per_label",
    },
    "Ultralytics": {
        "cl.YOLO": "cl.load_model(folder)",
        "project.train": None,
        "model.train": "project.train()",
        "model.val": "model.evaluate(dataset)",
        "model.track": "model.detect_video(video)",
        "loaded.names": "model.labels",
        "detection.boxes": "detection.table",
        "detection.probs": "detection.table",
        "detection.show": "detection.draw()",
        "report.box": "report.summary",
        "report.confusion_matrix.plot()": None,
    },
    "supervision": {
        "cl.DetectionDataset": "cl.read_dataset(path)",
        "cl.BoxAnnotator": "model.detect(image).draw()",
        "cl.MeanAveragePrecision": "cl.evaluate(truth, predictions)",
        "cl.ConfusionMatrix": "report.confusion_matrix",
        "dataset.split(0.8)": None,
        "dataset.classes": "dataset.labels",
        "dataset.as_coco": "dataset.to(format, path)",
        "detection.xyxy": "detection.table",
    },
    "scikit-learn and pandas": {
        "cl.train_test_split": "project.distribute()",
        "cl.classification_report": "report.per_label",
        "project.fit": "project.train()",
        "loaded.predict_proba": "model.detect(image, threshold=0)",
        "model.score": "model.evaluate(dataset)",
        "model.classes_": "model.labels",
        "report.accuracy": "report.summary",
        "report.f1_score": "report.metric('f1')",
        "report.plot()": None,
        "report.confusion_matrix": None,
        "dataset.plot()": None,
        "report.mistakes": "report.per_image.query(\"result != 'true positive'\")",
        "report.errors": "report.per_image.query(\"result != 'true positive'\")",
        "report.wrong": "report.per_image.query(\"result != 'true positive'\")",
        "report.predictions": "report.per_image",
        "project.import_voc": "project.import_dataset(cl.read_dataset(path))",
        "project.import_coco": "project.import_dataset(cl.read_dataset(path))",
        "project.summary": "project.statistics",
        "project.status": "project.datasets",
        "project.describe": "project.statistics",
        "project.set_label": "project.update(split, project.train_set.relabel(label, where))",
        "model.accuracy": "model.evaluate(dataset).summary",
        "dataset.head": "dataset.images.head()",
        "dataset.shape": "dataset.images",
        "dataset.to_csv": "dataset.to(format, path)",
    },
}


@pytest.fixture(scope="module")
def known(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the objects of the calls, and the arguments of what is suggested."""
    project = cl.load_project(shutil.copytree(trained.root, tmp_path_factory.mktemp("known") / "shapes"))
    model = project.model()
    report, picture = model.evaluate(), Image.new("RGB", (8, 8))
    given = {"image": picture, "images": [picture], "name": "rooms", "label": "disc", "where": "width > 9", "n": 1}
    given |= {"by": "width", "truth": report.images, "predictions": report.images}
    given |= dict.fromkeys(("device", "folder", "format", "path", "split", "video"), "folder")
    found = Detection(
        picture, "image", pd.DataFrame(columns=["label", "confidence", "left", "top", "width", "height"]), {}
    )
    return given | {
        "cl": cl,
        "project": project,
        "other": project.test_set,
        "dataset": project.train_set,
        "report": report,
        "model": model,
        "loaded": cl.load_model(model.folder),
        "detection": found,
    }


@pytest.mark.parametrize(("call", "ours"), [pair for calls in FIRST_CALLS.values() for pair in calls.items()])
def test_a_first_call_works_or_names_ours(call: str, ours: str | None, known: dict[str, Any]) -> None:
    if ours is None:
        assert eval(call, known) is not None  # noqa: S307
        plt.close("all")
        return
    owner, name = call.rsplit(".", 1)
    assert not hasattr(known[owner], name)
    with pytest.raises(cl.errors.UnknownNameError, match=rf" has no attribute {name!r}\. Use {re.escape(ours)}\.$"):
        eval(call, known)  # noqa: S307


def check_call(code: str, known: dict[str, Any]) -> Any:
    """Check that an expression can be evaluated, without running its last call, and return the value of others."""
    expression = ast.parse(code, mode="eval").body
    if not isinstance(expression, ast.Call):
        return eval(code, known)  # noqa: S307
    function = eval(ast.unparse(expression.func), known)  # noqa: S307
    values = [check_call(ast.unparse(value), known) for value in expression.args]
    inspect.signature(function).bind(*values, **{str(word.arg): word.value for word in expression.keywords})
    return None


def test_suggested_calls_exist(known: dict[str, Any]) -> None:
    known = known | {"dataset": known["dataset"].sample(2)}
    with known["model"].started("cpu", engine="torch"), known["loaded"].started("cpu", engine="torch"):
        for ours in sorted({ours for owner in (SYNONYMS, MADE_BY) for calls in owner.values() for ours in calls}):
            check_call(ours, known)
            if ours.startswith("model."):  # a model without a project, too
                check_call(ours, known | {"model": known["loaded"]})


def test_the_overview_of_a_project_has_calls_that_exist(known: dict[str, Any]) -> None:
    overview = inspect.cleandoc(Project.__doc__ or "").split("::\n\n")[1].split("\n\n")[0]
    lines = [line.partition("#")[0].partition(" = ")[2] or line for line in overview.splitlines()]
    assert len(lines) == 10
    for line in lines:
        check_call(line.partition("#")[0].strip().replace(".draw()", ""), known)


def test_no_synonym_is_a_name_of_ours(known: dict[str, Any]) -> None:
    owners = {"cl": [cl], "Runnable": [known["model"], known["loaded"]], "Project": [known["project"]]}
    owners |= {"Dataset": [known["dataset"]], "Report": [known["report"]], "Detection": [known["detection"]]}
    assert owners.keys() == SYNONYMS.keys()
    for key, synonyms in SYNONYMS.items():
        for foreign in " ".join(synonyms.values()).split():
            for owner in owners[key]:
                assert not hasattr(owner, foreign), (key, foreign)
