"""Registered operations, and the clients that they belong to."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal, get_args

OperationKind = Literal["query", "mutation", "subscription"]
# What becomes of an operation that its client has not registered: it runs; it runs and is logged; it is refused.
Mode = Literal["off", "log", "enforce"]
MODES: tuple[Mode, ...] = get_args(Mode)  # the stricter the later
EVERYBODY = "*"  # the client that stands for who names none, or one that is not known


def sha256_of(text: str) -> str:
    """Of a document, byte for byte. A lone surrogate, which no stored text has, counts as a question mark."""
    return sha256(text.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation with its fragments. `sha256`, in lower case, is of the text and its name in the registry."""

    sha256: str
    name: str | None
    kind: OperationKind
    text: str


@dataclass(frozen=True, slots=True)
class Policy:
    """What a client may send. With `automatic`, what it sends once with a hash is known by the hash afterwards, which
    registers nothing.
    """

    client: str
    mode: Mode = "off"
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    name: str
    mode: Mode
    automatic: bool
    versions: tuple[str, ...]
    operations: int


@dataclass(frozen=True, slots=True)
class Registration:
    client: str
    version: str
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class RegisteredOperation:
    """An operation as the registry lists it; `registered_at` is the newest time."""

    sha256: str
    name: str | None
    kind: OperationKind
    registrations: tuple[Registration, ...]
    registered_at: datetime
    uses: int
    last_used_at: datetime | None
