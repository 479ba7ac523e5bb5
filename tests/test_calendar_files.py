"""What calendars.yaml and a limit may say, and how a wrong one is refused."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from gridgov import calendars
from gridgov.calendars import Calendar, Clock, Limit
from gridgov.errors import PolicyError
from tests.office import CHINA, HOURS, due

OFFICE = "timezone: Asia/Shanghai\nhours: [08:00-12:00, 14:30-17:30]\n"


@pytest.fixture
def calendar(tmp_path: Path) -> Callable[[str], Calendar]:
    """Loads a calendars.yaml of the given text."""

    def load(text: str) -> Calendar:
        (path := tmp_path / "calendars.yaml").write_text(text, encoding="utf-8")
        return calendars.load(path)

    return load


def test_listed_days_win_but_publish_no_year_by_themselves(calendar: Callable[[str], Calendar]) -> None:
    days = 'days: {"2026-02-28": holiday, "2026-03-11": holiday, "2027-01-01": holiday, "2027-02-06": work}\n'
    listed = calendar(OFFICE + days + "published_years: []\n")
    assert due("2026-03-10 10:00", "1d", "work_day", listed) == "2026-03-12 10:00"
    assert due("2026-12-31 10:00", "1d", "work_day", listed) == "2027-01-04 10:00?"
    assert listed.is_working_day(date(2026, 2, 28)) == (False, False)
    assert listed.is_working_day(date(2027, 2, 6)) == (True, True)


def test_a_year_listed_as_published_is_no_longer_provisional(calendar: Callable[[str], Calendar]) -> None:
    published = calendar(OFFICE + 'days: {"2027-01-01": holiday}\npublished_years: [2027]\n')
    assert due("2026-12-31 10:00", "1d", "work_day", published) == "2027-01-04 10:00"
    assert due("2027-12-31 10:00", "1d", "work_day", published) == "2028-01-03 10:00?"
    assert published.is_working_day(date(2027, 3, 6)) == (False, False)
    skipped = calendar(OFFICE + 'days: {"2028-01-03": holiday}\npublished_years: [2028]\n')
    assert due("2027-12-31 10:00", "1d", "work_day", skipped) == "2028-01-04 10:00?"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("hours: [\n", 2, "did not find|expected"),
        (OFFICE + "days: {}\n", 1, "published_years"),
        (OFFICE + "days: {}\npublished_years: []\nholidays: {}\n", 5, "holidays"),
        (OFFICE + "published_years: []\ndays:\n  '2027-02-30': work\n", 5, "day is out of range"),
        (OFFICE + "published_years: []\ndays:\n  '2027-02-06': maybe\n", 5, "maybe"),
        (
            OFFICE + "published_years: []\ndays:\n  '2027-02-06': work\n  '20270206': holiday\n",
            6,
            "stands here twice",
        ),
        (OFFICE + "published_years: []\ndays: [2027-02-06]\n", 4, "days must be a dict"),
        (OFFICE + "days: {}\npublished_years: [2027]\n", 4, "no day of 2027"),
        (OFFICE + "days: {}\npublished_years: 2027\n", 4, "must be a list"),
        (OFFICE.replace("Shanghai", "Wugang") + "days: {}\npublished_years: []\n", 1, "Asia/Wugang"),
        (OFFICE.replace("Asia/Shanghai", "8") + "days: {}\npublished_years: []\n", 1, "time zone"),
        (OFFICE.replace("17:30", "25:30") + "days: {}\npublished_years: []\n", 2, "25:30"),
        (OFFICE.replace("08:00-12:00", "08:00") + "days: {}\npublished_years: []\n", 2, "like 08:00-12:00"),
        (OFFICE.replace("14:30", "11:30") + "days: {}\npublished_years: []\n", 2, "not overlap"),
        (OFFICE.replace("14:30", "17:30") + "days: {}\npublished_years: []\n", 2, "end after it starts"),
        ("timezone: Asia/Shanghai\nhours: []\ndays: {}\npublished_years: []\n", 2, "office hours"),
    ],
)
def test_a_wrong_file_is_refused_with_file_line_and_reason(
    calendar: Callable[[str], Calendar], text: str, line: int, reason: str
) -> None:
    with pytest.raises(PolicyError, match=reason) as caught:
        calendar(text)
    assert (caught.value.path.name, caught.value.line) == ("calendars.yaml", line)


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"nowhere\.yaml"):
        calendars.default("nowhere.yaml")


def test_the_default_calendar_is_read_once() -> None:
    assert calendars.default() is CHINA
    assert CHINA.hours == tuple(HOURS)


@pytest.mark.parametrize(
    ("text", "clock", "amount_s"),
    [
        ("24h", "natural_day", 86400),
        ("7d", "natural_day", 604800),
        ("15m", "urgent_hour", 900),
        ("4h", "work_hour", 14400),
        ("90s", "work_hour", 90),
        ("1d", "work_day", 25200),
        ("15d", "work_day", 378000),
    ],
)
def test_a_limit_is_read_as_the_policy_files_write_it(text: str, clock: str, amount_s: int) -> None:
    assert Limit.parse(text, clock) == Limit(amount_s, Clock(clock))


@pytest.mark.parametrize(
    ("text", "clock", "reason"),
    [
        ("24h", "natural", "unknown clock 'natural'; known: urgent_hour"),
        ("", "work_day", "not a duration"),
        ("one day", "work_day", "not a duration"),
        ("1.5d", "work_day", "not a duration"),
        ("-1d", "work_day", "not a duration"),
        ("\uff11d", "work_day", "not a duration"),
        ("24h", "work_day", "counts in d, not in h"),
        ("1d", "work_hour", "counts in s, m, h, not in d"),
        ("0h", "natural_day", "more than nothing"),
        ("99999d", "natural_day", "at most 3660 days"),
    ],
)
def test_a_limit_that_nobody_can_mean_is_refused(text: str, clock: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Limit.parse(text, clock)


def test_a_limit_takes_its_clock_from_a_text_column_and_refuses_an_unknown_one() -> None:
    assert Limit(60, "work_hour").clock is Clock.work_hour  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="lunar"):
        Limit(60, "lunar")  # type: ignore[arg-type]
