"""Two languages: Chinese by default, English by switch. Message ids are English; catalogue translations/zh.

The catalogue's folder is `zh`, not `zh_CN`: Babel makes zh_Hans_CN of that and finds no such catalogue.
Python and templates use `_` and `ngettext`; labels owned by YAML carry both languages and go through `pick`.
Times are shown in Asia/Shanghai, whatever the server's zone.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal
from babel.support import LazyProxy, NullTranslations, Translations
from flask import Flask, current_app, g, has_app_context, has_request_context, request, session
from flask_login import current_user

from gridgov import db

__all__ = [
    "_",
    "_l",
    "ago",
    "clock",
    "day",
    "dt",
    "init_app",
    "language",
    "ngettext",
    "on_switch",
    "pick",
    "remaining",
    "switch",
]

LANGUAGES = {"zh": "中文", "en": "English"}
HTML_LANG = {"zh": "zh-CN", "en": "en"}
SHANGHAI = ZoneInfo("Asia/Shanghai")
COOKIE = "lang"
TRANSLATIONS = Path(__file__).resolve().parent / "translations"

_hooks: list[Callable[[str], None]] = []


def init_app(app: Flask) -> None:
    """Give the application its languages, the template filters and the names `_`, `pick`, `language`."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    app.jinja_env.filters.update(
        dt=dt, day=day, clock=clock, ago=ago, remaining=remaining, number=number, pick=pick
    )
    app.jinja_env.globals.update(pick=pick, span=span)
    app.context_processor(_names)


def language() -> str:
    """The language spoken now, "zh" or "en". Inside `forced` it is the forced one, outside an application Chinese."""
    if not has_app_context():
        return "zh"
    spoken = g.get("language")
    if spoken is None:
        spoken = g.language = _chosen()
    return spoken


@contextmanager
def forced(code: str) -> Iterator[None]:
    """Speak another language for a while: for a message to somebody else, or in a test."""
    before = g.get("language")
    g.language = code
    try:
        yield
    finally:
        g.language = before


def refresh() -> None:
    """Choose the language anew, because what it is chosen by has changed."""
    g.pop("language", None)


def gettext(message: str, **values: Any) -> str:
    """The text in the language spoken now, with `%(name)s` filled from `values`."""
    text = _words().ugettext(message)
    return text % values if values else text


def ngettext(singular: str, plural: str, num: int, **values: Any) -> str:
    """The text for a number of things; `%(num)d` is the number."""
    return _words().ungettext(singular, plural, num) % {"num": num, **values}


def lazy_gettext(message: str, **values: Any) -> Any:
    """A text whose language is chosen when it is shown."""
    return LazyProxy(gettext, message, enable_cache=False, **values)


_ = gettext
_l = lazy_gettext


@functools.cache
def _catalogue(code: str) -> NullTranslations:
    """The catalogue of a language, read once: without one, message ids are the texts."""
    return Translations.load(str(TRANSLATIONS), [code])


def _words() -> NullTranslations:
    return _catalogue(language())


def switch(code: str) -> None:
    """Use another language from now on: in this session, and wherever `on_switch` keeps it for the person."""
    session[COOKIE] = code
    refresh()
    if current_user.is_authenticated:
        for hook in _hooks:
            hook(code)


def on_switch(hook: Callable[[str], None]) -> Callable[[str], None]:
    """Register what stores the choice for good, e.g. on the person's row. Called with "zh" or "en"."""
    _hooks.append(hook)
    return hook


def pick(label: Any) -> str:
    """Choose from a YAML label {zh: …, en: …}. A plain string is returned as it is."""
    if not isinstance(label, Mapping):
        return "" if label is None else str(label)
    return str(label.get(language()) or label.get("zh") or next(iter(label.values()), ""))


def dt(at: datetime | None) -> str:
    """Date and time in Asia/Shanghai: 11月21日 14:05 / 21 Nov 14:05, with the year when it is another."""
    if at is None:
        return ""
    local = at.astimezone(SHANGHAI)
    year = "" if local.year == _now().astimezone(SHANGHAI).year else "y"
    return _formatted(local.replace(second=0, microsecond=0), year, language())


@functools.lru_cache(maxsize=4_096)
def _formatted(local: datetime, year: str, code: str) -> str:
    """A time of Shanghai to the minute. Kept, for a page shows dozens of them, many of them twice."""
    patterns = {"zh": "M月d日 HH:mm", "zhy": "y年M月d日 HH:mm", "en": "d MMM HH:mm", "eny": "d MMM y HH:mm"}
    return format_datetime(local, patterns[code + year], locale=code, tzinfo=SHANGHAI)


def day(on: date | datetime | None) -> str:
    """A date with its year: 2026年11月21日 / 21 Nov 2026. A time is first brought to Asia/Shanghai."""
    if on is None:
        return ""
    local = on.astimezone(SHANGHAI).date() if isinstance(on, datetime) else on
    return format_date(local, {"zh": "y年M月d日", "en": "d MMM y"}[language()], locale=language())


def clock(at: datetime | None) -> str:
    """Hours and minutes in Asia/Shanghai: 14:05."""
    return at.astimezone(SHANGHAI).strftime("%H:%M") if at else ""


def ago(at: datetime | None, now: datetime | None = None) -> str:
    """How long since `at`: 刚刚, 5 分钟前, 3 小时前, 2 天前; the date itself after a week."""
    if at is None:
        return ""
    gone = (now or _now()) - at
    if gone < timedelta(minutes=1):
        return _("just now")
    if gone > timedelta(days=7):
        return dt(at)
    return _("%(span)s ago", span=_largest(gone))


def remaining(due_at: datetime | None, now: datetime | None = None) -> str:
    """Time left to a deadline, or by how much it is missed: 还剩 3 小时 20 分 / 已超期 2 天."""
    return countdown(now or _now())(due_at) if due_at else ""


def countdown(now: datetime) -> Callable[[datetime], str]:
    """`remaining` for many deadlines: clock and catalogue are looked up once, which a long list feels."""
    words = _words()
    late, left = words.ugettext("overdue by %(span)s"), words.ugettext("%(span)s left")

    def count(due_at: datetime) -> str:
        length = due_at - now
        over = length < timedelta(0)
        return (late if over else left) % {"span": _span(-length if over else length, words)}

    return count


def span(length: timedelta) -> str:
    """A length of time in its two largest units: 2 天 3 小时, 3 小时 20 分, 5 分."""
    return _span(length, _words())


def _span(length: timedelta, words: Any) -> str:
    days, hours, minutes = _parts(length)
    parts = []
    if days:
        parts.append(words.ungettext("%(num)d day", "%(num)d days", days) % {"num": days})
    if hours and days < 3:
        parts.append(words.ungettext("%(num)d hour", "%(num)d hours", hours) % {"num": hours})
    if not days and (minutes or not hours):
        parts.append(words.ungettext("%(num)d minute", "%(num)d minutes", minutes) % {"num": minutes})
    return " ".join(parts)


def number(value: float | None) -> str:
    """A number with thousands separators; nothing for None."""
    return "" if value is None else format_decimal(value, locale=language())


def _largest(length: timedelta) -> str:
    days, hours, minutes = _parts(length)
    if days:
        return ngettext("%(num)d day", "%(num)d days", days)
    if hours:
        return ngettext("%(num)d hour", "%(num)d hours", hours)
    return ngettext("%(num)d minute", "%(num)d minutes", minutes)


def _parts(length: timedelta) -> tuple[int, int, int]:
    minutes = int(length.total_seconds() // 60)
    return minutes // 1440, minutes % 1440 // 60, minutes % 60


def _now() -> datetime:
    """The database's clock, so that what a page says agrees with the deadlines."""
    return db.utcnow()


def _chosen() -> str:
    """What was switched to in this session, else what the person keeps, else the cookie, else Chinese."""
    default = getattr(current_app.config.get("GRIDGOV"), "language", "zh")
    if not has_request_context():
        return default
    kept = getattr(
        g.get("_login_user"), "language", None
    )  # Not current_user: an error page must not query again.
    asked = (session.get(COOKIE), kept, request.cookies.get(COOKIE))
    return next((code for code in asked if code in LANGUAGES), default)


def _names() -> dict[str, Any]:
    return {"language": language(), "html_lang": HTML_LANG[language()], "LANGUAGES": LANGUAGES}
