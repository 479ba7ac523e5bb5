"""Messages about wrong input are in the reader's language, whatever the library says."""

import marshmallow
import pytest
from marshmallow import fields, validate

from gridgov.errors import Invalid
from gridgov.i18n import forced
from gridgov.web import load


class Form(marshmallow.Schema):
    text = fields.String(required=True, validate=validate.Length(max=3))
    number = fields.Integer(validate=validate.Range(1, 5))
    many = fields.List(fields.UUID(), validate=validate.Length(max=1))
    kind = fields.String(validate=[validate.OneOf(["a", "b"]), validate.Length(min=1)])
    code = fields.String(validate=validate.Regexp("^[0-9]+$"))
    at = fields.AwareDateTime()
    yes = fields.Boolean()
    share = fields.Float(allow_nan=False)


WRONG = [
    ({}, "text"),
    ({"text": None}, "text"),
    ({"text": 5}, "text"),
    ({"text": "long"}, "text"),
    ({"text": "a", "number": "x"}, "number"),
    ({"text": "a", "number": 9}, "number"),
    ({"text": "a", "many": "x"}, "many"),
    ({"text": "a", "many": ["x"]}, "many"),
    ({"text": "a", "kind": "c"}, "kind"),
    ({"text": "a", "code": "x"}, "code"),
    ({"text": "a", "at": "yesterday"}, "at"),
    ({"text": "a", "yes": "perhaps"}, "yes"),
    ({"text": "a", "share": "nan"}, "share"),
    ({"text": "a", "other": 1}, "other"),
]


def messages(errors) -> list[str]:
    if isinstance(errors, dict):
        return [m for value in errors.values() for m in messages(value)]
    return errors


@pytest.mark.parametrize(("given", "field"), WRONG)
def test_a_wrong_field_is_named_in_chinese(app, given, field):
    with app.test_request_context(), forced("zh"), pytest.raises(Invalid) as refused:
        load(Form(), given)
    assert list(refused.value.errors) == [field]
    for message in messages(refused.value.errors):
        assert any("\u4e00" <= sign <= "\u9fff" for sign in message), message
