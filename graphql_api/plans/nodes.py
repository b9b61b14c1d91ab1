"""`node` and `nodes`: each id is looked for among what has ids of its kind."""

from collections.abc import Mapping, Sequence
from typing import Any

from graphql.execution.collect_fields import FieldDetails

from commerce.accounts.principal import Principal
from core.direct import Bind
from core.projections.fields import Shape
from core.repository import among
from graphql_api.catalog.plans import PRODUCT_KIND, VARIANT_KIND
from graphql_api.nodes import MOST_NODES
from graphql_api.orders.plans import ORDER_KIND
from graphql_api.plans.kinds import Kind, Visible, one
from graphql_api.plans.parts import Binder, Bound, Part, Rows, array
from graphql_api.plans.selection import NotProjectable, Selection

_KINDS = (ORDER_KIND, VARIANT_KIND, PRODUCT_KIND)
_Shapes = Mapping[Kind, Shape]
_Asked = Sequence[tuple[Kind, Visible, list[str]]]  # the ids of each kind


def _kind_of(node_id: str) -> Kind:
    """Of other prefixes too there might be a product."""
    return next((kind for kind in _KINDS if node_id.startswith(kind.prefix)), PRODUCT_KIND)


def _shapes(selection: Selection, details: list[FieldDetails]) -> _Shapes:
    return {
        kind: selection.shape(selection.type_named(kind.type_name), details, kind.projection.members) for kind in _KINDS
    }


def _node(selection: Selection, details: list[FieldDetails]) -> Binder:
    shapes = _shapes(selection, details)

    def bind(given: Mapping[str, Any], principal: Principal, dialect: str) -> Bound:
        node_id: str = given["id"]
        kind = _kind_of(node_id)
        return one(kind, shapes[kind], kind.by_id(), node_id, principal, dialect)

    return bind


def _nodes(selection: Selection, details: list[FieldDetails]) -> Binder:
    shapes = _shapes(selection, details)

    def bind(given: Mapping[str, Any], principal: Principal, dialect: str) -> Bound:
        ids: list[str] = given["ids"]
        if len(ids) > MOST_NODES:
            raise NotProjectable("too many")
        asked = _asked(ids, principal)

        def parts(bind: Bind) -> list[Part]:
            return [_part(kind, shapes[kind], visible, bind, dialect) for kind, visible, _ in asked]

        def write(found: Sequence[Rows]) -> str:
            known = {row[1]: row[0] for rows in found for row in rows}
            return array([known.get(each, "null") for each in ids])

        return Bound(_kinds(asked), _values(asked), parts, write)

    return bind


def _asked(ids: Sequence[str], principal: Principal) -> _Asked:
    by_kind: dict[Kind, list[str]] = {}
    for each in dict.fromkeys(ids):
        by_kind.setdefault(_kind_of(each), []).append(each)
    found = ((kind, kind.visible(principal), some) for kind, some in by_kind.items())
    return [(kind, visible, some) for kind, visible, some in found if visible is not None]


def _kinds(asked: _Asked) -> tuple[Any, ...]:
    return tuple((kind.prefix, visible.kind) for kind, visible, _ in asked)


def _values(asked: _Asked) -> dict[str, Any]:
    """Each kind's ids under a name of their own; what makes rows visible is the caller, the same for all."""
    ids = {f"{kind.prefix}ids": some for kind, _, some in asked}
    return {name: value for _, visible, _ in asked for name, value in visible.values.items()} | ids


def _part(kind: Kind, shape: Shape, visible: Visible, bind: Bind, dialect: str) -> Part:
    columns = [kind.projection.json(shape, dialect), kind.id]
    return kind.rows(columns, visible, bind).where(among(kind.id, f"{kind.prefix}ids", bind, dialect))


NODE_PLANS = {"node": _node, "nodes": _nodes}
