"""Tests of datasets as values: methods leave them unchanged and report what they cannot do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from customlabels_nb import Dataset
from customlabels_nb.core import tables as t
from customlabels_nb.errors import InputError, LabelError, TableError
from tests.images.pictures import jpeg
from tests.tiers import many

HOSTILE = "<script>alert('x')</script>"


def make(count: int = 6, **columns: Any) -> Dataset:
    """Return images a0, a1, …: even ones apple, odd ones pear, the last one unlabelled."""
    names = [f"/photos/a{i}.jpg" for i in range(count)]
    images = pd.DataFrame({"image": names, "width": [100 * i or None for i in range(count)], **columns})
    said = pd.DataFrame({"image": names[:-1], "label": ["apple" if i % 2 == 0 else "pear" for i in range(count - 1)]})
    images["status"] = ["labelled"] * (count - 1) + ["unlabelled"]
    return Dataset(images, said, ["pear", "apple"], name="train")


def names_of(dataset: Dataset) -> list[str]:
    return [name.removeprefix("/photos/").removesuffix(".jpg") for name in dataset.images["image"]]


METHODS: dict[str, Callable[[Dataset], Any]] = {
    "filter by query": lambda d: d.filter("label == 'apple'"),
    "filter by mask": lambda d: d.filter([True] * len(d)),
    "sample": lambda d: d.sample(2),
    "split": lambda d: d.split(0.5),
    "rename a label": lambda d: d.relabel({"apple": "pear"}),
    "take a label away": lambda d: d.relabel({"apple": None}),
    "one label for all": lambda d: d.relabel("plum", "width > 100"),
    "concat": lambda d: d.concat(make(8)),
    "concat with itself": lambda d: d.concat(d),
    "labels of images": lambda d: d.labels_of_images(),
    "groups": lambda d: d.groups_of_images(["x"] * len(d)),
    "show": lambda d: (repr(d), d._repr_html_(), d.label_counts, d.plot()),
}


def spoil(frame: pd.DataFrame) -> None:
    frame.loc[:, "image"] = "spoilt"


@pytest.mark.parametrize("name", METHODS)
def test_no_method_changes_the_dataset(name: str) -> None:
    dataset = make(site=list("xxyyzz"))
    before = [frame.copy(deep=True) for frame in (dataset.images, dataset.annotations, dataset.labels)]
    result = METHODS[name](dataset)
    for derived in result if isinstance(result, tuple) else [result]:
        if isinstance(derived, Dataset):
            spoil(derived.images)
            derived.images["tags"].iloc[0].append("spoilt")
    for frame, kept in zip((dataset.images, dataset.annotations, dataset.labels), before, strict=True):
        assert_frame_equal(frame, kept)


def test_the_frames_given_and_got_can_be_changed_without_changing_the_dataset() -> None:
    images, said = pd.DataFrame({"image": ["a"]}), pd.DataFrame({"image": ["a"], "label": ["x"]})
    dataset = Dataset(images, said)
    spoil(images)
    said["label"] = "spoilt"
    got = dataset.images
    spoil(got)
    got["new"] = 1
    assert dataset.images["image"].tolist() == ["a"]
    assert "new" not in dataset.images.columns
    assert dataset.annotations["label"].tolist() == ["x"]


def test_tables_are_normalised_and_labels_ordered() -> None:
    dataset = make()
    assert dataset.labels["label"].tolist() == ["pear", "apple"]
    assert dataset.label_counts.to_dict() == {"pear": 2, "apple": 3}
    assert dataset.labels_of_images() == [["apple"], ["pear"], ["apple"], ["pear"], ["apple"], []]
    assert len(dataset) == 6
    more = Dataset(dataset.images, dataset.annotations, ["quince"])
    assert more.labels["label"].tolist() == ["quince", "apple", "pear"]


def test_ratios_are_converted_with_the_size_in_the_images_table() -> None:
    images = pd.DataFrame({"image": ["a.jpg"], "width": [200], "height": [100]})
    boxes = {
        "xmin": [0.1],
        "ymin": [0.2],
        "xmax": [0.5],
        "ymax": [0.6],
        "polygon": [[[0.1, 0.2], [0.5, 0.6], [0.1, 0.6]]],
    }
    dataset = Dataset(images, pd.DataFrame({"image": ["a.jpg"], "label": ["x"], **boxes}))
    assert dataset.annotations[list(t.BOX_COLUMNS)].to_numpy().tolist() == [[20, 20, 80, 40]]
    assert np.allclose(dataset.annotations["polygon"].iat[0], [[20, 20], [100, 60], [20, 60]])
    assert dataset.issues["code"].tolist() == ["ENTRY_ADJUSTED"]
    assert Dataset(dataset.images, dataset.annotations).issues.empty


def test_an_empty_dataset_works() -> None:
    empty = Dataset(pd.DataFrame({"image": []}))
    assert len(empty) == 0
    assert len(empty.filter("width > 3")) == len(empty.sample(5)) == len(empty.concat(empty)) == 0
    assert [len(part) for part in empty.split()] == [0, 0]
    assert len(empty.relabel("x")) == 0
    assert "0 images" in empty._repr_html_()


def test_an_annotation_of_an_image_that_is_not_there_is_refused() -> None:
    with pytest.raises(TableError, match="'elsewhere'"):
        Dataset(pd.DataFrame({"image": ["a"]}), pd.DataFrame({"image": ["elsewhere"], "label": ["x"]}))


@pytest.mark.parametrize("value", ["photos", None, 3, ["a.jpg"]])
def test_values_that_are_not_tables_are_refused_by_type(value: object) -> None:
    images = pd.DataFrame({"image": ["a"]})
    with pytest.raises(TableError, match=f"images table must be a DataFrame, not {type(value).__name__}"):
        Dataset(value)  # type: ignore[arg-type]
    if value is not None:
        with pytest.raises(TableError, match="annotations table must be a DataFrame"):
            Dataset(images, value)  # type: ignore[arg-type]
    with pytest.raises(LabelError, match="labels=3 is not a list of names"):
        Dataset(images, labels=3)  # type: ignore[arg-type]
    with pytest.raises(TableError, match=r"needs a column 'label'.*\['name'\]"):
        Dataset(images, labels=pd.DataFrame({"name": ["x"]}))


# -- filter and sample ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("label == 'apple'", ["a0", "a2", "a4"]),
        ("label == 'apple' and width > 200", ["a4"]),
        ("width > 200", ["a3", "a4", "a5"]),
        ("label.isna()", ["a5"]),
        ("status == 'unlabelled'", ["a5"]),
        ("site in ['x', 'z']", ["a0", "a1", "a4", "a5"]),
        ("image.str.contains('a3')", ["a3"]),
        ("confidence < 1", []),
        ("not (label == 'pear')", ["a0", "a2", "a4", "a5"]),
    ],
)
def test_a_query_looks_at_images_and_annotations(query: str, expected: list[str]) -> None:
    dataset = make(site=list("xxyyzz"))
    found = dataset.filter(query)
    assert names_of(found) == expected
    assert set(found.annotations["image"]) == set(found.images["image"]) & set(dataset.annotations["image"])
    assert found.labels["label"].tolist() == ["pear", "apple"]
    assert "site" in found.images.columns


def test_one_fitting_annotation_keeps_all_of_an_images_annotations() -> None:
    dataset = Dataset(pd.DataFrame({"image": ["a", "b"]}), pd.DataFrame({"image": ["a", "a"], "label": ["x", "y"]}))
    assert sorted(dataset.filter("label == 'y'").annotations["label"]) == ["x", "y"]


def test_a_column_of_the_users_does_not_hide_the_label() -> None:
    dataset = make(label=["mine"] * 6, confidence=[5] * 6)
    assert names_of(dataset.filter("label == 'pear' and confidence == 1")) == ["a1", "a3"]


def test_a_mask_is_one_bool_an_image() -> None:
    dataset = make()
    assert names_of(dataset.filter([False, True, False, False, False, True])) == ["a1", "a5"]
    assert names_of(dataset.filter(dataset.images["width"] > 300)) == ["a4", "a5"]  # one width is unknown
    assert names_of(dataset.filter(dataset.images.set_index("image")["width"] > 300)) == ["a4", "a5"]
    assert names_of(dataset.filter(np.zeros(6, dtype=bool))) == []


def test_a_series_is_matched_by_its_index_as_pandas_does() -> None:
    dataset = make()
    wide = dataset.images["width"] > 300
    shuffled = wide.sample(frac=1, random_state=1)
    assert shuffled.index.tolist() != wide.index.tolist()
    assert names_of(dataset.filter(shuffled)) == ["a4", "a5"]
    assert names_of(dataset.filter(make(8).images["width"] > 300)) == ["a4", "a5"]  # other datasets' images are ignored
    assert names_of(dataset.filter(shuffled.set_axis(dataset.images["image"][shuffled.index]))) == ["a4", "a5"]
    assert names_of(dataset.relabel("plum", shuffled).filter("label == 'plum'")) == ["a4", "a5"]
    for other in (wide.set_axis(range(3, 9)), wide.set_axis([0] * 6), wide[:5], wide.set_axis(list("abcdef"))):
        with pytest.raises(InputError, match=r"index of the mask does not match.*to_numpy"):
            dataset.filter(other)
    assert names_of(dataset.filter(wide.set_axis(range(3, 9)).fillna(False).to_numpy(bool))) == ["a4", "a5"]


def test_groups_in_a_series_are_matched_by_its_index() -> None:
    dataset = make(site=list("xxyyzz"))
    shuffled = dataset.images["site"].sample(frac=1, random_state=1)
    assert dataset.groups_of_images(shuffled) == dataset.groups_of_images("site")
    by_image = dict(zip(dataset.images["image"], "xxyyzz", strict=True))
    assert dataset.groups_of_images(dict(sorted(by_image.items(), reverse=True))) == dataset.groups_of_images("site")
    with pytest.raises(InputError, match="index of groups does not match"):
        dataset.groups_of_images(shuffled.set_axis(list("abcdef")))


def test_a_function_makes_the_mask() -> None:
    dataset = make()
    assert names_of(dataset.filter(lambda images: images["width"] > 300)) == ["a4", "a5"]
    assert names_of(dataset.filter(lambda images: [name.endswith("a1.jpg") for name in images["image"]])) == ["a1"]
    with pytest.raises(InputError, match="one bool for each of the 6 images"):
        dataset.filter(lambda images: "width > 300")


MODULE_WIDE = 300


def test_a_query_may_name_variables_of_the_caller() -> None:
    dataset, least = make(), 200
    names = ["apple"]
    assert len(names) == 1
    assert names_of(dataset.filter("label in @names and width > @least")) == ["a4"]
    assert names_of(dataset.filter("width > @MODULE_WIDE")) == ["a4", "a5"]
    assert names_of(dataset.relabel("plum", "width > @least").filter("label == 'plum'")) == ["a3", "a4", "a5"]
    assert least == 200
    with pytest.raises(InputError, match="most"):
        dataset.filter("width > @most")


def test_one_equals_sign_is_explained() -> None:
    with pytest.raises(InputError, match="Use == "):
        make().filter("label='apple'")
    with pytest.raises(InputError) as caught:
        make().filter("nosuch == 'apple' and width >= 3")
    assert "Use ==" not in str(caught.value)


@pytest.mark.parametrize(
    "where",
    ["nosuch > 3", "label ==", "width", "width + 1", "x = 3", "", "image", [True], [1, 0, 1, 0, 1, 0], "3 > 2", "[0]"],
)
def test_invalid_condition_is_quoted_in_the_error(where: Any) -> None:
    with pytest.raises(InputError) as caught:
        make().filter(where)
    assert str(where) in str(caught.value) or "mask" in str(caught.value)


def test_samples_are_drawn_by_seed_and_keep_the_order() -> None:
    dataset = make(40)
    first = dataset.sample(10, random_state=3)
    assert names_of(first) == names_of(dataset.sample(10, random_state=3))
    assert names_of(first) != names_of(dataset.sample(10, random_state=4))
    assert names_of(first) == [name for name in names_of(dataset) if name in set(names_of(first))]
    assert len(dataset.sample(fraction=0.25)) == 10
    assert len(dataset.sample(0)) == 0
    assert len(dataset.sample(1000)) == len(dataset.sample(fraction=1)) == 40
    assert len(dataset.sample(np.int64(3))) == 3


@pytest.mark.parametrize(
    "arguments", [{}, {"n": 1, "fraction": 0.5}, {"n": -1}, {"n": 1.5}, {"fraction": 1.1}, {"fraction": float("nan")}]
)
def test_an_impossible_sample_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"fraction|n="):
        make().sample(**arguments)


# -- split ------------------------------------------------------------------------------------------
def test_a_split_divides_the_labelled_images() -> None:
    dataset = make(41, site=["x"] * 41)
    rest, chosen = dataset.split(0.25)
    assert sorted(names_of(rest) + names_of(chosen)) == sorted(names_of(dataset))
    assert chosen.label_counts.to_dict() == {"pear": 5, "apple": 5}
    assert "a40" in names_of(rest)
    assert "site" in chosen.images.columns
    assert rest.labels["label"].tolist() == chosen.labels["label"].tolist()


@pytest.mark.parametrize("fraction", [0, 1, -0.2, 1.5, float("nan")])
def test_a_share_lies_between_0_and_1(fraction: float) -> None:
    with pytest.raises(InputError, match="fraction"):
        make().split(fraction)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ("nosuch", "'nosuch' is not a column"),
        (["x"], "1 values for 6 images"),
        ([["x"]] * 6, "groups"),
        (5, "groups"),
        (set("abcdef"), "groups is a set"),
        ({"x": 1}, "groups has no key '/photos/a0.jpg'"),
    ],
)
def test_impossible_groups_are_refused(groups: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make().split(0.5, groups=groups)


@settings(max_examples=many(40))
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("stuvwxyz"), st.one_of(st.none(), st.integers(0, 6))),
        min_size=2,
        max_size=25,
    ),
    st.booleans(),
    st.integers(0, 99),
)
def test_equal_contents_and_groups_stay_together(
    rows: list[tuple[str, str, int | None]], as_column: bool, random_state: int
) -> None:
    labels, sites, contents = zip(*rows, strict=True)
    names = [f"i{i}" for i in range(len(rows))]
    hashes = [None if content is None else f"{content}" * 8 for content in contents]
    dataset = Dataset(
        pd.DataFrame({"image": names, "sha256": pd.Series(hashes, dtype="str"), "site": sites}),
        pd.DataFrame({"image": names, "label": labels}),
    )
    groups = "site" if as_column else list(sites)
    _, chosen = dataset.split(0.4, groups=groups, random_state=random_state)
    picked = set(chosen.images["image"])
    for key in (sites, hashes):
        for value in set(key) - {None}:
            together = [name for name, own in zip(names, key, strict=True) if own == value]
            assert picked.issuperset(together) or picked.isdisjoint(together)


@pytest.mark.parametrize("nothing", [None, float("nan")])
def test_images_without_a_group_are_not_one_group(nothing: object) -> None:
    dataset = make(30, site=pd.Series([nothing] * 30, dtype=object))
    assert len(set(dataset.groups_of_images("site"))) == 30
    assert dataset.split(0.3, groups="site")[1].label_counts.min() >= 4


# -- relabel ----------------------------------------------------------------------------------------
def test_labels_are_renamed_exchanged_and_taken_away_at_once() -> None:
    dataset = make()
    assert dataset.relabel({"apple": "pear", "pear": "apple"}).labels_of_images()[:2] == [["pear"], ["apple"]]
    renamed = dataset.relabel({"apple": "Apfel"})
    assert renamed.labels["label"].tolist() == ["pear", "apple", "Apfel"]
    assert renamed.label_counts.to_dict() == {"pear": 2, "apple": 0, "Apfel": 3}
    without = dataset.relabel({"apple": None})
    assert without.labels_of_images() == [[], ["pear"], [], ["pear"], [], []]
    assert without.images["status"].tolist() == ["unlabelled", "labelled"] * 2 + ["unlabelled"] * 2


def test_images_that_show_nothing_keep_that_status() -> None:
    images = pd.DataFrame({"image": ["a", "b"], "status": ["labelled", "labelled"]})
    dataset = Dataset(images, pd.DataFrame({"image": ["a"], "label": ["apple"]}))
    for labels in ({"apple": "pear"}, {"apple": None}):
        assert dataset.relabel(labels).images["status"].tolist()[1] == "labelled"


def test_where_limits_the_change() -> None:
    changed = make().relabel({"apple": "pear"}, "width > 100")
    assert changed.labels_of_images()[:3] == [["apple"], ["pear"], ["pear"]]
    assert make().relabel("plum", [False] * 5 + [True]).images["status"].tolist()[-1] == "labelled"


def test_one_label_replaces_image_labels_and_leaves_boxes() -> None:
    images = pd.DataFrame({"image": ["a"]})
    box = {"left": [None, 1], "top": [None, 1], "width": [None, 5], "height": [None, 5]}
    dataset = Dataset(images, pd.DataFrame({"image": ["a", "a"], "label": ["x", "y"], **box}))
    changed = dataset.relabel("z").annotations
    assert sorted(zip(changed["label"], changed["left"].isna(), strict=True)) == [("y", False), ("z", True)]


def test_merging_leaves_one_label_an_image_but_every_box() -> None:
    images = pd.DataFrame({"image": ["a", "b"]})
    box = {name: [None, None, 1, 1] for name in t.BOX_COLUMNS}
    said = pd.DataFrame({"image": ["a", "a", "b", "b"], "label": ["x", "y", "x", "y"], **box})
    changed = Dataset(images, said).relabel({"x": "y"}).annotations
    assert changed["image"].tolist() == ["a", "b", "b"]
    assert set(changed["label"]) == {"y"}


@pytest.mark.parametrize("labels", [{"nosuch": "x"}, {"apple": ""}, {"apple": "x" * 300}, "", {"apple": 5}])
def test_impossible_labels_are_refused(labels: Any) -> None:
    with pytest.raises(LabelError):
        make().relabel(labels)


@pytest.mark.parametrize("labels", [5, None, ["apple"]])
def test_annotations_must_be_labels_or_dicts(labels: Any) -> None:
    with pytest.raises(InputError, match="labels="):
        make().relabel(labels)


# -- concat -----------------------------------------------------------------------------------------
def test_concat_takes_what_is_new_with_its_columns() -> None:
    first = make(3, site=["x", "y", "z"])
    second = Dataset(
        pd.DataFrame({"image": ["/photos/a0.jpg", "/photos/b.jpg"], "camera": ["one", "two"]}),
        pd.DataFrame({"image": ["/photos/a0.jpg", "/photos/b.jpg"], "label": ["plum", "quince"]}),
    )
    both = first.concat(second)
    assert names_of(both) == ["a0", "a1", "a2", "b"]
    assert both.labels_of_images() == [["apple"], ["pear"], [], ["quince"]]
    assert both.images["site"].tolist()[:3] == ["x", "y", "z"]
    assert both.images["camera"].tolist()[3] == "two"
    assert both.labels["label"].tolist()[:2] == ["pear", "apple"]
    assert both.images.dtypes["revision"] == "int64"
    with pytest.raises(InputError, match="DataFrame"):
        first.concat(second.images)  # type: ignore[arg-type]


def test_concat_finds_the_images_of_another_project(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").write_bytes(jpeg(1))
    one, two = (
        Dataset(pd.DataFrame({"image": ["a.jpg"]}), pd.DataFrame({"image": ["a.jpg"], "label": [n]}), root=tmp_path / n)
        for n in ("one", "two")
    )
    both = one.concat(two)
    assert both.images["image"].tolist() == ["a.jpg", str(tmp_path / "two" / "a.jpg")]
    assert both.labels_of_images() == [["one"], ["two"]]
    assert both._repr_html_().count("<img") == 2
    assert len(one.concat(one)) == 1


# -- display ----------------------------------------------------------------------------------------
def test_repr_contains_counts() -> None:
    assert repr(make()) == "Dataset 'train': 6 images (1 unlabelled, 5 labelled): pear 2, apple 3"


def test_html_shows_pictures_and_escapes_every_name(tmp_path: Path) -> None:
    good = tmp_path / "<b>good</b>".replace("/", "∕")
    good.write_bytes(jpeg(1))
    missing = '/x/"onerror="alert(1)'
    images = pd.DataFrame({"image": [str(good), missing], "sha256": ["../../outside", None]})
    dataset = Dataset(
        images,
        pd.DataFrame({"image": [missing], "label": [HOSTILE]}),
        pd.DataFrame({"label": [HOSTILE], "color": ['red"><script>']}),
        name=HOSTILE,
    )
    shown = dataset._repr_html_()
    assert "<script" not in shown
    assert "<b>good" not in shown
    assert '"onerror="' not in shown
    assert "data:image/jpeg;base64," in shown
    assert "cannot be read" in shown
    assert "&lt;script&gt;" in shown


def test_html_of_many_images_is_limited(tmp_path: Path) -> None:
    names = [f"{i}.jpg" for i in range(500)]
    for name in names:
        (tmp_path / name).write_bytes(jpeg(1))
    labels = pd.DataFrame({"image": names, "label": [f"label {i % 90}" for i in range(500)]})
    shown = Dataset(pd.DataFrame({"image": names}), labels, root=tmp_path)._repr_html_()
    assert shown.count("<img") == 8
    assert "and 50 more" in shown
    assert len(shown) < 100_000


def test_labels_are_a_list_not_one_name() -> None:
    with pytest.raises(LabelError, match=r"labels='apple'.*list"):
        Dataset(pd.DataFrame({"image": ["a"]}), labels="apple")


def test_repr_shortens_many_labels() -> None:
    names = [f"label {number:03}" for number in range(300)]
    dataset = Dataset(pd.DataFrame({"image": names}), pd.DataFrame({"image": names, "label": names}))
    assert repr(dataset).endswith("label 018 1, label 019 1 and 280 more")
    assert "label 039" in dataset._repr_html_()
    assert "label 040" not in dataset._repr_html_()
    assert "and 260 more" in dataset._repr_html_()
    assert "more" not in repr(make()) + make()._repr_html_()


def test_html_uses_the_notebook_text_color() -> None:
    shown = make()._repr_html_()
    assert "color:var(--jp-ui-font-color1,inherit)" in shown
    assert "#222" not in shown


def test_columns_beside_annotations_are_named() -> None:
    images = pd.DataFrame({"image": ["a.jpg"], "site": ["roof"]})
    rows = pd.DataFrame({"image": ["a.jpg"], "label": ["cat"], "site": ["roof"], "shade": ["dark"], "width": [40]})
    for table in (rows, rows.assign(created=pd.Timestamp("2020-01-01", tz="UTC"))):
        messages = " ".join(Dataset(images, table).issues["message"])
        assert "'shade' (such as 'dark')" in messages
        assert "'width' (such as '40')" in messages
        assert "'site'" not in messages


def test_labels_in_the_images_table_are_refused() -> None:
    with pytest.raises(TableError, match=r"cl\.Dataset\(table\[\['image'\]\]\.drop_duplicates\(\), table\)"):
        Dataset(pd.DataFrame({"image": ["a.jpg"], "label": ["x"]}))


@pytest.mark.parametrize(
    ("label", "words"), [({"x": 0.5}, "each label by itself"), ([1, 2], r"names\[1\]"), (3, r"names\[3\]")]
)
def test_the_advice_about_labels_that_are_no_texts_fits_them(label: Any, words: str) -> None:
    table = pd.DataFrame({"image": ["a.jpg"], "label": pd.Series([label], dtype=object)})
    with pytest.raises(LabelError, match=words):
        Dataset(table[["image"]], table)
