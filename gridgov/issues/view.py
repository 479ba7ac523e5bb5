"""Everything that the page of one issue shows, on the phone and at the desk."""

from collections.abc import Mapping
from typing import Any

from gridgov.db import utcnow
from gridgov.issues import clocks, followers, merged_view, panels, part_words, queries
from gridgov.issues.models import Issue
from gridgov.people.models import Person
from gridgov.worktime import queries as worktime


def issue_context(
    person: Person,
    issue: Issue,
    *,
    post_url: str,
    opened: str | None = None,
    errors: Mapping[str, Any] | None = None,
    values: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything that issues/_detail.html and issues/_moves.html need; they say what each part is."""
    moves, story = queries.transitions(person, issue), followers.story_for(person, issue)
    return {
        "story": story,
        "moves": moves,
        "now": utcnow(),
        "parts": part_words.shown(person, issue),
        "shifts": [shift for shift in worktime.moves_of(issue.id) if clocks.side(shift.kind) is None],
        "post_url": post_url,
        "opened": opened,
        "errors": dict(errors or {}),
        "values": dict(values or {}),
        "viewer": person,
        **merged_view.context(person, issue, moves),
        "panels": panels.of(person, issue, story.row.category),
    }
