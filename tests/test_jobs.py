"""Jobs on a real queue: queued only after the commit, as JSON, and worked off by a real RQ worker."""

import json
import logging
import zlib
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from rq.job import JobStatus
from rq.registry import FailedJobRegistry

from gridgov import db, jobs, outbox
from gridgov.errors import NotFound
from gridgov.notices.models import Notice
from tests import seed
from tests.client import Client
from tests.together import work_off

CITY = seed.City()
done: list[tuple[str, ...]] = []


@pytest.fixture
def note(live) -> Iterator[jobs.Job]:
    """A job that notes what it was given, and changes one person's name."""

    @jobs.job("default", timeout_s=7)
    def note(*args: str) -> None:
        done.append(args)
        db.session.execute(sa.text("UPDATE persons SET name = :name WHERE phone = :phone"), {"name": args[0], "phone": seed.PHONES["worker"]})
        if args[-1] == "fail":
            raise NotFound("nobody")

    done.clear()
    yield note
    jobs._functions.pop(note.name)


def name_of_worker() -> str:
    with db.transaction():
        return CITY.worker.name


def waiting() -> list[tuple[str, ...]]:
    return [tuple(job.args[1:]) for job in jobs.queue("default").jobs]


def test_what_is_put_off_is_queued_after_the_commit_and_not_before(note):
    with db.transaction():
        note.later("甲", "one")
        assert waiting() == []
    assert waiting() == [("甲", "one")]


def test_what_is_rolled_back_is_never_queued(note):
    with pytest.raises(NotFound), db.transaction():
        note.later("甲", "one")
        raise NotFound("no")
    with db.transaction():
        pass
    assert waiting() == []


def test_without_redis_putting_off_harms_nothing(note, caplog):
    jobs.connect("redis://127.0.0.1:1/0")
    with caplog.at_level(logging.WARNING, "gridgov.jobs"), db.transaction():
        note.later("甲", "one")
    assert "not queued" in caplog.text


def test_a_worker_runs_it_in_a_transaction_of_its_own(note):
    with db.transaction():
        note.later("周小花", "one")
    work_off()
    assert (done, name_of_worker()) == ([("周小花", "one")], "周小花")


def test_a_job_that_fails_leaves_nothing_and_is_kept_as_failed(note):
    before = name_of_worker()
    note.enqueue("周小花", "fail")
    work_off()
    assert (len(done), name_of_worker()) == (1, before)
    failed = FailedJobRegistry(queue=jobs.queue("default"))
    assert failed.count == 1
    job = jobs.queue("default").fetch_job(failed.get_job_ids()[0])
    assert job is not None and job.get_status() == JobStatus.FAILED and "nobody" in job.latest_result().exc_string


def test_a_job_lies_in_redis_as_json_and_nothing_else(note):
    note.enqueue("甲", "one")
    key = next(iter(jobs.connection().scan_iter("rq:job:*")))
    stored = jobs.connection().hget(key, "data")
    assert json.loads(zlib.decompress(stored)) == ["gridgov.jobs.run", None, [note.name, "甲", "one"], {}]
    job = jobs.queue("default").jobs[0]
    assert (job.timeout, job.result_ttl) == (7, 0)


def test_what_is_no_json_is_refused_when_it_is_queued(note):
    with pytest.raises(TypeError, match="JSON"):
        note.enqueue(object())


def test_a_job_nobody_registered_fails_and_is_kept(live):
    jobs.queue("default").enqueue_call("gridgov.jobs.run", args=("gridgov.nowhere.job",))
    work_off()
    assert FailedJobRegistry(queue=jobs.queue("default")).count == 1


def test_there_are_only_the_queues_that_workers_listen_to():
    with pytest.raises(ValueError, match="unknown queue"):
        jobs.job("side-entrance")
    assert jobs.QUEUES[0] == "notices"  # What people wait for goes first.


def test_from_a_report_to_the_chiefs_inbox(live):
    client = Client(live)
    body = {"category": "0203", "text": "村口三轮车载人", "grid_code": seed.MICRO}
    made = client.send("/api/v1/issues", body, CITY.person("resident"))
    assert made.status_code == 201
    inbox = client.get("/api/v1/notices", CITY.person("micro_chief")).get_json()
    assert (inbox["items"], inbox["unread"]) == ([], 0)
    assert outbox.relay() == 1
    work_off()
    inbox = client.get("/api/v1/notices", CITY.person("micro_chief")).get_json()
    assert [(n["number"], n["event"]) for n in inbox["items"]] == [(made.get_json()["number"], "report")]
    assert inbox["unread"] == 1
    others = [key for key in seed.PEOPLE if client.get("/api/v1/notices", CITY.person(key)).get_json()["items"]]
    assert others == ["micro_chief"]
    assert outbox.relay() == 0
    with db.transaction():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Notice)) == 1
