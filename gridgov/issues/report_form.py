"""What the form for a report offers: the categories, those used most nearby first, and the places around."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import load_only

from gridgov.db import session, uuid7
from gridgov.errors import NotFound
from gridgov.grids import queries as grids
from gridgov.grids.models import Grid
from gridgov.i18n import _, pick
from gridgov.issues import answers, choices, patrols
from gridgov.issues.models import Category, Issue
from gridgov.people import queries as people
from gridgov.people.models import Person

FIELDS = ("id", "category", "text", "address", "grid_code", "lat", "lon", "accuracy_m", "confidential", "accused", "found_by")
ASKED = "asked"
"""Which category's questions the form has shown."""
FREQUENT = 6
PREFILLED_MAX = 200
LOOKED_AT = 500
VILLAGE, TOWNSHIP, CITY = 12, 9, 6


def blank(person: Person) -> dict[str, Any]:
    """An empty form. Who belongs to one village begins with the own grid as the place, to be corrected."""
    return {"id": str(uuid7()), "grid_code": _home(person), "photos": []}


def prefilled(given: Mapping[str, str]) -> dict[str, Any]:
    """What a link from elsewhere brings along: words, category, grid. The person still looks at it, and sends it."""
    return {name: given[name][:PREFILLED_MAX] for name in ("text", "category", "grid_code") if given.get(name)}


def posted(form: Mapping[str, str]) -> dict[str, Any]:
    """The form as it was sent."""
    values: dict[str, Any] = {name: form.get(name, "") for name in FIELDS}
    more = {name: form[name] for name in form if name == ASKED or name.startswith(answers.FIELD)}
    return values | more | {"id": values["id"] or str(uuid7()), "photos": []}


def context(person: Person, values: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that issues/report.html needs of the database, in six statements."""
    majors, root = choices.categories(), _city(person)
    places = _places(person, root)
    code = str(values.get("grid_code") or "")
    return {
        "values": values,
        "majors": majors,
        "frequent": _frequent(person, majors),
        "place": _place_words(code, values),
        "root": root,
        "places": places,
        "accusable": _accusable(places),
        "patrols": patrols.may(person),
    }


def for_nobody() -> dict[str, Any]:
    """What the form without a name offers, in three statements: the categories, every village, whom it may be about."""
    rows = session.execute(
        sa.select(Grid.code, Grid.short_name)
        .where(sa.func.length(Grid.code).in_((TOWNSHIP, VILLAGE)), Grid.closed_at.is_(None))
        .order_by(Grid.code)
    ).all()
    towns = [(row.code, row.short_name) for row in rows if len(row.code) == TOWNSHIP]
    under = {code: [(v.code, v.short_name) for v in rows if v.code[:TOWNSHIP] == code != v.code] for code, _name in towns}
    whole = _("%(town)s, not sure which village")
    places = [(name, [(code, whole % {"town": name}), *under[code]]) for code, name in towns]
    about = [(name, [(code, name), *under[code]]) for code, name in towns]
    return {"majors": choices.categories(), "places": places, "accusable": _accusable(about)}


def _accusable(places: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Whom a report may be about: the departments, and the grids that the form offers anyway."""
    departments = [(each.code, pick(each.label)) for each in people.departments()]
    # In the list of places a village stands as "not sure which group"; here it is meant itself.
    grids_there = [(name, [(code, name if n == 0 and len(code) == VILLAGE and len(group) > 1 and len(group[1][0]) > VILLAGE else words)
                           for n, (code, words) in enumerate(group)]) for name, group in places]  # fmt: skip
    return [(_("Departments"), departments), *grids_there] if departments else grids_there


def _codes(person: Person) -> list[str]:
    return sorted({post.grid_code for post in people.live_posts(person) if post.grid_code})


def _home(person: Person) -> str:
    """The one micro grid or village that all posts of this person lie in; nothing for several or for none."""
    codes = _codes(person)
    deepest = [code for code in codes if not any(other != code and other.startswith(code) for other in codes)]
    if len(deepest) == 1 and len(deepest[0]) >= VILLAGE:
        return deepest[0]
    villages = {code[:VILLAGE] for code in codes}
    return villages.pop() if len(villages) == 1 and all(len(code) >= VILLAGE for code in codes) else ""


def _city(person: Person) -> str:
    codes = _codes(person)
    if codes:
        return codes[0][:CITY]
    cities = grids.cities()
    return cities[0].code if cities else ""


def _frequent(person: Person, majors: Sequence[tuple[Category, list[Category]]]) -> list[Category]:
    """The categories reported most in the own townships of late, then the first of each major one."""
    townships = sorted({code[:TOWNSHIP] for code in _codes(person) if len(code) >= TOWNSHIP})
    recent = sa.select(Issue.category_code).order_by(Issue.id.desc()).limit(LOOKED_AT)
    if townships:
        recent = recent.where(sa.func.left(Issue.grid_code, TOWNSHIP).in_(townships))
    inner = recent.subquery()
    used = session.scalars(
        sa.select(inner.c.category_code)
        .group_by(inner.c.category_code)
        .order_by(sa.func.count().desc(), inner.c.category_code)
    )
    open_ones = {minor.code: minor for _major, minors in majors for minor in minors}
    first_ones = [minors[0].code for _major, minors in majors if minors]
    codes = dict.fromkeys([*used, *first_ones])
    return [open_ones[code] for code in codes if code in open_ones][:FREQUENT]


def _places(person: Person, city: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Grids to choose from without a script: of the own villages, the own townships, and all townships."""
    codes = _codes(person)
    own = {code[:VILLAGE] for code in codes if len(code) >= VILLAGE}
    towns = {code[:TOWNSHIP] for code in codes if len(code) >= TOWNSHIP}
    wanted = own | towns | {city}
    found = session.scalars(
        sa.select(Grid)
        .options(load_only(Grid.code, Grid.parent_code, Grid.short_name))
        .where(sa.or_(Grid.parent_code.in_(wanted), Grid.code.in_(wanted)))
        .where(Grid.closed_at.is_(None))
        .order_by(Grid.code)
    ).all()
    by_code = {grid.code: grid for grid in found}
    groups = []
    for parent in [*sorted(own), *sorted(towns), city]:
        under = [(grid.code, grid.short_name) for grid in found if grid.parent_code == parent]
        if parent in own and parent in by_code:
            under = [
                (parent, _("%(village)s, not sure which group", village=by_code[parent].short_name)),
                *under,
            ]
        if under:
            groups.append((by_code[parent].short_name if parent in by_code else "", under))
    return groups


def _place_words(code: str, values: Mapping[str, Any]) -> str:
    """What the page says of the place before a script does."""
    if code:
        try:
            return grids.path_name(code)
        except NotFound:
            return ""  # The server refuses it when it is sent; the chooser shows what there is.
    return _("Place noted") if values.get("lat") else ""
