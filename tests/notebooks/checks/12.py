"""Checks of notebook 12: two workers find what one process finds, and a resumed run repeats only what is missing."""

from tests.notebooks.running import tagged, text_of


def after_project(ns):
    assert len(ns["photos"]) == 80


def after_found(ns):
    found = ns["found"]
    assert (found.images, found.left) == (80, 0)
    assert found.found >= 79
    assert [path.name for path in map(type(ns["photos"][0]), found.errors["image"])] == [ns["photos"][0].name]


def after_same(ns):
    assert ns["same"], "'The table is the one that a single process makes'"
    assert ns["largest"] < 1e-4


def after_torn(ns):
    left = ns["cl"].open_results(ns["folder"] / "found")
    assert left.images == 80 - 2 * 10, "'two chunks'"


def after_resumed(ns):
    resumed, table = ns["resumed"], ns["table"]
    assert (resumed.images, resumed.left) == (80, 0)
    assert sorted(table["image"]) == sorted(ns["together"]["image"])
    assert ns["journal"].read_bytes().startswith(b"".join(ns["lines"][:-2])), "'and no others'"


def at_end(ns):
    assert ns["rows"].count_rows() == len(ns["table"])


def outputs(notebook):
    assert "80 photos, 0 left, 0 photos twice" in text_of(tagged(notebook, "resumed"))
    listed = text_of(tagged(notebook, "listed"))
    assert "_journal.jsonl" in listed
    assert listed.count("part-") == 8
