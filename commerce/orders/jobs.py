"""Jobs of orders: who is told of a new one."""

from pydantic import BaseModel

from commerce.accounts.principal import PROGRAM
from commerce.accounts.repository import AccountRepository
from commerce.mail.letters import letter
from commerce.mail.sending import MAIL, send
from commerce.orders.entities import Order
from commerce.orders.repository import OrderRepository
from core.database import WriteSession
from core.jobs.jobs import Jobs
from core.jobs.registry import job
from core.jobs.run import JobRun

_MOST_STAFF = 50


class OrderMail(BaseModel):
    order_id: str


@job("orders.confirmation", queue=MAIL, max_attempts=8, timeout_seconds=60)
async def send_confirmation(run: JobRun, args: OrderMail) -> None:
    """To the address that the order was placed with."""
    order = await _order(run, args)
    said = letter("order_confirmation", f"Your order number {order.number}", order=order)
    await send(run, said, [("", order.email)])


@job("orders.notice", queue=MAIL, max_attempts=8, timeout_seconds=60)
async def send_notice(run: JobRun, args: OrderMail) -> None:
    """One message to all staff, the fifty that came first."""
    order = await _order(run, args)
    async with run.resources.database.read() as session:
        staff = await AccountRepository(session).staff(limit=_MOST_STAFF)
    if staff:
        total = f"{len(order.lines)} {'line' if len(order.lines) == 1 else 'lines'}"
        said = letter("order_notice", f"New order number {order.number}, {total}", order=order)
        await send(run, said, [(user.name, user.email) for user in staff])


async def tell_of_order(session: WriteSession, jobs: Jobs, order: Order) -> None:
    """The customer and the staff, by jobs of the session's transaction."""
    args = OrderMail(order_id=order.id)
    await jobs.enqueue(session, send_confirmation, args, dedup_key=order.id)
    await jobs.enqueue(session, send_notice, args, dedup_key=order.id)


async def _order(run: JobRun, args: OrderMail) -> Order:
    async with run.resources.database.read() as session:
        order = await OrderRepository(session).get(args.order_id, PROGRAM)
    assert order is not None  # noqa: S101  orders are never deleted, and this job came with it
    return order
