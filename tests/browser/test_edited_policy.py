"""A level, a state, a move and a category with questions, each added by editing one file: the application boots with it and
its pages show it.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from gridgov import db
from gridgov.config import ROOT
from gridgov.grids import actions as grids, micro
from gridgov.issues import actions, flow
from gridgov.issues.models import Issue
from gridgov.people import actions as people, roles
from gridgov.people.models import Role
from tests import seed
from tests.conftest import living

pytestmark = pytest.mark.browser
People = Callable[..., Page]
BUILDING = f"{seed.MICRO}001"
LEVEL = (
    "levels.yaml",
    ("    child: null\n    chief: micro_chief", "    child: building\n    chief: micro_chief"),
    ("\n# A department holds", """  building:
    length: 18
    label: {zh: 楼栋网格, en: Building grid}
    place: {zh: 楼栋, en: Building}
    answers: {zh: 楼栋长, en: building chief}
    parent: micro
    child: null
    chief: micro_chief
    office: null
    workers: []
    verified_by: parent
    limits:
      accept: {within: 2h, clock: urgent_hour}
      resolve: {within: 12h, clock: urgent_hour}

# A department holds"""),
)  # fmt: skip
STATE = (
    "issue.yaml",
    ("  closed:\n    label", """  drying:
    label: {zh: 晾干中, en: Drying}
    explain: {zh: "{unit}等水泥干透，{due}前再看。", en: "{unit} waits for the cement to dry, until {due}."}
    kind: open
    tone: amber
    icon: clock
    due: resolve
    overdue: [remind]
    again: {within: 1d, clock: work_day}
  closed:
    label"""),
    ("transitions:\n", """transitions:
  let_dry:
    label: {zh: 等水泥干, en: Let it dry}
    from: [accepted]
    to: drying
    by: [micro_chief]
    needs: [note]
    tells: [reporter]
  dried:
    label: {zh: 干透了, en: Dried}
    from: [drying]
    to: accepted
    by: [micro_chief]
"""),
)  # fmt: skip
MOVE = (
    "issue.yaml",
    ("transitions:\n", """transitions:
  ask_photo:
    label: {zh: 请补一张照片, en: Ask for a photo}
    icon: camera
    from: [reported]
    to: same
    by: [micro_chief]
    needs: [note]
    tells: [reporter]
"""),
)  # fmt: skip

QUESTION = (
    "categories.yaml",
    ('      "0203": {', """      "0299":
        label: {zh: 渡口船只隐患, en: Ferry at risk}
        grade: B
        department: transport
        photos: false
        confidential: false
        questions:
          aboard: {label: {zh: 船上有几个人, en: How many are aboard}, kind: number, low: 0, high: 200, unit: {zh: 人, en: people}, needed: true}
      "0203": {"""),
)  # fmt: skip


@pytest.fixture
def live(request: Any, servers: Any, template: str, tmp_path: Path) -> Iterator[Flask]:
    """The application booted with a copy of the policy in which one file was edited."""
    name, *edits = request.param
    folder = tmp_path / "workflows"
    shutil.copytree(ROOT / "workflows", folder)
    text = (folder / name).read_text(encoding="utf-8")
    for old, new in edits:
        assert text.count(old) == 1, f"{name} has changed: {old!r} stands in it {text.count(old)} times"
        text = text.replace(old, new)
    (folder / name).write_text(text, encoding="utf-8")
    with living(servers, template, tmp_path, workflows=folder) as app:
        yield app
    flow.use(ROOT / "workflows")
    roles.use(ROOT / "workflows")


def choose(page: Page, code: str) -> None:
    """Choose a category from the whole list."""
    page.locator(".majors > summary").click()
    page.locator(".major", has=page.locator(f"input[value='{code}']")).locator("summary").click()
    page.locator(f".major input[value='{code}']").check(force=True)


def press(page: Page, label: str, **given: str) -> None:
    """Open a move of the issue on the page, fill in what it asks for, and send it."""
    page.get_by_role("link", name=label, exact=True).click()
    for name, value in given.items():
        page.fill(f"#f-{name}", value)
    page.locator("form.form [type=submit]").click()
    expect(page.locator("#flashes")).to_contain_text(label)


@pytest.mark.parametrize("live", [LEVEL], indirect=True, ids=["level"])
def test_a_level_below_the_micro_grid(person: People, site: Any) -> None:
    rows = micro.parse(f"code,name,kind,households,population,area\n{BUILDING},1号楼,楼栋,24,70,900\n", "b.csv", {seed.MICRO})
    with site.inside():
        assert grids.import_micro(rows).counts["added"] == 1
        chief = people.create_person("杨楼长", "19900009999", actor=None, password=seed.PASSWORD)
        people.appoint(chief, Role.MICRO_CHIEF, actor=None, grid_code=BUILDING, starts_on=date(2020, 1, 1))
    seed.PHONES["building_chief"] = "19900009999"
    resident = person("resident")
    resident.goto("/report")
    expect(resident.locator("[data-place-words]")).to_contain_text("第1村民小组")
    resident.locator("[data-grids] summary").click()
    resident.get_by_label("楼栋", exact=True).select_option(BUILDING)
    expect(resident.locator("[data-place-words]")).to_contain_text("1号楼")
    choose(resident, "0203")
    resident.fill("#f-text", "楼道口停满了三轮车，老人出不来。")
    resident.locator("form[data-report] [type=submit]").click()
    expect(resident.locator(".receipt")).to_contain_text("1号楼楼栋长正在查看")
    chief_page = person("building_chief")
    chief_page.goto("/todo")
    chief_page.locator("#rows a").first.click()
    press(chief_page, "上报上一级", reason="要组里一起劝")
    with site.inside():
        issue = db.session.query(Issue).one()
        assert (issue.grid_code, issue.unit_code, issue.state) == (BUILDING, seed.MICRO, "reported")
    above = person("micro_chief")
    above.goto("/todo")
    expect(above.locator("#rows")).to_contain_text("1号楼")


@pytest.mark.parametrize("live", [STATE], indirect=True, ids=["state"])
def test_a_state_with_its_way_in_and_out(person: People, site: Any) -> None:
    with site.inside() as city:
        issue = city.report("resident")
        actions.act(issue, "accept", actor=city.micro_chief)
        issue_id = issue.id
    chief, resident = person("micro_chief"), person("resident")
    chief.goto(f"/issues/{issue_id}")
    press(chief, "等水泥干", note="刚抹了水泥")
    expect(chief.locator("main")).to_contain_text("晾干中")
    resident.goto(f"/issues/{issue_id}")
    expect(resident.locator("main")).to_contain_text("第1村民小组微网格长等水泥干透")
    press(chief, "干透了")
    expect(chief.locator("main")).to_contain_text("办理中")


@pytest.mark.parametrize("live", [MOVE], indirect=True, ids=["move"])
def test_a_move(person: People, site: Any) -> None:
    with site.inside() as city:
        issue_id = city.report("resident").id
    chief, resident = person("micro_chief"), person("resident")
    chief.goto(f"/issues/{issue_id}")
    press(chief, "请补一张照片", note="看不清是哪条路")
    site.deliver()
    resident.goto("/inbox")
    expect(resident.locator("main")).to_contain_text("请补一张照片")
    resident.goto(f"/issues/{issue_id}")
    expect(resident.locator("main")).to_contain_text("看不清是哪条路")


@pytest.mark.parametrize("live", [QUESTION], indirect=True, ids=["category"])
def test_a_category_with_a_question_of_its_own(person: People, site: Any) -> None:
    with site.inside():
        assert actions.seed_categories() == 1  # As `make run` does when it starts: what the file adds, the table gets.
    resident = person("resident")
    resident.goto("/report")
    choose(resident, "0299")
    resident.fill("#f-text", "渡船没有救生衣。")
    aboard = resident.get_by_label("船上有几个人")
    expect(aboard).to_be_visible()
    aboard.fill("12")
    resident.locator("form[data-report] [type=submit]").click()
    expect(resident.locator(".receipt")).to_be_visible()
    chief = person("micro_chief")
    chief.goto("/todo")
    chief.locator("#rows a").first.click()
    expect(chief.locator("main")).to_contain_text("船上有几个人")
    expect(chief.locator("main")).to_contain_text(re.compile(r"12\s*人"))
