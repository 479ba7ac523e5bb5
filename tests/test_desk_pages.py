"""The desk as a browser without scripts uses it, and the parts of it that htmx asks for."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from gridgov import db
from gridgov.db import session
from gridgov.issues import actions, board, desk, flow, queues
from gridgov.issues.filters import Filter
from gridgov.issues.models import Issue
from gridgov.people import actions as people
from gridgov.people.models import SignInSession
from tests import seed
from tests.counting import count_queries
from tests.factories import photo_of, picture

HTMX = {"HX-Request": "true"}


def body(answer):
    return answer.get_data(as_text=True)


def rows(answer):
    """The issues of a list, in its order."""
    return re.findall(r'<li class="item[^"]*" id="i-([0-9a-f-]{36})"', body(answer))


def part(client, person, url, target):
    """The part of the desk that htmx asks for."""
    return client.page(url, person, headers={**HTMX, "HX-Target": target})


def move(client, person, issue, name, *, htmx=True, view="mine", **fields):
    """Make a move at the desk, by script or by plain form."""
    headers = {**HTMX, "HX-Target": "detail"} if htmx else {}
    data = {"name": name, "generation": fresh(issue).generation, **fields}
    return client.form(f"/desk/issues/{issue.id}?view={view}", data, person, headers=headers)


def fresh(issue):
    """The issue as it is now: a request leaves the test's own copy behind."""
    return session.get(Issue, issue.id, populate_existing=True)


@pytest.fixture
def at_township(city):
    """Three issues that wait for the township office, the first due first."""
    found = []
    for n in range(3):
        issue = city.report(text=f"第{n}件：村口三轮车载人。请处理", address="学校路口")
        actions.act(issue, "escalate", actor=city.micro_chief, data={"reason": "组里办不了"})
        actions.act(issue, "escalate", actor=city.village_chief, data={"reason": "村里办不了"})
        issue.due_at += timedelta(minutes=n)
        found.append(issue)
    session.flush()
    return found


# Who may come in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "who",
    [
        "township_office",
        "township_chief",
        "city_office",
        "city_chief",
        "city_leader",
        "department",
        "auditor",
    ],
)
def test_offices_departments_and_those_above_have_a_desk(client, city, who):
    assert client.page("/desk", city.person(who)).status_code == 200


@pytest.mark.parametrize(
    "who", ["resident", "worker", "micro_chief", "village_chief", "store_clerk", "administrator"]
)
@pytest.mark.parametrize("url", ["/desk", "/desk/news", "/desk/grids", f"/desk/grids/{seed.TOWNSHIP}"])
def test_nobody_else_has(client, city, who, url):
    assert client.page(url, city.person(who)).status_code == 403


def test_nobody_else_makes_a_move_there_either(client, city):
    issue = city.report()
    answer = move(client, city.micro_chief, issue, "accept")
    assert (answer.status_code, fresh(issue).state) == (403, "reported")


def test_strangers_are_led_to_sign_in(client):
    assert client.page("/desk").status_code == 302
    assert client.form("/desk/issues/00000000-0000-7000-8000-000000000000", {}).status_code == 302


def test_a_post_that_has_ended_has_no_desk(client, city):
    for post in session.scalars(
        sa.select(people.Post).where(people.Post.person_id == city.township_office.id)
    ):
        people.end_post(post, actor=None)
    assert client.page("/desk", city.township_office).status_code == 403


# What it shows --------------------------------------------------------------------------------------------------------


def test_a_row_says_number_category_place_unit_state_deadline_and_grade(client, city, at_township):
    issue = at_township[0]
    issue.grade = "A"
    session.flush()
    row = re.search(
        rf'<li class="item[^"]*" id="i-{issue.id}".*?</li>', body(client.page("/desk", city.township_office))
    )[0]
    for words in [issue.number, "第0件：村口三轮车载人", "三轮车", "泻油村 第1村民小组", "湾头桥镇", "A"]:
        assert words in row
    assert "湾头桥镇 泻油村" not in row, "the name of one's own township goes without saying"
    assert "badge" in row and "due" in row and f'datetime="{issue.due_at.isoformat()}"' in row


def test_the_most_urgent_stands_first_and_newest_first_is_a_choice(client, city, at_township):
    ids = [str(i.id) for i in at_township]
    assert rows(client.page("/desk", city.township_office)) == ids
    assert rows(client.page("/desk?sort=newest", city.township_office)) == ids[::-1]


def test_mine_is_what_waits_for_my_office_and_all_is_what_lies_in_my_area(client, city, at_township):
    below = city.report(text="还在组里")
    assert str(below.id) not in rows(client.page("/desk?view=mine", city.township_office))
    assert str(below.id) in rows(client.page("/desk?view=all", city.township_office))


def test_leaders_see_everything_in_their_area_and_oversee_it(client, city, at_township):
    page = body(client.page(f"/desk?issue={at_township[0].id}", city.city_leader))
    assert rows(client.page("/desk", city.city_leader)) == [str(i.id) for i in at_township]
    assert "view=mine" not in page
    moves = set(re.findall(r'data-move="(\w+)"', page))
    assert moves == {"urge", "instruct", "supervise"}  # They oversee; the work is the office's.


def test_no_other_township_sees_it_in_list_detail_tree_or_numbers(client, city, at_township):
    other = city.foreign_township_office
    issue = at_township[0]
    page = client.page("/desk?view=all", other)
    assert rows(page) == [] and seed.VILLAGE not in body(page)
    assert client.page(f"/desk?issue={issue.id}", other).status_code == 404
    assert client.page(f"/desk/grids/{seed.TOWNSHIP}", other).status_code == 404
    assert move(client, other, issue, "accept").status_code == 404
    assert queues.counts(other, Filter(view="all")).open == 0


def test_a_department_sees_what_it_was_given_and_nothing_else(client, city, at_township):
    issue = at_township[0]
    actions.act(issue, "escalate", actor=city.township_office, data={"reason": "涉及县道"})
    actions.act(issue, "dispatch", actor=city.city_office, data={"department": "transport"})
    for view in ("mine", "all"):
        assert rows(client.page(f"/desk?view={view}", city.department)) == [str(issue.id)]
        assert rows(client.page(f"/desk?view={view}", city.other_department)) == []
    actions.act(fresh(issue), "decline", actor=city.department, data={"reason": "不是我们的"})
    assert rows(client.page("/desk?view=mine", city.department)) == []
    assert rows(client.page("/desk?view=all", city.department)) == [str(issue.id)]


def test_the_numbers_count_states_and_colours_of_open_issues(client, city, at_township):
    late, soon, _fine = at_township
    late.due_at = db.utcnow() - timedelta(hours=1)
    soon.warn_at = db.utcnow() - timedelta(minutes=1)
    session.flush()
    actions.act(_fine, "accept", actor=city.township_office)
    found = queues.counts(city.township_office, Filter(view="mine"))
    assert found.states == {"reported": 2, "accepted": 1}
    assert found.colours == {"red": 1, "yellow": 1, "green": 1}
    for colour, issue in (("red", late), ("yellow", soon), ("green", _fine)):
        assert rows(client.page(f"/desk?colour={colour}", city.township_office)) == [str(issue.id)]


def test_finished_ones_have_a_list_of_their_own_newest_first(client, city, at_township):
    for issue in at_township[:2]:
        actions.act(
            issue, "not_accept", actor=city.township_office, data={"reason": "信访事项", "route": "信访局"}
        )
    page = client.page("/desk?view=all&state=ended", city.township_office)
    assert rows(page) == [str(at_township[1].id), str(at_township[0].id)]
    assert rows(client.page("/desk?view=all&state=not_accepted", city.township_office)) == rows(page)


@pytest.mark.parametrize(
    ("narrowed", "expected"),
    [
        ("state=reported", 3), ("state=accepted", 0), ("category=02", 3), ("category=0203", 3), ("category=01", 0),
        ("grade=C", 3), ("grade=A", 0), (f"grid={seed.VILLAGE}", 3), (f"grid={seed.SIBLING_VILLAGE}", 0),
        ("q=第1件", 1), ("q=学校", 3), ("q=三轮车+第2件", 1), ("q=没有", 0), ("q=100%25", 0), ("q=_", 0),
    ],
)  # fmt: skip
def test_the_list_is_narrowed_by(client, city, at_township, narrowed, expected):
    assert len(rows(client.page(f"/desk?{narrowed}", city.township_office))) == expected


def test_a_number_is_found_whole_or_in_part(client, city, at_township):
    number = at_township[1].number
    for words in (number, number.lower(), number[3:], number[-4:]):
        assert str(at_township[1].id) in rows(client.page(f"/desk?q={words}", city.township_office))


@pytest.mark.parametrize(
    "bad",
    [
        "view=theirs", "state=nonsense", "colour=blue", "category=x", "category=020", "grade=D", "grid=12", "grid=abc",
        "grid=999999999", "sort=random", "cursor=broken", "cursor=WyJ4Il0", "issue=7", "q=%00", f"q={'x' * 61}",
    ],
)  # fmt: skip
def test_a_filter_that_names_nothing_is_refused_in_words(client, city, at_township, bad):
    answer = client.page(f"/desk?{bad}", city.township_office)
    assert answer.status_code == 422
    assert 'data-error data-code="' in body(answer)


def test_pages_go_on_by_cursor_without_repeating_or_losing_any(client, city, at_township, monkeypatch):
    monkeypatch.setattr(board, "PAGE", 2)
    for order in ("due", "newest"):
        first = client.page(f"/desk?sort={order}", city.township_office)
        following = re.search(r'href="([^"]*cursor=[^"]+)"', body(first))[1].replace("&amp;", "&")
        second = client.page(following, city.township_office)
        assert sorted(rows(first) + rows(second)) == sorted(str(i.id) for i in at_township)
        assert "cursor=" not in body(second)


def test_everything_chosen_stays_in_every_address(client, city, at_township):
    asked = f"view=all&state=reported&colour=green&category=02&grade=C&grid={seed.VILLAGE}&q=件&sort=newest"
    page = body(client.page(f"/desk?{asked}", city.township_office))
    kept = {k: v[0] for k, v in parse_qs(asked).items()}
    link = re.search(r'class="item-link" href="([^"]+)"', page)[1].replace("&amp;", "&")
    assert {k: v[0] for k, v in parse_qs(urlsplit(link).query).items()} == {
        **kept,
        "issue": str(at_township[2].id),
    }
    hidden = dict(
        re.findall(
            r'<input type="hidden" name="(\w+)" value="([^"]*)">',
            page.partition('id="kept"')[2].partition("</span>")[0],
        )
    )
    assert hidden == {name: kept[name] for name in ("view", "state", "colour", "grid")}


def test_an_empty_list_says_why_and_how_to_go_on(client, city):
    city.township_office.language = "en"
    assert "All done" in body(client.page("/desk", city.township_office))
    narrowed = body(client.page("/desk?q=nothing", city.township_office))
    assert "No issue fits what you chose." in narrowed and 'href="/desk?view=mine"' in narrowed


def test_words_of_a_report_cannot_become_part_of_the_page(client, city, at_township):
    at_township[0].text = '<script>alert(1)</script>" onmouseover="x'
    session.flush()
    page = body(client.page(f"/desk?issue={at_township[0].id}", city.township_office))
    assert "<script>alert" not in page and '" onmouseover="' not in page


# The tree -------------------------------------------------------------------------------------------------------------


def test_the_tree_begins_at_ones_own_grid_and_counts_open_issues(client, city, at_township):
    page = body(client.page("/desk?view=all", city.township_office))
    tree = page.partition('class="split-side"')[2].partition("</aside>")[0]
    assert re.findall(r'data-code="(\d+)"', tree) == [seed.TOWNSHIP, seed.SIBLING_VILLAGE, seed.VILLAGE]
    assert re.findall(r'class="tree-n">(\d+)<', tree) == ["0", "3"]


def test_a_branch_is_fetched_with_its_own_numbers_and_leads_to_the_narrowed_list(client, city, at_township):
    answer = body(client.page(f"/desk/grids/{seed.VILLAGE}?view=mine&grade=C", city.township_office))
    assert re.findall(r'data-code="(\d+)"', answer) == [seed.MICRO, seed.SIBLING_MICRO]
    assert re.findall(r'class="tree-n">(\d+)<', answer) == ["3", "0"]
    assert f"/desk?view=mine&amp;grade=C&amp;grid={seed.MICRO}" in answer
    assert "hx-get" not in answer, "below a micro grid is nothing"


def test_the_tree_stands_open_down_to_the_chosen_grid(client, city, at_township):
    page = body(client.page(f"/desk?grid={seed.MICRO}", city.city_office))
    tree = page.partition('class="split-side"')[2].partition("</aside>")[0]
    chosen = re.search(r'data-code="(\d+)"[^>]*aria-current', tree)[1]
    assert chosen == seed.MICRO and seed.SIBLING_MICRO in tree and seed.FOREIGN_VILLAGE not in tree


def test_a_department_gets_the_tree_of_the_grid_it_belongs_to(client, city):
    tree = body(client.page("/desk", city.department)).partition('class="split-side"')[2]
    assert re.search(r'data-code="(\d+)"', tree)[1] == seed.CITY


def test_a_branch_outside_ones_area_is_not_found(client, city):
    assert client.page(f"/desk/grids/{seed.FOREIGN_TOWNSHIP}", city.township_office).status_code == 404
    assert client.page(f"/desk/grids/{seed.CITY}", city.township_office).status_code == 404
    assert client.page("/desk/grids/x", city.township_office).status_code == 404


def test_narrow_screens_have_the_tree_as_a_page(client, city):
    page = client.page("/desk/grids?view=all&grade=C", city.township_office)
    assert page.status_code == 200 and f"/desk?view=all&amp;grade=C&amp;grid={seed.VILLAGE}" in body(page)


# The issue in hand ----------------------------------------------------------------------------------------------------


def test_an_address_opens_the_desk_with_its_issue(client, city, at_township):
    issue = at_township[1]
    page = body(client.page(f"/desk?issue={issue.id}", city.township_office))
    assert f'data-issue="{issue.id}"' in page and "has-detail" in page
    assert re.search(rf'id="i-{issue.id}"><a class="item-link" [^>]*aria-current="true"', page)
    moves = re.findall(r'data-move="(\w+)"', page)
    assert moves[:1] == ["accept"] and {"escalate", "return", "note"} <= set(moves)


def test_every_open_move_shows_its_needed_fields(client, city, at_township):
    issue = at_township[0]
    for move_ in ("escalate", "return", "not_accept", "note"):
        page = body(client.page(f"/desk?issue={issue.id}&move={move_}", city.township_office))
        form = page.partition('id="moves"')[2].partition("</section>")[0]
        assert f'name="name" value="{move_}"' in form
        for name in flow.current().transitions[move_].needs:
            assert re.search(rf'name="{name}"[^>]*required', form), (move_, name)


def test_a_move_that_is_not_open_is_refused_before_its_form(client, city, at_township):
    url = f"/desk?issue={at_township[0].id}&move="
    assert client.page(url + "resolve", city.township_office).status_code == 409
    assert client.page(url + "withdraw", city.township_office).status_code == 403
    assert client.page(url + "nonsense", city.township_office).status_code == 404


def test_each_key_belongs_to_one_move_of_the_workflow():
    assert set(desk.KEYS) <= set(flow.current().transitions)
    assert len(set(desk.KEYS.values())) == len(desk.KEYS)
    assert not set(desk.KEYS.values()) & {"j", "k"}, "these move in the list"


# Parts for htmx -------------------------------------------------------------------------------------------------------


def test_htmx_gets_the_part_it_asks_for_and_no_more(client, city, at_township):
    who, issue = city.township_office, at_township[0]
    whole = len(body(client.page("/desk", who)))
    listed = part(client, who, "/desk?state=reported&q=", "queue")
    assert len(rows(listed)) == 3 and body(listed).lstrip().startswith('<div id="queue"')
    assert 'id="counts" class="desk-counts" hx-swap-oob="true"' in body(listed)
    assert 'id="kept" hidden hx-swap-oob="true"' in body(listed)
    assert listed.headers["HX-Push-Url"] == "/desk?view=mine&state=reported"
    detail = part(client, who, f"/desk?issue={issue.id}", "detail")
    assert body(detail).lstrip().startswith('<article id="detail"') and rows(detail) == []
    moves = part(client, who, f"/desk?issue={issue.id}&move=escalate", "moves")
    assert body(moves).lstrip().startswith('<section id="moves"')
    assert all("<html" not in body(a) and len(body(a)) < whole for a in (listed, detail, moves))


def test_the_next_rows_come_with_the_next_pager(client, city, at_township, monkeypatch):
    monkeypatch.setattr(board, "PAGE", 2)
    first = body(client.page("/desk", city.township_office))
    following = re.search(r'href="([^"]*cursor=[^"]+)"', first)[1].replace("&amp;", "&")
    answer = part(client, city.township_office, following, "rows")
    assert rows(answer) == [str(at_township[2].id)]
    assert 'id="pager" hx-swap-oob="true"></div>' in body(answer)


def news_url(page):
    return re.search(r'hx-get="(/desk/news[^"]+)"', page)[1].replace("&amp;", "&")


def test_while_nothing_happens_there_is_no_news(client, city, at_township):
    url = news_url(body(client.page("/desk", city.township_office)))
    answer = client.page(url, city.township_office)
    assert (answer.status_code, answer.data) == (204, b"")


def test_news_counts_what_came_and_leaves_the_list_alone(client, city, at_township):
    url = news_url(body(client.page("/desk?view=all", city.township_office)))
    city.report()
    answer = client.page(url, city.township_office)
    assert rows(answer) == [] and "desk-news-link" in body(answer)
    assert re.search(r'aria-current="true">[^<]*<b class="chip-n">4</b>', body(answer))
    again = news_url(body(answer))
    assert client.page(again, city.township_office).status_code == 204
    assert "listed=3." in again, "the offer stays until the list is drawn anew"


def test_a_change_of_colour_alone_renews_the_numbers_without_an_offer(client, city, at_township):
    url = news_url(body(client.page("/desk", city.township_office)))
    fresh(at_township[0]).due_at = db.utcnow() - timedelta(minutes=1)
    session.flush()
    answer = client.page(url, city.township_office)
    assert answer.status_code == 200 and "desk-news-link" not in body(answer)


def test_what_others_do_outside_my_list_is_no_news(client, city, at_township):
    url = news_url(body(client.page("/desk?view=mine", city.township_office)))
    city.report()
    assert client.page(url, city.township_office).status_code == 204


def test_asking_for_news_keeps_nobody_signed_in(client, city, at_township):
    page = body(client.page("/desk", city.township_office))
    seen = sa.select(SignInSession.last_seen_at).where(SignInSession.person_id == city.township_office.id)
    earlier = db.utcnow() - timedelta(minutes=30)
    session.execute(sa.update(SignInSession).values(last_seen_at=earlier))
    client.page(news_url(page), city.township_office)
    assert session.scalar(seen) == earlier
    client.page("/desk", city.township_office)
    assert session.scalar(seen) > earlier


# Moves ----------------------------------------------------------------------------------------------------------------


def test_after_a_move_that_takes_it_away_the_next_row_opens(client, city, at_township):
    first, second, _third = at_township
    answer = move(client, city.township_office, first, "escalate", reason="涉及县道")
    assert (answer.status_code, fresh(first).unit_code) == (200, seed.CITY)
    assert f'data-issue="{second.id}"' in body(answer)
    assert f'<li id="i-{first.id}" hx-swap-oob="delete"></li>' in body(answer)
    assert re.search(r'id="counts"[^>]*hx-swap-oob="true"', body(answer)) and 'class="chip-n">2<' in body(
        answer
    )
    assert answer.headers["HX-Replace-Url"] == f"/desk?view=mine&issue={second.id}"
    assert (
        answer.headers["HX-Trigger"]
        == f'{{"badges": {{"desk.queue": 2}}, "left": {{"grid": "{seed.MICRO}"}}}}'
    )


def test_the_row_that_stands_next_on_the_screen_wins_over_the_lists_order(client, city, at_township):
    first, _second, third = at_township
    answer = move(client, city.township_office, first, "escalate", reason="涉及县道", next=str(third.id))
    assert f'data-issue="{third.id}"' in body(answer)


@pytest.mark.parametrize("shown", ["nonsense", "", "01999999-0000-7000-8000-000000000000"])
def test_a_next_row_that_is_none_is_left_aside(client, city, at_township, shown):
    answer = move(client, city.township_office, at_township[0], "escalate", reason="县道", next=shown)
    assert f'data-issue="{at_township[1].id}"' in body(answer)


def test_the_next_row_cannot_be_one_of_somebody_elses_list(client, city, at_township):
    foreign = city.report("foreign_worker", grid_code=seed.FOREIGN_MICRO)
    answer = move(
        client, city.township_office, at_township[0], "escalate", reason="县道", next=str(foreign.id)
    )
    assert f'data-issue="{at_township[1].id}"' in body(answer)


def test_after_a_move_that_keeps_it_here_the_issue_stays_and_its_row_is_renewed(client, city, at_township):
    issue = at_township[1]
    answer = move(client, city.township_office, issue, "accept")
    assert (answer.status_code, fresh(issue).state) == (200, "accepted")
    assert f'data-issue="{issue.id}"' in body(answer)
    assert f'id="i-{issue.id}" hx-swap-oob="true"' in body(answer)
    assert '"left"' not in answer.headers["HX-Trigger"]


def test_after_the_last_one_the_desk_is_empty(client, city, at_township):
    for issue in at_township:
        answer = move(client, city.township_office, issue, "escalate", reason="县道")
    assert "data-issue" not in body(answer) and 'class="empty"' in body(answer)
    assert answer.headers["HX-Replace-Url"] == "/desk?view=mine"


def test_ones_own_move_is_no_news(client, city, at_township):
    answer = move(client, city.township_office, at_township[0], "escalate", reason="县道")
    assert client.page(news_url(body(answer)), city.township_office).status_code == 204


def test_without_scripts_a_move_leads_back_to_the_desk_with_the_next_issue(client, city, at_township):
    answer = move(client, city.township_office, at_township[0], "escalate", htmx=False, reason="县道")
    assert (answer.status_code, answer.location) == (303, f"/desk?view=mine&issue={at_township[1].id}")
    page = body(client.page(answer.location, city.township_office))
    assert at_township[0].number in page.partition('id="flashes"')[2].partition("</div>\n</div>")[0]


def test_a_move_without_what_it_needs_comes_back_with_422_beside_the_field(client, city, at_township):
    issue = at_township[0]
    for htmx in (True, False):
        answer = move(client, city.township_office, issue, "not_accept", htmx=htmx, reason="信访事项")
        assert (answer.status_code, fresh(issue).state) == (422, "reported")
        page = body(answer)
        assert 'id="f-route-error"' in page and "信访事项" in page, "what was entered is kept"
        assert 'name="name" value="not_accept"' in page
    assert "HX-Replace-Url" in move(client, city.township_office, issue, "not_accept").headers


def test_where_a_form_was_sent_to_can_be_opened_and_a_refused_one_says_where_it_belongs(client, city, at_township):
    issue = at_township[0]
    here = f"/desk?view=mine&issue={issue.id}"
    opened = client.page(f"/desk/issues/{issue.id}?view=mine", city.township_office)
    assert (opened.status_code, opened.location) == (303, here)
    assert client.page(f"/desk/issues/{issue.id}", city.micro_chief).status_code == 403
    refused = body(move(client, city.township_office, issue, "not_accept", htmx=False))
    assert f'<meta name="address" content="{here}">'.replace("&", "&amp;") in refused
    assert 'name="address"' not in body(client.page(here, city.township_office))


def test_photos_of_a_refused_form_are_kept(client, city, at_township):
    issue = at_township[0]
    move(client, city.township_office, issue, "accept")
    answer = move(client, city.township_office, issue, "resolve", proof=(picture(), "after.jpg"))
    assert answer.status_code == 422 and fresh(issue).state == "accepted"
    kept = re.search(r'type="checkbox" name="proof" value="([0-9a-f-]{36})"', body(answer))[1]
    done = move(client, city.township_office, issue, "resolve", result="已处理", proof=kept)
    assert (done.status_code, fresh(issue).state) == (200, "resolved")


def test_whoever_was_slower_is_told_and_shown_how_it_stands(client, city, at_township):
    issue = at_township[0]
    seen = issue.generation
    actions.act(issue, "accept", actor=city.township_office_2)
    data = {"name": "escalate", "generation": seen, "reason": "县道"}
    headers = {**HTMX, "HX-Target": "detail"}
    answer = client.form(f"/desk/issues/{issue.id}?view=mine", data, city.township_office, headers=headers)
    assert (answer.status_code, fresh(issue).state) == (409, "accepted")
    assert f'data-issue="{issue.id}"' in body(answer) and 'class="alert tone-amber"' in body(answer)


def test_a_button_pressed_twice_makes_one_move(client, city, at_township):
    issue = at_township[0]
    seen = issue.generation
    for _ in range(2):
        data = {"name": "accept", "generation": seen}
        headers = {**HTMX, "HX-Target": "detail"}
        answer = client.form(
            f"/desk/issues/{issue.id}?view=mine", data, city.township_office, headers=headers
        )
        assert answer.status_code == 200
    events = session.scalar(
        sa.text("SELECT count(*) FROM issue_events WHERE issue_id = :id AND name = 'accept'"),
        {"id": issue.id},
    )
    assert events == 1


def test_what_ones_post_does_not_allow_is_refused(client, city, at_township):
    issue = at_township[0]
    assert move(client, city.city_leader, issue, "accept", view="all").status_code == 403
    assert move(client, city.township_office, issue, "withdraw").status_code == 403
    assert fresh(issue).state == "reported"


def test_the_whole_way_from_township_to_department_and_back_can_be_done_at_desks(client, city, at_township):
    issue = at_township[0]
    move(client, city.township_office, issue, "escalate", reason="涉及县道")
    move(client, city.city_office, issue, "dispatch", department="transport")
    move(client, city.department, issue, "accept")
    move(client, city.department, issue, "resolve", result="已设限速牌", proof=str(photo_of(city.department)))
    move(client, city.city_office, issue, "verify", way="spot")
    issue = fresh(issue)
    assert (issue.state, issue.unit_code, issue.department_id) == ("callback", seed.CITY, None)


# Cost -----------------------------------------------------------------------------------------------------------------


def test_statements_do_not_grow_with_rows(client, city, at_township):
    who = city.city_office
    urls = [
        "/desk?view=all",
        f"/desk?view=all&issue={at_township[0].id}",
        f"/desk?view=all&grid={seed.MICRO}",
    ]

    def counted():
        found = []
        for url in urls:
            client.page(url, who)
            with count_queries() as seen:
                assert client.page(url, who).status_code == 200
            found.append(len(seen))
        return found

    few = counted()
    for n in range(20):
        micro = [seed.MICRO, seed.SIBLING_MICRO, seed.FOREIGN_MICRO][n % 3]
        city.report(
            ["worker", "sibling_worker", "foreign_worker"][n % 3],
            grid_code=micro,
            photos=[photo_of(city.person(["worker", "sibling_worker", "foreign_worker"][n % 3]))],
        )
    assert counted() == few
    assert few[0] <= 10


def test_a_branch_of_the_tree_costs_one_statement_of_its_own(client, city, at_township):
    who = city.township_office
    client.browser(who)
    with count_queries() as seen:
        client.page(f"/desk/grids/{seed.VILLAGE}?view=all", who)
    assert len([s for s in seen if "issues" in s]) == 1 and len(seen) <= 3


def test_asking_for_news_costs_one_statement_of_its_own(client, city, at_township):
    who = city.township_office
    url = news_url(body(client.page("/desk", who)))
    with count_queries() as seen:
        client.page(url, who)
    assert len([s for s in seen if "issues" in s]) == 1 and len(seen) <= 3


def test_the_lists_indexes_are_there(db_session):
    names = set(session.scalars(sa.text("SELECT indexname FROM pg_indexes WHERE tablename = 'issues'")))
    assert {
        "ix_issues_open_place",
        "ix_issues_open_due",
        "ix_issues_unit_open",
        "ix_issues_department_open",
    } <= names


def test_counting_reads_the_index_alone(client, city, db_session):
    """What makes counting cheap: one index holds all that is counted. Others are out of its way, for few rows favour them."""
    for rival in ("open_due", "unit_open", "department_open", "grid_code"):
        session.execute(sa.text(f"DROP INDEX ix_issues_{rival}"))
    session.execute(sa.text("SET LOCAL enable_seqscan = off"))
    session.execute(sa.text("SET LOCAL enable_bitmapscan = off"))
    where = "grid_code LIKE '430581101%' AND ended_at IS NULL"
    plan = session.scalars(
        sa.text(f"EXPLAIN SELECT state, due_at, warn_at, generation FROM issues WHERE {where}")
    ).all()
    assert "Index Only Scan using ix_issues_open_place" in "\n".join(plan)


def test_the_api_narrows_by_the_same_words(client, city, at_township):
    found = client.get("/api/v1/issues?view=mine&q=第1件&sort=due", city.township_office).get_json()["items"]
    assert [item["id"] for item in found] == [str(at_township[1].id)]
    assert client.get("/api/v1/issues?grid=12", city.township_office).status_code == 422
    assert session.get(Issue, at_township[1].id) is not None
