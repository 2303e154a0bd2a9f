"""Layouts of datasets: the name of the format that reads it or the reason why it is refused, and its files."""

# ruff: noqa: E501 - one line for each layout

XML = "<annotation><filename>a.jpg</filename></annotation>"
CVAT = "<annotations><version>1.1</version></annotations>"
LINE = "0 0.5 0.5 0.2 0.2\n"
COCO = '{"images": [{"id": 1, "file_name": "a.jpg"}], "categories": [], "annotations": []}'
LABELME = '{"shapes": [], "imagePath": "a.jpg", "imageData": null}'
TASKS = '[{"id": 1, "data": {"image": "a.jpg"}, "annotations": []}]'
PAIR = {"a.jpg": "", "b.jpg": ""}
LABELLED = {"cat/a.jpg": "", "dog/b.jpg": ""}

READ = {
    "ultralytics": ("yolo", {"data.yaml": "train: images/train\nnames: [cat]", "images/train/a.jpg": "", "labels/train/a.txt": LINE}),
    "supervision's YOLO": ("yolo", {"data.yaml": "names: [cat]\nnc: 1", "images/a.jpg": "", "labels/a.txt": LINE}),
    "darknet": ("yolo", {"obj.data": "train = data/train.txt\nnames = data/obj.names", "obj.names": "cat", "train.txt": "data/obj/a.jpg", "obj/a.jpg": "", "obj/a.txt": LINE}),
    "class list": ("yolo", {"classes.txt": "cat", "images/a.jpg": "", "labels/a.txt": LINE}),
    "one folder further up": ("yolo", {"set/data.yaml": "names: [cat]", "set/images/a.jpg": "", "set/labels/a.txt": LINE}),
    "VOC": ("voc", {"Annotations/a.xml": XML, "JPEGImages/a.jpg": ""}),
    "VOCdevkit": ("voc", {"VOCdevkit/VOC2012/Annotations/a.xml": XML, "VOCdevkit/VOC2012/JPEGImages/a.jpg": ""}),
    "Roboflow's VOC": ("voc", {"train/a.xml": XML, "train/a.jpg": "", "valid/b.xml": XML, "valid/b.jpg": ""}),
    "CVAT": ("cvat", {"annotations.xml": CVAT, "images/a.jpg": ""}),
    "CVAT's train.xml": ("cvat", {"train.xml": CVAT, "images/a.jpg": ""}),
    "COCO": ("coco", {"annotations/instances_train2017.json": COCO, "annotations/instances_val2017.json": COCO, "train2017/a.jpg": ""}),
    "Roboflow's COCO": ("coco", {"train/_annotations.coco.json": COCO, "train/a.jpg": "", "valid/_annotations.coco.json": COCO}),
    "Roboflow's COCO of three splits": ("coco", {f"{split}/_annotations.coco.json": COCO for split in ("train", "valid", "test")} | {"train/a.jpg": ""}),
    "Label Studio's COCO": ("coco", {"result.json": COCO, "images/a.jpg": ""}),
    "supervision's COCO": ("coco", {"annotations.json": COCO, "images/a.jpg": ""}),
    "FiftyOne's COCO": ("coco", {"labels.json": COCO, "data/a.jpg": ""}),
    "LabelMe": ("labelme", {"a.json": LABELME, "a.jpg": ""}),
    "Label Studio": ("label_studio", {"project-1.json": TASKS, "images/a.jpg": ""}),
    "classes of Roboflow": ("csv", {"_classes.csv": "filename, cat, dog\na.jpg, 1, 0\n", "a.jpg": ""}),
    "CSV": ("csv", {"labels.csv": "image,label\na.jpg,cat\n", "images/a.jpg": ""}),
    "manifest": ("ground_truth", {"output.manifest": '{"source-ref": "a.jpg"}\n', "a.jpg": ""}),
    "photos by label": ("image_folder", LABELLED),
    "with notes": ("image_folder", {**LABELLED, "README.md": "a.jpg, b.jpg", "notes.txt": "a.jpg is blurred", "LICENSE": "MIT"}),
    "of a phone": ("image_folder", {**LABELLED, "cat/a.json": '{"title": "a.jpg"}', "dog/b.jpg.json": '{"title": "b.jpg"}', "cat/a.mov": "", "cat/a.aae": ""}),
    "with results": ("image_folder", {**LABELLED, "predictions.csv": "image,label,confidence\na.jpg,cat,0.9\n", "_journal.jsonl": "{}"}),
    "same names": ("image_folder", {"with_mask/1.png": "", "without_mask/1.png": "", "with_mask/2.png": "", "without_mask/2.png": ""}),
    "of macOS": ("image_folder", {**LABELLED, "__MACOSX/cat/._a.jpg": "", "__MACOSX/x.jpg": "", ".hidden/x.jpg": ""}),
    "classes beside folders": ("image_folder", {**LABELLED, "classes.txt": "cat\ndog\n", "labels.txt": "0 cat\n1 dog\n"}),
    "YAML of a classifier": ("yolo_classify", {"train/cat/a.jpg": "", "val/dog/b.jpg": "", "data.yaml": "train: train\nval: val\nnames: [cat, dog]"}),
    "a folder named after a label": ("yolo", {"data.yaml": "train: cat/images\nnames: [cat]", "cat/images/a.jpg": "", "cat/labels/a.txt": LINE}),
    "labelImg": ("yolo", {"images/a.jpg": "", "labels/a.txt": LINE, "labels/classes.txt": "cat"}),
    "labelImg with splits": ("yolo", {"images/train/a.jpg": "", "labels/train/a.txt": LINE, "labels/train/classes.txt": "cat"}),
    "mask folders of faces": ("image_folder", {"mask/1.png": "", "no_mask/1.png": ""}),
    "metadata of exiftool": ("image_folder", {**LABELLED, "exif.csv": "SourceFile,Model\ncat/a.jpg,X\ndog/b.jpg,X\n"}),
    "splits": ("yolo_classify", {"train/cat/a.jpg": "", "val/cat/b.jpg": "", "__MACOSX/x": ""}),
}  # fmt: skip

REFUSED = {
    "YAML with an error": ("data.yaml: it cannot be read: it is not valid YAML in line 2", {**PAIR, "data.yaml": "names: [a\nval: b: c"}),
    "YAML without names": ("data.yaml: it has no names:", {"images/a.jpg": "", "data.yaml": "train: images\nnc: 2"}),
    "YOLO without labels": ("boxes of YOLO. Add their labels, one per line in the order of their numbers, as classes.txt", {"images/a.jpg": "", "labels/a.txt": LINE}),
    "CSV of numbered images": ("train.csv: it names 2 images", {"train/1.jpg": "", "train/2.jpg": "", "train.csv": "image_id,label\n1,cat\n2,dog\n"}),
    "spreadsheet": ("labels.xlsx: it is a spreadsheet. Save it as CSV", {**LABELLED, "labels.xlsx": "PK"}),
    "compressed CSV": ("annotations.csv.gz: it is compressed with gzip. Unpack it first", {**LABELLED, "annotations.csv.gz": ""}),
    "JSON for each image": ("ann/a.json: it is named after an image, but its layout is unknown", {"img/a.jpg": "", "img/b.jpg": "", "ann/a.json": '{"label": "cat"}', "ann/b.json": '{"label": "dog"}'}),
    "CSV of another layout": ("labels.csv: it has no columns image and label: 'x;y'", {**PAIR, "labels.csv": "x;y\n1;2\n"}),
    "not UTF-8": ("annotations.csv: it is not UTF-8", {**PAIR, "annotations.csv": "Bild,Größe\n"}),
    "half of a file": ("annotations.json: it is not valid JSON in line 1", {**PAIR, "annotations.json": '{"images": '}),
    "two files": ("Read one of these", {**PAIR, "one.json": COCO, "two.csv": "image,label\na.jpg,cat\n"}),
    "Create ML": ("Create ML", {**PAIR, "_annotations.createml.json": '[{"image": "a.jpg", "annotations": [{"label": "x", "coordinates": {"x": 1}}]}]'}),
    "detectron2": ("detectron2", {**PAIR, "x.json": '[{"file_name": "a.jpg", "image_id": 0, "annotations": []}]'}),
    "Hasty": ("Hasty", {**PAIR, "x.json": '{"project_name": "x", "label_classes": [], "images": []}'}),
    "Supervisely": ("Supervisely", {"meta.json": '{"classes": [], "tags": []}', "ds/img/a.jpg": "", "ds/ann/a.jpg.json": '{"objects": [], "size": {}}'}),
    "FiftyOne": ("FiftyOne", {"samples.json": '{"samples": []}', "data/a.jpg": ""}),
    "FiftyOne's classes": ("FiftyOne", {"labels.json": '{"classes": ["a"], "labels": {"a": 0}}', "data/a.jpg": ""}),
    "VIA": ("VGG Image Annotator", {**PAIR, "via.json": '{"a.jpg123": {"filename": "a.jpg", "regions": [], "file_attributes": {}}}'}),
    "Labelbox": ("Labelbox", {**PAIR, "export.ndjson": '{"data_row": {"id": "x"}}'}),
    "Datumaro": ("Datumaro", {"annotations/default.json": '{"info": {}, "categories": {}, "items": []}', "images/a.jpg": ""}),
    "Darwin": ("Darwin", {**PAIR, "a.json": '{"version": "2.0", "item": {"name": "a.jpg"}, "annotations": []}'}),
    "VoTT": ("VoTT", {**PAIR, "x.json": '{"name": "x", "tags": [], "assets": {}}'}),
    "Hugging Face": ("from_huggingface", {"train/metadata.jsonl": '{"file_name": "a.jpg", "text": "x"}', "train/a.jpg": ""}),
    "Open Images": ("Open Images", {**PAIR, "train-annotations-bbox.csv": "ImageID,Source,LabelName,Confidence\na,x,/m/1,1\n"}),
    "KITTI": ("KITTI", {"image_2/000001.png": "", "label_2/000001.txt": "Car 0.00 0 -1.58 587 173 614 200 1.6 1.6 3.2 1.0 1.7 13.2 -1.59\n"}),
    "Turi Create": ("Turi Create", {**PAIR, "x.sframe/dir_archive.ini": "[metadata]"}),
    "TensorFlow": (".tfrecord files are not read", {**PAIR, "train.tfrecord": "\0"}),
    "MATLAB": (".mat files are not read", {**PAIR, "digitStruct.mat": "\0"}),
    "CelebA": ("names 2 images", {"img/000001.jpg": "", "img/000002.jpg": "", "list_attr_celeba.txt": "2\nSmiling Young\n000001.jpg 1 -1\n000002.jpg -1 1\n"}),
    "a list of names": ("names 2 images", {"images/0001.jpg": "", "images/0002.jpg": "", "train.txt": "0001 3\n0002 1\n"}),
    "list beside folders": ("names 2 images", {**LABELLED, "cat/c.jpg": "", "files.txt": "cat/a.jpg\ndog/b.jpg\n"}),
    "food101": ("names 2 images", {"images/pie/1001.jpg": "", "images/soup/1002.jpg": "", "meta/classes.txt": "pie\nsoup\n", "meta/train.txt": "pie/1001\nsoup/1002\n"}),
    "ICDAR": (".txt file", {"img_1.jpg": "", "gt_img_1.txt": "1,1,5,5,word"}),
    "MOT": ("gt.txt", {"img1/000001.jpg": "", "gt/gt.txt": "1,1,10,10,5,5,1,1,1\n"}),
    "WIDER FACE": ("wider_face_train_bbx_gt.txt", {"images/0/0_1.jpg": "", "wider_face_train_bbx_gt.txt": "0/0_1.jpg\n1\n1 1 5 5\n"}),
    "VGG": ("names 2 images", {"n1/0001_01.jpg": "", "n1/0002_01.jpg": "", "bb.csv": 'NAME_ID,X,Y,W,H\n"n1/0001_01",1,1,5,5\n"n1/0002_01",1,1,5,5\n'}),
    "masks of VOC": ("Masks are not read", {"JPEGImages/a.jpg": "", "SegmentationClass/a.png": "", "SegmentationObject/a.png": ""}),
    "CamVid": ("Masks are not read", {"train/1.png": "", "trainannot/1.png": ""}),
    "ADE20k": ("Masks are not read", {"street/a.jpg": "", "street/a_seg.png": ""}),
    "Cityscapes": ("Masks are not read", {"leftImg8bit/train/a_leftImg8bit.png": "", "gtFine/train/a_gtFine_labelIds.png": ""}),
    "images and masks": ("Masks are not read", {"images/a.png": "", "masks/a.png": ""}),
}  # fmt: skip
