"""The demo's pictures, drawn by a process of their own before they are needed: half of the time of an issue was its photos."""

import itertools
import multiprocessing
import os
import random
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from types import TracebackType
from typing import Self

from gridgov.demo import pictures
from gridgov.processes import die_with_parent


class Darkroom:
    """Takes orders for pictures. The same orders in the same order give the same pictures, no two of them alike."""

    def __init__(self) -> None:
        self._lights = itertools.count()
        # Spawned, not forked: a copy of this process would hold its database connection too.
        self._pool = ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), initializer=die_with_parent, initargs=(os.getpid(),)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def order(self, scene: str, bad: bool, look: str, n: int) -> Callable[[], bytes]:
        """Have a picture drawn; what is returned waits for it. `look` names the surroundings, `n` the shot of them."""
        return self._pool.submit(draw, scene, bad, f"{look}/{n}", next(self._lights)).result


def draw(scene: str, bad: bool, look: str, light: int) -> bytes:
    """A picture, before or after; those of one look show the same surroundings, each in another light."""
    return pictures.draw(scene, bad, random.Random(look), light)
