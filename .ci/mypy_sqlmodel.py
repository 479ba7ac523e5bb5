"""A mypy plugin: on a table's class, a field is a column.

SQLModel declares fields with the types their values have on a row, so `Issue.id == x` looks like a bool to mypy. At run
time it is a SQL expression; this says so, instead of casts around every column of every query.
"""

from collections.abc import Callable

from mypy.nodes import TypeInfo, Var
from mypy.plugin import AttributeContext, Plugin
from mypy.types import Instance, Type

BASE = "sqlmodel.main.SQLModel"
COLUMN = "sqlalchemy.orm.attributes.InstrumentedAttribute"


class Columns(Plugin):
    """Gives class attributes of SQLModel tables the type InstrumentedAttribute[T]."""

    def get_class_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """The hook for fields of tables, None for everything else."""
        owner, _, name = fullname.rpartition(".")
        symbol = self.lookup_fully_qualified(owner)
        if symbol is None or not isinstance(symbol.node, TypeInfo) or not symbol.node.has_base(BASE):
            return None
        field = symbol.node.names.get(name)
        if field is None or not isinstance(field.node, Var) or name.startswith("_") or field.node.is_classvar:
            return None
        return self._column

    def _column(self, context: AttributeContext) -> Type:
        column = self.lookup_fully_qualified(COLUMN)
        if context.is_lvalue or column is None or not isinstance(column.node, TypeInfo):
            return context.default_attr_type
        return Instance(column.node, [context.default_attr_type])


def plugin(_version: str) -> type[Plugin]:
    """What mypy looks for."""
    return Columns
