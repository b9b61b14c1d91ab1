"""How this process is connected to PostgreSQL: who it says that it is, how long it waits for what, and what it leaves
out where a pooler stands between.

Two clocks run for a statement. The server's ends it (`statement_timeout`, `lock_timeout`); ours, a little later, gives
up a server that says nothing any more: a connection that is half open, or a machine that froze.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

CONNECT_SECONDS = 5.0
LONG_SECONDS = 300.0  # for statements of jobs, reports and exports
_ANSWER_SECONDS = 3.0  # for a server to say that it has ended a statement
_LOCK_SECONDS = 5.0  # for rows that another transaction holds
_IDLE_SECONDS = 30.0  # in a transaction, between two statements
# Seconds of silence after which the server asks whether we are there, and milliseconds after which it gives us up.
_SERVER_KEEPS = {"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_user_timeout": "60000"}
_CLIENT_KEEPS = {
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
    "connect_timeout": str(int(CONNECT_SECONDS)),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one process on PostgreSQL: connections by what they are for, and seconds. 0 `statement_seconds`: a statement
    may take as long as it does, as a migration's.
    """

    write: int = 10
    read: int = 10
    direct: int = 4
    reports: int = 2
    wait_seconds: float = 5.0
    statement_seconds: float = 0.0
    pooler: bool = False  # one that gives a server for a transaction at a time
    application: str = "portico"

    @property
    def total(self) -> int:
        return self.write + self.read + self.direct + self.reports


PATIENT = Limits()  # a command's, which an operator waits for


def connect_options(
    limits: Limits, statement_seconds: float, settings: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """What asyncpg connects with. `settings`: more of the server's, for the session."""
    named = {"application_name": limits.application}
    options: dict[str, Any] = {"timeout": CONNECT_SECONDS, "server_settings": named}
    if statement_seconds:
        options["command_timeout"] = statement_seconds + _ANSWER_SECONDS
    if limits.pooler:  # it knows no others, and the next transaction has another server
        return options | {"statement_cache_size": 0}
    named |= {**_SERVER_KEEPS, **settings}
    if statement_seconds:
        seconds = {
            "statement_timeout": statement_seconds,
            "lock_timeout": min(_LOCK_SECONDS, statement_seconds),
            "idle_in_transaction_session_timeout": max(_IDLE_SECONDS, statement_seconds),
        }
        named |= {name: str(int(value * 1000)) for name, value in seconds.items()}
    return options


def libpq_options(query: Mapping[str, Any]) -> dict[str, Any]:
    """A URL's own as libpq says them, sslmode where asyncpg says ssl; and what notices a half-open connection."""
    ours = {**_CLIENT_KEEPS, "application_name": "portico-jobs"}
    return ours | {("sslmode" if name == "ssl" else name): value for name, value in query.items()}


def is_outdated_plan(error: BaseException | None) -> bool:
    """Whether a statement was prepared before its table changed. SQLAlchemy prepares it anew the next time."""
    return "cached statement plan is invalid" in str(error)
