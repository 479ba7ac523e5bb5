"""The demo city: as large as Wugang, the same from one seed, played through the real actions, and never among
real rows.
"""

import io
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import shapely
import sqlalchemy as sa
from flask import Flask
from PIL import Image

from gridgov import db, demo, migrate, timers
from gridgov.app import create_app
from gridgov.db import session
from gridgov.demo import beside, city, cli, issues, known, lives, pictures, scenes, sealed, story, texts
from gridgov.demo.ids import uuid7_at
from gridgov.errors import Conflict
from gridgov.grids import queries as grids
from gridgov.grids.models import Grid, Level
from gridgov.issues import flow
from gridgov.issues.models import Follower, Hop, Issue, IssueEvent
from gridgov.issues.part_models import Part
from gridgov.mediation import paper, queries as mediation
from gridgov.mediation.models import Mediation
from gridgov.people import queries as people, security
from gridgov.people.models import Department, Household, Person, Post, Role
from gridgov.photos.models import Photo
from gridgov.visits.models import Visit
from tests.conftest import make_config, named, run_sql

pytestmark = pytest.mark.slow
COUNT = 60


@pytest.fixture(scope="module")
def made() -> city.City:
    """The grids of the demo city, made up but not loaded."""
    return city.build(cli.SEED)


@pytest.fixture(scope="module")
def loaded(servers: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """An application whose database holds the demo city with fewer issues."""
    name = named(servers[0], "demo_city")
    run_sql(servers[0], "CREATE DATABASE demo_city")
    engine = db.connect(name)
    migrate.upgrade(engine)
    engine.dispose()
    app = create_app(make_config(name, servers[1], tmp_path_factory.mktemp("demo")))
    with app.app_context():
        cli.run(count=COUNT, tell=lambda _line: None)
    db.session.remove()
    yield app
    db.session.remove()
    app.extensions["engine"].dispose()


@pytest.fixture
def there(loaded: Flask) -> Iterator[Flask]:
    """The loaded application, with the session bound to its database."""
    db.session.remove()
    db.session.configure(bind=loaded.extensions["engine"])
    with loaded.app_context():
        yield loaded
    db.session.remove()


def count(table, *conditions):
    return session.scalar(sa.select(sa.func.count()).select_from(table).where(*conditions))


# Grids ------------------------------------------------------------------------------------------------------


def test_one_seed_makes_one_city_and_another_makes_another(made):
    assert city.build(cli.SEED) == made
    assert city.build(7).micro != made.micro


def test_villages_have_8_to_12_micro_grids_of_50_to_80_households(made):
    in_village: dict[str, int] = {}
    for unit in made.micro:
        in_village[unit.code[:12]] = in_village.get(unit.code[:12], 0) + 1
        serial, dedicated = int(unit.code[12:]), unit.kind == "专属"
        assert (serial > 900) == dedicated
        assert dedicated or 50 <= (unit.households or 0) <= 80
    assert len(in_village) == 315
    assert {8, 12} <= set(in_village.values()) <= {8, 9, 10, 11, 12}
    assert 2800 <= len(made.micro) <= 3200


def test_names_differ_within_a_village(made):
    names = [(unit.code[:12], unit.name) for unit in made.micro]
    assert len(set(names)) == len(names)


def test_areas_lie_in_one_another_and_fill_the_city(made):
    shapes = {
        area.code: shapely.from_geojson(str(area.fields["boundary"]).replace("'", '"')) for area in made.areas
    }
    whole = shapes["430581"].area
    for length in (9, 12, 15):
        parts = [shape for code, shape in shapes.items() if len(code) == length]
        assert sum(part.area for part in parts) == pytest.approx(whole, rel=1e-3)
    for code, shape in shapes.items():
        if len(code) > 6:
            outside = shape.difference(shapes[code[:-3]].buffer(2e-5)).area
            assert outside == pytest.approx(0, abs=1e-9), code


def test_townships_hang_together(made):
    for area in made.areas:
        if len(area.code) == 9:
            parts = shapely.get_parts(shapely.from_geojson(str(area.fields["boundary"]).replace("'", '"')))
            assert (
                max(part.area for part in parts) / sum(part.area for part in parts) > 0.95
            )  # Inlets cut off a little.


def test_only_the_citys_area_is_not_marked_approximate(there):
    marked = session.scalars(sa.select(Grid.code).where(Grid.boundary_approximate.is_(False)))
    assert list(marked) == ["430581"]
    assert count(Grid, Grid.demo.is_(True), Grid.level != Level.micro) == 0
    assert count(Grid, Grid.demo.is_(False), Grid.level == Level.micro) == 0


def test_the_real_tree_is_whole(there):
    found = dict(session.execute(sa.select(Grid.level, sa.func.count()).group_by(Grid.level)).all())
    assert (found["city"], found["township"], found["village"]) == (1, 18, 315)
    assert grids.path_names(story.VILLAGE) == ["武冈市", "湾头桥镇", "泻油村"]


def test_every_micro_grid_is_found_from_a_point_in_it(there):
    rows = session.execute(
        sa.select(Grid.code, Grid.lat, Grid.lon).where(Grid.level == Level.micro).order_by(Grid.code)
    ).all()
    for row in random.Random(1).sample(rows, 60):
        assert grids.locate(row.lat, row.lon).code == row.code


# People -----------------------------------------------------------------------------------------------------


def test_every_office_and_department_has_two_people_or_more(there):
    assert count(Department) == 8
    per_place = session.execute(
        sa.select(
            Post.role, sa.func.coalesce(Post.grid_code, sa.cast(Post.department_id, sa.Text)), sa.func.count()
        )
        .where(Post.role.in_([Role.TOWNSHIP_OFFICE, Role.CITY_OFFICE, Role.DEPARTMENT]))
        .group_by(Post.role, sa.text("2"))
    ).all()
    assert len(per_place) == 18 + 1 + 8
    assert all(number >= (3 if role == Role.CITY_OFFICE else 2) for role, _place, number in per_place)


def test_nearly_every_grid_has_a_chief_and_some_have_none(there):
    for role, level, least in (
        (Role.VILLAGE_CHIEF, Level.village, 0.97),
        (Role.MICRO_CHIEF, Level.micro, 0.97),
    ):
        served = session.scalar(
            sa.select(sa.func.count(sa.distinct(Post.grid_code))).where(Post.role == role, people.in_force())
        )
        assert least <= served / count(Grid, Grid.level == level) < 1
    assert count(Post, Post.role == Role.MICRO_CHIEF, sa.func.cardinality(Post.lines) > 0) > 300


def test_every_micro_grid_has_a_worker_who_has_several(there):
    covered = session.scalar(
        sa.select(sa.func.count(sa.distinct(Post.grid_code))).where(Post.role == Role.WORKER)
    )
    workers = session.scalar(
        sa.select(sa.func.count(sa.distinct(Post.person_id))).where(Post.role == Role.WORKER)
    )
    assert covered == count(Grid, Grid.level == Level.micro)
    assert 2 < covered / workers <= 3


def test_residents_belong_to_households_of_their_micro_grid(there):
    strangers = (
        sa.select(sa.func.count())
        .select_from(Post)
        .join(Person, Person.id == Post.person_id)
        .outerjoin(Household, Household.id == Person.household_id)
        .where(Post.role == Role.RESIDENT, sa.func.coalesce(Household.grid_code, "") != Post.grid_code)
    )
    assert session.scalar(strangers) == 0
    assert count(Household) > 800


def test_telephone_numbers_are_nobodys(there):
    assert count(Person, Person.phone.not_like("1990000%")) == 0


def test_one_can_sign_in_as_everybody_in_the_story(there):
    roles = set()
    for login, (label, name, phone, _password) in zip(story.LOGINS, demo.logins(), strict=True):
        person = people.by_phone(phone)
        assert person.name == name and label["zh"] and label["en"]
        assert login.role in people.roles(person)
        roles.add(login.role)
    assert security.passwords.verify(person.password_hash, story.PASSWORD)
    assert roles == set(Role), "somebody for every role there is"


def test_the_story_has_what_it_takes_to_go_through(there):
    by_key = {login.key: people.by_phone(login.phone) for login in story.LOGINS}
    assert people.roles_at(by_key["micro_chief"], grid_code=story.MICRO) == {Role.MICRO_CHIEF}
    assert people.roles_at(by_key["village_chief"], grid_code=story.VILLAGE) == {Role.VILLAGE_CHIEF, Role.LINE_CHIEF}
    for office in ("township_office", "township_office_2"):
        assert people.roles_at(by_key[office], grid_code=story.TOWNSHIP) == {Role.TOWNSHIP_OFFICE}
    handler, verifier = by_key["city_office"], by_key["city_office_2"]
    assert handler.id != verifier.id
    transport = session.scalars(sa.select(Department).where(Department.code == "transport")).one()
    assert people.roles_at(by_key["department"], department_id=transport.id) == {Role.DEPARTMENT}
    assert by_key["resident"].household_id is not None


# Issues -----------------------------------------------------------------------------------------------------


def test_issues_were_played_by_the_actions_and_stand_in_many_states(there):
    states = set(session.scalars(sa.select(Issue.state).distinct()))
    invented = len(issues.FRESH) + len(scenes.SCENES) + sealed.COUNT + len(known.TOLD) + beside.ISSUES
    assert count(Issue) == COUNT + invented
    assert {"closed", "accepted", "reported"} <= states <= set(flow.current().states)
    assert count(IssueEvent) > 4 * COUNT
    assert count(Hop) > COUNT


def test_the_micro_chief_finds_something_to_take_up(there):
    waiting = count(Issue, Issue.unit_code == story.MICRO, Issue.state == "reported")
    assert waiting == len(issues.FRESH)


def test_one_matter_is_told_of_by_four_people(there):
    first = session.scalars(sa.select(Issue).where(Issue.category_code == known.CATEGORY, Issue.followers == 3)).one()
    assert (count(Issue, Issue.merged_into_id == first.id, Issue.state == "merged", Issue.resembles), first.state) == (2, "accepted")
    how = session.scalars(sa.select(Follower.how).where(Follower.issue_id == first.id).order_by(Follower.how)).all()
    assert how == ["asked", "merged", "merged"]
    asker = sa.select(Person.name).join(Follower, Follower.person_id == Person.id).where(Follower.how == "asked")
    assert session.scalars(asker).one() == story.LOGINS[0].name


def test_no_photo_is_there_twice(there):
    assert count(Photo) == session.scalar(sa.select(sa.func.count(sa.distinct(Photo.sha256)))) > COUNT / 2


def test_histories_run_forward_and_end_before_now(there):
    last = sa.select(sa.func.max(IssueEvent.at)).scalar_subquery()
    assert session.scalar(sa.select(last <= sa.func.now()))
    backward = session.execute(
        sa.text(
            "SELECT count(*) FROM issue_events a JOIN issue_events b"
            " ON b.issue_id = a.issue_id AND b.seq = a.seq + 1 WHERE b.at < a.at"
        )
    ).scalar_one()
    assert backward == 0
    first = session.scalar(sa.select(sa.func.min(Issue.reported_at)))
    assert timedelta(days=20) < session.scalar(sa.select(sa.func.now())) - first < timedelta(days=62)


def test_the_clock_is_not_left_moved_and_no_deadline_was_passed_over(there):
    assert session.scalar(sa.text("SELECT count(*) FROM virtual_clock")) == 0
    assert (
        count(
            timers.Timer,
            timers.Timer.state == "open",
            timers.Timer.run_at <= sa.func.now() - timedelta(minutes=10),
        )
        == 0
    )
    open_issues = count(Issue, Issue.ended_at.is_(None))
    assert count(timers.Timer, timers.Timer.state == "open", timers.Timer.subject_kind == "issue", timers.Timer.kind.not_like("part:%")) == open_issues


def test_what_chance_might_not_bring_is_there(there):
    here = Issue.grid_code == story.MICRO
    assert count(Issue, here, Issue.parts == 2, Issue.parts_open == 1) == 1
    assert count(Part, Part.kind == "joint", Part.state == "open") == 1
    assert count(Issue, here, Issue.reopen_count == 1, Issue.ended_at.is_(None)) == 1
    assert count(Issue, here, Issue.state == "appealed") == 1


def test_short_numbers_count_from_one_each_day(there):
    numbers: dict[str, list[int]] = {}
    for number in session.scalars(sa.select(Issue.number).order_by(Issue.number)):
        prefix, day, serial = number.split("-")
        assert prefix == "WG"
        numbers.setdefault(day, []).append(int(serial))
    assert all(serials == list(range(1, len(serials) + 1)) for serials in numbers.values())


def test_verifiers_are_never_handlers(there):
    assert count(Issue, Issue.verifier_id == Issue.handler_id) == 0
    assert count(Issue, Issue.verifier_id.is_not(None)) > COUNT / 3


def test_lists_by_identity_are_lists_by_time(there):
    rows = session.execute(sa.select(Issue.reported_at).order_by(Issue.id)).scalars().all()
    assert rows == sorted(rows)


# Loading ----------------------------------------------------------------------------------------------------


def test_loading_again_changes_nothing(there):
    before = count(Issue), count(Person), count(IssueEvent), count(Grid)
    lines = cli.run(count=COUNT, tell=lambda _line: None)
    assert len(lines) == 3
    assert (count(Issue), count(Person), count(IssueEvent), count(Grid)) == before


def test_it_is_not_loaded_among_real_people(live):
    with live.app_context():
        session.execute(sa.text("UPDATE persons SET phone = '138' || substr(phone, 4)"))
        session.execute(sa.text("UPDATE grids SET demo = false"))
        db.session.commit()
        with pytest.raises(Conflict):
            cli.run(count=1, tell=lambda _line: None)


def test_the_command_tells_the_logins(there):
    shown = there.test_cli_runner().invoke(cli.demo, ["logins"]).output
    assert all(login.phone in shown for login in story.LOGINS)


# Parts ------------------------------------------------------------------------------------------------------


def test_every_category_in_the_texts_is_known_and_can_be_pictured(app):
    with app.app_context():
        known = flow.rules().categories
        for code, kind in texts.texts()["kinds"].items():
            assert known[code].grade, code
            assert kind["scene"] in pictures.SCENES or (kind["scene"] is None and not known[code].photos), (
                code
            )
            for solved in kind["solved"]:
                level, _colon, department = solved.partition(":")
                assert level in lives.LEVELS and (department in story.DEPARTMENTS) == (
                    level == "department"
                ), code


def test_texts_leave_no_gap_unfilled():
    rng = random.Random(1)
    for _n in range(400):
        subject = texts.subject("3组", rng.random() < 0.3, rng)
        assert "{" not in subject.report + subject.result + subject.address


def test_pictures_are_photographs_in_form_and_differ():
    seen = set()
    for scene in pictures.SCENES:
        for bad in (True, False):
            data = pictures.draw(scene, bad, random.Random(scene))
            assert Image.open(io.BytesIO(data)).size == pictures.SIZE
            seen.add(data)
    assert len(seen) == 2 * len(pictures.SCENES)
    assert pictures.draw("river", True, random.Random(3)) == pictures.draw("river", True, random.Random(3))


def test_made_identities_are_version_7_and_in_order_of_time():
    rng = random.Random(1)
    early, late = (uuid7_at(datetime(2026, 1, day, tzinfo=UTC), rng) for day in (1, 2))
    assert early.version == late.version == 7 and early < late


# Beside issues ------------------------------------------------------------------------------------------------


def test_one_quarrel_is_settled_and_signed_and_one_is_being_talked_over(there):
    files = session.scalars(sa.select(Mediation).order_by(Mediation.opened_at)).all()
    assert [file.state for file in files] == ["concluded", "drafting"]
    assert session.get_one(Issue, files[0].issue_id).state == "closed"
    assert b"%PDF" in paper.agreement(mediation.file(None, files[0]))[:8]
    assert len(mediation.file(None, files[0]).signed) == 4


def test_two_visits_were_made_one_with_consent(there):
    visits = session.scalars(sa.select(Visit).order_by(Visit.visited_on)).all()
    assert [(str(v.consent), v.name) for v in visits] == [("signed", "周满秀"), ("none", None)]


def test_the_village_chief_is_its_river_chief_too(there):
    chief = session.scalars(sa.select(Person).where(Person.phone == "19900000004")).one()
    assert people.roles(chief) == {Role.VILLAGE_CHIEF, Role.LINE_CHIEF}
    assert people.reach(chief).lines == {(story.VILLAGE, "river")}
