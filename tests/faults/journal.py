"""What a load did and was told: written by its process, read by who checks it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self


@dataclass(slots=True)
class Order:
    """One that was acknowledged; `at` is on the clock that all processes of a machine share."""

    email: str  # of this order alone
    id: str
    sku: str
    quantity: int
    at: float
    cancelled: bool = False


@dataclass(slots=True)
class Followed:
    """What came on one stream, and when. `told`: how often it was asked to come back; `broken`: how often it broke."""

    kind: str
    ids: list[str]
    times: list[float]
    told: int
    broken: int


@dataclass(slots=True)
class Journal:
    """`requests` counts by kind, place and outcome: answered, refused (with Retry-After), broken (no answer). `breaks`
    says how they broke; `wrong` is what no client should ever be told.
    """

    orders: list[Order] = field(default_factory=list)
    followed: list[Followed] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=dict)
    breaks: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def count(self, kind: str, outcome: str) -> None:
        name = f"{kind} {outcome}"
        self.requests[name] = self.requests.get(name, 0) + 1

    def total(self, outcome: str, place: int | None = None) -> int:
        end = f" at {place} {outcome}" if place is not None else f" {outcome}"
        return sum(count for name, count in self.requests.items() if name.endswith(end))

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Self:
        read = json.loads(path.read_text())
        orders = [Order(**each) for each in read["orders"]]
        followed = [Followed(**each) for each in read["followed"]]
        return cls(orders, followed, read["requests"], read["breaks"], read["wrong"])
