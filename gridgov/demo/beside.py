"""What people of the demo city do beside issues: quarrels, one settled and signed, and visits. Through the real actions."""

import base64
import io
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from PIL import Image, ImageDraw

from gridgov.db import session, utcnow
from gridgov.demo import pictures, story
from gridgov.demo.ids import uuid7_at
from gridgov.issues import actions as issues
from gridgov.issues.models import Issue
from gridgov.mediation import actions as mediation, queries, signing
from gridgov.mediation.models import Outcome
from gridgov.people.models import Person
from gridgov.photos import actions as photos
from gridgov.visits import actions as visits
from gridgov.visits.models import Consent, Giver

SHANGHAI = ZoneInfo("Asia/Shanghai")
ISSUES = 2
SHOT = 990_001  # A light that no other picture of the demo has.
SETTLED = {
    "report": "和隔壁周家共用的水沟被石头堵了，下雨水就漫进院子，吵了好几回",
    "facts": "刘桂英与周有田两家共用屋后水沟。今年九月周有田修院墙，石料堆进水沟，雨水漫入刘桂英家院子；"
    "刘桂英把垃圾倒在沟口，双方多次争吵。",
    "agreement": "一、周有田在本协议签订后七日内把水沟里的石料全部清走，恢复原来的宽度。\n二、刘桂英今后不再往水沟里倒垃圾。\n"
    "三、水沟每年春季由两家共同清理一次。\n四、双方不再追究以前的口角，今后有事先找组长商量。",
    "performance": "第一项在现场履行，由组长肖建国验收；第三项每年三月底前完成。",
}
OPEN = {
    "report": "地界上的杉树该归谁，跟堂哥家说不拢，请来调解",
    "facts": "双方对屋背后山界上的十二株杉树归属有争议，都说是自己家栽的，一九八二年的山界证上界址写得不清楚。",
}


def stories(now: datetime, rng: random.Random) -> list[tuple[datetime, Iterator[datetime]]]:
    """(when it begins, what happens) in the story's village: each goes on when the clock has reached what it yields."""
    people = {
        login.key: session.scalars(sa.select(Person).where(Person.phone == login.phone)).one()
        for login in story.LOGINS
    }
    settled = (now - timedelta(days=9)).astimezone(SHANGHAI).replace(hour=9, minute=12)
    return [
        (settled, _settled(people, rng)),
        (now - timedelta(hours=3), _open(people, rng)),
        (now - timedelta(days=4), _visited(people, rng)),
    ]


def _settled(people: dict[str, Person], rng: random.Random) -> Iterator[datetime]:
    """Reported, brought to one table the same evening, signed, resolved, verified and rated."""
    chief = people["micro_chief"]
    issue = _quarrel(people["resident"], "0101", SETTLED["report"], rng)
    yield utcnow() + timedelta(hours=1)
    issues.act(issue, "accept", actor=chief, data={"note": "晚上请两家到组里坐下来谈"})
    file = mediation.open_file(issue, actor=chief)
    parties: list[dict[str, Any]] = [
        {
            "name": people["resident"].name,
            "side": "applicant",
            "phone": people["resident"].phone,
            "group_name": "第1村民小组",
        },
        {"name": "周有田", "side": "respondent", "phone": None, "group_name": "第1村民小组"},
    ]
    texts = {key: SETTLED[key] for key in ("facts", "agreement", "performance")}
    mediation.revise(file, actor=chief, parties=parties, mediators=[people["village_chief"].id], **texts)
    yield utcnow() + timedelta(hours=9)
    mediation.attempt(file, actor=chief, held_on=utcnow().astimezone(SHANGHAI).date(), place="一组议事亭", outcome=Outcome.AGREED,
                      note="两家都让了一步")  # fmt: skip
    for days in (30, 180):
        mediation.plan(
            file, actor=chief, due_on=(utcnow() + timedelta(days=days)).astimezone(SHANGHAI).date()
        )
    paper = signing.lay_out(file, actor=chief)
    names = {p.id: p.name for p in queries.parties(file)} | {m.id: p.name for m, p in queries.mediators(file)}
    for signer, name in names.items():
        yield utcnow() + timedelta(minutes=2)
        signing.sign(file, signer, actor=chief, image=_written(name, rng), hash=paper.hash.hex())
    yield utcnow() + timedelta(hours=3)
    shot = pictures.draw("house", False, rng, SHOT)
    proof = photos.take(io.BytesIO(shot), actor=chief, id=uuid7_at(utcnow(), rng)).id
    issues.act(
        issue, "resolve", actor=chief, data={"result": "两家签了调解协议，沟已清开。", "proof": [proof]}
    )
    yield utcnow() + timedelta(hours=14)
    issues.act(issue, "verify", actor=people["village_chief"], data={"way": "spot"})
    yield utcnow() + timedelta(hours=5)
    issues.act(issue, "rate", actor=people["resident"], data={"satisfaction": 5, "note": "终于说开了"})


def _open(people: dict[str, Person], rng: random.Random) -> Iterator[datetime]:
    """Reported this morning, and being talked over."""
    chief = people["micro_chief"]
    issue = _quarrel(people["worker"], "0102", OPEN["report"], rng)
    yield utcnow() + timedelta(minutes=40)
    issues.act(issue, "accept", actor=chief)
    file = mediation.open_file(issue, actor=chief)
    parties = [
        {"name": "肖文贵", "side": "applicant", "group_name": "第1村民小组"},
        {"name": "肖文才", "side": "respondent"},
    ]
    mediation.revise(
        file,
        actor=chief,
        facts=OPEN["facts"],
        agreement="",
        performance="",
        parties=parties,
        mediators=[people["worker"].id],
    )
    mediation.attempt(file, actor=chief, held_on=utcnow().astimezone(SHANGHAI).date(), place="肖文贵家", outcome=Outcome.ADJOURNED,
                      note="请村里查一九八二年的底册再谈")  # fmt: skip


def _visited(people: dict[str, Person], rng: random.Random) -> Iterator[datetime]:
    """Two visits: one where they agreed that it is written down, and one where they did not."""
    today = utcnow().astimezone(SHANGHAI).date()
    visits.record(
        actor=people["worker"], id=uuid7_at(utcnow(), rng), grid_code=story.MICRO, visited_on=today, purpose="care",
        consent=Consent.SIGNED, consent_by=Giver.SELF, signature=_written("周满秀", rng), kind="elderly_alone", name="周满秀",
        address="一组老井边", done="量了血压，换了厨房灯泡，提醒天冷烤火要开窗。", next_on=today + timedelta(days=14),
    )  # fmt: skip
    yield utcnow() + timedelta(days=2)
    visits.record(
        actor=people["micro_chief"], id=uuid7_at(utcnow(), rng), grid_code=story.MICRO,
        visited_on=utcnow().astimezone(SHANGHAI).date(), purpose="policy", consent=Consent.NONE,
    )  # fmt: skip


def _quarrel(reporter: Person, category: str, text: str, rng: random.Random) -> Issue:
    return issues.report(
        actor=reporter, category=category, text=text, grid_code=story.MICRO, id=uuid7_at(utcnow(), rng)
    )[0]


def _written(name: str, rng: random.Random) -> str:
    """Strokes as a finger leaves them on the screen: a few for each character. Nobody's real hand."""
    image = Image.new("RGBA", (220 * len(name), 260))
    pen = ImageDraw.Draw(image)
    for n in range(len(name)):
        left = 220 * n + 30
        for _stroke in range(rng.randint(4, 6)):
            x, y = left + rng.randint(0, 90), rng.randint(40, 140)
            across = rng.random() < 0.5
            end = (
                (x + rng.randint(60, 100), y + rng.randint(-15, 10))
                if across
                else (x + rng.randint(-25, 20), y + rng.randint(60, 95))
            )
            bend = ((x + end[0]) // 2 + rng.randint(-8, 8), (y + end[1]) // 2 + rng.randint(-8, 8))
            pen.line([(x, y), bend, end], fill=(16, 24, 32, 255), width=7, joint="curve")
    out = io.BytesIO()
    image.save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
