"""Who makes a request, the same on every door."""

from dataclasses import dataclass
from typing import Literal, get_args

Scope = Literal[
    "catalog:read",
    "catalog:write",
    "orders:read",
    "orders:write",
    "events:read",
    "webhooks:write",
    "reports:read",
    "support:write",
]
SCOPES: tuple[Scope, ...] = get_args(Scope)


@dataclass(frozen=True, slots=True)
class Principal:
    """Per request. `id` is None for an anonymous caller, who has no scope."""

    kind: Literal["api_key", "anonymous"]
    id: str | None = None
    scopes: frozenset[str] = frozenset()

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes

    @property
    def sees_unpublished(self) -> bool:
        """Who may change products may see those that are not on sale."""
        return self.may("catalog:write")


ANONYMOUS = Principal("anonymous")
