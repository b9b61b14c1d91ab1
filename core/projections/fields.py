"""Projections: said once, how a row becomes JSON; and shapes, which say what somebody wants of it.

A feature declares its projections in `projections.py`. REST reads them whole; GraphQL picks from them. The database
makes the JSON, in one statement.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Column, ColumnElement, FromClause, Text, column, func, select
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.visitors import replacement_traverse

from core.database import Base
from core.projections import sql
from core.projections.sql import Piece

Expression = ColumnElement[Any] | InstrumentedAttribute[Any]


@dataclass(frozen=True, slots=True)
class Pick:
    """A field, under the name that the answer has for it; of an object or a list of them, with what is wanted of it."""

    key: str
    field: str
    shape: "Shape | None" = None


@dataclass(frozen=True, slots=True)
class Constant:
    """A text that is the same for every row."""

    key: str
    value: str


Shape = tuple[Pick | Constant, ...]  # in the order of the answer; None in its place: everything


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression stands: the dialect, and under which alias each table is read there."""

    dialect: str
    aliases: Mapping[str, FromClause] = field(default_factory=dict)

    def at(self, expression: Expression) -> ColumnElement[Any]:
        plain: Any = expression.__clause_element__() if isinstance(expression, InstrumentedAttribute) else expression
        return replacement_traverse(plain, {}, self._aliased)  # type: ignore[no-any-return]

    def _aliased(self, element: Any, **_: Any) -> ColumnElement[Any] | None:
        if not isinstance(element, Column):
            return None
        alias = self.aliases.get(element.table.name)
        return alias.c[element.key] if alias is not None else None

    def below(self, row: type[Base]) -> tuple["Scope", FromClause]:
        """One level deeper, where the table is read under an alias of its own."""
        alias = row.__table__.alias()
        return Scope(self.dialect, {**self.aliases, row.__tablename__: alias}), alias


class Field(ABC):
    """How one value becomes JSON. `members` are the fields of an object, or of the objects of a list."""

    members: Mapping[str, "Field"] = {}

    @abstractmethod
    def pieces(self, scope: Scope, shape: Shape | None) -> list[Piece]:
        """The JSON, never NULL, in pieces to be put together."""


class _Leaf(Field):
    def __init__(self, expression: Expression, write: Callable[[ColumnElement[Any], str], list[Piece]]) -> None:
        self._expression = expression
        self._write = write

    def pieces(self, scope: Scope, shape: Shape | None) -> list[Piece]:  # noqa: ARG002
        return self._write(scope.at(self._expression), scope.dialect)


class _Object(Field):
    def __init__(self, members: Mapping[str, Field], more: Mapping[str, Field], present: Expression | None) -> None:
        self.members = {**members, **more}
        self._whole = tuple(Pick(name, name) for name in members)
        self._present = present

    def pieces(self, scope: Scope, shape: Shape | None) -> list[Piece]:
        pieces: list[Piece] = ["{"]
        for place, pick in enumerate(self._whole if shape is None else shape):
            pieces.append(("," if place else "") + to_json(pick.key).decode() + ":")
            if isinstance(pick, Constant):
                pieces.append(to_json(pick.value).decode())
            else:
                pieces += self.members[pick.field].pieces(scope, pick.shape)
        pieces.append("}")
        if self._present is None:
            return pieces
        return [sql.choice(scope.at(self._present), sql.joined(pieces), "null")]


class Projection(_Object):
    """How a row of a table becomes an object. `more` are fields that only a shape which names them has."""

    def __init__(self, row: type[Base], members: Mapping[str, Field], more: Mapping[str, Field] | None = None) -> None:
        super().__init__(members, more or {}, None)
        self.row = row

    def json(self, shape: Shape | None, dialect: str) -> ColumnElement[str]:
        """For a statement that selects from the table, and from those whose columns the projection reads besides."""
        return sql.joined(self.pieces(Scope(dialect, {self.row.__tablename__: self.row.__table__}), shape))


class _One(Field):
    def __init__(self, of: Callable[[], Projection], on: Expression) -> None:
        self._of = of
        self._on = on

    @property
    def members(self) -> Mapping[str, Field]:  # type: ignore[override]
        return self._of().members

    def pieces(self, scope: Scope, shape: Shape | None) -> list[Piece]:
        inner, alias = scope.below(self._of().row)
        json = sql.joined(self._of().pieces(inner, shape))
        found = select(json).select_from(alias).where(inner.at(self._on)).correlate_except(alias)
        return [sql.or_null(found.scalar_subquery())]


class _Many(Field):
    def __init__(self, row: type[Base], item: Field, on: Expression, order_by: Sequence[Expression]) -> None:
        self.members = item.members
        self._row = row
        self._item = item
        self._on = on
        self._order_by = order_by

    def pieces(self, scope: Scope, shape: Shape | None) -> list[Piece]:
        inner, alias = scope.below(self._row)
        item = sql.joined(self._item.pieces(inner, shape))
        order = [inner.at(each) for each in self._order_by]
        if scope.dialect == "sqlite":  # which gives them to the aggregate in the order of the subquery
            rows = select(item.label("item")).select_from(alias).where(inner.at(self._on)).order_by(*order)
            items = rows.correlate_except(alias).subquery()
            found = select(func.group_concat(items.c.item, type_=Text()))
        else:
            rows = select(sql.in_order(item, order)).select_from(alias).where(inner.at(self._on))
            found = rows.correlate_except(alias)
        return ["[", func.coalesce(found.scalar_subquery(), sql.constant("")), "]"]


class _Entries(Field):
    """The entries of a JSON object of texts, as a list of objects."""

    def __init__(self, expression: Expression) -> None:
        self._expression = expression
        self._entry = _Object({"name": value(column("key", Text())), "value": value(column("value", Text()))}, {}, None)
        self.members = self._entry.members

    def pieces(self, scope: Scope, shape: Shape | None) -> list[Piece]:
        found = _aggregated(scope, self._expression, sql.joined(self._entry.pieces(scope, shape)), ",")
        return ["[", func.coalesce(found, sql.constant("")), "]"]


def value(of: Expression) -> Field:
    """A text, a whole number, or a condition, for which unknown is false."""
    kind = of.type.python_type

    def write(found: ColumnElement[Any], dialect: str) -> list[Piece]:
        if kind is bool:
            return [sql.choice(found, sql.constant("true"), "false")]
        json = sql.quoted(found, dialect) if kind is str else sql.as_text(found, dialect)
        says_null = kind is str and dialect == "sqlite"
        return [sql.or_null(json) if _is_nullable(of) and not says_null else json]

    return _Leaf(of, write)


def time(of: Expression) -> Field:
    """A moment, never NULL, in UTC."""
    return _Leaf(of, lambda found, dialect: ['"', sql.moment(found, dialect), '"'])


def json(of: Expression) -> Field:
    """JSON as it is stored, never NULL."""
    return _Leaf(of, lambda found, dialect: [sql.as_text(found, dialect)])


def obj(present: Expression | None = None, **members: Field) -> Field:
    """An object of the row's own values; null where `present` does not hold."""
    return _Object(members, {}, present)


def money(amount: Expression, currency: Expression) -> Field:
    """Null where the amount is."""
    present = amount.is_not(None) if _is_nullable(amount) else None
    return _Object({"amount": value(amount), "currency": value(currency)}, {}, present)


def one(of: Callable[[], Projection], on: Expression) -> Field:
    """The row that fits; null without one."""
    return _One(of, on)


def many(of: Projection, on: Expression, *, order_by: Expression) -> Field:
    return _Many(of.row, of, on, [order_by])


def values(row: type[Base], of: Expression, on: Expression, *, order_by: Expression) -> Field:
    """One value of each row that fits."""
    return _Many(row, value(of), on, [order_by])


def texts_of(of: Expression, separator: str) -> Field:
    """The values of a JSON object of texts, in its order, as one text."""

    class Texts(Field):
        def pieces(self, scope: Scope, shape: Shape | None) -> list[Piece]:  # noqa: ARG002
            found = _aggregated(scope, of, column("value", Text()), separator)
            return [sql.quoted(func.coalesce(found, sql.constant("")), scope.dialect)]

    return Texts()


def entries(of: Expression) -> Field:
    """The entries of a JSON object of texts, in its order, each as `{"name", "value"}`."""
    return _Entries(of)


def _aggregated(scope: Scope, of: Expression, item: ColumnElement[str], separator: str) -> ColumnElement[str]:
    """NULL for an object without entries."""
    entries_of, aggregate = (
        (func.json_each, func.group_concat) if scope.dialect == "sqlite" else (func.json_each_text, func.string_agg)
    )
    source = entries_of(scope.at(of)).table_valued("key", "value")
    found = aggregate(item, sql.constant(separator), type_=Text())
    return select(found).select_from(source).scalar_subquery()


def _is_nullable(of: Expression) -> bool:
    """Whether a column may be NULL; of anything else it is not known, and so it may."""
    plain = of.__clause_element__() if isinstance(of, InstrumentedAttribute) else of
    return plain.nullable if isinstance(plain, Column) else True  # type: ignore[return-value]
