"""The main job in a real browser, from the first tap to the closed loop: a worker in 泻油村 reports a hole in the road, three levels
cannot settle it, the city office dispatches it, a department resolves it, somebody else verifies, the reporter is asked.

Everybody has a browser of their own and goes to what is theirs to do by the lists, as people do. After each hop all of
them are asked: those it concerns have it in their list and can open it, everybody else finds nothing at its address.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from gridgov import db
from gridgov.issues.models import Hop, Issue, IssuePhoto
from tests import seed
from tests.browser import DESK

pytestmark = pytest.mark.browser
PC = {"viewport": DESK, "is_mobile": False, "has_touch": False}
WORDS = "渡槽口的路塌了一个大坑，天黑容易翻车"
POTHOLE = "0201"
# Where one looks for what is one's own to do, and all the other lists a person has.
PHONE_LISTS = ("/todo", "/mine", "/inbox")
DESK_LISTS = ("/desk?view=mine", "/desk?view=all", "/desk?view=all&state=ended", "/mine", "/inbox")
ON_PHONES = ("worker", "micro_chief", "village_chief", "neighbour", "sibling_micro_chief", "sibling_village_chief",
             "foreign_village_chief")  # fmt: skip
AT_DESKS = (
    "township_office",
    "city_office",
    "city_office_2",
    "department",
    "other_department",
    "foreign_township_office",
)
ABOVE = {"worker", "micro_chief", "village_chief", "township_office", "city_office", "city_office_2"}
CITY_OFFICE = {"city_office", "city_office_2"}


@dataclass
class Cast:
    """Everybody of the story, signed in, and the issue it is about."""

    pages: dict[str, Page]
    site: Any
    issue_id: str = ""
    number: str = ""

    def ask(self, sight: set[str], holders: set[str]) -> None:
        """Assert who can see the issue and whose to-do it is, of everybody in the cast."""
        self.site.deliver()
        with self.site.inside():
            photos = [str(one) for one in db.session.scalars(sa.select(IssuePhoto.photo_id))]
        addresses = [
            f"/issues/{self.issue_id}",
            f"/desk?issue={self.issue_id}",
            f"/api/v1/issues/{self.issue_id}",
        ]
        addresses += [f"/photos/{photo}" for photo in photos] + [f"/photos/{photo}/thumb" for photo in photos]
        for key, page in self.pages.items():
            wanted = 200 if key in sight else 404
            for address in addresses:
                if address.startswith("/desk") and key not in AT_DESKS:
                    continue
                assert (key, address, page.request.get(address).status) == (key, address, wanted)
            lists = DESK_LISTS if key in AT_DESKS else PHONE_LISTS
            found = [address for address in lists if self._is_in(page, address)]
            assert (key, lists[0] in found) == (key, key in holders), found
            assert key in sight or not found, (key, found)

    def owner(self) -> str:
        """The grid or department that answers for it: the only one there is at any time."""
        with self.site.inside():
            [hop] = db.session.scalars(sa.select(Hop).where(Hop.left_at.is_(None))).all()
            return hop.unit_code or str(hop.department_id)

    def _is_in(self, page: Page, address: str) -> bool:
        answer = page.request.get(address)
        assert answer.status == 200, address
        return self.number in answer.text() or WORDS in answer.text()


@pytest.fixture
def cast(person: Callable[..., Page], site: Any) -> Cast:
    """Everybody, each signed in on the device they use."""
    phones = {key: person(key) for key in ON_PHONES}
    return Cast(phones | {key: person(key, **PC) for key in AT_DESKS}, site)


def ready(page: Page) -> Page:
    """Wait for the page's scripts."""
    expect(page.locator("html[data-ready]")).to_be_attached()
    return page


def report_in_three_taps(page: Page, photo: dict[str, Any]) -> None:
    """Tap the camera, tap the kind, tap Send; the place is found by itself, the words are typed."""
    page.goto("/report")
    ready(page)
    expect(page.locator("[data-place-words]")).to_contain_text("泻油村")
    with page.expect_file_chooser() as chooser:
        page.locator(".picker-add").tap()
    chooser.value.set_files([photo])
    expect(page.locator(".picker-photo img")).to_have_count(1)
    page.locator("label.choice", has=page.locator(f"input[value='{POTHOLE}']")).first.tap()
    page.locator("#f-text").fill(WORDS)
    page.locator("form[data-report] [type=submit]").tap()
    page.wait_for_url(re.compile(r"/issues/[0-9a-f-]+\?new=1"))


def from_the_to_do(page: Page, number: str) -> Page:
    """Open the issue from the list of what is to do on a phone."""
    page.goto("/todo")
    ready(page)
    row = page.locator("#rows > li", has_text=number)
    expect(row).to_have_count(1)
    row.locator("a").tap()
    ready(page)
    expect(page.locator(".topbar-title")).to_have_text(number)
    return page


def send_up(page: Page, reason: str) -> None:
    """Say on a phone that it cannot be settled here."""
    page.locator("[data-move=escalate]").tap()
    page.locator("#f-reason").fill(reason)
    page.locator("#moves form [type=submit]").tap()
    expect(page.locator("#flashes .alert")).to_be_visible()
    expect(page.locator("#story")).to_contain_text(reason)


def from_the_queue(page: Page, number: str) -> Page:
    """Open the issue from the desk's queue; the only one in it opens by itself."""
    page.goto("/desk")
    ready(page)
    expect(page.locator("#rows > li", has_text=number)).to_have_count(1)
    expect(page.locator("#detail .detail-head")).to_contain_text(number)
    return page


def at_the_desk(page: Page, move: str, fields: dict[str, str], leaves: bool = True) -> None:
    """Make a move at the desk. What leaves the queue is no longer in it."""
    page.locator(f"#detail [data-move={move}]").click()
    expect(page.locator("#moves form")).to_be_visible()
    for name, value in fields.items():
        chosen = page.locator(f"#moves input[type=radio][name={name}][value='{value}']")
        if chosen.count():
            chosen.check(force=True)
        else:
            page.locator(f"#f-{name}").fill(value)
    page.locator("#moves form [type=submit]").click()
    expect(page.locator("#detail .alert, #flashes .alert").first).to_be_visible()
    expect(page.locator("#rows > li")).to_have_count(0 if leaves else 1)


def finds_nothing(page: Page, issue_id: str) -> None:
    """Open the address by hand: a page that says there is nothing, and nothing of the issue."""
    page.goto(f"/issues/{issue_id}")
    expect(page.locator("[data-code=not_found]")).to_be_visible()
    expect(page.locator("body")).not_to_contain_text(WORDS)


def test_a_hole_in_the_road_goes_all_the_way_up_and_back(cast: Cast, shot: Any, watch: Any) -> None:
    pages = cast.pages
    report_in_three_taps(pages["worker"], shot())
    with cast.site.inside():
        [issue] = db.session.scalars(sa.select(Issue)).all()
        cast.issue_id, cast.number = str(issue.id), issue.number
        assert (issue.grid_code, issue.grid_code[:12]) == (seed.MICRO, "430581101222")
    expect(pages["worker"].locator(".receipt")).to_contain_text(cast.number)
    assert cast.owner() == seed.MICRO
    cast.ask(ABOVE, {"worker", "micro_chief"})

    for who, reason, owner, holders in [
        ("micro_chief", "组里没有机械，填不了", seed.VILLAGE, {"village_chief"}),
        ("village_chief", "村里没有经费，请镇里协调", seed.TOWNSHIP, {"township_office"}),
    ]:
        send_up(from_the_to_do(pages[who], cast.number), reason)
        assert cast.owner() == owner
        cast.ask(ABOVE, holders)

    at_the_desk(
        from_the_queue(pages["township_office"], cast.number), "escalate", {"reason": "属县道，请市里安排"}
    )
    assert cast.owner() == seed.CITY
    cast.ask(ABOVE, CITY_OFFICE)

    desk = from_the_queue(pages["city_office"], cast.number)
    desk.locator("#detail [data-move=dispatch]").click()
    desk.locator("#f-department").select_option("transport")
    desk.locator("#moves form [type=submit]").click()
    expect(desk.locator("#rows > li")).to_have_count(0)
    cast.ask(ABOVE | {"department"}, {"department"})

    desk = from_the_queue(pages["department"], cast.number)
    at_the_desk(desk, "accept", {"note": "已派工区"}, leaves=False)
    desk.locator("#detail [data-move=resolve]").click()
    desk.locator("#f-result").fill("已回填压实，恢复通行")
    desk.set_input_files("#f-proof", [shot()])
    expect(desk.locator("#moves .picker-photo img")).to_have_count(1)
    desk.locator("#moves form [type=submit]").click()
    expect(desk.locator("#rows > li")).to_have_count(0)
    assert cast.owner() == seed.CITY
    # The city office handled it no more than by dispatching it, so either of the two may verify; the department may not.
    cast.ask(ABOVE | {"department"}, CITY_OFFICE)
    desk.goto(f"/issues/{cast.issue_id}")
    expect(ready(desk).locator("[data-move=verify]")).to_have_count(0)

    # It stays with the office until the reporter has answered: somebody may have to ask by telephone.
    at_the_desk(
        from_the_queue(pages["city_office_2"], cast.number),
        "verify",
        {"way": "spot", "note": "现场看过，路平了"},
        leaves=False,
    )
    cast.ask(ABOVE | {"department"}, CITY_OFFICE)

    page = pages["worker"]
    page.goto("/mine")
    ready(page)
    page.locator(".ask a").tap()
    page.locator("[data-move=rate]").tap()
    page.locator("label", has=page.locator("input[name=satisfaction][value='5']")).tap()
    page.locator("#moves form [type=submit]").tap()
    expect(page.locator(".issue-head")).to_contain_text("已办结")
    expect(page.locator("#moves [data-move]")).to_have_count(1)
    expect(page.locator("#moves [data-move=reopen]")).to_be_visible()
    expect(page.locator("#story .timeline > li")).to_have_count(9)
    with cast.site.inside():
        [end] = db.session.scalars(sa.select(Issue)).all()
        assert (end.state, end.solved, end.satisfaction, end.on_time) == ("closed", True, 5, True)
        assert end.handler_id and end.verifier_id and end.handler_id != end.verifier_id
    cast.ask(ABOVE | {"department"}, set())

    watch.expect(404)
    for key in set(pages) - ABOVE - {"department"}:
        finds_nothing(pages[key], cast.issue_id)
