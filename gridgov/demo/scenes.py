"""A few issues of the demo city that chance would not be sure to bring, in the place one signs in to: one that a bureau leads and
two others assist with, one that two villages handle together, one that was reopened, one whose refusal is under appeal.
"""

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov import db
from gridgov.db import session
from gridgov.demo import news, story
from gridgov.demo.ids import uuid7_at
from gridgov.issues import actions, asks, flow
from gridgov.issues.models import Issue
from gridgov.people import queries as people
from gridgov.people.models import Department, Person

PARTNER = "partner"
# (hours ago, who, the move, what they say). Short waits, so that no deadline has passed whenever the city is loaded.
Line = tuple[float, str, str, dict[str, Any]]
Take = Callable[[Person, random.Random], UUID]


@dataclass(frozen=True)
class Scene:
    """One issue: what it is about, when it was reported (hours ago), and what was done since."""

    category: str
    text: str
    at: float
    lines: tuple[Line, ...]


SCENES = (
    Scene(
        "0203", "赶集日村口三轮车载人、占道摆摊，车多人多，昨天险些出事，请几家单位一起来管。", 27.5,
        (
            (27, "micro_chief", "escalate", {"reason": "组里管不了过路车辆。"}),
            (26.6, "village_chief", "escalate", {"reason": "涉及交通、公安、应急，村里协调不了。"}),
            (26.2, "township_office", "escalate", {"reason": "需要市里几家单位联合处理。"}),
            (
                25.8, "city_office", "dispatch",
                {
                    "department": "transport", "assisting": ["police", "emergency"],
                    "task": "赶集日派人到场，各管各的职责：公安维持秩序，应急排查隐患。", "note": "请交通局牵头。",
                },
            ),
            (25, "department", "accept", {}),
            (5, "department:police", "finish_part", {"result": "赶集日已派两名辅警到场疏导，劝离载人三轮车11辆。"}),
        ),
    ),
    Scene(
        "1001", "两村共用的供水主管漏水，水压一直上不来，两边都说不是自己的。", 9.5,
        (
            (9, "micro_chief", "escalate", {"reason": "主管一半在邻村地界。"}),
            (8.5, "village_chief", "accept", {"note": "我村牵头，请邻村一起查漏。"}),
            (8, "village_chief", "join", {"partner": PARTNER, "task": "请查修你村一侧，约500米。"}),
        ),
    ),
    Scene(
        "1001", "三组的自来水又断了，做饭都困难。", 100,
        (
            (99, "micro_chief", "accept", {}),
            (90, "micro_chief", "resolve", {"result": "换了一段破裂的水管，已恢复供水。"}),
            (80, "village_chief", "verify", {"way": "spot", "note": "到户看过，有水了。"}),
            (70, "resident", "rate", {"satisfaction": 3}),
            (3, "resident", "reopen", {"reason": "才好了三天，今天早上又没有水了。"}),
        ),
    ),
    Scene(
        "0101", "和邻居为宅基地边界的事吵了很久，请政府来量一下。", 60,
        (
            (59.5, "micro_chief", "escalate", {"reason": "涉及权属，组里调解不了。"}),
            (59, "village_chief", "escalate", {"reason": "双方都要求镇里处理。"}),
            (58, "township_office", "not_accept", {"reason": "土地权属争议已进入诉讼。", "route": "武冈市人民法院"}),
            (4, "resident", "appeal", {"reason": "没有起诉过，是邻居说要去告，请重新看一下。"}),
        ),
    ),
)  # fmt: skip


def foresee(
    now: datetime, rng: random.Random, at: Callable[[datetime, Callable[[], None]], None], take: Take
) -> None:
    """Have them all happen: `at` runs something at its time. `take` takes somebody's photo of the result."""
    for scene in SCENES:
        told: dict[str, Issue] = {}
        at(now - timedelta(hours=scene.at), functools.partial(_report, scene, told, rng, now))
        for line in scene.lines:
            at(now - timedelta(hours=line[0]), functools.partial(_go_on, line, told, rng, now, take))


def _report(scene: Scene, told: dict[str, Issue], rng: random.Random, now: datetime) -> None:
    told["issue"], _new = actions.report(
        actor=_person("resident"), category=scene.category, text=scene.text, id=uuid7_at(db.utcnow(), rng),
        grid_code=story.MICRO,
    )  # fmt: skip
    news.deliver(now - news.TOLD_FOR)


def _go_on(line: Line, told: dict[str, Issue], rng: random.Random, now: datetime, take: Take) -> None:
    _hours, who, move, said = line
    _make(told["issue"], who, move, dict(said), rng, take)
    news.deliver(now - news.TOLD_FOR)


def _make(issue: Issue, who: str, move: str, data: dict[str, Any], rng: random.Random, take: Take) -> None:
    actor = _person(who)
    if data.get("partner") == PARTNER:
        data["partner"] = next(code for code, _name in asks.siblings(issue) if flow.on_duty(issue, code, None))
    if move == "resolve":
        data["proof"] = [take(actor, rng)]
    actions.act(issue, move, actor=actor, data=data)


def _person(who: str) -> Person:
    """Somebody one signs in as, or whoever works at a department."""
    key, _colon, department = who.partition(":")
    if department:
        found = session.scalars(sa.select(Department).where(Department.code == department)).one()
        return people.holders(department_id=found.id)[0]
    phone = next(login.phone for login in story.LOGINS if login.key == key)
    return session.scalars(sa.select(Person).where(Person.phone == phone)).one()
