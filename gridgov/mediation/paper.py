"""A file on paper: 人民调解协议书, in Chinese whatever the reader speaks, for it is the document that was signed.

Source of the form: 人民调解法 (2010), article 29: the parties, the main facts and what each is answerable for, what was
agreed, how and by when it is carried out; signed by the parties and the mediator.
"""

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gridgov import printing
from gridgov.mediation.models import Mark, State
from gridgov.mediation.queries import File

SHANGHAI = ZoneInfo("Asia/Shanghai")
LAYOUT = Path(__file__).parent / "print" / "agreement.typ"
SIDES = {"applicant": "申请人", "respondent": "被申请人", "other": "其他当事人"}
WORDS: dict[str, Any] = {
    "number": "编号", "parties": "当事人", "columns": ["身份", "姓名", "住址（村组）", "联系电话"], "facts": "纠纷主要事实、争议事项",
    "agreement": "经调解，自愿达成如下协议", "performance": "履行方式、地点、期限", "signatures": "签名",
    "closing": "协议说明",
    "effect": "本协议由各方当事人在调解员主持下自愿达成，自各方签名之日起生效，各方应当按照约定履行。"
    "各方在电子屏幕上阅读全文后亲笔签名，签名与下列文本校验码一并保存。",
    "hash": "文本校验码（SHA-256）：",
}  # fmt: skip


def agreement(file: File) -> bytes:
    """The agreement as PDF: of what was laid out and by whom it is signed so far. The caller has seen to it that a text is."""
    mediation, paper = file.mediation, file.paper
    if paper is None:
        raise AssertionError("only a text that is laid out is printed")
    images: dict[str, bytes] = {}
    signers = []
    everybody = [(p.id, SIDES[str(p.side)], p.name) for p in file.parties] + [
        (m.id, "调解员", p.name) for m, p in file.mediators
    ]
    for signer, role, name in everybody:
        made = file.signed.get(signer)
        if made is not None and made.image is not None:
            images[str(made.id)] = made.image
        signers.append({
            "role": role, "name": name, "image": str(made.id) if made is not None and made.image is not None else "",
            "mark": "" if made is None else "拒绝签名" if made.mark == Mark.REFUSED else "",
            "at": f"{made.at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}" if made is not None else "尚未签名",
        })  # fmt: skip
    at = mediation.ended_at or paper.at
    data = {
        "title": "人民调解协议书", "number": mediation.number, "words": WORDS,
        "stamp": "" if mediation.state == State.CONCLUDED else "尚未全部签名，协议未生效",
        "parties": [
            {"side": SIDES[p["side"]], "name": p["name"], "group": p["group"], "phone": p["phone"]} for p in paper.words["parties"]
        ],
        "facts": paper.words["facts"], "agreement": paper.words["agreement"], "performance": paper.words["performance"],
        "signers": signers, "place": paper.words["place"], "date": _day(at), "hash": paper.hash.hex(),
    }  # fmt: skip
    return printing.pdf(LAYOUT, data, at=at, images=images)


def _day(at: datetime) -> str:
    local = at.astimezone(SHANGHAI)
    return f"{local.year}年{local.month}月{local.day}日"
