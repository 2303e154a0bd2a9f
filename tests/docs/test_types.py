"""Type checkers, and so the completion of editors, know what users get, and which words they may pass."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from customlabels_nb.datasets.formats.format_detection import FORMATS, FormatName
from tests.conftest import ROOT

START = """
import customlabels_nb as cl
from customlabels_nb.jobs.job_screens import DashboardScreen, LabelScreen, NameScreen, ReviewScreen
from customlabels_nb.widgets.job_dashboard import JobDashboard
from customlabels_nb.widgets.job_labeling import JobAnnotator, JobGallery
from customlabels_nb.widgets.job_review import JobReview
from customlabels_nb.widgets.name_question import NameQuestion

project = cl.load_project("fruit")
model = project.train("v1")
report = model.evaluate()
job = project.jobs["rooms"]

def widgets_are_the_screens_of_jobs(
    a: JobGallery, b: JobAnnotator, c: JobReview, d: JobDashboard, e: NameQuestion
) -> tuple[LabelScreen, LabelScreen, ReviewScreen, DashboardScreen, NameScreen]:
    return a, b, c, d, e

"""
#: Calls and the types that they reveal.
CALLS = {
    "project": "Project",
    "project.label()": "Gallery",
    "project.label(widget=object())": "Any",  # of another library
    "project.annotate()": "Annotator",
    "project.review()": "Review",
    "project.map()": "ProjectMap",
    "project.verify('photos', model=model)": "Verify",
    "project.dashboard()": "Dashboard",
    "project.dashboard().show_images('test')": "Gallery | Annotator | Review",
    "project.history_panel()": "HistoryPanel",
    "project.labels": "Labels",
    "project.train_set": "Dataset",
    "project.train_set.filter('width > 5')": "Dataset",
    "project.train_set.to('coco', 'a.json')": "ExportReport",
    "project.train_set.validate()": "ValidationReport[Dataset]",
    "project.add_images('photos')": "ImportReport",
    "project.distribute()": "Distribution",
    "project.check()": "CheckReport",
    "project.snapshots": "Snapshots",
    "project.assist": "Assist",
    "project.jobs": "LabellingJobs",
    "project.compare('v1', 'v2')": "Comparison",
    "job": "LabellingJob",
    "job.label()": "LabelScreen | NameScreen",
    "job.review()": "ReviewScreen | NameScreen",
    "job.dashboard()": "DashboardScreen",
    "job.worker()": "Worker",
    "model": "Model",
    "model.detect('a.jpg')": "Detection",
    "model.detect_many('photos', to='found/')": "WrittenDetections",
    "model.detect_video('a.mp4')": "VideoDetection",
    "model.quick_test()": "QuickTest",
    "model.export('onnx')": "Exported",
    "cl.load_model('folder')": "LoadedModel",
    "report": "Report",
    "report.show()": "Results",
    "report.show().confusion_matrix": "ConfusionMatrix",
    "report.map()": "ProjectMap",
    "report.crops()": "Gallery",
    "report.advice": "Advice",
    "report.compare(baseline=report)": "Comparison",
    "cl.doctor()": "Checkup",
    "cl.settings": "Settings",
    "cl.settings.cache_gb": "float",
}
#: Calls that are errors.
WRONG = {
    "project.label('training')": "call-overload",
    "project.train('v2', task='box')": "arg-type",
    "project.add_images('photos', on_known='overwrite')": "arg-type",
    "report.plot_confusion_matrix(normalize='prediction')": "arg-type",
    "cl.create_project('a', task='detection')": "arg-type",
    "cl.settings.cache_gib": "attr-defined",
    "cl.creat_project('a')": "attr-defined",
}


@pytest.mark.thorough
def test_mypy_reveals_return_types_and_refuses_unknown_words(tmp_path: Path) -> None:
    lines = [f"reveal_type({call})" for call in CALLS] + list(WRONG)
    file = tmp_path / "calls.py"
    file.write_text(START + "\n".join(lines), "utf-8")
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", "--no-pretty", str(file)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    told = re.findall(
        r'calls\.py:(\d+): (?:note: Revealed type is "(.*)"|error: .*\[(.*)\])$', ran.stdout, re.MULTILINE
    )
    shown = {int(line): re.sub(r"\b\w+\.", "", revealed) or error for line, revealed, error in told}
    first = START.count("\n") + 1
    assert [shown.get(number) for number in range(1, first)] == [None] * (first - 1), ran.stdout
    expected = CALLS | WRONG
    assert {call: shown.get(number) for number, call in enumerate(expected, first)} == expected, ran.stderr


def test_the_names_of_formats_are_those_that_are_read() -> None:
    assert get_args(FormatName) == tuple(FORMATS)
