"""Duplicates: what is near, who follows, merging and its undoing; through the real actions, on the small test city."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from gridgov import db, timers
from gridgov.db import session
from gridgov.errors import Conflict, IllegalTransition, Invalid, NotFound, NotPermitted
from gridgov.issues import actions, followers, near, queries
from gridgov.issues.models import Follower, Hop, Issue, IssueEvent, IssuePhoto
from gridgov.notices.models import Notice
from gridgov.photos.models import Photo
from tests import seed
from tests.counting import count_queries
from tests.factories import photo_of, picture
from tests.test_workflow_life import deliver_all, names_of, sweep

MONDAY = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)  # 09:00 in Wugang, a working day.
METRE = 1 / 111_195  # In degrees of latitude.
REASON = {"reason": "不是同一个地方"}


@pytest.fixture(autouse=True)
def monday(db_session):
    db.set_clock(MONDAY)


def there(metres: float = 0, **given: Any) -> dict[str, Any]:
    """A report's place so many metres north of SPOT."""
    return {"lat": seed.SPOT["lat"] + metres * METRE, "lon": seed.SPOT["lon"], "grid_code": None, **given}


def two(city: seed.City, **given: Any) -> tuple[Issue, Issue]:
    """The same thing reported by the resident, and ten minutes later by the neighbour: (first, second)."""
    first = city.report("resident", **there(**given))
    db.set_clock(db.utcnow() + timedelta(minutes=10))
    return first, city.report("neighbour", **there(20, **given))


def merge(issue: Issue, target: Issue, actor: Any, **data: Any) -> IssueEvent:
    return actions.act(issue, "merge", actor=actor, data={"issue": target.number, **data})


def live_timers(issue: Issue) -> list[tuple[str, str]]:
    rows = session.execute(
        sa.select(timers.Timer.kind, timers.Timer.state)
        .where(timers.Timer.subject_id == issue.id, timers.Timer.state.in_(["open", "paused"]))
        .order_by(timers.Timer.kind)
    )
    return [(row.kind, row.state) for row in rows]


def following(issue: Issue) -> set[Any]:
    here = (Follower.issue_id == issue.id, Follower.left_at.is_(None))
    found = set(session.scalars(sa.select(Follower.person_id).where(*here)))
    assert len(found) == session.scalar(sa.select(Issue.followers).where(Issue.id == issue.id))
    return found


# Near -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "metres"),
    [
        # Arcs of the WGS-84 ellipsoid, from its axes; the mean sphere keeps within 0.57 percent, which is 28 cm in 50 m.
        ((26.52, 110.42), (26.52, 110.42), 0.0),
        ((0.0, 0.0), (0.0, 1.0), 111_319.491),
        ((0.0, 0.0), (1.0, 0.0), 110_574.389),
        ((45.0, 7.0), (46.0, 7.0), 111_141.548),
        ((26.52, 110.42), (26.52, 110.4205), 49.836),
    ],
)
def test_distances_are_those_of_the_earth(db_session, one, other, metres):
    given = dict(zip(("a", "b", "c", "d"), (*one, *other), strict=True))
    found = session.scalar(sa.text("SELECT metres_between(:a, :b, :c, :d)"), given)
    assert abs(found - metres) <= metres * 0.0057


@pytest.mark.parametrize(("metres", "found"), [(0, True), (49, True), (51, False), (500, False)])
def test_what_lies_within_fifty_metres_is_near(city, metres, found):
    first = city.report("resident", **there())
    place = there(metres)
    offered = near.offers(city.neighbour, "0203", lat=place["lat"], lon=place["lon"])
    assert [(one.issue.id, one.metres) for one in offered] == ([(first.id, metres)] if found else [])


def test_east_and_west_are_measured_too(city):
    first = city.report("resident", **there())
    east = 45 * METRE / 0.8947  # A degree of longitude is shorter here: cos 26.52°.
    for lon, found in (
        (seed.SPOT["lon"] + east, True),
        (seed.SPOT["lon"] - east, True),
        (seed.SPOT["lon"] + 1.2 * east, False),
    ):
        offered = near.offers(city.neighbour, "0203", lat=seed.SPOT["lat"], lon=lon)
        assert [one.issue.id for one in offered] == ([first.id] if found else [])


def test_only_the_same_category_of_the_last_day_that_is_open_and_not_confidential(city):
    first = city.report("resident", **there())
    spot = {"lat": seed.SPOT["lat"], "lon": seed.SPOT["lon"]}
    assert [one.issue.id for one in near.offers(city.neighbour, "0203", **spot)] == [first.id]
    assert near.offers(city.neighbour, "0201", **spot) == []
    db.set_clock(MONDAY + timedelta(hours=24))
    assert len(near.offers(city.neighbour, "0203", **spot)) == 1
    db.set_clock(MONDAY + timedelta(hours=24, seconds=1))
    assert near.offers(city.neighbour, "0203", **spot) == []
    db.set_clock(MONDAY)
    actions.act(first, "withdraw", actor=city.resident)
    assert near.offers(city.neighbour, "0203", **spot) == []
    city.report("resident", **there(confidential=True))
    assert near.offers(city.neighbour, "0203", **spot) == []


def test_a_category_can_be_exempt(city):
    for code in ("0101", "1004"):  # A quarrel, an allowance: nobody else's business.
        city.report("resident", **there(category=code))
        assert near.offers(city.neighbour, code, lat=seed.SPOT["lat"], lon=seed.SPOT["lon"]) == []
        assert city.report("neighbour", **there(category=code)).resembles is False


def test_without_a_position_the_grid_stands_for_the_place(city):
    with_one, without = city.report("resident", **there()), city.report("resident")
    assert {one.issue.id for one in near.offers(city.neighbour, "0203", grid_code=seed.MICRO)} == {
        with_one.id,
        without.id,
    }
    found = near.offers(
        city.neighbour, "0203", lat=seed.SPOT["lat"] + 0.02, lon=seed.SPOT["lon"], grid_code=seed.MICRO
    )
    assert [(one.issue.id, one.metres) for one in found] == [(without.id, None)]
    assert near.offers(city.neighbour, "0203", grid_code=seed.SIBLING_MICRO) == []


def test_a_stranger_reads_one_masked_line_and_sees_no_photo(city):
    photo = photo_of(city.resident)
    text = "三轮车湘E12345载人，司机电话13800138000。他天天这样"
    city.report("resident", **there(text=text, photos=[photo]))
    spot = {"lat": seed.SPOT["lat"], "lon": seed.SPOT["lon"]}
    (seen,) = near.offers(city.foreign_resident, "0203", **spot)
    assert "138" not in seen.line and "12345" not in seen.line and "天天" not in seen.line
    assert (seen.thumb, seen.mine) == (None, False)
    (own,) = near.offers(city.resident, "0203", **spot)
    assert (own.thumb, own.mine) == (photo, True)
    assert near.offers(city.worker, "0203", **spot)[0].thumb == photo


def test_nothing_near_is_one_statement_and_many_are_no_more_than_few(city):
    spot = {"lat": seed.SPOT["lat"], "lon": seed.SPOT["lon"]}
    neighbour = city.neighbour
    near.offers(neighbour, "0203", **spot)
    with count_queries() as none:
        near.offers(neighbour, "0203", **spot)
    assert len(none) == 1
    city.report("resident", **there())
    with count_queries() as few:
        near.offers(neighbour, "0203", **spot)
    for metres in range(1, 8):
        city.report("resident", **there(metres))
    with count_queries() as many:
        found = near.offers(neighbour, "0203", **spot)
    assert (len(found), len(many)) == (near.MOST, len(few))


def test_the_search_goes_by_an_index(city):
    given = near.around(
        "0203",
        lat=26.5,
        lon=110.4,
        grid_code=seed.MICRO,
        confidential=False,
        since=MONDAY - timedelta(days=1),
        until=MONDAY,
    )
    session.execute(sa.text("SET LOCAL enable_seqscan = off"))
    explain = sa.text(f"EXPLAIN {near.NEAR.text}").bindparams(*near.TYPES)
    plan = "\n".join(session.scalars(explain, given))
    assert "ix_issues_near" in plan and "Seq Scan on issues" not in plan, plan


def test_a_report_near_another_is_marked_for_the_desk_and_stays_a_report(city):
    first, second = two(city)
    assert (first.resembles, second.resembles) == (False, True)
    third = city.report("worker", **there(500))
    assert third.resembles is False
    assert session.scalar(sa.select(Issue.resembles).where(Issue.id == second.id)) is True


# Following ------------------------------------------------------------------------------------------------------------


def test_who_follows_sees_it_is_told_and_makes_none_of_the_reporters_moves(city):
    issue = city.report("resident", **there())
    stranger = city.foreign_resident
    with pytest.raises(NotFound):
        queries.visible(stranger, issue.id)
    followers.follow(stranger, issue.id)
    followers.follow(stranger, issue.id)
    assert following(issue) == {stranger.id}
    assert queries.visible(stranger, issue.id).id == issue.id
    assert queries.transitions(stranger, issue) == []
    with pytest.raises(NotPermitted):
        actions.act(issue, "withdraw", actor=stranger)
    assert [row.issue.id for row in followers.mine(stranger).rows] == [issue.id]
    actions.act(issue, "accept", actor=city.micro_chief)
    deliver_all()
    told = sa.select(Notice.person_id).where(Notice.issue_id == issue.id, Notice.audience == "followers")
    assert list(session.scalars(told)) == [stranger.id]
    followers.leave(stranger, issue.id)
    assert following(issue) == set()
    with pytest.raises(NotFound):
        queries.visible(stranger, issue.id)


def test_a_follower_never_learns_who_reported(city):
    issue = city.report("resident", **there(text="请打13800138000找我"))
    followers.follow(city.foreign_resident, issue.id)
    story = queries.story(city.foreign_resident, issue)
    assert "刘大娘" not in story.reporter
    assert [story.actor(event) for event in story.events] == [None]
    assert followers.as_read_by(city.foreign_resident, issue)["text"] == "请打***找我"
    assert followers.as_read_by(city.micro_chief, issue) == {}
    assert queries.story(city.micro_chief, issue).reporter == "刘大娘"


def test_what_is_not_offered_cannot_be_followed_by_who_does_not_see_it(city):
    old, hidden, quarrel = (
        city.report("resident"),
        city.report("resident", confidential=True),
        city.report("resident", category="0101"),
    )
    for issue in (hidden, quarrel):
        with pytest.raises(NotFound):
            followers.follow(city.foreign_resident, issue.id)
    db.set_clock(MONDAY + timedelta(hours=26))
    with pytest.raises(NotFound):
        followers.follow(city.foreign_resident, old.id)
    assert followers.follow(city.worker, old.id).followers == 1  # Sees it by post.
    for person, issue, code in ((city.resident, old, "own_report"), (city.worker, hidden, "not_followed")):
        with pytest.raises(Conflict) as refused:
            followers.follow(person, issue.id)
        assert refused.value.code == code


def test_what_others_report_too_is_not_withdrawn(city):
    issue = city.report("resident", **there())
    followers.follow(city.neighbour, issue.id)
    with pytest.raises(IllegalTransition) as refused:
        actions.act(issue, "withdraw", actor=city.resident)
    assert refused.value.code == "guard_nobody_joined"
    followers.leave(city.neighbour, issue.id)
    actions.act(issue, "withdraw", actor=city.resident)


def test_what_a_report_without_a_follower_was_merged_into_is_not_withdrawn(city):
    first = city.report("resident", **there())
    again = city.report("resident", **there(10))  # The same person twice.
    merge(again, first, city.micro_chief)
    assert (first.followers, first.merged_in) == (0, 1)
    with pytest.raises(IllegalTransition) as refused:
        actions.act(first, "withdraw", actor=city.resident)
    assert refused.value.code == "guard_nobody_joined"
    actions.act(again, "unmerge", actor=city.micro_chief, data=REASON)
    assert first.merged_in == 0
    actions.act(first, "withdraw", actor=city.resident)


def test_who_was_merged_into_a_confidential_report_learns_how_it_goes_and_nothing_of_what_it_says(
    city, client
):
    photo = photo_of(city.resident)
    first = city.report(
        "resident", **there(confidential=True, text="村干部老王收钱不办事", photos=[photo], address="老王家")
    )
    second = city.report("neighbour", **there(confidential=True))
    actions.act(first, "note", actor=city.resident, data={"note": "我是对门的刘大娘"})
    merge(second, first, city.city_office)
    first_id = first.id
    for page in (
        f"/issues/{first_id}",
        "/mine",
        f"/api/v1/issues/{first_id}",
        f"/api/v1/issues/{first_id}/events",
        "/api/v1/issues?view=followed",
    ):
        answer = (client.get if page.startswith("/api") else client.page)(page, city.neighbour)
        text = answer.get_data(as_text=True)
        assert answer.status_code == 200
        for word in ("老王", "刘大娘", f"/photos/{photo}"):
            assert word not in text, (page, word)
    assert client.page(f"/photos/{photo}", city.neighbour).status_code == 404
    assert client.page(f"/photos/{photo}", city.city_office).status_code == 200
    assert "老王" in client.page(f"/issues/{first_id}", city.resident).get_data(as_text=True)


def test_a_follower_sees_the_photos_and_not_what_the_reporter_added(city, client):
    photo = photo_of(city.resident)
    issue = city.report("resident", **there(photos=[photo]))
    actions.act(issue, "note", actor=city.resident, data={"note": "我家在大樟树下"})
    actions.act(issue, "accept", actor=city.micro_chief, data={"note": "马上去看"})
    followers.follow(city.foreign_resident, issue.id)
    page = client.page(f"/issues/{issue.id}", city.foreign_resident).get_data(as_text=True)
    assert f"/photos/{photo}" in page and "马上去看" in page and "大樟树" not in page
    assert client.page(f"/photos/{photo}", city.foreign_resident).status_code == 200


# Merging --------------------------------------------------------------------------------------------------------------


def test_a_follower_is_not_told_of_what_the_reporter_adds(city):
    first = city.report("resident", **there())
    followers.follow(city.neighbour, first.id)
    actions.act(first, "note", actor=city.resident, data={"note": "门牌是3号"})
    actions.act(first, "note", actor=city.micro_chief, data={"note": "下午去看"})
    deliver_all()
    told = sa.select(Notice.seq).where(Notice.person_id == city.neighbour.id, Notice.issue_id == first.id)
    assert session.scalars(told).all() == [3]


def test_merging_ends_one_and_its_reporter_follows_the_other(city):
    first, second = two(city)
    followers.follow(city.foreign_resident, second.id)
    merge(second, first, city.micro_chief)
    assert (second.state, second.merged_into_id, second.due_at) == ("merged", first.id, None)
    assert second.ended_at == db.utcnow()
    assert live_timers(second) == [("accept", "paused")]
    assert following(first) == {city.neighbour.id, city.foreign_resident.id}
    assert names_of(first) == ["report", "take_in"]
    assert queries.visible(city.neighbour, first.id)
    deliver_all()
    told = dict(
        session.execute(
            sa.select(Notice.person_id, Notice.audience).where(Notice.issue_id == second.id)
        ).all()
    )
    assert told[city.neighbour.id] == "reporter" and told[city.foreign_resident.id] == "followers"


def test_every_merged_reporter_gets_the_outcome(city):
    first, second = two(city)
    third = city.report("worker", **there(30))
    merge(second, first, city.micro_chief)
    merge(third, first, city.village_chief)
    actions.act(first, "accept", actor=city.micro_chief)
    proof = [photo_of(city.micro_chief)]
    actions.act(first, "resolve", actor=city.micro_chief, data={"result": "已劝离", "proof": proof})
    actions.act(first, "verify", actor=city.village_chief, data={"way": "spot"})
    actions.act(first, "rate", actor=city.resident, data={"satisfaction": 5})
    deliver_all()
    last = sa.select(Notice.person_id).where(
        Notice.issue_id == first.id, Notice.seq == first.last_seq, Notice.audience == "followers"
    )
    assert set(session.scalars(last)) == {city.neighbour.id, city.worker.id}


@pytest.mark.parametrize("state", ["reported", "accepted", "dispatched"])
def test_undoing_gives_back_the_state_the_unit_and_the_time_that_was_left(city, state):
    first, second = two(city)
    boss = city.city_office
    if state == "dispatched":
        for who in ("micro_chief", "village_chief", "township_office"):
            actions.act(second, "escalate", actor=city.person(who), data={"reason": "办不了"})
        actions.act(second, "dispatch", actor=boss, data={"department": "transport"})
    elif state == "accepted":
        actions.act(second, "accept", actor=city.micro_chief)
    unit = (second.unit_code, second.department_id, second.hop_n)
    due_at, warn_at = second.due_at, second.warn_at
    db.set_clock(db.utcnow() + timedelta(minutes=30))
    merge(second, first, boss)
    assert second.state == "merged"
    parked = timedelta(
        days=2
    )  # Of Monday and Tuesday, both working days: the same hours of office on either clock.
    db.set_clock(db.utcnow() + parked)
    sweep()
    session.refresh(second)
    assert second.state == "merged"
    actions.act(second, "unmerge", actor=boss, data=REASON)
    assert (second.state, second.merged_into_id, second.ended_at) == (state, None, None)
    assert (second.unit_code, second.department_id, second.hop_n) == unit
    assert (second.due_at, second.warn_at) == (due_at + parked, warn_at + parked)
    assert [(kind, what) for kind, what in live_timers(second)] == [
        ("resolve" if state == "accepted" else "accept", "open")
    ]
    hop = session.get_one(Hop, (second.id, second.hop_n), populate_existing=True)
    assert (hop.left_at, hop.left_by, hop.worked_s) == (None, None, None)
    assert following(first) == set()
    assert [name for name in names_of(first) if name in ("take_in", "give_back")] == ["take_in", "give_back"]
    db.set_clock(second.due_at + timedelta(minutes=1))
    sweep()
    session.refresh(second)
    assert names_of(second)[-1] in ("overdue_up", "remind")


def test_what_was_overdue_is_overdue_again(city):
    first, second = two(city)
    for issue in (first, second):
        for who in ("micro_chief", "village_chief", "township_office"):
            actions.act(issue, "escalate", actor=city.person(who), data={"reason": "办不了"})
    db.set_clock(second.due_at + timedelta(minutes=1))
    sweep()
    session.refresh(second)
    session.refresh(first)
    due_at = second.due_at
    assert due_at < db.utcnow()
    merge(second, first, city.city_office)
    db.set_clock(db.utcnow() + timedelta(hours=1))
    actions.act(second, "unmerge", actor=city.city_office, data=REASON)
    assert second.due_at == due_at
    assert live_timers(second) == [("accept", "open")]


def test_clocks_beside_the_state_are_parked_too(city):
    first, second = two(city)
    actions.act(second, "urge", actor=city.neighbour)
    kinds = [kind for kind, _state in live_timers(second)]
    assert kinds == ["accept", "urge"]
    merge(second, first, city.micro_chief)
    assert live_timers(second) == [(kind, "paused") for kind in kinds]
    actions.act(second, "unmerge", actor=city.micro_chief, data=REASON)
    assert live_timers(second) == [(kind, "open") for kind in kinds]
    generations = session.scalars(
        sa.select(timers.Timer.generation).where(
            timers.Timer.subject_id == second.id, timers.Timer.state == "open"
        )
    )
    assert set(generations) == {second.generation}


def test_a_request_lapses_when_its_issue_is_merged(city):
    first, second = two(city)
    actions.act(second, "accept", actor=city.micro_chief)
    actions.act(second, "ask_time", actor=city.micro_chief, data={"extra": "25", "reason": "等配件"})
    merge(second, first, city.micro_chief)
    actions.act(second, "unmerge", actor=city.micro_chief, data=REASON)
    assert (second.state, second.asked_kind) == ("accepted", None)


def test_chains_collapse_and_come_apart_from_their_end(city):
    first, second = two(city)
    third = city.report("worker", **there(30))
    merge(third, second, city.micro_chief)
    assert following(second) == {city.worker.id}
    merge(second, first, city.micro_chief)
    assert following(first) == {city.neighbour.id, city.worker.id}
    assert (
        followers.follow(city.foreign_resident, third.id).id == first.id
    )  # Whoever follows a merged one follows where it went.
    with pytest.raises(IllegalTransition) as refused:
        actions.act(third, "unmerge", actor=city.micro_chief, data=REASON)
    assert refused.value.code == "guard_target_open"
    actions.act(second, "unmerge", actor=city.micro_chief, data=REASON)
    assert following(first) == {city.foreign_resident.id}
    assert following(second) == {city.worker.id}
    actions.act(third, "unmerge", actor=city.micro_chief, data=REASON)
    assert following(second) == set()


def test_who_reported_twice_stays_while_one_of_the_two_is_merged(city):
    first, second = two(city)
    third = city.report("neighbour", **there(30))
    merge(second, first, city.micro_chief)
    merge(third, first, city.micro_chief)
    for issue, left in ((third, {city.neighbour.id}), (second, set())):
        actions.act(issue, "unmerge", actor=city.micro_chief, data=REASON)
        assert following(first) == left


def test_who_asked_before_stays_after_the_undoing_and_who_left_is_told_again(city):
    first, second = two(city)
    followers.follow(city.neighbour, first.id)
    merge(second, first, city.micro_chief)
    actions.act(second, "unmerge", actor=city.micro_chief, data=REASON)
    assert following(first) == {city.neighbour.id}
    followers.leave(city.neighbour, first.id)
    db.set_clock(db.utcnow() + timedelta(minutes=1))
    merge(second, first, city.micro_chief)
    assert following(first) == {city.neighbour.id}
    followers.leave(city.neighbour, first.id)
    third = city.report("worker", **there(30))
    merge(third, first, city.micro_chief)
    assert following(first) == {city.worker.id}  # Leaving after the merging lasts.


def test_nothing_is_undone_once_the_other_has_ended(city):
    first, second = two(city)
    merge(second, first, city.micro_chief)
    for who in ("micro_chief", "village_chief"):
        actions.act(first, "escalate", actor=city.person(who), data={"reason": "办不了"})
    actions.act(first, "not_accept", actor=city.township_office, data={"reason": "属于诉讼", "route": "法院"})
    with pytest.raises(IllegalTransition) as refused:
        actions.act(second, "unmerge", actor=city.micro_chief, data=REASON)
    assert refused.value.code == "guard_target_open"


def test_a_merge_needs_another_open_issue_that_is_seen_and_as_confidential(city):
    _first, second = two(city)
    hidden = city.report("resident", confidential=True)
    foreign = city.report("foreign_resident", grid_code=seed.FOREIGN_MICRO)
    ended = city.report("resident")
    actions.act(ended, "withdraw", actor=city.resident)
    before = second.generation
    for target in (second, hidden, foreign, ended):
        with pytest.raises(Invalid) as refused, session.begin_nested():
            merge(second, target, city.micro_chief)
        assert list(refused.value.errors) == ["issue"]
        session.refresh(second)
        assert (second.state, second.generation) == ("reported", before)
    for junk in ("WG-0", "'; --", "0" * 36):
        with pytest.raises(Invalid), session.begin_nested():
            actions.act(second, "merge", actor=city.micro_chief, data={"issue": junk})
        session.refresh(second)
    merge(second, foreign, city.city_office)  # Who sees both may.
    other = city.report("neighbour", confidential=True)
    merge(other, hidden, city.city_office)
    assert following(hidden) == {city.neighbour.id}
    assert "刘大娘" not in queries.story(city.neighbour, hidden).reporter


def refused_merge(issue: Issue, target: Issue, actor: Any) -> str:
    """The words with which this merge is refused at its field."""
    with pytest.raises(Invalid) as refused, session.begin_nested():
        merge(issue, target, actor)
    session.refresh(issue)
    assert issue.merged_into_id is None
    return refused.value.errors["issue"][0]


def test_merging_is_no_way_out_of_supervision_an_instruction_or_a_graver_grade(city):
    first, second = two(city)
    actions.act(
        second,
        "supervise",
        actor=city.township_office,
        data={"reason": "多次反映", "report_on": "2026-11-20"},
    )
    assert "正在督办" in refused_merge(second, first, city.micro_chief)
    actions.act(second, "end_supervision", actor=city.township_office, data={"note": "已处理"})
    actions.act(second, "instruct", actor=city.city_leader, data={"instruction": "立即到场"})
    assert "批示" in refused_merge(second, first, city.micro_chief)
    actions.act(second, "answer", actor=city.micro_chief, data={"note": "已到场"})
    grave = {"grade": "A", "reason": "有危险"}
    actions.act(second, "raise_grade", actor=city.micro_chief, data=grave)
    assert first.number in refused_merge(second, first, city.micro_chief)
    actions.act(first, "raise_grade", actor=city.micro_chief, data=grave)
    merge(second, first, city.micro_chief)
    assert second.state == "merged"


def test_the_database_refuses_what_must_never_be(city):
    first, second = two(city)
    hidden = city.report("resident", confidential=True)
    now = {"ended_at": db.utcnow(), "due_at": None, "merged_seq": 2}
    for values in (
        {"merged_into_id": second.id, **now},
        {"merged_into_id": hidden.id, **now},
        {"merged_into_id": first.id, "merged_seq": 2},
        {"merged_into_id": first.id, **now, "merged_seq": None},
        {"followers": -1},
    ):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(sa.update(Issue).where(Issue.id == second.id).values(values))
    merge(second, first, city.micro_chief)
    third = city.report("worker", **there(30))
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(sa.update(Issue).where(Issue.id == third.id).values(merged_into_id=second.id, **now))
    with pytest.raises(IntegrityError), session.begin_nested():
        session.add(
            Follower(
                issue_id=first.id,
                person_id=city.worker.id,
                how="asked",
                from_issue_id=second.id,
                at=db.utcnow(),
            )
        )
        session.flush()


# Pages and API --------------------------------------------------------------------------------------------------------


def sent(**more: Any) -> dict[str, Any]:
    """A report as the form of a phone without scripts sends it."""
    place = {"lat": str(seed.SPOT["lat"]), "lon": str(seed.SPOT["lon"])}
    return {"id": str(db.uuid7()), "category": "0203", "text": "三轮车又在载人", **place, **more}


def test_the_form_without_scripts_asks_first_and_keeps_everything_entered(city, client):
    issue = city.report("resident", **there())
    body = sent(address="校门口", photos=[(picture(), "a.jpg")])
    answer = client.form("/report", body, city.neighbour)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert issue.number in page and "刘大娘" not in page
    photo = session.scalar(sa.select(Photo.id).where(Photo.owner_id == city.neighbour.id))
    for name, value in (
        ("text", body["text"]),
        ("address", "校门口"),
        ("id", body["id"]),
        ("photos", photo),
        ("anyway", 1),
    ):
        assert f'name="{name}" value="{value}"' in page
    assert session.scalar(sa.select(sa.func.count()).select_from(Issue)) == 1
    again = body | {"photos": str(photo), "anyway": "1"}
    assert client.form("/report", again, city.neighbour).status_code == 303
    made = session.scalars(sa.select(Issue).where(Issue.reporter_id == city.neighbour.id)).one()
    assert (str(made.id), made.address, made.resembles) == (body["id"], "校门口", True)


def test_the_form_does_not_ask_where_nothing_is_near(city, client):
    city.report("resident", **there(200))
    assert client.form("/report", sent(), city.neighbour).status_code == 303


def test_following_by_a_form_and_leaving_again(city, client):
    issue = city.report("resident", **there())
    answer = client.form(f"/issues/{issue.id}/follow", {}, city.foreign_resident)
    assert (answer.status_code, answer.location) == (303, f"/issues/{issue.id}")
    page = client.page(f"/issues/{issue.id}", city.foreign_resident).get_data(as_text=True)
    assert "不再跟进" in page and "另有1人反映" in page and "刘大娘" not in page
    assert "您在跟进" in client.page("/mine", city.foreign_resident).get_data(as_text=True)
    assert "您在跟进" not in client.page("/mine", city.resident).get_data(as_text=True)
    assert client.form(f"/issues/{issue.id}/unfollow", {}, city.foreign_resident).status_code == 303
    assert client.page(f"/issues/{issue.id}", city.foreign_resident).status_code == 404


def test_the_api_offers_follows_and_leaves(city, client):
    issue = city.report("resident", **there())
    stranger = city.foreign_resident
    query = f"category=0203&lat={seed.SPOT['lat']}&lon={seed.SPOT['lon']}"
    (known,) = client.get(f"/api/v1/issues/near?{query}", stranger).json["items"]
    assert (known["number"], known["metres"], known["mine"], known["followers"]) == (
        issue.number,
        0,
        False,
        0,
    )
    assert set(known) == {
        "id", "number", "category", "place", "state", "state_label", "line", "metres", "followers", "mine", "reported_at",
    }  # fmt: skip
    address = f"/api/v1/issues/{issue.id}"
    assert client.get(address, stranger).status_code == 404
    assert client.send(f"{address}/follow", {}, stranger).json == {
        "id": str(issue.id),
        "number": issue.number,
        "followers": 1,
    }
    assert client.get(address, stranger).json["followers"] == 1
    assert [one["id"] for one in client.get("/api/v1/issues?view=followed", stranger).json["items"]] == [
        str(issue.id)
    ]
    assert client.get("/api/v1/issues?view=reported", stranger).json["items"] == []
    assert client.send(f"{address}/follow", {}, city.resident).json["code"] == "own_report"
    assert client.send(f"{address}/follow", {}, stranger, method="DELETE").status_code == 204
    assert client.get(address, stranger).status_code == 404
    assert client.send(f"{address}/follow", {}, stranger, method="DELETE").status_code == 404
    for bad in ("", "category=0203&lat=26.5", "category=0203&lat=91&lon=0", "category=0203&grid_code=x"):
        assert client.get(f"/api/v1/issues/near?{bad}", stranger).status_code == 422


def test_a_follower_may_nothing_through_the_api(city, client):
    issue = city.report("resident", **there())
    followers.follow(city.foreign_resident, issue.id)
    url, number = f"/api/v1/issues/{issue.id}/events", issue.number
    for name in ("withdraw", "note", "urge", "merge", "accept"):
        assert (
            client.send(
                url, {"name": name, "note": "看看", "issue": number}, city.foreign_resident
            ).status_code
            == 403
        )


def test_the_office_sees_what_may_be_the_same_merges_and_reads_it_at_the_other(city, client):
    first, second = two(city, photos=[])
    photo = photo_of(city.neighbour)
    session.execute(sa.insert(IssuePhoto).values(issue_id=second.id, photo_id=photo, seq=1, stage="before"))
    page = client.page(f"/issues/{second.id}", city.micro_chief).get_data(as_text=True)
    assert "可能是同一个问题" in page and first.number in page and "相距约20米" in page
    for person in (city.neighbour, city.worker):  # Neither merges, so neither is asked.
        assert "可能是同一个问题" not in client.page(f"/issues/{second.id}", person).get_data(as_text=True)
    form = client.page(f"/issues/{second.id}/move/merge", city.micro_chief).get_data(as_text=True)
    assert f'value="{first.number}" checked' in form
    answer = client.form(
        f"/issues/{second.id}/events", {"name": "merge", "issue": first.number}, city.micro_chief
    )
    assert answer.status_code == 303
    shown = client.page(f"/issues/{first.id}", city.micro_chief).get_data(as_text=True)
    assert second.number in shown and f"/photos/{photo}" in shown and "另有1人反映" in shown
    for person in (city.resident, city.neighbour):  # The others' words are for those who handle it.
        shown = client.page(f"/issues/{first.id}", person).get_data(as_text=True)
        assert "并入这一件的上报" not in shown and "另有1人反映" in shown
    old = client.page(f"/issues/{second.id}", city.neighbour).get_data(as_text=True)
    assert f"/issues/{first.id}" in old and "已合并" in old


def test_a_page_without_duplicates_asks_no_more_than_before_and_with_them_a_fixed_number(city, client):
    issue = city.report("resident", **there())
    client.page(f"/issues/{issue.id}", city.resident)

    def statements(who: Any) -> int:
        with count_queries() as seen:
            client.page(f"/issues/{issue.id}", who)
        return len(seen)

    alone = statements(city.resident)
    assert alone <= 20
    for reporter, metres in (("neighbour", 3), ("worker", 6)):
        merge(city.report(reporter, **there(metres)), session.get_one(Issue, issue.id), city.micro_chief)
    statements(city.micro_chief)
    few = statements(city.micro_chief)
    for metres in (9, 12, 15):
        merge(city.report("worker", **there(metres)), session.get_one(Issue, issue.id), city.micro_chief)
    assert statements(city.micro_chief) == few


def test_the_desk_marks_what_may_be_known_until_it_is_accepted(city, client):
    _first, second = two(city)
    for chief in ("micro_chief", "village_chief"):
        actions.act(second, "escalate", actor=city.person(chief), data={"reason": "办不了"})
    assert "可能重复" in client.page("/desk", city.township_office).get_data(as_text=True)
    actions.act(session.get_one(Issue, second.id), "accept", actor=city.township_office)
    assert "可能重复" not in client.page("/desk", city.township_office).get_data(as_text=True)
