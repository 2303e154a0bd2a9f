"""Checks of notebook 10: the promise is kept, wrong labels are found, and a model labels only what nobody did."""

from tests.notebooks.running import tagged, text_of

TARGET = 0.9


def people(project):
    marks = project.train_set.annotations
    return marks[~marks["annotator"].str.startswith("model:")]


def after_project(ns):
    assert len(ns["project"].train_set) == 160
    assert ns["project"].train_set.annotations.empty


def after_started(ns):
    assert [step["phase"] for step in ns["run"]["steps"]] == ["featurization", "training", "validation", "inference"]
    assert ns["assist"].on
    assert ns["run"]["target"] == TARGET


def after_queue(ns):
    kinds = ns["queue"]["kind"].head(40).value_counts()
    assert set(kinds.index) <= {"check", "typical"}, "nothing is known yet, so that none is uncertain"
    assert 16 <= kinds["check"] <= 24, "'Half of the first photos'"


def after_page(ns):
    rooms = [ns["room"](image) for image in ns["page"]]
    assert 1 < len(rooms) <= 9
    assert max(map(rooms.count, rooms)) / len(rooms) >= 0.5, "'shows similar photos'"


def after_rounds(ns):
    promise = ns["run"]["promise"]
    assert promise, "the loop ends with a promise"
    assert promise["bound"] >= TARGET
    assert promise["shown"] >= 29


def after_prelabels(ns):
    assert len(ns["predicted"]) >= 10
    assert ns["right"] >= TARGET


def after_suspects(ns):
    planted = set(ns["slips"]["image"])
    assert len(planted) == 4
    assert len(planted & set(ns["suspects"]["image"])) >= 2
    assert ns["suspects"]["score"].is_monotonic_decreasing
    ns["_people"] = len(people(ns["project"]))


def after_corrected(ns):
    marks = people(ns["project"])
    assert (marks["label"] == marks["image"].map(ns["room"])).all()


def after_applied(ns):
    marks = ns["project"].train_set.annotations
    model = marks[marks["annotator"].str.startswith("model:")]
    assert set(model["image"]) <= set(ns["rest"].frame["image"])
    assert len(model) >= 10
    assert (model["label"] == model["image"].map(ns["room"])).mean() >= TARGET
    assert len(people(ns["project"])) == ns["_people"], "'A label of a person is never changed'"


def after_stopped(ns):
    assert not ns["assist"].on
    states = ns["assist"].runs["state"].tolist()  # one in the background may have been under way
    assert states.count("done") >= 3
    assert set(states) <= {"done", "stopped"}


def outputs(notebook):
    assert "labels:" in text_of(tagged(notebook, "rounds"))
    assert "can be labelled" in text_of(tagged(notebook, "rest"))
