"""The `worktime` figures: how long 100,000 running deadlines take to follow an imported calendar, and an import that moves none.

Real issues with their timers on a database with fsync on; half of them wait across the New Year and move, half only lie in
the span of the change. Alone: `python -m bench worktime`.
"""

import sys
import time

import sqlalchemy as sa

from bench.timers import Figures, _filled, _settle
from gridgov import db
from gridgov.worktime import actions, inforce, notice, recompute
from gridgov.worktime.models import CalendarChange
from tests import seed

MANY = 100_000
TOWNSHIP = seed.TOWNSHIP
OFF = [f"2027-01-0{n}" for n in range(1, 4)] + [f"2027-02-{n:02}" for n in range(5, 13)]
CLOCK = "2026-12-31 02:00+00"  # Ten in the morning in Wugang: one work day ends in the unpublished year.
ROWS = (
    """INSERT INTO issues (id, number, grid_code, category_code, line, grade, text, reporter_id, confidential, state, unit_code,
           hop_n, generation, due_at, warn_at, due_provisional, rework_count, reported_at)
       SELECT uuidv7(), 'W-' || i, :township, '0203', 'safety', 'C', '路边三轮车违规载人', (SELECT id FROM persons LIMIT 1), false,
           'reported', :township, 1, 0, at + CASE WHEN i % 2 = 0 THEN interval '1 day' ELSE interval '5 days 2 hours' END,
           at, true, 0, at
       FROM generate_series(1, :n) AS i, CAST(:at AS timestamptz) AS at""",
    """INSERT INTO timers (subject_kind, subject_id, kind, generation, started_at, budget_s, clock, due_at, run_at, provisional,
           warn_s, state, attempts)
       SELECT 'issue', id, 'accept', 0, reported_at, CASE WHEN due_at < reported_at + interval '2 days' THEN 25200 ELSE 75600 END,
           'work_day', due_at, warn_at, true, 5040, 'open', 0
       FROM issues WHERE number LIKE 'W-%'""",
)


def figures() -> Figures:
    """Measure and yield (name, value, unit)."""
    with _filled():
        with db.transaction():
            for statement in ROWS:
                db.session.execute(sa.text(statement), {"township": TOWNSHIP, "n": MANY, "at": CLOCK} if ":n" in statement else {})
        _settle()
        text = "date,kind\n" + "".join(f"{day},rest\n" for day in OFF)
        took, batches = _follow(text)
        yield "recompute_100k_s", took, "s"
        yield "recompute_batch_max_s", max(batches), "s"
        yield "recompute_per_s", MANY / took, "1/s"
        again, _batches = _follow(text.replace("2027-02-12", "2027-03-12"))
        yield "recompute_100k_untouched_s", again, "s"


def _follow(text: str) -> tuple[float, list[float]]:
    """Import, and time the first pass over all; the last pass is timed with it, without its wait for other processes."""
    with db.transaction():
        report = actions.import_notice(notice.read(text.encode(), "bench.csv"), actor=None)
    if report.change is None:
        raise RuntimeError("the import changed nothing")
    times: list[float] = []
    while True:
        begin = time.perf_counter()
        recompute.step()
        times.append(time.perf_counter() - begin)
        with db.transaction():
            change = db.session.get_one(CalendarChange, report.change.id, populate_existing=True)
            if change.pass_n > 1:
                break
    print(f"  {change.moved} moved, {change.confirmed} confirmed in {len(times)} batches", file=sys.stderr)
    recompute.finish(patience_s=inforce.CHECK_S + 60)
    return sum(times), times
