"""What has an id of its own: where its rows are, who sees them, and the plans of reading one of them."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, String, select

from commerce.accounts.principal import Principal
from core.direct import Bind
from core.projections.fields import Projection, Shape
from graphql_api.plans.parts import Bound, Part, Rows, constant

Conditions = Callable[[Bind], list[ColumnElement[bool]]]


@dataclass(frozen=True, slots=True)
class Visible:
    """The rows that a caller may see: `kind` says how `conditions` are written, and `values` fill them."""

    kind: Hashable
    conditions: Conditions
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """Ids begin with `prefix`. `source`: all tables whose columns the projection reads. `visible` is None for a caller
    who may see none.
    """

    prefix: str
    type_name: str
    projection: Projection
    source: FromClause
    id: ColumnElement[str]
    visible: Callable[[Principal], Visible | None]

    def by_id(self) -> "By":
        return By(f"{self.prefix} id", lambda bind: self.id == bind("named", String()))

    def rows(self, columns: list[ColumnElement[Any]], visible: Visible, bind: Bind) -> Select[*tuple[Any, ...]]:
        return select(*columns).select_from(self.source).where(*visible.conditions(bind))


@dataclass(frozen=True, slots=True)
class By:
    """What names one row: the value `named`."""

    name: str
    fits: Callable[[Bind], ColumnElement[bool]]


def one(kind: Kind, shape: Shape, by: By, value: str, principal: Principal, dialect: str) -> Bound:
    """The row that it names, for a caller who may see it; else null."""
    visible = kind.visible(principal)
    if visible is None:
        return constant("null")

    def parts(bind: Bind) -> list[Part]:
        return [kind.rows([kind.projection.json(shape, dialect)], visible, bind).where(by.fits(bind))]

    return Bound((by.name, visible.kind), {**visible.values, "named": value}, parts, _first)


def _first(found: Sequence[Rows]) -> str:
    return found[0][0][0] if found[0] else "null"
