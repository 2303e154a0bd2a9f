"""Logo part of ``training.py``: three drawn logos, images of each alone, and photos that contain them.

The test scenes share no code with the package's own scenes, which the detector is trained on: they are photos with
logos drawn at their size, rotated and blended by Pillow alone.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from _measure import bound, heading
from _training_judging import train_and_judge
from _training_photos import folder_of
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

PICTURES = 5  # per logo
SCENES = 40
LEAST = 0.85  # minimum AP50

Rng = np.random.Generator
_BIG = 512
_LONGEST = 800


def brands_part(seeds: Sequence[int] = (0, 1, 2), *, budget: str | None = "2min", steps: int | None = None) -> None:
    """Print AP50 on unseen scenes. Logos and scenes are the same for all seeds."""
    from customlabels_nb.training.brands import BrandScenes

    photos = [path for name in ("raccoon/images", "fruit") for path in sorted(folder_of(name).rglob("*.jpg"))]
    if not photos:
        print(f"There are no photos in {folder_of('raccoon')}, so brands are skipped.")
        return
    with tempfile.TemporaryDirectory() as name:
        logos = draw_pictures(Path(name))
        truth = make_scenes(Path(name), photos)
        tests, labels, values = sorted(truth["image"].unique()), list(LOGOS), []
        heading(f"{len(labels)} brands from {len(logos)} logo images, tested on {len(tests)} scenes:")
        for random_state in seeds:
            scenes = BrandScenes(logos, labels, random_state=random_state)
            ap50, _ = train_and_judge(
                f"seed {random_state}",
                scenes,
                tests,
                truth,
                labels,
                random_state=random_state,
                budget=budget,
                steps=steps,
            )
            values.append(ap50)
    bound("AP50, mean", statistics.mean(values), "", at_least=LEAST)


def draw_pictures(folder: Path, *, random_state: int = 0, pictures: int = PICTURES) -> list[tuple[str, str]]:
    """Write images of each logo alone to ``folder`` and return the path and label of each.

    Their backgrounds are white, a light and a dark color, a gradient, and transparent (PNG).
    """
    rng = np.random.default_rng(random_state)
    found = []
    for label, draw in LOGOS.items():
        for number in range(pictures):
            side = int(rng.integers(180, 640))
            logo = draw(rng).resize((side, side), Image.Resampling.LANCZOS)
            ground, name = number % 5, f"{label}-{number}"
            if ground == 4:
                path = folder / f"{name}.png"
                logo.save(path)
            else:
                border = int(side * rng.uniform(0.02, 0.3))
                picture = _ground(rng, ground, side + 2 * border)
                picture.paste(logo, (border, border), logo)
                path = folder / f"{name}.jpg"
                picture.save(path, quality=int(rng.integers(75, 96)))
            found.append((str(path), label))
    return found


def make_scenes(folder: Path, photos: Sequence[Path], *, random_state: int = 0, scenes: int = SCENES) -> pd.DataFrame:
    """Write photos with one to three logos to ``folder`` and return the boxes.

    Returns
    -------
    DataFrame
        One row per logo: image, label, left, top, width, height.
    """
    rng = np.random.default_rng([random_state, 1])
    chosen = rng.choice(len(photos), scenes, replace=len(photos) < scenes)
    rows = []
    for number, photo in enumerate(chosen):
        with Image.open(photos[photo]) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
        image.thumbnail((_LONGEST, _LONGEST), Image.Resampling.LANCZOS)
        if min(image.size) < 240:
            image = ImageOps.scale(image, 240 / min(image.size))
        path = str(folder / f"scene-{number:03d}.jpg")
        taken: list[tuple[int, int, int, int]] = []
        for _ in range(int(rng.integers(1, 4))):
            label = str(rng.choice(list(LOGOS)))
            box = _put(rng, image, LOGOS[label](rng), taken)
            if box is not None:
                taken.append(box)
                rows.append((path, label, box[0], box[1], box[2] - box[0], box[3] - box[1]))
        image.save(path, quality=int(rng.integers(55, 92)))
    return pd.DataFrame(rows, columns=["image", "label", "left", "top", "width", "height"])


def _put(
    rng: Rng, image: Image.Image, logo: Image.Image, taken: list[tuple[int, int, int, int]]
) -> tuple[int, int, int, int] | None:
    """Paste a logo at a free position and return its box, or None if there is no room."""
    side = int(min(image.size) * rng.uniform(0.13, 0.5))
    small = logo.resize((side, int(side * rng.uniform(0.85, 1.15))), Image.Resampling.LANCZOS)
    small = small.rotate(float(rng.normal(0, 10)), Image.Resampling.BICUBIC, expand=True)
    colors = ImageEnhance.Brightness(small.convert("RGB")).enhance(float(rng.uniform(0.6, 1.15)))
    colors = ImageEnhance.Color(colors).enhance(float(rng.uniform(0.6, 1.1)))
    share = float(rng.uniform(0.85, 1))
    alpha = small.getchannel("A").point([int(value * share) for value in range(256)])
    if rng.random() < 0.3:
        colors = colors.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 1.5))))
    seen = alpha.point([255 * (value > 90) for value in range(256)]).getbbox()
    if seen is None:
        return None
    for _ in range(20):
        left = int(rng.integers(-seen[0], max(1 - seen[0], image.width - seen[2])))
        top = int(rng.integers(-seen[1], max(1 - seen[1], image.height - seen[3])))
        box = (left + seen[0], top + seen[1], left + seen[2], top + seen[3])
        if all(box[0] > b[2] or box[2] < b[0] or box[1] > b[3] or box[3] < b[1] for b in taken):
            image.paste(colors, (left, top), alpha)
            return box
    return None


def _ground(rng: Rng, kind: int, side: int) -> Image.Image:
    """Draw a plain, light, dark or gradient background."""
    if kind == 3:
        corners = rng.integers(150, 255, (2, 2, 3), dtype=np.uint8)
        return Image.fromarray(corners).resize((side, side), Image.Resampling.BICUBIC)
    light = tuple(int(value) for value in rng.integers(200, 250, 3))
    dark = tuple(int(value) for value in rng.integers(10, 60, 3))
    return Image.new("RGB", (side, side), ("white", light, dark)[kind])


def _roundel(rng: Rng) -> Image.Image:
    """Draw a ring with a lettered bar."""
    image = Image.new("RGBA", (_BIG, _BIG))
    draw = ImageDraw.Draw(image)
    draw.ellipse((40, 40, 472, 472), outline=(*_near(rng, (205, 25, 45)), 255), width=78)
    draw.rectangle((8, 210, 504, 302), fill=(*_near(rng, (25, 55, 190)), 255))
    draw.text((256, 256), "METRIC", font=ImageFont.load_default(76), fill=(255, 255, 255, 255), anchor="mm")
    return image


def _peak(rng: Rng) -> Image.Image:
    """Draw a mountain peak above a name."""
    image = Image.new("RGBA", (_BIG, _BIG))
    draw = ImageDraw.Draw(image)
    draw.polygon([(256, 30), (490, 420), (22, 420)], fill=(*_near(rng, (245, 185, 20)), 255))
    draw.polygon([(256, 30), (310, 120), (256, 160), (200, 120)], fill=(255, 255, 255, 255))
    draw.polygon([(150, 420), (256, 250), (362, 420)], fill=(*_near(rng, (60, 40, 30)), 255))
    draw.text((256, 462), "alpina", font=ImageFont.load_default(84), fill=(*_near(rng, (90, 60, 40)), 255), anchor="mm")
    return image


def _wordmark(rng: Rng) -> Image.Image:
    """Draw a name with a swoosh and a dot."""
    image = Image.new("RGBA", (_BIG, _BIG))
    draw = ImageDraw.Draw(image)
    green = (*_near(rng, (20, 140, 70)), 255)
    draw.text((256, 230), "Boggle", font=ImageFont.load_default(150), fill=green, anchor="mm", stroke_width=4)
    draw.arc((60, 160, 452, 400), 25, 155, fill=(*_near(rng, (240, 120, 10)), 255), width=26)
    draw.ellipse((410, 96, 460, 146), fill=(*_near(rng, (240, 120, 10)), 255))
    return image


LOGOS: dict[str, Callable[[Rng], Image.Image]] = {"metric": _roundel, "alpina": _peak, "boggle": _wordmark}


def _near(rng: Rng, color: tuple[int, int, int]) -> tuple[int, ...]:
    return tuple(int(value) for value in np.clip(np.array(color) + rng.normal(0, 10, 3), 0, 255))
