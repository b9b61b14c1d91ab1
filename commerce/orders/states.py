"""The states of an order, as one table: placed, paid, shipped; cancelled from placed or paid."""

from collections.abc import Mapping
from typing import Literal

from commerce.orders.entities import State
from commerce.orders.errors import InvalidOrderState

Action = Literal["pay", "cancel", "ship"]
TRANSITIONS: Mapping[Action, Mapping[State, State]] = {
    "pay": {"placed": "paid"},  # once nothing is due any more; until then it stays placed
    "cancel": {"placed": "cancelled", "paid": "cancelled"},
    "ship": {"paid": "shipped", "shipped": "shipped"},
}


def next_state(state: State, action: Action) -> State:
    """Raises InvalidOrderState."""
    after = TRANSITIONS[action].get(state)
    if after is None:
        raise InvalidOrderState(f"the order is {state}: {action} is not possible", state=state)
    return after
