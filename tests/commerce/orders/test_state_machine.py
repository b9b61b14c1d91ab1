"""Any sequence of commands, against a model of a few lines: states, what is due, and the stock."""

import asyncio
import shutil
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from commerce.orders.commands import CancelOrder, PayOrder, ShipOrder
from commerce.orders.entities import Order
from commerce.orders.errors import InvalidOrderState, OutOfStock, Overpayment
from core.database import Database
from core.errors import AppError
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.orders import Command, OrderDesk, an_order, only_variant
from tests.factories.products import a_variant

T = TypeVar("T")
STOCK = 12
PRICE = 100


@dataclass
class Expected:
    quantity: int
    state: str = "placed"
    paid: int = 0
    parcels: int = 0

    @property
    def due(self) -> int:
        return self.quantity * PRICE - self.paid


class Orders(RuleBasedStateMachine):
    template: Path
    folder: Path
    runs = 0
    orders: Bundle[str] = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        type(self).runs += 1
        path = self.folder / f"{self.runs}.db"
        shutil.copyfile(self.template, path)
        self.loop = asyncio.Runner()
        self.database = Database(f"sqlite+aiosqlite:///{path}")
        self.desk = OrderDesk(self.database, FakeClock())
        product = self.run(
            Catalogue(self.database, self.desk.clock).create(variants=(a_variant(price=PRICE, stock=STOCK),))
        )
        self.variant = only_variant(product)
        self.expected: dict[str, Expected] = {}

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(call)

    def teardown(self) -> None:
        self.run(self.database.close())
        self.loop.close()

    @property
    def left(self) -> int:
        return STOCK - sum(order.quantity for order in self.expected.values() if order.state != "cancelled")

    def refused(self, command: Command, error: type[AppError]) -> None:
        before = self.run(self.desk.everything())
        try:
            self.run(self.desk.do(command))
        except error:
            assert self.run(self.desk.everything()) == before
        else:
            raise AssertionError(f"{command} was not refused")

    @rule(target=orders, quantity=st.integers(1, 5))
    def place(self, quantity: int) -> str:
        command = an_order((self.variant, quantity))
        if quantity > self.left:
            self.refused(command, OutOfStock)
            return ""
        order = self.run(self.desk.do(command))
        self.expected[order.id] = Expected(quantity)
        return order.id

    @rule(order_id=orders, amount=st.none() | st.integers(1, 500))
    def pay(self, order_id: str, amount: int | None) -> None:
        order = self.expected.get(order_id)
        if order is None:
            return
        command = PayOrder(order_id, amount)
        if order.state != "placed":
            self.refused(command, InvalidOrderState)
        elif amount is not None and amount > order.due:
            self.refused(command, Overpayment)
        else:
            self.run(self.desk.do(command))
            order.paid += order.due if amount is None else amount
            order.state = "placed" if order.due else "paid"

    @rule(order_id=orders)
    def cancel(self, order_id: str) -> None:
        order = self.expected.get(order_id)
        if order is None:
            return
        if order.state in ("placed", "paid"):
            self.run(self.desk.do(CancelOrder(order_id)))
            order.state = "cancelled"
        else:
            self.refused(CancelOrder(order_id), InvalidOrderState)

    @rule(order_id=orders)
    def ship(self, order_id: str) -> None:
        order = self.expected.get(order_id)
        if order is None:
            return
        if order.state in ("paid", "shipped"):
            self.run(self.desk.do(ShipOrder(order_id, "DHL")))
            order.state, order.parcels = "shipped", order.parcels + 1
        else:
            self.refused(ShipOrder(order_id, "DHL"), InvalidOrderState)

    @invariant()
    def stored_is_as_expected(self) -> None:
        assert self.run(self.desk.stock(self.variant)) == self.left
        for order_id, expected in self.expected.items():
            order = self.run(self.desk.read(order_id))
            assert isinstance(order, Order)
            assert (order.state, order.due.amount, len(order.shipments), order.lines[0].quantity) == (
                expected.state,
                expected.due,
                expected.parcels,
                expected.quantity,
            )


def test_any_sequence_of_commands_does_what_the_model_says(sqlite_template: Path, tmp_path: Path) -> None:
    machine = type("TheseOrders", (Orders,), {"template": sqlite_template, "folder": tmp_path})
    chosen = settings(
        max_examples=10, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )

    run_state_machine_as_test(machine, settings=chosen)
