"""Writes of the grid tree: taking in a division file, a file of micro grids, a file of areas.

Nothing is ever deleted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import session, utcnow
from gridgov.grids.boundaries import Area
from gridgov.grids.divisions import Unit, parent_code
from gridgov.grids.models import LENGTH, Grid, GridChange, Level
from gridgov.grids.queries import under

IMPORT_LOCK = 0x67726964_0002
NAMES = ("name", "short_name")
COUNTED_BY_OTHERS = (Level.city, Level.township, Level.village)
FACTS = ("kind", "abbr", "households", "population", "area_m2", "demo")
AREA = ("boundary", "min_lon", "min_lat", "max_lon", "max_lat", "lat", "lon", "boundary_approximate")

# What other packages want said when grids close, e.g. that live posts or open issues stand on them. This
# package is below them and cannot ask; each function gets the codes that close and returns sentences, already
# translated.
Warn = Callable[[Sequence[str]], Iterable[str]]
_warn_on_close: list[Warn] = []


def warn_on_close(function: Warn) -> Warn:
    """Register a function that says what stands on grids about to close. Use as a decorator."""
    if function not in _warn_on_close:
        _warn_on_close.append(function)
    return function


@dataclass(frozen=True)
class Change:
    """One grid that an import touched. `was` is its former name when it was renamed."""

    code: str
    name: str
    was: str | None = None


@dataclass
class Report:
    """What an import did. A grid that came back under another name counts as reopened and as renamed."""

    added: list[Change] = field(default_factory=list)
    renamed: list[Change] = field(default_factory=list)
    updated: list[Change] = field(default_factory=list)
    closed: list[Change] = field(default_factory=list)
    reopened: list[Change] = field(default_factory=list)
    drawn: list[Change] = field(default_factory=list)
    unchanged: int = 0
    warnings: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Numbers by what happened, in the order to show them."""
        kinds = ("added", "renamed", "updated", "reopened", "closed", "drawn")
        return {kind: len(getattr(self, kind)) for kind in kinds} | {"unchanged": self.unchanged}

    @property
    def changed(self) -> bool:
        """Whether anything at all was written."""
        return any(count for kind, count in self.counts.items() if kind != "unchanged")


def import_divisions(
    units: Sequence[Unit], *, source: str | None = None, actor_id: UUID | None = None, demo: bool = False
) -> Report:
    """Make the tree of the counties in `units` what they say, down to villages: add, rename, reopen, close.

    Only counties that the units name are touched. A village that closes takes its micro grids with it, and
    one that comes back brings back those that closed with it. The units were checked by `divisions.read`.
    """
    _lock()
    cities = [unit.code for unit in units if unit.level is Level.city]
    there = _there(sa.or_(*(under(Grid.code, code) for code in cities)))
    wider = {code: row for code, row in there.items() if len(code) < LENGTH[Level.micro]}
    return _Import(there, source, actor_id, demo).run(units, scope=wider)


def import_micro(
    units: Sequence[Unit], *, source: str | None = None, actor_id: UUID | None = None, demo: bool = False
) -> Report:
    """Make what lies directly under the grids that `units` name as parents what they say: the micro grids of villages,
    or a finer level. What lies under others is left alone.

    The units were checked by `micro.read` against the open grids.
    """
    _lock()
    there = _there(Grid.parent_code.in_(sorted({unit.code[:-3] for unit in units})))
    return _Import(there, source, actor_id, demo).run(units, scope=there)


def import_boundaries(
    areas: Sequence[Area], *, source: str | None = None, actor_id: UUID | None = None
) -> Report:
    """Give grids their areas. Grids that the file does not name keep theirs."""
    _lock()
    report, at = Report(), utcnow()
    there = _there(Grid.code.in_([area.code for area in areas]), *AREA)
    rows, changes = [], []
    for area in areas:
        row = there[area.code]
        if all(row[name] == area.fields[name] for name in AREA):
            report.unchanged += 1
            continue
        report.drawn.append(Change(area.code, row["name"]))
        rows.append({"code": area.code, **area.fields})
        # The areas themselves are large; the trail keeps what can be compared.
        now = {
            "boundary_approximate": area.fields["boundary_approximate"],
            "box": [area.fields[n] for n in AREA[1:5]],
        }
        changes.append(_change(area.code, "drawn", None, now, source, actor_id, at))
    _update(rows)
    _record(changes)
    return report


class _Import:
    """One run over one set of grids: compares, writes in few statements, and keeps the trail."""

    def __init__(
        self, there: dict[str, dict[str, Any]], source: str | None, actor_id: UUID | None, demo: bool
    ) -> None:
        self.there, self.source, self.actor_id, self.demo = there, source, actor_id, demo
        self.at: datetime = utcnow()
        self.report = Report()
        self.changes: list[dict[str, Any]] = []
        self.added: list[dict[str, Any]] = []
        self.updates: dict[str, dict[str, Any]] = {}

    def run(self, units: Sequence[Unit], *, scope: Mapping[str, Any]) -> Report:
        """Compare `units` with the grids of `scope` and write the difference."""
        for unit in sorted(units, key=lambda unit: (len(unit.code), unit.code)):
            if unit.code in self.there:
                self._keep(unit, self.there[unit.code])
            else:
                self._add(unit)
        wanted = {unit.code for unit in units}
        self._close([code for code, row in scope.items() if code not in wanted and row["closed_at"] is None])
        if self.added:
            session.execute(sa.insert(Grid), self.added)
        _update([{"code": code, **values} for code, values in self.updates.items()])
        _record(self.changes)
        session.expire_all()  # What is loaded of these grids was written past the session.
        return self.report

    def _add(self, unit: Unit) -> None:
        values = {name: getattr(unit, name) for name in (*NAMES, *FACTS) if name != "demo"}
        row = {"code": unit.code, "parent_code": parent_code(unit.code), "level": str(unit.level), **values}
        self.added.append(row | {"demo": self.demo, "boundary_approximate": False, "opened_at": self.at})
        self.report.added.append(Change(unit.code, unit.short_name))
        self._note(unit.code, "added", None, values)

    def _keep(self, unit: Unit, row: dict[str, Any]) -> None:
        quiet = True
        if row["closed_at"] is not None:
            quiet = False
            self._reopen(unit.code, row)
        if renamed := _differs(row, {name: getattr(unit, name) for name in NAMES}):
            quiet = False
            self.report.renamed.append(Change(unit.code, unit.short_name, row["short_name"]))
            self._set(unit.code, "renamed", row, renamed)
        # A division file knows no households, so what it leaves out is not taken away.
        facts = {name: getattr(unit, name) for name in FACTS if name != "demo"} | {"demo": self.demo}
        said = {
            name: value for name, value in facts.items() if value is not None or unit.level not in COUNTED_BY_OTHERS
        }
        if updated := _differs(row, said):
            quiet = False
            self.report.updated.append(Change(unit.code, unit.short_name))
            self._set(unit.code, "updated", row, updated)
        self.report.unchanged += quiet

    def _reopen(self, code: str, row: dict[str, Any]) -> None:
        """Open a grid again, and with a village the micro grids that closed in the same moment."""
        together = [code]
        if len(code) >= LENGTH[Level.village]:
            together += [
                other
                for other, its in self.there.items()
                if other.startswith(code) and other != code and its["closed_at"] == row["closed_at"]
            ]
        for other in together:
            self.report.reopened.append(Change(other, self.there[other]["short_name"]))
            self._set(other, "reopened", self.there[other], {"closed_at": None})

    def _close(self, codes: list[str]) -> None:
        """Close grids and all that is open under them, after asking who wants to warn."""
        closing = sorted(
            {
                code
                for code, row in self.there.items()
                if row["closed_at"] is None and any(code.startswith(above) for above in _roots(codes))
            }
        )
        if not closing:
            return
        for code in closing:
            self.report.closed.append(Change(code, self.there[code]["short_name"]))
            self._set(code, "closed", self.there[code], {"closed_at": self.at})
        for warn in _warn_on_close:
            self.report.warnings.extend(warn(closing))

    def _set(self, code: str, kind: str, row: dict[str, Any], values: dict[str, Any]) -> None:
        self.updates.setdefault(code, {}).update(values)
        self._note(code, kind, {name: row[name] for name in values}, values)

    def _note(self, code: str, kind: str, was: dict[str, Any] | None, now: dict[str, Any]) -> None:
        self.changes.append(
            _change(code, kind, was and _plain(was), _plain(now), self.source, self.actor_id, self.at)
        )


def _lock() -> None:
    """One import at a time: a second one waits for the first to commit and then sees what it wrote."""
    session.flush()  # The rows below are written past the session.
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(IMPORT_LOCK)))


def _there(condition: Any, *more: str) -> dict[str, dict[str, Any]]:
    columns = [getattr(Grid, name) for name in ("code", *NAMES, *FACTS, "closed_at", *more)]
    rows = session.execute(sa.select(*columns).where(condition).order_by(Grid.code)).mappings()
    return {row["code"]: dict(row) for row in rows}


def _roots(codes: list[str]) -> list[str]:
    """The codes that lie under no other of them."""
    roots: list[str] = []
    for code in sorted(codes):
        if not roots or not code.startswith(roots[-1]):
            roots.append(code)
    return roots


def _differs(row: Mapping[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if row[name] != value}


def _update(rows: list[dict[str, Any]]) -> None:
    """Write many grids. Rows with the same columns go together in one prepared statement."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(sorted(row)), []).append(row)
    for names, group in groups.items():
        table: sa.Table = Grid.__table__  # type: ignore[attr-defined]
        values = {
            name: sa.bindparam(f"new_{name}", type_=table.c[name].type) for name in names if name != "code"
        }
        statement = sa.update(table).where(table.c.code == sa.bindparam("at_code")).values(**values)
        rest = [
            {f"new_{name}": row[name] for name in names if name != "code"} | {"at_code": row["code"]}
            for row in group
        ]
        session.connection().execute(statement, rest)


def _change(
    code: str,
    kind: str,
    was: dict[str, Any] | None,
    now: dict[str, Any],
    source: str | None,
    actor_id: UUID | None,
    at: datetime,
) -> dict[str, Any]:
    return {
        "grid_code": code,
        "kind": kind,
        "was": was,
        "now": now,
        "source": source,
        "actor_id": actor_id,
        "at": at,
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: v.isoformat() if isinstance(v, datetime) else v for name, v in values.items()}


def _record(changes: list[dict[str, Any]]) -> None:
    if changes:
        session.execute(sa.insert(GridChange), changes)
