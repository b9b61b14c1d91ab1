"""Who makes a request, the same on every door and every transport."""

from dataclasses import dataclass, field
from datetime import datetime
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
Role = Literal["customer", "support", "editor", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)  # each may do what those before it may

_CUSTOMER: frozenset[Scope] = frozenset(
    ("catalog:read", "orders:read", "orders:write", "events:read", "webhooks:write")
)
_SUPPORT = _CUSTOMER | frozenset[Scope](("reports:read", "support:write"))
# What a person may do, and so at most what a key of theirs may.
SCOPES_OF: dict[Role, frozenset[Scope]] = {
    "customer": _CUSTOMER,
    "support": _SUPPORT,
    "editor": _SUPPORT | frozenset[Scope](("catalog:write",)),
    "admin": frozenset(SCOPES),
}


@dataclass(frozen=True, slots=True)
class TicketUse:
    """The next use of a ticket ends this one."""

    secret_hash: bytes
    number: int


@dataclass(frozen=True, slots=True)
class Principal:
    """Per request. An anonymous caller has no id and no scope.

    `user_id` is the person: the user, or the owner of the key. A key without an owner is the shop's own, made on the
    command line. `role` is that person's role; None for the shop's own keys and for anonymous callers.
    """

    kind: Literal["user", "api_key", "anonymous"]
    id: str | None = None
    scopes: frozenset[str] = frozenset()
    user_id: str | None = None
    role: Role | None = None
    email: str | None = None
    sign_in_id: str | None = None  # of a user: what logging out revokes
    expires_at: datetime | None = None  # of the token or key
    # Which of a key's secrets it was, and which use of a ticket: what else can end while the caller stays who it is.
    key_hash: bytes | None = field(default=None, repr=False, compare=False)
    ticket: TicketUse | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """`user:usr_...`, `api_key:...` or `anonymous`: for the audit log, idempotency keys and limits."""
        return f"{self.kind}:{self.id}" if self.id is not None else self.kind

    @property
    def owner(self) -> str | None:
        """Whose what it makes is: the person, or the shop's own key."""
        return self.user_id if self.user_id is not None else self.id

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes

    def has_role(self, role: Role) -> bool:
        """Whether it is a person with this role or a higher one. Keys have scopes, not roles."""
        return self.kind == "user" and self.role is not None and ROLES.index(self.role) >= ROLES.index(role)

    @property
    def sees_everybody(self) -> bool:
        """Staff, their keys and the shop's own keys see what belongs to others, where their scopes let them in."""
        return self.kind != "anonymous" and self.role != "customer"

    @property
    def acts_for_shop(self) -> bool:
        """Admins, their keys and the shop's own keys may also change what belongs to others."""
        return self.kind != "anonymous" and self.role in (None, "admin")

    @property
    def answers_customers(self) -> bool:
        """Staff, their keys and the shop's own keys, where they have the scope: in every support room."""
        return self.sees_everybody and self.may("support:write")

    @property
    def chats(self) -> bool:
        """People, in rooms of their own at least; a key only where it has the scope, which customers' have not."""
        return self.kind == "user" or self.answers_customers

    @property
    def sees_unpublished(self) -> bool:
        """Who may change products may see those that are not on sale."""
        return self.may("catalog:write")


ANONYMOUS = Principal("anonymous")
PROGRAM = Principal("api_key", "program", frozenset(SCOPES))  # as jobs read: all there is
