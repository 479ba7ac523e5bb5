"""Signing in: what is said to whom, how long the door stays shut, and what a session is and is not."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, InternalError, ProgrammingError

from gridgov import db
from gridgov.app import create_app
from gridgov.errors import Unavailable
from gridgov.people import actions, limits, logbook, pages, queries, security, sign_in
from gridgov.people.models import Person, Role, SignIn, SignInGuard, SignInSession
from tests import conftest, seed
from tests.counting import count_queries

AGENT = "Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0.50"
WRONG = "not-the-password"
UNKNOWN = "13812345678"


class Browser:
    """A browser that fills in the sign-in form."""

    def __init__(self, app):
        self.client = app.test_client()

    def csrf(self):
        return self.client.get("/api/v1/csrf").get_json()["token"]

    def enter(self, phone, password=seed.PASSWORD, **more):
        data = {"phone": phone, "password": password, "csrf_token": self.csrf(), **more}
        return self.client.post("/login", data=data, headers={"User-Agent": AGENT})

    def post(self, url, **data):
        return self.client.post(url, data={**data, "csrf_token": self.csrf()})

    def get(self, url):
        return self.client.get(url)

    @property
    def signed_in(self):
        return self.client.get("/me").status_code == 200

    def cookie(self):
        with self.client.session_transaction() as kept:
            return dict(kept)


@pytest.fixture
def visitor(app, city):
    db.session.commit()
    return Browser(app)


def phone_of(key):
    return seed.PHONES[key]


def attempts(phone, password, n=1):
    config = conftest.make_config("postgresql://x", "redis://x", "/tmp")
    who = sign_in.Client("10.0.0.1", AGENT)
    for _ in range(n):
        last = sign_in.attempt(phone, password, client=who, config=config)
        db.session.commit()
    return last


# ---- The form ----


def test_the_right_password_opens_and_leads_on(visitor):
    got = visitor.enter(phone_of("worker"), next="/me?tab=1")
    assert (got.status_code, got.location) == (302, "/me?tab=1")
    assert visitor.signed_in


def test_the_page_is_chinese_by_default_and_english_by_switch(visitor):
    page = visitor.get("/login")
    assert page.status_code == 200 and '<html lang="zh-CN"' in page.text
    visitor.post("/language", lang="en")
    assert '<html lang="en"' in visitor.get("/login").text


@pytest.mark.parametrize("phone", ["", "123", "23812345678", "138123456789", "1381234567a"])
def test_a_malformed_number_is_told_beside_the_field(visitor, phone):
    got = visitor.enter(phone)
    assert got.status_code == 422
    assert 'id="f-phone-error"' in got.text
    assert seed.PASSWORD not in got.text
    assert db.session.scalars(sa.select(SignIn)).all() == []


def test_unknown_number_wrong_password_no_password_and_disabled_get_one_answer(visitor, city):
    actions.disable(city.neighbour, actor=None)
    actions.create_person("没有密码", "13700000009", actor=None)
    db.session.commit()
    answers = set()
    for phone, password in (
        (UNKNOWN, WRONG),
        (phone_of("worker"), WRONG),
        (phone_of("neighbour"), seed.PASSWORD),
        ("13700000009", ""),
        ("13700000009", WRONG),
    ):
        got = Browser(visitor.client.application).enter(phone, password or WRONG)
        assert got.status_code == 422
        page = got.text.replace(phone, "PHONE")
        page = page[page.index("<h1") : page.index("</main>")]
        token = page.index('name="csrf_token" value="') + 25
        answers.add(page[:token] + page[page.index('"', token) :])
    assert len(answers) == 1


def test_an_unknown_number_costs_a_hash_like_a_known_one(visitor, monkeypatch):
    checked = []
    verify = security.passwords.verify
    monkeypatch.setattr(
        security.passwords, "verify", lambda kept, password: checked.append(kept) or verify(kept, password)
    )
    attempts(UNKNOWN, WRONG)
    attempts(phone_of("worker"), WRONG)
    assert [kept is None for kept in checked] == [True, False]


def test_an_unknown_number_takes_as_long_as_a_known_one():
    costly = security.Passwords(8192, 2)
    kept = costly.hash("a")

    def best(of):
        def once():
            begun = time.perf_counter()
            assert not costly.verify(of, "b")
            return time.perf_counter() - begun

        once()
        return min(once() for _ in range(15))

    known, unknown = best(kept), best(None)
    assert 0.6 < known / unknown < 1.6


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\n/evil",
        "evil.example",
        "http:evil",
    ],
)
def test_nobody_is_led_elsewhere(visitor, target):
    assert visitor.enter(phone_of("worker"), next=target).location == "/"
    assert pages.local(target) == "/"
    assert visitor.client.get("/login", query_string={"next": target}).location == "/"


def test_what_was_switched_on_the_sign_in_page_is_kept(app, visitor):
    visitor.post("/language", lang="en")
    visitor.post("/elder", elder="1")
    visitor.enter(phone_of("worker"))
    worker = queries.by_phone(phone_of("worker"))
    assert (worker.language, worker.elder_view) == ("en", True)
    visitor.post("/logout")
    visitor.enter(phone_of("micro_chief"))
    assert queries.by_phone(phone_of("micro_chief")).language == "zh", "the next person's own choice counts"


def test_somebody_signed_in_is_led_on_from_the_sign_in_page(visitor):
    visitor.enter(phone_of("worker"))
    assert visitor.get("/login?next=/me/sessions").location == "/me/sessions"


def test_a_page_asked_for_without_sign_in_leads_there_and_back(visitor):
    assert visitor.get("/me/sessions?x=1").location.startswith("/login?next=/me/sessions")
    api = visitor.get("/api/v1/me")
    assert (api.status_code, api.get_json()["code"]) == (401, "unauthenticated")
    assert api.headers["WWW-Authenticate"].startswith("Bearer")


# ---- Lockout ----


def test_lockout_grows_and_ends_and_is_forgotten(city):
    db.session.commit()
    phone, begin = phone_of("worker"), db.utcnow()
    db.set_clock(begin)
    assert [attempts(phone, WRONG).outcome for _ in range(4)] == ["refused"] * 4
    delays = []
    for _ in range(8):
        got = attempts(phone, WRONG)
        assert got.outcome == "locked"
        delays.append((got.locked_until - db.utcnow()).total_seconds())
        db.set_clock(got.locked_until - timedelta(seconds=1))
        assert attempts(phone, seed.PASSWORD).outcome == "locked", "not even with the right password"
        db.set_clock(got.locked_until)
    assert delays == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert attempts(phone, seed.PASSWORD).outcome == "entered"
    assert attempts(phone, WRONG).outcome == "refused", "signing in forgets the failures"


def test_failures_of_long_ago_do_not_count(city):
    phone = phone_of("worker")
    attempts(phone, WRONG, 4)
    db.set_clock(db.utcnow() + timedelta(days=1, seconds=1))
    assert attempts(phone, WRONG).outcome == "refused"
    assert db.session.get(SignInGuard, phone).failures == 1


def test_an_unknown_number_locks_just_the_same(visitor):
    for _ in range(4):
        assert "locked" not in str(attempts(UNKNOWN, WRONG).outcome)
    assert attempts(UNKNOWN, WRONG).outcome == "locked"


def test_the_page_tells_when_to_try_again_and_others_come_in(visitor):
    attempts(phone_of("worker"), WRONG, 5)
    got = visitor.enter(phone_of("worker"))
    assert got.status_code == 422 and not visitor.signed_in
    until = db.session.get(SignInGuard, phone_of("worker")).locked_until
    assert pages.dt(until) in got.text
    assert visitor.enter(phone_of("micro_chief")).status_code == 302


def test_losing_redis_does_not_open_the_lockout(visitor, monkeypatch):
    config = conftest.make_config(
        "postgresql://x", "redis://127.0.0.1:1", "/tmp", rate_limits=True, login_rate="100/minute"
    )
    monkeypatch.setitem(visitor.client.application.extensions, "rate_limits", limits.RateLimits(config))
    for _ in range(5):
        visitor.enter(phone_of("worker"), WRONG)
    visitor.enter(phone_of("worker"))
    assert not visitor.signed_in


@pytest.fixture
def own_app(servers, template, tmp_path):
    """An application on a database of its own, where commits are real: for threads."""
    name = f"signin_{threading.get_ident() % 10**6}_{time.time_ns()}"
    conftest.run_sql(servers[0], f"CREATE DATABASE {name} TEMPLATE {template}")
    app = create_app(
        conftest.make_config(conftest.named(servers[0], name), servers[1], tmp_path, db_pool_size=20)
    )
    yield app
    db.session.remove()
    app.extensions["engine"].dispose()


def test_many_guesses_at_once_count_one_by_one(own_app):
    config, who, ready = own_app.config["GRIDGOV"], sign_in.Client("10.0.0.1", AGENT), threading.Barrier(16)

    def guess(n):
        ready.wait()
        try:
            with db.transaction():
                return sign_in.attempt(phone_of("worker"), WRONG, client=who, config=config).outcome
        finally:
            db.session.remove()

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(guess, range(16)))
    with db.transaction():
        guard = db.session.get_one(SignInGuard, phone_of("worker"))
        # A twelfth guess is not looked at while the number is locked, so it does not lengthen the delay
        # either.
        assert (outcomes.count("refused"), guard.failures) == (4, 5)
        assert (
            sign_in.attempt(phone_of("worker"), seed.PASSWORD, client=who, config=config).outcome == "locked"
        )


# ---- Rate limits, in real Redis ----


def limited(app, monkeypatch, servers, **rates):
    config = conftest.make_config(servers[0], servers[1], "/tmp", rate_limits=True, **rates)
    counters = limits.RateLimits(config)
    monkeypatch.setitem(app.extensions, "rate_limits", counters)
    counters._shared.storage.reset()
    return counters


def test_the_sixth_attempt_in_a_minute_waits(app, visitor, servers, monkeypatch):
    limited(app, monkeypatch, servers, login_rate="3 per minute")
    codes = [visitor.enter(phone_of("worker"), WRONG).status_code for _ in range(4)]
    assert codes == [422, 422, 422, 429]
    last = visitor.enter(phone_of("worker"))
    assert last.status_code == 429 and 1 <= int(last.headers["Retry-After"]) <= 60
    assert visitor.enter(phone_of("micro_chief")).status_code == 302, "a village shares one address"


def test_one_address_trying_many_numbers_waits(app, visitor, servers, monkeypatch):
    limited(app, monkeypatch, servers, login_ip_rate="4 per minute")
    codes = [visitor.enter(f"1380000000{n}", WRONG).status_code for n in range(6)]
    assert codes == [422, 422, 422, 422, 429, 429]


def test_processes_count_together_and_for_themselves_without_redis(servers):
    config = conftest.make_config(servers[0], servers[1], "/tmp", rate_limits=True, intake_rate="3 per hour")
    one, other = limits.RateLimits(config), limits.RateLimits(config)
    one._shared.storage.reset()
    one.hit("intake_rate", "a")
    other.hit("intake_rate", "a")
    one.hit("intake_rate", "a")
    with pytest.raises(limits.TooMany) as refusal:
        other.hit("intake_rate", "a")
    assert 3500 < refusal.value.details["retry_after_s"] <= 3600
    other.hit("intake_rate", "b")
    lost = conftest.make_config(
        servers[0], "redis://127.0.0.1:1", "/tmp", rate_limits=True, intake_rate="3 per hour"
    )
    alone = limits.RateLimits(lost)
    for _ in range(3):
        alone.hit("intake_rate", "a")
    with pytest.raises(limits.TooMany):
        alone.hit("intake_rate", "a")


def test_a_wrong_rate_stops_the_boot(servers):
    config = conftest.make_config(servers[0], servers[1], "/tmp", login_rate="often")
    with pytest.raises(limits.ConfigError, match="GRIDGOV_LOGIN_RATE: 'often'"):
        limits.RateLimits(config)


# ---- Passwords ----


def test_a_password_made_with_other_costs_is_renewed_at_sign_in(visitor, city):
    old = security.Passwords(32, 2).hash(seed.PASSWORD)
    city.worker.password_hash = old
    db.session.commit()
    assert visitor.enter(phone_of("worker")).status_code == 302
    kept = queries.by_phone(phone_of("worker")).password_hash
    assert kept != old and not security.passwords.outdated(kept)
    assert visitor.enter(phone_of("worker")).status_code == 302


def test_only_a_few_hashes_run_at_once(monkeypatch):
    monkeypatch.setattr(security, "WAIT_S", 0.05)
    busy = security.Passwords(64, 1, at_once=1)
    entered, done = threading.Event(), threading.Event()
    slow = busy._hasher.hash
    monkeypatch.setattr(
        busy,
        "_hasher",
        type("Slow", (), {"hash": lambda self, p: entered.set() or done.wait(5) or slow(p)})(),
    )
    thread = threading.Thread(target=busy.hash, args=("a",))
    thread.start()
    entered.wait(5)
    with pytest.raises(Unavailable):
        busy.hash("b")
    done.set()
    thread.join()


@pytest.mark.parametrize(
    "password", ["short", "12345678", "aaaaaaaaaa", "13700000001", "x13700000001", "x" * 129, "Password1"]
)
def test_easy_passwords_are_refused(city, password):
    with pytest.raises(actions.Invalid):
        actions.create_person("新人", "13700000001", actor=None, password=password)


def test_production_costs_are_argon2id_with_19_mib():
    hashed = security.Passwords().hash("a")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_changing_the_password_ends_the_other_sessions(app, visitor):
    other = Browser(app)
    assert other.enter(phone_of("worker")).status_code == visitor.enter(phone_of("worker")).status_code == 302
    wrong = visitor.post("/me/password", present=WRONG, new="a-new-word-7", again="a-new-word-7")
    assert wrong.status_code == 422 and 'id="f-present-error"' in wrong.text
    unlike = visitor.post("/me/password", present=seed.PASSWORD, new="a-new-word-7", again="a-new-word-8")
    assert unlike.status_code == 422 and 'id="f-again-error"' in unlike.text
    easy = visitor.post("/me/password", present=seed.PASSWORD, new="12345678", again="12345678")
    assert easy.status_code == 422 and 'id="f-new-error"' in easy.text
    assert other.signed_in
    assert (
        visitor.post(
            "/me/password", present=seed.PASSWORD, new="a-new-word-7", again="a-new-word-7"
        ).status_code
        == 302
    )
    assert visitor.signed_in and not other.signed_in
    assert other.enter(phone_of("worker")).status_code == 422
    assert other.enter(phone_of("worker"), "a-new-word-7").status_code == 302


# ---- Sessions ----


def test_the_cookie_is_closed_to_scripts_and_other_sites_and_the_database_has_only_a_hash(visitor):
    visitor.get("/login")
    got = visitor.enter(phone_of("worker"))
    header = got.headers["Set-Cookie"]
    assert "HttpOnly" in header and "SameSite=Lax" in header and "Path=/" in header and "Domain" not in header
    token = visitor.cookie()["token"]
    row = db.session.scalars(sa.select(SignInSession)).one()
    assert row.token_hash == security.token_hash(token) and len(token) >= 43
    assert token.encode() not in row.token_hash


def test_with_https_the_cookie_is_secure_and_bound_to_the_host(servers, template, tmp_path):
    secure = create_app(
        conftest.make_config(conftest.named(servers[0], template), servers[1], tmp_path, secure_cookies=True)
    )
    got = secure.test_client().get("/login", base_url="https://grid.example")
    assert got.headers["Set-Cookie"].startswith("__Host-gridgov=") and "Secure" in got.headers["Set-Cookie"]
    db.session.remove()
    secure.extensions["engine"].dispose()


def test_a_planted_session_is_not_the_one_that_is_signed_in(app, visitor):
    visitor.enter(phone_of("worker"))
    planted = visitor.cookie()["token"]
    victim = Browser(app)
    with victim.client.session_transaction() as kept:
        kept["token"] = planted
    victim.enter(phone_of("micro_chief"))
    assert victim.cookie()["token"] != planted
    assert not visitor.signed_in, "signing in over a session ends it"
    assert "肖建国" in victim.get("/me").text


def test_signing_in_anew_gives_a_new_token_every_time(visitor):
    tokens = set()
    for _ in range(3):
        visitor.enter(phone_of("worker"))
        tokens.add(visitor.cookie()["token"])
    assert len(tokens) == 3
    assert len(logbook.sessions_of(queries.by_phone(phone_of("worker")))) == 1


def test_signing_out_ends_the_row_and_not_only_the_cookie(visitor):
    visitor.enter(phone_of("worker"))
    kept = visitor.cookie()
    assert visitor.post("/logout").location == "/login"
    assert not visitor.signed_in
    with visitor.client.session_transaction() as cookie:
        cookie.update(kept)
    assert not visitor.signed_in


def test_a_disabled_person_is_out_at_the_next_request(visitor):
    visitor.enter(phone_of("worker"))
    assert visitor.signed_in
    actions.disable(queries.by_phone(phone_of("worker")), actor=None)
    db.session.commit()
    assert not visitor.signed_in
    assert visitor.get("/api/v1/me").status_code == 401


def test_disabled_by_hand_in_the_database_is_out_too(visitor):
    visitor.enter(phone_of("worker"))
    db.session.execute(
        sa.update(Person).where(Person.phone == phone_of("worker")).values(disabled_at=sa.func.app_now())
    )
    db.session.commit()
    assert not visitor.signed_in


@pytest.mark.parametrize(
    ("key", "idle_s"), [("worker", 30 * 86_400), ("resident", 30 * 86_400), ("township_office", 8 * 3600)]
)
def test_a_session_idles_out_sooner_at_a_desk(visitor, key, idle_s):
    visitor.enter(phone_of(key))
    begin = db.utcnow()
    db.session.commit()
    for gone_s, signed_in in ((idle_s - 60, True), (2 * idle_s - 180, True), (3 * idle_s, False)):
        db.set_clock(begin + timedelta(seconds=gone_s))
        db.session.commit()
        assert visitor.signed_in is signed_in, gone_s


def test_a_session_in_use_still_ends_some_day(visitor):
    visitor.enter(phone_of("worker"))
    begin = db.utcnow()
    for day in (20, 40, 60, 80, 89):
        db.set_clock(begin + timedelta(days=day))
        db.session.commit()
        assert visitor.signed_in
    db.set_clock(begin + timedelta(days=90, seconds=1))
    db.session.commit()
    assert not visitor.signed_in


def test_an_appointment_to_a_desk_asks_for_a_new_sign_in(visitor):
    visitor.enter(phone_of("worker"))
    worker = queries.by_phone(phone_of("worker"))
    actions.appoint(worker, Role.STORE_CLERK, actor=None, grid_code=seed.VILLAGE)
    db.session.commit()
    assert visitor.signed_in
    actions.appoint(worker, Role.TOWNSHIP_OFFICE, actor=None, grid_code=seed.TOWNSHIP)
    db.session.commit()
    assert not visitor.signed_in


def test_last_seen_is_written_once_a_minute(visitor):
    visitor.enter(phone_of("worker"))
    begin = db.utcnow()
    db.set_clock(begin)
    db.session.commit()
    seen = []
    for gone_s in (1, 59, 61, 100, 121, 122):
        db.set_clock(begin + timedelta(seconds=gone_s))
        db.session.commit()
        visitor.get("/api/v1/me")
        row = db.session.scalars(sa.select(SignInSession)).one()
        seen.append(round((row.last_seen_at - begin).total_seconds()))
        db.session.rollback()
    assert seen == [0, 0, 61, 61, 121, 121]


def test_who_asks_costs_two_queries(app, visitor):
    visitor.enter(phone_of("township_office"))
    visitor.get("/api/v1/me")
    with count_queries() as sent:
        assert visitor.get("/api/v1/me").status_code == 200
    assert len(sent) == 2, sent


def test_ones_sessions_are_listed_and_ended_one_by_one_or_all(app, visitor):
    others = [Browser(app), Browser(app)]
    for one in (visitor, *others):
        one.enter(phone_of("worker"))
    stranger = Browser(app)
    stranger.enter(phone_of("micro_chief"))
    page = visitor.get("/me/sessions").text
    assert page.count("· Android") == 3 and page.count('/end"') == 2
    rows = {row.token_hash: row.id for row in logbook.sessions_of(queries.by_phone(phone_of("worker")))}
    first = rows[security.token_hash(others[0].cookie()["token"])]
    assert stranger.post(f"/me/sessions/{first}/end").status_code == 404
    assert others[0].signed_in
    assert visitor.post(f"/me/sessions/{first}/end").status_code == 302
    assert not others[0].signed_in and others[1].signed_in
    visitor.post("/me/sessions/end-others")
    assert visitor.signed_in and stranger.signed_in and not others[1].signed_in


# ---- The log ----


def test_every_sign_in_is_in_the_log_with_where_from(visitor):
    visitor.enter(phone_of("worker"), WRONG)
    visitor.enter(UNKNOWN, WRONG)
    visitor.enter(phone_of("worker"))
    visitor.post("/logout")
    attempts(phone_of("worker"), WRONG, 6)
    lines = db.session.scalars(sa.select(SignIn).order_by(SignIn.id)).all()
    worker = queries.by_phone(phone_of("worker")).id
    assert [(line.kind, line.person_id) for line in lines[:4]] == [
        ("failure", worker),
        ("failure", None),
        ("success", worker),
        ("sign_out", worker),
    ]
    assert [line.kind for line in lines[4:]] == ["failure"] * 5 + ["locked"]
    assert (lines[0].ip, lines[0].agent, lines[1].phone) == ("127.0.0.1", AGENT, UNKNOWN)


def test_one_sees_ones_own_sign_ins(visitor):
    visitor.enter(phone_of("worker"), WRONG)
    visitor.enter(phone_of("worker"))
    page = visitor.get("/me").text
    assert page.count("Android</span>") == 2


@pytest.mark.parametrize("key", list(seed.PEOPLE))
def test_the_whole_log_is_the_auditors_alone(client, city, key):
    got = client.page("/admin/sign-ins", city.person(key))
    assert got.status_code == (200 if key == "auditor" else 403)


def test_the_log_is_paged_and_found_by_number_without_a_number_in_any_address(client, city):
    for n in range(130):
        sign_in.log("failure", f"138000001{n % 2:02d}", None, sign_in.Client(f"10.0.0.{n}", AGENT))
    db.session.commit()
    address = client.form("/admin/sign-ins", {"phone": "13800000100"}, city.auditor).location
    seen: list[str] = []
    while address:
        assert "138" not in address
        page = client.page(address, city.auditor).text
        table = page[page.index("<tbody>") : page.index("</tbody>")]
        seen += table.split("10.0.0.")[1:]
        marker = page.find('rel="next"')
        address = page[page.rindex('href="', 0, marker) + 6 : marker].split('"')[0] if marker > 0 else ""
        address = address.replace("&amp;", "&")
    assert len(seen) == 65 and "13800000101" not in "".join(seen)
    assert client.form("/admin/sign-ins", {"phone": "12"}, city.auditor).status_code == 422
    assert client.form("/admin/sign-ins", {"phone": UNKNOWN}, city.auditor).status_code == 200
    assert client.form("/admin/sign-ins", {"phone": ""}, city.auditor).location == "/admin/sign-ins"
    assert client.form("/admin/sign-ins", {"phone": UNKNOWN}, city.administrator).status_code == 403
    assert client.page(f"/admin/sign-ins?like={city.auditor.id}", city.auditor).status_code == 404


@pytest.mark.parametrize("statement", ["UPDATE sign_ins SET ip = ''", "DELETE FROM sign_ins"])
def test_the_log_of_sign_ins_cannot_be_changed(db_session, city, statement):
    attempts(UNKNOWN, WRONG)
    with pytest.raises((InternalError, ProgrammingError, IntegrityError)):
        db_session.execute(sa.text(statement))


def test_purging_keeps_six_months_of_log_and_live_sessions(visitor):
    visitor.enter(phone_of("worker"))
    attempts(UNKNOWN, WRONG)
    begin = db.utcnow()
    for days, lines, sessions in ((20, 2, 1), (31, 2, 0), (183, 2, 0), (185, 0, 0)):
        db.set_clock(begin + timedelta(days=days))
        sign_in.purge(1)
        assert db.session.scalar(sa.select(sa.func.count()).select_from(SignIn)) == lines, days
        assert db.session.scalar(sa.select(sa.func.count()).select_from(SignInSession)) == sessions, days
    assert db.session.get(SignInGuard, UNKNOWN) is None
