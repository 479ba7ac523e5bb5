"""Identities for made-up rows: time-ordered like all others, and the same every time for the same seed and
moment.
"""

import random
from datetime import datetime
from uuid import UUID


def uuid7_at(at: datetime, rng: random.Random) -> UUID:
    """A UUIDv7 (RFC 9562) of a given moment, its other bits from `rng`.

    Lists sorted by identity stay in order of time.
    """
    milliseconds = int(at.timestamp() * 1000)
    bits = milliseconds << 80 | 0x7 << 76 | rng.getrandbits(12) << 64 | 0b10 << 62 | rng.getrandbits(62)
    return UUID(int=bits)
