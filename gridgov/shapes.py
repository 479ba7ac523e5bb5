"""What marshmallow says of a wrong input, in our words: it speaks English only, and to programmers."""

import re
from collections.abc import Callable
from typing import Any

from gridgov.i18n import _

# What the library says, as patterns, and what we say instead.
SAID: list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = [
    (re.compile(pattern), words)
    for pattern, words in (
        (r"Missing data for required field\.|Field may not be null\.", lambda m: _("This is needed.")),
        (r"Unknown field\.", lambda m: _("This is not taken here.")),
        (r"Not a valid (string|text)\.", lambda m: _("This must be a text.")),
        (r"Not a valid (integer|number)\.|Special numeric values .*", lambda m: _("This must be a number.")),
        (r"Not a valid boolean\.", lambda m: _("This must be yes or no.")),
        (r"Not a valid UUID\.", lambda m: _("This is not an identity.")),
        (r"Not a valid (date|datetime|time|aware datetime)\.", lambda m: _("This is not a date or time.")),
        (
            r"Not a valid (list|mapping)\.|Invalid (input type|type)\.",
            lambda m: _("This has the wrong shape."),
        ),
        (r"Longer than maximum length (\d+)\.", lambda m: _("At most %(n)s, please.", n=m[1])),
        (r"Shorter than minimum length (\d+)\.", lambda m: _("At least %(n)s, please.", n=m[1])),
        (
            r"Length must be between (\d+) and (\d+)\.",
            lambda m: _("From %(a)s to %(b)s, please.", a=m[1], b=m[2]),
        ),
        (r"Length must be (\d+)\.", lambda m: _("Exactly %(n)s, please.", n=m[1])),
        (
            r"Must be greater than or equal to (\S+) and less than or equal to (\S+?)\.",
            lambda m: _("From %(a)s to %(b)s, please.", a=m[1], b=m[2]),
        ),
        (r"Must be greater than or equal to (\S+?)\.", lambda m: _("At least %(n)s, please.", n=m[1])),
        (r"Must be less than or equal to (\S+?)\.", lambda m: _("At most %(n)s, please.", n=m[1])),
        (r"Must be one of: (.*)\.", lambda m: _("One of these, please: %(choices)s.", choices=m[1])),
        (r"String does not match expected pattern\.", lambda m: _("This does not look right.")),
    )
]


def in_words(errors: Any) -> Any:
    """The messages of a ValidationError in the language spoken now; what is ours already stays as it is."""
    if isinstance(errors, dict):
        return {key: in_words(value) for key, value in errors.items()}
    if isinstance(errors, list):
        return list(dict.fromkeys(in_words(item) if isinstance(item, str) else str(item) for item in errors))
    for pattern, words in SAID:
        if match := pattern.fullmatch(str(errors)):
            return words(match)
    return str(errors)
