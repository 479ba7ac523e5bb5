"""A confidential report at whose reporter somebody has looked, and one without a name about the village, with its code."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from gridgov.db import session, utcnow
from gridgov.demo import story
from gridgov.demo.ids import uuid7_at
from gridgov.identity import anonymous, codes, looks
from gridgov.issues import actions
from gridgov.issues.models import Issue
from gridgov.people import queries as people
from gridgov.people.models import Person

# Known to everybody who reads this, so of use for a made-up report alone. The code depends on the installation's key.
TICKET = "demo-report-without-a-name"
HOURS_AGO = 5
COUNT = 2


def code() -> str:
    """The code of the demo's report without a name."""
    return codes.of_ticket(TICKET)


def foresee(at: Callable[[datetime, Callable[[], None]], None], now: datetime) -> None:
    """Have both happen in the last hours. `at` takes a moment and what happens then."""
    begun, made = now - timedelta(hours=HOURS_AGO), dict[str, UUID]()

    def after(minutes: int, what: Callable[[], None]) -> None:
        at(begun + timedelta(minutes=minutes), what)

    after(0, lambda: made.update(sealed=_sealed()))
    after(4, lambda: made.update(nobody=_nobody()))
    after(25, lambda: _act(made["sealed"], "micro_chief", "accept"))
    after(40, lambda: _act(made["nobody"], "township_office", "accept"))
    after(70, lambda: _look(made["sealed"]))
    after(
        75,
        lambda: _act(
            made["sealed"], "micro_chief", "note", note="已联系上报人核实，晚上带派出所民警到场查看。"
        ),
    )
    after(110, lambda: _add_words(made["nobody"]))


def _id() -> UUID:
    """As if made at the moment the clock shows: lists by identity are lists by time."""
    return uuid7_at(utcnow(), random.Random(f"{TICKET}/{utcnow()}"))


def _sealed() -> UUID:
    text = "村口小卖部后屋每晚有人聚众打牌赌博，输赢很大，有老人把养老钱输光了。"
    issue, _new = actions.report(
        id=_id(),
        actor=_person("resident"),
        category="0106",
        text=text,
        grid_code=story.MICRO,
        address="小卖部后屋",
    )
    return issue.id


def _nobody() -> UUID:
    text = "村里修水渠的工程款去年就拨下来了，水渠一直没修，账也没有公示过。"
    issue, _code = anonymous.report(
        ticket=TICKET, id=_id(), category="1202", text=text, grid_code=story.VILLAGE, accused=story.VILLAGE
    )
    return issue.id


def _look(issue_id: UUID) -> None:
    looks.look(
        session.get_one(Issue, issue_id),
        actor=_person("micro_chief"),
        purpose="verify",
        words="问清楚聚众的时间和人数",
    )


def _add_words(issue_id: UUID) -> None:
    anonymous.act(
        session.get_one(Issue, issue_id), "note", data={"note": "补充：去年十月在村委会门口贴过拨款通知。"}
    )


def _act(issue_id: UUID, key: str, name: str, **data: Any) -> None:
    actions.act(session.get_one(Issue, issue_id), name, actor=_person(key), data=data)


def _person(key: str) -> Person:
    phone = next(login.phone for login in story.LOGINS if login.key == key)
    person = people.by_phone(phone)
    assert person is not None, f"the demo has no {key}"
    return person
