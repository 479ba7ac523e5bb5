"""The phone's pages in a real browser: reporting, handling, asking the reporter. All real."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from gridgov import db
from gridgov.issues import actions
from gridgov.issues.models import Issue, IssuePhoto
from gridgov.photos.models import Photo
from tests import seed
from tests.factories import photo_of

pytestmark = pytest.mark.browser
People = Callable[..., Page]
RUBBISH = "0901"


def ready(page: Page) -> Page:
    """Wait for the page's scripts."""
    expect(page.locator("html[data-ready]")).to_be_attached()
    return page


def choose(page: Page, code: str = RUBBISH) -> None:
    """Choose a category, from those used most or from the whole list."""
    wanted = page.locator(f"input[name=category][value='{code}']").first
    if not wanted.is_visible():
        page.locator(".majors > summary").click()
        page.locator(".major", has=page.locator(f"input[value='{code}']")).locator("summary").click()
        wanted = page.locator(f".major input[name=category][value='{code}']")
    wanted.check(force=True)


def fill(page: Page, shot: Any, text: str = "渡槽下有人倒建筑垃圾，堵住了水沟。") -> None:
    """Photo, category, words."""
    page.set_input_files("#f-photos", [shot()])
    choose(page)
    page.fill("#f-text", text)


def send(page: Page) -> None:
    """Press the report's button."""
    page.locator("form[data-report] [type=submit]").click()


def issues(site: Any) -> list[Issue]:
    """Every issue there is, oldest first."""
    with site.inside():
        return list(db.session.scalars(sa.select(Issue).order_by(Issue.id)))


# Reporting --------------------------------------------------------------------------------------------------


def test_a_report_in_three_taps_with_the_place_found_by_itself(person: People, site: Any, shot: Any) -> None:
    page = person("resident")
    page.goto("/report")
    ready(page)
    expect(page.locator("[data-place-words]")).to_contain_text("第1村民小组")
    expect(page.locator("[data-place-words]")).to_contain_text("12")
    expect(page.locator(".form-actions [data-place-echo]")).to_contain_text("泻油村 第1村民小组")
    fill(page, shot)
    send(page)
    page.wait_for_url(re.compile(r"/issues/[0-9a-f-]+\?new=1"))
    [issue] = issues(site)
    receipt = page.locator(".receipt")
    expect(receipt).to_contain_text(issue.number)
    expect(receipt).to_contain_text("第1村民小组")
    assert (issue.grid_code, issue.accuracy_m) == (seed.MICRO, 12)
    assert (round(issue.lat or 0, 4), round(issue.lon or 0, 4)) == (26.52, 110.42)
    assert str(issue.id) in page.url


def test_a_report_without_any_script(person: People, site: Any, shot: Any) -> None:
    page = person("resident", java_script_enabled=False)
    page.goto("/report")
    for dead in (".map", "[data-grids]", "[data-locate]", "[data-place-words]", "[data-place-echo]"):
        expect(page.locator(dead)).to_be_hidden()
    fill(page, shot)
    page.locator("noscript select, select[name=grid_code]").select_option(seed.SIBLING_MICRO)
    send(page)
    page.wait_for_url(re.compile(r"/issues/[0-9a-f-]+\?new=1"))
    [issue] = issues(site)
    assert issue.grid_code == seed.SIBLING_MICRO
    expect(page.locator(".receipt")).to_contain_text(issue.number)


def test_without_script_a_refused_report_keeps_words_and_photos(
    person: People, site: Any, watch: Any, shot: Any
) -> None:
    watch.expect(422)
    page = person("resident", java_script_enabled=False)
    page.goto("/report")
    bad = {"name": "b.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}
    page.set_input_files("#f-photos", [shot(), bad])
    page.fill("#f-text", "路灯不亮")
    send(page)
    expect(page.locator("#f-category-error")).to_be_visible()
    expect(page.locator("#f-photos-error")).to_be_visible()
    expect(page.locator("#f-text")).to_have_value("路灯不亮")
    kept = page.locator(".picker-photo img")
    expect(kept).to_have_count(1)
    assert kept.evaluate("(image) => image.naturalWidth") > 0
    choose(page)
    send(page)
    page.wait_for_url(re.compile(r"\?new=1"))
    assert len(issues(site)) == 1


def test_the_pin_moved_to_another_grid_changes_the_grid(person: People, site: Any, shot: Any) -> None:
    page = person("resident")
    page.goto("/report")
    ready(page)
    words = page.locator("[data-place-words]")
    expect(words).to_contain_text("第1村民小组")
    pin = page.locator(".leaflet-marker-icon")
    pin.focus()
    with page.expect_response(re.compile("/grids/locate")):
        pin.press("Shift+ArrowRight")
    fill(page, shot)
    send(page)
    page.wait_for_url(re.compile(r"\?new=1"))
    [issue] = issues(site)
    assert (issue.lon or 0) > seed.SPOT["lon"] and issue.accuracy_m is None


WECHAT = """for (const name of ["indexedDB", "locks", "serviceWorker", "permissions"]) {
    const owner = name === "indexedDB" ? window : navigator;
    Object.defineProperty(owner, name, { value: undefined, configurable: true });
}"""


def test_a_poor_browser_without_place_storage_and_locks_reports_the_plain_way(
    person: People, site: Any, shot: Any
) -> None:
    page = person("resident", permissions=[])
    page.add_init_script(WECHAT)
    page.goto("/report")
    ready(page)
    fill(page, shot)
    expect(page.locator(".picker-photo img")).to_have_count(1)
    send(page)
    page.wait_for_url(re.compile(r"\?new=1"))
    [issue] = issues(site)
    assert (issue.grid_code, issue.lat) == (seed.MICRO, None)


def test_photos_of_a_refused_form_stay_when_the_script_adds_another(
    person: People, site: Any, watch: Any, shot: Any
) -> None:
    watch.expect(422)
    issue = made(site)
    with site.inside() as city:
        actions.act(db.session.get_one(Issue, issue.id), "accept", actor=city.micro_chief)
    page = person("micro_chief")
    page.goto(f"/issues/{issue.id}/move/resolve")
    ready(page)
    page.set_input_files("#f-proof", [shot()])
    expect(page.locator(".picker-photo img")).to_have_count(1)
    page.locator("#moves form [type=submit]").click()
    expect(page.locator("#f-result-error")).to_be_visible()
    ready(page)
    page.set_input_files("#f-proof", [shot()])
    expect(page.locator(".picker-photo img")).to_have_count(2)
    page.fill("#f-result", "已劝返。")
    page.locator("#moves form [type=submit]").click()
    page.wait_for_url(re.compile(rf"/issues/{issue.id}$"))
    with site.inside():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(IssuePhoto)) == 2


def test_a_photo_chosen_before_the_scripts_arrive_is_not_lost(person: People, site: Any, shot: Any) -> None:
    page = person("resident")
    page.route(
        "**/static/dist/app-*.js",
        lambda route: (page.set_input_files("#f-photos", [shot()]), route.continue_()),
    )
    page.goto("/report")
    ready(page)
    expect(page.locator(".picker-photo img")).to_have_count(1)


def test_offline_a_report_waits_on_the_phone_and_arrives_once(
    person: People, site: Any, watch: Any, shot: Any
) -> None:
    page = person("resident")
    page.goto("/report")
    ready(page)
    expect(page.locator("[data-place-words]")).to_contain_text("第1村民小组")
    fill(page, shot)
    page.context.set_offline(True)
    send(page)
    expect(page.locator("#waiting")).to_be_visible()
    assert issues(site) == []
    watch.wrong.clear()  # Chromium writes every request without a network to the console.
    page.context.set_offline(False)
    expect(page.locator("#waiting")).to_have_count(0)
    page.goto("/mine")
    expect(page.locator(".item")).to_have_count(1)
    assert len(issues(site)) == 1


# Handling ---------------------------------------------------------------------------------------------------


def made(site: Any, reporter: str = "resident", **given: Any) -> Issue:
    """An issue in the first micro grid, made by the real action."""
    with site.inside() as city:
        return city.report(reporter, **given)


def test_a_chief_takes_it_on_and_resolves_it_from_the_to_do_list(
    person: People, site: Any, shot: Any
) -> None:
    made(site)
    page = person("micro_chief")
    expect(page).to_have_url(re.compile("/todo$"))
    ready(page)
    page.locator(".item-link").first.click()
    page.locator("[data-move=accept]").click()
    page.locator("#moves form [type=submit]").click()
    expect(page.locator("#flashes")).to_be_visible()
    ready(page)
    page.locator("[data-move=resolve]").click()
    page.fill("#f-result", "已劝返，并登记了车辆。")
    page.set_input_files("#f-proof", [shot()])
    expect(page.locator("#moves .picker-photo img")).to_have_count(1)
    page.locator("#moves form [type=submit]").click()
    expect(page.locator(".issue-head")).to_contain_text("泻油村")
    [issue] = issues(site)
    assert (issue.state, issue.unit_code) == ("resolved", seed.VILLAGE)


def test_without_script_every_move_is_a_page_of_its_own(
    person: People, site: Any, watch: Any, shot: Any
) -> None:
    watch.expect(422)
    issue = made(site)
    with site.inside() as city:
        actions.act(db.session.get_one(Issue, issue.id), "accept", actor=city.micro_chief)
    page = person("micro_chief", java_script_enabled=False)
    page.goto(f"/issues/{issue.id}")
    page.locator("[data-move=resolve]").click()
    page.set_input_files("#f-proof", [shot()])
    page.locator("#moves form [type=submit]").click()
    expect(page.locator("#f-result-error")).to_be_visible()
    expect(page.locator(".picker-photo img")).to_have_count(1)
    page.fill("#f-result", "已劝返。")
    page.locator("#moves form [type=submit]").click()
    page.wait_for_url(re.compile(rf"/issues/{issue.id}$"))
    [after] = issues(site)
    assert after.state == "resolved"
    with site.inside():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Photo)) == 1


def test_somebody_who_was_slower_is_told_and_keeps_the_words(person: People, site: Any, watch: Any) -> None:
    watch.expect(409)
    issue = made(site)
    page = person("micro_chief")
    page.goto(f"/issues/{issue.id}/move/escalate")
    page.fill("#f-reason", "组里办不了")
    with site.inside() as city:
        actions.act(db.session.get_one(Issue, issue.id), "accept", actor=city.micro_chief)
    page.locator("#moves form [type=submit]").click()
    expect(page.locator(".alert")).to_be_visible()
    expect(page.locator("#f-reason")).to_have_value("组里办不了")
    page.locator("#moves form [type=submit]").click()
    page.wait_for_url(re.compile(rf"/issues/{issue.id}$"))
    assert issues(site)[0].unit_code == seed.VILLAGE


def verified(site: Any) -> Issue:
    """An issue handled and verified, so that the reporter is asked."""
    with site.inside() as city:
        issue = city.report("resident")
        actions.act(issue, "accept", actor=city.micro_chief)
        proof = [photo_of(city.micro_chief)]
        actions.act(issue, "resolve", actor=city.micro_chief, data={"result": "已劝返", "proof": proof})
        actions.act(issue, "verify", actor=city.village_chief, data={"way": "spot"})
        return issue


def test_the_reporter_is_asked_and_says_it_is_solved(person: People, site: Any) -> None:
    issue = verified(site)
    page = person("resident")
    page.goto("/mine")
    page.locator(".ask a").click()
    expect(page.locator("#moves.is-asking")).to_be_visible()
    page.locator("[data-move=rate]").click()
    page.locator("input[name=satisfaction][value='5']").check(force=True)
    page.locator("#moves form [type=submit]").click()
    expect(page.locator("#moves")).not_to_contain_text("？")
    [after] = issues(site)
    assert (after.id, after.state, after.satisfaction, after.solved) == (issue.id, "closed", 5, True)


def test_the_reporter_is_asked_and_says_it_is_not(person: People, site: Any) -> None:
    verified(site)
    page = person("resident")
    page.goto("/mine")
    page.locator(".ask a").click()
    page.locator("[data-move=contest]").click()
    page.fill("#f-reason", "车还在拉人")
    page.locator("#moves form [type=submit]").click()
    expect(page.locator("#story")).to_contain_text("车还在拉人")
    [after] = issues(site)
    assert (after.state, after.unit_code, after.solved) == ("accepted", seed.MICRO, False)


def test_a_message_leads_to_its_issue_and_is_read_by_that(person: People, site: Any) -> None:
    issue = made(site)
    site.deliver()
    page = person("micro_chief")
    page.goto("/inbox")
    expect(page.locator("[data-nav='notices.inbox'] .count")).to_have_text("1")
    page.locator(".item-link").click()
    page.wait_for_url(re.compile(rf"/issues/{issue.id}$"))
    expect(page.locator("[data-nav='notices.inbox'] .count")).to_have_count(0)


# How it is built --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("elder", [False, True], ids=["standard", "elder"])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_phone(
    person: People, site: Any, axe: Callable[[Page], None], elder: bool
) -> None:
    with site.inside() as city:
        db.set_clock(shift=timedelta(hours=-9))
        city.report(
            "resident", category="0901", text="垃圾堆积", photos=[photo_of(city.resident)], **seed.SPOT
        )
    with site.inside():
        db.set_clock()
    issue = verified(site)
    site.deliver()
    if elder:
        with site.inside() as city:
            for who in (city.resident, city.micro_chief):
                who.elder_view = True
                db.session.add(who)
    for key, paths in {
        "resident": ["/report", "/mine", "/inbox", f"/issues/{issue.id}", f"/issues/{issue.id}/move/rate"],
        "micro_chief": [
            "/todo",
            f"/issues/{issues(site)[0].id}",
            f"/issues/{issues(site)[0].id}/move/escalate",
        ],
    }.items():
        page = person(key)
        for path in paths:
            page.goto(path)
            ready(page)
            assert page.locator("html[data-elder]").count() == elder
            axe(page)
            assert page.evaluate("() => document.documentElement.scrollWidth") == 390, path


def test_targets_are_large_enough_for_a_finger(person: People, site: Any) -> None:
    issue = verified(site)
    page = person("resident")
    small = []
    for path in ("/report", "/mine", "/inbox", f"/issues/{issue.id}", f"/issues/{issue.id}/move/rate"):
        page.goto(path)
        ready(page)
        small += [
            (path, found)
            for found in page.evaluate(
                """() => [...document.querySelectorAll(".main :is(a, button, summary, label.choice)")]
                    .filter((one) => one.checkVisibility() && !one.closest(".leaflet-container, p"))
                    .map((one) => [one.outerHTML.slice(0, 90), one.getBoundingClientRect().height])
                    .filter(([, height]) => height < 43.5)"""
            )
        ]
    assert not small
