"""A canvas for the demo's pictures: land, roads, trees and litter; grain and light are laid over it."""

import functools
import io
import math
import random

import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 800, 600  # Of the drawing; the picture is made smaller.
SIZE = (640, 480)
HORIZON = 220
QUALITY = 82
GRAIN = 5.0
Colour = tuple[int, int, int]
CORNERS = ((-1, -0.6), (1, -0.6), (1, 0.6), (-1, 0.6))
Dots = list[tuple[float, float]]
GREENS: tuple[Colour, ...] = ((70, 104, 58), (86, 120, 62), (98, 130, 74), (62, 92, 60))
EARTH: tuple[Colour, ...] = ((132, 104, 72), (120, 92, 64), (146, 118, 84))
LITTER: tuple[Colour, ...] = (
    (226, 226, 222),
    (196, 64, 52),
    (70, 118, 178),
    (216, 186, 70),
    (60, 60, 62),
    (150, 200, 170),
)


class Canvas:
    """A picture being drawn, with the chance that makes it this one and no other."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.image = Image.new("RGB", (WIDTH, HEIGHT))
        self.draw = ImageDraw.Draw(self.image)

    def shade(self, colour: Colour, spread: int = 12) -> Colour:
        """The colour, a little lighter or darker."""
        by = self.rng.randint(-spread, spread)
        return tuple(max(0, min(255, c + by)) for c in colour)  # type: ignore[return-value]

    def area(self, dots: Dots, colour: Colour) -> None:
        """A filled shape."""
        self.draw.polygon(dots, fill=colour)

    def blob(
        self, x: float, y: float, width: float, height: float, colour: Colour, rough: float = 0.25
    ) -> None:
        """A round shape with an uneven edge."""
        dots = []
        for step in range(18):
            turn, reach = step * math.tau / 18, 1 + self.rng.uniform(-rough, rough)
            dots.append((x + math.cos(turn) * width / 2 * reach, y + math.sin(turn) * height / 2 * reach))
        self.area(dots, colour)

    def land(self) -> None:
        """Sky, two lines of hills, and green ground."""
        top, low = self.shade((128, 166, 204), 26), self.shade((214, 224, 228), 14)
        for line in range(HORIZON):
            part = line / HORIZON
            self.draw.line(
                [(0, line), (WIDTH, line)],
                fill=tuple(round(a + (b - a) * part) for a, b in zip(top, low, strict=True)),
            )
        for depth, colour in ((70, (132, 152, 150)), (34, (92, 118, 92))):
            dots: Dots = [(0, HORIZON + 20)]
            for ridge in range(0, WIDTH + 81, 80):
                dots.append((ridge, HORIZON - depth + self.rng.randint(-26, 26)))
            self.area([*dots, (WIDTH, HORIZON + 20)], self.shade(colour))
        self.draw.rectangle([0, HORIZON, WIDTH, HEIGHT], fill=self.shade(self.rng.choice(GREENS)))
        for _tuft in range(60):
            x, y = self.rng.uniform(0, WIDTH), self.rng.uniform(HORIZON, HEIGHT)
            size = 6 + (y - HORIZON) / 14
            self.blob(x, y, size * 2, size, self.shade(self.rng.choice(GREENS), 16))

    def road(self, left: float = 0.18, right: float = 0.86) -> float:
        """A concrete road that runs away from the eye; returns the x of its far end."""
        far = WIDTH * self.rng.uniform(0.42, 0.6)
        grey = self.shade((158, 156, 150), 14)
        self.area(
            [(far - 18, HORIZON), (far + 18, HORIZON), (WIDTH * right, HEIGHT), (WIDTH * left, HEIGHT)], grey
        )
        for part in (0.12, 0.3, 0.6):
            y = HORIZON + (HEIGHT - HORIZON) * part
            x1, x2 = far - 18 + (WIDTH * left - far + 18) * part, far + 18 + (WIDTH * right - far - 18) * part
            self.draw.line(
                [(x1, y), (x2, y)], fill=self.shade((136, 134, 128), 6), width=max(1, round(4 * part))
            )
        return far

    def tree(self, x: float, y: float, height: float, colour: Colour | None = None) -> None:
        """A tree standing at (x, y)."""
        self.draw.rectangle(
            [x - height / 24, y - height * 0.7, x + height / 24, y], fill=self.shade((92, 72, 52))
        )
        for _leaf in range(7):
            dx, dy = self.rng.uniform(-0.22, 0.22) * height, self.rng.uniform(-0.95, -0.45) * height
            self.blob(
                x + dx,
                y + dy,
                height * 0.42,
                height * 0.36,
                self.shade(colour or self.rng.choice(GREENS), 14),
            )

    def litter(self, x: float, y: float, width: float, height: float, pieces: int) -> None:
        """Bags, bottles and boxes scattered over an area."""
        for _piece in range(pieces):
            px, py = x + self.rng.gauss(0, width / 4), y + self.rng.gauss(0, height / 4)
            size = self.rng.uniform(8, 26)
            colour = self.shade(self.rng.choice(LITTER), 22)
            if self.rng.random() < 0.5:
                self.blob(px, py, size * 1.4, size, colour, 0.35)
            else:
                turn, half = self.rng.uniform(-0.5, 0.5), size / 2
                across, up = (
                    (math.cos(turn) * half, math.sin(turn) * half),
                    (-math.sin(turn) * half, math.cos(turn) * half),
                )
                self.area(
                    [(px + a * across[0] + b * up[0], py + a * across[1] + b * up[1]) for a, b in CORNERS],
                    colour,
                )

    def finish(self, light_of_day: random.Random) -> bytes:
        """The picture with grain and uneven light, as a JPEG file; another light makes it another shot."""
        small = self.image.resize(SIZE, Image.Resampling.BILINEAR)  # Smooths the edges as well.
        light = np.linspace(light_of_day.uniform(0.86, 1.0), light_of_day.uniform(0.98, 1.12), SIZE[0]) * 128
        pixels = (
            np.asarray(small).astype(np.int16) * light.astype(np.int16)[None, :, None]
        ) >> 7  # Sixteen bits: it is fast.
        grain = np.roll(
            grain_sheet(), (light_of_day.randrange(SIZE[1]), light_of_day.randrange(SIZE[0])), axis=(0, 1)
        )
        made = Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))
        file = io.BytesIO()
        made.save(file, "JPEG", quality=QUALITY)
        return file.getvalue()


@functools.cache
def grain_sheet() -> np.ndarray:
    """A sheet of film grain, drawn once; every picture takes it from another corner."""
    coarse = np.random.default_rng(1).normal(0, GRAIN, (SIZE[1] // 2, SIZE[0] // 2, 1)).astype(np.int16)
    return coarse.repeat(2, axis=0).repeat(2, axis=1)
