"""A report without a name in a real browser: sent, followed up by its code, answered; usable by everybody."""

import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from gridgov import db
from gridgov.identity import anonymous
from gridgov.issues.models import Issue
from tests import seed
from tests.browser import DESK, PHONE, watch
from tests.test_templates import findings, small_targets

pytestmark = pytest.mark.browser


@pytest.fixture
def address(live: Flask) -> Iterator[str]:
    """The application on a port of its own."""
    server = make_server("127.0.0.1", 0, live, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def usable(page: Page, least_px: int) -> None:
    """No finding by axe, no sideways scrolling, targets large enough."""
    page.locator("html[data-ready]").wait_for(state="attached")
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert small_targets(page, least_px) == []


@pytest.mark.parametrize("elder", [False, True])
def test_it_is_sent_and_followed_up_on_a_phone(live: Flask, address: str, browser: Browser, elder: bool) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True, locale="zh-CN")
    if elder:
        context.add_cookies([{"name": "elder", "value": "1", "url": address}])
    page, wrong, least = context.new_page(), [], 60 if elder else 44
    watch(page, wrong)
    page.goto(f"{address}/login")
    page.get_by_role("link", name="匿名上报").click()
    usable(page, least)
    page.get_by_label("哪方面的问题").select_option("0106")
    page.get_by_label("什么情况").fill("小卖部后屋有人赌博")
    page.get_by_label("在哪里").select_option(seed.VILLAGE)
    page.get_by_text("反映的是某个单位或其工作人员").click()
    page.get_by_label("反映的是哪个单位").select_option(seed.VILLAGE)
    page.get_by_role("button", name="提交").click()
    code = page.locator(".follow-code").inner_text()
    usable(page, least)
    page.get_by_role("link", name="凭查询码看进展").click()
    usable(page, least)
    page.get_by_label("查询码").fill(code.lower())
    page.get_by_role("button", name="显示").click()
    expect(page.get_by_role("heading", name="小卖部后屋有人赌博")).to_be_visible()
    usable(page, least)
    page.locator("[data-move=note]").click()
    page.get_by_label("说明").fill("每晚八点")
    page.get_by_role("button", name="记录进展").click()
    expect(page.get_by_text("每晚八点")).to_be_visible()
    page.get_by_role("button", name="在这台设备上关闭").click()
    expect(page.get_by_label("查询码")).to_have_value("")
    context.close()
    assert wrong == []
    with live.app_context(), db.transaction():
        issue = anonymous.find(code, address="test")
        assert isinstance(issue, Issue) and (issue.unit_code, issue.accused_code) == (seed.TOWNSHIP, seed.VILLAGE)


def test_a_look_at_an_identity_is_usable_at_a_desk(live: Flask, address: str, browser: Browser) -> None:
    with live.app_context(), db.transaction():
        url = f"/issues/{seed.City().report('resident', confidential=True).id}"
    context = browser.new_context(viewport=DESK, locale="zh-CN")
    page, wrong = context.new_page(), []
    watch(page, wrong)
    page.goto(f"{address}/login?next={url}")
    page.get_by_label("手机号").fill(seed.PHONES["micro_chief"])
    page.locator("[name=password]").fill(seed.PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.get_by_role("link", name="查看上报人身份").click()
    usable(page, 0)
    page.get_by_label("核实情况").check()
    page.get_by_label("具体说明").fill("问清楚时间")
    page.get_by_role("button", name="登记并查看").click()
    expect(page.get_by_text("刘大娘")).to_be_visible()
    usable(page, 0)
    page.get_by_role("link", name="返回问题").click()
    expect(page.get_by_role("link", name="查看上报人身份")).to_be_visible()
    assert "刘大娘" not in page.content()
    context.close()
    assert wrong == []
