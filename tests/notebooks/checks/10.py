"""Checks of notebook 10: the promise is kept, wrong labels are found, and a model labels only what nobody did."""

TARGET = 0.9


def people(project):
    marks = project.train_set.annotations
    return marks[~marks["annotator"].str.startswith("model:")]


def after_queue(ns):
    kinds = ns["queue"]["kind"].head(40).value_counts()
    assert set(kinds.index) <= {"check", "typical"}
    assert 16 <= kinds["check"] <= 24, "'Half of the first photos'"


def after_rounds(ns):
    assert ns["run"]["promise"], "the loop ends with a promise"
    assert ns["run"]["promise"]["bound"] >= TARGET


def after_prelabels(ns):
    assert len(ns["predicted"]) >= 10
    assert ns["right"] >= TARGET


def after_suspects(ns):
    assert len(set(ns["slips"]["image"]) & set(ns["suspects"]["image"])) >= 2
    ns["_people"] = len(people(ns["project"]))


def after_applied(ns):
    marks = ns["project"].train_set.annotations
    model = marks[marks["annotator"].str.startswith("model:")]
    assert len(model) >= 10
    assert (model["label"] == model["image"].map(ns["room"])).mean() >= TARGET
    own = people(ns["project"])
    assert len(own) == ns["_people"], "'A label of a person is never changed'"
    assert (own["label"] == own["image"].map(ns["room"])).all()
