"""Checks of notebook 11: who guesses is stopped, the consensus beats the majority, and the output can be read."""


def after_label(ns):
    assert ns["job"].progress.held > 0, "'The photos are reserved'"


def after_labelled(ns):
    members, table = ns["job"].members.set_index("person"), ns["job"].answers.query("counted")
    photos = table[~table["gold"]].groupby("image")["person"]
    assert (photos.nunique() == 3).all(), "'Each photo is labelled by three people'"
    stopped = set(members.index[members["state"] == "stopped"])
    assert stopped & set(ns["GUESSING"]), "'somebody who is clearly below 70 % gets no more photos'"
    assert stopped <= {*ns["GUESSING"], *ns["WEAK"]}
    assert table[table["person"] == "ada"].head(7)["gold"].sum() >= 5, "'five gold images first'"


def after_mixed_up(ns):
    similar = {tuple(sorted(pair)) for pair in ns["SIMILAR"].items()}
    top = ns["pairs"].groupby(["label", "label_other"]).size().sort_values(ascending=False).head(6)
    assert len(similar & set(top.index)) >= 3, "'Wrong answers are mostly similar rooms'"


def after_people(ns):
    worst = ns["people"].set_index("person").loc[ns["NAMES"], "agreement"].sort_values().index[:6]
    assert set(ns["GUESSING"]) <= set(worst)


def after_compared(ns):
    alone, majority, consensus, agreed, disputed = ns["share"]
    assert alone < majority, "'The majority of three is right more often than a single student'"
    assert majority + 0.01 < consensus, "'The consensus is several points better still'"
    assert disputed < 0.8 < 0.9 < agreed, "'more than nine of ten photos are right', 'often wrong'"
    assert (ns["together"] >= ns["alone"]).sum() >= 18, "'at least as good as most single students'"


def after_decided(ns):
    assert (ns["decided"]["state"] == "resolved").all()
    assert ns["correct"] > ns["right"].mean()


def after_trained(ns):
    found = ns["report"].summary.set_index("metric")["value"]
    assert found["accuracy"] >= 0.8, "'about nine of ten photos'"


def after_exported(ns):
    read = ns["again"].annotations.set_index("image")["label"]
    assert read.sort_index().equals(ns["decided"]["label"].rename_axis("image").sort_index().astype(read.dtype))
