"""A wrong policy file is refused at boot with file, line and reason; a right change to one works without Python.

Each fault is one small edit of the real files, so that what is tested stays what is used.
"""

import json
import random
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gridgov import db
from gridgov.config import ROOT
from gridgov.errors import PolicyError
from gridgov.issues import actions, flow
from gridgov.people import roles
from gridgov.workflow_proof import diagram
from gridgov.yamlfile import YamlFile
from tests import seed

MONDAY = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)
NEW_STATE = """\
  paused:
    label: {zh: 暂停, en: Paused}
    explain: {zh: "{unit}暂停办理。", en: "{unit} paused it."}
    kind: open
    tone: grey
    icon: clock
    due: resolve
    overdue: [remind]
    again: {within: 1d, clock: work_day}
  closed:
"""
NEW_MOVES = """\
transitions:
  pause:
    label: {zh: 暂停, en: Pause}
    from: [accepted]
    to: paused
    by: [micro_chief]
    needs: [reason]
    tells: [reporter]
  take_up:
    label: {zh: 继续, en: Resume}
    from: [paused]
    to: accepted
    by: [micro_chief]
"""


@pytest.fixture
def edit(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """Copies the real policy files, replaces one piece of text in one of them, and returns the folder."""
    folder = tmp_path / "workflows"

    def make(name: str, old: str, new: str) -> Path:
        if not folder.exists():
            shutil.copytree(ROOT / "workflows", folder)
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text, f"{name} has changed: {old!r} is not in it any more"
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")
        return folder

    return make


def load_all(folder: Path) -> None:
    """What the boot loads."""
    roles.load(folder)
    flow.load(folder)


def refusal(folder: Path) -> PolicyError:
    with pytest.raises(PolicyError) as refused:
        load_all(folder)
    return refused.value


def check(folder: Path, name: str, marker: str, reason: str) -> None:
    """The refusal names the file, the line that holds `marker` (or the number), and the reason."""
    error = refusal(folder)
    lines = (folder / name).read_text(encoding="utf-8").splitlines()
    wanted = [n for n, line in enumerate(lines, 1) if marker in line]
    assert len(wanted) == 1, f"{marker!r} is not on one line"
    found = lines[error.line - 1] if error.line else None
    assert (error.path, error.line) == (folder / name, wanted[0]), f"{error} points at {found!r}"
    assert re.search(reason, error.reason), error.reason
    assert str(error) == f"{folder / name}:{error.line}: {error.reason}"


A = "  accept:\n"
ISSUE_FAULTS = {
    "unknown start": ("start: reported", "start: begun", "start: begun", "unknown state 'begun'"),
    "unknown state in from": ("from: [reported, dispatched]\n", "from: [reported, sent]\n", "from: [reported, sent]", "unknown state 'sent'"),
    "unknown state in to": ("to: accepted\n    by: [micro_chief,", "to: taken\n    by: [micro_chief,", "to: taken", "unknown state 'taken'"),
    "unknown role": ("by: [village_chief, township_chief, township_office, city_office]\n    guard: [came",
                     "by: [mayor, township_chief]\n    guard: [came", "by: [mayor", "unknown actor 'mayor'"),
    "unknown area role": ('"area:worker", ', '"area:mayor", ', '"area:mayor"', "unknown actor 'area:mayor'"),
    "unknown guard": ("guard: [has_parent]\n    needs", "guard: [has_father]\n    needs", "guard: [has_father]", "unknown guard .* 'has_father'"),
    "words for no guard": ("  has_parent: {", "  has_father: {zh: 没有, en: None}\n  has_parent: {", "has_father: {", "unknown guard 'has_father'"),
    "guard without words": ("  came_from_below: {zh", "  # came_from_below: {zh", "guard: [came_from_below", "unknown guard .* 'came_from_below'"),
    "unknown effect": ("do: [claim]", "do: [claim, sing]", "do: [claim, sing]", "unknown effect 'sing'"),
    "unknown field": ("needs: [result, proof]", "needs: [result, proofs]", "needs: [result, proofs]", "unknown field 'proofs'"),
    "unknown optional field": ("may: [note]\n    do: [claim]", "may: [song]\n    do: [claim]", "may: [song]", "unknown field 'song'"),
    "unknown urgency": ("    urgency: low\n  withdraw", "    urgency: soon\n  withdraw", "urgency: soon", "must be one of low, normal, high"),
    "unknown audience": ("tells: [unit, reporter, left]", "tells: [unit, crowd]", "tells: [unit, crowd]", "unknown audience 'crowd'"),
    "unknown limit": ("due: verify\n", "due: whenever\n", "due: whenever", "unknown limit 'whenever'"),
    "limit that not every unit has": ("due: verify\n", "due: decline\n", "due: decline", "unknown limit 'decline'"),
    "unknown kind of field": ("kind: scale", "kind: stars", "kind: stars", "unknown kind 'stars'"),
    "field with a length of words": ("max: 300", "max: long", "max: long", "whole number"),
    "unknown kind of state": ("kind: done\n    tone: green", "kind: over\n    tone: green", "kind: over", "open or done"),
    "unknown tone": ("tone: violet", "tone: pink", "tone: pink", "must be one of"),
    "unknown button": ("button: danger\n    from: [callback]", "button: huge\n    from: [callback]", "button: huge", "must be one of"),
    "unknown clock": ("clock: hold", "clock: later", "clock: later", "must be one of restart, hold, go_on"),
    "clock held nowhere": ("    to: suspended\n", "    to: same\n", "clock: hold", "lead from one state to one other"),
    "clock that goes on elsewhere": ("from: [suspended]\n    to: accepted", "from: [suspended]\n    to: resolved", "clock: go_on", "back to where it was held"),
    "clock that goes on from elsewhere": ("from: [suspended]\n    to: accepted", "from: [suspended, resolved]\n    to: accepted", "clock: go_on", "back to where"),
    "choice without options": ("kind: scale", "kind: choice", "satisfaction: {kind: choice", "a choice has options"),
    "option in one language": ("{zh: 原时限的一半, en: Half of the original limit}", "{zh: 原时限的一半}", "50: {zh", "'en' is missing"),
    "unknown key": ("tells: [handler, followers, line]\n    emits: issue.closed\n  contest", "tell: [handler]\n  contest", "tell: [handler]", "unknown key 'tell'"),
    "missing key": ("    icon: eye-check\n    due", "    due", "  resolved:", "'icon' is missing"),
    "missing section": ("start: reported\n", "", "workflow: issue", "'start' is missing"),
    "missing language": ("{zh: 受理, en: Accept}", "{zh: 受理}", "label: {zh: 受理}", "'en' is missing"),
    "empty words": ("{zh: 受理, en: Accept}", '{zh: 受理, en: " "}', 'label: {zh: 受理, en: " "}', "must be a text"),
    "words that are none": ("{zh: 受理, en: Accept}", "{zh: 受理, en: 5}", "label: {zh: 受理, en: 5}", "must be a text"),
    "label that is no pair": ("label: {zh: 受理, en: Accept}", "label: 受理", "label: 受理", "must be a mapping"),
    "duplicate key": ("    button: primary\n    from: [reported, dispatched]\n",
                      "    button: primary\n    button: soft\n    from: [reported, dispatched]\n", "button: soft", "twice"),
    "duplicate transition": ("  withdraw:\n", "  accept:\n    # again\n", "  accept:\n    # again", "twice"),
    "list that is none": ("do: [claim]", "do: claim", "do: claim", "must be a list"),
    "list of numbers": ("do: [claim]", "do: [1]", "do: [1]", "must be a list"),
    "state without a way in": ("  closed:\n    label: {zh: 已办结", "  asleep:\n    label: {zh: 睡, en: Asleep}\n    explain: {zh: 睡, en: x}\n    kind: done\n"
                               "    tone: grey\n    icon: x\n  closed:\n    label: {zh: 已办结", "  asleep:", "'asleep' can never be reached"),
    "open state without a deadline": ("    due: verify\n", "", "  resolved:", "no deadline"),
    "open state without overdue": ("    overdue: [close]\n", "", "  callback:", "what happens when its deadline passes"),
    "end with a deadline": ("    kind: done\n    tone: green\n", "    kind: done\n    due: verify\n    tone: green\n", "  closed:", "is an end"),
    "last of overdue guarded": ("overdue: [close]", "overdue: [close, overdue_up]", "overdue: [close, overdue_up]", "not one the system can fire"),
    "overdue that may not be possible": ("    always: [pass_up]\n    overdue: [overdue_up, remind]", "    always: [pass_up]\n    overdue: [overdue_up]",
                                         "overdue: [overdue_up]\n", "has a guard"),
    "overdue unknown": ("overdue: [close]", "overdue: [shut]", "overdue: [shut]", "'shut' is unknown"),
    "overdue by people": ("overdue: [close]", "overdue: [rate]", "overdue: [rate]", "not one the system can fire"),
    "system asked for a field": ("    tells: [reporter, line]\n    emits: issue.closed\n", "    needs: [note]\n    tells: [reporter, line]\n    emits: issue.closed\n",
                                 "overdue: [close]", "without being asked anything"),
    "always without a guard": ("    due: silent\n", "    due: silent\n    always: [close]\n", "always: [close]", "for ever"),
    "reminder without again": ("    always: [verify_up]\n    overdue: [remind]\n    again: {within: 1d, clock: work_day}\n",
                               "    always: [verify_up]\n    overdue: [remind]\n", "  resolved:", "say when `again`"),
    "back to where nothing was parked": ("    clock: park\n", "", "    clock: unpark", "unmerge goes back: it must unpark"),
    "back without its clocks": ("    clock: unpark\n", "", "  unmerge:", "unmerge goes back: it must unpark"),
    "parked where it is open": ("to: merged\n", "to: same\n", "    clock: park", "merge parks its clocks"),
    "a held clock parked": (
        "[reported, dispatched, accepted]\n    to: merged", "[accepted, suspended]\n    to: merged", "    clock: park",
        "merge parks its clocks"),
    "an end with parked clocks": (
        "to: not_accepted\n", "to: merged\n", "  uphold:", "'merged', where clocks are parked"),
    "nobody may fire": ("by: [reporter]\n    guard: [nobody_joined]", "by: []\n    guard: [nobody_joined]", "by: []", "nobody may fire withdraw"),
    "from nowhere": ("from: [callback]\n    to: closed\n    by: [system]", "from: []\n    to: closed\n    by: [system]", "from: []", "starts from no state"),
    "out of an end": ("from: [callback]\n    to: closed\n    by: [reporter]", "from: [callback, closed]\n    to: closed\n    by: [reporter]",
                      "from: [callback, closed]", "'closed', which is an end"),
    "reopened without a condition": ("    guard: [reopen_window]\n", "", "    from: [closed]", "'closed', which is an end"),
    "reopened by the system": ('by: [reporter, township_office, city_office, "above:township_office"', 'by: [system, township_office, city_office, "above:township_office"',
                               "    from: [closed]", "'closed', which is an end"),
    "reopened into an end": ("    from: [closed]\n    to: accepted\n", "    from: [closed]\n    to: withdrawn\n", "    from: [closed]",
                             "'closed', which is an end"),
    "clock of parts that fires nothing": ("due: [part_late]", "due: []", "  part: {limit", "does not say what happens"),
    "clock unknown": ("    due: silent\n", "    due: silent\n    again: {within: 1d, clock: moon}\n", "clock: moon", "unknown clock 'moon'"),
    "length of time in words": ("    due: silent\n", "    due: silent\n    again: {within: soon, clock: work_day}\n", "within: soon", "'soon' is not a duration"),
    "bad syntax": ("do: [claim]", "do: [claim", "tells: [reporter]\n  resolve", "expected"),
    "a tab": ("    do: [claim]", "\tdo: [claim]", "\tdo: [claim]", "cannot start any token|found character"),
    "a key that YAML reads as a truth": ("  note:\n    label: {zh: 记录", "  on:\n    label: {zh: 记录", "  on:", "quoted or renamed"),
}  # fmt: skip


@pytest.mark.parametrize("fault", ISSUE_FAULTS)
def test_a_workflow_with_a_fault_is_refused_at_its_line(edit, fault):
    old, new, marker, reason = ISSUE_FAULTS[fault]
    folder = edit("issue.yaml", old, new)
    if "\n" in marker:  # Where the line alone stands several times, what follows it tells it apart.
        text = (folder / "issue.yaml").read_text(encoding="utf-8")
        assert text.count(marker) == 1
        line = text[: text.index(marker)].count("\n") + 1
        error = refusal(folder)
        assert (error.path, error.line) == (folder / "issue.yaml", line), str(error)
        assert re.search(reason, error.reason), error.reason
    else:
        check(folder, "issue.yaml", marker, reason)


def test_a_state_that_nothing_leads_out_of_is_refused(edit):
    edit("issue.yaml", "  closed:\n", NEW_STATE)
    folder = edit("issue.yaml", "transitions:\n", NEW_MOVES.replace("from: [paused]\n    to: accepted", "from: [paused]\n    to: paused"))
    error = refusal(folder)
    assert "no end can be reached" in error.reason
    check(folder, "issue.yaml", "  paused:", "no end can be reached")


OTHER_FAULTS = {
    "two levels of one length": ("levels.yaml", "length: 12", "length: 15", "levels:", "same length"),
    "length in words": ("levels.yaml", "length: 12", "length: twelve", "length: twelve", "whole number"),
    "unknown parent": ("levels.yaml", "parent: township", "parent: county", "parent: county", "unknown level 'county'"),
    "unknown child": ("levels.yaml", "child: township", "child: county", "child: county", "unknown level 'county'"),
    "nobody to verify": ("levels.yaml", "workers: []\n    verified_by: self\n    limits:\n      accept: {within: 1d, clock: work_day}\n"
                         "      resolve: {within: 5d, clock: work_day}\n  township:", "workers: []\n    verified_by: parent  # city\n    limits:\n"
                         "      accept: {within: 1d, clock: work_day}\n      resolve: {within: 5d, clock: work_day}\n  township:", "# city", "no parent"),
    "verified by a stranger": ("levels.yaml", "workers: [worker]\n    verified_by: parent", "workers: [worker]\n    verified_by: chance", "verified_by: chance", "parent or self"),
    "unknown chief": ("levels.yaml", "chief: village_chief", "chief: mayor", "chief: mayor", "'mayor'"),
    "unknown office": ("levels.yaml", "office: township_office", "office: bureau", "office: bureau", "'bureau'"),
    "chief of another level": ("levels.yaml", "chief: village_chief", "chief: micro_chief  # village", "# village", "'micro_chief'"),
    "unknown worker": ("levels.yaml", "workers: [worker]", "workers: [helper]", "workers: [helper]", "'helper'"),
    "workers that are no list": ("levels.yaml", "workers: [worker]", "workers: worker", "workers: worker", "must be a list"),
    "department verified by nobody": ("levels.yaml", "verified_by: dispatcher", "verified_by: null", "verified_by: null", "must be dispatcher"),
    "length true": ("levels.yaml", "length: 12", "length: true", "length: true", "whole number"),
    "limit missing": ("levels.yaml", "      resolve: {within: 24h, clock: urgent_hour}\n", "", "limits:  # micro", "'resolve' is missing"),
    "limit unknown": ("levels.yaml", "      resolve: {within: 24h, clock: urgent_hour}\n",
                      "      resolve: {within: 24h, clock: urgent_hour}\n      nap: {within: 1h, clock: urgent_hour}\n", "nap: {", "unknown key 'nap'"),
    "unit the clock lacks": ("levels.yaml", "resolve: {within: 3d, clock: work_day}", "resolve: {within: 24h, clock: work_day}", "within: 24h, clock: work_day", "counts in d"),
    "grade missing": ("levels.yaml", "  C:\n    label: {zh: C级 一般, en: C – ordinary}\n    limits: null\n", "", "grades:", "grade C is missing"),
    "grade unknown": ("levels.yaml", "  C:\n", "  D:\n", "  D:", "unknown grade 'D'"),
    "share above the whole": ("levels.yaml", "yellow_share: 0.2", "yellow_share: 2.0", "yellow_share: 2.0", "share between 0 and 1"),
    "after lacks what the workflow uses": ("levels.yaml", "  silent: {within: 7d, clock: natural_day}\n", "", "after:", "'silent' is missing"),
    "a role that does not handle": ("roles.yaml", "    levels: [township]\n    sees: subtree\n    handles: true", "    levels: [township]\n    sees: subtree\n    handles: false", "", ""),
    "levels are a list": ("levels.yaml", "levels:\n  city:", "levels: []\nold:\n  city:", "old:", "unknown key 'old'"),
    "unknown line of work": ("categories.yaml", "line: river", "line: sea", "line: sea", "unknown line of work 'sea'"),
    "unknown grade of a category": ("categories.yaml", 'en: "Floating waste"}, grade: C', 'en: "Floating waste"}, grade: E', "Floating waste", "unknown grade 'E'"),
    "minor code of another major": ("categories.yaml", '"0603"', '"0703"', "Floating waste", "begin with 06"),
    "code without quotes": ("categories.yaml", '"1103":', "1103:", "Drought", "four digits"),
    "photos neither true nor false": ("categories.yaml", 'en: "Floating waste"}, grade: C, department: water, photos: true',
                                      'en: "Floating waste"}, grade: C, department: water, photos: maybe', "Floating waste", "true or false"),
    "categories without minors": ("categories.yaml", "categories:\n", "categories: {}\nold:\n", "old:", "unknown key 'old'"),
    "a minor's unknown line": ("categories.yaml", 'en: "Floating waste"}, ', 'en: "Floating waste"}, line: sea, ', "Floating waste", "unknown line of work 'sea'"),
    "role nobody knows": ("roles.yaml", "  auditor:\n", "  mayor:\n", "  mayor:", "unknown key 'mayor'"),
    "role missing": ("roles.yaml", "  store_clerk:\n", "  # store_clerk:\n", "  # store_clerk:", ""),
    "unknown level of a role": ("roles.yaml", "levels: [township, village]", "levels: [township, county]", "levels: [township, county]", "must be a list out of"),
    "role of a department on a grid": ("roles.yaml", "    levels: []\n", "    levels: [city]\n    # department\n", "", ""),
    "unknown sight": ("roles.yaml", "sees: own", "sees: everything", "sees: everything", "must be one of"),
    "lines of work missing": ("roles.yaml", "  forest: {zh: 林长, en: Forest}\n", "", "lines:", "'forest' is missing"),
}  # fmt: skip
WITHOUT_LINE = {"role missing", "role of a department on a grid"}  # The line is not one that a marker can name.
ELSEWHERE = {"a role that does not handle": "levels.yaml"}  # Two files disagree, and the other one is named.


@pytest.mark.parametrize("fault", OTHER_FAULTS)
def test_a_policy_file_with_a_fault_is_refused_at_its_line(edit, fault):
    name, old, new, marker, reason = OTHER_FAULTS[fault]
    folder = edit("levels.yaml", "    limits:\n      accept: {within: 4h,", "    limits:  # micro\n      accept: {within: 4h,")
    edit(name, old, new)
    if fault in WITHOUT_LINE or fault in ELSEWHERE:
        error = refusal(folder)
        assert error.path == folder / ELSEWHERE.get(fault, name) and error.line
    else:
        check(folder, name, marker, reason)


@pytest.mark.parametrize("name", ["issue.yaml", "levels.yaml", "categories.yaml", "roles.yaml"])
def test_a_file_that_cannot_be_used_at_all_is_refused_in_one_line(edit, name):
    folder = edit(name, "", "")
    path = folder / name
    for content, reason in (
        (b"", "is missing"),
        (b"# only words\n", "is missing"),
        (b"- a\n- b\n", "must be a mapping"),
        (b"just text\n", "must be a mapping"),
        ("标签: 武冈".encode("gb18030"), "is not UTF-8"),
        (b"a: \x07\n", "not allowed|not YAML|special characters"),
        (b"a: [1\n", "expected"),
        (b"\x00\x01\x02", ""),
    ):
        path.write_bytes(content)
        load_fresh(path, reason)
    path.unlink()
    load_fresh(path, "No such file")
    path.mkdir()
    load_fresh(path, "cannot be read")


def load_fresh(path: Path, reason: str) -> None:
    roles.load.cache_clear()
    flow.policy.load.cache_clear()
    error = refusal(path.parent)
    assert error.path == path
    assert re.search(reason, error.reason), error.reason
    assert "\n" not in str(error)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "load"),
    [("issue.yaml", flow.load), ("levels.yaml", flow.policy.load), ("categories.yaml", flow.policy.load), ("roles.yaml", roles.load)],
)
def test_whatever_stands_in_a_place_is_taken_or_refused_and_never_a_crash(edit, name, load):
    """Every kind of value in many places: what the checks forgot would end in another exception than PolicyError."""
    folder = edit(name, "", "")
    whole = YamlFile(folder / name).data
    chosen = random.Random(name).sample(sorted(places(whole), key=str), 30)
    refused = 0
    for place in chosen + [(key,) for key in whole]:
        for value in (None, 5, "x", [], {}, [[]], {"a": 1}, True):
            if random.Random(f"{place}{value}").random() < (1 if len(place) == 1 else 0.2):
                (folder / name).write_text(json.dumps(replaced(whole, place, value), ensure_ascii=False), encoding="utf-8")
                if name != "issue.yaml":
                    flow.policy.load.cache_clear()
                    roles.load.cache_clear()
                flow._loaded.pop(folder, None)
                try:
                    load(folder)
                except PolicyError as error:
                    refused += 1
                    assert error.path.parent == folder and error.reason
    assert refused > 20


def places(value: Any, here: tuple[Any, ...] = ()) -> set[tuple[Any, ...]]:
    """The path of every value in a tree of mappings and lists."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {here} - {()} | {path for key, part in inside for path in places(part, (*here, key))}


def replaced(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """A copy of the tree with another value in one place."""
    if not place:
        return new
    key, *rest = place
    if isinstance(value, list):
        return [replaced(part, tuple(rest), new) if i == key else part for i, part in enumerate(value)]
    return {k: replaced(part, tuple(rest), new) if k == key else part for k, part in value.items()}


def test_the_real_files_pass():
    load_all(ROOT / "workflows")
    assert flow.load(ROOT / "workflows").states.keys() >= {"reported", "closed"}


def test_the_diagram_shows_every_state_and_move():
    workflow = flow.load(ROOT / "workflows")
    for language in ("zh", "en"):
        text = diagram(workflow, language)
        assert all(f" as {name}" in text for name in workflow.states)
        assert all(t.label[language] in text for t in workflow.transitions.values() if t.to != "same")
        assert text.startswith("stateDiagram-v2")


@pytest.fixture
def with_pause(edit, db_session):
    """The issue workflow with one state and two moves more, by an edit of the file alone."""
    edit("issue.yaml", "  closed:\n", NEW_STATE)
    folder = edit("issue.yaml", "transitions:\n", NEW_MOVES)
    flow.use(folder)
    db.set_clock(MONDAY)
    yield
    flow.use(ROOT / "workflows")


def test_a_state_and_a_move_added_in_the_file_work_without_python(with_pause, city, client):
    issue = city.report()
    actions.act(issue, "accept", actor=city.micro_chief)
    issue_id = issue.id
    url = f"/api/v1/issues/{issue_id}/events"
    offered = client.get(f"/api/v1/issues/{issue_id}/transitions", city.micro_chief).get_json()["items"]
    assert {"pause", "resolve"} <= {t["name"] for t in offered}
    assert client.send(url, {"name": "pause"}, city.micro_chief).get_json()["errors"].keys() == {"reason"}
    assert client.send(url, {"name": "pause", "reason": "下雨"}, city.worker).status_code == 403
    paused = client.send(url, {"name": "pause", "reason": "下雨"}, city.micro_chief)
    assert (paused.status_code, paused.get_json()["state"]) == (201, "paused")
    assert paused.get_json()["due_at"]
    assert client.send(url, {"name": "resolve", "result": "x"}, city.micro_chief).status_code == 409
    assert client.send(url, {"name": "take_up"}, city.micro_chief).get_json()["state"] == "accepted"


def test_the_boot_stops_at_a_wrong_file(edit, servers, tmp_path):
    from gridgov.app import create_app
    from tests.conftest import make_config

    folder = edit("issue.yaml", "start: reported", "start: begun")
    with pytest.raises(PolicyError, match=r"issue\.yaml:\d+: unknown state 'begun'"):
        create_app(make_config(*servers, tmp_path, workflows=folder))
    assert flow.current().start == "reported"  # What was in use stays in use.
    assert seed.CITY
