"""What a page keeps of a form that is refused, so that nothing has to be entered or photographed twice."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from flask import request

from gridgov.db import session
from gridgov.errors import DomainError, TooMany
from gridgov.i18n import _
from gridgov.issues import actions
from gridgov.people import limits
from gridgov.people.models import Person
from gridgov.photos import actions as photos, uploads


class Photos:
    """The photos that came with a form: files taken now, and ids of those that came with an earlier try.

    Each file is taken by itself: one that is no picture costs none of the others. `errors` says by field what
    was wrong.
    """

    def __init__(self, actor: Person, fields: Iterable[str]) -> None:
        self.taken: dict[str, list[UUID]] = {}
        self.earlier: dict[str, list[UUID]] = {}
        self.errors: dict[str, list[str]] = {}
        for field in fields:
            self.earlier[field] = sent_before(field)
            self.taken[field] = self._take(field, actor)

    def of(self, field: str) -> list[UUID]:
        """What was taken now, as gridgov.issues.forms wants it."""
        return self.taken.get(field, [])

    def kept(self) -> dict[str, list[UUID]]:
        """Everything by field, to be shown again."""
        return {field: [*self.earlier[field], *self.taken[field]] for field in self.taken}

    def _take(self, field: str, actor: Person) -> list[UUID]:
        files = uploads.received(field)
        room = max(0, actions.MAX_PHOTOS - len(self.earlier[field]))
        if len(files) > room:
            self.errors[field] = [_("At most %(n)s photos.", n=actions.MAX_PHOTOS)]
        found = []
        for file in files[:room]:
            try:
                with session.begin_nested():
                    limits.hit("upload_rate", str(actor.id))
                    found.append(photos.take(file.stream, actor=actor).id)
            except DomainError as error:
                self.errors.setdefault(field, []).append(error.message)
                if isinstance(error, TooMany):
                    break
        return found


def sent_before(field: str) -> list[UUID]:
    """The ids under a field of the posted form, without what is none. Whose they are is checked when used."""
    found = []
    for text in request.form.getlist(field):
        try:
            found.append(UUID(text))
        except ValueError:
            continue  # Nobody's photo; the schema refuses the form for it.
    return found[: actions.MAX_PHOTOS]


def plain(errors: Mapping[Any, Any]) -> dict[str, Any]:
    """Refusals by field with marshmallow's own English put into plain words; ours are plain already."""
    return {str(name): _plain(str(name), messages) for name, messages in errors.items()}


def _plain(name: str, messages: Any) -> list[str]:
    if isinstance(messages, Mapping):
        return [text for part in messages.values() for text in _plain(name, part)]
    return [_sentence(name, str(text)) for text in ([messages] if isinstance(messages, str) else messages)]


def _sentence(name: str, text: str) -> str:
    if text.startswith(
        ("Missing data", "Field may not be null", "Shorter than", "Length must be", "String does not match")
    ):
        needed = {
            "text": _("Please say in a few words what is the matter."),
            "category": _("Please choose what it is about."),
        }
        return needed.get(name, _("This is needed."))
    if match := re.match(r"Longer than maximum length (\d+)", text):
        return _("Please shorten it to %(n)s characters.", n=match[1])
    if text.startswith(
        ("Not a valid", "Must be", "Invalid", "Special numeric", "Number too large", "Unknown field")
    ):
        return _("This cannot be right; please enter it again.")
    return text
