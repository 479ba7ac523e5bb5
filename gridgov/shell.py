"""What stands around the pages: where somebody lands after signing in, and the navigation for their posts."""

from collections.abc import Iterator
from typing import Any

from flask import Flask, g, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.local import LocalProxy

from gridgov import delays
from gridgov.deadletters import queries as deadletters
from gridgov.display import NavItem
from gridgov.i18n import _
from gridgov.issues import queries as issues
from gridgov.issues.desk import has_desk
from gridgov.notices import queries as notices
from gridgov.people import queries as people
from gridgov.people.models import Person, Role

PARTS = ("live-part", "live-issue")
"""Elements of pages that a script asks for alone: gridgov/frontend/src/js/renew.js."""


class Navigation:
    """The entries, made when a page shows them: one that shows none, for a failed database, asks nothing."""

    def __iter__(self) -> Iterator[NavItem]:
        if not current_user.is_authenticated:
            return iter(())
        if "navigation" not in g:
            g.navigation = _items(current_user)
        return iter(g.navigation)


def init_app(app: Flask) -> None:
    """Add the start page, and give templates `nav`, `unread` and `home`."""
    app.add_url_rule("/", "start", start, methods=["GET"])
    app.add_url_rule("/badges", "badges", badges, methods=["GET"])
    app.context_processor(_names)


def start() -> ResponseReturnValue:
    """Lead to where this person's work is."""
    return redirect(url_for(landing(current_user)))


def badges() -> ResponseReturnValue:
    """The numbers of the navigation, for a page that was told that something changed."""
    return jsonify({item.endpoint: item.badge or 0 for item in _items(current_user)})


badges.unattended = True  # type: ignore[attr-defined]


def landing(person: Person) -> str:
    """The endpoint somebody begins at: the desk's queue, or what waits, or reporting."""
    if has_desk(person):
        return "desk.queue"
    if issues.handles(person):
        return "issues.todo"
    return "people.me" if Role.ADMINISTRATOR in people.roles(person) else "issues.report"


def _items(person: Person) -> list[NavItem]:
    here, desk, handles = request.endpoint, has_desk(person), issues.handles(person)
    waiting = issues.todo_count(person) if handles else 0
    wanted = [
        (desk, "desk.queue", _("Desk"), "inbox", waiting),
        (handles and not desk, "issues.todo", _("To do"), "list-check", waiting),
        (True, "issues.report", _("Report now"), "camera", 0),
        (True, "issues.mine", _("My reports"), "clipboard-list", 0),
        (True, "notices.inbox", _("Messages"), "bell", _unread()),
        (True, "people.me", _("Me"), "user-circle", 0),
    ]
    items = [NavItem(to, label, icon, here == to, n or None) for shown, to, label, icon, n in wanted if shown]
    if Role.AUDITOR in people.roles(person):
        to = "people.all_sign_ins"
        items.insert(-1, NavItem(to, _("Log of sign-ins"), "history", here == to, on="desk"))
        to = "identity.listing"
        items.insert(-1, NavItem(to, _("Looks at identities"), "lock", here == to, on="desk"))
    if Role.ADMINISTRATOR in people.roles(person):
        for to, label, icon, n in (
            ("worktime.calendar", _("Calendar"), "clock", 0), ("deliveries.troubled", _("Messages outside"), "send", 0),
            ("deadletters.listing", _("Dead letters"), "alert-triangle", sum(deadletters.counts())),
        ):  # fmt: skip
            items.insert(-1, NavItem(to, label, icon, here == to, n or None, on="desk"))
    return items


def _unread() -> int:
    if "unread" not in g:
        g.unread = notices.unread(current_user) if current_user.is_authenticated else 0
    return g.unread


def _home() -> str:
    """Where the arrow back leads from an issue: to the list of one's work, else to one's reports."""
    first = landing(current_user)
    return url_for(first if first in ("desk.queue", "issues.todo") else "issues.mine")


def _staff() -> bool:
    """Whether this person works here: holds a post that is more than living here."""
    return current_user.is_authenticated and bool(people.roles(current_user) - {Role.RESIDENT})


def _names() -> dict[str, Any]:
    return {
        "nav": Navigation(), "unread": LocalProxy(_unread), "home": LocalProxy(_home),
        "staff": LocalProxy(_staff), "messages_late": LocalProxy(delays.late),
        "asks_part": request.headers.get("HX-Target") in PARTS,
    }  # fmt: skip
