"""Every refusal of the system, each with a stable code and an HTTP status.

A refusal is raised, never returned: raising rolls the transaction back, so bad input changes nothing.
The message is for the person who reads it, already in their language; the code is for programs.
"""

from pathlib import Path
from typing import Any


class DomainError(Exception):
    """A refusal that the person asking can understand. `code` is stable; `field` names the input at fault."""

    status = 422
    code = "refused"

    def __init__(
        self, message: str, *, code: str | None = None, field: str | None = None, **details: Any
    ) -> None:
        super().__init__(str(message))
        self.message = str(message)
        self.code = code or type(self).code
        self.field = field
        self.details = details

    @property
    def errors(self) -> dict[str, list[str]]:
        """Messages by field, empty when the refusal is not about one field."""
        return {self.field: [self.message]} if self.field else {}


class Invalid(DomainError):
    """Input of the wrong shape. `errors` maps each field to its messages."""

    code = "invalid"

    def __init__(self, message: str, *, errors: dict[str, Any] | None = None, **rest: Any) -> None:
        super().__init__(message, **rest)
        self._errors = errors or {}

    @property
    def errors(self) -> dict[str, Any]:
        """Messages by field, as marshmallow gives them."""
        return self._errors or super().errors


class Unauthenticated(DomainError):
    """Nobody is signed in, or the credential is wrong, expired or revoked."""

    status = 401
    code = "unauthenticated"


class NotPermitted(DomainError):
    """Seen, but not theirs to do."""

    status = 403
    code = "not_permitted"


class NotFound(DomainError):
    """Not there, or out of this person's sight: the two are not told apart."""

    status = 404
    code = "not_found"


class Conflict(DomainError):
    """Somebody was faster, or the same identity was used for something else."""

    status = 409
    code = "conflict"


class IllegalTransition(DomainError):
    """The workflow does not allow this move from the present state."""

    status = 409
    code = "illegal_transition"


class TooMany(DomainError):
    """Too many requests; `details["retry_after_s"]` says when to try again, in seconds."""

    status = 429
    code = "too_many"


class Unavailable(DomainError):
    """A part of the system is away for the moment; nothing was recorded."""

    status = 503
    code = "unavailable"


class PolicyError(ValueError):
    """A policy file (workflows/*.yaml) is wrong. Says file, line and reason, and stops the boot."""

    def __init__(self, path: str | Path, line: int | None, reason: str) -> None:
        self.path, self.line, self.reason = Path(path), line, reason
        super().__init__(f"{path}:{line if line is not None else '?'}: {reason}")


class ConfigError(ValueError):
    """A GRIDGOV_* variable is missing or wrong; the message names each."""
