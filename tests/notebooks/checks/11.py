"""Checks of notebook 11: who guesses is stopped, the consensus beats the majority, and the output can be read."""

import json

from tests.notebooks.running import tagged, text_of


def after_project(ns):
    status = ns["project"].train_set.images["status"].value_counts()
    assert status.to_dict() == {"unlabelled": 180, "labelled": 20}
    assert len(ns["project"].test_set) == 40


def after_job(ns):
    job = ns["job"]
    assert (job.progress.images, job.progress.left, len(job.gold)) == (180, 540, 20)
    assert job.settings["annotators"] == 3


def after_label(ns):
    assert ns["job"].progress.held > 0, "'The photos are reserved'"


def after_closed(ns):
    assert ns["job"].progress.held == 0


def after_labelled(ns):
    job, members = ns["job"], ns["job"].members.set_index("person")
    assert job.state == "completed"
    table = job.answers.query("counted")
    photos = table[~table["gold"]].groupby("image")["person"]
    assert (photos.size() == 3).all(), "'Each photo is labelled by three people'"
    assert (photos.nunique() == 3).all()
    assert set(table["person"]) == set(ns["NAMES"])
    assert len(ns["NAMES"]) == 30
    stopped = members[members["state"] == "stopped"]
    assert len(set(stopped.index) & set(ns["GUESSING"])) >= 1, (
        "'somebody who is clearly below 70 % gets no more photos'"
    )
    assert set(stopped.index) <= {*ns["GUESSING"], *ns["WEAK"]}
    assert stopped["reason"].str.contains("known answers are right").all()
    first = table[table["person"] == "ada"].head(7)
    assert first["gold"].sum() >= 5, "'five gold images first'"
    guesses = table["person"].isin(ns["GUESSING"])
    assert table[guesses].groupby("person").size().mean() > 1.3 * table[~guesses].groupby("person").size().mean()


def after_dashboard(ns):
    assert ns["dashboard"].figures["left"] == 0


def after_agreement(ns):
    found = ns["agreement"]
    assert 0.3 < found.low < found.value < found.high < 0.8
    assert set(found.labels["label"]) == set(ns["job"].labels)


def after_mixed_up(ns):
    similar = {tuple(sorted(pair)) for pair in ns["SIMILAR"].items()}
    top = ns["pairs"].groupby(["label", "label_other"]).size().sort_values(ascending=False).head(6)
    assert len(similar & set(top.index)) >= 3, "'Wrong answers are mostly similar rooms'"


def after_people(ns):
    people = ns["people"].set_index("person").loc[ns["NAMES"]]
    worst = people["agreement"].sort_values().index[:6]
    assert set(ns["GUESSING"]) <= set(worst)
    good = people.drop([*ns["GUESSING"], *ns["WEAK"]])
    assert good["gold"].mean() > 0.75
    assert people.loc[ns["GUESSING"], "gold"].mean() < 0.4


def after_compared(ns):
    alone, majority, consensus, agreed, disputed = ns["share"]
    assert alone < majority, "'The majority of three is right more often than a single student'"
    assert majority + 0.01 < consensus, "'The consensus is several points better still'"
    assert disputed < 0.8 < 0.9 < agreed, "'more than nine of ten photos are right', 'often wrong'"
    assert (ns["together"] >= ns["alone"]).sum() >= 18, "'at least as good as most single students'"


def after_review(ns):
    assert 8 <= ns["review"].progress["left"] <= 60


def after_decided(ns):
    assert (ns["decided"]["state"] == "resolved").all()
    assert ns["correct"] >= 0.85
    assert ns["correct"] > ns["right"].mean()


def after_consolidated(ns):
    marks = ns["project"].train_set.annotations
    mine = marks[marks["job"] == "labeling-job/rooms-1"]
    assert len(mine) == 180
    assert (mine["annotator"].str.count(r"\+") == 2).mean() > 0.5, "'everybody who labelled the photo'"
    assert len(marks) == 200
    assert ns["project"].history["what"].iloc[0] == "consolidate labelling job"


def after_trained(ns):
    found = ns["report"].summary.set_index("figure")["value"]
    assert found["accuracy"] >= 0.8, "'about nine of ten photos'"


def at_end(ns):
    line = json.loads(ns["line"])
    assert line["rooms-1-metadata"]["job-name"] == "labeling-job/rooms-1"
    assert line["rooms-1-metadata"]["human-annotated"] == "yes"
    read = ns["again"].annotations.set_index("image")["label"]
    assert read.sort_index().equals(ns["decided"]["label"].rename_axis("image").sort_index().astype(read.dtype))
    people = json.loads((ns["written"] / "job.json").read_text("utf-8"))["people"]
    assert set(ns["NAMES"]) <= set(people)


def outputs(notebook):
    assert "known answers are right" in text_of(tagged(notebook, "labelled"))
    assert "180 photos, 180 labels" in text_of(tagged(notebook, "exported"))
