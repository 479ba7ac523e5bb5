"""Addresses and preferences by page and API: one's own, and the groups' that an administrator keeps; who may, and who may not."""

import re
from collections.abc import Iterator
from datetime import time
from typing import Any
from uuid import uuid4

import pytest
import requests
import sqlalchemy as sa
from flask import Flask

from gridgov import db
from gridgov.config import Config
from gridgov.errors import ConfigError, Invalid, NotPermitted
from gridgov.notices import addresses, channels, deliveries, messages, outbound, sealing, settings, timing
from gridgov.notices.models import Address, Channel, Delivery, Preference, State, Urgency
from gridgov.people.models import AdminAct
from tests import seed
from tests.conftest import make_config
from tests.counting import count_queries
from tests.outside import world

ROBOT = "https://oapi.dingtalk.com/robot/send?access_token=" + "a1" * 16
WANTED = {
    "high": ["sms"],
    "normal": ["mail"],
    "low": [],
    "quiet_from": "22:00",
    "quiet_until": "06:30",
    "digest": True,
    "digest_hour": 9,
}
NOBODY = ["resident", "worker", "township_office", "city_office", "auditor", "city_leader"]


@pytest.fixture(autouse=True)
def configured(app: Flask) -> Iterator[None]:
    """An installation that offers e-mail and text messages."""
    config, before = app.config["GRIDGOV"], settings.current()
    settings.use(
        make_config(
            config.database_url,
            config.redis_url,
            config.var,
            mail_url="mailto://127.0.0.1:9/?from=a@b.cn",
            sms_url="http://127.0.0.1:9/",
        )
    )
    yield
    settings._present = before


def group(city: Any, **given: Any) -> Address:
    return addresses.add_group(Channel.DINGTALK, ROBOT, actor=city.administrator, unit_code=seed.MICRO, **given)


def dead(city: Any) -> Delivery:
    """Something that could not be brought."""
    delivery = deliveries.queue(group(city), "test")
    delivery.state, delivery.due_at, delivery.attempts = State.DEAD, None, 1
    db.session.flush()
    return delivery


# One's own ------------------------------------------------------------------------------------------------------------


def test_preferences_are_read_and_written_by_the_api(client, city):
    got = client.get("/api/v1/me/notices", city.worker).json
    assert (
        got["wanted"]["quiet_from"] == "21:00"
        and got["wanted"]["quiet_until"] == "07:00"
        and got["wanted"]["digest"] is True
    )
    assert got["offered"] == ["mail", "sms"] and got["addresses"] == []
    got = client.send("/api/v1/me/notices", WANTED, city.worker, method="PUT")
    assert (got.status_code, got.json["wanted"]) == (200, WANTED)
    assert client.get("/api/v1/me/notices", city.resident).json["wanted"]["digest_hour"] == 8


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quiet_from", "25:00"),
        ("quiet_from", None),
        ("digest_hour", 24),
        ("high", ["wecom"]),
        ("low", "mail"),
        ("digest", "maybe"),
        ("owner", 1),
    ],
)
def test_a_preference_that_cannot_be_is_refused_by_its_field(client, city, field, value):
    got = client.send("/api/v1/me/notices", {**WANTED, field: value}, city.worker, method="PUT")
    assert got.status_code == 422 and list(got.json["errors"]) == [field]


def test_the_page_keeps_what_was_chosen_and_shows_what_was_wrong_beside_it(client, city):
    form = {"high": ["mail", "sms"], "quiet_from": "20:30", "quiet_until": "06:00", "digest_hour": "7"}
    assert client.form("/me/notices", form, city.worker).status_code == 303
    kept = db.session.get(Preference, city.worker.id)
    assert (kept.high, kept.normal, kept.low, kept.digest, kept.quiet_from) == (["mail", "sms"], [], [], False, time(20, 30))
    got = client.form("/me/notices", {**form, "quiet_from": "abends"}, city.worker)
    page = got.get_data(as_text=True)
    assert got.status_code == 422 and 'id="f-quiet_from-error"' in page and 'value="abends"' in page


def test_a_mailbox_is_added_proven_tested_and_removed_on_the_page(client, city):
    form = {"channel": "mail", "target": "lan@wugang.example"}
    assert client.form("/me/notices/addresses", form, city.worker).status_code == 303
    (address,) = addresses.own(city.worker)
    page = client.page("/me/notices", city.worker).get_data(as_text=True)
    assert "l***@wugang.example" in page and "lan@" not in page
    path = f"/me/notices/addresses/{address.id}"
    got = client.form(f"{path}/confirm", {"code": "no"}, city.worker)
    assert got.status_code == 422 and 'id="f-code-error"' in got.get_data(as_text=True)
    code = sealing.unseal(db.session.get(Address, address.id).code)
    assert client.form(f"{path}/confirm", {"code": code}, city.worker).status_code == 303
    assert db.session.get(Address, address.id).verified_at is not None
    assert client.form(f"{path}/test", {}, city.worker).status_code == 429, "the code was sent just now"
    db.session.execute(sa.update(Delivery).values(created_at=sa.func.app_now() - sa.text("interval '1 minute'")))
    assert client.form(f"{path}/test", {}, city.worker).status_code == 303
    assert client.form(f"{path}/remove", {}, city.worker).status_code == 303
    assert addresses.own(city.worker) == []


def test_other_peoples_addresses_are_not_there(client, city):
    address = addresses.add_own(Channel.SMS, "", actor=city.worker)
    for what in ("confirm", "test"):
        assert (
            client.browser(city.resident)
            and client.form(f"/me/notices/addresses/{address.id}/{what}", {}, city.resident).status_code == 404
        )
    assert client.form(f"/me/notices/addresses/{address.id}/remove", {}, city.resident).status_code == 404
    assert len(addresses.own(city.worker)) == 1


@pytest.mark.parametrize("target", ["", "kein", "a@b", "a b@c.cn", "a@b.cn\nBcc: x@y.cn", "x" * 250 + "@a.cn"])
def test_what_is_no_mailbox_is_refused_beside_the_field(client, city, target):
    got = client.form("/me/notices/addresses", {"channel": "mail", "target": target}, city.worker)
    assert got.status_code == 422 and 'id="f-target-error"' in got.get_data(as_text=True)


@pytest.mark.parametrize("channel", ["wecom", "dingtalk", "feishu", "webhook", "", "json"])
def test_nobody_gives_a_web_address_of_their_own(client, city, channel):
    for person in (city.resident, city.administrator):
        got = client.form("/me/notices/addresses", {"channel": channel, "target": "https://evil.example/"}, person)
        assert got.status_code == 422 and addresses.own(person) == []


def test_an_address_is_entered_once_and_there_are_at_most_five(client, city):
    def send(n: int) -> int:
        return client.form("/me/notices/addresses", {"channel": "mail", "target": f"{n}@a.cn"}, city.worker).status_code

    assert [send(n) for n in (1, 1, 2, 3, 4, 5, 6)] == [303, 409, 303, 303, 303, 303, 422]


def test_tokens_cannot_enter_addresses(client, city):
    assert client.send("/api/v1/me/notices/addresses", {"channel": "sms"}, city.worker).status_code == 403
    browser = client.browser(city.worker)
    token = browser.get("/api/v1/csrf").get_json()["token"]
    got = browser.post("/api/v1/me/notices/addresses", json={"channel": "sms"}, headers={"X-CSRFToken": token})
    assert got.status_code == 201
    (address,) = got.json["addresses"]
    assert address["verified"] is True and address["hint"] == "199****0002" and "target" not in address
    assert (
        browser.delete(f"/api/v1/me/notices/addresses/{address['id']}", headers={"X-CSRFToken": token}).json["addresses"]
        == []
    )


def test_a_way_that_is_not_configured_is_not_offered(client, city, app):
    config = app.config["GRIDGOV"]
    settings.use(make_config(config.database_url, config.redis_url, config.var))
    assert client.get("/api/v1/me/notices", city.worker).json["offered"] == []
    assert client.form("/me/notices/addresses", {"channel": "sms"}, city.worker).status_code == 422
    assert client.page("/me/notices", city.worker).status_code == 200


def test_whoever_owns_a_bad_address_sees_it_on_the_page(client, city):
    address = addresses.add_own(Channel.SMS, "", actor=city.worker)
    address.bad_since = db.utcnow()
    page = client.page("/me/notices", city.worker).get_data(as_text=True)
    assert 'class="alert tone-amber"' in page
    db.session.get(Address, address.id).bad_since = None
    assert 'class="alert tone-amber"' not in client.page("/me/notices", city.worker).get_data(as_text=True)


# Administrators -------------------------------------------------------------------------------------------------------


def test_the_administrator_enters_and_removes_a_groups_robot_and_it_is_on_record(client, city):
    form = {"channel": "dingtalk", "target": ROBOT, "unit_code": seed.VILLAGE, "least": "low"}
    assert client.form("/admin/channels", form, city.administrator).status_code == 303
    (address,) = db.session.scalars(sa.select(Address)).all()
    page = client.page("/admin/channels", city.administrator).get_data(as_text=True)
    assert "泻油村" in page and "a1a1a1" not in page and address.hint in page
    assert client.form("/admin/channels", form, city.administrator).status_code == 422, "it is there already"
    assert client.form(f"/admin/channels/{address.id}/remove", {}, city.administrator).status_code == 303
    acts = db.session.scalars(
        sa.select(AdminAct).where(AdminAct.act.in_(["add_channel", "remove_channel"])).order_by(AdminAct.id)
    ).all()
    assert [act.act for act in acts] == ["add_channel", "remove_channel"] and "a1a1" not in str([act.detail for act in acts])


@pytest.mark.parametrize("who", NOBODY)
def test_nobody_else_looks_after_deliveries(client, city, who):
    delivery, person = dead(city), who
    address = delivery.address_id
    for path in ("/admin/deliveries", "/admin/channels"):
        assert client.page(path, city.person(person)).status_code == 403
        assert client.get(f"/api/v1{path}", city.person(person)).status_code == 403
    assert (
        client.form(
            "/admin/channels", {"channel": "dingtalk", "target": ROBOT, "unit_code": seed.CITY}, city.person(person)
        ).status_code
        == 403
    )
    for path in (
        f"/admin/deliveries/{delivery.id}/retry",
        *(f"/admin/channels/{address}/{what}" for what in ("test", "enable", "remove")),
    ):
        assert client.form(path, {}, city.person(person)).status_code == 404
    assert db.session.get(Delivery, delivery.id).state == State.DEAD
    with pytest.raises(NotPermitted):
        addresses.add_group(Channel.DINGTALK, ROBOT, actor=city.person(person), unit_code=seed.MICRO)


def test_the_administrator_sees_what_failed_and_tries_it_again(client, city):
    delivery = dead(city)
    page = client.page("/admin/deliveries", city.administrator).get_data(as_text=True)
    assert str(delivery.id) in page and "a1a1a1" not in page
    got = client.get("/api/v1/admin/deliveries?state=dead", city.administrator).json
    assert [row["id"] for row in got["items"]] == [str(delivery.id)] and got["counts"] == {"dead": 1, "failed": 0, "held": 0}
    assert client.get("/api/v1/admin/deliveries?state=failed", city.administrator).json["items"] == []
    assert client.form(f"/admin/deliveries/{delivery.id}/retry", {}, city.administrator).status_code == 303
    assert db.session.get(Delivery, delivery.id).state == State.WAITING
    assert client.form(f"/admin/deliveries/{delivery.id}/retry", {}, city.administrator).status_code == 409


def test_what_goes_to_a_bad_address_is_not_tried_again_before_that_is_enabled(client, city):
    delivery = dead(city)
    db.session.get(Address, delivery.address_id).bad_since = db.utcnow()
    assert client.form(f"/admin/deliveries/{delivery.id}/retry", {}, city.administrator).status_code == 409
    page = client.page("/admin/deliveries", city.administrator).get_data(as_text=True)
    assert f"/admin/channels/{delivery.address_id}/enable" in page
    assert client.form(f"/admin/channels/{delivery.address_id}/enable", {}, city.administrator).status_code == 303
    assert client.form(f"/admin/deliveries/{delivery.id}/retry", {}, city.administrator).status_code == 303


def test_lists_cost_the_same_however_long_they_are(client, city):
    def cost(path: str) -> int:
        client.page(path, city.administrator)
        with count_queries() as seen:
            assert client.page(path, city.administrator).status_code == 200
        return len(seen)

    first = dead(city)
    few = {path: cost(path) for path in ("/admin/deliveries", "/admin/channels", "/me/notices")}
    for n in range(9):
        address = addresses.add_group(Channel.DINGTALK, ROBOT + f"{n}", actor=city.administrator, unit_code=seed.VILLAGE)
        address.bad_since = db.utcnow()
        db.session.add(
            Delivery(address_id=first.address_id, kind="test", urgency=Urgency.LOW, state=State.DEAD, created_at=db.utcnow())
        )
        if n < 4:
            addresses.add_own(Channel.MAIL, f"{n}@a.cn", actor=city.administrator)
    assert {path: cost(path) for path in few} == few


def test_pages_of_deliveries_follow_each_other(client, city):
    first = dead(city)
    for _n in range(60):
        db.session.add(
            Delivery(address_id=first.address_id, kind="test", urgency=Urgency.LOW, state=State.DEAD, created_at=db.utcnow())
        )
    got = client.get("/api/v1/admin/deliveries", city.administrator).json
    more = client.get(f"/api/v1/admin/deliveries?cursor={got['next']}", city.administrator).json
    assert (len(got["items"]), len(more["items"]), more["next"]) == (50, 11, None)


# Where may be called --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "target"),
    [
        (Channel.WECOM, "https://qyapi.weixin.qq.com.evil.example/cgi-bin/webhook/send?key=693a91f6-7xxx"),
        (Channel.WECOM, "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a91f6-7xxx&debug=1"),
        (Channel.DINGTALK, "https://oapi.dingtalk.com@evil.example/robot/send?access_token=" + "a1" * 16),
        (Channel.FEISHU, "http://open.feishu.cn/open-apis/bot/v2/hook/3b1d-aaaa-bbbb"),
        (Channel.FEISHU, "https://open.feishu.cn/open-apis/bot/v2/hook/../../x"),
        (Channel.WEBHOOK, "file:///etc/passwd"),
        (Channel.WEBHOOK, "mailto://user:pass@evil.example"),
        (Channel.WEBHOOK, "https://user:pass@host.example/"),
        (Channel.WEBHOOK, "https://host.example/#fragment"),
        (Channel.WEBHOOK, "https://host.example/a b"),
        (Channel.MAIL, "a@b.cn"),
    ],
)
def test_an_address_that_is_not_the_providers_is_refused(city, channel, target):
    with pytest.raises(Invalid):
        addresses.add_group(channel, target, actor=city.administrator, unit_code=seed.MICRO)


def test_a_robot_belongs_to_a_grid_or_a_department_and_not_to_both(city):
    assert addresses.add_group(Channel.DINGTALK, ROBOT, actor=city.administrator, department="transport").department_id
    for owner in (
        {},
        {"unit_code": seed.MICRO, "department": "transport"},
        {"unit_code": "430581999"},
        {"department": "none"},
    ):
        with pytest.raises(Invalid):
            addresses.add_group(Channel.DINGTALK, ROBOT, actor=city.administrator, **owner)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "10.0.0.8", "192.168.1.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "::1", "::ffff:10.0.0.1",
     "fd00::1", "fe80::1", "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1", "100.64.0.1", "2130706433", "0x7f.1", "017700000001"],
)  # fmt: skip
def test_private_addresses_are_not_called_however_they_are_written(host):
    with pytest.raises(OSError):
        outbound.checked(host, 443, ())


def test_a_private_network_that_the_operator_names_may_be_called():
    private = settings._networks("10.0.0.0/8, 127.0.0.1/32")
    assert outbound.checked("10.1.2.3", 443, private) == "10.1.2.3"
    with pytest.raises(outbound.Forbidden):
        outbound.checked("192.168.1.1", 443, private)


def test_a_call_to_a_private_address_never_leaves(app):
    with world() as there:
        outcome = channels.send(Channel.WEBHOOK, f"{there.url}/hook", messages.Message("k", "s", "t"))
    assert there.received == [] and not outcome.ok and "public" in outcome.error


def test_a_name_is_resolved_once_and_called_where_it_was_checked(monkeypatch):
    """A name that answers with another address the second time (DNS rebinding) gains nothing by it."""
    asked: list[str] = []
    real = outbound.socket.getaddrinfo

    def changing(host: Any, *rest: Any, **more: Any) -> Any:
        asked.append(str(host))
        if host == "rebind.example":
            return real("127.0.0.1" if asked.count(host) == 1 else "192.168.0.1", *rest, **more)
        return real(host, *rest, **more)

    monkeypatch.setattr(outbound.socket, "getaddrinfo", changing)
    with world() as there, outbound.watched(settings._networks("127.0.0.0/8")) as watch:
        port = there.url.rpartition(":")[2]
        assert requests.post(f"http://rebind.example:{port}/x", timeout=5).status_code == 200
    assert asked.count("rebind.example") == 1 and there.received[0].headers["Host"] == f"rebind.example:{port}"
    assert watch.answers[0][0] == 200


def test_redirects_are_not_followed(monkeypatch):
    monkeypatch.setattr(settings, "_present", settings.Settings(private=settings._networks("127.0.0.0/8")))
    with world() as there:
        there.answer(302, b"", Location=f"{there.url}/elsewhere")
        outcome = channels.send(Channel.WEBHOOK, f"{there.url}/hook", messages.Message("k", "s", "t"))
        assert [got.path for got in there.received] == ["/hook"]
    assert not outcome.ok and outcome.final and outcome.error == "HTTP 302"


def test_an_answer_without_end_is_read_to_a_bound(monkeypatch):
    monkeypatch.setattr(settings, "_present", settings.Settings(private=settings._networks("127.0.0.0/8")))
    with world() as there, outbound.watched(settings.current().private) as watch:
        there.answer(200, b"x" * 5_000_000)
        requests.post(there.url, timeout=5)
    assert len(watch.answers[0][1]) == outbound.ANSWER_BYTES


def test_a_message_cannot_break_out_of_its_place_in_the_gateways_body():
    words = {"{phone}": "13800000000", "{text}": 'a", "phone": "1&x=2{phone}'}
    body, kind = channels._filled('{"to": ["{phone}"], "text": "【网格】{text}"}', words)
    assert kind.startswith("application/json")
    assert channels.json.loads(body) == {"to": ["13800000000"], "text": '【网格】a", "phone": "1&x=2{phone}'}
    body, kind = channels._filled("mobile={phone}&content={text}&sign=x", words)
    assert dict(channels.parse_qsl(body)) == {"mobile": "13800000000", "content": words["{text}"], "sign": "x"}


# Settings and times ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"public_url": "grid.example"}, "PUBLIC_URL"),
        ({"mail_url": "slack://x"}, "MAIL_URL"),
        ({"sms_url": "file:///etc/passwd"}, "SMS_URL"),
        ({"sms_url": "https://a.cn", "sms_body": "to={phone}"}, "SMS_BODY"),
        ({"sms_url": "https://a.cn", "sms_body": "{phone} {text"}, "SMS_BODY"),
        ({"sms_url": "https://a.cn", "sms_method": "DELETE"}, "SMS_METHOD"),
        ({"sms_url": "https://a.cn", "sms_ok": "("}, "SMS_OK"),
        ({"sms_url": "https://a.cn", "sms_headers": "Authorization"}, "SMS_HEADERS"),
        ({"outbound_private": "10.0.0.1/8"}, "OUTBOUND_PRIVATE"),
    ],
)
def test_a_setting_that_cannot_be_stops_the_boot(given, named):
    config = Config.from_env(
        env={}, database_url="postgresql://x/y", redis_url="redis://x", secret_key="-" * 32, var="/none", **given
    )
    with pytest.raises(ConfigError, match=f"GRIDGOV_{named}"):
        settings.use(config)


def test_waiting_between_attempts_doubles_and_differs():
    waits = [timing.backoff(n).total_seconds() for n in range(1, 6)]
    assert all(30 * 2**n <= wait <= 36 * 2**n for n, wait in enumerate(waits))
    assert len({timing.backoff(1) for _n in range(20)}) > 1


@pytest.mark.parametrize(
    ("at", "begin", "end", "quiet"),
    [("20:59", "21:00", "07:00", False), ("21:00", "21:00", "07:00", True), ("06:59", "21:00", "07:00", True),
     ("07:00", "21:00", "07:00", False), ("13:00", "12:00", "14:00", True), ("14:00", "12:00", "14:00", False),
     ("09:00", "08:00", "08:00", False)],
)  # fmt: skip
def test_quiet_hours_also_over_midnight(at, begin, end, quiet):
    assert timing._quiet(*(time.fromisoformat(text) for text in (at, begin, end))) is quiet


def test_every_wording_of_a_message_is_made_of_number_and_category(app):
    from gridgov.issues.models import Category
    from gridgov.notices import texts

    category = Category(code="0203", parent_code="02", name="三轮车非法载人", name_en="Tricycle", line="safety", grade="C")
    with app.app_context():
        for language in ("zh", "en"):
            for audience in ("reporter", "unit", "handler", "left", "warn:unit"):
                for secret in (False, True):
                    item = texts.Item(uuid4(), "WG-20261121-0001", secret, category, "accept", audience)
                    subject, text = texts.compose(Channel.MAIL, language, [item])
                    assert "WG-20261121-0001" in subject and not re.search(r"%\(|\{", text)
                    assert (category.name in text or category.name_en in text) is not secret
