"""How a failure is kept in a table: short, and without the data it was about."""

import re

from sqlalchemy.exc import DBAPIError

LONGEST = 500
NUMBERS = re.compile(r"\d{7,}")  # Telephone and identity numbers are that long; no line of ours is.


def describe(error: BaseException) -> str:
    """The kind of error and what it says. Of the database's only the first line: the rest quotes rows."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        diag = getattr(error.orig, "diag", None)
        said = getattr(diag, "message_primary", None) or str(error.orig).partition("\n")[0]
        return masked(f"{type(error.orig).__name__}: {said}")
    return masked(f"{type(error).__name__}: {error}")


def masked(text: str) -> str:
    """The words without long numbers, and not too many of them."""
    return NUMBERS.sub("…", text)[:LONGEST]
