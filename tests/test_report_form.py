"""The report form in a real browser against a stand-in API: nothing is lost, nothing arrives twice."""

import io
import re
import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect
from werkzeug.serving import make_server

from tests import gallery
from tests.gallery.fake_api import FakeApi

pytestmark = pytest.mark.browser


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Flask]]:
    """(address, app) of the gallery on a port of its own."""
    app = gallery.make_app(monkeypatch)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}", app
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def api(shop: tuple[str, Flask]) -> FakeApi:
    """What the phone sends arrives here."""
    return shop[1].extensions["fake"]


@pytest.fixture
def form(strict_page: Page, shop: tuple[str, Flask]) -> Page:
    """The report form, ready."""
    open_form(strict_page, shop[0])
    return strict_page


def open_form(page: Page, address: str) -> None:
    """Go to the form and wait until its script has started."""
    page.goto(f"{address}/gallery/report")
    expect(page.locator("html[data-ready]")).to_be_attached()
    expect(page.locator("form[data-report][data-started]")).to_be_attached()


def photo(width: int = 3000, height: int = 2000) -> FilePayload:
    """A noisy photo of some megabytes with an EXIF orientation that turns it upright."""
    picture = Image.effect_noise((width, height), 60).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90, exif=exif)
    return {"name": "IMG_0001.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}


def fill(page: Page, text: str = "村口路面塌陷") -> None:
    """Category and words."""
    page.get_by_label("道路坑洼").check()
    page.get_by_label("情况说明").fill(text)


def send(page: Page) -> None:
    """Press the button."""
    page.get_by_role("button", name="提交").click()


def test_a_large_photo_arrives_small_upright_and_without_exif(form: Page, api: FakeApi) -> None:
    given = photo()
    form.locator("input[name=photos]").set_input_files([given])
    expect(form.locator(".picker-photo img")).to_be_visible()
    fill(form)
    send(form)
    form.wait_for_url("**/gallery/issue?id=*")
    (body,) = api.issues.values()
    (sent,) = api.photos.values()
    picture = Image.open(io.BytesIO(sent))
    assert len(given["buffer"]) > 2_000_000
    assert len(sent) <= 300 * 1024
    assert picture.height > picture.width
    assert not picture.getexif()
    assert body["photos"] == list(api.photos)
    assert (body["category"], body["text"], body["confidential"]) == ("0201", "村口路面塌陷", False)
    assert body["grid_code"] == "430581101222003"
    assert body["accuracy_m"] == 12
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", body["id"])


def test_without_network_it_is_kept_and_sent_once_the_network_is_back(form: Page, api: FakeApi) -> None:
    form.context.set_offline(True)
    fill(form)
    send(form)
    expect(form.locator("#waiting")).to_contain_text("待上传 1")
    expect(form.locator("#waiting")).to_contain_text("没有网络")
    assert api.issues == {}
    form.context.set_offline(False)
    expect(form.locator("#waiting")).to_have_count(0)
    assert len(api.issues) == 1
    expect(form.get_by_label("情况说明")).to_have_value("")


def test_what_waits_survives_closing_the_page(form: Page, api: FakeApi, shop: tuple[str, Flask]) -> None:
    api.fail["issues"] = [503]
    form.locator("input[name=photos]").set_input_files([photo(800, 600)])
    fill(form)
    send(form)
    expect(form.locator("#waiting")).to_contain_text("没有接受")
    again = form.context.new_page()
    form.close()
    again.goto(f"{shop[0]}/gallery/list")
    expect(again.get_by_text("已发送 1 条")).to_be_visible()
    assert (len(api.issues), api.hits["photos"]) == (1, 1)


def test_an_answer_that_gets_lost_makes_no_second_report(form: Page, api: FakeApi) -> None:
    api.fail["issues"] = ["lost"]
    fill(form)
    send(form)
    form.get_by_role("button", name="立即发送").click()
    expect(form.locator("#waiting")).to_have_count(0)
    assert (len(api.issues), api.hits["issues"]) == (1, 2)


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_a_refusal_that_may_pass_keeps_the_report(form: Page, api: FakeApi, status: int) -> None:
    api.fail["issues"] = [status]
    fill(form)
    send(form)
    expect(form.locator("#waiting")).to_contain_text("待上传 1")
    assert api.issues == {}


def test_a_refusal_for_its_content_is_shown_beside_the_field_and_can_be_put_right(
    form: Page, api: FakeApi
) -> None:
    api.fail["issues"] = [422]
    fill(form, "路")
    send(form)
    expect(form.locator("#f-text-error")).to_have_text("请写清楚地点。")
    expect(form.get_by_label("情况说明")).to_be_focused()
    expect(form.locator("#waiting")).to_have_count(0)
    form.get_by_label("情况说明").fill("学校路口往东 50 米,路面塌陷")
    send(form)
    form.wait_for_url("**/gallery/issue?id=*")
    assert [body["text"] for body in api.issues.values()] == ["学校路口往东 50 米,路面塌陷"]


def test_what_is_missing_is_said_before_anything_is_kept(form: Page, api: FakeApi) -> None:
    send(form)
    expect(form.locator("#f-category-error")).to_have_text("请选择是哪一类问题。")
    expect(form.locator("#f-text-error")).to_have_text("请用一句话说明情况。")
    expect(form.locator("#f-grid_code-error")).to_have_count(0)
    fill(form)
    send(form)
    form.wait_for_url("**/gallery/issue?id=*")
    assert len(api.issues) == 1


def test_one_report_that_cannot_pass_does_not_hold_up_the_next(form: Page, api: FakeApi) -> None:
    api.never.add("第一件")
    fill(form, "第一件")
    send(form)
    expect(form.locator("#waiting")).to_contain_text("待上传 1")
    fill(form, "第二件")
    send(form)
    form.wait_for_url("**/gallery/issue?id=*")
    assert [body["text"] for body in api.issues.values()] == ["第二件"]


def test_a_stale_token_is_renewed_and_the_report_sent(form: Page, api: FakeApi) -> None:
    form.evaluate("document.body.setAttribute('hx-headers', JSON.stringify({'X-CSRFToken': 'stale'}))")
    fill(form)
    send(form)
    form.wait_for_url("**/gallery/issue?id=*")
    assert len(api.issues) == 1


def test_a_draft_comes_back_with_its_photos(form: Page, shop: tuple[str, Flask]) -> None:
    form.locator("input[name=photos]").set_input_files([photo(800, 600)])
    expect(form.locator(".picker-photo")).to_have_count(1)
    fill(form, "写到一半")
    form.wait_for_timeout(1500)
    open_form(form, shop[0])
    expect(form.get_by_label("情况说明")).to_have_value("写到一半")
    expect(form.get_by_text("4 / 500")).to_be_visible()
    expect(form.locator(".picker-photo")).to_have_count(1)
    expect(form.locator("input[value='0201']")).to_be_checked()


def test_reports_of_somebody_else_stay_untouched(
    form: Page, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.fail["issues"] = [503]
    fill(form)
    send(form)
    expect(form.locator("#waiting")).to_contain_text("待上传 1")
    monkeypatch.setattr(gallery.PERSON, "id", "0199bbbb-0000-7000-8000-000000000002")
    form.reload()
    expect(form.locator("#waiting")).to_contain_text("别人的 1 条")
    assert api.hits["issues"] == 1
    monkeypatch.setattr(gallery.PERSON, "id", "0199aaaa-0000-7000-8000-000000000001")
    form.reload()
    expect(form.get_by_text("已发送 1 条")).to_be_visible()


def test_two_tabs_send_each_report_once(form: Page, api: FakeApi, shop: tuple[str, Flask]) -> None:
    form.context.set_offline(True)
    for n in range(3):
        fill(form, f"第 {n} 件")
        send(form)
        expect(form.locator("#waiting")).to_contain_text(f"待上传 {n + 1}")
        expect(form.get_by_label("情况说明")).to_have_value("")  # Empty for the next: faster than this is nobody.
    form.context.set_offline(False)
    other = form.context.new_page()
    other.goto(f"{shop[0]}/gallery/list")
    expect(form.locator("#waiting")).to_have_count(0)
    expect(other.locator("#waiting")).to_have_count(0)
    assert (len(api.issues), api.hits["issues"]) == (3, 3)


def test_it_works_without_locks_and_permissions(
    strict_page: Page,
    shop: tuple[str, Flask],
    api: FakeApi,
) -> None:
    """As in WeChat on an iPhone: no service worker, no locks, no Permissions API, no randomUUID."""
    strict_page.add_init_script(
        "for (const name of ['locks', 'permissions', 'serviceWorker'])"
        " Object.defineProperty(Navigator.prototype, name, {get: () => undefined});"
        "delete Crypto.prototype.randomUUID;"
    )
    open_form(strict_page, shop[0])
    fill(strict_page)
    strict_page.get_by_role("button", name="定位").click()
    expect(strict_page.locator("[data-place-words]")).to_contain_text("精度约")
    send(strict_page)
    strict_page.wait_for_url("**/gallery/issue?id=*")
    assert len(api.issues) == 1


def test_the_pin_can_be_moved_by_hand_and_by_keys(form: Page) -> None:
    expect(form.locator("[data-place-words]")).to_have_text("湾头桥镇 泻油村 泻油村三组 · 精度约 12 米")
    before = form.locator("input[name=lat]").input_value()
    assert before == "26.728100"
    form.locator(".leaflet-marker-icon").focus()
    form.keyboard.press("ArrowUp")
    expect(form.locator("[data-place-words]")).to_contain_text("手动移动")
    assert float(form.locator("input[name=lat]").input_value()) > 26.7281
    box = form.locator("[data-map]").bounding_box()
    assert box is not None
    form.mouse.click(box["x"] + box["width"] - 30, box["y"] + box["height"] / 2)
    assert float(form.locator("input[name=lon]").input_value()) > 110.5836


def test_a_place_that_is_not_shared_is_explained_and_the_grid_chosen_by_hand(
    strict_page: Page,
    shop: tuple[str, Flask],
) -> None:
    strict_page.context.clear_permissions()
    open_form(strict_page, shop[0])
    strict_page.get_by_role("button", name="定位").click()
    expect(strict_page.locator("[data-place-words]")).to_contain_text("没有获得定位权限")
    strict_page.locator("summary", has_text="手动选择网格").click()
    strict_page.get_by_label("乡镇（街道）").select_option("430581101")
    strict_page.get_by_label("村（社区）").select_option("430581101222")
    expect(strict_page.locator("input[name=grid_code]")).to_have_value("430581101222")
    expect(strict_page.locator("[data-place-words]")).to_contain_text("泻油村 · 手动选择")
    expect(strict_page.get_by_label("组（院落、小区）")).to_be_visible()


def test_outside_the_city_is_said(form: Page, shop: tuple[str, Flask]) -> None:
    form.context.set_geolocation({"latitude": 25.0, "longitude": 110.5})
    form.get_by_role("button", name="定位").click()
    expect(form.locator("[data-place-words]")).to_contain_text("不在本市范围内")


def test_a_serious_step_asks_first_and_is_done_once(form: Page, shop: tuple[str, Flask]) -> None:
    form.get_by_role("button", name="删除").click()
    expect(form.get_by_text("确定删除吗?")).to_be_visible()
    form.get_by_role("button", name="取消").click()
    assert shop[1].extensions.get("acts") is None
    form.get_by_role("button", name="删除").click()
    form.get_by_role("button", name="确定").click()
    expect(form.locator("#got")).to_have_text("1:asked:")
