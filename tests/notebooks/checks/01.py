"""Checks of notebook 01: the model is good, and a table has what its report counted."""


def after_annotations(ns):
    table = ns["project"].train_set.annotations
    assert len(table) == 60
    assert all(row.label in row.image for row in table.itertuples()), "'the name of its folder as its label'"


def after_report(ns):
    assert ns["report"].per_label["f1"].mean() >= 0.75


def after_many(ns):
    found, table = ns["found"], ns["report"].per_label
    assert set(found["image"]) <= set(ns["project"].test_set.images["image"])
    assert len(found) == table["tp"].sum() + table["fp"].sum(), "exactly the predictions that the report counted"


def after_versions(ns):
    assert ns["model"].status == "STOPPED", "'`stop` frees the model's memory'"
