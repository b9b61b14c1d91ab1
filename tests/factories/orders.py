"""Orders as tests drive them: principals of every kind, one transaction a call, and all that a refusal must leave."""

from typing import Any

from sqlalchemy import insert, select

from commerce.accounts.models import UserRow
from commerce.accounts.principal import SCOPES, SCOPES_OF, Principal, Role
from commerce.audit.models import AuditRow
from commerce.catalog.entities import Product
from commerce.catalog.models import ProductRow, VariantRow
from commerce.orders.commands import CancelOrder, OrderLine, PayOrder, PlaceOrder, ShipOrder
from commerce.orders.entities import Order
from commerce.orders.models import OrderLineRow, OrderRow, PaymentRow, ShipmentRow
from commerce.orders.repository import OrderRepository
from commerce.orders.service import OrderService
from core.database import Base, Database, WriteSession
from core.eventlog import EventRow
from core.ids import new_id
from core.jobs.jobs import Jobs
from tests.factories.clocks import FakeClock

SHOP_KEY = Principal("api_key", "shop", frozenset(SCOPES))
EMAIL = "ada@example.com"
_TABLES = (ProductRow, VariantRow, OrderRow, OrderLineRow, PaymentRow, ShipmentRow, AuditRow, EventRow)

Command = PlaceOrder | PayOrder | CancelOrder | ShipOrder


def an_order(*lines: tuple[str, int] | OrderLine, **changes: Any) -> PlaceOrder:
    """Lines as (variant id, quantity)."""
    given = tuple(line if isinstance(line, OrderLine) else OrderLine(line[1], line[0]) for line in lines)
    values: dict[str, Any] = {"lines": given, "email": EMAIL} | changes
    return PlaceOrder(**values)


def only_variant(product: Product) -> str:
    (variant,) = product.variants
    return variant.id


async def a_person(database: Database, role: Role = "customer") -> Principal:
    """A user with this role, signed in."""
    user_id, now = new_id("usr"), FakeClock().now()
    email = f"{user_id.replace('_', '-')}@example.com"
    values = {"id": user_id, "email": email, "name": "", "password_hash": "", "role": role}
    async with database.write() as session:
        await session.execute(insert(UserRow).values(**values, created_at=now, updated_at=now))
    return Principal("user", user_id, SCOPES_OF[role], user_id, role, email)


def key_of(person: Principal, *scopes: str) -> Principal:
    """With these scopes, or all that the person has."""
    kept = frozenset(scopes) or person.scopes
    return Principal("api_key", f"key-of-{person.id}", kept, person.user_id, person.role, person.email)


async def act(session: WriteSession, clock: FakeClock, command: Command, principal: Principal, jobs: Jobs) -> Order:
    service = OrderService(session, clock, principal=principal, currency="USD", jobs=jobs)
    match command:
        case PlaceOrder():
            return await service.place(command)
        case PayOrder():
            return await service.pay(command)
        case CancelOrder():
            return await service.cancel(command)
        case ShipOrder():
            return await service.ship(command)


class OrderDesk:
    """One transaction a call, as a request has it."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.database = database
        self.clock = clock
        self.jobs = Jobs(database, clock)

    async def do(self, command: Command, principal: Principal = SHOP_KEY) -> Order:
        async with self.database.write() as session:
            return await act(session, self.clock, command, principal, self.jobs)

    async def place(self, *lines: tuple[str, int] | OrderLine, by: Principal = SHOP_KEY, **changes: Any) -> Order:
        return await self.do(an_order(*lines, **changes), by)

    async def paid(self, *lines: tuple[str, int] | OrderLine, by: Principal = SHOP_KEY) -> Order:
        return await self.do(PayOrder((await self.place(*lines, by=by)).id), by)

    async def read(self, order_id: str, principal: Principal = SHOP_KEY) -> Order | None:
        async with self.database.read() as session:
            return await OrderRepository(session).get(order_id, principal)

    async def stock(self, variant_id: str) -> int | None:
        async with self.database.read() as session:
            found: int | None = await session.scalar(select(VariantRow.stock).where(VariantRow.id == variant_id))
            return found

    async def version(self, product: Product) -> int:
        async with self.database.read() as session:
            statement = select(ProductRow.version).where(ProductRow.id == product.head.id)
            return int(await session.scalar(statement))

    async def sold(self, variant_id: str) -> int:
        """In orders that are not cancelled."""
        async with self.database.read() as session:
            statement = select(OrderLineRow.quantity).join(OrderRow, OrderRow.id == OrderLineRow.order_id)
            taken = statement.where(OrderLineRow.variant_id == variant_id, OrderRow.state != "cancelled")
            return sum(await session.scalars(taken))

    async def events(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Type, visibility and data of those of orders and stock, in the order of the log."""
        columns = (EventRow.type, EventRow.visibility, EventRow.data)
        async with self.database.read() as session:
            rows = await session.execute(select(*columns).order_by(EventRow.position))
            return [(row[0], row[1], row[2]) for row in rows if row[0].startswith(("order.", "stock."))]

    async def audited(self, subject: str) -> list[tuple[str, str, Any, Any]]:
        columns = (AuditRow.actor, AuditRow.action, AuditRow.before, AuditRow.after)
        async with self.database.read() as session:
            rows = await session.execute(
                select(*columns).where(AuditRow.subject == subject).order_by(AuditRow.position)
            )
            return [(row[0], row[1], row[2], row[3]) for row in rows]

    async def everything(self) -> dict[str, list[Any]]:
        """Every row that an order could touch."""
        async with self.database.read() as session:
            tables = [Base.metadata.tables[row.__tablename__] for row in _TABLES]
            statements = {table.name: select(table).order_by(*table.primary_key.columns) for table in tables}
            return {
                name: [tuple(row) for row in await session.execute(statement)] for name, statement in statements.items()
            }
