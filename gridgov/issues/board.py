"""What the desk shows: where somebody is on it, the tree of their grids, the list and its numbers, the issue in hand."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import url_for

from gridgov.db import session
from gridgov.errors import IllegalTransition, Invalid, NotPermitted
from gridgov.grids import queries as grids
from gridgov.i18n import _, pick
from gridgov.issues import choices, flow, moving, queries, queues, view
from gridgov.issues.models import Issue
from gridgov.issues.queues import Filter
from gridgov.people import queries as people, roles
from gridgov.people.models import Department, Person
from gridgov.people.roles import Sees

PAGE = 50
SENT_BY_HTMX = {
    "hx-target": "#detail",
    "hx-swap": "outerHTML show:none",
    "hx-sync": "this:drop",
    "hx-encoding": "multipart/form-data",
}


class Place:
    """Where somebody is on the desk: the filter, what is open, and the addresses of everything near by."""

    def __init__(self, person: Person, given: Mapping[str, Any]) -> None:
        kept = {name: given[name] for name in Filter.__dataclass_fields__ if given.get(name)}
        self.person = person
        self.handles = queries.handles(person)
        self.filter = Filter(**{"view": "mine" if self.handles else "all", **kept})
        self.issue: UUID | None = given.get("issue")
        self.move: str | None = given.get("move")
        self.cursor: str | None = given.get("cursor")
        self.root = url_for("desk.queue")
        self.params = {k: v for k, v in vars(self.filter).items() if v and (k, v) != ("sort", "due")}

    @property
    def listed(self) -> Filter:
        """What the list shows: open issues unless a state is chosen."""
        return self.filter if self.filter.state else replace(self.filter, state=queues.OPEN)

    @property
    def narrowed(self) -> bool:
        """Whether anything is left out besides what has ended."""
        return bool(set(self.params) - {"view", "sort"})

    def at(self, **changes: Any) -> str:
        """The desk's address with some parameters changed (None takes one out), the changed ones last.

        It leads to the top of the list, with no issue open unless one is named.
        """
        params = {k: v for k, v in self.params.items() if k not in changes}
        params |= {k: v for k, v in changes.items() if v is not None}
        return f"{self.root}?{urlencode(params)}"


# Who sits here --------------------------------------------------------------------------------------------------------


def has_desk(person: Person) -> bool:
    """Whether a post of this person is one of a desk that sees issues."""
    rules = roles.current()
    held = (rules[post.role] for post in people.live_posts(person))
    return any(rule.desk and rule.sees in (Sees.SUBTREE, Sees.DEPARTMENT) for rule in held)


def require_desk(person: Person) -> None:
    """Raise NotPermitted for everybody whose work is not at a desk."""
    if not has_desk(person):
        raise NotPermitted(_("The desk is for offices, departments and those who oversee them."))


def roots(person: Person) -> list[str]:
    """The grids at the top of somebody's tree: those of their posts, for a department the grid it belongs to."""
    reach = people.reach(person)
    codes = set(reach.grids)
    if reach.departments:
        codes |= {d.grid_code for d in people.departments() if d.id in reach.departments}
    return queues.widest(codes)


def office(person: Person, names: Mapping[str, str]) -> str:
    """What this desk is called: the grid or department of the first post at one. `names`: of the grids of the tree."""
    rules = roles.current()
    for post in people.live_posts(person):
        if rules[post.role].desk and post.department_id:
            return pick(session.get_one(Department, post.department_id).label)
        if rules[post.role].desk and post.grid_code and post.grid_code in names:
            return names[post.grid_code]
    return ""


# List and numbers -----------------------------------------------------------------------------------------------------


def list_context(place: Place) -> dict[str, Any]:
    """One page of the list. Raises Invalid for a filter that names nothing known."""
    page = queues.lines(place.person, place.listed, cursor=place.cursor, limit=PAGE)
    return {"page": page, "row_address": place.at(issue="")}


def counts_context(place: Place) -> dict[str, Any]:
    """The numbers above the list, and what its states are called."""
    return {"counts": queues.counts(place.person, place.filter), "states": flow.current().states}


def page_context(place: Place) -> dict[str, Any]:
    """Everything of a whole page but the issue in hand."""
    return {
        "grid_name": _grid_name(place.filter.grid), "categories": choices.majors(), "grades": choices.grades(),
        **tree_context(place), **list_context(place), **counts_context(place),
    }  # fmt: skip


def stamp(counts: queues.Counts) -> str:
    """Differs whenever an issue came, moved, ended, or changed its colour."""
    return f"{counts.open}.{counts.moves}.{counts.colours['red']}.{counts.colours['yellow']}"


def more_than(counts: queues.Counts, listed: str) -> int | None:
    """How many more open issues there are than when the list was drawn; None when nothing came, moved or ended."""
    if listed == f"{counts.open}.{counts.moves}":
        return None
    n = listed.split(".")[0]
    return max(0, counts.open - int(n)) if n.isdecimal() else 0


def _grid_name(code: str | None) -> str:
    """What the chosen grid is called. Raises Invalid when there is none of that code."""
    if not code:
        return ""
    names = grids.short_names([code])
    if code not in names:
        raise Invalid(_("There is no grid with this code."), field="grid")
    return names[code]


# The tree -------------------------------------------------------------------------------------------------------------


def tree_context(place: Place) -> dict[str, Any]:
    """The tree opened down to the grid that is chosen, what this desk is called, and where the tree's names lead."""
    nodes = [_node(place, code, "", None, leaf=False, top=True) for code in roots(place.person)]
    names = {node["code"]: node["name"] for node in nodes}
    return {"roots": nodes, "office": office(place.person, names), **tree_addresses(place)}


def tree_addresses(place: Place) -> dict[str, str]:
    """The beginnings of the tree's addresses, to which a code is added."""
    query = urlencode({k: v for k, v in place.params.items() if k != "grid"})
    return {
        "grid_address": place.at(grid=""),
        "branch_address": f"{place.root}/grids/",
        "branch_query": query,
    }


def _node(
    place: Place, code: str, name: str, n: int | None, *, leaf: bool, top: bool = False
) -> dict[str, Any]:
    chosen = place.filter.grid or ""
    children = None
    if not leaf and (top or (chosen.startswith(code) and chosen != code)):
        name, below = queues.branches(place.person, place.filter, code)
        children = [_node(place, each.code, each.name, each.n, leaf=each.leaf) for each in below]
    return {"code": code, "name": name, "n": n, "leaf": leaf, "top": top, "children": children}


# The issue in hand ----------------------------------------------------------------------------------------------------


def detail_context(place: Place, issue: Issue, **form: Any) -> dict[str, Any]:
    """What issues/_detail.html and _moves.html need at the desk. `form`: opened, errors, values, notice."""
    notice = form.pop("notice", "")
    post_url = url_for("desk.act", issue_id=issue.id, **place.params)
    return view.issue_context(place.person, issue, post_url=post_url, **form) | {
        "notice": notice,
        "moves_inside": True,
        "issue_url": place.at(issue=issue.id),
        "move_url": lambda name: place.at(issue=issue.id, move=name),
        "form_attrs": SENT_BY_HTMX | {"hx-post": post_url},
    }


def open_move(person: Person, issue: Issue, name: str | None) -> str | None:
    """The move whose form is asked for. Raises NotFound, NotPermitted or IllegalTransition when it cannot be opened."""
    if name is None:
        return None
    transition = flow.current().transitions.get(name)
    if transition is None:
        raise queries.out_of_sight()
    moving.require(person, transition, issue)
    if not any(open.name == name for open in queries.transitions(person, issue)):
        raise IllegalTransition(_("“%(step)s” is not possible now.", step=pick(transition.label)))
    return name
