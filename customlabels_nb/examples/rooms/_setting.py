"""Where and when a picture is taken: viewpoint, time of day, light, and the camera's character."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from customlabels_nb.examples._drawing import OVERSAMPLE, Camera, Colour, Light, Scene, rgb
from customlabels_nb.examples._photo import photograph
from customlabels_nb.examples._shapes import Frame, Palette, palette
from customlabels_nb.examples.rooms._furnishings import pictures, plant, shelf
from customlabels_nb.examples.rooms._shell import Room, room, sky_colours, sunlight, window

MOODS = ("day", "golden", "grey", "night")
_INDOORS: dict[str, tuple[Colour, Colour]] = {
    "day": ((0.66, 0.68, 0.71), (0.62, 0.59, 0.53)),
    "golden": ((0.63, 0.60, 0.62), (0.74, 0.56, 0.37)),
    "grey": ((0.68, 0.69, 0.72), (0.36, 0.36, 0.37)),
    "night": ((0.46, 0.46, 0.56), (0.80, 0.62, 0.42)),
}
_OUTDOORS: dict[str, tuple[Colour, Colour]] = {
    "day": ((0.64, 0.66, 0.70), (0.56, 0.53, 0.46)),
    "golden": ((0.60, 0.57, 0.61), (0.64, 0.49, 0.32)),
    "grey": ((0.72, 0.74, 0.77), (0.16, 0.16, 0.16)),
    "night": ((0.46, 0.48, 0.66), (0.26, 0.23, 0.22)),
}


def pick(rng: np.random.Generator, *shares: float) -> int:
    """An index drawn with these shares."""
    return int(rng.choice(len(shares), p=np.array(shares) / sum(shares)))


@dataclass(frozen=True)
class Setting:
    """A room at a time of day, with the wall and place of its window."""

    room: Room
    mood: str
    light_wall: Frame
    light_u: float

    @property
    def rng(self) -> np.random.Generator:
        return self.room.scene.rng

    @property
    def kit(self) -> Palette:
        return self.room.kit

    @property
    def lamps_on(self) -> bool:
        return self.mood == "night" or bool(self.rng.random() < 0.25)

    def along(self, wall: Frame, z: float) -> float:
        """The u of a side wall's frame at ``z`` metres from the viewer's end of the room."""
        return z - self.room.depth / 2 if wall is self.room.left else self.room.depth / 2 - z

    def main_wall(self, back: float) -> Frame:
        """The back wall, with that probability, or the side wall that the view is turned to."""
        if self.rng.random() < back:
            return self.room.back
        return self.room.right if self.room.scene.camera.axes[2][0] > 0 else self.room.left

    def other_walls(self, used: Frame) -> list[Frame]:
        """The walls seen, without one of them."""
        return [wall for wall in (self.room.left, self.room.back, self.room.right) if wall is not used]

    def window(self, wide: float = 1.3, low: float = 0.95, high: float = 2.1, *, curtains: bool = True) -> None:
        """The window that the light comes from, and the sun that it throws on the floor."""
        u, wall, rng = self.light_u, self.light_wall, self.rng
        window(
            wall,
            u - wide / 2,
            u + wide / 2,
            low,
            high,
            self.kit,
            self.mood,
            curtains=curtains,
            panes=int(rng.integers(1, 4)),
        )
        if self.mood in ("day", "golden") and rng.random() < 0.8:
            colour = rgb("fff1d6") if self.mood == "day" else rgb("ffca85")
            sunlight(
                self.room.scene, wall, u - wide / 2, u + wide / 2, low, high, float(rng.uniform(0.3, 0.55)), colour
            )

    def adorn(self, wall: Frame, u: float, v: float = 1.6) -> None:
        """Something for a bare stretch of wall: pictures or a shelf, or nothing."""
        kind = pick(self.rng, 0.5, 0.2, 0.3)
        if kind == 0:
            pictures(wall, u, v, self.kit)
        elif kind == 1:
            shelf(wall, u, v, float(self.rng.uniform(0.7, 1.1)), self.kit)

    def potted(self, x: float, z: float, height: float) -> None:
        """A plant on the floor, at a place in the room."""
        frame, kit = self.room.floor(x, z), self.kit
        frame.put(lambda f: plant(f, kit, height), (-0.16, 0.16, -0.16, 0.16))

    def photo(self, size: tuple[int, int]) -> Image.Image:
        """Paint what waits to be painted, and take the picture."""
        self.room.scene.cast()
        self.room.scene.finish_painting()
        return develop(self.room.scene, size, self.mood)


def interior(
    rng: np.random.Generator,
    size: tuple[int, int],
    *,
    width: tuple[float, float],
    depth: tuple[float, float],
    lens: tuple[float, float] = (0.66, 0.88),
    swing: float = 1.0,
) -> Setting:
    """A room of a size drawn from those ranges, seen from its near end; ``swing`` scales how far the view turns."""
    w, d = float(rng.uniform(*width)), float(rng.uniform(*depth))
    kit, mood = palette(rng), MOODS[pick(rng, 0.5, 0.2, 0.16, 0.14)]
    eye = (float(rng.uniform(-0.32, 0.32)) * w, float(rng.uniform(1.15, 1.75)), float(rng.uniform(-0.9, 0.1)))
    aim = (float(rng.uniform(-0.3, 0.3)) * w * swing, d)
    yaw = math.degrees(math.atan2(aim[0] - eye[0], aim[1] - eye[2]))
    pitch = -math.degrees(math.atan2(eye[1] - rng.uniform(0.75, 1.05), d - eye[2])) + float(rng.normal(0, 1.5))
    canvas = (size[0] * OVERSAMPLE, size[1] * OVERSAMPLE)
    camera = Camera(eye, yaw, pitch, float(rng.normal(0, 1.6)), float(rng.uniform(*lens)), canvas)
    ambient, key = _INDOORS[mood]
    strength = float(rng.uniform(0.9, 1.1))
    scene = Scene(
        canvas,
        camera,
        Light((ambient[0] * strength, ambient[1] * strength, ambient[2] * strength), key, (0, 2, 0)),
        rng,
    )
    r = room(scene, kit, w, d, float(rng.uniform(2.4, 2.75)))
    wall = (r.left, r.back, r.right)[pick(rng, 0.36, 0.28, 0.36)]
    z = d * float(rng.uniform(0.55, 0.8))
    u = float(rng.uniform(-0.28, 0.28)) * w if wall is r.back else (z - d / 2 if wall is r.left else d / 2 - z)
    scene.light.position = (
        (float(rng.uniform(-0.3, 0.3)) * w, 2.0, d * 0.6) if mood == "night" else wall.at(u, 1.75, 1.0)
    )
    scene.light.reach = float(rng.uniform(2.6, 3.8))
    return Setting(r, mood, wall, u)


def exterior(
    rng: np.random.Generator,
    size: tuple[int, int],
    *,
    height: tuple[float, float] = (1.4, 2.2),
    pitch: tuple[float, float] = (-9, -2),
) -> tuple[Scene, Palette, str]:
    """An empty place under the sky: the scene with the sky painted, a palette, and the time of day."""
    kit, mood = palette(rng), MOODS[pick(rng, 0.46, 0.27, 0.19, 0.08)]
    canvas = (size[0] * OVERSAMPLE, size[1] * OVERSAMPLE)
    eye = (float(rng.uniform(-1.2, 1.2)), float(rng.uniform(*height)), 0.0)
    camera = Camera(
        eye,
        float(rng.uniform(-14, 14)),
        float(rng.uniform(*pitch)),
        float(rng.normal(0, 1.6)),
        float(rng.uniform(0.66, 0.9)),
        canvas,
    )
    ambient, key = _OUTDOORS[mood]
    sun = (float(rng.uniform(-0.9, 0.9)), float(rng.uniform(0.45, 0.9)), float(rng.uniform(-0.9, -0.3)))
    scene = Scene(canvas, camera, Light(ambient, key, None, direction=sun), rng)
    _sky(scene, mood)
    return scene, kit, mood


def _sky(scene: Scene, mood: str) -> None:
    rng = scene.rng
    above, below = (np.array(c) for c in sky_colours(rng, mood))
    rows = np.linspace(0, 1, 16)[:, None]
    column = above + (below - above) * np.clip(rows / 0.62, 0, 1) ** 1.2
    small = Image.fromarray(np.clip(column, 0, 255).astype(np.uint8).reshape(16, 1, 3))
    scene.image.paste(small.resize(scene.size, Image.Resampling.BICUBIC), (0, 0))
    clouds: list[tuple[list[tuple[float, float]], float]] = []
    width, height = scene.size
    for _ in range(int(rng.integers(1, 5))):
        x, y, size = rng.uniform(0, width), rng.uniform(0, height * 0.32), width * rng.uniform(0.03, 0.06)
        for _ in range(9):
            cx, cy, r = x + rng.normal(0, 2.0) * size, y + rng.normal(0, 0.28) * size, size * rng.uniform(0.5, 1.1)
            ring = [
                (cx + math.cos(a) * r * 1.6, cy + math.sin(a) * r * 0.6)
                for a in np.linspace(0, 2 * math.pi, 14, endpoint=False)
            ]
            clouds.append((ring, 0.16 if mood == "night" else 0.75))
    tone = {"golden": (255, 232, 205), "grey": (236, 238, 240)}.get(mood, (252, 253, 255))
    scene.soft(clouds, tone, 0.008)


def develop(scene: Scene, size: tuple[int, int], mood: str, *, quiet: bool = False) -> Image.Image:
    """The finished photo, with the colour cast of its hour and a camera's unevenness (little of it if ``quiet``)."""
    rng = scene.rng
    cast = {
        "day": (1.0, 1.0, 0.985),
        "golden": (1.03, 1.0, 0.95),
        "grey": (0.985, 1.0, 1.015),
        "night": (1.02, 0.99, 0.98),
    }[mood]
    spread = 0.008 if quiet else 0.018
    r, g, b = (c * float(rng.normal(1, spread)) for c in cast)
    return photograph(
        scene, size, tint=(r, g, b), exposure=float(rng.uniform(0.96, 1.1) if quiet else rng.uniform(0.92, 1.16)),
        vignette=float(rng.uniform(0.05, 0.3)), grain=float(rng.uniform(1.0, 3.2)),
        bloom=float(rng.uniform(0.1, 0.4)), soft=bool(rng.random() < 0.4),
    )  # fmt: skip
