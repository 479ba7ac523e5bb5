"""Answers to the further questions of a category: checked, kept with the issue in words, and shown.

What is kept says the question and the answer in both languages, so that both can be read when the question is gone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gridgov.errors import Invalid
from gridgov.i18n import _, pick
from gridgov.issues.models import Issue
from gridgov.questions import QuestionSpec

FIELD = "answer_"
"""Before a question's name: the field of the form, and the key of a refusal."""
YES, NO = {"1", "true", "yes"}, {"0", "false", "no"}
DIGITS = 10
YES_NO = {"zh": ("是", "否"), "en": ("yes", "no")}


def take(questions: Sequence[Mapping[str, Any]], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is kept of the answers to these questions. Raises Invalid (answers_invalid) with messages by FIELD and name."""
    asked = [QuestionSpec.of(row) for row in questions]
    errors: dict[str, list[str]] = {}
    kept = []
    for name in set(given) - {question.name for question in asked}:
        errors[FIELD + name] = [_("This is not asked for.")]
    for question in asked:
        value = given.get(question.name)
        if value is None or (isinstance(value, str) and not value.strip()):
            if question.needed:
                errors[FIELD + question.name] = [_("This is needed.")]
            continue
        try:
            kept.append(_kept(question, _VALUES[question.kind](question, value)))
        except ValueError as error:
            errors[FIELD + question.name] = [str(error)]
    if errors:
        raise Invalid(_("Please check what you entered."), code="answers_invalid", errors=errors)
    return kept


def shown(issue: Issue) -> list[tuple[str, str]]:
    """The questions and answers of an issue in the language spoken now."""
    return [(pick(row["label"]), pick(row["words"])) for row in issue.answers]


def of_form(form: Mapping[str, str]) -> dict[str, str]:
    """The answers in a posted form, by the names of their questions."""
    return {
        key.removeprefix(FIELD): form[key].replace("\r\n", "\n")
        for key in form
        if key.startswith(FIELD) and form[key].strip()
    }


# Each kind ------------------------------------------------------------------------------------------------------------


def _text(question: QuestionSpec, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(_("This cannot be right; please enter it again."))
    if len(value.strip()) > question.max:
        raise ValueError(_("Please shorten it to %(n)s characters.", n=question.max))
    return value.strip()


def _number(question: QuestionSpec, value: Any) -> int:
    """A whole number; forms send digits."""
    if (
        isinstance(value, str)
        and value.strip().isascii()
        and value.strip().isdecimal()
        and len(value.strip()) <= DIGITS
    ):
        value = int(value)
    if type(value) is not int or not question.low <= value <= question.high:
        raise ValueError(
            _("Please enter a whole number from %(low)s to %(high)s.", low=question.low, high=question.high)
        )
    return value


def _choice(question: QuestionSpec, value: Any) -> str:
    if not isinstance(value, str) or value not in question.options:
        raise ValueError(_("Please choose one of what is offered."))
    return value


def _yesno(_question: QuestionSpec, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in YES | NO:
        return value.lower() in YES
    raise ValueError(_("Please choose one of what is offered."))


_VALUES = {"text": _text, "number": _number, "choice": _choice, "yesno": _yesno}


def _kept(question: QuestionSpec, value: Any) -> dict[str, Any]:
    words = {language: _words(question, value, language) for language in YES_NO}
    return {
        "name": question.name,
        "kind": question.kind,
        "label": dict(question.label),
        "value": value,
        "words": words,
    }


def _words(question: QuestionSpec, value: Any, language: str) -> str:
    if question.kind == "choice":
        return question.options[value][language]
    if question.kind == "yesno":
        return YES_NO[language][not value]
    unit = question.unit[language] if question.unit else ""
    return f"{value} {unit}".strip()
