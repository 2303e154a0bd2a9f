"""Checks of notebook 03: shapes are rows, predictions wait until they are accepted, and crops and masks are found."""

import time


def after_turn(ns):
    boxes = ns["project"].train_set.annotations
    own = boxes[boxes["image"] == ns["second"]]
    corners = zip(own["left"], own["top"], own["left"] + own["width"], own["top"] + own["height"], strict=True)
    assert [shape["xyxy"] for shape in ns["annotator"].data] == list(corners), "'in pixels'"


def after_outline(ns):
    stored = ns["project"].train_set.annotations
    (drawn,) = stored[stored["polygon"].notna()].to_dict("records")
    assert [drawn[side] for side in ("left", "top", "width", "height")] == [
        ns[side] for side in ("left", "top", "width", "height")
    ], "'its bounding box'"
    assert len(stored) == len(ns["boxes"]), "'replaces one box'"


def after_dashed(ns):
    assert len(ns["project"].train_set.annotations) == len(ns["boxes"]), "'stored separately from labels'"


def after_accepted(ns):
    accepted = len(ns["project"].train_set.annotations) - len(ns["boxes"])
    assert 0 < len(ns["sure"]) == accepted < len(ns["offered"]), "'The others remain predictions'"


def after_mended(ns):
    stored = ns["project"].train_set.annotations
    assert ns["found"].images_with("BOX_OFF_FRAME") == [ns["second"]]
    assert len(stored) == len(ns["boxes"]) + len(ns["sure"]), "'`undo` restores the correct boxes'"
    assert (stored["left"] < 470).all()


def after_planted(ns):
    right, planted = (ns[name].train_set.annotations for name in ("project", "practice"))
    keys = ["image", "left", "top", "width", "height"]
    both = right.merge(planted, on=keys, validate="one_to_one")
    assert (both["label_x"] != both["label_y"]).sum() == 2, "'gives two boxes a wrong label'"
    assert len(planted) == len(right) + 1, "'and draws one box twice'"


def after_picked(ns):
    selected = ns["crops"].selected
    assert selected["label"].tolist() == ["ir_led", "pot_resistor"]
    session = ns["crops"].session
    while session.show(session.view.query).waiting is not None:
        time.sleep(0.1)
    assert set(session.images_at([(0, 3)])) >= set(ns["names"]), "'starts with those whose label is probably wrong'"


def after_twins(ns):
    assert len(ns["twins"]) == 1, "'one box of each pair'"


def after_found(ns):
    polygons = ns["found"].table["polygon"]
    assert len(polygons)
    assert polygons.map(len).max() > 6, "more than the corners of a box"
