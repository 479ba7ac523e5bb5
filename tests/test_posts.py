"""Posts: who may appoint whom to what, what a period grants, and what the database itself refuses."""

import uuid
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, InternalError, ProgrammingError

from gridgov import db, policy
from gridgov.errors import Conflict, Invalid, NotPermitted, PolicyError
from gridgov.people import actions, queries, roles
from gridgov.people.models import AdminAct, Post, Role
from tests import seed
from tests.counting import count_queries

GRID = {6: seed.CITY, 9: seed.TOWNSHIP, 12: seed.VILLAGE, 15: seed.MICRO}


def newcomer(phone="13700000001", **rest):
    return actions.create_person("新人", phone, actor=None, **rest)


def test_expired_and_future_posts_grant_nothing(city):
    today = actions.today()
    person = newcomer()
    for starts, ends in ((today - timedelta(9), today - timedelta(1)), (today + timedelta(1), None)):
        actions.appoint(person, Role.WORKER, actor=None, grid_code=seed.MICRO, starts_on=starts, ends_on=ends)
    assert queries.live_posts(person) == []
    assert not queries.reach(person).covers(seed.MICRO)
    with pytest.raises(NotPermitted):
        actions.require(person, Role.WORKER)


def test_both_ends_of_a_period_count(city):
    person, day = newcomer(), date(2026, 11, 20)
    actions.appoint(person, Role.WORKER, actor=None, grid_code=seed.MICRO, starts_on=day, ends_on=day)
    # The day is that of Shanghai: 16:00 UTC the day before to 16:00 UTC.
    for at, live in (
        ("2026-11-19T15:59:59+00:00", False),
        ("2026-11-19T16:00:00+00:00", True),
        ("2026-11-20T15:59:59+00:00", True),
        ("2026-11-20T16:00:00+00:00", False),
    ):
        db.set_clock(db.datetime.fromisoformat(at))
        assert bool(queries.live_posts(person)) is live, at
        assert bool(queries.roles(person)) is live


def test_one_person_holds_many_posts_with_lines_of_work(city):
    person = newcomer()
    chief = actions.appoint(
        person, Role.MICRO_CHIEF, actor=None, grid_code=seed.MICRO, lines=["river", "forest"]
    )
    actions.appoint(person, Role.WORKER, actor=None, grid_code=seed.SIBLING_MICRO, title="护林员")
    assert queries.roles(person) == {Role.MICRO_CHIEF, Role.WORKER}
    assert chief.lines == ["forest", "river"]
    assert queries.reach(person).grids == {seed.MICRO, seed.SIBLING_MICRO}
    assert queries.roles_over(person, grid_code=seed.MICRO) == {Role.MICRO_CHIEF}
    with pytest.raises(Invalid):
        actions.appoint(person, Role.WORKER, actor=None, grid_code=seed.MICRO, lines=["fishing"])


def test_a_disabled_person_grants_nothing_and_is_back_when_let_in_again(city):
    assert queries.on_duty(grid_code=seed.MICRO)
    actions.disable(city.micro_chief, actor=city.administrator)
    assert queries.live_posts(city.micro_chief) == []
    assert not queries.on_duty(grid_code=seed.MICRO)
    assert queries.holders(grid_code=seed.MICRO) == []
    actions.enable(city.micro_chief, actor=city.administrator)
    assert queries.on_duty(grid_code=seed.MICRO)


def test_on_duty_means_the_handling_roles_at_exactly_that_unit(city):
    assert queries.on_duty(grid_code=seed.TOWNSHIP)
    assert queries.on_duty(department_id=queries.department("transport").id)
    assert not queries.on_duty(grid_code="430581101221001"), "nobody is appointed there"
    assert not queries.on_duty(grid_code=seed.MICRO, roles=[Role.VILLAGE_CHIEF])
    assert queries.on_duty(grid_code=seed.MICRO, roles=[Role.WORKER])
    assert queries.on_duty_among([seed.MICRO, "430581101221001", seed.VILLAGE]) == {seed.MICRO, seed.VILLAGE}
    assert {p.name for p in queries.holders(grid_code=seed.TOWNSHIP, roles=[Role.TOWNSHIP_OFFICE])} == {
        "曾敏",
        "唐勇",
    }
    with pytest.raises(ValueError, match="one unit"):
        queries.on_duty()


def test_each_lookup_is_one_query(city):
    worker = city.worker
    db.utcnow()
    with count_queries() as seen:
        queries.live_posts(worker)
        queries.live_posts(worker)
        queries.roles(worker)
    assert len(seen) == 1, seen
    with count_queries() as seen:
        queries.on_duty(grid_code=seed.VILLAGE)
        queries.on_duty_among([seed.MICRO, seed.VILLAGE, seed.TOWNSHIP])
        list(queries.holders(grid_code=seed.VILLAGE))
        queries.placed_posts(worker)
    assert len(seen) == 4, seen


def test_lookups_use_their_indexes(db_session, city):
    db_session.execute(sa.text("SET LOCAL enable_seqscan = off"))
    person, code = city.worker.id, seed.VILLAGE
    for query, index in (
        (f"SELECT 1 FROM posts WHERE person_id = '{person}'", "ix_posts_person_id"),
        (f"SELECT 1 FROM posts WHERE grid_code = '{code}'", "ix_posts_grid_code"),
        (f"SELECT 1 FROM posts WHERE grid_code LIKE '{code}%'", "ix_posts_grid_code"),
    ):
        plan = "\n".join(db_session.scalars(sa.text(f"EXPLAIN {query}")))
        assert index in plan, plan


def test_reach_of_every_role(city):
    for key, (_name, role, place) in seed.PEOPLE.items():
        reach = queries.reach(city.person(key))
        sees = roles.current()[role].sees
        assert reach.grids == ({place} if sees == "subtree" else set()), key
        assert bool(reach.departments) is (sees == "department"), key
    assert queries.reach(city.village_chief).covers(seed.MICRO)
    assert not queries.reach(city.village_chief).covers(seed.SIBLING_VILLAGE)
    assert not queries.reach(city.micro_chief).covers(seed.VILLAGE)


@pytest.mark.parametrize("role", list(Role))
def test_roles_fit_their_levels_in_the_database_as_in_the_policy(db_session, city, role):
    rule = roles.current()[role]
    person, department = newcomer(), queries.department("transport")
    levels = policy.current().levels
    for length, code in GRID.items():
        allowed = length in {levels[level].length for level in rule.levels}
        post = Post(
            person_id=person.id,
            role=role,
            grid_code=code,
            starts_on=date(2026, 1, 1),
            ends_on=date(2026, 1, 2),
            lines=["river"] if role is Role.LINE_CHIEF else [],
        )
        assert accepted(db_session, post) is allowed, (role, code)
        if not allowed:
            with pytest.raises(Invalid):
                actions.appoint(person, role, actor=None, grid_code=code)
    held = Post(person_id=person.id, role=role, department_id=department.id, starts_on=date(2026, 1, 1))
    assert accepted(db_session, held) is (not rule.on_grid)
    neither = Post(person_id=person.id, role=role, starts_on=date(2026, 1, 1))
    both = Post(
        person_id=person.id,
        role=role,
        grid_code=seed.CITY,
        department_id=department.id,
        starts_on=date(2026, 1, 1),
    )
    assert not accepted(db_session, neither)
    assert not accepted(db_session, both)


def accepted(session, post) -> bool:
    """Whether the database takes a row; it is taken back."""
    nested = session.begin_nested()
    try:
        session.add(post)
        session.flush()
    except IntegrityError:
        nested.rollback()
        return False
    nested.rollback()
    return True


def test_a_period_in_the_wrong_order_is_refused(db_session, city):
    with pytest.raises(Invalid):
        actions.appoint(
            city.worker,
            Role.WORKER,
            actor=None,
            grid_code=seed.VILLAGE,
            starts_on=date(2026, 5, 2),
            ends_on=date(2026, 5, 1),
        )
    backwards = Post(
        person_id=city.worker.id,
        role=Role.WORKER,
        grid_code=seed.VILLAGE,
        starts_on=date(2026, 5, 2),
        ends_on=date(2026, 5, 1),
    )
    assert not accepted(db_session, backwards)


@pytest.mark.parametrize("ends_on", [None, date(2099, 1, 1)])
def test_the_same_post_is_not_held_twice_at_a_time(db_session, city, ends_on):
    with pytest.raises(Conflict) as refusal:
        actions.appoint(city.worker, Role.WORKER, actor=None, grid_code=seed.MICRO, ends_on=ends_on)
    assert refusal.value.code == "post_held"
    assert len(queries.live_posts(city.worker)) == 1, "the session goes on after the refusal"
    twice = Post(
        person_id=city.worker.id,
        role=Role.WORKER,
        grid_code=seed.MICRO,
        starts_on=date(2026, 5, 2),
        ends_on=ends_on,
    )
    assert not accepted(db_session, twice)
    # One after the other is no overlap.
    actions.end_post(queries.live_posts(city.worker)[0], actor=None, last_day=date(2098, 12, 31))
    actions.appoint(city.worker, Role.WORKER, actor=None, grid_code=seed.MICRO, starts_on=date(2099, 1, 1))


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        ("administrator", Role.CITY_OFFICE),
        ("administrator", Role.AUDITOR),
        ("auditor", Role.ADMINISTRATOR),
        ("auditor", Role.CITY_LEADER),
        ("city_office", Role.AUDITOR),
        ("city_leader", Role.ADMINISTRATOR),
    ],
)
def test_administrators_and_auditors_hold_no_other_office(db_session, city, held, wanted):
    person = city.person(held)
    with pytest.raises(Conflict) as refusal:
        actions.appoint(person, wanted, actor=None, grid_code=seed.CITY)
    assert refusal.value.code == "kept_apart"
    assert not accepted(
        db_session, Post(person_id=person.id, role=wanted, grid_code=seed.CITY, starts_on=date(2026, 1, 1))
    )
    actions.appoint(person, Role.RESIDENT, actor=None, grid_code=seed.MICRO)
    actions.end_post(queries.live_posts(person)[0], actor=None, last_day=date(2098, 12, 31))
    actions.appoint(person, wanted, actor=None, grid_code=seed.CITY, starts_on=date(2099, 1, 1))


@pytest.mark.parametrize("key", [key for key in seed.PEOPLE if key != "administrator"])
def test_only_administrators_appoint(city, key):
    for attempt in (
        lambda actor: actions.appoint(city.neighbour, Role.WORKER, actor=actor, grid_code=seed.VILLAGE),
        lambda actor: actions.end_post(queries.live_posts(city.micro_chief)[0], actor=actor),
        lambda actor: actions.create_person("某人", "13700000002", actor=actor),
        lambda actor: actions.disable(city.neighbour, actor=actor),
        lambda actor: actions.set_password(city.neighbour, "another-word-8", actor=actor),
    ):
        with pytest.raises(NotPermitted):
            attempt(city.person(key))
    assert queries.roles(city.neighbour) == {Role.RESIDENT}


def test_an_administrator_appoints_and_ends_and_it_is_recorded(city):
    post = actions.appoint(city.neighbour, Role.WORKER, actor=city.administrator, grid_code=seed.VILLAGE)
    assert queries.roles(city.neighbour) == {Role.RESIDENT, Role.WORKER}
    actions.end_post(post, actor=city.administrator)
    assert queries.roles(city.neighbour) == {Role.RESIDENT}, "at once, though it began today"
    with pytest.raises(Conflict):
        actions.end_post(post, actor=city.administrator)
    acts = db.session.scalars(
        sa.select(AdminAct).where(AdminAct.person_id == city.neighbour.id).order_by(AdminAct.id)
    )
    assert [(a.act, a.actor_id) for a in acts][-2:] == [
        ("appoint", city.administrator.id),
        ("end_post", city.administrator.id),
    ]


def test_nobody_appoints_or_disables_themselves(city):
    with pytest.raises(NotPermitted) as refusal:
        actions.appoint(city.administrator, Role.CITY_OFFICE, actor=city.administrator, grid_code=seed.CITY)
    assert refusal.value.code == "own_appointment"
    with pytest.raises(NotPermitted):
        actions.disable(city.administrator, actor=city.administrator)


def test_a_post_that_ended_can_be_given_again_on_the_same_day(city):
    post = actions.appoint(city.neighbour, Role.WORKER, actor=None, grid_code=seed.VILLAGE)
    actions.end_post(post, actor=None)
    actions.appoint(city.neighbour, Role.WORKER, actor=None, grid_code=seed.VILLAGE)
    assert Role.WORKER in queries.roles(city.neighbour)


def test_a_closed_grid_or_a_disabled_person_takes_no_new_post(db_session, city):
    db_session.execute(
        sa.text("UPDATE grids SET closed_at = app_now() WHERE code = :code"), {"code": seed.SIBLING_MICRO}
    )
    with pytest.raises(Conflict):
        actions.appoint(city.worker, Role.WORKER, actor=None, grid_code=seed.SIBLING_MICRO)
    actions.disable(city.neighbour, actor=None)
    with pytest.raises(Conflict):
        actions.appoint(city.neighbour, Role.WORKER, actor=None, grid_code=seed.VILLAGE)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE admin_log SET act = 'nothing'",
        "DELETE FROM admin_log",
        "DELETE FROM persons WHERE name = '新人'",
    ],
)
def test_the_log_of_acts_is_append_only_and_persons_are_never_deleted(db_session, city, statement):
    newcomer()
    with pytest.raises((InternalError, ProgrammingError, IntegrityError)):
        db_session.execute(sa.text(statement))


def test_the_roles_that_hold_an_issue_are_those_that_the_levels_name():
    rules = roles.current()
    named = {"department"}
    for level in policy.load(Path("workflows")).levels.values():
        named |= set(level.handlers)
        for role in {level.chief, level.office, *level.workers} - {None}:
            assert level.name in rules[role].levels, (level.name, role)
    assert named == set(rules.handling)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("levels: [micro]", "levels: [hamlet]", "must be a list"),
        ("sees: department", "sees: everything", "must be one of"),
        ("  auditor:", "  auditer:", "unknown key 'auditer'"),
        ("alone: true", "alone: maybe", "true or false"),
        ("zh: 居民, en: Resident", "zh: 居民", "'en' is missing"),
        ("river: ", "lake: ", "unknown key 'lake'"),
    ],
)
def test_a_wrong_roles_file_is_refused_with_its_line(tmp_path, old, new, reason):
    text = Path("workflows/roles.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "roles.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(PolicyError, match=reason) as refusal:
        roles.load(tmp_path)
    assert refusal.value.line and refusal.value.line > 1


def test_unknown_ids_are_not_found(client, city):
    assert queries.by_phone("13999999999") is None
    assert client.delete(f"/api/v1/tokens/{uuid.uuid4()}", city.worker).status_code == 403
