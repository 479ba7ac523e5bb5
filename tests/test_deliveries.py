"""Messages outside the house, through the real outbox, real jobs, and a real server at the other end."""

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from gridgov import db, outbox
from gridgov.i18n import forced, ngettext
from gridgov.issues import actions as issues
from gridgov.issues.models import Issue
from gridgov.notices import addresses, channels, jobs, messages, sender, settings
from gridgov.notices.models import (
    Address,
    Channel,
    Delivery,
    DeliveryAttempt,
    Notice,
    Preference,
    State,
    Urgency,
)
from gridgov.people.models import Person
from tests import seed
from tests.conftest import make_config
from tests.outside import Post, World, post, world
from tests.together import together

CITY = seed.City()
DAY = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)  # Monday, 09:00 in Wugang.
NIGHT = datetime(2026, 11, 16, 14, 0, tzinfo=UTC)  # 22:00.
MORNING = datetime(2026, 11, 16, 23, 0, tzinfo=UTC)  # 07:00 on Tuesday.
ROBOT = "https://oapi.dingtalk.com/robot/send?access_token=" + "a1" * 16
SECRETS = [row[0] for row in seed.PEOPLE.values()] + list(seed.PHONES.values()) + ["村口"]


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The HTTP server, which stands for all providers."""
    with world() as there:
        for plugin, name in (
            (channels.NotifyDingTalk, "notify_url"),
            (channels.NotifyFeishu, "notify_url"),
            (channels.NotifyWeComBot, "notify_url"),
        ):
            path = plugin.notify_url.split("/", 3)[3]
            monkeypatch.setattr(plugin, name, f"{there.url}/{path}")
        yield there


@pytest.fixture
def mailbox() -> Iterator[Post]:
    """The mail server."""
    with post() as there:
        yield there


@pytest.fixture
def city(live: Flask, outside: World, mailbox: Post) -> Iterator[Flask]:
    """The live city on a Monday morning, configured to send to the servers of the test."""
    config = live.config["GRIDGOV"]
    before = settings.current()
    settings.use(
        make_config(
            config.database_url, config.redis_url, config.var, public_url="https://grid.example", mail_url=mailbox.url,
            sms_url=f"{outside.url}/sms", outbound_private="127.0.0.0/8", sms_ok='"errcode": 0',
        )
    )  # fmt: skip
    with live.app_context():
        set_clock(DAY)
        yield live
    settings._present = before


def set_clock(at: datetime) -> None:
    with db.transaction():
        db.set_clock(at)


def robot(
    channel: Channel = Channel.DINGTALK, target: str = ROBOT, unit: str = seed.MICRO, least: Urgency = Urgency.LOW
) -> UUID:
    """The robot of a grid's group."""
    with db.transaction():
        return addresses.add_group(channel, target, actor=CITY.administrator, unit_code=unit, least=least).id


def webhook(outside: World, path: str = "/hook", **more: Any) -> UUID:
    return robot(Channel.WEBHOOK, outside.url + path, **more)


def mail_of(key: str, target: str = "someone@wugang.example", **wanted: Any) -> UUID:
    """A proven mailbox of somebody, with preferences if given."""
    with db.transaction():
        person = CITY.person(key)
        address = addresses.add_own(Channel.MAIL, target, actor=person)
        address.verified_at = db.utcnow()
        db.session.execute(
            sa.update(Delivery).where(Delivery.address_id == address.id).values(state=State.VOID, due_at=None)
        )
        if wanted:
            db.session.add(Preference(person_id=person.id, **wanted))
        return address.id


def report(reporter: str = "worker", grade: str = "", **given: Any) -> UUID:
    """A committed report, told to the inbox as the worker does it."""
    with db.transaction():
        issue = CITY.report(reporter, **given)
        if grade:
            issue.grade = grade
        found = issue.id
    tell()
    return found


def act(issue_id: UUID, name: str, key: str, **data: Any) -> None:
    with db.transaction():
        issues.act(db.session.get_one(Issue, issue_id), name, actor=CITY.person(key), data=data)
    tell()


def tell() -> None:
    """Make notices of what the outbox holds."""
    with db.transaction():
        waiting = sa.select(outbox.Outgoing.id).where(outbox.Outgoing.done_at.is_(None)).order_by(outbox.Outgoing.id)
        for outbox_id in db.session.scalars(waiting).all():
            assert outbox.deliver(outbox_id)


def send() -> int:
    """One round of handing over, the jobs run here. Returns how many addresses had something due."""
    asked: list[str] = []
    enqueue = jobs.send_to.enqueue
    jobs.send_to.enqueue = lambda *ids: asked.extend(ids)  # type: ignore[method-assign]
    try:
        jobs.hand_over()
    finally:
        jobs.send_to.enqueue = enqueue  # type: ignore[method-assign]
    for each in asked:
        jobs.send_to(each)
    return len(asked)


def later(**by: float) -> None:
    """Move the stopped clock on."""
    with db.transaction():
        db.set_clock(db.utcnow() + timedelta(**by))


def counted(n: int) -> str:
    """How a message about several things begins, in Chinese."""
    with forced("zh"):
        return ngettext("%(num)d message from the grid", "%(num)d messages from the grid", n)


def states() -> list[str]:
    """Of what events made, in order; the codes that prove mailboxes aside."""
    return read(sa.select(Delivery.state).where(Delivery.kind == "event").order_by(Delivery.id))


def read(query: Any) -> list[Any]:
    with db.transaction():
        return list(db.session.scalars(query).all())


def one(table: Any, **where: Any) -> Any:
    with db.transaction():
        return db.session.scalars(sa.select(table).filter_by(**where)).one()


def attempts() -> list[tuple[int, str]]:
    with db.transaction():
        query = sa.select(DeliveryAttempt.n, DeliveryAttempt.what).order_by(
            DeliveryAttempt.at, DeliveryAttempt.n, DeliveryAttempt.what
        )
        return [tuple(row) for row in db.session.execute(query)]


# Once -----------------------------------------------------------------------------------------------------------------


def test_a_report_reaches_the_group_of_its_grid_once(city, outside):
    robot()
    report()
    assert send() == 1
    assert send() == 0
    (got,) = outside.received
    assert got.path == "/robot/send" and got.query["access_token"] == ["a1" * 16]
    assert "三轮车非法载人" in got.json["text"]["content"] and "https://grid.example/issues/" in got.json["text"]["content"]
    assert states() == ["sent"] and attempts() == [(1, "begun"), (1, "sent")]


def test_delivering_the_outbox_row_again_records_nothing_twice(city, outside):
    robot()
    mail_of("micro_chief")
    report()
    with db.transaction():
        row = db.session.scalars(sa.select(outbox.Outgoing)).one()
        row.done_at = None
        db.session.flush()
        assert outbox.deliver(row.id)
    assert len(states()) == 2
    with pytest.raises(sa.exc.IntegrityError, match="uq_deliveries_once"), db.transaction():
        columns = ", ".join(c.name for c in Delivery.__table__.columns if c.name != "id")
        again = f"INSERT INTO deliveries (id, {columns}) SELECT gen_random_uuid(), {columns} FROM deliveries WHERE kind = 'event'"
        db.session.execute(sa.text(again))


def test_two_senders_at_once_make_one_call(city, outside):
    address = robot()
    report()
    outside.gate = threading.Event()

    def run() -> None:
        with city.app_context():
            jobs.send_to(str(address))

    def open_gate() -> None:
        assert outside.arrived.acquire(timeout=10)
        outside.gate.set()

    assert together(run, run, run, open_gate) == [None] * 4
    assert len(outside.received) == 1 and states() == ["sent"]


def test_what_is_due_together_goes_in_one_message(city, outside):
    robot()
    for _n in range(3):
        report()
    send()
    (got,) = outside.received
    text = got.json["text"]["content"]
    assert text.startswith(counted(3)) and len(re.findall(r"WG-\d{8}-\d+", text)) == 3
    assert states() == ["sent"] * 3


def test_a_robot_is_given_time_between_messages(city, outside):
    robot()
    report()
    send()
    report()
    assert send() == 0
    later(seconds=4)
    assert send() == 1 and len(outside.received) == 2


# Failing --------------------------------------------------------------------------------------------------------------


def test_a_server_error_is_tried_again_later_under_the_same_key(city, outside):
    webhook(outside)
    report()
    outside.answer(500)
    send()
    assert states() == ["failed"] and one(Delivery).error == "HTTP 500"
    assert send() == 0
    later(seconds=37)
    send()
    assert states() == ["sent"]
    first, second = outside.received
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"] and first.body == second.body
    assert attempts() == [(1, "begun"), (1, "failed"), (2, "begun"), (2, "sent")]


def test_what_comes_meanwhile_does_not_change_a_message_that_is_tried_again(city, outside):
    webhook(outside)
    report()
    outside.answer(503)
    send()
    report()
    later(seconds=37)
    while send():
        later(seconds=1)
    first, new, again = (got.body for got in outside.received)
    assert first == again != new
    assert len({got.headers["Idempotency-Key"] for got in outside.received}) == 2


def test_after_six_attempts_it_is_dead_and_can_be_tried_again_by_an_administrator(city, outside):
    webhook(outside)
    report()
    for _n in range(8):
        outside.answer(500)
    for _n in range(8):
        send()
        later(hours=1)
    assert len(outside.received) == 6
    assert states() == ["dead"] and one(Address).bad_since is None and one(Address).failures == 1
    outside.answers.clear()
    from gridgov.notices import deliveries

    with db.transaction():
        deliveries.retry(one_id(), actor=CITY.administrator)
    send()
    assert states() == ["sent"] and one(Address).failures == 0
    assert attempts()[-1] == (7, "sent")


def one_id() -> UUID:
    return db.session.scalars(sa.select(Delivery.id)).one()


@pytest.mark.parametrize(
    ("channel", "target", "refusal"),
    [
        (Channel.DINGTALK, ROBOT, b'{"errcode": 310000, "errmsg": "sign not match"}'),
        (
            Channel.WECOM,
            "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a91f6-7xxx",
            b'{"errcode": 93000, "errmsg": "invalid"}',
        ),
        (
            Channel.FEISHU,
            "https://open.feishu.cn/open-apis/bot/v2/hook/3b1d-aaaa-bbbb",
            b'{"code": 19001, "msg": "param invalid"}',
        ),
    ],
)
def test_a_robot_that_refuses_with_a_200_has_not_sent(city, outside, channel, target, refusal):
    robot(channel, target)
    report()
    outside.usual = (200, refusal, {})
    send()
    assert states() == ["dead"]
    assert str(one(Delivery).error).startswith(re.search(rb"\d{5,6}", refusal)[0].decode())


def test_a_robot_that_is_asked_too_often_is_asked_again(city, outside):
    robot()
    report()
    outside.answer(200, b'{"errcode": 130101, "errmsg": "send too fast"}')
    outside.answer(200, b"<html>busy</html>")
    send()
    assert states() == ["failed"]
    later(minutes=1)
    send()
    assert states() == ["failed"]
    later(minutes=2)
    send()
    assert states() == ["sent"]


def test_an_address_that_keeps_failing_is_marked_left_alone_and_can_be_enabled(city, outside):
    address = webhook(outside)
    outside.usual = (404, b"", {})
    for _n in range(5):
        report()
        send()
    assert states() == ["dead"] * 5 and one(Address).bad_since is not None
    report()
    send()
    assert len(outside.received) == 5 and states()[5] == "held"
    outside.usual = (200, b"{}", {})
    with db.transaction():
        addresses.enable(addresses.any_address(address, actor=CITY.administrator))
    send()
    assert states()[5] == "sent" and one(Address).bad_since is None


def test_one_that_works_between_starts_the_count_anew(city, outside):
    webhook(outside)
    for status in (404, 404, 404, 404, 200, 404, 404):
        outside.answer(status)
        report()
        send()
    assert one(Address).bad_since is None and one(Address).failures == 2


def test_what_was_held_for_a_bad_address_for_more_than_a_day_is_past(city, outside):
    address = webhook(outside)
    with db.transaction():
        db.session.execute(sa.update(Address).values(bad_since=db.utcnow()))
    report()
    later(hours=25)
    report()
    with db.transaction():
        addresses.enable(db.session.get_one(Address, address))
    assert states() == ["void", "waiting"]


# Crashes --------------------------------------------------------------------------------------------------------------


def crash(address: UUID, outside: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender dies after the call was answered and before that was recorded."""

    def gone(*_args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sender, "finish", gone)
        with pytest.raises(KeyboardInterrupt):
            jobs.send_to(str(address))
    assert states() == ["sending"] and len(outside.received) == 1
    assert send() == 0
    jobs.send_to(str(address))
    assert states() == ["sending"] and attempts() == [(1, "begun")], "the lease still runs"
    later(seconds=91)
    send()


def test_a_webhook_is_called_again_under_the_same_key_after_a_crash(city, outside, monkeypatch):
    address = webhook(outside)
    report()
    crash(address, outside, monkeypatch)
    assert states() == ["sent"]
    first, second = outside.received
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert attempts() == [(1, "begun"), (1, "lost"), (2, "begun"), (2, "sent")]


def test_a_robot_is_not_called_again_after_a_crash_but_shown_to_the_administrator(city, outside, monkeypatch):
    address = robot()
    report()
    crash(address, outside, monkeypatch)
    assert len(outside.received) == 1 and states() == ["dead"]
    assert one(Delivery).error == sender.UNKNOWN


def test_an_alarm_is_rather_doubled_than_lost(city, outside, monkeypatch):
    address = robot()
    report(grade="A")
    crash(address, outside, monkeypatch)
    assert len(outside.received) == 2 and states() == ["sent"]


def test_an_answer_that_comes_after_the_lease_still_counts_when_it_is_good(city, outside):
    address = robot()
    report()
    with db.transaction():
        call = sender.take(address)
    later(seconds=91)
    send()
    assert states() == ["dead"]
    with db.transaction():
        sender.finish(call, messages.Outcome(True))
    assert states() == ["sent"] and (1, "sent") in attempts()


def test_a_late_failure_does_not_undo_what_somebody_else_has_sent(city, outside):
    address = webhook(outside)
    report()
    with db.transaction():
        call = sender.take(address)
    later(seconds=91)
    send()
    with db.transaction():
        sender.finish(call, messages.Outcome(False, "too late", final=True))
    assert states() == ["sent"] and one(Address).failures == 0


def test_a_late_failure_does_not_disturb_the_call_that_was_begun_meanwhile(city, outside):
    address = webhook(outside)
    report()
    with db.transaction():
        first = sender.take(address)
    later(seconds=91)
    with db.transaction():
        second = sender.take(address)
        assert (first.message_id, first.n, second.n) == (second.message_id, 1, 2)
    with db.transaction():
        sender.finish(first, messages.Outcome(False, "too late", final=True))
    assert states() == ["sending"] and one(Delivery).attempts == 2
    with db.transaction():
        sender.finish(second, messages.Outcome(True))
    assert states() == ["sent"] and (2, "sent") in attempts() and (2, "failed") not in attempts()


def test_a_lost_queue_is_filled_again(city, outside):
    robot()
    report()
    assert jobs.hand_over() == 1  # Into Redis, which loses it.
    from gridgov import jobs as queues

    queues.connection().flushdb()
    assert jobs.hand_over() == 0
    later(seconds=61)
    assert send() == 1 and states() == ["sent"]


def test_a_real_worker_sends_what_was_handed_over(city, outside):
    from tests.together import work_off

    robot()
    report()
    assert jobs.hand_over() == 1
    work_off()
    assert states() == ["sent"] and len(outside.received) == 1


def test_attempts_are_written_once_and_for_all(city, outside):
    robot()
    report()
    send()
    for statement in (sa.update(DeliveryAttempt).values(what="lost"), sa.delete(DeliveryAttempt)):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), db.transaction():
            db.session.execute(statement)


# When -----------------------------------------------------------------------------------------------------------------


def test_at_night_messages_wait_for_the_morning_and_go_together(city, outside):
    robot()
    set_clock(NIGHT)
    report()
    report()
    assert send() == 0 and states() == ["held"] * 2
    set_clock(MORNING - timedelta(seconds=1))
    assert send() == 0
    set_clock(MORNING)
    assert send() == 1 and len(outside.received) == 1 and states() == ["sent"] * 2


def test_grade_a_waits_for_nothing(city, outside, mailbox):
    robot()
    mail_of("micro_chief", high=["mail"], normal=[], low=[], digest=True)
    set_clock(NIGHT)
    issue = report(grade="A")
    send()
    assert len(outside.received) == 1 and len(mailbox.mails) == 1
    act(issue, "note", "worker", note="现场还在冒烟")
    set_clock(NIGHT + timedelta(seconds=5))
    send()
    assert len(mailbox.mails) == 2, "even a note, which is of low urgency, when the issue is of grade A"


def test_what_failed_by_day_is_not_tried_again_at_night(city, outside):
    webhook(outside)
    set_clock(NIGHT - timedelta(hours=1, seconds=10))  # Ten seconds before rest begins.
    report()
    outside.answer(500)
    send()
    later(minutes=1)
    assert send() == 1 and len(outside.received) == 1 and states() == ["held"]
    set_clock(MORNING)
    send()
    assert states() == ["sent"]


def test_low_urgency_goes_once_a_day_in_one_message(city, outside, mailbox):
    mail_of("resident", low=["mail"], normal=[], high=[], digest=True, digest_hour=18)
    issue = report("resident")
    act(issue, "note", "worker", note="看过了")
    act(issue, "note", "worker", note="又看过了")
    assert send() == 0 and states() == ["held"] * 2
    set_clock(datetime(2026, 11, 16, 10, 0, tzinfo=UTC))  # 18:00.
    send()
    (mail,) = mailbox.mails
    assert mail["Subject"] == counted(2) and states() == ["sent"] * 2


def test_without_a_digest_low_urgency_goes_at_once(city, outside, mailbox):
    mail_of("resident", low=["mail"], normal=[], high=[], digest=False)
    act(report("resident"), "note", "worker", note="看过了")
    send()
    assert len(mailbox.mails) == 1


def test_somebody_without_hours_of_rest_is_told_at_night(city, outside, mailbox):
    mail_of("micro_chief", quiet_from=time(0), quiet_until=time(0))
    set_clock(NIGHT)
    report()
    send()
    assert len(mailbox.mails) == 1


def test_channels_are_chosen_by_urgency(city, outside, mailbox):
    mail_of("micro_chief", high=["mail"], normal=[], low=[])
    report()
    assert states() == []
    report(grade="A")
    assert states() == ["waiting"]


def test_a_group_is_told_from_its_urgency_on(city, outside):
    robot(least=Urgency.HIGH)
    report()
    assert states() == []
    report(grade="A")
    assert states() == ["waiting"]


def test_only_the_units_concerned_are_told(city, outside):
    robot(unit=seed.SIBLING_MICRO)
    robot(unit=seed.VILLAGE)
    act(report(), "escalate", "micro_chief", reason="解决不了")
    assert len(states()) == 1


# To people ------------------------------------------------------------------------------------------------------------


def test_a_text_message_goes_to_ones_own_number_through_the_gateway(city, outside):
    with db.transaction():
        addresses.add_own(Channel.SMS, "", actor=CITY.micro_chief)
    report(grade="A")
    send()
    (got,) = outside.received
    assert got.path == "/sms" and got.json["phone"] == seed.PHONES["micro_chief"]
    assert got.json["text"].startswith("WG-") and states() == ["sent"]


def test_a_gateway_that_says_no_with_a_200_has_not_sent(city, outside):
    with db.transaction():
        addresses.add_own(Channel.SMS, "", actor=CITY.micro_chief)
    outside.usual = (200, b'{"errcode": 15, "detail": "19900000003 is blocked"}', {})
    report(grade="A")
    send()
    assert states() == ["failed"] and seed.PHONES["micro_chief"] not in str(one(Delivery).error)


def test_somebody_with_several_posts_gets_one_message(city, outside, mailbox):
    from gridgov.people import actions as people
    from gridgov.people.models import Role

    with db.transaction():
        people.appoint(CITY.micro_chief, Role.WORKER, actor=None, grid_code=seed.MICRO)
    mail_of("micro_chief")
    report("resident")
    send()
    assert len(mailbox.mails) == 1


def test_texts_are_in_the_language_of_whoever_reads_them(city, outside, mailbox):
    mail_of("micro_chief", "a@wugang.example")
    mail_of("resident", "b@wugang.example", normal=["mail"], low=[], high=[])
    with db.transaction():
        db.session.execute(sa.update(Person).where(Person.phone == seed.PHONES["resident"]).values(language="en"))
    act(report("resident"), "accept", "micro_chief")
    while send():
        later(seconds=1)
    texts = {mail["X-To"]: mail.get_content() for mail in mailbox.mails}
    assert "三轮车非法载人" in texts["a@wugang.example"]
    assert re.search("Your report on [A-Z].*: Accept", texts["b@wugang.example"])


def test_a_refused_mailbox_is_dead_at_once_and_a_busy_one_tried_again(city, outside, mailbox):
    mail_of("micro_chief")
    mailbox.answer = "451 try again"
    report()
    send()
    assert states()[-1] == "failed" and one(Delivery, kind="event").error == "mail server: 451"
    mailbox.answer = "550 no such user"
    later(minutes=1)
    send()
    assert states()[-1] == "dead"


def test_a_mail_that_is_sent_again_keeps_its_message_id(city, outside, mailbox, monkeypatch):
    address = mail_of("micro_chief")
    report()
    with db.transaction():
        call = sender.take(address)
    channels.send(call.channel, call.target, call.message)
    channels.send(call.channel, call.target, call.message)
    first, second = mailbox.mails
    assert first["Message-ID"] == second["Message-ID"] == f"<{call.message_id}@wugang.example>"


def test_somebody_disabled_is_told_nothing(city, outside, mailbox):
    from gridgov.people import actions as people

    mail_of("micro_chief")
    report()
    with db.transaction():
        people.disable(CITY.micro_chief, actor=None)
    send()
    assert mailbox.mails == [] and states()[-1] == "void"


def test_an_address_that_is_removed_gets_nothing_and_is_forgotten(city, outside, mailbox):
    address = mail_of("micro_chief")
    report()
    with db.transaction():
        addresses.remove(db.session.get_one(Address, address), actor=CITY.micro_chief)
    send()
    assert mailbox.mails == [] and states()[-1] == "void"
    assert (one(Address).target, one(Address).hint) == (None, "")


def test_a_mailbox_is_told_nothing_before_its_code_came_back(city, outside, mailbox):
    with db.transaction():
        address = addresses.add_own(Channel.MAIL, "lin@wugang.example", actor=CITY.micro_chief).id
    report()
    send()
    (mail,) = mailbox.mails
    code = re.search(r"\b\d{6}\b", mail.get_content())[0]
    with db.transaction():
        addresses.confirm(address, code, actor=CITY.micro_chief)
    report()
    while send():
        later(seconds=1)
    assert len(mailbox.mails) == 2


# What is not said -----------------------------------------------------------------------------------------------------


def test_nothing_personal_leaves_the_house(city, outside, mailbox):
    robot()
    robot(Channel.WECOM, "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a91f6-7xxx")
    robot(Channel.FEISHU, "https://open.feishu.cn/open-apis/bot/v2/hook/3b1d-aaaa-bbbb", unit=seed.VILLAGE)
    webhook(outside)
    mail_of("micro_chief", digest=False)
    mail_of("resident", "b@wugang.example", normal=["mail"], low=["mail"], high=[], digest=False)
    issue = report("resident")
    act(issue, "note", "worker", note="打电话 13812345678 找周小兰")
    act(issue, "escalate", "micro_chief", reason="李支书知道")
    secret = report("resident", confidential=True)
    while send():
        later(seconds=5)
    said = [got.body.decode() + str(got.query) + got.path for got in outside.received]
    said += [mail.as_string() + mail.get_content() for mail in mailbox.mails]
    text = "\n".join(said).encode().decode("unicode_escape", "ignore") + "\n".join(said)
    assert len(said) >= 6
    for word in [*SECRETS, "打电话", "13812345678"]:
        assert word not in text
    # Sixteen and more digits in a row are no phone number, nor are those of a number of ours or an identity.
    plain = re.sub(r"WG-\d{8}-\d+|[0-9a-f]{8}-[0-9a-f-]{27}", "", text)
    assert re.findall(r"(?<!\d)1[3-9]\d{9}(?!\d)", plain) == []
    number = one(Issue, id=secret).number
    lines = [line for line in text.splitlines() if number in line]
    assert lines and not any("三轮" in line for line in lines)


def test_an_address_at_rest_can_be_read_by_nobody_without_the_key(city, outside, mailbox):
    mail_of("micro_chief", "geheim@wugang.example")
    robot()
    with db.transaction():
        dump = "\n".join(str(row) for row in db.session.execute(sa.text("SELECT a::text FROM addresses a")))
    assert "geheim" not in dump and "a1a1a1a1" not in dump


def test_an_address_sealed_under_a_lost_key_is_marked(city, outside):
    from gridgov.notices import sealing

    robot()
    report()
    sealing.use("another secret that is long enough")
    send()
    assert one(Address).bad_since is not None and states() == ["held"] and outside.received == []


def test_nobody_who_reported_is_told_twice_by_notice_and_delivery(city, outside, mailbox):
    mail_of("micro_chief")
    report()
    notices = read(sa.select(Notice.id))
    assert read(sa.select(Delivery.notice_id).where(Delivery.kind == "event")) == notices[:1]
