"""Several people at once: nobody waits in a ring, nothing is counted twice or lost. Real commits on a database of its own."""

import threading

import sqlalchemy as sa
from flask import Flask

from gridgov import db
from gridgov.db import session
from gridgov.errors import Conflict, DomainError, IllegalTransition, Invalid
from gridgov.issues import actions, followers, near, queries
from gridgov.issues.models import Follower, Issue
from tests import seed
from tests.together import together


def two(app: Flask) -> tuple[Issue, Issue]:
    with app.app_context(), db.transaction():
        city = seed.City()
        found = (
            city.report("resident", **seed.SPOT, grid_code=None),
            city.report("neighbour", **seed.SPOT, grid_code=None),
        )
        session.flush()
        session.expunge_all()
        return found


def test_two_who_merge_crosswise_make_one_merged_issue(live):
    first, second = two(live)
    barrier = threading.Barrier(2)

    def merge(one: Issue, other: Issue) -> str:
        try:
            with live.app_context(), db.transaction():
                city = seed.City()
                issue = queries.visible(city.micro_chief, one.id, lock=True)
                barrier.wait(20)  # Each holds its own now.
                actions.act(issue, "merge", actor=city.micro_chief, data={"issue": other.number}, locked=True)
            return "merged"
        except DomainError as error:
            return error.code

    outcomes = together(lambda: merge(first, second), lambda: merge(second, first))
    assert set(outcomes) <= {"merged", "busy", "invalid"} and outcomes.count("merged") <= 1
    with live.app_context(), db.transaction():
        merged = session.scalar(sa.select(sa.func.count()).where(Issue.merged_into_id.is_not(None)))
        assert merged == outcomes.count("merged")


def test_two_who_report_at_the_same_moment_both_make_an_issue(live):
    barrier = threading.Barrier(2)

    def report(who: str) -> None:
        with live.app_context(), db.transaction():
            person = seed.City().person(who)
            barrier.wait(20)
            actions.report(actor=person, category="0203", text="三轮车载人", **seed.SPOT)

    assert together(lambda: report("resident"), lambda: report("neighbour")) == [None, None]
    with live.app_context(), db.transaction():
        city = seed.City()
        one, other = session.scalars(sa.select(Issue).order_by(Issue.number)).all()
        assert [alike.issue.id for alike in near.candidates(city.micro_chief, one)] == [other.id]


def test_all_who_follow_at_once_are_counted(live):
    first, second = two(live)
    people = ("worker", "foreign_resident", "foreign_worker", "store_clerk")

    def follow(who: str) -> None:
        with live.app_context(), db.transaction():
            followers.follow(seed.City().person(who), first.id)

    def merge() -> None:
        for _attempt in range(50):
            try:
                with live.app_context(), db.transaction():
                    city = seed.City()
                    issue = queries.visible(city.micro_chief, second.id, lock=True)
                    actions.act(
                        issue, "merge", actor=city.micro_chief, data={"issue": first.number}, locked=True
                    )
                return
            except Conflict as error:
                assert error.code == "busy"
        raise AssertionError("it was busy fifty times")

    assert together(*(lambda who=who: follow(who) for who in people), merge) == [None] * 5
    with live.app_context(), db.transaction():
        there = session.scalar(
            sa.select(sa.func.count()).where(Follower.issue_id == first.id, Follower.left_at.is_(None))
        )
        assert (there, session.scalar(sa.select(Issue.followers).where(Issue.id == first.id))) == (5, 5)


def test_what_ends_while_something_is_merged_into_it_is_refused_or_waits(live):
    first, second = two(live)
    barrier = threading.Barrier(2)

    def end() -> str:
        with live.app_context(), db.transaction():
            issue = queries.visible(seed.City().resident, first.id, lock=True)
            barrier.wait(20)
            try:
                actions.act(issue, "withdraw", actor=seed.City().resident, locked=True)
            except IllegalTransition as error:
                return error.code
        return "ended"

    def merge() -> str:
        barrier.wait(20)
        try:
            with live.app_context(), db.transaction():
                city = seed.City()
                issue = queries.visible(city.micro_chief, second.id, lock=True)
                actions.act(issue, "merge", actor=city.micro_chief, data={"issue": first.number}, locked=True)
        except (Conflict, Invalid) as error:
            return error.code
        return "merged"

    outcomes = set(together(end, merge))
    assert outcomes in ({"ended", "busy"}, {"ended", "invalid"})
