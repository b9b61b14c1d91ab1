"""Which events a client wants of those that it may see: for the log as SQL, for streams as topics and a question."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, true

from commerce.accounts.principal import Principal
from commerce.events.envelope import EVENT_TYPES
from commerce.events.visibility import is_visible, sees_what_is_owned, visible_to
from core.eventlog import Event, EventRow


@dataclass(frozen=True, slots=True)
class EventFilter:
    """`types` empty: all. `subject`: of this one alone."""

    principal: Principal
    types: frozenset[str] = frozenset()
    subject: str | None = None

    def sql(self) -> ColumnElement[bool]:
        """All but the types."""
        subject = EventRow.subject == self.subject if self.subject is not None else true()
        return and_(visible_to(self.principal), subject)

    def wants(self, event: Event) -> bool:
        """Exact; `topics` only spares most of the questions."""
        return (
            (not self.types or event.type in self.types)
            and (self.subject is None or event.subject == self.subject)
            and is_visible(event, self.principal)
        )

    def topics(self) -> frozenset[str]:
        """At least one of those of each event that is wanted."""
        if self.subject is not None:
            return frozenset((_subject(self.subject),))
        types = self.types or frozenset(EVENT_TYPES)
        owner = "*" if sees_what_is_owned(self.principal) else self.principal.user_id
        owned = (_owned(each, owner) for each in types if owner is not None)
        return types | frozenset(owned)


def topics_of(event: Event) -> tuple[str, ...]:
    """What belongs to somebody is told to them and to who sees everybody's, without asking everybody else."""
    if event.visibility != "owner":
        return event.type, _subject(event.subject)
    return _owned(event.type, event.owner_id or ""), _owned(event.type, "*"), _subject(event.subject)


def _owned(kind: str, owner: str) -> str:
    return f"{kind}@{owner}"


def _subject(subject: str) -> str:
    return f"subject:{subject}"
