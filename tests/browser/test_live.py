"""Two people, two browsers: what one does is seen on the other's open page, in place, and nothing under their hands is lost."""

import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import Page, Route, expect

from gridgov import db, embedded
from gridgov.issues import actions
from gridgov.issues.models import Issue
from tests.browser import DESK
from tests.granian_server import free_port, serving, sign_in_as, start

pytestmark = pytest.mark.browser
People = Callable[..., Page]
PC = {"viewport": DESK, "is_mobile": False, "has_touch": False}
WORDS = "#live-words"
INTERRUPTED = "实时更新已中断"


@pytest.fixture
def site(live: Flask, site_at: Any, tmp_path: Path) -> Iterator[Any]:
    """The application as in production, with streams."""
    port = free_port()
    with serving(live, port, log=tmp_path / "web.log"):
        yield site_at(live, f"http://127.0.0.1:{port}")


def report(site: Any, text: str = "村口三轮车载人", reporter: str = "worker", **given: Any) -> str:
    with site.inside() as city:
        return str(city.report(reporter, text=text, **given).id)


def act(site: Any, issue: str, name: str, actor: str, **data: Any) -> None:
    with site.inside() as city:
        actions.act(db.session.get_one(Issue, issue), name, actor=city.person(actor), data=data)


def to_township(site: Any, text: str) -> str:
    """An issue that waits for the township office."""
    issue = report(site, text)
    act(site, issue, "escalate", "micro_chief", reason="组里办不了")
    act(site, issue, "escalate", "village_chief", reason="村里办不了")
    return issue


def heard(page: Page) -> None:
    """The page has its stream: nothing is said against it, and the server has answered."""
    expect(page.locator("html[data-live=on]")).to_be_attached()


def test_the_desk_gets_a_new_row_and_keeps_selection_focus_scroll_and_form(site: Any, person: People) -> None:
    first = to_township(site, "第1件")
    for n in range(2, 16):
        to_township(site, f"第{n}件")
    page = person("township_office", **PC)
    page.goto(f"/desk?view=mine&issue={first}")
    page.locator("[data-move=note]").click()
    page.locator("#moves textarea").first.fill("写到一半的话")
    page.locator(".split-scroll").evaluate("(box) => { box.scrollTop = 300; }")
    link = page.locator(f"#i-{first} a")
    link.evaluate("(a) => a.focus({ preventScroll: true })")
    top = page.locator("#rows > li").nth(8).bounding_box()
    heard(page)
    newest = to_township(site, "刚刚发生的事")
    expect(page.locator(f"#i-{newest}")).to_be_attached()
    expect(page.locator("#counts .chip-n").first).to_have_text("16")
    expect(link).to_be_focused()
    expect(page.locator(".item.is-current")).to_have_attribute("id", f"i-{first}")
    expect(page.locator("#moves textarea").first).to_have_value("写到一半的话")
    assert top and page.locator("#rows > li").nth(8).bounding_box() == top
    expect(page.locator('[data-nav="desk.queue"] .count')).to_have_text("16")


def test_an_issue_with_a_form_in_hand_is_not_replaced_but_news_is_offered(site: Any, person: People) -> None:
    issue = to_township(site, "电线杆斜了")
    page = person("township_office", **PC)
    page.goto(f"/desk?view=mine&issue={issue}")
    page.locator("[data-move=note]").click()
    page.locator("#moves textarea").first.fill("写到一半的话")
    heard(page)
    act(site, issue, "accept", "township_office_2")
    bar = page.get_by_role("button", name="有新的进展，点此刷新")
    expect(bar).to_be_visible()
    expect(page.locator("#moves textarea").first).to_have_value("写到一半的话")
    bar.click()
    expect(page.locator("#story")).to_contain_text("受理")
    expect(bar).to_have_count(0)


def test_an_issue_page_that_is_only_read_is_renewed_in_place(site: Any, person: People) -> None:
    issue = report(site)
    page = person("worker")
    page.goto(f"/issues/{issue}")
    heard(page)
    page.evaluate("window.kept = true")
    act(site, issue, "accept", "micro_chief")
    expect(page.locator("#story")).to_contain_text("受理")
    assert page.evaluate("window.kept") is True


def test_phone_lists_and_the_number_of_messages_follow(site: Any, person: People) -> None:
    chief, worker = person("micro_chief"), person("worker")
    chief.goto("/todo")
    worker.goto("/mine")
    heard(chief)
    heard(worker)
    issue = report(site, "桥栏杆断了")
    site.deliver()
    expect(chief.locator("#rows")).to_contain_text("桥栏杆断了")
    expect(worker.locator("#rows")).to_contain_text("桥栏杆断了")
    expect(chief.locator('[data-nav="notices.inbox"] .count')).to_have_text("1")
    act(site, issue, "escalate", "micro_chief", reason="组里办不了")
    expect(chief.locator("#live-part")).not_to_contain_text("桥栏杆断了")
    expect(chief.locator(".empty")).to_be_visible()


def test_the_inbox_itself_follows(site: Any, person: People) -> None:
    page = person("micro_chief")
    page.goto("/inbox")
    heard(page)
    report(site, "塌方")
    site.deliver()
    expect(page.locator("#rows > li")).to_have_count(1)


def test_when_the_stream_is_blocked_the_page_says_so_asks_slowly_and_recovers(
    site: Any, person: People, watch: Any
) -> None:
    watch.expect(503)
    page = person("micro_chief")
    page.clock.install()
    blocked = True

    def gate(route: Route) -> None:
        route.fulfill(status=503) if blocked else route.continue_()

    page.route(re.compile(r"/live\?"), gate)
    page.goto("/todo")
    page.clock.run_for(20_000)
    expect(page.locator(WORDS)).to_contain_text(INTERRUPTED)
    page.clock.run_for(70_000)
    report(site, "路灯不亮")
    page.clock.run_for(70_000)
    page.clock.run_for(10_000)
    expect(page.locator("#rows")).to_contain_text("路灯不亮")
    expect(page.locator(WORDS)).to_contain_text(INTERRUPTED)
    blocked = False
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(page.locator(WORDS)).to_have_count(0)


def test_when_the_server_dies_and_comes_back_the_words_come_and_go(
    live: Flask, tmp_path: Path, person: People, site: Any, watch: Any
) -> None:
    port = free_port()
    process = start(live, port, log=tmp_path / "second.log")
    page = person("micro_chief")
    watch.wrong.clear()
    page.context.add_cookies([{**cookie, "url": f"http://127.0.0.1:{port}"} for cookie in _named(page)])
    page.goto(f"http://127.0.0.1:{port}/todo")
    heard(page)
    process.kill()
    process.wait()
    try:
        expect(page.locator(WORDS)).to_contain_text(INTERRUPTED)
        report(site, "水管爆了")
        process = start(live, port, log=tmp_path / "second.log")
        expect(page.locator(WORDS)).to_have_count(0)
        expect(page.locator("#rows")).to_contain_text("水管爆了")
    finally:
        process.terminate()
        process.wait()
        watch.wrong[:] = [said for said in watch.wrong if "ERR_" not in said]


def test_whoever_saves_data_gets_no_stream_and_is_told(site: Any, person: People) -> None:
    page = person("micro_chief")
    page.add_init_script(
        "Object.defineProperty(navigator, 'connection', { value: { saveData: true, effectiveType: '4g' } })"
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/todo")
    expect(page.locator(WORDS)).to_contain_text("为节省流量")
    assert not any("/live?" in url for url in asked)


def test_whoever_is_signed_out_elsewhere_is_told(site: Any, person: People, watch: Any) -> None:
    watch.expect(401)
    page = person("micro_chief")
    page.goto("/todo")
    heard(page)
    with site.inside() as city:
        db.session.execute(sa.text("DELETE FROM sessions WHERE person_id = :id"), {"id": city.micro_chief.id})
    expect(page.locator(WORDS)).to_contain_text("您已退出登录", timeout=60_000)


def _named(page: Page) -> list[dict[str, Any]]:
    return [{"name": cookie["name"], "value": cookie["value"]} for cookie in page.context.cookies()]


@pytest.mark.parametrize(
    ("language", "staff_words", "receipt_words"),
    [
        ("zh", "消息暂时延迟送达，上报和办理照常进行。", "消息暂时延迟送达。您的上报已经记录"),
        (
            "en",
            "Messages are delayed. Reports and moves go on as usual.",
            "Messages are delayed at the moment. Your report is recorded",
        ),
    ],
)
def test_without_redis_staff_and_reporters_are_told_that_messages_are_late(
    live: Flask,
    tmp_path: Path,
    site_at: Any,
    opened: Any,
    language: str,
    staff_words: str,
    receipt_words: str,
) -> None:
    redis = embedded.Redis(tmp_path / "redis")
    redis.start()
    assert redis.process
    live.config["GRIDGOV"] = dataclasses.replace(
        live.config["GRIDGOV"], redis_url=redis.url, language=language
    )
    port = free_port()
    with serving(live, port, log=tmp_path / "web.log"):
        url, at = f"http://127.0.0.1:{port}", site_at(live, f"http://127.0.0.1:{port}")
        staff, reporter = opened(), opened()
        for page, key in ((staff, "micro_chief"), (reporter, "resident")):
            name, value = sign_in_as(live, key)
            page.context.add_cookies([{"name": name, "value": value, "url": url}])
        staff.goto(f"{url}/todo")
        if language == "en":
            staff.locator("button[name=lang][value=en]").first.evaluate("(button) => button.click()")
            reporter.goto(f"{url}/mine")
            reporter.locator("button[name=lang][value=en]").first.evaluate("(button) => button.click()")
            expect(reporter.locator("html")).to_have_attribute("lang", "en")
        expect(staff.locator("#late")).to_be_hidden()
        heard(staff)
        redis.process.terminate()
        redis.process.wait()
        expect(staff.locator("#late")).to_be_visible()
        expect(staff.locator("#late")).to_have_text(staff_words)
        issue = report(at, "路灯不亮", "resident")
        reporter.goto(f"{url}/issues/{issue}?new=1")
        expect(reporter.locator(".receipt")).to_contain_text(receipt_words)
        expect(reporter.locator("#late")).to_have_count(0)
        staff.goto(f"{url}/issues/{issue}")
        expect(staff.locator("#late")).to_be_visible()
        redis.restart()
        expect(staff.locator("#late")).to_be_hidden()
    redis.stop()
