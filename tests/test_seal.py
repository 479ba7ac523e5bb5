"""One sealed report, driven through its life, and every place where its reporter could be read, looked at by everybody.

The walk is over the URL map, the tables and the commands themselves: what is added later is in it, or has to be put on a
list here by somebody who has thought about it.
"""

import importlib
import io
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import click
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from gridgov import db, logs, outbox
from gridgov.app import COMMANDS
from gridgov.identity import looks
from gridgov.issues import actions, flow
from gridgov.issues.models import Category, Issue, IssueEvent
from gridgov.live import changes
from gridgov.notices import addresses, settings, texts
from gridgov.notices.models import Channel, Delivery
from gridgov.people import actions as people
from gridgov.people.models import Household, Person, Role
from tests import seed
from tests.factories import photo_of, picture

NAME, PHONE, MAIL = "欧阳守真", "13577799531", "shouzhen@wugang.example"
HOME = "青石桥巷七十九号"
# One of each role, and neighbours; whoever could see the same as another of them is left out.
EYES = [key for key in seed.PEOPLE if not key.endswith("_2") and not key.startswith(("sibling_w", "sibling_m", "foreign_", "other_"))]
# Tables that hold who somebody is, apart from any report. Everywhere else neither name nor phone may stand.
KNOWN = {"persons", "households", "sign_ins", "sign_in_guards", "admin_log", "addresses"}
# Commands that read nothing of issues, or take what they show from whoever calls them.
ELSEWHERE = {
    "city import", "demo load", "demo logins", "people administrator", "people password", "people disable", "people show",
    "calendar import", "calendar show", "calendar hours", "calendar recompute", "photos sweep", "timers retry", "openapi write",
    "people appoint", "simulate play", "simulate write",
}  # fmt: skip
SEARCHED = {"/desk", "/api/v1/issues"}
READERS: dict[str, list[str]] = {
    "bulletin": ["--from", "2026-01-01", "--to", "2026-12-31"], "timers status": [], "audit verify": [], "workflow check": [], "workflow diagram": [],
}  # fmt: skip


class Secret:
    """The reporter, and whether a text gives them away."""

    def __init__(self, person: Person) -> None:
        self.id = person.id
        self.words = [NAME, PHONE, MAIL, HOME, PHONE[:3] + "****" + PHONE[-4:], "s***@wugang", str(person.id), person.id.hex]
        self.words += [json.dumps(NAME).strip('"')]
        self.looked = 0

    def check(self, text: str | bytes, where: Any) -> None:
        """Fail if it stands there."""
        self.looked += 1
        told = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        assert [word for word in self.words if word in told] == [], where

    def answer(self, answer: Any, where: Any) -> None:
        """The whole of an answer: its body, its headers."""
        self.check(answer.get_data(), where)
        self.check(str(answer.headers), where)


@pytest.fixture
def reporter(app: Any, city: seed.City) -> Iterator[Person]:
    """Somebody whose name is nobody else's, with a household and a mailbox."""
    before = settings.current()
    settings.use(replace(app.config["GRIDGOV"], mail_url="mailto://127.0.0.1:9?from=grid@wugang.example", public_url="https://grid.example"))
    person = people.create_person(NAME, PHONE, actor=None, password=seed.PASSWORD)
    people.appoint(person, Role.RESIDENT, actor=None, grid_code=seed.MICRO)
    home = Household(code="H-79", grid_code=seed.MICRO, head_name=NAME, address=HOME)
    db.session.add(home)
    db.session.flush()
    person.household_id = home.id
    address = addresses.add_own(Channel.MAIL, MAIL, actor=person)
    address.verified_at = db.utcnow()
    db.session.flush()
    yield person
    settings._present = before


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, in both forms, from the first line on."""
    kept = io.StringIO()
    handlers = [logging.StreamHandler(kept), logging.StreamHandler(kept)]
    for handler, form in zip(handlers, (logs.JsonLines(), logs.TextLines()), strict=True):
        handler.setFormatter(form)
        logging.getLogger().addHandler(handler)
    before = logging.getLogger("gridgov").level
    logging.getLogger("gridgov").setLevel("DEBUG")
    yield kept
    logging.getLogger("gridgov").setLevel(before)
    for handler in handlers:
        logging.getLogger().removeHandler(handler)


def reported(client: Any, reporter: Person) -> UUID:
    """Sent through the page, as from a phone, with a photo whose file is called like the reporter."""
    id = uuid4()
    form = {
        "id": str(id), "category": "0106", "text": "村委会旁边每晚有人聚众赌博", "grid_code": seed.MICRO, "address": "小卖部后面",
        "photos": [(picture(), f"{NAME}-{PHONE}.jpg")],
    }  # fmt: skip
    assert client.form("/report", form, reporter).status_code == 303
    return id


def deliver() -> None:
    """What the outbox holds becomes notices and deliveries; then the messages go out, or fail."""
    for key in db.session.scalars(sa.select(outbox.Outgoing.id).where(outbox.Outgoing.done_at.is_(None))).all():
        assert outbox.deliver(key)


def step(client: Any, secret: Secret, issue_id: UUID, who: Person, name: str, **data: Any) -> None:
    """One move through the API by somebody; what they are answered is looked at, unless it is the reporter's own."""
    answer = client.send(f"/api/v1/issues/{issue_id}/events", {"name": name, **data}, who)
    assert answer.status_code == 201, answer.get_json()
    if who.id != secret.id:
        secret.answer(answer, name)


def addresses_of(rule: Any, issue_id: UUID, photos: list[UUID], client: Any) -> list[str]:
    """A route's address with the issue's own ids in every part of it."""
    values: dict[str, list[str]] = {
        "issue_id": [str(issue_id)], "photo_id": [str(photo) for photo in photos], "code": ["zh", seed.MICRO, seed.VILLAGE],
        "name": ["accept", "note", "rate", "dispatch", "answer", "no such"], "year": ["2026"], "letter_id": ["timer-1"], "path": ["x"],
    }  # fmt: skip
    found = [str(rule)]
    for part in sorted(rule.arguments):
        given = values.get(part, [str(uuid4())])
        found = [re.sub(rf"<([a-z]+:)?{part}>", value, url) for url in found for value in given]
    queries = [f"q={NAME}", f"q={PHONE}", "view=all", f"issue={issue_id}", f"view=all&issue={issue_id}&move=note", "grid=" + seed.MICRO]
    lists = {"/desk", "/api/v1/issues", "/todo", "/mine", "/report", "/inbox"}
    found += [f"{rule}?{query}" for query in queries if str(rule) in (lists if "q=" not in query else SEARCHED)]
    found += [f"{rule}?view={view}" for view in ("todo", "mine", "reported") if str(rule) == "/api/v1/issues"]
    found += [f"{rule}?state={state}&view=all" for state in ("ended", "open", "supervised") if str(rule) in lists - {"/mine"}]
    return found


def walk(client: Any, city: seed.City, secret: Secret, issue_id: UUID) -> None:
    """Everybody asks every address of the application."""
    photos = list(db.session.scalars(sa.text("SELECT photo_id FROM issue_photos WHERE issue_id = :id"), {"id": issue_id}))
    number = db.session.scalar(sa.select(Issue.number).where(Issue.id == issue_id))
    assert photos and number
    rules = [rule for rule in client.app.url_map.iter_rules() if rule.endpoint not in ("static", "assets")]
    seen = 0
    for key in EYES:
        person = city.person(key)
        for rule in rules:
            for url in addresses_of(rule, issue_id, photos, client):
                if "GET" in rule.methods:
                    for headers in ({}, {"HX-Request": "true", "HX-Target": "detail"}):
                        if headers and "issue=" not in url:
                            continue
                        answer = client.page(url, person, headers=headers)
                        seen += answer.status_code == 200 and "issue_id" in rule.arguments
                        if "?q=" in url:  # What is looked for is shown again; the report is not found by it.
                            assert number not in answer.get_data(as_text=True), (key, url)
                        else:
                            secret.answer(answer, (key, url, headers))
                if "POST" in rule.methods and "issue_id" in rule.arguments and not url.endswith("/identity"):
                    for name in ("note", "accept", "rate", "no such"):  # Of a generation long gone: nothing is moved.
                        body = {"name": name, "generation": 10_000, "note": "看过", "satisfaction": "3"}
                        secret.answer(client.form(url, body, person), (key, url, name))
                        if rule.rule.startswith("/api"):
                            secret.answer(client.send(url, body, person), (key, url, name))
    assert seen > 30  # They did see it.


def tables(secret: Secret) -> None:
    """No row says the name or the phone but where people are entered. (Ids stand where they must: who did it, who is told.)"""
    words = [NAME, PHONE, HOME]
    for table in sorted(db.metadata.tables):
        if table not in KNOWN:
            text = "\n".join(db.session.scalars(sa.text(f"SELECT t::text FROM {table} t")))
            assert [word for word in words if word in text] == [], table
    payloads = "\n".join(db.session.scalars(sa.text("SELECT payload::text FROM outbox")))
    secret.check(payloads, "outbox")
    secret.check("\n".join(db.session.scalars(sa.text("SELECT data::text FROM issue_events"))), "what was given with steps")


def messages(secret: Secret, issue_id: UUID) -> None:
    """What is said outside to everybody of everything that happened, by every way, in both languages."""
    issue = db.session.get_one(Issue, issue_id)
    kind = db.session.get_one(Category, issue.category_code)
    names = db.session.scalars(sa.select(IssueEvent.name).where(IssueEvent.issue_id == issue_id)).all()
    for audience in {*flow.AUDIENCES, "looked"}:
        items = [texts.Item(issue.id, issue.number, issue.confidential, kind, name, audience) for name in names]
        for channel in Channel:
            for language in ("zh", "en"):
                secret.check("\n".join(texts.compose(channel, language, items)), (channel, audience))
                secret.check("\n".join(texts.compose(channel, language, items[:1])), (channel, audience))


def streams(city: seed.City, secret: Secret) -> None:
    """What open pages are sent of it."""
    look = changes.look("1:1:")
    for key in EYES:
        from gridgov.people import queries

        viewer = changes.Viewer(uuid4(), city.person(key).id, queries.reach(city.person(key)))
        secret.check(json.dumps(changes.news([look], viewer).body()), ("live", key))


def commands(secret: Secret) -> None:
    """What the command line says. A new command is read here, or put on the list of those that say nothing of issues."""
    found = set()
    for name, address in COMMANDS.items():
        module, _colon, attribute = address.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        for sub in command.commands if isinstance(command, click.Group) else [""]:
            said = f"{name} {sub}".strip()
            found.add(said)
            if said in READERS:
                got = CliRunner().invoke(command, [*sub.split(), *READERS[said]])
                assert got.exit_code == 0, got.output
                secret.check(got.output, said)
    assert found == ELSEWHERE | set(READERS)


def everywhere(client: Any, city: seed.City, secret: Secret, issue_id: UUID) -> None:
    walk(client, city, secret, issue_id)
    tables(secret)
    with client.app.app_context():
        messages(secret, issue_id)
    streams(city, secret)
    commands(secret)


@pytest.mark.slow
def test_a_sealed_reporter_is_read_nowhere_by_nobody(client, city, reporter, log):
    secret = Secret(reporter)
    issue_id = reported(client, reporter)
    one = lambda key: city.person(key)  # noqa: E731
    reporter = db.session.get_one(Person, secret.id)
    step(client, secret, issue_id, reporter, "note", note="昨晚又来了", photos=[str(photo_of(reporter))])
    step(client, secret, issue_id, reporter, "urge")
    step(client, secret, issue_id, one("micro_chief"), "escalate", reason="请村里处理")
    step(client, secret, issue_id, one("village_chief"), "escalate", reason="请镇里处理")
    step(client, secret, issue_id, one("township_office"), "escalate", reason="请市里处理")
    step(client, secret, issue_id, one("city_leader"), "instruct", instruction="依法查处")
    until = str((db.utcnow() + timedelta(days=9)).date())
    step(client, secret, issue_id, one("city_office"), "supervise", reason="群众关注", report_on=until)
    looks.look(db.session.get_one(Issue, issue_id), actor=one("city_office"), purpose="verify", words="问清时间")
    step(client, secret, issue_id, one("city_office"), "dispatch", department="transport")
    step(client, secret, issue_id, one("department"), "accept")
    deliver()
    trouble(issue_id)
    everywhere(client, city, secret, issue_id)
    step(client, secret, issue_id, one("department"), "answer", note="已布控")
    step(client, secret, issue_id, one("department"), "resolve", result="已查处", proof=[str(photo_of(one("department")))])
    step(client, secret, issue_id, one("city_office"), "verify", way="spot")
    step(client, secret, issue_id, db.session.get_one(Person, secret.id), "contest", reason="换了地方还在赌")
    step(client, secret, issue_id, one("department"), "resolve", result="再次查处", proof=[str(photo_of(one("department")))])
    step(client, secret, issue_id, one("city_office"), "verify", way="spot")
    step(client, secret, issue_id, db.session.get_one(Person, secret.id), "rate", satisfaction=4, note="谢谢")
    deliver()
    everywhere(client, city, secret, issue_id)
    secret.check(log.getvalue(), "the log")
    assert secret.looked > 4_000


def trouble(issue_id: UUID) -> None:
    """A message to the reporter could not be brought, a letter has died: administrators are shown both."""
    told = db.session.scalars(sa.select(Delivery).where(Delivery.issue_id == issue_id, Delivery.audience == "reporter")).all()
    assert told
    db.session.execute(sa.update(Delivery).where(Delivery.id == told[0].id).values(state="dead", due_at=None, ended_at=db.utcnow()))
    db.session.execute(
        sa.text("UPDATE outbox SET dead_at = now(), error = 'ValueError' WHERE id = (SELECT id FROM outbox LIMIT 1)")
    )
    db.session.execute(sa.text("UPDATE timers SET state = 'dead', ended_at = now() WHERE id = (SELECT min(id) FROM timers)"))


def test_the_walk_would_find_a_leak(client, city, reporter):
    """The same eyes on a report that is not sealed see the name at once: they are not blind."""
    issue = actions.report(actor=reporter, category="0203", text="三轮车载人", grid_code=seed.MICRO, photos=[photo_of(reporter)])[0]
    with pytest.raises(AssertionError, match=NAME):
        walk(client, city, Secret(reporter), issue.id)


def test_a_word_that_is_the_name_finds_no_sealed_report(client, city, reporter):
    reported(client, reporter)
    for key in ("micro_chief", "city_office", "auditor"):
        assert client.get(f"/api/v1/issues?q={NAME}", city.person(key)).get_json()["items"] == []
        assert client.get(f"/api/v1/issues?q={PHONE}", city.person(key)).get_json()["items"] == []
