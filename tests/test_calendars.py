"""Working time by example: Spring Festival 2026, make-up days, the unpublished 2027, the edges of the day."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import chinese_calendar
import pytest

from gridgov import calendars
from gridgov.calendars import Calendar, Clock, Limit
from tests.office import CHINA, HOURS, SHANGHAI, at, due, fresh

# --- one week without anything special: Monday 2026-03-09 to Sunday 2026-03-15 ---


@pytest.mark.parametrize(
    ("start", "limit", "clock", "expected"),
    [
        ("2026-03-09 10:00", "1d", "work_day", "2026-03-10 10:00"),
        ("2026-03-09 10:00", "3d", "work_day", "2026-03-12 10:00"),
        ("2026-03-12 10:00", "5d", "work_day", "2026-03-19 10:00"),
        ("2026-03-09 08:00", "1d", "work_day", "2026-03-09 17:30"),
        ("2026-03-09 10:00", "4h", "work_hour", "2026-03-09 16:30"),
        ("2026-03-09 10:00", "2h", "work_hour", "2026-03-09 12:00"),
        ("2026-03-09 10:00", "121m", "work_hour", "2026-03-09 14:31"),
        ("2026-03-09 16:00", "2h", "work_hour", "2026-03-10 08:30"),
        ("2026-03-13 17:00", "1h", "work_hour", "2026-03-16 08:30"),
    ],
)
def test_a_working_limit_runs_through_office_hours_only(
    start: str, limit: str, clock: str, expected: str
) -> None:
    assert due(start, limit, clock) == expected


@pytest.mark.parametrize(
    ("start", "one_hour", "one_day"),
    [
        ("2026-03-09 07:00", "2026-03-09 09:00", "2026-03-09 17:30"),  # Before the office opens.
        ("2026-03-09 08:00", "2026-03-09 09:00", "2026-03-09 17:30"),
        ("2026-03-09 12:00", "2026-03-09 15:30", "2026-03-10 12:00"),  # At the lunch break's first moment.
        ("2026-03-09 13:15", "2026-03-09 15:30", "2026-03-10 12:00"),
        ("2026-03-09 14:30", "2026-03-09 15:30", "2026-03-10 12:00"),
        ("2026-03-09 17:30", "2026-03-10 09:00", "2026-03-10 17:30"),  # At closing time.
        ("2026-03-09 23:59", "2026-03-10 09:00", "2026-03-10 17:30"),  # At night.
        ("2026-03-10 03:00", "2026-03-10 09:00", "2026-03-10 17:30"),
        ("2026-03-14 11:00", "2026-03-16 09:00", "2026-03-16 17:30"),  # A Saturday.
    ],
)
def test_what_comes_in_outside_office_hours_starts_when_they_next_begin(
    start: str, one_hour: str, one_day: str
) -> None:
    assert (due(start, "1h", "work_hour"), due(start, "1d", "work_day")) == (one_hour, one_day)


def test_a_natural_limit_runs_through_nights_and_holidays() -> None:
    assert due("2026-02-14 22:00", "24h", "natural_day") == "2026-02-15 22:00"
    assert due("2026-02-14 22:00", "7d", "natural_day") == "2026-02-21 22:00"
    assert due("2026-02-17 00:10", "15m", "urgent_hour") == "2026-02-17 00:25"
    assert (
        due("2026-12-31 23:50", "1h", "urgent_hour") == "2027-01-01 00:50"
    )  # No calendar is asked: not provisional.
    assert CHINA.spent(at("2026-02-14 22:00"), at("2026-02-15 22:00"), Clock.natural_day) == 86400


# --- the official calendar ---


def test_the_days_of_2026_are_those_of_the_state_councils_notice() -> None:
    """Every day of 2026 that differs from the weekend rule."""
    year = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    differing = {day for day in year if CHINA.is_working_day(day)[0] != (day.weekday() < 5)}
    rest = "01-01 01-02 02-16 02-17 02-18 02-19 02-20 02-23 04-06 05-01 05-04 05-05 06-19 09-25"
    rest += " 10-01 10-02 10-05 10-06 10-07"
    work = "01-04 02-14 02-28 05-09 09-20 10-10"
    assert differing == {date.fromisoformat(f"2026-{day}") for day in f"{rest} {work}".split()}
    assert {day for day in differing if CHINA.is_working_day(day)[0]} == {
        date.fromisoformat(f"2026-{day}") for day in work.split()
    }
    assert not any(CHINA.is_working_day(day)[1] for day in year)


def test_every_published_day_is_as_the_package_says_and_the_next_year_is_provisional() -> None:
    years = calendars.OFFICIAL_YEARS
    day = date(years[0], 1, 1)
    while day.year in years:
        assert CHINA.is_working_day(day) == (chinese_calendar.is_workday(day), False)
        day += timedelta(days=1)
    with pytest.raises(NotImplementedError):
        chinese_calendar.is_workday(day)
    assert CHINA.is_working_day(day) == (day.weekday() < 5, True)


@pytest.mark.parametrize(
    ("start", "limit", "expected"),
    [
        # Spring Festival 2026: no work from Sunday 15 to Monday 23 February; Saturdays 14 and 28 are worked.
        ("2026-02-13 10:00", "1d", "2026-02-14 10:00"),
        ("2026-02-13 16:00", "3d", "2026-02-25 16:00"),
        ("2026-02-14 10:00", "1d", "2026-02-24 10:00"),
        ("2026-02-14 08:00", "1d", "2026-02-14 17:30"),
        ("2026-02-18 09:00", "1d", "2026-02-24 17:30"),
        ("2026-02-23 23:00", "5d", "2026-02-28 17:30"),
        ("2026-02-27 16:00", "1d", "2026-02-28 16:00"),
        ("2026-02-28 16:00", "1d", "2026-03-02 16:00"),
        # Sunday 4 January and Sunday 20 September are worked.
        ("2026-01-01 10:00", "1d", "2026-01-04 17:30"),
        ("2026-01-04 09:00", "1d", "2026-01-05 09:00"),
        ("2026-09-18 15:00", "1d", "2026-09-20 15:00"),
        ("2026-09-19 15:00", "2d", "2026-09-21 17:30"),
        # National Day: no work from 1 to 7 October; Saturday 10 is worked.
        ("2026-09-30 15:00", "1d", "2026-10-08 15:00"),
        ("2026-09-30 15:00", "3d", "2026-10-10 15:00"),
        ("2026-10-09 15:00", "2d", "2026-10-12 15:00"),
    ],
)
def test_work_days_follow_holidays_and_make_up_days(start: str, limit: str, expected: str) -> None:
    assert due(start, limit, "work_day") == expected


def test_the_last_working_hours_before_spring_festival_carry_over_it() -> None:
    assert due("2026-02-14 16:00", "90m", "work_hour") == "2026-02-14 17:30"
    assert due("2026-02-14 16:00", "91m", "work_hour") == "2026-02-24 08:01"
    assert due("2026-02-20 12:00", "4h", "work_hour") == "2026-02-24 12:00"
    assert CHINA.spent(at("2026-02-14 17:30"), at("2026-02-24 08:00"), Clock.work_hour) == 0


def test_a_deadline_is_provisional_only_if_it_crosses_into_the_unpublished_year() -> None:
    assert due("2026-12-30 10:00", "1d", "work_day") == "2026-12-31 10:00"
    assert due("2026-12-31 08:00", "1d", "work_day") == "2026-12-31 17:30"
    assert due("2026-12-31 10:00", "1d", "work_day") == "2027-01-01 10:00?"
    assert due("2026-12-31 10:00", "3d", "work_day") == "2027-01-05 10:00?"
    assert due("2026-12-31 17:30", "1h", "work_hour") == "2027-01-01 09:00?"
    assert due("2027-06-05 10:00", "1d", "work_day") == "2027-06-07 17:30?"
    assert (
        due("2026-12-20 10:00", "1d", "work_day") == "2026-12-21 17:30"
    )  # Knowing of 2027 marks nothing in 2026.


# --- edges ---


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        CHINA.due(datetime(2026, 3, 9, 10), Limit(60, Clock.natural_day))
    with pytest.raises(ValueError, match="no time zone"):
        CHINA.spent(at("2026-03-09 10:00"), datetime(2026, 3, 9, 11), Clock.work_hour)


def test_a_deadline_beyond_all_reckoning_is_refused() -> None:
    never = Calendar(HOURS, SHANGHAI, lambda day: False)
    with pytest.raises(ValueError, match="1970 to 2199"):
        never.due(at("2026-03-09 10:00"), Limit(1, Clock.work_hour))
    with pytest.raises(ValueError, match="1970 to 2199"):
        CHINA.due(datetime.max.replace(tzinfo=UTC), Limit(1, Clock.work_hour))


def test_the_fraction_of_a_second_is_cut_off() -> None:
    start = at("2026-03-09 10:00") + timedelta(microseconds=999_999)
    for clock in Clock:
        assert CHINA.due(start, Limit(60, clock)) == CHINA.due(at("2026-03-09 10:00"), Limit(60, clock))
        assert CHINA.spent(start, start + timedelta(microseconds=1), clock) == 1


def test_a_warning_comes_when_a_fifth_of_the_limit_is_left() -> None:
    def warn(start: str, limit: str, clock: str, share: float = 0.2) -> str:
        moment = CHINA.warn_at(at(start), Limit.parse(limit, clock), share)
        return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"

    assert warn("2026-03-09 10:00", "5d", "work_day") == "2026-03-13 10:00"
    assert warn("2026-02-13 10:00", "5d", "work_day") == "2026-02-26 10:00"
    assert warn("2026-03-09 00:00", "24h", "natural_day") == "2026-03-09 19:12"
    assert warn("2026-03-09 10:00", "5d", "work_day", share=0) == "2026-03-16 10:00"
    assert warn("2026-03-09 10:00", "5d", "work_day", share=1) == "2026-03-09 10:00"
    assert warn("2026-03-14 10:00", "5d", "work_day", share=1) == "2026-03-14 10:00"
    with pytest.raises(ValueError, match="between 0 and 1"):
        warn("2026-03-09 10:00", "5d", "work_day", share=20)


def test_a_limit_with_nothing_left_ran_out_when_its_deadline_was() -> None:
    """Asked at eight in the evening, the deadline of half past five is still that, not now."""
    assert CHINA.due(at("2026-03-09 20:00"), Limit(0, Clock.work_day)).due_at == at("2026-03-09 17:30")
    assert CHINA.due(at("2026-03-09 10:00"), Limit(0, Clock.work_hour)).due_at == at("2026-03-09 10:00")
    assert CHINA.due(at("2026-03-10 09:00"), Limit(-3600, Clock.work_hour)).due_at == at("2026-03-09 17:30")
    assert CHINA.due(at("2026-03-14 10:00"), Limit(0, Clock.natural_day)).due_at == at("2026-03-14 10:00")


@pytest.mark.parametrize("clock", [Clock.work_hour, Clock.work_day])
def test_a_calendar_that_was_never_asked_before_reckons_over_both_ends_of_a_year(clock: Clock) -> None:
    """The tables begin with the one year that is asked for; its edges must not show."""
    for start in ("2026-01-01 00:00", "2026-01-03 02:00", "2026-12-31 17:30", "2026-12-31 23:59"):
        for amount_s in (0, -1, 1):
            new, longer = fresh(), fresh()
            longer.spent(at("2024-06-01 00:00"), at("2028-06-01 00:00"), clock)
            limit = Limit(amount_s, clock)
            assert new.due(at(start), limit) == longer.due(at(start), limit)
        new = fresh()
        assert new.spent(at(start), at(start) + timedelta(seconds=1), clock) == 0
    new.due(at("2025-12-30 10:00"), Limit(1, clock))
    assert new.due(at("2027-01-01 00:00"), Limit(0, clock)).due_at == at("2026-12-31 17:30")


def test_the_tables_only_grow() -> None:
    """Questions about two years in turn must not build the tables anew each time."""
    new = fresh()
    answers = [
        new.due(at(start), Limit(60, Clock.work_day)) for start in ("2026-03-09 10:00", "2024-03-11 10:00")
    ]
    built = new._timeline
    assert new.due(at("2026-03-09 10:00"), Limit(60, Clock.work_day)) == answers[0]
    assert new._timeline is built


def test_hours_that_a_change_to_summer_time_swallows_do_not_count() -> None:
    """In Berlin 02:00 to 03:00 is missing on 2026-03-29; of these hours, 03:00 to 03:21 is left."""
    night = [(time(2), time(2, 20)), (time(2, 30), time(3)), (time(3), time(3, 21))]
    berlin = Calendar(night, ZoneInfo("Europe/Berlin"), lambda day: True)
    start, end = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 12, tzinfo=UTC)
    assert berlin.spent(start, end, Clock.work_hour) == 21 * 60
    for limit in (Limit(21 * 60, Clock.work_hour), Limit(25200, Clock.work_day)):
        assert berlin.due(start, limit).due_at == datetime(2026, 3, 29, 1, 21, tzinfo=UTC)


def test_a_work_day_is_one_days_office_hours_however_long_they_are() -> None:
    """A township that works eight hours, or four, has the same work days as the city."""
    for hours in ([(time(9), time(17))], [(time(8), time(12))], [(time(8), time(8, 0, 7))]):
        office = Calendar(hours, SHANGHAI, lambda day: day.weekday() < 5)
        opens, closes = (f"{edge:%H:%M}" for edge in hours[0])
        assert due(f"2026-03-09 {opens}", "1d", "work_day", office) == f"2026-03-09 {closes}"
        assert due("2026-03-09 20:00", "3d", "work_day", office) == f"2026-03-12 {closes}"
    unpublished = Calendar([(time(9), time(17))], SHANGHAI, lambda day: None)
    assert due("2026-03-09 10:00", "2d", "work_day", unpublished) == "2026-03-11 10:00?"
