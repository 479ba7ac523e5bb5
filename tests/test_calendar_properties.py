"""Working time by property, against a slow and obvious model: pauses keep the rest to the second."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings, strategies as st

from gridgov import calendars
from gridgov.calendars import Calendar, Clock, Limit
from tests.office import CHINA, SHANGHAI, fresh

NIGHT_SHIFT = Calendar(
    [(time(1), time(4)), (time(22), time(23, 30))], ZoneInfo("Europe/Berlin"), lambda day: day.day % 7 != 0
)
EIGHT_HOURS = Calendar(
    [(time(9), time(12)), (time(13), time(18))],
    SHANGHAI,
    lambda day: None if day.year > 2026 else day.weekday() < 6,
)
CALENDARS = st.sampled_from([CHINA, CHINA, NIGHT_SHIFT, EIGHT_HOURS])
# Two busy cores may take their time over one example.
PATIENT = settings(deadline=None)
FIRST, LAST = datetime(2025, 12, 1), datetime(2028, 2, 1)
EDGES = st.sampled_from([time(8), time(12), time(14, 30), time(17, 30), time(0), time(23, 59, 59)])
AT_EDGES = st.builds(datetime.combine, st.dates(FIRST.date(), LAST.date()), EDGES, st.just(SHANGHAI))
MOMENTS = st.datetimes(FIRST, LAST, timezones=st.just(UTC)) | AT_EDGES.map(
    lambda moment: moment.astimezone(UTC)
)
WHOLE = st.builds(
    lambda hours, unit: hours * unit, st.integers(1, 60), st.sampled_from([3600, 4 * 3600, 25200, 28800])
)
LIMITS = st.builds(Limit, st.integers(1, 60 * 25200) | WHOLE, st.sampled_from(Clock))


def slow_spent(calendar: Calendar, start: datetime, end: datetime) -> int:
    """Office seconds between two moments, by walking the days."""
    day, total = start.astimezone(calendar.tz).date(), 0
    first, last = (calendars._second(moment) for moment in (start, end))
    while day <= end.astimezone(calendar.tz).date():
        for opens, closes in calendar.hours if calendar.is_working_day(day)[0] else ():
            low, high = (datetime.combine(day, edge, calendar.tz).timestamp() for edge in (opens, closes))
            total += max(0, int(min(high, last) - max(low, first)))
        day += timedelta(days=1)
    return total


@PATIENT
@given(CALENDARS, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_spent_office_hours_are_what_walking_the_days_finds(
    calendar: Calendar, start: datetime, wait: timedelta
) -> None:
    assert calendar.spent(start, start + wait, Clock.work_hour) == slow_spent(calendar, start, start + wait)


@PATIENT
@given(CALENDARS, MOMENTS, LIMITS)
def test_a_deadline_is_the_first_moment_at_which_the_limit_is_spent(
    calendar: Calendar, start: datetime, limit: Limit
) -> None:
    moment = calendar.due(start, limit).due_at
    assert calendar.spent(start, moment, limit.clock) >= limit.amount_s
    assert calendar.spent(start, moment - timedelta(seconds=1), limit.clock) < limit.amount_s
    if (
        calendar is CHINA
    ):  # Its work day is a whole number of the clock's seconds: exact, not only the first to reach.
        assert calendar.spent(start, moment, limit.clock) == limit.amount_s


@PATIENT
@given(CALENDARS, MOMENTS, LIMITS.filter(lambda limit: limit.clock.working))
def test_a_working_deadline_never_falls_outside_office_hours(
    calendar: Calendar, start: datetime, limit: Limit
) -> None:
    moment = calendar.due(start, limit).due_at
    assert slow_spent(calendar, moment - timedelta(seconds=1), moment) == 1


@PATIENT
@given(CALENDARS, MOMENTS, MOMENTS, LIMITS, st.integers(0, 10**6))
def test_later_starts_and_longer_limits_never_fall_due_earlier(
    calendar: Calendar, one: datetime, other: datetime, limit: Limit, more: int
) -> None:
    early, late = sorted((one, other))
    longer = Limit(limit.amount_s + more, limit.clock)
    assert calendar.due(early, limit).due_at <= calendar.due(late, limit).due_at
    assert calendar.due(early, limit).due_at <= calendar.due(early, longer).due_at
    assert calendar.warn_at(early, limit) <= calendar.due(early, limit).due_at


@PATIENT
@given(CALENDARS, MOMENTS, MOMENTS, MOMENTS, st.sampled_from(Clock))
def test_spent_time_adds_up_in_any_order(
    calendar: Calendar, a: datetime, b: datetime, c: datetime, clock: Clock
) -> None:
    assert calendar.spent(a, b, clock) + calendar.spent(b, c, clock) == calendar.spent(a, c, clock)
    assert calendar.spent(a, b, clock) == -calendar.spent(b, a, clock)


@PATIENT
@given(CALENDARS, MOMENTS, LIMITS, st.timedeltas(timedelta(0), timedelta(days=150)))
def test_asking_again_later_gives_the_same_deadline_even_after_it(
    calendar: Calendar, start: datetime, limit: Limit, wait: timedelta
) -> None:
    now = start + wait
    again = calendar.due(now, limit - calendar.spent(start, now, limit.clock))
    assert again.due_at == calendar.due(start, limit).due_at


@PATIENT
@given(
    CALENDARS,
    MOMENTS,
    LIMITS,
    st.lists(st.tuples(st.integers(0, 99), st.timedeltas(timedelta(0), timedelta(days=30))), max_size=5),
)
def test_pauses_keep_the_remaining_time_to_the_second(
    calendar: Calendar, start: datetime, limit: Limit, pauses: list[tuple[int, timedelta]]
) -> None:
    """Run a share of what is left, pause as long as one likes, resume; the runs add up to the limit."""
    ran, left, now = 0, limit, start
    for share, pause in pauses:
        paused_at = now + (calendar.due(now, left).due_at - now) * share / 100
        spent = calendar.spent(now, paused_at, limit.clock)
        ran, left, now = ran + spent, left - spent, paused_at + pause
    end = calendar.due(now, left).due_at
    if calendar is CHINA or limit.clock is not Clock.work_day:
        assert ran + calendar.spent(now, end, limit.clock) == limit.amount_s
    assert ran + calendar.spent(now, end, limit.clock) >= limit.amount_s
    assert ran + calendar.spent(now, end - timedelta(seconds=1), limit.clock) < limit.amount_s


@PATIENT
@given(MOMENTS, MOMENTS, LIMITS)
def test_the_answer_does_not_depend_on_what_was_asked_before(
    first: datetime, second: datetime, limit: Limit
) -> None:
    """The tables grow as years are asked for, in both directions; nobody may notice."""
    new = fresh()
    new.due(first, limit)
    assert new.due(second, limit) == fresh().due(second, limit)
