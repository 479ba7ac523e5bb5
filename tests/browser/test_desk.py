"""The desk in a real browser: keys, the list and the issue in step, nothing lost when others are faster."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from gridgov import db
from gridgov.issues import actions
from gridgov.issues.models import Issue
from tests import seed
from tests.browser import DESK
from tests.factories import photo_of

pytestmark = pytest.mark.browser
People = Callable[..., Page]
PC = {"viewport": DESK, "is_mobile": False, "has_touch": False}


@pytest.fixture
def waiting(site: Any) -> list[str]:
    """The numbers of four issues that wait for the township office, the first due first."""
    with site.inside() as city:
        found = []
        for n in range(4):
            issue = city.report(
                text=f"第{n}件：路边三轮车载人。",
                photos=[photo_of(city.worker)],
                lat=seed.SPOT["lat"],
                lon=seed.SPOT["lon"],
            )
            actions.act(issue, "escalate", actor=city.micro_chief, data={"reason": "组里办不了"})
            actions.act(issue, "escalate", actor=city.village_chief, data={"reason": "村里办不了"})
            issue.due_at += timedelta(minutes=n)
            found.append(issue.number)
        return found


@pytest.fixture
def desk(person: People, waiting: list[str]) -> Page:
    """The township's desk with the first issue open."""
    page = person("township_office", **PC)
    page.goto("/desk")
    in_hand(page, waiting[0])
    return page


def in_hand(page: Page, number: str) -> None:
    """Wait until this issue is the one in hand, in the detail and in the list."""
    expect(page.locator("#detail .detail-head")).to_contain_text(number)
    expect(page.locator(".item.is-current")).to_contain_text(number)


def state(site: Any, number: str) -> tuple[str, str | None]:
    """Where an issue stands: its state and its unit."""
    with site.inside():
        issue = db.session.query(Issue).filter_by(number=number).one()
        return issue.state, issue.unit_code


def test_the_first_issue_opens_by_itself_and_stands_in_the_address(desk: Page, waiting: list[str]) -> None:
    expect(desk).to_have_url(re.compile(r"/desk\?view=mine&issue=[0-9a-f-]{36}$"))
    desk.reload()
    in_hand(desk, waiting[0])
    expect(desk.locator("#rows > li")).to_have_count(4)


def test_keys_move_open_search_and_come_back(desk: Page, waiting: list[str]) -> None:
    desk.keyboard.press("j")
    expect(desk.locator("#rows > li").nth(1).locator("a")).to_be_focused()
    in_hand(desk, waiting[0])
    desk.keyboard.press("ArrowDown")
    desk.keyboard.press("k")
    desk.keyboard.press("Enter")
    in_hand(desk, waiting[1])
    desk.keyboard.press("/")
    expect(desk.get_by_role("searchbox")).to_be_focused()
    desk.keyboard.press("Escape")
    expect(desk.locator(".item.is-current a")).to_be_focused()


def test_a_letter_opens_a_move_and_ctrl_enter_sends_it(desk: Page, waiting: list[str], site: Any) -> None:
    desk.keyboard.press("u")
    expect(desk.locator("#f-reason")).to_be_focused()
    desk.keyboard.type("涉及县道，请市里协调")
    desk.keyboard.press("Control+Enter")
    in_hand(desk, waiting[1])
    expect(desk.locator("#rows > li")).to_have_count(3)
    expect(desk.locator("#detail .alert")).to_contain_text(waiting[0])
    expect(desk.locator("#counts .chip").first).to_contain_text("3")
    expect(desk.locator(f'.tree-name[data-code="{seed.VILLAGE}"] + .tree-n')).to_have_text("3")
    expect(desk.locator(".nav-item .count").first).to_have_text("3")
    expect(desk.locator(".item.is-current a")).to_be_focused()
    assert state(site, waiting[0]) == ("reported", seed.CITY)


def test_a_move_that_keeps_it_here_renews_its_row_in_place(desk: Page, waiting: list[str]) -> None:
    desk.keyboard.press("a")
    expect(desk.locator("#f-note")).to_be_focused()
    desk.keyboard.press("Control+Enter")
    expect(desk.locator("#detail .alert")).to_contain_text(waiting[0])
    expect(desk.locator("#rows > li")).to_have_count(4)
    expect(desk.locator("#rows > li").first).to_contain_text("办理中")
    in_hand(desk, waiting[0])
    desk.keyboard.press("u")
    desk.locator("#f-reason").fill("涉及县道")
    desk.keyboard.press("Control+Enter")
    in_hand(
        desk, waiting[1]
    )  # The next on the screen, though the accepted one had become the last in the list's order.


def test_letters_typed_into_a_field_are_words_and_not_moves(desk: Page) -> None:
    desk.keyboard.press("/")
    desk.keyboard.type("axn")
    expect(desk.get_by_role("searchbox")).to_have_value("axn")
    expect(desk.locator("#moves form")).to_have_count(0)


def test_what_is_missing_is_said_beside_the_field_and_nothing_is_lost(
    desk: Page, waiting: list[str], watch: Any, site: Any
) -> None:
    watch.expect(422)
    desk.keyboard.press("x")
    desk.locator("#f-reason").fill("属于信访事项")
    desk.keyboard.press("Control+Enter")
    expect(desk.locator("#f-route-error")).to_be_visible()
    expect(desk.locator("#detail [role=alert]")).to_be_focused()
    expect(desk.locator("#f-reason")).to_have_value("属于信访事项")
    expect(desk).to_have_url(re.compile(r"/desk\?view=mine&issue="))
    desk.locator("#f-route").fill("市信访局")
    desk.keyboard.press("Control+Enter")
    in_hand(desk, waiting[1])
    assert state(site, waiting[0])[0] == "not_accepted"


def test_cancel_brings_the_buttons_back(desk: Page) -> None:
    desk.keyboard.press("n")
    desk.get_by_role("link", name="取消").click()
    expect(desk.locator('#moves [data-move="note"]')).to_be_visible()
    expect(desk.locator("#moves form")).to_have_count(0)


def test_photos_go_with_a_resolution(desk: Page, waiting: list[str], shot: Any, site: Any) -> None:
    desk.keyboard.press("a")
    expect(desk.locator("#f-note")).to_be_focused()
    desk.keyboard.press("Control+Enter")
    desk.locator('[data-move="resolve"]').click()
    desk.locator("#f-result").fill("已劝导，并设了提示牌")
    desk.set_input_files("#f-proof", [shot()])
    desk.locator("#moves [type=submit]").click()
    expect(desk.locator("#detail .alert")).to_contain_text("办理完毕")
    assert state(site, waiting[0])[0] == "resolved"


def test_somebody_faster_is_told_and_the_issue_is_shown_as_it_is_now(
    desk: Page, waiting: list[str], watch: Any, site: Any
) -> None:
    watch.expect(409)
    desk.keyboard.press("u")
    desk.locator("#f-reason").fill("涉及县道")
    with site.inside() as city:
        issue = db.session.query(Issue).filter_by(number=waiting[0]).one()
        actions.act(issue, "accept", actor=city.township_office_2)
    desk.keyboard.press("Control+Enter")
    expect(desk.locator("#detail .alert")).to_be_visible()
    expect(desk.locator("#detail .issue-head")).to_contain_text("办理中")
    assert state(site, waiting[0]) == ("accepted", seed.TOWNSHIP)


def test_filters_search_and_numbers_change_the_list_and_the_address(desk: Page, waiting: list[str]) -> None:
    desk.get_by_role("searchbox").fill("第2件")
    expect(desk.locator("#rows > li")).to_have_count(1)
    expect(desk).to_have_url(re.compile(r"q=%E7%AC%AC2%E4%BB%B6"))
    expect(desk.get_by_role("searchbox")).to_be_focused()
    desk.get_by_role("searchbox").fill("")
    expect(desk.locator("#rows > li")).to_have_count(4)
    desk.locator("select[name=sort]").select_option("newest")
    expect(desk.locator("#rows > li").first).to_contain_text(waiting[3])
    desk.locator('#counts a[href*="colour=green"]').click()
    expect(desk).to_have_url(re.compile("colour=green"))
    expect(desk.locator("#kept input[name=colour]")).to_have_value("green")
    desk.reload()
    expect(desk.locator("#counts .tone-green[aria-current]").last).to_be_visible()
    expect(desk.locator("select[name=sort]")).to_have_value("newest")


def test_a_row_opens_also_when_the_list_is_drawn_anew_at_that_moment(desk: Page, waiting: list[str]) -> None:
    desk.get_by_role("searchbox").fill("第2件")
    expect(desk.locator("#rows > li")).to_have_count(1)
    desk.locator("#rows .item-link").click()  # Leaving the field fetches the list once more.
    in_hand(desk, waiting[2])
    expect(desk.locator("[id=detail]")).to_have_count(1)


def test_the_tree_opens_branch_by_branch_and_narrows_the_list(desk: Page) -> None:
    tree = desk.locator(".split-side")
    tree.locator(f'.tree-node:has(> .tree-line > [data-code="{seed.VILLAGE}"]) > details > summary').click()
    micro = tree.locator(f'[data-code="{seed.SIBLING_MICRO}"]')
    micro.click()
    expect(desk.locator("#queue .empty")).to_be_visible()
    expect(micro).to_have_attribute("aria-current", "true")
    expect(desk).to_have_url(re.compile(f"grid={seed.SIBLING_MICRO}"))
    tree.locator(f'[data-code="{seed.MICRO}"]').click()
    expect(desk.locator("#rows > li")).to_have_count(4)


def test_without_a_stream_news_come_by_the_slow_question_and_move_nothing(person: People, waiting: list[str], site: Any) -> None:
    page = person("township_office", **PC)
    page.clock.install()
    page.goto("/desk")
    in_hand(page, waiting[0])
    with site.inside() as city:
        issue = city.report(text="新来的一件")
        actions.act(issue, "escalate", actor=city.micro_chief, data={"reason": "组里办不了"})
        actions.act(issue, "escalate", actor=city.village_chief, data={"reason": "村里办不了"})
        number = issue.number
    for _ in range(3):  # The second try for a stream, the first question, the asking for the list.
        page.clock.run_for(10_000)
        page.wait_for_load_state("load")
        page.evaluate("fetch('/healthz').then((answer) => answer.text())")
    page.clock.run_for(70_000)
    expect(page.locator("#live-words")).to_contain_text("每分钟查看一次")
    page.evaluate("fetch('/healthz').then((answer) => answer.text())")
    page.clock.run_for(10_000)
    expect(page.locator("#rows")).to_contain_text(number)
    expect(page.locator("#rows > li")).to_have_count(5)
    expect(page.locator("#counts .chip").first).to_contain_text("5")
    expect(page.locator("#news a")).to_have_count(0)
    in_hand(page, waiting[0])


def test_photos_open_in_the_viewer_and_the_map_is_drawn(desk: Page, waiting: list[str]) -> None:
    desk.keyboard.press("j")
    desk.keyboard.press("Enter")
    in_hand(desk, waiting[1])
    expect(desk.locator("#detail .map .leaflet-pane").first).to_be_attached()
    desk.locator("#detail .photo-link").first.click()
    expect(desk.locator("#viewer[open]")).to_be_visible()
    desk.keyboard.press("n")
    expect(desk.locator("#moves form")).to_have_count(0)
    desk.keyboard.press("Escape")
    expect(desk.locator("#viewer[open]")).to_have_count(0)
    in_hand(desk, waiting[1])
    expect(desk).to_have_url(re.compile("/desk"))


def test_the_desk_has_no_barriers_that_axe_finds(desk: Page, axe: Any, person: People) -> None:
    axe(desk)
    desk.keyboard.press("x")
    expect(desk.locator("#f-reason")).to_be_focused()
    axe(desk)
    for key in ("department", "city_leader", "auditor"):
        other = person(key, **PC)
        other.goto("/desk?view=all")
        expect(other.locator("html[data-ready]")).to_be_attached()
        axe(other)


def test_on_a_phone_the_list_leads_to_the_issue_and_back(
    person: People, waiting: list[str], axe: Any
) -> None:
    page = person("township_office")
    page.goto("/desk")
    expect(page.locator("#rows > li")).to_have_count(4)
    expect(page.locator("#detail")).to_be_hidden()
    axe(page)
    page.locator(".item-link").nth(1).click()
    expect(page.locator("#detail .detail-head")).to_contain_text(waiting[1])
    expect(page.locator("#rows")).to_be_hidden()
    axe(page)
    page.get_by_role("link", name="回到列表").click()
    expect(page.locator("#rows")).to_be_visible()
    page.get_by_role("link", name="选择网格").click()
    page.locator(f'[data-code="{seed.VILLAGE}"]').click()
    expect(page.locator("#rows > li")).to_have_count(4)
    expect(page.locator(".desk-grids")).to_contain_text("泻油村")


def test_the_desk_works_without_scripts(person: People, waiting: list[str], site: Any) -> None:
    page = person("township_office", java_script_enabled=False, **PC)
    page.goto("/desk")
    page.locator(".item-link").first.click()
    expect(page.locator("#detail .detail-head")).to_contain_text(waiting[0])
    page.locator('[data-move="escalate"]').click()
    page.locator("#f-reason").fill("涉及县道")
    page.locator("#moves [type=submit]").click()
    expect(page.locator("#detail .detail-head")).to_contain_text(waiting[1])
    expect(page.locator("#flashes")).to_contain_text(waiting[0])
    page.get_by_role("searchbox").fill("第3件")
    page.locator(".filters").get_by_role("button").click()
    expect(page.locator("#rows > li")).to_have_count(1)
    assert state(site, waiting[0]) == ("reported", seed.CITY)


def test_the_last_one_leaves_a_list_that_says_it_is_done(desk: Page, waiting: list[str]) -> None:
    desk.goto("/desk?view=mine&q=第2件")
    in_hand(desk, waiting[2])
    desk.keyboard.press("u")
    desk.locator("#f-reason").fill("涉及县道")
    desk.keyboard.press("Control+Enter")
    expect(desk.locator("#queue .empty")).to_be_visible()
    expect(desk.locator("#detail .alert")).to_contain_text(waiting[2])
    expect(desk.locator("#detail .empty")).to_contain_text("这个列表办完了")
    expect(desk.locator("#news")).to_have_count(1)
    desk.locator("#queue .empty a").click()
    expect(desk.locator("#rows > li")).to_have_count(3)


def test_long_lists_go_on_by_themselves(person: People, site: Any) -> None:
    with site.inside() as city:
        for n in range(60):
            issue = city.report(text=f"第{n}件")
            actions.act(issue, "escalate", actor=city.micro_chief, data={"reason": "组里办不了"})
            actions.act(issue, "escalate", actor=city.village_chief, data={"reason": "村里办不了"})
    page = person("township_office", **PC)
    page.goto("/desk")
    expect(page.locator("#rows > li")).to_have_count(50)
    page.locator("#rows > li").last.scroll_into_view_if_needed()
    expect(page.locator("#rows > li")).to_have_count(60)
    expect(page.locator("#pager a")).to_have_count(0)
