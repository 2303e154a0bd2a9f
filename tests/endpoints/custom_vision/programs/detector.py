"""Program for the service: upload photos with regions, or train a detector and draw what it finds in a photo.

Run as ``python detector.py upload FILE``, where the JSON file lists the photos in the folder ``images`` beside it, and
as ``python detector.py train PROJECT PHOTO DRAWING``. ENDPOINT and KEY are in the environment. The last line of its
output is JSON.
"""

import json
import os
import sys
import time
from pathlib import Path

from azure.cognitiveservices.vision.customvision.prediction import CustomVisionPredictionClient
from azure.cognitiveservices.vision.customvision.training import CustomVisionTrainingClient
from azure.cognitiveservices.vision.customvision.training.models import (
    CustomVisionErrorException,
    ImageFileCreateBatch,
    ImageFileCreateEntry,
    Region,
)
from msrest.authentication import ApiKeyCredentials
from PIL import Image, ImageDraw

endpoint, key = os.environ["ENDPOINT"], os.environ["KEY"]
trainer = CustomVisionTrainingClient(endpoint, ApiKeyCredentials(in_headers={"Training-Key": key}))
predictor = CustomVisionPredictionClient(endpoint, ApiKeyCredentials(in_headers={"Prediction-Key": key}))


def upload(file: Path) -> dict:
    """Create the project, and upload the photos. They have too few regions for a training."""
    (domain,) = (d for d in trainer.get_domains() if d.type == "ObjectDetection" and d.name == "General")
    project = trainer.create_project("Produce detection", domain_id=domain.id)
    listed = json.loads(file.read_text())["files"]
    ids = {name: trainer.create_tag(project.id, name).id for name in ("apple", "banana", "orange")}
    entries = []
    for entry in listed:
        regions = [
            Region(tag_id=ids[t["tag"]], left=t["left"], top=t["top"], width=t["width"], height=t["height"])
            for t in entry["tags"]
        ]
        data = (file.parent / "images" / entry["filename"]).read_bytes()
        entries.append(ImageFileCreateEntry(name=entry["filename"], contents=data, regions=regions))
    created = trainer.create_images_from_files(project.id, ImageFileCreateBatch(images=entries))
    try:
        trainer.train_project(project.id)
        refusal = ""
    except CustomVisionErrorException as error:
        refusal = f"{error.error.code}: {error}"
    images = trainer.get_tagged_images(project.id, take=256)
    return {
        "project": project.id,
        "successful": created.is_batch_successful,
        "regions": sum(len(image.regions) for image in images),
        "refusal": refusal,
        "iterations": len(trainer.get_iterations(project.id)),
    }


def train(project: str, photo: Path, drawing: Path) -> dict:
    """Train, publish, find objects in a photo, and draw them."""
    iteration = trainer.train_project(project)
    while iteration.status != "Completed":
        iteration = trainer.get_iteration(project, iteration.id)
        time.sleep(0.5)
    trainer.publish_iteration(project, iteration.id, "produce", "resource")
    with photo.open("rb") as file:
        predictions = predictor.detect_image(project, "produce", file).predictions
    image = Image.open(photo).convert("RGB")
    for prediction in predictions[:3]:
        box = prediction.bounding_box
        left, top = box.left * image.width, box.top * image.height
        corner = (left + box.width * image.width, top + box.height * image.height)
        ImageDraw.Draw(image).rectangle(((left, top), corner), outline="magenta", width=3)
    image.save(drawing)
    performance = trainer.get_iteration_performance(project, iteration.id, threshold=0.5, overlap_threshold=0.3)
    found = [(p.tag_name, p.probability, vars(p.bounding_box)) for p in predictions]
    for _, _, box in found:
        box.pop("additional_properties")
    return {
        "iteration": iteration.id,
        "found": found,
        "average_precision": [tag.average_precision for tag in performance.per_tag_performance],
    }


command, *rest = sys.argv[1:]
answer = upload(Path(rest[0])) if command == "upload" else train(rest[0], *map(Path, rest[1:]))
print(json.dumps(answer))
