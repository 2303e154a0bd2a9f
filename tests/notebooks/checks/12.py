"""Checks of notebook 12: two workers find what one process finds, and a resumed run repeats only what is missing."""


def after_errors(ns):
    assert ns["found"].errors["image"].str.endswith(ns["photos"][0].name).tolist() == [True]


def after_same(ns):
    assert ns["same"], "'The table is the one that a single process makes'"
    assert ns["largest"] < 1e-4


def after_resumed(ns):
    assert (ns["resumed"].images, ns["resumed"].left) == (80, 0)
    assert sorted(ns["table"]["image"]) == sorted(ns["together"]["image"])
    assert ns["journal"].read_bytes().startswith(b"".join(ns["lines"][:-2])), "'and no others'"
