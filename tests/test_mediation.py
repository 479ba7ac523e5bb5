"""Mediation files: from the dispute to the paper, through the real actions; what the database refuses; who sees and who may."""

import base64
import io
import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pypdfium2
import pytest
import sqlalchemy as sa
from PIL import Image, ImageDraw
from sqlalchemy.exc import IntegrityError

from gridgov import db, events, signing
from gridgov.errors import Conflict, IllegalTransition, Invalid, NotFound, NotPermitted
from gridgov.issues import actions as issues
from gridgov.issues.models import Category, Issue
from gridgov.mediation import actions, paper, queries, signing as signed, words
from gridgov.mediation.models import Mediation, Outcome, Signature
from gridgov.notices.models import Notice
from gridgov.people import actions as people, queries as posts
from gridgov.people.models import Role
from tests import seed
from tests.counting import count_queries
from tests.test_workflow_life import deliver_all, names_of, resolve, sweep

MONDAY = datetime(2026, 11, 16, 1, 0, tzinfo=UTC)  # 09:00 in Wugang.
AGREED = "一、肖老伯在2026年12月1日前把水沟里的石头清走。\n二、刘大娘今后不再往水沟里倒垃圾。"
PARTIES = [
    {"name": "刘大娘", "side": "applicant", "phone": seed.PHONES["resident"], "group_name": "第1村民小组"},
    {"name": "周老汉", "side": "respondent", "phone": None, "group_name": "第2村民小组"},
]


@pytest.fixture(autouse=True)
def monday(db_session):
    db.set_clock(MONDAY)


def handwriting(seed_of: int = 1, size: tuple[int, int] = (700, 400)) -> str:
    """A scrawl as a canvas gives it: strokes on a transparent ground, as a data URL."""
    rng, image = random.Random(seed_of), Image.new("RGBA", size)
    pen = ImageDraw.Draw(image)
    for _stroke in range(6):
        points = [(rng.randrange(40, size[0] - 40), rng.randrange(40, size[1] - 40)) for _ in range(3)]
        pen.line(points, fill=(16, 24, 32, 255), width=5, joint="curve")
    return url(image)


def url(image: Image.Image, kind: str = "PNG") -> str:
    out = io.BytesIO()
    image.save(out, kind)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def dispute(city: seed.City, **more: Any) -> Issue:
    return city.report("resident", category="0101", text="邻居把水沟堵了，说不拢", **more)


def drafted(
    city: seed.City, *, parties: list[dict[str, Any]] = PARTIES, agreement: str = AGREED
) -> Mediation:
    """A file that the micro chief has opened and written."""
    file = actions.open_file(dispute(city), actor=city.micro_chief)
    actions.revise(
        file, actor=city.micro_chief, facts="两家共用的水沟被石头和垃圾堵住。", agreement=agreement, performance="2026年12月1日前，现场。",
        parties=parties, mediators=[city.village_chief.id],
    )  # fmt: skip
    return file


def laid_out(city: seed.City) -> Mediation:
    file = drafted(city)
    signed.lay_out(file, actor=city.micro_chief)
    return file


def signers(file: Mediation) -> list[UUID]:
    return [p.id for p in queries.parties(file)] + [m.id for m, _person in queries.mediators(file)]


def hash_of(file: Mediation) -> str:
    found = queries.file(None, file).paper
    assert found is not None
    return found.hash.hex()


def sign_all(city: seed.City, file: Mediation) -> None:
    for n, signer in enumerate(signers(file)):
        signed.sign(file, signer, actor=city.micro_chief, image=handwriting(n), hash=hash_of(file))


def concluded(city: seed.City) -> Mediation:
    file = laid_out(city)
    actions.plan(file, actor=city.micro_chief, due_on=date(2026, 12, 16))
    sign_all(city, file)
    return file


# The life of a file ---------------------------------------------------------------------------------------------------


def test_a_dispute_is_mediated_signed_and_told_of(city):
    heard: list[dict[str, Any]] = []
    events.subscribe("mediation.concluded")(lambda **what: heard.append(what))
    file = concluded(city)
    issue = db.session.get_one(Issue, file.issue_id)
    assert (file.state, file.number, file.version) == ("concluded", f"{issue.number}-M1", 1)
    assert names_of(issue)[-2:] == ["mediation_begun", "mediation_signed"]
    assert heard[-1]["mediation"] is file and heard[-1]["mediators"] == [
        city.micro_chief.id,
        city.village_chief.id,
    ]
    assert len(queries.file(None, file).signatures) == 4


def test_the_draft_must_be_whole_before_it_is_laid_out(city):
    file = drafted(city, parties=PARTIES[:1], agreement=" ")
    with pytest.raises(Invalid) as refused:
        signed.lay_out(file, actor=city.micro_chief)
    assert set(refused.value.errors) == {"agreement", "parties"}
    assert file.state == "drafting"


def test_a_party_is_linked_only_by_number_and_name_together(city):
    file = drafted(city, parties=[PARTIES[0], {**PARTIES[1], "phone": seed.PHONES["neighbour"]}])
    assert [p.person_id for p in queries.parties(file)] == [city.resident.id, None]


def test_nobody_signs_twice_nor_another_text(city):
    file = laid_out(city)
    first = signers(file)[0]
    with pytest.raises(Conflict) as stale:
        signed.sign(file, first, actor=city.micro_chief, image=handwriting(), hash="0" * 64)
    assert stale.value.code == "text_changed"
    signed.sign(file, first, actor=city.micro_chief, image=handwriting(), hash=hash_of(file))
    with pytest.raises(Conflict) as again:
        signed.sign(file, first, actor=city.micro_chief, image=handwriting(), hash=hash_of(file))
    assert again.value.code == "signed_already"
    with pytest.raises(Invalid):
        signed.sign(file, uuid4(), actor=city.micro_chief, image=handwriting(), hash=hash_of(file))


def test_taking_the_text_back_keeps_what_was_signed_and_counts_it_no_more(city):
    file = laid_out(city)
    before = hash_of(file)
    signed.sign(file, signers(file)[0], actor=city.micro_chief, image=handwriting(), hash=before)
    signed.take_back(file, actor=city.micro_chief, reason="日期写错了")
    assert (file.state, file.version) == ("drafting", 2)
    whole = queries.file(None, file)
    assert whole.signed == {} and len(whole.signatures) == 1 and whole.papers[0].why == "日期写错了"
    signed.lay_out(file, actor=city.micro_chief)
    assert hash_of(file) != before
    sign_all(city, file)
    assert file.state == "concluded"


def test_a_refusal_stands_in_the_way_until_the_text_is_changed_or_the_file_given_up(city):
    file = laid_out(city)
    *most, last = signers(file)
    for signer in most:
        signed.sign(file, signer, actor=city.micro_chief, image=handwriting(), hash=hash_of(file))
    signed.refuse(file, last, actor=city.micro_chief, reason="认为赔得太少")
    assert file.state == "signing"
    actions.give_up(file, actor=city.micro_chief, failed=True, reason="双方谈不拢，告知可到法庭起诉")
    issue = db.session.get_one(Issue, file.issue_id)
    assert (file.state, names_of(issue)[-1]) == ("failed", "mediation_failed")
    again = actions.open_file(issue, actor=city.micro_chief)
    assert again.number.endswith("-M2")


def test_sittings_and_their_bad_days(city):
    file = drafted(city)
    actions.attempt(
        file, actor=city.micro_chief, held_on=date(2026, 11, 15), place="刘大娘家", outcome=Outcome.ADJOURNED
    )
    with pytest.raises(Invalid):
        actions.attempt(
            file, actor=city.micro_chief, held_on=date(2026, 11, 17), place="村部", outcome=Outcome.AGREED
        )
    assert [a.place for a in queries.file(None, file).attempts] == ["刘大娘家"]


def test_mediators_are_reminded_on_the_morning_of_each_follow_up(city):
    file = concluded(city)
    actions.plan(file, actor=city.village_chief, due_on=date(2026, 12, 20))
    deliver_all()
    told = sa.select(Notice.person_id).where(Notice.audience == "warn:mediator")
    db.set_clock(datetime(2026, 12, 16, 0, 0, tzinfo=UTC))
    sweep()
    assert db.session.scalars(told).all() == []
    db.set_clock(datetime(2026, 12, 16, 0, 31, tzinfo=UTC))
    sweep()
    deliver_all()
    assert set(db.session.scalars(told)) == {city.micro_chief.id, city.village_chief.id}
    one = queries.file(None, file).follow_ups[0]
    actions.found(file, actor=city.micro_chief, follow_up=one.id, kept=True, found="水沟已清")
    with pytest.raises(Conflict):
        actions.found(file, actor=city.micro_chief, follow_up=one.id, kept=False, found="又堵了")
    db.set_clock(datetime(2026, 12, 20, 0, 31, tzinfo=UTC))
    sweep()
    deliver_all()
    assert len(db.session.scalars(told).all()) == 4


def test_only_a_dispute_and_only_once(city):
    other = city.report("resident")
    with pytest.raises(IllegalTransition) as refused:
        actions.open_file(other, actor=city.micro_chief)
    assert refused.value.code == "no_dispute"
    issue = dispute(city)
    actions.open_file(issue, actor=city.micro_chief)
    with pytest.raises(IllegalTransition) as again:
        actions.open_file(issue, actor=city.micro_chief)
    assert again.value.code == "file_exists"


def test_a_dispute_that_was_reopened_after_its_agreement_is_mediated_again(city):
    first = concluded(city)
    issue = db.session.get_one(Issue, first.issue_id)
    with pytest.raises(IllegalTransition) as refused:
        actions.open_file(issue, actor=city.micro_chief)
    assert refused.value.code == "file_exists"
    db.set_clock(db.utcnow() + timedelta(hours=1))
    issues.act(issue, "accept", actor=city.micro_chief)
    resolve(issue, city.micro_chief)
    issues.act(issue, "verify", actor=city.village_chief, data={"way": "spot"})
    issues.act(issue, "rate", actor=city.resident, data={"satisfaction": 4})
    issues.act(issue, "reopen", actor=city.resident, data={"reason": "又堵了"})
    shown = words.panel(city.micro_chief, issue, db.session.get_one(Category, issue.category_code))
    assert shown is not None and shown.may_open
    second = actions.open_file(issue, actor=city.micro_chief)
    assert (second.number, second.state, first.state) == (f"{issue.number}-M2", "drafting", "concluded")
    with pytest.raises(IllegalTransition):
        actions.open_file(issue, actor=city.micro_chief)
    with pytest.raises(IntegrityError), db.session.begin_nested():
        db.session.add(
            Mediation(
                issue_id=issue.id,
                number="X",
                state="drafting",
                opened_by=second.opened_by,
                opened_at=db.utcnow(),
            )
        )
        db.session.flush()


def test_what_is_being_mediated_is_not_merged_into_another(city):
    file, other = drafted(city), dispute(city)
    issue = db.session.get_one(Issue, file.issue_id)
    for _stage in ("drafting", "signing"):
        with pytest.raises(Invalid) as refused, db.session.begin_nested():
            issues.act(issue, "merge", actor=city.micro_chief, data={"issue": other.number})
        assert "正在调解" in refused.value.errors["issue"][0]
        db.session.refresh(issue)
        if file.state == "drafting":
            signed.lay_out(file, actor=city.micro_chief)
    actions.give_up(file, actor=city.micro_chief, failed=True, reason="谈不拢")
    issues.act(issue, "merge", actor=city.micro_chief, data={"issue": other.number})
    assert issue.state == "merged"


# What the database refuses whoever asks -------------------------------------------------------------------------------


FROZEN = [
    "UPDATE mediations SET agreement = '别的'", "UPDATE mediations SET state = 'drafting'", "DELETE FROM mediations",
    "UPDATE mediation_parties SET name = '别人'", "DELETE FROM mediation_parties", "DELETE FROM mediation_mediators",
    "UPDATE mediation_signatures SET name = '别人'", "DELETE FROM mediation_signatures",
    "UPDATE mediation_papers SET words = '{}'", "DELETE FROM mediation_papers", "DELETE FROM mediation_follow_ups",
    "UPDATE mediation_papers SET voided_at = app_now(), why = 'x', voided_by = (SELECT opened_by FROM mediations)",
]  # fmt: skip


@pytest.mark.parametrize("statement", FROZEN)
def test_nothing_of_a_concluded_file_changes(city, statement):
    file = concluded(city)
    before = hash_of(file)
    with pytest.raises(IntegrityError), db.session.begin_nested():
        db.session.execute(sa.text(statement))
    assert hash_of(file) == before


def test_the_text_is_frozen_while_people_sign_and_nothing_is_concluded_without_all(city):
    laid_out(city)
    for statement in (
        "UPDATE mediations SET agreement = '别的'", "UPDATE mediations SET state = 'concluded', ended_at = app_now()",
        "UPDATE mediations SET state = 'drafting'", "UPDATE mediation_parties SET name = '别人'",
    ):  # fmt: skip
        with pytest.raises(IntegrityError), db.session.begin_nested():
            db.session.execute(sa.text(statement))
    assert db.session.scalars(sa.select(Mediation)).one().state == "signing"


# Signatures -----------------------------------------------------------------------------------------------------------


def test_a_signature_is_drawn_anew_small_and_grey():
    kept = signing.from_data_url(handwriting(size=(2000, 1200)))
    with Image.open(io.BytesIO(kept)) as image:
        assert image.format == "PNG" and image.mode == "L" and image.width <= 600 and image.height <= 240
        assert image.getpixel((0, 0)) == 255 and image.getextrema()[0] < 100
    assert len(kept) < 30_000


def dot() -> str:
    image = Image.new("RGBA", (600, 300))
    ImageDraw.Draw(image).ellipse((100, 100, 112, 112), fill="black")
    return url(image)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (url(Image.new("RGBA", (600, 300))), "signature_blank"),
        (url(Image.new("RGB", (600, 300), "white")), "signature_blank"),
        (dot(), "signature_blank"),
        (url(Image.new("RGB", (60, 30)), "JPEG"), "signature_broken"),
        (url(Image.new("1", (3200, 100))), "signature_broken"),
        ("data:image/png;base64,%%%", "signature_broken"),
        ("data:image/svg+xml,<svg/>", "signature_broken"),
        (handwriting()[:200], "signature_broken"),
        ("data:image/png;base64," + "A" * 450_000, "signature_broken"),
        ("", "signature_broken"),
    ],
    ids=["empty", "white", "dot", "jpeg", "huge", "no base64", "svg", "cut off", "too long", "nothing"],
)
def test_what_is_no_signature_is_refused(sent, code):
    with pytest.raises(Invalid) as refused:
        signing.from_data_url(sent)
    assert refused.value.code == code


# Paper ----------------------------------------------------------------------------------------------------------------


def read(pdf: bytes) -> tuple[str, int]:
    """(all words without spaces and line ends, number of pages)."""
    document = pypdfium2.PdfDocument(pdf)
    words = "".join(page.get_textpage().get_text_range() for page in document)
    return "".join(words.split()), len(document)


def test_the_paper_says_all_that_was_signed_and_is_the_same_each_time(city):
    file = concluded(city)
    whole = queries.file(None, file)
    made = paper.agreement(whole)
    words, pages = read(made)
    wanted = (
        "人民调解协议书",
        file.number,
        "刘大娘",
        "周老汉",
        "第2村民小组",
        AGREED,
        "调解员：肖建国",
        "调解员：李支书",
        "2026年11月16日",
        hash_of(file),
    )
    for part in wanted:
        assert "".join(part.split()) in words, part
    assert "未生效" not in words and pages >= 1
    assert made == paper.agreement(whole)
    assert made.count(b"/Subtype/Image") + made.count(b"/Subtype /Image") >= 4
    assert len(made) < 400_000


def test_unsigned_paper_says_so(city):
    words, _pages = read(paper.agreement(queries.file(None, laid_out(city))))
    assert "尚未全部签名，协议未生效" in words and words.count("尚未签名") == 4


def test_what_people_write_is_text_and_no_markup_and_breaks_as_it_should(city):
    wild = '#panic("x") $x^2$ *b* _i_ `c` <label> @ref \\ \\u{0} "引号" 𠮷 ' + "他说：“好。”（是的）；" * 200
    file = drafted(city, agreement=wild)
    signed.lay_out(file, actor=city.micro_chief)
    made = paper.agreement(queries.file(None, file))
    words, pages = read(made)
    assert '#panic("x")' in words and "*b*" in words and pages > 1
    document = pypdfium2.PdfDocument(made)
    assert f"2/{pages}" in "".join(document[1].get_textpage().get_text_range().split())
    starts = [
        line[:1]
        for page in document
        for line in page.get_textpage().get_text_range().splitlines()
        if line.strip()
    ]
    assert not set(starts) & set("，。；：、？！）》”")


# Who sees, who may ----------------------------------------------------------------------------------------------------

AT_MICRO = {"micro_chief"}
ABOVE = {"village_chief", "township_chief", "township_office", "township_office_2", "city_chief", "city_office", "city_office_2",
         "city_leader", "auditor"}  # fmt: skip


@pytest.mark.parametrize("key", seed.PEOPLE)
def test_who_sees_a_file_and_who_works_on_it(city, client, key):
    parties = [{**PARTIES[0], "name": "肖老伯", "phone": seed.PHONES["neighbour"]}, PARTIES[1]]
    file = drafted(city, parties=parties)
    signed.lay_out(file, actor=city.micro_chief)
    address, api = f"/mediations/{file.id}", f"/api/v1/mediations/{file.id}"
    person = city.person(key)
    sees = key in AT_MICRO | ABOVE | {"neighbour"}
    works = key in {"micro_chief", "village_chief"}
    assert client.page(address, person).status_code == (200 if sees else 404)
    assert client.get(api, person).status_code == (200 if sees else 404)
    assert client.page(f"{address}/agreement.pdf", person).status_code == (200 if sees else 404)
    assert client.page(f"{address}/draft", person, headers={"Accept": "application/json"}).status_code == (
        200 if works else 403 if sees else 404
    )
    step = {"name": "plan", "due_on": "2026-12-16"}
    assert client.send(f"{api}/steps", step, person).status_code == (201 if works else 403 if sees else 404)
    listed = client.get("/api/v1/mediations", person).get_json()["items"]
    assert [row["number"] for row in listed] == ([file.number] if sees else [])


@pytest.mark.parametrize("key", ["resident", "worker", "village_chief", "foreign_micro_chief", "micro_chief"])
def test_who_opens_a_file(city, client, key):
    issue_id = dispute(city).id
    wanted = {
        "resident": 403,
        "worker": 403,
        "village_chief": 403,
        "foreign_micro_chief": 404,
        "micro_chief": 201,
    }[key]
    assert client.send(f"/api/v1/issues/{issue_id}/mediations", {}, city.person(key)).status_code == wanted
    form = client.form(
        f"/issues/{issue_id}/mediation", {}, city.person(key), headers={"Accept": "application/json"}
    )
    assert form.status_code == (409 if wanted == 201 else wanted)


def test_a_party_sees_the_text_from_the_moment_it_is_laid_out_and_signs_it_alone(city, client):
    file = drafted(city)
    file_id = file.id
    assert client.page(f"/mediations/{file_id}", city.resident).status_code == 404
    signed.lay_out(db.session.get_one(Mediation, file_id), actor=city.micro_chief)
    file = db.session.get_one(Mediation, file_id)
    actions.attempt(
        file, actor=city.micro_chief, held_on=date(2026, 11, 15), place="秘密地点", outcome=Outcome.ADJOURNED
    )
    mine, other = signers(file)[:2]
    page = client.page(f"/mediations/{file_id}", city.resident).get_data(as_text=True)
    assert "把水沟里的石头清走" in page and "秘密地点" not in page
    body = {"name": "sign", "image": handwriting(), "hash": hash_of(db.session.get_one(Mediation, file_id))}
    steps = f"/api/v1/mediations/{file_id}/steps"
    assert client.send(steps, {**body, "signer": str(other)}, city.resident).status_code == 403
    assert client.page(f"/mediations/{file_id}/sign/{other}", city.resident).status_code == 404
    assert client.page(f"/mediations/{file_id}/sign/{mine}", city.resident).status_code == 200
    assert client.send(steps, {**body, "signer": str(mine)}, city.resident).status_code == 201
    assert client.send(steps, {"name": "take_back", "reason": "不想签了"}, city.resident).status_code == 403
    answer = client.get(f"/api/v1/mediations/{file_id}", city.resident).get_json()
    assert answer["attempts"] == [] and [s["mark"] for s in answer["signers"]] == ["signed", None, None, None]


def test_the_reporter_who_is_no_party_sees_only_that_there_is_a_file(city, client):
    file = drafted(city, parties=[{**PARTIES[0], "phone": None}, PARTIES[1]])
    signed.lay_out(file, actor=city.micro_chief)
    issue_id, file_id = file.issue_id, file.id
    page = client.page(f"/issues/{issue_id}", city.resident).get_data(as_text=True)
    assert f"/mediations/{file_id}" not in page and file.number in page
    assert f"/mediations/{file_id}" in client.page(f"/issues/{issue_id}", city.micro_chief).get_data(
        as_text=True
    )


def test_when_the_issue_goes_up_the_new_handler_works_and_the_mediators_stay(city):
    file = drafted(city, parties=PARTIES)
    issue = db.session.get_one(Issue, file.issue_id)
    issues.act(issue, "escalate", actor=city.micro_chief, data={"reason": "涉及两村"})
    issues.act(issue, "escalate", actor=city.village_chief, data={"reason": "涉及两村"})
    assert queries.file(city.township_office, file).works and queries.file(city.micro_chief, file).works
    with pytest.raises(NotPermitted):
        signed.lay_out(file, actor=city.city_office)
    people.end_post(
        next(p for p in posts.live_posts(city.micro_chief) if p.role == Role.MICRO_CHIEF), actor=None
    )
    db.session.expire_all()
    assert queries.visible(city.micro_chief, file.id).id == file.id  # Still its mediator.
    with pytest.raises(NotFound):
        queries.visible(city.sibling_village_chief, file.id)


def test_bad_input_is_refused_by_field_and_changes_nothing(city, client):
    file_id = laid_out(city).id
    steps = f"/api/v1/mediations/{file_id}/steps"
    bad: list[tuple[dict[str, Any], str]] = [
        ({"name": "fly"}, "name"), ({"name": "plan", "due_on": "2020-01-01"}, "due_on"), ({"name": "plan"}, "due_on"),
        ({"name": "plan", "due_on": "2035-01-01"}, "due_on"), ({"name": "refuse", "signer": str(uuid4()), "reason": "x"}, "signer"),
        ({"name": "fail", "reason": "  "}, "reason"), ({"name": "sign", "signer": "x", "image": "", "hash": "?"}, "signer"),
        ({"name": "attempt", "held_on": "2026-11-15", "place": "村部", "outcome": "won"}, "outcome"),
    ]  # fmt: skip
    for body, field in bad:
        answer = client.send(steps, body, city.micro_chief)
        assert (answer.status_code, field in answer.get_json()["errors"]) == (422, True), body
    put = f"/api/v1/mediations/{file_id}"
    assert (
        client.send(put, {"parties": PARTIES, "facts": "x"}, city.micro_chief, method="PUT").status_code
        == 409
    )
    assert db.session.get_one(Mediation, file_id).state == "signing"
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Signature)) == 0


def test_the_draft_is_kept_from_a_form_and_shown_again_when_wrong(city, client):
    file_id = actions.open_file(dispute(city), actor=city.micro_chief).id
    form: dict[str, Any] = {
        "party_name": ["刘大娘", "周老汉", ""], "party_side": ["applicant", "respondent", "other"], "party_phone": ["", "abc", ""],
        "party_group_name": ["第1组", "", ""], "facts": "水沟堵了", "agreement": "", "performance": "",
    }  # fmt: skip
    answer = client.form(f"/mediations/{file_id}/draft", form, city.micro_chief)
    assert answer.status_code == 422 and "周老汉" in answer.get_data(as_text=True)
    form["party_phone"] = ["", "", ""]
    assert client.form(f"/mediations/{file_id}/draft", form, city.micro_chief).status_code == 303
    assert [p.name for p in queries.parties(db.session.get_one(Mediation, file_id))] == ["刘大娘", "周老汉"]
    wrong = client.form(f"/mediations/{file_id}/steps", {"name": "lay_out"}, city.micro_chief)
    assert wrong.status_code == 422


def test_mediators_come_from_the_area(city):
    file = drafted(city)
    with pytest.raises(Invalid):
        actions.revise(
            file,
            actor=city.micro_chief,
            facts="",
            agreement="",
            performance="",
            parties=[],
            mediators=[city.foreign_micro_chief.id],
        )
    assert {p for p, _name in queries.candidates(db.session.get_one(Issue, file.issue_id))} >= {
        city.worker.id,
        city.village_chief.id,
    }


def test_a_list_and_an_issue_page_take_a_fixed_number_of_statements(city, client):
    def asked(url: str) -> int:
        client.page(url, city.township_office)
        with count_queries() as seen:
            assert client.page(url, city.township_office).status_code == 200
        return len(seen)

    drafted(city)
    one = asked("/mediations")
    for _n in range(3):
        drafted(city)
    assert asked("/mediations") == one
    plain, quarrel = city.report("resident").id, dispute(city).id
    assert asked(f"/issues/{quarrel}") - asked(f"/issues/{plain}") == 1


def test_the_clock_of_a_file_that_failed_is_stopped(city):
    file = drafted(city)
    actions.plan(file, actor=city.micro_chief, due_on=date(2026, 11, 20))
    actions.give_up(file, actor=city.micro_chief, failed=False, reason="当事人外出务工，另行处理")
    deliver_all()
    db.set_clock(MONDAY + timedelta(days=6))
    sweep()
    deliver_all()
    assert db.session.scalars(sa.select(Notice.id).where(Notice.audience == "warn:mediator")).all() == []
