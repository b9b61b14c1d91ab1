"""Plans of what can be asked of orders (`graphql_api.plans`): the same as `queries` and `listing` answer."""

from collections.abc import Mapping
from typing import Any

from graphql.execution.collect_fields import FieldDetails
from strawberry.utils.str_converters import to_camel_case

from commerce.accounts.principal import Principal
from commerce.orders.filters import FILTERS, NEWEST, OrderFilter, form_of, require_bounds, sight_of, values_of, visible
from commerce.orders.models import OrderRow
from commerce.orders.projections import ORDER
from commerce.orders.reading import order_count, order_list
from core.direct import Bind
from core.projections.listing import Paging
from graphql_api.fields import plain
from graphql_api.plans.connections import NO_JSON, Connection, Source
from graphql_api.plans.kinds import Kind, Visible, one
from graphql_api.plans.parts import Binder, Bound, Part
from graphql_api.plans.selection import NotProjectable, Selection

_FILTERS = {to_camel_case(name): name for name in FILTERS}


def _visible(principal: Principal) -> Visible | None:
    if not principal.may("orders:read"):
        return None
    sight = sight_of(principal)
    return Visible(sight, lambda bind: [visible(sight, bind)], {"user_id": principal.user_id})


_orders = OrderRow.__table__
ORDER_KIND = Kind("ord_", "Order", ORDER, _orders, _orders.c.id, _visible)
_BY_ID = ORDER_KIND.by_id()


def _require_scope(principal: Principal) -> None:
    """The executor says what is missing. Raises NotProjectable."""
    if not principal.may("orders:read"):
        raise NotProjectable("orders:read")


def _order(selection: Selection, details: list[FieldDetails]) -> Binder:
    shape = selection.shape(selection.type_named("Order"), details, ORDER.members)

    def bind(given: Mapping[str, Any], principal: Principal, dialect: str) -> Bound:
        _require_scope(principal)
        return one(ORDER_KIND, shape, _BY_ID, given["id"], principal, dialect)

    return bind


def _orders_page(selection: Selection, details: list[FieldDetails]) -> Binder:
    connection = Connection(selection, details, "OrderConnection", ORDER)

    def bind(given: Mapping[str, Any], principal: Principal, dialect: str) -> Bound:
        _require_scope(principal)
        wanted = {_FILTERS[name]: plain(value) for name, value in (given.get("filter") or {}).items()}
        source = _source(OrderFilter(**wanted), principal, dialect)
        return connection.bound(source, given.get("first"), given.get("after"), dialect)

    return bind


def _source(wanted: OrderFilter, principal: Principal, dialect: str) -> Source:
    """Raises Invalid."""
    require_bounds(wanted)
    form, sight = form_of(wanted), sight_of(principal)

    def page(bind: Bind, paging: Paging) -> Part:
        return order_list(form, sight, paging, NO_JSON, dialect, bind)

    values = {**values_of(wanted), "user_id": principal.user_id}
    return Source((form, sight), values, NEWEST, page, lambda bind: order_count(form, sight, bind))


ORDER_PLANS = {"order": _order, "orders": _orders_page}
