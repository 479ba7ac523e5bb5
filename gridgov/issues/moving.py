"""A move as a page's form sends it: made, or refused with everything that shows the form again as it was.

A refusal is an outcome here and not an exception: photos that came with the form stay, so that nobody takes them twice.
"""

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from flask import request

from gridgov.db import session
from gridgov.errors import Conflict, IllegalTransition, Invalid, NotPermitted
from gridgov.i18n import _, pick
from gridgov.issues import actions, drafts, flow, forms, words
from gridgov.issues.models import Issue, IssueEvent
from gridgov.people import queries as people
from gridgov.people.models import Person
from gridgov.workflow import Transition


@dataclass(frozen=True)
class Attempt:
    """How it ended. `status` is 200 when made; else 422 or 409 with the refusal, and what the form held as `values`."""

    name: str
    status: int = 200
    notice: str = ""
    errors: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)


def attempt(person: Person, issue: Issue) -> Attempt:
    """Make the move that the request's form asks for. Raises NotPermitted for what the person's posts do not allow."""
    name = request.form.get("name", "")
    transition = flow.current().transitions.get(name)
    if transition is not None:
        require(person, transition, issue)
    sent = drafts.Photos(person, photo_fields(transition))
    values = forms.entered() | sent.kept()
    try:
        name, data, expected = forms.read_move(person, sent.of)
        if sent.errors:
            raise Invalid(_("Please check what you entered."), errors=sent.errors)
        with session.begin_nested():  # What an effect had begun before it refused is undone; the photos stay.
            actions.act(issue, name, actor=person, data=data, expected=expected)
    except Invalid as error:
        errors = drafts.plain(error.errors) | sent.errors
        return Attempt(name, 422, "" if errors else error.message, errors, values)
    except (Conflict, IllegalTransition) as error:
        if isinstance(error, Conflict) and _made_already(person, issue, name):
            return Attempt(name)
        return Attempt(name, error.status, error.message, {}, values)
    return Attempt(name)


def require(person: Person, transition: Transition, issue: Issue) -> None:
    """Raise NotPermitted unless the person is one of those who make this move. Before any photo is taken in."""
    if not transition.by & flow.actors(person, issue, people.live_posts(person)):
        raise NotPermitted(_("Your post does not allow “%(step)s” here.", step=pick(transition.label)))


def photo_fields(transition: Transition | None) -> list[str]:
    """The fields of a move that take photos."""
    return (
        [spec.name for spec, _needed in words.fields(transition) if spec.kind == "photos"]
        if transition
        else []
    )


def _made_already(person: Person, issue: Issue, name: str) -> bool:
    """Whether the last thing somebody did was this very move by this person: a button pressed twice is no quarrel."""
    last = session.scalar(
        sa.select(IssueEvent)
        .where(IssueEvent.issue_id == issue.id, IssueEvent.actor_id.is_not(None))
        .order_by(IssueEvent.seq.desc())
        .limit(1)
    )
    return last is not None and last.name == name and last.actor_id == person.id
