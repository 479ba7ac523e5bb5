"""Duplicates and questions in a real browser: offered while reporting, followed, merged at the desk."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from gridgov import db
from gridgov.issues import actions, followers
from gridgov.issues.models import Follower, Issue
from tests import seed
from tests.browser import DESK

pytestmark = pytest.mark.browser
People = Callable[..., Page]
THREE_WHEELER, SICK = "0203", "0402"


def choose(page: Page, code: str) -> None:
    """Choose a category from the whole list or from those used most."""
    wanted = page.locator(f"input[name=category][value='{code}']").first
    if not wanted.is_visible():
        page.locator(".majors > summary").click()
        page.locator(".major", has=page.locator(f"input[value='{code}']")).locator("summary").click()
        wanted = page.locator(f".major input[name=category][value='{code}']")
    wanted.locator("xpath=ancestor::label[1]").click()
    expect(page.locator(f"input[name=category][value='{code}']:checked")).to_have_count(1)


def form(page: Page) -> Page:
    page.goto("/report")
    expect(page.locator("html[data-ready]")).to_be_attached()
    expect(page.locator("[data-place-words]")).to_contain_text("第1村民小组")
    return page


@pytest.fixture
def known(site: Any) -> Issue:
    """Something the resident has reported at the spot."""
    with site.inside() as city:
        issue = city.report("resident", **seed.SPOT, text="三轮车湘E12345天天载人，司机13800138000")
        db.session.flush()
        db.session.expunge(issue)
        return issue


def test_what_is_known_is_offered_and_followed_instead(
    person: People, site: Any, known: Issue, axe: Any
) -> None:
    page = form(person("neighbour"))
    choose(page, THREE_WHEELER)
    box = page.locator("[data-near]")
    expect(box).to_contain_text(known.number)
    expect(box).not_to_contain_text("138")
    axe(page)
    box.get_by_role("button", name="跟进这一件").click()
    page.wait_for_url(f"**/issues/{known.id}")
    expect(page.get_by_text("您在跟进这一件")).to_be_visible()
    with site.inside() as city:
        there = db.session.scalars(sa.select(Follower)).one()
        assert (there.issue_id, there.person_id, there.how) == (known.id, city.neighbour.id, "asked")
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Issue)) == 1
    axe(page)


def test_another_one_is_reported_all_the_same(person: People, site: Any, known: Issue) -> None:
    page = form(person("neighbour"))
    choose(page, THREE_WHEELER)
    page.get_by_role("button", name="不是同一件").click()
    expect(page.locator("[data-near]")).to_be_hidden()
    page.fill("#f-text", "另一辆三轮车")
    page.locator("form[data-report] [type=submit]").click()
    page.wait_for_url(re.compile(r"\?new=1"))
    with site.inside():
        second = db.session.scalars(sa.select(Issue).where(Issue.id != known.id)).one()
        assert second.resembles


def test_without_a_network_nothing_is_offered_and_the_report_is_sent_later(
    person: People, site: Any, known: Issue, watch: Any
) -> None:
    page = form(person("neighbour"))
    page.context.set_offline(True)
    watch.wrong.clear()
    choose(page, THREE_WHEELER)
    page.fill("#f-text", "三轮车载人")
    page.locator("form[data-report] [type=submit]").click()
    expect(page.locator("#waiting")).to_contain_text("没有网络")
    page.context.set_offline(False)
    expect(page.locator("#waiting")).to_have_count(0)
    watch.wrong.clear()  # What the browser says of requests without a network.
    with site.inside():
        second = db.session.scalars(sa.select(Issue).where(Issue.id != known.id)).one()
        assert second.resembles


def test_without_scripts_the_choice_is_a_page(person: People, known: Issue) -> None:
    page = person("neighbour", java_script_enabled=False)
    page.goto("/report")
    choose(page, THREE_WHEELER)
    page.fill("#f-text", "三轮车又在载人")
    page.locator("select[name=grid_code]").select_option(seed.MICRO)
    page.locator("form[data-report] [type=submit]").click()
    expect(page.get_by_role("heading", name="是不是已经有人上报？")).to_be_visible()
    expect(page.locator("main")).to_contain_text(known.number)
    page.get_by_role("button", name="不是同一件，继续上报").click()
    page.wait_for_url(re.compile(r"\?new=1"))
    expect(page.locator("main")).to_contain_text("三轮车又在载人")


def test_without_scripts_the_questions_are_a_page(person: People, site: Any, shot: Any) -> None:
    page = person("neighbour", java_script_enabled=False)
    page.goto("/report")
    page.set_input_files("#f-photos", [shot()])
    choose(page, SICK)
    page.fill("#f-text", "猪场死猪")
    page.locator("select[name=grid_code]").select_option(seed.MICRO)
    page.locator("form[data-report] [type=submit]").click()
    expect(page.get_by_role("heading", name="再问几句")).to_be_visible()
    page.get_by_label("病了或死了多少").fill("4")
    page.locator("main [type=submit]").click()
    page.wait_for_url(re.compile(r"\?new=1"))
    expect(page.get_by_text("4 头或只")).to_be_visible()
    with site.inside():
        assert db.session.scalars(sa.select(Issue)).one().answers[0]["value"] == 4


def test_the_questions_of_a_category_are_asked_when_it_is_chosen(
    person: People, site: Any, shot: Any, axe: Any
) -> None:
    page = form(person("resident"))
    expect(page.locator("[name=answer_sick]")).to_be_hidden()
    page.set_input_files("#f-photos", [shot()])
    choose(page, SICK)
    page.get_by_label("病了或死了多少").fill("4")
    page.locator("input[name=answer_animal][value=pig]").check(force=True)
    page.fill("#f-text", "猪场死猪")
    axe(page)
    page.locator("form[data-report] [type=submit]").click()
    page.wait_for_url(re.compile(r"\?new=1"))
    expect(page.get_by_text("4 头或只")).to_be_visible()
    with site.inside():
        issue = db.session.scalars(sa.select(Issue)).one()
        assert [(one["name"], one["value"]) for one in issue.answers] == [("animal", "pig"), ("sick", 4)]


def test_a_wrong_answer_is_said_beside_its_question(person: People, site: Any, shot: Any, watch: Any) -> None:
    watch.expect(422)
    page = form(person("resident"))
    page.set_input_files("#f-photos", [shot()])
    choose(page, SICK)
    page.get_by_label("病了或死了多少").fill("很多")
    page.fill("#f-text", "猪场死猪")
    page.locator("form[data-report] [type=submit]").click()
    expect(page.locator("#f-answer_sick-error")).to_contain_text("整数")
    page.get_by_label("病了或死了多少").fill("40")
    page.locator("form[data-report] [type=submit]").click()
    page.wait_for_url(re.compile(r"\?new=1"))


def test_the_desk_merges_what_it_is_shown(person: People, site: Any, known: Issue, axe: Any) -> None:
    with site.inside() as city:
        second = city.report("neighbour", **seed.SPOT, text="三轮车载人，超员严重")
        followers.follow(city.worker, known.id)
        for issue in (db.session.get_one(Issue, known.id), second):
            for chief in ("micro_chief", "village_chief"):
                actions.act(issue, "escalate", actor=city.person(chief), data={"reason": "办不了"})
        second_id = second.id
    page = person("township_office", viewport=DESK, is_mobile=False, has_touch=False)
    page.goto(f"/desk?issue={second_id}")
    expect(page.locator("#detail")).to_contain_text("可能是同一个问题")
    expect(page.locator("#queue")).to_contain_text("可能重复")
    axe(page)
    page.goto(f"/issues/{second_id}/move/merge")
    expect(page.locator(f"#moves input[value='{known.number}']")).to_be_checked()
    page.locator("#moves [type=submit]").click()
    page.wait_for_url(f"**/issues/{second_id}")
    expect(page.locator("main")).to_contain_text("已合并")
    page.goto(f"/desk?issue={known.id}")
    expect(page.locator("#merged")).to_contain_text("超员严重")
    expect(page.locator("#detail")).to_contain_text("另有2人反映")
    axe(page)
