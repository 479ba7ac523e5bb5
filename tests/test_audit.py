"""The record of issues: tampering is found and named."""

import hashlib

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from gridgov.issues import actions, audit
from gridgov.issues.cli import verify as command
from tests.factories import photo_of


@pytest.fixture
def lived(city):
    """An issue with a few events and words of every kind, and another one beside it."""
    issue = city.report("resident", text='引号 " 反斜杠 \\ 换行\n和制表\t以及 emoji 🚧')
    actions.act(issue, "accept", actor=city.micro_chief, data={"note": 'a "quoted" \\ note\u0001\u007f'})
    proof = [photo_of(city.micro_chief)]
    actions.act(issue, "resolve", actor=city.micro_chief, data={"result": "已处理", "proof": proof})
    actions.act(issue, "verify", actor=city.village_chief, data={"way": "spot"})
    actions.act(issue, "rate", actor=city.resident, data={"satisfaction": 4})
    city.report()
    return issue


@pytest.fixture
def tamper(db_session):
    """Runs SQL as the owner of the tables, with the triggers switched off for it."""

    def tamper(sql, **values):
        db_session.execute(sa.text("ALTER TABLE issue_events DISABLE TRIGGER USER"))
        db_session.execute(sa.text(sql), values)
        db_session.execute(sa.text("ALTER TABLE issue_events ENABLE TRIGGER USER"))

    return tamper


def findings():
    return [str(finding) for finding in audit.verify().findings]


def test_an_untouched_record_is_whole_and_counted(lived):
    report = audit.verify()
    assert report.findings == []
    assert (report.issues, report.events) == (2, 6)


def test_both_ways_of_reckoning_agree_on_every_kind_of_value(lived, db_session):
    rows = db_session.execute(sa.text(audit.EVENTS)).all()
    before = {}
    for row in rows:
        assert audit.own_hash(row, before.get(row.issue_id, b"")) == bytes(row.expected) == bytes(row.hash)
        before[row.issue_id] = bytes(row.hash)


def test_a_changed_word_is_found_and_named(lived, tamper):
    tamper(
        'UPDATE issue_events SET data = \'{"note": "kinder words"}\' WHERE issue_id = :id AND seq = 2',
        id=lived.id,
    )
    assert findings() == [
        f"{lived.number}, event 2: the hash does not fit what the row says and the event before it"
    ]


@pytest.mark.parametrize(
    "change",
    ["at = at - interval '1 hour'", "actor_id = NULL", "to_state = 'closed'", "due_at = NULL", "hop_n = 7"],
)
def test_every_column_counts(lived, tamper, change):
    tamper(f"UPDATE issue_events SET {change} WHERE issue_id = :id AND seq = 3", id=lived.id)
    assert findings()[0].startswith(f"{lived.number}, event 3: the hash does not fit")


def test_a_changed_row_with_a_hash_that_fits_it_breaks_the_next_one(lived, tamper):
    tamper("UPDATE issue_events SET actor_role = 'city_office' WHERE issue_id = :id AND seq = 2", id=lived.id)
    tamper(
        "UPDATE issue_events e SET hash = issue_event_hash(e, (SELECT hash FROM issue_events b"
        " WHERE b.issue_id = e.issue_id AND b.seq = 1)) WHERE issue_id = :id AND seq = 2",
        id=lived.id,
    )
    assert findings() == [
        f"{lived.number}, event 3: the hash does not fit what the row says and the event before it"
    ]


def test_a_missing_event_is_found(lived, tamper):
    tamper("DELETE FROM issue_events WHERE issue_id = :id AND seq = 2", id=lived.id)
    assert findings()[0] == f"{lived.number}, event 3: event 2 is missing"


def test_events_cut_off_at_the_end_are_found_by_where_the_issue_stands(lived, tamper):
    tamper("DELETE FROM issue_events WHERE issue_id = :id AND seq = 5", id=lived.id)
    assert findings() == [f"{lived.number}, event 4: event 5 is missing"]


def test_an_issue_set_back_by_hand_to_hide_the_cut_still_differs(lived, tamper):
    tamper("DELETE FROM issue_events WHERE issue_id = :id AND seq = 5", id=lived.id)
    tamper("UPDATE issues SET last_seq = 4 WHERE id = :id", id=lived.id)
    assert findings() == [f"{lived.number}, event 4: it is in another state than its last event says"]


def test_an_issue_moved_by_hand_is_found(lived, tamper):
    tamper("UPDATE issues SET unit_code = '430581' WHERE id = :id", id=lived.id)
    assert findings() == [f"{lived.number}, event 5: another unit has it than its last event says"]


def test_an_issue_whose_whole_record_is_gone_is_found(lived, tamper):
    tamper("DELETE FROM issue_events WHERE issue_id = :id", id=lived.id)
    assert findings() == [f"{lived.number}: it has no events"]


def test_a_database_whose_own_function_was_changed_does_not_hide_it(lived, db_session, tamper):
    db_session.execute(
        sa.text(
            "CREATE OR REPLACE FUNCTION issue_event_hash(e issue_events, before bytea) RETURNS bytea LANGUAGE sql IMMUTABLE"
            " AS $$ SELECT e.hash $$"
        )
    )
    tamper("UPDATE issue_events SET data = '{}', hash = :hash WHERE issue_id = :id AND seq = 5",
           id=lived.id, hash=hashlib.sha256(b"forged").digest())  # fmt: skip
    assert findings() == [
        f"{lived.number}, event 5: the hash does not fit what the row says and the event before it"
    ]


def test_a_changed_function_is_found_though_no_row_was_touched(lived, db_session):
    db_session.execute(
        sa.text(
            "CREATE OR REPLACE FUNCTION issue_event_hash(e issue_events, before bytea) RETURNS bytea LANGUAGE sql IMMUTABLE"
            " AS $$ SELECT sha256(before) $$"
        )
    )
    assert "issue_event_hash gives another hash" in findings()[0]


@pytest.mark.parametrize("trigger", audit.TRIGGERS)
def test_a_trigger_switched_off_is_found(lived, db_session, trigger):
    db_session.execute(sa.text(f"ALTER TABLE issue_events DISABLE TRIGGER {trigger}"))
    assert findings() == [f"the trigger {trigger} on issue_events is missing or switched off"]


def test_the_command_says_what_it_counted_and_ends_well(live):
    with live.app_context():
        outcome = CliRunner().invoke(command)
    assert (outcome.exit_code, outcome.output) == (0, "0 issues, 0 events.\nEvery chain is whole.\n")


def test_the_command_names_the_first_row_and_exits_with_1(live):
    with live.app_context():
        from gridgov import db
        from tests.seed import City

        with db.transaction():
            number = City().report().number
        with db.transaction():
            db.session.execute(sa.text("ALTER TABLE issue_events DISABLE TRIGGER append_only"))
            db.session.execute(sa.text("UPDATE issue_events SET actor_role = 'system'"))
            db.session.execute(sa.text("ALTER TABLE issue_events ENABLE TRIGGER append_only"))
        outcome = CliRunner().invoke(command)
    assert outcome.exit_code == 1
    assert f"First: {number}, event 1: the hash does not fit" in outcome.output
    assert "1 things are not as they were written." in outcome.output
