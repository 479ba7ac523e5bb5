"""What several people report at once in the demo city: a burst pipe, told of four times, and what the questions of a category got."""

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from gridgov.db import utcnow
from gridgov.demo import news
from gridgov.demo.ids import uuid7_at
from gridgov.issues import actions, flow, followers
from gridgov.issues.models import Issue
from gridgov.people.models import Person, Role

CATEGORY = "1001"
# Minutes ago, metres north of the first, and what they wrote.
TOLD = (
    (48, 0, "村口水管爆了，路上全是水。"),
    (41, 14, "水管漏水，一组停水了。"),
    (35, 27, "路边自来水管破了，水流到田里。"),
)
TAKEN_UP, FOLLOWED = 30, 22
METRE = 1 / 111_195  # In degrees of latitude.
LARGEST = 40
At = Callable[[datetime, Callable[[], None]], None]


def plan(
    at: At,
    now: datetime,
    place: tuple[float, float],
    people: Mapping[Role, Sequence[Person]],
    chief: Person,
    rng: random.Random,
) -> int:
    """Have three people report the same near `place` (lat, lon), the chief merge two of them, and a fourth follow.

    Returns how many issues that makes.
    """
    *_some, third = residents = sorted(people[Role.RESIDENT], key=lambda person: person.phone)
    follower, reporters = residents[0], (third, people[Role.WORKER][0], people[Role.MICRO_CHIEF][0])
    made: list[Issue] = []

    def report(n: int) -> None:
        metres, text = TOLD[n][1:]
        lat = round(place[0] + metres * METRE, 6)
        issue, _new = actions.report(
            actor=reporters[n],
            category=CATEGORY,
            text=text,
            id=uuid7_at(utcnow(), rng),
            lat=lat,
            lon=place[1],
            accuracy_m=8,
        )
        made.append(issue)

    def take_up() -> None:
        actions.act(made[0], "accept", actor=chief)
        for issue in made[1:]:
            actions.act(issue, "merge", actor=chief, data={"issue": made[0].number})

    def follow() -> None:
        followers.follow(follower, made[0].id)
        news.deliver(now - news.TOLD_FOR)

    for n, (minutes, _metres, _text) in enumerate(TOLD):
        at(now - timedelta(minutes=minutes), lambda n=n: report(n))  # type: ignore[misc]
    at(now - timedelta(minutes=TAKEN_UP), take_up)
    at(now - timedelta(minutes=FOLLOWED), follow)
    return len(TOLD)


def answers(category: str, look: str) -> dict[str, Any]:
    """What somebody answers to the questions of a category; words they leave out."""
    given: dict[str, Any] = {}
    rng = random.Random(f"{look}/answers")
    for question in flow.rules().categories[category].questions:
        if question.kind == "number":
            given[question.name] = rng.randint(question.low, min(question.high, question.low + LARGEST))
        elif question.kind == "yesno":
            given[question.name] = rng.random() < 0.5
        elif question.kind == "choice":
            given[question.name] = rng.choice(list(question.options))
    return given
