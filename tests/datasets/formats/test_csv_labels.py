"""Tests of CSV: labels without a header, tables with a header, and reading what was written."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.datasets.formats import voc
from customlabels_nb.datasets.formats.base import ImageFinder
from customlabels_nb.datasets.formats.csv_labels import FORMAT, read_csv
from customlabels_nb.errors import InputError, ManifestError
from tests.datasets.formats.shared import assert_same, boxes, codes, contents, files_outside, read, statuses
from tests.facts import facts


def put(path: Path, text: str | bytes) -> Path:
    """Write a file and return its path."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def labels(found: Any) -> list[tuple[str, str]]:
    return [(Path(row.image).name, row.label) for row in found.annotations.itertuples()]


# -- without a header -------------------------------------------------------------------------------


def test_each_further_cell_is_a_label(tmp_path: Path) -> None:
    path = put(tmp_path / "x.csv", '\ufeffa.jpg,cat, dog ,,\r\n\r\n , ,\nb.jpg\n"c, d.png","x""y\nz"\n')
    found = read(FORMAT, path)
    assert FORMAT.recognise(path)
    assert labels(found) == [("a.jpg", "cat"), ("a.jpg", "dog"), ("c, d.png", 'x"y\nz')]
    assert list(found.images["image"]) == [str(tmp_path / name) for name in ("a.jpg", "b.jpg", "c, d.png")]
    assert statuses(found)["b.jpg"] == "unlabelled"
    assert found.issues == []


def test_a_label_with_a_line_break_in_the_first_row(tmp_path: Path) -> None:
    path = put(tmp_path / "x.csv", '\n,\na.jpg,"cat\nor dog"\nb.jpg,cat\n')
    assert FORMAT.recognise(path)
    assert labels(read(FORMAT, path)) == [("a.jpg", "cat\nor dog"), ("b.jpg", "cat")]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters(tmp_path: Path, delimiter: str) -> None:
    path = put(tmp_path / "x.txt", f"a.jpg{delimiter}black, white\n")
    assert FORMAT.recognise(path)
    assert labels(read(FORMAT, path)) == [("a.jpg", "black, white")]


def test_a_prefix_comes_before_bare_names(tmp_path: Path) -> None:
    path = put(tmp_path / "x.csv", "a.jpg,cat\nb.jpg,dog\n")
    for prefix, expected in (("s3://bucket/in", "s3://bucket/in/a.jpg"), ("/photos/", "/photos/a.jpg")):
        found = read_csv(path, ImageFinder(tmp_path), prefix=prefix)
        assert found.images["image"].iloc[0] == expected
        assert found.annotations["image"].iloc[0] == expected
    assert read_csv(path, ImageFinder(tmp_path), prefix=Path("/photos")).images["image"].iloc[0] == "/photos/a.jpg"
    for option in ("prefix", "encoding"):
        with pytest.raises(InputError, match=f"{option}=3 must be"):
            cl.read_dataset(path, **{option: 3})


@pytest.mark.parametrize(
    ("name", "quoted"), [("a#1.jpg", "a%231.jpg"), ("b?.jpg", "b%3F.jpg"), ("c%25.jpg", "c%2525.jpg")]
)
def test_names_are_joined_to_the_url_of_a_folder(tmp_path: Path, name: str, quoted: str) -> None:
    path = put(tmp_path / "x.csv", f"image,label\n{name},cat\n")
    for option in ("images", "prefix"):
        for folder, expected in (("https://host/in/", quoted), ("https://host/in", quoted), ("s3://bucket/in", name)):
            found = cl.read_dataset(path, **{option: folder})
            assert found.images["image"].tolist() == [f"{folder.rstrip('/')}/{expected}"]


def test_names_with_and_without_a_path_are_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "x.csv", "a.jpg,cat\nin/b.jpg,cat\n")
    with pytest.raises(ManifestError, match=facts("b.jpg'", 2, "'a.jpg'", 1)):
        read(FORMAT, path)


def test_reading_duplicates_requires_on_duplicate(tmp_path: Path) -> None:
    path = put(tmp_path / "x.csv", "a.jpg,cat\nb.jpg,dog\n./a.jpg,bird,cat\n".replace("./", ""))
    with pytest.raises(InputError, match=facts(1, "line", 3, "'a.jpg'", "line", 1)):
        read(FORMAT, path)
    first = read_csv(path, ImageFinder(tmp_path), on_duplicate="first")
    assert labels(first) == [("a.jpg", "cat"), ("b.jpg", "dog")]
    merged = read_csv(path, ImageFinder(tmp_path), on_duplicate="merge")
    assert sorted(labels(merged)) == [("a.jpg", "bird"), ("a.jpg", "cat"), ("b.jpg", "dog")]
    for found in (first, merged):
        assert [(issue.code, issue.line) for issue in found.issues] == [("ENTRY_ADJUSTED", 3)]
    with pytest.raises(InputError, match="on_duplicate='last'"):
        read_csv(path, ImageFinder(tmp_path), on_duplicate="last")  # type: ignore[arg-type]


def test_duplicates_are_listed_in_a_file_without_on_duplicate(tmp_path: Path) -> None:
    path = put(tmp_path / "x.csv", "\ufeffin/a.jpg,cat\n\nin/b.jpg,'\"é\r\nin//a.jpg,dog\nin/b.jpg".encode())
    for _ in range(2):
        with pytest.raises(InputError, match=facts("'x-duplicates.csv'", "-deduplicated.csv'")):
            read(FORMAT, path)
        assert (tmp_path / "x-duplicates.csv").read_text() == "in//a.jpg,dog\nin/b.jpg\n"
    clean = tmp_path / "x-deduplicated.csv"
    assert clean.read_text() == "in/a.jpg,cat\nin/b.jpg,'\"é\n"
    assert labels(read(FORMAT, clean)) == [("a.jpg", "cat"), ("b.jpg", "'\"é")]
    clean.write_text("in/c.jpg,somebody's")
    with pytest.raises(InputError, match=facts("'x-deduplicated.csv'", "already")):
        read(FORMAT, path)
    assert clean.read_text() == "in/c.jpg,somebody's"
    assert len(read(FORMAT, path, on_duplicate="first").images) == 2
    assert len(list(tmp_path.iterdir())) == 3


def test_no_file_is_written_without_duplicates_or_where_nothing_may_be(tmp_path: Path) -> None:
    put(tmp_path / "a" / "x.csv", "a.jpg,cat\nb.jpg,dog\n")
    read(FORMAT, tmp_path / "a" / "x.csv", on_duplicate="error")
    path = put(tmp_path / "b" / "x.csv", "a.jpg,cat\na.jpg,dog\n")
    for ending in ("duplicates", "deduplicated"):
        (tmp_path / "b" / f"x-{ending}.csv").symlink_to(tmp_path / "elsewhere.csv")
    with pytest.raises(InputError, match=facts("'x-duplicates.csv'", "already")):
        read(FORMAT, path)
    assert files_outside(tmp_path, tmp_path / "b") == [tmp_path / "a" / "x.csv"]


def test_options_reach_the_reader_by_name(tmp_path: Path) -> None:
    path = put(tmp_path / "x.csv", "a.jpg,cat\na.jpg,dog\n")
    merged = cl.read_dataset(path, on_duplicate="merge", prefix="s3://bucket/in/")
    assert merged.labels_of_images() == [["cat", "dog"]]
    assert list(merged.images["image"]) == ["s3://bucket/in/a.jpg"]
    with pytest.raises(
        InputError, match=r"duplicates='merge' is not an option of .*'csv'.*encoding, on_duplicate, prefix"
    ):
        cl.read_dataset(path, duplicates="merge")
    put(tmp_path / "x.json", '{"images": [{"id": 1, "file_name": "a.jpg"}], "categories": []}')
    with pytest.raises(InputError, match="prefix='in' is not an option of the format 'coco'"):
        cl.read_dataset(tmp_path / "x.json", prefix="in")


def test_unreadable_rows_are_kept_unchanged(tmp_path: Path) -> None:
    bad = ["../up.jpg,cat", "/etc/passwd,cat", ",cat", '"a"b.jpg,cat', "x\0.jpg,cat"]
    path = put(
        tmp_path / "x.csv", "in/a.jpg,cat\n" + "\n".join(bad) + "\nin/b.jpg," + "x" * 257 + ',dog\n"open.jpg,x\ny'
    )
    found = read(FORMAT, path)
    assert labels(found) == [("a.jpg", "cat"), ("b.jpg", "dog")]
    assert set(codes(found)) == {"ENTRY_UNREADABLE"}
    assert [issue.line for issue in found.issues] == [2, 3, 4, 5, 6, 7, 8]
    assert found.unread == [*enumerate(bad, 2), (8, '"open.jpg,x\ny')]


def test_a_row_of_a_million_cells_is_refused_and_the_rest_is_read(tmp_path: Path) -> None:
    path = put(tmp_path / "x.csv", "a.jpg,cat\nb.jpg" + ",x" * 1_000_000 + "\nc.jpg,dog\n")
    found = read(FORMAT, path)
    assert labels(found) == [("a.jpg", "cat"), ("c.jpg", "dog")]
    assert [(issue.line, "1,000,001 cells" in issue.message) for issue in found.issues] == [(2, True)]


def test_a_million_columns_are_refused_at_once(tmp_path: Path) -> None:
    header = "image,label," + ",".join(f"c{number}" for number in range(1_000_000)) + "\n"
    for text in (header, "a.jpg" + ",x" * 1_000_000 + "\n"):
        path = put(tmp_path / "wide.csv", text * 3)
        with pytest.raises(ManifestError, match=r"wide\.csv.*first row has 1,000,00\d cells.*at most 1,000"):
            cl.read_dataset(path, "csv")


def test_an_outline_of_many_points_comes_back_and_the_limit_of_others_stays(tmp_path: Path) -> None:
    usual = csv.field_size_limit()
    points = [[float(number), number / 7] for number in range(20_000)]
    image = str(tmp_path / "a.jpg")
    before = contents([{"image": image}], [{"image": image, "label": "x", "polygon": points, "annotator": "Ann, B."}])
    FORMAT.write(before, tmp_path / "x.csv")
    after = read(FORMAT, tmp_path / "x.csv")
    assert_same(after, before)
    assert after.annotations["annotator"].tolist() == ["Ann, B."]
    assert csv.field_size_limit() == usual


@pytest.mark.parametrize(
    ("encoding", "label"),
    [("cp1252", "café"), ("gb18030", "狗"), ("cp1251", "кошка"), ("utf-16", "é"), ("utf-16-le", "cat")],
)
def test_a_file_in_another_encoding_is_read_with_the_named_one(tmp_path: Path, encoding: str, label: str) -> None:
    path = put(tmp_path / "x.csv", f"image,label\na.jpg,cat\nb.jpg,{label}\n".encode(encoding))
    line = 1 if "utf" in encoding else 3
    with pytest.raises(ManifestError, match=rf"x\.csv.*line {line} is not UTF-8.*encoding='{encoding}'"):
        cl.read_dataset(path, "csv")
    assert labels(cl.read_dataset(path, "csv", encoding=encoding)) == [("a.jpg", "cat"), ("b.jpg", label)]
    with pytest.raises(InputError, match="encoding='utf-9'"):
        cl.read_dataset(path, "csv", encoding="utf-9")


def test_rows_of_four_numbers_are_corners_or_refused(tmp_path: Path) -> None:
    found = read(FORMAT, put(tmp_path / "x.csv", "a.jpg,1,2,11,22,cat\nb.jpg,,,,,\n"))
    assert boxes(found) == [("a.jpg", "cat", 1, 2, 10, 20)]
    assert codes(found) == ["ENTRY_ADJUSTED"]
    for row in ("a.jpg,cat,1,2,11,22", "a.jpg,1,2,11,22,3", "a.jpg,11,22,1,2,cat", "a.jpg,1,2,11,22,cat,dog"):
        with pytest.raises(ManifestError, match=r"x\.csv.*line 2 .*a\.jpg.*Add a first row"):
            read(FORMAT, put(tmp_path / "x.csv", f"b.jpg,cat\n{row}\n"))


def test_labels_that_are_numbers_are_reported(tmp_path: Path) -> None:
    found = read(FORMAT, put(tmp_path / "x.csv", "a.jpg,cat\nb.jpg,3\nc.jpg,4\n"))
    assert [(issue.code, issue.line) for issue in found.issues] == [("ENTRY_ADJUSTED", 2)]
    assert found.issues[0].message.startswith("2 ×")


def test_labels_in_two_unicode_forms_are_one_label(tmp_path: Path) -> None:
    found = read(FORMAT, put(tmp_path / "x.csv", "a.jpg,caf\u00e9\nb.jpg,cafe\u0301\nc.jpg,cafe\u0301\n"))
    assert set(found.annotations["label"]) == {"caf\u00e9"}
    assert [(issue.code, "caf\u00e9" in issue.message) for issue in found.issues] == [("ENTRY_ADJUSTED", True)]


@pytest.mark.parametrize("suffix", ["avif", "heic", "jxl"])
def test_images_of_any_type_are_recognised(tmp_path: Path, suffix: str) -> None:
    assert labels(read(FORMAT, put(tmp_path / "x.csv", f"a.{suffix},cat\n"))) == [(f"a.{suffix}", "cat")]
    assert FORMAT.recognise(tmp_path / "x.csv")


# -- with a header ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("image,label,left,top,width,height", "a.jpg,cat,1,2,10,20"),
        ("label,image,xmin,ymin,xmax,ymax", "cat,a.jpg,1,2,11,22"),
        ("filename,width,height,class,xmin,ymin,xmax,ymax", "a.jpg,30,40,cat,1,2,11,22"),
        ("Image_Path,Tag,XMin,YMin,XMax,YMax,Other", "a.jpg,cat,11,22,1,2,x"),
        ("file;category;left;top;width;height", "a.jpg;cat;1;2;10;20"),
    ],
)
def test_common_headers_are_recognised(tmp_path: Path, header: str, row: str) -> None:
    path = put(tmp_path / "x.csv", f"{header}\n{row}\n\n{row}\n")
    assert FORMAT.recognise(path)
    found = read(FORMAT, path)
    assert boxes(found) == [("a.jpg", "cat", 1, 2, 10, 20)] * 2
    assert codes(found) == (["ENTRY_ADJUSTED"] * 2 if "11,22,1" in row else [])
    assert found.images["width"].notna().all() == header.startswith("filename,width")


def test_raccoons_agree_with_their_xml(test_data: Path) -> None:
    found = read(FORMAT, test_data / "raccoon" / "data" / "raccoon_labels.csv")
    others = read(voc.FORMAT, test_data / "raccoon" / "annotations")
    assert sorted(boxes(found)) == sorted(boxes(others))
    sizes = [
        {Path(row.image).name: (row.width, row.height) for row in each.images.itertuples()} for each in (found, others)
    ]
    assert sizes[0] == {name: size for name, size in sizes[1].items() if name in sizes[0]}
    assert found.issues == []


def test_a_size_after_a_corner_is_that_of_the_box(tmp_path: Path) -> None:
    path = put(tmp_path / "x.csv", "image,label,xmin,ymin,width,height\na.jpg,cat,1,2,10,20\n")
    found = read(FORMAT, path)
    assert boxes(found) == [("a.jpg", "cat", 1, 2, 10, 20)]
    assert found.images[["width", "height"]].isna().all(axis=None)
    put(path, "image,label,xmin,ymin,xmax,ymax,width,height\na.jpg,cat,1,2,11,22,100,200\n")
    found = read(FORMAT, path)
    assert boxes(found) == [("a.jpg", "cat", 1, 2, 10, 20)]
    assert found.images[["width", "height"]].to_numpy().tolist() == [[100, 200]]


@pytest.mark.parametrize(
    ("columns", "ignored"), [("x,y,w,h", True), ("x1,y1,x2,y2", True), ("x_min,y_min,x_max,y_max", True),
                             ("x,y,site,day", False), ("left,top,width,height,x,y,w,h", False)]
)  # fmt: skip
def test_columns_that_look_like_boxes_are_not_ignored_silently(tmp_path: Path, columns: str, ignored: bool) -> None:
    cells = ",".join("1" for _ in columns.split(","))
    found = read(FORMAT, put(tmp_path / "x.csv", f"image,label,{columns}\na.jpg,cat,{cells}\nb.jpg,cat,{cells}\n"))
    assert codes(found) == ["ENTRY_ADJUSTED"] * ignored
    if ignored:
        assert ", ".join(map(repr, columns.split(","))) in found.issues[0].message


@pytest.mark.parametrize(
    ("column", "box"),
    [("bbox", "[1, 2, 10, 20]"), ("BBox", "1 2 10 20"), ("bbox_xyxy", "(1, 2, 11, 22)"), ("box_cxcywh", "6,12,10,20")],
)
def test_a_box_in_one_column_is_read_in_its_notation(tmp_path: Path, column: str, box: str) -> None:
    text = f'image,label,{column},width,height\na.jpg,cat,"{box}",100,80\nb.jpg,dog,,,\nc.jpg,dog,"1,2",,\n'
    found = read(FORMAT, put(tmp_path / "x.csv", text))
    assert boxes(found)[0] == ("a.jpg", "cat", 1, 2, 10, 20)
    assert found.images["width"].tolist()[0] == 100
    assert [(issue.code, issue.where, issue.line) for issue in found.issues] == [("ENTRY_UNREADABLE", "c.jpg", 4)]


def test_a_box_column_without_a_notation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"x\.csv.*line 3.*'bounding_box'.*'bbox_xywh'"):
        read(FORMAT, put(tmp_path / "x.csv", 'image,label,bounding_box\na.jpg,cat,\nb.jpg,cat,"[1,2,3,4]"\n'))
    found = read(FORMAT, put(tmp_path / "x.csv", "image,label,box\na.jpg,cat,B12\n"))
    assert (found.images["box"].tolist(), found.issues) == (["B12"], [])


def test_ratios_become_pixels_where_the_size_is_known(tmp_path: Path) -> None:
    header = "image,label,xmin,ymin,xmax,ymax,image_width,image_height\n"
    rows = "a.jpg,cat,0.1,0.2,0.5,0.6,200,100\nb.jpg,cat,0.1,0.2,0.5,0.6,,\n"
    found = read(FORMAT, put(tmp_path / "x.csv", header + rows))
    assert boxes(found) == [("a.jpg", "cat", 20, 20, 80, 40)]
    assert codes(found) == ["IMAGE_NOT_LISTED", "ENTRY_ADJUSTED"]
    assert statuses(found) == {"a.jpg": "labelled", "b.jpg": "unlabelled"}
    mixed = read(FORMAT, put(tmp_path / "x.csv", f"{header}{rows}c.jpg,cat,1,2,50,60,,\n"))
    assert boxes(mixed)[0] == ("a.jpg", "cat", 0.1, 0.2, 0.4, 0.4)
    assert [(issue.code, issue.where) for issue in mixed.issues] == [("ENTRY_ADJUSTED", str(tmp_path / "a.jpg"))]
    ours = read(
        FORMAT, put(tmp_path / "x.csv", (header + rows).replace("\n", ",\n").replace("height,", "height,created"))
    )
    assert (len(ours.annotations), ours.issues) == (2, [])


def test_a_table_of_0_and_1_has_a_column_for_each_label(tmp_path: Path) -> None:
    text = "filename, cat, dog, site\na.jpg, 1, 0, x\nb.jpg, 0, 0, y\nc.jpg, 1, 1, z\n"
    path = put(tmp_path / "_classes.csv", text)
    assert FORMAT.recognise(path)
    found = read(FORMAT, path)
    assert labels(found) == [("a.jpg", "cat"), ("c.jpg", "cat"), ("c.jpg", "dog")]
    assert statuses(found)["b.jpg"] == "labelled"
    assert found.images["site"].tolist() == ["x", "y", "z"]
    assert "'cat', 'dog'" in found.issues[0].message


def test_unreadable_sizes_and_values_about_a_missing_label_are_reported(tmp_path: Path) -> None:
    found = read(FORMAT, put(tmp_path / "x.csv", "image,width,height,confidence\na.jpg,big,small,0.5\n"))
    assert codes(found) == ["NOT_IMPORTED"] * 2
    assert all(word in "".join(issue.message for issue in found.issues) for word in ("big", "'confidence'", "0.5"))


def test_boxes_of_only_zeros_mark_an_empty_photo(tmp_path: Path) -> None:
    head = "image_path,xmin,ymin,xmax,ymax,label\n"
    found = read(
        FORMAT, put(tmp_path / "x.csv", f"{head}a.jpg,0,0,0,0,Tree\nb.jpg,1,2,30,40,Tree\nc.jpg,3,3,3,9,Tree\n")
    )
    assert boxes(found) == [("b.jpg", "Tree", 1, 2, 29, 38), ("c.jpg", "Tree", 3, 3, 0, 6)]
    assert statuses(found)["a.jpg"] == "labelled"
    assert ["only zeros" in issue.message or "without area" in issue.message for issue in found.issues] == [True, True]


def test_a_name_without_an_ending_is_that_of_the_only_file(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "b.png"):
        (tmp_path / name).touch()
    found = cl.read_dataset(put(tmp_path / "x.csv", "image,label\na,cat\nb,dog\n"))
    assert [Path(name).name for name in found.annotations["image"]] == ["a.jpg", "b"]
    assert "'a' by 'a.jpg'" in " ".join(found.issues["message"])


@pytest.mark.parametrize("last", ["region_attributes", "label"])
def test_files_of_via_are_refused_by_name(tmp_path: Path, last: str) -> None:
    head = f"filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,{last}\n"
    path = put(tmp_path / "via.csv", head + 'a.jpg,12,"{}",3,2,"{""name"":""rect""}","{""type"":""cat""}"\n')
    with pytest.raises(ManifestError, match=r"VGG Image Annotator.*Export COCO"):
        cl.read_dataset(path)


def test_labels_by_file_name_in_json_are_refused_with_the_code_that_converts_them(tmp_path: Path) -> None:
    path = put(tmp_path / "labels.json", '{"a.jpg": "cat", "b.jpg": ["cat", "dog"]}')
    with pytest.raises(ManifestError, match=r"labels by file name.*pd\.DataFrame"):
        cl.read_dataset(path)


def test_a_parquet_file_is_read_as_the_table_that_it_is(tmp_path: Path) -> None:
    table = {
        "image": ["in/a.jpg", "in/a.jpg", "../b.jpg"],
        "label": [["cat"], ["dog", "cow"], []],
        "code": "07",
        "n": 1.5,
    }
    path = tmp_path / "x.parquet"
    pd.DataFrame(table).to_parquet(path)
    found = cl.read_dataset(path)
    assert labels(found) == [("a.jpg", "cat"), ("a.jpg", "dog"), ("a.jpg", "cow")]
    assert found.images[["code", "n"]].to_numpy().tolist() == [["07", 1.5]]
    assert found.issues.set_index("code")["where"]["ENTRY_UNREADABLE"] == "../b.jpg"
    for text, says in ((b"PAR1", "damaged|Parquet"), (b"x", "not a Parquet file")):
        with pytest.raises(ManifestError, match=says):
            cl.read_dataset(put(path, text))
    pd.DataFrame({"photo": ["a.jpg"]}).to_parquet(path)
    with pytest.raises(ManifestError, match=r"no column names the images.*'photo'"):
        cl.read_dataset(path)


def test_own_columns_are_kept_or_counted(tmp_path: Path) -> None:
    header = "image,label,site,difficult,tags,label\n"
    rows = "a.jpg,cat,roof,0,x,y\na.jpg,dog,roof,1,x,\nb.jpg,dog,,1,x,,more\n"
    found = read(FORMAT, put(tmp_path / "x.csv", header + rows))
    assert found.images["site"].fillna("").tolist() == ["roof", ""]
    messages = [issue.message for issue in found.issues]
    for said, what in zip(messages, ["1 row has", "3 × .*'difficult'", "3 × .*'tags'", "1 × .*'label'"], strict=True):
        assert re.search(what, said)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("image,left,top,width,height,class_id\na.jpg,1,2,3,4,0\n", "no column 'label'.*'class_id'"),
        ("image,label,left,top,right\na.jpg,x,1,2,3\n", "width, height are missing.*'right'"),
        ('image,label\na.jpg,"[{""rectanglelabels"": [""cat""]}]"\n', "line 2.*JSON.*Export"),
        ("annotation_id,annotator,choice,image\n1,1,cat,a.jpg\n", "Label Studio.*Export the project as JSON"),
    ],
)
def test_tables_without_usable_labels_are_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ManifestError, match=rf"x\.csv.*{says}"):
        read(FORMAT, put(tmp_path / "x.csv", text))


def test_column_name_is_read_as_the_label(tmp_path: Path) -> None:
    found = read(FORMAT, put(tmp_path / "x.csv", "image,name\na.jpg,cat\n"))
    assert (labels(found), codes(found)) == ([("a.jpg", "cat")], ["ENTRY_ADJUSTED"])
    both = read(FORMAT, put(tmp_path / "x.csv", "image,name,class\na.jpg,Tom,cat\n"))
    assert (labels(both), both.images["name"].tolist(), both.issues) == ([("a.jpg", "cat")], ["Tom"], [])


def test_booleans_are_words(tmp_path: Path) -> None:
    words = ["no", "YES", "0", "1", "False", "true", "", "maybe"]
    rows = "".join(f"{number}.jpg,cat,{word}\n" for number, word in enumerate(words))
    found = read(FORMAT, put(tmp_path / "x.csv", f"image,label,iscrowd\n{rows}"))
    assert found.annotations["crowd"].tolist() == [False, True, False, True, False, True, False]
    assert [(issue.code, issue.line, "'maybe'" in issue.message) for issue in found.issues] == [
        ("ENTRY_UNREADABLE", 9, True)
    ]


def test_splits_have_other_names(tmp_path: Path) -> None:
    names = ["Train", "training", "VAL", "valid", "Validation", "testing"]
    rows = "".join(f"{number}.jpg,cat,{name}\n" for number, name in enumerate(names))
    found = read(FORMAT, put(tmp_path / "x.csv", f"image,label,split\n{rows}"))
    assert (found.images["split"].tolist(), found.issues) == (["train"] * 2 + ["test"] * 4, [])


def test_subset_is_read_as_the_split(tmp_path: Path) -> None:
    found = read(FORMAT, put(tmp_path / "x.csv", "image,label,subset\na.jpg,cat,valid\nb.jpg,cat,\n"))
    assert (found.images["split"].tolist(), found.issues) == (["test", "train"], [])
    found = read(FORMAT, put(tmp_path / "y.csv", "image,label,subset\na.jpg,cat,test\nb.jpg,cat,easy\n"))
    assert (found.images["split"].tolist(), found.issues) == (["train", "train"], [])
    assert found.images["subset"].tolist() == ["test", "easy"]


def test_a_list_of_labels_is_several_labels(tmp_path: Path) -> None:
    head, end = "image,label,left,top,width,height\n", ",,,,\n"
    cells = ["\"['cat', 'dog']\"" + end, '"[""cat""]"' + end, "[]" + end, "[cat]" + end, "\"['cat', 'dog']\",1,2,3,4\n"]
    cells += ["\"('cat', '')\"" + end, "['cat' 'dog']" + end]  # a tuple, and an array of NumPy
    rows = "".join(f"{number}.jpg,{cell}" for number, cell in enumerate(cells))
    found = read(FORMAT, put(tmp_path / "x.csv", head + rows))
    assert [(Path(row.image).stem, row.label) for row in found.annotations.itertuples()] == [
        ("0", "cat"), ("0", "dog"), ("1", "cat"), ("3", "[cat]"), ("5", "cat"), ("6", "cat"), ("6", "dog")
    ]  # fmt: skip
    assert [(issue.line, "several labels" in issue.message) for issue in found.issues] == [(6, True)]


def test_a_split_that_differs_from_that_of_an_earlier_row_is_reported(tmp_path: Path) -> None:
    rows = ["a.jpg,cat,train", "a.jpg,dog,val", "a.jpg,cow,", "a.jpg,ape,train", "b.jpg,cat,val", "b.jpg,dog,test"]
    found = read(FORMAT, put(tmp_path / "x.csv", "\n".join(["image,label,split", *rows])))
    assert found.images["split"].tolist() == ["train", "test"]
    assert [(issue.code, issue.where, issue.line) for issue in found.issues] == [("ENTRY_ADJUSTED", "a.jpg", 3)]


def test_polygons_need_no_box(tmp_path: Path) -> None:
    put(tmp_path / "x.csv", 'image,label,polygon\na.jpg,cat,"[[1,1],[50,1],[50,40]]"\n')
    found = cl.read_dataset(tmp_path / "x.csv")
    found.to("ground_truth", tmp_path / "x.manifest")
    assert "bounding-box" in (tmp_path / "x.manifest").read_text()
    assert found.relabel("dog").annotations["label"].tolist() == ["cat", "dog"]


def test_moved_images_are_found(tmp_path: Path) -> None:
    path = put(tmp_path / "x.csv", "image,label\n/old/in/a.jpg,cat\n")
    found = read(FORMAT, path, relocate={"/old/": "s3://bucket/"})
    assert list(found.annotations["image"]) == ["s3://bucket/in/a.jpg"]
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    found = read(FORMAT, path, images=tmp_path / "photos")
    assert list(found.annotations["image"]) == [str(tmp_path / "photos" / "a.jpg")]


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ("cat,1,2,3,,1,,", "four numbers"),
        ("cat,1,2,x,4,1,,", "four numbers"),
        ("cat,1,2,nan,4,1,,", "four numbers"),
        ("cat,1,2,-3,4,1,,", "invalid size"),
        (",1,2,3,4,1,,", "no label"),
        ('cat,1,2,3,4,1,"[[1,2],[3]]",', "polygon"),
        ('cat,1,2,3,4,1,"[[1e999,2]]",', "polygon"),
        (f"cat,1,2,3,4,1,{'[' * 9999},", "polygon"),
        (f"{'x' * 257},1,2,3,4,1,,", "1 to 256"),
    ],
)
def test_a_bad_annotation_is_named_and_the_rest_is_read(tmp_path: Path, cells: str, says: str) -> None:
    header = "image,label,left,top,width,height,confidence,polygon,created"
    path = put(tmp_path / "x.csv", f"{header}\na.jpg,{cells}\na.jpg,dog,1,2,3,4,1,,\n")
    found = read(FORMAT, path)
    assert boxes(found) == [("a.jpg", "dog", 1, 2, 3, 4)]
    assert [(issue.code, issue.where, issue.line) for issue in found.issues] == [("ENTRY_UNREADABLE", "a.jpg", 2)]
    assert says in found.issues[0].message
    assert found.unread == [(2, f"a.jpg,{cells}")]


def test_changed_values_are_reported(tmp_path: Path) -> None:
    path = put(tmp_path / "x.csv", "image,label,confidence,created,split,status\na.jpg,cat,97,soon,dev,done\n")
    found = read(FORMAT, path)
    assert codes(found) == ["ENTRY_ADJUSTED"] * 4
    assert found.annotations["confidence"].tolist() == [1]
    assert found.images[["split", "status"]].to_numpy().tolist() == [["train", "labelled"]]


@pytest.mark.parametrize("text", ["", "\n \n", "photo,kind\na.jpg,cat\n", "image,label\n/etc/passwd,cat\n"])
def test_a_file_of_nothing_that_can_be_read_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ManifestError):
        read(FORMAT, put(tmp_path / "x.csv", text))


@pytest.mark.parametrize("name", ["x.csv", "x.txt", "x.jpg"])
@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "{}", "\0\0", "0 0.5 0.5 0.1 0.1"])
def test_other_files_are_not_recognised(tmp_path: Path, name: str, text: str) -> None:
    assert not FORMAT.recognise(put(tmp_path / name, text))
    assert not FORMAT.recognise(tmp_path)


# -- writing ----------------------------------------------------------------------------------------


def test_only_columns_with_something_in_them_are_written(tmp_path: Path) -> None:
    image = str(tmp_path / "a.jpg")
    path = tmp_path / "x.csv"
    FORMAT.write(contents([{"image": image}], [{"image": image, "label": "cat"}]), path)
    table = pd.read_csv(path)
    assert list(table.columns) == ["image", "label", "created"]
    assert table[["image", "label"]].to_numpy().tolist() == [["a.jpg", "cat"]]


def test_a_folder_is_no_place_for_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        FORMAT.write(contents([{"image": "/a.jpg"}], []), tmp_path)


def test_formulas_are_escaped_on_request(tmp_path: Path) -> None:
    labels = ["=1+1", "+x", "-x", "@x", "plain", "=\tx"]
    images = [f"/photos/{n}.jpg" for n in range(len(labels))]
    frame = pd.DataFrame({"image": images, "label": labels, "left": -5.5, "top": 1.0, "width": 2.0, "height": 3.0})
    data = cl.Dataset(pd.DataFrame({"image": images}), frame)
    data.to("csv", tmp_path / "plain.csv")
    assert cl.read_dataset(tmp_path / "plain.csv", relocate={"file://": ""}).annotations["label"].tolist() == labels
    data.to("csv", tmp_path / "escaped.csv", escape_formulas=True)
    rows = list(csv.DictReader((tmp_path / "escaped.csv").open(encoding="utf-8", newline="")))
    assert [row["label"] for row in rows] == [name if name == "plain" else f"'{name}" for name in labels]
    assert {row["left"] for row in rows} == {"-5.5"}
    with pytest.raises(InputError, match="escape_formulas"):
        data.to("coco", tmp_path / "x.json", escape_formulas=True)


def test_a_note_is_of_the_label_in_its_row_or_else_of_the_image(tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    path.write_text("image,label,note\na.png,cat,or a dog?\nb.png,,unclear\nc.png,cat,\n", "utf-8")
    found = read(FORMAT, path)
    assert found.annotations["note"].fillna("").tolist() == ["or a dog?", ""]
    assert found.images["note"].fillna("").tolist() == ["", "unclear", ""]


@pytest.mark.parametrize("name", ["confidence", "Score", "conf", "prob", "probability", "confidence_score"])
def test_confidences_of_other_programs_are_read(tmp_path: Path, name: str) -> None:
    file = tmp_path / "found.csv"
    file.write_text(f"filename,class,{name}\na.jpg,cat,0.25\n")
    assert cl.read_dataset(file).annotations["confidence"].tolist() == [0.25]


def test_a_note_on_an_image_is_written(tmp_path: Path) -> None:
    images = pd.DataFrame({"image": ["a.png", "b.png", "c.png"], "note": ["dark\nand blurred", "unclear", None]})
    marks = pd.DataFrame({"image": ["a.png"], "label": ["cat"], "note": ["or a dog?"]})
    report = cl.Dataset(images, marks, root=tmp_path).to("csv", tmp_path / "set.csv")
    assert "note" not in "".join(report.issues["message"])
    found = read(FORMAT, tmp_path / "set.csv")
    assert found.images["note"].fillna("").tolist() == ["dark\nand blurred", "unclear", ""]
    assert found.annotations[["label", "note"]].to_numpy().tolist() == [["cat", "or a dog?"]]


@pytest.mark.parametrize("empty", ["NaN", "nan", "None", "null", "NA", "<NA>"])
def test_texts_for_missing_numbers_are_empty_cells(tmp_path: Path, empty: str) -> None:
    table = pd.DataFrame({"image": ["a.jpg", "b.jpg"], "label": ["x", "None"], "left": [1.0, None], "top": [2.0, None]})
    table = table.assign(width=[3.0, None], height=[4.0, None], score=[0.5, None], days=[1.5, None])
    table.to_csv(tmp_path / "x.csv", index=False, na_rep=empty)
    found = read(FORMAT, tmp_path / "x.csv")
    assert (labels(found), found.issues) == ([("a.jpg", "x"), ("b.jpg", "None")], [])
    assert found.annotations["left"].isna().tolist() == [False, True]
    assert found.images["days"].fillna(0).tolist() == [1.5, 0]


def test_centres_and_four_sides_are_boxes(tmp_path: Path) -> None:
    for header, row in (("cx,cy,w,h", "25,40,30,40"), ("left,top,right,bottom", "10,20,40,60")):
        found = read(FORMAT, put(tmp_path / "x.csv", f"image,label,{header}\na.jpg,x,{row}\n"))
        assert found.annotations[["left", "top", "width", "height"]].to_numpy().tolist() == [[10, 20, 30, 40]]


def test_joined_and_empty_labels(tmp_path: Path) -> None:
    rows = 'a.jpg,"cat,dog"\nb.jpg,cat\nc.jpg,dog\nd.jpg,[]\ne.jpg,\n'
    found = read(FORMAT, put(tmp_path / "x.csv", f"image,LABEL\n{rows}"))
    assert labels(found) == [("a.jpg", "cat"), ("a.jpg", "dog"), ("b.jpg", "cat"), ("c.jpg", "dog")]
    assert (found.images["status"].tolist()[2:], found.issues) == (["labelled", "labelled", "unlabelled"], [])


def test_a_status_without_labels_is_reported(tmp_path: Path) -> None:
    found = read(FORMAT, put(tmp_path / "x.csv", "image,status\na.jpg,labelled\nb.jpg,skipped\n"))
    assert found.images["status"].tolist() == ["unlabelled", "skipped"]
    assert ["1 × status 'labelled'" in issue.message for issue in found.issues] == [True]
