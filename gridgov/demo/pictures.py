"""Pictures for the demo's issues: drawn scenes, before and after. Plain, without words, no two alike.

Each scene is a function of (canvas, whether it is still bad).
"""

import math
import random
from collections.abc import Callable

from gridgov.demo.canvas import EARTH, GREENS, HEIGHT, HORIZON, SIZE, WIDTH, Canvas, Colour, Dots

__all__ = ["SCENES", "SIZE", "draw"]


def draw(scene: str, bad: bool, rng: random.Random, shot: int = 0) -> bytes:
    """A JPEG file of a scene, `bad` as reported or else as it looks when it is done.

    Raises KeyError for no such scene.
    """
    canvas = Canvas(rng)
    SCENES[scene](canvas, bad)
    return canvas.finish(random.Random(shot))


def _pothole(c: Canvas, bad: bool) -> None:
    c.land()
    c.road()
    x, y = c.rng.uniform(320, 500), c.rng.uniform(420, 500)
    if not bad:
        c.area(
            [(x - 120, y - 34), (x + 110, y - 40), (x + 150, y + 44), (x - 150, y + 46)],
            c.shade((196, 194, 188)),
        )
        return
    c.blob(x, y, c.rng.uniform(210, 270), c.rng.uniform(80, 110), c.shade((118, 106, 92)))
    c.blob(x + 6, y + 4, c.rng.uniform(140, 190), c.rng.uniform(46, 64), c.shade((84, 74, 64)))
    c.blob(x + 10, y + 8, 90, 26, c.shade((112, 118, 122)))
    for _crack in range(5):
        dots: Dots = [(x + c.rng.uniform(-90, 90), y + c.rng.uniform(-30, 30))]
        for _step in range(4):
            dots.append((dots[-1][0] + c.rng.uniform(-46, 46), dots[-1][1] + c.rng.uniform(-24, 24)))
        c.draw.line(dots, fill=(92, 88, 82), width=3)
    for _stone in range(24):
        c.blob(x + c.rng.gauss(0, 110), y + c.rng.gauss(0, 44), 12, 8, c.shade((150, 144, 136), 24))


def _rail(c: Canvas, bad: bool) -> None:
    c.land()
    c.road(0.02, 0.66)
    gap = range(3, 5) if bad else range(0)
    for at in range(8):
        near = (at + 1) / 8
        x, y = 420 + near**1.4 * 330, HORIZON + 18 + near**1.7 * 330
        tall, next_near = 22 + near * 96, (at + 2) / 8
        x2, y2 = 420 + next_near**1.4 * 330, HORIZON + 18 + next_near**1.7 * 330
        tall2, metal = 22 + next_near * 96, c.shade((196, 200, 202), 8)
        if at in gap:
            c.draw.line([(x, y), (x + 26, y - tall * 0.35)], fill=c.shade((150, 120, 96)), width=9)
            c.area(
                [(x - 6, y), (x + 70, y + 24), (x + 66, y + 42), (x - 10, y + 16)], c.shade((176, 172, 166))
            )
            continue
        c.draw.line([(x, y), (x, y - tall)], fill=c.shade((170, 174, 176), 8), width=max(3, round(10 * near)))
        if at + 1 not in gap and at < 7:
            c.area([(x, y - tall), (x2, y2 - tall2), (x2, y2 - tall2 * 0.6), (x, y - tall * 0.6)], metal)
    if bad:
        c.litter(600, 470, 120, 40, 8)


def _river(c: Canvas, bad: bool) -> None:
    c.land()
    water = c.shade((92, 116, 112) if bad else (88, 132, 150), 10)
    c.area(
        [(250, HORIZON + 10), (520, HORIZON + 6), (WIDTH, 380), (WIDTH, 560), (60, HEIGHT), (0, 430)], water
    )
    for _ripple in range(34):
        x, y = c.rng.uniform(60, 760), c.rng.uniform(300, 560)
        c.draw.line(
            [(x, y), (x + c.rng.uniform(20, 70), y + c.rng.uniform(-2, 2))], fill=c.shade(water, 26), width=2
        )
    for x in (90, 160, 690):
        c.tree(x + c.rng.uniform(-20, 20), HORIZON + 60, c.rng.uniform(90, 140))
    if bad:
        x, y = c.rng.uniform(260, 480), c.rng.uniform(400, 470)
        for _weed in range(26):
            c.blob(x + c.rng.gauss(0, 120), y + c.rng.gauss(0, 38), 42, 18, c.shade((92, 128, 66), 18))
        c.litter(x, y, 420, 130, 70)


def _rubbish(c: Canvas, bad: bool) -> None:
    c.land()
    c.draw.rectangle([0, 120, WIDTH, 380], fill=c.shade((190, 176, 156)))
    for y in range(140, 380, 26):
        c.draw.line([(0, y), (WIDTH, y)], fill=c.shade((172, 158, 138), 6), width=2)
    c.draw.rectangle([0, 380, WIDTH, HEIGHT], fill=c.shade((150, 146, 138)))
    bin_x = c.rng.uniform(80, 180)
    c.area([(bin_x, 270), (bin_x + 110, 270), (bin_x + 100, 430), (bin_x + 10, 430)], c.shade((52, 104, 74)))
    c.area(
        [(bin_x - 8, 256), (bin_x + 118, 250), (bin_x + 114, 274), (bin_x - 4, 274)], c.shade((44, 88, 64))
    )
    if bad:
        x = c.rng.uniform(400, 500)
        for _bag in range(30):
            size = c.rng.uniform(40, 90)
            tone = c.rng.choice(((40, 40, 44), (200, 200, 196), (70, 96, 140), (150, 110, 80)))
            c.blob(
                x + c.rng.gauss(0, 110), 440 - abs(c.rng.gauss(0, 46)), size, size * 0.7, c.shade(tone, 18)
            )
        c.litter(x, 470, 520, 130, 90)
    else:
        for _flower in range(40):
            c.blob(
                c.rng.uniform(280, 760),
                c.rng.uniform(392, 430),
                16,
                14,
                c.shade(c.rng.choice(((196, 92, 112), (226, 196, 88), *GREENS)), 14),
            )


def _field(c: Canvas, bad: bool) -> None:
    c.land()
    for row in range(9):
        y = HORIZON + 20 + row**1.6 * 11
        c.draw.line([(0, y), (WIDTH, y + c.rng.uniform(-8, 8))], fill=c.shade((112, 100, 66)), width=2 + row)
        for x in range(0, WIDTH, 34):
            c.blob(x + c.rng.uniform(-8, 8), y + 8 + row, 16 + row * 2, 6 + row, c.shade((120, 148, 70), 18))
    if not bad:
        return
    c.area([(240, 360), (600, 340), (700, 470), (180, 500)], c.shade(c.rng.choice(EARTH)))
    c.draw.line(
        [(240, 360), (600, 340), (700, 470), (180, 500), (240, 360)], fill=c.shade((150, 148, 144)), width=14
    )
    for _stone in range(40):
        c.blob(
            c.rng.gauss(440, 90),
            c.rng.gauss(430, 34),
            c.rng.uniform(16, 40),
            c.rng.uniform(12, 26),
            c.shade((148, 142, 134), 22),
        )
    for x in (250, 420, 590):
        c.draw.rectangle([x, 270, x + 16, 400], fill=c.shade((168, 164, 158)))


def _slide(c: Canvas, bad: bool) -> None:
    c.land()
    c.road(0.3, 0.98)
    c.area([(0, 110), (250, 200), (330, 400), (240, HEIGHT), (0, HEIGHT)], c.shade(c.rng.choice(EARTH)))
    for _grass in range(30):
        c.blob(c.rng.uniform(0, 200), c.rng.uniform(150, 560), 40, 18, c.shade(c.rng.choice(GREENS), 16))
    if bad:
        c.area([(120, 330), (420, 360), (640, 430), (600, 520), (180, 540)], c.shade((124, 96, 66)))
        for _rock in range(60):
            size = c.rng.uniform(14, 64)
            c.blob(c.rng.gauss(380, 120), c.rng.gauss(440, 48), size, size * 0.7, c.shade((134, 116, 96), 26))
    else:
        c.area([(60, 240), (260, 260), (300, 520), (40, 560)], c.shade((78, 112, 170)))
        for x in (380, 520, 660):
            c.area([(x, 520), (x + 14, 460), (x + 28, 520)], c.shade((214, 96, 44)))


def _pole(c: Canvas, bad: bool) -> None:
    c.land()
    c.road()
    lean = c.rng.uniform(90, 140) if bad else 4.0
    foot = c.rng.uniform(560, 620)
    for x, ground, tall, tilt in ((230.0, 340, 180, 0.0), (foot, 500, 430, lean)):
        top = (x - tilt, ground - tall)
        c.draw.line([(x, ground), top], fill=c.shade((176, 172, 166), 6), width=16 if x == foot else 8)
        c.draw.line([(top[0] - 46, top[1] + 16), (top[0] + 46, top[1] + 16)], fill=(96, 94, 92), width=6)
    for side in (-40, 0, 40):
        sag = 80 if bad else 26
        start, end = (230 + side / 2, 174), (foot - lean + side, 88)
        dots = [
            (
                start[0] + (end[0] - start[0]) * t / 12,
                start[1] + (end[1] - start[1]) * t / 12 + sag * math.sin(math.pi * t / 12),
            )
            for t in range(13)
        ]
        c.draw.line(dots, fill=(46, 46, 48), width=3)
    c.tree(720, 470, 220)


def _house(c: Canvas, bad: bool) -> None:
    c.land()
    wall = c.shade(c.rng.choice(((214, 204, 186), (188, 112, 88), (200, 200, 196))))
    c.draw.rectangle([150, 210, 650, 500], fill=wall)
    c.area([(110, 220), (400, 90), (690, 220)], c.shade((92, 88, 90)))
    c.draw.rectangle([360, 350, 450, 500], fill=c.shade((96, 66, 46)))
    for x in (200, 510):
        c.draw.rectangle([x, 280, x + 100, 370], fill=c.shade((84, 108, 124)))
        c.draw.line([(x + 50, 280), (x + 50, 370)], fill=(226, 226, 222), width=6)
    c.draw.rectangle([0, 500, WIDTH, HEIGHT], fill=c.shade((158, 150, 138)))
    if bad:
        dots: Dots = [(c.rng.uniform(460, 500), 216)]
        while dots[-1][1] < 480:
            dots.append((dots[-1][0] + c.rng.uniform(-22, 30), dots[-1][1] + c.rng.uniform(20, 40)))
        c.draw.line(dots, fill=(58, 52, 48), width=9)
        c.blob(300, 160, 90, 40, (58, 54, 54))
        c.litter(560, 520, 180, 50, 26)
    else:
        c.tree(90, 520, 240)
        c.tree(720, 520, 200)


def _pipe(c: Canvas, bad: bool) -> None:
    c.land()
    c.road(0.0, 0.72)
    c.area([(520, 300), (700, 330), (WIDTH, 470), (WIDTH, HEIGHT), (600, HEIGHT)], c.shade((166, 160, 150)))
    c.draw.line([(430, 330), (780, 520)], fill=c.shade((70, 96, 120)), width=34)
    c.draw.line([(430, 322), (780, 510)], fill=c.shade((112, 140, 164)), width=8)
    if bad:
        x, y = c.rng.uniform(520, 600), c.rng.uniform(390, 430)
        for _jet in range(40):
            turn = c.rng.uniform(-2.6, -0.5)
            reach = c.rng.uniform(30, 130)
            c.draw.line(
                [(x, y), (x + math.cos(turn) * reach, y + math.sin(turn) * reach)],
                fill=c.shade((206, 220, 228)),
                width=3,
            )
        c.blob(x - 160, y + 90, 420, 110, c.shade((126, 138, 142)))
        c.blob(x - 130, y + 92, 300, 66, c.shade((156, 170, 176)))
    else:
        c.draw.line([(560, 396), (610, 424)], fill=c.shade((214, 214, 208)), width=44)


def _street(c: Canvas, bad: bool) -> None:
    c.land()
    for side in (0, 1):
        for at in range(4):
            x1, x2 = (at * 90, at * 90 + 88) if side == 0 else (WIDTH - at * 90 - 88, WIDTH - at * 90)
            top = 60 + at * 34
            c.draw.rectangle([x1, top, x2, 430 - at * 50], fill=c.shade((196, 184, 168), 22))
            for sill in range(top + 20, 330 - at * 40, 46):
                c.draw.rectangle([x1 + 20, sill, x2 - 20, sill + 24], fill=c.shade((96, 116, 130)))
    c.area([(360, 250), (440, 250), (WIDTH, HEIGHT), (0, HEIGHT)], c.shade((150, 148, 144)))
    c.draw.line([(400, 260), (400, HEIGHT)], fill=c.shade((222, 220, 210)), width=6)
    if bad:
        for at in range(14):
            left, y, size = c.rng.uniform(150, 480), c.rng.uniform(380, 540), c.rng.uniform(40, 90)
            tone = c.rng.choice(((168, 128, 82), (90, 110, 150), (180, 70, 60), (190, 188, 180)))
            c.draw.rectangle([left, y - size * 0.8, left + size, y], fill=c.shade(tone, 16))
            if at % 3 == 0:
                c.draw.ellipse([left, y - 12, left + 28, y + 16], fill=(44, 44, 46))
    for x in (610, 690):
        c.area([(x, 540), (x + 12, 486), (x + 24, 540)], c.shade((214, 96, 44)))


def _forest(c: Canvas, bad: bool) -> None:
    c.land()
    for row in range(3):
        for x in range(-20, WIDTH + 40, 90 - row * 6):
            colour: Colour | None = (150, 92, 52) if bad and c.rng.random() < 0.3 else None
            c.tree(
                x + c.rng.uniform(-20, 20), 330 + row * 90 + c.rng.uniform(-14, 14), 150 + row * 40, colour
            )
    if bad:
        for _stump in range(9):
            left, y = c.rng.uniform(80, 720), c.rng.uniform(480, 580)
            c.draw.rectangle([left, y - 26, left + 44, y], fill=c.shade((112, 84, 56)))
            c.draw.ellipse([left, y - 36, left + 44, y - 16], fill=c.shade((206, 172, 122)))


SCENES: dict[str, Callable[[Canvas, bool], None]] = {
    "pothole": _pothole,
    "rail": _rail,
    "river": _river,
    "rubbish": _rubbish,
    "field": _field,
    "slide": _slide,
    "pole": _pole,
    "house": _house,
    "pipe": _pipe,
    "street": _street,
    "forest": _forest,
}
