"""Further questions of a category: proven at boot, asked with and without scripts, checked, kept in words."""

import shutil
from typing import Any

import pytest
import sqlalchemy as sa

from gridgov import db, policy
from gridgov.config import ROOT
from gridgov.db import session
from gridgov.errors import Invalid, PolicyError
from gridgov.i18n import forced
from gridgov.issues import answers, flow, followers
from gridgov.issues.models import Category, Issue
from gridgov.questions import QuestionSpec
from tests import seed
from tests.factories import photo_of, picture

BUS, WAGES, GAS, SICK = "0204", "0104", "0302", "0402"
FAULTS = {
    "unknown kind": ("kind: text, max: 12", "kind: words, max: 12", "plate:", "unknown kind of question 'words'"),
    "no kind": ("kind: text, max: 12, ", "", "plate:", "unknown kind of question None"),
    "unknown key": ("kind: text, max: 12", "kind: text, most: 12", "plate:", "unknown key 'most'"),
    "key of another kind": ("kind: text, max: 12", "kind: text, low: 12", "plate:", "unknown key 'low'"),
    "no English": ("{zh: 车牌号, en: Plate number}", "{zh: 车牌号}", "plate:", "'en' is missing"),
    "a choice without options": ("kind: yesno}\n          inside", "kind: choice}\n          inside", "smell:", "'options' is missing"),
    "a bad name": ("plate:", "Plate-Number:", "Plate-Number:", "a question's name is small letters"),
    "nothing": (
        "questions:\n          smell: {label: {zh: 现在闻得到煤气味吗, en: Can you smell gas now}, kind: yesno}\n"
        "          inside: {label: {zh: 屋里有人吗, en: Is anybody inside}, kind: yesno}",
        "questions: {}", "questions: {}", "must be a mapping with entries"),
    "high below low": ("low: 1, high: 100,", "low: 5, high: 4,", "children:", "must not be below low"),
    "no number": ("low: 1, high: 100,", "low: one, high: 100,", "children:", "must be a whole number"),
    "needed is no boolean": ("kind: yesno}\n          inside", "kind: yesno, needed: 1}\n          inside", "smell:", "must be true or false"),
    "too far": ("within_m: 50", "within_m: 50000", "duplicates:", "metres from 1 to 5000"),
    "no time": ("within: 24h", "within: soon", "duplicates:", "is not a duration"),
    "an unknown key of duplicates": ("within_m: 50", "within: 1h, metres: 50", "duplicates:", "stands here twice"),
    "duplicates is no boolean": ("confidential: false, duplicates: false, mediation: true}", "confidential: false, duplicates: 0, mediation: true}", '"0101":', "must be true or false"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_file_is_refused_at_its_line(tmp_path, fault):
    old, new, at, reason = FAULTS[fault]
    folder = shutil.copytree(ROOT / "workflows", tmp_path / "workflows")
    file = folder / "categories.yaml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text := text.replace(old, new, 1), "utf-8")
    with pytest.raises(PolicyError) as refused:
        policy.load(folder)
    assert reason in str(refused.value), str(refused.value)
    line = next(
        n for n, content in enumerate(text.splitlines(), 1) if at in content and not content.startswith("#")
    )
    assert (refused.value.path, refused.value.line) == (file, line)


def test_the_questions_of_the_file_are_in_the_table(db_session):
    for spec in flow.rules().categories.values():
        kept = session.get_one(Category, spec.code)
        assert [QuestionSpec.of(row) for row in kept.questions] == list(spec.questions)
        assert [list(QuestionSpec.of(row).options) for row in kept.questions] == [
            list(q.options) for q in spec.questions
        ]
        assert kept.duplicates == spec.duplicates
    asked = [code for code, spec in flow.rules().categories.items() if spec.questions]
    assert 4 <= len(asked) <= 8


def question(kind: str, **more: Any) -> dict[str, Any]:
    return QuestionSpec("q", kind, {"zh": "问", "en": "Asked"}, **more).row()


OPTIONS = {"a": {"zh": "甲", "en": "A"}}


@pytest.mark.parametrize(
    ("asked", "given", "value", "words"),
    [
        (question("text"), "  湘E·12345 ", "湘E·12345", ("湘E·12345", "湘E·12345")),
        (question("number", low=1, high=3, unit={"zh": "人", "en": "people"}), "3", 3, ("3 人", "3 people")),
        (question("number"), 7, 7, ("7", "7")),
        (question("yesno"), "1", True, ("是", "yes")),
        (question("yesno"), False, False, ("否", "no")),
        (question("choice", options=OPTIONS), "a", "a", ("甲", "A")),
    ],
)
def test_an_answer_is_kept_with_its_words(asked, given, value, words):
    (kept,) = answers.take([asked], {"q": given})
    assert (kept["value"], kept["words"]["zh"], kept["words"]["en"]) == (value, *words)
    assert (kept["name"], kept["label"]) == ("q", {"zh": "问", "en": "Asked"})


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (question("text", max=3), {"q": "四个字了"}),
        (question("text"), {"q": 4}),
        (question("number", low=1, high=3), {"q": "4"}),
        (question("number", low=1, high=3), {"q": 0}),
        (question("number"), {"q": "1.5"}),
        (question("number"), {"q": "３"}),
        (question("number"), {"q": "9" * 40}),
        (question("number"), {"q": True}),
        (question("number"), {"q": [1]}),
        (question("yesno"), {"q": "perhaps"}),
        (question("yesno"), {"q": 1}),
        (question("choice", options=OPTIONS), {"q": "b"}),
        (question("choice", options=OPTIONS), {"q": {}}),
        (question("text", needed=True), {}),
        (question("text", needed=True), {"q": "  "}),
        (question("text"), {"other": "1"}),
    ],
)
def test_a_wrong_answer_is_refused_at_its_field(app, asked, given):
    with app.test_request_context(), pytest.raises(Invalid) as refused:
        answers.take([asked], given)
    assert refused.value.code == "answers_invalid"
    assert list(refused.value.errors) == ["answer_other" if "other" in given else "answer_q"]


def test_the_api_takes_answers_and_gives_them_back(city, client):
    body = {
        "category": BUS,
        "text": "校车超载",
        "grid_code": seed.MICRO,
        "answers": {"plate": "湘E·12345", "children": 30},
    }
    made = client.send("/api/v1/issues", body, city.resident)
    assert made.status_code == 201
    assert [(one["name"], one["value"]) for one in made.json["answers"]] == [
        ("plate", "湘E·12345"),
        ("children", 30),
    ]
    refused = client.send("/api/v1/issues", body | {"answers": {"children": 1000}}, city.resident)
    assert (refused.status_code, refused.json["code"], list(refused.json["errors"])) == (
        422,
        "answers_invalid",
        ["answer_children"],
    )
    for bad in ("x", [1], {"a": "\0"}, {"x" * 31: 1}, dict.fromkeys(map(str, range(21)), 1)):
        assert client.send("/api/v1/issues", body | {"answers": bad}, city.resident).status_code == 422
    categories = {one["code"]: one for one in client.get("/api/v1/categories", city.resident).json["items"]}
    assert [one["name"] for one in categories[BUS]["questions"]] == ["plate", "children"]


def sent(**more: Any) -> dict[str, Any]:
    return {"id": str(db.uuid7()), "category": SICK, "text": "猪场死猪", "grid_code": seed.MICRO, **more}


def test_without_scripts_a_second_page_asks_and_keeps_everything(city, client):
    page = client.form("/report", sent(address="猪场", photos=[(picture(), "a.jpg")]), city.resident)
    text = page.get_data(as_text=True)
    assert page.status_code == 200 and 'name="answer_sick"' in text and 'value="pig"' in text
    assert session.scalar(sa.select(sa.func.count()).select_from(Issue)) == 0
    assert (
        'name="text" value="猪场死猪"' in text
        and 'name="address" value="猪场"' in text
        and 'name="asked" value="0402"' in text
    )
    photo = str(photo_of(city.resident))
    body = sent(asked=SICK, photos=photo)
    wrong = client.form("/report", body | {"answer_sick": "many", "answer_animal": "pig"}, city.resident)
    text = wrong.get_data(as_text=True)
    assert (
        wrong.status_code == 422
        and 'value="many"' in text
        and 'value="pig" checked' in text
        and f'value="{photo}"' in text
    )
    done = client.form("/report", body | {"answer_sick": "4", "answer_animal": "pig"}, city.resident)
    assert done.status_code == 303
    issue = session.scalars(sa.select(Issue)).one()
    assert [(one["name"], one["value"]) for one in issue.answers] == [("animal", "pig"), ("sick", 4)]
    second = sent(asked=SICK, photos=str(photo_of(city.neighbour)), answer_sick="2")
    page = client.form("/report", second, city.neighbour).get_data(as_text=True)
    assert (
        issue.number in page
        and 'name="answer_sick" value="2"' in page
        and 'name="asked" value="0402"' in page
    )


def test_a_category_without_questions_asks_nothing(city, client):
    body = {"id": str(db.uuid7()), "category": "0203", "text": "三轮车载人", "grid_code": seed.MICRO}
    assert client.form("/report", body, city.resident).status_code == 303


def test_a_needed_answer_is_needed_everywhere(city, client):
    asked = [row | {"needed": True} for row in session.get_one(Category, WAGES).questions]
    session.execute(sa.update(Category).where(Category.code == WAGES).values(questions=asked))
    body = {"category": WAGES, "text": "工地欠薪", "grid_code": seed.MICRO}
    refused = client.send("/api/v1/issues", body, city.resident)
    assert set(refused.json["errors"]) == {"answer_people", "answer_amount", "answer_employer"}
    page = client.form("/report", body | {"id": str(db.uuid7()), "asked": WAGES}, city.resident)
    assert page.status_code == 422 and "这一项要填" in page.get_data(as_text=True)


def test_answers_are_read_in_both_languages_also_when_the_question_is_gone(city, client):
    issue = city.report("resident", category=BUS, answers={"plate": "湘E·12345", "children": "30"})
    session.execute(sa.update(Category).where(Category.code == BUS).values(questions=[]))
    page = client.page(f"/issues/{issue.id}", city.micro_chief).get_data(as_text=True)
    assert "车牌号" in page and "湘E·12345" in page and "30 人" in page
    with client.app.test_request_context(), forced("en"):
        assert answers.shown(session.get_one(Issue, issue.id)) == [
            ("Plate number", "湘E·12345"), ("About how many children", "30 children")
        ]  # fmt: skip


def test_a_follower_reads_no_answers(city, client):
    issue = city.report("resident", category=BUS, answers={"plate": "湘E·12345"})
    followers.follow(city.foreign_resident, issue.id)
    assert "12345" not in client.page(f"/issues/{issue.id}", city.foreign_resident).get_data(as_text=True)
    shown = client.get(f"/api/v1/issues/{issue.id}", city.foreign_resident).json
    assert (
        shown["answers"] == []
        and client.get(f"/api/v1/issues/{issue.id}", city.resident).json["answers"] != []
    )
