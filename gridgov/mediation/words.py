"""What the pages of mediation call things, and what the panel on an issue's page shows."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from gridgov.i18n import _
from gridgov.issues.models import Category, Issue
from gridgov.mediation import actions, queries
from gridgov.mediation.models import Mediation, Outcome, Side, State
from gridgov.people.models import Person


def state(of: str) -> tuple[str, str, str]:
    """(label, tone, icon) of a file's state."""
    match State(of):
        case State.DRAFTING:
            return _("Being drafted"), "blue", "pencil"
        case State.SIGNING:
            return _("Being signed"), "amber", "writing"
        case State.CONCLUDED:
            return _("Agreement signed"), "green", "circle-check"
        case State.FAILED:
            return _("No agreement"), "grey", "circle-x"
        case State.ENDED:
            return _("Ended without result"), "grey", "circle-minus"
    raise AssertionError(of)


def explain(file: queries.File) -> str:
    """Where the file stands, in one sentence."""
    match file.mediation.state:
        case State.DRAFTING:
            return _(
                "Write down who is in dispute, about what, and what they agree. Then lay the text out to be signed."
            )
        case State.SIGNING:
            refused = [s.name for s in file.signed.values() if s.mark == "refused"]
            if refused:
                return _(
                    "%(names)s will not sign. Change the text, or close the file without an agreement.",
                    names="、".join(refused),
                )
            left = len(file.parties) + len(file.mediators) - len(file.signed)
            return _("The text is frozen. Still to sign: %(n)s. It is valid when all have signed.", n=left)
        case State.CONCLUDED:
            return _(
                "All have signed. Nothing changes any more, except what is found on the follow-up dates."
            )
    return file.mediation.reason


def side(of: str) -> str:
    """What a side is called."""
    return {Side.APPLICANT: _("Applicant"), Side.RESPONDENT: _("Respondent"), Side.OTHER: _("Other party")}[
        Side(of)
    ]


def sides() -> list[tuple[str, str]]:
    """The sides, for a select."""
    return [(str(each), side(each)) for each in Side]


def outcome(of: str) -> str:
    """What came of a sitting."""
    return {
        Outcome.AGREED: _("Agreed"),
        Outcome.NOT_AGREED: _("Not agreed"),
        Outcome.ADJOURNED: _("Adjourned"),
    }[Outcome(of)]


def outcomes() -> list[tuple[str, str]]:
    """The outcomes, for a choice."""
    return [(str(each), outcome(each)) for each in Outcome]


@dataclass(frozen=True)
class Shown:
    """The panel on an issue's page: its files, which of them may be opened, and whether one can be begun."""

    issue: Issue
    files: list[Mediation]
    seen: set[UUID]
    may_open: bool


def panel(person: Person, issue: Issue, category: Category) -> Shown | None:
    """For disputes alone. The reporter sees that a file exists; only those whom it concerns see what is in it."""
    if not category.mediation:
        return None
    files = list(queries.of_issue(issue))
    may_open = issue.ended_at is None and queries.handles(person, issue) and not actions.standing(files)
    if not files and not may_open:
        return None
    return Shown(issue, files, queries.seen_of(person, issue) if files else set(), may_open)


def names() -> dict[str, Any]:
    """For templates."""
    return {
        "state": state,
        "explain": explain,
        "side": side,
        "sides": sides,
        "outcome": outcome,
        "outcomes": outcomes,
    }
