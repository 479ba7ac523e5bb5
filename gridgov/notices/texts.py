"""What is said outside: number and title, and the way to the rest. No name, no phone number, no word of a report.

Of a confidential issue only the number is told, for its category may give somebody away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from gridgov.i18n import _, forced, ngettext, pick
from gridgov.issues import flow
from gridgov.issues.models import Category
from gridgov.notices import settings
from gridgov.notices.models import Channel

WARNED = "warn:"


@dataclass(frozen=True)
class Item:
    """One thing to be told: an event of an issue, to an audience."""

    issue_id: UUID
    number: str
    confidential: bool
    category: Category
    event: str
    audience: str


def compose(channel: Channel, language: str, items: Sequence[Item]) -> tuple[str, str]:
    """(subject, text) of one message about all of these, in this language."""
    with forced(language):
        lines = [line(item) for item in items]
        if len(lines) == 1:
            return lines[0], f"{lines[0]}\n{_link(f'/issues/{items[0].issue_id}')}".rstrip()
        count = ngettext("%(num)d message from the grid", "%(num)d messages from the grid", len(lines))
        if channel == Channel.SMS:  # Each line would cost as much as a message of its own.
            return count, f"{count} {_link('/inbox')}".rstrip()
        return count, "\n".join([count, *lines, _link("/inbox")]).rstrip()


def test(language: str) -> tuple[str, str]:
    """(subject, text) that somebody sends to see whether an address works."""
    with forced(language):
        return _("A test message"), _("This is a test message of the grid. Messages reach you here.")


def code(language: str, digits: str) -> tuple[str, str]:
    """(subject, text) with the code that proves that a mailbox is one's own."""
    with forced(language):
        words = _("Your code for messages of the grid: %(code)s. Nobody will ask you for it.", code=digits)
        return _("Confirm your address"), words


def line(item: Item) -> str:
    """One item in one line, in the language spoken now: WG-20261121-0042 您上报的“路面坑洼”：受理."""
    if item.confidential:
        return _("%(number)s: there is news", number=item.number)
    step = flow.current().transitions.get(item.event)
    about = {
        "category": pick({"zh": item.category.name, "en": item.category.name_en}),
        "step": pick(step.label) if step else _("New report"),
    }
    return f"{item.number} {sentence(item.audience, about)}"


def sentence(audience: str, about: Mapping[str, Any]) -> str:
    """What an event is to an audience, in one sentence. `about`: category and step, in words."""
    if audience == f"{WARNED}mediator":
        return _("Today, the mediation on %(category)s: see whether the agreement is kept", **about)
    if audience.startswith(WARNED):
        return _("Soon due, on %(category)s: please see to it", **about)
    match audience:
        case "reporter":
            return _("Your report on %(category)s: %(step)s", **about)
        case "looked":
            return _("Your identity was looked at, on %(category)s: see who and what for", **about)
        case "unit":
            return _("For you to see to, on %(category)s: %(step)s", **about)
        case "handler":
            return _("What you handled, on %(category)s: %(step)s", **about)
        case "left":
            return _("No longer with you, on %(category)s: %(step)s", **about)
        case "decider":
            return _("For you to decide, on %(category)s: %(step)s", **about)
        case "alarmed":
            return _("Grave, on %(category)s: %(step)s", **about)
        case "supervisor" | "instructor":
            return _("What you follow, on %(category)s: %(step)s", **about)
        case "checkers":
            return _("Nobody else can verify it, on %(category)s: %(step)s", **about)
        case "parts":
            return _("Your part, on %(category)s: %(step)s", **about)
        case "givers":
            return _("What you asked others to do, on %(category)s: %(step)s", **about)
        case "judges":
            return _("For you to decide on appeal, on %(category)s: %(step)s", **about)
        case "followers":
            return _("What you reported too, on %(category)s: %(step)s", **about)
        case "line":
            return _("On your line of work, on %(category)s: %(step)s", **about)
        case "above":
            return _("In your area, on %(category)s: %(step)s", **about)
    raise AssertionError(f"nothing is said to {audience!r}")


def _link(path: str) -> str:
    base = settings.current().public_url
    return f"{base}{path}" if base else ""
