"""Runs of the assistant as they are read: plain values, free of any session."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from pydantic import TypeAdapter

from core.inference.provenance import Provenance
from core.money import Money

State = Literal["queued", "running", "done", "error", "cancelled"]
ENDED: frozenset[State] = frozenset(("done", "error", "cancelled"))
EventType = Literal["token", "card", "done", "error"]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)
LAST: frozenset[EventType] = frozenset(("done", "error"))  # nothing comes after one of these


@dataclass(frozen=True, slots=True)
class Run:
    """`owner` is a `Principal.name`; None: somebody unknown, whose id of the run is all that there is. `events`: the
    number of the last.
    """

    id: str
    owner: str | None
    state: State
    events: int
    provenance: Provenance | None
    prompt_tokens: int
    completion_tokens: int
    error_code: str | None
    created_at: datetime
    ended_at: datetime | None

    @property
    def ended(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class RunEvent:
    """`data` by type: `token` has `text`; `card` is a Card; `done` and `error` say how the run ended."""

    number: int
    type: EventType
    data: dict[str, Any]

    @property
    def is_last(self) -> bool:
        return self.type in LAST


@dataclass(frozen=True, slots=True)
class Card:
    """A product as it is when the card is sent. `price` is the lowest at which it can be bought now, or where it can
    not, the lowest that it has. `url` is a path of the public API.
    """

    product_id: str
    handle: str
    title: str
    price: Money
    lowest: Money
    highest: Money
    available: bool
    url: str
    image_url: str | None
    image_alt: str


@dataclass(slots=True)
class Corrections:
    """How often the model was not believed: amounts that no card or tool result has, names and ids of products that
    the tools of this run did not find.
    """

    amounts: int = 0
    products: int = 0


# How a run is kept under an idempotency key.
RUN_ID: TypeAdapter[str] = TypeAdapter(str)
