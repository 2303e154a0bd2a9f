"""Program for the service: train a classifier on folders of photos, publish it, and classify other photos.

Run as ``python classifier.py PHOTOS OTHERS`` with ENDPOINT and KEY in the environment. It works with the releases 1.0.0
and 3.x of the SDK, whose clients and batches differ. The last line of its output is JSON.
"""

import json
import os
import sys
import time
from pathlib import Path

from azure.cognitiveservices.vision.customvision.prediction import CustomVisionPredictionClient
from azure.cognitiveservices.vision.customvision.training import CustomVisionTrainingClient, models
from azure.cognitiveservices.vision.customvision.version import VERSION

endpoint, key = os.environ["ENDPOINT"], os.environ["KEY"]
photos, others = map(Path, sys.argv[1:])
is_old = VERSION.startswith("1.")
if is_old:
    trainer = CustomVisionTrainingClient(key, endpoint=endpoint)
    predictor = CustomVisionPredictionClient(key, endpoint=endpoint)
else:
    from msrest.authentication import ApiKeyCredentials

    trainer = CustomVisionTrainingClient(endpoint, ApiKeyCredentials(in_headers={"Training-key": key}))
    predictor = CustomVisionPredictionClient(endpoint, ApiKeyCredentials(in_headers={"Prediction-key": key}))

project = trainer.create_project(
    f"Fruit, with {VERSION}", description="Of the market", classification_type="Multiclass"
)
tags = {folder.name: trainer.create_tag(project.id, folder.name) for folder in sorted(photos.iterdir())}
statuses = []
for name, tag in tags.items():
    paths = sorted((photos / name).iterdir())
    entries = [
        models.ImageFileCreateEntry(name=path.name, contents=path.read_bytes(), tag_ids=[tag.id]) for path in paths[:-2]
    ]
    batch = {"images": entries} if is_old else {"batch": models.ImageFileCreateBatch(images=entries)}
    statuses += [image.status for image in trainer.create_images_from_files(project.id, **batch).images]
    for path in paths[-2:]:
        with path.open("rb") as file:
            statuses += [i.status for i in trainer.create_images_from_data(project.id, file, tag_ids=[tag.id]).images]
again = trainer.create_images_from_data(project.id, paths[0].read_bytes(), tag_ids=[tag.id])

iteration = trainer.train_project(project.id)
names = {iteration.status}
while iteration.status != "Completed":
    iteration = trainer.get_iteration(project.id, iteration.id)
    names.add(iteration.status)
    time.sleep(0.5)
performance = trainer.get_iteration_performance(project.id, iteration.id, threshold=0.5)
published = trainer.publish_iteration(project.id, iteration.id, "market", "/subscriptions/1/resource")

found = {}
for path in sorted(others.iterdir()):
    with path.open("rb") as file:
        predictions = predictor.classify_image(project.id, "market", file).predictions
    found[path.name] = [(prediction.tag_name, prediction.probability) for prediction in predictions]
try:
    predictor.classify_image(project.id, "nothing", path.read_bytes())
    refusal = ""
except Exception as error:
    refusal = f"{type(error).__module__}: {error.error.code}"
try:
    trainer.train_project(project.id)
    unneeded = ""
except models.CustomVisionErrorException as error:
    unneeded = error.error.code

answer = {
    "project": project.id,
    "name": project.name,
    "statuses": statuses,
    "again": again.images[0].status,
    "count": trainer.get_tagged_image_count(project.id),
    "iteration": iteration.name,
    "names": sorted(names),
    "precision": performance.precision,
    "per_tag": len(performance.per_tag_performance),
    "published": published,
    "found": found,
    "refusal": refusal,
    "unneeded": unneeded,
}
print(json.dumps(answer))
