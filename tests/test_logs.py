"""Logs: one line each, a name for each request, every fault once, and nothing about people."""

import io
import json
import logging
import sys
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from gridgov import db, jobs, logs, outbox
from gridgov.errors import ConfigError
from tests import seed, test_api_story as story
from tests.conftest import make_config

RECORD = {
    "name": "gridgov.test",
    "level": logging.INFO,
    "pathname": "",
    "lineno": 1,
    "args": (),
    "exc_info": None,
}


def record(words, *args, error=None, **extra):
    """A log record as the library makes it."""
    info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord(**{**RECORD, "msg": words, "args": args, "exc_info": info})
    made.__dict__.update(extra)
    return made


@pytest.fixture
def lines(monkeypatch):
    """Everything this process logs while the test runs, as JSON: lines() -> objects. lines.text() gives it as it is."""
    out = io.StringIO()
    root, ours = logging.getLogger(), logging.getLogger("gridgov")
    kept, levels = root.handlers[:], (root.level, ours.level)
    hooks = sys.excepthook, logs.threading.excepthook
    monkeypatch.setattr(sys, "stderr", out)
    logs.setup("json", "DEBUG")
    monkeypatch.undo()

    def read():
        return [json.loads(line) for line in out.getvalue().splitlines()]

    read.text = out.getvalue
    yield read
    root.handlers[:] = kept
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    sys.excepthook, logs.threading.excepthook = hooks
    logging.captureWarnings(False)
    logs.bind(None)


def fault():
    """A fault with a cause, raised and caught."""
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise ValueError("call 19900000001\nnow") from inner
    except ValueError as error:
        return error


# A line -------------------------------------------------------------------------------------------------------


def test_a_line_is_one_json_object_with_what_is_known_and_nothing_else():
    logs.bind("abc")
    made = logs.JsonLines().format(
        record("%s of %s", 1, "two", status=200, route="/todo", phone="19900000001", text="words")
    )
    logs.bind(None)
    line = json.loads(made)
    assert "\n" not in made
    assert abs(datetime.now(UTC) - datetime.fromisoformat(line.pop("time"))).total_seconds() < 600
    assert line == {
        "level": "INFO", "logger": "gridgov.test", "message": "1 of two", "request_id": "abc", "status": 200, "route": "/todo"
    }  # fmt: skip


def test_a_fault_is_one_line_with_its_cause_and_where_it_came_from():
    made = logs.JsonLines().format(record("failed", error=fault()))
    line = json.loads(made)
    assert made.count("\n") == 0
    assert line["error"].startswith("ValueError: call …") and "19900000001" not in made
    assert "then, after KeyError: 'inner':" in line["traceback"]
    assert all(__file__ in part for part in line["traceback"] if not part.startswith("then"))
    assert line["traceback"][-1].endswith(" fault")


def test_the_text_form_says_the_same_to_people():
    made = logs.TextLines().format(record("failed", status=500, secret="x", error=fault()))
    head, *frames = made.split("\n  ")
    assert "INFO gridgov.test failed status=500 error=ValueError: call …" in head
    assert frames[-1].endswith(" fault") and "secret" not in made


@pytest.mark.parametrize("given", ["13800138000", "430581199001011234", "0739-1234567"])
def test_long_numbers_in_words_are_masked(given):
    assert given not in json.loads(logs.JsonLines().format(record("for %s", given)))["message"]


def test_what_is_wrong_with_the_settings_is_said(tmp_path):
    for given, named in (({"log": "xml"}, "GRIDGOV_LOG"), ({"log_level": "LOUD"}, "GRIDGOV_LOG_LEVEL"),
                         ({"metrics_token": "short"}, "GRIDGOV_METRICS_TOKEN")):  # fmt: skip
        with pytest.raises(ConfigError, match=named):
            make_config("postgresql:///x", "redis://x", tmp_path, **given)


def test_what_crashes_a_process_or_a_thread_is_one_line_too(lines):
    error = fault()
    sys.excepthook(type(error), error, error.__traceback__)
    [line] = lines()
    assert (line["level"], line["message"]) == ("CRITICAL", "crashed") and line["traceback"]


# A request ------------------------------------------------------------------------------------------------------


def test_each_request_is_a_line_with_the_name_its_answer_carries(lines, client, city):
    answer = client.get(
        "/api/v1/issues?q=秘密的词",
        city.worker,
    )
    [line] = [line for line in lines() if line["logger"] == "gridgov.access"]
    assert line["request_id"] == answer.headers["X-Request-ID"]
    assert (line["route"], line["method"], line["status"]) == ("/api/v1/issues", "GET", 200)
    assert line["duration_ms"] > 0 and "秘密的词" not in lines.text()


def test_a_sane_name_is_kept_and_another_replaced(client):
    for given in ("0af7651916cd43dd8448eb211c80319c", "web-1.42_7"):
        assert client.page("/login", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given
    for given in ("", "a b", "a" * 65, "é", "<script>", "a;b"):
        assert client.page("/login", headers={"X-Request-ID": given}).headers["X-Request-ID"] != given


def test_checks_and_assets_are_quiet(lines, app):
    logging.getLogger("gridgov").setLevel("INFO")
    for address in ("/healthz", "/readyz", "/metrics", "/static/nothing"):
        app.test_client().get(address)
    assert [line["route"] for line in lines() if line["logger"] == "gridgov.access"] == []


@pytest.fixture
def broken(app, monkeypatch):
    """The to-do page has a fault."""

    def fails():
        raise RuntimeError("a fault of ours")

    monkeypatch.setitem(app.view_functions, "issues.todo", fails)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)


def test_a_fault_is_logged_once_and_its_page_names_the_line(lines, client, city, broken):
    answer = client.page("/todo?q=13800138000", city.worker)
    assert answer.status_code == 500
    [line] = [line for line in lines() if "error" in line]
    assert (line["logger"], line["level"], line["error"]) == (
        "gridgov.web",
        "ERROR",
        "RuntimeError: a fault of ours",
    )
    assert line["request_id"] == answer.headers["X-Request-ID"]
    assert f">{line['request_id'][:12]}</strong>" in answer.get_data(as_text=True)
    assert "13800138000" not in lines.text()


def test_a_refusal_by_the_database_is_logged_once_without_the_row(lines, client, city, monkeypatch):
    """The unique number of a person is in PostgreSQL's words for it, and stays out of ours."""
    phone = seed.PHONES["worker"]

    def doubled():
        return str(
            db.session.execute(
                sa.text("INSERT INTO persons SELECT * FROM persons WHERE phone = :p"), {"p": phone}
            )
        )

    monkeypatch.setitem(client.app.view_functions, "issues.todo", doubled)
    monkeypatch.setitem(client.app.config, "PROPAGATE_EXCEPTIONS", False)
    assert client.page("/todo", city.worker).status_code == 500
    [line] = [line for line in lines() if "error" in line]
    assert line["error"].startswith("UniqueViolation")
    assert phone not in lines.text() and seed.PEOPLE["worker"][0] not in lines.text()


# A job ----------------------------------------------------------------------------------------------------------


@jobs.job()
def speaks() -> None:
    """A job for the test."""
    logging.getLogger("gridgov.test").info("in the job")


@jobs.job()
def stumbles() -> None:
    """A job that fails."""
    raise RuntimeError("stumbled")


def test_a_job_names_the_request_that_caused_it_and_a_failure_is_told_once(live, lines):
    from rq import SimpleWorker
    from rq.serializers import JSONSerializer

    with live.test_request_context(headers={"X-Request-ID": "tea-time"}):
        live.preprocess_request()
        speaks.enqueue()
        stumbles.enqueue()
    logs.bind(None)
    SimpleWorker([jobs.queue("default")], connection=jobs.connection(), serializer=JSONSerializer).work(
        burst=True
    )
    told = [
        (line["message"], line["request_id"])
        for line in lines()
        if line["logger"] in ("gridgov.test", "gridgov.jobs")
    ]
    assert told == [("in the job", "tea-time"), ("job done", "tea-time"), ("job failed", "tea-time")]
    assert lines.text().count("stumbled") == 1


# A whole story ---------------------------------------------------------------------------------------------------


def test_the_whole_story_leaves_no_trace_of_people_in_the_logs(lines, client, city, db_session):
    db.set_clock(story.MONDAY)
    send = lambda key, url, body: client.send(url, body, city.person(key))  # noqa: E731
    story.test_a_report_goes_all_the_way_up_to_a_department_and_back_to_the_reporter(client, city, send)
    phone, words = seed.PHONES["worker"], "一段只给上报人看的话"
    client.form("/login", {"phone": phone, "password": "not-the-password"})
    client.page(f"/desk?q={phone}", city.city_office)
    client.page(f"/nowhere/{phone}/{words}", city.worker)
    client.form("/report", {"text": words, "category": "0203", "address": "泻油村12号"}, city.worker)
    outbox.put("issue.told", {"issue": "not-there", "seq": 1, "audiences": []})
    db.session.flush()
    [broken] = db.session.scalars(
        sa.select(outbox.Outgoing.id).where(outbox.Outgoing.done_at.is_(None))
    ).all()
    assert not outbox.deliver(broken)
    everything = lines.text()
    assert len(lines()) > 200 and "outbox row failed" in everything
    secret = [*seed.PHONES.values(), *(name for name, _role, _place in seed.PEOPLE.values()), seed.PASSWORD, "not-the-password",
              words, "塌方", "泻油村", "落石", "现场看过", "请尽快", "Bearer", "gg_"]  # fmt: skip
    assert [one for one in secret if one in everything] == []
