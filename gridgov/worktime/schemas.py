"""The shapes of calendars, coming in and going out: the JSON form of the project holiday-cn."""

from marshmallow import Schema, fields, validate

from gridgov.i18n import _l
from gridgov.people.schemas import text


class CalendarDaySchema(Schema):
    """A day that rests (`isOffDay`) or works, whatever its weekday."""

    name = fields.String(load_default="", validate=validate.Length(max=40))
    date = fields.Date(required=True)
    isOffDay = fields.Boolean(required=True)


class CalendarImportSchema(Schema):
    """A year's notice as holiday-cn publishes it.

    `single`: these days are added to what is there and publish no year. `dry_run`: only say what would change.
    """

    schema_ = fields.String(data_key="$schema")
    id_ = fields.String(data_key="$id")
    year = fields.Integer(load_default=None, allow_none=True)
    papers = fields.List(fields.String(), load_default=list)
    days = fields.List(fields.Nested(CalendarDaySchema), required=True, validate=validate.Length(min=1, max=400))
    single = fields.Boolean(load_default=False)
    dry_run = fields.Boolean(load_default=False)


class DayChangeSchema(Schema):
    """A day that works now and rested before, or the other way round."""

    date = fields.Date(attribute="day")
    working = fields.Boolean()
    name = fields.String()


class CalendarReportSchema(Schema):
    """What an import changed. `change_id` is null when nothing did, or in a dry run; `published`: the year became official."""

    change_id = fields.Integer(attribute="change.id", dump_default=None, allow_none=True)
    year = fields.Integer(allow_none=True)
    published = fields.Boolean()
    changed = fields.Boolean()
    days = fields.List(fields.Nested(DayChangeSchema))
    notes = fields.List(fields.String())


class CalendarYearSchema(Schema):
    """A year: the days that differ from the weekends. Until it is `published` its deadlines are provisional."""

    year = fields.Integer()
    published = fields.Boolean()
    origin = fields.String(allow_none=True)
    source = fields.String()
    days = fields.List(fields.Nested(CalendarDaySchema))


class HoursSchema(Schema):
    """The form for the office hours of a city or township; empty hours: as those above it."""

    grid_code = text(9)
    hours = fields.String(load_default="")
    valid_from = fields.Date(load_default=None, error_messages={"invalid": _l("Please choose a day.")})
