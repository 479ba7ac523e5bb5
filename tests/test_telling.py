"""What a reporter reads: every step that concerns them and why, and nothing that offices say to each other."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from gridgov import db
from gridgov.config import ROOT
from gridgov.errors import PolicyError
from gridgov.issues import actions, flow

REASON = {"reason": "材料要从外地运来"}
INTERNAL = {
    "decline_part", "drop_part", "insist_part", "part_late", "appeal_late",
    "ask_time", "ask_suspension", "take_back", "refuse", "situation", "instruct", "answer", "supervise", "end_supervision",
    "situation_late", "answer_late", "supervision_due", "urge_late",
}  # fmt: skip


def played(city) -> str:
    """An issue about which much was said between offices."""
    issue = city.report("resident")
    until = str((db.utcnow() + timedelta(days=30)).date())
    steps = [
        ("escalate", "micro_chief", REASON), ("accept", "village_chief", {}), ("instruct", "city_leader", {"instruction": "三天内办好"}),
        ("ask_time", "village_chief", {"extra": "50", "reason": "村里人手不够"}), ("grant_time", "township_office", {"note": "同意"}),
        ("supervise", "city_leader", {"reason": "领导关注", "report_on": until}), ("answer", "village_chief", {"note": "正在办"}),
        ("ask_suspension", "village_chief", {"reason": "汛期不能施工", "review_on": until}), ("suspend", "township_office", {}),
    ]  # fmt: skip
    for name, who, data in steps:
        actions.act(issue, name, actor=city.person(who), data=data)
    return str(issue.id)


def names(client, url, person):
    return [event["name"] for event in client.get(url, person).get_json()["items"]]


def test_a_reporter_reads_no_internal_step_and_none_of_its_words(city, client):
    issue_id = played(city)
    url = f"/api/v1/issues/{issue_id}/events"
    assert names(client, url, city.resident) == ["report", "escalate", "accept", "grant_time", "suspend"]
    page = client.page(f"/issues/{issue_id}", city.resident).get_data(as_text=True)
    for words in ("三天内办好", "村里人手不够", "领导关注", "正在办", "督办", "批示"):
        assert words not in page
    assert {"instruct", "ask_time", "supervise", "answer", "ask_suspension"} <= set(names(client, url, city.township_office))
    office = client.page(f"/issues/{issue_id}", city.village_chief).get_data(as_text=True)
    assert "三天内办好" in office and "村里人手不够" in office


def test_what_concerns_the_reporter_is_still_explained(city, client):
    issue_id = played(city)
    items = {e["name"]: e for e in client.get(f"/api/v1/issues/{issue_id}/events", city.resident).get_json()["items"]}
    assert items["grant_time"]["data"] == {"extra": "50", "note": "同意"}
    assert items["suspend"]["data"]["reason"] == "汛期不能施工" and items["suspend"]["data"]["review_on"]
    page = client.page(f"/issues/{issue_id}", city.resident).get_data(as_text=True)
    assert "汛期不能施工" in page and "原时限的一半" in page and "已挂账" in page
    # The offices read the reason where it was given, once.
    items = {e["name"]: e for e in client.get(f"/api/v1/issues/{issue_id}/events", city.village_chief).get_json()["items"]}
    assert items["suspend"]["data"] == {}


def test_who_reported_it_and_has_it_in_their_area_reads_everything(city, client):
    issue = city.report("worker")
    actions.act(issue, "instruct", actor=city.city_leader, data={"instruction": "今天办"})
    assert "instruct" in names(client, f"/api/v1/issues/{issue.id}/events", city.worker)


def test_a_request_is_not_shown_to_the_reporter_in_the_issue_itself(city, client):
    issue = city.report("resident")
    actions.act(issue, "accept", actor=city.micro_chief)
    actions.act(issue, "ask_time", actor=city.micro_chief, data={"extra": "25", **REASON})
    url = f"/api/v1/issues/{issue.id}"
    assert client.get(url, city.resident).get_json()["asked"] is None
    assert client.get(url, city.micro_chief).get_json()["asked"] == "extension"
    assert client.get("/api/v1/issues?view=reported", city.resident).get_json()["items"][0]["asked"] is None


def test_the_internal_steps_are_those_between_offices():
    assert {move.name for move in flow.current().transitions.values() if move.internal} == INTERNAL


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("  note:\n", "  note:\n    internal: true\n", "note is internal"),
        ("  close:\n", "  close:\n    internal: true\n", "close is internal"),
        ("    icon: writing\n    internal: true\n", "    icon: writing\n    internal: perhaps\n", "must be true or false"),
        ("    recalls: [extra]\n", "    recalls: [extras]\n", "unknown field 'extras'"),
    ],
)
def test_a_wrong_mark_stops_the_boot(tmp_path: Path, before, after, reason):
    folder = tmp_path / "workflows"
    shutil.copytree(ROOT / "workflows", folder)
    text = (folder / "issue.yaml").read_text("utf-8")
    assert before in text
    (folder / "issue.yaml").write_text(text.replace(before, after, 1), "utf-8")
    with pytest.raises(PolicyError, match=reason):
        flow.load(folder)
