"""The moving parts of the pages in a real browser: lists, trees, photos, questions, keys, htmx."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect
from werkzeug.serving import make_server

from tests import gallery
from tests.browser import PHONE, desk_context
from tests.test_report_form import photo

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The gallery on a port of its own."""
    with pytest.MonkeyPatch.context() as patch:
        server = make_server("127.0.0.1", 0, gallery.make_app(patch), threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.port}"
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def live(strict_page: Page, address: str) -> Page:
    """The page where everything moves, on a phone."""
    strict_page.goto(f"{address}/gallery/live")
    expect(strict_page.locator("html[data-ready]")).to_be_attached()
    return strict_page


@pytest.fixture
def desk(browser: Browser, address: str) -> Iterator[Page]:
    """The township's desk."""
    context = desk_context(browser)
    page = context.new_page()
    page.goto(f"{address}/gallery/desk")
    expect(page.locator("html[data-ready]")).to_be_attached()
    yield page
    context.close()


def test_more_of_a_list_comes_under_what_is_shown(live: Page) -> None:
    live.get_by_role("link", name="显示更多").click()
    expect(live.locator("#rows .item")).to_have_count(6)
    expect(live.locator("#rows .item").last).to_contain_text("第 6 条")
    expect(live.get_by_role("link", name="显示更多")).to_have_count(0)


def test_a_branch_of_the_tree_is_fetched_when_it_is_opened(live: Page) -> None:
    expect(live.get_by_text("泻油村一组")).to_have_count(0)
    live.get_by_label("展开泻油村").click()
    expect(live.get_by_text("泻油村一组")).to_be_visible()


def test_photos_open_full_screen_and_turn(live: Page) -> None:
    live.locator(".photo-link").first.click()
    viewer = live.locator("#viewer")
    expect(viewer).to_be_visible()
    expect(viewer.locator(".viewer-caption")).to_have_text("处理前")
    live.keyboard.press("ArrowRight")
    expect(viewer.locator(".viewer-caption")).to_have_text("处理后")
    live.get_by_role("button", name="上一张").click()
    expect(viewer.locator("img")).to_have_attribute("alt", "现场照片 1")
    live.keyboard.press("Escape")
    expect(viewer).to_be_hidden()


def test_a_refusal_is_told_in_the_servers_words(live: Page) -> None:
    live.get_by_role("button", name="拒绝").click()
    expect(live.locator(".toast")).to_contain_text("这一步不属于您的任职。")
    expect(live.locator("#answer")).to_have_text("还没有")
    live.get_by_role("button", name="关闭").click()
    expect(live.locator(".toast")).to_have_count(0)


def test_a_422_is_shown_in_its_place(live: Page) -> None:
    live.get_by_role("button", name="空的").click()
    expect(live.locator("#answer")).to_have_text("请写一句话。")
    expect(live.locator(".toast")).to_have_count(0)


def test_htmx_asks_before_a_serious_step_and_updates_the_badges(live: Page) -> None:
    todo = live.locator(".nav-item", has_text="待办").locator(".count")
    expect(todo).to_have_text("12")
    live.get_by_role("button", name="满的").click()
    expect(live.locator("#confirm")).to_contain_text("真的吗?")
    live.get_by_role("button", name="取消").click()
    expect(live.locator("#answer")).to_have_text("还没有")
    live.get_by_role("button", name="满的").click()
    live.get_by_role("button", name="确定").click()
    expect(live.locator("#answer")).to_have_text("好了。")
    expect(todo).to_have_text("3")


def test_htmx_renews_a_stale_token_and_sends_once_more(live: Page) -> None:
    live.evaluate(
        "document.body.setAttribute('hx-headers', JSON.stringify({'X-CSRFToken': 'stale'}));"
        "document.querySelectorAll('[name=csrf_token]').forEach((one) => { one.value = 'stale'; })"
    )
    live.get_by_role("button", name="空的").click()
    expect(live.locator("#answer")).to_have_text("请写一句话。")


def test_without_network_htmx_says_so(live: Page) -> None:
    live.context.set_offline(True)
    live.get_by_role("button", name="空的").click()
    expect(live.locator(".toast")).to_contain_text("连不上服务器")


def test_an_ordinary_form_sends_its_photos_small_even_when_it_is_sent_at_once(live: Page) -> None:
    live.locator("input[name=photos]").set_input_files([photo(2400, 1600)])
    live.get_by_label("说明").fill("好")
    live.get_by_role("button", name="送出").click()
    text = live.locator("#got").inner_text()
    assert 0 < int(text.rsplit(":", 1)[1]) <= 300 * 1024


def test_a_photo_can_be_taken_out_again_and_there_is_a_most(live: Page) -> None:
    live.locator("input[name=photos]").set_input_files([photo(64, 48) for _ in range(6)])
    expect(live.locator(".picker-photo")).to_have_count(5)
    expect(live.locator(".toast")).to_contain_text("最多 5 张照片")
    live.get_by_role("button", name="删除照片 2").click()
    expect(live.locator(".picker-photo")).to_have_count(4)
    assert live.locator("input[name=photos]").evaluate("(input) => input.files.length") == 4


def test_a_file_that_is_no_picture_is_left_to_the_server(live: Page) -> None:
    fake: FilePayload = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}
    live.locator("input[name=photos]").set_input_files([fake])
    expect(live.locator(".picker-photo")).to_have_count(1)
    live.get_by_role("button", name="送出").click()
    expect(live.locator("#got")).to_contain_text("::10")


def test_the_desks_list_is_walked_by_keys(desk: Page) -> None:
    def focused() -> Any:
        return desk.evaluate(
            "document.activeElement.closest('.item')?.querySelector('.item-meta').textContent.slice(0, 16)"
        )

    desk.keyboard.press("j")
    assert focused() == "WG-20261121-0040"
    desk.keyboard.press("ArrowDown")
    desk.keyboard.press("k")
    desk.keyboard.press("k")
    assert focused() == "WG-20261121-0041"
    desk.keyboard.press("/")
    expect(desk.locator("[data-search]")).to_be_focused()
    desk.keyboard.type("j")
    expect(desk.locator("[data-search]")).to_have_value("j")
    desk.keyboard.press("Escape")
    assert focused() == "WG-20261121-0041"


def test_the_switches_work_on_the_page(live: Page) -> None:
    live.goto(live.url.replace("/live", "/login"))
    live.get_by_role("button", name="长辈版").click()
    expect(live.locator("html[data-elder]")).to_be_attached()
    assert live.evaluate("getComputedStyle(document.body).fontSize") == "22px"
    live.get_by_role("button", name="English").click()
    expect(live.get_by_role("button", name="Standard view")).to_be_visible()


def test_without_javascript_the_report_form_posts_all_by_itself(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False, viewport=PHONE)
    page = context.new_page()
    page.goto(f"{address}/gallery/report")
    given = photo(400, 300)
    page.locator("input[name=photos]").set_input_files([given])
    page.get_by_label("道路坑洼").check()
    page.get_by_label("情况说明").fill("没有脚本")
    page.get_by_role("button", name="提交").click()
    expect(page.locator("#got")).to_contain_text(f"没有脚本:{len(given['buffer'])}")
    context.close()
